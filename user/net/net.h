/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages in and out by UDP, TCP and TLS. Datagrams travel in batches, streams are cut into
 * messages by Content-Length (RFC 3261 §18.3). Nothing above knows how they travelled, so that
 * another packet path can take the sockets' place. Not thread-safe: one a worker, of which others
 * may ask for its counters only.
 *
 * A connection has no name of its own: a path names it, by transport, remote, and local address.
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
#define NET_SOCKETS_MAX 32
#define NET_DATAGRAM_MAX 65535 /* also of a message in a stream */

/* "udp", "tcp", "tls". */
const char *net_transport_name(enum net_transport transport);

/* Where a packet came from and to whom it was addressed; for sending, the same from our side. */
struct net_path {
	enum net_transport transport;
	struct endpoint remote;
	/* The address the packet came to (also on a wildcard socket). Of a connection that we have
	 * made too it is an address we listen on: the port it left from is nobody's to send to. */
	struct endpoint local;
	/* TLS to a server: the host name its certificate must be for, copied when connecting. NULL:
	 * the certificate must be for the remote address. NULL in packets. */
	const char *name;
};

struct net_packet {
	struct slice bytes; /* valid until the handler returns */
	struct net_path path;
	bool client_verified; /* the peer's certificate is of the authorities of client_ca_file */
};

/* What a connection may take. A source is an IPv4 address or an IPv6 /64. */
struct net_limits {
	unsigned connections;		 /* that others have made; as many may we */
	unsigned connections_per_source; /* the same */
	unsigned idle_ms;		 /* without a message or keep-alive */
	/* For a message to be complete after its first byte, and for the first to begin. */
	unsigned message_ms;
	unsigned handshake_ms; /* of TLS, by others */
	unsigned connect_ms;   /* to others, with the handshake */
	unsigned output_bytes; /* that wait for a peer that does not read */
};
extern const struct net_limits net_limits_default;

/* What happens, from the event loop only: never out of a function below. What a handler sends is
 * flushed when it returns. */
struct net_handler {
	void (*receive)(void *arg, const struct net_packet *packets, unsigned n);
	/* A connection could not be made, broke, or ended with bytes unsent: what was sent by the
	 * path lately may not have arrived. asked_ns: when a request was sent by it last, by
	 * clock_coarse_ns; what came later took another, if there was one. 0 = none ever was. */
	void (*failed)(void *arg, const struct net_path *path, uint64_t asked_ns, const char *why);
	/* The peer did what no honest one does: bytes that are no SIP, a broken handshake, a
	 * message that takes too long. The connection has been closed. */
	void (*misbehaved)(void *arg, const struct net_path *path, const char *why);
	void *arg;
};

struct net;
struct event_base;

/* limits: NULL for the default ones. 0 or -ENOMEM. */
int net_create(const struct net_limits *limits, struct net **ret_net);
/* Before the event base is freed. Connections are closed, nobody is told. */
void net_free(struct net *net);

/* Several nets, each of a worker with a thread of its own, that listen on the same addresses: the
 * kernel spreads datagrams and connections over them. */
struct net_shared;
/* 0 or -ENOMEM. To be freed after the nets. */
int net_shared_create(struct net_shared **ret_shared);
void net_shared_free(struct net_shared *shared);

struct net_share {
	struct net_shared *shared;
	unsigned worker; /* its number */
	/* Have another worker do it, which has the connection: net_send_here, net_alias_here. 0 or
	 * a negative errno. */
	int (*send_by)(void *arg, unsigned worker, const struct net_path *path,
		       const struct iovec *iov, unsigned iov_count);
	int (*alias_by)(void *arg, unsigned worker, const struct net_path *path, uint16_t port);
	void *arg;
};
/* Before net_listen. */
void net_share(struct net *net, const struct net_share *share);
/* Listens on all that another net of the same ones listens on. */
int net_listen_beside(struct net *net, const struct net *first, struct error *err);

/* Binds an address; nothing is received before net_start. One that another program has is refused
 * (-EADDRINUSE): sharing it would lose us half of the calls. TLS needs a certificate loaded before
 * (-EINVAL). */
int net_listen(struct net *net, enum net_transport transport, const struct endpoint *address,
	       struct error *err);
unsigned net_socket_count(const struct net *net);
/* The address bound, with the port that the kernel chose where 0 was asked for. */
const struct endpoint *net_socket_address(const struct net *net, unsigned index);

