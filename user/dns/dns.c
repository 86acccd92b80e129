/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/dns.h"

#include <ares.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "dns/answer.h"

#define DNS_PORT 53
#define SERVERS_MAX 8
#define TARGETS_MAX 32
#define TRIES 4
#define SOCKETS_MAX (ARES_GETSOCK_MAXNUM - 1) /* its macros shift into the sign at the last */
#define UDP_SIZE 1232 /* answers so large are not fragmented; larger ones come by TCP */

struct dns {
	unsigned timeout_ms;
	int interrupt_fd; /* stays readable once interrupted */
	struct ares_addr_port_node servers[SERVERS_MAX];
	unsigned server_count; /* 0: those of resolv.conf */
};

/* One question. Its result: 0, -ENODATA: the name has none of this type, -ENOENT: there is no such
 * name, -EAGAIN: nobody could say; or what forbids to use the answer. */
struct query {
	struct lookup *lookup;
	const char *name;
	ns_type type;
	struct error result;
};

/* A channel of c-ares is for one thread at a time: each lookup has its own. */
struct lookup {
	const struct dns *dns;
	ares_channel channel;
	uint64_t deadline_ns;
	unsigned pending;
	bool interrupted;
	char targets[TARGETS_MAX][ANSWER_NAME_SIZE];
	unsigned target_count;
	struct query queries[2 * TARGETS_MAX];
	unsigned query_count;
	unsigned ttl_s;
	struct dns_answer answer;
};

/* ---- servers ---- */

