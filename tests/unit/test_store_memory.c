/* SPDX-License-Identifier: BSD-2-Clause */
/* SQLite runs out of memory at every place in turn: an error each time, never half a change. */
#include <errno.h>

#include "store/internal.h"
#include "store_fixture.h"

static sqlite3_mem_methods real;
static long left = -1; /* allocations until one fails; negative = none does */
static bool failed;

static bool fails_now(void)
{
	if (left < 0 || left-- > 0)
		return false;
	failed = true;
	return true;
}

static void *failing_malloc(int n)
{
	return fails_now() ? NULL : real.xMalloc(n);
}

static void *failing_realloc(void *old, int n)
{
	return fails_now() ? NULL : real.xRealloc(old, n);
}

static void install_failing_allocator(void)
{
	sqlite3_mem_methods failing;

	assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real), SQLITE_OK);
	failing = real;
	failing.xMalloc = failing_malloc;
	failing.xRealloc = failing_realloc;
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing), SQLITE_OK);
	/* So that every allocation comes to the allocator. */
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
}

static int visit_entry(const struct store_acl_entry *entry, void *arg)
{
	(void)entry;
	(*(int *)arg)++;
	return 0;
}

static int change_and_read(struct fixture *f)
{
	struct store_acl_entry entries[2] = {{.prefix = prefix("10.0.0.0/8")},
					     {.prefix = prefix("10.1.0.0/16"), .deny = true}};
	struct filter_rules rules = {0};
	struct store *store = NULL;
	int seen = 0;
	int rc = store_open(f->dir, &store, &f->err);

	if (rc == 0)
		rc = store_acl_add(store, "a", entries, 2, NULL, &f->err);
	if (rc == 0)
		rc = store_acl_entry_each(store, "a", visit_entry, &seen, &f->err);
	if (rc == 0)
		assert_int_equal(seen, 2);
	if (rc == 0)
		rc = store_filter_rules(store, &rules, &f->err);
	if (rc == 0)
		assert_int_equal(rules.count, 3);
	free(rules.rules);
	store_close(store);
	return rc;
}

static void every_failed_allocation_is_an_error_and_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct store_acl acl;
	long n = 0;

	assert_ok(f, create_trunk(f, "t", "*", "sip:192.0.2.1"));
	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_ok(f, store_trunk_attach_acl(f->store, "t", "a", &f->err));
	do {
		int rc;

		failed = false;
		left = n++;
		rc = change_and_read(f);
		left = -1;
		/* SQLite copes with some failures by itself. */
		if (rc && rc != -ENOMEM)
			print_error("allocation %ld: %d: %s\n", n, rc, f->err.text);
		assert_true(rc == 0 || rc == -ENOMEM);
		assert_ok(f, store_acl_get(f->store, "a", &acl, &f->err));
		assert_true(acl.entries == 0 || acl.entries == 2);
		if (rc == 0)
			assert_int_equal(acl.entries, 2);
		if (acl.entries) {
			assert_ok(f, take_away(f, "a", "10.0.0.0/8"));
			assert_ok(f, take_away(f, "a", "10.1.0.0/16"));
		}
	} while (failed);
	assert_true(n > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(every_failed_allocation_is_an_error_and_changes_nothing),
	};

	install_failing_allocator();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
