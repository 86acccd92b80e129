/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>

#include "base/random.h"
#include "store/internal.h"

/* A setting that is a number; what is not in the database has its default. */
struct number {
	const char *name;
	size_t offset, size;
	unsigned initial, min, max;
};

#define NUMBER(field, initial_, min_, max_)                                                        \
	{                                                                                          \
		.name = #field, .offset = offsetof(struct store_settings, field),                  \
		.size = sizeof(((struct store_settings *)0)->field), .initial = (initial_),        \
		.min = (min_), .max = (max_)                                                       \
	}

#define DAY 86400

static const struct number numbers[] = {
	NUMBER(mode, SIPWARD_MONITOR, SIPWARD_MONITOR, SIPWARD_ENFORCE),
	NUMBER(unlisted, STORE_UNLISTED_AUTO, STORE_UNLISTED_AUTO, STORE_UNLISTED_REJECT),
	NUMBER(lockout_reject, 0, 0, 1),
	NUMBER(lockout_failures, 10, 1, 1000000),
	NUMBER(lockout_window_s, 60, 1, DAY),
	NUMBER(lockout_duration_s, 60, 1, 365 * DAY),
	NUMBER(lockout_ceiling_s, 0, 0, 365 * DAY),
	NUMBER(proven_s, 3600, 0, 30 * DAY),
	NUMBER(nonce_lifetime_s, 300, 10, DAY),
	NUMBER(source_rate_pps, 10, 0, 100000000),
	NUMBER(source_burst, 20, 0, 100000000),
	NUMBER(cpu_rate_pps, 2000, 0, 100000000),
	NUMBER(cpu_burst, 4000, 0, 100000000),
};

#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))
#define PORTS_TEXT_SIZE (SIPWARD_PORTS_MAX * 10 + 1)

static unsigned number_get(const struct number *number, const struct store_settings *settings)
{
	const char *field = (const char *)settings + number->offset;
	unsigned value;

	if (number->size == sizeof(bool))
		return *(const bool *)field;
	memcpy(&value, field, sizeof(value));
	return value;
}

static void number_put(const struct number *number, struct store_settings *settings, unsigned value)
{
	char *field = (char *)settings + number->offset;

	if (number->size == sizeof(bool))
		*(bool *)field = value != 0;
	else
		memcpy(field, &value, sizeof(value));
}

/* udp/5060 tcp/5060 … */
static void ports_format(const struct store_settings *settings, char text[PORTS_TEXT_SIZE])
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < settings->port_count && i < SIPWARD_PORTS_MAX; i++)
		used += (size_t)snprintf(text + used, PORTS_TEXT_SIZE - used, "%s%s/%u",
					 i ? " " : "",
					 settings->ports[i].protocol == IPPROTO_UDP ? "udp" : "tcp",
					 ntohs(settings->ports[i].port_be));
}

static void ports_parse(const char *text, struct store_settings *settings)
{
	struct slice rest = slice_from(text);

	while (rest.n && settings->port_count < SIPWARD_PORTS_MAX) {
		struct slice one = slice_cut(rest, ' ', &rest), port;
		struct slice protocol = slice_cut(one, '/', &port);
		uint32_t value;

		if (slice_u32(port, &value))
			return;
		settings->ports[settings->port_count++] = (struct sipward_port){
			.protocol = slice_eq(protocol, SLICE("udp")) ? IPPROTO_UDP : IPPROTO_TCP,
			.port_be = htons((uint16_t)value),
		};
	}
}

static void read_setting(sqlite3_stmt *stmt, struct store_settings *settings)
{
	char name[64], ports[PORTS_TEXT_SIZE];

	column_text(stmt, 0, name, sizeof(name));
	if (strcmp(name, "ports") == 0) {
		column_text(stmt, 1, ports, sizeof(ports));
		ports_parse(ports, settings);
		return;
	}
	for (size_t i = 0; i < NUMBERS; i++) {
		if (strcmp(name, numbers[i].name) == 0)
			number_put(&numbers[i], settings, (unsigned)sqlite3_column_int64(stmt, 1));
	}
}

void store_settings_defaults(struct store_settings *ret_settings)
{
	*ret_settings = (struct store_settings){0};
	for (size_t i = 0; i < NUMBERS; i++)
		number_put(&numbers[i], ret_settings, numbers[i].initial);
}