enum net_transport net_socket_transport(const struct net *net, unsigned index);
int net_socket_fd(const struct net *net, unsigned index);

/* Serves what is listened on by the event loop. 0, -ENOMEM, -EMFILE. SIGPIPE is ignored from then
 * on. */
int net_start(struct net *net, struct event_base *base, const struct net_handler *handler);

#define NET_CERTIFICATES_MAX 32
#define NET_NAME_SIZE 256
#define NET_FILE_SIZE 256

/* Files are PEM; an empty name: none. */
struct net_tls {
	struct {
		char domain[NET_NAME_SIZE]; /* as the client asks for it (SNI) */
		char chain_file[NET_FILE_SIZE];
		char key_file[NET_FILE_SIZE];
	} certificates[NET_CERTIFICATES_MAX];
	unsigned certificate_count; /* the first serves those who ask for none of the others */
	/* Who may vouch for clients; they are asked for a certificate then, and may have none. */
	char client_ca_file[NET_FILE_SIZE];
	char ca_file[NET_FILE_SIZE]; /* who may vouch for servers; none: the system's */
	bool cbc_suites; /* those of TLS 1.2 without authenticated encryption are taken too, last */
};

/* Reads certificates and keys anew, for connections made from now on. On failure all stays as it
 * is. -ENOENT, -EACCES (others may read a key), -EINVAL: err says which file and why. */
int net_tls_load(struct net *net, const struct net_tls *config, struct error *err);

/*
 * Sends a message; the bytes are copied. path->local of family 0: chosen by net_local_for.
 *
 * UDP: queued until the batch is full or net_flush. A full socket buffer drops and counts, as the
 * network would.
 *
 * TCP and TLS: by the connection of that path, else by one whose peer takes requests there
 * (net_alias), else a new one is made. What becomes of it handler.failed tells alone.
 *
 * 0, -EMSGSIZE, -ENETUNREACH (no socket of the family), -EUSERS (too many connections), or what
 * kept a connection from being begun.
 */
int net_send(struct net *net, const struct net_path *path, const struct iovec *iov,
	     unsigned iov_count);
/* The same, but by this net whoever has a connection. */
int net_send_here(struct net *net, const struct net_path *path, const struct iovec *iov,
		  unsigned iov_count);
void net_flush(struct net *net);
/* How many datagrams waited in the kernel when some were read last, roughly. */
size_t net_backlog(const struct net *net);

/* Lets requests to the port at the connection's remote address take the connection of this path
 * (RFC 5923). With a name in their path the connection must be TLS, and the client have shown a
 * certificate for it. 0, or -ENOENT if there is no such connection. */
int net_alias(struct net *net, const struct net_path *path, uint16_t port);
int net_alias_here(struct net *net, const struct net_path *path, uint16_t port);

/* The local address and port that packets to remote leave from (routing decides on wildcard
 * sockets; answers are cached for a second). Of a transport that is not listened on, an address of
 * another one. */
int net_local_for(struct net *net, enum net_transport transport, const struct endpoint *remote,
		  struct endpoint *ret_local);
/* Whether the endpoint is one of ours (a listening address, or a local address on a wildcard
 * socket's port). */
bool net_is_local(struct net *net, const struct endpoint *endpoint);

enum net_counter {
	NET_RECEIVED,
	NET_SENT,
	NET_TRUNCATED, /* datagrams */
	NET_SEND_DROPPED, /* datagrams, for a full buffer */
	NET_SEND_ERRORS,  /* datagrams */
	NET_ACCEPTED,
	NET_REFUSED, /* connections, for a limit */
	NET_EVICTED, /* idle ones that made room for a new one of their source */
	NET_CONNECTED, /* by us */
	NET_CONNECT_FAILED,
	NET_BROKEN,	      /* ended by an error */
	NET_IDLE_CLOSED,
	NET_HANDSHAKE_FAILED, /* of clients */
	NET_NOT_FRAMED,	      /* bytes that are no message of a known length */
	NET_TOO_SLOW,	      /* messages and handshakes that took too long */
	NET_OVERFLOWED,	      /* connections whose peer did not read */
	NET_KEEPALIVES,	      /* answered */
	NET_COUNTERS
};
const char *net_counter_name(enum net_counter counter);

struct net_stats {
	uint64_t counters[NET_COUNTERS];
	size_t incoming, outgoing, connection_limit; /* of all that share them */
};
void net_stats(const struct net *net, struct net_stats *ret_stats);

#endif
