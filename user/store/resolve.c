/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <netdb.h>

#include "store/resolve.h"

static int lookup(const struct upstream *upstream, struct addrinfo **ret_list)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_ADDRCONFIG};

	return getaddrinfo(upstream->host, NULL, &hints, ret_list);
}

static bool usable(const struct addrinfo *entry, uint16_t port, struct endpoint *ret_endpoint)
{
	if (endpoint_from_sockaddr(entry->ai_addr, ret_endpoint))
		return false;
	ret_endpoint->port = port;
	return true;
}

int upstream_resolve(const struct upstream *upstream, const char *uri,
		     struct endpoint *ret_endpoint, struct error *err)
{
	struct endpoint endpoint = {.ip = upstream->ip, .port = upstream->port};
	struct addrinfo *list = NULL;
	bool found = endpoint.ip.family != 0;
	int result = found ? 0 : lookup(upstream, &list);

	for (const struct addrinfo *entry = list; entry && !found; entry = entry->ai_next)
		found = usable(entry, upstream->port, &endpoint);
	if (list)
		freeaddrinfo(list);
	if (!found)
		return error_set(err, -EINVAL, "upstream %s: the name does not resolve: %s",
				 QUOTED(uri),
				 result ? gai_strerror(result) : "it has no IP address");
	*ret_endpoint = endpoint;
	return 0;
}

bool upstream_moved(const struct store_trunk *trunk, struct endpoint *ret_endpoint)
{
	struct endpoint first = {0}, endpoint;
	struct upstream upstream;
	struct addrinfo *list = NULL;
	bool kept = false;

	if (check_upstream(trunk->upstream, &upstream, NULL) || upstream.ip.family)
		return false;
	if (lookup(&upstream, &list))
		return false;
	/* A name with several addresses turns them round: any of them will do. */
	for (const struct addrinfo *entry = list; entry; entry = entry->ai_next) {
		if (!usable(entry, upstream.port, &endpoint))
			continue;
		if (!first.ip.family)
			first = endpoint;
		kept |= ip_eq(&endpoint.ip, &trunk->upstream_addr.ip);
	}
	freeaddrinfo(list);
	if (kept || !first.ip.family)
		return false;
	*ret_endpoint = first;
	return true;
}
