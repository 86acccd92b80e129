/* SPDX-License-Identifier: BSD-2-Clause */
/* A trunk as a row of its table. What the columns are stands once: SQL and both ways of copying
 * follow from it. */
#include <stdio.h>

#include "store/internal.h"

enum column_kind {
	TEXT_COLUMN,
	NUMBER_COLUMN, /* enums too */
	BOOL_COLUMN,
	ALGORITHMS_COLUMN, /* a digit each */
};

struct column {
	const char *name;
	enum column_kind kind;
	size_t offset, size;
	const char *words; /* what the values of a number are called, for the audit */
};

#define FIELD(field) offsetof(struct store_trunk, field), sizeof(((struct store_trunk *)0)->field)
#define COLUMN(field, kind_)                                                                       \
	{                                                                                          \
#field, (kind_), FIELD(field), NULL                                                \
	}
#define WORDS_COLUMN(field, words)                                                                 \
	{                                                                                          \
#field, NUMBER_COLUMN, FIELD(field), (words)                                       \
	}

/* The name is the first: rows are updated by it. */
static const struct column columns[] = {
	COLUMN(name, TEXT_COLUMN),
	COLUMN(domain, TEXT_COLUMN),
	COLUMN(user, TEXT_COLUMN),
	COLUMN(algorithms, ALGORITHMS_COLUMN),
	COLUMN(challenge_status, NUMBER_COLUMN),
	WORDS_COLUMN(challenge, "auto|filter|daemon"),
	COLUMN(enabled, BOOL_COLUMN),
	COLUMN(allow_no_qop, BOOL_COLUMN),
	COLUMN(auth_int, BOOL_COLUMN),
	WORDS_COLUMN(digest_uri, "any|equivalent|exact"),
	COLUMN(ratchet, BOOL_COLUMN),
	COLUMN(userhash, BOOL_COLUMN),
	COLUMN(sess, BOOL_COLUMN),
	COLUMN(forward_register, BOOL_COLUMN),
	WORDS_COLUMN(e164, "off|require|normalize"),
	COLUMN(country_code, TEXT_COLUMN),
	COLUMN(international_prefix, TEXT_COLUMN),
	COLUMN(national_prefix, TEXT_COLUMN),
	WORDS_COLUMN(caller, "off|refuse|private"),
	COLUMN(number, TEXT_COLUMN),
	COLUMN(assert_identity, BOOL_COLUMN),
	COLUMN(upstream_trusted, BOOL_COLUMN),
	COLUMN(client_certificate, BOOL_COLUMN),
	COLUMN(outbound_user, BOOL_COLUMN),
	COLUMN(calls_per_s, NUMBER_COLUMN),
	COLUMN(calls_max, NUMBER_COLUMN),
	COLUMN(user_calls_per_s, NUMBER_COLUMN),
	COLUMN(user_calls_max, NUMBER_COLUMN),
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

/* ---- SQL ---- */

struct sql {
	char text[3072];
	size_t n;
};

static void add(struct sql *sql, const char *words)
{
	sql->n += (size_t)snprintf(sql->text + sql->n, sizeof(sql->text) - sql->n, "%s", words);
}

enum list { NAMES, NUMBERS, ASSIGNMENTS };

/* "name, domain, …", "?1, ?2, …" or "name = ?1, domain = ?2, …" */
static void add_columns(struct sql *sql, enum list list)
{
	char number[8];

	for (size_t i = 0; i < COLUMNS; i++) {
		snprintf(number, sizeof(number), "?%zu", i + 1);
		add(sql, i ? ", " : "");
		add(sql, list == NUMBERS ? "" : columns[i].name);
		add(sql, list == ASSIGNMENTS ? " = " : "");
		add(sql, list == NAMES ? "" : number);
	}
}

int trunk_select(struct store *store, const char *rest, struct binds binds, sqlite3_stmt **ret_stmt,
		 struct error *err)
{
	struct sql sql = {"SELECT ", strlen("SELECT ")};

	add_columns(&sql, NAMES);
	add(&sql,
	    ", id, (SELECT group_concat(domain, ' ') FROM"
	    "  (SELECT domain FROM trunk_alias WHERE trunk_id = trunk.id ORDER BY domain)),"
	    " EXISTS (SELECT 1 FROM trunk_acl WHERE trunk_id = trunk.id),"
	    " EXISTS (SELECT 1 FROM trunk_credentials WHERE trunk_id = trunk.id) FROM trunk ");
	add(&sql, rest);
	return db_query_binds(store, ret_stmt, err, sql.text, binds);
}

/* ---- from the row ---- */

static void read_algorithms(sqlite3_stmt *stmt, int i, struct store_trunk *trunk)
{
	char digits[STORE_ALGORITHMS + 1];

	column_text(stmt, i, digits, sizeof(digits));
	trunk->algorithm_count = (unsigned)strlen(digits);
	for (size_t j = 0; digits[j]; j++)
		trunk->algorithms[j] = (unsigned)(digits[j] - '0');
}

static void read_column(sqlite3_stmt *stmt, int i, struct store_trunk *trunk)
{
	const struct column *column = &columns[i];
	void *field = (char *)trunk + column->offset;

	switch (column->kind) {
	case TEXT_COLUMN:
		column_text(stmt, i, field, column->size);
		break;
	case NUMBER_COLUMN:
		*(unsigned *)field = (unsigned)sqlite3_column_int64(stmt, i);
		break;
	case BOOL_COLUMN:
		*(bool *)field = sqlite3_column_int(stmt, i) != 0;
		break;
	case ALGORITHMS_COLUMN:
		read_algorithms(stmt, i, trunk);
		break;
	}
}

void trunk_read(sqlite3_stmt *stmt, struct store_trunk *ret_trunk)
{
	int rest = (int)COLUMNS;
	bool acl = sqlite3_column_int(stmt, rest + 2), credentials;

	credentials = sqlite3_column_int(stmt, rest + 3);
	*ret_trunk = (struct store_trunk){.id = sqlite3_column_int64(stmt, rest)};
	column_text(stmt, rest + 1, ret_trunk->aliases, sizeof(ret_trunk->aliases));
	for (int i = 0; i < rest; i++)
		read_column(stmt, i, ret_trunk);
	ret_trunk->auth = acl && credentials ? STORE_AUTH_IP_ACL_AND_CREDENTIAL
			  : acl		     ? STORE_AUTH_IP_ACL
			  : credentials	     ? STORE_AUTH_CREDENTIAL
					     : STORE_AUTH_NONE;
}

/* ---- into the row ---- */

struct values {
	struct bind list[COLUMNS];
	char algorithms[STORE_ALGORITHMS + 1];
};

static struct bind column_bind(const struct column *column, const struct store_trunk *trunk,
			       struct values *values)
{
	const void *field = (const char *)trunk + column->offset;

	switch (column->kind) {
	case TEXT_COLUMN:
		return TEXT(field);
	case NUMBER_COLUMN:
		return INT(*(const unsigned *)field);
	case BOOL_COLUMN:
		return INT(*(const bool *)field);
	case ALGORITHMS_COLUMN:
		for (unsigned i = 0; i < trunk->algorithm_count; i++)
			values->algorithms[i] = (char)('0' + trunk->algorithms[i]);
		return TEXT(values->algorithms);
	}
	return INT(0);
}

static int run(struct store *store, const struct sql *sql, const struct store_trunk *trunk,
	       struct error *err)
{
	struct values values = {0};

	for (size_t i = 0; i < COLUMNS; i++)
		values.list[i] = column_bind(&columns[i], trunk, &values);
	return db_run_binds(store, err, sql->text, (struct binds){values.list, COLUMNS});
}

int trunk_insert(struct store *store, const struct store_trunk *trunk, struct error *err)
{
	struct sql sql = {0};

	add(&sql, "INSERT INTO trunk (");
	add_columns(&sql, NAMES);
	add(&sql, ") VALUES (");
	add_columns(&sql, NUMBERS);
	add(&sql, ")");
	return run(store, &sql, trunk, err);
}

int trunk_update(struct store *store, const struct store_trunk *trunk, struct error *err)
{
	struct sql sql = {0};

	add(&sql, "UPDATE trunk SET ");
	add_columns(&sql, ASSIGNMENTS);
	add(&sql, " WHERE name = ?1 AND (");
	add_columns(&sql, NAMES);
	add(&sql, ") IS NOT (");
	add_columns(&sql, NUMBERS);
	add(&sql, ")");
	return run(store, &sql, trunk, err);
}

/* ---- for the audit ---- */

#define ALGORITHMS_TEXT_SIZE 32

static void algorithms_format(const struct store_trunk *trunk, char text[ALGORITHMS_TEXT_SIZE])
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < trunk->algorithm_count; i++)
		used += (size_t)snprintf(text + used, ALGORITHMS_TEXT_SIZE - used, "%s%s",
					 i ? "," : "", trunk_algorithm_names[trunk->algorithms[i]]);
}

