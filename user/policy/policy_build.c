/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy_internal.h"

struct build {
	struct store *store;
	struct policy *policy;
	struct policy_trunk *trunk; /* being filled */
	struct error *err;
};

static int no_memory(struct error *err)
{
	return error_set(err, -ENOMEM, "policy: out of memory");
}

/* Makes room for one more element in a growing array. 0 or -ENOMEM. */
static int array_reserve(void *array, size_t count, size_t size)
{
	void *grown, **at = array;

	if (count & (count - 1)) /* grown when the count reaches a power of two */
		return 0;
	grown = realloc(*at, (count ? 2 * count : 1) * size);
	if (!grown)
		return -ENOMEM;
	*at = grown;
	return 0;
}

/* ---- ACLs ---- */

static int add_acl_entry(const struct store_acl_entry *entry, void *arg)
{
	struct policy_acl *acl = arg;

	return acl_table_add(&acl->table, &entry->prefix, entry->deny);
}

static int read_acl(struct build *build, const char *name, struct policy_acl *acl)
{
	struct store_acl stored;
	int rc = store_acl_get(build->store, name, &stored, build->err);

	if (rc)
		return rc;
	acl->id = stored.id;
	rc = acl_table_init(&acl->table, stored.entries);
	if (rc == -ENOMEM)
		return no_memory(build->err);
	if (rc)
		return error_set(build->err, rc, "ACL \"%s\": %llu entries are too many", name,
				 (unsigned long long)stored.entries);
	return store_acl_entry_each(build->store, name, add_acl_entry, acl, build->err);
}

/* The ACL of the id, read at its first use. */
static int need_acl(struct build *build, int64_t id, const char *name, struct policy_acl **ret_acl)
{
	struct policy *policy = build->policy;
	struct policy_acl *acl;
	int rc;

	for (size_t i = 0; i < policy->acl_count; i++) {
		if (policy->acls[i]->id == id) {
			*ret_acl = policy->acls[i];
			return 0;
		}
	}
	if (array_reserve(&policy->acls, policy->acl_count, sizeof(struct policy_acl *)))
		return no_memory(build->err);
	acl = calloc(1, sizeof(*acl));
	if (!acl)
		return no_memory(build->err);
	policy->acls[policy->acl_count++] = acl;
	rc = read_acl(build, name, acl);
	if (rc == 0)
		*ret_acl = acl;
	return rc;
}

static int attach_acl(int64_t id, const char *name, void *arg)
{
	struct build *build = arg;
	struct policy_attached *attached = build->trunk->priv;
	struct policy_acl *acl = NULL;
	int rc = need_acl(build, id, name, &acl);

	if (rc)
		return rc;
	if (array_reserve(&attached->acls, attached->acl_count, sizeof(struct policy_acl *)))
		return no_memory(build->err);
	attached->acls[attached->acl_count++] = acl;
	return 0;
}

/* ---- credential lists ---- */

static int add_user(const struct store_user *user, void *arg)
{
	struct policy_list *list = arg;
	struct policy_entry *entry = &list->entries[list->count];

	if (list->count == list->capacity)
		return -ENOSPC;
	memcpy(entry->name, user->name, sizeof(entry->name));
	entry->user.ha1 = user->ha1;
	entry->user.id = user->id;
	entry->user.strongest = user->strongest;
	entry->user.realm = slice_from(list->realm);
	entry->user.at_realm = list->at_realm;
	list->count++;
	return 0;
}

static int entry_order(const void *a, const void *b)
{
	return strcmp(((const struct policy_entry *)a)->name,
		      ((const struct policy_entry *)b)->name);
}

static int entry_id_order(const void *a, const void *b)
{
	const struct policy_entry *const *x = a, *const *y = b;

	return ((*x)->user.id > (*y)->user.id) - ((*x)->user.id < (*y)->user.id);
}

/* The entries do not move after the sort, so that names and by_id can point into them. */
static void seal_list(struct policy_list *list)
{
	if (list->count > 1)
		qsort(list->entries, list->count, sizeof(*list->entries), entry_order);
	for (size_t i = 0; i < list->count; i++) {
		list->entries[i].user.name = slice_from(list->entries[i].name);
		list->by_id[i] = &list->entries[i];
	}
	if (list->count > 1)
		qsort(list->by_id, list->count, sizeof(struct policy_entry *), entry_id_order);
}

