/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "store/internal.h"

static int io_error(struct store *store, struct error *err)
{
	int cause = sqlite3_system_errno(store->db);

	if (cause == ENOSPC || cause == EDQUOT)
		return error_set(err, -ENOSPC, "%s/%s: the disk is full", store->dir,
				 store->database->file);
	return error_set(err, -EIO, "%s/%s: %s (%s)", store->dir, store->database->file,
			 sqlite3_errmsg(store->db), cause ? strerror(cause) : "no cause given");
}

/* SQLite keeps the cause to itself where it could open the file but not the one beside it. */
static int open_error(struct store *store, struct error *err)
{
	int cause = sqlite3_system_errno(store->db);

	if (faccessat(store->dir_fd, ".", W_OK, AT_EACCESS))
		cause = errno;
	if (cause == ENOSPC)
		return io_error(store, err);
	return error_set(err, cause == EROFS ? -EROFS : -EACCES, "%s/%s: can not be opened: %s",
			 store->dir, store->database->file,
			 cause ? strerror(cause) : sqlite3_errmsg(store->db));
}

int db_error(struct store *store, int result, struct error *err)
{
	const char *dir = store->dir;

	switch (result & 0xff) {
	case SQLITE_OK:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return error_set(err, -EBUSY, "%s/%s: locked by another process for too long", dir,
				 store->database->file);
	case SQLITE_FULL:
		return error_set(err, -ENOSPC, "%s/%s: the disk is full", dir,
				 store->database->file);
	case SQLITE_READONLY:
		return error_set(err, -EROFS, "%s/%s: can not be written", dir,
				 store->database->file);
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return open_error(store, err);
	case SQLITE_NOTADB:
		return error_set(err, -EPROTO, "%s/%s: is no %s of sipward", dir,
				 store->database->file, store->database->what);
	case SQLITE_NOMEM:
		return error_set(err, -ENOMEM, "%s/%s: out of memory", dir, store->database->file);
	case SQLITE_CONSTRAINT:
		return error_set(err, -EEXIST, "%s/%s: %s", dir, store->database->file,
				 sqlite3_errmsg(store->db));
	case SQLITE_IOERR:
		return io_error(store, err);
	default:
		return error_set(err, -EIO, "%s/%s: %s", dir, store->database->file,
				 sqlite3_errmsg(store->db));
	}
}

int db_prepare(struct store *store, sqlite3_stmt **ret_stmt, struct error *err, const char *sql)
{
	return db_error(store, sqlite3_prepare_v2(store->db, sql, -1, ret_stmt, NULL), err);
}

static int bind_one(sqlite3_stmt *stmt, int i, const struct bind *bind)
{
	switch (bind->kind) {
	case BIND_INT:
		return sqlite3_bind_int64(stmt, i, bind->integer);
	case BIND_TEXT:
		return sqlite3_bind_text64(stmt, i, bind->bytes, bind->n, SQLITE_STATIC,
					   SQLITE_UTF8);
	case BIND_BLOB:
		return sqlite3_bind_blob64(stmt, i, bind->bytes, bind->n, SQLITE_STATIC);
	case BIND_NULL:
		return sqlite3_bind_null(stmt, i);
	}
	return SQLITE_MISUSE;
}

int db_bind(struct store *store, sqlite3_stmt *stmt, struct error *err, struct binds binds)
{
	int result = SQLITE_OK;

	sqlite3_reset(stmt);
	for (size_t i = 0; i < binds.n && result == SQLITE_OK; i++)
		result = bind_one(stmt, (int)i + 1, &binds.list[i]);
	return db_error(store, result, err);
}

int db_step(struct store *store, sqlite3_stmt *stmt, struct error *err)
{
	int result = sqlite3_step(stmt);

	if (result == SQLITE_ROW)
		return 1;
	return result == SQLITE_DONE ? 0 : db_error(store, result, err);
}

int db_finish(struct store *store, sqlite3_stmt *stmt, struct error *err)
{
	int rc = db_step(store, stmt, err);

	return rc < 0 ? rc : sqlite3_changes(store->db);
}

void db_rollback(struct store *store)
{
	if (sqlite3_get_autocommit(store->db))
		return;
	sqlite3_step(store->rollback);
	sqlite3_reset(store->rollback);
}

int db_query_binds(struct store *store, sqlite3_stmt **ret_stmt, struct error *err, const char *sql,
		   struct binds binds)
{
	sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, sql);

	if (rc == 0)
		rc = db_bind(store, stmt, err, binds);
	if (rc) {
		sqlite3_finalize(stmt);
		return rc;
	}
	*ret_stmt = stmt;
	return 0;
}

int db_run_binds(struct store *store, struct error *err, const char *sql, struct binds binds)
{
	sqlite3_stmt *stmt = NULL;
	int rc = db_query_binds(store, &stmt, err, sql, binds);

	if (rc == 0)
		rc = db_finish(store, stmt, err);
	sqlite3_finalize(stmt);
	return rc;
}

int db_int_binds(struct store *store, int64_t *ret_value, struct error *err, const char *sql,
		 struct binds binds)
{
	sqlite3_stmt *stmt = NULL;
	int rc = db_query_binds(store, &stmt, err, sql, binds);

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc > 0)
		*ret_value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	if (rc < 0)
		return rc;
	return rc > 0 ? 0 : -ENOENT;
}

/* As a blob, because sqlite3_column_text may have to allocate and then fails without a word. */
void column_text(sqlite3_stmt *stmt, int column, char *buf, size_t size)
{
	const void *bytes = sqlite3_column_blob(stmt, column);
	size_t n = (size_t)sqlite3_column_bytes(stmt, column);

	if (n >= size)
		n = size - 1;
	if (n)
		memcpy(buf, bytes, n);
	buf[n] = '\0';
}

void column_bytes(sqlite3_stmt *stmt, int column, void *buf, size_t size)
{
	const void *bytes = sqlite3_column_blob(stmt, column);
	size_t n = (size_t)sqlite3_column_bytes(stmt, column);

	memset(buf, 0, size);
	if (n)
		memcpy(buf, bytes, n < size ? n : size);
}

struct prefix_key prefix_key(const struct prefix *prefix)
{
	size_t address = ip_bits(&prefix->ip) / 8;
	struct prefix_key key = {.n = (uint8_t)(address + 2)};

	key.bytes[0] = prefix->ip.family;
	memcpy(key.bytes + 1, prefix->ip.bytes, address);
	key.bytes[1 + address] = prefix->len;
	return key;
}

struct prefix_key host_key(const struct ip *ip)
{
	return prefix_key(&(struct prefix){.ip = *ip, .len = (uint8_t)ip_bits(ip)});
}

bool column_prefix(sqlite3_stmt *stmt, int column, struct prefix *ret_prefix)
{
	const uint8_t *key = sqlite3_column_blob(stmt, column);
	int n = sqlite3_column_bytes(stmt, column);
	int address = n - 2;

	if (!key || !((n == 6 && key[0] == 4) || (n == 18 && key[0] == 6)))
		return false;
	if (key[n - 1] > 8 * address)
		return false;
	*ret_prefix = (struct prefix){.ip.family = key[0], .len = key[n - 1]};
	memcpy(ret_prefix->ip.bytes, key + 1, (size_t)address);
	return true;
}
