/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* The module itself, with allocations that fail when told to. */
#include "failing_calloc.h"
#include "../../user/policy/lockout.c"
#undef calloc

#define LIMIT 16
/* Late enough that the milliseconds have wrapped, and wrap again in some tests. */
#define START ((uint64_t)UINT32_MAX * NS_PER_MS - 30 * NS_PER_S)

static struct lockouts *lockouts;
static struct store_settings settings;

static int create(void **state)
{
	(void)state;
	allocations_left = -1;
	settings = (struct store_settings){
		.lockout_failures = 10, .lockout_window_s = 60, .lockout_duration_s = 60};
	return lockouts_create(NULL, LIMIT, &lockouts);
}

static int destroy(void **state)
{
	(void)state;
	lockouts_free(lockouts);
	lockouts = NULL;
	return 0;
}

static struct ip source(unsigned i)
{
	return (struct ip){.family = 4, .bytes = {192, 0, (uint8_t)(i >> 8), (uint8_t)i}};
}

static uint64_t at(double seconds)
{
	return START + (uint64_t)(seconds * (double)NS_PER_S);
}

static bool fails(struct ip ip, enum lockout_grade grade, bool vouched, double seconds)
{
	struct lockout_evidence evidence = {ip, grade, SIPWARD_LOCKOUT_CREDENTIAL, vouched};

	return lockout_failure(lockouts, &settings, &evidence, at(seconds), NULL);
}

static bool fails_hard(unsigned i, double seconds)
{
	return fails(source(i), LOCKOUT_HARD, false, seconds);
}

static bool fails_softly(unsigned i, double seconds)
{
	return fails(source(i), LOCKOUT_SOFT, false, seconds);
}

/* Whether one of n failures at the same moment locks the source out. */
static bool fails_often(unsigned i, unsigned n, enum lockout_grade grade, double seconds)
{
	bool locked = false;

	while (n--)
		locked |= fails(source(i), grade, false, seconds);
	return locked;
}

static bool is_locked(unsigned i, double seconds)
{
	struct ip ip = source(i);

	return lockout_active(lockouts, &settings, &ip, at(seconds), NULL);
}

static struct lockout_stats stats(void)
{
	struct lockout_stats value;

	lockout_stats(lockouts, &value);
	return value;
}

static void the_tenth_failure_locks_and_the_ninth_does_not(void **state)
{
	struct lockout_evidence evidence = {source(1), LOCKOUT_HARD, SIPWARD_LOCKOUT_ADDRESS,
					    false};
	struct sipward_lockout lockout;
	struct ip ip = source(1);

	(void)state;
	for (int i = 0; i < 9; i++)
		assert_false(fails_hard(1, i));
	assert_false(is_locked(1, 8));
	assert_true(lockout_failure(lockouts, &settings, &evidence, at(9), &lockout));
	assert_int_equal(lockout.since_ns, at(9));
	assert_int_equal(lockout.until_ns, at(69));
	assert_int_equal(lockout.failures, 10);
	assert_int_equal(lockout.reason, SIPWARD_LOCKOUT_ADDRESS);
	memset(&lockout, 0, sizeof(lockout));
	assert_true(lockout_active(lockouts, &settings, &ip, at(9), &lockout));
	assert_int_equal(lockout.until_ns, at(69));
	assert_false(is_locked(2, 9));
	assert_int_equal(stats().locked, 1);
}

static void failures_spread_wider_than_the_window_do_not_lock(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		assert_false(fails_hard(1, 6.7 * i)); /* nine in any 60 s */
	for (int i = 0; i < 9; i++)
		assert_false(fails_hard(2, 6.6 * i));
	assert_true(fails_hard(2, 6.6 * 9)); /* 59.4 s after the first */
}

static void the_window_slides_and_has_no_edges(void **state)
{
	(void)state;
	assert_false(fails_often(1, 5, LOCKOUT_HARD, 0));
	assert_false(fails_often(1, 4, LOCKOUT_HARD, 59));
	assert_false(fails_often(1, 5, LOCKOUT_HARD, 61)); /* the first five are out of it */
	assert_true(fails_hard(1, 118));		   /* the nine from 59 and 61, and this */
}

