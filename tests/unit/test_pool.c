/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sanitizer/asan_interface.h>

/* The module itself, with allocations that are counted and fail when told to. */
#include "failing_calloc.h"

static unsigned allocated;

static void *counting_calloc(size_t n, size_t size)
{
	void *p = failing_calloc(n, size);

	allocated += p != NULL;
	return p;
}
#undef calloc
#define calloc counting_calloc
static void counting_free(void *p)
{
	allocated -= p != NULL;
	free(p);
}
#define free counting_free
#include "../../user/base/pool.c"
#undef calloc
#undef free

#define MANY 1000

static struct pool pool;

static int setup(void **state)
{
	(void)state;
	pool = (struct pool){0};
	allocations_left = -1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pool_free(&pool);
	return allocated ? -1 : 0;
}

static void take_many(void **things, size_t n)
{
	for (size_t i = 0; i < MANY; i++) {
		things[i] = pool_take(&pool, n);
		assert_non_null(things[i]);
	}
}

static void put_many(void **things)
{
	for (size_t i = 0; i < MANY; i++)
		pool_put(&pool, things[i]);
}

static void what_was_put_is_taken_again(void **state)
{
	void *things[MANY];
	unsigned before;

	(void)state;
	take_many(things, 200);
	put_many(things);
	before = allocated;
	take_many(things, 204); /* lies on the same shelf */
	assert_int_equal(allocated, before);
	assert_int_equal(allocated, MANY);
	put_many(things);
}

/* Sanitizers watch the bytes. */
static void every_size_holds_what_is_written(void **state)
{
	(void)state;
	for (size_t n = 0; n < 70000; n += n < 2000 ? 1 : 251) {
		char *p = pool_take(&pool, n), *again;

		assert_non_null(p);
		assert_int_equal((uintptr_t)p % 16, 0);
		memset(p, 0x5a, n);
		pool_put(&pool, p);
		again = pool_take_zeroed(&pool, n);
		for (size_t i = 0; i < n; i++)
			assert_int_equal(again[i], 0);
		pool_put(&pool, again);
	}
	/* One block a shelf, and what is too large for any is the heap's. */
	assert_int_equal(allocated, POOL_SHELVES);
}

static void shelves_are_no_more_than_a_quarter_too_large(void **state)
{
	(void)state;
	for (size_t n = SMALLEST; n <= 16 * 1024 - sizeof(struct pool_block); n++) {
		struct size size = size_of(n);

		assert_in_range(size.bytes, n + sizeof(struct pool_block), (n + 16) * 5 / 4);
		assert_in_range(size.shelf, 0, POOL_SHELVES - 1);
		assert_int_equal(size.bytes, shelf_bytes(size.shelf));
	}
}

static void another_pool_takes_it_too(void **state)
{
	struct pool other = {0};
	void *p = pool_take(&pool, 100);

	(void)state;
	pool_put(&other, p);
	assert_ptr_equal(pool_take(&other, 100), p);
	pool_discard(p);
	pool_discard(NULL);
	pool_put(&other, NULL);
	pool_free(&other);
}

static void without_memory_nothing_is_lost(void **state)
{
	void *p = pool_take(&pool, 100);

	(void)state;
	pool_put(&pool, p);
	allocations_left = 0;
	assert_null(pool_take_zeroed(&pool, 1000));
	assert_ptr_equal(pool_take(&pool, 100), p);
	assert_null(pool_take(&pool, 100));
	pool_put(&pool, p);
}

static void what_a_peak_left_goes_within_minutes(void **state)
{
	size_t kept = POOL_KEPT_BYTES / size_of(1000).bytes;
	void *things[MANY];

	(void)state;
	take_many(things, 1000);
	put_many(things);
	pool_rest(&pool, 1);
	for (unsigned i = 0; i < 10; i++)
		pool_rest(&pool, 2);
	assert_in_range(allocated, MANY * 9 / 10, MANY - 1); /* bit by bit */
	for (uint64_t s = 3; s < 300; s++)
		pool_rest(&pool, s);
	assert_int_equal(allocated, kept);
}

static void what_is_needed_every_now_and_then_stays(void **state)
{
	void *things[MANY];

	(void)state;
	for (uint64_t s = 1; s < 300; s++) {
		take_many(things, 1000);
		put_many(things);
		pool_rest(&pool, s);
	}
	assert_int_equal(allocated, MANY);
}

static void sanitizers_see_what_was_put_as_freed(void **state)
{
	char *p = pool_take(&pool, 100);

	(void)state;
	assert_false(__asan_address_is_poisoned(p));
	assert_false(__asan_address_is_poisoned(p + 99));
	assert_true(__asan_address_is_poisoned(p + 104));
	pool_put(&pool, p);
	assert_true(__asan_address_is_poisoned(p));
	assert_true(__asan_address_is_poisoned(p + 99));
}

#define POOL_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		POOL_TEST(what_was_put_is_taken_again),
		POOL_TEST(every_size_holds_what_is_written),
		POOL_TEST(shelves_are_no_more_than_a_quarter_too_large),
		POOL_TEST(another_pool_takes_it_too),
		POOL_TEST(without_memory_nothing_is_lost),
		POOL_TEST(what_a_peak_left_goes_within_minutes),
		POOL_TEST(what_is_needed_every_now_and_then_stays),
		POOL_TEST(sanitizers_see_what_was_put_as_freed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
