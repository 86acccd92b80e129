/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys that nonces are signed with: where their master comes from, and their rotation. */
#ifndef SIPWARD_DAEMON_KEYS_H
#define SIPWARD_DAEMON_KEYS_H

#include "daemon/config.h"
#include "digest/nonce.h"

/* Reads the master from the configured file, else takes the store's own. The file holds one line of
 * hex digits and is for its owner alone, or its group to read. */
int keys_read_master(const struct config *config, struct store *store,
		     struct nonce_master *ret_master, struct error *err);

/* Zeroed at first; it points to itself, so it must stay where it is. */
struct keys {
	struct nonce_keys nonce; /* what admission works with */
	struct nonce_keys older; /* with the master, or the period, of before */
	uint64_t older_until_s;
	struct nonce_master master;
	unsigned period_s;
	uint64_t period;
};

/* From now on nonces come from this master; those of the one before stay good for their life. */
int keys_use_master(struct keys *keys, const struct nonce_master *master,
		    const struct store_settings *settings, uint64_t now_s);
/* Rotates the keys if it is time; to be called once a second and with new settings. */
int keys_follow(struct keys *keys, const struct store_settings *settings, uint64_t now_s);
void keys_wipe(struct keys *keys);

#endif
