/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/output.h"
#include "cli/words.h"

static const struct column lockout_columns[] = {
	{"SOURCE", "source", COLUMN_TEXT},	 {"REASON", "reason", COLUMN_TEXT},
	{"FAILURES", "failures", COLUMN_NUMBER}, {"SINCE", "since", COLUMN_TIME},
	{"UNTIL", "until", COLUMN_TIME},	 {"REMAINING", "remaining_s", COLUMN_SECONDS},
};

static json_t *lockout_json(const struct filter_lockout *entry, uint64_t now_ns)
{
	char source[PREFIX_TEXT_SIZE];
	const struct sipward_lockout *lockout = &entry->lockout;
	uint64_t left_ns = lockout->until_ns > now_ns ? lockout->until_ns - now_ns : 0;
	filter_source_format(&entry->source, source);
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "source", source, "reason",
			 filter_lockout_reason_name(lockout->reason), "failures",
			 (json_int_t)lockout->failures, "since",
			 (json_int_t)cli_wall_time(lockout->since_ns), "until",
			 (json_int_t)cli_wall_time(lockout->until_ns), "remaining_s",
			 (json_int_t)((left_ns + NS_PER_S - 1) / NS_PER_S));
}

int cmd_lockout_list(struct cli *cli)
{
	struct filter_lockout *lockouts = NULL;
	json_t *rows = json_array();
	size_t n = 0;
	int rc = cli_filter(cli);
	if (rc == 0)
		rc = filter_lockouts_read(cli->filter, &lockouts, &n);
	uint64_t now_ns = clock_coarse_ns();
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = output_append(rows, lockout_json(&lockouts[i], now_ns));
	free(lockouts);
	if (rc == 0)
		return output_table(cli, VIEW(lockout_columns, "nobody is locked out"), rows);
	json_decref(rows);
	return rc;
}

static void note_what_hinders(struct cli *cli)
{
	struct sipward_settings settings;
	if (!cli->json && filter_settings_read(cli->filter, &settings) == 0 &&
	    settings.mode == SIPWARD_MONITOR)
		cli_note("the filter only monitors: it counts the packets of %s and drops none "
			 "until `sipward mode enforce`",
			 cli->args[0]);
}

/* The source named by the first argument, as long as the filter's sources are. */
static int take_source(struct cli *cli, struct sipward_source *ret_source)
{
	struct sipward_settings settings = {0};
	int rc = cli_filter(cli);
	if (rc == 0)
		rc = filter_settings_read(cli->filter, &settings);
	int parsed = filter_source_parse(slice_from(cli->args[0]), settings.source_v6_bits,
					 ret_source, &cli->err);
	return parsed < 0 ? parsed : rc;
}

int cmd_lockout_add(struct cli *cli)
{
	struct filter_lockout entry = {.lockout.reason = SIPWARD_LOCKOUT_MANUAL};
	char source[PREFIX_TEXT_SIZE];
	const char *text;
	uint64_t seconds;
	int rc = args_required(cli, "--for", &text);
	if (rc == 0)
		rc = cli_duration(cli, text, &seconds);
	if (rc == 0)
		rc = take_source(cli, &entry.source);
	if (rc < 0)
		return rc;
	uint64_t now_ns = clock_coarse_ns();
	entry.lockout.since_ns = now_ns;
	entry.lockout.until_ns = now_ns + seconds * NS_PER_S;
	filter_source_format(&entry.source, source);
	rc = filter_lockout_set(cli->filter, &entry.source, &entry.lockout);
	if (rc < 0)
		return cli_error(cli, rc, "can not lock out %s: %s", source, strerror(-rc));
	note_what_hinders(cli);
	return output_done(cli, lockout_json(&entry, now_ns), "locked out %s for %s", source, text);
}

static int clear_all(struct cli *cli)
{
	size_t n = 0;
	int rc = cli_filter(cli);
	if (rc < 0)
		return rc;
	rc = filter_lockout_clear_all(cli->filter, &n);
	if (rc < 0)
		return cli_error(cli, rc, "can not clear the lockouts: %s", strerror(-rc));
	return output_done(cli, json_pack("{s:I}", "cleared", (json_int_t)n),
			   "%zu lockouts cleared", n);
}

int cmd_lockout_clear(struct cli *cli)
{
	bool all = args_option(cli, "--all") != NULL;
	char text[PREFIX_TEXT_SIZE];
	struct sipward_source source;
	if (all == (cli->arg_count == 1))
		return cli_usage(cli, "name a source, or all of them with --all");
	if (all)
		return clear_all(cli);
	int rc = take_source(cli, &source);
	if (rc < 0)
		return rc;
	filter_source_format(&source, text);
	struct sipward_lockout lockout;
	rc = filter_lockout_get(cli->filter, &source, &lockout);
	if (rc == 0)
		rc = filter_lockout_clear(cli->filter, &source);
	if (rc == -ENOENT)
		return cli_error(cli, rc, "%s is not locked out", text);
	if (rc < 0)
		return cli_error(cli, rc, "can not clear %s: %s", text, strerror(-rc));
	return output_done(cli, json_pack("{s:s}", "cleared", text), "%s is no longer locked out",
			   text);
}
