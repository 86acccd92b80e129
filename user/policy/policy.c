/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>

#include "policy/policy_internal.h"

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

/* ---- keys ---- */

uint64_t policy_hash_id(const struct policy *policy, enum policy_table table, int64_t id)
{
	return table_hash(&policy->tables[table], 0, &id, sizeof(id));
}

uint64_t policy_hash_domain(const struct policy *policy, const char *name)
{
	return table_hash(&policy->tables[POLICY_DOMAINS], 0, name, strlen(name));
}

uint64_t policy_hash_app(const struct policy *policy, const struct policy_domain *domain,
			 struct slice user)
{
	return table_hash(&policy->tables[POLICY_APPS], domain->by_name.hash, user.p, user.n);
}

uint64_t policy_hash_user(const struct policy *policy, enum policy_table table,
			  const struct policy_list *list, struct slice name)
{
	return table_hash(&policy->tables[table], list->by_id.hash, name.p, name.n);
}

uint64_t policy_hash_realm(const struct policy *policy, struct slice realm)
{
	return table_hash(&policy->tables[POLICY_REALMS], 0, realm.p, realm.n);
}

uint64_t policy_hash_address(const struct policy *policy, enum policy_table table,
			     const struct ip *ip)
{
	return table_hash(&policy->tables[table], 0, ip, sizeof(*ip));
}

int policy_domain_text(struct slice host, char ret_name[STORE_DOMAIN_SIZE])
{
	struct ip ip;

	if (ip_parse(host, &ip) == 0) {
		ip_format(&ip, ret_name);
		return 0;
	}
	if (host.n > 1 && host.p[host.n - 1] == '.')
		host.n--;
	if (slice_text(host, ret_name, STORE_DOMAIN_SIZE) < 0)
		return -ENOSPC;
	for (char *p = ret_name; *p; p++)
		*p = (char)(*p >= 'A' && *p <= 'Z' ? *p | 0x20 : *p);
	return 0;
}

/* ---- trunks ---- */

struct policy_domain *policy_domain_by_name(const struct policy *policy, const char *name)
{
	const struct table *table = &policy->tables[POLICY_DOMAINS];
	struct table_node *node = table_first(table, policy_hash_domain(policy, name));

	for (; node; node = table_next(node)) {
		struct policy_domain *domain = table_entry(node, struct policy_domain, by_name);

		if (strcmp(domain->name, name) == 0)
			return domain;
	}
	return NULL;
}

static const struct policy_domain *domain_of_host(const struct policy *policy, struct slice host)
{
	char name[STORE_DOMAIN_SIZE];

	if (policy_domain_text(host, name) != 0)
		return NULL;
	return policy_domain_by_name(policy, name);
}

static const struct policy_trunk *app_find(const struct policy *policy,
					   const struct policy_domain *domain, struct slice user)
{
	const struct table *table = &policy->tables[POLICY_APPS];
	struct table_node *node = table_first(table, policy_hash_app(policy, domain, user));

	for (; node; node = table_next(node)) {
		const struct policy_app *app = table_entry(node, struct policy_app, by_user);

		if (app->domain == domain && slice_eq(slice_from(app->trunk->config.user), user))
			return app->trunk;
	}
	return NULL;
}

static const struct policy_trunk *trunk_in(const struct policy *policy,
					   const struct policy_domain *domain, struct slice user)
{
	const struct policy_trunk *app = NULL;

	if (!domain)
		return NULL;
	if (domain->has_apps && user.n > 0)
		app = app_find(policy, domain, user);
	return app ? app : domain->whole;
}

const struct policy_trunk *policy_trunk_find(const struct policy *policy, struct slice user,
					     struct slice host)
{
	const struct policy_trunk *trunk = trunk_in(policy, domain_of_host(policy, host), user);

	return trunk ? trunk : trunk_in(policy, policy->any_domain, user);
}

bool policy_has_user_trunk(const struct policy *policy, struct slice host)
{
	const struct policy_domain *domain = domain_of_host(policy, host);

	return (domain && domain->has_apps) || (policy->any_domain && policy->any_domain->has_apps);
}

