/* SPDX-License-Identifier: BSD-2-Clause */
/* The table: every binding on its own under trunk and user. */
#include <errno.h>
#include <stdlib.h>

#include "registrar/internal.h"

#define SWEEP_BUCKETS 1024

int registrar_create(size_t limit, struct registrar **ret_registrar)
{
	struct registrar *registrar = calloc(1, sizeof(*registrar));

	if (!registrar)
		return -ENOMEM;
	if (table_init(&registrar->table)) {
		free(registrar);
		return -ENOMEM;
	}
	pthread_mutex_init(&registrar->lock, NULL);
	TAILQ_INIT(&registrar->changes);
	registrar->limit = limit;
	*ret_registrar = registrar;
	return 0;
}

static void free_node(struct table_node *node, void *arg)
{
	(void)arg;
	free(table_entry(node, struct binding, node));
}

void registrar_free(struct registrar *registrar)
{
	if (!registrar)
		return;
	changes_free(registrar);
	table_each(&registrar->table, free_node, NULL);
	table_free(&registrar->table);
	pthread_mutex_destroy(&registrar->lock);
	free(registrar);
}

/* ---- one binding ---- */

static struct slice keep(char **at, struct slice s)
{
	struct slice kept = {*at, s.n};

	if (s.n)
		memcpy(*at, s.p, s.n);
	*at += s.n;
	return kept;
}

struct binding *binding_new(const struct binding_fields *fields)
{
	size_t n = fields->user.n + fields->contact.n + fields->instance.n + fields->call_id.n +
		   fields->user_agent.n;
	struct binding *binding = calloc(1, sizeof(*binding) + n);
	char *at;

	if (!binding)
		return NULL;
	at = binding->text;
	binding->is = *fields;
	binding->is.user = keep(&at, fields->user);
	binding->is.contact = keep(&at, fields->contact);
	binding->is.instance = keep(&at, fields->instance);
	binding->is.call_id = keep(&at, fields->call_id);
	binding->is.user_agent = keep(&at, fields->user_agent);
	return binding;
}

static uint64_t hash_of(const struct registrar *registrar, int64_t trunk_id, struct slice user)
{
	uint64_t seed = table_hash(&registrar->table, 0, &trunk_id, sizeof(trunk_id));

	return table_hash(&registrar->table, seed, user.p, user.n);
}

void binding_add(struct registrar *registrar, struct binding *binding)
{
	uint64_t hash = hash_of(registrar, binding->is.trunk_id, binding->is.user);

	binding->order = ++registrar->order;
	binding->live = true;
	table_insert(&registrar->table, &binding->node, hash);
}

static void take_out(struct registrar *registrar, struct binding *binding)
{
	table_remove(&registrar->table, &binding->node);
	binding->live = false;
	change_forget(registrar, binding);
}

void binding_drop(struct registrar *registrar, struct binding *binding)
{
	take_out(registrar, binding);
	change_note_removal(registrar, binding);
}

void binding_replace(struct registrar *registrar, struct binding *binding)
{
	take_out(registrar, binding);
	free(binding);
}

bool binding_is_expired(const struct binding *binding, uint64_t now_s)
{
	return binding->is.expires_s <= (int64_t)now_s;
}

/* ---- those of an address of record ---- */

static struct table_node *first_of(const struct registrar *registrar, int64_t trunk_id,
				   struct slice user)
{
	return table_first(&registrar->table, hash_of(registrar, trunk_id, user));
}

static bool belongs_to(const struct binding *binding, int64_t trunk_id, struct slice user)
{
	return binding->is.trunk_id == trunk_id && slice_eq(binding->is.user, user);
}

static bool is_preferred(const struct binding *a, const struct binding *b)
{
	return a->is.q != b->is.q ? a->is.q > b->is.q : a->order > b->order;
}

unsigned bindings_find(const struct registrar *registrar, int64_t trunk_id, struct slice user,
		       struct binding *ret_bindings[REGISTRAR_CONTACTS_MAX])
{
	struct table_node *node = first_of(registrar, trunk_id, user);
	unsigned n = 0, at;

