/* SPDX-License-Identifier: BSD-2-Clause */
#include "document/fields.h"

#include <errno.h>
#include <stdio.h>

#define SIZE(type, field) sizeof(((struct type *)0)->field)

#define FIELD(type, key, field, kind)                                                              \
	{                                                                                          \
		(key), (kind), offsetof(struct type, field), SIZE(type, field), NULL               \
	}
#define CHOICE(type, key, field, choices)                                                          \
	{                                                                                          \
		(key), FIELD_CHOICE, offsetof(struct type, field), SIZE(type, field), (choices)    \
	}
#define COUNTED(type, key, field, count, kind, choices)                                            \
	{                                                                                          \
		(key), (kind), offsetof(struct type, field),                                       \
			SIZE(type, field) + SIZE(type, count), (choices)                           \
	}

#define ALGORITHMS "md5|sha-256|sha-512-256"

_Static_assert(offsetof(struct store_trunk, algorithm_count) ==
		       offsetof(struct store_trunk, algorithms) + SIZE(store_trunk, algorithms),
	       "the count stands behind the algorithms");
_Static_assert(offsetof(struct store_settings, port_count) ==
		       offsetof(struct store_settings, ports) + SIZE(store_settings, ports),
	       "the count stands behind the ports");

#define SETTING(key, field, kind) FIELD(store_settings, key, field, kind)
static const struct field settings[] = {
	CHOICE(store_settings, "mode", mode, "monitor|enforce"),
	CHOICE(store_settings, "unlisted", unlisted, "auto|drop|limit|reject"),
	COUNTED(store_settings, "ports", ports, port_count, FIELD_PORTS, NULL),
	CHOICE(store_settings, "lockout-action", lockout_reject, "drop|reject"),
	SETTING("lockout-failures", lockout_failures, FIELD_NUMBER),
	SETTING("lockout-window", lockout_window_s, FIELD_NUMBER),
	SETTING("lockout-duration", lockout_duration_s, FIELD_NUMBER),
	SETTING("lockout-ceiling", lockout_ceiling_s, FIELD_NUMBER),
	SETTING("proven-duration", proven_s, FIELD_NUMBER),
	SETTING("nonce-lifetime", nonce_lifetime_s, FIELD_NUMBER),
	SETTING("nonce-rotation", nonce_rotation_s, FIELD_NUMBER),
	SETTING("source-v6-bits", source_v6_bits, FIELD_NUMBER),
	SETTING("register-min", register_min_s, FIELD_NUMBER),
	SETTING("register-max", register_max_s, FIELD_NUMBER),
	SETTING("register-default", register_default_s, FIELD_NUMBER),
	SETTING("register-contacts", register_contacts, FIELD_NUMBER),
	SETTING("call-retention-days", call_retention_days, FIELD_NUMBER),
	SETTING("user-names-utf8", user_names_utf8, FIELD_YES),
	SETTING("acl-limit", acl_limit, FIELD_NUMBER),
	SETTING("acl-entry-limit", acl_entry_limit, FIELD_NUMBER),
	SETTING("user-limit", user_limit, FIELD_NUMBER),
	SETTING("header-prefix", header_prefix, FIELD_TEXT),
	SETTING("reserved-headers", reserved_headers, FIELD_WORDS),
	SETTING("failover-timeout", failover_timeout_ms, FIELD_NUMBER),
	SETTING("health-interval", health_interval_s, FIELD_NUMBER),
	SETTING("health-failures", health_failures, FIELD_NUMBER),
	SETTING("health-successes", health_successes, FIELD_NUMBER),
	SETTING("overload-backlog", overload_backlog, FIELD_NUMBER),
	SETTING("source-rate", source_rate_pps, FIELD_NUMBER),
	SETTING("source-burst", source_burst, FIELD_NUMBER),
	SETTING("cpu-rate", cpu_rate_pps, FIELD_NUMBER),
	SETTING("cpu-burst", cpu_burst, FIELD_NUMBER),
	SETTING("challenge-rate", challenge_rate_pps, FIELD_NUMBER),
};

