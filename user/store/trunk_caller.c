/* SPDX-License-Identifier: BSD-2-Clause */
/* The numbers that a trunk's callers may show. */
#include <errno.h>
#include <stdio.h>

#include "store/internal.h"

/* "+4989123", or "+4989*" for all that begin so. */
static int check_caller(const char *number, struct error *err)
{
	size_t n = strlen(number), digits = strspn(number + (n > 0), "0123456789");

	if (n && number[n - 1] != '*')
		return check_number("caller", number, err);
	if (number[0] != '+' || digits < 1 || digits > 15 || digits + 2 != n)
		return error_set(err, -EINVAL,
				 "caller %s: must be + and 7 to 15 digits (E.164), or + and the "
				 "first digits and '*'",
				 QUOTED(number));
	return 0;
}

static int run_one(struct store *store, const char *sql, int64_t trunk, const char *number,
		   struct error *err)
{
	return db_run(store, err, sql, INT(trunk), TEXT(number));
}

static int add_callers(struct store *store, int64_t trunk, const char *const *numbers, size_t n,
		       struct error *err)
{
	int added = 0, rc = 0;

	for (size_t i = 0; i < n && rc >= 0; i++) {
		rc = run_one(store, "INSERT OR IGNORE INTO trunk_caller VALUES (?, ?)", trunk,
			     numbers[i], err);
		added += rc > 0;
	}
	return rc < 0 ? rc : added;
}

static int remove_callers(struct store *store, int64_t trunk, const char *const *numbers, size_t n,
			  struct error *err)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc >= 0; i++) {
		rc = run_one(store, "DELETE FROM trunk_caller WHERE trunk_id = ? AND number = ?",
			     trunk, numbers[i], err);
		if (rc == 0)
			rc = error_set(err, -ENOENT, "caller %s: is none of the trunk's",
				       QUOTED(numbers[i]));
	}
	return rc < 0 ? rc : (int)n;
}

struct caller_change {
	int (*make)(struct store *store, int64_t trunk, const char *const *numbers, size_t n,
		    struct error *err);
	const char *done;
	const char *const *numbers;
	size_t n;
};

static int change_callers(struct store *store, const char *trunk,
			  const struct caller_change *change, struct error *err)
{
	char others[32] = "";
	int64_t id;
	int rc = 0;

	for (size_t i = 0; i < change->n && rc == 0; i++)
		rc = check_caller(change->numbers[i], err);
	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = trunk_id(store, trunk, &id, err);
	if (rc == 0)
		rc = change->make(store, id, change->numbers, change->n, err);
	if (change->n > 1)
		snprintf(others, sizeof(others), " and %zu more", change->n - 1);
	return change_end(store, rc, err, "trunk \"%s\": %s caller %s%s", trunk, change->done,
			  change->n ? change->numbers[0] : "", others);
}

int store_trunk_caller_add(struct store *store, const char *trunk, const char *const *numbers,
			   size_t n, struct error *err)
{
	struct caller_change change = {add_callers, "added", numbers, n};

	return change_callers(store, trunk, &change, err);
}

int store_trunk_caller_remove(struct store *store, const char *trunk, const char *const *numbers,
			      size_t n, struct error *err)
{
	struct caller_change change = {remove_callers, "removed", numbers, n};

	return change_callers(store, trunk, &change, err);
}

int store_trunk_caller_each(struct store *store, int64_t trunk_id_,
			    int (*visit)(const char *number, void *arg), void *arg,
			    struct error *err)
{
	char number[STORE_NUMBER_SIZE + 1];
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err,
			  "SELECT number FROM trunk_caller WHERE trunk_id = ? ORDER BY number",
			  INT(trunk_id_));

	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		column_text(stmt, 0, number, sizeof(number));
		rc = visit(number, arg);
	}
	sqlite3_finalize(stmt);
	return rc;
}
