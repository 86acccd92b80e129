/* SPDX-License-Identifier: BSD-2-Clause */
/* settings, reconcile. What has a command of its own (mode, unlisted, ports) is not repeated. */
#include <errno.h>
#include <string.h>

#include "cli/output.h"

enum setting_unit {
	UNIT_TIME,
	UNIT_FAILURES,
	UNIT_RATE,
	UNIT_PACKETS,
	UNIT_BITS,
	UNIT_CONTACTS,
	UNIT_DAYS,
	UNIT_ACLS,
	UNIT_ENTRIES,
	UNIT_USERS,
	UNIT_MS,
	UNIT_ANSWERS,
	UNIT_MESSAGES,
	UNIT_ACTION, /* drop or reject */
	UNIT_SWITCH, /* off or on */
	UNIT_TEXT,
};

static const char *const unit_names[] = {
	[UNIT_TIME] = "s",	    [UNIT_FAILURES] = "failures", [UNIT_RATE] = "packets/s",
	[UNIT_PACKETS] = "packets", [UNIT_BITS] = "bits",	  [UNIT_CONTACTS] = "contacts",
	[UNIT_ACLS] = "ACLs",	    [UNIT_ENTRIES] = "entries",	  [UNIT_USERS] = "users",
	[UNIT_MS] = "ms",	    [UNIT_ANSWERS] = "answers",	  [UNIT_MESSAGES] = "messages",
	[UNIT_DAYS] = "days",	    [UNIT_TEXT] = NULL,
};

/* The words of a setting that is false or true in the store. */
static const char *const unit_words[][2] = {
	[UNIT_ACTION] = {"drop", "reject"},
	[UNIT_SWITCH] = {"off", "on"},
	[UNIT_TEXT] = {NULL, NULL},
};

struct setting {
	const char *name;
	const char *field; /* its name in the store */
	size_t offset, size;
	enum setting_unit unit;
	const char *help;
};

#define SETTING(name_, field_, unit_, help_)                                                       \
	{                                                                                          \
		(name_), #field_, offsetof(struct store_settings, field_),                         \
			sizeof(((struct store_settings *)0)->field_), (unit_), (help_)             \
	}

static const struct setting settings_table[] = {
	SETTING("lockout-failures", lockout_failures, UNIT_FAILURES,
		"failures of one source that lock it out"),
	SETTING("lockout-window", lockout_window_s, UNIT_TIME, "the time they must fall in"),
	SETTING("lockout-duration", lockout_duration_s, UNIT_TIME, "how long a lockout lasts"),
	SETTING("lockout-ceiling", lockout_ceiling_s, UNIT_TIME,
		"each further lockout lasts twice as long, up to this; 0: no longer"),
	SETTING("lockout-action", lockout_reject, UNIT_ACTION,
		"drop: the filter drops; reject: the daemon answers 403"),
	SETTING("proven-duration", proven_s, UNIT_TIME,
		"how long passing authentication vouches for a source; 0: never"),
	SETTING("nonce-lifetime", nonce_lifetime_s, UNIT_TIME,
		"how long a challenge can be answered"),
	SETTING("nonce-rotation", nonce_rotation_s, UNIT_TIME,
		"how long one key signs challenges; at least nonce-lifetime"),
	SETTING("source-v6-bits", source_v6_bits, UNIT_BITS,
		"an IPv6 source is all addresses that share so many bits"),
	SETTING("register-min", register_min_s, UNIT_TIME,
		"a registration that asks for less is answered 423"),
	SETTING("register-max", register_max_s, UNIT_TIME, "the longest that one is granted"),
	SETTING("register-default", register_default_s, UNIT_TIME,
		"what one gets that asks for no time"),
	SETTING("register-contacts", register_contacts, UNIT_CONTACTS,
		"how many a user may have registered at once"),
	SETTING("call-retention-days", call_retention_days, UNIT_DAYS,
		"how long call records are kept"),
	SETTING("user-names-utf8", user_names_utf8, UNIT_SWITCH,
		"on: user names of any UTF-8 but '@' and ':'"),
	SETTING("acl-limit", acl_limit, UNIT_ACLS, "how many there may be; 0: no limit"),
	SETTING("acl-entry-limit", acl_entry_limit, UNIT_ENTRIES,
		"prefixes and host names in one ACL; 0: no limit"),
	SETTING("user-limit", user_limit, UNIT_USERS, "in all credential lists; 0: no limit"),
	SETTING("header-prefix", header_prefix, UNIT_TEXT,
		"how the names of the header fields begin that tell the upstream"),
	SETTING("reserved-headers", reserved_headers, UNIT_TEXT,
		"names, or beginnings with '*', that are removed from callers; @hosted: a set"),
	SETTING("failover-timeout", failover_timeout_ms, UNIT_MS,
		"a peer that is silent so long is passed over for the next"),
	SETTING("health-interval", health_interval_s, UNIT_TIME,
		"how often each peer is asked whether it is there; 0: never"),
	SETTING("health-failures", health_failures, UNIT_ANSWERS,
		"in a row, after which a peer is left out"),
	SETTING("health-successes", health_successes, UNIT_ANSWERS,
		"in a row, after which it is back"),
	SETTING("overload-backlog", overload_backlog, UNIT_MESSAGES,
		"waiting to be read, from which on new calls get 503; 0: never"),
	SETTING("source-rate", source_rate_pps, UNIT_RATE,
		"what an unlisted source may send (policy limit); 0: no limit"),
	SETTING("source-burst", source_burst, UNIT_PACKETS, "what it may send at once"),
	SETTING("cpu-rate", cpu_rate_pps, UNIT_RATE,
		"what all unlisted sources may send on a CPU; 0: no limit"),
	SETTING("cpu-burst", cpu_burst, UNIT_PACKETS, "what they may send at once"),
	SETTING("challenge-rate", challenge_rate_pps, UNIT_RATE,
		"what the filter looks at of more, to challenge it (--challenge); 0: no limit"),
};

