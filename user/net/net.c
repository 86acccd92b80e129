/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/net_internal.h"

#define SOCKET_BUFFER_BYTES (8 << 20)

int net_create(struct net **ret_net)
{
	struct net *net = calloc(1, sizeof(*net));

	if (!net)
		return -ENOMEM;
	net->receive_pool = malloc((size_t)NET_BATCH * NET_DATAGRAM_MAX);
	net->send_pool = malloc(SEND_POOL_BYTES);
	if (!net->receive_pool || !net->send_pool) {
		net_free(net);
		return -ENOMEM;
	}
	*ret_net = net;
	return 0;
}

void net_free(struct net *net)
{
	if (!net)
		return;
	for (unsigned i = 0; i < net->socket_count; i++)
		close(net->sockets[i].fd);
	free(net->receive_pool);
	free(net->send_pool);
	free(net);
}

static int set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) ? -errno : 0;
}

/* Buffers as large as we may have: FORCE needs CAP_NET_ADMIN, the other is cut to the sysctl. */
static void enlarge_buffers(int fd)
{
	if (set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER_BYTES))
		set_int(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER_BYTES);
	if (set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER_BYTES))
		set_int(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER_BYTES);
}

static int set_options(int fd, unsigned family)
{
	int rc;

	enlarge_buffers(fd);
	if (family == 6) {
		rc = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
		return rc ? rc : set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	}
	/* Large requests are fragmented, never refused for a remembered path MTU. */
	rc = set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	return rc ? rc : set_int(fd, IPPROTO_IP, IP_PKTINFO, 1);
}

static bool ip_is_any(const struct ip *ip)
{
	static const uint8_t zero[16];

	return memcmp(ip->bytes, zero, sizeof(zero)) == 0;
}

static int bind_udp(int fd, const struct endpoint *listen, struct endpoint *ret_bound)
{
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(listen, &sa);

	if (bind(fd, (struct sockaddr *)&sa, len))
		return -errno;
	len = sizeof(sa);
	if (getsockname(fd, (struct sockaddr *)&sa, &len))
		return -errno;
	return endpoint_from_sockaddr((struct sockaddr *)&sa, ret_bound);
}

static int explain_bind(const char *address, int rc, struct error *err)
{
	if (rc == -EADDRINUSE)
		return error_set(err, rc,
				 "listen udp:%s: another program has this port (ss -lunp tells "
				 "which), or another listen line covers it",
				 address);
	if (rc == -EADDRNOTAVAIL)
		return error_set(err, rc,
				 "listen udp:%s: no interface has this address (ip addr lists "
				 "those there are)",
				 address);
	return error_set(err, rc, "listen udp:%s: %s", address, strerror(-rc));
}

int net_listen_udp(struct net *net, const struct endpoint *listen, struct error *err)
{
	char text[ENDPOINT_TEXT_SIZE];
	struct net_socket *s = &net->sockets[net->socket_count];
	int rc;

	endpoint_format(listen, text);
	if (net->socket_count == NET_SOCKETS_MAX)
		return error_set(err, -ENOSPC, "listen udp:%s: at most %d addresses", text,
				 NET_SOCKETS_MAX);
	s->fd = socket(listen->ip.family == 6 ? AF_INET6 : AF_INET,
		       SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return error_set(err, -errno, "listen udp:%s: %s", text, strerror(errno));
	rc = set_options(s->fd, listen->ip.family);
	if (!rc)
		rc = bind_udp(s->fd, listen, &s->bound);
	if (rc) {
		close(s->fd);
		return explain_bind(text, rc, err);
	}
	s->wildcard = ip_is_any(&s->bound.ip);
	net->socket_count++;
	return 0;
}

unsigned net_socket_count(const struct net *net)
{
	return net->socket_count;
}

int net_socket_fd(const struct net *net, unsigned index)
{
	return net->sockets[index].fd;
}

void net_stats(const struct net *net, struct net_stats *ret_stats)
{
	*ret_stats = net->stats;
}
