/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The policy snapshot: what the store says, laid out for lookups. Immutable once built; read
 * without locks; counted references.
 */
#ifndef SIPWARD_POLICY_H
#define SIPWARD_POLICY_H

#include "digest/digest.h"
#include "net/net.h"
#include "store/store.h"

struct policy;

/* Reads the store in one read transaction. */
int policy_build(struct store *store, struct policy **ret_policy, struct error *err);
struct policy *policy_ref(struct policy *policy);
void policy_unref(struct policy *policy);

uint64_t policy_generation(const struct policy *policy);
const struct store_settings *policy_settings(const struct policy *policy);

struct policy_user {
	int64_t id;
	struct slice name, realm;
	struct store_ha1 ha1;
	/* The ratchet: rises while the snapshot is in use (atomic). */
	unsigned strongest;
	bool at_realm; /* may give the name as "user@realm" too */
};

/* A credential that the gate has at an upstream. */
struct policy_outbound {
	int64_t id;
	char user[STORE_NAME_SIZE];
	char realm[STORE_NAME_SIZE]; /* empty: not known yet */
	struct store_ha1 ha1;	     /* of a known realm */
	bool registers;
	unsigned expires_s;
	char password[STORE_PASSWORD_SIZE]; /* while the realm is not known; empty: it is lost */
};

/* A place that a call can go to: one address of a peer. */
struct policy_hop {
	int64_t peer_id;
	const char *uri;
	const char *host; /* of the URI: what a TLS certificate is for */
	struct endpoint endpoint;
	enum net_transport transport;
	unsigned priority, weight;	   /* the peer's */
	unsigned srv_priority, srv_weight; /* the address's within the peer */
	const struct policy_outbound *outbound; /* upstreams only; the first is the default */
	size_t outbound_count;
};

struct policy_trunk {
	struct store_trunk config;
	/* In order of priority, then srv_priority. */
	struct policy_hop *upstreams;
	size_t upstream_count;
	struct policy_hop *destinations;
	size_t destination_count;
	struct store_header *headers; /* for calls to the customer */
	size_t header_count;
	struct slice *realms; /* of its credential lists, each once, in order of name */
	size_t realm_count;
	/* lookup structures are private to policy.c */
	void *priv;
};

/* The trunk of a Request-URI: exact user@domain, then the domain, then the default trunk ("*"); an
 * alias is as good as the domain. A disabled trunk is found too (config.enabled), lest its calls
 * fall through to another one. Host without regard to case, to a final dot and to how an address is
 * written. The gate's own addresses as host count as no domain: they reach the default trunk, or
 * user@* trunks. NULL: no trunk. */
const struct policy_trunk *policy_trunk_find(const struct policy *policy, struct slice user,
					     struct slice host);
/* Whether some trunk of the host is found by a user too (user@domain). */
bool policy_has_user_trunk(const struct policy *policy, struct slice host);
/* By id, for in-dialog tokens: a disabled one too; NULL if it is gone. */
const struct policy_trunk *policy_trunk_by_id(const struct policy *policy, int64_t id);
/* The enabled trunk that has an upstream at this address, or NULL (the first by name). */
const struct policy_trunk *policy_trunk_of_upstream(const struct policy *policy,
						    const struct ip *ip);
/* The first enabled trunk by name that has an upstream at this endpoint and registers there as the
 * user; for an empty user just the former. With port 0 any of the address is meant. NULL: none. */
const struct policy_trunk *policy_trunk_called(const struct policy *policy,
					       const struct endpoint *upstream, struct slice user);
/* The trunk's first upstream at this endpoint or, with port 0, at any of the address; NULL. */
const struct policy_hop *policy_upstream_at(const struct policy_trunk *trunk,
					    const struct endpoint *endpoint);
/* Visits every trunk, disabled ones too, in order of name. */
void policy_trunk_each(const struct policy *policy,
		       void (*visit)(const struct policy_trunk *trunk, void *arg), void *arg);

/* Whether the trunk's ACLs allow the address: longest match within each ACL, any ACL that allows is
 * enough. */
bool policy_acl_allows(const struct policy_trunk *trunk, const struct ip *ip);
/* Whether any enabled trunk's ACL allows it, or it is a peer's. */
bool policy_is_listed(const struct policy *policy, const struct ip *ip);
bool policy_is_upstream(const struct policy *policy, const struct ip *ip);

/* Whether a caller may show the number: it is among the trunk's, or begins as one of its prefixes
 * does. */
bool policy_caller_allows(const struct policy_trunk *trunk, struct slice number);

/* Whether any credential list of the gate, attached or not, is of the realm. */
bool policy_has_realm(const struct policy *policy, struct slice realm);
/* Whether there is any. */
bool policy_has_realms(const struct policy *policy);

/* The user of the trunk's lists in the realm, or NULL. */
struct policy_user *policy_user_find(const struct policy_trunk *trunk, struct slice name,
				     struct slice realm);
/* The same whatever the realm; of several the first realm's. */
struct policy_user *policy_user_by_name(const struct policy_trunk *trunk, struct slice name);
/* The same by H(name:realm) in lower-case hex. Finds nobody unless the trunk offers userhash. */
struct policy_user *policy_user_by_hash(const struct policy_trunk *trunk, struct slice hash,
					enum digest_algorithm algorithm, struct slice realm);
/* The same by id, whatever its realm. */
struct policy_user *policy_user_by_id(const struct policy_trunk *trunk, int64_t id);

#endif
