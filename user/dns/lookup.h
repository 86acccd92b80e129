/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One lookup, for the files of user/dns/ only: questions asked side by side, round by round, all
 * under one deadline. What they lead to is the addresses of some hosts.
 */
#ifndef SIPWARD_DNS_LOOKUP_H
#define SIPWARD_DNS_LOOKUP_H

#include <ares.h>

#include "dns/answer.h"
#include "dns/dns.h"

#define LOOKUP_SERVERS_MAX 8
#define LOOKUP_HOSTS_MAX 32

struct dns {
	unsigned timeout_ms;
	int interrupt_fd; /* stays readable once interrupted */
	struct ares_addr_port_node servers[LOOKUP_SERVERS_MAX];
	unsigned server_count; /* 0: those of resolv.conf */
};

/* One question. Its result: 0, -ENODATA: the name has none of this type, -ENOENT: there is no such
 * name, -EAGAIN: nobody could say; or what forbids to use the answer. */
struct lookup_query {
	struct lookup *lookup;
	const char *name; /* borrowed until the round is over */
	ns_type type;
	/* Takes one record: 0, or what it has set as the result, which ends the walk. */
	int (*take)(struct lookup_query *query, const struct answer_record *record);
	void *arg;	/* for take, and so is index */
	unsigned index;
	struct error result;
};

/* A channel of c-ares is for one thread at a time: each lookup has its own. */
struct lookup {
	const struct dns *dns;
	ares_channel channel;
	uint64_t deadline_ns;
	unsigned pending;
	bool interrupted;
	bool hosts_file; /* ask it before DNS */
	bool loopback;	 /* take such addresses */
	struct lookup_query queries[2 * LOOKUP_HOSTS_MAX]; /* of this round */
	unsigned query_count;
	char hosts[LOOKUP_HOSTS_MAX][ANSWER_NAME_SIZE]; /* whose addresses are wanted */
	unsigned host_count;
	struct {
		struct ip ip;
		uint32_t hosts; /* a bit for each that has it */
	} found[DNS_ADDRESSES_MAX];
	size_t found_count;
	unsigned ttl_s; /* the shortest of all records */
};

/* 0 or -ENOMEM. */
int lookup_begin(struct dns *dns, struct lookup **ret_lookup, struct error *err);
void lookup_free(struct lookup *lookup);

/* Asks for name and type, to be taken by take, arg and index; the rest of question is not looked
 * at. A round has room for two a host. */
void lookup_ask(struct lookup *lookup, const struct lookup_query *question);
/* Waits for all that was asked since the last round; the deadline and an interruption are answers
 * too. The result that decides: valid until the next question. */
const struct error *lookup_wait(struct lookup *lookup);
/* Hands a result over as that of the lookup. */
int lookup_fail(const struct lookup *lookup, const struct error *result, struct error *err);

/* Makes the name the only host. 0, or -EINVAL for one too long. */
int lookup_set_host(struct lookup *lookup, const char *name, struct error *err);
/* Makes a name that the query's answer holds one of the hosts, each once. Its index; or -E2BIG, or
 * -ENOENT for the empty name of a service that is not offered (RFC 2782), as the result. */
int lookup_add_host(struct lookup_query *query, const char *name);
/* Finds the addresses of all hosts, sorted. 0 or the errors of dns_addresses. */
int lookup_resolve(struct lookup *lookup, struct error *err);

bool lookup_in_hosts_file(struct lookup *lookup, const char *name);

/* The shortest of all records, within the limits. */
unsigned lookup_ttl_s(const struct lookup *lookup);

#endif
