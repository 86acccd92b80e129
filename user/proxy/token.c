/* SPDX-License-Identifier: BSD-2-Clause */
/* Lower-case hex of {version, trunk id, user id, issue time, flags, CSeq offset, transports,
 * credential id, caller, upstream, tag}; an endpoint is {family, port, address}. Numbers are in
 * network order. */
#include "proxy/token.h"

#include <errno.h>

#include "proxy/mac.h"

#define TOKEN_VERSION 4
#define TOKEN_FIXED (1 + 8 + 8 + 4 + 1 + 1 + 1 + 4)
#define TOKEN_BODY_MAX (TOKEN_FIXED + 2 * (1 + 2 + 16))
#define TOKEN_TAG_BYTES (sizeof(uint64_t))

_Static_assert(2 * (TOKEN_BODY_MAX + TOKEN_TAG_BYTES) < TOKEN_TEXT_SIZE, "token text");

static size_t put_number(uint8_t *to, uint64_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = (uint8_t)(value >> (8 * (n - 1 - i)));
	return n;
}

static uint64_t get_number(const uint8_t *from, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		value = value << 8 | from[i];
	return value;
}

static size_t put_endpoint(uint8_t *to, const struct endpoint *endpoint)
{
	size_t n = ip_bits(&endpoint->ip) / 8;

	to[0] = endpoint->ip.family;
	put_number(to + 1, endpoint->port, 2);
	memcpy(to + 3, endpoint->ip.bytes, n);
	return 3 + n;
}

/* How many bytes it took; 0 if there is no endpoint there. */
static size_t get_endpoint(const uint8_t *from, size_t left, struct endpoint *ret_endpoint)
{
	struct endpoint e = {0};
	size_t n;

	if (left < 3 || (from[0] != 4 && from[0] != 6))
		return 0;
	e.ip.family = from[0];
	e.port = (uint16_t)get_number(from + 1, 2);
	n = ip_bits(&e.ip) / 8;
	if (left < 3 + n)
		return 0;
	memcpy(e.ip.bytes, from + 3, n);
	*ret_endpoint = e;
	return 3 + n;
}

static uint64_t token_tag(const uint8_t *key, const uint8_t *body, size_t n,
			  const struct token_call *call)
{
	struct mac mac;

	mac_begin(&mac, key, MAC_DIALOG);
	mac_slice(&mac, (struct slice){(const char *)body, n});
	mac_slice(&mac, call->call_id);
	mac_slice(&mac, call->caller_tag);
	return mac_end(&mac);
}

void token_write(const uint8_t *key, const struct token *token, const struct token_call *call,
		 char ret_text[TOKEN_TEXT_SIZE])
{
	uint8_t body[TOKEN_BODY_MAX];
	size_t n = 0;

	n += put_number(body, TOKEN_VERSION, 1);
	n += put_number(body + n, (uint64_t)token->trunk_id, 8);
	n += put_number(body + n, (uint64_t)token->user_id, 8);
	n += put_number(body + n, token->issued_s, 4);
	n += put_number(body + n, token->flags, 1);
	n += put_number(body + n, token->cseq_offset, 1);
	n += put_number(body + n, token->caller_transport << 4 | token->upstream_transport, 1);
	n += put_number(body + n, token->credential_id, 4);
	n += put_endpoint(body + n, &token->caller);
	n += put_endpoint(body + n, &token->upstream);
	hex_encode(body, n, ret_text);
	mac_format(token_tag(key, body, n, call), ret_text + 2 * n);
}

static int token_decode(const uint8_t *body, size_t n, struct token *ret_token)
{
	struct token token = {0};
	size_t at = TOKEN_FIXED, used;

	if (n < at || body[0] != TOKEN_VERSION)
		return -EINVAL;
	token.trunk_id = (int64_t)get_number(body + 1, 8);
	token.user_id = (int64_t)get_number(body + 9, 8);
	token.issued_s = (uint32_t)get_number(body + 17, 4);
	token.flags = body[21];
	token.cseq_offset = body[22];
	token.caller_transport = body[23] >> 4;
	token.upstream_transport = body[23] & 15;
	token.credential_id = (uint32_t)get_number(body + 24, 4);
	used = get_endpoint(body + at, n - at, &token.caller);
	if (!used)
		return -EINVAL;
	at += used;
	used = get_endpoint(body + at, n - at, &token.upstream);
	if (!used || at + used != n)
		return -EINVAL;
	*ret_token = token;
	return 0;
}

int token_read(const uint8_t *key, struct slice text, const struct token_call *call,
	       struct token *ret_token)
{
	uint8_t body[TOKEN_BODY_MAX];
	size_t tag_at = text.n - (MAC_TEXT_SIZE - 1), n = tag_at / 2;
	struct slice tag;

	if (text.n < MAC_TEXT_SIZE - 1 || tag_at % 2 || n > sizeof(body) || n == 0)
		return -EINVAL;
	if (hex_decode((struct slice){text.p, tag_at}, body, n))
		return -EINVAL;
	tag = (struct slice){text.p + tag_at, MAC_TEXT_SIZE - 1};
	if (!mac_matches(token_tag(key, body, n, call), tag))
		return -EINVAL;
	return token_decode(body, n, ret_token);
}
