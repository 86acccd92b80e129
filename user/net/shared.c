/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/shared.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* What is counted of one side. */
struct count {
	struct table_node node;
	struct net_side side;
	unsigned all, idle;
	unsigned to_end; /* of the idle ones */
	LIST_ENTRY(count) to_end_link;
};

struct net_shared {
	pthread_mutex_t lock; /* over all of it */
	struct table counts, places;
	size_t incoming, outgoing;
	LIST_HEAD(, count) to_end;
	LIST_HEAD(, net_sleeper) sleepers;
};

int net_shared_create(struct net_shared **ret_shared)
{
	struct net_shared *shared = calloc(1, sizeof(*shared));

	if (!shared)
		return -ENOMEM;
	pthread_mutex_init(&shared->lock, NULL);
	if (table_init(&shared->counts) || table_init(&shared->places)) {
		net_shared_free(shared);
		return -ENOMEM;
	}
	*ret_shared = shared;
	return 0;
}

static void free_count(struct table_node *node, void *arg)
{
	(void)arg;
	free(table_entry(node, struct count, node));
}

void net_shared_free(struct net_shared *shared)
{
	if (!shared)
		return;
	if (shared->counts.buckets)
		table_each(&shared->counts, free_count, NULL);
	table_free(&shared->counts);
	table_free(&shared->places);
	pthread_mutex_destroy(&shared->lock);
	free(shared);
}

/* ---- how many ---- */

static uint64_t count_hash(const struct net_shared *shared, const struct net_side *side)
{
	uint64_t seed = (uint64_t)side->incoming << 8 | side->source.family;

	return table_hash(&shared->counts, seed, side->source.bytes, sizeof(side->source.bytes));
}

static struct count *count_find(const struct net_shared *shared, const struct net_side *side)
{
	struct table_node *node = table_first(&shared->counts, count_hash(shared, side));

	for (; node; node = table_next(node)) {
		struct count *count = table_entry(node, struct count, node);

		if (count->side.incoming == side->incoming &&
		    ip_eq(&count->side.source, &side->source))
			return count;
	}
	return NULL;
}

/* NULL without memory. */
static struct count *count_need(struct net_shared *shared, const struct net_side *side)
{
	struct count *count = count_find(shared, side);

	if (count)
		return count;
	count = calloc(1, sizeof(*count));
	if (!count)
		return NULL;
	count->side = *side;
	table_insert(&shared->counts, &count->node, count_hash(shared, side));
	return count;
}

static void set_to_end(struct net_shared *shared, struct count *count, unsigned to_end)
{
	if (to_end && !count->to_end)
		LIST_INSERT_HEAD(&shared->to_end, count, to_end_link);
	if (!to_end && count->to_end)
		LIST_REMOVE(count, to_end_link);
	count->to_end = to_end;
}

static void forget_if_gone(struct net_shared *shared, struct count *count)
{
	if (count->all)
		return;
	set_to_end(shared, count, 0);
	table_remove(&shared->counts, &count->node);
	free(count);
}

static size_t *total_of(struct net_shared *shared, const struct net_side *side)
{
	return side->incoming ? &shared->incoming : &shared->outgoing;
}

bool shared_take(struct net_shared *shared, const struct net_limits *limits,
		 const struct net_side *side)
{
	struct count *count;
	bool taken = false;

	pthread_mutex_lock(&shared->lock);
	count = count_need(shared, side);
	if (count) {
		taken = count->all < limits->connections_per_source &&
			*total_of(shared, side) < limits->connections;
		if (taken)
			set_to_end(shared, count, 0);
		count->all += taken;
		*total_of(shared, side) += taken;
		forget_if_gone(shared, count);
	}
	pthread_mutex_unlock(&shared->lock);
	return taken;
}

void shared_give(struct net_shared *shared, const struct net_side *side)
{
	struct count *count;

	pthread_mutex_lock(&shared->lock);
	count = count_find(shared, side);
	count->all--;
	--*total_of(shared, side);
	forget_if_gone(shared, count);
	pthread_mutex_unlock(&shared->lock);
}

void shared_idle(struct net_shared *shared, const struct net_side *side, bool idle)
{
	struct count *count;

	pthread_mutex_lock(&shared->lock);
	count = count_find(shared, side);
	count->idle = idle ? count->idle + 1 : count->idle - 1;
	pthread_mutex_unlock(&shared->lock);
}

/* ---- room made by another worker ---- */

bool shared_take_over(struct net_shared *shared, const struct net_side *side)
{
	static const uint64_t one = 1;
	struct net_sleeper *sleeper;
	struct count *count;
	bool taken;

	pthread_mutex_lock(&shared->lock);
	count = count_find(shared, side);
	taken = count && count->idle > count->to_end;
	if (taken) {
		set_to_end(shared, count, count->to_end + 1);
		count->all++;
		++*total_of(shared, side);
		LIST_FOREACH(sleeper, &shared->sleepers, link)
			(void)!write(sleeper->fd, &one, sizeof(one));
	}
	pthread_mutex_unlock(&shared->lock);
	return taken;
}

bool shared_to_end(struct net_shared *shared, unsigned index, struct net_side *ret_side)
{
	struct count *count;

	pthread_mutex_lock(&shared->lock);
	count = LIST_FIRST(&shared->to_end);
	while (count && index-- > 0)
		count = LIST_NEXT(count, to_end_link);
	if (count)
		*ret_side = count->side;
	pthread_mutex_unlock(&shared->lock);
	return count;
}

bool shared_claim_end(struct net_shared *shared, const struct net_side *side)
{
	struct count *count;
	bool claimed;

	pthread_mutex_lock(&shared->lock);
	count = count_find(shared, side);
	claimed = count && count->to_end;
	if (claimed)
		set_to_end(shared, count, count->to_end - 1);
	pthread_mutex_unlock(&shared->lock);
	return claimed;
}

void shared_add_sleeper(struct net_shared *shared, struct net_sleeper *sleeper)
{
	pthread_mutex_lock(&shared->lock);
	LIST_INSERT_HEAD(&shared->sleepers, sleeper, link);
	pthread_mutex_unlock(&shared->lock);
}

void shared_remove_sleeper(struct net_shared *shared, struct net_sleeper *sleeper)
{
	pthread_mutex_lock(&shared->lock);
	LIST_REMOVE(sleeper, link);
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
