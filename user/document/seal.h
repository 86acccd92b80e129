/* SPDX-License-Identifier: BSD-2-Clause */
/* HA1s as text that only the holder of the key file can read: "v1:" and base64 of nonce,
 * AES-256-GCM of the HA1s, tag. Bound to list, user and realm: it opens for no other.
 *
 * The nonce is derived from what is sealed (as in RFC 5297): sealing the same twice gives the same
 * text, so that exports can be compared, and no two different things share a nonce. */
#ifndef SIPWARD_DOCUMENT_SEAL_H
#define SIPWARD_DOCUMENT_SEAL_H

#include "document/document.h"

#define SEAL_TEXT_SIZE 300

struct seal {
	uint8_t cipher_key[32], nonce_key[32];
};

/* Whose HA1s they are. */
struct seal_owner {
	const char *list, *user, *realm;
};

/* 0 or -ENOMEM. The caller wipes it. */
int seal_init(const struct document_key *key, struct seal *ret_seal);
/* 0 or -ENOMEM. */
int seal_write(const struct seal *seal, const struct seal_owner *owner,
	       const struct store_ha1 *ha1, char ret_text[SEAL_TEXT_SIZE]);
/* -EINVAL: no sealed text. -EBADMSG: sealed with another key, for another user, or changed. */
int seal_read(const struct seal *seal, const struct seal_owner *owner, struct slice text,
	      struct store_ha1 *ret_ha1);

/* HKDF-SHA-256 (RFC 5869): 32 bytes for the purpose. 0 or -ENOMEM. */
int seal_derive(struct slice secret, const char *purpose, uint8_t ret_key[32]);

#endif