#define SETTINGS (sizeof(settings_table) / sizeof(settings_table[0]))

static const struct column columns[] = {
	{"NAME", "name", COLUMN_TEXT},	     {"VALUE", "value", COLUMN_TEXT},
	{"UNIT", "unit", COLUMN_TEXT},	     {"DEFAULT", "default", COLUMN_TEXT},
	{"MEANING", "meaning", COLUMN_TEXT},
};

static unsigned value_number(const struct setting *setting, const void *field)
{
	unsigned value;
	if (setting->size == sizeof(bool))
		return *(const bool *)field;
	memcpy(&value, field, sizeof(value));
	return value;
}

static json_t *value_json(const struct setting *setting, const struct store_settings *settings)
{
	const char *field = (const char *)settings + setting->offset;
	if (setting->unit == UNIT_TEXT)
		return json_string(field);
	if (setting->size == sizeof(bool))
		return json_string(unit_words[setting->unit][value_number(setting, field)]);
	return json_integer((json_int_t)value_number(setting, field));
}

static const char *unit_name(const struct setting *setting)
{
	return setting->size == sizeof(bool) ? NULL : unit_names[setting->unit];
}

static json_t *setting_json(const struct setting *setting, const struct store_settings *settings)
{
	struct store_settings defaults;
	store_settings_defaults(&defaults);
	return json_pack("{s:s, s:o, s:s?, s:o, s:s}", "name", setting->name, "value",
			 value_json(setting, settings), "unit", unit_name(setting), "default",
			 value_json(setting, &defaults), "meaning", setting->help);
}

void settings_complete(FILE *out)
{
	for (size_t i = 0; i < SETTINGS; i++)
		fprintf(out, "%s\n", settings_table[i].name);
}

static const struct setting *setting_find(const char *name)
{
	for (size_t i = 0; i < SETTINGS; i++)
		if (strcmp(settings_table[i].name, name) == 0)
			return &settings_table[i];
	return NULL;
}

static int setting_unknown(struct cli *cli, const char *name)
{
	const struct setting *best = settings_table;
	for (size_t i = 1; i < SETTINGS; i++)
		if (word_distance(name, settings_table[i].name) < word_distance(name, best->name))
			best = &settings_table[i];
	if (word_distance(name, best->name) > 1 + strlen(name) / 4)
		return cli_error(cli, -EINVAL,
				 "there is no setting '%s'; `sipward settings` lists them", name);
	return cli_error(cli, -EINVAL, "there is no setting '%s'; did you mean '%s'?", name,
			 best->name);
}

static int list_all(struct cli *cli, const struct store_settings *settings)
{
	json_t *rows = json_array();
	for (size_t i = 0; i < SETTINGS; i++)
		output_append(rows, setting_json(&settings_table[i], settings));
	return output_table(cli, VIEW(columns, NULL), rows);
}

static int show(struct cli *cli, const struct setting *setting)
{
	struct store_settings settings;
	int rc = cli_settings(cli, &settings);
	if (rc < 0)
		return rc;
	if (!setting)
		return list_all(cli, &settings);
	return output_object(cli, VIEW(columns, NULL), setting_json(setting, &settings));
}

static int out_of_range(struct cli *cli, const struct setting *setting, const char *text)
{
	struct store_limits limits = store_settings_limits(setting->field);
	return cli_error(cli, -EINVAL, "%s '%s' is not from %u to %u %s", setting->name, text,
			 limits.min, limits.max, unit_names[setting->unit]);
}

