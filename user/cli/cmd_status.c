/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/control.h"
#include "cli/output.h"
#include "cli/words.h"

#define ATTACHMENTS_MAX 64

/* Each section adds its values to the object, and its lines to the text. */
struct status {
	struct cli *cli;
	json_t *object;
	char text[4096];
	size_t used;
};

static void line(struct status *status, const char *title, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void line(struct status *status, const char *title, const char *format, ...)
{
	char text[480];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	size_t room = sizeof(status->text) - status->used;
	int n = snprintf(status->text + status->used, room, "%-10s %s\n", title, text);
	status->used += (size_t)n < room ? (size_t)n : room - 1;
}

static void set(struct status *status, const char *key, json_t *value)
{
	json_object_set_new(status->object, key, value);
}

/* Pinned maps without a program: the interface has vanished, and took the program along. */
static void add_no_interface(struct status *status)
{
	struct cli *cli = status->cli;
	struct error err;
	if (filter_open(cli->pin_dir, NULL, &cli->filter, &err) < 0)
		line(status, "interface", "none; `sipward attach IF` attaches the filter");
	else
		line(status, "interface",
		     "none has the filter, though its maps are kept: did the interface vanish? "
		     "Once it is back sipwardd attaches again, or `sipward attach IF` does");
}

static int add_attachments(struct status *status)
{
	struct filter_attachment list[ATTACHMENTS_MAX];
	json_t *rows = json_array();
	size_t n = 0;
	int rc = filter_attachments(status->cli->pin_dir, list, ATTACHMENTS_MAX, &n);
	set(status, "attachments", rows);
	if (rc < 0)
		return cli_error(
			status->cli, rc, "can not look at the XDP programs of the interfaces: %s%s",
			strerror(-rc), rc == -EPERM || rc == -EACCES ? " (it takes root)" : "");
	if (!n)
		add_no_interface(status);
	for (size_t i = 0; i < n && i < ATTACHMENTS_MAX; i++) {
		line(status, "interface", "%s: %s, attached %s, program %u%s", list[i].ifname,
		     xdp_mode_name(list[i].mode), via_text(list[i].via), list[i].program_id,
		     list[i].plain ? ", which can not challenge: the kernel, or the dispatcher, "
				     "does not take it"
				   : "");
		json_array_append_new(rows,
				      json_pack("{s:s, s:s, s:s, s:I, s:b}", "interface",
						list[i].ifname, "xdp_mode",
						xdp_mode_name(list[i].mode), "via",
						via_name(list[i].via), "program_id",
						(json_int_t)list[i].program_id, "challenges",
						!list[i].plain));
	}
	return 0;
}

static void add_mode(struct status *status, uint32_t mode)
{
	set(status, "mode", json_string(mode_name(mode)));
	line(status, "mode", "%s",
	     mode == SIPWARD_ENFORCE ? "enforce"
				     : "monitor: counts what it would drop, drops nothing");
}

static void add_ports(struct status *status, const struct sipward_port *ports, unsigned count)
{
	char text[PORTS_TEXT_SIZE];
	ports_format(ports, count, text);
	set(status, "ports", ports_json(ports, count));
	line(status, "ports", "%s", text);
}

static int count_prefixes(const struct store_acl *acl, void *arg)
{
	uint64_t *counts = arg;
	counts[0]++;
	counts[1] += acl->entries;
	if (acl->trunks)
		counts[2] += acl->entries;
	return 0;
}

/* Enabled trunks by type, and those that are disabled. */
struct trunk_counts {
	unsigned by_auth[STORE_AUTH_IP_ACL_AND_CREDENTIAL + 1], disabled;
};

static int count_trunk(const struct store_trunk *trunk, void *arg)
{
	struct trunk_counts *counts = arg;
	if (trunk->enabled)
		counts->by_auth[trunk->auth]++;
	else
		counts->disabled++;
	return 0;
}

static int add_trunks(struct status *status)
{
	struct trunk_counts counts = {0};
	json_t *object = json_object();
	int rc = store_trunk_each(status->cli->store, count_trunk, &counts, &status->cli->err);
	if (rc < 0) {
		json_decref(object);
		return rc;
	}
	for (int i = STORE_AUTH_NONE; i <= STORE_AUTH_IP_ACL_AND_CREDENTIAL; i++)
		json_object_set_new(object, store_auth_type_name(i),
				    json_integer(counts.by_auth[i]));
	json_object_set_new(object, "disabled", json_integer(counts.disabled));
	set(status, "trunks", object);
	line(status, "trunks",
	     "%u ip_acl, %u credential, %u ip_acl_and_credential, %u none, "
	     "%u disabled",
	     counts.by_auth[STORE_AUTH_IP_ACL], counts.by_auth[STORE_AUTH_CREDENTIAL],
	     counts.by_auth[STORE_AUTH_IP_ACL_AND_CREDENTIAL], counts.by_auth[STORE_AUTH_NONE],
	     counts.disabled);
	return 0;
}

static int add_store(struct status *status)
{
	struct cli *cli = status->cli;
	struct store_settings settings;
	enum sipward_unlisted effective;
	uint64_t counts[3] = {0}, generation;
	int rc = store_settings_get(cli->store, &settings, &cli->err);
	if (rc == 0)
		rc = store_unlisted_effective(cli->store, &effective, &cli->err);
	if (rc == 0)
		rc = store_acl_each(cli->store, count_prefixes, counts, &cli->err);
	if (rc == 0)
		rc = store_generation(cli->store, &generation);
	if (rc < 0)
		return rc;
	const char *choice = unlisted_choice_name(settings.unlisted);
	add_mode(status, settings.mode);
	add_ports(status, settings.ports, settings.port_count);
	if (settings.unlisted == STORE_UNLISTED_AUTO)
		line(status, "unlisted", "auto, which now means %s", unlisted_name(effective));
	else
		line(status, "unlisted", "%s", choice);
	line(status, "prefixes", "%llu in %llu ACLs, %llu of them in ACLs that a trunk uses",
	     (unsigned long long)counts[1], (unsigned long long)counts[0],
	     (unsigned long long)counts[2]);
	set(status, "unlisted", json_string(choice));
	set(status, "unlisted_effective", json_string(unlisted_name(effective)));
	set(status, "acls", json_integer((json_int_t)counts[0]));
	set(status, "prefixes", json_integer((json_int_t)counts[1]));
	set(status, "prefixes_used", json_integer((json_int_t)counts[2]));
	set(status, "store_generation", json_integer((json_int_t)generation));
	return add_trunks(status);
}

static void add_step(struct status *status, uint64_t generation)
{
	json_int_t stored = json_integer_value(json_object_get(status->object, "store_generation"));
	bool in_step = (uint64_t)stored == generation;
	set(status, "filter_generation", json_integer((json_int_t)generation));
	set(status, "in_step", json_boolean(in_step));
	if (!status->cli->store)
		line(status, "store", "%s %s",
		     cli_store_exists(status->cli) ? "can not be read in" : "none in",
		     status->cli->state_dir);
	else if (in_step)
		line(status, "store", "%s, generation %lld; the filter is in step",
		     status->cli->state_dir, (long long)stored);
	else
		line(status, "store",
		     "%s, generation %lld; the filter is at %llu: `sipward reconcile`, or the "
		     "next change, brings it in step",
		     status->cli->state_dir, (long long)stored, (unsigned long long)generation);
}

static int add_lockouts(struct status *status)
{
	struct filter_lockout *lockouts = NULL;
	size_t n = 0;
	int rc = filter_lockouts_read(status->cli->filter, &lockouts, &n);
	free(lockouts);
	if (rc < 0)
		return rc;
	set(status, "lockouts", json_integer((json_int_t)n));
	line(status, "lockouts", "%zu", n);
	return 0;
}

static int add_challenges(struct status *status)
{
	struct sipward_counter counters[SIPWARD_REASON_COUNT];
	size_t n = 0;
	int rc = filter_challenges_count(status->cli->filter, &n);
	if (rc == 0)
		rc = filter_counters_read(status->cli->filter, counters);
	if (rc < 0)
		return rc;
	uint64_t answers = counters[SIPWARD_CHALLENGED].packets -
			   counters[SIPWARD_CHALLENGED].monitored;
	set(status, "challenged", json_integer((json_int_t)answers));
	set(status, "challenged_domains", json_integer((json_int_t)n));
	if (n)
		line(status, "challenges",
		     "by the filter for %zu domain%s (%llu so far), by the daemon for others", n,
		     n == 1 ? "" : "s", (unsigned long long)answers);
	else
		line(status, "challenges", "by the daemon; `sipward trunk show TRUNK` tells why");
	return 0;
}

/* "1234: locked_out 1200, unlisted 34" of the reasons whose verdict is drop (or pass). */
static void add_reasons(struct status *status, const struct sipward_counter *counters, bool drop)
{
	json_t *reasons = json_object();
	uint64_t total = 0;
	char text[400] = "";
	size_t used = 0;
	for (uint32_t i = 0; i < SIPWARD_EVENT_LOST; i++) {
		if (filter_reason_is_drop(i) != drop || !counters[i].packets)
			continue;
		total += counters[i].packets;
		json_object_set_new(reasons, filter_reason_name(i),
				    json_integer((json_int_t)counters[i].packets));
		int n = snprintf(text + used, sizeof(text) - used, "%s %s %llu", used ? "," : ":",
				 filter_reason_name(i), (unsigned long long)counters[i].packets);
		used += used + (size_t)n < sizeof(text) ? (size_t)n : 0;
	}
	set(status, drop ? "drops" : "passes", reasons);
	line(status, drop ? "drops" : "passes", "%llu%s", (unsigned long long)total, text);
}

static int add_counters(struct status *status)
{
	struct sipward_counter counters[SIPWARD_REASON_COUNT];
	uint64_t would_drop = 0;
	int rc = filter_counters_read(status->cli->filter, counters);
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < SIPWARD_EVENT_LOST; i++)
		would_drop += counters[i].monitored;
	add_reasons(status, counters, false);
	add_reasons(status, counters, true);
	set(status, "would_drop", json_integer((json_int_t)would_drop));
	if (would_drop)
		line(status, "", "%llu of these were let through all the same (mode monitor)",
		     (unsigned long long)would_drop);
	return 0;
}

