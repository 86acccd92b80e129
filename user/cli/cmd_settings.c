/* SPDX-License-Identifier: BSD-2-Clause */
/* settings, reconcile. What has a command of its own (mode, unlisted, ports) is not repeated. */
#include <errno.h>
#include <string.h>

#include "cli/output.h"

enum setting_unit { UNIT_TIME, UNIT_FAILURES, UNIT_RATE, UNIT_PACKETS, UNIT_ACTION };

static const char *const unit_names[] = {"s", "failures", "packets/s", "packets", NULL};

struct setting {
	const char *name;
	const char *field; /* its name in the store */
	size_t offset;
	enum setting_unit unit;
	const char *help;
};

#define SETTING(name_, field_, unit_, help_)                                                       \
	{                                                                                          \
		(name_), #field_, offsetof(struct store_settings, field_), (unit_), (help_)        \
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
	SETTING("source-rate", source_rate_pps, UNIT_RATE,
		"what an unlisted source may send (policy limit); 0: no limit"),
	SETTING("source-burst", source_burst, UNIT_PACKETS, "what it may send at once"),
	SETTING("cpu-rate", cpu_rate_pps, UNIT_RATE,
		"what all unlisted sources may send on a CPU; 0: no limit"),
	SETTING("cpu-burst", cpu_burst, UNIT_PACKETS, "what they may send at once"),
};

#define SETTINGS (sizeof(settings_table) / sizeof(settings_table[0]))

static const struct column columns[] = {
	{"NAME", "name", COLUMN_TEXT},	     {"VALUE", "value", COLUMN_TEXT},
	{"UNIT", "unit", COLUMN_TEXT},	     {"DEFAULT", "default", COLUMN_TEXT},
	{"MEANING", "meaning", COLUMN_TEXT},
};

static unsigned value_get(const struct setting *setting, const struct store_settings *settings)
{
	const char *field = (const char *)settings + setting->offset;
	unsigned value;
	if (setting->unit == UNIT_ACTION)
		return *(const bool *)field;
	memcpy(&value, field, sizeof(value));
	return value;
}

static void value_put(const struct setting *setting, struct store_settings *settings,
		      unsigned value)
{
	char *field = (char *)settings + setting->offset;
	if (setting->unit == UNIT_ACTION)
		*(bool *)field = value != 0;
	else
		memcpy(field, &value, sizeof(value));
}

static json_t *value_json(const struct setting *setting, unsigned value)
{
	if (setting->unit == UNIT_ACTION)
		return json_string(value ? "reject" : "drop");
	return json_integer((json_int_t)value);
}

static json_t *setting_json(const struct setting *setting, const struct store_settings *settings)
{
	struct store_limits limits = store_settings_limits(setting->field);
	return json_pack("{s:s, s:o, s:s?, s:o, s:s}", "name", setting->name, "value",
			 value_json(setting, value_get(setting, settings)), "unit",
			 unit_names[setting->unit], "default", value_json(setting, limits.initial),
			 "meaning", setting->help);
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

static int parse_action(struct cli *cli, const struct setting *setting, const char *text,
			unsigned *ret_value)
{
	int choice = args_choice(SLICE("drop|reject"), text);
	if (choice < 0)
		return cli_error(cli, -EINVAL, "%s '%s' is not one of drop|reject", setting->name,
				 text);
	*ret_value = (unsigned)choice;
	return 0;
}

static int parse_value(struct cli *cli, const struct setting *setting, unsigned *ret_value)
{
	const char *text = cli->args[1];
	if (strcmp(text, "default") == 0) {
		*ret_value = store_settings_limits(setting->field).initial;
		return 0;
	}
	if (setting->unit == UNIT_ACTION)
		return parse_action(cli, setting, text, ret_value);
	return parse_number(cli, setting, text, ret_value);
}

static int change(struct cli *cli, struct store_settings *settings)
{
	const struct setting *setting = setting_find(cli->args[0]);
	unsigned value = 0;
	int rc = parse_value(cli, setting, &value);
	if (rc == 0)
		value_put(setting, settings, value);
	return rc;
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
	if (rc < 0)
		return rc;
	unsigned value = value_get(setting, &settings);
	if (setting->unit == UNIT_ACTION)
		return output_done(cli, setting_json(setting, &settings), "%s %s", setting->name,
				   value ? "reject" : "drop");
	return output_done(cli, setting_json(setting, &settings), "%s %u %s", setting->name, value,
			   unit_names[setting->unit]);
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
