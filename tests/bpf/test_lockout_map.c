/* SPDX-License-Identifier: BSD-2-Clause */
/* Lockouts and proven sources in the filter's own maps. Skipped without root. */
#include <errno.h>
#include <sched.h>

#include "../unit/admission_fixture.h"
#include "base/clock.h"

#define INTERFACE "sipward-pol0"

static char pin_dir[64];
static struct filter *filter;
static struct lockouts *lockouts;
static const struct store_settings settings = {.lockout_failures = 10,
					       .lockout_window_s = 60,
					       .lockout_duration_s = 60,
					       .lockout_ceiling_s = 3600};

static int attach_filter(void **state)
{
	const struct filter_attach_options options = {
		.pin_dir = pin_dir, .ifname = INTERFACE, .mode = FILTER_ATTACH_GENERIC};
	struct filter_attachment attachment;
	struct error err = {0};
	int rc;

	(void)state;
	if (geteuid() != 0)
		return 0;
	snprintf(pin_dir, sizeof(pin_dir), "/sys/fs/bpf/sipward-test-policy-%d", getpid());
	rc = unshare(CLONE_NEWNET);
	if (rc == 0)
		rc = system("ip link add " INTERFACE " type veth peer name sipward-pol1");
	if (rc == 0)
		rc = filter_attach(&options, &attachment, &err);
	if (rc == 0)
		rc = filter_open(pin_dir, INTERFACE, &filter, &err);
	if (rc)
		print_error("%d %s\n", rc, err.text);
	return rc;
}

static int detach_filter(void **state)
{
	(void)state;
	if (!filter)
		return 0;
	filter_close(filter);
	return filter_detach(pin_dir, INTERFACE, NULL);
}

static int create(void **state)
{
	size_t n;

	(void)state;
	if (!filter)
		return 0;
	assert_int_equal(filter_lockout_clear_all(filter, &n), 0);
	return lockouts_create(filter, 1024, &lockouts);
}

static int destroy(void **state)
{
	(void)state;
	lockouts_free(lockouts);
	lockouts = NULL;
	return 0;
}

static const struct ip attacker = {4, {203, 0, 113, 66}};

/* Whether one of n failures locked the attacker out. */
static bool fails(unsigned n)
{
	const struct lockout_evidence evidence = {attacker, LOCKOUT_HARD,
						  SIPWARD_LOCKOUT_CREDENTIAL, false};
	bool locked = false;

	while (n--)
		locked |= lockout_failure(lockouts, &settings, &evidence, clock_coarse_ns(), NULL);
	return locked;
}

static bool is_locked(void)
{
	return lockout_active(lockouts, &settings, &attacker, clock_coarse_ns(), NULL);
}

static void a_lockout_is_in_the_map_the_moment_it_is_made(void **state)
{
	struct sipward_source source = filter_source(&attacker, 64);
	struct sipward_lockout lockout;

	(void)state;
	if (!filter)
		skip();
	assert_false(fails(9));
	assert_int_equal(filter_lockout_get(filter, &source, &lockout), -ENOENT);
	assert_true(fails(1));
	assert_int_equal(filter_lockout_get(filter, &source, &lockout), 0);
	assert_int_equal(lockout.until_ns - lockout.since_ns, 60 * NS_PER_S);
	assert_int_equal(lockout.failures, 10);
	assert_int_equal(lockout.reason, SIPWARD_LOCKOUT_CREDENTIAL);
	assert_true(is_locked());
}

static void what_is_cleared_in_the_map_counts_at_once(void **state)
{
	struct sipward_source source = filter_source(&attacker, 64);

	(void)state;
	if (!filter)
		skip();
	assert_true(fails(10));
	assert_int_equal(filter_lockout_clear(filter, &source), 0);
	assert_false(is_locked());
	assert_false(fails(9));
	assert_true(fails(1));
}

static void what_is_added_to_the_map_counts_at_once(void **state)
{
	struct sipward_source source = filter_source(&attacker, 64);
	struct sipward_lockout lockout = {.until_ns = clock_coarse_ns() + 60 * NS_PER_S};

	(void)state;
	if (!filter)
		skip();
	assert_int_equal(filter_lockout_set(filter, &source, &lockout), 0);
	assert_true(is_locked());
	assert_false(fails(20));
}

static void a_new_daemon_knows_the_lockouts_of_the_old_one(void **state)
{
	struct sipward_source source = filter_source(&attacker, 64);
	struct sipward_lockout lockout;

	(void)state;
	if (!filter)
		skip();
	assert_true(fails(10));
	lockouts_free(lockouts);
	lockouts = NULL;
	assert_int_equal(lockouts_create(filter, 1024, &lockouts), 0);
	assert_true(is_locked());
	assert_int_equal(filter_lockout_clear(filter, &source), 0);
	assert_true(fails(10));
	assert_int_equal(filter_lockout_get(filter, &source, &lockout), 0);
	assert_int_equal(lockout.until_ns - lockout.since_ns,
			 120 * NS_PER_S); /* a repeat offender */
}

/* A map that is gone: the lockout stands in memory and the failure is told. */
static void a_lockout_that_the_map_can_not_take_stands_all_the_same(void **state)
{
	struct lockout_stats stats;

	(void)state;
	if (!filter)
		skip();
	for (int fd = 3; fd < 64; fd++) {
		char link[64], target[64] = "";

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (readlink(link, target, sizeof(target) - 1) > 0 && strstr(target, "bpf-map"))
			close(fd);
	}
	assert_true(fails(10));
	lockout_stats(lockouts, &stats);
	assert_int_equal(stats.map_errors, 1);
	assert_true(is_locked());
}

static void success_makes_an_unlisted_source_proven_and_vouched_for(void **state)
{
	struct client client = client_new("sip:1@cred.example");
	struct ip unlisted = {4, {203, 0, 113, 1}}, listed = {4, {192, 0, 2, 1}};
	struct sipward_source proven = filter_source(&unlisted, 64),
			      other = filter_source(&listed, 64);
	struct gate *gate = *state;
	struct lockout_stats stats;
	uint64_t until_ns;

	if (!filter)
		skip();
	gate->admission.filter = filter;
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	assert_int_equal(filter_proven_get(filter, &proven, &until_ns), 0);
	assert_int_equal(until_ns, (gate->now_s + 3600) * NS_PER_S);
	assert_int_equal(client_call(gate, LISTED, &client), ADMISSION_BY_CREDENTIAL);
	assert_int_equal(filter_proven_get(filter, &other, &until_ns), -ENOENT);

	client = client_new("sip:1@addr.example"); /* refused: soft evidence */
	for (int i = 0; i < 20; i++)
		gate_send(gate, UNLISTED, &client, "");
	assert_int_equal(gate->result.cause, ADMISSION_ADDRESS_REFUSED);
	lockout_stats(gate->admission.lockouts, &stats);
	assert_int_equal(stats.sources, 0);
}

#define MAP_TEST(function) cmocka_unit_test_setup_teardown(function, create, destroy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MAP_TEST(a_lockout_is_in_the_map_the_moment_it_is_made),
		MAP_TEST(what_is_cleared_in_the_map_counts_at_once),
		MAP_TEST(what_is_added_to_the_map_counts_at_once),
		MAP_TEST(a_new_daemon_knows_the_lockouts_of_the_old_one),
		GATE_TEST(success_makes_an_unlisted_source_proven_and_vouched_for),
		/* Last: it closes the maps. */
		MAP_TEST(a_lockout_that_the_map_can_not_take_stands_all_the_same),
	};

	return cmocka_run_group_tests(tests, attach_filter, detach_filter);
}