static int add_filter(struct status *status)
{
	struct cli *cli = status->cli;
	struct sipward_settings settings;
	int rc = filter_settings_read(cli->filter, &settings);
	if (rc < 0)
		return cli_error(cli, rc, "can not read the filter's settings: %s", strerror(-rc));
	if (!cli->store) {
		add_mode(status, settings.mode);
		add_ports(status, settings.ports, settings.port_count);
		set(status, "unlisted_effective", json_string(unlisted_name(settings.unlisted)));
		line(status, "unlisted", "%s", unlisted_name(settings.unlisted));
	}
	add_step(status, settings.generation);
	line(status, "maps", "%s",
	     filter_is_pinned(cli->filter) ? cli->pin_dir : "those of the attached program");
	rc = add_lockouts(status);
	if (rc == 0)
		rc = add_challenges(status);
	if (rc == 0)
		rc = add_counters(status);
	if (rc < 0)
		return cli_error(cli, rc, "can not read the filter's maps: %s", strerror(-rc));
	return 0;
}

static int add_stored(struct status *status)
{
	struct cli *cli = status->cli;
	int rc = cli_store_exists(cli) ? cli_store(cli) : 0;
	if (rc == 0 && cli->store)
		rc = add_store(status);
	/* add_filter then tells what the filter goes by. */
	if (rc < 0 && cli->store) {
		store_close(cli->store);
		cli->store = NULL;
	}
	return rc;
}

