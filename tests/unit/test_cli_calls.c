/* SPDX-License-Identifier: BSD-2-Clause */
/* sipward calls: what is over comes from the records, what is in progress from the daemon. */
#include "cli_fixture.h"

#include <event2/event.h>
#include <pthread.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "daemon/answer.h"
#include "daemon/control.h"
#include "record_fixture.h"

static char state_dir[80];
#define WORKERS_MOST 3
static struct records records, of_worker[WORKERS_MOST];

static void write_calls(unsigned n, const char *log)
{
	struct record_writer_options options = {state_dir, log, RECORD_QUEUE, 365};
	struct record_writer *writer;
	struct error why;

	assert_int_equal(record_writer_start(&options, &writer, &why), 0);
	assert_int_equal(records_init(&records, 1000, writer, clock_wall_ms()), 0);
	for (uint64_t id = 1; id <= n; id++) {
		struct record_start start = some_start(clock_wall_ms() - 3600000 * (int64_t)id);
		struct record_end end = {.by = CALL_CALLER};

		if (id % 2 == 0)
			start.trunk = SLICE("other");
		assert_int_equal(record_begin(&records, id, &start), 0);
		assert_true(record_answered(&records, id, id + 100, 200, start.at_ms + 1000));
		assert_true(record_ended(&records, id + 100, &end, start.at_ms + 66000));
	}
	record_writer_stop(writer);
	records_free(&records);
}

static int set_up_calls(void **state)
{
	if (set_up(state))
		return -1;
	snprintf(state_dir, sizeof(state_dir), "%s/state", dir);
	return mkdir(state_dir, 0700);
}

static unsigned lines_out(void)
{
	unsigned n = 0;

	for (const char *c = out; *c; c++)
		n += *c == '\n';
	return n;
}

static void calls_that_are_over_are_listed(void **state)
{
	(void)state;
	expect_success("calls", "no call is recorded\n");
	write_calls(10, "");
	expect_success("calls", "START ");
	assert_int_equal(lines_out(), 11);
	assert_non_null(strstr(out, "  65 s  "));
	assert_non_null(strstr(out, "inbound    192.0.2.1:5060  other  alice  "
				    "sip:+4930123456@gate.example;user=phone  "
				    "sip:+4989654321@gate.example  sip:198.51.100.1:5060  200  "
				    "completed 4000\n"));
	expect_success("calls --limit 3", "main");
	assert_int_equal(lines_out(), 4);
	expect_success("calls --trunk other", "other");
	assert_int_equal(lines_out(), 6);
	assert_null(strstr(out, "  main  "));
	expect_success("calls --since 150m --json", "\"trunk\":\"main\"");
	assert_int_equal(lines_out(), 2);
	expect_success("calls --since 150m --trunk nobody", "no call is recorded\n");
	expect_success("calls --since 2000-01-01 --limit 4 --json", "{");
	assert_int_equal(lines_out(), 4);
}

static void json_lines_are_those_of_the_log(void **state)
{
	char log[128], lines[65536];

	(void)state;
	snprintf(log, sizeof(log), "%s/calls.jsonl", dir);
	write_calls(1, log);
	read_file("calls.jsonl", lines, sizeof(lines));
	expect_success("calls --json", "{\"start_ms\":");
	assert_string_equal(out, lines);
}

static void wrong_options_are_told(void **state)
{
	(void)state;
	expect_failure("calls --limit 0", 2, "--limit '0' is no number from 1");
	expect_failure("calls --limit many", 2, "--limit 'many'");
	expect_failure("calls --since yesterday", 2, "--since 'yesterday' is neither a time");
	expect_failure("calls --active", 3, "no sipwardd runs on ");
	expect_failure("calls main", 2, "");
}

static void a_file_that_can_not_be_read_is_told(void **state)
{
	char path[128];
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "%s/calls.db", state_dir);
	file = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("no database", file);
	fclose(file);
	expect_failure("calls", 1, "calls.db: is no file of call records");
}

