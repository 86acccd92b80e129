/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the store share: running SQL, changing things, checking values. */
#ifndef SIPWARD_STORE_INTERNAL_H
#define SIPWARD_STORE_INTERNAL_H

#include <sqlite3.h>

#include "base/sealed.h"
#include "store/store.h"

#define STORE_DIR_SIZE 4096
#define WHO_SIZE 128
#define STORE_TIMEOUT_MS 5000 /* how long another process's lock is waited for */

/* A kind of file: the store itself (schema.c), the call records (call.c). */
struct database {
	const char *file;     /* its name in the state directory */
	const char *what;     /* for sentences */
	const char *setup;    /* pragmas of each connection */
	int application_id;
	/* Step i leads from user_version i to i + 1. Append only: a step that has been released
	 * never changes. */
	const char *const *steps;
	int64_t version; /* how many steps there are */
	int (*begin)(struct store *store, struct error *err); /* fills an empty one; may be NULL */
};
extern const struct database store_database;

/* Opens it, and brings it to its newest version (store.c). */
int database_open(const char *state_dir, const struct database *database, struct store **ret_store,
		  struct error *err);

struct store {
	sqlite3 *db;
	const struct database *database;
	int dir_fd; /* the state directory; flock on it lets one process migrate or sync at a time
		     */
	char dir[STORE_DIR_SIZE];
	char who[WHO_SIZE]; /* for the audit */
	sqlite3_stmt *rollback; /* ready, as memory may be short when it is needed */
	unsigned read_depth;
	struct {
		uint64_t generation; /* that the change under way will have */
		size_t journaled;
		bool coarse;
		bool group;	/* between store_change_begin and _end */
		bool group_changed; /* something in it has */
		int group_failed;   /* the first failure in it */
	} change;
};

/* ---- running SQL (db.c) ---- */

/* Text and blobs are not copied (no secret is left behind): they must last until the statement has
 * been stepped to its end. */
struct bind {
	enum { BIND_INT, BIND_TEXT, BIND_BLOB, BIND_NULL } kind;
	int64_t integer;
	const void *bytes;
	size_t n;
};

#define INT(v) ((struct bind){.kind = BIND_INT, .integer = (int64_t)(v)})
#define TEXT(s) ((struct bind){.kind = BIND_TEXT, .bytes = (s), .n = strlen(s)})
#define BLOB(p, size) ((struct bind){.kind = BIND_BLOB, .bytes = (p), .n = (size)})

