/* SPDX-License-Identifier: BSD-2-Clause */
/* The options of trunk create and trunk set, in one table: what each sets, and how it is shown. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "cli/trunk.h"
#include "digest/digest.h"

enum option_kind {
	OPTION_TEXT,
	OPTION_NUMBER,
	OPTION_SWITCH, /* a bool: yes or no */
	OPTION_WORDS,  /* a bool or an enum: the choices of the command's row, in order */
	OPTION_STATUS, /* 401 or 407 */
	OPTION_ALGORITHMS,
	OPTION_DOMAINS, /* A,B; kept with a blank between */
};

struct trunk_option {
	const char *name;
	const char *key; /* in JSON */
	enum option_kind kind;
	size_t offset, size;
	const char *const *words;
};

static const char *const uri_words[] = {"any", "equivalent", "exact"};
static const char *const challenge_words[] = {"auto", "filter", "daemon"};
static const char *const register_words[] = {"gate", "upstream"};
static const char *const e164_words[] = {"off", "require", "normalize"};
static const char *const caller_words[] = {"off", "refuse", "private"};

#define OPTION(name_, key_, kind_, field_, words_)                                                 \
	{                                                                                          \
		"--" name_, key_, OPTION_##kind_, offsetof(struct store_trunk, field_),            \
			sizeof(((struct store_trunk *)0)->field_), words_                          \
	}

static const struct trunk_option options[] = {
	OPTION("domain", "domain", TEXT, domain, NULL),
	OPTION("user", "user", TEXT, user, NULL),
	OPTION("aliases", "aliases", DOMAINS, aliases, NULL),
	OPTION("enabled", "enabled", SWITCH, enabled, NULL),
	OPTION("algorithms", "algorithms", ALGORITHMS, algorithms, NULL),
	OPTION("challenge-status", "challenge_status", STATUS, challenge_status, NULL),
	OPTION("challenge", "challenge", WORDS, challenge, challenge_words),
	OPTION("allow-no-qop", "allow_no_qop", SWITCH, allow_no_qop, NULL),
	OPTION("auth-int", "auth_int", SWITCH, auth_int, NULL),
	OPTION("digest-uri", "digest_uri", WORDS, digest_uri, uri_words),
	OPTION("ratchet", "ratchet", SWITCH, ratchet, NULL),
	OPTION("userhash", "userhash", SWITCH, userhash, NULL),
	OPTION("sess", "sess", SWITCH, sess, NULL),
	OPTION("register", "register", WORDS, forward_register, register_words),
	OPTION("e164", "e164", WORDS, e164, e164_words),
	OPTION("country-code", "country_code", TEXT, country_code, NULL),
	OPTION("international-prefix", "international_prefix", TEXT, international_prefix, NULL),
	OPTION("national-prefix", "national_prefix", TEXT, national_prefix, NULL),
	OPTION("caller-id", "caller_id", WORDS, caller, caller_words),
	OPTION("number", "number", TEXT, number, NULL),
	OPTION("assert-identity", "assert_identity", SWITCH, assert_identity, NULL),
	OPTION("upstream-trusted", "upstream_trusted", SWITCH, upstream_trusted, NULL),
	OPTION("client-certificate", "client_certificate", SWITCH, client_certificate, NULL),
	OPTION("outbound-user", "outbound_user", SWITCH, outbound_user, NULL),
	OPTION("calls-per-second", "calls_per_second", NUMBER, calls_per_s, NULL),
	OPTION("calls", "calls", NUMBER, calls_max, NULL),
	OPTION("user-calls-per-second", "user_calls_per_second", NUMBER, user_calls_per_s, NULL),
	OPTION("user-calls", "user_calls", NUMBER, user_calls_max, NULL),
};

#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

/* ---- setting ---- */

static int set_text(struct cli *cli, const struct trunk_option *option, char *field)
{
	const char *text = args_option(cli, option->name);
	if (slice_text(slice_from(text), field, option->size) < 0)
		return cli_error(cli, -EINVAL, "%s is longer than %zu bytes", option->name,
				 option->size - 1);
	return 0;
}

static int set_domains(struct cli *cli, const struct trunk_option *option, char *field)
{
	int rc = set_text(cli, option, field);
	for (char *c = field; rc == 0 && *c; c++)
		if (*c == ',')
			*c = ' ';
	return rc;
}