#define TRUNK(key, field, kind) FIELD(store_trunk, key, field, kind)
static const struct field trunk[] = {
	TRUNK("domain", domain, FIELD_TEXT),
	TRUNK("user", user, FIELD_TEXT),
	TRUNK("aliases", aliases, FIELD_WORDS),
	TRUNK("enabled", enabled, FIELD_YES),
	COUNTED(store_trunk, "algorithms", algorithms, algorithm_count, FIELD_ALGORITHMS,
		ALGORITHMS),
	TRUNK("challenge-status", challenge_status, FIELD_NUMBER),
	CHOICE(store_trunk, "challenge", challenge, "auto|filter|daemon"),
	TRUNK("allow-no-qop", allow_no_qop, FIELD_YES),
	TRUNK("auth-int", auth_int, FIELD_YES),
	CHOICE(store_trunk, "digest-uri", digest_uri, "any|equivalent|exact"),
	TRUNK("ratchet", ratchet, FIELD_YES),
	TRUNK("userhash", userhash, FIELD_YES),
	TRUNK("sess", sess, FIELD_YES),
	CHOICE(store_trunk, "register", forward_register, "gate|upstream"),
	CHOICE(store_trunk, "e164", e164, "off|require|normalize"),
	TRUNK("country-code", country_code, FIELD_TEXT),
	TRUNK("international-prefix", international_prefix, FIELD_TEXT),
	TRUNK("national-prefix", national_prefix, FIELD_TEXT),
	CHOICE(store_trunk, "caller-id", caller, "off|refuse|private"),
	TRUNK("number", number, FIELD_TEXT),
	TRUNK("assert-identity", assert_identity, FIELD_YES),
	TRUNK("upstream-trusted", upstream_trusted, FIELD_YES),
	TRUNK("client-certificate", client_certificate, FIELD_YES),
	TRUNK("outbound-user", outbound_user, FIELD_YES),
	TRUNK("calls-per-second", calls_per_s, FIELD_NUMBER),
	TRUNK("calls", calls_max, FIELD_NUMBER),
	TRUNK("user-calls-per-second", user_calls_per_s, FIELD_NUMBER),
	TRUNK("user-calls", user_calls_max, FIELD_NUMBER),
};

const struct fields setting_fields = {settings, sizeof(settings) / sizeof(settings[0])};
const struct fields trunk_fields = {trunk, sizeof(trunk) / sizeof(trunk[0])};

const struct field *field_find(const struct fields *fields, const char *key)
{
	for (size_t i = 0; i < fields->n; i++) {
		if (strcmp(fields->list[i].key, key) == 0)
			return &fields->list[i];
	}
	return NULL;
}

bool field_equal(const struct field *field, const void *a, const void *b)
{
	const char *x = (const char *)a + field->offset, *y = (const char *)b + field->offset;

	if (field->kind == FIELD_TEXT || field->kind == FIELD_WORDS)
		return strcmp(x, y) == 0;
	return memcmp(x, y, field->size) == 0;
}

bool fields_equal(const struct fields *fields, const void *a, const void *b)
{
	for (size_t i = 0; i < fields->n; i++) {
		if (!field_equal(&fields->list[i], a, b))
			return false;
	}
	return true;
}

static unsigned number_get(const struct field *field, const void *at)
{
	return field->size == sizeof(bool) ? *(const bool *)at : *(const unsigned *)at;
}

static void number_put(const struct field *field, void *at, unsigned value)
{
	if (field->size == sizeof(bool))
		*(bool *)at = value != 0;
	else
		*(unsigned *)at = value;
}

/* Where the count of an array of n items stands. */
static unsigned *count_of(const struct field *field, void *at)
{
	return (unsigned *)((char *)at + field->size - sizeof(unsigned));
}

/* ---- to JSON ---- */

static json_t *choice_json(const char *choices, unsigned value)
{
	struct slice rest = slice_from(choices), choice = slice_cut(rest, '|', &rest);

	while (value--)
		choice = slice_cut(rest, '|', &rest);
	return json_stringn(choice.p, choice.n);
}

static json_t *port_json(const struct sipward_port *port)
{
	return json_sprintf("%s/%u", port->protocol == IPPROTO_UDP ? "udp" : "tcp",
			    ntohs(port->port_be));
}

static json_t *counted_json(const struct field *field, const void *at)
{
	unsigned n = *count_of(field, (void *)at);
	json_t *list = json_array();
	int rc = list ? 0 : -1;

	for (unsigned i = 0; i < n && rc == 0; i++)
		rc = json_array_append_new(
			list, field->kind == FIELD_PORTS
				      ? port_json((const struct sipward_port *)at + i)
				      : choice_json(field->choices, ((const unsigned *)at)[i]));
	if (rc == 0)
		return list;
	json_decref(list);
	return NULL;
}

static json_t *words_json(const char *text)
{
	struct slice rest = slice_from(text);
	json_t *list = json_array();
	int rc = list ? 0 : -1;

	while (rest.n && rc == 0) {
		struct slice word = slice_cut(rest, ' ', &rest);

		rc = json_array_append_new(list, json_stringn(word.p, word.n));
	}
	if (rc == 0)
		return list;
	json_decref(list);
	return NULL;
}

json_t *field_get(const struct field *field, const void *object)
{
	const void *at = (const char *)object + field->offset;

	switch (field->kind) {
	case FIELD_TEXT:
		return json_string(at);
	case FIELD_WORDS:
		return words_json(at);
	case FIELD_NUMBER:
		return json_integer(number_get(field, at));
	case FIELD_YES:
		return json_boolean(*(const bool *)at);
	case FIELD_CHOICE:
		return choice_json(field->choices, number_get(field, at));
	case FIELD_ALGORITHMS:
	case FIELD_PORTS:
		return counted_json(field, at);
	}
	return NULL;
}

