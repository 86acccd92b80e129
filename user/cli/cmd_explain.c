/* SPDX-License-Identifier: BSD-2-Clause */
/* What filter and daemon would do with an address now, in words for someone in a hurry. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "cli/challenger.h"
#include "cli/control.h"
#include "cli/output.h"
#include "cli/words.h"
#include "policy/explain.h"

/* The findings, as JSON, and what to do about them. The text is printed from it. */
struct explanation {
	struct cli *cli;
	struct ip ip;
	json_t *object;
	json_t *rules; /* ACL entries that hold the address */
	json_t *trunks;
	json_t *advice;	 /* sentences */
	const char *acl; /* the ACL being walked */
	int acl_used;
};

static const char *const reason_texts[SIPWARD_REASON_COUNT] = {
	[SIPWARD_LOCKED_OUT] = "it is locked out",
	[SIPWARD_DENIED] = "the longest prefix that matches it denies it",
	[SIPWARD_LISTED] = "an ACL of a trunk allows it, or it is an upstream",
	[SIPWARD_PROVEN] = "it passed digest authentication lately",
	[SIPWARD_UNLISTED] = "no ACL of a trunk allows it, and unlisted sources are dropped",
	[SIPWARD_UNLISTED_PASS] = "no ACL of a trunk allows it; the daemon decides",
};

