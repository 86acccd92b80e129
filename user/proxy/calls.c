/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/calls.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "proxy/bucket.h"

enum party_kind { PARTY_TRUNK, PARTY_USER };

/* A trunk or a user, who place calls. */
struct party {
	struct table_node node;
	enum party_kind kind;
	int64_t id;
	struct bucket rate;
	unsigned calls;
};

struct call {
	struct table_node node;
	struct deadline silence;
	uint64_t id; /* call or dialog, see calls.h; several may have one and the same */
	struct party *trunk, *user; /* user may be NULL */
};

const char *calls_verdict_name(enum calls_verdict verdict)
{
	static const char *const names[] = {
		[CALLS_OK] = "ok",
		[CALLS_PER_SECOND] = "calls_per_second",
		[CALLS_TOO_MANY] = "too_many_calls",
		[CALLS_FULL] = "calls_full",
	};

	return names[verdict];
}

int calls_init(struct calls *calls, size_t limit)
{
	*calls = (struct calls){.lock = PTHREAD_MUTEX_INITIALIZER, .limit = limit};
	if (table_init(&calls->parties) == 0 && table_init(&calls->running) == 0)
		return 0;
	calls_free(calls);
	return -ENOMEM;
}

static void free_party(struct table_node *node, void *arg)
{
	(void)arg;
	free(table_entry(node, struct party, node));
}

static void free_call(struct table_node *node, void *arg)
{
	pool_put(arg, table_entry(node, struct call, node));
}

void calls_free(struct calls *calls)
{
	if (calls->running.buckets)
		table_each(&calls->running, free_call, &calls->pool);
	if (calls->parties.buckets)
		table_each(&calls->parties, free_party, NULL);
	table_free(&calls->running);
	table_free(&calls->parties);
	deadlines_free(&calls->silences);
	pool_free(&calls->pool);
}

/* ---- trunks and users ---- */

static uint64_t party_hash(const struct calls *calls, enum party_kind kind, int64_t id)
{
	return table_hash(&calls->parties, (uint64_t)kind, &id, sizeof(id));
}

static struct party *party_find(const struct calls *calls, enum party_kind kind, int64_t id)
{
	struct table_node *n = table_first(&calls->parties, party_hash(calls, kind, id));

	for (; n; n = table_next(n)) {
		struct party *party = table_entry(n, struct party, node);

		if (party->kind == kind && party->id == id)
			return party;
	}
	return NULL;
}

/* NULL without memory. */
static struct party *party_need(struct calls *calls, enum party_kind kind, int64_t id)
{
	struct party *party = party_find(calls, kind, id);

	if (party)
		return party;
	party = calloc(1, sizeof(*party));
	if (!party)
		return NULL;
	party->kind = kind;
	party->id = id;
	table_insert(&calls->parties, &party->node, party_hash(calls, kind, id));
	return party;
}

struct idle {
	struct calls *calls;
	uint64_t now_ns;
};

/* After a second of rest a bucket is full again, as that of an unknown party is. */
static void forget_if_idle(struct table_node *node, void *arg)
{
	const struct idle *idle = arg;
	struct party *party = table_entry(node, struct party, node);

	if (party->calls > 0 || idle->now_ns < party->rate.at_ns + NS_PER_S)
		return;
	table_remove(&idle->calls->parties, node);
	free(party);
}

void calls_forget_idle(struct calls *calls, uint64_t now_ns)
{
	struct idle idle = {calls, now_ns};

	pthread_mutex_lock(&calls->lock);
	table_each(&calls->parties, forget_if_idle, &idle);
	pthread_mutex_unlock(&calls->lock);
}

unsigned calls_of_trunk(struct calls *calls, int64_t trunk_id)
{
	const struct party *party;
	unsigned n;

	pthread_mutex_lock(&calls->lock);
	party = party_find(calls, PARTY_TRUNK, trunk_id);
	n = party ? party->calls : 0;
	pthread_mutex_unlock(&calls->lock);
	return n;
}

