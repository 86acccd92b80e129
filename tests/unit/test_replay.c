/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* The module itself, with allocations that fail when told to. */
#include "failing_calloc.h"
#include "../../user/base/pool.c"
#include "../../user/digest/replay.c"
#undef calloc

#define NOW 1700000000u
#define LIFETIME 60u

static struct replay *replay;

static int create_eight(void **state)
{
	(void)state;
	allocations_left = -1;
	return replay_create(8, LIFETIME, &replay);
}

static int destroy(void **state)
{
	(void)state;
	replay_free(replay);
	replay = NULL;
	return 0;
}

static struct slice name(unsigned i)
{
	static char text[NONCE_TEXT_SIZE];

	return (struct slice){text, (size_t)snprintf(text, sizeof(text), "%064x", i)};
}

static enum replay_result use(unsigned nonce, uint64_t issued_s, uint32_t nc, uint64_t now_s)
{
	return replay_use(replay, name(nonce), issued_s, nc, now_s);
}

static enum replay_result use_now(unsigned nonce, uint32_t nc)
{
	return use(nonce, NOW, nc, NOW);
}

static struct replay_stats stats(void)
{
	struct replay_stats s;

	replay_stats(replay, &s);
	assert_true(s.nonces <= s.limit);
	return s;
}

static void a_count_serves_once(void **state)
{
	(void)state;
	assert_int_equal(use_now(1, 1), REPLAY_FRESH);
	assert_int_equal(use_now(1, 1), REPLAY_REPEATED);
	assert_int_equal(use_now(1, 2), REPLAY_FRESH);
	assert_int_equal(use_now(1, 1), REPLAY_REPEATED);
	assert_int_equal(use_now(1, 2), REPLAY_REPEATED);
	assert_int_equal(use_now(2, 1), REPLAY_FRESH);
	assert_int_equal(stats().nonces, 2);
}

static void a_nonce_without_qop_serves_once(void **state)
{
	(void)state;
	assert_int_equal(use_now(1, 0), REPLAY_FRESH);
	assert_int_equal(use_now(1, 0), REPLAY_REPEATED);
	assert_int_equal(use_now(1, 1), REPLAY_REPEATED);
	assert_int_equal(use_now(1, UINT32_MAX), REPLAY_REPEATED);
	assert_int_equal(use_now(1, UINT32_MAX - 64), REPLAY_REPEATED);
	assert_int_equal(use_now(1, UINT32_MAX - 65), REPLAY_REPEATED);
	assert_int_equal(use_now(2, 1), REPLAY_FRESH);
	assert_int_equal(use_now(2, 0), REPLAY_REPEATED);
}

static void late_counts_are_taken_within_the_window(void **state)
{
	(void)state;
	assert_int_equal(use_now(1, 100), REPLAY_FRESH);
	assert_int_equal(use_now(1, 100 - REPLAY_WINDOW), REPLAY_FRESH);
	assert_int_equal(use_now(1, 100 - REPLAY_WINDOW), REPLAY_REPEATED);
	assert_int_equal(use_now(1, 100 - REPLAY_WINDOW - 1), REPLAY_REPEATED);
	assert_int_equal(use_now(1, 99), REPLAY_FRESH);
}

static void every_jump_keeps_what_was_used(void **state)
{
	(void)state;
	for (uint32_t jump = 1; jump <= 70; jump++) {
		unsigned nonce = jump;

		assert_int_equal(use(nonce, NOW + jump, 1000, NOW + jump), REPLAY_FRESH);
		assert_int_equal(use(nonce, NOW + jump, 1000 + jump, NOW + jump), REPLAY_FRESH);
		assert_int_equal(use(nonce, NOW + jump, 1000, NOW + jump), REPLAY_REPEATED);
		assert_int_equal(use(nonce, NOW + jump, 1000 + jump, NOW + jump), REPLAY_REPEATED);
		assert_int_equal(use(nonce, NOW + jump, 1001, NOW + jump),
				 jump > 1 && jump <= 65 ? REPLAY_FRESH : REPLAY_REPEATED);
	}
}

static void huge_jumps_are_fine(void **state)
{
	(void)state;
	assert_int_equal(use_now(1, 1), REPLAY_FRESH);
	assert_int_equal(use_now(1, UINT32_MAX), REPLAY_FRESH);
	assert_int_equal(use_now(1, UINT32_MAX), REPLAY_REPEATED);
	assert_int_equal(use_now(1, UINT32_MAX - 1), REPLAY_FRESH);
	assert_int_equal(use_now(1, 2), REPLAY_REPEATED);
}

