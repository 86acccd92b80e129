/* SPDX-License-Identifier: BSD-2-Clause */
/* What is attached to a trunk: ACLs and credential lists, in the same way. */
#include <errno.h>

#include "store/internal.h"

struct kind {
	const char *what;
	int (*find)(struct store *store, const char *name, int64_t *ret_id, struct error *err);
	const char *attach, *detach, *list;
	bool rules; /* attaching changes what the filter's maps hold */
};

static const struct kind acl_kind = {
	.what = "ACL",
	.find = acl_id,
	.attach = "INSERT INTO trunk_acl (trunk_id, acl_id) VALUES (?, ?)",
	.detach = "DELETE FROM trunk_acl WHERE trunk_id = ? AND acl_id = ?",
	.list = "SELECT id, name FROM acl JOIN trunk_acl ON acl_id = id"
		" WHERE trunk_id = ? ORDER BY name",
	.rules = true,
};

static const struct kind credentials_kind = {
	.what = "credential list",
	.find = credentials_id,
	.attach = "INSERT INTO trunk_credentials (trunk_id, list_id) VALUES (?, ?)",
	.detach = "DELETE FROM trunk_credentials WHERE trunk_id = ? AND list_id = ?",
	.list = "SELECT id, name FROM credentials JOIN trunk_credentials ON list_id = id"
		" WHERE trunk_id = ? ORDER BY name",
};

static int find_both(struct store *store, const struct kind *kind, const char *trunk,
		     const char *name, int64_t ret_ids[2], struct error *err)
{
	int rc = trunk_id(store, trunk, &ret_ids[0], err);

	return rc ? rc : kind->find(store, name, &ret_ids[1], err);
}

static int attach(struct store *store, const struct kind *kind, const char *trunk, const char *name,
		  struct error *err)
{
	int64_t ids[2];
	int rc = change_begin(store, err);

	if (rc)
		return rc;
	rc = find_both(store, kind, trunk, name, ids, err);
	if (rc == 0) {
		rc = db_run(store, err, kind->attach, INT(ids[0]), INT(ids[1]));
		if (rc == -EEXIST)
			error_set(err, rc, "%s %s: is attached to trunk %s already", kind->what,
				  QUOTED(name), QUOTED(trunk));
	}
	if (rc > 0 && kind->rules) {
		change_everything(store);
	} else if (rc > 0) {
		int clash = credentials_check_clash(store, ids[1], NULL, err);

		rc = clash < 0 ? clash : rc;
	}
	return change_end(store, rc, err, "trunk \"%s\": attached %s \"%s\"", trunk, kind->what,
			  name);
}

static int detach(struct store *store, const struct kind *kind, const char *trunk, const char *name,
		  struct error *err)
{
	int64_t ids[2];
	int rc = change_begin(store, err);

	if (rc)
		return rc;
	rc = find_both(store, kind, trunk, name, ids, err);
	if (rc == 0) {
		rc = db_run(store, err, kind->detach, INT(ids[0]), INT(ids[1]));
		if (rc == 0)
			rc = error_set(err, -ENOENT, "%s %s: is not attached to trunk %s",
				       kind->what, QUOTED(name), QUOTED(trunk));
	}
	if (kind->rules)
		change_everything(store);
	return change_end(store, rc, err, "trunk \"%s\": detached %s \"%s\"", trunk, kind->what,
			  name);
}

struct visitor {
	int (*visit)(int64_t id, const char *name, void *arg);
	void *arg;
};

static int attached_each(struct store *store, const char *sql, int64_t trunk,
			 struct visitor visitor, struct error *err)
{
	char name[STORE_NAME_SIZE];
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err, sql, INT(trunk));

	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		column_text(stmt, 1, name, sizeof(name));
		rc = visitor.visit(sqlite3_column_int64(stmt, 0), name, visitor.arg);
	}
	sqlite3_finalize(stmt);
	return rc;
}

int store_trunk_attach_acl(struct store *store, const char *trunk, const char *acl,
			   struct error *err)
{
	return attach(store, &acl_kind, trunk, acl, err);
}

int store_trunk_detach_acl(struct store *store, const char *trunk, const char *acl,
			   struct error *err)
{
	return detach(store, &acl_kind, trunk, acl, err);
}

int store_trunk_attach_credentials(struct store *store, const char *trunk, const char *list,
				   struct error *err)
{
	return attach(store, &credentials_kind, trunk, list, err);
}

int store_trunk_detach_credentials(struct store *store, const char *trunk, const char *list,
				   struct error *err)
{
	return detach(store, &credentials_kind, trunk, list, err);
}

int store_trunk_acl_each(struct store *store, int64_t trunk_id_,
			 int (*visit)(int64_t acl_id, const char *name, void *arg), void *arg,
			 struct error *err)
{
	return attached_each(store, acl_kind.list, trunk_id_, (struct visitor){visit, arg}, err);
}

int store_trunk_credentials_each(struct store *store, int64_t trunk_id_,
				 int (*visit)(int64_t list_id, const char *name, void *arg),
				 void *arg, struct error *err)
{
	return attached_each(store, credentials_kind.list, trunk_id_, (struct visitor){visit, arg},
			     err);
}