size_t calls_count(struct calls *calls)
{
	size_t n;

	pthread_mutex_lock(&calls->lock);
	n = calls->running.count;
	pthread_mutex_unlock(&calls->lock);
	return n;
}

/* ---- calls ---- */

struct parties {
	struct party *trunk, *user;
};

static bool is_limited(const struct calls_placed *placed)
{
	const struct store_trunk *config = &placed->trunk->config;

	return config->calls_max || (placed->user && config->user_calls_max);
}

static bool is_rated(const struct calls_placed *placed)
{
	const struct store_trunk *config = &placed->trunk->config;

	return config->calls_per_s || (placed->user && config->user_calls_per_s);
}

static int parties_need(struct calls *calls, const struct calls_placed *placed,
			struct parties *ret_parties)
{
	struct parties parties = {0};

	parties.trunk = party_need(calls, PARTY_TRUNK, placed->trunk->config.id);
	if (placed->user)
		parties.user = party_need(calls, PARTY_USER, placed->user->id);
	if (!parties.trunk || (placed->user && !parties.user))
		return -ENOMEM;
	*ret_parties = parties;
	return 0;
}

static uint64_t call_hash(const struct calls *calls, uint64_t id)
{
	return table_hash(&calls->running, 0, &id, sizeof(id));
}

static struct call *call_find(const struct calls *calls, uint64_t id)
{
	struct table_node *n = table_first(&calls->running, call_hash(calls, id));

	for (; n; n = table_next(n)) {
		struct call *call = table_entry(n, struct call, node);

		if (call->id == id)
			return call;
	}
	return NULL;
}

static int call_create(struct calls *calls, const struct parties *parties, uint64_t id,
		       uint64_t now_ns)
{
	struct call *call;

	if (calls->running.count >= calls->limit)
		return -ENOSPC;
	call = pool_take_zeroed(&calls->pool, sizeof(*call));
	if (!call)
		return -ENOMEM;
	if (deadline_set(&calls->silences, &call->silence, now_ns + CALLS_SILENCE_NS)) {
		pool_put(&calls->pool, call);
		return -ENOMEM;
	}
	call->id = id;
	call->trunk = parties->trunk;
	call->user = parties->user;
	call->trunk->calls++;
	if (call->user)
		call->user->calls++;
	table_insert(&calls->running, &call->node, call_hash(calls, id));
	return 0;
}

static void call_destroy(struct calls *calls, struct call *call)
{
	table_remove(&calls->running, &call->node);
	deadline_clear(&calls->silences, &call->silence);
	call->trunk->calls--;
	if (call->user)
		call->user->calls--;
	pool_put(&calls->pool, call);
}

static bool is_over(const struct party *party, unsigned most)
{
	return party && most > 0 && party->calls >= most;
}

/* The user's budget first: what one user asks in excess is not taken from the trunk's. */
static enum calls_verdict judge(const struct calls_placed *placed, const struct parties *parties)
{
	const struct store_trunk *config = &placed->trunk->config;
	struct party *trunk = parties->trunk, *user = parties->user;

	if (is_over(trunk, config->calls_max) || is_over(user, config->user_calls_max))
		return CALLS_TOO_MANY;
	if (user && !bucket_take(&user->rate, config->user_calls_per_s, config->user_calls_per_s, 1,
				 placed->now_ns))
		return CALLS_PER_SECOND;
	if (!bucket_take(&trunk->rate, config->calls_per_s, config->calls_per_s, 1, placed->now_ns))
		return CALLS_PER_SECOND;
	return CALLS_OK;
}