/* Counts in random order against a plain set. */
static void random_order_agrees_with_a_set(void **state)
{
	(void)state;
	srand(1);
	for (unsigned round = 0; round < 200; round++) {
		bool used[512] = {false};
		uint32_t top = 0, span = round % 2 ? 80 : 510;

		for (unsigned i = 0; i < 500; i++) {
			uint32_t nc = 1 + (uint32_t)rand() % span;
			bool fresh = !used[nc] && nc + REPLAY_WINDOW >= top;

			assert_int_equal(use(round, NOW + round, nc, NOW + round),
					 fresh ? REPLAY_FRESH : REPLAY_REPEATED);
			used[nc] = true;
			top = nc > top ? nc : top;
		}
	}
}

static void lifetime_ends_after_its_last_second(void **state)
{
	(void)state;
	assert_int_equal(use(1, NOW, 1, NOW + LIFETIME), REPLAY_FRESH);
	assert_int_equal(use(2, NOW, 1, NOW + LIFETIME + 1), REPLAY_STALE);
	assert_int_equal(stats().nonces, 0);
	assert_int_equal(stats().evicted, 0);
}

static void a_clock_set_back_re_opens_nothing(void **state)
{
	(void)state;
	assert_int_equal(use_now(1, 1), REPLAY_FRESH);
	assert_int_equal(use(2, NOW + 1000, 1, NOW + 1000), REPLAY_FRESH);
	assert_int_equal(use_now(1, 1), REPLAY_STALE);
	assert_int_equal(use_now(1, 2), REPLAY_STALE);
	assert_int_equal(use(2, NOW + 1000, 2, NOW), REPLAY_FRESH);
}

static void the_oldest_issued_goes_first(void **state)
{
	static const unsigned order[] = {5, 3, 8, 1, 7, 2, 6, 4};

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(use(order[i], NOW + order[i], 1, NOW), REPLAY_FRESH);
	for (unsigned i = 1; i <= 8; i++) {
		assert_int_equal(use(100 + i, NOW + 20 + i, 1, NOW), REPLAY_FRESH);
		assert_int_equal(stats().evicted, i);
		assert_int_equal(use(i, NOW + i, 2, NOW), REPLAY_STALE);
		if (i < 8)
			assert_int_equal(use(i + 1, NOW + i + 1, 1, NOW), REPLAY_REPEATED);
	}
}

static void what_was_issued_before_an_evicted_one_is_stale(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(use(i, NOW + 2 * i, 1, NOW + 20), REPLAY_FRESH);
	assert_int_equal(use(20, NOW + 20, 1, NOW + 20), REPLAY_FRESH);
	/* nonce 0 of NOW went; one of that second or before it is stale, one after it is not */
	assert_int_equal(use(50, NOW, 1, NOW + 20), REPLAY_STALE);
	assert_int_equal(use(51, NOW - 9, 1, NOW + 20), REPLAY_STALE);
	assert_int_equal(use(1, NOW + 2, 2, NOW + 20), REPLAY_FRESH);
}

static void a_full_table_keeps_the_younger(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(use(i, NOW, 1, NOW), REPLAY_FRESH);
	assert_int_equal(use(8, NOW, 1, NOW), REPLAY_STALE);
	assert_int_equal(use(9, NOW - 1, 1, NOW), REPLAY_STALE);
	assert_int_equal(stats().evicted, 0);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(use(i, NOW, 2, NOW), REPLAY_FRESH);
	assert_int_equal(use(8, NOW + 1, 1, NOW), REPLAY_FRESH);
	assert_int_equal(stats().evicted, 1);
}

/* Whatever the order of nonces, counts, issue times and clocks: no count is fresh twice. */
static void nothing_is_ever_fresh_twice(void **state)
{
	static bool used[400][16];
	static uint64_t issued[400];
	uint64_t now = NOW;
	unsigned fresh = 0, evictions;

	(void)state;
	srand(2);
	for (unsigned i = 0; i < 400; i++)
		issued[i] = NOW + (uint64_t)rand() % 200;
	for (unsigned i = 0; i < 60000; i++) {
		unsigned nonce = (unsigned)rand() % 12 + i / 200, nc = (unsigned)rand() % 16;

		now = NOW + i / 300 + (uint64_t)rand() % 20;
		if (use(nonce, issued[nonce], nc, now) != REPLAY_FRESH)
			continue;
		assert_false(used[nonce][nc]);
		used[nonce][nc] = true;
		fresh++;
	}
	evictions = stats().evicted;
	assert_true(fresh > 100 && evictions > 10);
}

static void a_restart_with_kept_keys_refuses_what_went_before(void **state)
{
	(void)state;
	replay_refuse_until(replay, NOW);
	assert_int_equal(use_now(1, 1), REPLAY_STALE);
	assert_int_equal(use(2, NOW + 1, 1, NOW), REPLAY_FRESH);
	replay_refuse_until(replay, NOW - 10);
	assert_int_equal(use_now(1, 1), REPLAY_STALE);
}

