/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The token in our Record-Route: what a later request of the call proves by carrying it back, so
 * that the daemon keeps nothing about established calls and a restart loses none.
 */
#ifndef SIPWARD_PROXY_TOKEN_H
#define SIPWARD_PROXY_TOKEN_H

#include "base/addr.h"
#include "base/slice.h"

#define TOKEN_TEXT_SIZE 160

enum token_flag {
	TOKEN_ANONYMOUS = 1 << 0,   /* the caller's number is kept from the upstream */
	TOKEN_TO_CUSTOMER = 1 << 1, /* the upstream began the call: it is the caller */
};

/* What the token says. */
struct token {
	int64_t trunk_id;
	int64_t user_id;	  /* who authenticated the first request; 0 = nobody */
	uint32_t issued_s;	  /* seconds since 1970 */
	struct endpoint caller;	  /* where the first request came from */
	struct endpoint upstream; /* where it went */
	/* enum net_transport: how these two are reached */
	unsigned caller_transport, upstream_transport;
	unsigned cseq_offset; /* what the caller's CSeq numbers were raised by, 0–255 */
	uint32_t credential_id; /* ours at the upstream; 0 = none */
	unsigned flags;	      /* enum token_flag */
};

/* What it is good for: the call, named by its Call-ID and the tag of the party that began it. */
struct token_call {
	struct slice call_id, caller_tag;
};

void token_write(const uint8_t *key, const struct token *token, const struct token_call *call,
		 char ret_text[TOKEN_TEXT_SIZE]);
/* 0, or -EINVAL: not a token, or not ours, or of another call. */
int token_read(const uint8_t *key, struct slice text, const struct token_call *call,
	       struct token *ret_token);

#endif
