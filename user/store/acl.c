/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/internal.h"

int acl_id(struct store *store, const char *name, int64_t *ret_id, struct error *err)
{
	int rc = db_int(store, ret_id, err, "SELECT id FROM acl WHERE name = ?", TEXT(name));

	return rc == -ENOENT
		       ? error_set(err, rc, "ACL %s: there is none of this name", QUOTED(name))
		       : rc;
}

static int create_acl(struct store *store, const char *name, const char *note, struct error *err)
{
	struct limit limit;
	int rc = limit_begin(store, LIMIT_ACLS, 0, &limit, err);

	if (rc)
		return rc;
	rc = db_run(store, err, "INSERT INTO acl (name, note) VALUES (?, ?)", TEXT(name),
		    TEXT(note));
	if (rc == -EEXIST)
		error_set(err, rc, "ACL %s: there is one already", QUOTED(name));
	if (rc < 0)
		return rc;
	rc = limit_check(store, &limit, err);
	return rc ? rc : 1;
}

int store_acl_create(struct store *store, const char *name, const char *note, struct error *err)
{
	int rc = check_name("ACL name", name, err);

	note = note ? note : "";
	if (rc == 0)
		rc = check_note(note, err);
	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = create_acl(store, name, note, err);
	return change_end(store, rc, err, "created ACL \"%s\"", name);
}

int store_acl_note(struct store *store, const char *name, const char *note, struct error *err)
{
	int64_t id;
	int rc = check_note(note, err);

	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = acl_id(store, name, &id, err);
	if (rc == 0)
		rc = db_run(store, err, "UPDATE acl SET note = ?1 WHERE id = ?2 AND note <> ?1",
			    TEXT(note), INT(id));
	return change_end(store, rc, err, "ACL \"%s\": new note", name);
}

static int acl_check_unused(struct store *store, const char *name, int64_t id, struct error *err)
{
	char names[300];
	int n = trunk_names(store,
			    "SELECT name FROM trunk JOIN trunk_acl ON trunk_id = id"
			    " WHERE acl_id = ? ORDER BY name",
			    id, names, sizeof(names));

	if (n > 0)
		return error_set(err, -EBUSY, "ACL %s: is attached to trunk %s; detach it first",
				 QUOTED(name), names);
	return n;
}

int store_acl_delete(struct store *store, const char *name, struct error *err)
{
	int64_t id;
	int rc = change_begin(store, err);

	if (rc)
		return rc;
	rc = acl_id(store, name, &id, err);
	if (rc == 0)
		rc = acl_check_unused(store, name, id, err);
	if (rc == 0)
		rc = db_run(store, err, "DELETE FROM acl WHERE id = ?", INT(id));
	return change_end(store, rc, err, "deleted ACL \"%s\"", name);
}

#define SELECT_ACL                                                                                 \
	"SELECT id, name, note,"                                                                   \
	" (SELECT count(*) FROM acl_entry WHERE acl_id = acl.id),"                                 \
	" (SELECT count(*) FROM trunk_acl WHERE acl_id = acl.id)"                                  \
	" FROM acl"

static void read_acl(sqlite3_stmt *stmt, struct store_acl *ret_acl)
{
	ret_acl->id = sqlite3_column_int64(stmt, 0);
	column_text(stmt, 1, ret_acl->name, sizeof(ret_acl->name));
	column_text(stmt, 2, ret_acl->note, sizeof(ret_acl->note));
	ret_acl->entries = (uint64_t)sqlite3_column_int64(stmt, 3);
	ret_acl->trunks = (uint64_t)sqlite3_column_int64(stmt, 4);
}

int store_acl_get(struct store *store, const char *name, struct store_acl *ret_acl,
		  struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err, SELECT_ACL " WHERE name = ?", TEXT(name));

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc > 0)
		read_acl(stmt, ret_acl);
	else if (rc == 0)
		rc = error_set(err, -ENOENT, "ACL %s: there is none of this name", QUOTED(name));
	sqlite3_finalize(stmt);
	return rc < 0 ? rc : 0;
}