	for (; node && n < REGISTRAR_CONTACTS_MAX; node = table_next(node)) {
		struct binding *binding = table_entry(node, struct binding, node);

		if (!belongs_to(binding, trunk_id, user))
			continue;
		for (at = n++; at > 0 && is_preferred(binding, ret_bindings[at - 1]); at--)
			ret_bindings[at] = ret_bindings[at - 1];
		ret_bindings[at] = binding;
	}
	return n;
}

bool registrar_knows(struct registrar *registrar, int64_t trunk_id, struct slice user,
		     const struct ip *source, uint64_t now_s)
{
	struct table_node *node;
	bool known = false;

	pthread_mutex_lock(&registrar->lock);
	node = first_of(registrar, trunk_id, user);
	for (; node && !known; node = table_next(node)) {
		const struct binding *binding = table_entry(node, struct binding, node);

		known = belongs_to(binding, trunk_id, user) &&
			!binding_is_expired(binding, now_s) &&
			ip_eq(&binding->is.received.ip, source);
	}
	pthread_mutex_unlock(&registrar->lock);
	return known;
}

void registrar_each(struct registrar *registrar, int64_t trunk_id, struct slice user,
		    uint64_t now_s, bool (*visit)(const struct store_binding *binding, void *arg),
		    void *arg)
{
	struct binding *bindings[REGISTRAR_CONTACTS_MAX];
	struct store_binding binding;
	unsigned n;

	pthread_mutex_lock(&registrar->lock);
	n = bindings_find(registrar, trunk_id, user, bindings);
	for (unsigned i = 0; i < n; i++) {
		if (binding_is_expired(bindings[i], now_s))
			continue;
		binding_export(bindings[i], &binding);
		if (!visit(&binding, arg))
			break;
	}
	pthread_mutex_unlock(&registrar->lock);
}

void registrar_remove(struct registrar *registrar, int64_t trunk_id, struct slice user,
		      const char *contact)
{
	struct binding *bindings[REGISTRAR_CONTACTS_MAX];
	unsigned n;

	pthread_mutex_lock(&registrar->lock);
	n = bindings_find(registrar, trunk_id, user, bindings);
	for (unsigned i = 0; i < n; i++) {
		if (contact && !slice_eq(bindings[i]->is.contact, slice_from(contact)))
			continue;
		registrar->stats.removed++;
		binding_drop(registrar, bindings[i]);
	}
	pthread_mutex_unlock(&registrar->lock);
}

/* ---- time ---- */

static void sweep_bucket(struct registrar *registrar, size_t bucket, uint64_t now_s)
{
	struct table_node *node = registrar->table.buckets[bucket], *next;

	for (; node; node = next) {
		struct binding *binding = table_entry(node, struct binding, node);

		next = node->next;
		if (!binding_is_expired(binding, now_s))
			continue;
		registrar->stats.expired++;
		binding_drop(registrar, binding);
	}
}

static void sweep(struct registrar *registrar, uint64_t now_s)
{
	size_t mask = registrar->table.mask;

	if (now_s == registrar->swept_s)
		return;
	registrar->swept_s = now_s;
	for (size_t i = 0; i <= mask && i < SWEEP_BUCKETS; i++)
		sweep_bucket(registrar, registrar->sweep++ & mask, now_s);
}

void registrar_tick(struct registrar *registrar, uint64_t now_s)
{
	pthread_mutex_lock(&registrar->lock);
	sweep(registrar, now_s);
	pthread_mutex_unlock(&registrar->lock);
}

void registrar_stats(struct registrar *registrar, struct registrar_stats *ret_stats)
{
	pthread_mutex_lock(&registrar->lock);
	*ret_stats = registrar->stats;
	ret_stats->bindings = registrar->table.count;
	ret_stats->limit = registrar->limit;
	pthread_mutex_unlock(&registrar->lock);
}
