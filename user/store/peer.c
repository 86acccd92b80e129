/* SPDX-License-Identifier: BSD-2-Clause */
/* The peers of trunks, as the operator names them. */
#include <errno.h>
#include <stdio.h>

#include "store/internal.h"

#define SHARE_MAX 65535 /* as in SRV records */

#define SELECT_PEER                                                                                \
	"SELECT peer.id, trunk_id, role, uri, priority, weight,"                                   \
	" (SELECT count(*) FROM peer_address WHERE peer_id = peer.id), resolved, due, failure"     \
	" FROM peer"

const char *store_peer_role_name(enum store_peer_role role)
{
	return role == STORE_UPSTREAM ? "upstream" : "destination";
}

static int check_share(const struct store_peer *peer, struct error *err)
{
	if (peer->priority > SHARE_MAX)
		return error_set(err, -EINVAL, "priority %u: must be at most %d", peer->priority,
				 SHARE_MAX);
	if (peer->weight > SHARE_MAX)
		return error_set(err, -EINVAL, "weight %u: must be at most %d", peer->weight,
				 SHARE_MAX);
	return 0;
}

/* ---- reading ---- */

static void read_peer(sqlite3_stmt *stmt, struct store_peer *ret_peer)
{
	struct store_peer_uri uri;

	*ret_peer = (struct store_peer){
		.id = sqlite3_column_int64(stmt, 0),
		.trunk_id = sqlite3_column_int64(stmt, 1),
		.role = (enum store_peer_role)sqlite3_column_int(stmt, 2),
		.priority = (unsigned)sqlite3_column_int(stmt, 4),
		.weight = (unsigned)sqlite3_column_int(stmt, 5),
		.addresses = (uint64_t)sqlite3_column_int64(stmt, 6),
		.resolved_s = sqlite3_column_int64(stmt, 7),
		.due_s = sqlite3_column_int64(stmt, 8),
	};
	column_text(stmt, 3, ret_peer->uri, sizeof(ret_peer->uri));
	column_text(stmt, 9, ret_peer->failure, sizeof(ret_peer->failure));
	if (store_peer_uri_parse(ret_peer->uri, ret_peer->role, &uri, NULL) == 0 && uri.ip.family)
		ret_peer->due_s = STORE_NEVER;
}

int peer_find(struct store *store, const char *trunk, const struct store_peer *wanted,
	      struct store_peer *ret_peer, struct error *err)
{
	struct store_peer_uri uri;
	sqlite3_stmt *stmt = NULL;
	int64_t id;
	int rc = store_peer_uri_parse(wanted->uri, wanted->role, &uri, err);

	if (rc == 0)
		rc = trunk_id(store, trunk, &id, err);
	/* As given too: what an older version has kept may be spelt otherwise. */
	if (rc == 0)
		rc = db_query(store, &stmt, err,
			      SELECT_PEER " WHERE trunk_id = ? AND role = ? AND uri IN (?, ?)",
			      INT(id), INT(wanted->role), TEXT(uri.text), TEXT(wanted->uri));
	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc > 0)
		read_peer(stmt, ret_peer);
	else if (rc == 0)
		rc = error_set(err, -ENOENT, "%s %s: trunk %s has none of this URI",
			       store_peer_role_name(wanted->role), QUOTED(uri.text), QUOTED(trunk));
	sqlite3_finalize(stmt);
	return rc < 0 ? rc : 0;
}

int store_peer_get(struct store *store, const char *trunk, const struct store_peer *peer,
		   struct store_peer *ret_peer, struct error *err)
{
	return peer_find(store, trunk, peer, ret_peer, err);
}

int store_peer_each(struct store *store, int64_t trunk_id_,
		    int (*visit)(const struct store_peer *peer, void *arg), void *arg,
		    struct error *err)
{
	struct store_peer peer;
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err,
			  SELECT_PEER " JOIN trunk ON trunk.id = trunk_id"
				      " WHERE ?1 = 0 OR trunk_id = ?1"
				      " ORDER BY trunk.name, role, priority, uri",
			  INT(trunk_id_));

	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		read_peer(stmt, &peer);
		rc = visit(&peer, arg);
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- writing ---- */

static int insert_peer(struct store *store, const struct store_peer *peer,
		       const struct store_peer_uri *uri, struct error *err)
{
	int rc = db_run(store, err,
			"INSERT INTO peer (trunk_id, role, uri, priority, weight)"
			" VALUES (?, ?, ?, ?, ?)",
			INT(peer->trunk_id), INT(peer->role), TEXT(uri->text), INT(peer->priority),
			INT(peer->weight));

	if (rc < 0)
		return rc;
	return peer_put_literal(store, sqlite3_last_insert_rowid(store->db), uri, err);
}

int peer_first(struct store *store, int64_t trunk, const struct store_peer_uri *uri,
	       struct error *err)
{
	const struct store_peer peer = {
		.trunk_id = trunk,
		.role = STORE_UPSTREAM,
		.priority = STORE_PEER_PRIORITY,
		.weight = STORE_PEER_WEIGHT,
	};

	return insert_peer(store, &peer, uri, err);
}

