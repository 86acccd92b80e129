/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One ACL laid out for longest-match lookups: an open-addressed hash over {family, length,
 * address}, asked once for each prefix length that occurs. The cost of a lookup does not depend on
 * the number of entries: some 30 bytes each, in two arrays.
 */
#ifndef SIPWARD_POLICY_ACL_TABLE_H
#define SIPWARD_POLICY_ACL_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define ACL_LENGTHS_MAX 129 /* /0 to /128 */

struct acl_table_entry;

struct acl_lengths {
	uint8_t len[ACL_LENGTHS_MAX]; /* those that occur, longest first */
	unsigned count;
};

struct acl_table {
	struct acl_table_entry *entries;
	uint32_t count, capacity;
	uint32_t *slots; /* index of an entry + 1; 0 = empty */
	uint32_t mask;
	struct acl_lengths v4, v6;
};

enum acl_match { ACL_NO_MATCH, ACL_ALLOW, ACL_DENY };

/* An empty table with room for capacity entries. 0, -ENOMEM or -EOVERFLOW. */
int acl_table_init(struct acl_table *table, uint64_t capacity);
/* Accepts a zeroed table. */
void acl_table_free(struct acl_table *table);
/* The last entry given for a prefix counts. 0, or -ENOSPC when the table is full. */
int acl_table_add(struct acl_table *table, const struct prefix *prefix, bool deny);
/* Lays ACLs over each other: an address matches ACL_ALLOW where it does so in at least one of them.
 * 0, -ENOMEM or -EOVERFLOW. */
int acl_table_merge(const struct acl_table *const *tables, size_t n, struct acl_table *ret_merged);
/* What the longest prefix that contains the address says. */
enum acl_match acl_table_match(const struct acl_table *table, const struct ip *ip);

#endif