static enum calls_verdict begin(struct calls *calls, const struct calls_placed *placed,
				uint64_t call)
{
	enum calls_verdict verdict = CALLS_FULL;
	struct parties parties;

	if (parties_need(calls, placed, &parties) == 0)
		verdict = judge(placed, &parties);
	if (verdict == CALLS_OK && is_limited(placed) &&
	    call_create(calls, &parties, call, placed->now_ns))
		verdict = CALLS_FULL;
	calls->full += verdict == CALLS_FULL;
	return verdict;
}

enum calls_verdict calls_begin(struct calls *calls, const struct calls_placed *placed,
			       uint64_t call)
{
	enum calls_verdict verdict;

	if (!is_limited(placed) && !is_rated(placed))
		return CALLS_OK;
	pthread_mutex_lock(&calls->lock);
	verdict = begin(calls, placed, call);
	pthread_mutex_unlock(&calls->lock);
	return verdict;
}

/* Counts a dialog of which no beginning is known. Without a place it is not counted: it is under
 * way, and stays so. */
static void count_unknown(struct calls *calls, const struct calls_placed *placed, uint64_t dialog)
{
	struct parties parties;

	if (is_limited(placed) && parties_need(calls, placed, &parties) == 0)
		(void)call_create(calls, &parties, dialog, placed->now_ns);
}

/* False: it is not known. */
static bool hear_of(struct calls *calls, uint64_t dialog, uint64_t now_ns)
{
	struct call *call = call_find(calls, dialog);

	/* Can not fail: it is in the heap from its creation on. */
	if (call)
		(void)deadline_set(&calls->silences, &call->silence, now_ns + CALLS_SILENCE_NS);
	return call != NULL;
}

static void rename_call(struct calls *calls, struct call *call, uint64_t dialog)
{
	table_remove(&calls->running, &call->node);
	call->id = dialog;
	table_insert(&calls->running, &call->node, call_hash(calls, dialog));
}

void calls_answer(struct calls *calls, const struct calls_placed *placed, uint64_t call,
		  uint64_t dialog)
{
	struct call *begun;

	pthread_mutex_lock(&calls->lock);
	begun = call_find(calls, call);
	if (!hear_of(calls, dialog, placed->now_ns)) {
		if (begun)
			rename_call(calls, begun, dialog);
		else
			count_unknown(calls, placed, dialog);
	}
	pthread_mutex_unlock(&calls->lock);
}

void calls_confirm(struct calls *calls, const struct calls_placed *placed, uint64_t call,
		   uint64_t dialog)
{
	pthread_mutex_lock(&calls->lock);
	if (!hear_of(calls, dialog, placed->now_ns) && !call_find(calls, call))
		count_unknown(calls, placed, dialog);
	pthread_mutex_unlock(&calls->lock);
}

void calls_hear(struct calls *calls, uint64_t dialog, uint64_t now_ns)
{
	pthread_mutex_lock(&calls->lock);
	hear_of(calls, dialog, now_ns);
	pthread_mutex_unlock(&calls->lock);
}

void calls_end(struct calls *calls, uint64_t id)
{
	struct call *call;

	pthread_mutex_lock(&calls->lock);
	call = call_find(calls, id);
	if (call)
		call_destroy(calls, call);
	pthread_mutex_unlock(&calls->lock);
}

void calls_tick(struct calls *calls, uint64_t now_ns)
{
	struct deadline *first;

	pthread_mutex_lock(&calls->lock);
	while ((first = deadline_first(&calls->silences)) && first->at_ns <= now_ns)
		call_destroy(calls,
			     (struct call *)((char *)first - offsetof(struct call, silence)));
	pool_rest(&calls->pool, now_ns / NS_PER_S);
	pthread_mutex_unlock(&calls->lock);
}

uint64_t calls_deadline(struct calls *calls)
{
	const struct deadline *first;
	uint64_t at_ns;

	pthread_mutex_lock(&calls->lock);
	first = deadline_first(&calls->silences);
	at_ns = first ? first->at_ns : UINT64_MAX;
	pthread_mutex_unlock(&calls->lock);
	return at_ns;
}
