/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stateless nonces: who got one, and when, is in the nonce under a keyed hash (layout and hash in
 * maps/nonce.h, shared with the filter). Nothing is stored for a challenge.
 */
#ifndef SIPWARD_DIGEST_NONCE_H
#define SIPWARD_DIGEST_NONCE_H

#include <stdint.h>

#include "base/addr.h"
#include "base/slice.h"
#include "digest/digest.h"

#define NONCE_TEXT_SIZE 65 /* 64 digits and a zero */

/* Keys by number, so that they can be rotated: `current` signs, all present ones verify. */
struct nonce_keys {
	uint8_t key[4][16];
	bool present[4];
	unsigned current;
	uint16_t node; /* of a cluster; 0 */
};

/* What a nonce is bound to. */
struct nonce_binding {
	struct ip source;   /* port not: NATs change it */
	unsigned transport; /* enum net_transport */
	struct slice realm;
	enum digest_algorithm algorithm;
};

void nonce_issue(const struct nonce_keys *keys, const struct nonce_binding *binding, uint64_t now_s,
		 char ret_text[NONCE_TEXT_SIZE]);

enum nonce_result {
	NONCE_VALID,
	NONCE_EXPIRED, /* ours, to this very source, but older than the lifetime */
	NONCE_FOREIGN, /* not ours, another node's, changed, or issued for another binding */
};
/* Only the canonical text is accepted. *ret_issued_s is set unless foreign. A nonce from the future
 * (more than 5 s) is foreign. */
enum nonce_result nonce_verify(const struct nonce_keys *keys, const struct nonce_binding *binding,
			       struct slice text, uint64_t now_s, unsigned lifetime_s,
			       uint64_t *ret_issued_s);

#endif
