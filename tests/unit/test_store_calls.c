/* SPDX-License-Identifier: BSD-2-Clause */
/* The file of call records. */
#include <sys/stat.h>

#include "store_fixture.h"
#include "failing_sqlite.h"

#include "../../user/store/call.c"

#define MINUTE 60000

struct world {
	char dir[64];
	struct store_calls *calls;
	struct error err;
};

static const struct call_cause completed = {"completed", 4000, NULL, "completed"};
static const struct call_cause refused = {"sip_auth_failed", 4240, "outbound", "failed"};

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	strcpy(w->dir, "/tmp/sipward-test-calls-XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	*state = w;
	return store_calls_open(w->dir, &w->calls, &w->err);
}

static int teardown(void **state)
{
	struct world *w = *state;
	char command[128];
	int rc;

	store_calls_close(w->calls);
	snprintf(command, sizeof(command), "rm -rf '%s'", w->dir);
	rc = system(command);
	free(w);
	return rc;
}

static struct call_record call_at(int64_t start_ms)
{
	struct call_record record = {
		.start_ms = start_ms,
		.answered_ms = start_ms + 1000,
		.ended_ms = start_ms + 11500,
		.cause = &completed,
		.source = {{.family = 6, .bytes = {0x20, 0x01, 0x0d, 0xb8, [15] = 1}}, 5062},
		.trunk = "main",
		.user = "alice",
		.from = "sip:alice@gate.example",
		.to = "sip:+4989123@gate.example",
		.call_id = "1@h",
		.upstream = "sip:192.0.2.10:5060",
		.sip_status = 200,
		.transport = CALL_TLS,
		.auth = STORE_AUTH_IP_ACL_AND_CREDENTIAL,
		.direction = CALL_OUTBOUND,
		.ended_by = CALL_CALLEE,
	};

	return record;
}

static int write_one(struct world *w, const struct call_record *record)
{
	struct store_call_change change = {.record = record};

	return store_calls_write(w->calls, &change, 1, &w->err);
}

/* A call a minute, the first at 0. */
static void write_minutes(struct world *w, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct call_record record = call_at((int64_t)i * MINUTE);

		record.trunk = i % 2 ? "odd" : "even";
		assert_ok(w, write_one(w, &record));
	}
}

struct found {
	unsigned n;
	int64_t first, last;
};

static int note(const struct call_record *record, void *arg)
{
	struct found *found = arg;

	if (found->n++ == 0)
		found->first = record->start_ms / MINUTE;
	else
		assert_true(record->start_ms / MINUTE >= found->last);
	found->last = record->start_ms / MINUTE;
	return 0;
}

static struct found find(struct world *w, int64_t since_ms, const char *trunk, uint32_t limit)
{
	struct store_call_query query = {since_ms, trunk, limit};
	struct found found = {0};

	assert_ok(w, store_calls_each(w->calls, &query, note, &found, &w->err));
	return found;
}

static unsigned count(struct world *w)
{
	return find(w, INT64_MIN, NULL, UINT32_MAX).n;
}

static int64_t number(struct world *w, const char *sql)
{
	int64_t value = -1;

	assert_ok(w, db_int(w->calls->store, &value, &w->err, sql));
	return value;
}

/* ---- calls that are over ---- */

static int compare(const struct call_record *record, void *arg)
{
	const struct call_record *wanted = arg;

	assert_int_equal(record->start_ms, wanted->start_ms);
	assert_int_equal(record->answered_ms, wanted->answered_ms);
	assert_int_equal(record->ended_ms, wanted->ended_ms);
	assert_true(endpoint_eq(&record->source, &wanted->source));
	assert_string_equal(record->trunk, wanted->trunk);
	assert_string_equal(record->user, wanted->user);
	assert_string_equal(record->from, wanted->from);
	assert_string_equal(record->to, wanted->to);
	assert_string_equal(record->call_id, wanted->call_id);
	assert_string_equal(record->upstream, wanted->upstream);
	assert_int_equal(record->sip_status, wanted->sip_status);
	assert_int_equal(record->transport, wanted->transport);
	assert_int_equal(record->auth, wanted->auth);
	assert_int_equal(record->direction, wanted->direction);
	assert_int_equal(record->ended_by, wanted->ended_by);
	assert_string_equal(record->cause->name, wanted->cause->name);
	assert_int_equal(record->cause->code, wanted->cause->code);
	assert_string_equal(call_cause_direction(record), call_cause_direction(wanted));
	assert_string_equal(record->cause->status, wanted->cause->status);
	return 42;
}

