/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy_internal.h"

int policy_no_memory(struct error *err)
{
	return error_set(err, -ENOMEM, "policy: out of memory");
}

int policy_reserve(void *array, size_t count, size_t size)
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
	rc = acl_table_init(&acl->table, stored.entries);
	if (rc == -ENOMEM)
		return policy_no_memory(build->err);
	if (rc)
		return error_set(build->err, rc, "ACL \"%s\": %llu entries are too many", name,
				 (unsigned long long)stored.entries);
	return store_acl_entry_each(build->store, name, add_acl_entry, acl, build->err);
}

/* The ACL of the id, read at its first use. */
static int need_acl(struct build *build, int64_t id, const char *name, struct policy_acl **ret_acl)
{
	struct policy *policy = build->policy;
	struct policy_acl *acl = policy_acl_by_id(policy, id);
	int rc = 0;

	if (!acl) {
		acl = calloc(1, sizeof(*acl));
		if (!acl)
			return policy_no_memory(build->err);
		acl->id = id;
		table_insert(&policy->tables[POLICY_ACLS], &acl->by_id,
			     policy_hash_id(policy, POLICY_ACLS, id));
		rc = read_acl(build, name, acl);
	}
	if (rc == 0)
		*ret_acl = acl;
	return rc;
}

static int attach_acl(int64_t id, const char *name, void *arg)
{
	struct build *build = arg;
	struct policy_place *place = build->place;
	struct policy_acl *acl = NULL;
	int rc = need_acl(build, id, name, &acl);

	if (rc)
		return rc;
	if (policy_reserve(&place->acls, place->acl_count, sizeof(struct policy_acl *)))
		return policy_no_memory(build->err);
	place->acls[place->acl_count++] = acl;
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
	entry->user.name = slice_from(entry->name);
	entry->list = list;
	list->count++;
	return 0;
}

static int read_list(struct build *build, const char *name, struct policy_list *list)
{
	struct store_credentials stored = {0};
	int rc = store_credentials_get(build->store, name, &stored, build->err);

	if (rc)
		return rc;
	memcpy(list->realm, stored.realm, sizeof(list->realm));
	list->at_realm = stored.at_realm;
	list->entries = calloc(stored.users ? stored.users : 1, sizeof(*list->entries));
	if (!list->entries)
		return policy_no_memory(build->err);
	list->capacity = stored.users;
	return store_user_each(build->store, name, add_user, list, build->err);
}

static int need_list(struct build *build, int64_t id, const char *name,
		     struct policy_list **ret_list)
{
	struct policy *policy = build->policy;
	struct policy_list *list = policy_list_by_id(policy, id);
	int rc = 0;

	if (!list) {
		list = calloc(1, sizeof(*list));
		if (!list)
			return policy_no_memory(build->err);
		list->id = id;
		table_insert(&policy->tables[POLICY_LISTS], &list->by_id,
			     policy_hash_id(policy, POLICY_LISTS, id));
		rc = read_list(build, name, list);
	}
	if (rc == 0)
		*ret_list = list;
	return rc;
}

static int add_realm_of_gate(const struct store_credentials *list, void *arg)
{
	struct build *build = arg;
	struct policy *policy = build->policy;
	struct slice name = slice_from(list->realm);
	struct policy_realm *realm;

	if (policy_has_realm(policy, name))
		return 0;
	realm = calloc(1, sizeof(*realm));
	if (!realm)
		return policy_no_memory(build->err);
	memcpy(realm->name, list->realm, sizeof(realm->name));
	table_insert(&policy->tables[POLICY_REALMS], &realm->by_name,
		     policy_hash_realm(policy, name));
	return 0;
}

static int add_realm(struct policy_trunk *trunk, struct slice realm)
{
	for (size_t i = 0; i < trunk->realm_count; i++) {
		if (slice_eq(trunk->realms[i], realm))
			return 0;
	}
	if (policy_reserve(&trunk->realms, trunk->realm_count, sizeof(*trunk->realms)))
		return -ENOMEM;
	trunk->realms[trunk->realm_count++] = realm;
	return 0;
}

