/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/admission.h"

#include <errno.h>

#include "policy/credentials.h"
#include "policy/prepare.h"
#include "policy/vouch.h"
#include "sip/sip_grammar.h"

enum evidence {
	EVIDENCE_NONE,
	EVIDENCE_SOFT,	    /* anybody could send it */
	EVIDENCE_TRANSPORT, /* anybody could send it, but not over TCP or TLS */
	EVIDENCE_HARD,
};

/* What follows from each cause. Of several credentials in one request the cause with the highest
 * rank decides; whoever knows a password is helped on before anything else. */
struct consequence {
	const char *name;
	enum admission_verdict verdict;
	unsigned status; /* of refusals */
	enum evidence evidence;
	enum sipward_lockout_reason reason;
	unsigned rank;
	bool stale;
};

static const struct consequence consequences[ADMISSION_CAUSES] = {
	[ADMISSION_BY_ADDRESS] = {.name = "by_address", .verdict = ADMISSION_FORWARD},
	[ADMISSION_BY_CREDENTIAL] = {.name = "by_credential",
				     .verdict = ADMISSION_FORWARD,
				     .rank = 8},
	[ADMISSION_BY_ADDRESS_AND_CREDENTIAL] = {.name = "by_address_and_credential",
						 .verdict = ADMISSION_FORWARD},
	[ADMISSION_NO_TRUNK] = {"no_trunk", ADMISSION_REFUSE, 403, EVIDENCE_TRANSPORT,
				SIPWARD_LOCKOUT_ADDRESS, 0, false},
	[ADMISSION_ADDRESS_REFUSED] = {"address_refused", ADMISSION_REFUSE, 403, EVIDENCE_TRANSPORT,
				       SIPWARD_LOCKOUT_ADDRESS, 0, false},
	[ADMISSION_NO_CREDENTIALS] = {.name = "no_credentials", .verdict = ADMISSION_CHALLENGE},
	[ADMISSION_BAD_CREDENTIALS] = {"bad_credentials", ADMISSION_REFUSE, 403, EVIDENCE_HARD,
				       SIPWARD_LOCKOUT_CREDENTIAL, 4, false},
	[ADMISSION_MALFORMED_CREDENTIALS] = {"malformed_credentials", ADMISSION_REFUSE, 400,
					     EVIDENCE_TRANSPORT, SIPWARD_LOCKOUT_CREDENTIAL, 3,
					     false},
	[ADMISSION_FOREIGN_NONCE] = {"foreign_nonce", ADMISSION_CHALLENGE, 0, EVIDENCE_TRANSPORT,
				     SIPWARD_LOCKOUT_CREDENTIAL, 2, false},
	[ADMISSION_EXPIRED_NONCE] = {.name = "expired_nonce",
				     .verdict = ADMISSION_CHALLENGE,
				     .rank = 6,
				     .stale = true},
	[ADMISSION_REPLAYED] = {"replayed", ADMISSION_CHALLENGE, 0, EVIDENCE_SOFT,
				SIPWARD_LOCKOUT_CREDENTIAL, 5, true},
	[ADMISSION_WEAK_ALGORITHM] = {.name = "weak_algorithm",
				      .verdict = ADMISSION_CHALLENGE,
				      .rank = 1},
	[ADMISSION_NOT_REGISTERED] = {.name = "not_registered",
				      .verdict = ADMISSION_REFUSE,
				      .status = 486},
	[ADMISSION_NO_RESOURCES] = {.name = "no_resources",
				    .verdict = ADMISSION_REFUSE,
				    .status = 500,
				    .rank = 7},
	[ADMISSION_TRUNK_DISABLED] = {"trunk_disabled", ADMISSION_REFUSE, 403, EVIDENCE_TRANSPORT,
				      SIPWARD_LOCKOUT_ADDRESS, 0, false},
	[ADMISSION_BY_REGISTRATION] = {.name = "by_registration", .verdict = ADMISSION_FORWARD},
	[ADMISSION_NO_REGISTRAR] = {.name = "no_registrar",
				    .verdict = ADMISSION_REFUSE,
				    .status = 403},
	[ADMISSION_NO_CLIENT_CERTIFICATE] = {"no_client_certificate", ADMISSION_REFUSE, 403,
					     EVIDENCE_TRANSPORT, SIPWARD_LOCKOUT_CREDENTIAL, 0,
					     false},
};

struct decision {
	const struct admission *admission;
	const struct admission_request *request;
	struct admission_result *result;
	struct policy_user *user; /* whose digest was right, even if it was not accepted */
};

const char *admission_cause_name(enum admission_cause cause)
{
	return cause < ADMISSION_CAUSES ? consequences[cause].name : "unknown";
}

/* ---- evidence ---- */

