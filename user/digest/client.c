/* SPDX-License-Identifier: BSD-2-Clause */
#include "digest/client.h"

#include <errno.h>
#include <stdio.h>

#include "base/random.h"
#include "digest/writer.h"
#include "sip/sip_grammar.h"

/* ---- challenges ---- */

/* What is best so far: the parts of a state that come from the challenge, and whether it is stale.
 */
struct choice {
	struct digest_client_state state;
	bool found, stale, other_realm;
};

/* HA1s are those of one realm: without it they are none's. */
static bool keeps_ha1(const struct digest_client *client)
{
	return client->ha1 && client->realm.n > 0;
}

static bool has_ha1(const struct digest_client *client, enum digest_algorithm algorithm)
{
	return keeps_ha1(client) ? digest_ha1_is_known(client->ha1[algorithm])
				 : client->password.n > 0;
}

/* Of what is sent back: no line of ours is to be ended, or terminal be spoken to, by it. */
static bool copy_clean(struct slice text, char *buf, size_t size)
{
	for (size_t i = 0; i < text.n; i++)
		if ((uint8_t)text.p[i] < 0x20 || text.p[i] == 0x7f)
			return false;
	return slice_text(text, buf, size) == 0;
}

/* No list is RFC 2069; one that names nothing we know is not to be answered. */
static bool choose_qop(struct slice list, enum digest_qop *ret_qop)
{
	bool auth = false, auth_int = false;
	struct slice element;
	size_t position = 0;

	while (sip_list_next(list, &position, &element)) {
		auth |= slice_eq_nocase(element, SLICE("auth"));
		auth_int |= slice_eq_nocase(element, SLICE("auth-int"));
	}
	*ret_qop = auth ? DIGEST_QOP_AUTH : auth_int ? DIGEST_QOP_AUTH_INT : DIGEST_QOP_NONE;
	return auth || auth_int || list.n == 0;
}

static bool read_challenge(const struct digest_client *client,
			   const struct sip_challenge *challenge, struct digest_client_state *ret)
{
	if (!slice_eq_nocase(challenge->scheme, SLICE("Digest")) || challenge->duplicate)
		return false;
	if (challenge->realm.n == 0 || challenge->nonce.n == 0)
		return false;
	ret->has_opaque = challenge->opaque.p != NULL;
	return digest_algorithm_of(challenge->algorithm, &ret->algorithm, &ret->sess) == 0 &&
	       has_ha1(client, ret->algorithm) && choose_qop(challenge->qop, &ret->qop) &&
	       copy_clean(challenge->algorithm, ret->algorithm_text, sizeof(ret->algorithm_text)) &&
	       copy_clean(challenge->realm, ret->realm, sizeof(ret->realm)) &&
	       copy_clean(challenge->nonce, ret->nonce, sizeof(ret->nonce)) &&
	       copy_clean(challenge->opaque, ret->opaque, sizeof(ret->opaque));
}

static void consider(const struct digest_client *client, const struct sip_challenge *challenge,
		     struct choice *choice)
{
	struct digest_client_state state = {.nc = 0};

	if (!read_challenge(client, challenge, &state))
		return;
	if (client->realm.n > 0 && !slice_eq(client->realm, challenge->realm)) {
		choice->other_realm = true;
		return;
	}
	if (choice->found && state.algorithm <= choice->state.algorithm)
		return;
	choice->found = true;
	choice->stale = slice_eq_nocase(challenge->stale, SLICE("true"));
	choice->state = state;
}

static int choose(const struct digest_client *client, const struct sip_msg *response,
		  struct choice *choice)
{
	const enum sip_header_id id =
		response->status == 407 ? SIP_PROXY_AUTHENTICATE : SIP_WWW_AUTHENTICATE;

	for (int i = response->first[id]; i >= 0; i = sip_msg_next(response, id, i)) {
		struct sip_challenges challenges;
		int rc = sip_challenges_parse(response->headers[i].value, &challenges);

		if (rc == -ENOMEM)
			return rc;
		if (rc)
			continue;
		for (unsigned j = 0; j < challenges.count; j++)
			consider(client, &challenges.list[j], choice);
		sip_challenges_free(&challenges);
	}
	if (choice->found)
		return 0;
	return choice->other_realm ? -EACCES : -ENOTSUP;
}

