/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/net.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/net_internal.h"

#define LISTEN_BACKLOG 511

const struct net_limits net_limits_default = {
	.connections = 10000,
	.connections_per_source = 200,
	.idle_ms = 3600 * 1000,
	.message_ms = 20 * 1000,
	.handshake_ms = 10 * 1000,
	.connect_ms = 3 * 1000,
	.output_bytes = 1 << 20,
};

static const char *const counter_names[] = {
	[NET_RECEIVED] = "received",
	[NET_SENT] = "sent",
	[NET_TRUNCATED] = "truncated",
	[NET_SEND_DROPPED] = "send_dropped",
	[NET_SEND_ERRORS] = "send_errors",
	[NET_ACCEPTED] = "connections_accepted",
	[NET_REFUSED] = "connections_refused",
	[NET_EVICTED] = "connections_evicted",
	[NET_CONNECTED] = "connections_made",
	[NET_CONNECT_FAILED] = "connections_not_made",
	[NET_BROKEN] = "connections_broken",
	[NET_IDLE_CLOSED] = "connections_idle",
	[NET_HANDSHAKE_FAILED] = "handshakes_failed",
	[NET_NOT_FRAMED] = "not_framed",
	[NET_TOO_SLOW] = "too_slow",
	[NET_OVERFLOWED] = "not_read",
	[NET_KEEPALIVES] = "keepalives",
};
_Static_assert(sizeof(counter_names) / sizeof(counter_names[0]) == NET_COUNTERS, "counter names");

const char *net_counter_name(enum net_counter counter)
{
	return counter_names[counter];
}

const char *net_transport_name(enum net_transport transport)
{
	static const char *const names[] = {
		[NET_UDP] = "udp", [NET_TCP] = "tcp", [NET_TLS] = "tls"};

	return names[transport];
}

int net_create(const struct net_limits *limits, struct net **ret_net)
{
	struct net *net = calloc(1, sizeof(*net));

	if (!net)
		return -ENOMEM;
	net->limits = limits ? *limits : net_limits_default;
	net->receive_pool = malloc((size_t)NET_BATCH * NET_DATAGRAM_MAX);
	net->send_pool = malloc(SEND_POOL_BYTES);
	if (net_shared_create(&net->own_shared) || conns_init(&net->conns) || !net->receive_pool ||
	    !net->send_pool) {
		net_free(net);
		return -ENOMEM;
	}
	net->share.shared = net->own_shared;
	*ret_net = net;
	return 0;
}

void net_share(struct net *net, const struct net_share *share)
{
	net->share = *share;
	net_shared_free(net->own_shared);
	net->own_shared = NULL;
}

void net_free(struct net *net)
{
	if (!net)
		return;
	conns_free(net);
	tls_free(net->tls);
	for (unsigned i = 0; i < net->socket_count; i++) {
		if (net->sockets[i].event)
			event_free(net->sockets[i].event);
		close(net->sockets[i].fd);
	}
	if (net->accept_again)
		event_free(net->accept_again);
	free(net->receive_pool);
	free(net->send_pool);
	net_shared_free(net->own_shared);
	free(net);
}

/* ---- listening ---- */

int net_set_option(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno : 0;
}

static bool ip_is_any(const struct ip *ip)
{
	static const uint8_t zero[16];

	return memcmp(ip->bytes, zero, sizeof(zero)) == 0;
}

static int share_port(int fd)
{
	return net_set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

static int bind_socket(struct net_socket *s, const struct endpoint *address)
{
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(address, &sa);
	int rc = s->transport == NET_UDP ? datagram_set_options(s->fd, address->ip.family)
					 : stream_set_options(s->fd, address->ip.family);

	/* By the first only once it has the port: before, it would take one that another program
	 * has and shares too. */
	if (!rc && s->net->share.worker > 0)
		rc = share_port(s->fd);
	if (!rc && bind(s->fd, (struct sockaddr *)&sa, len))
		rc = -errno;
	if (!rc && !s->net->own_shared)
		rc = share_port(s->fd);
	if (!rc && s->transport != NET_UDP && listen(s->fd, LISTEN_BACKLOG))
		rc = -errno;
	if (rc)
		return rc;
	len = sizeof(sa);
	if (getsockname(s->fd, (struct sockaddr *)&sa, &len))
		return -errno;
	return endpoint_from_sockaddr((struct sockaddr *)&sa, &s->bound);
}

static int explain(const struct net_socket *s, const struct endpoint *address, int rc,
		   struct error *err)
{
	const char *transport = net_transport_name(s->transport);
	char text[ENDPOINT_TEXT_SIZE];

	endpoint_format(address, text);
	if (rc == -EADDRINUSE)
		return error_set(err, rc,
				 "listen %s:%s: another program has this port (ss -l%snp tells "
				 "which), or another listen line covers it",
				 transport, text, s->transport == NET_UDP ? "u" : "t");
	if (rc == -EADDRNOTAVAIL)
		return error_set(err, rc,
				 "listen %s:%s: no interface has this address (ip addr lists "
				 "those there are)",
				 transport, text);
	if (rc == -ENOSPC)
		return error_set(err, rc, "listen %s:%s: at most %d addresses", transport, text,
				 NET_SOCKETS_MAX);
	if (rc == -EINVAL)
		return error_set(err, rc, "listen %s:%s: there is no tls_certificate", transport,
				 text);
	return error_set(err, rc, "listen %s:%s: %s", transport, text, strerror(-rc));
}

int net_listen(struct net *net, enum net_transport transport, const struct endpoint *address,
	       struct error *err)
{
	struct net_socket s = {.net = net, .transport = transport};
	int type = transport == NET_UDP ? SOCK_DGRAM : SOCK_STREAM;
	int rc;

	if (net->socket_count == NET_SOCKETS_MAX)
		return explain(&s, address, -ENOSPC, err);
	if (transport == NET_TLS && !tls_can_serve(net))
		return explain(&s, address, -EINVAL, err);
	s.fd = socket(address->ip.family == 6 ? AF_INET6 : AF_INET,
		      type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s.fd < 0)
		return explain(&s, address, -errno, err);
	rc = bind_socket(&s, address);
	if (rc) {
		close(s.fd);
		return explain(&s, address, rc, err);
	}
	s.wildcard = ip_is_any(&s.bound.ip);
	net->sockets[net->socket_count++] = s;
	return 0;
}

int net_listen_beside(struct net *net, const struct net *first, struct error *err)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < first->socket_count; i++)
		rc = net_listen(net, first->sockets[i].transport, &first->sockets[i].bound, err);
	return rc;
}

