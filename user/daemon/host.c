/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "net/net.h"

_Static_assert(DNS_ADDRESSES_MAX <= HOST_PLACES_MAX && DNS_HOPS_MAX <= HOST_PLACES_MAX &&
		       STORE_HOST_ADDRESSES_MAX <= HOST_PLACES_MAX &&
		       STORE_PEER_ADDRESSES_MAX <= HOST_PLACES_MAX,
	       "whatever is read has room");
_Static_assert(DNS_ADDRESSES_MAX <= STORE_HOST_ADDRESSES_MAX, "any answer fits into an ACL");

/* ---- host names in ACLs ---- */

static void take_addresses(const struct ip *addresses, size_t n, struct host_places *ret_places)
{
	for (size_t i = 0; i < n; i++)
		ret_places->list[i] = (struct store_peer_address){.endpoint.ip = addresses[i]};
	ret_places->n = n;
}

static int ask_acl(struct dns *dns, const struct host *host, struct host_places *ret_answer,
		   struct error *err)
{
	struct dns_answer answer;
	int rc = host->kind == HOST_ACL_SRV ? dns_srv_addresses(dns, host->name, &answer, err)
					    : dns_addresses(dns, host->name, &answer, err);

	if (rc)
		return rc;
	take_addresses(answer.addresses, answer.n, ret_answer);
	ret_answer->ttl_s = answer.ttl_s;
	return 0;
}

static int read_acl(struct store *store, int64_t id, struct host_places *ret_places,
		    struct error *err)
{
	struct ip addresses[STORE_HOST_ADDRESSES_MAX];
	size_t n;
	int rc = store_acl_host_addresses(store, id, addresses, &n, err);

	if (rc == 0)
		take_addresses(addresses, n, ret_places);
	return rc;
}

static int write_acl(struct store *store, int64_t id, const struct host_places *places,
		     int64_t due_s, struct error *err)
{
	struct ip addresses[HOST_PLACES_MAX];

	for (size_t i = 0; i < places->n; i++)
		addresses[i] = places->list[i].endpoint.ip;
	return store_acl_host_resolved(store, id, addresses, places->n, due_s, err);
}

/* ---- peers ---- */

static int query_of(const struct host *host, struct store_peer_uri *uri,
		    struct dns_query *ret_query, struct error *err)
{
	int rc = store_peer_uri_parse(host->name, STORE_UPSTREAM, uri, err);

	*ret_query = (struct dns_query){
		.host = uri->host,
		.port = uri->port,
		.transport = uri->transport,
		.secure = strncmp(uri->text, "sips:", 5) == 0,
		.loopback = true, /* the PBX may run beside the gate */
	};
	return rc;
}

static int ask_peer(struct dns *dns, const struct host *host, struct host_places *ret_answer,
		    struct error *err)
{
	struct store_peer_uri uri = {0};
	struct dns_location location;
	struct dns_query query;
	int rc = query_of(host, &uri, &query, err);

	if (rc == 0)
		rc = dns_locate(dns, &query, &location, err);
	if (rc)
		return rc;
	if (location.n > STORE_PEER_ADDRESSES_MAX)
		return error_set(err, -E2BIG, "%s brings more than %d servers", uri.host,
				 STORE_PEER_ADDRESSES_MAX);
	for (size_t i = 0; i < location.n; i++) {
		const struct dns_hop *hop = &location.hops[i];

		ret_answer->list[i] = (struct store_peer_address){hop->endpoint, hop->transport,
								  hop->priority, hop->weight};
	}
	ret_answer->n = location.n;
	ret_answer->ttl_s = location.ttl_s;
	return 0;
}

static int read_peer(struct store *store, int64_t id, struct host_places *ret_places,
		     struct error *err)
{
	return store_peer_addresses(store, id, ret_places->list, &ret_places->n, err);
}

static int write_peer(struct store *store, int64_t id, const struct host_places *places,
		      int64_t due_s, struct error *err)
{
	return store_peer_resolved(store, id, places->list, places->n, due_s, err);
}

