/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/internal.h"

#define WRITE_TIMEOUT_MS 50

/* What both tables hold of a call, in the order of record_binds. */
#define COLUMNS                                                                                    \
	"start_ms, answered_ms, direction, source, transport, trunk, auth_type, user, from_uri,"   \
	" to_uri, call_id, upstream, sip_status"
#define COLUMN_TYPES                                                                               \
	"  start_ms INTEGER NOT NULL,"                                                             \
	"  answered_ms INTEGER," /* NULL: it was not */                                            \
	"  direction TEXT NOT NULL,"                                                               \
	"  source TEXT NOT NULL,"                                                                  \
	"  transport TEXT NOT NULL,"                                                               \
	"  trunk TEXT NOT NULL,"                                                                   \
	"  auth_type TEXT NOT NULL,"                                                               \
	"  user TEXT NOT NULL,"                                                                    \
	"  from_uri TEXT NOT NULL,"                                                                \
	"  to_uri TEXT NOT NULL,"                                                                  \
	"  call_id TEXT NOT NULL,"                                                                 \
	"  upstream TEXT NOT NULL,"                                                                \
	"  sip_status INTEGER NOT NULL"
#define SHARED 13

static const char *const steps[] = {
	/* 0 */
	"CREATE TABLE call ("
	"  id INTEGER PRIMARY KEY," COLUMN_TYPES ","
	"  ended_ms INTEGER NOT NULL,"
	"  duration_ms INTEGER NOT NULL,"
	"  ended_by TEXT NOT NULL,"
	"  cause TEXT NOT NULL,"
	"  cause_code INTEGER NOT NULL,"
	"  cause_direction TEXT NOT NULL,"
	"  status TEXT NOT NULL);"
	"CREATE INDEX call_start ON call (start_ms);"
	"CREATE TABLE live_call ("
	"  dialog INTEGER PRIMARY KEY," COLUMN_TYPES ","
	"  cseq_extra INTEGER NOT NULL,"
	"  invite_offset INTEGER NOT NULL);",
};

static const struct database calls_database = {
	.file = "calls.db",
	.what = "file of call records",
	/* NORMAL: power loss may take the last transactions, never the file. */
	.setup = "PRAGMA synchronous = NORMAL;"
		 "PRAGMA secure_delete = ON;"
		 "PRAGMA trusted_schema = OFF;"
		 "PRAGMA temp_store = MEMORY;"
		 "PRAGMA journal_size_limit = 67108864;",
	.application_id = 0x53495043, /* "SIPC" */
	.steps = steps,
	.version = sizeof(steps) / sizeof(steps[0]),
};

struct store_calls {
	struct store *store;
};

/* ---- names ---- */

static const char *const direction_names[] = {"inbound", "outbound"};
static const char *const party_names[] = {"nobody", "caller", "callee", "gate"};
static const char *const transport_names[] = {"unknown", "udp", "tcp", "tls"};

#define COUNT(names) (sizeof(names) / sizeof((names)[0]))

const char *call_direction_name(enum call_direction direction)
{
	return direction_names[direction];
}

const char *call_party_name(enum call_party party)
{
	return party_names[party];
}

const char *call_transport_name(enum call_transport transport)
{
	return transport_names[transport < COUNT(transport_names) ? transport : 0];
}

int64_t call_duration_ms(const struct call_record *record)
{
	if (!record->answered_ms || record->ended_ms < record->answered_ms)
		return 0;
	return record->ended_ms - record->answered_ms;
}

const char *call_cause_direction(const struct call_record *record)
{
	if (record->cause && record->cause->direction)
		return record->cause->direction;
	return call_direction_name(record->direction);
}

/* ---- opening ---- */

int store_calls_open(const char *state_dir, struct store_calls **ret_calls, struct error *err)
{
	struct store_calls *calls = calloc(1, sizeof(*calls));
	int rc;

	if (!calls)
		return error_set(err, -ENOMEM, "out of memory");
	rc = database_open(state_dir, &calls_database, &calls->store, err);
	if (rc)
		free(calls);
	else
		*ret_calls = calls;
	return rc;
}

void store_calls_close(struct store_calls *calls)
{
	if (!calls)
		return;
	store_close(calls->store);
	free(calls);
}