/* ---- from JSON ---- */

static int put_text(const struct field *field, const json_t *value, char *at, struct error *err)
{
	struct slice text = {json_string_value(value), json_string_length(value)};

	if (!json_is_string(value))
		return error_set(err, -EINVAL, "must be a string");
	if (text.n >= field->size)
		return error_set(err, -EINVAL, "is longer than %zu bytes", field->size - 1);
	if (slice_text(text, at, field->size))
		return error_set(err, -EINVAL, "holds a zero byte");
	return 0;
}

static int put_words(const struct field *field, const json_t *value, char *at, struct error *err)
{
	size_t i, used = 0;
	json_t *item;

	if (!json_is_array(value))
		return error_set(err, -EINVAL, "must be a list of strings");
	at[0] = '\0';
	json_array_foreach(value, i, item)
	{
		const char *word = json_string_value(item);

		if (!word || !*word || strchr(word, ' '))
			return error_set(err, -EINVAL,
					 "must be a list of strings without blanks in them");
		used += (size_t)snprintf(at + used, field->size - used, "%s%s", i ? " " : "", word);
		if (used >= field->size)
			return error_set(err, -EINVAL, "is longer than %zu bytes in all",
					 field->size - 1);
	}
	return 0;
}

/* The place among the choices, or -1. */
static int choice_of(const char *choices, const json_t *value)
{
	struct slice rest = slice_from(choices);
	struct slice text = {json_string_value(value), json_string_length(value)};

	for (int i = 0; json_is_string(value) && rest.n; i++) {
		if (slice_eq(slice_cut(rest, '|', &rest), text))
			return i;
	}
	return -1;
}

static bool port_of(const json_t *value, struct sipward_port *ret_port)
{
	struct slice port, protocol;
	struct slice text = {json_string_value(value), json_string_length(value)};
	uint32_t number;

	if (!json_is_string(value))
		return false;
	protocol = slice_cut(text, '/', &port);
	if (slice_u32(port, &number) || number == 0 || number > UINT16_MAX)
		return false;
	if (!slice_eq(protocol, SLICE("udp")) && !slice_eq(protocol, SLICE("tcp")))
		return false;
	ret_port->protocol = protocol.p[0] == 'u' ? IPPROTO_UDP : IPPROTO_TCP;
	ret_port->port_be = htons((uint16_t)number);
	return true;
}

static int put_counted(const struct field *field, const json_t *value, void *at, struct error *err)
{
	bool ports = field->kind == FIELD_PORTS;
	size_t i, max = ports ? SIPWARD_PORTS_MAX : STORE_ALGORITHMS;
	json_t *item;

	if (!json_is_array(value) || json_array_size(value) > max)
		return error_set(err, -EINVAL, "must be a list of at most %zu", max);
	memset(at, 0, field->size);
	json_array_foreach(value, i, item)
	{
		int choice = ports ? 0 : choice_of(field->choices, item);

		if (ports && !port_of(item, (struct sipward_port *)at + i))
			return error_set(err, -EINVAL,
					 "must be a list of such as \"udp/5060\" and \"tcp/5061\"");
		if (choice < 0)
			return error_set(err, -EINVAL, "must be a list of %s", field->choices);
		if (!ports)
			((unsigned *)at)[i] = (unsigned)choice;
	}
	*count_of(field, at) = (unsigned)i;
	return 0;
}

static int put_choice(const struct field *field, const json_t *value, void *at, struct error *err)
{
	int choice = choice_of(field->choices, value);

	if (choice < 0)
		return error_set(err, -EINVAL, "must be one of %s", field->choices);
	number_put(field, at, (unsigned)choice);
	return 0;
}

static int put_number(const struct field *field, const json_t *value, void *at, struct error *err)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || number > INT32_MAX)
		return error_set(err, -EINVAL, "must be a whole number, 0 or more");
	number_put(field, at, (unsigned)number);
	return 0;
}

int field_put(const struct field *field, const json_t *value, void *object, struct error *err)
{
	void *at = (char *)object + field->offset;

	switch (field->kind) {
	case FIELD_TEXT:
		return put_text(field, value, at, err);
	case FIELD_WORDS:
		return put_words(field, value, at, err);
	case FIELD_NUMBER:
		return put_number(field, value, at, err);
	case FIELD_YES:
		if (!json_is_boolean(value))
			return error_set(err, -EINVAL, "must be true or false");
		*(bool *)at = json_is_true(value);
		return 0;
	case FIELD_CHOICE:
		return put_choice(field, value, at, err);
	case FIELD_ALGORITHMS:
	case FIELD_PORTS:
		return put_counted(field, value, at, err);
	}
	return -EINVAL;
}
