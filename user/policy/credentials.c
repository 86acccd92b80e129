/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/credentials.h"

#include <errno.h>
#include <string.h>

#include "sip/sip_grammar.h"

/* Credentials with every parameter understood. */
struct answer {
	struct sip_credentials text;
	enum digest_algorithm algorithm;
	bool sess;
	bool userhash;
	enum digest_qop qop;
	uint32_t nc; /* 0 without qop */
};

static bool trunk_has_realm(const struct policy_trunk *trunk, struct slice realm)
{
	for (size_t i = 0; i < trunk->realm_count; i++) {
		if (slice_eq(trunk->realms[i], realm))
			return true;
	}
	return false;
}

static bool is_digest(struct slice value)
{
	const struct slice scheme = SLICE("Digest");

	if (!slice_starts_nocase(value, scheme))
		return false;
	return value.n == scheme.n || memchr(" \t\r\n", value.p[scheme.n], 4) != NULL;
}

bool credentials_are_ours(const struct policy *policy, struct slice value)
{
	struct sip_credentials credentials = {0};
	bool ours;

	if (!policy_has_realms(policy) || !is_digest(value))
		return false;
	if (sip_credentials_parse(value, &credentials) != 0)
		return true;
	ours = !credentials.realm.p || policy_has_realm(policy, credentials.realm);
	sip_credentials_free(&credentials);
	return ours;
}

static unsigned user_strongest(const struct policy_user *user)
{
	return __atomic_load_n(&user->strongest, __ATOMIC_RELAXED);
}

bool credentials_offered(const struct policy_trunk *trunk, const struct policy_user *user,
			 enum digest_algorithm algorithm)
{
	const unsigned *offered = trunk->config.algorithms;
	unsigned floor = 0;
	bool found = false;

	for (unsigned i = 0; i < trunk->config.algorithm_count; i++) {
		found |= offered[i] == algorithm;
		if (user && trunk->config.ratchet && offered[i] <= user_strongest(user) &&
		    offered[i] > floor)
			floor = offered[i];
	}
	return found && algorithm >= floor;
}

/* nc-value = 8LHEX (RFC 7616 §3.4). Zero is refused: counting starts at one. */
static bool read_nc(struct slice text, uint32_t *ret_nc)
{
	uint32_t nc = 0;

	if (text.n != 8)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		int digit = hex_value(text.p[i]);

		if (digit < 0)
			return false;
		nc = nc << 4 | (uint32_t)digit;
	}
	*ret_nc = nc;
	return nc > 0;
}

/* What was sent with qop must come with all that belongs to it, lest it pass for the older scheme
 * without replay protection. */
static bool read_qop(const struct store_trunk *trunk, struct answer *answer)
{
	struct slice qop = answer->text.qop;

	answer->nc = 0;
	answer->qop = DIGEST_QOP_NONE;
	if (!qop.p)
		return trunk->allow_no_qop;
	if (slice_eq_nocase(qop, SLICE("auth")))
		answer->qop = DIGEST_QOP_AUTH;
	else if (slice_eq_nocase(qop, SLICE("auth-int")) && trunk->auth_int)
		answer->qop = DIGEST_QOP_AUTH_INT;
	else
		return false;
	return answer->text.cnonce.p && read_nc(answer->text.nc, &answer->nc);
}

static bool is_complete(const struct sip_credentials *text)
{
	return !text->duplicate && text->username.p && text->realm.p && text->nonce.p &&
	       text->uri.p && text->response.p;
}

static bool read_userhash(struct answer *answer)
{
	struct slice text = answer->text.userhash;

	answer->userhash = slice_eq_nocase(text, SLICE("true"));
	if (answer->userhash)
		return !answer->text.extended;
	return !text.p || slice_eq_nocase(text, SLICE("false"));
}

static bool uri_agrees(const struct credentials_query *query, struct slice uri)
{
	struct slice target = query->request->msg->uri;

	switch (query->trunk->config.digest_uri) {
	case STORE_URI_EXACT:
		return slice_eq(uri, target);
	case STORE_URI_EQUIVALENT:
		return sip_uri_equal(uri, target);
	case STORE_URI_ANY:
		break;
	}
	return true;
}

