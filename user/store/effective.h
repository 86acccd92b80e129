/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rules that follow from the ACLs of enabled trunks and from the upstreams.
 *
 * The filter has one table, the daemon decides by trunk: the filter must never drop what some trunk
 * would admit. So a denied prefix is a rule DENY only where no other ACL's own longest match for it
 * allows it; else it is a rule ALLOW, and the daemon sees to the trunk that denies. For one prefix,
 * allow wins over deny. An explicit deny also holds for trunks that admit by credential alone.
 */
#ifndef SIPWARD_STORE_EFFECTIVE_H
#define SIPWARD_STORE_EFFECTIVE_H

#include "store/internal.h"

struct effective;

/* Reads which ACLs and upstreams count. Use within one read transaction. */
int effective_load(struct store *store, struct effective **ret_effective, struct error *err);
void effective_free(struct effective *effective);

/* All rules, sorted by prefix but for upstreams' at the end; the caller frees *ret_rules. */
int effective_all(struct effective *effective, struct filter_rule **ret_rules, size_t *ret_n,
		  struct error *err);
/* The rule of one prefix; flags 0 if it has none. */
int effective_one(struct effective *effective, const struct prefix *prefix,
		  struct filter_rule *ret_rule, struct error *err);

/* What filter_apply needs to lead maps of generation `since` to the store's (sync.c). -E2BIG,
 * without a sentence: more than that is worth, or the journal does not reach back that far. */
int store_filter_changes(struct store *store, uint64_t since, struct filter_rules *ret_changes,
			 struct error *err);

#endif