static int attach_list(int64_t id, const char *name, void *arg)
{
	struct build *build = arg;
	struct policy_place *place = build->place;
	struct policy_list *list = NULL;
	int rc = need_list(build, id, name, &list);

	if (rc)
		return rc;
	if (policy_reserve(&place->lists, place->list_count, sizeof(struct policy_list *)) ||
	    add_realm(&place->trunk, slice_from(list->realm)))
		return policy_no_memory(build->err);
	place->lists[place->list_count++] = list;
	return 0;
}

/* ---- callers ---- */

static int add_caller(const char *number, void *arg)
{
	struct build *build = arg;
	struct policy_place *place = build->place;
	struct policy_caller *caller;

	if (policy_reserve(&place->callers, place->caller_count, sizeof(*caller)))
		return policy_no_memory(build->err);
	caller = &place->callers[place->caller_count];
	if (slice_text(slice_from(number), caller->text, sizeof(caller->text)) == 0)
		place->caller_count++;
	return 0;
}

static int caller_order(const void *a, const void *b)
{
	return strcmp(((const struct policy_caller *)a)->text,
		      ((const struct policy_caller *)b)->text);
}

static int read_callers(struct build *build)
{
	struct policy_place *place = build->place;
	int rc = store_trunk_caller_each(build->store, place->trunk.config.id, add_caller, build,
					 build->err);

	if (place->caller_count > 1)
		qsort(place->callers, place->caller_count, sizeof(*place->callers), caller_order);
	return rc;
}

/* ---- trunks ---- */

static int add_place(struct build *build, const struct store_trunk *stored)
{
	struct policy *policy = build->policy;
	struct policy_place *place;

	if (policy_reserve(&policy->trunks, policy->trunk_count, sizeof(struct policy_place *)))
		return policy_no_memory(build->err);
	place = calloc(1, sizeof(*place));
	if (!place)
		return policy_no_memory(build->err);
	place->trunk.config = *stored;
	place->trunk.priv = place;
	place->policy = policy;
	policy->trunks[policy->trunk_count++] = place;
	build->place = place;
	return 0;
}

/* What is attached to a disabled trunk vouches for nobody; its calls in progress go on. */
static int add_trunk(const struct store_trunk *stored, void *arg)
{
	struct build *build = arg;
	int rc = add_place(build, stored);

	if (rc == 0)
		rc = policy_read_peers(build);
	if (rc || !stored->enabled)
		return rc;
	rc = store_trunk_acl_each(build->store, stored->id, attach_acl, build, build->err);
	if (rc)
		return rc;
	rc = store_trunk_credentials_each(build->store, stored->id, attach_list, build, build->err);
	return rc ? rc : read_callers(build);
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
		rc = store_credentials_each(build->store, add_realm_of_gate, build, build->err);
	if (rc == 0)
		rc = store_trunk_each(build->store, add_trunk, build, build->err);
	store_read_end(build->store);
	return rc;
}

static int init_tables(struct policy *policy)
{
	int rc = 0;

	for (int i = 0; i < POLICY_TABLES && rc == 0; i++)
		rc = table_init(&policy->tables[i]);
	return rc;
}

int policy_build(struct store *store, struct policy **ret_policy, struct error *err)
{
	struct build build = {.store = store, .err = err};
	int rc;

	build.policy = calloc(1, sizeof(*build.policy));
	if (!build.policy)
		return policy_no_memory(err);
	build.policy->refs = 1;
	rc = init_tables(build.policy) ? policy_no_memory(err) : read_store(&build);
	if (rc == 0 && (policy_index(build.policy) || policy_hash_users(build.policy) ||
			policy_prepare(build.policy)))
		rc = policy_no_memory(err);
	if (rc) {
		policy_free(build.policy);
		return rc;
	}
	*ret_policy = build.policy;
	return 0;
}
