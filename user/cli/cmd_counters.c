/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cli/output.h"

static const struct column counter_columns[] = {
	{"REASON", "reason", COLUMN_TEXT},	     {"VERDICT", "verdict", COLUMN_TEXT},
	{"PACKETS", "packets", COLUMN_NUMBER},	     {"BYTES", "bytes", COLUMN_NUMBER},
	{"WOULD DROP", "would_drop", COLUMN_NUMBER}, {"PACKETS/S", "packets_per_s", COLUMN_RATE},
};

struct counters_state {
	struct sipward_counter before[SIPWARD_REASON_COUNT];
	double before_s; /* 0: nothing read before */
};

static double now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static const char *verdict_name(uint32_t reason)
{
	if (reason == SIPWARD_EVENT_LOST)
		return "none";
	if (reason == SIPWARD_CHALLENGED)
		return "answer";
	if (reason == SIPWARD_CHALLENGE_ACK)
		return "end";
	return filter_reason_is_drop(reason) ? "drop" : "pass";
}

static json_t *counter_json(uint32_t reason, const struct sipward_counter *counter, double rate)
{
	json_t *row = json_pack("{s:s, s:s, s:I, s:I, s:I}", "reason", filter_reason_name(reason),
				"verdict", verdict_name(reason), "packets",
				(json_int_t)counter->packets, "bytes", (json_int_t)counter->bytes,
				"would_drop", (json_int_t)counter->monitored);
	if (row && rate >= 0)
		json_object_set_new(row, "packets_per_s", json_real(rate));
	return row;
}

struct totals {
	uint64_t passed, dropped, would_drop, answered;
};

static void add_total(uint32_t reason, const struct sipward_counter *counter, struct totals *totals)
{
	if (reason == SIPWARD_EVENT_LOST)
		return;
	if (reason == SIPWARD_CHALLENGED || reason == SIPWARD_CHALLENGE_ACK) {
		totals->passed += counter->monitored;
		totals->answered += counter->packets - counter->monitored;
		return;
	}
	totals->would_drop += counter->monitored;
	if (!filter_reason_is_drop(reason)) {
		totals->passed += counter->packets;
		return;
	}
	totals->passed += counter->monitored;
	totals->dropped += counter->packets - counter->monitored;
}

static int print_totals(struct cli *cli, const struct totals *totals, json_t *rows, double rated)
{
	if (cli->json)
		return output_json(cli, json_pack("{s:I, s:I, s:I, s:I, s:o}", "passed",
						  (json_int_t)totals->passed, "dropped",
						  (json_int_t)totals->dropped, "would_drop",
						  (json_int_t)totals->would_drop, "answered",
						  (json_int_t)totals->answered, "reasons", rows));
	struct view view = VIEW(counter_columns, NULL);
	if (!rated)
		view.count--;
	int rc = output_table(cli, view, rows);
	printf("passed %llu, dropped %llu", (unsigned long long)totals->passed,
	       (unsigned long long)totals->dropped);
	if (totals->answered)
		printf(", dealt with by the filter itself %llu",
		       (unsigned long long)totals->answered);
	if (totals->would_drop)
		printf(", would have dropped %llu (mode monitor)",
		       (unsigned long long)totals->would_drop);
	puts(args_option(cli, "--watch") && cli_watch_is_plain() ? "\n" : "");
	return rc;
}

static int print_counters(struct cli *cli, void *arg)
{
	struct counters_state *state = arg;
	struct sipward_counter counters[SIPWARD_REASON_COUNT];
	struct totals totals = {0};
	int rc = filter_counters_read(cli->filter, counters);
	if (rc < 0)
		return cli_error(cli, rc, "can not read the counters: %s", strerror(-rc));
	double now = now_s(), span = state->before_s > 0 ? now - state->before_s : 0;
	json_t *rows = json_array();
	for (uint32_t i = 0; i < SIPWARD_REASON_COUNT && rc == 0; i++) {
		double grown = (double)(counters[i].packets - state->before[i].packets);
		add_total(i, &counters[i], &totals);
		rc = output_append(rows,
				   counter_json(i, &counters[i], span > 0 ? grown / span : -1));
	}
	memcpy(state->before, counters, sizeof(counters));
	state->before_s = now;
	return rc < 0 ? rc : print_totals(cli, &totals, rows, span);
}

int cmd_counters(struct cli *cli)
{
	struct counters_state state = {0};
	int rc = cli_filter(cli);
	return rc < 0 ? rc : cli_watch(cli, print_counters, &state);
}

static const struct column drop_columns[] = {
	{"SOURCE", "source", COLUMN_TEXT},
	{"PACKETS", "packets", COLUMN_NUMBER},
	{"LAST REASON", "last_reason", COLUMN_TEXT},
	{"AGO", "age_s", COLUMN_SECONDS},
};

static json_t *drop_json(const struct filter_drop *entry, uint64_t now_ns)
{
	char source[PREFIX_TEXT_SIZE];
	const struct sipward_drop *drop = &entry->drop;
	uint64_t age_ns = now_ns > drop->last_seen_ns ? now_ns - drop->last_seen_ns : 0;
	filter_source_format(&entry->source, source);
	return json_pack("{s:s, s:I, s:s, s:f}", "source", source, "packets",
			 (json_int_t)drop->packets, "last_reason",
			 filter_reason_name(drop->last_reason), "age_s", (double)age_ns / 1e9);
}

static int print_drops(struct cli *cli, void *arg)
{
	const size_t *top = arg;
	struct filter_drop *drops = NULL;
	size_t n = 0;
	int rc = filter_drops_read(cli->filter, &drops, &n);
	if (rc < 0)
		return cli_error(cli, rc, "can not read the drops: %s", strerror(-rc));
	uint64_t now_ns = clock_coarse_ns();
	json_t *rows = json_array();
	for (size_t i = 0; i < n && i < *top && rc == 0; i++)
		rc = output_append(rows, drop_json(&drops[i], now_ns));
	free(drops);
	if (rc < 0)
		return rc;
	rc = output_table(cli, VIEW(drop_columns, "nothing was dropped yet"), rows);
	if (!cli->json && n > *top)
		printf("and %zu more sources\n", n - *top);
	if (!cli->json && args_option(cli, "--watch") && cli_watch_is_plain())
		putchar('\n');
	return rc;
}

int cmd_drops(struct cli *cli)
{
	const char *text = args_option(cli, "--top");
	uint32_t n = 20;
	if (text && (slice_u32(slice_from(text), &n) < 0 || n == 0))
		return cli_error(cli, -EINVAL, "--top: '%s' is no number above 0", text);
	size_t top = n;
	int rc = cli_filter(cli);
	return rc < 0 ? rc : cli_watch(cli, print_drops, &top);
}