static int add_attached(struct status *status)
{
	int rc = cli_filter(status->cli);
	if (rc == 0)
		return add_filter(status);
	return rc == -ENOENT ? 0 : rc;
}

static uint64_t number_of(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

/* "1234 messages: requests 1200, forwarded 34" */
static void add_traffic(struct status *status, const char *title, json_t *counts)
{
	char text[400] = "";
	size_t used = 0;
	const char *name;
	json_t *count;
	json_object_foreach(counts, name, count)
	{
		if (!json_integer_value(count) || strcmp(name, "received") == 0)
			continue;
		int n = snprintf(text + used, sizeof(text) - used, "%s %s %lld", used ? "," : ":",
				 name, json_integer_value(count));
		used += used + (size_t)n < sizeof(text) ? (size_t)n : 0;
	}
	line(status, title, "%llu messages%.*s", (unsigned long long)number_of(counts, "received"),
	     (int)used, text);
}

/* What each table of the daemon holds. */
static void add_tables(struct status *status, const json_t *answer)
{
	static const struct {
		const char *part, *key, *title;
	} tables[] = {
		{"transactions", "transactions", "transactions"},
		{"connections", "incoming", "connections from others"},
		{"connections", "outgoing", "connections to others"},
		{"registrar", "bindings", "registrations"},
		{"calls", "calls", "limited calls"},
		{"records", "calls", "calls in progress"},
		{"lockouts", "sources", "sources that failed"},
		{"replay", "nonces", "nonces in use"},
	};
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		const json_t *part = json_object_get(answer, tables[i].part);
		line(status, i ? "" : "memory", "%llu of %llu %s",
		     (unsigned long long)number_of(part, tables[i].key),
		     (unsigned long long)number_of(part, "limit"), tables[i].title);
	}
}

