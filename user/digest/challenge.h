/* SPDX-License-Identifier: BSD-2-Clause */
/* WWW-Authenticate and Proxy-Authenticate header fields (RFC 3261 §22, RFC 7616, RFC 8760). */
#ifndef SIPWARD_DIGEST_CHALLENGE_H
#define SIPWARD_DIGEST_CHALLENGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "digest/digest.h"

struct challenge {
	bool proxy;	    /* Proxy-Authenticate (407), else WWW-Authenticate (401) */
	struct slice realm; /* unquoted, unescaped */
	enum digest_algorithm algorithm;
	const char *nonce;
	enum digest_qop
	    qop; /* the strongest offered: NONE offers no qop, AUTH_INT "auth,auth-int" */
	bool stale;
	bool sess;     /* the algorithm's -sess form */
	bool userhash; /* the user name may come hashed (RFC 7616 §3.4.4) */
	bool utf8;     /* user names are UTF-8 (RFC 7616 §4) */
};

/* Writes one header field with its CRLF, no final zero; *ret_n is its length. `algorithm` stands
 * first because some clients look no further, and every challenge has a field of its own because
 * few clients read two from one. 0, -ENOSPC, or -EINVAL for a realm with control characters; buf is
 * then of no use, but what lies behind size is never touched. */
int challenge_write(const struct challenge *challenge, char *buf, size_t size, size_t *ret_n);

#endif
