/* SPDX-License-Identifier: BSD-2-Clause */
/* Names that the store keeps at what DNS says: host names in ACLs, and those in the URIs of trunks'
 * peers. */
#ifndef SIPWARD_DAEMON_HOST_H
#define SIPWARD_DAEMON_HOST_H

#include "dns/dns.h"
#include "store/store.h"

enum host_kind {
	HOST_ACL_ADDRESS, /* see enum store_host_kind */
	HOST_ACL_SRV,
	HOST_PEER,
};

struct host {
	enum host_kind kind;
	int64_t id;		   /* in the store; of an ACL's host or of a peer */
	char name[STORE_URI_SIZE]; /* of a peer its URI */
	uint64_t places;	   /* how many it stands for now */
	int64_t resolved_s;	   /* as in the store */
	int64_t due_s;
};

struct host host_of_acl(const struct store_acl_host *from);
/* False: its host is an address, which nobody need ask for. */
bool host_of_peer(const struct store_peer *from, struct host *ret_host);
/* All there are. A result of visit other than 0 ends the walk and is returned. */
int host_each(struct store *store, int (*visit)(const struct host *host, void *arg), void *arg,
	      struct error *err);

/* What a name stands for. ACLs ask for addresses alone: port and transport are 0. */
#define HOST_PLACES_MAX 256
struct host_places {
	struct store_peer_address list[HOST_PLACES_MAX];
	size_t n;
	unsigned ttl_s; /* of an answer */
};
/* "192.0.2.1" or "udp/192.0.2.1:5060". */
#define HOST_PLACE_TEXT_SIZE (ENDPOINT_TEXT_SIZE + 4)
void host_place_format(const struct store_peer_address *place, char text[HOST_PLACE_TEXT_SIZE]);
/* What the store has now. */
int host_places(struct store *store, const struct host *host, struct host_places *ret_places,
		struct error *err);

/*
 * Asks DNS and writes to the store what it says, or that it failed and is due again in retry_s.
 * 1: the name stands for *ret_answer; 0: DNS failed, err says why, and the name keeps what it had;
 * -ENOENT: it has gone from the store meanwhile; -EINTR: dns_interrupt; else the store's error.
 */
int host_resolve(struct store *store, struct dns *dns, const struct host *host, unsigned retry_s,
		 struct host_places *ret_answer, struct error *err);

#endif
