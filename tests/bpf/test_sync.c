/* SPDX-License-Identifier: BSD-2-Clause */
/* From the store to real maps: what the journal's way leaves there is what a full reconcile would
 * write. As root, on a veth in a network namespace that ends with this process. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "../unit/store_hosts.h"
#include "store/internal.h"

static char pin_dir[64];
static struct filter *filter;

static int group_setup(void **state)
{
	struct filter_attach_options options = {.pin_dir = pin_dir, .ifname = "sync0"};
	struct filter_attachment attachment;
	struct error err = {0};
	int rc;

	(void)state;
	snprintf(pin_dir, sizeof(pin_dir), "/sys/fs/bpf/sipward-test-sync-%d", (int)getpid());
	if (unshare(CLONE_NEWNET) || system("ip link add sync0 type veth peer name sync1"))
		return -1;
	rc = filter_attach(&options, &attachment, &err);
	if (rc == 0)
		rc = filter_open(pin_dir, NULL, &filter, &err);
	if (rc)
		print_error("%s\n", err.text);
	return rc;
}

static int group_teardown(void **state)
{
	(void)state;
	filter_close(filter);
	return filter_detach(pin_dir, NULL, NULL);
}

static struct filter_reconciled sync_now(struct fixture *f, bool full)
{
	struct filter_reconciled reconciled = {0};

	assert_ok(f, store_sync(f->store, filter, full, &reconciled, &f->err));
	return reconciled;
}

/* Each test begins with maps that say what its own, new store says: nothing. */
static int sync_setup(void **state)
{
	int rc = fixture_setup(state);

	if (rc == 0)
		sync_now(*state, true);
	return rc;
}

#define SYNC_TEST(function) cmocka_unit_test_setup_teardown(function, sync_setup, fixture_teardown)

/* A full reconcile finds nothing to do: the maps are what the store says. */
static void assert_maps_equal_store(struct fixture *f)
{
	struct filter_reconciled reconciled = sync_now(f, true);

	assert_int_equal(reconciled.added, 0);
	assert_int_equal(reconciled.changed, 0);
	assert_int_equal(reconciled.removed, 0);
}

static unsigned flags_in_maps(const char *address)
{
	struct sipward_acl_value value = {0};
	struct ip ip = prefix(address).ip;

	return filter_acl_lookup(filter, &ip, &value) ? 0 : value.flags;
}

static void one_trunk(struct fixture *f)
{
	assert_ok(f, create_trunk(f, "t", "*", "sip:192.0.2.1"));
	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_ok(f, store_trunk_attach_acl(f->store, "t", "a", &f->err));
}

static void what_the_store_says_is_in_the_maps(void **state)
{
	struct filter_reconciled reconciled;
	struct sipward_settings settings;
	struct fixture *f = *state;
	struct store_settings set;

	one_trunk(f);
	assert_ok(f, allow(f, "a", "10.0.0.0/8"));
	assert_ok(f, deny(f, "a", "10.1.0.0/16"));
	assert_ok(f, allow(f, "a", "2001:db8::/32"));
	assert_ok(f, store_settings_get(f->store, &set, &f->err));
	set.mode = SIPWARD_ENFORCE;
	assert_ok(f, store_settings_set(f->store, &set, &f->err));
	reconciled = sync_now(f, false);
	assert_int_equal(reconciled.added, 4);
	assert_int_equal(flags_in_maps("10.2.3.4"), SIPWARD_ACL_ALLOW);
	assert_int_equal(flags_in_maps("10.1.2.3"), SIPWARD_ACL_DENY);
	assert_int_equal(flags_in_maps("2001:db8:1::1"), SIPWARD_ACL_ALLOW);
	assert_int_equal(flags_in_maps("192.0.2.1"), SIPWARD_ACL_UPSTREAM);
	assert_int_equal(flags_in_maps("192.0.2.2"), 0);
	assert_int_equal(filter_settings_read(filter, &settings), 0);
	assert_int_equal(settings.generation, generation(f));
	assert_int_equal(settings.mode, SIPWARD_ENFORCE);
	assert_maps_equal_store(f);
}

