/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls to be recorded, and a directory for their records. */
#ifndef SIPWARD_TESTS_RECORD_FIXTURE_H
#define SIPWARD_TESTS_RECORD_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "record/writer.h"

#define BEGAN 1750000000000LL /* a time of the wall clock in ms */

static inline struct record_start some_start(int64_t at_ms)
{
	struct record_start start = {
		.source = {{.family = 4, .bytes = {192, 0, 2, 1}}, 5060},
		.transport = CALL_UDP,
		.direction = CALL_INBOUND,
		.auth = STORE_AUTH_CREDENTIAL,
		.trunk = SLICE("main"),
		.user = SLICE("alice"),
		.from = SLICE("\"Alice\" <sip:+4930123456@gate.example;user=phone>;tag=88sja8x"),
		.to = SLICE("<sip:+4989654321@gate.example>"),
		.call_id = SLICE("a84b4c76e66710@192.0.2.1"),
		.upstream = SLICE("sip:198.51.100.1:5060"),
		.at_ms = at_ms,
	};

	return start;
}

static inline void make_dir(char path[64])
{
	strcpy(path, "/tmp/sipward-test-record-XXXXXX");
	assert_non_null(mkdtemp(path));
}

static inline void remove_dir(const char *path)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", path);
	assert_int_equal(system(command), 0);
}

static inline int list_one(const struct call_record *record, void *arg)
{
	return json_array_append_new(arg, record_json(record));
}

/* Those that are over, in the order they began. */
static inline json_t *stored_calls(const char *path)
{
	struct store_call_query query = {.limit = UINT32_MAX};
	struct store_calls *calls;
	json_t *list = json_array();
	struct error why;

	if (!store_calls_exist(path))
		return list;
	assert_int_equal(store_calls_open(path, &calls, &why), 0);
	assert_int_equal(store_calls_each(calls, &query, list_one, list, &why), 0);
	store_calls_close(calls);
	return list;
}

static inline size_t count_stored(const char *path)
{
	json_t *list = stored_calls(path);
	size_t n = json_array_size(list);

	json_decref(list);
	return n;
}

static inline const char *text_of(const json_t *call, const char *key)
{
	return json_string_value(json_object_get(call, key));
}

static inline long long number_of(const json_t *call, const char *key)
{
	return json_integer_value(json_object_get(call, key));
}

#endif
