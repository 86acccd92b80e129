/* SPDX-License-Identifier: BSD-2-Clause */
/* SQLite's allocations fail when told to. */
#ifndef SIPWARD_TESTS_FAILING_SQLITE_H
#define SIPWARD_TESTS_FAILING_SQLITE_H

#include <sqlite3.h>
#include <stdbool.h>

static sqlite3_mem_methods real;
static long left = -1; /* allocations until one fails; negative = none does */
static bool failed;

static inline bool fails_now(void)
{
	if (left < 0 || left-- > 0)
		return false;
	failed = true;
	return true;
}

static inline void *failing_malloc(int n)
{
	return fails_now() ? NULL : real.xMalloc(n);
}

static inline void *failing_realloc(void *old, int n)
{
	return fails_now() ? NULL : real.xRealloc(old, n);
}

static inline void install_failing_allocator(void)
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

#endif
