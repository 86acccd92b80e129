/* SPDX-License-Identifier: BSD-2-Clause */
/* Digest access authentication (RFC 7616, RFC 8760, RFC 2069 where allowed): the arithmetic. The
 * only user of OpenSSL's hashes. */
#ifndef SIPWARD_DIGEST_H
#define SIPWARD_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* In rising strength. The store keeps HA1s in this order. */
enum digest_algorithm { DIGEST_MD5, DIGEST_SHA_256, DIGEST_SHA_512_256, DIGEST_ALGORITHMS };

#define DIGEST_HASH_MAX 32
#define DIGEST_HEX_SIZE (2 * DIGEST_HASH_MAX + 1)

enum digest_qop { DIGEST_QOP_NONE, DIGEST_QOP_AUTH, DIGEST_QOP_AUTH_INT };

/* "MD5", "SHA-256", "SHA-512-256" as in the algorithm parameter. */
const char *digest_algorithm_name(enum digest_algorithm algorithm);
/* Case ignored; an empty text is MD5 (RFC 7616 §3.4); *ret_sess is set for NAME-sess.
 * 0 or -EINVAL. */
int digest_algorithm_of(struct slice text, enum digest_algorithm *ret_algorithm, bool *ret_sess);
/* 16 or 32 bytes. */
size_t digest_hash_size(enum digest_algorithm algorithm);

struct digest_context; /* fetched algorithms and reused contexts; one a thread */
int digest_context_create(struct digest_context **ret_context);
void digest_context_free(struct digest_context *context);

/* H(username:realm:password), digest_hash_size bytes; the rest of ret_ha1 is zeroed. 0 or -EIO. */
int digest_ha1(struct digest_context *context, enum digest_algorithm algorithm,
	       struct slice username, struct slice realm, struct slice password,
	       uint8_t ret_ha1[DIGEST_HASH_MAX]);

/* Whether there is one: all zero stands for none. Takes the same time for each. */
bool digest_ha1_is_known(const uint8_t ha1[DIGEST_HASH_MAX]);

/* H(username:realm), which may stand for the name (RFC 7616 §3.4.4), as lower-case hex. 0 or -EIO.
 */
int digest_userhash(struct digest_context *context, enum digest_algorithm algorithm,
		    struct slice username, struct slice realm, char ret_hex[DIGEST_HEX_SIZE]);

struct digest_input {
	enum digest_algorithm algorithm;
	bool sess;
	const uint8_t *ha1; /* digest_hash_size bytes */
	struct slice nonce, nc, cnonce;
	enum digest_qop qop;
	struct slice method, uri, body; /* body for auth-int only */
};
/* The response as lower-case hex. 0 or -EIO. */
int digest_response(struct digest_context *context, const struct digest_input *input,
		    char ret_hex[DIGEST_HEX_SIZE]);

/* Whether the response sent (hex, either case) is the right one, in time that does not depend on
 * where they differ. */
bool digest_response_matches(struct slice sent, const char *expected_hex);

#endif
