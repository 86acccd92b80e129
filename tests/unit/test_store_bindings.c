/* SPDX-License-Identifier: BSD-2-Clause */
/* Registrations in the store, and several changes as one. */
#include <errno.h>

#include "store/effective.h"
#include "store_fixture.h"

static int trunk_setup(void **state)
{
	struct fixture *f;
	int rc = fixture_setup(state);

	if (rc)
		return rc;
	f = *state;
	rc = create_trunk(f, "t", "t.example", "sip:192.0.2.1");
	return rc ? rc : create_trunk(f, "s", "s.example", "sip:192.0.2.1");
}

#define TRUNK_TEST(function)                                                                       \
	cmocka_unit_test_setup_teardown(function, trunk_setup, fixture_teardown)

/* ---- registrations ---- */

static int64_t id_of(struct fixture *f, const char *name)
{
	struct store_trunk trunk;

	assert_ok(f, store_trunk_get(f->store, name, &trunk, &f->err));
	return trunk.id;
}

static struct store_binding_change binding(struct fixture *f, const char *trunk, const char *user,
					   const char *contact)
{
	struct store_binding_change change = {
		.binding = {
			.trunk_id = id_of(f, trunk),
			.reg_id = 7,
			.q = 500,
			.cseq = 4000000000,
			.expires_s = 1800000000,
			.received = {prefix("198.51.100.7").ip, 40000},
			.local = {prefix("2001:db8::1").ip, 5060},
			.transport = 2,
		}};

	strcpy(change.binding.user, user);
	strcpy(change.binding.contact, contact);
	strcpy(change.binding.instance, "<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>");
	strcpy(change.binding.call_id, "call@host");
	strcpy(change.binding.user_agent, "phone/1.0 \xff");
	return change;
}

static int write_one(struct fixture *f, struct store_binding_change change)
{
	return store_binding_write(f->store, &change, 1, &f->err);
}

struct listing {
	char text[512];
};

static int list_binding(const struct store_binding *binding, const char *trunk, void *arg)
{
	struct listing *listing = arg;
	size_t used = strlen(listing->text);

	snprintf(listing->text + used, sizeof(listing->text) - used, "%s%s/%s/%s", used ? " " : "",
		 trunk, binding->user, binding->contact);
	return 0;
}

static void assert_bindings(struct fixture *f, const char *wanted)
{
	struct listing listing = {""};

	assert_ok(f, store_binding_each(f->store, list_binding, &listing, &f->err));
	assert_string_equal(listing.text, wanted);
}

static int keep_binding(const struct store_binding *got, const char *trunk, void *arg)
{
	assert_string_equal(trunk, "t");
	*(struct store_binding *)arg = *got;
	return 0;
}

static void registration_outlives_the_daemon(void **state)
{
	struct fixture *f = *state;
	struct store_binding_change change = binding(f, "t", "alice", "sip:alice@10.0.0.1");
	struct store_binding got = {0};
	uint64_t before = generation(f);

	assert_ok(f, write_one(f, change));
	assert_int_equal(generation(f), before);
	store_close(f->store);
	assert_ok(f, store_open(f->dir, &f->store, &f->err));
	assert_ok(f, store_binding_each(f->store, keep_binding, &got, &f->err));
	assert_memory_equal(&got, &change.binding, sizeof(got));
	change.removed = true;
	assert_ok(f, write_one(f, change));
	assert_ok(f, write_one(f, change));
	assert_bindings(f, "");
}

static void preferred_contact_comes_first(void **state)
{
	struct fixture *f = *state;
	struct store_binding_change low = binding(f, "t", "alice", "sip:low");

	low.binding.q = 100;
	assert_ok(f, write_one(f, low));
	assert_ok(f, write_one(f, binding(f, "t", "alice", "sip:one")));
	assert_ok(f, write_one(f, binding(f, "t", "alice", "sip:two")));
	assert_ok(f, write_one(f, binding(f, "t", "Zoe", "sip:z")));
	assert_ok(f, write_one(f, binding(f, "s", "bob", "sip:b")));
	assert_bindings(f,
			"s/bob/sip:b t/Zoe/sip:z t/alice/sip:two t/alice/sip:one t/alice/sip:low");
	/* Written again, it is the newest. */
	assert_ok(f, write_one(f, binding(f, "t", "alice", "sip:one")));
	assert_bindings(f,
			"s/bob/sip:b t/Zoe/sip:z t/alice/sip:one t/alice/sip:two t/alice/sip:low");
}

