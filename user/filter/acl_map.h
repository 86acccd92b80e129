/* SPDX-License-Identifier: BSD-2-Clause */
/* The tries acl_v4 and acl_v6 as one map from prefix to value. */
#ifndef SIPWARD_FILTER_ACL_MAP_H
#define SIPWARD_FILTER_ACL_MAP_H

#include "filter/internal.h"

/* How many prefixes of the family (4 or 6) fit. */
int acl_map_capacity(const struct filter *filter, unsigned family, size_t *ret_capacity);

/* Puts the rule in and reads it back. 0, -ENOSPC, or another negative errno. */
int acl_map_set(const struct filter *filter, const struct filter_rule *rule);
/* 0 or a negative errno; a prefix that is not there is none. */
int acl_map_remove(const struct filter *filter, const struct prefix *prefix);

/* The value of the longest prefix that contains the given one, which may be itself; flags 0: none.
 */
int acl_map_match(const struct filter *filter, const struct prefix *prefix,
		  struct sipward_acl_value *ret_value);

/* The value that the prefix itself has, flags 0 if it is not there or says the same as the next
 * shorter one (the kernel offers no lookup without longest match). */
int acl_map_get(const struct filter *filter, const struct prefix *prefix,
		struct sipward_acl_value *ret_value);

/* All prefixes of both families, in no order; *ret_rules is the caller's to free(). */
int acl_map_read(const struct filter *filter, struct filter_rule **ret_rules, size_t *ret_n);

#endif