static int read_list(struct build *build, const char *name, struct policy_list *list)
{
	struct store_credentials stored = {0};
	int rc = store_credentials_get(build->store, name, &stored, build->err);

	if (rc)
		return rc;
	list->id = stored.id;
	memcpy(list->realm, stored.realm, sizeof(list->realm));
	list->at_realm = stored.at_realm;
	list->entries = calloc(stored.users ? stored.users : 1, sizeof(*list->entries));
	list->by_id = calloc(stored.users ? stored.users : 1, sizeof(struct policy_entry *));
	if (!list->entries || !list->by_id)
		return no_memory(build->err);
	list->capacity = stored.users;
	rc = store_user_each(build->store, name, add_user, list, build->err);
	if (rc == 0)
		seal_list(list);
	return rc;
}

static int need_list(struct build *build, int64_t id, const char *name,
		     struct policy_list **ret_list)
{
	struct policy *policy = build->policy;
	struct policy_list *list;
	int rc;

	for (size_t i = 0; i < policy->list_count; i++) {
		if (policy->lists[i]->id == id) {
			*ret_list = policy->lists[i];
			return 0;
		}
	}
	if (array_reserve(&policy->lists, policy->list_count, sizeof(struct policy_list *)))
		return no_memory(build->err);
	list = calloc(1, sizeof(*list));
	if (!list)
		return no_memory(build->err);
	policy->lists[policy->list_count++] = list;
	rc = read_list(build, name, list);
	if (rc == 0)
		*ret_list = list;
	return rc;
}

static int add_realm(struct policy_trunk *trunk, struct slice realm)
{
	for (size_t i = 0; i < trunk->realm_count; i++) {
		if (slice_eq(trunk->realms[i], realm))
			return 0;
	}
	if (array_reserve(&trunk->realms, trunk->realm_count, sizeof(*trunk->realms)))
		return -ENOMEM;
	trunk->realms[trunk->realm_count++] = realm;
	return 0;
}

static int attach_list(int64_t id, const char *name, void *arg)
{
	struct build *build = arg;
	struct policy_attached *attached = build->trunk->priv;
	struct policy_list *list = NULL;
	int rc = need_list(build, id, name, &list);

	if (rc)
		return rc;
	if (array_reserve(&attached->lists, attached->list_count, sizeof(struct policy_list *)) ||
	    add_realm(build->trunk, slice_from(list->realm)))
		return no_memory(build->err);
	attached->lists[attached->list_count++] = list;
	return 0;
}

/* ---- trunks ---- */

static int add_trunk(const struct store_trunk *stored, void *arg)
{
	struct build *build = arg;
	struct policy *policy = build->policy;
	struct policy_trunk *trunk;
	int rc;

	if (!stored->enabled)
		return 0;
	if (array_reserve(&policy->trunks, policy->trunk_count, sizeof(*trunk)))
		return no_memory(build->err);
	trunk = &policy->trunks[policy->trunk_count];
	*trunk = (struct policy_trunk){.config = *stored};
	trunk->priv = calloc(1, sizeof(struct policy_attached));
	if (!trunk->priv)
		return no_memory(build->err);
	policy->trunk_count++;
	build->trunk = trunk;
	rc = store_trunk_acl_each(build->store, stored->id, attach_acl, build, build->err);
	if (rc)
		return rc;
	return store_trunk_credentials_each(build->store, stored->id, attach_list, build,
					    build->err);
}

static int read_store(struct build *build)
{
	struct policy *policy = build->policy;
	int rc = store_read_begin(build->store, build->err);

	if (rc)
		return rc;
	rc = store_generation(build->store, &policy->generation);
	if (rc)
		error_set(build->err, rc, "store: the generation can not be read");
	if (rc == 0)
		rc = store_settings_get(build->store, &policy->settings, build->err);
	if (rc == 0)
		rc = store_trunk_each(build->store, add_trunk, build, build->err);
	store_read_end(build->store);
	return rc;
}

