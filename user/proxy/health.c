/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/health.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"

int health_init(struct health *health)
{
	*health = (struct health){.lock = PTHREAD_MUTEX_INITIALIZER};
	return table_init(&health->hops);
}

static void free_visited(struct table_node *node, void *arg)
{
	(void)arg;
	free(table_entry(node, struct health_hop, node));
}

void health_free(struct health *health)
{
	if (health->hops.buckets)
		table_each(&health->hops, free_visited, NULL);
	table_free(&health->hops);
	deadlines_free(&health->pings);
}

static uint64_t hash_of(const struct health *health, enum net_transport transport,
			const struct endpoint *endpoint)
{
	uint64_t hash = table_hash(&health->hops, transport, &endpoint->ip, sizeof(endpoint->ip));

	return table_hash(&health->hops, hash, &endpoint->port, sizeof(endpoint->port));
}

static struct health_hop *find(const struct health *health, enum net_transport transport,
			       const struct endpoint *endpoint)
{
	struct table_node *n =
		table_first(&health->hops, hash_of(health, transport, endpoint));

	for (; n; n = table_next(n)) {
		struct health_hop *hop = table_entry(n, struct health_hop, node);

		if (hop->transport == transport && endpoint_eq(&hop->endpoint, endpoint))
			return hop;
	}
	return NULL;
}

bool health_usable(struct health *health, const struct net_path *target, uint64_t now_ns)
{
	const struct health_hop *hop;
	bool usable;

	pthread_mutex_lock(&health->lock);
	hop = find(health, target->transport, &target->remote);
	usable = !hop || (!hop->down && hop->retry_ns <= now_ns);
	pthread_mutex_unlock(&health->lock);
	return usable;
}

/* ---- what the policy has ---- */

struct follow {
	struct health *health;
	const struct store_settings *settings;
	uint64_t now_ns;
	int rc;
};

static unsigned interval_s(const struct store_settings *settings)
{
	return settings->health_interval_s;
}

/* Not all at once: each begins somewhere within the first interval, but within ten seconds. */
static uint64_t first_ping_ns(const struct follow *follow)
{
	unsigned most_s = interval_s(follow->settings);
	uint32_t chance;

	if (!most_s)
		return UINT64_MAX;
	random_bytes(&chance, sizeof(chance));
	return follow->now_ns + chance % ((most_s < 10 ? most_s : 10) * NS_PER_S);
}

/* Of several peers that share the place the first is asked for. */
static void list(struct health_hop *hop, const struct policy_hop *listed)
{
	if (hop->listed)
		return;
	hop->listed = true;
	slice_text(slice_from(listed->uri), hop->uri, sizeof(hop->uri));
	slice_text(slice_from(listed->host), hop->name, sizeof(hop->name));
}

static int add(struct follow *follow, const struct policy_hop *listed)
{
	struct health *health = follow->health;
	struct health_hop *hop = calloc(1, sizeof(*hop));

	if (!hop || deadline_set(&health->pings, &hop->ping, first_ping_ns(follow))) {
		free(hop);
		return -ENOMEM;
	}
	hop->endpoint = listed->endpoint;
	hop->transport = listed->transport;
	hop->latency_ms = UINT_MAX;
	list(hop, listed);
	table_insert(&health->hops, &hop->node,
		     hash_of(health, hop->transport, &hop->endpoint));
	return 0;
}

static void follow_hops(struct follow *follow, const struct policy_hop *hops, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct health_hop *hop =
			find(follow->health, hops[i].transport, &hops[i].endpoint);

		if (hop)
			list(hop, &hops[i]);
		else if (add(follow, &hops[i]))
			follow->rc = -ENOMEM;
	}
}

static void follow_trunk(const struct policy_trunk *trunk, void *arg)
{
	if (!trunk->config.enabled)
		return;
	follow_hops(arg, trunk->upstreams, trunk->upstream_count);
	follow_hops(arg, trunk->destinations, trunk->destination_count);
}

static void unlist(struct table_node *node, void *arg)
{
	(void)arg;
	table_entry(node, struct health_hop, node)->listed = false;
}