static void bindings_go_with_their_trunk_and_late_ones_are_skipped(void **state)
{
	struct fixture *f = *state;
	struct store_binding_change late[2] = {binding(f, "t", "alice", "sip:a"),
					       binding(f, "s", "bob", "sip:b")};

	assert_ok(f, write_one(f, late[0]));
	assert_ok(f, store_binding_remove(f->store, "t", "alice", NULL, &f->err));
	assert_ok(f, write_one(f, late[0]));
	assert_ok(f, store_trunk_delete(f->store, "t", &f->err));
	assert_bindings(f, "");
	assert_ok(f, store_binding_write(f->store, late, 2, &f->err));
	assert_bindings(f, "s/bob/sip:b");
}

static void writing_does_not_wait_for_another_process(void **state)
{
	struct fixture *f = *state;
	struct store_binding_change change = binding(f, "t", "alice", "sip:a");
	struct store *other = NULL;

	assert_ok(f, store_open(f->dir, &other, &f->err));
	assert_ok(f, store_change_begin(other, &f->err));
	assert_refused(f, -EBUSY, "locked", write_one(f, change));
	assert_ok(f, store_change_end(other, false, &f->err));
	assert_ok(f, write_one(f, change));
	store_close(other);
}

static void list_order(int64_t trunk_id, const char *user, const char *contact, void *arg)
{
	struct listing *listing = arg;
	size_t used = strlen(listing->text);

	snprintf(listing->text + used, sizeof(listing->text) - used, "%s%d/%s/%s", used ? " " : "",
		 (int)trunk_id, user, contact ? contact : "all");
}

static void operator_removes_and_the_daemon_learns_it_once(void **state)
{
	struct fixture *f = *state;
	struct listing orders = {""};
	uint64_t before;

	assert_ok(f, write_one(f, binding(f, "t", "alice", "sip:one")));
	assert_ok(f, write_one(f, binding(f, "t", "alice", "sip:two")));
	assert_ok(f, write_one(f, binding(f, "t", "alice", "sip:three")));
	before = generation(f);
	assert_refused(f, -ENOENT, "\"sip:four\"",
		       store_binding_remove(f->store, "t", "alice", "sip:four", &f->err));
	assert_refused(f, -ENOENT, "\"bob\"",
		       store_binding_remove(f->store, "t", "bob", NULL, &f->err));
	assert_refused(f, -ENOENT, "\"none\"",
		       store_binding_remove(f->store, "none", "alice", NULL, &f->err));
	assert_int_equal(generation(f), before);
	assert_ok(f, store_binding_remove(f->store, "t", "alice", "sip:two", &f->err));
	assert_last_audit(f, "trunk \"t\": removed registration of \"alice\", contact sip:two");
	assert_bindings(f, "t/alice/sip:three t/alice/sip:one");
	assert_ok(f, store_binding_remove(f->store, "t", "alice", NULL, &f->err));
	assert_bindings(f, "");
	assert_int_equal(generation(f), before + 2);
	assert_ok(f, store_binding_orders_take(f->store, list_order, &orders, &f->err));
	assert_string_equal(orders.text, "1/alice/sip:two 1/alice/all");
	orders.text[0] = '\0';
	assert_ok(f, store_binding_orders_take(f->store, list_order, &orders, &f->err));
	assert_string_equal(orders.text, "");
}

/* ---- groups of changes ---- */

static int count_audit(int64_t time_s, const char *who, const char *what, void *arg)
{
	(void)time_s;
	(void)who;
	(void)what;
	(*(int *)arg)++;
	return 0;
}

static int audit_rows(struct fixture *f)
{
	int n = 0;

	assert_ok(f, store_audit_each(f->store, 1000, count_audit, &n, &f->err));
	return n;
}

static void make_some_changes(struct fixture *f)
{
	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_ok(f, allow(f, "a", "10.0.0.0/8"));
	assert_ok(f, deny(f, "a", "10.1.0.0/16"));
	/* Changes nothing, and undoes nothing. */
	assert_ok(f, allow(f, "a", "10.0.0.0/8"));
}

