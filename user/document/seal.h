/* SPDX-License-Identifier: BSD-2-Clause */
/* Secrets as text that only the holder of the key file can read: "v1:" and base64 of the secret
 * sealed (base/sealed.h), bound to its owner. */
#ifndef SIPWARD_DOCUMENT_SEAL_H
#define SIPWARD_DOCUMENT_SEAL_H

#include "base/sealed.h"
#include "document/document.h"

#define SEAL_TEXT_SIZE 300

/* Whose it is: a user's of a list or, with the upstream's URI, what the gate has there for a trunk
 * (whose name is the list). Without a realm it is no HA1s but a password in their place, zeros
 * behind it. */
struct seal_owner {
	const char *list, *user, *realm, *upstream;
};

/* 0 or -ENOMEM. The caller wipes it. */
int seal_init(const struct document_key *key, struct sealed_key *ret_seal);
/* 0 or -ENOMEM. */
int seal_write(const struct sealed_key *seal, const struct seal_owner *owner,
	       const struct store_ha1 *ha1, char ret_text[SEAL_TEXT_SIZE]);
/* -EINVAL: no sealed text. -EBADMSG: sealed with another key, for another user, or changed. */
int seal_read(const struct sealed_key *seal, const struct seal_owner *owner, struct slice text,
	      struct store_ha1 *ret_ha1);

#endif
