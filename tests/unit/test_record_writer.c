/* SPDX-License-Identifier: BSD-2-Clause */
/* Records on their way to the store and the log, and over restarts. */
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "record_fixture.h"
#include "small_disk.h"

struct world {
	char dir[64], log[128];
	unsigned days; /* of retention */
	struct record_writer *writer;
	struct records records;
	struct error err;
};

static void start_with(struct world *w, size_t queue, const char *log)
{
	struct record_writer_options options = {w->dir, log, queue, w->days};

	assert_int_equal(record_writer_start(&options, &w->writer, &w->err), 0);
	assert_int_equal(records_init(&w->records, 100000, w->writer, clock_wall_ms()), 0);
	assert_int_equal(records_load(&w->records, w->dir, NULL, NULL, &w->err), 0);
}

static void start(struct world *w)
{
	start_with(w, RECORD_QUEUE, w->log);
}

/* As the daemon stops. */
static void stop(struct world *w)
{
	records_save(&w->records, clock_wall_ms());
	record_writer_stop(w->writer);
	records_free(&w->records);
	w->writer = NULL;
}

/* As one that is killed, but for what is on its way. */
static void kill_it(struct world *w)
{
	record_writer_stop(w->writer);
	records_free(&w->records);
	w->writer = NULL;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->days = 30;
	make_dir(w->dir);
	snprintf(w->log, sizeof(w->log), "%s/calls.jsonl", w->dir);
	start(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	if (w->writer)
		stop(w);
	remove_dir(w->dir);
	free(w);
	return 0;
}

/* ---- calls ---- */

static const struct record_end caller_ends = {.by = CALL_CALLER};

static void call_begins(struct world *w, uint64_t id)
{
	struct record_start begin = some_start(clock_wall_ms());

	assert_int_equal(record_begin(&w->records, id, &begin), 0);
}

static void call_is_answered(struct world *w, uint64_t id)
{
	call_begins(w, id);
	assert_true(record_answered(&w->records, id, id + 1000000, 200, clock_wall_ms()));
}

static void call_passes(struct world *w, uint64_t id)
{
	call_is_answered(w, id);
	assert_true(record_ended(&w->records, id + 1000000, &caller_ends, clock_wall_ms()));
}

static void soon_stored(struct world *w, size_t n)
{
	for (int i = 0; i < 300 && count_stored(w->dir) != n; i++)
		usleep(10000);
	assert_int_equal(count_stored(w->dir), n);
}

static struct record_writer_stats stats(struct world *w)
{
	struct record_writer_stats s;

	record_writer_stats(w->writer, &s);
	return s;
}

static size_t idle(const struct pool *pool)
{
	size_t n = 0;

	for (unsigned i = 0; i < POOL_SHELVES; i++)
		n += pool->shelves[i].count;
	return n;
}

/* A worker's next call takes the memory of one that is written. */
static void what_is_written_is_given_back(void **state)
{
	struct world *w = *state;

	for (uint64_t i = 1; i <= 3; i++) {
		call_passes(w, i);
		assert_int_equal(idle(&w->records.pool), i > 1);
		while (stats(w).written < i)
			usleep(1000);
		call_begins(w, i + 10);
		assert_int_equal(idle(&w->records.pool), 0);
	}
}

/* The lines of a log, each of which is a record. */
static json_t *lines_of(const char *path)
{
	json_t *lines = json_array();
	FILE *file = fopen(path, "r");
	char line[4096];

	while (file && fgets(line, sizeof(line), file)) {
		json_t *call = json_loads(line, 0, NULL);

		if (!call)
			print_error("no record: %s\n", line);
		assert_non_null(call);
		assert_non_null(json_object_get(call, "hangup_cause"));
		json_array_append_new(lines, call);
	}
	if (file)
		fclose(file);
	return lines;
}

static size_t count_lines(const char *path)
{
	json_t *lines = lines_of(path);
	size_t n = json_array_size(lines);

	json_decref(lines);
	return n;
}

static void soon_logged(const char *path, size_t n)
{
	for (int i = 0; i < 300 && count_lines(path) != n; i++)
		usleep(10000);
	assert_int_equal(count_lines(path), n);
}

/* ---- writing ---- */

static void row_and_line_are_the_same(void **state)
{
	struct world *w = *state;
	json_t *rows, *lines;
	struct stat st;

	call_passes(w, 1);
	call_begins(w, 2);
	assert_true(record_ended(&w->records, 2, &(struct record_end){486, CALL_CALLEE, 0},
				 clock_wall_ms()));
	soon_stored(w, 2);
	rows = stored_calls(w->dir);
	lines = lines_of(w->log);
	assert_true(json_equal(rows, lines));
	assert_string_equal(text_of(json_array_get(rows, 1), "ended_by"), "callee");
	assert_int_equal(number_of(json_array_get(rows, 1), "sip_status"), 486);
	json_decref(rows);
	json_decref(lines);
	assert_int_equal(stat(w->log, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	assert_int_equal(stats(w).written, 2);
	assert_int_equal(stats(w).dropped, 0);
}

static void without_a_log_none_is_made(void **state)
{
	struct world *w = *state;

	stop(w);
	unlink(w->log);
	start_with(w, RECORD_QUEUE, "");
	call_passes(w, 1);
	soon_stored(w, 1);
	assert_int_equal(access(w->log, F_OK), -1);
}

static void many_are_written_at_a_stop(void **state)
{
	struct world *w = *state;

	for (uint64_t id = 1; id <= 5000; id++)
		call_passes(w, id);
	stop(w);
	assert_int_equal(count_stored(w->dir), 5000);
	assert_int_equal(count_lines(w->log), 5000);
}

static void a_moved_log_is_made_anew_when_asked(void **state)
{
	struct world *w = *state;
	char moved[160];

	snprintf(moved, sizeof(moved), "%s.1", w->log);
	call_passes(w, 1);
	soon_logged(w->log, 1);
	assert_int_equal(rename(w->log, moved), 0);
	call_passes(w, 2);
	soon_logged(moved, 2);
	record_writer_reopen(w->writer);
	usleep(300000);
	call_passes(w, 3);
	soon_logged(w->log, 1);
	assert_int_equal(count_lines(moved), 2);
}

static void half_a_line_of_before_a_kill_is_ended(void **state)
{
	struct world *w = *state;
	FILE *file = fopen(w->log, "w");
	char line[128];

	fputs("{\"start_ms\":175", file);
	fclose(file);
	call_passes(w, 1);
	stop(w);
	file = fopen(w->log, "r");
	assert_non_null(fgets(line, sizeof(line), file));
	assert_string_equal(line, "{\"start_ms\":175\n");
	assert_non_null(fgets(line, sizeof(line), file));
	assert_memory_equal(line, "{\"start_ms\":", 12);
	fclose(file);
}

static void a_log_that_can_not_be_written_is_counted_and_the_store_is_not_held_up(void **state)
{
	struct world *w = *state;
	char pipe_path[128];

	stop(w);
	snprintf(pipe_path, sizeof(pipe_path), "%s/nowhere/calls.jsonl", w->dir);
	start_with(w, RECORD_QUEUE, pipe_path);
	call_passes(w, 1);
	soon_stored(w, 1);
	assert_int_equal(stats(w).unlogged, 1);
	/* It is tried again with each call. */
	*strrchr(pipe_path, '/') = '\0';
	assert_int_equal(mkdir(pipe_path, 0700), 0);
	pipe_path[strlen(pipe_path)] = '/';
	call_passes(w, 2);
	soon_logged(pipe_path, 1);
	/* A pipe that nobody empties. */
	stop(w);
	unlink(pipe_path);
	assert_int_equal(mkfifo(pipe_path, 0600), 0);
	start_with(w, RECORD_QUEUE, pipe_path);
	for (uint64_t id = 10; id < 2010; id++)
		call_passes(w, id);
	soon_stored(w, 2002);
	assert_true(stats(w).unlogged > 0);
}

static void a_busy_store_is_waited_for(void **state)
{
	struct world *w = *state;
	char path[128];
	sqlite3 *other;

	call_passes(w, 1);
	soon_stored(w, 1);
	snprintf(path, sizeof(path), "%s/calls.db", w->dir);
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	call_passes(w, 2);
	soon_logged(w->log, 2);
	assert_int_equal(count_stored(w->dir), 1);
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	soon_stored(w, 2);
	assert_int_equal(count_lines(w->log), 2);
}

/* The worker goes on at its pace, and what there is room for comes later. */
static void a_full_queue_drops_and_counts_and_never_waits(void **state)
{
	struct world *w = *state;
	uint64_t began;
	sqlite3 *other;
	char path[128];

	call_passes(w, 1);
	soon_stored(w, 1);
	stop(w);
	snprintf(path, sizeof(path), "%s/calls.db", w->dir);
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	start_with(w, 100, w->log);
	began = clock_coarse_ns();
	for (uint64_t id = 10; id < 5010; id++)
		call_passes(w, id);
	assert_true(clock_coarse_ns() - began < NS_PER_S);
	usleep(500000);
	/* At most the queue, and as many that the thread has taken from it. */
	assert_in_range(stats(w).dropped, 4800, 4900);
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	soon_stored(w, 1 + 5000 - stats(w).dropped);
}

static void a_full_disk_loses_only_what_finds_no_room(void **state)
{
	struct world *w = *state;
	char ballast[128];
	struct stat st;
	int fd;
	char block[4096] = "";

	stop(w);
	if (!mount_small_disk(w->dir, 1500)) {
		start(w);
		skip();
		return;
	}
	start(w);
	call_passes(w, 1);
	soon_stored(w, 1);
	snprintf(ballast, sizeof(ballast), "%s/ballast", w->dir);
	fd = open(ballast, O_CREAT | O_WRONLY, 0600);
	while (write(fd, block, sizeof(block)) > 0)
		continue;
	for (uint64_t id = 10; id < 5010; id++)
		call_passes(w, id);
	for (int i = 0; i < 500 && !stats(w).unlogged; i++)
		usleep(10000);
	assert_true(stats(w).unlogged > 0);
	assert_true(count_stored(w->dir) < 5001);
	assert_int_equal(stats(w).dropped, 0);
	/* No line is torn, and the daemon goes on once there is room. */
	assert_true(count_lines(w->log) < 5001);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(stat(w->log, &st), 0);
	assert_int_equal(unlink(w->log), 0);
	assert_int_equal(mount("none", w->dir, "tmpfs", MS_REMOUNT, "size=20m"), 0);
	soon_stored(w, 5001);
	record_writer_reopen(w->writer);
	call_passes(w, 9999);
	soon_logged(w->log, 1);
	close(fd);
	stop(w);
	assert_int_equal(umount(w->dir), 0);
}

static void what_is_older_than_the_retention_goes(void **state)
{
	struct world *w = *state;
	int64_t now = clock_wall_ms(), day = 86400000;

	stop(w);
	w->days = 365;
	start(w);
	for (uint64_t id = 1; id <= 2500; id++) {
		struct record_start begin = some_start(now - 31 * day);

		assert_int_equal(record_begin(&w->records, id, &begin), 0);
		assert_true(record_ended(&w->records, id, &caller_ends, now));
	}
	for (uint64_t id = 3001; id <= 3010; id++) {
		struct record_start begin = some_start(now - 29 * day);

		assert_int_equal(record_begin(&w->records, id, &begin), 0);
		assert_true(record_ended(&w->records, id, &caller_ends, now));
	}
	stop(w);
	assert_int_equal(count_stored(w->dir), 2510);
	/* With no further call. */
	w->days = 30;
	start(w);
	soon_stored(w, 10);
}

/* ---- restarts ---- */

static void a_call_goes_on_over_a_restart(void **state)
{
	struct world *w = *state;
	json_t *rows, *row;

	call_is_answered(w, 1);
	record_numbers(&w->records, 1000001)->cseq_extra = 4294967295U;
	record_numbers(&w->records, 1000001)->invite_offset = 17;
	usleep(5000);
	call_begins(w, 2); /* its transaction ends with the daemon */
	usleep(20000);
	stop(w);
	assert_int_equal(count_stored(w->dir), 1);
	start(w);
	assert_int_equal(w->records.calls.count, 1);
	assert_int_equal(record_numbers(&w->records, 1000001)->cseq_extra, 4294967295U);
	assert_int_equal(record_numbers(&w->records, 1000001)->invite_offset, 17);
	assert_true(record_ended(&w->records, 1000001, &caller_ends, clock_wall_ms()));
	stop(w);
	rows = stored_calls(w->dir);
	assert_int_equal(json_array_size(rows), 2);
	row = json_array_get(rows, 0);
	assert_string_equal(text_of(row, "from"), "sip:+4930123456@gate.example;user=phone");
	assert_string_equal(text_of(row, "upstream"), "sip:198.51.100.1:5060");
	assert_string_equal(text_of(row, "source"), "192.0.2.1:5060");
	assert_string_equal(text_of(row, "auth_type"), "credential");
	assert_true(number_of(row, "duration_ms") >= 20);
	row = json_array_get(rows, 1);
	assert_string_equal(text_of(json_object_get(row, "hangup_cause"), "name"), "failed");
	json_decref(rows);
	start(w);
	assert_int_equal(w->records.calls.count, 0);
}

/* The first daemon stops, the second is killed: what the first has saved is still known unless it
 * has ended since. */
static void what_was_saved_outlives_a_kill(void **state)
{
	struct world *w = *state;

	call_is_answered(w, 1);
	call_is_answered(w, 2);
	stop(w);
	start(w);
	assert_true(record_ended(&w->records, 1000001, &caller_ends, clock_wall_ms()));
	kill_it(w);
	start(w);
	assert_int_equal(w->records.calls.count, 1);
	assert_true(record_ended(&w->records, 1000002, &caller_ends, clock_wall_ms()));
	stop(w);
	assert_int_equal(count_stored(w->dir), 2);
	start(w);
	assert_int_equal(w->records.calls.count, 0);
}

static void a_call_that_was_never_saved_is_made_from_its_token(void **state)
{
	struct world *w = *state;
	struct record_start begin = some_start(clock_wall_ms() - 10000);
	json_t *rows;

	call_is_answered(w, 1);
	kill_it(w);
	start(w);
	assert_false(record_ended(&w->records, 1000001, &caller_ends, clock_wall_ms()));
	assert_int_equal(record_from_token(&w->records, 1000001, &begin), 0);
	assert_true(record_ended(&w->records, 1000001, &caller_ends, clock_wall_ms()));
	stop(w);
	rows = stored_calls(w->dir);
	assert_int_equal(json_array_size(rows), 1);
	assert_true(number_of(json_array_get(rows, 0), "duration_ms") >= 10000);
	json_decref(rows);
}

static bool is_even(struct slice call_id, void *arg)
{
	(void)arg;
	return (call_id.p[call_id.n - 1] - '0') % 2 == 0;
}

static void each_worker_takes_up_its_own(void **state)
{
	struct world *w = *state;
	char call_id[16];

	for (uint64_t id = 1; id <= 9; id++) {
		struct record_start begin = some_start(clock_wall_ms());

		snprintf(call_id, sizeof(call_id), "call-%d", (int)id);
		begin.call_id = slice_from(call_id);
		assert_int_equal(record_begin(&w->records, id, &begin), 0);
		assert_true(record_answered(&w->records, id, id + 100, 200, clock_wall_ms()));
	}
	stop(w);
	start_with(w, RECORD_QUEUE, "");
	records_free(&w->records);
	assert_int_equal(records_init(&w->records, 1000, w->writer, clock_wall_ms()), 0);
	assert_int_equal(records_load(&w->records, w->dir, is_even, NULL, &w->err), 0);
	assert_int_equal(w->records.calls.count, 4);
	assert_null(record_numbers(&w->records, 101));
	assert_non_null(record_numbers(&w->records, 102));
}

static void thousands_of_calls_are_saved_and_taken_up(void **state)
{
	struct world *w = *state;

	stop(w);
	start_with(w, 100, ""); /* they are not held by the queue's limit */
	for (uint64_t id = 1; id <= 20000; id++)
		call_is_answered(w, id);
	stop(w);
	start(w);
	assert_int_equal(w->records.calls.count, 20000);
	assert_int_equal(w->records.full, 0);
}

static void a_file_that_is_no_database_stops_nothing(void **state)
{
	struct world *w = *state;
	struct record_writer_options options = {w->dir, w->log, RECORD_QUEUE, 30};
	char path[128];
	FILE *file;

	stop(w);
	snprintf(path, sizeof(path), "%s/calls.db", w->dir);
	file = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("this is no database\n", file);
	fclose(file);
	assert_int_equal(record_writer_start(&options, &w->writer, &w->err), 0);
	assert_int_equal(records_init(&w->records, 100, w->writer, clock_wall_ms()), 0);
	assert_int_equal(records_load(&w->records, w->dir, NULL, NULL, &w->err), -EPROTO);
	assert_non_null(strstr(w->err.text, "calls.db: is no file of call records of sipward"));
	call_passes(w, 1);
	soon_logged(w->log, 1);
	assert_int_equal(stats(w).written, 0);
	/* Once it is put right the call is written. */
	assert_int_equal(unlink(path), 0);
	soon_stored(w, 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(row_and_line_are_the_same),
		TEST(without_a_log_none_is_made),
		TEST(what_is_written_is_given_back),
		TEST(many_are_written_at_a_stop),
		TEST(a_moved_log_is_made_anew_when_asked),
		TEST(half_a_line_of_before_a_kill_is_ended),
		TEST(a_log_that_can_not_be_written_is_counted_and_the_store_is_not_held_up),
		TEST(a_busy_store_is_waited_for),
		TEST(a_full_queue_drops_and_counts_and_never_waits),
		TEST(what_is_older_than_the_retention_goes),
		TEST(a_call_goes_on_over_a_restart),
		TEST(what_was_saved_outlives_a_kill),
		TEST(a_call_that_was_never_saved_is_made_from_its_token),
		TEST(each_worker_takes_up_its_own),
		TEST(thousands_of_calls_are_saved_and_taken_up),
		TEST(a_file_that_is_no_database_stops_nothing),
		TEST(a_full_disk_loses_only_what_finds_no_room),
	};

	return cmocka_run_group_tests_name("record writer", tests, NULL, NULL);
}
