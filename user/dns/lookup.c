/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/lookup.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/clock.h"

#define TRIES 4
#define SOCKETS_MAX (ARES_GETSOCK_MAXNUM - 1) /* its macros shift into the sign at the last */
#define HOSTS_FILE_TTL_S 60
#define UDP_SIZE 1232 /* answers so large are not fragmented; larger ones come by TCP */

int lookup_begin(struct dns *dns, struct lookup **ret_lookup, struct error *err)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_EDNS,
		.ednspsz = UDP_SIZE,
		.timeout = (int)(dns->timeout_ms / TRIES) + 1,
		.tries = TRIES,
		.lookups = (char[]){"f"}, /* of what is asked for by ares_getaddrinfo */
	};
	const int given = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
			  ARES_OPT_LOOKUPS | ARES_OPT_DOMAINS;

	if (!lookup)
		return error_set(err, -ENOMEM, "out of memory");
	lookup->dns = dns;
	lookup->ttl_s = DNS_TTL_MAX_S;
	lookup->deadline_ns = clock_coarse_ns() + dns->timeout_ms * NS_PER_MS;
	if (ares_init_options(&lookup->channel, &options, given) != ARES_SUCCESS) {
		free(lookup);
		return error_set(err, -ENOMEM, "can not set up DNS");
	}
	if (dns->server_count &&
	    ares_set_servers_ports(lookup->channel, dns->servers) != ARES_SUCCESS) {
		lookup_free(lookup);
		return error_set(err, -ENOMEM, "out of memory");
	}
	*ret_lookup = lookup;
	return 0;
}

void lookup_free(struct lookup *lookup)
{
	if (!lookup)
		return;
	ares_destroy(lookup->channel);
	free(lookup);
}

/* ---- answers ---- */

/* For a question that the caller did not ask. */
static const char *aside(const struct lookup_query *query)
{
	return query->type == ns_t_naptr ? " (NAPTR)" : "";
}

static void judge_status(struct lookup_query *query, int status)
{
	struct error *result = &query->result;

	switch (status) {
	case ARES_ENODATA:
		error_set(result, -ENODATA, "%s has no %s", query->name,
			  query->type == ns_t_srv ? "SRV record" : "address");
		break;
	case ARES_ENOTFOUND:
		error_set(result, -ENOENT, "%s does not exist", query->name);
		break;
	case ARES_EBADNAME:
		error_set(result, -EINVAL, "%s is no domain name", query->name);
		break;
	case ARES_ENOMEM:
		error_set(result, -ENOMEM, "out of memory");
		break;
	case ARES_ECANCELLED:
	case ARES_ETIMEOUT:
		error_set(result, -EAGAIN, "%s%s: no answer within %u ms", query->name,
			  aside(query), query->lookup->dns->timeout_ms);
		break;
	default:
		error_set(result, -EAGAIN, "%s%s: %s", query->name, aside(query),
			  ares_strerror(status));
	}
}

static void note_ttl(struct lookup *lookup, unsigned ttl_s)
{
	if (ttl_s < lookup->ttl_s)
		lookup->ttl_s = ttl_s;
}

static int take_record(const struct answer_record *record, void *arg)
{
	struct lookup_query *query = arg;

	note_ttl(query->lookup, record->ttl_s);
	return query->take(query, record);
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *bytes, int n)
{
	struct lookup_query *query = arg;
	int rc;

	(void)timeouts;
	query->lookup->pending--;
	if (status != ARES_SUCCESS) {
		judge_status(query, status);
		return;
	}
	rc = answer_each((struct slice){(const char *)bytes, (size_t)n}, query->name, query->type,
			 take_record, query);
	if (rc == -ENODATA)
		judge_status(query, ARES_ENODATA);
	else if (rc == -EBADMSG)
		error_set(&query->result, -EAGAIN, "%s%s: the answer can not be read", query->name,
			  aside(query));
}

/* ---- questions ---- */

static struct lookup_query *add_query(struct lookup *lookup, const struct lookup_query *question)
{
	struct lookup_query *query = &lookup->queries[lookup->query_count++];

	*query = *question;
	query->lookup = lookup;
	query->result = (struct error){0};
	return query;
}

