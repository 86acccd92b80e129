/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Datagrams in and out in batches. Nothing above knows how they travelled, so that another packet
 * path can take the sockets' place.
 */
#ifndef SIPWARD_NET_H
#define SIPWARD_NET_H

#include <stdint.h>
#include <sys/uio.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/slice.h"

enum net_transport { NET_UDP = 1, NET_TCP = 2, NET_TLS = 3 };

#define NET_BATCH 64
#define NET_DATAGRAM_MAX 65535

/* Where a packet came from and to whom it was addressed; for sending, the same from our side. */
struct net_path {
	enum net_transport transport;
	struct endpoint remote;
	struct endpoint local; /* the address the packet came to (also on a wildcard socket) */
	const char *name; /* of the server, for a TLS connection that is to be made; borrowed */
};

struct net_packet {
	struct slice bytes; /* valid until the receive function is called again */
	struct net_path path;
};

struct net;

/* A set of listening UDP sockets, non-blocking, with IP_PKTINFO/IPV6_RECVPKTINFO. An address that
 * another program has is refused (-EADDRINUSE): sharing it would lose us half of the calls. */
int net_create(struct net **ret_net);
void net_free(struct net *net);
int net_listen_udp(struct net *net, const struct endpoint *listen, struct error *err);
/* The sockets, for the event loop. */
unsigned net_socket_count(const struct net *net);
int net_socket_fd(const struct net *net, unsigned index);

/* Receives up to NET_BATCH packets of one socket by recvmmsg. How many, 0 if none, or a negative
 * errno. Truncated datagrams are dropped and counted. */
int net_receive(struct net *net, unsigned index, struct net_packet packets[NET_BATCH]);

/* Queues a datagram; the bytes are copied. path->local of family 0: chosen by net_local_for. Sent
 * by sendmmsg when the batch is full or at net_flush. A full socket buffer drops and counts, as the
 * network would. 0, -EMSGSIZE, -ENETUNREACH (no socket of the family). */
int net_send(struct net *net, const struct net_path *path, const struct iovec *iov,
	     unsigned iov_count);
void net_flush(struct net *net);

/* The local address and port that packets to remote leave from (routing decides on wildcard
 * sockets; answers are cached for a second). */
int net_local_for(struct net *net, const struct endpoint *remote, struct endpoint *ret_local);
/* Whether the endpoint is one of ours (a listening address, or a local address on a wildcard
 * socket's port). */
bool net_is_local(struct net *net, const struct endpoint *endpoint);

struct net_stats {
	uint64_t received, sent, truncated, send_dropped, send_errors;
};
void net_stats(const struct net *net, struct net_stats *ret_stats);

#endif