/* The parameters of a statement; the first element is there so that there may be none. */
struct binds {
	const struct bind *list;
	size_t n;
};
#define BINDS(...)                                                                                 \
	((struct binds){(const struct bind[]){{0}, ##__VA_ARGS__} + 1,                             \
			sizeof((const struct bind[]){{0}, ##__VA_ARGS__}) / sizeof(struct bind) -  \
			    1})

/* Turns an SQLite result into a negative errno and a sentence. */
int db_error(struct store *store, int result, struct error *err);

int db_prepare(struct store *store, sqlite3_stmt **ret_stmt, struct error *err, const char *sql);
/* Binds all parameters anew, so that a statement can run again. */
int db_bind(struct store *store, sqlite3_stmt *stmt, struct error *err, struct binds binds);
/* 1: a row; 0: the end; or a negative errno. */
int db_step(struct store *store, sqlite3_stmt *stmt, struct error *err);
/* Runs a bound statement that returns no rows; how many rows it changed, or a negative errno. */
int db_finish(struct store *store, sqlite3_stmt *stmt, struct error *err);

/* Ends the transaction, if a failed statement has not done so already (disk full). */
void db_rollback(struct store *store);

int db_query_binds(struct store *store, sqlite3_stmt **ret_stmt, struct error *err, const char *sql,
		   struct binds binds);
int db_run_binds(struct store *store, struct error *err, const char *sql, struct binds binds);
int db_int_binds(struct store *store, int64_t *ret_value, struct error *err, const char *sql,
		 struct binds binds);

/* Prepares and binds; the caller steps and finalizes. 0 or a negative errno. */
#define db_query(store, ret_stmt, err, sql, ...)                                                   \
	db_query_binds(store, ret_stmt, err, sql, BINDS(__VA_ARGS__))
/* How many rows the statement changed, or a negative errno. */
#define db_run(store, err, sql, ...) db_run_binds(store, err, sql, BINDS(__VA_ARGS__))
/* The first column of the first row; -ENOENT, without a sentence, if there is none. */
#define db_int(store, ret_value, err, sql, ...)                                                    \
	db_int_binds(store, ret_value, err, sql, BINDS(__VA_ARGS__))

void column_text(sqlite3_stmt *stmt, int column, char *buf, size_t size);
void column_bytes(sqlite3_stmt *stmt, int column, void *buf, size_t size);

/* A prefix as the database keeps it: family, address, length, so that memcmp sorts by these. */
struct prefix_key {
	uint8_t n;
	uint8_t bytes[18];
};
struct prefix_key prefix_key(const struct prefix *prefix);
/* Of the prefix that holds this address alone. */
struct prefix_key host_key(const struct ip *ip);
/* False if the column holds no prefix. */
bool column_prefix(sqlite3_stmt *stmt, int column, struct prefix *ret_prefix);

/* ---- schema (schema.c) ---- */

/* Refuses what is not ours or too new; brings an older or empty file to the newest version. */
int schema_prepare(struct store *store, struct error *err);

/* ---- changes (change.c) ---- */

/*
 *	rc = change_begin(store, err);
 *	if (rc)
 *		return rc;
 *	rc = db_run(store, err, "UPDATE …", …);
 *	return change_end(store, rc, err, "what was done to \"%s\"", name);
 */
int change_begin(struct store *store, struct error *err);
/* rc < 0: undoes all and returns rc. rc = 0: nothing has changed, nothing is kept. rc > 0: writes
 * the audit row, raises the generation, commits, notifies. */
int change_end(struct store *store, int rc, struct error *err, const char *what, ...)
    __attribute__((format(printf, 4, 5)));
/* The rule of this prefix, and of those inside it, may differ after this change. */
int change_prefix(struct store *store, const struct prefix *prefix, struct error *err);
/* Any prefix's rule may differ after this change. */
void change_everything(struct store *store);

/* What a change consists of, for its audit row; what does not fit is left out. Values that are the
 * same are not told. */
struct summary {
	char text[480];
};
struct summary_values {
	unsigned from, to;
};
/* words: what the numbers from 0 on stand for, "no|yes"; NULL: themselves. */
void summary_number(struct summary *summary, const char *name, const char *words,
		    struct summary_values values);
void summary_text(struct summary *summary, const char *name, const char *from, const char *to);

/* One process at a time between these two. */
int store_lock(struct store *store, struct error *err);
void store_unlock(struct store *store);

/* For the audit (who.c): "root, sipward", "alice as root, sipward" after sudo. */
void who_are_we(char ret_who[WHO_SIZE]);

/* ---- checking values (validate.c) ---- */

#define QUOTED_SIZE 84
/* The value in quotes, shortened and without control characters, fit for a sentence. */
const char *quoted(const char *value, char buf[QUOTED_SIZE]);
#define QUOTED(value) quoted(value, (char[QUOTED_SIZE]){0})

/* UTF-8 without control characters, at most max bytes. */
int check_text(const char *field, const char *text, size_t max, struct error *err);
int check_name(const char *field, const char *name, struct error *err);
int check_note(const char *note, struct error *err);
int check_realm(const char *realm, struct error *err);
int check_prefix(const struct prefix *prefix, struct error *err);
int check_trunk_user(const char *user, struct error *err);
/* Lower case, no final dot, IPv6 without brackets. */
int check_domain(const char *domain, char ret_domain[STORE_DOMAIN_SIZE], struct error *err);

/* Writes the host lower-case and without a final dot; *ret_ip has family 0 if it is a name. False:
 * it is no host. */
bool host_parse(const char *text, char ret_host[STORE_DOMAIN_SIZE], struct ip *ret_ip);

int check_header_prefix(const char *prefix, struct error *err);
/* Leaves one blank between two names. */
int check_reserved_headers(char *headers, struct error *err);
/* + and 7 to 15 digits. */
int check_number(const char *field, const char *number, struct error *err);
/* The name of a header field that an operator may add. */
int check_added_header(struct slice name, struct error *err);

/* ---- trunks (trunk.c) ---- */

int trunk_id(struct store *store, const char *name, int64_t *ret_id, struct error *err);
/* A trunk's row (trunk_row.c): the rest is what follows FROM trunk. */
int trunk_select(struct store *store, const char *rest, struct binds binds,
		 sqlite3_stmt **ret_stmt, struct error *err);
void trunk_read(sqlite3_stmt *stmt, struct store_trunk *ret_trunk);
/* How many rows were written, none if it is the same already; or a negative errno. */
int trunk_insert(struct store *store, const struct store_trunk *trunk, struct error *err);
int trunk_update(struct store *store, const struct store_trunk *trunk, struct error *err);
/* As the CLI calls them. */
extern const char *const trunk_algorithm_names[STORE_ALGORITHMS];
/* What differs between the two, "enabled from yes to no, calls_max from 0 to 5". */
void trunk_difference(const struct store_trunk *old, const struct store_trunk *new,
		      struct summary *ret_summary);
/* The names of trunks that a query finds; where there is no room: "a", "b" and 3 more. How many
 * they are. */
int trunk_names(struct store *store, const char *sql, int64_t id, char *ret_names, size_t size);

/* ---- peers (peer.c, peer_address.c) ---- */

/* "sip:HOST" to a new trunk. 0 or a negative errno. */
int peer_first(struct store *store, int64_t trunk, const struct store_peer_uri *uri,
	       struct error *err);
/* The peer's row; -ENOENT says that the trunk has none. */
int peer_find(struct store *store, const char *trunk, const struct store_peer *wanted,
	      struct store_peer *ret_peer, struct error *err);
/* The rules at all addresses of the peer may change. */
int peer_note_addresses(struct store *store, int64_t peer, struct error *err);
/* Of an address: the peer stands for it alone, for ever. */
int peer_put_literal(struct store *store, int64_t peer, const struct store_peer_uri *uri,
		     struct error *err);

/* ---- outbound credentials (outbound_key.c) ---- */

/* The key that passwords are sealed with: STATE_DIR/outbound.key, made at first use within a change
 * (make), so that two processes make one. -ENOENT: there is none. The caller wipes it. */
int outbound_key(struct store *store, bool make, struct sealed_key *ret_key, struct error *err);

/* ---- ACLs, credential lists ---- */

int acl_id(struct store *store, const char *name, int64_t *ret_id, struct error *err);
int credentials_id(struct store *store, const char *name, int64_t *ret_id, struct error *err);
/* -EEXIST if some trunk would know the user (NULL: any user) of this list twice in one realm. */
int credentials_check_clash(struct store *store, int64_t list_id, const char *user,
			    struct error *err);

/* ---- limits (limit.c) ---- */

enum limit_kind { LIMIT_ACLS, LIMIT_ACL_ENTRIES, LIMIT_USERS };
struct limit {
	enum limit_kind kind;
	int64_t id; /* of the ACL whose entries are counted, else 0 */
	unsigned max; /* 0 = none */
	int64_t before;
};
/* Before and after adding, within the change: what is more than before, and more than the setting
 * allows, is refused. What a lowered setting no longer allows stays. */
int limit_begin(struct store *store, enum limit_kind kind, int64_t id, struct limit *ret_limit,
		struct error *err);
int limit_check(struct store *store, const struct limit *limit, struct error *err);

/* ---- settings (settings.c) ---- */

/* The settings as the map holds them, with the effective unlisted policy. */
int settings_for_filter(struct store *store, struct sipward_settings *ret_settings,
			struct error *err);

#endif
