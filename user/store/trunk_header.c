/* SPDX-License-Identifier: BSD-2-Clause */
/* Header fields that calls towards a customer get. */
#include <errno.h>

#include "store/internal.h"

int store_header_parse(const char *text, struct store_header *ret_header, struct error *err)
{
	struct store_header header;
	struct slice value, name = slice_trim(slice_cut(slice_from(text), ':', &value));
	int rc;

	value = slice_trim(value);
	if (!name.n || !value.n)
		return error_set(err, -EINVAL, "header %s: must be Name: value", QUOTED(text));
	if (slice_text(name, header.name, sizeof(header.name)) ||
	    slice_text(value, header.value, sizeof(header.value)))
		return error_set(err, -EINVAL,
				 "header %s: at most %d bytes of name and %d of value are kept",
				 QUOTED(text), STORE_HEADER_NAME_SIZE - 1,
				 STORE_HEADER_VALUE_SIZE - 1);
	rc = check_added_header(name, err);
	if (rc == 0)
		rc = check_text("header", header.value, STORE_HEADER_VALUE_SIZE - 1, err);
	if (rc)
		return rc;
	*ret_header = header;
	return 0;
}

#define THAT_FIELD " WHERE trunk_id = ? AND name = ? COLLATE NOCASE AND value = ?"

/* What begins as the gate's own fields do would be taken for one. */
static int check_prefix_free(struct store *store, const struct store_header *header,
			     struct error *err)
{
	struct store_settings settings;
	int rc = store_settings_get(store, &settings, err);

	if (rc == 0 &&
	    slice_starts_nocase(slice_from(header->name), slice_from(settings.header_prefix)))
		rc = error_set(err, -EINVAL, "header %s: names with %s are the gate's own",
			       QUOTED(header->name), QUOTED(settings.header_prefix));
	return rc;
}

/* Whether anything has changed, or a negative errno. */
static int add_header(struct store *store, int64_t trunk, const struct store_header *header,
		      struct error *err)
{
	int64_t one;
	int rc = check_prefix_free(store, header, err);

	if (rc)
		return rc;
	rc = db_int(store, &one, err, "SELECT 1 FROM trunk_header" THAT_FIELD, INT(trunk),
		    TEXT(header->name), TEXT(header->value));
	if (rc == 0)
		return error_set(err, -EEXIST, "header \"%s: %s\": the trunk has it already",
				 header->name, header->value);
	if (rc != -ENOENT)
		return rc;
	return db_run(store, err,
		      "INSERT INTO trunk_header SELECT ?1, ifnull(max(position), 0) + 1, ?2, ?3"
		      " FROM trunk_header WHERE trunk_id = ?1",
		      INT(trunk), TEXT(header->name), TEXT(header->value));
}

static int remove_header(struct store *store, int64_t trunk, const struct store_header *header,
			 struct error *err)
{
	int rc = db_run(store, err, "DELETE FROM trunk_header" THAT_FIELD, INT(trunk),
			TEXT(header->name), TEXT(header->value));

	if (rc == 0)
		return error_set(err, -ENOENT, "header \"%s: %s\": is none of the trunk's",
				 header->name, header->value);
	return rc;
}

struct header_change {
	int (*make)(struct store *store, int64_t trunk, const struct store_header *header,
		    struct error *err);
	const char *done;
};

static int change_header(struct store *store, const char *trunk, const char *text,
			 const struct header_change *change, struct error *err)
{
	struct store_header header;
	int64_t id;
	int rc = store_header_parse(text, &header, err);

	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = trunk_id(store, trunk, &id, err);
	if (rc == 0)
		rc = change->make(store, id, &header, err);
	return change_end(store, rc, err, "trunk \"%s\": %s header %s: %s", trunk, change->done,
			  header.name, header.value);
}

int store_trunk_header_add(struct store *store, const char *trunk, const char *text,
			   struct error *err)
{
	static const struct header_change change = {add_header, "added"};

	return change_header(store, trunk, text, &change, err);
}

int store_trunk_header_remove(struct store *store, const char *trunk, const char *text,
			      struct error *err)
{
	static const struct header_change change = {remove_header, "removed"};

	return change_header(store, trunk, text, &change, err);
}

int store_trunk_header_each(struct store *store, int64_t trunk_id_,
			    int (*visit)(const struct store_header *header, void *arg), void *arg,
			    struct error *err)
{
	struct store_header header;
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err,
			  "SELECT name, value FROM trunk_header WHERE trunk_id = ?"
			  " ORDER BY position",
			  INT(trunk_id_));

	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		column_text(stmt, 0, header.name, sizeof(header.name));
		column_text(stmt, 1, header.value, sizeof(header.value));
		rc = visit(&header, arg);
	}
	sqlite3_finalize(stmt);
	return rc;
}
