/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "store/internal.h"

/* A prefix is the blob of struct prefix_key. */
static const char *const steps[] = {
	/* 0: ACLs, credentials, trunks, settings */
	"CREATE TABLE state ("
	"  one INTEGER PRIMARY KEY CHECK (one = 1),"
	"  generation INTEGER NOT NULL,"
	/* The journal tells all changes of rules since this generation. */
	"  journal_floor INTEGER NOT NULL);"
	"CREATE TABLE journal ("
	"  id INTEGER PRIMARY KEY,"
	"  generation INTEGER NOT NULL,"
	"  prefix BLOB NOT NULL);"
	"CREATE INDEX journal_generation ON journal (generation, prefix);"
	"CREATE TABLE audit ("
	"  id INTEGER PRIMARY KEY,"
	"  time INTEGER NOT NULL,"
	"  who TEXT NOT NULL,"
	"  what TEXT NOT NULL);"
	"CREATE TABLE acl ("
	"  id INTEGER PRIMARY KEY,"
	"  name TEXT NOT NULL UNIQUE,"
	"  note TEXT NOT NULL);"
	"CREATE TABLE acl_entry ("
	"  id INTEGER PRIMARY KEY,"
	"  acl_id INTEGER NOT NULL REFERENCES acl ON DELETE CASCADE,"
	"  prefix BLOB NOT NULL,"
	"  deny INTEGER NOT NULL,"
	"  note TEXT NOT NULL,"
	"  UNIQUE (acl_id, prefix));"
	/* Covers the walk over all rules, and finds what stands at one prefix. */
	"CREATE INDEX acl_entry_prefix ON acl_entry (prefix, acl_id, deny);"
	"CREATE INDEX acl_entry_deny ON acl_entry (prefix) WHERE deny;"
	"CREATE TABLE credentials ("
	"  id INTEGER PRIMARY KEY,"
	"  name TEXT NOT NULL UNIQUE,"
	"  realm TEXT NOT NULL);"
	"CREATE TABLE user ("
	"  id INTEGER PRIMARY KEY,"
	"  list_id INTEGER NOT NULL REFERENCES credentials ON DELETE CASCADE,"
	"  name TEXT NOT NULL,"
	"  ha1_md5 BLOB NOT NULL,"
	"  ha1_sha256 BLOB NOT NULL,"
	"  ha1_sha512_256 BLOB NOT NULL,"
	"  strongest INTEGER NOT NULL DEFAULT 0,"
	"  UNIQUE (list_id, name));"
	"CREATE TABLE trunk ("
	"  id INTEGER PRIMARY KEY,"
	"  name TEXT NOT NULL UNIQUE,"
	"  domain TEXT NOT NULL,"
	"  user TEXT NOT NULL,"
	"  upstream TEXT NOT NULL,"
	"  upstream_host BLOB," /* a whole-length prefix */
	"  upstream_port INTEGER NOT NULL,"
	"  algorithms TEXT NOT NULL," /* a digit each, preferred first */
	"  challenge_status INTEGER NOT NULL,"
	"  enabled INTEGER NOT NULL,"
	"  allow_no_qop INTEGER NOT NULL,"
	"  auth_int INTEGER NOT NULL,"
	"  strict_uri INTEGER NOT NULL,"
	"  ratchet INTEGER NOT NULL,"
	"  UNIQUE (domain, user));"
	"CREATE TABLE trunk_acl ("
	"  trunk_id INTEGER NOT NULL REFERENCES trunk ON DELETE CASCADE,"
	"  acl_id INTEGER NOT NULL REFERENCES acl,"
	"  PRIMARY KEY (trunk_id, acl_id)) WITHOUT ROWID;"
	"CREATE INDEX trunk_acl_acl ON trunk_acl (acl_id);"
	"CREATE TABLE trunk_credentials ("
	"  trunk_id INTEGER NOT NULL REFERENCES trunk ON DELETE CASCADE,"
	"  list_id INTEGER NOT NULL REFERENCES credentials,"
	"  PRIMARY KEY (trunk_id, list_id)) WITHOUT ROWID;"
	"CREATE INDEX trunk_credentials_list ON trunk_credentials (list_id);"
	"CREATE TABLE setting (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE secret (purpose TEXT PRIMARY KEY, key BLOB NOT NULL) WITHOUT ROWID;",

	/* 1: every way into a trunk */
	"ALTER TABLE trunk RENAME COLUMN strict_uri TO digest_uri;"
	"UPDATE trunk SET digest_uri = 2 WHERE digest_uri <> 0;" /* exact */
	"ALTER TABLE trunk ADD COLUMN userhash INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE trunk ADD COLUMN sess INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE trunk ADD COLUMN forward_register INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE trunk ADD COLUMN e164 INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE trunk ADD COLUMN country_code TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE trunk ADD COLUMN international_prefix TEXT NOT NULL DEFAULT '00';"
	"ALTER TABLE trunk ADD COLUMN national_prefix TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE trunk ADD COLUMN caller INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE trunk ADD COLUMN number TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE trunk ADD COLUMN assert_identity INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE trunk ADD COLUMN upstream_trusted INTEGER NOT NULL DEFAULT 1;"
	"ALTER TABLE trunk ADD COLUMN calls_per_s INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE trunk ADD COLUMN calls_max INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE trunk ADD COLUMN user_calls_per_s INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE trunk ADD COLUMN user_calls_max INTEGER NOT NULL DEFAULT 0;"
	/* user repeats the trunk's, so that an address belongs to one trunk. */
	"CREATE TABLE trunk_alias ("
	"  domain TEXT NOT NULL,"
	"  user TEXT NOT NULL,"
	"  trunk_id INTEGER NOT NULL REFERENCES trunk ON DELETE CASCADE,"
	"  PRIMARY KEY (domain, user)) WITHOUT ROWID;"
	"CREATE INDEX trunk_alias_trunk ON trunk_alias (trunk_id, domain);"
	"CREATE TABLE trunk_caller ("
	"  trunk_id INTEGER NOT NULL REFERENCES trunk ON DELETE CASCADE,"
	"  number TEXT NOT NULL,"
	"  PRIMARY KEY (trunk_id, number)) WITHOUT ROWID;"
	"ALTER TABLE credentials ADD COLUMN at_realm INTEGER NOT NULL DEFAULT 0;"
	/* Empty: not known. */
	"ALTER TABLE user ADD COLUMN at_realm_md5 BLOB NOT NULL DEFAULT x'';"
	"ALTER TABLE user ADD COLUMN at_realm_sha256 BLOB NOT NULL DEFAULT x'';"
	"ALTER TABLE user ADD COLUMN at_realm_sha512_256 BLOB NOT NULL DEFAULT x'';"
	"CREATE TABLE acl_host ("
	"  id INTEGER PRIMARY KEY,"
	"  acl_id INTEGER NOT NULL REFERENCES acl ON DELETE CASCADE,"
	"  host TEXT NOT NULL,"
	"  deny INTEGER NOT NULL,"
	"  note TEXT NOT NULL,"
	"  resolved INTEGER NOT NULL DEFAULT 0,"
	"  due INTEGER NOT NULL DEFAULT 0,"
	"  failure TEXT NOT NULL DEFAULT '',"
	"  UNIQUE (acl_id, host));"
	/* The same prefix may stand in an ACL as such (host_id 0) and for hosts. The ids stay. */
	"CREATE TABLE new_entry ("
	"  id INTEGER PRIMARY KEY,"
	"  acl_id INTEGER NOT NULL REFERENCES acl ON DELETE CASCADE,"
	"  prefix BLOB NOT NULL,"
	"  deny INTEGER NOT NULL,"
	"  note TEXT NOT NULL,"
	"  host_id INTEGER NOT NULL DEFAULT 0,"
	"  UNIQUE (acl_id, prefix, host_id));"
	"INSERT INTO new_entry (id, acl_id, prefix, deny, note)"
	"  SELECT id, acl_id, prefix, deny, note FROM acl_entry ORDER BY acl_id, prefix;"
	"DROP TABLE acl_entry;"
	"ALTER TABLE new_entry RENAME TO acl_entry;"
	"CREATE INDEX acl_entry_prefix ON acl_entry (prefix, acl_id, deny);"
	"CREATE INDEX acl_entry_deny ON acl_entry (prefix) WHERE deny;"
	"CREATE INDEX acl_entry_host ON acl_entry (host_id, prefix) WHERE host_id;"
	/* A binding that is written again gets a new id: the newest has the highest. */
	"CREATE TABLE binding ("
	"  id INTEGER PRIMARY KEY,"
	"  trunk_id INTEGER NOT NULL REFERENCES trunk ON DELETE CASCADE,"
	"  user TEXT NOT NULL,"
	"  contact TEXT NOT NULL,"
	"  instance TEXT NOT NULL,"
	"  reg_id INTEGER NOT NULL,"
	"  q INTEGER NOT NULL,"
	"  call_id TEXT NOT NULL,"
	"  cseq INTEGER NOT NULL,"
	"  expires INTEGER NOT NULL,"
	"  received_host BLOB NOT NULL," /* whole-length prefixes */
	"  received_port INTEGER NOT NULL,"
	"  local_host BLOB NOT NULL,"
	"  local_port INTEGER NOT NULL,"
	"  transport INTEGER NOT NULL,"
	"  user_agent TEXT NOT NULL,"
	"  UNIQUE (trunk_id, user, contact));"
	/* What the daemon shall remove from its memory; no contact: all of the user's. */
	"CREATE TABLE binding_order ("
	"  id INTEGER PRIMARY KEY,"
	"  trunk_id INTEGER NOT NULL REFERENCES trunk ON DELETE CASCADE,"
	"  user TEXT NOT NULL,"
	"  contact TEXT);"
	"CREATE INDEX binding_order_trunk ON binding_order (trunk_id);",

	/* 2: where a trunk's calls go. More failures were allowed than are counted. */
	"UPDATE setting SET value = 64"
	"  WHERE name = 'lockout_failures' AND CAST(value AS INTEGER) > 64;"
	"CREATE TABLE peer ("
	"  id INTEGER PRIMARY KEY,"
	"  trunk_id INTEGER NOT NULL REFERENCES trunk ON DELETE CASCADE,"
	"  role INTEGER NOT NULL,"
	"  uri TEXT NOT NULL,"
	"  priority INTEGER NOT NULL,"
	"  weight INTEGER NOT NULL,"
	"  resolved INTEGER NOT NULL DEFAULT 0,"
	"  due INTEGER NOT NULL DEFAULT 0,"
	"  failure TEXT NOT NULL DEFAULT '',"
	"  UNIQUE (trunk_id, role, uri));"
	"CREATE TABLE peer_address ("
	"  peer_id INTEGER NOT NULL REFERENCES peer ON DELETE CASCADE,"
	"  host BLOB NOT NULL," /* a whole-length prefix */
	"  port INTEGER NOT NULL,"
	"  transport INTEGER NOT NULL,"
	"  priority INTEGER NOT NULL,"
	"  weight INTEGER NOT NULL,"
	"  PRIMARY KEY (peer_id, host, port, transport)) WITHOUT ROWID;"
	"CREATE INDEX peer_address_host ON peer_address (host, peer_id);"
	"INSERT INTO peer (trunk_id, role, uri, priority, weight)"
	"  SELECT id, 0, lower(upstream), 10, 1 FROM trunk ORDER BY id;"
	"INSERT INTO peer_address"
	"  SELECT peer.id, upstream_host, upstream_port, 1, 0, 0"
	"  FROM peer JOIN trunk ON trunk.id = trunk_id WHERE upstream_host IS NOT NULL;"
	"ALTER TABLE trunk DROP COLUMN upstream;"
	"ALTER TABLE trunk DROP COLUMN upstream_host;"
	"ALTER TABLE trunk DROP COLUMN upstream_port;"
	"ALTER TABLE trunk ADD COLUMN client_certificate INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE trunk ADD COLUMN outbound_user INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE trunk_header ("
	"  trunk_id INTEGER NOT NULL REFERENCES trunk ON DELETE CASCADE,"
	"  position INTEGER NOT NULL,"
	"  name TEXT NOT NULL,"
	"  value TEXT NOT NULL,"
	"  PRIMARY KEY (trunk_id, position)) WITHOUT ROWID;"
	/* The HA1s where the realm is known; else the password, sealed. */
	"CREATE TABLE outbound ("
	"  id INTEGER PRIMARY KEY,"
	"  peer_id INTEGER NOT NULL REFERENCES peer ON DELETE CASCADE,"
	"  user TEXT NOT NULL,"
	"  realm TEXT NOT NULL,"
	"  registers INTEGER NOT NULL,"
	"  expires INTEGER NOT NULL,"
	"  ha1_md5 BLOB NOT NULL,"
	"  ha1_sha256 BLOB NOT NULL,"
	"  ha1_sha512_256 BLOB NOT NULL,"
	"  sealed BLOB NOT NULL,"
	"  UNIQUE (peer_id, user));",

	/* challenges by the filter */
	"ALTER TABLE trunk ADD COLUMN challenge INTEGER NOT NULL DEFAULT 0;",
};

