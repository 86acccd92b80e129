/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "store/internal.h"

#define MD5_SIZE 16
#define RATCHET_TIMEOUT_MS 50 /* a worker waits here, and calls with it */

int credentials_id(struct store *store, const char *name, int64_t *ret_id, struct error *err)
{
	int rc =
		db_int(store, ret_id, err, "SELECT id FROM credentials WHERE name = ?", TEXT(name));

	if (rc == -ENOENT)
		error_set(err, rc, "credential list %s: there is none of this name", QUOTED(name));
	return rc;
}

int store_credentials_create(struct store *store, const char *name, const char *realm,
			     struct error *err)
{
	int rc = check_name("credential list name", name, err);

	if (rc == 0)
		rc = check_realm(realm, err);
	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = db_run(store, err, "INSERT INTO credentials (name, realm) VALUES (?, ?)", TEXT(name),
		    TEXT(realm));
	if (rc == -EEXIST)
		error_set(err, rc, "credential list %s: there is one already", QUOTED(name));
	return change_end(store, rc, err, "created credential list \"%s\" of realm \"%s\"", name,
			  realm);
}

int store_credentials_set(struct store *store, const char *name, bool at_realm, struct error *err)
{
	int64_t id;
	int rc = change_begin(store, err);

	if (rc)
		return rc;
	rc = credentials_id(store, name, &id, err);
	if (rc == 0)
		rc = db_run(store, err,
			    "UPDATE credentials SET at_realm = ?1 WHERE id = ?2 AND at_realm <> ?1",
			    INT(at_realm), INT(id));
	return change_end(store, rc, err, "credential list \"%s\": user@realm %s", name,
			  at_realm ? "is a name too" : "is no name");
}

static int check_unused(struct store *store, const char *name, int64_t id, struct error *err)
{
	char names[300];
	int n = trunk_names(store,
			    "SELECT name FROM trunk JOIN trunk_credentials ON trunk_id = id"
			    " WHERE list_id = ? ORDER BY name",
			    id, names, sizeof(names));

	if (n > 0)
		return error_set(err, -EBUSY,
				 "credential list %s: is attached to trunk %s; detach it first",
				 QUOTED(name), names);
	return n;
}

int store_credentials_delete(struct store *store, const char *name, struct error *err)
{
	int64_t id;
	int rc = change_begin(store, err);

	if (rc)
		return rc;
	rc = credentials_id(store, name, &id, err);
	if (rc == 0)
		rc = check_unused(store, name, id, err);
	if (rc == 0)
		rc = db_run(store, err, "DELETE FROM credentials WHERE id = ?", INT(id));
	return change_end(store, rc, err, "deleted credential list \"%s\"", name);
}

#define SELECT_LIST                                                                                \
	"SELECT id, name, realm, at_realm,"                                                        \
	" (SELECT count(*) FROM user WHERE list_id = credentials.id),"                             \
	" (SELECT count(*) FROM trunk_credentials WHERE list_id = credentials.id)"                 \
	" FROM credentials"

static void read_list(sqlite3_stmt *stmt, struct store_credentials *ret_list)
{
	ret_list->id = sqlite3_column_int64(stmt, 0);
	column_text(stmt, 1, ret_list->name, sizeof(ret_list->name));
	column_text(stmt, 2, ret_list->realm, sizeof(ret_list->realm));
	ret_list->at_realm = sqlite3_column_int(stmt, 3) != 0;
	ret_list->users = (uint64_t)sqlite3_column_int64(stmt, 4);
	ret_list->trunks = (uint64_t)sqlite3_column_int64(stmt, 5);
}

int store_credentials_get(struct store *store, const char *name, struct store_credentials *ret_list,
			  struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err, SELECT_LIST " WHERE name = ?", TEXT(name));

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc > 0)
		read_list(stmt, ret_list);
	else if (rc == 0)
		rc = error_set(err, -ENOENT, "credential list %s: there is none of this name",
			       QUOTED(name));
	sqlite3_finalize(stmt);
	return rc < 0 ? rc : 0;
}

