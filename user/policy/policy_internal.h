/* SPDX-License-Identifier: BSD-2-Clause */
/* The snapshot's layout, for the files policy*.c alone. Every lookup is one in a hash table, so
 * that its cost does not grow with what there is. */
#ifndef SIPWARD_POLICY_INTERNAL_H
#define SIPWARD_POLICY_INTERNAL_H

#include "base/table.h"
#include "policy/acl_table.h"
#include "policy/policy.h"

struct policy_acl {
	struct table_node by_id;
	int64_t id;
	struct acl_table table;
};

struct policy_entry {
	struct policy_user user;
	const struct policy_list *list;
	struct table_node by_name, by_id;
	char name[STORE_USER_SIZE];
};

/* Of a user, by H(name:realm). */
struct policy_hashed {
	struct table_node by_hash;
	enum digest_algorithm algorithm;
	char hash[DIGEST_HEX_SIZE];
	struct policy_entry *entry;
};

struct policy_list {
	struct table_node by_id;
	int64_t id;
	char realm[STORE_NAME_SIZE];
	struct policy_entry *entries; /* do not move once they are read */
	size_t count, capacity;
	bool at_realm;
	/* By algorithm; NULL where no trunk offers userhash with it. */
	struct policy_hashed *hashed[DIGEST_ALGORITHMS];
};

/* Of a credential list, attached or not. */
struct policy_realm {
	struct table_node by_name;
	char name[STORE_NAME_SIZE];
};

/* "+4989123" or "+4989*" */
struct policy_caller {
	char text[STORE_NUMBER_SIZE + 1];
};

/* What the hops of one peer share. */
struct policy_peer {
	struct store_peer_uri uri;
	struct policy_outbound *outbound;
	size_t outbound_count;
};

/* An address of a peer. */
struct policy_address {
	struct table_node by_ip;
	struct ip ip;
	const struct policy_place *place;
};

/* A trunk and what a lookup in it needs: its priv. */
struct policy_place {
	struct policy_trunk trunk;
	const struct policy *policy;
	struct policy_acl **acls;
	size_t acl_count;
	struct policy_list **lists; /* in order of name */
	size_t list_count;
	struct policy_caller *callers; /* sorted */
	size_t caller_count;
	struct policy_peer **peers;
	size_t peer_count;
	struct table_node by_id;
};

/* A domain or alias that trunks are found by. */
struct policy_domain {
	struct table_node by_name;
	char name[STORE_DOMAIN_SIZE]; /* as policy_domain_text writes it */
	const struct policy_trunk *whole; /* the trunk of the domain itself, or NULL */
	bool has_apps;
};

/* One of the trunks found by user@domain. */
struct policy_app {
	struct table_node by_user;
	const struct policy_domain *domain;
	const struct policy_trunk *trunk;
};

enum policy_table {
	POLICY_ACLS,	  /* by id */
	POLICY_LISTS,	  /* by id */
	POLICY_TRUNKS,	  /* by id */
	POLICY_UPSTREAMS, /* of enabled trunks by address, the first by the trunk's name of each */
	POLICY_DESTINATIONS, /* the same */
	POLICY_DOMAINS,	  /* by name */
	POLICY_APPS,	  /* by domain and user */
	POLICY_USERS,	  /* by list and name */
	POLICY_USER_IDS,  /* by id */
	POLICY_USER_HASHES, /* by list and hash */
	POLICY_REALMS,	    /* by name, each once */
	POLICY_TABLES
};

/* ACLs and lists are those attached to enabled trunks, each once. */
struct policy {
	unsigned refs;
	uint64_t generation;
	struct store_settings settings;
	struct policy_place **trunks; /* all, sorted by name */
	size_t trunk_count;
	const struct policy_domain *any_domain; /* "*", or NULL */
	struct acl_table listed;		/* what any of the ACLs allows */
	struct filter_challenge *challenges;	/* prepared for the filter */
	size_t challenge_count;
	bool challenges_any;
	struct table tables[POLICY_TABLES];
};

/* A snapshot being read from the store. */
struct build {
	struct store *store;
	struct policy *policy;
	struct policy_place *place; /* being filled */
	struct error *err;
};
int policy_no_memory(struct error *err);
/* Makes room for one more element in a growing array. 0 or -ENOMEM. */
int policy_reserve(void *array, size_t count, size_t size);
/* The place's peers with what they stand for, and its header fields (policy_peers.c). */
int policy_read_peers(struct build *build);
void policy_free_peers(struct policy_place *place);

/* Fills the tables that are not filled while reading. 0 or -ENOMEM. */
int policy_index(struct policy *policy);
/* Makes the lists' hashed names where trunks ask for them. 0, -ENOMEM or -EIO. */
int policy_hash_users(struct policy *policy);
/* Prepares the filter's challenges (prepare.c). 0 or -ENOMEM. */
int policy_prepare(struct policy *policy);
/* Frees the snapshot, finished or not, and wipes its secrets. */
void policy_free(struct policy *policy);

/* The one way to write a domain: lower case, no final dot, addresses as ip_format writes them. 0,
 * or -ENOSPC: no domain is that long. */
int policy_domain_text(struct slice host, char ret_name[STORE_DOMAIN_SIZE]);

uint64_t policy_hash_id(const struct policy *policy, enum policy_table table, int64_t id);
uint64_t policy_hash_domain(const struct policy *policy, const char *name);
uint64_t policy_hash_app(const struct policy *policy, const struct policy_domain *domain,
			 struct slice user);
/* Of POLICY_USERS and POLICY_USER_HASHES. */
uint64_t policy_hash_user(const struct policy *policy, enum policy_table table,
			  const struct policy_list *list, struct slice name);
uint64_t policy_hash_realm(const struct policy *policy, struct slice realm);
/* Of POLICY_UPSTREAMS and POLICY_DESTINATIONS. */
uint64_t policy_hash_address(const struct policy *policy, enum policy_table table,
			     const struct ip *ip);
/* The first trunk with a peer of the table at the address, or NULL. */
const struct policy_trunk *policy_trunk_at(const struct policy *policy, enum policy_table table,
					   const struct ip *ip);

struct policy_acl *policy_acl_by_id(const struct policy *policy, int64_t id);
struct policy_list *policy_list_by_id(const struct policy *policy, int64_t id);
struct policy_domain *policy_domain_by_name(const struct policy *policy, const char *name);

#endif