static void a_record_comes_back_as_it_was_written(void **state)
{
	struct world *w = *state;
	struct store_call_query query = {INT64_MIN, NULL, 10};
	struct call_record record = call_at(1750000000000);

	assert_ok(w, write_one(w, &record));
	assert_int_equal(store_calls_each(w->calls, &query, compare, &record, &w->err), 42);
	assert_int_equal(number(w, "SELECT duration_ms FROM call"), 10500);
	/* Never answered, nobody known, another cause. */
	record = call_at(1750000000001);
	record.answered_ms = 0;
	record.sip_status = 403;
	record.user = record.from = record.to = record.upstream = "";
	record.cause = &refused;
	record.direction = CALL_INBOUND;
	assert_ok(w, write_one(w, &record));
	query.since_ms = record.start_ms;
	assert_int_equal(store_calls_each(w->calls, &query, compare, &record, &w->err), 42);
	assert_int_equal(number(w, "SELECT count(*) FROM call WHERE answered_ms IS NULL"
				   " AND duration_ms = 0 AND cause_direction = 'outbound'"),
			 1);
}

static void the_latest_are_found_in_their_order(void **state)
{
	struct world *w = *state;
	struct found found;

	write_minutes(w, 100);
	assert_int_equal(count(w), 100);
	found = find(w, INT64_MIN, NULL, 10);
	assert_int_equal(found.n, 10);
	assert_int_equal(found.first, 90);
	assert_int_equal(found.last, 99);
	found = find(w, 95 * MINUTE, NULL, 10);
	assert_int_equal(found.n, 5);
	found = find(w, 90 * MINUTE, "odd", 3);
	assert_int_equal(found.n, 3);
	assert_int_equal(found.first, 95);
	found = find(w, 0, "even", 1000);
	assert_int_equal(found.n, 50);
	assert_int_equal(find(w, 0, "nobody's", 1000).n, 0);
	assert_int_equal(find(w, 0, NULL, 0).n, 0);
	assert_int_equal(find(w, 100 * MINUTE, NULL, 10).n, 0);
}

static void of_calls_at_the_same_time_no_more_than_the_limit_are_told(void **state)
{
	struct world *w = *state;
	struct call_record record = call_at(5);

	for (int i = 0; i < 20; i++)
		assert_ok(w, write_one(w, &record));
	assert_int_equal(find(w, 0, NULL, 7).n, 7);
}

static void what_is_too_old_goes_bit_by_bit(void **state)
{
	struct world *w = *state;

	write_minutes(w, 100);
	assert_int_equal(store_calls_prune(w->calls, 50 * MINUTE, 30, &w->err), 30);
	assert_int_equal(find(w, 0, NULL, 1000).first, 30);
	assert_int_equal(store_calls_prune(w->calls, 50 * MINUTE, 30, &w->err), 20);
	assert_int_equal(store_calls_prune(w->calls, 50 * MINUTE, 30, &w->err), 0);
	assert_int_equal(find(w, 0, NULL, 1000).first, 50);
	assert_int_equal(count(w), 50);
}

static void more_than_are_kept_push_the_first_ones_out(void **state)
{
	struct world *w = *state;
	struct call_record record = call_at(1);

	write_minutes(w, 10);
	assert_true(db_run(w->calls->store, &w->err, "UPDATE call SET id = ? WHERE id = 10",
			   INT(STORE_CALLS_MAX + 4)) == 1);
	record.start_ms = 99 * MINUTE;
	assert_ok(w, write_one(w, &record));
	assert_int_equal(store_calls_prune(w->calls, 0, 3, &w->err), 3);
	assert_int_equal(store_calls_prune(w->calls, 0, 3, &w->err), 2);
	assert_int_equal(store_calls_prune(w->calls, 0, 3, &w->err), 0);
	assert_int_equal(count(w), 6);
}

/* ---- calls in progress ---- */

static int note_live(const struct store_live_call *call, void *arg)
{
	struct store_live_call *last = arg;

	assert_null(call->record.cause);
	assert_string_equal(call->record.trunk, "main");
	*last = *call;
	last->record.ended_ms++;
	return 0;
}

static unsigned live(struct world *w, struct store_live_call *ret_last)
{
	struct store_live_call last = {0};

	assert_ok(w, store_calls_live_each(w->calls, note_live, &last, &w->err));
	if (ret_last)
		*ret_last = last;
	return (unsigned)number(w, "SELECT count(*) FROM live_call");
}

static void a_live_call_is_replaced_and_leaves_when_it_is_over(void **state)
{
	struct world *w = *state;
	struct call_record record = call_at(1000);
	struct store_call_change change = {.record = &record,
					   .live = true,
					   .dialog = UINT64_MAX - 7,
					   .cseq_extra = UINT32_MAX,
					   .invite_offset = 3};
	struct store_live_call last;

	record.cause = NULL;
	assert_ok(w, store_calls_write(w->calls, &change, 1, &w->err));
	change.invite_offset = 4;
	assert_ok(w, store_calls_write(w->calls, &change, 1, &w->err));
	assert_int_equal(live(w, &last), 1);
	assert_true(last.dialog == UINT64_MAX - 7);
	assert_true(last.cseq_extra == UINT32_MAX);
	assert_int_equal(last.invite_offset, 4);
	assert_int_equal(count(w), 0);
	record.cause = &completed;
	change.live = false;
	change.was_live = true;
	assert_ok(w, store_calls_write(w->calls, &change, 1, &w->err));
	assert_int_equal(live(w, NULL), 0);
	assert_int_equal(count(w), 1);
	/* One that nobody ends goes with its time. */
	record.cause = NULL;
	change.live = true;
	assert_ok(w, store_calls_write(w->calls, &change, 1, &w->err));
	assert_int_equal(store_calls_prune(w->calls, 2000, 10, &w->err), 1);
	assert_int_equal(live(w, NULL), 1);
	assert_int_equal(store_calls_prune(w->calls, 2000, 10, &w->err), 1);
	assert_int_equal(live(w, NULL), 0);
}