static void any_failures_agree_with_a_naive_window(void **state)
{
	(void)state;
	srand(1);
	for (unsigned round = 0; round < 200; round++) {
		double times[400], now = 100000.0 * round, gap = 1 + rand() % 15;
		unsigned n = 0, first = 0;

		settings.lockout_failures = 1 + (unsigned)rand() % 20;
		settings.lockout_window_s = 1 + (unsigned)rand() % 60;
		while (n < 400) {
			unsigned recent = 0;

			now += 0.125 * (rand() % (int)(8 * gap));
			times[n++] = now;
			for (unsigned i = first; i < n; i++)
				recent += now - times[i] <= settings.lockout_window_s;
			assert_int_equal(fails_hard(1, now), recent >= settings.lockout_failures);
			if (recent < settings.lockout_failures)
				continue;
			now += settings.lockout_duration_s;
			first = n;
		}
	}
}

static void a_lockout_ends_at_its_deadline_and_the_source_starts_anew(void **state)
{
	(void)state;
	assert_true(fails_often(1, 10, LOCKOUT_HARD, 0));
	assert_true(is_locked(1, 59.9));
	assert_false(is_locked(1, 60));
	settings.lockout_window_s = 600;
	assert_false(fails_often(1, 9, LOCKOUT_HARD, 60));
	assert_true(fails_hard(1, 60));
}

static void failures_during_a_lockout_do_not_prolong_it(void **state)
{
	(void)state;
	assert_true(fails_often(1, 10, LOCKOUT_HARD, 0));
	assert_false(fails_often(1, 50, LOCKOUT_HARD, 30));
	assert_false(is_locked(1, 60));
	assert_int_equal(stats().locked, 1);
}

/* FACTS: ten forged INVITEs lock out the carrier they name. */
static void soft_evidence_never_locks_out_a_source_somebody_vouches_for(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_false(fails(source(1), LOCKOUT_SOFT, true, 0));
	assert_int_equal(stats().sources, 0);
	for (int i = 0; i < 9; i++)
		assert_false(fails(source(1), LOCKOUT_HARD, true, 0));
	assert_true(fails(source(1), LOCKOUT_HARD, true, 0));
}

static void soft_evidence_locks_out_a_source_nobody_vouches_for(void **state)
{
	(void)state;
	assert_true(fails_often(1, 10, LOCKOUT_SOFT, 0));
	assert_false(fails_often(2, 5, LOCKOUT_SOFT, 0));
	assert_true(fails_often(2, 5, LOCKOUT_HARD, 0)); /* both grades share the counter */
}

static void soft_evidence_from_before_a_source_was_proven_does_not_count_any_more(void **state)
{
	(void)state;
	assert_false(fails_often(1, 9, LOCKOUT_SOFT, 0));
	for (int i = 0; i < 9; i++)
		assert_false(fails(source(1), LOCKOUT_HARD, true, 1));
	assert_true(fails(source(1), LOCKOUT_HARD, true, 1));
}

static void ipv6_sources_are_counted_by_64_and_ipv4_one_by_one(void **state)
{
	struct ip ip = {.family = 6, .bytes = {0x20, 0x01, 0x0d, 0xb8}};

	(void)state;
	for (uint8_t i = 0; i < 9; i++) {
		ip.bytes[15] = i;
		assert_false(fails(ip, LOCKOUT_HARD, false, 0));
	}
	ip.bytes[7] = 1;
	assert_false(fails(ip, LOCKOUT_HARD, false, 0));
	ip.bytes[7] = 0;
	ip.bytes[8] = 0xff;
	assert_true(fails(ip, LOCKOUT_HARD, false, 0));
	for (unsigned i = 0; i < LIMIT / 2; i++)
		assert_false(fails_often(i, 5, LOCKOUT_SOFT, 0));
}

static void ipv6_sources_are_as_wide_as_the_setting_says(void **state)
{
	struct ip ip = {.family = 6, .bytes = {0x20, 0x01, 0x0d, 0xb8}};

	(void)state;
	settings.source_v6_bits = 56;
	for (uint8_t i = 0; i < 9; i++) {
		ip.bytes[7] = i;
		assert_false(fails(ip, LOCKOUT_HARD, false, 0));
	}
	ip.bytes[6] = 1;
	assert_false(fails(ip, LOCKOUT_HARD, false, 0));
	ip.bytes[6] = 0;
	assert_true(fails(ip, LOCKOUT_HARD, false, 0));
	assert_true(lockout_active(lockouts, &settings, &ip, at(0), NULL));
	settings.source_v6_bits = 48; /* ends what was counted and locked under another width */
	assert_false(lockout_active(lockouts, &settings, &ip, at(0), NULL));
	for (int i = 0; i < 9; i++)
		assert_false(fails(ip, LOCKOUT_HARD, false, 0));
	assert_true(fails(ip, LOCKOUT_HARD, false, 0));
}

