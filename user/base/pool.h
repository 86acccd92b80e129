/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory for what comes and goes with each call. What was put is taken again for the next thing of
 * about that size, so a daemon that has run a while asks the heap for nothing. Without a lock: a
 * pool is one thread's, or its owner's lock is over it. Address sanitizers take what was put for
 * freed.
 *
 *	struct pool pool = {0};
 *	thing = pool_take_zeroed(&pool, sizeof(*thing));
 *	pool_put(&pool, thing);
 */
#ifndef SIPWARD_BASE_POOL_H
#define SIPWARD_BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

#define POOL_SHELVES 33		 /* four to each power of two, from 64 bytes up to 16 KB */
#define POOL_KEPT_BYTES (64 * 1024) /* of a shelf, whether they are needed or not */

struct pool_block;

struct pool {
	struct pool_shelf {
		struct pool_block *first;
		size_t count, least; /* how many lie there, and lay there since the last rest */
	} shelves[POOL_SHELVES];
	uint64_t rested_s;
};

/* n bytes, whatever they hold; or zeroes. NULL: out of memory. */
void *pool_take(struct pool *pool, size_t n);
void *pool_take_zeroed(struct pool *pool, size_t n);
/* Takes back what was taken, from this pool or another; takes NULL. */
void pool_put(struct pool *pool, void *p);
/* The same, but to the heap: for where there is no pool. */
void pool_discard(void *p);
/* Once a second, however often it is called, a small part of what has lain idle since the last time
 * goes to the heap: what a peak has left behind is gone some minutes later. */
void pool_rest(struct pool *pool, uint64_t now_s);
/* Frees what lies in it, not what is taken. Accepts a zeroed one. */
void pool_free(struct pool *pool);

#endif
