/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/dns.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dns/lookup.h"

#define DNS_PORT 53

/* ---- servers ---- */

static int add_server(struct dns *dns, struct slice text, struct error *err)
{
	struct ares_addr_port_node *node = &dns->servers[dns->server_count];
	struct endpoint endpoint;

	if (dns->server_count == LOOKUP_SERVERS_MAX)
		return error_set(err, -EINVAL, "DNS servers: there can be at most %d",
				 LOOKUP_SERVERS_MAX);
	if (endpoint_parse(text, DNS_PORT, &endpoint))
		return error_set(err, -EINVAL,
				 "DNS server \"%.*s\": must be ADDRESS or "
				 "ADDRESS:PORT (IPv6 in brackets where a port follows)",
				 (int)(text.n < 60 ? text.n : 60), text.p);
	node->family = endpoint.ip.family == 6 ? AF_INET6 : AF_INET;
	memcpy(&node->addr, endpoint.ip.bytes, endpoint.ip.family == 6 ? 16 : 4);
	node->udp_port = node->tcp_port = endpoint.port;
	if (dns->server_count++)
		node[-1].next = node;
	return 0;
}

static int read_servers(struct dns *dns, const char *servers, struct error *err)
{
	struct slice rest = slice_trim(slice_from(servers));
	int rc = 0;

	while (rc == 0 && rest.n)
		rc = add_server(dns, slice_trim(slice_cut(rest, ',', &rest)), err);
	return rc;
}

int dns_create(const char *servers, unsigned timeout_ms, struct dns **ret_dns, struct error *err)
{
	struct dns *dns = calloc(1, sizeof(*dns));
	int rc;

	if (!dns)
		return error_set(err, -ENOMEM, "out of memory");
	dns->timeout_ms = timeout_ms;
	dns->interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (dns->interrupt_fd < 0)
		rc = error_set(err, -errno, "too many open files");
	else
		rc = read_servers(dns, servers, err);
	if (rc) {
		dns_free(dns);
		return rc;
	}
	*ret_dns = dns;
	return 0;
}

void dns_free(struct dns *dns)
{
	if (!dns)
		return;
	if (dns->interrupt_fd >= 0)
		close(dns->interrupt_fd);
	free(dns);
}

void dns_interrupt(struct dns *dns)
{
	/* Fails only where the counter is full, and then it is readable already. */
	(void)!write(dns->interrupt_fd, &(uint64_t){1}, sizeof(uint64_t));
}

/* ---- addresses ---- */

/* Makes a name's hosts those of the lookup. */
typedef int (*hosts_fn)(struct lookup *lookup, const char *name, struct error *err);

static int take_target(struct lookup_query *query, const struct answer_record *record)
{
	int host = lookup_add_host(query, record->target);

	return host < 0 ? host : 0;
}

static int targets_of_service(struct lookup *lookup, const char *name, struct error *err)
{
	const struct error *result;

	lookup_ask(lookup,
		   &(struct lookup_query){.name = name, .type = ns_t_srv, .take = take_target});
	result = lookup_wait(lookup);
	return result->code ? lookup_fail(lookup, result, err) : 0;
}

static int find(struct dns *dns, const char *name, hosts_fn hosts, struct dns_answer *ret_answer,
		struct error *err)
{
	struct lookup *lookup;
	int rc = lookup_begin(dns, &lookup, err);

	if (rc)
		return rc;
	rc = hosts(lookup, name, err);
	if (rc == 0)
		rc = lookup_resolve(lookup, err);
	if (rc == 0) {
		for (size_t i = 0; i < lookup->found_count; i++)
			ret_answer->addresses[i] = lookup->found[i].ip;
		ret_answer->n = lookup->found_count;
		ret_answer->ttl_s = lookup_ttl_s(lookup);
	}
	lookup_free(lookup);
	return rc;
}

int dns_addresses(struct dns *dns, const char *name, struct dns_answer *ret_answer,
		  struct error *err)
{
	return find(dns, name, lookup_set_host, ret_answer, err);
}

int dns_srv_addresses(struct dns *dns, const char *name, struct dns_answer *ret_answer,
		      struct error *err)
{
	return find(dns, name, targets_of_service, ret_answer, err);
}
