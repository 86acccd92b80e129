/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names to addresses, by c-ares, for threads that may wait: never on the packet path. No c-ares
 * type leaves user/dns/.
 */
#ifndef SIPWARD_DNS_H
#define SIPWARD_DNS_H

#include <stddef.h>

#include "base/addr.h"
#include "base/error.h"

#define DNS_ADDRESSES_MAX 256
#define DNS_TTL_MIN_S 5 /* of an answer that says less */
#define DNS_TTL_MAX_S 86400

struct dns;

/* servers: at most 8 as "192.0.2.53,[2001:db8::53]:5353", or NULL or empty for those of
 * resolv.conf. timeout_ms: for the whole of one lookup. Several threads may use it at once. */
int dns_create(const char *servers, unsigned timeout_ms, struct dns **ret_dns, struct error *err);
void dns_free(struct dns *dns);

struct dns_answer {
	struct ip addresses[DNS_ADDRESSES_MAX]; /* each once, sorted */
	size_t n;
	unsigned ttl_s; /* the shortest of all records used, within the two limits above */
};
/*
 * All A and AAAA records of a name. Only DNS is asked, not the hosts file, and names are absolute:
 * no search domains. 0, or
 * -ENOENT: the name does not exist or has no address;
 * -EAGAIN: no answer, or a server's failure, be it for one of the two families only: what the other
 *	brings is not all the addresses;
 * -E2BIG: more than DNS_ADDRESSES_MAX, or an SRV name with more than 32 targets;
 * -EINVAL: no domain name, or it answers with an address that nothing can come from (unspecified,
 *	loopback, multicast, reserved).
 */
int dns_addresses(struct dns *dns, const char *name, struct dns_answer *ret_answer,
		  struct error *err);
/* All addresses of all targets of an SRV name, with the same errors. A target without addresses
 * counts only if no other has any. */
int dns_srv_addresses(struct dns *dns, const char *name, struct dns_answer *ret_answer,
		      struct error *err);
/* Ends a lookup that runs in another thread: it returns -EINTR, as do all later ones. */
void dns_interrupt(struct dns *dns);

#endif
