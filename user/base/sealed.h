/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes that only the holder of a key can read: nonce, AES-256-GCM, tag. Bound to an owner: they
 * open for no other.
 *
 * The nonce is derived from what is sealed (as in RFC 5297): sealing the same twice gives the same
 * bytes, and no two different things share a nonce. */
#ifndef SIPWARD_BASE_SEALED_H
#define SIPWARD_BASE_SEALED_H

#include <stdint.h>

#include "base/slice.h"

#define SEALED_OVERHEAD 28 /* more than what is sealed */

struct sealed_key {
	uint8_t cipher[32], nonce[32];
};

/* HKDF-SHA-256 (RFC 5869): 32 bytes for the purpose. 0 or -ENOMEM. */
int sealed_derive(struct slice secret, const char *purpose, uint8_t ret_key[32]);
/* The key for the purpose. 0 or -ENOMEM. The caller wipes it. */
int sealed_key_init(struct slice secret, const char *purpose, struct sealed_key *ret_key);

/* Writes plain.n + SEALED_OVERHEAD bytes. owner is text whose parts each end with a zero. 0 or
 * -ENOMEM. */
int sealed_write(const struct sealed_key *key, struct slice owner, struct slice plain,
		 uint8_t *ret_sealed);
/* Writes sealed.n - SEALED_OVERHEAD bytes, which are nothing unless it returns 0. -EBADMSG: sealed
 * with another key, for another owner, or changed. */
int sealed_read(const struct sealed_key *key, struct slice owner, struct slice sealed,
		void *ret_plain);

#endif
