/* SPDX-License-Identifier: BSD-2-Clause */
/* The header fields that calls to a trunk's customer get. */
#include "cli/output.h"

typedef int store_header_write(struct store *store, const char *trunk, const char *text,
			       struct error *err);

static int change(struct cli *cli, store_header_write *write, const char *key, const char *sentence)
{
	int rc = cli_store(cli);
	if (rc == 0)
		rc = write(cli->store, cli->args[0], cli->args[1], &cli->err);
	if (rc == 0)
		rc = cli_sync_silently(cli);
	if (rc < 0)
		return rc;
	return output_done(cli,
			   json_pack("{s:o, s:o}", "trunk", output_text(cli->args[0]), key,
				     output_text(cli->args[1])),
			   sentence, cli->args[0], cli->args[1]);
}

int cmd_header_add(struct cli *cli)
{
	return change(cli, store_trunk_header_add, "added",
		      "calls to the customer of trunk %s get %s");
}

int cmd_header_remove(struct cli *cli)
{
	return change(cli, store_trunk_header_remove, "removed",
		      "calls to the customer of trunk %s no longer get %s");
}

static const struct column columns[] = {
	{"NAME", "name", COLUMN_TEXT},
	{"VALUE", "value", COLUMN_TEXT},
};

static int list_one(const struct store_header *header, void *rows)
{
	return output_append(rows, json_pack("{s:s, s:o}", "name", header->name, "value",
					     output_text(header->value)));
}

int cmd_header_list(struct cli *cli)
{
	struct store_trunk trunk;
	json_t *rows = json_array();
	int rc = cli_store(cli);
	if (rc == 0)
		rc = store_trunk_get(cli->store, cli->args[0], &trunk, &cli->err);
	if (rc == 0)
		rc = store_trunk_header_each(cli->store, trunk.id, list_one, rows, &cli->err);
	if (rc == 0)
		return output_table(cli, VIEW(columns, "the trunk has none"), rows);
	json_decref(rows);
	return rc;
}