static void advise(struct explanation *e, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void advise(struct explanation *e, const char *format, ...)
{
	char text[480];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	json_array_append_new(e->advice, output_text(text));
}

static int explain_lockout(struct explanation *e, const struct sipward_source *source)
{
	struct sipward_lockout lockout;
	uint64_t now_ns = clock_coarse_ns();
	int rc = filter_lockout_get(e->cli->filter, source, &lockout);
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return rc;
	char text[PREFIX_TEXT_SIZE];
	uint64_t left_s = (lockout.until_ns - now_ns + NS_PER_S - 1) / NS_PER_S;
	filter_source_format(source, text);
	json_object_set_new(e->object, "lockout",
			    json_pack("{s:s, s:I, s:I, s:I}", "reason",
				      filter_lockout_reason_name(lockout.reason), "failures",
				      (json_int_t)lockout.failures, "until",
				      (json_int_t)cli_wall_time(lockout.until_ns), "remaining_s",
				      (json_int_t)left_s));
	advise(e,
	       "Everything from %s is refused for another %llu s. Adding it to an ACL does not end "
	       "that: wait, or `sipward lockout clear %s`",
	       text, (unsigned long long)left_s, text);
	return 0;
}

static int explain_proof(struct explanation *e, const struct sipward_source *source)
{
	uint64_t until_ns;
	int rc = filter_proven_get(e->cli->filter, source, &until_ns);
	if (rc == 0)
		json_object_set_new(e->object, "proven_until",
				    json_integer((json_int_t)cli_wall_time(until_ns)));
	return rc == -ENOENT ? 0 : rc;
}

static int explain_filter(struct explanation *e)
{
	struct sipward_settings settings = {0};
	enum sipward_reason reason;
	int rc = filter_explain(e->cli->filter, &e->ip, &reason);
	if (rc == 0)
		rc = filter_settings_read(e->cli->filter, &settings);
	struct sipward_source source = filter_source(&e->ip, settings.source_v6_bits);
	if (rc == 0)
		rc = explain_lockout(e, &source);
	if (rc == 0)
		rc = explain_proof(e, &source);
	if (rc < 0)
		return cli_error(e->cli, rc, "can not read the filter's maps: %s", strerror(-rc));
	bool drop = filter_reason_is_drop(reason);
	const char *why = reason_texts[reason] ? reason_texts[reason] : "";
	json_object_set_new(e->object, "filter",
			    json_pack("{s:s, s:s, s:s, s:s}", "verdict", drop ? "drop" : "pass",
				      "reason", filter_reason_name(reason), "why", why, "mode",
				      mode_name(settings.mode)));
	if (drop && settings.mode == SIPWARD_MONITOR)
		advise(e, "The filter is in mode monitor: it only counts this and lets the packet "
			  "pass; `sipward mode enforce` changes that");
	return 0;
}

static int explain_entry(const struct store_acl_entry *entry, void *arg)
{
	struct explanation *e = arg;
	char prefix[PREFIX_TEXT_SIZE];
	if (!prefix_contains(&entry->prefix, &e->ip))
		return 0;
	prefix_format(&entry->prefix, prefix);
	/* The note of a host name's address is the name. */
	if (entry->deny && e->acl_used)
		advise(e, "ACL %s denies %s: `sipward acl remove %s %s` ends that", e->acl, prefix,
		       e->acl, entry->host_id ? entry->note : prefix);
	return output_append(e->rules,
			     json_pack("{s:o, s:s, s:s, s:b, s:o}", "acl", output_text(e->acl),
				       "prefix", prefix, "action", entry->deny ? "deny" : "allow",
				       "used", e->acl_used, "note",
				       entry->note[0] ? output_text(entry->note) : json_null()));
}

static int explain_acl(const struct store_acl *acl, void *arg)
{
	struct explanation *e = arg;
	e->acl = acl->name;
	e->acl_used = acl->trunks > 0;
	size_t before = json_array_size(e->rules);
	int rc = store_acl_entry_each(e->cli->store, acl->name, explain_entry, e, &e->cli->err);
	if (rc == 0 && json_array_size(e->rules) > before && !e->acl_used)
		advise(e,
		       "It is in ACL %s, which no trunk uses: `sipward trunk attach TRUNK --acl "
		       "%s`",
		       acl->name, acl->name);
	return rc;
}

/* Takes the name of the first ACL, for the command that the advice names. */
static int take_name(int64_t id, const char *name, void *ret_name)
{
	(void)id;
	snprintf(ret_name, STORE_NAME_SIZE, "%s", name);
	return 1;
}

static void advise_on_address(struct explanation *e, const struct policy_explain_row *row)
{
	char acl[STORE_NAME_SIZE] = "ACL", address[IP_TEXT_SIZE];
	store_trunk_acl_each(e->cli->store, row->trunk->config.id, take_name, acl, NULL);
	ip_format(&e->ip, address);
	advise(e,
	       "Calls to trunk %s get 403 because none of its ACLs allows the address: "
	       "`sipward acl add %s %s`",
	       row->name, acl, address);
}

static void advise_on_trunk(struct explanation *e, const struct policy_explain_row *row)
{
	bool by_address =
		row->auth == STORE_AUTH_IP_ACL || row->auth == STORE_AUTH_IP_ACL_AND_CREDENTIAL;
	const struct policy_trunk *trunk = row->trunk;
	if (trunk->config.user[0])
		advise(e,
		       "Trunk %s is found by sip:%s only: a phone number in the Request-URI finds "
		       "another trunk or none, and then no authentication happens",
		       row->name, row->target);
	if (!trunk->config.enabled)
		advise(e,
		       "Trunk %s is disabled: every call to it gets 403; `sipward trunk set %s "
		       "--enabled yes`",
		       row->name, row->name);
	else if (by_address && !row->acl_allows)
		advise_on_address(e, row);
	else if (trunk->realm_count)
		advise(e,
		       "If digests for trunk %s fail with the right password, the client's realm "
		       "differs from '%.*s': it must take the realm of the challenge",
		       row->name, (int)trunk->realms[0].n, trunk->realms[0].p);
}

static void advise_on_challenger(struct explanation *e, const struct policy_explain_row *row)
{
	const char *why = challenger_hindrance(e->cli, row->trunk);
	if (why)
		advise(e, "First requests for trunk %s are challenged by the daemon: %s", row->name,
		       why);
	else
		advise(e,
		       "First requests for trunk %s are challenged by the filter: the daemon's log "
		       "does not tell of them, `sipward counters` does",
		       row->name);
}

static void explain_trunk(const struct policy_explain_row *row, void *arg)
{
	struct explanation *e = arg;
	json_array_append_new(e->trunks,
			      json_pack("{s:o, s:o, s:s, s:b, s:o}", "trunk",
					output_text(row->name), "target", output_text(row->target),
					"auth", store_auth_type_name(row->auth), "acl_allows",
					row->acl_allows, "next", output_text(row->next)));
	advise_on_trunk(e, row);
	if (row->trunk->realm_count && row->trunk->config.enabled)
		advise_on_challenger(e, row);
}

static int explain_store(struct explanation *e)
{
	struct cli *cli = e->cli;
	struct policy *policy;
	int rc = store_acl_each(cli->store, explain_acl, e, &cli->err);
	if (rc == 0)
		rc = policy_build(cli->store, &policy, &cli->err);
	if (rc < 0)
		return rc;
	json_object_set_new(e->object, "listed", json_boolean(policy_is_listed(policy, &e->ip)));
	json_object_set_new(e->object, "upstream",
			    json_boolean(policy_is_upstream(policy, &e->ip)));
	policy_explain(policy, &e->ip, explain_trunk, e);
	policy_unref(policy);
	if (!json_array_size(e->trunks))
		advise(e, "There is no trunk: every call gets 403; `sipward trunk create` makes "
			  "one");
	return 0;
}

/* ---- what the daemon holds against it ---- */

static void advise_on_evidence(struct explanation *e, const json_t *evidence)
{
	const char *vouched = json_string_value(json_object_get(evidence, "vouched"));
	if (vouched)
		advise(e,
		       "It is %s: what a forger could send in its name never locks it out, only "
		       "wrong passwords on challenges that it has received do",
		       vouched);
}

/* null where nobody can tell. */
static void explain_evidence(struct explanation *e)
{
	json_t *request = json_pack("{s:s, s:s}", "ask", "evidence", "source",
				    json_string_value(json_object_get(e->object, "source")));
	json_t *evidence;
	int rc = control_ask(e->cli->state_dir, request, &evidence);
	bool runs = rc == 0 || cli_daemon_runs(e->cli);
	json_object_set_new(e->object, "daemon", json_boolean(runs));
	json_object_set_new(e->object, "evidence", rc == 0 ? evidence : json_null());
	if (rc == 0)
		advise_on_evidence(e, evidence);
	else if (runs)
		advise(e, "sipwardd does not tell what it holds against the source: %s",
		       strerror(-rc));
	else
		advise(e, "sipwardd does not run on %s: nothing answers calls", e->cli->state_dir);
}

static const struct column rule_columns[] = {
	{"ACL", "acl", COLUMN_TEXT},	   {"PREFIX", "prefix", COLUMN_TEXT},
	{"ACTION", "action", COLUMN_TEXT}, {"USED BY A TRUNK", "used", COLUMN_YES},
	{"NOTE", "note", COLUMN_TEXT},
};

static const struct column trunk_columns[] = {
	{"TRUNK", "trunk", COLUMN_TEXT},
	{"CALLED AS", "target", COLUMN_TEXT},
	{"AUTH", "auth", COLUMN_TEXT},
	{"A CALL FROM THERE", "next", COLUMN_TEXT},
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

static void print_filter(const struct explanation *e)
{
	const json_t *filter = json_object_get(e->object, "filter");
	if (!filter) {
		puts("filter: none is attached; every packet passes to the daemon");
		return;
	}
	bool drop = strcmp(text_of(filter, "verdict"), "drop") == 0;
	bool monitor = strcmp(text_of(filter, "mode"), "monitor") == 0;
	const char *verb = !drop ? "passes" : monitor ? "would drop" : "drops";
	printf("filter: %s its SIP packets (%s): %s\n", verb, text_of(filter, "reason"),
	       text_of(filter, "why"));
}

static const struct column lockout_fields[] = {
	{"locked out until", "until", COLUMN_TIME},
	{"remaining", "remaining_s", COLUMN_SECONDS},
	{"failures", "failures", COLUMN_NUMBER},
	{"reason", "reason", COLUMN_TEXT},
};

static const struct column proof_fields[] = {
	{"proven until", "proven_until", COLUMN_TIME},
};

static const struct column evidence_fields[] = {
	{"failures", "failures", COLUMN_TEXT},
	{"best evidence", "best", COLUMN_TEXT},
	{"last reason", "reason", COLUMN_TEXT},
	{"first failure", "first", COLUMN_TIME},
	{"last failure", "last", COLUMN_TIME},
	{"locked out until", "until", COLUMN_TIME},
	{"next lockout", "next_lockout_s", COLUMN_SECONDS},
};

static void print_evidence(const struct explanation *e)
{
	json_t *evidence = json_object_get(e->object, "evidence");
	char failures[160];
	if (!json_is_object(evidence)) {
		puts("evidence: not known, as no daemon answers");
		return;
	}
	if (!json_integer_value(json_object_get(evidence, "last"))) {
		puts("evidence: none against it");
		return;
	}
	snprintf(failures, sizeof(failures), "%lld hard and %lld soft; %lld within %lld s lock out",
		 json_integer_value(json_object_get(evidence, "hard")),
		 json_integer_value(json_object_get(evidence, "soft")),
		 json_integer_value(json_object_get(evidence, "allowed")),
		 json_integer_value(json_object_get(evidence, "window_s")));
	bool hard = strcmp(text_of(evidence, "grade"), "hard") == 0;
	json_t *fields = json_copy(evidence);
	json_object_set_new(fields, "failures", json_string(failures));
	json_object_set_new(fields, "best",
			    json_string(hard ? "hard: it has received what it answered"
					     : "soft: a forger could have sent it all"));
	if (json_object_get(e->object, "lockout"))
		json_object_del(fields, "until"); /* told already */
	puts("evidence:");
	output_object(e->cli, VIEW(evidence_fields, NULL), fields);
}

static int print_text(struct explanation *e)
{
	struct cli *cli = e->cli;
	json_t *lockout = json_object_get(e->object, "lockout"), *sentence;
	size_t i;
	printf("source: %s\n", text_of(e->object, "source"));
	print_filter(e);
	if (lockout)
		output_object(cli, VIEW(lockout_fields, NULL), json_incref(lockout));
	output_object(cli, VIEW(proof_fields, NULL), json_incref(e->object));
	print_evidence(e);
	putchar('\n');
	output_table(cli, VIEW(rule_columns, "no ACL holds it"), json_incref(e->rules));
	putchar('\n');
	output_table(cli, VIEW(trunk_columns, "there is no trunk"), json_incref(e->trunks));
	if (json_array_size(e->advice))
		putchar('\n');
	json_array_foreach(e->advice, i, sentence) printf("- %s.\n", json_string_value(sentence));
	return 0;
}

static int explain(struct explanation *e)
{
	struct cli *cli = e->cli;
	int rc = cli_filter(cli);
	if (rc == 0)
		rc = explain_filter(e);
	else if (rc == -ENOENT)
		rc = 0;
	if (rc == 0 && cli_store_exists(cli))
		rc = cli_store(cli);
	if (rc == 0 && cli->store)
		rc = explain_store(e);
	explain_evidence(e);
	return rc;
}

/* An address, or an IPv6 prefix as lockouts and drops name their sources. */
static int parse_source(const char *text, struct ip *ret_ip)
{
	struct sipward_source source;
	struct prefix prefix;
	int rc = prefix_parse(slice_from(text), &prefix, NULL);
	if (rc == 0)
		rc = filter_source_parse(slice_from(text), prefix.len, &source, NULL);
	if (rc == 0)
		*ret_ip = prefix.ip;
	return rc;
}

int cmd_explain(struct cli *cli)
{
	struct explanation e = {.cli = cli};
	char text[IP_TEXT_SIZE];
	if (parse_source(cli->args[0], &e.ip) < 0)
		return cli_error(cli, -EINVAL, "SOURCE '%s' is no IPv4 or IPv6 address",
				 cli->args[0]);
	ip_format(&e.ip, text);
	e.rules = json_array();
	e.trunks = json_array();
	e.advice = json_array();
	e.object = json_pack("{s:s, s:o, s:o, s:o}", "source", text, "rules", e.rules, "trunks",
			     e.trunks, "advice", e.advice);
	if (!e.object)
		return cli_error(cli, -ENOMEM, "out of memory");
	int rc = explain(&e);
	if (rc == 0)
		rc = cli->json ? output_json(cli, json_incref(e.object)) : print_text(&e);
	json_decref(e.object);
	return rc;
}
