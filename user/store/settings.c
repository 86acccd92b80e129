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
	const char *words; /* what the values are called, for the audit; NULL: nothing */
};

#define WORDS(field, initial_, max_, words_)                                                       \
	{                                                                                          \
		.name = #field, .offset = offsetof(struct store_settings, field),                  \
		.size = sizeof(((struct store_settings *)0)->field), .initial = (initial_),        \
		.max = (max_), .words = (words_)                                                   \
	}
#define NUMBER(field, initial_, min_, max_)                                                        \
	{                                                                                          \
		.name = #field, .offset = offsetof(struct store_settings, field),                  \
		.size = sizeof(((struct store_settings *)0)->field), .initial = (initial_),        \
		.min = (min_), .max = (max_)                                                       \
	}

#define DAY 86400

static const struct number numbers[] = {
	WORDS(mode, SIPWARD_MONITOR, SIPWARD_ENFORCE, "monitor|enforce"),
	WORDS(unlisted, STORE_UNLISTED_AUTO, STORE_UNLISTED_REJECT, "auto|drop|limit|reject"),
	WORDS(lockout_reject, false, true, "no|yes"),
	NUMBER(lockout_failures, 10, 1, 64), /* as many as are remembered */
	NUMBER(lockout_window_s, 60, 1, DAY),
	NUMBER(lockout_duration_s, 60, 1, 365 * DAY),
	NUMBER(lockout_ceiling_s, 0, 0, 365 * DAY),
	NUMBER(proven_s, 3600, 0, 30 * DAY),
	NUMBER(nonce_lifetime_s, 300, 10, DAY),
	NUMBER(nonce_rotation_s, 3600, 10, 30 * DAY),
	NUMBER(source_v6_bits, 64, 32, 64),
	NUMBER(register_min_s, 60, 1, DAY),
	NUMBER(register_max_s, 7200, 1, 30 * DAY),
	NUMBER(register_default_s, 3600, 1, 30 * DAY),
	NUMBER(register_contacts, 10, 1, 100),
	NUMBER(call_retention_days, 30, 1, 3650),
	WORDS(user_names_utf8, false, true, "off|on"),
	NUMBER(acl_limit, 0, 0, 1000000),
	NUMBER(acl_entry_limit, 0, 0, 100000000),
	NUMBER(user_limit, 0, 0, 100000000),
	NUMBER(failover_timeout_ms, 4000, 500, 32000),
	NUMBER(health_interval_s, 30, 0, 3600),
	NUMBER(health_failures, 2, 1, 100),
	NUMBER(health_successes, 2, 1, 100),
	NUMBER(overload_backlog, 0, 0, 1000000),
	NUMBER(source_rate_pps, 10, 0, 100000000),
	NUMBER(source_burst, 20, 0, 100000000),
	NUMBER(cpu_rate_pps, 2000, 0, 100000000),
	NUMBER(cpu_burst, 4000, 0, 100000000),
	NUMBER(challenge_rate_pps, 100000, 0, 100000000),
};

#define NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

/* A setting that is text. */
struct text {
	const char *name;
	size_t offset, size;
	const char *initial;
};

#define TEXT_SETTING(field, initial_)                                                              \
	{                                                                                          \
		.name = #field, .offset = offsetof(struct store_settings, field),                  \
		.size = sizeof(((struct store_settings *)0)->field), .initial = (initial_)         \
	}

static const struct text texts[] = {
	TEXT_SETTING(header_prefix, "X-Sipward-"),
	TEXT_SETTING(reserved_headers, ""),
};

#define TEXTS (sizeof(texts) / sizeof(texts[0]))
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

static const char *text_get(const struct text *text, const struct store_settings *settings)
{
	return (const char *)settings + text->offset;
}

static char *text_at(const struct text *text, struct store_settings *settings)
{
	return (char *)settings + text->offset;
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
	for (size_t i = 0; i < TEXTS; i++) {
		if (strcmp(name, texts[i].name) == 0)
			column_text(stmt, 1, text_at(&texts[i], settings), texts[i].size);
	}
}

