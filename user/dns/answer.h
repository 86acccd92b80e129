/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads DNS answers (RFC 1035 §4, RFC 2782, RFC 3403 §4): bytes from whoever answered. */
#ifndef SIPWARD_DNS_ANSWER_H
#define SIPWARD_DNS_ANSWER_H

#include <arpa/nameser.h>

#include "base/addr.h"
#include "base/slice.h"

#define ANSWER_NAME_SIZE 256

struct answer_record {
	unsigned ttl_s; /* the shortest of the record's and of the aliases that led to it */
	struct ip ip;	/* of A and AAAA */
	char target[ANSWER_NAME_SIZE]; /* of SRV; empty: the service is not there */
	uint16_t priority, weight, port; /* of SRV */
	/* Of NAPTR: the service that stands at target (flag "s", RFC 3263 §4.1); empty for a
	 * record that leads to anything but SRV records. */
	char service[16];
	uint16_t order, preference;
};

/* Visits the records of type ns_t_a, ns_t_aaaa, ns_t_srv or ns_t_naptr that the message has for the
 * name or for what it is an alias of. A result of take other than 0 ends the walk and is returned.
 * -ENODATA: there is none; -EBADMSG: not a DNS message, or a record that can not be read. */
int answer_each(struct slice message, const char *name, ns_type type,
		int (*take)(const struct answer_record *record, void *arg), void *arg);

/* Whether packets can come from the address: not unspecified, multicast or reserved, and loopback
 * only if told so. */
bool answer_is_source(const struct ip *ip, bool loopback);

#endif
