/* SPDX-License-Identifier: BSD-2-Clause */
/* The tables of a snapshot that has been read, and the snapshot's end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy_internal.h"

static void insert(struct policy *policy, enum policy_table table, struct table_node *node,
		   uint64_t hash)
{
	table_insert(&policy->tables[table], node, hash);
}

/* ---- domains ---- */

static struct policy_domain *need_domain(struct policy *policy, struct slice text)
{
	struct policy_domain *domain;
	char name[STORE_DOMAIN_SIZE];

	if (policy_domain_text(text, name) != 0)
		return NULL;
	domain = policy_domain_by_name(policy, name);
	if (domain)
		return domain;
	domain = calloc(1, sizeof(*domain));
	if (!domain)
		return NULL;
	memcpy(domain->name, name, sizeof(domain->name));
	insert(policy, POLICY_DOMAINS, &domain->by_name, policy_hash_domain(policy, name));
	if (strcmp(name, "*") == 0)
		policy->any_domain = domain;
	return domain;
}

static int add_app(struct policy *policy, struct policy_domain *domain,
		   const struct policy_trunk *trunk)
{
	struct policy_app *app = calloc(1, sizeof(*app));
	struct slice user = slice_from(trunk->config.user);

	if (!app)
		return -ENOMEM;
	*app = (struct policy_app){.domain = domain, .trunk = trunk};
	domain->has_apps = true;
	insert(policy, POLICY_APPS, &app->by_user, policy_hash_app(policy, domain, user));
	return 0;
}

/* The store gives no two trunks the same user and domain. */
static int add_target(struct policy *policy, const struct policy_trunk *trunk, struct slice text)
{
	struct policy_domain *domain = need_domain(policy, text);

	if (!domain)
		return -ENOMEM;
	if (trunk->config.user[0])
		return add_app(policy, domain, trunk);
	domain->whole = trunk;
	return 0;
}

static int add_targets(struct policy *policy, const struct policy_trunk *trunk)
{
	struct slice rest = slice_from(trunk->config.aliases);
	int rc = add_target(policy, trunk, slice_from(trunk->config.domain));

	while (rest.n > 0 && rc == 0) {
		struct slice alias = slice_cut(rest, ' ', &rest);

		if (alias.n > 0)
			rc = add_target(policy, trunk, alias);
	}
	return rc;
}

/* ---- the rest ---- */

static int add_address(struct policy *policy, enum policy_table table,
		       const struct policy_place *place, const struct ip *ip)
{
	struct policy_address *address;

	if (policy_trunk_at(policy, table, ip))
		return 0;
	address = calloc(1, sizeof(*address));
	if (!address)
		return -ENOMEM;
	*address = (struct policy_address){.ip = *ip, .place = place};
	insert(policy, table, &address->by_ip, policy_hash_address(policy, table, ip));
	return 0;
}

static int add_addresses(struct policy *policy, const struct policy_place *place)
{
	const struct policy_trunk *trunk = &place->trunk;
	int rc = 0;

	if (!trunk->config.enabled)
		return 0;
	for (size_t i = 0; i < trunk->upstream_count && rc == 0; i++)
		rc = add_address(policy, POLICY_UPSTREAMS, place, &trunk->upstreams[i].endpoint.ip);
	for (size_t i = 0; i < trunk->destination_count && rc == 0; i++)
		rc = add_address(policy, POLICY_DESTINATIONS, place,
				 &trunk->destinations[i].endpoint.ip);
	return rc;
}

static void add_users(struct table_node *node, void *arg)
{
	struct policy_list *list = table_entry(node, struct policy_list, by_id);
	struct policy *policy = arg;

	for (size_t i = 0; i < list->count; i++) {
		struct policy_entry *entry = &list->entries[i];

		insert(policy, POLICY_USERS, &entry->by_name,
		       policy_hash_user(policy, POLICY_USERS, list, entry->user.name));
		insert(policy, POLICY_USER_IDS, &entry->by_id,
		       policy_hash_id(policy, POLICY_USER_IDS, entry->user.id));
	}
}

struct acl_tables {
	const struct acl_table **tables;
	size_t count;
};

static void note_acl(struct table_node *node, void *arg)
{
	struct acl_tables *all = arg;

	all->tables[all->count++] = &table_entry(node, struct policy_acl, by_id)->table;
}

static int merge_acls(struct policy *policy)
{
	struct acl_tables all = {0};
	int rc;

	all.tables = calloc(policy->tables[POLICY_ACLS].count + 1, sizeof(*all.tables));
	if (!all.tables)
		return -ENOMEM;
	table_each(&policy->tables[POLICY_ACLS], note_acl, &all);
	rc = acl_table_merge(all.tables, all.count, &policy->listed);
	free(all.tables);
	return rc;
}

int policy_index(struct policy *policy)
{
	int rc = merge_acls(policy);

	for (size_t i = 0; i < policy->trunk_count && rc == 0; i++) {
		struct policy_place *place = policy->trunks[i];

		rc = add_targets(policy, &place->trunk);
		insert(policy, POLICY_TRUNKS, &place->by_id,
		       policy_hash_id(policy, POLICY_TRUNKS, place->trunk.config.id));
		if (rc == 0)
			rc = add_addresses(policy, place);
	}
	table_each(&policy->tables[POLICY_LISTS], add_users, policy);
	return rc;
}

/* ---- the end ---- */

static void trunk_free(struct policy_place *place)
{
	free(place->acls);
	free(place->lists);
	free(place->callers);
	policy_free_peers(place);
	free(place->trunk.realms);
	free(place);
}

static void acl_free(struct table_node *node, void *arg)
{
	struct policy_acl *acl = table_entry(node, struct policy_acl, by_id);

	(void)arg;
	acl_table_free(&acl->table);
	free(acl);
}

static void list_free(struct table_node *node, void *arg)
{
	struct policy_list *list = table_entry(node, struct policy_list, by_id);

	(void)arg;
	if (list->entries)
		explicit_bzero(list->entries, list->capacity * sizeof(*list->entries));
	free(list->entries);
	for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++)
		free(list->hashed[i]);
	free(list);
}

static void address_free(struct table_node *node, void *arg)
{
	(void)arg;
	free(table_entry(node, struct policy_address, by_ip));
}

static void domain_free(struct table_node *node, void *arg)
{
	(void)arg;
	free(table_entry(node, struct policy_domain, by_name));
}

static void realm_free(struct table_node *node, void *arg)
{
	(void)arg;
	free(table_entry(node, struct policy_realm, by_name));
}

static void app_free(struct table_node *node, void *arg)
{
	(void)arg;
	free(table_entry(node, struct policy_app, by_user));
}

void policy_free(struct policy *policy)
{
	for (size_t i = 0; i < policy->trunk_count; i++)
		trunk_free(policy->trunks[i]);
	table_each(&policy->tables[POLICY_ACLS], acl_free, NULL);
	table_each(&policy->tables[POLICY_LISTS], list_free, NULL);
	table_each(&policy->tables[POLICY_UPSTREAMS], address_free, NULL);
	table_each(&policy->tables[POLICY_DESTINATIONS], address_free, NULL);
	table_each(&policy->tables[POLICY_DOMAINS], domain_free, NULL);
	table_each(&policy->tables[POLICY_APPS], app_free, NULL);
	table_each(&policy->tables[POLICY_REALMS], realm_free, NULL);
	for (int i = 0; i < POLICY_TABLES; i++)
		table_free(&policy->tables[i]);
	acl_table_free(&policy->listed);
	free(policy->challenges);
	free(policy->trunks);
	free(policy);
}
