/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"

struct entries {
	struct store_acl_entry *list;
	size_t n, room;
};

/* Room for one more entry, zeroed; NULL without memory. */
static struct store_acl_entry *entries_next(struct entries *entries)
{
	if (entries->n == entries->room) {
		size_t room = entries->room ? 2 * entries->room : 64;
		void *list = reallocarray(entries->list, room, sizeof(*entries->list));
		if (!list)
			return NULL;
		entries->list = list;
		entries->room = room;
	}
	struct store_acl_entry *entry = &entries->list[entries->n++];
	memset(entry, 0, sizeof(*entry));
	return entry;
}

static int copy_note(struct cli *cli, struct slice note, char ret_note[STORE_NOTE_SIZE])
{
	if (slice_text(note, ret_note, STORE_NOTE_SIZE) < 0)
		return cli_error(cli, -EINVAL, "the note is longer than %d bytes",
				 STORE_NOTE_SIZE - 1);
	return 0;
}

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
	{"ACL", "name", COLUMN_TEXT},
	{"PREFIXES", "prefixes", COLUMN_NUMBER},
	{"TRUNKS", "trunks", COLUMN_NUMBER},
	{"NOTE", "note", COLUMN_TEXT},
};

static json_t *acl_json(const struct store_acl *acl)
{
	return json_pack("{s:o, s:I, s:I, s:o}", "name", output_text(acl->name), "prefixes",
			 (json_int_t)acl->entries, "trunks", (json_int_t)acl->trunks, "note",
			 output_text(acl->note));
}

static int list_acl(const struct store_acl *acl, void *rows)
{
	return output_append(rows, acl_json(acl));
}

int cmd_acl_list(struct cli *cli)
{
	json_t *rows = json_array();
	int rc = cli_store(cli);
	if (rc == 0)
		rc = store_acl_each(cli->store, list_acl, rows, &cli->err);
	if (rc == 0)
		return output_table(cli, VIEW(acl_columns, "there are no ACLs"), rows);
	json_decref(rows);
	return rc;
}

/* Entries are printed as they are read: an ACL may hold a million. */
static int print_entry(const struct store_acl_entry *entry, void *arg)
{
	char prefix[PREFIX_TEXT_SIZE];
	(void)arg;
	prefix_format(&entry->prefix, prefix);
	if (entry->note[0])
		printf("%-6s %-20s %s\n", entry->deny ? "deny" : "allow", prefix, entry->note);
	else
		printf("%-6s %s\n", entry->deny ? "deny" : "allow", prefix);
	return 0;
}

static int print_entry_json(const struct store_acl_entry *entry, void *arg)
{
	const char **separator = arg;
	char prefix[PREFIX_TEXT_SIZE];
	prefix_format(&entry->prefix, prefix);
	json_t *row = json_pack("{s:s, s:b, s:o}", "prefix", prefix, "deny", entry->deny, "note",
				output_text(entry->note));
	if (!row)
		return -ENOMEM;
	fputs(*separator, stdout);
	*separator = ",\n  ";
	json_dumpf(row, stdout, JSON_COMPACT);
	json_decref(row);
	return 0;
}

static int show_json(struct cli *cli, const struct store_acl *acl)
{
	const char *separator = "\n  ";
	json_t *object = acl_json(acl);
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (!text)
		return cli_error(cli, -ENOMEM, "out of memory");
	/* The ACL's own object, left open for its entries. */
	printf("%.*s,\"entries\":[", (int)strlen(text) - 1, text);
	free(text);
	int rc = store_acl_entry_each(cli->store, acl->name, print_entry_json, &separator,
				      &cli->err);
	puts("\n]}");
	return rc;
}

