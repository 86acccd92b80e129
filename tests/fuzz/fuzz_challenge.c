/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as a carrier's challenges: what is read holds, and what is answered is one line that
 * reads back as what was asked, with the digest that a server would expect. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "digest/client.h"
#include "sip/sip_grammar.h"

#define MESSAGE_SIZE 16384

static struct digest_context *digest;

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* No text is longer than the value they stand in, or holds a zero byte. */
static void check_parse(struct slice value)
{
	struct sip_challenges got;
	size_t sum = 0;

	if (sip_challenges_parse(value, &got) != 0)
		return;
	must(got.count > 0 && got.count <= SIP_CHALLENGES_MAX);
	for (unsigned i = 0; i < got.count; i++) {
		must(got.list[i].scheme.n > 0);
		for (const struct slice *s = &got.list[i].scheme; s <= &got.list[i].charset; s++) {
			sum += s->n;
			must(s->n == 0 || !memchr(s->p, '\0', s->n));
		}
	}
	must(sum <= value.n);
	sip_challenges_free(&got);
}

static void check_response(const struct digest_client_state *state,
			   const struct digest_client_request *request,
			   const struct sip_credentials *sent)
{
	char expected[DIGEST_HEX_SIZE];
	struct digest_input input = {
		.algorithm = state->algorithm,
		.sess = state->sess,
		.ha1 = state->ha1,
		.nonce = sent->nonce,
		.nc = sent->nc,
		.cnonce = sent->cnonce,
		.qop = state->qop,
		.method = request->method,
		.uri = sent->uri,
		.body = request->body,
	};

	must(digest_response(digest, &input, expected) == 0);
	must(digest_response_matches(sent->response, expected));
}

static void check_answer(const struct digest_client *client, struct digest_client_state *state)
{
	static const struct digest_client_request request = {SLICE("INVITE"), SLICE("sip:1@h"),
							     SLICE("v=0\r\n")};
	char line[4096];
	int n = digest_client_write(client, state, &request, line, sizeof(line));
	struct slice rest, value = {line, (size_t)n};
	struct sip_credentials sent;

	must(n > 2 && line[n - 2] == '\r' && line[n - 1] == '\n');
	for (int i = 0; i < n - 2; i++)
		must((uint8_t)line[i] >= 0x20 && line[i] != 0x7f);
	slice_cut(value, ':', &rest);
	must(sip_credentials_parse(slice_trim(rest), &sent) == 0 && !sent.duplicate);
	must(slice_eq(sent.username, client->username));
	must(slice_eq(sent.realm, slice_from(state->realm)));
	must(slice_eq(sent.nonce, slice_from(state->nonce)));
	must(slice_eq(sent.opaque, slice_from(state->opaque)));
	must(!sent.opaque.p == !state->has_opaque);
	must((state->qop != DIGEST_QOP_NONE) == (sent.nc.n == 8));
	check_response(state, &request, &sent);
	sip_credentials_free(&sent);
}

static void check_client(struct slice value, bool proxy, bool pinned)
{
	const struct digest_client client = {.digest = digest,
					     .username = SLICE("al\"ice"),
					     .realm = pinned ? SLICE("r") : SLICE(""),
					     .password = SLICE("Passw0rd")};
	struct digest_client_state state = {0};
	static char text[MESSAGE_SIZE];
	struct sip_msg msg;
	const char *why;
	int n, rc;

	n = snprintf(
		text, sizeof(text),
		"SIP/2.0 %d No\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK7\r\nFrom: <sip:a@b>;tag=1\r\n"
		"To: <sip:c@d>;tag=2\r\nCall-ID: e\r\nCSeq: 1 INVITE\r\n%s: ",
		proxy ? 407 : 401, proxy ? "Proxy-Authenticate" : "WWW-Authenticate");
	if (value.n > sizeof(text) - (size_t)n - 8)
		return;
	memcpy(text + n, value.p, value.n);
	memcpy(text + n + value.n, "\r\n\r\n", 4);
	if (sip_msg_parse((struct slice){text, (size_t)n + value.n + 4}, &msg, &why))
		return;
	rc = digest_client_challenged(&client, &msg, false, &state);
	must(rc == 0 || rc == -EACCES || rc == -ENOTSUP);
	must((rc == 0) == (state.nonce[0] != 0));
	if (rc)
		return;
	must(!pinned || strcmp(state.realm, "r") == 0);
	check_answer(&client, &state);
	rc = digest_client_challenged(&client, &msg, true, &state);
	must(rc == 0 || rc == -EKEYREJECTED);
	digest_client_forget(&state);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct slice value = {(const char *)data + 1, size - 1};

	if (!digest)
		must(digest_context_create(&digest) == 0);
	if (size < 2)
		return 0;
	check_parse(value);
	check_client(value, data[0] & 1, data[0] & 2);
	return 0;
}