int store_acl_each(struct store *store, int (*visit)(const struct store_acl *acl, void *arg),
		   void *arg, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	struct store_acl acl;
	int rc = db_query(store, &stmt, err, SELECT_ACL " ORDER BY name");

	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		read_acl(stmt, &acl);
		rc = visit(&acl, arg);
	}
	sqlite3_finalize(stmt);
	return rc;
}

#define SELECT_ENTRY "SELECT id, acl_id, prefix, deny, note, host_id FROM acl_entry"

static int read_entry(struct store *store, sqlite3_stmt *stmt, struct store_acl_entry *ret_entry,
		      struct error *err)
{
	ret_entry->id = sqlite3_column_int64(stmt, 0);
	ret_entry->acl_id = sqlite3_column_int64(stmt, 1);
	ret_entry->deny = sqlite3_column_int(stmt, 3) != 0;
	ret_entry->host_id = sqlite3_column_int64(stmt, 5);
	column_text(stmt, 4, ret_entry->note, sizeof(ret_entry->note));
	if (!column_prefix(stmt, 2, &ret_entry->prefix))
		return error_set(err, -EIO, "%s/%s: ACL entry %lld holds no prefix", store->dir,
				 store->database->file, (long long)ret_entry->id);
	return 0;
}

/* Where a prefix can stand several times, those that deny come last. Sorting costs, and few ACLs
 * hold host names. */
static int query_entries(struct store *store, int64_t acl, sqlite3_stmt **ret_stmt,
			 struct error *err)
{
	int64_t hosts;
	int rc = db_int(store, &hosts, err,
			"SELECT EXISTS (SELECT 1 FROM acl_host WHERE acl_id = ?)", INT(acl));

	if (rc)
		return rc;
	return db_query(store, ret_stmt, err,
			hosts ? SELECT_ENTRY " WHERE acl_id = ? ORDER BY prefix, deny, host_id"
			      : SELECT_ENTRY " WHERE acl_id = ? ORDER BY prefix",
			INT(acl));
}

int store_acl_entry_each(struct store *store, const char *name,
			 int (*visit)(const struct store_acl_entry *entry, void *arg), void *arg,
			 struct error *err)
{
	struct store_acl_entry entry;
	sqlite3_stmt *stmt = NULL;
	int64_t id = 0;
	int rc = name ? acl_id(store, name, &id, err) : 0;

	if (rc)
		return rc;
	rc = name ? query_entries(store, id, &stmt, err)
		  : db_query(store, &stmt, err, SELECT_ENTRY " ORDER BY prefix, acl_id, deny, id");
	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		rc = read_entry(store, stmt, &entry, err);
		if (rc == 0)
			rc = visit(&entry, arg);
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* Entries in the order of the indexes, so that a long list is appended to them and not scattered
 * over them. The same prefix twice: the later one wins. */
struct ordered {
	struct prefix_key key;
	const struct store_acl_entry *entry;
};

static int compare_ordered(const void *a_, const void *b_)
{
	const struct ordered *a = a_, *b = b_;
	int order = memcmp(a->key.bytes, b->key.bytes, sizeof(a->key.bytes));

	return order ? order : (a->entry > b->entry) - (a->entry < b->entry);
}

static int order_entries(const struct store_acl_entry *entries, size_t n,
			 struct ordered **ret_ordered, struct error *err)
{
	struct ordered *ordered = calloc(n ? n : 1, sizeof(*ordered));
	int rc = ordered ? 0 : error_set(err, -ENOMEM, "out of memory");

	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = check_prefix(&entries[i].prefix, err);
		if (rc == 0)
			rc = check_note(entries[i].note, err);
		if (rc == 0)
			ordered[i] = (struct ordered){prefix_key(&entries[i].prefix), &entries[i]};
	}
	if (rc) {
		free(ordered);
		return rc;
	}
	qsort(ordered, n, sizeof(*ordered), compare_ordered);
	*ret_ordered = ordered;
	return 0;
}

