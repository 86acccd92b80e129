/* SPDX-License-Identifier: BSD-2-Clause */
/* The control socket against clients of every kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/control.h"

/* The module itself, less patient. */
#undef CONTROL_IDLE_S
#define CONTROL_IDLE_S 1
#include "../../user/daemon/control.c"

#include <poll.h>
#include <time.h>

#include "daemon/answer.h"

#define BIG 60000

static char dir[64];
static struct event_base *base;
static struct control *control;
static unsigned asked; /* how many questions reached the answerer */

static json_t *answer(const char *ask, const json_t *request, void *arg)
{
	static char big[BIG + 1];

	(void)arg;
	asked++;
	if (strcmp(ask, "echo") == 0)
		return json_pack("{s:O}", "echo", json_object_get(request, "what"));
	if (strcmp(ask, "big") != 0)
		return NULL;
	memset(big, 'x', BIG);
	return json_pack("{s:s}", "big", big);
}

static struct error err;

static int start(void)
{
	return control_start(base, dir, answer, NULL, &control, &err);
}

static int create(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/sipward-control-XXXXXX");
	asked = 0;
	if (!mkdtemp(dir))
		return -1;
	base = event_base_new();
	return base ? start() : -1;
}

static int destroy(void **state)
{
	char path[128];

	(void)state;
	control_stop(control);
	control = NULL;
	event_base_free(base);
	snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET, dir);
	unlink(path);
	return rmdir(dir);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Lets the daemon's side do what it can. */
static void turn(void)
{
	for (int i = 0; i < 8; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

/* -1: too many wait already. */
static int client_try(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/" CONTROL_SOCKET, dir);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
		assert_int_equal(errno, EAGAIN);
		close(fd);
		fd = -1;
	}
	turn();
	return fd;
}

static int client_open(void)
{
	int fd = client_try();

	assert_true(fd >= 0);
	return fd;
}

static void say(int fd, const char *text, size_t n)
{
	assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), n);
	turn();
}

#define SAY(fd, text) say(fd, text, sizeof(text) - 1)

/* What has come until a line ends, the connection ends, or nothing more comes. */
static const char *hear(int fd)
{
	static char text[BIG + 64];
	uint64_t until = now_ms() + 200;
	size_t n = 0;

	while (n < sizeof(text) - 1 && (n == 0 || text[n - 1] != '\n') && now_ms() < until) {
		ssize_t got;

		turn();
		got = recv(fd, text + n, sizeof(text) - 1 - n, 0);
		if (got == 0)
			break;
		if (got > 0)
			n += (size_t)got;
	}
	text[n] = '\0';
	return text;
}

/* Whether the daemon ends the connection within the time. */
static bool is_ended(int fd, unsigned ms)
{
	uint64_t until = now_ms() + ms;
	char byte;
	ssize_t got;

	do {
		turn();
		got = recv(fd, &byte, 1, 0);
		if (got == 0 || (got < 0 && errno != EAGAIN))
			return true;
		poll(NULL, 0, 2);
	} while (now_ms() < until);
	return false;
}

#define QUESTION "{\"ask\":\"echo\",\"what\":7}\n"
#define REPLY "{\"echo\":7}\n"

static void expect_service(int fd)
{
	SAY(fd, QUESTION);
	assert_string_equal(hear(fd), REPLY);
}

static void a_question_is_answered_on_one_line_and_then_another(void **state)
{
	int fd = client_open();

	(void)state;
	expect_service(fd);
	expect_service(fd);
	SAY(fd, "{\"ask\":\"big\"}\n");
	assert_int_equal(strlen(hear(fd)), BIG + strlen("{\"big\":\"\"}\n"));
	expect_service(fd);
	close(fd);
}

static void questions_in_one_piece_are_answered_in_order(void **state)
{
	int fd = client_open();
	char text[64];

	(void)state;
	SAY(fd, QUESTION "{\"ask\":\"echo\",\"what\":8}\n" QUESTION);
	poll(NULL, 0, 20);
	turn();
	assert_int_equal(recv(fd, text, sizeof(text), 0), 33);
	assert_memory_equal(text, REPLY "{\"echo\":8}\n" REPLY, 33);
	close(fd);
}

static void a_question_may_come_byte_by_byte(void **state)
{
	int fd = client_open();

	(void)state;
	for (const char *c = QUESTION; *c; c++)
		say(fd, c, 1);
	assert_string_equal(hear(fd), REPLY);
	close(fd);
}

