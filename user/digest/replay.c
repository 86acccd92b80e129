/* SPDX-License-Identifier: BSD-2-Clause */
#include "digest/replay.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/pool.h"
#include "base/table.h"
#include "digest/nonce.h"

struct window {
	struct table_node node;
	uint64_t issued_s;
	uint64_t below; /* bit i: the count top - 1 - i was used */
	uint32_t top;	/* the highest count used */
	uint8_t nonce_n;
	char nonce[NONCE_TEXT_SIZE];
};
_Static_assert(REPLAY_WINDOW == 64, "one bit a count in window.below");
_Static_assert(NONCE_TEXT_SIZE <= UINT8_MAX, "window.nonce_n");

struct replay {
	pthread_mutex_t lock; /* over all of it */
	struct table windows;
	struct window **oldest; /* the same windows as a binary heap, the oldest issue time first */
	struct pool pool;
	size_t limit;
	unsigned lifetime_s;
	/* Of the nonces issued up to here, only those with a window are known. */
	uint64_t floor_s;
	uint64_t evicted;
};

int replay_create(size_t limit, unsigned nonce_lifetime_s, struct replay **ret_replay)
{
	struct replay *replay;
	int err;

	if (limit == 0)
		return -EINVAL;
	replay = calloc(1, sizeof(*replay));
	if (!replay)
		return -ENOMEM;
	pthread_mutex_init(&replay->lock, NULL);
	replay->limit = limit;
	replay->lifetime_s = nonce_lifetime_s;
	replay->oldest = calloc(limit, sizeof(*replay->oldest));
	err = replay->oldest ? table_init(&replay->windows) : -ENOMEM;
	if (err != 0) {
		replay_free(replay);
		return err;
	}
	*ret_replay = replay;
	return 0;
}

void replay_free(struct replay *replay)
{
	if (!replay)
		return;
	for (size_t i = 0; i < replay->windows.count; i++)
		pool_put(&replay->pool, replay->oldest[i]);
	table_free(&replay->windows);
	free(replay->oldest);
	pool_free(&replay->pool);
	pthread_mutex_destroy(&replay->lock);
	free(replay);
}

/* A longer life does not bring back what was forgotten: the floor stands above it. */
void replay_set_lifetime(struct replay *replay, unsigned nonce_lifetime_s)
{
	pthread_mutex_lock(&replay->lock);
	replay->lifetime_s = nonce_lifetime_s;
	pthread_mutex_unlock(&replay->lock);
}

static void raise_floor(struct replay *replay, uint64_t issued_s)
{
	if (issued_s > replay->floor_s)
		replay->floor_s = issued_s;
}

void replay_refuse_until(struct replay *replay, uint64_t issued_s)
{
	pthread_mutex_lock(&replay->lock);
	raise_floor(replay, issued_s);
	pthread_mutex_unlock(&replay->lock);
}

uint64_t replay_issue_time(struct replay *replay, uint64_t now_s)
{
	uint64_t floor_s;

	pthread_mutex_lock(&replay->lock);
	floor_s = replay->floor_s;
	pthread_mutex_unlock(&replay->lock);
	return now_s > floor_s ? now_s : floor_s + 1;
}

