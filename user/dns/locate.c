/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "dns/lookup.h"
#include "net/net.h"

#define SERVICES_MAX 8
#define TARGETS_MAX (3 * LOOKUP_HOSTS_MAX)

static const struct {
	const char *naptr, *srv;
	uint16_t port;
} transports[] = {
	[NET_UDP] = {"SIP+D2U", "_sip._udp", 5060},
	[NET_TCP] = {"SIP+D2T", "_sip._tcp", 5060},
	[NET_TLS] = {"SIPS+D2T", "_sips._tcp", 5061},
};

struct service {
	unsigned transport;
	uint16_t order, preference;
	char name[ANSWER_NAME_SIZE]; /* of its SRV records */
};

struct target {
	unsigned host; /* of the lookup */
	unsigned transport, priority, weight;
	uint16_t port;
};

struct locating {
	struct dns_query query;
	struct lookup *lookup;
	char host[ANSWER_NAME_SIZE];
	struct service services[SERVICES_MAX]; /* best first */
	unsigned service_count;
	struct target targets[TARGETS_MAX];
	unsigned target_count;
	struct error not_offered;
	struct dns_location location;
};

static bool wants(const struct dns_query *query, unsigned transport)
{
	if (query->secure && transport != NET_TLS)
		return false;
	return !query->transport || query->transport == transport;
}

/* Where nothing else says which (RFC 3263 §4.1). */
static unsigned plain_transport(const struct dns_query *query)
{
	if (query->transport)
		return query->transport;
	return query->secure ? NET_TLS : NET_UDP;
}

static bool is_trouble(const struct error *result)
{
	return result->code && result->code != -ENODATA && result->code != -ENOENT;
}

/* ---- services ---- */

static int compare_services(const void *a, const void *b)
{
	const struct service *x = a, *y = b;

	if (x->order != y->order)
		return x->order - y->order;
	if (x->preference != y->preference)
		return x->preference - y->preference;
	return (int)x->transport - (int)y->transport;
}

static int add_service(struct lookup_query *query, const struct answer_record *record,
		       unsigned transport)
{
	struct locating *locating = query->arg;
	struct service *service = &locating->services[locating->service_count];

	if (locating->service_count == SERVICES_MAX)
		return error_set(&query->result, -E2BIG, "%s has more than %d NAPTR records of SIP",
				 query->name, SERVICES_MAX);
	*service = (struct service){transport, record->order, record->preference, ""};
	strcpy(service->name, record->target);
	locating->service_count++;
	return 0;
}

static int take_naptr(struct lookup_query *query, const struct answer_record *record)
{
	const struct locating *locating = query->arg;
	const struct slice service = slice_from(record->service);

	for (unsigned i = NET_UDP; i <= NET_TLS; i++)
		if (wants(&locating->query, i) &&
		    slice_eq_nocase(service, slice_from(transports[i].naptr)))
			return add_service(query, record, i);
	return 0;
}

static int find_naptr(struct locating *locating, struct error *err)
{
	const struct error *result;

	lookup_ask(locating->lookup, &(struct lookup_query){.name = locating->host,
							    .type = ns_t_naptr,
							    .take = take_naptr,
							    .arg = locating});
	result = lookup_wait(locating->lookup);
	if (is_trouble(result))
		return lookup_fail(locating->lookup, result, err);
	qsort(locating->services, locating->service_count, sizeof(locating->services[0]),
	      compare_services);
	return 0;
}

static int take_usual_services(struct locating *locating, struct error *err)
{
	for (unsigned i = NET_UDP; i <= NET_TLS; i++) {
		struct service *service = &locating->services[locating->service_count];
		int n;

		if (!wants(&locating->query, i))
			continue;
		service->transport = i;
		n = snprintf(service->name, sizeof(service->name), "%s.%s", transports[i].srv,
			     locating->host);
		if (n >= (int)sizeof(service->name))
			return error_set(err, -EINVAL, "%s is too long for a service's name",
					 locating->host);
		locating->service_count++;
	}
	return 0;
}

/* ---- targets ---- */

static int add_target(struct lookup_query *query, struct target target)
{
	struct locating *locating = query->arg;

	if (locating->target_count == TARGETS_MAX)
		return error_set(&query->result, -E2BIG, "%s has more than %d targets", query->name,
				 TARGETS_MAX);
	locating->targets[locating->target_count++] = target;
	return 0;
}

static int take_srv(struct lookup_query *query, const struct answer_record *record)
{
	struct locating *locating = query->arg;
	int host = lookup_add_host(query, record->target);

	if (host == -ENOENT)
		locating->not_offered = query->result;
	if (host < 0)
		return host;
	return add_target(query, (struct target){
					 .host = (unsigned)host,
					 .transport = locating->services[query->index].transport,
					 .priority = query->index << 16 | record->priority,
					 .weight = record->weight,
					 .port = record->port,
				 });
}

static int find_srv(struct locating *locating, struct error *err)
{
	const struct error *result;

	for (unsigned i = 0; i < locating->service_count; i++)
		lookup_ask(locating->lookup,
			   &(struct lookup_query){.name = locating->services[i].name,
						  .type = ns_t_srv,
						  .take = take_srv,
						  .arg = locating,
						  .index = i});
	result = lookup_wait(locating->lookup);
	if (!is_trouble(result) && !locating->target_count && locating->not_offered.code)
		result = &locating->not_offered;
	else if (!is_trouble(result))
		return 0;
	return lookup_fail(locating->lookup, result, err);
}

