/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole configuration as one JSON document: settings, ACLs, credential lists, trunks and what
 * ties them. Not in it: secrets of the gate, registrations, lockouts, audit. A user's HA1s are in
 * it only sealed (AES-256-GCM under a key file's content), else not at all.
 */
#ifndef SIPWARD_DOCUMENT_H
#define SIPWARD_DOCUMENT_H

#include <jansson.h>

#include "store/store.h"

#define DOCUMENT_VERSION 1

/* Derived from the key file: 32 random bytes or more, readable by its owner alone. */
struct document_key {
	uint8_t bytes[32];
	bool present;
};
int document_key_read(const char *path, struct document_key *ret_key, struct error *err);

/* Objects in the order of their names: two exports of one store are the same bytes. key->present:
 * with sealed HA1s. */
int document_export(struct store *store, const struct document_key *key, json_t **ret_document,
		    struct error *err);

/* A difference, one line each: '+', '-' or '~', then what ("acl office entry 192.0.2.0/24"), for
 * '~' with what it was and what it will be. No line holds a secret. */
typedef void document_difference(char sign, const char *what, void *arg);

/* Makes the store equal to the document in one transaction, or only tells the difference (dry_run,
 * tell may be NULL). What the document leaves out is taken as empty or default; a user without
 * sealed HA1s keeps the ones the store has, and is an error if it has none. A document that is
 * wrong anywhere changes nothing: -EINVAL with the place in it ("trunks.main.e164"). *ret_changes
 * counts the differences. */
int document_apply(struct store *store, const json_t *document, const struct document_key *key,
		   bool dry_run, document_difference *tell, void *arg, size_t *ret_changes,
		   struct error *err);

#endif
