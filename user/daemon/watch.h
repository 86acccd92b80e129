/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The thread that follows the store: on a change it brings the filter's maps up to date, builds a
 * policy snapshot and hands it to the worker, which goes on serving calls meanwhile. It also finds
 * the filter when that is attached, or replaced, while the daemon runs, and puts it back on an
 * interface that went away and came again.
 */
#ifndef SIPWARD_DAEMON_WATCH_H
#define SIPWARD_DAEMON_WATCH_H

#include "daemon/keys.h"
#include "policy/policy.h"

struct watch;

struct watch_options {
	const struct config *config;
	struct policy *policy;	  /* the snapshot that the worker has already */
	uint32_t filter_identity; /* filter_identity of the worker's filter; 0 = it has none */
};

int watch_start(const struct watch_options *options, struct watch **ret_watch, struct error *err);
void watch_stop(struct watch *watch);

/* Readable when there is something to take. */
int watch_fd(const struct watch *watch);

/* What the worker is to use from now on; each pointer is NULL if it stays as it is. The taker owns
 * them. */
struct watch_news {
	struct policy *policy;
	struct filter *filter;
	struct nonce_master nonce_master; /* read again at a reload; no bytes: as it is */
	bool reloaded; /* the reload asked for has been done, or failed: then policy is NULL */
};
void watch_take(struct watch *watch, struct watch_news *ret_news);

/* Gives back a snapshot that the worker no longer uses: to free a large one takes too long between
 * two packets. */
void watch_retire(struct watch *watch, struct policy *policy);

/* Has the store note that a user has answered a stronger algorithm. Never waits for the store: what
 * there is no room for is lost. */
void watch_ratchet(struct watch *watch, int64_t user_id, unsigned strongest);

/* Has the store keep what the realm of an outbound credential has turned out to be. The same. */
void watch_learned(struct watch *watch, int64_t credential_id, const char *realm,
		   const struct store_ha1 *ha1);

/* Resolves the upstreams' names again, and reads everything again. */
void watch_reload(struct watch *watch);

#endif