bool store_calls_exist(const char *state_dir)
{
	char path[STORE_DIR_SIZE + 32];

	snprintf(path, sizeof(path), "%s/%s", state_dir, calls_database.file);
	/* What can not be looked at is left for store_calls_open to explain. */
	return access(path, F_OK) == 0 || errno == EACCES;
}

/* ---- writing ---- */

static struct bind time_bind(int64_t time_ms)
{
	return time_ms ? INT(time_ms) : (struct bind){.kind = BIND_NULL};
}

/* The first SHARED parameters; source is their text's place. */
static void record_binds(const struct call_record *record, char source[ENDPOINT_TEXT_SIZE],
			 struct bind *binds)
{
	endpoint_format(&record->source, source);
	binds[0] = INT(record->start_ms);
	binds[1] = time_bind(record->answered_ms);
	binds[2] = TEXT(call_direction_name(record->direction));
	binds[3] = TEXT(source);
	binds[4] = TEXT(call_transport_name(record->transport));
	binds[5] = TEXT(record->trunk);
	binds[6] = TEXT(store_auth_type_name(record->auth));
	binds[7] = TEXT(record->user);
	binds[8] = TEXT(record->from);
	binds[9] = TEXT(record->to);
	binds[10] = TEXT(record->call_id);
	binds[11] = TEXT(record->upstream);
	binds[12] = INT(record->sip_status);
}

/* The statements of a batch, each prepared once. */
struct writing {
	struct store *store;
	sqlite3_stmt *insert, *insert_live, *delete_live;
};

static int run(struct writing *writing, sqlite3_stmt *stmt, struct binds binds, struct error *err)
{
	int rc = db_bind(writing->store, stmt, err, binds);

	if (rc == 0)
		rc = db_finish(writing->store, stmt, err);
	sqlite3_reset(stmt);
	return rc < 0 ? rc : 0;
}

static int put_live(struct writing *writing, const struct store_call_change *change,
		    struct error *err)
{
	struct bind binds[SHARED + 3];
	char source[ENDPOINT_TEXT_SIZE];

	record_binds(change->record, source, binds);
	binds[SHARED] = INT(change->dialog);
	binds[SHARED + 1] = INT(change->cseq_extra);
	binds[SHARED + 2] = INT(change->invite_offset);
	return run(writing, writing->insert_live, (struct binds){binds, SHARED + 3}, err);
}

static int put_ended(struct writing *writing, const struct store_call_change *change,
		     struct error *err)
{
	const struct call_record *record = change->record;
	struct bind binds[SHARED + 7];
	char source[ENDPOINT_TEXT_SIZE];
	int rc;

	record_binds(record, source, binds);
	binds[SHARED] = INT(record->ended_ms);
	binds[SHARED + 1] = INT(call_duration_ms(record));
	binds[SHARED + 2] = TEXT(call_party_name(record->ended_by));
	binds[SHARED + 3] = TEXT(record->cause->name);
	binds[SHARED + 4] = INT(record->cause->code);
	binds[SHARED + 5] = TEXT(call_cause_direction(record));
	binds[SHARED + 6] = TEXT(record->cause->status);
	rc = run(writing, writing->insert, (struct binds){binds, SHARED + 7}, err);
	if (rc == 0 && change->was_live)
		rc = run(writing, writing->delete_live, BINDS(INT(change->dialog)), err);
	return rc;
}

static int prepare(struct writing *writing, struct error *err)
{
	struct store *store = writing->store;
	int rc = db_prepare(store, &writing->insert, err,
			    "INSERT INTO call (" COLUMNS ", ended_ms, duration_ms, ended_by,"
			    " cause, cause_code, cause_direction, status)"
			    " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?, ?,?,?,?,?,?,?)");

	if (rc == 0)
		rc = db_prepare(store, &writing->insert_live, err,
				"INSERT OR REPLACE INTO live_call (" COLUMNS ", dialog,"
				" cseq_extra, invite_offset)"
				" VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?, ?,?,?)");
	if (rc == 0)
		rc = db_prepare(store, &writing->delete_live, err,
				"DELETE FROM live_call WHERE dialog = ?");
	return rc;
}

