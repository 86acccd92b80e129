/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/shared.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

struct net_shared {
	pthread_mutex_t lock; /* over all of it */
	struct table sources, places;
	size_t incoming, outgoing;
};

struct counted_source {
	struct table_node node;
	struct ip ip;
	unsigned incoming, outgoing;
};

int net_shared_create(struct net_shared **ret_shared)
{
	struct net_shared *shared = calloc(1, sizeof(*shared));

	if (!shared)
		return -ENOMEM;
	pthread_mutex_init(&shared->lock, NULL);
	if (table_init(&shared->sources) || table_init(&shared->places)) {
		net_shared_free(shared);
		return -ENOMEM;
	}
	*ret_shared = shared;
	return 0;
}

static void free_source(struct table_node *node, void *arg)
{
	(void)arg;
	free(table_entry(node, struct counted_source, node));
}

void net_shared_free(struct net_shared *shared)
{
	if (!shared)
		return;
	if (shared->sources.buckets)
		table_each(&shared->sources, free_source, NULL);
	table_free(&shared->sources);
	table_free(&shared->places);
	pthread_mutex_destroy(&shared->lock);
	free(shared);
}

/* ---- how many ---- */

static uint64_t source_hash(const struct net_shared *shared, const struct ip *ip)
{
	return table_hash(&shared->sources, ip->family, ip->bytes, sizeof(ip->bytes));
}

static struct counted_source *source_find(const struct net_shared *shared, const struct ip *ip)
{
	struct table_node *node = table_first(&shared->sources, source_hash(shared, ip));

	for (; node; node = table_next(node)) {
		struct counted_source *source = table_entry(node, struct counted_source, node);

		if (ip_eq(&source->ip, ip))
			return source;
	}
	return NULL;
}

/* NULL without memory. */
static struct counted_source *source_need(struct net_shared *shared, const struct ip *ip)
{
	struct counted_source *source = source_find(shared, ip);

	if (source)
		return source;
	source = calloc(1, sizeof(*source));
	if (!source)
		return NULL;
	source->ip = *ip;
	table_insert(&shared->sources, &source->node, source_hash(shared, ip));
	return source;
}

static void forget_if_gone(struct net_shared *shared, struct counted_source *source)
{
	if (source->incoming || source->outgoing)
		return;
	table_remove(&shared->sources, &source->node);
	free(source);
}

bool shared_take(struct net_shared *shared, const struct net_limits *limits,
		 const struct ip *source_ip, bool incoming)
{
	size_t *all = incoming ? &shared->incoming : &shared->outgoing;
	struct counted_source *source;
	bool taken = false;

	pthread_mutex_lock(&shared->lock);
	source = source_need(shared, source_ip);
	if (source) {
		unsigned *of_source = incoming ? &source->incoming : &source->outgoing;

		taken = *of_source < limits->connections_per_source && *all < limits->connections;
		*of_source += taken;
		*all += taken;
		forget_if_gone(shared, source);
	}
	pthread_mutex_unlock(&shared->lock);
	return taken;
}

void shared_give(struct net_shared *shared, const struct ip *source_ip, bool incoming)
{
	struct counted_source *source;

	pthread_mutex_lock(&shared->lock);
	source = source_find(shared, source_ip);
	if (incoming)
		source->incoming--, shared->incoming--;
	else
		source->outgoing--, shared->outgoing--;
	forget_if_gone(shared, source);
	pthread_mutex_unlock(&shared->lock);
}

void shared_counts(struct net_shared *shared, size_t *ret_incoming, size_t *ret_outgoing)
{
	pthread_mutex_lock(&shared->lock);
	*ret_incoming = shared->incoming;
	*ret_outgoing = shared->outgoing;
	pthread_mutex_unlock(&shared->lock);
}

/* ---- where ---- */

static uint64_t place_hash(const struct net_shared *shared, enum net_transport transport,
			   const struct endpoint *remote)
{
	uint64_t seed =
		(uint64_t)transport << 24 | (uint64_t)remote->ip.family << 16 | remote->port;

	return table_hash(&shared->places, seed, remote->ip.bytes, sizeof(remote->ip.bytes));
}

void shared_add(struct net_shared *shared, struct net_place *place)
{
	pthread_mutex_lock(&shared->lock);
	table_insert(&shared->places, &place->node,
		     place_hash(shared, place->transport, &place->remote));
	pthread_mutex_unlock(&shared->lock);
}

void shared_remove(struct net_shared *shared, struct net_place *place)
{
	pthread_mutex_lock(&shared->lock);
	table_remove(&shared->places, &place->node);
	pthread_mutex_unlock(&shared->lock);
}

int shared_find(struct net_shared *shared, const struct net_path *path, unsigned worker)
{
	struct table_node *node;
	int found = -1;

	pthread_mutex_lock(&shared->lock);
	node = table_first(&shared->places, place_hash(shared, path->transport, &path->remote));
	for (; node && found < 0; node = table_next(node)) {
		const struct net_place *place = table_entry(node, struct net_place, node);

		if (place->worker != worker && place->transport == path->transport &&
		    endpoint_eq(&place->remote, &path->remote))
			found = (int)place->worker;
	}
	pthread_mutex_unlock(&shared->lock);
	return found;
}
