/* SPDX-License-Identifier: BSD-2-Clause */
/* The file under the store: strange files, kills, full and read-only disks, several writers. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store/internal.h"
#include "small_disk.h"
#include "store_fixture.h"

/* A directory, and no store in it yet. */
static int dir_setup(void **state)
{
	*state = fixture_new();
	return 0;
}

#define DIR_TEST(function) cmocka_unit_test_setup_teardown(function, dir_setup, fixture_teardown)

static int reopen(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
	memset(&f->err, 0, sizeof(f->err));
	return store_open(f->dir, &f->store, &f->err);
}

static void write_file(struct fixture *f, const void *bytes, size_t n)
{
	char path[96];
	int fd;

	snprintf(path, sizeof(path), "%s/sipward.db", f->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
}

static void run_sql(struct fixture *f, const char *sql)
{
	char path[96];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/sipward.db", f->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void assert_whole(struct fixture *f)
{
	int64_t problems;

	assert_ok(f, db_int(f->store, &problems, &f->err,
			    "SELECT count(*) FROM pragma_integrity_check"
			    " WHERE integrity_check <> 'ok'"));
	assert_int_equal(problems, 0);
}

static uint64_t count_entries(struct fixture *f, const char *name)
{
	struct store_acl acl;

	assert_ok(f, store_acl_get(f->store, name, &acl, &f->err));
	return acl.entries;
}

static void only_the_owner_may_read_it(void **state)
{
	struct fixture *f = *state;
	char path[96];
	struct stat st;

	assert_int_equal(rmdir(f->dir), 0);
	assert_ok(f, reopen(f));
	assert_int_equal(stat(f->dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	snprintf(path, sizeof(path), "%s/sipward.db", f->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	strcat(path, "-wal");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void missing_parent_is_an_error_that_names_the_directory(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, -ENOENT, "/nowhere/at/all",
		       store_open("/nowhere/at/all", &f->store, &f->err));
}

static void garbage_is_refused(void **state)
{
	struct fixture *f = *state;
	char garbage[5000];

	memset(garbage, 'g', sizeof(garbage));
	write_file(f, garbage, sizeof(garbage));
	assert_refused(f, -EPROTO, "no store of sipward", store_open(f->dir, &f->store, &f->err));
}

static void foreign_database_is_refused_and_left_alone(void **state)
{
	struct fixture *f = *state;

	run_sql(f, "CREATE TABLE acl (x); INSERT INTO acl VALUES (1)");
	assert_refused(f, -EPROTO, "no store of sipward", store_open(f->dir, &f->store, &f->err));
	run_sql(f, "INSERT INTO acl VALUES (2)");
}

static void newer_schema_is_refused_with_both_versions(void **state)
{
	struct fixture *f = *state;

	assert_ok(f, reopen(f));
	store_close(f->store);
	f->store = NULL;
	run_sql(f, "PRAGMA user_version = 99");
	assert_refused(f, -EPROTO, "version 99", store_open(f->dir, &f->store, &f->err));
	assert_non_null(strstr(f->err.text, "up to 4"));
}

static void empty_file_becomes_a_store(void **state)
{
	struct fixture *f = *state;

	write_file(f, "", 0);
	assert_ok(f, reopen(f));
	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
}

static void truncated_file_is_an_error(void **state)
{
	struct fixture *f = *state;
	char path[96];
	int rc;

	assert_ok(f, reopen(f));
	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	store_close(f->store);
	f->store = NULL;
	snprintf(path, sizeof(path), "%s/sipward.db", f->dir);
	assert_int_equal(truncate(path, 6000), 0);
	rc = reopen(f);
	if (rc == 0)
		rc = store_acl_create(f->store, "b", "", &f->err);
	assert_true(rc == -EIO || rc == -EPROTO);
	assert_non_null(strstr(f->err.text, "sipward.db"));
}

/* ---- kills ---- */

static struct store_acl_entry *many_entries(size_t n)
{
	struct store_acl_entry *entries = calloc(n, sizeof(*entries));

	assert_non_null(entries);
	for (size_t i = 0; i < n; i++) {
		entries[i].prefix = prefix("10.0.0.0");
		entries[i].prefix.ip.bytes[1] = (uint8_t)(i >> 16);
		entries[i].prefix.ip.bytes[2] = (uint8_t)(i >> 8);
		entries[i].prefix.ip.bytes[3] = (uint8_t)i;
	}
	return entries;
}

/* Runs the function in a process of its own and kills that after delay_us. */
static void run_and_kill(void (*function)(const char *dir), const char *dir, useconds_t delay_us)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		function(dir);
		_exit(0);
	}
	usleep(delay_us);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

enum { MANY = 20000 };

static void add_and_remove_forever(const char *dir)
{
	struct store_acl_entry *entries = many_entries(MANY);
	struct prefix *prefixes = calloc(MANY, sizeof(*prefixes));
	struct store *store;

	for (size_t i = 0; i < MANY; i++)
		prefixes[i] = entries[i].prefix;
	if (store_open(dir, &store, NULL))
		_exit(1);
	for (;;) {
		store_acl_add(store, "a", entries, MANY, NULL, NULL);
		store_acl_remove(store, "a", prefixes, MANY, NULL);
	}
}

static void killed_writer_leaves_all_or_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t entries, last;

	assert_ok(f, reopen(f));
	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	last = generation(f);
	for (unsigned i = 0; i < 12; i++) {
		run_and_kill(add_and_remove_forever, f->dir, 50000 + i * 37000);
		assert_ok(f, reopen(f));
		assert_whole(f);
		entries = count_entries(f, "a");
		assert_true(entries == 0 || entries == MANY);
		assert_true(generation(f) >= last);
		last = generation(f);
		assert_ok(f, store_acl_create(f->store, "b", "", &f->err));
		assert_ok(f, store_acl_delete(f->store, "b", &f->err));
	}
}

static void open_only(const char *dir)
{
	struct store *store;

	if (store_open(dir, &store, NULL) == 0)
		pause();
}

static void killed_first_start_leaves_a_store_that_opens(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 30; i++) {
		run_and_kill(open_only, f->dir, 300 + i * 400);
		assert_ok(f, reopen(f));
		assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
		store_close(f->store);
		f->store = NULL;
		fixture_remove_dir(f);
		assert_int_equal(mkdir(f->dir, 0700), 0);
	}
}

/* ---- several writers ---- */

enum { WRITERS = 4, EACH = 50 };

static int write_some(const char *dir, int writer)
{
	struct store_acl_entry entry = {.prefix = prefix("10.0.0.0")};
	struct store *store = NULL;
	struct error err = {0};
	int rc = store_open(dir, &store, &err);

	for (int i = 0; i < EACH && rc == 0; i++) {
		entry.prefix.ip.bytes[2] = (uint8_t)writer;
		entry.prefix.ip.bytes[3] = (uint8_t)i;
		rc = store_acl_create(store, "a", "", &err);
		if (rc == 0 || rc == -EEXIST)
			rc = store_acl_add(store, "a", &entry, 1, NULL, &err);
	}
	if (rc)
		fprintf(stderr, "%s\n", err.text);
	store_close(store);
	return rc;
}

static void writers_on_a_new_store_all_succeed(void **state)
{
	struct fixture *f = *state;
	pid_t pids[WRITERS];
	uint64_t first;
	int status;

	for (int i = 0; i < WRITERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			_exit(write_some(f->dir, i) ? 1 : 0);
	}
	for (int i = 0; i < WRITERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	assert_ok(f, reopen(f));
	assert_int_equal(count_entries(f, "a"), WRITERS * EACH);
	assert_ok(f, db_int(f->store, (int64_t *)&first, &f->err,
			    "SELECT generation - (SELECT count(*) FROM audit) FROM state"));
	/* One generation for each row of the audit, which began at the clock's time. */
	assert_true(first > 1700000000);
	assert_whole(f);
}

static void lock_held_too_long_is_told(void **state)
{
	struct fixture *f = *state;
	struct store *other = NULL;

	assert_ok(f, reopen(f));
	assert_ok(f, store_open(f->dir, &other, &f->err));
	assert_int_equal(sqlite3_exec(other->db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_busy_timeout(f->store->db, 50);
	assert_refused(f, -EBUSY, "locked", store_acl_create(f->store, "a", "", &f->err));
	/* A worker waits for less, and what follows for as long as ever. */
	assert_refused(f, -EBUSY, "locked", store_user_ratchet(f->store, 1, 1, &f->err));
	store_close(other);
	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
}

/* ---- disks ---- */

static void full_disk_is_told_and_loses_nothing(void **state)
{
	struct fixture *f = *state;
	struct store_acl_entry *entries;

	if (!mount_small_disk(f->dir, 1500)) {
		skip();
		return;
	}
	entries = many_entries(50000);
	assert_ok(f, reopen(f));
	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_ok(f, allow(f, "a", "192.0.2.1"));
	assert_refused(f, -ENOSPC, "disk is full",
		       store_acl_add(f->store, "a", entries, 50000, NULL, &f->err));
	assert_int_equal(count_entries(f, "a"), 1);
	assert_whole(f);
	assert_ok(f, reopen(f));
	assert_int_equal(count_entries(f, "a"), 1);
	assert_ok(f, take_away(f, "a", "192.0.2.1"));
	store_close(f->store);
	f->store = NULL;
	free(entries);
	assert_int_equal(umount(f->dir), 0);
}

static void full_disk_undoes_a_whole_group(void **state)
{
	struct fixture *f = *state;
	struct store_acl_entry *entries;

	if (!mount_small_disk(f->dir, 1500)) {
		skip();
		return;
	}
	entries = many_entries(50000);
	assert_ok(f, reopen(f));
	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_ok(f, store_change_begin(f->store, &f->err));
	assert_ok(f, allow(f, "a", "192.0.2.1"));
	assert_ok(f, store_acl_add(f->store, "a", entries, 50000, NULL, &f->err));
	assert_refused(f, -ENOSPC, "disk is full", store_change_end(f->store, true, &f->err));
	assert_int_equal(count_entries(f, "a"), 0);
	assert_whole(f);
	assert_ok(f, allow(f, "a", "192.0.2.1"));
	store_close(f->store);
	f->store = NULL;
	free(entries);
	assert_int_equal(umount(f->dir), 0);
}

static void read_only_disk_is_told(void **state)
{
	struct fixture *f = *state;

	if (!mount_small_disk(f->dir, 1500)) {
		skip();
		return;
	}
	assert_ok(f, reopen(f));
	store_close(f->store);
	f->store = NULL;
	assert_int_equal(mount(NULL, f->dir, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	assert_refused(f, -EROFS, "sipward.db", store_open(f->dir, &f->store, &f->err));
	assert_int_equal(umount(f->dir), 0);
}

static void state_directory_that_is_a_file_is_told(void **state)
{
	struct fixture *f = *state;
	char path[96];

	write_file(f, "", 0);
	snprintf(path, sizeof(path), "%s/sipward.db", f->dir);
	assert_refused(f, -ENOTDIR, path, store_open(path, &f->store, &f->err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIR_TEST(only_the_owner_may_read_it),
		DIR_TEST(missing_parent_is_an_error_that_names_the_directory),
		DIR_TEST(garbage_is_refused),
		DIR_TEST(foreign_database_is_refused_and_left_alone),
		DIR_TEST(newer_schema_is_refused_with_both_versions),
		DIR_TEST(empty_file_becomes_a_store),
		DIR_TEST(truncated_file_is_an_error),
		DIR_TEST(killed_writer_leaves_all_or_nothing),
		DIR_TEST(killed_first_start_leaves_a_store_that_opens),
		DIR_TEST(writers_on_a_new_store_all_succeed),
		DIR_TEST(lock_held_too_long_is_told),
		DIR_TEST(full_disk_is_told_and_loses_nothing),
		DIR_TEST(full_disk_undoes_a_whole_group),
		DIR_TEST(read_only_disk_is_told),
		DIR_TEST(state_directory_that_is_a_file_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
