/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIPWARD_NET_INTERNAL_H
#define SIPWARD_NET_INTERNAL_H

#include <event2/event.h>
#include <stdbool.h>

#include "net/conn.h"
#include "net/net.h"

#define NET_ROUTES 256
#define NET_LOCAL_MAX 256
#define SEND_POOL_BYTES (8 * NET_DATAGRAM_MAX)

struct net_socket {
	struct net *net;
	enum net_transport transport;
	int fd;
	struct endpoint bound;
	bool wildcard;
	struct event *event;
	size_t waiting; /* see net_backlog */
};

/* A datagram that waits for net_flush. */
struct net_queued {
	unsigned socket;
	size_t offset, length; /* in the send pool */
	struct net_path path;
};

struct net_route {
	enum net_transport transport;
	struct endpoint remote, local;
	uint64_t until_ns;
};

struct net {
	struct event_base *base;
	struct net_handler handler;
	struct net_limits limits;
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
	struct conns conns;
	struct net_share share;
	struct net_shared *own_shared; /* NULL if share came from outside */
	struct event *accept_again; /* after accept has failed */
	struct tls *tls;
	uint64_t counters[NET_COUNTERS];
};

/* Only the net's own thread counts; others may look. */
static inline void net_count_more(struct net *net, enum net_counter counter, uint64_t n)
{
	__atomic_store_n(&net->counters[counter], net->counters[counter] + n, __ATOMIC_RELAXED);
}

static inline void net_count(struct net *net, enum net_counter counter)
{
	net_count_more(net, counter, 1);
}

/* Hands packets to the handler. */
void net_hand_over(struct net *net, const struct net_packet *packets, unsigned n);
/* 0 or a negative errno. */
int net_set_option(int fd, int level, int option, int value);

/* The socket that a datagram from local to remote leaves by; -1 if there is none. */
int net_socket_for(const struct net *net, const struct net_path *path);

/* ---- datagram.c ---- */

/* Options of a socket that is not bound yet. */
int datagram_set_options(int fd, unsigned family);
void datagram_on_readable(evutil_socket_t fd, short what, void *arg);
int datagram_send(struct net *net, const struct net_path *path, const struct iovec *iov,
		  unsigned iov_count);

/* ---- stream.c ---- */

int stream_set_options(int fd, unsigned family);
void stream_on_acceptable(evutil_socket_t fd, short what, void *arg);
/* here: not by another worker's connection. */
int stream_send(struct net *net, const struct net_path *path, const struct iovec *iov,
		unsigned iov_count, bool here);

/* ---- tls.c ---- */

void tls_free(struct tls *tls);
bool tls_can_serve(const struct net *net);
/* The stream of a client that begins its handshake, or of a server that is being connected to. Take
 * over the descriptor, also where they return NULL: no memory. */
struct bufferevent *tls_accept(struct net *net, int fd);
struct bufferevent *tls_connect(struct net *net, int fd, const struct net_path *path);
/* Whether the peer has shown a certificate that one of our authorities vouches for. */
bool tls_is_verified(struct bufferevent *stream);
/* Whether that certificate is for the name. */
bool tls_is_for(struct bufferevent *stream, const char *name);
/* Why the handshake or the stream failed; NULL if TLS is not the cause. */
const char *tls_error(struct bufferevent *stream);
/* Tells the peer that the end is no accident. */
void tls_close(struct bufferevent *stream);

#endif