int store_peer_add(struct store *store, const char *trunk, const struct store_peer *peer,
		   struct error *err)
{
	const char *role = store_peer_role_name(peer->role);
	struct store_peer new = *peer, old;
	struct store_peer_uri uri = {0};
	int rc = store_peer_uri_parse(peer->uri, peer->role, &uri, err);

	if (rc == 0)
		rc = check_share(peer, err);
	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = peer_find(store, trunk, peer, &old, NULL);
	if (rc == 0)
		rc = error_set(err, -EEXIST, "%s %s: trunk %s has it already", role,
			       QUOTED(old.uri), QUOTED(trunk));
	else if (rc == -ENOENT)
		rc = trunk_id(store, trunk, &new.trunk_id, err);
	if (rc == 0)
		rc = insert_peer(store, &new, &uri, err);
	return change_end(store, rc < 0 ? rc : 1, err,
			  "trunk \"%s\": added %s %s (priority %u, weight %u)", trunk, role,
			  uri.text, peer->priority, peer->weight);
}

int store_peer_set(struct store *store, const char *trunk, const struct store_peer *peer,
		   struct error *err)
{
	struct summary summary = {""};
	struct store_peer old = {0};
	int rc = check_share(peer, err);

	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = peer_find(store, trunk, peer, &old, err);
	if (rc == 0)
		rc = db_run(store, err,
			    "UPDATE peer SET priority = ?2, weight = ?3"
			    " WHERE id = ?1 AND (priority, weight) IS NOT (?2, ?3)",
			    INT(old.id), INT(peer->priority), INT(peer->weight));
	summary_number(&summary, "priority", NULL,
		       (struct summary_values){old.priority, peer->priority});
	summary_number(&summary, "weight", NULL, (struct summary_values){old.weight, peer->weight});
	return change_end(store, rc, err, "trunk \"%s\": %s %s: %s", trunk,
			  store_peer_role_name(peer->role), old.uri, summary.text);
}

int store_peer_remove(struct store *store, const char *trunk, const struct store_peer *peer,
		      struct error *err)
{
	struct store_peer old = {0};
	int rc = change_begin(store, err);

	if (rc)
		return rc;
	rc = peer_find(store, trunk, peer, &old, err);
	if (rc == 0)
		rc = peer_note_addresses(store, old.id, err);
	if (rc == 0)
		rc = db_run(store, err, "DELETE FROM peer WHERE id = ?", INT(old.id));
	return change_end(store, rc, err, "trunk \"%s\": removed %s %s", trunk,
			  store_peer_role_name(peer->role), old.uri);
}

/* ---- a trunk's only upstream ---- */

static int change_uri(struct store *store, int64_t peer, const struct store_peer_uri *uri,
		      struct error *err)
{
	int64_t credentials = 0;
	int rc = db_int(store, &credentials, err, "SELECT count(*) FROM outbound WHERE peer_id = ?",
			INT(peer));

	if (rc == 0 && credentials)
		return error_set(err, -EBUSY,
				 "the upstream has outbound credentials, which nobody else may "
				 "get; `sipward upstream add` and `upstream remove` change it");
	if (rc == 0)
		rc = peer_note_addresses(store, peer, err);
	if (rc == 0)
		rc = db_run(store, err, "DELETE FROM peer_address WHERE peer_id = ?", INT(peer));
	if (rc >= 0)
		rc = db_run(store, err,
			    "UPDATE peer SET uri = ?, resolved = 0, due = 0, failure = ''"
			    " WHERE id = ?",
			    TEXT(uri->text), INT(peer));
	return rc < 0 ? rc : peer_put_literal(store, peer, uri, err);
}

/* Whether anything has changed, or a negative errno. */
static int replace_upstream(struct store *store, int64_t trunk, const struct store_peer_uri *uri,
			    struct error *err)
{
	int64_t n = 0, same = 0, peer = 0;
	int rc = db_int(store, &n, err, "SELECT count(*) FROM peer WHERE trunk_id = ? AND role = 0",
			INT(trunk));

	if (rc == 0 && n > 1)
		return error_set(err, -EBUSY,
				 "the trunk has %lld upstreams; `sipward upstream add`, `set` and "
				 "`remove` change them",
				 (long long)n);
	if (rc == 0 && n == 0) {
		rc = peer_first(store, trunk, uri, err);
		return rc ? rc : 1;
	}
	if (rc == 0)
		rc = db_int(store, &peer, err,
			    "SELECT id FROM peer WHERE trunk_id = ? AND role = 0", INT(trunk));
	if (rc == 0)
		rc = db_int(store, &same, err, "SELECT count(*) FROM peer WHERE id = ? AND uri = ?",
			    INT(peer), TEXT(uri->text));
	if (rc || same)
		return rc;
	rc = change_uri(store, peer, uri, err);
	return rc ? rc : 1;
}

int store_upstream_replace(struct store *store, const char *trunk, const char *text,
			   struct error *err)
{
	struct store_peer_uri uri;
	int64_t id;
	int rc = store_peer_uri_parse(text, STORE_UPSTREAM, &uri, err);

	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = trunk_id(store, trunk, &id, err);
	if (rc == 0)
		rc = replace_upstream(store, id, &uri, err);
	return change_end(store, rc, err, "trunk \"%s\": its upstream is now %s", trunk, uri.text);
}
