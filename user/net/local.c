/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of this machine's addresses a packet leaves from, and which addresses are ours. */
#include <errno.h>
#include <ifaddrs.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/net_internal.h"

int net_socket_for(const struct net *net, const struct net_path *path)
{
	int wildcard = -1;

	for (unsigned i = 0; i < net->socket_count; i++) {
		const struct net_socket *s = &net->sockets[i];

		if (s->transport != path->transport ||
		    s->bound.ip.family != path->remote.ip.family ||
		    s->bound.port != path->local.port)
			continue;
		if (ip_eq(&s->bound.ip, &path->local.ip))
			return (int)i;
		if (s->wildcard && wildcard < 0)
			wildcard = (int)i;
	}
	return wildcard;
}

/* Asks the routing table by connecting a socket that sends nothing. */
static int route_source(const struct endpoint *remote, struct ip *ret_ip)
{
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(remote, &sa);
	struct endpoint local;
	int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	rc = connect(fd, (struct sockaddr *)&sa, len) ? -errno : 0;
	len = sizeof(sa);
	if (!rc && getsockname(fd, (struct sockaddr *)&sa, &len))
		rc = -errno;
	close(fd);
	if (!rc)
		rc = endpoint_from_sockaddr((struct sockaddr *)&sa, &local);
	if (!rc)
		*ret_ip = local.ip;
	return rc;
}

/* Preference: a socket bound to the route's own source, a wildcard one, the first of the family. */
static int choose_socket(const struct net *net, enum net_transport transport,
			 const struct ip *source, struct endpoint *ret_local)
{
	const struct net_socket *any = NULL, *first = NULL;

	for (unsigned i = 0; i < net->socket_count; i++) {
		const struct net_socket *s = &net->sockets[i];

		if (s->transport != transport || s->bound.ip.family != source->family)
			continue;
		if (ip_eq(&s->bound.ip, source)) {
			*ret_local = s->bound;
			return 0;
		}
		if (!any && s->wildcard)
			any = s;
		if (!first)
			first = s;
	}
	if (!first)
		return -ENETUNREACH;
	*ret_local = any ? (struct endpoint){*source, any->bound.port} : first->bound;
	return 0;
}

static int choose_local(const struct net *net, enum net_transport transport,
			const struct endpoint *remote, struct endpoint *ret_local)
{
	struct ip source;
	int rc = route_source(remote, &source);

	if (rc)
		return rc;
	rc = choose_socket(net, transport, &source, ret_local);
	for (enum net_transport other = NET_UDP; rc && transport != NET_UDP && other <= NET_TLS;
	     other++)
		rc = choose_socket(net, other, &source, ret_local);
	return rc;
}

static struct net_route *route_slot(struct net *net, enum net_transport transport,
				    const struct endpoint *remote)
{
	uint32_t h = remote->port + transport;

	for (unsigned i = 0; i < sizeof(remote->ip.bytes); i++)
		h = h * 31 + remote->ip.bytes[i];
	return &net->routes[h % NET_ROUTES];
}

int net_local_for(struct net *net, enum net_transport transport, const struct endpoint *remote,
		  struct endpoint *ret_local)
{
	struct net_route *route = route_slot(net, transport, remote);
	uint64_t now = clock_coarse_ns();
	struct endpoint local;
	int rc;

	if (route->until_ns > now && route->transport == transport &&
	    endpoint_eq(&route->remote, remote)) {
		*ret_local = route->local;
		return 0;
	}
	rc = choose_local(net, transport, remote, &local);
	if (rc)
		return rc;
	*route = (struct net_route){transport, *remote, local, now + NS_PER_S};
	*ret_local = local;
	return 0;
}

static void refresh_local(struct net *net)
{
	uint64_t now = clock_coarse_ns();
	struct ifaddrs *list;
	struct endpoint e;

	if (net->local_until_ns > now || getifaddrs(&list))
		return;
	net->local_count = 0;
	for (struct ifaddrs *i = list; i && net->local_count < NET_LOCAL_MAX; i = i->ifa_next) {
		if (i->ifa_addr && endpoint_from_sockaddr(i->ifa_addr, &e) == 0)
			net->local[net->local_count++] = e.ip;
	}
	freeifaddrs(list);
	net->local_until_ns = now + NS_PER_S;
}

bool net_is_local(struct net *net, const struct endpoint *endpoint)
{
	bool wildcard = false;

	for (unsigned i = 0; i < net->socket_count; i++) {
		const struct net_socket *s = &net->sockets[i];

		if (endpoint_eq(&s->bound, endpoint))
			return true;
		wildcard |= s->wildcard && s->bound.port == endpoint->port &&
			    s->bound.ip.family == endpoint->ip.family;
	}
	if (!wildcard)
		return false;
	refresh_local(net);
	for (unsigned i = 0; i < net->local_count; i++)
		if (ip_eq(&net->local[i], &endpoint->ip))
			return true;
	return false;
}