const struct policy_trunk *policy_trunk_by_id(const struct policy *policy, int64_t id)
{
	struct table_node *node = table_first(&policy->tables[POLICY_TRUNKS],
					      policy_hash_id(policy, POLICY_TRUNKS, id));

	for (; node; node = table_next(node)) {
		const struct policy_place *place = table_entry(node, struct policy_place, by_id);

		if (place->trunk.config.id == id)
			return &place->trunk;
	}
	return NULL;
}

const struct policy_trunk *policy_trunk_at(const struct policy *policy, enum policy_table table,
					   const struct ip *ip)
{
	struct table_node *node =
		table_first(&policy->tables[table], policy_hash_address(policy, table, ip));

	for (; node; node = table_next(node)) {
		const struct policy_address *address =
			table_entry(node, struct policy_address, by_ip);

		if (ip_eq(&address->ip, ip))
			return &address->place->trunk;
	}
	return NULL;
}

const struct policy_trunk *policy_trunk_of_upstream(const struct policy *policy,
						    const struct ip *ip)
{
	return policy_trunk_at(policy, POLICY_UPSTREAMS, ip);
}

static bool registers_as(const struct policy_hop *hop, struct slice user)
{
	for (size_t i = 0; i < hop->outbound_count; i++)
		if (hop->outbound[i].registers &&
		    slice_eq(slice_from(hop->outbound[i].user), user))
			return true;
	return false;
}

const struct policy_trunk *policy_trunk_called(const struct policy *policy,
					       const struct endpoint *upstream, struct slice user)
{
	/* Most senders are no upstreams. */
	if (!policy_is_upstream(policy, &upstream->ip))
		return NULL;
	for (size_t i = 0; i < policy->trunk_count; i++) {
		const struct policy_trunk *trunk = &policy->trunks[i]->trunk;
		const struct policy_hop *hop =
			trunk->config.enabled ? policy_upstream_at(trunk, upstream) : NULL;

		if (hop && (!user.n || registers_as(hop, user)))
			return trunk;
	}
	return NULL;
}

const struct policy_hop *policy_upstream_at(const struct policy_trunk *trunk,
					    const struct endpoint *endpoint)
{
	for (size_t i = 0; i < trunk->upstream_count; i++) {
		const struct policy_hop *hop = &trunk->upstreams[i];

		if (ip_eq(&hop->endpoint.ip, &endpoint->ip) &&
		    (!endpoint->port || hop->endpoint.port == endpoint->port))
			return hop;
	}
	return NULL;
}

void policy_trunk_each(const struct policy *policy,
		       void (*visit)(const struct policy_trunk *trunk, void *arg), void *arg)
{
	for (size_t i = 0; i < policy->trunk_count; i++)
		visit(&policy->trunks[i]->trunk, arg);
}

/* ---- ACLs ---- */

struct policy_acl *policy_acl_by_id(const struct policy *policy, int64_t id)
{
	struct table_node *node =
		table_first(&policy->tables[POLICY_ACLS], policy_hash_id(policy, POLICY_ACLS, id));

	for (; node; node = table_next(node)) {
		struct policy_acl *acl = table_entry(node, struct policy_acl, by_id);

		if (acl->id == id)
			return acl;
	}
	return NULL;
}

bool policy_acl_allows(const struct policy_trunk *trunk, const struct ip *ip)
{
	const struct policy_place *place = trunk->priv;

	for (size_t i = 0; i < place->acl_count; i++) {
		if (acl_table_match(&place->acls[i]->table, ip) == ACL_ALLOW)
			return true;
	}
	return false;
}

bool policy_is_upstream(const struct policy *policy, const struct ip *ip)
{
	return policy_trunk_of_upstream(policy, ip) != NULL;
}

bool policy_is_listed(const struct policy *policy, const struct ip *ip)
{
	return acl_table_match(&policy->listed, ip) == ACL_ALLOW ||
	       policy_is_upstream(policy, ip) || policy_trunk_at(policy, POLICY_DESTINATIONS, ip);
}

