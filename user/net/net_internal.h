/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIPWARD_NET_INTERNAL_H
#define SIPWARD_NET_INTERNAL_H

#include <stdbool.h>

#include "net/net.h"

#define NET_SOCKETS_MAX 32
#define NET_ROUTES 256
#define NET_LOCAL_MAX 256
#define SEND_POOL_BYTES (8 * NET_DATAGRAM_MAX)

struct net_socket {
	int fd;
	struct endpoint bound;
	bool wildcard;
};

/* A datagram that waits for net_flush. */
struct net_queued {
	unsigned socket;
	size_t offset, length; /* in the send pool */
	struct net_path path;
};

struct net_route {
	struct endpoint remote, local;
	uint64_t until_ns;
};

struct net {
	struct net_socket sockets[NET_SOCKETS_MAX];
	unsigned socket_count;
	char *receive_pool;
	char *send_pool;
	size_t send_used;
	struct net_queued queue[NET_BATCH];
	unsigned queued;
	struct net_route routes[NET_ROUTES];
	struct ip local[NET_LOCAL_MAX]; /* this machine's addresses */
	unsigned local_count;
	uint64_t local_until_ns;
	struct net_stats stats;
};

/* The socket that a datagram from local to remote leaves by; -1 if there is none. */
int net_socket_for(const struct net *net, const struct net_path *path);

#endif