static int show(struct cli *cli, const struct store_acl *acl)
{
	printf("ACL %s: prefixes %llu, trunks %llu%s%s\n", acl->name,
	       (unsigned long long)acl->entries, (unsigned long long)acl->trunks,
	       acl->note[0] ? ", note: " : "", acl->note);
	return store_acl_entry_each(cli->store, acl->name, print_entry, NULL, &cli->err);
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

struct usage {
	struct store *store;
	const char *acl;
};

static int same_acl(int64_t id, const char *name, void *arg)
{
	const struct usage *usage = arg;
	(void)id;
	return strcmp(name, usage->acl) == 0;
}

static int uses_acl(const struct store_trunk *trunk, void *arg)
{
	struct usage *usage = arg;
	return trunk->enabled ? store_trunk_acl_each(usage->store, trunk->id, same_acl, usage, NULL)
			      : 0;
}

static void note_if_unused(struct cli *cli, const char *acl)
{
	struct usage usage = {cli->store, acl};
	if (store_trunk_each(cli->store, uses_acl, &usage, NULL) == 0 && !cli->json)
		cli_note("no enabled trunk uses ACL %s, so the filter does not either; "
			 "`sipward trunk attach TRUNK --acl %s` attaches it",
			 acl, acl);
}

/* Adds the entries to the ACL and tells how many were new. */
static int add_entries(struct cli *cli, const struct entries *entries)
{
	const char *name = cli->args[0];
	size_t added = 0;
	int rc = cli_store(cli);
	if (rc == 0)
		rc = store_acl_add(cli->store, name, entries->list, entries->n, &added, &cli->err);
	if (rc < 0)
		return rc;
	note_if_unused(cli, name);
	rc = cli_sync(cli);
	if (rc < 0)
		return rc;
	return output_done(cli,
			   json_pack("{s:o, s:I, s:I}", "acl", output_text(name), "added",
				     (json_int_t)added, "given", (json_int_t)entries->n),
			   "ACL %s: %zu added%s", name, added,
			   added < entries->n ? ", the others were there already" : "");
}

int cmd_acl_add(struct cli *cli)
{
	const char *note = args_option(cli, "--note");
	struct entries entries = {0};
	int rc = 0;
	for (int i = 1; i < cli->arg_count && rc == 0; i++) {
		struct store_acl_entry *entry = entries_next(&entries);
		if (!entry) {
			rc = cli_error(cli, -ENOMEM, "out of memory");
			break;
		}
		entry->deny = args_option(cli, "--deny") != NULL;
		rc = copy_note(cli, slice_from(note), entry->note);
		if (rc == 0)
			rc = prefix_parse(slice_from(cli->args[i]), &entry->prefix, &cli->err);
	}
	if (rc == 0)
		rc = add_entries(cli, &entries);
	free(entries.list);
	return rc;
}

int cmd_acl_remove(struct cli *cli)
{
	size_t n = (size_t)cli->arg_count - 1;
	struct prefix *prefixes = calloc(n, sizeof(*prefixes));
	int rc = prefixes ? cli_store(cli) : cli_error(cli, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = prefix_parse(slice_from(cli->args[i + 1]), &prefixes[i], &cli->err);
	if (rc == 0)
		rc = store_acl_remove(cli->store, cli->args[0], prefixes, n, &cli->err);
	if (rc == 0)
		rc = cli_sync(cli);
	free(prefixes);
	if (rc < 0)
		return rc;
	return output_done(
		cli,
		json_pack("{s:o, s:I}", "acl", output_text(cli->args[0]), "removed", (json_int_t)n),
		"ACL %s: %zu removed", cli->args[0], n);
}

/* Reads `PREFIX [deny] [# note]`; an empty line or a comment adds nothing. */
static int parse_line(struct cli *cli, struct slice line, struct entries *entries)
{
	struct slice note, word;
	struct slice text = slice_trim(slice_cut(line, '#', &note));
	if (!text.n)
		return 0;
	size_t n = 0;
	while (n < text.n && text.p[n] != ' ' && text.p[n] != '\t')
		n++;
	word = slice_trim((struct slice){text.p + n, text.n - n});
	if (word.n && !slice_eq(word, SLICE("deny")))
		return cli_error(cli, -EINVAL, "'%.*s' after the prefix is not 'deny'",
				 (int)(word.n < 60 ? word.n : 60), word.p);
	struct store_acl_entry *entry = entries_next(entries);
	if (!entry)
		return cli_error(cli, -ENOMEM, "out of memory");
	entry->deny = word.n != 0;
	int rc = copy_note(cli, slice_trim(note), entry->note);
	return rc < 0 ? rc : prefix_parse((struct slice){text.p, n}, &entry->prefix, &cli->err);
}

static int parse_file(struct cli *cli, FILE *file, struct entries *entries)
{
	const char *path = cli->args[1];
	char *line = NULL, why[sizeof(cli->err.text)];
	size_t room = 0, number = 0;
	ssize_t n;
	int rc = 0;
	while (rc == 0 && (n = getline(&line, &room, file)) >= 0) {
		number++;
		rc = parse_line(cli, (struct slice){line, (size_t)n}, entries);
	}
	free(line);
	if (rc < 0) {
		memcpy(why, cli->err.text, sizeof(why));
		return cli_error(cli, rc, "%.200s line %zu: %.200s; nothing was added", path,
				 number, why);
	}
	return ferror(file) ? cli_error(cli, -EIO, "can not read %s: %s", path, strerror(errno))
			    : 0;
}

int cmd_acl_import(struct cli *cli)
{
	const char *path = cli->args[1];
	FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	struct entries entries = {0};
	if (!file)
		return cli_error(cli, -errno, "can not open %s: %s", path, strerror(errno));
	int rc = parse_file(cli, file, &entries);
	if (file != stdin)
		fclose(file);
	if (rc == 0)
		rc = add_entries(cli, &entries);
	free(entries.list);
	return rc;
}