static double lockout_length(double seconds)
{
	struct lockout_evidence evidence = {source(1), LOCKOUT_HARD, SIPWARD_LOCKOUT_CREDENTIAL,
					    false};
	struct sipward_lockout lockout = {0};

	for (int i = 0; i < 9; i++)
		assert_false(fails_hard(1, seconds));
	assert_true(lockout_failure(lockouts, &settings, &evidence, at(seconds), &lockout));
	return (double)(lockout.until_ns - lockout.since_ns) / (double)NS_PER_S;
}

static void repeat_offenders_are_locked_twice_as_long_up_to_the_ceiling(void **state)
{
	static const double lengths[] = {60, 120, 240, 300, 300};
	double now = 0;

	(void)state;
	settings.lockout_ceiling_s = 300;
	for (size_t i = 0; i < 5; i++) {
		assert_true(lockout_length(now) == lengths[i]);
		now += lengths[i] + 1;
	}
	assert_true(lockout_length(now + 301) == 60); /* forgiven after the ceiling's time */
}

static void without_a_ceiling_every_lockout_is_the_same(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(lockout_length(61 * i) == 60);
}

static void settings_count_at_the_next_failure(void **state)
{
	(void)state;
	settings.lockout_failures = 0;
	assert_false(fails_often(1, 1000, LOCKOUT_HARD, 0));
	settings.lockout_failures = 1000; /* more than are remembered: 64 */
	assert_false(fails_often(2, 63, LOCKOUT_HARD, 0));
	assert_true(fails_hard(2, 0));
	assert_false(fails_often(3, 5, LOCKOUT_HARD, 0));
	settings.lockout_failures = 3;
	assert_true(fails_hard(3, 0));
}

static void a_forged_flood_never_pushes_out_hard_evidence(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LIMIT / 2; i++)
		assert_false(fails_often(i, 9, LOCKOUT_HARD, 0));
	for (unsigned i = 100; i < 10000; i++)
		fails_softly(i, 1);
	assert_int_equal(stats().sources, LIMIT);
	for (unsigned i = 0; i < LIMIT / 2; i++)
		assert_true(fails_hard(i, 2));
}

static void a_flood_of_locked_out_forgeries_leaves_places_for_hard_evidence(void **state)
{
	(void)state;
	for (unsigned i = 100; i < 200; i++)
		fails_often(i, 10, LOCKOUT_SOFT, 0);
	assert_int_equal(stats().locked, LIMIT / 2);
	assert_true(stats().full > 0);
	assert_false(fails_often(1, 9, LOCKOUT_HARD, 1));
	assert_true(fails_hard(1, 1));
	for (unsigned i = 100; i < 100 + LIMIT / 2; i++)
		assert_true(is_locked(i, 1));
}

static void the_longest_silent_source_that_is_not_locked_out_makes_room(void **state)
{
	(void)state;
	assert_true(fails_often(0, 10, LOCKOUT_HARD, 0));
	for (unsigned i = 1; i < LIMIT / 2; i++)
		assert_false(fails_often(i, 9, LOCKOUT_HARD, i));
	assert_false(fails_hard(50, 20));
	assert_true(is_locked(0, 20));
	assert_true(fails_hard(2, 21));	 /* still there */
	assert_false(fails_hard(1, 22)); /* gone, and starts anew */
	assert_int_equal(stats().full, 0);
	assert_int_equal(stats().sources, LIMIT / 2);
}

static void a_table_full_of_lockouts_counts_what_it_can_not_take(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LIMIT / 2; i++)
		assert_true(fails_often(i, 10, LOCKOUT_HARD, 0));
	assert_false(fails_often(50, 10, LOCKOUT_HARD, 1));
	assert_int_equal(stats().full, 10);
	assert_true(fails_often(50, 10, LOCKOUT_HARD, 61));
}

