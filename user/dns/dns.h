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

/* Where to send a request for a SIP URI (RFC 3263 §4). */
struct dns_query {
	const char *host;   /* name or address */
	uint16_t port;	    /* 0: absent */
	unsigned transport; /* enum net_transport; 0: absent */
	bool secure;	    /* sips: by TLS only */
	bool loopback;	    /* a server on this very machine will do */
};
#define DNS_HOPS_MAX 256
struct dns_hop {
	struct endpoint endpoint;
	unsigned transport; /* enum net_transport */
	/* Lower is to be tried first; among equals by weight (RFC 2782). The transport's rank is in
	 * the bits above the 16 of SRV: all of one transport come before the next. */
	unsigned priority, weight;
};
struct dns_location {
	struct dns_hop hops[DNS_HOPS_MAX]; /* each once, by priority, then the heaviest first */
	size_t n;
	unsigned ttl_s; /* as above; DNS_TTL_MAX_S for an address */
};
/*
 * An address is its own place. A name with a port, or one that the hosts file has, is looked up by
 * its addresses; one without by its SRV records, of the transport given or of those its NAPTR
 * records name, else of all, UDP first; and if there are none, by its addresses. Where nothing says
 * which, the transport is UDP (TLS if secure), the port 5060 (5061). Addresses come from the hosts
 * file, else from DNS. 0, or as dns_addresses does for a name; -E2BIG also for more than
 * DNS_HOPS_MAX hops, or 8 NAPTR records of SIP.
 */
int dns_locate(struct dns *dns, const struct dns_query *query, struct dns_location *ret_location,
	       struct error *err);

/* Ends a lookup that runs in another thread: it returns -EINTR, as do all later ones. */
void dns_interrupt(struct dns *dns);

#endif