/* Whether the trunk's challenges asked for such an answer. */
static bool is_as_offered(const struct credentials_query *query, struct answer *answer)
{
	const struct store_trunk *trunk = &query->trunk->config;

	return digest_algorithm_of(answer->text.algorithm, &answer->algorithm, &answer->sess) ==
		       0 &&
	       answer->sess == trunk->sess && (trunk->userhash || !answer->userhash) &&
	       credentials_offered(query->trunk, NULL, answer->algorithm);
}

/* ADMISSION_BY_CREDENTIAL so far, or the cause of the refusal. */
static enum admission_cause read_answer(const struct credentials_query *query,
					struct answer *answer)
{
	if (!is_complete(&answer->text) || !read_qop(&query->trunk->config, answer) ||
	    !read_userhash(answer) || !uri_agrees(query, answer->text.uri))
		return ADMISSION_MALFORMED_CREDENTIALS;
	if (!is_as_offered(query, answer))
		return ADMISSION_WEAK_ALGORITHM;
	/* The session's key is made of the client's nonce too. */
	if (answer->sess && !answer->text.cnonce.p)
		return ADMISSION_MALFORMED_CREDENTIALS;
	return ADMISSION_BY_CREDENTIAL;
}

/* Who the credentials say they are of, and what the password was hashed to for the name as it
 * stands there. */
struct claimed {
	struct policy_user *user; /* NULL: there is no such user */
	const uint8_t *ha1;
};

/* Takes "@realm" off the name. */
static bool strip_realm(struct slice *name, struct slice realm)
{
	size_t at = name->n - realm.n - 1;

	if (name->n <= realm.n || name->p[at] != '@' ||
	    !slice_eq((struct slice){name->p + at + 1, realm.n}, realm))
		return false;
	name->n = at;
	return true;
}

static struct claimed find_claimed(const struct policy_trunk *trunk, const struct answer *answer)
{
	static const uint8_t nobody[STORE_HA1_SIZE];
	struct slice name = answer->text.username, realm = answer->text.realm;
	struct policy_user *user;
	bool at_realm = false;

	if (answer->userhash) {
		user = policy_user_by_hash(trunk, name, answer->algorithm, realm);
	} else {
		at_realm = strip_realm(&name, realm);
		user = policy_user_find(trunk, name, realm);
		if (user && at_realm && !user->at_realm)
			user = NULL;
	}
	if (!user)
		return (struct claimed){NULL, nobody};
	return (struct claimed){user, at_realm ? user->ha1.at_realm[answer->algorithm]
					       : user->ha1.plain[answer->algorithm]};
}

/* Whether the user knows the password. Without a user the same is computed with a made-up HA1, and
 * the result thrown away. 1, 0 or a negative errno. */
static int digest_is_right(const struct credentials_query *query, const struct answer *answer,
			   const struct claimed *claimed)
{
	const struct sip_msg *msg = query->request->msg;
	const struct digest_input input = {
		.algorithm = answer->algorithm,
		.sess = answer->sess,
		.ha1 = claimed->ha1,
		.nonce = answer->text.nonce,
		.nc = answer->text.nc,
		.cnonce = answer->text.cnonce,
		.qop = answer->qop,
		.method = msg->method_text,
		.uri = answer->text.uri,
		.body = msg->body,
	};
	char expected[DIGEST_HEX_SIZE];
	int rc = digest_response(query->admission->digest, &input, expected);
	bool matches, known;

	if (rc)
		return rc;
	matches = digest_response_matches(answer->text.response, expected);
	known = digest_ha1_is_known(claimed->ha1);
	return matches && known && claimed->user;
}

static enum nonce_result verify_nonce(const struct credentials_query *query,
				      const struct answer *answer, uint64_t *ret_issued_s)
{
	const struct admission_request *request = query->request;
	const struct nonce_binding binding = {
		.source = request->source.ip,
		.transport = request->transport,
		.realm = answer->text.realm,
		.algorithm = answer->algorithm,
		.sess = answer->sess,
	};

	return nonce_verify(
		query->admission->nonce_keys, &binding, answer->text.nonce, request->now_s,
		policy_settings(query->admission->policy)->nonce_lifetime_s, ret_issued_s);
}