/* ---- either ---- */

static const struct {
	int (*ask)(struct dns *dns, const struct host *host, struct host_places *ret_answer,
		   struct error *err);
	int (*read)(struct store *store, int64_t id, struct host_places *ret_places,
		    struct error *err);
	int (*write)(struct store *store, int64_t id, const struct host_places *places,
		     int64_t due_s, struct error *err);
	int (*fail)(struct store *store, int64_t id, const char *why, int64_t due_s,
		    struct error *err);
} kinds[] = {
	[HOST_ACL_ADDRESS] = {ask_acl, read_acl, write_acl, store_acl_host_failed},
	[HOST_ACL_SRV] = {ask_acl, read_acl, write_acl, store_acl_host_failed},
	[HOST_PEER] = {ask_peer, read_peer, write_peer, store_peer_failed},
};

struct host host_of_acl(const struct store_acl_host *from)
{
	struct host host = {
		.kind = from->kind == STORE_HOST_SRV ? HOST_ACL_SRV : HOST_ACL_ADDRESS,
		.id = from->id,
		.places = from->addresses,
		.resolved_s = from->resolved_s,
		.due_s = from->due_s,
	};

	strcpy(host.name, from->host);
	return host;
}

bool host_of_peer(const struct store_peer *from, struct host *ret_host)
{
	if (from->due_s == STORE_NEVER)
		return false;
	*ret_host = (struct host){
		.kind = HOST_PEER,
		.id = from->id,
		.places = from->addresses,
		.resolved_s = from->resolved_s,
		.due_s = from->due_s,
	};
	strcpy(ret_host->name, from->uri);
	return true;
}

struct visitor {
	int (*visit)(const struct host *host, void *arg);
	void *arg;
};

static int visit_acl(const struct store_acl_host *from, void *arg)
{
	const struct visitor *visitor = arg;
	const struct host host = host_of_acl(from);

	return visitor->visit(&host, visitor->arg);
}

static int visit_peer(const struct store_peer *from, void *arg)
{
	const struct visitor *visitor = arg;
	struct host host;

	return host_of_peer(from, &host) ? visitor->visit(&host, visitor->arg) : 0;
}

int host_each(struct store *store, int (*visit)(const struct host *host, void *arg), void *arg,
	      struct error *err)
{
	struct visitor visitor = {visit, arg};
	int rc = store_acl_host_each(store, NULL, visit_acl, &visitor, err);

	return rc ? rc : store_peer_each(store, 0, visit_peer, &visitor, err);
}

void host_place_format(const struct store_peer_address *place, char text[HOST_PLACE_TEXT_SIZE])
{
	char endpoint[ENDPOINT_TEXT_SIZE];

	if (!place->transport) {
		ip_format(&place->endpoint.ip, text);
		return;
	}
	endpoint_format(&place->endpoint, endpoint);
	snprintf(text, HOST_PLACE_TEXT_SIZE, "%s/%s", net_transport_name(place->transport),
		 endpoint);
}

int host_places(struct store *store, const struct host *host, struct host_places *ret_places,
		struct error *err)
{
	return kinds[host->kind].read(store, host->id, ret_places, err);
}

int host_resolve(struct store *store, struct dns *dns, const struct host *host, unsigned retry_s,
		 struct host_places *ret_answer, struct error *err)
{
	struct error store_err;
	int rc = kinds[host->kind].ask(dns, host, ret_answer, err), noted;
	int64_t now = (int64_t)clock_wall_s();

	if (rc == -EINTR)
		return rc;
	if (rc == 0)
		noted = kinds[host->kind].write(store, host->id, ret_answer,
						now + ret_answer->ttl_s, &store_err);
	else
		noted = kinds[host->kind].fail(store, host->id, err->text, now + retry_s,
					       &store_err);
	if (noted) {
		*err = store_err;
		return noted;
	}
	return rc == 0;
}