static int set_number(struct cli *cli, const struct trunk_option *option, unsigned *field)
{
	const char *text = args_option(cli, option->name);
	uint32_t number;
	if (slice_u32(slice_from(text), &number) < 0)
		return cli_error(cli, -EINVAL, "%s: '%s' is no whole number", option->name, text);
	*field = number;
	return 0;
}

static int set_algorithms(struct cli *cli, struct store_trunk *trunk)
{
	struct slice rest = slice_from(args_option(cli, "--algorithms"));
	trunk->algorithm_count = 0;
	while (rest.n) {
		enum digest_algorithm algorithm;
		bool sess;
		struct slice name = slice_trim(slice_cut(rest, ',', &rest));
		if (!name.n || digest_algorithm_of(name, &algorithm, &sess) < 0 || sess)
			return cli_error(cli, -EINVAL,
					 "--algorithms: '%.*s' is not md5, sha-256 or sha-512-256",
					 (int)name.n, name.p);
		for (unsigned i = 0; i < trunk->algorithm_count; i++)
			if (trunk->algorithms[i] == algorithm)
				return cli_error(cli, -EINVAL, "--algorithms: %s is named twice",
						 digest_algorithm_name(algorithm));
		trunk->algorithms[trunk->algorithm_count++] = algorithm;
	}
	if (!trunk->algorithm_count)
		return cli_error(cli, -EINVAL, "--algorithms: names at least one algorithm");
	return 0;
}

/* The parser has checked that the value is one of the choices. */
static int set_choice(struct cli *cli, const struct trunk_option *option, void *field)
{
	int choice = args_option_choice(cli, option->name, 0);
	if (option->kind == OPTION_SWITCH)
		*(bool *)field = choice == 0;
	else if (option->kind == OPTION_STATUS)
		*(unsigned *)field = choice ? 407 : 401;
	else if (option->size == sizeof(bool))
		*(bool *)field = choice;
	else
		*(unsigned *)field = (unsigned)choice;
	return 0;
}

static int set_option(struct cli *cli, const struct trunk_option *option, struct store_trunk *trunk)
{
	void *field = (char *)trunk + option->offset;
	if (!args_option(cli, option->name))
		return 0;
	switch (option->kind) {
	case OPTION_TEXT:
		return set_text(cli, option, field);
	case OPTION_NUMBER:
		return set_number(cli, option, field);
	case OPTION_DOMAINS:
		return set_domains(cli, option, field);
	case OPTION_ALGORITHMS:
		return set_algorithms(cli, trunk);
	default:
		return set_choice(cli, option, field);
	}
}

int trunk_set_options(struct cli *cli, struct store_trunk *trunk)
{
	int rc = 0;
	for (size_t i = 0; i < OPTION_COUNT && rc == 0; i++)
		rc = set_option(cli, &options[i], trunk);
	return rc;
}

/* ---- showing ---- */

static json_t *domains_json(const char *text)
{
	struct slice rest = slice_from(text);
	json_t *names = json_array();
	while (rest.n) {
		struct slice name = slice_cut(rest, ' ', &rest);
		json_array_append_new(names, json_stringn(name.p, name.n));
	}
	return names;
}

static json_t *algorithms_json(const struct store_trunk *trunk)
{
	json_t *names = json_array();
	for (unsigned i = 0; i < trunk->algorithm_count; i++)
		json_array_append_new(names,
				      json_string(digest_algorithm_name(trunk->algorithms[i])));
	return names;
}

static json_t *word_json(const struct trunk_option *option, const void *field)
{
	bool is_bool = option->size == sizeof(bool);
	return json_string(
		option->words[is_bool ? *(const bool *)field : *(const unsigned *)field]);
}

static json_t *value_json(const struct trunk_option *option, const struct store_trunk *trunk)
{
	const void *field = (const char *)trunk + option->offset;
	switch (option->kind) {
	case OPTION_TEXT:
		return *(const char *)field ? output_text(field) : json_null();
	case OPTION_NUMBER:
	case OPTION_STATUS:
		return json_integer(*(const unsigned *)field);
	case OPTION_SWITCH:
		return json_boolean(*(const bool *)field);
	case OPTION_WORDS:
		return word_json(option, field);
	case OPTION_ALGORITHMS:
		return algorithms_json(trunk);
	case OPTION_DOMAINS:
		return domains_json(field);
	}
	return NULL;
}

void trunk_options_json(const struct store_trunk *trunk, json_t *object)
{
	for (size_t i = 0; i < OPTION_COUNT; i++)
		json_object_set_new(object, options[i].key, value_json(&options[i], trunk));
}