/* Lost if it can not be noted: then the next snapshot knows no better than this one did. */
static void ratchet_raise(const struct admission *admission, struct policy_user *user,
			  enum digest_algorithm algorithm)
{
	unsigned strongest = user_strongest(user);

	while (strongest < algorithm) {
		if (!__atomic_compare_exchange_n(&user->strongest, &strongest, algorithm, false,
						 __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			continue;
		if (admission->ratchet)
			admission->ratchet(admission->ratchet_arg, user->id, algorithm);
		return;
	}
}

/* The password is right; whether the answer may be used. */
static enum admission_cause use_answer(const struct credentials_query *query,
				       const struct answer *answer, struct policy_user *user,
				       uint64_t issued_s)
{
	if (!credentials_offered(query->trunk, user, answer->algorithm))
		return ADMISSION_WEAK_ALGORITHM;
	switch (replay_use(query->admission->replay, answer->text.nonce, issued_s, answer->nc,
			   query->request->now_s)) {
	case REPLAY_REPEATED:
		return ADMISSION_REPLAYED;
	case REPLAY_STALE:
		return ADMISSION_EXPIRED_NONCE;
	case REPLAY_FRESH:
		break;
	}
	if (query->trunk->config.ratchet)
		ratchet_raise(query->admission, user, answer->algorithm);
	return ADMISSION_BY_CREDENTIAL;
}

static enum admission_cause check_answer(const struct credentials_query *query,
					 const struct answer *answer,
					 struct credentials_outcome *outcome)
{
	enum nonce_result nonce;
	struct claimed claimed;
	uint64_t issued_s = 0;
	int right;

	nonce = verify_nonce(query, answer, &issued_s);
	if (nonce == NONCE_FOREIGN)
		return ADMISSION_FOREIGN_NONCE;
	claimed = find_claimed(query->trunk, answer);
	outcome->unknown = !claimed.user;
	right = digest_is_right(query, answer, &claimed);
	if (right < 0)
		return ADMISSION_NO_RESOURCES;
	if (!right)
		return ADMISSION_BAD_CREDENTIALS;
	outcome->user = claimed.user;
	if (nonce == NONCE_EXPIRED)
		return ADMISSION_EXPIRED_NONCE;
	return use_answer(query, answer, claimed.user, issued_s);
}

static void note_name(struct credentials_outcome *outcome, struct slice name)
{
	outcome->name_n = name.n < sizeof(outcome->name) ? name.n : sizeof(outcome->name);
	if (outcome->name_n > 0)
		memcpy(outcome->name, name.p, outcome->name_n);
}

static void check_read(const struct credentials_query *query, struct answer *answer,
		       struct credentials_outcome *outcome)
{
	note_name(outcome, answer->text.username);
	outcome->cause = read_answer(query, answer);
	if (outcome->cause == ADMISSION_BY_CREDENTIAL)
		outcome->cause = check_answer(query, answer, outcome);
}

bool credentials_check(const struct credentials_query *query, struct slice value,
		       struct credentials_outcome *ret_outcome)
{
	struct answer answer = {0};
	bool ours = true;
	int rc;

	if (query->trunk->realm_count == 0 || !is_digest(value))
		return false;
	*ret_outcome = (struct credentials_outcome){.cause = ADMISSION_MALFORMED_CREDENTIALS};
	rc = sip_credentials_parse(value, &answer.text);
	if (rc == -ENOMEM)
		ret_outcome->cause = ADMISSION_NO_RESOURCES;
	else if (rc == 0 && answer.text.realm.p &&
		 !trunk_has_realm(query->trunk, answer.text.realm))
		ours = false;
	else if (rc == 0)
		check_read(query, &answer, ret_outcome);
	sip_credentials_free(&answer.text);
	return ours;
}
