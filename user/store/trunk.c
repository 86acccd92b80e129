/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>

#include "store/internal.h"

const char *store_auth_type_name(enum store_auth_type type)
{
	static const char *const names[] = {
		[STORE_AUTH_NONE] = "none",
		[STORE_AUTH_IP_ACL] = "ip_acl",
		[STORE_AUTH_CREDENTIAL] = "credential",
		[STORE_AUTH_IP_ACL_AND_CREDENTIAL] = "ip_acl_and_credential",
	};

	return (unsigned)type < sizeof(names) / sizeof(names[0]) ? names[type] : "unknown";
}

void store_trunk_defaults(struct store_trunk *ret_trunk)
{
	*ret_trunk = (struct store_trunk){
		.algorithm_count = 1, /* MD5 alone: the one set that every client takes */
		.challenge_status = 407,
		.enabled = true,
		.ratchet = true,
		.assert_identity = true,
		.upstream_trusted = true,
		.international_prefix = "00",
	};
}

int trunk_id(struct store *store, const char *name, int64_t *ret_id, struct error *err)
{
	int rc = db_int(store, ret_id, err, "SELECT id FROM trunk WHERE name = ?", TEXT(name));

	if (rc == -ENOENT)
		error_set(err, rc, "trunk %s: there is none of this name", QUOTED(name));
	return rc;
}

int trunk_names(struct store *store, const char *sql, int64_t id, char *ret_names, size_t size)
{
	const size_t last = sizeof(" and 1000000 more"); /* the room for it */
	char name[STORE_NAME_SIZE];
	sqlite3_stmt *stmt = NULL;
	size_t used = 0;
	int n = 0, named = 0;
	int rc = db_query(store, &stmt, NULL, sql, INT(id));

	while (rc == 0 && (rc = db_step(store, stmt, NULL)) > 0) {
		column_text(stmt, 0, name, sizeof(name));
		if (named == n && used + strlen(QUOTED(name)) + 2 + last < size) {
			used += (size_t)snprintf(ret_names + used, size - used, "%s%s",
						 n ? ", " : "", QUOTED(name));
			named++;
		}
		n++;
		rc = 0;
	}
	sqlite3_finalize(stmt);
	if (rc == 0 && named < n)
		snprintf(ret_names + used, size - used, " and %d more", n - named);
	return rc < 0 ? rc : n;
}

/* ---- reading ---- */

int store_trunk_get(struct store *store, const char *name, struct store_trunk *ret_trunk,
		    struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = trunk_select(store, "WHERE name = ?", BINDS(TEXT(name)), &stmt, err);

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc > 0)
		trunk_read(stmt, ret_trunk);
	else if (rc == 0)
		rc = error_set(err, -ENOENT, "trunk %s: there is none of this name", QUOTED(name));
	sqlite3_finalize(stmt);
	return rc < 0 ? rc : 0;
}

