/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/acl_hosts.h"

int cmd_acl_create(struct cli *cli)
{
	const char *name = cli->args[0], *note = args_option(cli, "--note");
	int rc = cli_store_to_change(cli);
	if (rc == 0)
		rc = store_acl_create(cli->store, name, note ? note : "", &cli->err);
	if (rc < 0)
		return rc;
	return output_done(cli, json_pack("{s:o}", "created", output_text(name)), "created ACL %s",
			   name);
}

int cmd_acl_delete(struct cli *cli)
{
	const char *name = cli->args[0];
	int rc = cli_store(cli);
	if (rc == 0)
		rc = store_acl_delete(cli->store, name, &cli->err);
	if (rc == 0)
		rc = cli_sync(cli);
	if (rc < 0)
		return rc;
	return output_done(cli, json_pack("{s:o}", "deleted", output_text(name)), "deleted ACL %s",
			   name);
}

static const struct column acl_columns[] = {
	{"ACL", "name", COLUMN_TEXT},		{"PREFIXES", "prefixes", COLUMN_NUMBER},
	{"HOSTS", "host_names", COLUMN_NUMBER}, {"TRUNKS", "trunks", COLUMN_NUMBER},
	{"NOTE", "note", COLUMN_TEXT},
};

struct counts {
	size_t hosts, addresses;
};

static int count_host(const struct store_acl_host *host, void *arg)
{
	struct counts *counts = arg;
	counts->hosts++;
	counts->addresses += host->addresses;
	return 0;
}

/* prefixes are those that are given as such. */
static int acl_json(struct cli *cli, const struct store_acl *acl, json_t **ret_json)
{
	struct counts counts = {0};
	int rc = store_acl_host_each(cli->store, acl->name, count_host, &counts, &cli->err);
	if (rc < 0)
		return rc;
	*ret_json = json_pack("{s:o, s:I, s:I, s:I, s:o}", "name", output_text(acl->name),
			      "prefixes", (json_int_t)(acl->entries - counts.addresses),
			      "host_names", (json_int_t)counts.hosts, "trunks",
			      (json_int_t)acl->trunks, "note", output_text(acl->note));
	return *ret_json ? 0 : cli_error(cli, -ENOMEM, "out of memory");
}

struct listing {
	struct cli *cli;
	json_t *rows;
};

static int list_acl(const struct store_acl *acl, void *arg)
{
	struct listing *listing = arg;
	json_t *row;
	int rc = acl_json(listing->cli, acl, &row);
	return rc < 0 ? rc : output_append(listing->rows, row);
}

int cmd_acl_list(struct cli *cli)
{
	struct listing listing = {cli, json_array()};
	int rc = cli_store(cli);
	if (rc == 0)
		rc = store_acl_each(cli->store, list_acl, &listing, &cli->err);
	if (rc == 0)
		return output_table(cli, VIEW(acl_columns, "there are no ACLs"), listing.rows);
	json_decref(listing.rows);
	return rc;
}

/* Entries are printed as they are read: an ACL may hold a million. Those of a host name stand with
 * it. */
static int print_entry(const struct store_acl_entry *entry, void *arg)
{
	char prefix[PREFIX_TEXT_SIZE];
	(void)arg;
	if (entry->host_id)
		return 0;
	prefix_format(&entry->prefix, prefix);
	if (entry->note[0])
		printf("%-6s %-20s %s\n", entry->deny ? "deny" : "allow", prefix, entry->note);
	else
		printf("%-6s %s\n", entry->deny ? "deny" : "allow", prefix);
	return 0;
}

/* The rows of a JSON array that is written as it is read. */
struct rows {
	struct cli *cli;
	const char *separator;
};

static int print_row(struct rows *rows, json_t *row)
{
	if (!row)
		return cli_error(rows->cli, -ENOMEM, "out of memory");
	fputs(rows->separator, stdout);
	rows->separator = ",\n  ";
	json_dumpf(row, stdout, JSON_COMPACT);
	json_decref(row);
	return 0;
}

static int print_entry_json(const struct store_acl_entry *entry, void *rows)
{
	char prefix[PREFIX_TEXT_SIZE];
	if (entry->host_id)
		return 0;
	prefix_format(&entry->prefix, prefix);
	return print_row(rows, json_pack("{s:s, s:b, s:o}", "prefix", prefix, "deny", entry->deny,
					 "note", output_text(entry->note)));
}

static int print_host_json(const struct store_acl_host *host, void *arg)
{
	struct rows *rows = arg;
	return print_row(rows, acl_hosts_json(rows->cli, host));
}

static int show_json(struct cli *cli, const struct store_acl *acl)
{
	struct rows entries = {cli, "\n  "}, hosts = {cli, "\n  "};
	json_t *object;
	int rc = acl_json(cli, acl, &object);
	if (rc < 0)
		return rc;
	char *text = json_dumps(object, JSON_COMPACT);
	json_decref(object);
	if (!text)
		return cli_error(cli, -ENOMEM, "out of memory");
	/* The ACL's own object, left open for what it holds. */
	printf("%.*s,\"entries\":[", (int)strlen(text) - 1, text);
	free(text);
	rc = store_acl_entry_each(cli->store, acl->name, print_entry_json, &entries, &cli->err);
	fputs("\n],\"hosts\":[", stdout);
	if (rc == 0)
		rc = store_acl_host_each(cli->store, acl->name, print_host_json, &hosts, &cli->err);
	puts("\n]}");
	return rc;
}

static int show(struct cli *cli, const struct store_acl *acl)
{
	struct counts counts = {0};
	int rc = store_acl_host_each(cli->store, acl->name, count_host, &counts, &cli->err);
	if (rc < 0)
		return rc;
	printf("ACL %s: prefixes %llu, host names %zu, trunks %llu%s%s\n", acl->name,
	       (unsigned long long)(acl->entries - counts.addresses), counts.hosts,
	       (unsigned long long)acl->trunks, acl->note[0] ? ", note: " : "", acl->note);
	rc = store_acl_entry_each(cli->store, acl->name, print_entry, NULL, &cli->err);
	if (rc == 0)
		rc = store_acl_host_each(cli->store, acl->name, acl_hosts_print, cli, &cli->err);
	return rc;
}

int cmd_acl_show(struct cli *cli)
{
	struct store_acl acl;
	int rc = cli_store(cli);
	if (rc < 0)
		return rc;
	rc = store_read_begin(cli->store, &cli->err);
	if (rc < 0)
		return rc;
	rc = store_acl_get(cli->store, cli->args[0], &acl, &cli->err);
	if (rc == 0)
		rc = cli->json ? show_json(cli, &acl) : show(cli, &acl);
	store_read_end(cli->store);
	return rc;
}
