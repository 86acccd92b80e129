/* SPDX-License-Identifier: BSD-2-Clause */
/* Call records: of calls that are over from the store, of those in progress from the daemon. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/control.h"
#include "cli/output.h"
#include "record/record.h"

#define LIMIT_DEFAULT 100

static const struct column columns[] = {
	{"START", "start", COLUMN_TIME},	 {"TALKED", "talked", COLUMN_SECONDS},
	{"DIRECTION", "direction", COLUMN_TEXT}, {"SOURCE", "source", COLUMN_TEXT},
	{"TRUNK", "trunk", COLUMN_TEXT},	 {"USER", "user", COLUMN_TEXT},
	{"FROM", "from", COLUMN_TEXT},		 {"TO", "to", COLUMN_TEXT},
	{"UPSTREAM", "upstream", COLUMN_TEXT},	 {"SIP", "sip_status", COLUMN_TEXT},
	{"CAUSE", "cause", COLUMN_TEXT},
};

struct listing {
	struct store_call_query query;
	bool json;
	json_t *rows; /* for people */
};

static json_t *cause_json(const json_t *call)
{
	const json_t *cause = json_object_get(call, "hangup_cause");
	if (!json_is_object(cause))
		return json_null();
	return json_sprintf("%s %lld", json_string_value(json_object_get(cause, "name")),
			    json_integer_value(json_object_get(cause, "code")));
}

/* Of a call in progress: so far. */
static json_t *talked_json(const json_t *call)
{
	const json_t *duration = json_object_get(call, "duration_ms");
	int64_t answered_ms = json_integer_value(json_object_get(call, "answered_ms"));
	if (answered_ms == 0)
		return json_null();
	return json_real((json_is_integer(duration) ? (double)json_integer_value(duration)
						    : (double)(clock_wall_ms() - answered_ms)) /
			 1000);
}

/* What the columns show of a record. */
static json_t *row_of(json_t *call)
{
	static const char *const same[] = {"direction", "source", "trunk",    "user",
					   "from",	"to",	  "upstream", "sip_status"};
	json_t *row = json_pack("{s:f, s:o, s:o}", "start",
				json_number_value(json_object_get(call, "start_ms")) / 1000,
				"talked", talked_json(call), "cause", cause_json(call));
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		json_object_set(row, same[i], json_object_get(call, same[i]));
	return row;
}

/* Takes over the record. With --json each stands on a line, as in the call log. */
static int add(struct listing *listing, json_t *call)
{
	int rc = call ? 0 : -ENOMEM;
	if (rc == 0 && listing->json) {
		json_dumpf(call, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (rc == 0) {
		rc = output_append(listing->rows, row_of(call));
	}
	json_decref(call);
	return rc;
}

/* ---- those that are over ---- */

static int add_record(const struct call_record *record, void *arg)
{
	return add(arg, record_json(record));
}

static int list_ended(struct cli *cli, struct listing *listing)
{
	struct store_calls *calls = NULL;
	if (!store_calls_exist(cli->state_dir))
		return 0;
	int rc = store_calls_open(cli->state_dir, &calls, &cli->err);
	if (rc == 0)
		rc = store_calls_each(calls, &listing->query, add_record, listing, &cli->err);
	store_calls_close(calls);
	return rc == -ENOMEM ? cli_error(cli, rc, "out of memory") : rc;
}

/* ---- those in progress ---- */

static json_t *question(const struct listing *listing, unsigned worker, const char *next,
			size_t left)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:s*, s:s*}", "ask", "calls", "worker",
			 (json_int_t)worker, "since_ms", (json_int_t)listing->query.since_ms,
			 "limit", (json_int_t)left, "trunk", listing->query.trunk, "next", next);
}

static int no_answer(struct cli *cli, int rc)
{
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		return cli_error(cli, -ENOENT, "no sipwardd runs on %s: no call is in progress",
				 cli->state_dir);
	return cli_error(cli, rc, "sipwardd does not tell its calls: %s", strerror(-rc));
}