void lookup_ask(struct lookup *lookup, const struct lookup_query *question)
{
	struct lookup_query *query = add_query(lookup, question);

	lookup->pending++;
	ares_query(lookup->channel, query->name, ns_c_in, query->type, on_answer, query);
}

static int poll_timeout_ms(const struct lookup *lookup)
{
	uint64_t now = clock_coarse_ns();
	struct timeval left = {0}, soonest;

	if (now < lookup->deadline_ns) {
		uint64_t us = (lookup->deadline_ns - now) / 1000;

		left.tv_sec = (time_t)(us / 1000000);
		left.tv_usec = (suseconds_t)(us % 1000000);
	}
	const struct timeval *wait = ares_timeout(lookup->channel, &left, &soonest);
	return (int)(wait->tv_sec * 1000 + wait->tv_usec / 1000 + 1);
}

/* Lets c-ares read and write what is ready, and try again what has waited too long. */
static void process(struct lookup *lookup, const struct pollfd *fds, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const bool in = fds[i].revents & (POLLIN | POLLERR | POLLHUP);
		const bool out = fds[i].revents & POLLOUT;

		if (in || out)
			ares_process_fd(lookup->channel, in ? fds[i].fd : ARES_SOCKET_BAD,
					out ? fds[i].fd : ARES_SOCKET_BAD);
	}
	ares_process_fd(lookup->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void wait_for_answers(struct lookup *lookup)
{
	struct pollfd fds[1 + SOCKETS_MAX];
	ares_socket_t sockets[SOCKETS_MAX];

	while (lookup->pending) {
		int bits = ares_getsock(lookup->channel, sockets, SOCKETS_MAX);
		unsigned n = 1;

		fds[0] = (struct pollfd){.fd = lookup->dns->interrupt_fd, .events = POLLIN};
		for (int i = 0; i < SOCKETS_MAX; i++) {
			short events = (ARES_GETSOCK_READABLE(bits, i) ? POLLIN : 0) |
				       (ARES_GETSOCK_WRITABLE(bits, i) ? POLLOUT : 0);

			if (events)
				fds[n++] = (struct pollfd){.fd = sockets[i], .events = events};
		}
		if (poll(fds, n, poll_timeout_ms(lookup)) < 0)
			n = 1;
		lookup->interrupted = fds[0].revents != 0;
		if (lookup->interrupted || clock_coarse_ns() >= lookup->deadline_ns)
			ares_cancel(lookup->channel);
		else
			process(lookup, fds + 1, n - 1);
	}
}

/*
 * Which of several results decides. While nobody can say what one name or family holds, the others
 * alone are not the answer: the addresses of the silent one would be taken for gone. One that holds
 * nothing counts only if none holds anything; "does not exist" for one family of a name that has
 * the other is a name server's common mistake (RFC 4074 §4.2).
 */
static int weight(const struct error *result)
{
	switch (result->code) {
	case -ENODATA:
		return 0;
	case -ENOENT:
		return 1;
	case 0:
		return 2;
	case -EAGAIN:
		return 3;
	default:
		return 4;
	}
}

const struct error *lookup_wait(struct lookup *lookup)
{
	const struct error *result = &lookup->queries[0].result;

	wait_for_answers(lookup);
	for (unsigned i = 1; i < lookup->query_count; i++)
		if (weight(&lookup->queries[i].result) > weight(result))
			result = &lookup->queries[i].result;
	lookup->query_count = 0;
	return result;
}

int lookup_fail(const struct lookup *lookup, const struct error *result, struct error *err)
{
	if (lookup->interrupted)
		return error_set(err, -EINTR, "interrupted");
	return error_set(err, result->code == -ENODATA ? -ENOENT : result->code, "%s",
			 result->text);
}

/* ---- hosts ---- */

int lookup_set_host(struct lookup *lookup, const char *name, struct error *err)
{
	if (slice_text(slice_from(name), lookup->hosts[0], sizeof(lookup->hosts[0])))
		return error_set(err, -EINVAL, "%.60s… is no domain name", name);
	lookup->host_count = 1;
	return 0;
}

int lookup_add_host(struct lookup_query *query, const char *name)
{
	struct lookup *lookup = query->lookup;

	if (!name[0])
		return error_set(&query->result, -ENOENT, "%s: the service is not offered (SRV .)",
				 query->name);
	for (unsigned i = 0; i < lookup->host_count; i++)
		if (strcmp(lookup->hosts[i], name) == 0)
			return (int)i;
	if (lookup->host_count == LOOKUP_HOSTS_MAX)
		return error_set(&query->result, -E2BIG, "%s has more than %d targets", query->name,
				 LOOKUP_HOSTS_MAX);
	strcpy(lookup->hosts[lookup->host_count], name);
	return (int)lookup->host_count++;
}

static int add_address(struct lookup_query *query, const struct ip *ip)
{
	struct lookup *lookup = query->lookup;
	const uint32_t host = 1u << query->index;
	char text[IP_TEXT_SIZE];
	size_t i = 0;

	ip_format(ip, text);
	if (!answer_is_source(ip, lookup->loopback))
		return error_set(&query->result, -EINVAL, "%s answers with %s, which is no source",
				 query->name, text);
	while (i < lookup->found_count && !ip_eq(&lookup->found[i].ip, ip))
		i++;
	if (i == DNS_ADDRESSES_MAX)
		return error_set(&query->result, -E2BIG, "%s brings more than %d addresses",
				 query->name, DNS_ADDRESSES_MAX);
	if (i == lookup->found_count)
		lookup->found[lookup->found_count++].ip = *ip;
	lookup->found[i].hosts |= host;
	return 0;
}

static int take_address(struct lookup_query *query, const struct answer_record *record)
{
	return add_address(query, &record->ip);
}

/* ---- the hosts file ---- */

static void on_hosts_file(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct lookup_query *query = arg;
	struct endpoint endpoint;

	(void)timeouts;
	if (status != ARES_SUCCESS) {
		query->result.code = -ENODATA;
		return;
	}
	for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
		if (!query->result.code && !endpoint_from_sockaddr(node->ai_addr, &endpoint))
			add_address(query, &endpoint.ip);
	note_ttl(query->lookup, HOSTS_FILE_TTL_S);
	ares_freeaddrinfo(info);
}

static void on_presence(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	(void)timeouts;
	*(bool *)arg = status == ARES_SUCCESS;
	ares_freeaddrinfo(info);
}

/* Calls back at once: c-ares looks nowhere else. $CARES_HOSTS may name another file. */
static void read_hosts_file(struct lookup *lookup, const char *name, ares_addrinfo_callback on_read,
			    void *arg)
{
	static const struct ares_addrinfo_hints hints = {
		.ai_flags = ARES_AI_NOSORT | ARES_AI_ENVHOSTS, .ai_family = AF_UNSPEC};

	ares_getaddrinfo(lookup->channel, name, NULL, &hints, on_read, arg);
}

bool lookup_in_hosts_file(struct lookup *lookup, const char *name)
{
	bool present = false;

	read_hosts_file(lookup, name, on_presence, &present);
	return present;
}

/* ---- addresses ---- */

static void ask_addresses(struct lookup *lookup, unsigned host)
{
	struct lookup_query question = {
		.name = lookup->hosts[host], .take = take_address, .index = host};

	if (lookup->hosts_file) {
		struct lookup_query *query = add_query(lookup, &question);

		read_hosts_file(lookup, query->name, on_hosts_file, query);
		if (query->result.code != -ENODATA)
			return;
		lookup->query_count--;
	}
	question.type = ns_t_a;
	lookup_ask(lookup, &question);
	question.type = ns_t_aaaa;
	lookup_ask(lookup, &question);
}

static int compare_found(const void *a, const void *b)
{
	_Static_assert(sizeof(struct ip) == 17, "nothing but bytes, so memcmp sorts");
	return memcmp(a, b, sizeof(struct ip));
}

int lookup_resolve(struct lookup *lookup, struct error *err)
{
	const struct error *result;

	for (unsigned i = 0; i < lookup->host_count; i++)
		ask_addresses(lookup, i);
	result = lookup_wait(lookup);
	if (result->code)
		return lookup_fail(lookup, result, err);
	qsort(lookup->found, lookup->found_count, sizeof(lookup->found[0]), compare_found);
	return 0;
}

unsigned lookup_ttl_s(const struct lookup *lookup)
{
	return lookup->ttl_s < DNS_TTL_MIN_S ? DNS_TTL_MIN_S : lookup->ttl_s;
}