static void one_change_touches_one_rule(void **state)
{
	struct filter_reconciled reconciled;
	struct fixture *f = *state;

	one_trunk(f);
	assert_ok(f, allow(f, "a", "10.0.0.0/8"));
	sync_now(f, false);
	assert_ok(f, allow(f, "a", "10.1.0.0/16"));
	reconciled = sync_now(f, false);
	assert_int_equal(reconciled.added, 1);
	assert_int_equal(reconciled.kept, 0);
	assert_ok(f, take_away(f, "a", "10.1.0.0/16"));
	reconciled = sync_now(f, false);
	assert_int_equal(reconciled.removed, 1);
	reconciled = sync_now(f, false);
	assert_int_equal(reconciled.added + reconciled.changed + reconciled.removed, 0);
	assert_maps_equal_store(f);
}

static int resolve(struct fixture *f, const char *host, const char *address)
{
	struct store_acl_host found;
	struct ip ip = prefix(address).ip;

	assert_true(get_host(f->store, "a", host, &found));
	return store_acl_host_resolved(f->store, found.id, &ip, 1, 0, &f->err);
}

static void host_moves_by_two_rules(void **state)
{
	struct filter_reconciled reconciled;
	struct fixture *f = *state;

	one_trunk(f);
	assert_ok(f, add_host(f, "a", "sip.example", false));
	sync_now(f, false);
	assert_ok(f, resolve(f, "sip.example", "198.51.100.7"));
	reconciled = sync_now(f, false);
	assert_int_equal(reconciled.added, 1);
	assert_int_equal(flags_in_maps("198.51.100.7"), SIPWARD_ACL_ALLOW);
	assert_ok(f, resolve(f, "sip.example", "2001:db8::7"));
	reconciled = sync_now(f, false);
	assert_int_equal(reconciled.added, 1);
	assert_int_equal(reconciled.removed, 1);
	assert_int_equal(flags_in_maps("198.51.100.7"), 0);
	assert_int_equal(flags_in_maps("2001:db8::7"), SIPWARD_ACL_ALLOW);
	assert_maps_equal_store(f);
	assert_ok(f, add_host(f, "a", "sip.example", true));
	sync_now(f, false);
	assert_int_equal(flags_in_maps("2001:db8::7"), SIPWARD_ACL_DENY);
	assert_ok(f, store_acl_host_remove(f->store, "a", "sip.example", &f->err));
	sync_now(f, false);
	assert_int_equal(flags_in_maps("2001:db8::7"), 0);
	assert_maps_equal_store(f);
}

static void setting_alone_reaches_the_maps(void **state)
{
	struct sipward_settings settings;
	struct fixture *f = *state;
	struct store_settings set;

	assert_ok(f, store_settings_get(f->store, &set, &f->err));
	set.source_rate_pps = 77;
	assert_ok(f, store_settings_set(f->store, &set, &f->err));
	sync_now(f, false);
	assert_int_equal(filter_settings_read(filter, &settings), 0);
	assert_int_equal(settings.source_rate_pps, 77);
	assert_int_equal(settings.generation, generation(f));
}

/* ---- random operations ---- */

static struct prefix random_prefix(void)
{
	bool v6 = rand() % 4 == 0;
	struct prefix p = {.ip = prefix(v6 ? "2001:db8::" : "10.0.0.0").ip};
	unsigned bits = v6 ? 128 : 32;

	p.ip.bytes[v6 ? 15 : 3] = (uint8_t)rand();
	p.len = (uint8_t)(rand() % 10 == 0 ? rand() % bits : bits - rand() % 9);
	p.ip = ip_masked(&p.ip, p.len);
	return p;
}