static int parse_number(struct cli *cli, const struct setting *setting, const char *text,
			unsigned *ret_value)
{
	struct store_limits limits = store_settings_limits(setting->field);
	uint64_t value = 0;
	uint32_t plain;
	if (slice_u32(slice_from(text), &plain) == 0)
		value = plain;
	else if (setting->unit != UNIT_TIME)
		return out_of_range(cli, setting, text);
	else if (cli_duration(cli, text, &value) < 0)
		return -EINVAL;
	if (value < limits.min || value > limits.max)
		return out_of_range(cli, setting, text);
	*ret_value = (unsigned)value;
	return 0;
}

static int parse_word(struct cli *cli, const struct setting *setting, const char *text,
		      bool *ret_value)
{
	const char *const *words = unit_words[setting->unit];
	if (strcmp(text, words[0]) != 0 && strcmp(text, words[1]) != 0)
		return cli_error(cli, -EINVAL, "%s '%s' is not one of %s|%s", setting->name, text,
				 words[0], words[1]);
	*ret_value = strcmp(text, words[1]) == 0;
	return 0;
}

/* What hosted trunks remove. */
#define HOSTED_HEADERS "PH-* Plivo* FS-* SipAuth* ZT-* Twilio* ClientRegion"

/* Puts the set in the place of each word @hosted. */
static int parse_text(struct cli *cli, const struct setting *setting, const char *text, char *field)
{
	struct slice rest = slice_from(text);
	size_t used = 0;
	bool expand = setting->offset == offsetof(struct store_settings, reserved_headers);
	field[0] = '\0';
	while (rest.n && used < setting->size) {
		struct slice word = slice_cut(rest, ' ', &rest);
		if (expand && slice_eq(word, SLICE("@hosted")))
			word = SLICE(HOSTED_HEADERS);
		if (word.n)
			used += (size_t)snprintf(field + used, setting->size - used, "%s%.*s",
						 used ? " " : "", (int)word.n, word.p);
	}
	if (used >= setting->size)
		return cli_error(cli, -EINVAL, "%s is longer than %zu bytes", setting->name,
				 setting->size - 1);
	return 0;
}

static int change(struct cli *cli, struct store_settings *settings)
{
	const struct setting *setting = setting_find(cli->args[0]);
	const char *text = cli->args[1];
	char *field = (char *)settings + setting->offset;
	if (strcmp(text, "default") == 0) {
		struct store_settings defaults;
		store_settings_defaults(&defaults);
		memcpy(field, (const char *)&defaults + setting->offset, setting->size);
		return 0;
	}
	if (setting->unit == UNIT_TEXT)
		return parse_text(cli, setting, text, field);
	if (setting->size == sizeof(bool))
		return parse_word(cli, setting, text, (bool *)field);
	unsigned value = 0;
	int rc = parse_number(cli, setting, text, &value);
	if (rc == 0)
		memcpy(field, &value, sizeof(value));
	return rc;
}

/* What was set, in words. */
static int print_done(struct cli *cli, const struct setting *setting,
		      const struct store_settings *settings)
{
	const char *field = (const char *)settings + setting->offset;
	json_t *object = setting_json(setting, settings);
	if (setting->unit == UNIT_TEXT)
		return output_done(cli, object, "%s %s", setting->name, *field ? field : "(none)");
	if (setting->size == sizeof(bool))
		return output_done(cli, object, "%s %s", setting->name,
				   unit_words[setting->unit][*(const bool *)field]);
	return output_done(cli, object, "%s %u %s", setting->name, value_number(setting, field),
			   unit_names[setting->unit]);
}

int cmd_settings(struct cli *cli)
{
	const struct setting *setting = cli->arg_count ? setting_find(cli->args[0]) : NULL;
	struct store_settings settings;
	if (cli->arg_count && !setting)
		return setting_unknown(cli, cli->args[0]);
	if (cli->arg_count < 2)
		return show(cli, setting);
	int rc = cli_settings_change(cli, change, &settings);
	if (rc == 0 && !cli->json && strcmp(setting->field, "source_v6_bits") == 0)
		cli_note("lockouts, proofs and counts of IPv6 sources of any other length have "
			 "ended");
	return rc < 0 ? rc : print_done(cli, setting, &settings);
}

int cmd_reconcile(struct cli *cli)
{
	struct filter_reconciled done = {0};
	int rc = cli_store(cli);
	if (rc == 0)
		rc = cli_filter(cli);
	if (rc == 0)
		rc = store_sync(cli->store, cli->filter, true, &done, &cli->err);
	if (rc < 0)
		return rc;
	return output_done(cli,
			   json_pack("{s:I, s:I, s:I, s:I}", "added", (json_int_t)done.added,
				     "changed", (json_int_t)done.changed, "removed",
				     (json_int_t)done.removed, "kept", (json_int_t)done.kept),
			   "the filter says what the store says; rules: %zu added, %zu changed, "
			   "%zu removed, %zu right already",
			   done.added, done.changed, done.removed, done.kept);
}
