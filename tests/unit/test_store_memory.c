/* SPDX-License-Identifier: BSD-2-Clause */
/* SQLite runs out of memory at every place in turn: an error each time, never half a change. */
#include <errno.h>

#include "store/internal.h"
#include "store_fixture.h"
#include "failing_sqlite.h"

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

/* A host name that moves, a caller and a binding, the first two as one change. */
static int change_as_one(struct fixture *f, int64_t host_id)
{
	static const char *const number = "+49*";
	struct ip addresses[2] = {prefix("192.0.2.7").ip, prefix("2001:db8::7").ip};
	struct store_binding_change binding = {.binding = {.trunk_id = 1, .user = "alice"}};
	int rc = store_change_begin(f->store, &f->err);

	if (rc)
		return rc;
	rc = store_acl_host_resolved(f->store, host_id, addresses, 2, 0, &f->err);
	if (rc == 0)
		rc = store_trunk_caller_add(f->store, "t", &number, 1, &f->err);
	rc = store_change_end(f->store, rc == 0, &f->err) ?: rc;
	return rc ? rc : store_binding_write(f->store, &binding, 1, &f->err);
}

static void undo_as_one(struct fixture *f)
{
	static const char *const number = "+49*";
	struct store_acl_host host = {.host = "h.example"};

	assert_ok(f, store_trunk_caller_remove(f->store, "t", &number, 1, &f->err));
	assert_ok(f, store_acl_host_remove(f->store, "a", host.host, &f->err));
	assert_ok(f, store_acl_host_add(f->store, "a", &host, &f->err));
}

static int64_t count(struct fixture *f, const char *sql)
{
	int64_t n = -1;

	assert_ok(f, db_int(f->store, &n, &f->err, sql));
	return n;
}

static void failed_allocation_leaves_a_group_whole_or_undone(void **state)
{
	struct fixture *f = *state;
	struct store_acl_host host = {.host = "h.example"};
	long n = 0;

	assert_ok(f, create_trunk(f, "t", "*", "sip:192.0.2.1"));
	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_ok(f, store_acl_host_add(f->store, "a", &host, &f->err));
	do {
		int64_t id = count(f, "SELECT id FROM acl_host"), entries;
		int rc;

		failed = false;
		left = n++;
		rc = change_as_one(f, id);
		left = -1;
		if (rc && rc != -ENOMEM)
			print_error("allocation %ld: %d: %s\n", n, rc, f->err.text);
		assert_true(rc == 0 || rc == -ENOMEM);
		entries = count(f, "SELECT count(*) FROM acl_entry");
		assert_int_equal(entries, 2 * count(f, "SELECT count(*) FROM trunk_caller"));
		if (rc == 0)
			assert_int_equal(entries, 2);
		if (entries)
			undo_as_one(f);
	} while (failed);
	assert_true(n > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(every_failed_allocation_is_an_error_and_changes_nothing),
		STORE_TEST(failed_allocation_leaves_a_group_whole_or_undone),
	};

	install_failing_allocator();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