/* Puts the window at the free place i or above it. */
static void heap_rise(struct window **heap, size_t i, struct window *window)
{
	while (i > 0 && heap[(i - 1) / 2]->issued_s > window->issued_s) {
		heap[i] = heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap[i] = window;
}

/* Puts the window at the free top of a heap of n or below it. */
static void heap_sink(struct window **heap, size_t n, struct window *window)
{
	size_t i = 0;

	for (size_t child = 1; child < n; child = 2 * i + 1) {
		if (child + 1 < n && heap[child + 1]->issued_s < heap[child]->issued_s)
			child++;
		if (heap[child]->issued_s >= window->issued_s)
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = window;
}

static void forget_oldest(struct replay *replay)
{
	struct window *oldest = replay->oldest[0];
	size_t left = replay->windows.count - 1;

	raise_floor(replay, oldest->issued_s);
	heap_sink(replay->oldest, left, replay->oldest[left]);
	table_remove(&replay->windows, &oldest->node);
	pool_put(&replay->pool, oldest);
}

static bool is_over(const struct replay *replay, uint64_t issued_s, uint64_t now_s)
{
	return now_s > issued_s && now_s - issued_s > replay->lifetime_s;
}

static struct window *window_find(const struct replay *replay, struct slice nonce, uint64_t hash)
{
	struct table_node *node;

	for (node = table_first(&replay->windows, hash); node; node = table_next(node)) {
		struct window *window = table_entry(node, struct window, node);

		if (slice_eq((struct slice){window->nonce, window->nonce_n}, nonce))
			return window;
	}
	return NULL;
}

static enum replay_result window_use(struct window *window, uint32_t nc)
{
	uint32_t distance;

	if (nc > window->top) {
		distance = nc - window->top;
		window->below = distance < 64 ? window->below << distance : 0;
		if (distance <= 64)
			window->below |= 1ULL << (distance - 1);
		window->top = nc;
		return REPLAY_FRESH;
	}
	distance = window->top - nc;
	if (nc == 0 || distance == 0 || distance > 64 || window->below >> (distance - 1) & 1)
		return REPLAY_REPEATED;
	window->below |= 1ULL << (distance - 1);
	return REPLAY_FRESH;
}

/* The first use of a nonce: there is room for its window, or it is younger than the oldest one. */
static enum replay_result window_add(struct replay *replay, struct slice nonce, uint64_t issued_s,
				     uint32_t nc, uint64_t hash)
{
	struct window *window = pool_take(&replay->pool, sizeof(*window));

	if (!window)
		return REPLAY_STALE;
	if (replay->windows.count == replay->limit) {
		forget_oldest(replay);
		replay->evicted++;
	}
	window->issued_s = issued_s;
	window->nonce_n = nonce.n;
	memcpy(window->nonce, nonce.p, nonce.n);
	/* Without qop a nonce serves once: its window starts as if all counts were used. */
	window->top = nc ? nc : UINT32_MAX;
	window->below = nc ? 0 : UINT64_MAX;
	heap_rise(replay->oldest, replay->windows.count, window);
	table_insert(&replay->windows, &window->node, hash);
	return REPLAY_FRESH;
}

static enum replay_result note_use(struct replay *replay, struct slice nonce, uint64_t issued_s,
				   uint32_t nc, uint64_t now_s)
{
	struct window *window;
	uint64_t hash;

	if (nonce.n == 0 || nonce.n > sizeof(window->nonce))
		return REPLAY_STALE;
	while (replay->windows.count > 0 && is_over(replay, replay->oldest[0]->issued_s, now_s))
		forget_oldest(replay);
	pool_rest(&replay->pool, now_s);
	hash = table_hash(&replay->windows, 0, nonce.p, nonce.n);
	window = window_find(replay, nonce, hash);
	if (window)
		return window_use(window, nc);
	if (issued_s <= replay->floor_s || is_over(replay, issued_s, now_s))
		return REPLAY_STALE;
	/* Evicting the oldest would make this one stale as well. */
	if (replay->windows.count == replay->limit && issued_s <= replay->oldest[0]->issued_s)
		return REPLAY_STALE;
	return window_add(replay, nonce, issued_s, nc, hash);
}

enum replay_result replay_use(struct replay *replay, struct slice nonce, uint64_t issued_s,
			      uint32_t nc, uint64_t now_s)
{
	enum replay_result result;

	pthread_mutex_lock(&replay->lock);
	result = note_use(replay, nonce, issued_s, nc, now_s);
	pthread_mutex_unlock(&replay->lock);
	return result;
}

void replay_stats(struct replay *replay, struct replay_stats *ret_stats)
{
	pthread_mutex_lock(&replay->lock);
	*ret_stats = (struct replay_stats){
		.nonces = replay->windows.count,
		.limit = replay->limit,
		.evicted = replay->evicted,
	};
	pthread_mutex_unlock(&replay->lock);
}