/* Else a client challenged in the second of a restart would be asked again and again. */
static void what_is_issued_now_is_taken_even_in_a_refused_second(void **state)
{
	(void)state;
	assert_int_equal(replay_issue_time(replay, NOW), NOW);
	replay_refuse_until(replay, NOW);
	assert_int_equal(replay_issue_time(replay, NOW), NOW + 1);
	assert_int_equal(use(1, replay_issue_time(replay, NOW), 1, NOW), REPLAY_FRESH);
	assert_int_equal(replay_issue_time(replay, NOW + 2), NOW + 2);
}

static void odd_texts_are_stale(void **state)
{
	char text[NONCE_TEXT_SIZE + 1];

	(void)state;
	memset(text, 'a', sizeof(text));
	assert_int_equal(replay_use(replay, (struct slice){NULL, 0}, NOW, 1, NOW), REPLAY_STALE);
	assert_int_equal(replay_use(replay, (struct slice){text, sizeof(text)}, NOW, 1, NOW),
			 REPLAY_STALE);
	assert_int_equal(replay_use(replay, (struct slice){text, sizeof(text) - 1}, NOW, 1, NOW),
			 REPLAY_FRESH);
}

static void out_of_memory_is_stale_and_loses_nothing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(use_now(i, 1), REPLAY_FRESH);
	allocations_left = 0;
	assert_int_equal(use(9, NOW + 1, 1, NOW + 1), REPLAY_STALE);
	assert_int_equal(stats().evicted, 0);
	assert_int_equal(use_now(1, 1), REPLAY_REPEATED);
	assert_int_equal(use_now(1, 2), REPLAY_FRESH);
	allocations_left = -1;
	assert_int_equal(use(9, NOW + 1, 1, NOW + 1), REPLAY_FRESH);
}

static void creation_fails_cleanly(void **state)
{
	struct replay *none = NULL;

	(void)state;
	assert_int_equal(replay_create(0, LIFETIME, &none), -EINVAL);
	for (allocations_left = 0; allocations_left < 2;) {
		int before = allocations_left;

		assert_int_equal(replay_create(8, LIFETIME, &none), -ENOMEM);
		assert_null(none);
		allocations_left = before + 1;
	}
	assert_int_equal(replay_create(8, LIFETIME, &none), 0);
	replay_free(none);
	replay_free(NULL);
}

static void longer_lifetime_does_not_bring_back_what_was_forgotten(void **state)
{
	(void)state;
	assert_int_equal(use(1, NOW, 1, NOW), REPLAY_FRESH);
	assert_int_equal(use(2, NOW + 61, 1, NOW + 61), REPLAY_FRESH);
	replay_set_lifetime(replay, 600);
	assert_int_equal(use(1, NOW, 1, NOW + 61), REPLAY_STALE);
	assert_int_equal(use(2, NOW + 61, 2, NOW + 600), REPLAY_FRESH);
	assert_int_equal(use(3, NOW + 62, 1, NOW + 600), REPLAY_FRESH);
	replay_set_lifetime(replay, 10);
	assert_int_equal(use(4, NOW + 580, 1, NOW + 600), REPLAY_STALE);
}

#define WITH_EIGHT(test) cmocka_unit_test_setup_teardown(test, create_eight, destroy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_EIGHT(a_count_serves_once),
		WITH_EIGHT(a_nonce_without_qop_serves_once),
		WITH_EIGHT(late_counts_are_taken_within_the_window),
		WITH_EIGHT(every_jump_keeps_what_was_used),
		WITH_EIGHT(huge_jumps_are_fine),
		WITH_EIGHT(random_order_agrees_with_a_set),
		WITH_EIGHT(lifetime_ends_after_its_last_second),
		WITH_EIGHT(a_clock_set_back_re_opens_nothing),
		WITH_EIGHT(the_oldest_issued_goes_first),
		WITH_EIGHT(what_was_issued_before_an_evicted_one_is_stale),
		WITH_EIGHT(a_full_table_keeps_the_younger),
		WITH_EIGHT(nothing_is_ever_fresh_twice),
		WITH_EIGHT(a_restart_with_kept_keys_refuses_what_went_before),
		WITH_EIGHT(what_is_issued_now_is_taken_even_in_a_refused_second),
		WITH_EIGHT(odd_texts_are_stale),
		WITH_EIGHT(out_of_memory_is_stale_and_loses_nothing),
		WITH_EIGHT(longer_lifetime_does_not_bring_back_what_was_forgotten),
		cmocka_unit_test(creation_fails_cleanly),
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