struct store_limits store_settings_limits(const char *name)
{
	for (size_t i = 0; i < NUMBERS; i++) {
		const struct number *number = &numbers[i];

		if (strcmp(name, number->name) == 0)
			return (struct store_limits){number->initial, number->min, number->max};
	}
	return (struct store_limits){0};
}

int store_settings_get(struct store *store, struct store_settings *ret_settings, struct error *err)
{
	struct store_settings settings;
	sqlite3_stmt *stmt = NULL;
	int rc;

	store_settings_defaults(&settings);
	rc = db_query(store, &stmt, err, "SELECT name, value FROM setting");
	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		read_setting(stmt, &settings);
		rc = 0;
	}
	sqlite3_finalize(stmt);
	if (rc == 0)
		*ret_settings = settings;
	return rc;
}

static int check_ports(const struct store_settings *settings, struct error *err)
{
	if (settings->port_count > SIPWARD_PORTS_MAX)
		return error_set(err, -EINVAL, "ports: %u are too many, at most %d",
				 settings->port_count, SIPWARD_PORTS_MAX);
	for (unsigned i = 0; i < settings->port_count; i++) {
		const struct sipward_port *port = &settings->ports[i];

		if (port->protocol != IPPROTO_UDP && port->protocol != IPPROTO_TCP)
			return error_set(err, -EINVAL, "ports: protocol %u is neither udp nor tcp",
					 port->protocol);
		if (!port->port_be)
			return error_set(err, -EINVAL, "ports: 0 is no port; 1 to 65535 are");
		for (unsigned j = 0; j < i; j++) {
			if (memcmp(port, &settings->ports[j], sizeof(*port)) == 0)
				return error_set(err, -EINVAL, "ports: %u is given twice",
						 ntohs(port->port_be));
		}
	}
	return 0;
}

static int check_settings(const struct store_settings *settings, struct error *err)
{
	for (size_t i = 0; i < NUMBERS; i++) {
		unsigned value = number_get(&numbers[i], settings);

		if (value < numbers[i].min || value > numbers[i].max)
			return error_set(err, -EINVAL, "%s %u: must be from %u to %u",
					 numbers[i].name, value, numbers[i].min, numbers[i].max);
	}
	if (settings->lockout_ceiling_s &&
	    settings->lockout_ceiling_s < settings->lockout_duration_s)
		return error_set(err, -EINVAL,
				 "lockout-ceiling %u s: must be 0, or no shorter than "
				 "lockout-duration, %u s",
				 settings->lockout_ceiling_s, settings->lockout_duration_s);
	return check_ports(settings, err);
}

static int put_setting(struct store *store, const char *name, struct bind value, struct error *err)
{
	return db_run(store, err,
		      "INSERT INTO setting (name, value) VALUES (?, ?)"
		      " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
		      TEXT(name), value);
}

/* The settings changed, for the audit. */
struct summary {
	char text[480];
};

static void note_change(struct summary *summary, const char *change)
{
	size_t used = strlen(summary->text);

	snprintf(summary->text + used, sizeof(summary->text) - used, "%s%s", used ? ", " : "",
		 change);
}

/* Writes what differs; how many settings do, or a negative errno. */
static int write_settings(struct store *store, const struct store_settings *old,
			  const struct store_settings *new, struct summary *summary,
			  struct error *err)
{
	char before[PORTS_TEXT_SIZE], after[PORTS_TEXT_SIZE], text[2 * PORTS_TEXT_SIZE + 32];
	int changed = 0, rc = 0;

	for (size_t i = 0; i < NUMBERS && rc >= 0; i++) {
		unsigned from = number_get(&numbers[i], old), to = number_get(&numbers[i], new);

		if (from == to)
			continue;
		snprintf(text, sizeof(text), "%s from %u to %u", numbers[i].name, from, to);
		note_change(summary, text);
		rc = put_setting(store, numbers[i].name, INT(to), err);
		changed++;
	}
	ports_format(old, before);
	ports_format(new, after);
	if (rc >= 0 && strcmp(before, after) != 0) {
		snprintf(text, sizeof(text), "ports from \"%s\" to \"%s\"", before, after);
		note_change(summary, text);
		rc = put_setting(store, "ports", TEXT(after), err);
		changed++;
	}
	return rc < 0 ? rc : changed;
}

