/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/credentials.h"

#include <errno.h>
#include <string.h>

#include "sip/sip_grammar.h"

/* Credentials with every parameter understood. */
struct answer {
	struct sip_credentials text;
	enum digest_algorithm algorithm;
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

bool credentials_are_ours(const struct policy_trunk *trunk, struct slice value)
{
	struct sip_credentials credentials = {0};
	bool ours;

	if (trunk->realm_count == 0 || !is_digest(value))
		return false;
	if (sip_credentials_parse(value, &credentials) != 0)
		return true;
	ours = !credentials.realm.p || trunk_has_realm(trunk, credentials.realm);
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

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
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

/* ADMISSION_BY_CREDENTIAL so far, or the cause of the refusal. */
static enum admission_cause read_answer(const struct credentials_query *query,
					struct answer *answer)
{
	const struct store_trunk *trunk = &query->trunk->config;
	bool sess;

	if (!is_complete(&answer->text) || !read_qop(trunk, answer))
		return ADMISSION_MALFORMED_CREDENTIALS;
	if (trunk->digest_uri != STORE_URI_ANY &&
	    !slice_eq(answer->text.uri, query->request->msg->uri))
		return ADMISSION_MALFORMED_CREDENTIALS;
	if (digest_algorithm_of(answer->text.algorithm, &answer->algorithm, &sess) != 0 || sess)
		return ADMISSION_WEAK_ALGORITHM;
	if (!credentials_offered(query->trunk, NULL, answer->algorithm))
		return ADMISSION_WEAK_ALGORITHM;
	return ADMISSION_BY_CREDENTIAL;
}

/* Whether the user knows the password. Without a user the same is computed with a made-up HA1, and
 * the result thrown away. 1, 0 or a negative errno. */
static int digest_is_right(const struct credentials_query *query, const struct answer *answer,
			   const struct policy_user *user)
{
	static const uint8_t nobody[STORE_HA1_SIZE];
	const struct sip_msg *msg = query->request->msg;
	const struct digest_input input = {
		.algorithm = answer->algorithm,
		.ha1 = user ? user->ha1.plain[answer->algorithm] : nobody,
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
	bool matches;

	if (rc)
		return rc;
	matches = digest_response_matches(answer->text.response, expected);
	return matches && user;
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
	struct policy_user *user;
	uint64_t issued_s = 0;
	int right;

	nonce = verify_nonce(query, answer, &issued_s);
	if (nonce == NONCE_FOREIGN)
		return ADMISSION_FOREIGN_NONCE;
	user = policy_user_find(query->trunk, answer->text.username, answer->text.realm);
	outcome->unknown = !user;
	right = digest_is_right(query, answer, user);
	if (right < 0)
		return ADMISSION_NO_RESOURCES;
	if (!right)
		return ADMISSION_BAD_CREDENTIALS;
	outcome->user = user;
	if (nonce == NONCE_EXPIRED)
		return ADMISSION_EXPIRED_NONCE;
	return use_answer(query, answer, user, issued_s);
}

static void note_name(struct credentials_outcome *outcome, struct slice name)
{
	outcome->name_n = name.n < sizeof(outcome->name) ? name.n : sizeof(outcome->name);
	if (outcome->name_n > 0)
		memcpy(outcome->name, name.p, outcome->name_n);
}

void credentials_check(const struct credentials_query *query, struct slice value,
		       struct credentials_outcome *ret_outcome)
{
	struct credentials_outcome outcome = {0};
	struct answer answer = {0};
	int rc = sip_credentials_parse(value, &answer.text);

	if (rc) {
		outcome.cause =
			rc == -ENOMEM ? ADMISSION_NO_RESOURCES : ADMISSION_MALFORMED_CREDENTIALS;
	} else {
		note_name(&outcome, answer.text.username);
		outcome.cause = read_answer(query, &answer);
		if (outcome.cause == ADMISSION_BY_CREDENTIAL)
			outcome.cause = check_answer(query, &answer, &outcome);
		sip_credentials_free(&answer.text);
	}
	*ret_outcome = outcome;
}
