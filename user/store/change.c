/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/file.h>

#include "base/clock.h"
#include "store/internal.h"

#define JOURNAL_MAX 100000
#define JOURNAL_CHANGE_MAX 5000 /* more in one change: a full reconcile is quicker */
#define AUDIT_MAX 100000

int store_lock(struct store *store, struct error *err)
{
	while (flock(store->dir_fd, LOCK_EX)) {
		if (errno != EINTR)
			return error_set(err, -errno, "%s: can not be locked: %s", store->dir,
					 strerror(errno));
	}
	return 0;
}

void store_unlock(struct store *store)
{
	flock(store->dir_fd, LOCK_UN);
}

static int begin(struct store *store, struct error *err)
{
	uint64_t generation;
	int rc;

	if (store->read_depth)
		return error_set(err, -EBUSY, "%s: can not be changed within a read transaction",
				 store->dir);
	rc = db_run(store, err, "BEGIN IMMEDIATE");
	if (rc < 0)
		return rc;
	rc = store_generation(store, &generation);
	if (rc) {
		error_set(err, rc, "%s/%s: the generation can not be read", store->dir,
			  store->database->file);
		db_rollback(store);
		return rc;
	}
	memset(&store->change, 0, sizeof(store->change));
	store->change.generation = generation + 1;
	return 0;
}

int change_begin(struct store *store, struct error *err)
{
	if (!store->change.group)
		return begin(store, err);
	if (store->change.group_failed)
		return error_set(err, -ECANCELED, "%s: a change before this one has failed",
				 store->dir);
	return 0;
}

int change_prefix(struct store *store, const struct prefix *prefix, struct error *err)
{
	struct prefix_key key = prefix_key(prefix);
	int rc;

	if (store->change.coarse)
		return 0;
	if (++store->change.journaled > JOURNAL_CHANGE_MAX) {
		change_everything(store);
		return 0;
	}
	rc = db_run(store, err, "INSERT INTO journal (generation, prefix) VALUES (?, ?)",
		    INT(store->change.generation), BLOB(key.bytes, key.n));
	return rc < 0 ? rc : 0;
}

void change_everything(struct store *store)
{
	store->change.coarse = true;
}

/* Where the change is too coarse for it, the journal starts anew; else its oldest rows go. */
static int trim_journal(struct store *store, struct error *err)
{
	int64_t floor = (int64_t)store->change.generation, last = INT64_MAX;
	int rc;

	if (!store->change.coarse) {
		rc = db_int(store, &last, err, "SELECT ifnull(max(id), 0) - ? FROM journal",
			    INT(JOURNAL_MAX));
		if (rc || last <= 0)
			return rc;
		rc = db_int(store, &floor, err, "SELECT generation FROM journal WHERE id = ?",
			    INT(last));
		if (rc)
			return rc == -ENOENT ? 0 : rc;
	}
	rc = db_run(store, err, "DELETE FROM journal WHERE id <= ?", INT(last));
	if (rc >= 0)
		rc = db_run(store, err, "UPDATE state SET journal_floor = ?", INT(floor));
	return rc < 0 ? rc : 0;
}

static int write_audit(struct store *store, const char *what, struct error *err)
{
	int rc = db_run(store, err, "INSERT INTO audit (time, who, what) VALUES (?, ?, ?)",
			INT(clock_wall_s()), TEXT(store->who), TEXT(what));

	if (rc >= 0)
		rc = db_run(store, err,
			    "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?",
			    INT(AUDIT_MAX));
	return rc < 0 ? rc : 0;
}

static int commit(struct store *store, struct error *err)
{
	int rc = trim_journal(store, err);

	if (rc == 0)
		rc = db_run(store, err, "UPDATE state SET generation = ?",
			    INT(store->change.generation));
	if (rc >= 0)
		rc = db_run(store, err, "COMMIT");
	if (rc < 0)
		return rc;
	store_notify(store);
	return 0;
}

/* In a group, what has been done stays until its end. */
static int end_in_group(struct store *store, int rc)
{
	if (rc < 0)
		store->change.group_failed = rc;
	else if (rc > 0)
		store->change.group_changed = true;
	return rc < 0 ? rc : 0;
}

int change_end(struct store *store, int rc, struct error *err, const char *what, ...)
{
	char text[512];
	va_list args;

	if (rc > 0) {
		int written;

		va_start(args, what);
		vsnprintf(text, sizeof(text), what, args);
		va_end(args);
		written = write_audit(store, text, err);
		rc = written < 0 ? written : rc;
	}
	if (store->change.group)
		return end_in_group(store, rc);
	if (rc > 0)
		rc = commit(store, err);
	db_rollback(store); /* unless it is committed */
	return rc;
}

int store_change_begin(struct store *store, struct error *err)
{
	int rc;

	if (store->change.group)
		return error_set(err, -EBUSY, "%s: changes are grouped already", store->dir);
	rc = begin(store, err);
	if (rc == 0)
		store->change.group = true;
	return rc;
}

int store_change_end(struct store *store, bool keep, struct error *err)
{
	int rc = store->change.group_failed;

	store->change.group = false;
	if (rc == 0 && keep && store->change.group_changed)
		rc = commit(store, err);
	else if (rc && keep)
		error_set(err, rc, "%s: one of the changes has failed, so none is made",
			  store->dir);
	db_rollback(store);
	return keep ? rc : 0;
}