static void note_failure(struct decision *decision, enum admission_cause cause)
{
	const struct admission *admission = decision->admission;
	const struct admission_request *request = decision->request;
	enum evidence evidence = consequences[cause].evidence;
	struct lockout_evidence failure = {
		.source = request->source.ip,
		.grade = LOCKOUT_SOFT,
		.reason = consequences[cause].reason,
	};

	if (evidence == EVIDENCE_NONE || !admission->lockouts)
		return;
	if (evidence == EVIDENCE_HARD || (evidence == EVIDENCE_TRANSPORT && request->reliable))
		failure.grade = LOCKOUT_HARD;
	failure.vouched =
		vouch_of(admission, &request->source.ip, request->now_ns) != VOUCHER_NONE;
	if (lockout_failure(admission->lockouts, policy_settings(admission->policy), &failure,
			    request->now_ns, &decision->result->lockout))
		decision->result->locked_out = true;
}

bool admission_misbehaved(const struct admission *admission, const struct ip *source,
			  uint64_t now_ns, struct sipward_lockout *ret_lockout)
{
	struct lockout_evidence failure = {
		.source = *source,
		.grade = LOCKOUT_HARD,
		.reason = SIPWARD_LOCKOUT_CONNECTION,
		.vouched = vouch_of(admission, source, now_ns) != VOUCHER_NONE,
	};

	return admission->lockouts && !policy_is_upstream(admission->policy, source) &&
	       lockout_failure(admission->lockouts, policy_settings(admission->policy), &failure,
			       now_ns, ret_lockout);
}

/* ---- challenges ---- */

static int write_challenge(struct decision *decision, struct slice realm,
			   enum digest_algorithm algorithm)
{
	const struct admission_request *request = decision->request;
	struct admission_result *result = decision->result;
	const struct nonce_binding binding = {
		.source = request->source.ip,
		.transport = request->transport,
		.realm = realm,
		.algorithm = algorithm,
		.sess = result->trunk->config.sess,
	};
	struct challenge challenge =
		challenge_of_trunk(decision->admission->policy, result->trunk, result->status);
	char nonce[NONCE_TEXT_SIZE];
	size_t used = result->challenge.n, written;
	int rc;

	challenge.realm = realm;
	challenge.algorithm = algorithm;
	challenge.nonce = nonce;
	challenge.stale = consequences[result->cause].stale;
	nonce_issue(decision->admission->nonce_keys, &binding,
		    replay_issue_time(decision->admission->replay, request->now_s), nonce);
	rc = challenge_write(&challenge, result->challenge_text + used,
			     sizeof(result->challenge_text) - used, &written);
	if (rc == 0)
		result->challenge.n += written;
	return rc;
}

/* One field a realm and algorithm, in the trunk's order. What does not fit is left out: the fields
 * preferred most come first. */
static void write_challenges(struct decision *decision)
{
	struct admission_result *result = decision->result;
	const struct policy_trunk *trunk = result->trunk;

	result->status =
		challenge_status(trunk, decision->request->msg->method == SIP_REGISTER);
	for (size_t realm = 0; realm < trunk->realm_count; realm++) {
		for (unsigned i = 0; i < trunk->config.algorithm_count; i++) {
			unsigned algorithm = trunk->config.algorithms[i];

			if (!credentials_offered(trunk, decision->user, algorithm))
				continue;
			if (write_challenge(decision, trunk->realms[realm], algorithm) != 0)
				return;
		}
	}
}

/* ---- the decision ---- */

/* Whichever of the two names the client chose. */
static bool has_credentials(const struct sip_header *header)
{
	return header->id == SIP_AUTHORIZATION || header->id == SIP_PROXY_AUTHORIZATION;
}

unsigned admission_own_credentials(const struct policy *policy, const struct sip_msg *msg,
				   unsigned ret_headers[ADMISSION_CREDENTIALS_MAX + 1])
{
	unsigned n = 0;

	for (unsigned i = 0; i < msg->header_count && n <= ADMISSION_CREDENTIALS_MAX; i++)
		if (has_credentials(&msg->headers[i]) &&
		    credentials_are_ours(policy, msg->headers[i].value))
			ret_headers[n++] = i;
	return n;
}

static unsigned count_credentials(const struct sip_msg *msg)
{
	unsigned n = 0;

	for (unsigned i = 0; i < msg->header_count; i++)
		n += has_credentials(&msg->headers[i]);
	return n;
}

static void note_tried(struct admission_result *result, const struct credentials_outcome *outcome)
{
	memcpy(result->tried_text, outcome->name, outcome->name_n);
	result->tried = (struct slice){result->tried_text, outcome->name_n};
	result->tried_unknown = outcome->unknown;
}

/* Checks every set of credentials for our realms until one is right or the source is locked out.
 * Each wrong one counts: a request with ten guesses is ten failures. */
static enum admission_cause check_credentials(struct decision *decision)
{
	const struct admission_request *request = decision->request;
	const struct sip_msg *msg = request->msg;
	struct admission_result *result = decision->result;
	const struct credentials_query query = {decision->admission, request, result->trunk};
	enum admission_cause best = ADMISSION_NO_CREDENTIALS;