/* Those that stay may have another interval now. */
static void drop_or_reschedule(struct table_node *node, void *arg)
{
	struct follow *follow = arg;
	struct health_hop *hop = table_entry(node, struct health_hop, node);

	if (hop->listed) {
		if ((hop->ping.at_ns == UINT64_MAX) == (interval_s(follow->settings) != 0))
			deadline_set(&follow->health->pings, &hop->ping, first_ping_ns(follow));
		return;
	}
	deadline_clear(&follow->health->pings, &hop->ping);
	table_remove(&follow->health->hops, &hop->node);
	free(hop);
}

int health_follow(struct health *health, const struct policy *policy, uint64_t now_ns)
{
	struct follow follow = {health, policy_settings(policy), now_ns, 0};

	pthread_mutex_lock(&health->lock);
	table_each(&health->hops, unlist, NULL);
	policy_trunk_each(policy, follow_trunk, &follow);
	table_each(&health->hops, drop_or_reschedule, &follow);
	pthread_mutex_unlock(&health->lock);
	return follow.rc;
}

/* ---- what is heard ---- */

static bool answered(struct health_hop *hop, const struct store_settings *settings,
		     const struct health_word *word)
{
	hop->status = word->status;
	hop->answered_ns = word->now_ns;
	hop->failures = 0;
	if (word->status == 503)
		hop->retry_ns = word->now_ns + word->retry_after_s * NS_PER_S;
	if (word->ping)
		hop->latency_ms = (unsigned)((word->now_ns - hop->asked_ns) / NS_PER_MS);
	if (!hop->down || ++hop->successes < settings->health_successes)
		return false;
	hop->down = false;
	return true;
}

/* Where nobody asks it would be passed over for ever. */
static bool was_silent(struct health_hop *hop, const struct store_settings *settings)
{
	hop->successes = 0;
	if (hop->down || ++hop->failures < settings->health_failures || !interval_s(settings))
		return false;
	hop->down = true;
	return true;
}

bool health_heard(struct health *health, const struct store_settings *settings,
		  const struct health_word *word, struct health_hop *ret_hop)
{
	struct health_hop *hop;
	bool changed = false;

	pthread_mutex_lock(&health->lock);
	hop = find(health, word->target->transport, &word->target->remote);
	if (hop)
		changed = word->status ? answered(hop, settings, word) : was_silent(hop, settings);
	if (changed)
		*ret_hop = *hop;
	pthread_mutex_unlock(&health->lock);
	return changed;
}

/* ---- asking ---- */

bool health_due(struct health *health, const struct store_settings *settings, uint64_t now_ns,
		struct health_hop *ret_hop)
{
	uint64_t interval_ns = interval_s(settings) * NS_PER_S;
	struct deadline *first;
	struct health_hop *hop;
	bool due;

	pthread_mutex_lock(&health->lock);
	first = deadline_first(&health->pings);
	due = first && first->at_ns <= now_ns;
	if (due) {
		hop = (struct health_hop *)((char *)first - offsetof(struct health_hop, ping));
		hop->asked_ns = now_ns;
		deadline_set(&health->pings, first,
			     interval_ns ? now_ns + interval_ns : UINT64_MAX);
		*ret_hop = *hop;
	}
	pthread_mutex_unlock(&health->lock);
	return due;
}

uint64_t health_deadline(struct health *health)
{
	const struct deadline *first;
	uint64_t at_ns;

	pthread_mutex_lock(&health->lock);
	first = deadline_first(&health->pings);
	at_ns = first ? first->at_ns : UINT64_MAX;
	pthread_mutex_unlock(&health->lock);
	return at_ns;
}

/* ---- telling ---- */

struct visitor {
	void (*visit)(const struct health_hop *hop, void *arg);
	void *arg;
};

static void visit_hop(struct table_node *node, void *arg)
{
	const struct visitor *visitor = arg;

	visitor->visit(table_entry(node, struct health_hop, node), visitor->arg);
}

void health_each(struct health *health, void (*visit)(const struct health_hop *hop, void *arg),
		 void *arg)
{
	struct visitor visitor = {visit, arg};

	pthread_mutex_lock(&health->lock);
	table_each(&health->hops, visit_hop, &visitor);
	pthread_mutex_unlock(&health->lock);
}
