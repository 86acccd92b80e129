/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules for the fields of a trunk. */
#include <errno.h>
#include <stdlib.h>

#include "store/internal.h"

#define CALLS_MAX 1000000

const char *const trunk_algorithm_names[STORE_ALGORITHMS] = {"md5", "sha-256", "sha-512-256"};

static int check_algorithms(const struct store_trunk *trunk, struct error *err)
{
	unsigned seen = 0;

	if (trunk->algorithm_count < 1 || trunk->algorithm_count > STORE_ALGORITHMS)
		return error_set(err, -EINVAL, "algorithms: between one and %d are needed",
				 STORE_ALGORITHMS);
	for (unsigned i = 0; i < trunk->algorithm_count; i++) {
		unsigned algorithm = trunk->algorithms[i];

		if (algorithm >= STORE_ALGORITHMS)
			return error_set(err, -EINVAL, "algorithms: there is no number %u",
					 algorithm);
		if (seen & 1U << algorithm)
			return error_set(err, -EINVAL, "algorithms: %s is named twice",
					 trunk_algorithm_names[algorithm]);
		seen |= 1U << algorithm;
	}
	return 0;
}

static int check_choices(const struct store_trunk *trunk, struct error *err)
{
	if (trunk->challenge_status != 401 && trunk->challenge_status != 407)
		return error_set(err, -EINVAL, "challenge status %u: must be 401 or 407",
				 trunk->challenge_status);
	if ((unsigned)trunk->challenge > STORE_CHALLENGE_DAEMON)
		return error_set(err, -EINVAL, "challenge: there is no choice %u",
				 (unsigned)trunk->challenge);
	if ((unsigned)trunk->digest_uri > STORE_URI_EXACT)
		return error_set(err, -EINVAL, "digest URI: there is no rule %u",
				 (unsigned)trunk->digest_uri);
	if ((unsigned)trunk->e164 > STORE_E164_NORMALIZE)
		return error_set(err, -EINVAL, "E.164: there is no rule %u", (unsigned)trunk->e164);
	if ((unsigned)trunk->caller > STORE_CALLER_PRIVATE)
		return error_set(err, -EINVAL, "caller: there is no rule %u",
				 (unsigned)trunk->caller);
	return 0;
}

/* ---- aliases ---- */

static int compare_domain(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int check_alias(const char *main_domain, char *alias, struct error *err)
{
	char domain[STORE_DOMAIN_SIZE];
	int rc;

	if (strcmp(alias, "*") == 0)
		return error_set(err, -EINVAL,
				 "alias \"*\": the default trunk is made by its domain alone");
	rc = check_domain(alias, domain, err);
	if (rc)
		return rc;
	if (strcmp(domain, main_domain) == 0)
		return error_set(err, -EINVAL, "alias %s: is the trunk's domain already",
				 QUOTED(domain));
	/* Written over itself: only an odd spelling of an IPv6 address is shorter than the usual.
	 */
	if (strlen(domain) > strlen(alias))
		return error_set(err, -EINVAL, "alias %s: write it as %s", QUOTED(alias),
				 QUOTED(domain));
	strcpy(alias, domain);
	return 0;
}

/* Sorted and as they are kept; the words are cut out of a copy of the text. */
static int check_aliases(struct store_trunk *trunk, struct error *err)
{
	char copy[STORE_ALIASES_SIZE], *words[STORE_ALIASES_SIZE / 2], *rest = copy, *word;
	size_t n = 0;

	strcpy(copy, trunk->aliases);
	while ((word = strsep(&rest, " "))) {
		int rc = *word ? check_alias(trunk->domain, word, err) : 0;

		if (rc)
			return rc;
		if (*word)
			words[n++] = word;
	}
	qsort(words, n, sizeof(*words), compare_domain);
	trunk->aliases[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		if (i && strcmp(words[i], words[i - 1]) == 0)
			return error_set(err, -EINVAL, "alias %s: is given twice",
					 QUOTED(words[i]));
		strcat(trunk->aliases, i ? " " : "");
		strcat(trunk->aliases, words[i]);
	}
	return 0;
}

/* ---- numbers ---- */

static bool all_digits(const char *text)
{
	return text[strspn(text, "0123456789")] == '\0';
}

int check_number(const char *field, const char *number, struct error *err)
{
	size_t n = strlen(number);

	if (number[0] != '+' || !all_digits(number + 1) || n < 8 || n > 16)
		return error_set(err, -EINVAL, "%s %s: must be + and 7 to 15 digits (E.164)", field,
				 QUOTED(number));
	return 0;
}

static int check_dialling_prefix(const char *field, const char *prefix, struct error *err)
{
	if (!all_digits(prefix))
		return error_set(err, -EINVAL, "%s %s: must be digits", field, QUOTED(prefix));
	return 0;
}

static int check_numbers(const struct store_trunk *trunk, struct error *err)
{
	const char *code = trunk->country_code;
	int rc = trunk->number[0] ? check_number("number", trunk->number, err) : 0;

	if (rc == 0)
		rc = check_dialling_prefix("international prefix", trunk->international_prefix,
					   err);
	if (rc == 0)
		rc = check_dialling_prefix("national prefix", trunk->national_prefix, err);
	if (rc)
		return rc;
	if (code[0] == '0' || !all_digits(code) || strlen(code) > 3)
		return error_set(err, -EINVAL,
				 "country code %s: must be 1 to 3 digits, the first not 0",
				 QUOTED(code));
	if (trunk->e164 == STORE_E164_NORMALIZE && !code[0])
		return error_set(err, -EINVAL,
				 "E.164: to normalize numbers a country code is needed");
	return 0;
}

static int check_call_limits(const struct store_trunk *trunk, struct error *err)
{
	const struct {
		const char *name;
		unsigned value;
	} limits[] = {
		{"calls a second", trunk->calls_per_s},
		{"concurrent calls", trunk->calls_max},
		{"calls a second of a user", trunk->user_calls_per_s},
		{"concurrent calls of a user", trunk->user_calls_max},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (limits[i].value > CALLS_MAX)
			return error_set(err, -EINVAL, "%s %u: must be at most %u", limits[i].name,
					 limits[i].value, CALLS_MAX);
	}
	return 0;
}

int store_trunk_check(struct store_trunk *trunk, struct error *err)
{
	int rc = check_name("trunk name", trunk->name, err);

	if (rc == 0)
		rc = check_domain(trunk->domain, trunk->domain, err);
	if (rc == 0)
		rc = check_aliases(trunk, err);
	if (rc == 0)
		rc = check_trunk_user(trunk->user, err);
	if (rc == 0)
		rc = check_algorithms(trunk, err);
	if (rc == 0)
		rc = check_choices(trunk, err);
	if (rc == 0)
		rc = check_numbers(trunk, err);
	return rc ? rc : check_call_limits(trunk, err);
}