static void what_is_no_question_is_told_so(void **state)
{
	static const struct {
		const char *line;
		size_t n;
	} rows[] = {
#define ROW(text) {text "\n", sizeof(text)}
		ROW(""),
		ROW("\r"),
		ROW("GET / HTTP/1.1"),
		ROW("{"),
		ROW("[]"),
		ROW("7"),
		ROW("{}"),
		ROW("{\"ask\":7}"),
		ROW("{\"ask\":null}"),
		ROW("{\"ask\":\"echo\",\"ask\":\"big\"}"),
		ROW("{\"ask\":\"nonsense\"}"),
		ROW("{\"ask\":\"echo\"} {\"ask\":\"echo\"}"),
		ROW("{\"ask\":\"echo\0\",\"what\":7}"),
		ROW("{\"ask\":\"\\u0000\"}"),
		ROW("{\"ask\":\"\xff\xfe\"}"),
		ROW("\0\0\0\0"),
	};
	int fd = client_open();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		say(fd, rows[i].line, rows[i].n);
		assert_int_equal(strncmp(hear(fd), "{\"error\":\"", 10), 0);
	}
	expect_service(fd);
	close(fd);
}

static void the_longest_line_is_taken_and_a_longer_one_ends_the_connection(void **state)
{
	char line[2 * CONTROL_LINE_MAX];
	int fd = client_open();

	(void)state;
	memset(line, '[', sizeof(line)); /* nested deeper than anybody needs */
	line[CONTROL_LINE_MAX - 1] = '\n';
	say(fd, line, CONTROL_LINE_MAX);
	assert_int_equal(strncmp(hear(fd), "{\"error\":\"", 10), 0);
	line[CONTROL_LINE_MAX - 1] = ' ';
	line[CONTROL_LINE_MAX] = '\n';
	say(fd, line, CONTROL_LINE_MAX + 1);
	assert_true(is_ended(fd, 100));
	close(fd);
	fd = client_open();
	say(fd, line, CONTROL_LINE_MAX - 1);
	assert_false(is_ended(fd, 20));
	say(fd, line, 1);
	assert_true(is_ended(fd, 100));
	close(fd);
	assert_int_equal(asked, 0);
}

static void one_client_too_many_waits_until_another_goes(void **state)
{
	int fds[CONTROL_CLIENTS_MAX], late;

	(void)state;
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		fds[i] = client_open();
	late = client_open();
	SAY(late, QUESTION);
	assert_string_equal(hear(late), "");
	expect_service(fds[0]);
	close(fds[3]);
	assert_string_equal(hear(late), REPLY);
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		if (i != 3)
			close(fds[i]);
	close(late);
}

static void who_sends_and_never_reads_takes_no_memory_and_is_ended(void **state)
{
	int fd = client_open(), other;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		(void)!send(fd, "{\"ask\":\"big\"}\n", 14, MSG_NOSIGNAL);
		turn();
	}
	assert_in_range(asked, 1, 20); /* what the kernel's own buffers took, and one */
	other = client_open();
	expect_service(other);
	close(other);
	poll(NULL, 0, 1100);
	turn();
	assert_int_equal(control->client_count, 0);
	close(fd);
}

static void who_does_not_complete_a_line_in_time_is_ended(void **state)
{
	int silent = client_open(), slow = client_open();
	uint64_t began = now_ms();

	(void)state;
	while (now_ms() - began < 900) {
		say(slow, " ", 1);
		poll(NULL, 0, 50);
		turn();
	}
	assert_false(is_ended(silent, 0));
	expect_service(slow); /* and has its time anew */
	assert_true(is_ended(silent, 300));
	assert_false(is_ended(slow, 400));
	assert_true(is_ended(slow, 700));
	close(silent);
	close(slow);
}

static void who_goes_away_in_the_middle_leaves_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		int fd = client_open();

		say(fd, QUESTION, (size_t)(i % (int)sizeof(QUESTION)));
		if (i % 3 == 0)
			SAY(fd, "{\"ask\":\"big\"}\n");
		close(fd);
		turn();
	}
	poll(NULL, 0, 1100); /* those who left an answer behind */
	turn();
	assert_int_equal(control->client_count, 0);
}

