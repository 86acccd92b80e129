/* SPDX-License-Identifier: BSD-2-Clause */
/* A document with each allocation failing in turn, those of JSON and the store too: an error each
 * time, never half a change. */
#include <errno.h>
#include <sqlite3.h>

#include "document_fixture.h"

static long left = -1; /* allocations until one fails; negative = none does */
static bool failed;
static bool sqlite_too; /* its allocations count; test_store_memory has each of them fail */

static bool fails_now(void)
{
	if (left < 0 || left-- > 0)
		return false;
	failed = true;
	return true;
}

static void *failing_malloc(size_t n)
{
	return fails_now() ? NULL : malloc(n);
}

static void *failing_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : calloc(n, size);
}

static char *failing_strdup(const char *text)
{
	return fails_now() ? NULL : strdup(text);
}

/* The real code with the allocator above: the library's copies are not linked then. */
#define calloc failing_calloc
#define strdup failing_strdup
#include "../../user/document/state.c"
#undef calloc
#undef strdup

static sqlite3_mem_methods real;

static void *failing_sqlite_malloc(int n)
{
	return sqlite_too && fails_now() ? NULL : real.xMalloc(n);
}

static void *failing_sqlite_realloc(void *old, int n)
{
	return sqlite_too && fails_now() ? NULL : real.xRealloc(old, n);
}

static void install_failing_allocators(void)
{
	sqlite3_mem_methods failing;

	assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real), SQLITE_OK);
	failing = real;
	failing.xMalloc = failing_sqlite_malloc;
	failing.xRealloc = failing_sqlite_realloc;
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing), SQLITE_OK);
	assert_int_equal(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
	json_set_alloc_funcs(failing_malloc, free);
}

/* The call with its n-th allocation failing; false once it has no more. */
static bool with_failure(struct fixture *f, long n, int (*call)(struct fixture *f, void *arg),
			 void *arg, int *ret_rc)
{
	failed = false;
	left = n;
	*ret_rc = call(f, arg);
	left = -1;
	/* SQLite copes with some failures by itself. */
	if (*ret_rc && *ret_rc != -ENOMEM)
		print_error("allocation %ld: %d: %s\n", n, *ret_rc, f->err.text);
	assert_true(*ret_rc == 0 || *ret_rc == -ENOMEM);
	return failed;
}

static int make_equal_to(struct fixture *f, void *document)
{
	return document_apply(f->store, document, &key, false, NULL, NULL, NULL, &f->err);
}

/* Each step-th allocation. */
static void check_apply(struct fixture *f, long step)
{
	char *before, *after;
	json_t *first, *second;
	long n = 0, refused = 0;
	bool more;
	int rc;

	fill(f);
	first = export(f, &key);
	second = json_deep_copy(first);
	json_object_del(json_object_get(second, "trunks"), "default");
	json_object_del(json_object_get(second, "settings"), "mode");
	json_object_set_new(json_object_get(second, "acls"), "new",
			    parse("{'note': 'x', 'entries': ['10.0.0.0/8',"
				  " {'prefix': '10.1.0.0/16', 'deny': true, 'note': 'y'}],"
				  " 'hosts': ['sip.new.example']}"));
	before = export_text(f);
	do {
		more = with_failure(f, n, make_equal_to, second, &rc);
		after = export_text(f);
		assert_true((strcmp(before, after) == 0) == (rc != 0));
		refused += rc != 0;
		n += step;
		free(after);
		if (rc == 0)
			assert_ok(f, apply(f, first, &key));
	} while (more);
	assert_true(refused > 20);
	free(before);
	json_decref(first);
	json_decref(second);
}

static void an_apply_that_fails_changes_nothing(void **state)
{
	sqlite_too = false;
	check_apply(*state, 1);
}

static void nor_does_one_whose_store_fails(void **state)
{
	sqlite_too = true;
	check_apply(*state, 23);
}

static int export_only(struct fixture *f, void *arg)
{
	json_t *document = NULL;
	int rc = document_export(f->store, &key, &document, &f->err);

	(void)arg;
	assert_true((rc == 0) == (document != NULL));
	json_decref(document);
	return rc;
}

static void an_export_that_fails_is_none(void **state)
{
	struct fixture *f = *state;
	long n = 0;
	int rc;

	fill(f);
	sqlite_too = true;
	while (with_failure(f, n, export_only, NULL, &rc))
		n += 7;
	assert_int_equal(rc, 0);
	assert_true(n > 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(an_apply_that_fails_changes_nothing),
		STORE_TEST(nor_does_one_whose_store_fails),
		STORE_TEST(an_export_that_fails_is_none),
	};

	install_failing_allocators();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