/*
 * synchronous = FULL: a change that was reported as done outlives power loss, not only a kill
 * (NORMAL would keep the file whole, but might lose the last changes: a removed address would be
 * admitted again). Changes are an operator's, so that one fsync each costs nothing that matters.
 */
static const char connection_setup[] = "PRAGMA foreign_keys = ON;"
				       "PRAGMA synchronous = FULL;"
				       "PRAGMA secure_delete = ON;"
				       "PRAGMA trusted_schema = OFF;"
				       "PRAGMA temp_store = MEMORY;"
				       "PRAGMA cache_size = -65536;"
				       "PRAGMA journal_size_limit = 67108864;";

static int exec(struct store *store, const char *sql, struct error *err)
{
	return db_error(store, sqlite3_exec(store->db, sql, NULL, NULL, NULL), err);
}

/* Generations start at the clock, and changes are slower than it: maps written from an older store
 * that stood in this place are never taken for ones that this store's journal could bring up to
 * date. */
static int first_generation(struct store *store, struct error *err)
{
	struct timespec now;
	int64_t us;
	int rc;

	clock_gettime(CLOCK_REALTIME, &now);
	us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
	rc = db_run(store, err, "INSERT INTO state VALUES (1, ?, ?)", INT(us), INT(us));
	return rc < 0 ? rc : 0;
}