/* Clients that come, say what comes to mind, and go. */
static void noise_from_many_clients_breaks_nothing(void **state)
{
	static const char *const pieces[] = {
		"{\"ask\":\"echo\",", "\"what\":7}", "\n", "{",	   "}",
		"\"ask\":",	      "\"big\"",     "\\", "[[[[", "\n" QUESTION};
	int fds[2 * CONTROL_CLIENTS_MAX];
	unsigned n = sizeof(fds) / sizeof(fds[0]);

	(void)state;
	srand(7);
	memset(fds, -1, sizeof(fds));
	for (int round = 0; round < 20000; round++) {
		int *fd = &fds[(unsigned)rand() % n];
		const char *piece = pieces[(unsigned)rand() % 10];
		char noise[64], drain[4096];

		for (size_t i = 0; i < sizeof(noise); i++)
			noise[i] = (char)rand();
		if (*fd < 0)
			*fd = client_try();
		if (*fd < 0)
			continue;
		if (rand() % 8)
			(void)!send(*fd, piece, strlen(piece), MSG_NOSIGNAL);
		else
			(void)!send(*fd, noise, (size_t)rand() % sizeof(noise), MSG_NOSIGNAL);
		event_base_loop(base, EVLOOP_NONBLOCK);
		if (rand() % 2)
			(void)!recv(*fd, drain, sizeof(drain), 0);
		if (rand() % 32 == 0) {
			close(*fd);
			*fd = -1;
		}
		assert_true(control->client_count <= CONTROL_CLIENTS_MAX);
	}
	for (unsigned i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	assert_true(asked > 100);
	for (int i = 0; control->client_count && i < 100; i++) {
		poll(NULL, 0, 50);
		turn();
	}
	assert_int_equal(control->client_count, 0);
	fds[0] = client_open();
	expect_service(fds[0]);
	close(fds[0]);
}

/* ---- the socket ---- */

static void the_socket_is_the_owners_alone(void **state)
{
	mode_t before = umask(0);
	char path[128];
	struct stat st;

	(void)state;
	control_stop(control);
	assert_int_equal(start(), 0);
	umask(before);
	snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET, dir);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	control_stop(control);
	control = NULL;
	assert_int_equal(stat(path, &st), -1);
}

static void what_a_killed_daemon_left_is_replaced_and_what_is_no_socket_is_not(void **state)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char path[128];

	(void)state;
	control_stop(control);
	control = NULL;
	snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET, dir);
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(start(), 0);
	fd = client_open();
	expect_service(fd);
	close(fd);
	control_stop(control);
	control = NULL;
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(start(), -EADDRINUSE);
	assert_non_null(strstr(err.text, "/control: can not be listened to"));
	assert_int_equal(access(path, F_OK), 0);
}

static void the_state_directory_may_have_a_long_name_and_must_be_there(void **state)
{
	char root[64], deep[200];

	(void)state;
	control_stop(control);
	control = NULL;
	strcpy(root, dir);
	snprintf(deep, sizeof(deep), "%s/%0120d", root, 0);
	assert_int_equal(mkdir(deep, 0700), 0);
	assert_int_equal(control_start(base, deep, answer, NULL, &control, &err), 0);
	control_stop(control);
	control = NULL;
	assert_int_equal(rmdir(deep), 0);
	assert_int_equal(control_start(base, deep, answer, NULL, &control, &err), -ENOENT);
	control_stop(NULL);
}

/* ---- what is answered; the rest of it is met by real packets in tests/net ---- */

static void a_question_without_its_source_is_told_so(void **state)
{
	static const char *const requests[] = {"{}", "{\"source\":7}", "{\"source\":\"\"}",
					       "{\"source\":\"gate.example\"}",
					       "{\"source\":\"192.0.2.0/24\"}"};

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		json_t *request = json_loads(requests[i], 0, NULL);
		json_t *told = answer_question("evidence", request, NULL);

		assert_string_equal(json_string_value(json_object_get(told, "error")),
				    "\"source\" is no IPv4 or IPv6 address");
		json_decref(told);
		json_decref(request);
	}
	assert_null(answer_question("weather", NULL, NULL));
}

#define CONTROL_TEST(function) cmocka_unit_test_setup_teardown(function, create, destroy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONTROL_TEST(a_question_is_answered_on_one_line_and_then_another),
		CONTROL_TEST(questions_in_one_piece_are_answered_in_order),
		CONTROL_TEST(a_question_may_come_byte_by_byte),
		CONTROL_TEST(what_is_no_question_is_told_so),
		CONTROL_TEST(the_longest_line_is_taken_and_a_longer_one_ends_the_connection),
		CONTROL_TEST(one_client_too_many_waits_until_another_goes),
		CONTROL_TEST(who_sends_and_never_reads_takes_no_memory_and_is_ended),
		CONTROL_TEST(who_does_not_complete_a_line_in_time_is_ended),
		CONTROL_TEST(who_goes_away_in_the_middle_leaves_nothing),
		CONTROL_TEST(noise_from_many_clients_breaks_nothing),
		CONTROL_TEST(the_socket_is_the_owners_alone),
		CONTROL_TEST(what_a_killed_daemon_left_is_replaced_and_what_is_no_socket_is_not),
		CONTROL_TEST(the_state_directory_may_have_a_long_name_and_must_be_there),
		CONTROL_TEST(a_question_without_its_source_is_told_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