static struct ip random_address(void)
{
	return random_prefix().ip;
}

static void random_operation(struct store *store)
{
	static const char *const acls[] = {"a", "b"}, *const trunks[] = {"t", "u"};
	const char *acl = acls[rand() % 2], *trunk = trunks[rand() % 2];
	struct store_acl_entry entry = {.prefix = random_prefix(), .deny = rand() % 2};

	switch (rand() % 38) {
	case 0:
		store_trunk_attach_acl(store, trunk, acl, NULL);
		break;
	case 1:
		store_trunk_detach_acl(store, trunk, acl, NULL);
		break;
	case 2 ... 10:
		store_acl_remove(store, acl, &entry.prefix, 1, NULL);
		break;
	case 30 ... 37:
		random_host_operation(store, acl, random_address);
		break;
	default:
		store_acl_add(store, acl, &entry, 1, NULL, NULL);
	}
}

static void two_trunks(struct fixture *f)
{
	one_trunk(f);
	assert_ok(f, create_trunk(f, "u", "u.example", "sip:10.0.0.1"));
	assert_ok(f, store_acl_create(f->store, "b", "", &f->err));
	assert_ok(f, store_trunk_attach_acl(f->store, "u", "b", &f->err));
}

static void changes_leave_what_a_full_reconcile_would(void **state)
{
	unsigned seed = (unsigned)time(NULL);
	struct fixture *f = *state;

	print_message("# seed %u\n", seed);
	srand(seed);
	two_trunks(f);
	for (int round = 0; round < 300; round++) {
		for (int n = 1 + rand() % 3; n; n--)
			random_operation(f->store);
		sync_now(f, false);
		assert_maps_equal_store(f);
	}
}

/* ---- several processes, and kills ---- */

static void change_and_sync(const char *dir, int seed, int rounds)
{
	struct store *store;

	srand((unsigned)seed);
	if (store_open(dir, &store, NULL))
		_exit(1);
	for (int i = 0; rounds < 0 || i < rounds; i++) {
		random_operation(store);
		if (store_sync(store, filter, false, NULL, NULL))
			_exit(1);
	}
	_exit(0);
}

static void processes_that_sync_at_once_do_not_undo_each_other(void **state)
{
	struct fixture *f = *state;
	pid_t pids[3];
	int status;

	two_trunks(f);
	for (int i = 0; i < 3; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			change_and_sync(f->dir, i, 60);
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	assert_maps_equal_store(f);
}

static void sync_waits_while_another_process_syncs(void **state)
{
	struct fixture *f = *state;
	struct store *other = NULL;
	pid_t pid;

	two_trunks(f);
	assert_ok(f, store_open(f->dir, &other, &f->err));
	assert_ok(f, store_lock(other, &f->err));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		change_and_sync(f->dir, 1, 1);
	usleep(300000);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	store_unlock(other);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	store_close(other);
	assert_maps_equal_store(f);
}

static void next_sync_heals_what_a_kill_left(void **state)
{
	struct fixture *f = *state;

	two_trunks(f);
	for (int i = 0; i < 10; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0)
			change_and_sync(f->dir, i, -1);
		usleep(20000 + (useconds_t)i * 7000);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		sync_now(f, false);
		assert_maps_equal_store(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SYNC_TEST(what_the_store_says_is_in_the_maps),
		SYNC_TEST(one_change_touches_one_rule),
		SYNC_TEST(host_moves_by_two_rules),
		SYNC_TEST(setting_alone_reaches_the_maps),
		SYNC_TEST(changes_leave_what_a_full_reconcile_would),
		SYNC_TEST(processes_that_sync_at_once_do_not_undo_each_other),
		SYNC_TEST(sync_waits_while_another_process_syncs),
		SYNC_TEST(next_sync_heals_what_a_kill_left),
	};

	if (geteuid() != 0) {
		printf("skip sync: needs root\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
