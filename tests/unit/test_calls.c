/* SPDX-License-Identifier: BSD-2-Clause */
/* How many calls a trunk and a user may place: the counting by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "proxy/calls.h"

struct counting {
	struct calls calls;
	struct policy_trunk trunk, other;
	struct policy_user alice, bob;
	uint64_t now_ns;
};

static void counting_setup(struct counting *c, size_t limit)
{
	*c = (struct counting){.trunk.config.id = 1,
			       .other.config.id = 2,
			       .alice.id = 11,
			       .bob.id = 12,
			       .now_ns = NS_PER_S};
	assert_int_equal(calls_init(&c->calls, limit), 0);
}

static enum calls_verdict begin(struct counting *c, const struct policy_user *user, uint64_t call)
{
	struct calls_placed placed = {&c->trunk, user, c->now_ns};

	return calls_begin(&c->calls, &placed, call);
}

static void answered(struct counting *c, const struct policy_user *user, uint64_t call,
		     uint64_t dialog)
{
	struct calls_placed placed = {&c->trunk, user, c->now_ns};

	calls_answer(&c->calls, &placed, call, dialog);
}

static void trunk_without_limits_takes_no_memory(void **state)
{
	struct counting c;

	(void)state;
	counting_setup(&c, 10);
	for (uint64_t i = 1; i < 100; i++)
		assert_int_equal(begin(&c, &c.alice, i), CALLS_OK);
	answered(&c, &c.alice, 1, 1001);
	assert_int_equal(c.calls.running.count, 0);
	assert_int_equal(c.calls.parties.count, 0);
	calls_free(&c.calls);
}

static void call_counts_from_its_invite_until_it_fails_or_ends(void **state)
{
	struct counting c;

	(void)state;
	counting_setup(&c, 10);
	c.trunk.config.calls_max = 2;
	assert_int_equal(begin(&c, NULL, 1), CALLS_OK);
	assert_int_equal(begin(&c, NULL, 2), CALLS_OK);
	assert_int_equal(begin(&c, NULL, 3), CALLS_TOO_MANY);
	assert_int_equal(calls_of_trunk(&c.calls, 1), 2);
	calls_end(&c.calls, 1);
	assert_int_equal(begin(&c, NULL, 3), CALLS_OK);
	answered(&c, NULL, 2, 1002);
	calls_end(&c.calls, 2); /* known by its dialog now */
	assert_int_equal(calls_of_trunk(&c.calls, 1), 2);
	calls_end(&c.calls, 1002);
	calls_end(&c.calls, 1002);
	assert_int_equal(calls_of_trunk(&c.calls, 1), 1);
	assert_int_equal(begin(&c, NULL, 4), CALLS_OK);
	assert_int_equal(begin(&c, NULL, 5), CALLS_TOO_MANY);
	calls_free(&c.calls);
}

/* Two INVITEs with one Call-ID and tag may become two calls, and count as two. */
static void invites_of_one_call_id_count_one_by_one(void **state)
{
	struct counting c;

	(void)state;
	counting_setup(&c, 10);
	c.trunk.config.calls_max = 2;
	assert_int_equal(begin(&c, NULL, 1), CALLS_OK);
	assert_int_equal(begin(&c, NULL, 1), CALLS_OK);
	assert_int_equal(begin(&c, NULL, 1), CALLS_TOO_MANY);
	answered(&c, NULL, 1, 1001);
	answered(&c, NULL, 1, 1002);
	assert_int_equal(calls_of_trunk(&c.calls, 1), 2);
	calls_end(&c.calls, 1001);
	assert_int_equal(calls_of_trunk(&c.calls, 1), 1);
	calls_free(&c.calls);
}

static void users_have_limits_of_their_own(void **state)
{
	struct counting c;

	(void)state;
	counting_setup(&c, 10);
	c.trunk.config.user_calls_max = 1;
	assert_int_equal(begin(&c, &c.alice, 1), CALLS_OK);
	assert_int_equal(begin(&c, &c.alice, 2), CALLS_TOO_MANY);
	assert_int_equal(begin(&c, &c.bob, 3), CALLS_OK);
	assert_int_equal(begin(&c, NULL, 4), CALLS_OK);
	c.trunk.config.calls_max = 2;
	calls_end(&c.calls, 1);
	assert_int_equal(begin(&c, &c.alice, 5), CALLS_OK);
	calls_free(&c.calls);
}

static void rate_is_a_bucket_of_a_seconds_calls(void **state)
{
	struct counting c;

	(void)state;
	counting_setup(&c, 10);
	c.trunk.config.calls_per_s = 4;
	for (int i = 0; i < 4; i++)
		assert_int_equal(begin(&c, NULL, 1), CALLS_OK);
	assert_int_equal(begin(&c, NULL, 1), CALLS_PER_SECOND);
	c.now_ns += 249 * NS_PER_MS;
	assert_int_equal(begin(&c, NULL, 1), CALLS_PER_SECOND);
	c.now_ns += 1 * NS_PER_MS;
	assert_int_equal(begin(&c, NULL, 1), CALLS_OK);
	assert_int_equal(begin(&c, NULL, 1), CALLS_PER_SECOND);
	c.now_ns += 3600 * NS_PER_S;
	for (int i = 0; i < 4; i++)
		assert_int_equal(begin(&c, NULL, 1), CALLS_OK);
	assert_int_equal(begin(&c, NULL, 1), CALLS_PER_SECOND);
	assert_int_equal(c.calls.running.count, 0);
	calls_free(&c.calls);
}