static void a_source_that_turns_hard_moves_to_the_other_half(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LIMIT / 2; i++)
		assert_false(fails_often(i, 8, LOCKOUT_SOFT, 0));
	assert_false(fails_hard(3, 1));
	for (unsigned i = 100; i < 200; i++)
		fails_softly(i, 2);
	assert_true(fails_hard(3, 3));
}

static void a_source_can_not_turn_hard_where_there_is_no_room(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LIMIT / 2; i++)
		assert_true(fails_often(i, 10, LOCKOUT_HARD, 0));
	assert_false(fails_often(50, 9, LOCKOUT_SOFT, 0));
	assert_false(fails_hard(50, 0));
	assert_int_equal(stats().full, 1);
	assert_true(fails_softly(50, 0));
}

static void what_is_long_over_is_forgotten(void **state)
{
	(void)state;
	for (unsigned i = 0; i < LIMIT / 2; i++) {
		fails_hard(i, 0);
		fails_softly(100 + i, 0);
	}
	assert_int_equal(stats().sources, LIMIT);
	for (unsigned i = 0; i < LIMIT; i++)
		fails_hard(1, 61 + i);
	assert_int_equal(stats().sources, 1);
}

/* ---- what is told of a source ---- */

static struct lockout_record record_of(unsigned i, double seconds)
{
	struct lockout_record record;
	struct ip ip = source(i);

	memset(&record, 0xaa, sizeof(record));
	lockout_evidence_of(lockouts, &settings, &ip, at(seconds), &record);
	return record;
}

static void evidence_tells_grade_counts_reason_first_and_last(void **state)
{
	struct lockout_evidence refused = {source(1), LOCKOUT_SOFT, SIPWARD_LOCKOUT_ADDRESS, false};
	struct lockout_record record;

	(void)state;
	assert_false(fails_softly(1, 0));
	assert_false(fails_often(1, 2, LOCKOUT_SOFT, 10));
	record = record_of(1, 11);
	assert_int_equal(record.soft, 3);
	assert_int_equal(record.hard, 0);
	assert_int_equal(record.grade, LOCKOUT_SOFT);
	assert_int_equal(record.reason, SIPWARD_LOCKOUT_CREDENTIAL);
	assert_false(fails_hard(1, 20));
	assert_false(lockout_failure(lockouts, &settings, &refused, at(30), NULL));
	record = record_of(1, 31);
	assert_int_equal(record.soft, 4);
	assert_int_equal(record.hard, 1);
	assert_int_equal(record.grade, LOCKOUT_HARD);
	assert_int_equal(record.reason, SIPWARD_LOCKOUT_ADDRESS);
	assert_int_equal(record.first_ns, at(0));
	assert_int_equal(record.last_ns, at(30));
	assert_false(record.locked_out);
	assert_int_equal(record.next_ns, 60 * NS_PER_S);
}

static void evidence_that_has_left_the_window_counts_no_more_but_is_told(void **state)
{
	struct lockout_record record;

	(void)state;
	assert_false(fails_often(1, 3, LOCKOUT_HARD, 0));
	assert_false(fails_hard(1, 50));
	record = record_of(1, 61);
	assert_int_equal(record.hard, 1);
	assert_int_equal(record.first_ns, at(0));
	record = record_of(1, 111);
	assert_int_equal(record.hard, 0);
	assert_int_equal(record.last_ns, at(50));
	assert_int_equal(record_of(1, 50.0 * 86400).hard, 0); /* where milliseconds have wrapped */
	assert_false(fails_hard(1, 200));
	assert_int_equal(record_of(1, 200).first_ns, at(200)); /* another series */
}

static void evidence_of_a_locked_out_source_is_what_led_to_it(void **state)
{
	struct lockout_record record;

	(void)state;
	settings.lockout_window_s = 600;
	settings.lockout_ceiling_s = 300;
	assert_false(fails_often(1, 4, LOCKOUT_SOFT, 0));
	assert_true(fails_often(1, 6, LOCKOUT_HARD, 5));
	assert_false(fails_often(1, 9, LOCKOUT_HARD, 30));
	record = record_of(1, 59);
	assert_true(record.locked_out);
	assert_int_equal(record.soft, 4);
	assert_int_equal(record.hard, 6);
	assert_int_equal(record.last_ns, at(5));
	assert_int_equal(record.lockout.failures, 10);
	assert_int_equal(record.next_ns, 120 * NS_PER_S);
	record = record_of(1, 66);
	assert_false(record.locked_out);
	assert_int_equal(record.soft + record.hard, 0);
	assert_int_equal(record.first_ns, at(0));
	assert_int_equal(record.next_ns, 120 * NS_PER_S);
	assert_int_equal(record_of(1, 366).next_ns, 60 * NS_PER_S);
}