/* ---- the file ---- */

static void the_file_is_the_owners_alone_and_others_are_refused(void **state)
{
	struct world *w = *state;
	struct store_calls *other;
	char path[128], store[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/calls.db", w->dir);
	snprintf(store, sizeof(store), "%s/sipward.db", w->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(access(store, F_OK), -1);
	assert_true(store_calls_exist(w->dir));
	assert_false(store_calls_exist("/nowhere"));
	assert_true(db_run(w->calls->store, &w->err, "PRAGMA user_version = 99") >= 0);
	assert_refused(w, -EPROTO, "calls.db: schema version 99 is of a newer sipward",
		       store_calls_open(w->dir, &other, &w->err));
	assert_true(db_run(w->calls->store, &w->err, "PRAGMA application_id = 7") >= 0);
	assert_refused(w, -EPROTO, "calls.db: is a database, but no file of call records",
		       store_calls_open(w->dir, &other, &w->err));
}

static void the_store_is_not_held_up(void **state)
{
	struct world *w = *state;
	struct store *store;

	assert_ok(w, store_open(w->dir, &store, &w->err));
	assert_true(db_run(w->calls->store, &w->err, "BEGIN IMMEDIATE") >= 0);
	assert_ok(w, store_acl_create(store, "office", "", &w->err));
	assert_true(db_run(w->calls->store, &w->err, "COMMIT") >= 0);
	store_close(store);
}

static void another_writer_is_not_waited_for_long(void **state)
{
	struct world *w = *state;
	struct call_record record = call_at(1);
	struct store_calls *other;

	assert_ok(w, store_calls_open(w->dir, &other, &w->err));
	assert_true(db_run(other->store, &w->err, "BEGIN IMMEDIATE") >= 0);
	assert_refused(w, -EBUSY, "calls.db: locked", write_one(w, &record));
	assert_refused(w, -EBUSY, "calls.db: locked", store_calls_prune(w->calls, 5, 5, &w->err));
	store_calls_close(other);
	assert_ok(w, write_one(w, &record));
}

/* ---- memory ---- */

static int write_and_read(struct world *w)
{
	struct call_record record = call_at(1000), alive = call_at(2000);
	struct store_call_change changes[2] = {{.record = &record},
					       {.record = &alive, .live = true, .dialog = 7}};
	struct store_call_query query = {0, NULL, 10};
	struct store_live_call last = {0};
	struct store_calls *calls = NULL;
	struct found found = {0};
	int rc = store_calls_open(w->dir, &calls, &w->err);

	alive.cause = NULL;
	if (rc == 0)
		rc = store_calls_write(calls, changes, 2, &w->err);
	if (rc == 0)
		rc = store_calls_each(calls, &query, note, &found, &w->err);
	if (rc == 0)
		assert_true(found.n >= 1);
	if (rc == 0)
		rc = store_calls_live_each(calls, note_live, &last, &w->err);
	if (rc == 0)
		assert_int_equal(last.dialog, 7);
	if (rc == 0)
		rc = store_calls_prune(calls, 0, 100, &w->err);
	store_calls_close(calls);
	return rc < 0 ? rc : 0;
}

static void every_failed_allocation_is_an_error_and_leaves_no_half(void **state)
{
	struct world *w = *state;
	long n = 0;

	do {
		int rc;

		failed = false;
		left = n++;
		rc = write_and_read(w);
		left = -1;
		if (rc && rc != -ENOMEM)
			print_error("allocation %ld: %d: %s\n", n, rc, w->err.text);
		assert_true(rc == 0 || rc == -ENOMEM);
		assert_int_equal(count(w), live(w, NULL)); /* both, or none, of a write */
		assert_true(store_calls_prune(w->calls, 5000, 100, &w->err) >= 0);
		assert_true(store_calls_prune(w->calls, 5000, 100, &w->err) >= 0);
	} while (failed);
	assert_true(n > 50);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_record_comes_back_as_it_was_written),
		TEST(the_latest_are_found_in_their_order),
		TEST(of_calls_at_the_same_time_no_more_than_the_limit_are_told),
		TEST(what_is_too_old_goes_bit_by_bit),
		TEST(more_than_are_kept_push_the_first_ones_out),
		TEST(a_live_call_is_replaced_and_leaves_when_it_is_over),
		TEST(the_file_is_the_owners_alone_and_others_are_refused),
		TEST(the_store_is_not_held_up),
		TEST(another_writer_is_not_waited_for_long),
		TEST(every_failed_allocation_is_an_error_and_leaves_no_half),
	};

	install_failing_allocator();
	return cmocka_run_group_tests_name("call records", tests, NULL, NULL);
}