static void algorithms_difference(const struct store_trunk *old, const struct store_trunk *new,
				  struct summary *summary)
{
	char from[ALGORITHMS_TEXT_SIZE], to[ALGORITHMS_TEXT_SIZE];

	algorithms_format(old, from);
	algorithms_format(new, to);
	summary_text(summary, "algorithms", from, to);
}

static void column_difference(const struct column *column, const struct store_trunk *old,
			      const struct store_trunk *new, struct summary *summary)
{
	struct values values = {0};
	struct bind from = column_bind(column, old, &values),
		    to = column_bind(column, new, &values);

	if (column->kind == TEXT_COLUMN)
		summary_text(summary, column->name, from.bytes, to.bytes);
	else
		summary_number(
			summary, column->name,
			column->kind == BOOL_COLUMN ? "no|yes" : column->words,
			(struct summary_values){(unsigned)from.integer, (unsigned)to.integer});
}

void trunk_difference(const struct store_trunk *old, const struct store_trunk *new,
		      struct summary *ret_summary)
{
	summary_text(ret_summary, "aliases", old->aliases, new->aliases);
	algorithms_difference(old, new, ret_summary);
	for (size_t i = 0; i < COLUMNS; i++) {
		if (columns[i].kind != ALGORITHMS_COLUMN)
			column_difference(&columns[i], old, new, ret_summary);
	}
}
