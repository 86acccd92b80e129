/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making the maps say what the store says.
 *
 * What must hold at every instant, because the filter reads along and we may be killed: where the
 * settings vouch for the index (SIPWARD_ACL_INDEXED), it has the bits of every prefix in the tries.
 * So bits come before their prefix and go after it, and the flag is first set when all is done.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "filter/acl_index.h"
#include "filter/acl_map.h"
#include "filter/acl_plan.h"
#include "filter/source_index.h"

#define INDEX_FLAGS (SIPWARD_ACL_INDEXED | SIPWARD_SOURCES_INDEXED)

void filter_rules_free(struct filter_rules *rules)
{
	if (!rules)
		return;
	free(rules->rules);
	rules->rules = NULL;
	rules->count = 0;
}

/* CLI and daemon may both be at it. */
static void rules_lock(const struct filter *filter)
{
	if (filter->lock >= 0)
		flock(filter->lock, LOCK_EX);
}

static void rules_unlock(const struct filter *filter)
{
	if (filter->lock >= 0)
		flock(filter->lock, LOCK_UN);
}

static int settings_read(const struct filter *filter, struct sipward_settings *ret_settings)
{
	__u32 only = 0;

	return bpf_map_lookup_elem(filter->settings, &only, ret_settings);
}

static int settings_write(const struct filter *filter, const struct filter_rules *rules,
			  __u32 index_flag)
{
	struct sipward_settings settings = rules->settings;
	__u32 only = 0;

	settings.layout = SIPWARD_LAYOUT;
	settings.generation = rules->generation;
	settings.flags = (settings.flags & SIPWARD_LOCKOUT_REJECT) | index_flag;
	return bpf_map_update_elem(filter->settings, &only, &settings, BPF_ANY);
}

/* Whether old and new prefixes fit side by side, as they must for a while. */
static int check_room(const struct filter *filter, const struct acl_plan *plan, struct error *err)
{
	size_t v4 = 0, v6 = 0;
	int rc = acl_map_capacity(filter, 4, &v4);

	if (!rc)
		rc = acl_map_capacity(filter, 6, &v6);
	if (rc)
		return error_set(err, rc, "the ACL maps can not be asked for their size: %s",
				 strerror(-rc));
	if (plan->v4 > v4)
		return error_set(err, -ENOSPC,
				 "the filter holds at most %zu IPv4 prefixes; old and new ones "
				 "together are %zu",
				 v4, plan->v4);
	if (plan->v6 > v6)
		return error_set(err, -ENOSPC,
				 "the filter holds at most %zu IPv6 prefixes; old and new ones "
				 "together are %zu",
				 v6, plan->v6);
	return 0;
}

/* Rids the index of the bits that no prefix needs any more, and makes it whole where it was not. */
static int refresh_index(uint64_t *index, const struct filter_rules *rules)
{
	uint64_t *fresh = acl_index_new();

	if (!fresh)
		return -ENOMEM;
	for (size_t i = 0; i < rules->count; i++)
		acl_index_add(fresh, &rules->rules[i].prefix);
	acl_index_replace(index, fresh);
	free(fresh);
	return 0;
}

static int plan_make(const struct filter *filter, const struct filter_rules *rules,
		     struct acl_plan *ret_plan)
{
	struct filter_rule *wanted = malloc((rules->count + 1) * sizeof(*wanted));
	struct filter_rule *present = NULL;
	size_t present_n = 0;
	int rc = wanted ? acl_map_read(filter, &present, &present_n) : -ENOMEM;

	if (!rc) {
		if (rules->count)
			memcpy(wanted, rules->rules, rules->count * sizeof(*wanted));
		rc = acl_plan_difference(wanted, rules->count, present, present_n, ret_plan);
	}
	free(wanted);
	free(present);
	return rc;
}

static int write_error(struct error *err, int rc)
{
	return error_set(err, rc, "the ACL maps can not be written: %s", strerror(-rc));
}

static int reconcile_locked(struct filter *filter, const struct filter_rules *rules,
			    struct acl_plan *plan, struct error *err)
{
	int rc = plan_make(filter, rules, plan);

	if (rc)
		return error_set(err, rc, "the ACL maps can not be read: %s", strerror(-rc));
	rc = check_room(filter, plan, err);
	if (rc)
		return rc;
	rc = acl_index_map(filter);
	if (!rc)
		rc = acl_plan_run(plan, filter, filter->acl_words);
	if (!rc)
		rc = refresh_index(filter->acl_words, rules);
	if (!rc)
		rc = source_index_refresh(filter);
	if (!rc)
		rc = settings_write(filter, rules, INDEX_FLAGS);
	return rc ? write_error(err, rc) : 0;
}

int filter_reconcile(struct filter *filter, const struct filter_rules *rules,
		     struct filter_reconciled *ret_reconciled, struct error *err)
{
	struct acl_plan plan = {};
	int rc;

	rules_lock(filter);
	rc = reconcile_locked(filter, rules, &plan, err);
	rules_unlock(filter);
	if (!rc && ret_reconciled)
		*ret_reconciled = plan.reconciled;
	acl_plan_free(&plan);
	return rc;
}

static int apply_locked(struct filter *filter, const struct filter_rules *changes,
			struct acl_plan *plan)
{
	struct sipward_settings settings = {};
	int rc = settings_read(filter, &settings);

	if (!rc)
		rc = acl_plan_changes(filter, changes, plan);
	if (!rc)
		rc = acl_index_map(filter);
	if (!rc)
		rc = acl_plan_run(plan, filter, filter->acl_words);
	if (!rc)
		rc = settings_write(filter, changes, settings.flags & INDEX_FLAGS);
	return rc;
}

int filter_apply(struct filter *filter, const struct filter_rules *changes,
		 struct filter_reconciled *ret_reconciled, struct error *err)
{
	struct acl_plan plan = {};
	size_t capacity = 0;
	int rc;

	rules_lock(filter);
	rc = apply_locked(filter, changes, &plan);
	rules_unlock(filter);
	if (!rc && ret_reconciled)
		*ret_reconciled = plan.reconciled;
	acl_plan_free(&plan);
	if (rc == -ENOSPC && !acl_map_capacity(filter, 4, &capacity))
		return error_set(err, rc, "the filter holds at most %zu prefixes of a family",
				 capacity);
	return rc ? write_error(err, rc) : 0;
}