static int write_all(struct store *store, const struct store_call_change *changes, size_t n,
		     struct error *err)
{
	struct writing writing = {.store = store};
	int rc = prepare(&writing, err);

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = changes[i].live ? put_live(&writing, &changes[i], err)
				     : put_ended(&writing, &changes[i], err);
	sqlite3_finalize(writing.insert);
	sqlite3_finalize(writing.insert_live);
	sqlite3_finalize(writing.delete_live);
	return rc;
}

int store_calls_write(struct store_calls *calls, const struct store_call_change *changes, size_t n,
		      struct error *err)
{
	struct store *store = calls->store;
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

struct texts {
	char trunk[CALL_TEXT_SIZE], user[CALL_TEXT_SIZE], from[CALL_TEXT_SIZE], to[CALL_TEXT_SIZE],
		call_id[CALL_TEXT_SIZE], upstream[CALL_TEXT_SIZE];
	struct call_cause cause;
	char name[32], direction[16], status[16];
};

/* The place of a column's text among the names; 0 if it is none of them. */
static uint8_t column_name(sqlite3_stmt *stmt, int column, const char *const *names, size_t n)
{
	char text[32];

	column_text(stmt, column, text, sizeof(text));
	for (size_t i = 0; i < n; i++)
		if (strcmp(text, names[i]) == 0)
			return (uint8_t)i;
	return 0;
}

static uint8_t column_auth(sqlite3_stmt *stmt, int column)
{
	const char *names[STORE_AUTH_IP_ACL_AND_CREDENTIAL + 1];

	for (size_t i = 0; i < COUNT(names); i++)
		names[i] = store_auth_type_name((enum store_auth_type)i);
	return column_name(stmt, column, names, COUNT(names));
}

/* The columns COLUMNS. */
static void read_record(sqlite3_stmt *stmt, struct texts *texts, struct call_record *ret_record)
{
	char source[ENDPOINT_TEXT_SIZE];

	column_text(stmt, 3, source, sizeof(source));
	column_text(stmt, 5, texts->trunk, sizeof(texts->trunk));
	column_text(stmt, 7, texts->user, sizeof(texts->user));
	column_text(stmt, 8, texts->from, sizeof(texts->from));
	column_text(stmt, 9, texts->to, sizeof(texts->to));
	column_text(stmt, 10, texts->call_id, sizeof(texts->call_id));
	column_text(stmt, 11, texts->upstream, sizeof(texts->upstream));
	*ret_record = (struct call_record){
		.start_ms = sqlite3_column_int64(stmt, 0),
		.answered_ms = sqlite3_column_int64(stmt, 1),
		.direction = column_name(stmt, 2, direction_names, COUNT(direction_names)),
		.transport = column_name(stmt, 4, transport_names, COUNT(transport_names)),
		.trunk = texts->trunk,
		.auth = column_auth(stmt, 6),
		.user = texts->user,
		.from = texts->from,
		.to = texts->to,
		.call_id = texts->call_id,
		.upstream = texts->upstream,
		.sip_status = (uint16_t)sqlite3_column_int(stmt, 12),
	};
	/* What is none stays none. */
	(void)endpoint_parse(slice_from(source), 0, &ret_record->source);
}

/* The rest of table call, behind COLUMNS. */
static void read_end(sqlite3_stmt *stmt, struct texts *texts, struct call_record *record)
{
	record->ended_ms = sqlite3_column_int64(stmt, SHARED);
	record->ended_by = column_name(stmt, SHARED + 1, party_names, COUNT(party_names));
	column_text(stmt, SHARED + 2, texts->name, sizeof(texts->name));
	column_text(stmt, SHARED + 4, texts->direction, sizeof(texts->direction));
	column_text(stmt, SHARED + 5, texts->status, sizeof(texts->status));
	texts->cause =
		(struct call_cause){texts->name, (unsigned)sqlite3_column_int(stmt, SHARED + 3),
				    texts->direction, texts->status};
	record->cause = &texts->cause;
}

static struct bind trunk_bind(const struct store_call_query *query)
{
	return query->trunk ? TEXT(query->trunk) : (struct bind){.kind = BIND_NULL};
}

#define MATCHES " start_ms >= ?1 AND (?2 IS NULL OR trunk = ?2)"

/* The first of the latest so many; where there are no more than that, the very first. */
struct first {
	int64_t start_ms, id;
};
static int find_first(struct store *store, const struct store_call_query *query,
		      struct first *ret_first, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err,
			  "SELECT start_ms, id FROM call WHERE" MATCHES
			  " ORDER BY start_ms DESC, id DESC LIMIT 1 OFFSET ?3",
			  INT(query->since_ms), trunk_bind(query), INT(query->limit - 1));