int store_trunk_each(struct store *store, int (*visit)(const struct store_trunk *trunk, void *arg),
		     void *arg, struct error *err)
{
	struct store_trunk trunk;
	sqlite3_stmt *stmt = NULL;
	int rc = trunk_select(store, "ORDER BY name", BINDS(), &stmt, err);

	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		trunk_read(stmt, &trunk);
		rc = visit(&trunk, arg);
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- writing ---- */

/* Names the other trunk that has the domain and user already. */
static int check_domain_free(struct store *store, const struct store_trunk *trunk,
			     const char *domain, struct error *err)
{
	char name[STORE_NAME_SIZE];
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err,
			  "SELECT name FROM trunk WHERE domain = ?1 AND user = ?2 AND name <> ?3"
			  " UNION ALL SELECT name FROM trunk_alias AS alias"
			  " JOIN trunk ON trunk.id = trunk_id"
			  " WHERE alias.domain = ?1 AND alias.user = ?2 AND name <> ?3",
			  TEXT(domain), TEXT(trunk->user), TEXT(trunk->name));

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc > 0) {
		column_text(stmt, 0, name, sizeof(name));
		rc = error_set(err, -EEXIST, "domain \"%s%s%s\": belongs to trunk %s", trunk->user,
			       trunk->user[0] ? "@" : "", domain, QUOTED(name));
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* Calls the function for each alias, until one fails. */
static int alias_each(struct store *store, const struct store_trunk *trunk,
		      int (*use)(struct store *store, const struct store_trunk *trunk,
				 const char *alias, struct error *err),
		      struct error *err)
{
	char alias[STORE_DOMAIN_SIZE];
	struct slice rest = slice_from(trunk->aliases);
	int rc = 0;

	while (rest.n && rc >= 0) {
		slice_text(slice_cut(rest, ' ', &rest), alias, sizeof(alias));
		rc = use(store, trunk, alias, err);
	}
	return rc < 0 ? rc : 0;
}

static int check_address_free(struct store *store, const struct store_trunk *trunk,
			      struct error *err)
{
	int rc = check_domain_free(store, trunk, trunk->domain, err);

	return rc ? rc : alias_each(store, trunk, check_domain_free, err);
}

static int insert_alias(struct store *store, const struct store_trunk *trunk, const char *alias,
			struct error *err)
{
	return db_run(store, err,
		      "INSERT INTO trunk_alias (domain, user, trunk_id)"
		      " SELECT ?, ?, id FROM trunk WHERE name = ?",
		      TEXT(alias), TEXT(trunk->user), TEXT(trunk->name));
}

static int write_aliases(struct store *store, const struct store_trunk *trunk, struct error *err)
{
	int rc = db_run(store, err,
			"DELETE FROM trunk_alias WHERE trunk_id ="
			" (SELECT id FROM trunk WHERE name = ?)",
			TEXT(trunk->name));

	return rc < 0 ? rc : alias_each(store, trunk, insert_alias, err);
}

static int insert_trunk(struct store *store, const struct store_trunk *trunk,
			const struct store_peer_uri *upstream, struct error *err)
{
	int64_t id;
	int rc = check_address_free(store, trunk, err);

	if (rc == 0) {
		rc = trunk_insert(store, trunk, err);
		if (rc == -EEXIST)
			error_set(err, rc, "trunk %s: there is one already", QUOTED(trunk->name));
	}
	if (rc < 0)
		return rc;
	id = sqlite3_last_insert_rowid(store->db);
	rc = write_aliases(store, trunk, err);
	if (rc == 0 && upstream)
		rc = peer_first(store, id, upstream, err);
	return rc ? rc : 1;
}

int store_trunk_create(struct store *store, const struct store_trunk *trunk, const char *upstream,
		       struct error *err)
{
	struct store_trunk new = *trunk;
	struct store_peer_uri uri = {0};
	int rc = store_trunk_check(&new, err);

	if (rc == 0 && upstream)
		rc = store_peer_uri_parse(upstream, STORE_UPSTREAM, &uri, err);
	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = insert_trunk(store, &new, upstream ? &uri : NULL, err);
	return change_end(store, rc, err, "created trunk \"%s\" for %s%s%s%s%.120s", new.name,
			  new.user, new.user[0] ? "@" : "", new.domain, upstream ? " to " : "",
			  uri.text);
}

/* Whether anything has changed, or a negative errno. */
static int update_trunk(struct store *store, const struct store_trunk *old,
			const struct store_trunk *new, struct error *err)
{
	bool aliases = strcmp(old->aliases, new->aliases) != 0 || strcmp(old->user, new->user) != 0;
	int rc = check_address_free(store, new, err), changed;

	if (rc)
		return rc;
	if (new->enabled != old->enabled)
		change_everything(store);
	changed = trunk_update(store, new, err);
	if (changed >= 0 && aliases)
		rc = write_aliases(store, new, err);
	if (changed < 0 || rc)
		return changed < 0 ? changed : rc;
	return changed || aliases;
}

int store_trunk_set(struct store *store, const struct store_trunk *trunk, struct error *err)
{
	struct store_trunk old, new = *trunk;
	struct summary summary = {""};
	int rc = store_trunk_check(&new, err);

	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = store_trunk_get(store, new.name, &old, err);
	if (rc == 0)
		rc = update_trunk(store, &old, &new, err);
	if (rc > 0)
		trunk_difference(&old, &new, &summary);
	return change_end(store, rc, err, "changed trunk \"%s\": %s", new.name, summary.text);
}

int store_trunk_delete(struct store *store, const char *name, struct error *err)
{
	int rc = change_begin(store, err);

	if (rc)
		return rc;
	change_everything(store);
	rc = db_run(store, err, "DELETE FROM trunk WHERE name = ?", TEXT(name));
	if (rc == 0)
		rc = error_set(err, -ENOENT, "trunk %s: there is none of this name", QUOTED(name));
	return change_end(store, rc, err, "deleted trunk \"%s\"", name);
}
