/* SPDX-License-Identifier: BSD-2-Clause */
/* What the nets of several workers know together: how many connections there are, of all and of a
 * source, and which worker has one. For the files of user/net/ only; thread-safe. */
#ifndef SIPWARD_NET_SHARED_H
#define SIPWARD_NET_SHARED_H

#include <sys/queue.h>

#include "base/table.h"
#include "net/net.h"

/* Where requests by a path reach a connection of a worker. Part of the connection. */
struct net_place {
	struct table_node node;
	enum net_transport transport;
	struct endpoint remote;
	unsigned worker;
};

/* Connections of a source, by who has made them. */
struct net_side {
	struct ip source;
	bool incoming;
};

/* Counts one more. False: it would be one too many. */
bool shared_take(struct net_shared *shared, const struct net_limits *limits,
		 const struct net_side *side);
void shared_give(struct net_shared *shared, const struct net_side *side);
/* One that is counted has become idle, or is not any more. */
void shared_idle(struct net_shared *shared, const struct net_side *side, bool idle);

/* Counts one more beyond the limit where another worker has an idle one, and wakes them all: one of
 * them is to end one of that side. */
bool shared_take_over(struct net_shared *shared, const struct net_side *side);
/* The sides of which one is still to be ended, counted from 0. False: there are no more. */
bool shared_to_end(struct net_shared *shared, unsigned index, struct net_side *ret_side);
/* True: the worker ends one; it has one. */
bool shared_claim_end(struct net_shared *shared, const struct net_side *side);

/* A worker that can be woken: its eventfd is written to. */
struct net_sleeper {
	LIST_ENTRY(net_sleeper) link;
	int fd;
};
void shared_add_sleeper(struct net_shared *shared, struct net_sleeper *sleeper);
void shared_remove_sleeper(struct net_shared *shared, struct net_sleeper *sleeper);

void shared_counts(struct net_shared *shared, size_t *ret_incoming, size_t *ret_outgoing);

void shared_add(struct net_shared *shared, struct net_place *place);
void shared_remove(struct net_shared *shared, struct net_place *place);
/* Another worker that has a connection there, or -1. */
int shared_find(struct net_shared *shared, const struct net_path *path, unsigned worker);

#endif