int store_settings_set(struct store *store, const struct store_settings *settings,
		       struct error *err)
{
	struct store_settings old;
	struct summary summary = {""};
	int rc = check_settings(settings, err);

	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = store_settings_get(store, &old, err);
	if (rc == 0)
		rc = write_settings(store, &old, settings, &summary, err);
	return change_end(store, rc, err, "settings: %s", summary.text);
}

int store_secret(struct store *store, const char *purpose, uint8_t ret_key[16], struct error *err)
{
	uint8_t key[16];
	sqlite3_stmt *stmt = NULL;
	int rc;

	rc = db_int(store, &(int64_t){0}, err, "SELECT 1 FROM secret WHERE purpose = ?",
		    TEXT(purpose));
	if (rc == -ENOENT && store->read_depth)
		return error_set(err, -EBUSY,
				 "secret %s: can not be made within a read transaction",
				 QUOTED(purpose));
	/* Whoever comes first decides, also among processes. */
	random_bytes(key, sizeof(key));
	if (rc == -ENOENT)
		rc = db_run(store, err, "INSERT OR IGNORE INTO secret (purpose, key) VALUES (?, ?)",
			    TEXT(purpose), BLOB(key, sizeof(key)));
	explicit_bzero(key, sizeof(key));
	if (rc >= 0)
		rc = db_query(store, &stmt, err, "SELECT key FROM secret WHERE purpose = ?",
			      TEXT(purpose));
	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc > 0)
		column_bytes(stmt, 0, ret_key, sizeof(key));
	sqlite3_finalize(stmt);
	return rc < 0 ? rc : 0;
}

static int unlisted_derived(struct store *store, enum sipward_unlisted *ret_unlisted,
			    struct error *err)
{
	int64_t open;
	int rc = db_int(store, &open, err,
			"SELECT EXISTS (SELECT 1 FROM trunk WHERE enabled AND NOT EXISTS"
			" (SELECT 1 FROM trunk_acl WHERE trunk_id = trunk.id))");

	if (rc == 0)
		*ret_unlisted = open ? SIPWARD_UNLISTED_LIMIT : SIPWARD_UNLISTED_DROP;
	return rc;
}

static int unlisted_of(struct store *store, enum store_unlisted choice,
		       enum sipward_unlisted *ret_unlisted, struct error *err)
{
	switch (choice) {
	case STORE_UNLISTED_DROP:
		*ret_unlisted = SIPWARD_UNLISTED_DROP;
		return 0;
	case STORE_UNLISTED_LIMIT:
		*ret_unlisted = SIPWARD_UNLISTED_LIMIT;
		return 0;
	case STORE_UNLISTED_REJECT:
		*ret_unlisted = SIPWARD_UNLISTED_REJECT;
		return 0;
	case STORE_UNLISTED_AUTO:
		break;
	}
	return unlisted_derived(store, ret_unlisted, err);
}

int store_unlisted_effective(struct store *store, enum sipward_unlisted *ret_unlisted,
			     struct error *err)
{
	struct store_settings settings;
	int rc = store_settings_get(store, &settings, err);

	return rc ? rc : unlisted_of(store, settings.unlisted, ret_unlisted, err);
}

int settings_for_filter(struct store *store, struct sipward_settings *ret_settings,
			struct error *err)
{
	struct store_settings settings;
	enum sipward_unlisted unlisted;
	int rc = store_settings_get(store, &settings, err);

	if (rc == 0)
		rc = unlisted_of(store, settings.unlisted, &unlisted, err);
	if (rc)
		return rc;
	*ret_settings = (struct sipward_settings){
		.mode = settings.mode,
		.unlisted = unlisted,
		.flags = settings.lockout_reject ? SIPWARD_LOCKOUT_REJECT : 0,
		.source_rate_pps = settings.source_rate_pps,
		.source_burst = settings.source_burst,
		.cpu_rate_pps = settings.cpu_rate_pps,
		.cpu_burst = settings.cpu_burst,
		.port_count = settings.port_count,
		.source_v6_bits = settings.source_v6_bits,
	};
	memcpy(ret_settings->ports, settings.ports, sizeof(settings.ports));
	return 0;
}
