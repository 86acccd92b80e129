/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stateless nonces: who got one, and when, is in the nonce under a keyed hash (layout and hash in
 * maps/nonce.h, shared with the filter). Nothing is stored for a challenge.
 */
#ifndef SIPWARD_DIGEST_NONCE_H
#define SIPWARD_DIGEST_NONCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/slice.h"
#include "digest/digest.h"

#define NONCE_TEXT_SIZE 65 /* 64 digits and a zero */

/* What keys are derived from. Gates that have the same one take each other's nonces. */
#define NONCE_MASTER_MIN 16
#define NONCE_MASTER_MAX 64
struct nonce_master {
	uint8_t bytes[NONCE_MASTER_MAX];
	size_t n;
};

/* Keys by number, so that they can be rotated: `current` signs, all present ones verify. */
struct nonce_keys {
	uint8_t key[4][16];
	bool present[4];
	unsigned current;
	uint16_t node; /* which process signs: drawn at its start */
	bool alone;    /* nobody else has the keys: another node is of before the start */
	/* Those of the master before, as long as its nonces may live; NULL: none. */
	const struct nonce_keys *older;
};

/* The keys at a time. Each period of period_s seconds has its own, HMAC-SHA-256(master, label and
 * period), so that gates with one master and one clock rotate alike without a word. That of the
 * present period signs; the ones before it, and the next one for a gate whose clock is ahead,
 * verify too. A period must be no shorter than a nonce's life. Leaves the other fields alone. 0,
 * -EINVAL for a master that is too short or a period of 0, -EIO. */
int nonce_keys_at(const struct nonce_master *master, unsigned period_s, uint64_t now_s,
		  struct nonce_keys *ret_keys);

/* What a nonce is bound to. */
struct nonce_binding {
	struct ip source;   /* port not: NATs change it */
	unsigned transport; /* enum net_transport */
	struct slice realm;
	enum digest_algorithm algorithm;
	bool sess;
};

void nonce_issue(const struct nonce_keys *keys, const struct nonce_binding *binding, uint64_t now_s,
		 char ret_text[NONCE_TEXT_SIZE]);

enum nonce_result {
	NONCE_VALID,
	NONCE_EXPIRED, /* ours, to this very source, but older than the lifetime or the process */
	NONCE_FOREIGN, /* of no key that we have, changed, or issued for another binding */
};
/* Only the canonical text is accepted. *ret_issued_s is set unless foreign. A nonce from the future
 * (more than 5 s) is foreign. One of another node with a key of ours is as good as our own, but
 * which of its counts were used there is not known here. */
enum nonce_result nonce_verify(const struct nonce_keys *keys, const struct nonce_binding *binding,
			       struct slice text, uint64_t now_s, unsigned lifetime_s,
			       uint64_t *ret_issued_s);

#endif