static int take_host_itself(struct locating *locating, unsigned transport, struct error *err)
{
	locating->targets[locating->target_count++] =
		(struct target){.transport = transport, .port = locating->query.port};
	return lookup_set_host(locating->lookup, locating->host, err);
}

static int find_targets(struct locating *locating, struct error *err)
{
	int rc = 0;

	/* What the machine's own table says about a name is not to wait for DNS. */
	if (locating->query.port || lookup_in_hosts_file(locating->lookup, locating->host))
		return take_host_itself(locating, plain_transport(&locating->query), err);
	if (!locating->query.transport)
		rc = find_naptr(locating, err);
	if (rc == 0 && !locating->service_count)
		rc = take_usual_services(locating, err);
	if (rc == 0)
		rc = find_srv(locating, err);
	if (rc == 0 && !locating->target_count)
		rc = take_host_itself(locating, locating->services[0].transport, err);
	return rc;
}

/* ---- hops ---- */

static int compare_hops(const void *a, const void *b)
{
	const struct dns_hop *x = a, *y = b;
	int order = memcmp(&x->endpoint.ip, &y->endpoint.ip, sizeof(x->endpoint.ip));

	if (x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	if (order)
		return order;
	if (x->endpoint.port != y->endpoint.port)
		return x->endpoint.port - y->endpoint.port;
	return (int)x->transport - (int)y->transport;
}

static int add_hop(struct dns_location *location, const struct target *target, const struct ip *ip)
{
	const uint16_t port = target->port ? target->port : transports[target->transport].port;
	const struct dns_hop hop = {.endpoint = {*ip, port},
				    .transport = target->transport,
				    .priority = target->priority,
				    .weight = target->weight};
	struct dns_hop *same = location->hops, *end = same + location->n;

	while (same < end &&
	       !(same->transport == hop.transport && endpoint_eq(&same->endpoint, &hop.endpoint)))
		same++;
	if (same == location->hops + DNS_HOPS_MAX)
		return -E2BIG;
	if (same == end)
		location->n++;
	if (same == end || compare_hops(&hop, same) < 0)
		*same = hop;
	return 0;
}

static int find_hops(struct locating *locating, struct error *err)
{
	const struct lookup *lookup = locating->lookup;
	struct dns_location *location = &locating->location;
	int rc = lookup_resolve(locating->lookup, err);

	if (rc)
		return rc;
	for (const struct target *target = locating->targets;
	     target < locating->targets + locating->target_count; target++)
		for (size_t i = 0; i < lookup->found_count && rc == 0; i++)
			if (lookup->found[i].hosts & 1u << target->host)
				rc = add_hop(location, target, &lookup->found[i].ip);
	if (rc)
		return error_set(err, rc, "%s brings more than %d servers", locating->host,
				 DNS_HOPS_MAX);
	qsort(location->hops, location->n, sizeof(location->hops[0]), compare_hops);
	location->ttl_s = lookup_ttl_s(lookup);
	return 0;
}

/* ---- queries ---- */

static int check_query(const struct dns_query *query, struct locating *locating, struct error *err)
{
	struct slice host = slice_from(query->host);

	locating->query = *query;
	if (host.n && host.p[host.n - 1] == '.')
		host.n--;
	if (!host.n || slice_text(host, locating->host, sizeof(locating->host)))
		return error_set(err, -EINVAL, "\"%.60s\" is no domain name", query->host);
	if (query->transport > NET_TLS)
		return error_set(err, -EINVAL, "%s: there is no transport %u", query->host,
				 query->transport);
	if (query->secure && query->transport == NET_UDP)
		return error_set(err, -EINVAL, "%s: sips: goes by TLS, not UDP", query->host);
	if (query->secure && query->transport == NET_TCP)
		locating->query.transport = NET_TLS;
	return 0;
}

static int locate_address(struct locating *locating, const struct ip *ip, struct error *err)
{
	const struct target target = {.transport = plain_transport(&locating->query),
				      .port = locating->query.port};

	if (!answer_is_source(ip, locating->query.loopback))
		return error_set(err, -EINVAL, "%s is no source", locating->query.host);
	locating->location.ttl_s = DNS_TTL_MAX_S;
	return add_hop(&locating->location, &target, ip);
}

static int locate_name(struct locating *locating, struct dns *dns, struct error *err)
{
	int rc = lookup_begin(dns, &locating->lookup, err);

	if (rc)
		return rc;
	locating->lookup->hosts_file = true;
	locating->lookup->loopback = locating->query.loopback;
	rc = find_targets(locating, err);
	if (rc == 0)
		rc = find_hops(locating, err);
	lookup_free(locating->lookup);
	return rc;
}

int dns_locate(struct dns *dns, const struct dns_query *query, struct dns_location *ret_location,
	       struct error *err)
{
	struct locating locating = {.location.n = 0};
	struct ip ip;
	int rc = check_query(query, &locating, err);

	if (rc)
		return rc;
	if (ip_parse(slice_from(query->host), &ip) == 0)
		rc = locate_address(&locating, &ip, err);
	else
		rc = locate_name(&locating, dns, err);
	if (rc == 0)
		*ret_location = locating.location;
	return rc;
}
