/* SPDX-License-Identifier: BSD-2-Clause */
/* What the nets of several workers know together: how many connections there are, of all and of a
 * source, and which worker has one. For the files of user/net/ only; thread-safe. */
#ifndef SIPWARD_NET_SHARED_H
#define SIPWARD_NET_SHARED_H

#include "base/table.h"
#include "net/net.h"

/* Where requests by a path reach a connection of a worker. Part of the connection. */
struct net_place {
	struct table_node node;
	enum net_transport transport;
	struct endpoint remote;
	unsigned worker;
};

/* Counts one more connection with the source. False: it would be one too many. */
bool shared_take(struct net_shared *shared, const struct net_limits *limits,
		 const struct ip *source, bool incoming);
void shared_give(struct net_shared *shared, const struct ip *source, bool incoming);
void shared_counts(struct net_shared *shared, size_t *ret_incoming, size_t *ret_outgoing);

void shared_add(struct net_shared *shared, struct net_place *place);
void shared_remove(struct net_shared *shared, struct net_place *place);
/* Another worker that has a connection there, or -1. */
int shared_find(struct net_shared *shared, const struct net_path *path, unsigned worker);

#endif