	*ret_first = (struct first){query->since_ms, INT64_MIN};
	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc > 0)
		*ret_first = (struct first){sqlite3_column_int64(stmt, 0),
					    sqlite3_column_int64(stmt, 1)};
	sqlite3_finalize(stmt);
	return rc < 0 ? rc : 0;
}

/* Walks as it reads: a million rows take no memory. */
int store_calls_each(struct store_calls *calls, const struct store_call_query *query,
		     int (*visit)(const struct call_record *record, void *arg), void *arg,
		     struct error *err)
{
	struct store *store = calls->store;
	struct call_record record;
	sqlite3_stmt *stmt = NULL;
	struct texts texts;
	struct first first;
	int rc;

	if (query->limit == 0)
		return 0;
	rc = find_first(store, query, &first, err);
	if (rc)
		return rc;
	rc = db_query(store, &stmt, err,
		      "SELECT " COLUMNS ", ended_ms, ended_by, cause, cause_code,"
		      " cause_direction, status FROM call"
		      " WHERE" MATCHES " AND (start_ms, id) >= (?3, ?4) ORDER BY start_ms, id",
		      INT(query->since_ms), trunk_bind(query), INT(first.start_ms), INT(first.id));
	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		read_record(stmt, &texts, &record);
		read_end(stmt, &texts, &record);
		rc = visit(&record, arg);
	}
	sqlite3_finalize(stmt);
	return rc;
}

int store_calls_live_each(struct store_calls *calls,
			  int (*visit)(const struct store_live_call *call, void *arg), void *arg,
			  struct error *err)
{
	struct store *store = calls->store;
	struct store_live_call call;
	sqlite3_stmt *stmt = NULL;
	struct texts texts;
	int rc = db_query(store, &stmt, err,
			  "SELECT " COLUMNS ", dialog, cseq_extra, invite_offset FROM live_call"
			  " ORDER BY start_ms");

	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		read_record(stmt, &texts, &call.record);
		call.dialog = (uint64_t)sqlite3_column_int64(stmt, SHARED);
		call.cseq_extra = (uint32_t)sqlite3_column_int64(stmt, SHARED + 1);
		call.invite_offset = (uint32_t)sqlite3_column_int64(stmt, SHARED + 2);
		rc = visit(&call, arg);
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- what is too old, or too much ---- */

static int delete_oldest(struct store *store, int64_t before_ms, size_t n, struct error *err)
{
	int rc = db_run(store, err,
			"DELETE FROM call WHERE id IN"
			" (SELECT id FROM call WHERE start_ms < ? ORDER BY start_ms LIMIT ?)",
			INT(before_ms), INT(n));

	if (rc == 0)
		rc = db_run(store, err,
			    "DELETE FROM live_call WHERE dialog IN"
			    " (SELECT dialog FROM live_call WHERE start_ms < ? LIMIT ?)",
			    INT(before_ms), INT(n));
	if (rc == 0)
		rc = db_run(store, err,
			    "DELETE FROM call WHERE id IN"
			    " (SELECT id FROM call WHERE id <= (SELECT max(id) FROM call) - ?"
			    " ORDER BY id LIMIT ?)",
			    INT(STORE_CALLS_MAX), INT(n));
	return rc;
}

int store_calls_prune(struct store_calls *calls, int64_t before_ms, size_t n, struct error *err)
{
	struct store *store = calls->store;
	int rc;

	sqlite3_busy_timeout(store->db, WRITE_TIMEOUT_MS);
	rc = delete_oldest(store, before_ms, n, err);
	sqlite3_busy_timeout(store->db, STORE_TIMEOUT_MS);
	return rc;
}
