/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/internal.h"

static int open_dir(struct store *store, const char *dir, struct error *err)
{
	if ((size_t)snprintf(store->dir, sizeof(store->dir), "%s", dir) >= sizeof(store->dir))
		return error_set(err, -ENAMETOOLONG, "state directory: its name is too long");
	if (mkdir(dir, 0700) && errno != EEXIST)
		return error_set(err, -errno, "state directory %s: can not be made: %s", dir,
				 strerror(errno));
	store->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->dir_fd < 0)
		return error_set(err, -errno, "state directory %s: can not be opened: %s", dir,
				 strerror(errno));
	return 0;
}

/* Makes the file with the right mode before SQLite would with another one. An existing file must
 * not be opened and closed here: that would drop the locks of this process's other connections. */
static int create_file(struct store *store, struct error *err)
{
	int fd = openat(store->dir_fd, store->database->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
			0600);

	if (fd >= 0)
		close(fd);
	else if (errno != EEXIST)
		return error_set(err, -errno, "%s/%s: can not be made: %s", store->dir,
				 store->database->file, strerror(errno));
	return 0;
}

static int open_database(struct store *store, struct error *err)
{
	char path[STORE_DIR_SIZE + 32];
	int result;

	snprintf(path, sizeof(path), "%s/%s", store->dir, store->database->file);
	result = sqlite3_open_v2(path, &store->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX,
				 NULL);
	if (!store->db)
		return error_set(err, -ENOMEM, "%s: out of memory", path);
	if (result == SQLITE_OK) {
		sqlite3_extended_result_codes(store->db, 1);
		sqlite3_busy_timeout(store->db, STORE_TIMEOUT_MS);
		result = sqlite3_exec(store->db, store->database->setup, NULL, NULL, NULL);
	}
	return db_error(store, result, err);
}

int database_open(const char *state_dir, const struct database *database, struct store **ret_store,
		  struct error *err)
{
	struct store *store = calloc(1, sizeof(*store));
	int rc;

	if (!store)
		return error_set(err, -ENOMEM, "out of memory");
	store->database = database;
	store->dir_fd = -1;
	who_are_we(store->who);
	rc = open_dir(store, state_dir, err);
	if (rc == 0)
		rc = create_file(store, err);
	if (rc == 0)
		rc = open_database(store, err);
	if (rc == 0)
		rc = schema_prepare(store, err);
	if (rc == 0)
		rc = db_prepare(store, &store->rollback, err, "ROLLBACK");
	if (rc) {
		store_close(store);
		return rc;
	}
	*ret_store = store;
	return 0;
}

int store_open(const char *state_dir, struct store **ret_store, struct error *err)
{
	return database_open(state_dir, &store_database, ret_store, err);
}

void store_close(struct store *store)
{
	if (!store)
		return;
	sqlite3_finalize(store->rollback);
	sqlite3_close(store->db);
	if (store->dir_fd >= 0)
		close(store->dir_fd);
	free(store);
}

int store_generation(struct store *store, uint64_t *ret_generation)
{
	int64_t generation;
	int rc = db_int(store, &generation, NULL, "SELECT generation FROM state");

	if (rc)
		return rc;
	*ret_generation = (uint64_t)generation;
	return 0;
}

int store_read_begin(struct store *store, struct error *err)
{
	int64_t generation;
	int rc;

	/* A group of changes is a transaction already. */
	if (store->read_depth++ || store->change.group)
		return 0;
	rc = db_run(store, err, "BEGIN");
	/* The snapshot is taken by the first read, not by BEGIN. */
	if (rc >= 0)
		rc = db_int(store, &generation, err, "SELECT generation FROM state");
	if (rc < 0)
		store_read_end(store);
	return rc < 0 ? rc : 0;
}

void store_read_end(struct store *store)
{
	if (--store->read_depth == 0 && !store->change.group)
		db_rollback(store);
}

int store_audit_each(struct store *store, size_t n,
		     int (*visit)(int64_t time_s, const char *who, const char *what, void *arg),
		     void *arg, struct error *err)
{
	char who[128], what[512];
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err,
			  "SELECT time, who, what FROM audit ORDER BY id DESC LIMIT ?", INT(n));

	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		column_text(stmt, 1, who, sizeof(who));
		column_text(stmt, 2, what, sizeof(what));
		rc = visit(sqlite3_column_int64(stmt, 0), who, what, arg);
	}
	sqlite3_finalize(stmt);
	return rc;
}
