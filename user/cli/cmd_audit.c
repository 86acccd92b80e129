/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/printable.h"
#include "cli/output.h"

#define LAST_DEFAULT 100

static const struct column columns[] = {
	{"TIME", "time", COLUMN_TIME},
	{"WHO", "who", COLUMN_TEXT},
	{"WHAT", "what", COLUMN_TEXT},
};

struct collection {
	json_t *rows; /* latest first */
	int64_t since_s;
};

static json_t *safe_text(const char *text)
{
	char copy[512];
	snprintf(copy, sizeof(copy), "%s", text);
	printable(copy);
	return output_text(copy);
}

static int collect(int64_t time_s, const char *who, const char *what, void *arg)
{
	struct collection *collection = arg;
	if (time_s < collection->since_s)
		return 0;
	return output_append(collection->rows,
			     json_pack("{s:I, s:o, s:o}", "time", (json_int_t)time_s, "who",
				       safe_text(who), "what", safe_text(what)));
}

static int parse_options(struct cli *cli, uint32_t *ret_last, int64_t *ret_since_s)
{
	const char *last = args_option(cli, "--last"), *since = args_option(cli, "--since");
	*ret_last = since ? INT32_MAX : LAST_DEFAULT;
	*ret_since_s = INT64_MIN;
	if (last && (slice_u32(slice_from(last), ret_last) < 0 || *ret_last == 0))
		return cli_error(cli, -EINVAL, "--last '%s' is no number from 1", last);
	return since ? cli_since(cli, since, ret_since_s) : 0;
}

/* As a log is read: the latest at the end. */
static json_t *reversed(const json_t *rows)
{
	json_t *result = json_array();
	for (size_t i = json_array_size(rows); i-- > 0;)
		json_array_append(result, json_array_get(rows, i));
	return result;
}

int cmd_audit(struct cli *cli)
{
	struct collection collection = {json_array(), 0};
	uint32_t last;
	int rc = parse_options(cli, &last, &collection.since_s);
	if (rc == 0)
		rc = cli_store(cli);
	if (rc == 0)
		rc = store_audit_each(cli->store, last, collect, &collection, &cli->err);
	if (rc == 0)
		rc = output_table(cli, VIEW(columns, "nothing was changed"),
				  reversed(collection.rows));
	json_decref(collection.rows);
	return rc;
}