int store_credentials_each(struct store *store,
			   int (*visit)(const struct store_credentials *list, void *arg), void *arg,
			   struct error *err)
{
	struct store_credentials list;
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err, SELECT_LIST " ORDER BY name");

	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		read_list(stmt, &list);
		rc = visit(&list, arg);
	}
	sqlite3_finalize(stmt);
	return rc;
}

#define SELECT_USER                                                                                \
	"SELECT user.id, list_id, user.name, strongest, ha1_md5, ha1_sha256, ha1_sha512_256,"      \
	" at_realm_md5, at_realm_sha256, at_realm_sha512_256"                                      \
	" FROM user"

static void read_user(sqlite3_stmt *stmt, struct store_user *ret_user)
{
	ret_user->id = sqlite3_column_int64(stmt, 0);
	ret_user->list_id = sqlite3_column_int64(stmt, 1);
	column_text(stmt, 2, ret_user->name, sizeof(ret_user->name));
	ret_user->strongest = (unsigned)sqlite3_column_int(stmt, 3);
	for (int i = 0; i < STORE_ALGORITHMS; i++) {
		column_bytes(stmt, 4 + i, ret_user->ha1.plain[i], STORE_HA1_SIZE);
		column_bytes(stmt, 7 + i, ret_user->ha1.at_realm[i], STORE_HA1_SIZE);
	}
}

int store_user_each(struct store *store, const char *list,
		    int (*visit)(const struct store_user *user, void *arg), void *arg,
		    struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	struct store_user user;
	int64_t id = 0;
	int rc = list ? credentials_id(store, list, &id, err) : 0;

	if (rc)
		return rc;
	rc = list ? db_query(store, &stmt, err, SELECT_USER " WHERE list_id = ? ORDER BY name",
			     INT(id))
		  : db_query(store, &stmt, err,
			     SELECT_USER " JOIN credentials ON credentials.id = list_id"
					 " ORDER BY credentials.name, user.name");
	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		read_user(stmt, &user);
		rc = visit(&user, arg);
		explicit_bzero(&user, sizeof(user));
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* A trunk that knew two users of one name in one realm could not tell whose password is meant. */
int credentials_check_clash(struct store *store, int64_t list_id, const char *user,
			    struct error *err)
{
	char name[STORE_USER_SIZE], trunk[STORE_NAME_SIZE], other[STORE_NAME_SIZE];
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err,
			  "SELECT user.name, trunk.name, other.name FROM credentials AS list"
			  " JOIN trunk_credentials AS mine ON mine.list_id = list.id"
			  " JOIN trunk_credentials AS theirs ON theirs.trunk_id = mine.trunk_id"
			  "  AND theirs.list_id <> list.id"
			  " JOIN credentials AS other ON other.id = theirs.list_id"
			  "  AND other.realm = list.realm"
			  " JOIN user ON user.list_id = list.id"
			  " JOIN user AS twin ON twin.list_id = other.id AND twin.name = user.name"
			  " JOIN trunk ON trunk.id = mine.trunk_id"
			  " WHERE list.id = ?1 AND (?2 = '' OR user.name = ?2) LIMIT 1",
			  INT(list_id), TEXT(user ? user : ""));

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc > 0) {
		column_text(stmt, 0, name, sizeof(name));
		column_text(stmt, 1, trunk, sizeof(trunk));
		column_text(stmt, 2, other, sizeof(other));
		rc = error_set(err, -EEXIST,
			       "user \"%s\": trunk %s would have it twice in one realm, credential "
			       "list %s knows it too",
			       name, QUOTED(trunk), QUOTED(other));
	}
	sqlite3_finalize(stmt);
	return rc;
}

struct password {
	int64_t list_id;
	const char *user;
	const struct store_ha1 *ha1;
};

/* Runs SQL in which ?1 and ?2 are the list and the user. */
static int write_password(struct store *store, const char *sql, const struct password *password,
			  struct error *err)
{
	const struct store_ha1 *ha1 = password->ha1;

