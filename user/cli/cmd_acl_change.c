/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/acl_hosts.h"
#include "cli/names.h"

struct entries {
	struct store_acl_entry *list;
	size_t n, room;
	struct acl_hosts hosts;
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

static void entries_free(struct entries *entries)
{
	free(entries->list);
	free(entries->hosts.list);
}

static int copy_note(struct cli *cli, struct slice note, char ret_note[STORE_NOTE_SIZE])
{
	if (slice_text(note, ret_note, STORE_NOTE_SIZE) < 0)
		return cli_error(cli, -EINVAL, "the note is longer than %d bytes",
				 STORE_NOTE_SIZE - 1);
	return 0;
}

static int add_host(struct cli *cli, struct slice text, bool deny, struct slice note,
		    struct entries *entries)
{
	struct store_acl_host *host = acl_hosts_next(&entries->hosts);
	if (!host)
		return cli_error(cli, -ENOMEM, "out of memory");
	if (slice_text(text, host->host, sizeof(host->host)) < 0)
		return cli_error(cli, -EINVAL, "the host name '%.60s...' is longer than %zu bytes",
				 text.p, sizeof(host->host) - 1);
	host->deny = deny;
	return copy_note(cli, note, host->note);
}

/* A prefix or a host name. */
static int add_entry(struct cli *cli, struct slice text, bool deny, struct slice note,
		     struct entries *entries)
{
	if (acl_hosts_is_name(text))
		return add_host(cli, text, deny, note, entries);
	struct store_acl_entry *entry = entries_next(entries);
	if (!entry)
		return cli_error(cli, -ENOMEM, "out of memory");
	entry->deny = deny;
	int rc = copy_note(cli, note, entry->note);
	return rc < 0 ? rc : prefix_parse(text, &entry->prefix, &cli->err);
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

/* ---- into the store ---- */

/* Prefixes and host names together or not at all. */
static int store_entries(struct cli *cli, const struct entries *entries, size_t *ret_added)
{
	const char *name = cli->args[0];
	int rc = store_change_begin(cli->store, &cli->err);
	if (rc < 0)
		return rc;
	rc = store_acl_add(cli->store, name, entries->list, entries->n, ret_added, &cli->err);
	for (size_t i = 0; i < entries->hosts.n && rc == 0; i++)
		rc = store_acl_host_add(cli->store, name, &entries->hosts.list[i], &cli->err);
	int ended = store_change_end(cli->store, rc == 0, rc == 0 ? &cli->err : NULL);
	return rc < 0 ? rc : ended;
}

struct search {
	const struct acl_hosts *wanted;
	struct names found;
};

static bool same_host(const char *given, const char *stored)
{
	struct slice name = slice_from(given);
	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	return slice_eq_nocase(name, slice_from(stored));
}

/* The stored host of each that was given. */
static int find_host(const struct store_acl_host *stored, void *arg)
{
	struct search *search = arg;
	const struct host host = host_of_acl(stored);
	for (size_t i = 0; i < search->wanted->n; i++)
		if (same_host(search->wanted->list[i].host, stored->host))
			return names_add(&search->found, &host);
	return 0;
}

/* Once at once, so that host names work without a daemon. */
static int resolve_added(struct cli *cli, const struct entries *entries, json_t *rows)
{
	struct search search = {.wanted = &entries->hosts};
	int rc = store_acl_host_each(cli->store, cli->args[0], find_host, &search, &cli->err);
	if (rc == 0)
		rc = names_resolve(cli, &search.found, rows);
	names_free(&search.found);
	return rc;
}

static int tell_added(struct cli *cli, const struct entries *entries, size_t added, json_t *rows)
{
	size_t given = entries->n + entries->hosts.n;
	added += entries->hosts.n;
	int rc = output_done(cli,
			     json_pack("{s:o, s:I, s:I, s:O}", "acl", output_text(cli->args[0]),
				       "added", (json_int_t)added, "given", (json_int_t)given,
				       "hosts", rows),
			     "ACL %s: %zu added%s", cli->args[0], added,
			     added < given ? ", the others were there already" : "");
	if (rc == 0 && !cli->json)
		names_print(cli, rows, "`sipward acl refresh` tries again");
	return rc;
}

/* Adds the entries to the ACL and tells how many were new. */
static int add_entries(struct cli *cli, const struct entries *entries)
{
	json_t *rows = json_array();
	size_t added = 0;
	int rc = cli_store(cli);
	if (rc == 0)
		rc = store_entries(cli, entries, &added);
	if (rc == 0)
		rc = resolve_added(cli, entries, rows);
	if (rc == 0) {
		note_if_unused(cli, cli->args[0]);
		rc = cli_sync(cli);
	}
	if (rc == 0)
		rc = tell_added(cli, entries, added, rows);
	json_decref(rows);
	return rc;
}

/* ---- commands ---- */

int cmd_acl_add(struct cli *cli)
{
	struct slice note = slice_from(args_option(cli, "--note"));
	bool deny = args_option(cli, "--deny") != NULL;
	struct entries entries = {0};
	int rc = 0;
	for (int i = 1; i < cli->arg_count && rc == 0; i++)
		rc = add_entry(cli, slice_from(cli->args[i]), deny, note, &entries);
	if (rc == 0)
		rc = add_entries(cli, &entries);
	entries_free(&entries);
	return rc;
}

static int remove_prefixes(struct cli *cli, const struct entries *entries)
{
	struct prefix *prefixes = calloc(entries->n + 1, sizeof(*prefixes));
	if (!prefixes)
		return cli_error(cli, -ENOMEM, "out of memory");
	for (size_t i = 0; i < entries->n; i++)
		prefixes[i] = entries->list[i].prefix;
	int rc = store_acl_remove(cli->store, cli->args[0], prefixes, entries->n, &cli->err);
	free(prefixes);
	return rc;
}

static int remove_entries(struct cli *cli, const struct entries *entries)
{
	int rc = store_change_begin(cli->store, &cli->err);
	if (rc < 0)
		return rc;
	rc = remove_prefixes(cli, entries);
	for (size_t i = 0; i < entries->hosts.n && rc == 0; i++)
		rc = store_acl_host_remove(cli->store, cli->args[0], entries->hosts.list[i].host,
					   &cli->err);
	int ended = store_change_end(cli->store, rc == 0, rc == 0 ? &cli->err : NULL);
	return rc < 0 ? rc : ended;
}

int cmd_acl_remove(struct cli *cli)
{
	struct entries entries = {0};
	int rc = cli_store(cli);
	for (int i = 1; i < cli->arg_count && rc == 0; i++)
		rc = add_entry(cli, slice_from(cli->args[i]), false, SLICE(""), &entries);
	if (rc == 0)
		rc = remove_entries(cli, &entries);
	if (rc == 0)
		rc = cli_sync(cli);
	entries_free(&entries);
	if (rc < 0)
		return rc;
	return output_done(cli,
			   json_pack("{s:o, s:i}", "acl", output_text(cli->args[0]), "removed",
				     cli->arg_count - 1),
			   "ACL %s: %d removed", cli->args[0], cli->arg_count - 1);
}

/* Reads `PREFIX|HOST [deny] [# note]`; an empty line or a comment adds nothing. */
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
	return add_entry(cli, (struct slice){text.p, n}, word.n != 0, slice_trim(note), entries);
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
	entries_free(&entries);
	return rc;
}