/* ---- the sorted arrays ---- */

static int name_order(const void *a, const void *b)
{
	const struct policy_trunk *const *x = a, *const *y = b;

	return strcmp((*x)->config.name, (*y)->config.name);
}

static int target_order(const void *a, const void *b)
{
	const struct policy_trunk *const *x = a, *const *y = b;

	return policy_target_cmp(*x, slice_from((*y)->config.domain),
				 slice_from((*y)->config.user));
}

static int id_order(const void *a, const void *b)
{
	const struct policy_trunk *const *x = a, *const *y = b;

	return ((*x)->config.id > (*y)->config.id) - ((*x)->config.id < (*y)->config.id);
}

static int upstream_order(const void *a, const void *b)
{
	const struct policy_trunk *const *x = a, *const *y = b;
	int diff = policy_ip_cmp(&(*x)->config.upstream_addr.ip, &(*y)->config.upstream_addr.ip);

	return diff ? diff : name_order(a, b);
}

static int sorted_trunks(struct policy *policy, int (*order)(const void *, const void *),
			 struct policy_trunk ***ret_sorted)
{
	struct policy_trunk **sorted = calloc(policy->trunk_count + 1, sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < policy->trunk_count; i++)
		sorted[i] = &policy->trunks[i];
	qsort(sorted, policy->trunk_count, sizeof(*sorted), order);
	*ret_sorted = sorted;
	return 0;
}

/* Keeps the first trunk of each address; family 0 was never resolved. */
static void keep_distinct_upstreams(struct policy *policy)
{
	struct policy_trunk **sorted = policy->by_upstream;
	size_t kept = 0;

	for (size_t i = 0; i < policy->trunk_count; i++) {
		const struct ip *ip = &sorted[i]->config.upstream_addr.ip;

		if (ip->family == 0)
			continue;
		if (kept > 0 && ip_eq(&sorted[kept - 1]->config.upstream_addr.ip, ip))
			continue;
		sorted[kept++] = sorted[i];
	}
	policy->upstream_count = kept;
}

static int sort_all(struct policy *policy)
{
	if (sorted_trunks(policy, target_order, &policy->by_target) ||
	    sorted_trunks(policy, id_order, &policy->by_id) ||
	    sorted_trunks(policy, upstream_order, &policy->by_upstream))
		return -ENOMEM;
	keep_distinct_upstreams(policy);
	return 0;
}

int policy_build(struct store *store, struct policy **ret_policy, struct error *err)
{
	struct build build = {.store = store, .err = err};
	int rc;

	build.policy = calloc(1, sizeof(*build.policy));
	if (!build.policy)
		return no_memory(err);
	build.policy->refs = 1;
	rc = read_store(&build);
	if (rc == 0 && (sort_all(build.policy) || policy_hash_users(build.policy)))
		rc = no_memory(err);
	if (rc) {
		policy_free(build.policy);
		return rc;
	}
	*ret_policy = build.policy;
	return 0;
}

/* ---- the end ---- */

static void trunk_free(struct policy_trunk *trunk)
{
	struct policy_attached *attached = trunk->priv;

	free(attached->acls);
	free(attached->lists);
	free(attached);
	free(trunk->realms);
}

static void list_free(struct policy_list *list)
{
	if (list->entries)
		explicit_bzero(list->entries, list->capacity * sizeof(*list->entries));
	free(list->entries);
	free(list->by_id);
	for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++)
		free(list->by_hash[i]);
	free(list);
}

void policy_free(struct policy *policy)
{
	for (size_t i = 0; i < policy->trunk_count; i++)
		trunk_free(&policy->trunks[i]);
	for (size_t i = 0; i < policy->acl_count; i++) {
		acl_table_free(&policy->acls[i]->table);
		free(policy->acls[i]);
	}
	for (size_t i = 0; i < policy->list_count; i++)
		list_free(policy->lists[i]);
	free(policy->acls);
	free(policy->lists);
	free(policy->trunks);
	free(policy->by_target);
	free(policy->by_id);
	free(policy->by_upstream);
	free(policy);
}
