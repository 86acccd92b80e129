/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A change of the ACL maps as a list of steps, in an order that never shows any address a verdict
 * it has neither before nor after: new prefixes from the longest to the shortest, then new values
 * of prefixes that stay, then old prefixes from the shortest to the longest.
 */
#ifndef SIPWARD_FILTER_ACL_PLAN_H
#define SIPWARD_FILTER_ACL_PLAN_H

#include "filter/internal.h"

struct acl_step {
	struct prefix prefix;
	struct sipward_acl_value before; /* flags 0: not there */
	struct sipward_acl_value after;	 /* flags 0: to be removed */
};

struct acl_plan {
	struct acl_step *steps;
	size_t n;
	size_t v4, v6; /* prefixes, old and new together, where the plan was made by difference */
	struct filter_reconciled reconciled;
};

/* From what is there to what is wanted. Sorts both. 0 or -ENOMEM. */
int acl_plan_difference(struct filter_rule *wanted, size_t wanted_n, struct filter_rule *present,
			size_t present_n, struct acl_plan *ret_plan);

/* Only the given changes; flags 0 removes. Looks up what is there. 0 or a negative errno. */
int acl_plan_changes(const struct filter *filter, const struct filter_rules *changes,
		     struct acl_plan *ret_plan);

/* Takes the steps; index bits go before their prefix. Where one fails those before it are taken
 * back. 0 or a negative errno. */
int acl_plan_run(const struct acl_plan *plan, const struct filter *filter, uint64_t *index);

void acl_plan_free(struct acl_plan *plan);

#endif