void store_settings_defaults(struct store_settings *ret_settings)
{
	*ret_settings = (struct store_settings){0};
	for (size_t i = 0; i < NUMBERS; i++)
		number_put(&numbers[i], ret_settings, numbers[i].initial);
	for (size_t i = 0; i < TEXTS; i++)
		strcpy(text_at(&texts[i], ret_settings), texts[i].initial);
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

/* Rules between two settings. */
static int check_order(const struct store_settings *settings, struct error *err)
{
	const struct {
		const char *low_name;
		unsigned low;
		const char *high_name;
		unsigned high;
	} orders[] = {
		{"nonce-lifetime", settings->nonce_lifetime_s, "nonce-rotation",
		 settings->nonce_rotation_s},
		{"register-min", settings->register_min_s, "register-default",
		 settings->register_default_s},
		{"register-default", settings->register_default_s, "register-max",
		 settings->register_max_s},
	};

	if (settings->lockout_ceiling_s &&
	    settings->lockout_ceiling_s < settings->lockout_duration_s)
		return error_set(err, -EINVAL,
				 "lockout-ceiling %u s: must be 0, or no shorter than "
				 "lockout-duration, %u s",
				 settings->lockout_ceiling_s, settings->lockout_duration_s);
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		if (orders[i].low > orders[i].high)
			return error_set(err, -EINVAL, "%s %u s: must be no longer than %s, %u s",
					 orders[i].low_name, orders[i].low, orders[i].high_name,
					 orders[i].high);
	}
	return 0;
}

/* Also writes the texts as they will be kept. */
static int check_settings(struct store_settings *settings, struct error *err)
{
	int rc;

	for (size_t i = 0; i < NUMBERS; i++) {
		unsigned value = number_get(&numbers[i], settings);

		if (value < numbers[i].min || value > numbers[i].max)
			return error_set(err, -EINVAL, "%s %u: must be from %u to %u",
					 numbers[i].name, value, numbers[i].min, numbers[i].max);
	}
	rc = check_order(settings, err);
	if (rc == 0)
		rc = check_ports(settings, err);
	if (rc == 0)
		rc = check_header_prefix(settings->header_prefix, err);
	return rc ? rc : check_reserved_headers(settings->reserved_headers, err);
}

static int put_setting(struct store *store, const char *name, struct bind value, struct error *err)
{
	return db_run(store, err,
		      "INSERT INTO setting (name, value) VALUES (?, ?)"
		      " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
		      TEXT(name), value);
}

/* Each of these writes what differs; how many settings do, or a negative errno. */
static int write_numbers(struct store *store, const struct store_settings *old,
			 const struct store_settings *new, struct summary *summary,
			 struct error *err)
{
	int changed = 0, rc = 0;

	for (size_t i = 0; i < NUMBERS && rc >= 0; i++) {
		unsigned from = number_get(&numbers[i], old), to = number_get(&numbers[i], new);

		if (from == to)
			continue;
		summary_number(summary, numbers[i].name, numbers[i].words,
			       (struct summary_values){from, to});
		rc = put_setting(store, numbers[i].name, INT(to), err);
		changed++;
	}
	return rc < 0 ? rc : changed;
}

struct text_change {
	const char *name, *from, *to;
};

static int write_text(struct store *store, const struct text_change *change,
		      struct summary *summary, struct error *err)
{
	int rc;

	if (strcmp(change->from, change->to) == 0)
		return 0;
	summary_text(summary, change->name, change->from, change->to);
	rc = put_setting(store, change->name, TEXT(change->to), err);
	return rc < 0 ? rc : 1;
}

static int write_texts(struct store *store, const struct store_settings *old,
		       const struct store_settings *new, struct summary *summary, struct error *err)
{
	char before[PORTS_TEXT_SIZE], after[PORTS_TEXT_SIZE];
	struct text_change ports = {"ports", before, after};
	int changed, rc;

	ports_format(old, before);
	ports_format(new, after);
	changed = rc = write_text(store, &ports, summary, err);
	for (size_t i = 0; i < TEXTS && rc >= 0; i++) {
		struct text_change change = {texts[i].name, text_get(&texts[i], old),
					     text_get(&texts[i], new)};

		rc = write_text(store, &change, summary, err);
		changed += rc;
	}
	return rc < 0 ? rc : changed;
}

static int write_settings(struct store *store, const struct store_settings *old,
			  const struct store_settings *new, struct summary *summary,
			  struct error *err)
{
	int changed = write_numbers(store, old, new, summary, err);
	int rc = changed < 0 ? changed : write_texts(store, old, new, summary, err);

	return rc < 0 ? rc : changed + rc;
}

int store_settings_set(struct store *store, const struct store_settings *settings,
		       struct error *err)
{
	struct store_settings old, new = *settings;
	struct summary summary = {""};
	int rc = check_settings(&new, err);

	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = store_settings_get(store, &old, err);
	if (rc == 0)
		rc = write_settings(store, &old, &new, &summary, err);
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
