/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs the program $BUILD/sipward as a user does, with a state directory of its own. */
#ifndef SIPWARD_TESTS_CLI_FIXTURE_H
#define SIPWARD_TESTS_CLI_FIXTURE_H

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

static char dir[64];
static char out[65536], err[16384];

static inline void read_file(const char *name, char *text, size_t size)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	size_t n = fread(text, 1, size - 1, file);
	text[n] = '\0';
	fclose(file);
}

/* Runs `sipward ARGS` (words for a shell, redirections too); its exit code, and out and err. */
static inline int sipward(const char *args)
{
	char command[2048];
	const char *build = getenv("BUILD");
	snprintf(command, sizeof(command),
		 "SIPWARD_STATE=%s/state SIPWARD_PIN_DIR=%s/pins D=%s; export SIPWARD_STATE "
		 "SIPWARD_PIN_DIR SIPWARD_CONFIG=$D/conf; exec 2>%s/err >%s/out </dev/null; "
		 "sipward() { '%s/sipward' "
		 "\"$@\"; }; "
		 "%s%s",
		 dir, dir, dir, dir, dir, build ? build : "build",
		 strchr(args, '|') ? "" : "sipward ", args);
	int status = system(command);
	assert_true(WIFEXITED(status));
	read_file("out", out, sizeof(out));
	read_file("err", err, sizeof(err));
	return WEXITSTATUS(status);
}

static inline void expect_failure(const char *args, int code, const char *error)
{
	int got = sipward(args);
	if (got != code || !strstr(err, error) || out[0])
		fail_msg("sipward %s: exit %d, want %d; stderr '%s', want '%s'; stdout '%s'", args,
			 got, code, err, error, out);
}

static inline void expect_success(const char *args, const char *output)
{
	int got = sipward(args);
	if (got != 0 || !strstr(out, output))
		fail_msg("sipward %s: exit %d; stdout '%s', want '%s'; stderr '%s'", args, got, out,
			 output, err);
}

/* Runs the command with --json and reads what it prints. The caller drops it. */
static inline json_t *json_of(const char *args)
{
	char with[1024];
	json_error_t why;
	snprintf(with, sizeof(with), "--json %s", args);
	int got = sipward(with);
	json_t *value = json_loads(out, 0, &why);
	if (got != 0 || !value)
		fail_msg("sipward %s: exit %d, %s; stdout '%s'; stderr '%s'", with, got, why.text,
			 out, err);
	return value;
}

static inline int set_up(void **state)
{
	char path[128];
	(void)state;
	strcpy(dir, "/tmp/sipward-cli-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/conf", dir);
	FILE *file = fopen(path, "w");
	if (!file)
		return -1;
	fputs("[sipwardd]\ndns_servers = 127.0.0.1:9\ndns_timeout = 100\n", file);
	return fclose(file);
}

static inline int tear_down(void **state)
{
	char command[128];
	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

/* No filter of another test is to be found: an empty network namespace, where allowed. */
static inline void leave_network(void)
{
	if (unshare(CLONE_NEWNET) < 0)
		perror("unshare");
}

#endif
