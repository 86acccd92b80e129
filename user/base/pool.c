/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/pool.h"

#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST 64
#define STEPS 4		/* sizes to each power of two */
#define REST_PART 32 /* of what was idle, a second */

/* Before the bytes that are handed out. */
struct pool_block {
	struct pool_block *next; /* on its shelf */
	size_t shelf;		 /* POOL_SHELVES: too large for any */
};
_Static_assert(sizeof(struct pool_block) == 16, "what follows is aligned like the heap's");

/* The size of a block, which is that of its shelf, or its own if it is too large for one. */
struct size {
	size_t bytes, shelf;
};

static struct size size_of(size_t n)
{
	size_t bytes = n + sizeof(struct pool_block), step;
	unsigned power;

	if (bytes <= SMALLEST)
		return (struct size){SMALLEST, 0};
	/* bytes - 1 is in [4, 8) steps. */
	power = 63 - (unsigned)__builtin_clzl(bytes - 1);
	step = (bytes - 1) >> (power - 2);
	if (power >= 14)
		return (struct size){bytes, POOL_SHELVES};
	return (struct size){(step + 1) << (power - 2), (power - 6) * STEPS + step - STEPS + 1};
}

static size_t shelf_bytes(size_t shelf)
{
	return shelf ? ((shelf - 1) % STEPS + STEPS + 1) << ((shelf - 1) / STEPS + 4) : SMALLEST;
}

static struct pool_block *block_of(void *p)
{
	return (struct pool_block *)p - 1;
}

static struct pool_block *shelf_take(struct pool_shelf *shelf)
{
	struct pool_block *block = shelf->first;

	if (!block)
		return NULL;
	shelf->first = block->next;
	shelf->count--;
	if (shelf->least > shelf->count)
		shelf->least = shelf->count;
	return block;
}

void *pool_take(struct pool *pool, size_t n)
{
	struct size size = size_of(n);
	struct pool_block *block = NULL;

	if (size.shelf < POOL_SHELVES)
		block = shelf_take(&pool->shelves[size.shelf]);
	if (!block)
		block = calloc(1, size.bytes);
	if (!block)
		return NULL;
	block->shelf = size.shelf;
	/* No more than was asked for, lest a sanitizer miss what is written behind it. */
	ASAN_POISON_MEMORY_REGION(block + 1, size.bytes - sizeof(*block));
	ASAN_UNPOISON_MEMORY_REGION(block + 1, n);
	return block + 1;
}

void *pool_take_zeroed(struct pool *pool, size_t n)
{
	void *p = pool_take(pool, n);

	if (p)
		memset(p, 0, n);
	return p;
}

void pool_put(struct pool *pool, void *p)
{
	struct pool_block *block = p ? block_of(p) : NULL;
	struct pool_shelf *shelf;

	if (!block || block->shelf == POOL_SHELVES) {
		pool_discard(p);
		return;
	}
	shelf = &pool->shelves[block->shelf];
	ASAN_POISON_MEMORY_REGION(p, shelf_bytes(block->shelf) - sizeof(*block));
	block->next = shelf->first;
	shelf->first = block;
	shelf->count++;
}

void pool_discard(void *p)
{
	if (p)
		free(block_of(p));
}

static void shelf_rest(struct pool_shelf *shelf, size_t bytes)
{
	size_t kept = POOL_KEPT_BYTES / bytes;
	size_t idle = shelf->least > kept ? shelf->least - kept : 0;

	for (size_t n = (idle + REST_PART - 1) / REST_PART; n > 0; n--)
		free(shelf_take(shelf));
	shelf->least = shelf->count;
}

void pool_rest(struct pool *pool, uint64_t now_s)
{
	if (pool->rested_s == now_s)
		return;
	pool->rested_s = now_s;
	for (size_t i = 0; i < POOL_SHELVES; i++)
		shelf_rest(&pool->shelves[i], shelf_bytes(i));
}

void pool_free(struct pool *pool)
{
	for (size_t i = 0; i < POOL_SHELVES; i++)
		for (struct pool_block *block; (block = shelf_take(&pool->shelves[i]));)
			free(block);
}
