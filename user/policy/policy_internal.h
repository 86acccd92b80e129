/* SPDX-License-Identifier: BSD-2-Clause */
/* The snapshot's layout, for policy.c and policy_build.c alone. */
#ifndef SIPWARD_POLICY_INTERNAL_H
#define SIPWARD_POLICY_INTERNAL_H

#include "policy/acl_table.h"
#include "policy/policy.h"

struct policy_acl {
	int64_t id;
	struct acl_table table;
};

struct policy_entry {
	struct policy_user user;
	char name[STORE_USER_SIZE];
};

/* Of a user, by H(name:realm). */
struct policy_hashed {
	char hash[DIGEST_HEX_SIZE];
	struct policy_entry *entry;
};

struct policy_list {
	int64_t id;
	char realm[STORE_NAME_SIZE];
	struct policy_entry *entries; /* sorted by name */
	struct policy_entry **by_id;  /* the same, sorted by id */
	size_t count, capacity;
	bool at_realm;
	/* By algorithm, sorted by hash; NULL where no trunk offers userhash with it. */
	struct policy_hashed *by_hash[DIGEST_ALGORITHMS];
};

/* What a trunk's priv points to. */
struct policy_attached {
	struct policy_acl **acls;
	size_t acl_count;
	struct policy_list **lists; /* in order of name */
	size_t list_count;
};

/* ACLs and lists are those attached to enabled trunks, each once. They are allocated one by one, as
 * trunks point to them while the arrays still grow. */
struct policy {
	unsigned refs;
	uint64_t generation;
	struct store_settings settings;
	struct policy_trunk *trunks; /* enabled ones, sorted by name */
	size_t trunk_count;
	struct policy_trunk **by_target;   /* sorted by domain, then user */
	struct policy_trunk **by_id;	   /* sorted by id */
	struct policy_trunk **by_upstream; /* sorted by the upstream's address, each once */
	size_t upstream_count;
	struct policy_acl **acls;
	size_t acl_count;
	struct policy_list **lists;
	size_t list_count;
};

/* Makes the lists' by_hash where trunks ask for it. 0, -ENOMEM or -EIO. */
int policy_hash_users(struct policy *policy);

/* Frees the snapshot, finished or not, and wipes its secrets. */
void policy_free(struct policy *policy);

/* The orders that the sorted arrays are in. */
int policy_text_cmp(struct slice a, struct slice b);
int policy_target_cmp(const struct policy_trunk *trunk, struct slice domain, struct slice user);
int policy_ip_cmp(const struct ip *a, const struct ip *b);

#endif