/* ---- in progress ---- */

static struct event_base *base;

static bool served;

/* The base belongs to one thread at a time, so that libevent needs no locks. */
static void *serve(void *arg)
{
	while (!__atomic_load_n(&served, __ATOMIC_ACQUIRE)) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	return arg;
}

/* Ninety calls, of which one began each second, each with one of the workers. */
static void begin_calls(unsigned workers, int64_t now_ms)
{
	for (unsigned i = 0; i < workers; i++)
		assert_int_equal(records_init(&of_worker[i], 1000, NULL, now_ms), 0);
	for (uint64_t id = 1; id <= 90; id++) {
		struct record_start start = some_start(now_ms - 1000 * (int64_t)(91 - id));
		struct records *its = &of_worker[id % workers];

		if (id % 3 == 0)
			start.trunk = SLICE("caf\xc3\xa9");
		assert_int_equal(record_begin(its, id, &start), 0);
		if (id % 2)
			record_answered(its, id, id + 100, 200, start.at_ms + 500);
	}
}

/* That the lines are of so many calls, the latest at the end. */
static void expect_latest(unsigned n, int64_t now_ms)
{
	char *rest = NULL;
	unsigned i = n;

	assert_int_equal(lines_out(), n);
	for (char *line = strtok_r(out, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		json_t *call = json_loads(line, 0, NULL);

		assert_int_equal(json_integer_value(json_object_get(call, "start_ms")),
				 now_ms - 1000 * (int64_t)i--);
		json_decref(call);
	}
}

static void list_calls(int64_t now_ms)
{
	expect_success("calls --active", "START ");
	assert_int_equal(lines_out(), 91); /* four answers at least */
	expect_success("calls --active --json", "\"ended_ms\":null");
	expect_latest(90, now_ms);
	expect_success("calls --active --limit 30 --json", "\"ended_ms\":null");
	expect_latest(30, now_ms);
	expect_success("calls --active --trunk caf\xc3\xa9 --json", "\"trunk\":\"caf\xc3\xa9\"");
	assert_int_equal(lines_out(), 30);
	expect_success("calls --active --since 20s --json", "\"hangup_cause\":null");
	assert_in_range(lines_out(), 10, 20);
}

static void list_calls_of(unsigned workers)
{
	struct answerer answerer = {.count = workers};
	int64_t now_ms = clock_wall_ms();
	struct control *control;
	pthread_t thread;
	struct error why;

	base = event_base_new();
	served = false;
	begin_calls(workers, now_ms);
	for (unsigned i = 0; i < workers; i++)
		answerer.workers[i].records = &of_worker[i];
	assert_int_equal(control_start(base, state_dir, answer_question, &answerer, &control, &why),
			 0);
	assert_int_equal(pthread_create(&thread, NULL, serve, NULL), 0);
	list_calls(now_ms);
	__atomic_store_n(&served, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	control_stop(control);
	event_base_free(base);
	for (unsigned i = 0; i < workers; i++)
		records_free(&of_worker[i]);
	expect_failure("calls --active", 3, "no sipwardd runs on ");
}

static void calls_in_progress_are_listed(void **state)
{
	(void)state;
	list_calls_of(1);
}

static void those_of_several_workers_are_listed_by_their_time(void **state)
{
	(void)state;
	list_calls_of(WORKERS_MOST);
}

#undef TEST
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up_calls, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(calls_that_are_over_are_listed), TEST(json_lines_are_those_of_the_log),
		TEST(wrong_options_are_told),	      TEST(a_file_that_can_not_be_read_is_told),
		TEST(calls_in_progress_are_listed),
		TEST(those_of_several_workers_are_listed_by_their_time),
	};

	setenv("TZ", "UTC", 1);
	leave_network();
	return cmocka_run_group_tests_name("cli calls", tests, NULL, NULL);
}