static void of_a_source_that_did_nothing_nothing_is_told(void **state)
{
	struct lockout_record record = record_of(1, 0);

	(void)state;
	assert_int_equal(record.soft + record.hard, 0);
	assert_int_equal(record.first_ns, 0);
	assert_int_equal(record.last_ns, 0);
	assert_false(record.locked_out);
	assert_int_equal(record.next_ns, 60 * NS_PER_S);
	assert_int_equal(stats().sources, 0);
}

static void forged_evidence_against_a_vouched_source_is_not_even_remembered(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		assert_false(fails(source(1), LOCKOUT_SOFT, true, 0));
	assert_int_equal(record_of(1, 0).last_ns, 0);
}

static void a_failing_allocation_counts_as_full(void **state)
{
	struct lockouts *none = NULL;

	(void)state;
	allocations_left = 0;
	assert_false(fails_often(1, 20, LOCKOUT_HARD, 0));
	assert_int_equal(stats().full, 20);
	assert_int_equal(lockouts_create(NULL, LIMIT, &none), -ENOMEM);
	assert_null(none);
	allocations_left = -1;
	assert_true(fails_often(1, 10, LOCKOUT_HARD, 0));
	lockouts_free(NULL);
}

#define LOCKOUT_TEST(function) cmocka_unit_test_setup_teardown(function, create, destroy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOCKOUT_TEST(the_tenth_failure_locks_and_the_ninth_does_not),
		LOCKOUT_TEST(failures_spread_wider_than_the_window_do_not_lock),
		LOCKOUT_TEST(the_window_slides_and_has_no_edges),
		LOCKOUT_TEST(any_failures_agree_with_a_naive_window),
		LOCKOUT_TEST(a_lockout_ends_at_its_deadline_and_the_source_starts_anew),
		LOCKOUT_TEST(failures_during_a_lockout_do_not_prolong_it),
		LOCKOUT_TEST(soft_evidence_never_locks_out_a_source_somebody_vouches_for),
		LOCKOUT_TEST(soft_evidence_locks_out_a_source_nobody_vouches_for),
		LOCKOUT_TEST(soft_evidence_from_before_a_source_was_proven_does_not_count_any_more),
		LOCKOUT_TEST(ipv6_sources_are_counted_by_64_and_ipv4_one_by_one),
		LOCKOUT_TEST(ipv6_sources_are_as_wide_as_the_setting_says),
		LOCKOUT_TEST(repeat_offenders_are_locked_twice_as_long_up_to_the_ceiling),
		LOCKOUT_TEST(without_a_ceiling_every_lockout_is_the_same),
		LOCKOUT_TEST(settings_count_at_the_next_failure),
		LOCKOUT_TEST(a_forged_flood_never_pushes_out_hard_evidence),
		LOCKOUT_TEST(a_flood_of_locked_out_forgeries_leaves_places_for_hard_evidence),
		LOCKOUT_TEST(the_longest_silent_source_that_is_not_locked_out_makes_room),
		LOCKOUT_TEST(a_table_full_of_lockouts_counts_what_it_can_not_take),
		LOCKOUT_TEST(a_source_that_turns_hard_moves_to_the_other_half),
		LOCKOUT_TEST(a_source_can_not_turn_hard_where_there_is_no_room),
		LOCKOUT_TEST(what_is_long_over_is_forgotten),
		LOCKOUT_TEST(evidence_tells_grade_counts_reason_first_and_last),
		LOCKOUT_TEST(evidence_that_has_left_the_window_counts_no_more_but_is_told),
		LOCKOUT_TEST(evidence_of_a_locked_out_source_is_what_led_to_it),
		LOCKOUT_TEST(of_a_source_that_did_nothing_nothing_is_told),
		LOCKOUT_TEST(forged_evidence_against_a_vouched_source_is_not_even_remembered),
		LOCKOUT_TEST(a_failing_allocation_counts_as_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