unsigned net_socket_count(const struct net *net)
{
	return net->socket_count;
}

const struct endpoint *net_socket_address(const struct net *net, unsigned index)
{
	return &net->sockets[index].bound;
}

enum net_transport net_socket_transport(const struct net *net, unsigned index)
{
	return net->sockets[index].transport;
}

int net_socket_fd(const struct net *net, unsigned index)
{
	return net->sockets[index].fd;
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
	struct net *net = arg;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < net->socket_count; i++)
		event_add(net->sockets[i].event, NULL);
}

static int serve(struct net_socket *s)
{
	s->event =
		event_new(s->net->base, s->fd, EV_READ | EV_PERSIST,
			  s->transport == NET_UDP ? datagram_on_readable : stream_on_acceptable, s);
	return s->event && event_add(s->event, NULL) == 0 ? 0 : -ENOMEM;
}

int net_start(struct net *net, struct event_base *base, const struct net_handler *handler)
{
	int rc;

	/* libevent and OpenSSL write to peers that have gone without asking for silence. */
	signal(SIGPIPE, SIG_IGN);
	net->base = base;
	net->handler = *handler;
	net->accept_again = evtimer_new(base, on_accept_again, net);
	rc = net->accept_again ? conns_start(net) : -ENOMEM;
	for (unsigned i = 0; !rc && i < net->socket_count; i++)
		rc = serve(&net->sockets[i]);
	return rc;
}

/* ---- traffic ---- */

void net_hand_over(struct net *net, const struct net_packet *packets, unsigned n)
{
	net->handler.receive(net->handler.arg, packets, n);
	net_flush(net);
}

int net_send(struct net *net, const struct net_path *path, const struct iovec *iov,
	     unsigned iov_count)
{
	return path->transport == NET_UDP ? datagram_send(net, path, iov, iov_count)
					  : stream_send(net, path, iov, iov_count, false);
}

int net_send_here(struct net *net, const struct net_path *path, const struct iovec *iov,
		  unsigned iov_count)
{
	return path->transport == NET_UDP ? datagram_send(net, path, iov, iov_count)
					  : stream_send(net, path, iov, iov_count, true);
}

int net_alias_here(struct net *net, const struct net_path *path, uint16_t port)
{
	struct conn *conn = path->transport == NET_UDP ? NULL : conn_find(net, path);

	if (!conn)
		return -ENOENT;
	conn_set_alias(conn, port);
	return 0;
}

int net_alias(struct net *net, const struct net_path *path, uint16_t port)
{
	const struct net_share *share = &net->share;
	int rc = net_alias_here(net, path, port), worker = -1;

	if (rc && share->alias_by && path->transport != NET_UDP)
		worker = shared_find(share->shared, path, share->worker);
	return worker < 0 ? rc : share->alias_by(share->arg, (unsigned)worker, path, port);
}

size_t net_backlog(const struct net *net)
{
	size_t n = 0;

	for (unsigned i = 0; i < net->socket_count; i++)
		n += net->sockets[i].waiting;
	return n;
}

void net_stats(const struct net *net, struct net_stats *ret_stats)
{
	for (int i = 0; i < NET_COUNTERS; i++)
		ret_stats->counters[i] = __atomic_load_n(&net->counters[i], __ATOMIC_RELAXED);
	shared_counts(net->share.shared, &ret_stats->incoming, &ret_stats->outgoing);
	ret_stats->connection_limit = net->limits.connections;
}