const struct database store_database = {
	.file = "sipward.db",
	.what = "store",
	.setup = connection_setup,
	.application_id = 0x53495057, /* "SIPW" */
	.steps = steps,
	.version = sizeof(steps) / sizeof(steps[0]),
	.begin = first_generation,
};

static int migrate_from(struct store *store, int64_t version, struct error *err)
{
	const struct database *database = store->database;
	char pragma[96];
	int rc = 0;

	for (int64_t i = version; i < database->version && rc == 0; i++)
		rc = exec(store, database->steps[i], err);
	if (rc == 0 && version == 0 && database->begin)
		rc = database->begin(store, err);
	snprintf(pragma, sizeof(pragma), "PRAGMA application_id = %d; PRAGMA user_version = %d",
		 database->application_id, (int)database->version);
	return rc ? rc : exec(store, pragma, err);
}

/* Whether the file is ours, and of which version; 0 = empty. One statement, so that a migration by
 * another process is seen whole or not at all. */
static int read_version(struct store *store, int64_t *ret_version, struct error *err)
{
	const struct database *database = store->database;
	int64_t application = 0, version = 0, tables = 0;
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err,
			  "SELECT application_id, user_version,"
			  " (SELECT count(*) FROM sqlite_schema)"
			  " FROM pragma_application_id, pragma_user_version");

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc > 0) {
		application = sqlite3_column_int64(stmt, 0);
		version = sqlite3_column_int64(stmt, 1);
		tables = sqlite3_column_int64(stmt, 2);
	}
	sqlite3_finalize(stmt);
	if (rc < 0)
		return rc;
	if (application != database->application_id && (application || version || tables))
		return error_set(err, -EPROTO, "%s/%s: is a database, but no %s of sipward",
				 store->dir, database->file, database->what);
	if (version > database->version)
		return error_set(err, -EPROTO,
				 "%s/%s: schema version %d is of a newer sipward; this one knows "
				 "versions up to %d",
				 store->dir, database->file, (int)version, (int)database->version);
	*ret_version = version;
	return 0;
}

/* One transaction: a kill leaves the old version whole. The version is read again inside, since
 * another process may have been faster. */
static int migrate(struct store *store, struct error *err)
{
	int64_t version;
	int rc = exec(store, "PRAGMA journal_mode = WAL", err);

	if (rc == 0)
		rc = exec(store, "BEGIN IMMEDIATE", err);
	if (rc)
		return rc;
	rc = read_version(store, &version, err);
	if (rc == 0)
		rc = migrate_from(store, version, err);
	if (rc == 0)
		rc = exec(store, "COMMIT", err);
	if (rc)
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

int schema_prepare(struct store *store, struct error *err)
{
	int64_t version;
	int rc = read_version(store, &version, err);

	if (rc || version == store->database->version)
		return rc;
	rc = store_lock(store, err);
	if (rc)
		return rc;
	rc = migrate(store, err);
	store_unlock(store);
	return rc;
}
