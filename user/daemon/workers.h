/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The workers (DESIGN §9): each a thread with sockets, connections, transactions and timers of its
 * own; the first is the thread that calls. A call belongs to one of them, by a keyed hash of its
 * Call-ID: what another one reads of it goes to the owner's mailbox. The functions are for the
 * first worker's thread.
 */
#ifndef SIPWARD_DAEMON_WORKERS_H
#define SIPWARD_DAEMON_WORKERS_H

#include "daemon/config.h"
#include "daemon/keys.h"
#include "daemon/persist.h"
#include "daemon/watch.h"
#include "proxy/proxy.h"
#include "record/record.h"

struct workers;

/* Makes them, listening already. -EADDRINUSE, also where another daemon shares its ports. */
int workers_create(const struct config *config, struct workers **ret_workers, struct error *err);

/* All borrowed. */
struct workers_options {
	/* What workers share of it; digest and nonce keys are each one's own. */
	struct admission admission;
	struct persist *persist;
	struct record_writer *record_writer;
	struct watch **watch; /* may be filled in later, before the start */
	const struct nonce_master *nonce_master;
	uint8_t branch_key[16], dialog_key[16];
};
int workers_equip(struct workers *workers, const struct workers_options *options,
		  struct error *err);

/* The event loop of the first worker, once there is one. */
struct event_base *workers_base(const struct workers *workers);
/* Begins to serve. */
int workers_start(struct workers *workers, struct error *err);
/* Serves in this thread until workers_break. */
void workers_run(struct workers *workers);
void workers_break(struct workers *workers);
/* Ends the other threads, keeps records, frees all. Accepts NULL. */
void workers_free(struct workers *workers);

/* What all of them go by from now on; what was given before is not used any more. */
void workers_use_policy(struct workers *workers, const struct policy *policy);
void workers_use_filter(struct workers *workers, struct filter *filter);
void workers_use_master(struct workers *workers, const struct nonce_master *master);
/* Reads certificates and keys again; -EINVAL and the like: all goes on with those it has. */
int workers_load_tls(struct workers *workers, struct error *err);
/* What the filter needs to make nonces as the workers do, which take them; but for its times. */
struct sipward_lease workers_lease(struct workers *workers);
/* To be called each second. */
void workers_tick(struct workers *workers);
/* No new calls; and how many requests are not answered yet. */
void workers_drain(struct workers *workers);
size_t workers_unanswered(struct workers *workers);

/* One of them, to be asked under the lock. */
struct worker_view {
	pthread_mutex_t *lock; /* NULL: none is needed */
	struct proxy *proxy;
	struct net *net;
	struct records *records;
};
unsigned workers_count(const struct workers *workers);
struct worker_view workers_view(struct workers *workers, unsigned index);

#endif