/* One user in excess leaves the trunk's budget to the others. */
static void a_users_excess_is_not_taken_from_the_trunk(void **state)
{
	struct counting c;

	(void)state;
	counting_setup(&c, 10);
	c.trunk.config.calls_per_s = 3;
	c.trunk.config.user_calls_per_s = 1;
	assert_int_equal(begin(&c, &c.alice, 1), CALLS_OK);
	for (int i = 0; i < 100; i++)
		assert_int_equal(begin(&c, &c.alice, 1), CALLS_PER_SECOND);
	assert_int_equal(begin(&c, &c.bob, 1), CALLS_OK);
	assert_int_equal(begin(&c, NULL, 1), CALLS_OK);
	assert_int_equal(begin(&c, NULL, 1), CALLS_PER_SECOND);
	calls_free(&c.calls);
}

static void full_table_refuses_and_counts(void **state)
{
	struct counting c;

	(void)state;
	counting_setup(&c, 2);
	c.trunk.config.calls_max = 100;
	assert_int_equal(begin(&c, NULL, 1), CALLS_OK);
	assert_int_equal(begin(&c, NULL, 2), CALLS_OK);
	assert_int_equal(begin(&c, NULL, 3), CALLS_FULL);
	answered(&c, NULL, 3, 1003); /* under way all the same, but not counted */
	assert_int_equal(c.calls.running.count, 2);
	assert_int_equal(c.calls.full, 1);
	calls_free(&c.calls);
}

static void silent_call_ends_and_one_heard_of_does_not(void **state)
{
	struct counting c;

	(void)state;
	counting_setup(&c, 10);
	c.trunk.config.calls_max = 2;
	begin(&c, NULL, 1);
	answered(&c, NULL, 1, 1001);
	begin(&c, NULL, 2);
	answered(&c, NULL, 2, 1002);
	calls_tick(&c.calls, c.now_ns + CALLS_SILENCE_NS - 1);
	assert_int_equal(calls_of_trunk(&c.calls, 1), 2);
	calls_hear(&c.calls, 1001, c.now_ns + 1);
	calls_tick(&c.calls, c.now_ns + CALLS_SILENCE_NS);
	assert_int_equal(calls_of_trunk(&c.calls, 1), 1);
	calls_end(&c.calls, 1001);
	assert_int_equal(calls_of_trunk(&c.calls, 1), 0);
	calls_free(&c.calls);
}

static void call_of_unknown_beginning_is_counted_when_it_is_heard_of(void **state)
{
	struct counting c;
	struct calls_placed placed = {.trunk = &c.trunk};

	(void)state;
	counting_setup(&c, 10);
	c.trunk.config.calls_max = 1;
	answered(&c, NULL, 1, 1001);
	calls_confirm(&c.calls, &placed, 2, 1002);
	assert_int_equal(calls_of_trunk(&c.calls, 1), 2);
	calls_confirm(&c.calls, &placed, 2, 1002);
	assert_int_equal(calls_of_trunk(&c.calls, 1), 2);
	assert_int_equal(begin(&c, NULL, 3), CALLS_TOO_MANY);
	calls_free(&c.calls);
}

static void update_before_the_answer_does_not_count_the_call_twice(void **state)
{
	struct counting c;
	struct calls_placed placed = {.trunk = &c.trunk};

	(void)state;
	counting_setup(&c, 10);
	c.trunk.config.calls_max = 5;
	begin(&c, NULL, 1);
	calls_confirm(&c.calls, &placed, 1, 1001);
	assert_int_equal(calls_of_trunk(&c.calls, 1), 1);
	answered(&c, NULL, 1, 1001);
	assert_int_equal(calls_of_trunk(&c.calls, 1), 1);
	calls_free(&c.calls);
}

static void idle_trunks_are_forgotten_when_the_policy_changes(void **state)
{
	struct counting c;

	(void)state;
	counting_setup(&c, 10);
	c.trunk.config.calls_max = 5;
	c.trunk.config.calls_per_s = 1;
	begin(&c, &c.alice, 1);
	calls_forget_idle(&c.calls, c.now_ns + 10 * NS_PER_S);
	assert_int_equal(c.calls.parties.count, 2);
	calls_end(&c.calls, 1);
	calls_forget_idle(&c.calls, c.now_ns + NS_PER_MS);
	assert_int_equal(begin(&c, NULL, 1), CALLS_PER_SECOND);
	calls_forget_idle(&c.calls, c.now_ns + 10 * NS_PER_S);
	assert_int_equal(c.calls.parties.count, 0);
	calls_free(&c.calls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trunk_without_limits_takes_no_memory),
		cmocka_unit_test(call_counts_from_its_invite_until_it_fails_or_ends),
		cmocka_unit_test(invites_of_one_call_id_count_one_by_one),
		cmocka_unit_test(users_have_limits_of_their_own),
		cmocka_unit_test(rate_is_a_bucket_of_a_seconds_calls),
		cmocka_unit_test(a_users_excess_is_not_taken_from_the_trunk),
		cmocka_unit_test(full_table_refuses_and_counts),
		cmocka_unit_test(silent_call_ends_and_one_heard_of_does_not),
		cmocka_unit_test(call_of_unknown_beginning_is_counted_when_it_is_heard_of),
		cmocka_unit_test(update_before_the_answer_does_not_count_the_call_twice),
		cmocka_unit_test(idle_trunks_are_forgotten_when_the_policy_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
