/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/policy_internal.h"

#include <stdlib.h>
#include <string.h>

struct policy *policy_ref(struct policy *policy)
{
	__atomic_add_fetch(&policy->refs, 1, __ATOMIC_RELAXED);
	return policy;
}

void policy_unref(struct policy *policy)
{
	if (policy && __atomic_sub_fetch(&policy->refs, 1, __ATOMIC_ACQ_REL) == 0)
		policy_free(policy);
}

uint64_t policy_generation(const struct policy *policy)
{
	return policy->generation;
}

const struct store_settings *policy_settings(const struct policy *policy)
{
	return &policy->settings;
}

int policy_text_cmp(struct slice a, struct slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int diff = n > 0 ? memcmp(a.p, b.p, n) : 0;

	return diff ? diff : (a.n > b.n) - (a.n < b.n);
}

int policy_target_cmp(const struct policy_trunk *trunk, struct slice domain, struct slice user)
{
	int diff = slice_compare_nocase(slice_from(trunk->config.domain), domain);

	return diff ? diff : policy_text_cmp(slice_from(trunk->config.user), user);
}

int policy_ip_cmp(const struct ip *a, const struct ip *b)
{
	int diff = a->family - b->family;

	return diff ? diff : memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

struct target {
	struct slice domain, user;
};

static int target_search(const void *key, const void *element)
{
	const struct target *target = key;
	struct policy_trunk *const *trunk = element;

	return -policy_target_cmp(*trunk, target->domain, target->user);
}

static const struct policy_trunk *trunk_at(const struct policy *policy, struct slice domain,
					   struct slice user)
{
	struct target target = {domain, user};
	struct policy_trunk **found = NULL;

	if (policy->trunk_count > 0)
		found = bsearch(&target, policy->by_target, policy->trunk_count, sizeof(*found),
				target_search);
	return found ? *found : NULL;
}

const struct policy_trunk *policy_trunk_find(const struct policy *policy, struct slice user,
					     struct slice host)
{
	const struct target order[] = {
		{host, user}, {host, SLICE("")}, {SLICE("*"), user}, {SLICE("*"), SLICE("")}};
	const struct policy_trunk *trunk = NULL;

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]) && !trunk; i++)
		trunk = trunk_at(policy, order[i].domain, order[i].user);
	return trunk;
}

bool policy_has_user_trunk(const struct policy *policy, struct slice host)
{
	for (size_t i = 0; i < policy->trunk_count; i++) {
		const struct store_trunk *config = &policy->trunks[i].config;

		if (config->user[0] &&
		    (slice_compare_nocase(slice_from(config->domain), host) == 0 ||
		     strcmp(config->domain, "*") == 0))
			return true;
	}
	return false;
}

static int id_search(const void *key, const void *element)
{
	const int64_t *id = key;
	struct policy_trunk *const *trunk = element;

	return (*id > (*trunk)->config.id) - (*id < (*trunk)->config.id);
}

const struct policy_trunk *policy_trunk_by_id(const struct policy *policy, int64_t id)
{
	struct policy_trunk **found = NULL;

	if (policy->trunk_count > 0)
		found = bsearch(&id, policy->by_id, policy->trunk_count, sizeof(*found), id_search);
	return found ? *found : NULL;
}

static int upstream_search(const void *key, const void *element)
{
	struct policy_trunk *const *trunk = element;

	return policy_ip_cmp(key, &(*trunk)->config.upstream_addr.ip);
}

const struct policy_trunk *policy_trunk_of_upstream(const struct policy *policy,
						    const struct ip *ip)
{
	struct policy_trunk **found = NULL;

	if (policy->upstream_count > 0)
		found = bsearch(ip, policy->by_upstream, policy->upstream_count, sizeof(*found),
				upstream_search);
	return found ? *found : NULL;
}

void policy_trunk_each(const struct policy *policy,
		       void (*visit)(const struct policy_trunk *trunk, void *arg), void *arg)
{
	for (size_t i = 0; i < policy->trunk_count; i++)
		visit(&policy->trunks[i], arg);
}

static bool any_allows(struct policy_acl *const *acls, size_t count, const struct ip *ip)
{
	for (size_t i = 0; i < count; i++) {
		if (acl_table_match(&acls[i]->table, ip) == ACL_ALLOW)
			return true;
	}
	return false;
}

bool policy_acl_allows(const struct policy_trunk *trunk, const struct ip *ip)
{
	const struct policy_attached *attached = trunk->priv;

	return any_allows(attached->acls, attached->acl_count, ip);
}

bool policy_is_upstream(const struct policy *policy, const struct ip *ip)
{
	return policy_trunk_of_upstream(policy, ip) != NULL;
}

bool policy_is_listed(const struct policy *policy, const struct ip *ip)
{
	return policy_is_upstream(policy, ip) || any_allows(policy->acls, policy->acl_count, ip);
}

static int user_search(const void *key, const void *element)
{
	const struct policy_entry *entry = element;

	return policy_text_cmp(*(const struct slice *)key, entry->user.name);
}

struct policy_user *policy_user_find(const struct policy_trunk *trunk, struct slice name,
				     struct slice realm)
{
	const struct policy_attached *attached = trunk->priv;

	for (size_t i = 0; i < attached->list_count; i++) {
		const struct policy_list *list = attached->lists[i];
		struct policy_entry *found = NULL;

		if (list->count > 0 && slice_eq(slice_from(list->realm), realm))
			found = bsearch(&name, list->entries, list->count, sizeof(*found),
					user_search);
		if (found)
			return &found->user;
	}
	return NULL;
}

static int user_id_search(const void *key, const void *element)
{
	const int64_t *id = key;
	struct policy_entry *const *entry = element;

	return (*id > (*entry)->user.id) - (*id < (*entry)->user.id);
}

struct policy_user *policy_user_by_id(const struct policy_trunk *trunk, int64_t id)
{
	const struct policy_attached *attached = trunk->priv;

	for (size_t i = 0; i < attached->list_count; i++) {
		const struct policy_list *list = attached->lists[i];
		struct policy_entry **found = NULL;

		if (list->count > 0)
			found = bsearch(&id, list->by_id, list->count, sizeof(*found),
					user_id_search);
		if (found)
			return &(*found)->user;
	}
	return NULL;
}