static int find_ha1(const struct digest_client *client, struct digest_client_state *state)
{
	if (!keeps_ha1(client))
		return digest_ha1(client->digest, state->algorithm, client->username,
				  slice_from(state->realm), client->password, state->ha1);
	memcpy(state->ha1, client->ha1[state->algorithm], sizeof(state->ha1));
	return 0;
}

/* What a nonce has used up stays so, also if several requests were challenged with it. */
static void carry_over(const struct digest_client_state *old, struct digest_client_state *new)
{
	uint8_t random[16];

	if (strcmp(old->nonce, new->nonce) == 0) {
		new->nc = new->qop == DIGEST_QOP_NONE ? 0 : old->nc;
		memcpy(new->cnonce, old->cnonce, sizeof(new->cnonce));
		return;
	}
	random_bytes(random, sizeof(random));
	hex_encode(random, sizeof(random), new->cnonce);
}

int digest_client_challenged(const struct digest_client *client, const struct sip_msg *response,
			     bool answered, struct digest_client_state *state)
{
	struct choice choice = {.found = false};
	int rc = choose(client, response, &choice);

	if (rc)
		return rc;
	if (answered && !choice.stale)
		return -EKEYREJECTED;
	choice.state.proxy = response->status == 407;
	carry_over(state, &choice.state);
	rc = find_ha1(client, &choice.state);
	if (rc == 0)
		*state = choice.state;
	digest_client_forget(&choice.state);
	return rc;
}

/* ---- answers ---- */

static int respond(const struct digest_client *client, const struct digest_client_state *state,
		   const struct digest_client_request *request, const char *nc,
		   char ret_hex[DIGEST_HEX_SIZE])
{
	const struct digest_input input = {
		.algorithm = state->algorithm,
		.sess = state->sess,
		.ha1 = state->ha1,
		.nonce = slice_from(state->nonce),
		.nc = slice_from(nc),
		.cnonce = slice_from(state->cnonce),
		.qop = state->qop,
		.method = request->method,
		.uri = request->uri,
		.body = request->body,
	};

	return digest_response(client->digest, &input, ret_hex);
}

static void put_quoted(struct writer *w, const char *name, struct slice value)
{
	writer_text(w, name);
	writer_quoted(w, value);
}

/* What was not asked for stays away; but a session has a cnonce (RFC 7616 §3.4.2). */
static void put_optional(struct writer *w, const struct digest_client_state *state, const char *nc)
{
	if (state->algorithm_text[0]) {
		writer_text(w, ", algorithm=");
		writer_text(w, state->algorithm_text);
	}
	if (state->has_opaque)
		put_quoted(w, ", opaque=", slice_from(state->opaque));
	if (state->qop != DIGEST_QOP_NONE || state->sess)
		put_quoted(w, ", cnonce=", slice_from(state->cnonce));
	if (state->qop == DIGEST_QOP_NONE)
		return;
	writer_text(w, state->qop == DIGEST_QOP_AUTH ? ", qop=auth, nc=" : ", qop=auth-int, nc=");
	writer_text(w, nc);
}

int digest_client_write(const struct digest_client *client, struct digest_client_state *state,
			const struct digest_client_request *request, char *buf, size_t size)
{
	const uint32_t last = state->qop == DIGEST_QOP_NONE ? 1 : UINT32_MAX;
	struct writer w = {.p = buf, .size = size};
	char response[DIGEST_HEX_SIZE], nc[9];
	int rc;

	if (!state->nonce[0] || state->nc == last)
		return -ENOKEY;
	snprintf(nc, sizeof(nc), "%08x", state->nc + 1);
	rc = respond(client, state, request, nc, response);
	if (rc)
		return rc;
	writer_text(&w, state->proxy ? "Proxy-Authorization: Digest" : "Authorization: Digest");
	put_quoted(&w, " username=", client->username);
	put_quoted(&w, ", realm=", slice_from(state->realm));
	put_quoted(&w, ", nonce=", slice_from(state->nonce));
	put_quoted(&w, ", uri=", request->uri);
	put_quoted(&w, ", response=", slice_from(response));
	put_optional(&w, state, nc);
	writer_text(&w, "\r\n");
	if (w.err)
		return w.err;
	state->nc++;
	return (int)w.n;
}

void digest_client_forget(struct digest_client_state *state)
{
	explicit_bzero(state, sizeof(*state));
}