static int add_server(struct dns *dns, struct slice text, struct error *err)
{
	struct ares_addr_port_node *node = &dns->servers[dns->server_count];
	struct endpoint endpoint;

	if (dns->server_count == SERVERS_MAX)
		return error_set(err, -EINVAL, "DNS servers: there can be at most %d", SERVERS_MAX);
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

/* ---- what is answered ---- */

static void note_ttl(struct lookup *lookup, unsigned ttl_s)
{
	if (ttl_s < lookup->ttl_s)
		lookup->ttl_s = ttl_s;
}

static int add_address(struct query *query, const struct ip *ip)
{
	struct dns_answer *answer = &query->lookup->answer;
	char text[IP_TEXT_SIZE];

	ip_format(ip, text);
	if (!answer_is_source(ip))
		return error_set(&query->result, -EINVAL, "%s answers with %s, which is no source",
				 query->name, text);
	for (size_t i = 0; i < answer->n; i++)
		if (ip_eq(&answer->addresses[i], ip))
			return 0;
	if (answer->n == DNS_ADDRESSES_MAX)
		return error_set(&query->result, -E2BIG, "%s brings more than %d addresses",
				 query->name, DNS_ADDRESSES_MAX);
	answer->addresses[answer->n++] = *ip;
	return 0;
}

static int add_target(struct query *query, const char *name)
{
	struct lookup *lookup = query->lookup;

	if (!name[0])
		return error_set(&query->result, -ENOENT, "%s: the service is not offered (SRV .)",
				 query->name);
	for (unsigned i = 0; i < lookup->target_count; i++)
		if (strcmp(lookup->targets[i], name) == 0)
			return 0;
	if (lookup->target_count == TARGETS_MAX)
		return error_set(&query->result, -E2BIG, "%s has more than %d targets", query->name,
				 TARGETS_MAX);
	strcpy(lookup->targets[lookup->target_count++], name);
	return 0;
}

static int take_record(const struct answer_record *record, void *arg)
{
	struct query *query = arg;

	note_ttl(query->lookup, record->ttl_s);
	return query->type == ns_t_srv ? add_target(query, record->target)
				       : add_address(query, &record->ip);
}

static void judge_status(struct query *query, int status)
{
	struct error *result = &query->result;

	switch (status) {
	case ARES_ENODATA:
		error_set(result, -ENODATA, "%s has no address", query->name);
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
		error_set(result, -EAGAIN, "%s: no answer within %u ms", query->name,
			  query->lookup->dns->timeout_ms);
		break;
	default:
		error_set(result, -EAGAIN, "%s: %s", query->name, ares_strerror(status));
	}
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *bytes, int n)
{
	struct query *query = arg;
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
		error_set(&query->result, -EAGAIN, "%s: the answer can not be read", query->name);
}

/* ---- questions ---- */

static const struct query *ask(struct lookup *lookup, const char *name, ns_type type)
{
	struct query *query = &lookup->queries[lookup->query_count++];

	*query = (struct query){.lookup = lookup, .name = name, .type = type};
	lookup->pending++;
	ares_query(lookup->channel, name, ns_c_in, type, on_answer, query);
	return query;
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

/* Until every question has its result; the deadline and an interruption are results too. */
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

/* ---- lookups ---- */

static int lookup_begin(struct dns *dns, struct lookup **ret_lookup, struct error *err)
{
	struct lookup *lookup = calloc(1, sizeof(*lookup));
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_EDNS,
		.ednspsz = UDP_SIZE,
		.timeout = (int)(dns->timeout_ms / TRIES) + 1,
		.tries = TRIES,
		.lookups = (char[]){"b"},
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
		ares_destroy(lookup->channel);
		free(lookup);
		return error_set(err, -ENOMEM, "out of memory");
	}
	*ret_lookup = lookup;
	return 0;
}

static int compare_ip(const void *a, const void *b)
{
	_Static_assert(sizeof(struct ip) == 17, "nothing but bytes, so memcmp sorts");
	return memcmp(a, b, sizeof(struct ip));
}

/* Ends the lookup; hands the answer over if rc is 0. */
static int lookup_end(struct lookup *lookup, int rc, struct dns_answer *ret_answer)
{
	struct dns_answer *answer = &lookup->answer;

	if (rc == 0) {
		qsort(answer->addresses, answer->n, sizeof(answer->addresses[0]), compare_ip);
		answer->ttl_s = lookup->ttl_s < DNS_TTL_MIN_S ? DNS_TTL_MIN_S : lookup->ttl_s;
		*ret_answer = *answer;
	}
	ares_destroy(lookup->channel);
	free(lookup);
	return rc;
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

static int fail(const struct lookup *lookup, const struct error *result, struct error *err)
{
	if (lookup->interrupted)
		return error_set(err, -EINTR, "interrupted");
	return error_set(err, result->code == -ENODATA ? -ENOENT : result->code, "%s",
			 result->text);
}

/* Both families of all names, side by side. */
static int resolve(struct lookup *lookup, const char *const *names, unsigned n, struct error *err)
{
	const struct error *result = &lookup->queries[0].result;

	lookup->query_count = 0;
	for (unsigned i = 0; i < n; i++) {
		ask(lookup, names[i], ns_t_a);
		ask(lookup, names[i], ns_t_aaaa);
	}
	wait_for_answers(lookup);
	for (unsigned i = 1; i < lookup->query_count; i++)
		if (weight(&lookup->queries[i].result) > weight(result))
			result = &lookup->queries[i].result;
	return result->code ? fail(lookup, result, err) : 0;
}

int dns_addresses(struct dns *dns, const char *name, struct dns_answer *ret_answer,
		  struct error *err)
{
	struct lookup *lookup;
	int rc = lookup_begin(dns, &lookup, err);

	if (rc)
		return rc;
	rc = resolve(lookup, &name, 1, err);
	return lookup_end(lookup, rc, ret_answer);
}

static int resolve_targets(struct lookup *lookup, const char *name, struct error *err)
{
	const char *names[TARGETS_MAX];
	const struct query *query = ask(lookup, name, ns_t_srv);

	wait_for_answers(lookup);
	if (query->result.code == -ENODATA)
		return error_set(err, -ENOENT, "%s has no SRV record", name);
	if (query->result.code)
		return fail(lookup, &query->result, err);
	for (unsigned i = 0; i < lookup->target_count; i++)
		names[i] = lookup->targets[i];
	return resolve(lookup, names, lookup->target_count, err);
}

int dns_srv_addresses(struct dns *dns, const char *name, struct dns_answer *ret_answer,
		      struct error *err)
{
	struct lookup *lookup;
	int rc = lookup_begin(dns, &lookup, err);

	if (rc)
		return rc;
	rc = resolve_targets(lookup, name, err);
	return lookup_end(lookup, rc, ret_answer);
}