/* The number of entries that are new, or mean something else than before; or a negative errno. */
static int insert_entries(struct store *store, int64_t id, const struct ordered *ordered, size_t n,
			  struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int changed = 0;
	int rc = db_prepare(
		store, &stmt, err,
		"INSERT INTO acl_entry (acl_id, prefix, deny, note) VALUES (?, ?, ?, ?)"
		" ON CONFLICT (acl_id, prefix, host_id) DO UPDATE SET deny = excluded.deny,"
		"  note = CASE excluded.note WHEN '' THEN note ELSE excluded.note END"
		" WHERE deny <> excluded.deny"
		"  OR (excluded.note <> '' AND note <> excluded.note)");

	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct store_acl_entry *entry = ordered[i].entry;
		const struct prefix_key *key = &ordered[i].key;

		rc = db_bind(store, stmt, err,
			     BINDS(INT(id), BLOB(key->bytes, key->n), INT(entry->deny),
				   TEXT(entry->note)));
		if (rc == 0)
			rc = db_finish(store, stmt, err);
		if (rc > 0) {
			changed++;
			rc = change_prefix(store, &entry->prefix, err);
		}
	}
	sqlite3_finalize(stmt);
	return rc < 0 ? rc : changed;
}

/* For the audit: the one prefix, or how many there were and which was first. */
static void describe(const struct prefix *first, size_t n, char *ret_text, size_t size)
{
	char prefix[PREFIX_TEXT_SIZE];

	prefix_format(first, prefix);
	if (n == 1)
		snprintf(ret_text, size, "%s", prefix);
	else
		snprintf(ret_text, size, "%zu entries, %s the first", n, prefix);
}

static int add_entries(struct store *store, int64_t id, const struct ordered *ordered, size_t n,
		       struct error *err)
{
	struct limit limit;
	int rc = limit_begin(store, LIMIT_ACL_ENTRIES, id, &limit, err), changed;

	if (rc)
		return rc;
	changed = insert_entries(store, id, ordered, n, err);
	if (changed >= 0)
		rc = limit_check(store, &limit, err);
	return rc ? rc : changed;
}

int store_acl_add(struct store *store, const char *name, const struct store_acl_entry *entries,
		  size_t n, size_t *ret_added, struct error *err)
{
	struct ordered *ordered = NULL;
	char text[100] = "";
	int64_t id;
	int added = 0;
	int rc = order_entries(entries, n, &ordered, err);

	if (rc)
		return rc;
	rc = change_begin(store, err);
	if (rc)
		goto out;
	rc = acl_id(store, name, &id, err);
	if (rc == 0)
		rc = added = add_entries(store, id, ordered, n, err);
	if (n)
		describe(&entries->prefix, n, text, sizeof(text));
	rc = change_end(store, rc, err, "ACL \"%s\": %s %s", name,
			n != 1		? "set"
			: entries->deny ? "denies"
					: "allows",
			text);
	if (rc == 0 && ret_added)
		*ret_added = (size_t)added;
out:
	free(ordered);
	return rc;
}

static int delete_entries(struct store *store, const char *name, const struct prefix *prefixes,
			  size_t n, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int64_t id;
	int rc = acl_id(store, name, &id, err);

	if (rc == 0)
		rc = db_prepare(
			store, &stmt, err,
			"DELETE FROM acl_entry WHERE acl_id = ? AND prefix = ? AND host_id = 0");
	for (size_t i = 0; i < n && rc == 0; i++) {
		struct prefix_key key = prefix_key(&prefixes[i]);

		rc = db_bind(store, stmt, err, BINDS(INT(id), BLOB(key.bytes, key.n)));
		if (rc == 0)
			rc = db_finish(store, stmt, err);
		if (rc > 0) {
			rc = change_prefix(store, &prefixes[i], err);
		} else if (rc == 0) {
			char text[PREFIX_TEXT_SIZE];

			prefix_format(&prefixes[i], text);
			rc = error_set(err, -ENOENT, "prefix \"%s\": is not in ACL %s", text,
				       QUOTED(name));
		}
	}
	sqlite3_finalize(stmt);
	return rc < 0 ? rc : (int)n;
}

int store_acl_remove(struct store *store, const char *name, const struct prefix *prefixes, size_t n,
		     struct error *err)
{
	char text[100] = "";
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = check_prefix(&prefixes[i], err);
	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = delete_entries(store, name, prefixes, n, err);
	if (n)
		describe(prefixes, n, text, sizeof(text));
	return change_end(store, rc, err, "ACL \"%s\": removed %s", name, text);
}
