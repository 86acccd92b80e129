/* SPDX-License-Identifier: BSD-2-Clause */
/* From the store to the maps: everything, or what the journal says has changed. */
#include <errno.h>
#include <stdlib.h>

#include "store/effective.h"

#define CHANGES_MAX 10000 /* more: a full reconcile is quicker, and no less right */

int store_filter_rules(struct store *store, struct filter_rules *ret_rules, struct error *err)
{
	struct effective *effective = NULL;
	struct filter_rules rules = {0};
	int rc = store_read_begin(store, err);

	if (rc)
		return rc;
	rc = store_generation(store, &rules.generation);
	if (rc == 0)
		rc = settings_for_filter(store, &rules.settings, err);
	if (rc == 0)
		rc = effective_load(store, &effective, err);
	if (rc == 0)
		rc = effective_all(effective, &rules.rules, &rules.count, err);
	effective_free(effective);
	store_read_end(store);
	if (rc == 0)
		*ret_rules = rules;
	return rc;
}

/* ---- what has changed ---- */

struct changes {
	struct prefix *prefixes;
	size_t n;
};

static int collect(struct store *store, struct changes *changes, sqlite3_stmt *stmt,
		   struct error *err)
{
	int rc;

	while ((rc = db_step(store, stmt, err)) > 0) {
		if (changes->n == CHANGES_MAX)
			return -E2BIG;
		if (column_prefix(stmt, 0, &changes->prefixes[changes->n]))
			changes->n++;
	}
	return rc;
}

static int collect_journal(struct store *store, uint64_t since, struct changes *changes,
			   struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err,
			  "SELECT DISTINCT prefix FROM journal WHERE generation > ?", INT(since));

	if (rc == 0)
		rc = collect(store, changes, stmt, err);
	sqlite3_finalize(stmt);
	return rc;
}

/* The key that sorts behind those of all prefixes inside this one. */
static struct prefix_key last_key(const struct prefix *prefix)
{
	struct prefix_key key = prefix_key(prefix);

	for (unsigned bit = prefix->len; bit < ip_bits(&prefix->ip); bit++)
		key.bytes[1 + bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	key.bytes[key.n - 1] = 0xff;
	return key;
}

/* Whether a denied prefix is a rule ALLOW depends on the entries around it, so those inside a
 * changed prefix may have changed with it. */
static int collect_denied(struct store *store, struct changes *changes, struct error *err)
{
	size_t journaled = changes->n;
	sqlite3_stmt *stmt = NULL;
	int rc =
		db_prepare(store, &stmt, err,
			   "SELECT prefix FROM acl_entry WHERE deny AND prefix > ? AND prefix < ?");

	for (size_t i = 0; i < journaled && rc == 0; i++) {
		struct prefix_key first = prefix_key(&changes->prefixes[i]);
		struct prefix_key last = last_key(&changes->prefixes[i]);

		rc = db_bind(store, stmt, err,
			     BINDS(BLOB(first.bytes, first.n), BLOB(last.bytes, last.n)));
		if (rc == 0)
			rc = collect(store, changes, stmt, err);
	}
	sqlite3_finalize(stmt);
	return rc;
}

static int compare_prefix(const void *a, const void *b)
{
	struct prefix_key key_a = prefix_key(a), key_b = prefix_key(b);

	return memcmp(key_a.bytes, key_b.bytes, sizeof(key_a.bytes));
}

static void drop_twins(struct changes *changes)
{
	size_t n = 0;

	qsort(changes->prefixes, changes->n, sizeof(*changes->prefixes), compare_prefix);
	for (size_t i = 0; i < changes->n; i++) {
		if (n == 0 || compare_prefix(&changes->prefixes[i], &changes->prefixes[n - 1]))
			changes->prefixes[n++] = changes->prefixes[i];
	}
	changes->n = n;
}

static int change_rules(struct store *store, const struct changes *changes,
			struct filter_rules *rules, struct error *err)
{
	struct effective *effective = NULL;
	int rc = effective_load(store, &effective, err);

	rules->rules = calloc(changes->n + 1, sizeof(*rules->rules));
	if (rc == 0 && !rules->rules)
		rc = error_set(err, -ENOMEM, "out of memory");
	for (; rules->count < changes->n && rc == 0; rules->count += rc == 0)
		rc = effective_one(effective, &changes->prefixes[rules->count],
				   &rules->rules[rules->count], err);
	effective_free(effective);
	return rc;
}

/* The rules that may differ from those of generation `since`, as they are now. -E2BIG: too many, or
 * the journal does not reach back that far. Within a read transaction. */
static int rules_since(struct store *store, uint64_t since, struct filter_rules *rules,
		       struct error *err)
{
	struct changes changes = {0};
	int64_t floor;
	int rc = db_int(store, &floor, err, "SELECT journal_floor FROM state");

	if (rc)
		return rc;
	if (since < (uint64_t)floor || since > rules->generation)
		return -E2BIG;
	changes.prefixes = calloc(CHANGES_MAX, sizeof(*changes.prefixes));
	if (!changes.prefixes)
		return error_set(err, -ENOMEM, "out of memory");
	rc = collect_journal(store, since, &changes, err);
	if (rc == 0)
		rc = collect_denied(store, &changes, err);
	if (rc == 0) {
		drop_twins(&changes);
		rc = change_rules(store, &changes, rules, err);
	}
	free(changes.prefixes);
	return rc;
}

int store_filter_changes(struct store *store, uint64_t since, struct filter_rules *ret_changes,
			 struct error *err)
{
	struct filter_rules changes = {0};
	int rc = store_read_begin(store, err);

	if (rc)
		return rc;
	rc = store_generation(store, &changes.generation);
	if (rc == 0)
		rc = settings_for_filter(store, &changes.settings, err);
	if (rc == 0)
		rc = rules_since(store, since, &changes, err);
	store_read_end(store);
	if (rc)
		filter_rules_free(&changes);
	else
		*ret_changes = changes;
	return rc;
}

/* ---- into the maps ---- */

static int sync_changes(struct store *store, struct filter *filter,
			struct filter_reconciled *ret_reconciled, struct error *err)
{
	struct sipward_settings maps;
	struct filter_rules changes = {0};
	int rc = filter_settings_read(filter, &maps);

	if (rc)
		return error_set(err, rc, "the filter's settings can not be read");
	if (maps.layout != SIPWARD_LAYOUT)
		return -E2BIG;
	rc = store_filter_changes(store, maps.generation, &changes, err);
	if (rc)
		return rc;
	if (changes.generation != maps.generation)
		rc = filter_apply(filter, &changes, ret_reconciled, err);
	filter_rules_free(&changes);
	return rc;
}

static int sync_everything(struct store *store, struct filter *filter,
			   struct filter_reconciled *ret_reconciled, struct error *err)
{
	struct filter_rules rules = {0};
	int rc = store_filter_rules(store, &rules, err);

	if (rc)
		return rc;
	rc = filter_reconcile(filter, &rules, ret_reconciled, err);
	filter_rules_free(&rules);
	return rc;
}

int store_sync(struct store *store, struct filter *filter, bool full,
	       struct filter_reconciled *ret_reconciled, struct error *err)
{
	struct filter_reconciled reconciled = {0};
	int rc = store_lock(store, err);

	if (rc)
		return rc;
	rc = full ? -E2BIG : sync_changes(store, filter, &reconciled, err);
	if (rc == -E2BIG)
		rc = sync_everything(store, filter, &reconciled, err);
	store_unlock(store);
	if (rc == 0 && ret_reconciled)
		*ret_reconciled = reconciled;
	return rc;
}
