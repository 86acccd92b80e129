/* SPDX-License-Identifier: BSD-2-Clause */
/* export, apply: the whole configuration as one document. */
#include "document/document.h"

#include <errno.h>
#include <string.h>

#include "base/printable.h"
#include "cli/output.h"

static int read_key(struct cli *cli, struct document_key *ret_key)
{
	const char *path = args_option(cli, "--key-file");
	*ret_key = (struct document_key){0};
	return path ? document_key_read(path, ret_key, &cli->err) : 0;
}

int cmd_export(struct cli *cli)
{
	struct document_key key;
	json_t *document = NULL;
	int rc = read_key(cli, &key);
	if (rc == 0)
		rc = cli_store(cli);
	if (rc == 0)
		rc = document_export(cli->store, &key, &document, &cli->err);
	explicit_bzero(&key, sizeof(key));
	return rc < 0 ? rc : output_json(cli, document);
}

static int load(struct cli *cli, const char *path, json_t **ret_document)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *file = is_stdin ? stdin : fopen(path, "re");
	const char *name = is_stdin ? "standard input" : path;
	json_error_t why;
	if (!file)
		return cli_error(cli, -errno, "can not open %s: %s", name, strerror(errno));
	errno = 0;
	*ret_document = json_loadf(file, JSON_REJECT_DUPLICATES, &why);
	int cause = ferror(file) ? errno : 0;
	if (!is_stdin)
		fclose(file);
	if (cause)
		return cli_error(cli, -cause, "can not read %s: %s", name, strerror(cause));
	printable(why.text);
	if (!*ret_document)
		return cli_error(cli, -EINVAL, "%s, line %d, column %d: %s", name, why.line,
				 why.column, why.text);
	return 0;
}

static void print_difference(char sign, const char *what, void *arg)
{
	(void)arg;
	printf("%c %s\n", sign, what);
}

static void append_difference(char sign, const char *what, void *rows)
{
	output_append(rows, json_pack("{s:s#, s:o}", "sign", &sign, 1, "what", output_text(what)));
}

static int tell_done(struct cli *cli, bool dry_run, size_t changes, json_t *rows)
{
	if (cli->json)
		return output_json(cli, json_pack("{s:I, s:b, s:O}", "changes", (json_int_t)changes,
						  "dry_run", dry_run, "differences", rows));
	if (changes == 0)
		printf("nothing to do: the store is as the document says\n");
	else if (dry_run)
		printf("differences: %zu; dry run, nothing is changed\n", changes);
	else
		printf("changes made: %zu\n", changes);
	return 0;
}

static int apply(struct cli *cli, const json_t *document, const struct document_key *key)
{
	bool dry_run = args_option(cli, "--dry-run") != NULL;
	document_difference *tell = cli->json ? append_difference : print_difference;
	json_t *rows = json_array();
	size_t changes = 0;
	int rc = dry_run ? cli_store(cli) : cli_store_to_change(cli);
	if (rc == 0)
		rc = document_apply(cli->store, document, key, dry_run, tell, rows, &changes,
				    &cli->err);
	if (rc == 0)
		rc = tell_done(cli, dry_run, changes, rows);
	json_decref(rows);
	return rc < 0 || dry_run ? rc : cli_sync(cli);
}

int cmd_apply(struct cli *cli)
{
	struct document_key key;
	json_t *document = NULL;
	int rc = read_key(cli, &key);
	if (rc == 0)
		rc = load(cli, cli->args[0], &document);
	if (rc == 0)
		rc = apply(cli, document, &key);
	explicit_bzero(&key, sizeof(key));
	json_decref(document);
	return rc;
}