/* ---- realms ---- */

bool policy_has_realm(const struct policy *policy, struct slice realm)
{
	const struct table *table = &policy->tables[POLICY_REALMS];
	struct table_node *node = table_first(table, policy_hash_realm(policy, realm));

	for (; node; node = table_next(node)) {
		const struct policy_realm *known = table_entry(node, struct policy_realm, by_name);

		if (slice_eq(slice_from(known->name), realm))
			return true;
	}
	return false;
}

bool policy_has_realms(const struct policy *policy)
{
	return policy->tables[POLICY_REALMS].count > 0;
}

/* ---- callers ---- */

static int caller_search(const void *key, const void *element)
{
	return strcmp(key, ((const struct policy_caller *)element)->text);
}

static bool caller_has(const struct policy_place *place, const char *text)
{
	return bsearch(text, place->callers, place->caller_count, sizeof(*place->callers),
		       caller_search) != NULL;
}

bool policy_caller_allows(const struct policy_trunk *trunk, struct slice number)
{
	const struct policy_place *place = trunk->priv;
	struct policy_caller key;
	bool allowed;

	if (place->caller_count == 0 || slice_text(number, key.text, STORE_NUMBER_SIZE))
		return false;
	allowed = caller_has(place, key.text);
	for (size_t n = number.n; n > 0 && !allowed; n--) {
		key.text[n] = '*';
		key.text[n + 1] = '\0';
		allowed = caller_has(place, key.text);
	}
	return allowed;
}

/* ---- users ---- */

struct policy_list *policy_list_by_id(const struct policy *policy, int64_t id)
{
	struct table_node *node = table_first(&policy->tables[POLICY_LISTS],
					      policy_hash_id(policy, POLICY_LISTS, id));

	for (; node; node = table_next(node)) {
		struct policy_list *list = table_entry(node, struct policy_list, by_id);

		if (list->id == id)
			return list;
	}
	return NULL;
}

static struct policy_user *user_in(const struct policy *policy, const struct policy_list *list,
				   struct slice name)
{
	struct table_node *node = table_first(&policy->tables[POLICY_USERS],
					      policy_hash_user(policy, POLICY_USERS, list, name));

	for (; node; node = table_next(node)) {
		struct policy_entry *entry = table_entry(node, struct policy_entry, by_name);

		if (entry->list == list && slice_eq(entry->user.name, name))
			return &entry->user;
	}
	return NULL;
}

struct policy_user *policy_user_find(const struct policy_trunk *trunk, struct slice name,
				     struct slice realm)
{
	const struct policy_place *place = trunk->priv;
	struct policy_user *user = NULL;

	for (size_t i = 0; i < place->list_count && !user; i++) {
		if (slice_eq(slice_from(place->lists[i]->realm), realm))
			user = user_in(place->policy, place->lists[i], name);
	}
	return user;
}

struct policy_user *policy_user_by_name(const struct policy_trunk *trunk, struct slice name)
{
	struct policy_user *user = NULL;

	for (size_t i = 0; i < trunk->realm_count && !user; i++)
		user = policy_user_find(trunk, name, trunk->realms[i]);
	return user;
}

static bool is_attached(const struct policy_place *place, const struct policy_list *list)
{
	for (size_t i = 0; i < place->list_count; i++) {
		if (place->lists[i] == list)
			return true;
	}
	return false;
}

struct policy_user *policy_user_by_id(const struct policy_trunk *trunk, int64_t id)
{
	const struct policy_place *place = trunk->priv;
	const struct policy *policy = place->policy;
	struct table_node *node = table_first(&policy->tables[POLICY_USER_IDS],
					      policy_hash_id(policy, POLICY_USER_IDS, id));

	for (; node; node = table_next(node)) {
		struct policy_entry *entry = table_entry(node, struct policy_entry, by_id);

		if (entry->user.id == id)
			return is_attached(place, entry->list) ? &entry->user : NULL;
	}
	return NULL;
}