/* Those of one worker, as many as are wanted of all; how many workers there are. */
static int ask_worker(struct cli *cli, const struct listing *listing, unsigned worker,
		      json_t *calls, unsigned *ret_workers)
{
	size_t before = json_array_size(calls), limit = listing->query.limit, n = 0;
	char next[64] = "";
	do {
		json_t *answer = NULL;
		int rc = control_ask(cli->state_dir,
				     question(listing, worker, next[0] ? next : NULL, limit - n),
				     &answer);
		if (rc < 0)
			return no_answer(cli, rc);
		const char *place = json_string_value(json_object_get(answer, "next"));
		json_array_extend(calls, json_object_get(answer, "calls"));
		n = json_array_size(calls) - before;
		snprintf(next, sizeof(next), "%s", place ? place : "");
		*ret_workers = (unsigned)json_integer_value(json_object_get(answer, "workers"));
		json_decref(answer);
	} while (next[0] && n < limit);
	return 0;
}

static int by_start(const void *left, const void *right)
{
	const json_t *const *a = left, *const *b = right;
	json_int_t a_ms = json_integer_value(json_object_get(*a, "start_ms"));
	json_int_t b_ms = json_integer_value(json_object_get(*b, "start_ms"));
	return (a_ms > b_ms) - (a_ms < b_ms);
}

/* The latest of all workers', as many as are wanted. */
static int add_latest(struct listing *listing, const json_t *calls)
{
	size_t n = json_array_size(calls), limit = listing->query.limit;
	json_t **sorted = calloc(n + 1, sizeof(*sorted));
	int rc = sorted ? 0 : -ENOMEM;
	for (size_t i = 0; i < n && rc == 0; i++)
		sorted[i] = json_array_get(calls, i);
	if (rc == 0)
		qsort(sorted, n, sizeof(*sorted), by_start);
	for (size_t i = n > limit ? n - limit : 0; i < n && rc == 0; i++)
		rc = add(listing, json_incref(sorted[i]));
	free(sorted);
	return rc;
}

static int list_active(struct cli *cli, struct listing *listing)
{
	json_t *calls = json_array();
	unsigned worker = 0, workers = 1;
	int rc = 0;
	for (; rc == 0 && worker < workers; worker++)
		rc = ask_worker(cli, listing, worker, calls, &workers);
	if (rc == 0 && add_latest(listing, calls))
		rc = cli_error(cli, -ENOMEM, "out of memory");
	json_decref(calls);
	return rc;
}

/* ---- both ---- */

static int parse_options(struct cli *cli, struct store_call_query *query)
{
	const char *since = args_option(cli, "--since"), *limit = args_option(cli, "--limit");
	int64_t since_s = 0;
	int rc = since ? cli_since(cli, since, &since_s) : 0;
	*query = (struct store_call_query){
		.since_ms = since_s * 1000,
		.trunk = args_option(cli, "--trunk"),
		.limit = since ? INT32_MAX : LIMIT_DEFAULT,
	};
	if (rc == 0 && limit &&
	    (slice_u32(slice_from(limit), &query->limit) < 0 || query->limit == 0))
		rc = cli_error(cli, -EINVAL, "--limit '%s' is no number from 1", limit);
	return rc;
}

int cmd_calls(struct cli *cli)
{
	struct listing listing = {.json = cli->json, .rows = json_array()};
	bool active = args_option(cli, "--active");
	int rc = parse_options(cli, &listing.query);
	if (rc == 0)
		rc = active ? list_active(cli, &listing) : list_ended(cli, &listing);
	if (rc == 0 && !cli->json)
		return output_table(
			cli,
			VIEW(columns, active ? "no call is in progress" : "no call is recorded"),
			listing.rows);
	json_decref(listing.rows);
	return rc;
}
