/* SPDX-License-Identifier: BSD-2-Clause */
/* The numbers that a trunk's callers may show. */
#include "cli/output.h"

typedef int store_caller_write(struct store *store, const char *trunk, const char *const *numbers,
			       size_t n, struct error *err);

static json_t *args_json(char *const *args, int n)
{
	json_t *array = json_array();

	for (int i = 0; i < n; i++)
		output_append(array, output_text(args[i]));
	return array;
}

static int change(struct cli *cli, store_caller_write *write, const char *key, const char *sentence)
{
	const char *trunk = cli->args[0], *const *numbers = (const char *const *)cli->args + 1;
	int n = cli->arg_count - 1, rc = cli_store(cli);

	if (rc == 0)
		rc = write(cli->store, trunk, numbers, (size_t)n, &cli->err);
	if (rc == 0)
		rc = cli_sync_silently(cli);
	if (rc < 0)
		return rc;
	return output_done(cli,
			   json_pack("{s:o, s:o}", "trunk", output_text(trunk), key,
				     args_json(cli->args + 1, n)),
			   sentence, trunk, n == 1 ? numbers[0] : "these numbers");
}

int cmd_caller_add(struct cli *cli)
{
	return change(cli, store_trunk_caller_add, "added", "callers of trunk %s may show %s");
}

int cmd_caller_remove(struct cli *cli)
{
	return change(cli, store_trunk_caller_remove, "removed",
		      "callers of trunk %s may no longer show %s");
}

static const struct column columns[] = {
	{"NUMBER", "number", COLUMN_TEXT},
};

static int list_one(const char *number, void *rows)
{
	return output_append(rows, json_pack("{s:o}", "number", output_text(number)));
}

int cmd_caller_list(struct cli *cli)
{
	struct store_trunk trunk;
	json_t *rows = json_array();
	int rc = cli_store(cli);

	if (rc == 0)
		rc = store_trunk_get(cli->store, cli->args[0], &trunk, &cli->err);
	if (rc == 0)
		rc = store_trunk_caller_each(cli->store, trunk.id, list_one, rows, &cli->err);
	if (rc == 0)
		return output_table(cli, VIEW(columns, "the trunk has no numbers"), rows);
	json_decref(rows);
	return rc;
}