	if (count_credentials(msg) > ADMISSION_CREDENTIALS_MAX) {
		note_failure(decision, ADMISSION_MALFORMED_CREDENTIALS);
		return ADMISSION_MALFORMED_CREDENTIALS;
	}
	for (unsigned i = 0; i < msg->header_count; i++) {
		struct credentials_outcome outcome;

		if (best == ADMISSION_BY_CREDENTIAL || result->locked_out)
			break;
		if (!has_credentials(&msg->headers[i]) ||
		    !credentials_check(&query, msg->headers[i].value, &outcome))
			continue;
		note_failure(decision, outcome.cause);
		if (outcome.user)
			decision->user = outcome.user;
		if (consequences[outcome.cause].rank <= consequences[best].rank)
			continue;
		best = outcome.cause;
		note_tried(result, &outcome);
	}
	return best;
}

static enum admission_cause decide_by_digest(struct decision *decision)
{
	enum admission_cause cause = check_credentials(decision);

	if (cause != ADMISSION_BY_CREDENTIAL)
		return cause;
	decision->result->user = decision->user;
	vouch_prove(decision->admission, &decision->request->source.ip, decision->request->now_ns);
	if (decision->result->trunk->config.auth == STORE_AUTH_IP_ACL_AND_CREDENTIAL)
		return ADMISSION_BY_ADDRESS_AND_CREDENTIAL;
	return cause;
}

static enum admission_cause decide_by_address(struct decision *decision)
{
	if (policy_acl_allows(decision->result->trunk, &decision->request->source.ip))
		return ADMISSION_BY_ADDRESS;
	note_failure(decision, ADMISSION_ADDRESS_REFUSED);
	return ADMISSION_ADDRESS_REFUSED;
}

static enum admission_cause decide_by_registration(struct decision *decision)
{
	const struct admission_request *request = decision->request;
	int rc;

	if (request->msg->method == SIP_REGISTER)
		return ADMISSION_NO_REGISTRAR;
	rc = admission_registered(decision->admission, request->msg, &request->source.ip,
				  request->now_s);
	if (rc == -ENOMEM)
		return ADMISSION_NO_RESOURCES;
	decision->result->registered_elsewhere = rc == -EADDRNOTAVAIL;
	return rc == 0 ? ADMISSION_BY_REGISTRATION : ADMISSION_NOT_REGISTERED;
}

static enum admission_cause decide_in_trunk(struct decision *decision)
{
	enum admission_cause cause;

	decision->result->auth = decision->result->trunk->config.auth;
	switch (decision->result->trunk->config.auth) {
	case STORE_AUTH_IP_ACL:
		return decide_by_address(decision);
	case STORE_AUTH_CREDENTIAL:
		return decide_by_digest(decision);
	case STORE_AUTH_IP_ACL_AND_CREDENTIAL:
		cause = decide_by_address(decision);
		return cause == ADMISSION_BY_ADDRESS ? decide_by_digest(decision) : cause;
	case STORE_AUTH_NONE:
		break;
	}
	return decide_by_registration(decision);
}

/* From the Request-URI, never from To. What is no SIP URI names no domain. */
static int find_trunk(struct decision *decision)
{
	const struct policy *policy = decision->admission->policy;
	struct sip_uri uri = {0};
	int rc = sip_uri_parse(decision->request->msg->uri, &uri);

	if (rc == -ENOMEM)
		return rc;
	if (rc == 0)
		decision->result->trunk = policy_trunk_find(policy, uri.user, uri.host);
	sip_uri_free(&uri);
	return 0;
}

static bool lacks_certificate(const struct decision *decision)
{
	return decision->result->trunk->config.client_certificate &&
	       !decision->request->client_verified;
}

static enum admission_cause decide(struct decision *decision)
{
	struct admission_result *result = decision->result;
	enum admission_cause cause = ADMISSION_NO_TRUNK;

	result->trunk = decision->request->trunk;
	if (!result->trunk && find_trunk(decision) != 0)
		return ADMISSION_NO_RESOURCES;
	if (result->trunk && !result->trunk->config.enabled)
		cause = ADMISSION_TRUNK_DISABLED;
	else if (result->trunk && lacks_certificate(decision))
		cause = ADMISSION_NO_CLIENT_CERTIFICATE;
	else if (result->trunk)
		return decide_in_trunk(decision);
	note_failure(decision, cause);
	return cause;
}

void admission_decide(const struct admission *admission, const struct admission_request *request,
		      struct admission_result *ret_result)
{
	struct decision decision = {
		.admission = admission, .request = request, .result = ret_result};

	/* Not memset: the challenge text alone is 3 KB. */
	ret_result->trunk = NULL;
	ret_result->user = NULL;
	ret_result->auth = STORE_AUTH_NONE;
	ret_result->tried = (struct slice){ret_result->tried_text, 0};
	ret_result->tried_unknown = false;
	ret_result->registered_elsewhere = false;
	ret_result->challenge = (struct slice){ret_result->challenge_text, 0};
	ret_result->locked_out = false;

	ret_result->cause = decide(&decision);
	ret_result->verdict = consequences[ret_result->cause].verdict;
	ret_result->status = consequences[ret_result->cause].status;
	if (ret_result->verdict == ADMISSION_CHALLENGE)
		write_challenges(&decision);
}