static void group_is_one_change_with_all_its_audit_rows(void **state)
{
	struct fixture *f = *state;
	struct store *reader = NULL;
	uint64_t before = generation(f), seen;
	int rows = audit_rows(f), fd;
	struct store_acl acl;
	char byte[8];

	assert_ok(f, store_notify_listen(f->store, &fd, &f->err));
	assert_ok(f, store_open(f->dir, &reader, &f->err));
	assert_ok(f, store_change_begin(f->store, &f->err));
	make_some_changes(f);
	/* Its own reads see it, others do not yet. */
	assert_ok(f, store_read_begin(f->store, &f->err));
	assert_ok(f, store_acl_get(f->store, "a", &acl, &f->err));
	store_read_end(f->store);
	assert_int_equal(acl.entries, 2);
	assert_int_equal(store_acl_get(reader, "a", &acl, &f->err), -ENOENT);
	assert_int_equal(read(fd, byte, sizeof(byte)), -1);
	assert_ok(f, store_change_end(f->store, true, &f->err));
	assert_int_equal(read(fd, byte, sizeof(byte)), 1);
	assert_int_equal(read(fd, byte, sizeof(byte)), -1);
	assert_int_equal(store_generation(reader, &seen), 0);
	assert_int_equal(seen, before + 1);
	assert_ok(f, store_acl_get(reader, "a", &acl, &f->err));
	assert_int_equal(audit_rows(f), rows + 3);
	close(fd);
	store_close(reader);
}

static void group_tells_the_filter_each_prefix(void **state)
{
	struct fixture *f = *state;
	struct filter_rules changes = {0};
	uint64_t before;

	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_ok(f, store_trunk_attach_acl(f->store, "t", "a", &f->err));
	before = generation(f);
	assert_ok(f, store_change_begin(f->store, &f->err));
	assert_ok(f, allow(f, "a", "10.0.0.0/8"));
	assert_ok(f, allow(f, "a", "10.1.0.0/16"));
	assert_ok(f, store_change_end(f->store, true, &f->err));
	assert_ok(f, store_filter_changes(f->store, before, &changes, &f->err));
	assert_int_equal(changes.count, 2);
	filter_rules_free(&changes);
}

static void group_that_is_not_kept_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t before = generation(f);
	int rows = audit_rows(f);
	struct store_acl acl;

	assert_ok(f, store_change_begin(f->store, &f->err));
	make_some_changes(f);
	assert_ok(f, store_change_end(f->store, false, &f->err));
	assert_int_equal(generation(f), before);
	assert_int_equal(audit_rows(f), rows);
	assert_int_equal(store_acl_get(f->store, "a", &acl, &f->err), -ENOENT);
	make_some_changes(f);
	/* One that changes nothing raises nothing. */
	before = generation(f);
	assert_ok(f, store_change_begin(f->store, &f->err));
	assert_ok(f, allow(f, "a", "10.0.0.0/8"));
	assert_ok(f, store_change_end(f->store, true, &f->err));
	assert_int_equal(generation(f), before);
}

static void failed_change_ends_its_group(void **state)
{
	struct fixture *f = *state;
	uint64_t before = generation(f);
	struct store_acl acl;

	assert_ok(f, store_change_begin(f->store, &f->err));
	assert_refused(f, -EBUSY, "already", store_change_begin(f->store, &f->err));
	make_some_changes(f);
	assert_refused(f, -EEXIST, "\"a\"", store_acl_create(f->store, "a", "", &f->err));
	assert_refused(f, -ECANCELED, "failed", store_acl_create(f->store, "b", "", &f->err));
	assert_refused(f, -EEXIST, "none is made", store_change_end(f->store, true, &f->err));
	assert_int_equal(generation(f), before);
	assert_int_equal(store_acl_get(f->store, "a", &acl, &f->err), -ENOENT);
	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRUNK_TEST(registration_outlives_the_daemon),
		TRUNK_TEST(preferred_contact_comes_first),
		TRUNK_TEST(bindings_go_with_their_trunk_and_late_ones_are_skipped),
		TRUNK_TEST(writing_does_not_wait_for_another_process),
		TRUNK_TEST(operator_removes_and_the_daemon_learns_it_once),
		TRUNK_TEST(group_is_one_change_with_all_its_audit_rows),
		TRUNK_TEST(group_tells_the_filter_each_prefix),
		TRUNK_TEST(group_that_is_not_kept_leaves_nothing),
		TRUNK_TEST(failed_change_ends_its_group),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
