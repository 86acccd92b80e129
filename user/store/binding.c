/* SPDX-License-Identifier: BSD-2-Clause */
/* Registrations, kept for the daemon's next start. */
#include <errno.h>

#include "store/internal.h"

#define WRITE_TIMEOUT_MS 50

/* ---- the daemon's writing ---- */

/* Only of a trunk that is still there. */
static int put_binding(struct store *store, const struct store_binding *binding, struct error *err)
{
	struct prefix_key received = host_key(&binding->received.ip);
	struct prefix_key local = host_key(&binding->local.ip);

	return db_run(store, err,
		      "INSERT OR REPLACE INTO binding (trunk_id, user, contact, instance, reg_id,"
		      " q, call_id, cseq, expires, received_host, received_port, local_host,"
		      " local_port, transport, user_agent)"
		      " SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15"
		      " FROM trunk WHERE id = ?1",
		      INT(binding->trunk_id), TEXT(binding->user), TEXT(binding->contact),
		      TEXT(binding->instance), INT(binding->reg_id), INT(binding->q),
		      TEXT(binding->call_id), INT(binding->cseq), INT(binding->expires_s),
		      BLOB(received.bytes, received.n), INT(binding->received.port),
		      BLOB(local.bytes, local.n), INT(binding->local.port), INT(binding->transport),
		      TEXT(binding->user_agent));
}

static int delete_binding(struct store *store, const struct store_binding *binding,
			  struct error *err)
{
	return db_run(store, err,
		      "DELETE FROM binding WHERE trunk_id = ? AND user = ? AND contact = ?",
		      INT(binding->trunk_id), TEXT(binding->user), TEXT(binding->contact));
}

static int write_all(struct store *store, const struct store_binding_change *changes, size_t n,
		     struct error *err)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc >= 0; i++)
		rc = changes[i].removed ? delete_binding(store, &changes[i].binding, err)
					: put_binding(store, &changes[i].binding, err);
	return rc < 0 ? rc : 0;
}

int store_binding_write(struct store *store, const struct store_binding_change *changes, size_t n,
			struct error *err)
{
	int rc;

	if (n == 0)
		return 0;
	sqlite3_busy_timeout(store->db, WRITE_TIMEOUT_MS);
	rc = db_run(store, err, "BEGIN IMMEDIATE");
	sqlite3_busy_timeout(store->db, STORE_TIMEOUT_MS);
	if (rc < 0)
		return rc;
	rc = write_all(store, changes, n, err);
	if (rc == 0)
		rc = db_run(store, err, "COMMIT");
	if (rc < 0)
		db_rollback(store);
	return rc < 0 ? rc : 0;
}

/* ---- reading ---- */

static void read_endpoint(sqlite3_stmt *stmt, int column, struct endpoint *ret_endpoint)
{
	struct prefix host = {0};

	column_prefix(stmt, column, &host);
	*ret_endpoint = (struct endpoint){host.ip, (uint16_t)sqlite3_column_int(stmt, column + 1)};
}

static void read_binding(sqlite3_stmt *stmt, struct store_binding *ret_binding)
{
	*ret_binding = (struct store_binding){
		.trunk_id = sqlite3_column_int64(stmt, 0),
		.reg_id = (unsigned)sqlite3_column_int64(stmt, 4),
		.q = (unsigned)sqlite3_column_int64(stmt, 5),
		.cseq = (uint32_t)sqlite3_column_int64(stmt, 7),
		.expires_s = sqlite3_column_int64(stmt, 8),
		.transport = (unsigned)sqlite3_column_int(stmt, 13),
	};
	column_text(stmt, 1, ret_binding->user, sizeof(ret_binding->user));
	column_text(stmt, 2, ret_binding->contact, sizeof(ret_binding->contact));
	column_text(stmt, 3, ret_binding->instance, sizeof(ret_binding->instance));
	column_text(stmt, 6, ret_binding->call_id, sizeof(ret_binding->call_id));
	read_endpoint(stmt, 9, &ret_binding->received);
	read_endpoint(stmt, 11, &ret_binding->local);
	column_text(stmt, 14, ret_binding->user_agent, sizeof(ret_binding->user_agent));
}

int store_binding_each(struct store *store,
		       int (*visit)(const struct store_binding *binding, const char *trunk,
				    void *arg),
		       void *arg, struct error *err)
{
	struct store_binding binding;
	char trunk[STORE_NAME_SIZE];
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err,
			  "SELECT trunk_id, binding.user, contact, instance, reg_id, q, call_id,"
			  " cseq, expires, received_host, received_port, local_host, local_port,"
			  " transport, user_agent, name"
			  " FROM binding JOIN trunk ON trunk.id = trunk_id"
			  " ORDER BY name, binding.user, q DESC, binding.id DESC");

	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		read_binding(stmt, &binding);
		column_text(stmt, 15, trunk, sizeof(trunk));
		rc = visit(&binding, trunk, arg);
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- the operator's orders ---- */

/* An order with no contact binds NULL. */
static struct bind contact_bind(const char *contact)
{
	return contact ? TEXT(contact) : (struct bind){.kind = BIND_NULL};
}

static int order_removal(struct store *store, int64_t trunk, const char *user, const char *contact,
			 struct error *err)
{
	int rc = db_run(store, err,
			"DELETE FROM binding WHERE trunk_id = ?1 AND user = ?2"
			" AND (?3 IS NULL OR contact = ?3)",
			INT(trunk), TEXT(user), contact_bind(contact));

	if (rc == 0)
		return error_set(err, -ENOENT, "registration of %s: there is none%s%s",
				 QUOTED(user), contact ? " with contact " : "",
				 contact ? QUOTED(contact) : "");
	if (rc > 0)
		rc = db_run(store, err,
			    "INSERT INTO binding_order (trunk_id, user, contact) VALUES (?, ?, ?)",
			    INT(trunk), TEXT(user), contact_bind(contact));
	return rc;
}

int store_binding_remove(struct store *store, const char *trunk, const char *user,
			 const char *contact, struct error *err)
{
	int64_t id;
	int rc = change_begin(store, err);

	if (rc)
		return rc;
	rc = trunk_id(store, trunk, &id, err);
	if (rc == 0)
		rc = order_removal(store, id, user, contact, err);
	return change_end(store, rc, err, "trunk \"%s\": removed registration of \"%s\"%s%.120s",
			  trunk, user, contact ? ", contact " : "", contact ? contact : "");
}

int store_binding_orders_take(struct store *store,
			      void (*visit)(int64_t trunk_id, const char *user, const char *contact,
					    void *arg),
			      void *arg, struct error *err)
{
	char user[STORE_USER_SIZE], contact[STORE_CONTACT_SIZE];
	sqlite3_stmt *stmt = NULL;
	int64_t last = 0;
	int rc = db_query(store, &stmt, err,
			  "SELECT id, trunk_id, user, contact FROM binding_order ORDER BY id");

	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		bool all = sqlite3_column_type(stmt, 3) == SQLITE_NULL;

		last = sqlite3_column_int64(stmt, 0);
		column_text(stmt, 2, user, sizeof(user));
		column_text(stmt, 3, contact, sizeof(contact));
		visit(sqlite3_column_int64(stmt, 1), user, all ? NULL : contact, arg);
		rc = 0;
	}
	sqlite3_finalize(stmt);
	if (rc == 0 && last)
		rc = db_run(store, err, "DELETE FROM binding_order WHERE id <= ?", INT(last));
	return rc < 0 ? rc : 0;
}