	return db_run(store, err, sql, INT(password->list_id), TEXT(password->user),
		      BLOB(ha1->plain[0], MD5_SIZE), BLOB(ha1->plain[1], STORE_HA1_SIZE),
		      BLOB(ha1->plain[2], STORE_HA1_SIZE), BLOB(ha1->at_realm[0], MD5_SIZE),
		      BLOB(ha1->at_realm[1], STORE_HA1_SIZE),
		      BLOB(ha1->at_realm[2], STORE_HA1_SIZE));
}

static int add_user(struct store *store, const char *list, const struct password *password,
		    struct error *err)
{
	const char *user = password->user;
	struct limit limit;
	int rc = limit_begin(store, LIMIT_USERS, 0, &limit, err);

	if (rc)
		return rc;
	rc = write_password(store,
			    "INSERT INTO user (list_id, name, ha1_md5, ha1_sha256, ha1_sha512_256,"
			    " at_realm_md5, at_realm_sha256, at_realm_sha512_256)"
			    " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			    password, err);
	if (rc == -EEXIST)
		error_set(err, rc, "user \"%s\": credential list %s has one already", user,
			  QUOTED(list));
	if (rc < 0)
		return rc;
	rc = limit_check(store, &limit, err);
	if (rc == 0)
		rc = credentials_check_clash(store, password->list_id, user, err);
	return rc ? rc : 1;
}

int store_user_add(struct store *store, const char *list, const char *name,
		   const struct store_ha1 *ha1, struct error *err)
{
	struct password password = {.user = name, .ha1 = ha1};
	int rc = store_user_name_check(store, name, err);

	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = credentials_id(store, list, &password.list_id, err);
	if (rc == 0)
		rc = add_user(store, list, &password, err);
	return change_end(store, rc, err, "credential list \"%s\": added user \"%s\"", list, name);
}

static int check_found(int changed, const char *list, const char *name, struct error *err)
{
	if (changed)
		return changed;
	return error_set(err, -ENOENT, "user %s: is not in credential list %s", QUOTED(name),
			 QUOTED(list));
}

int store_user_passwd(struct store *store, const char *list, const char *name,
		      const struct store_ha1 *ha1, struct error *err)
{
	struct password password = {.user = name, .ha1 = ha1};
	int rc = change_begin(store, err);

	if (rc)
		return rc;
	rc = credentials_id(store, list, &password.list_id, err);
	if (rc == 0)
		rc = check_found(write_password(store,
						"UPDATE user SET ha1_md5 = ?3, ha1_sha256 = ?4,"
						" ha1_sha512_256 = ?5, at_realm_md5 = ?6,"
						" at_realm_sha256 = ?7, at_realm_sha512_256 = ?8,"
						" strongest = 0 WHERE list_id = ?1 AND name = ?2",
						&password, err),
				 list, name, err);
	return change_end(store, rc, err, "credential list \"%s\": new password of user \"%s\"",
			  list, name);
}

int store_user_remove(struct store *store, const char *list, const char *name, struct error *err)
{
	int64_t id;
	int rc = change_begin(store, err);

	if (rc)
		return rc;
	rc = credentials_id(store, list, &id, err);
	if (rc == 0)
		rc = check_found(db_run(store, err,
					"DELETE FROM user WHERE list_id = ? AND name = ?", INT(id),
					TEXT(name)),
				 list, name, err);
	return change_end(store, rc, err, "credential list \"%s\": removed user \"%s\"", list,
			  name);
}

int store_user_ratchet(struct store *store, int64_t user_id, unsigned strongest, struct error *err)
{
	int rc;

	sqlite3_busy_timeout(store->db, RATCHET_TIMEOUT_MS);
	rc = db_run(store, err, "UPDATE user SET strongest = ?1 WHERE id = ?2 AND strongest < ?1",
		    INT(strongest), INT(user_id));
	sqlite3_busy_timeout(store->db, STORE_TIMEOUT_MS);
	return rc < 0 ? rc : 0;
}
