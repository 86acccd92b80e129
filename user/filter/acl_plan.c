/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/acl_plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "filter/acl_index.h"
#include "filter/acl_map.h"

#define LENGTHS 129
#define RANK_ALTER LENGTHS
#define RANK_REMOVE (LENGTHS + 1)
#define RANKS (2 * LENGTHS + 1)

static int rule_cmp(const void *a, const void *b)
{
	const struct filter_rule *x = a, *y = b;

	_Static_assert(sizeof(struct prefix) == 18, "nothing but bytes, so memcmp sorts");
	return memcmp(&x->prefix, &y->prefix, sizeof(x->prefix));
}

static bool same_value(const struct sipward_acl_value *a, const struct sipward_acl_value *b)
{
	return a->flags == b->flags && a->rule_id == b->rule_id;
}

/* Adds the step to the plan, which has room, unless there is nothing to do. */
static void plan_add(struct acl_plan *plan, const struct acl_step *step)
{
	struct filter_reconciled *reconciled = &plan->reconciled;

	if (same_value(&step->before, &step->after)) {
		reconciled->kept += step->before.flags != 0;
		return;
	}
	reconciled->added += !step->before.flags;
	reconciled->removed += !step->after.flags;
	reconciled->changed += step->before.flags && step->after.flags;
	plan->steps[plan->n++] = *step;
}

/* The rank in the order that acl_plan.h promises. */
static unsigned step_rank(const struct acl_step *step)
{
	if (!step->before.flags)
		return LENGTHS - 1 - step->prefix.len;
	return step->after.flags ? RANK_ALTER : RANK_REMOVE + step->prefix.len;
}

/* Sorts by rank; steps of one rank keep their order, which spares the tries cache misses. */
static int plan_sort(struct acl_plan *plan)
{
	struct acl_step *sorted = malloc((plan->n + 1) * sizeof(*sorted));
	size_t next[RANKS + 1] = {};

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < plan->n; i++)
		next[step_rank(&plan->steps[i]) + 1]++;
	for (unsigned rank = 1; rank <= RANKS; rank++)
		next[rank] += next[rank - 1];
	for (size_t i = 0; i < plan->n; i++)
		sorted[next[step_rank(&plan->steps[i])]++] = plan->steps[i];
	free(plan->steps);
	plan->steps = sorted;
	return 0;
}

static int plan_init(struct acl_plan *plan, size_t room)
{
	*plan = (struct acl_plan){.steps = malloc((room + 1) * sizeof(*plan->steps))};
	return plan->steps ? 0 : -ENOMEM;
}

/* The step for the next prefix of the two sorted lists; moves past it. */
static struct acl_step merge_next(const struct filter_rule **wanted,
				  const struct filter_rule *wanted_end,
				  const struct filter_rule **present,
				  const struct filter_rule *present_end)
{
	struct acl_step step = {};
	int order;

	if (*wanted == wanted_end)
		order = 1;
	else if (*present == present_end)
		order = -1;
	else
		order = rule_cmp(*wanted, *present);
	step.prefix = order <= 0 ? (*wanted)->prefix : (*present)->prefix;
	if (order >= 0)
		step.before = (*present)++->value;
	if (order <= 0)
		step.after = (*wanted)++->value;
	return step;
}

int acl_plan_difference(struct filter_rule *wanted, size_t wanted_n, struct filter_rule *present,
			size_t present_n, struct acl_plan *ret_plan)
{
	const struct filter_rule *w = wanted, *p = present;
	struct acl_plan plan;
	int rc = plan_init(&plan, wanted_n + present_n);

	if (rc)
		return rc;
	if (wanted_n)
		qsort(wanted, wanted_n, sizeof(*wanted), rule_cmp);
	if (present_n)
		qsort(present, present_n, sizeof(*present), rule_cmp);
	while (w < wanted + wanted_n || p < present + present_n) {
		struct acl_step step = merge_next(&w, wanted + wanted_n, &p, present + present_n);

		plan.v4 += step.prefix.ip.family == 4;
		plan.v6 += step.prefix.ip.family != 4;
		plan_add(&plan, &step);
	}
	rc = plan_sort(&plan);
	if (rc) {
		acl_plan_free(&plan);
		return rc;
	}
	*ret_plan = plan;
	return 0;
}

int acl_plan_changes(const struct filter *filter, const struct filter_rules *changes,
		     struct acl_plan *ret_plan)
{
	struct acl_plan plan;
	int rc = plan_init(&plan, changes->count);

	for (size_t i = 0; !rc && i < changes->count; i++) {
		struct acl_step step = {.prefix = changes->rules[i].prefix};

		if (changes->rules[i].value.flags)
			step.after = changes->rules[i].value;
		/* What looks like a shorter prefix's value may be its own: always remove it. */
		if (step.after.flags)
			rc = acl_map_get(filter, &step.prefix, &step.before);
		else
			rc = acl_map_match(filter, &step.prefix, &step.before);
		if (!rc)
			plan_add(&plan, &step);
	}
	if (!rc)
		rc = plan_sort(&plan);
	if (rc) {
		acl_plan_free(&plan);
		return rc;
	}
	*ret_plan = plan;
	return 0;
}

static int write_value(const struct filter *filter, const struct prefix *prefix,
		       const struct sipward_acl_value *value)
{
	struct filter_rule rule = {.prefix = *prefix, .value = *value};

	return value->flags ? acl_map_set(filter, &rule) : acl_map_remove(filter, prefix);
}

int acl_plan_run(const struct acl_plan *plan, const struct filter *filter, uint64_t *index)
{
	const struct acl_step *step = plan->steps, *end = step + plan->n;
	int rc = 0;

	for (; step < end; step++) {
		if (step->after.flags)
			acl_index_add(index, &step->prefix);
		rc = write_value(filter, &step->prefix, &step->after);
		if (rc)
			break;
	}
	while (rc && step-- > plan->steps)
		write_value(filter, &step->prefix, &step->before);
	return rc;
}

void acl_plan_free(struct acl_plan *plan)
{
	free(plan->steps);
	plan->steps = NULL;
	plan->n = 0;
}