/* What the daemon itself tells. */
static void add_answer(struct status *status)
{
	json_t *answer;
	char span[32];
	int rc = control_ask(status->cli->state_dir, json_pack("{s:s}", "ask", "status"), &answer);
	if (rc < 0) {
		line(status, "daemon", "running, but does not say how it is: %s", strerror(-rc));
		return;
	}
	output_span((double)number_of(answer, "uptime_s"), span, sizeof(span));
	line(status, "daemon", "running for %s, goes by generation %llu", span,
	     (unsigned long long)number_of(answer, "generation"));
	add_traffic(status, "traffic", json_object_get(answer, "proxy"));
	add_traffic(status, "network", json_object_get(answer, "net"));
	add_tables(status, answer);
	set(status, "daemon_status", answer);
}

static int add_daemon(struct status *status)
{
	bool runs = cli_daemon_runs(status->cli);
	if (!runs && access(status->cli->state_dir, X_OK) < 0 && errno == EACCES) {
		line(status, "daemon", "can not be told without access to %s",
		     status->cli->state_dir);
		return 0;
	}
	set(status, "daemon", json_boolean(runs));
	if (runs)
		add_answer(status);
	else
		line(status, "daemon", "not running");
	return 0;
}

/* In trouble the rest is what an operator needs: a section that fails does not hide the others. The
 * first error is the command's. */
static int add_all(struct status *status)
{
	static int (*const sections[])(struct status * status) = {add_attachments, add_stored,
								  add_attached, add_daemon};
	struct cli *cli = status->cli;
	struct error first = {0};
	int failed = 0;
	set(status, "state_dir", output_text(cli->state_dir));
	set(status, "pin_dir", output_text(cli->pin_dir));
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		int rc = sections[i](status);
		if (rc == 0 || failed)
			continue;
		failed = rc;
		first = cli->err;
	}
	cli->err = first;
	return failed;
}

int cmd_status(struct cli *cli)
{
	struct status status = {.cli = cli, .object = json_object()};
	int failed = add_all(&status);
	if (cli->json)
		output_json(cli, status.object);
	else
		fputs(status.text, stdout);
	if (!cli->json)
		json_decref(status.object);
	return failed;
}
