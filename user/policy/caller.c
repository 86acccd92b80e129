/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/caller.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sip/sip_grammar.h"

#define DIGITS_MIN 7
#define DIGITS_MAX 15 /* E.164 */
#define DIALLED_SIZE 40

const char *caller_cause_name(enum caller_cause cause)
{
	static const char *const names[] = {
		[CALLER_OK] = "ok",
		[CALLER_BAD_NUMBER] = "bad_number",
		[CALLER_NOT_ALLOWED] = "caller_not_allowed",
	};

	return names[cause];
}

/* ---- numbers ---- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_e164(struct slice s)
{
	if (s.n < 1 + DIGITS_MIN || s.n > 1 + DIGITS_MAX || s.p[0] != '+' || s.p[1] == '0')
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!is_digit(s.p[i]))
			return false;
	return true;
}

/* The text without visual separators (RFC 3966 §5.1.1). */
static int strip_separators(struct slice text, char ret_text[DIALLED_SIZE])
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		if (memchr("-.()", text.p[i], 4))
			continue;
		if (n == DIALLED_SIZE - 1)
			return -EINVAL;
		ret_text[n++] = text.p[i];
	}
	ret_text[n] = '\0';
	return 0;
}

/* The rest of the text after a dialling prefix that is not empty, or NULL. */
static const char *after_prefix(const char *text, const char *prefix)
{
	size_t n = strlen(prefix);

	return n > 0 && strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

static int normalise(const struct store_trunk *trunk, const char *text, char *ret_text, size_t size)
{
	const char *country = trunk->country_code, *rest = after_prefix(text, "+");

	if (!rest)
		rest = after_prefix(text, trunk->international_prefix);
	if (rest) {
		country = "";
	} else {
		rest = after_prefix(text, trunk->national_prefix);
		if (!rest && !trunk->national_prefix[0])
			rest = text;
		if (!rest || !country[0])
			return -EINVAL;
	}
	snprintf(ret_text, size, "+%s%s", country, rest);
	return 0;
}

int caller_number(const struct store_trunk *trunk, struct slice dialled,
		  char ret_number[STORE_NUMBER_SIZE])
{
	char text[DIALLED_SIZE], whole[DIALLED_SIZE + STORE_DIAL_SIZE];
	struct slice number = dialled;

	if (trunk->e164 == STORE_E164_OFF)
		return slice_text(dialled, ret_number, STORE_NUMBER_SIZE) ? -EINVAL : 0;
	if (trunk->e164 == STORE_E164_NORMALIZE) {
		if (strip_separators(dialled, text) || normalise(trunk, text, whole, sizeof(whole)))
			return -EINVAL;
		number = slice_from(whole);
	}
	if (!is_e164(number))
		return -EINVAL;
	return slice_text(number, ret_number, STORE_NUMBER_SIZE);
}

/* The number of a URI, without the parameters that RFC 3966 lets follow it. A local number in a
 * context of its own (phone-context) is none that the trunk's prefixes could complete. */
static int uri_number(const struct store_trunk *trunk, struct slice text,
		      char ret_number[STORE_NUMBER_SIZE])
{
	struct slice dialled, params, context;
	struct sip_uri uri = {0};
	int rc = sip_uri_parse(text, &uri);

	if (rc)
		return rc;
	dialled = slice_cut(uri.user, ';', &params);
	if (slice_eq_nocase(uri.scheme, SLICE("tel")))
		params = uri.params;
	rc = caller_number(trunk, dialled, ret_number);
	if (rc == 0 && !slice_starts_nocase(dialled, SLICE("+")) &&
	    sip_param_find(params, "phone-context", &context))
		rc = -EINVAL;
	sip_uri_free(&uri);
	return rc;
}

/* False: the trunk's rule refuses the called number. */
static bool decide_called(const struct policy_trunk *trunk, const struct sip_msg *msg,
			  struct caller_decision *decision)
{
	const struct store_trunk *config = &trunk->config;
	char number[STORE_NUMBER_SIZE];
	struct slice params;

	if (config->e164 == STORE_E164_OFF || config->user[0])
		return true;
	if (uri_number(config, msg->uri, number))
		return false;
	if (!slice_eq(slice_cut(sip_uri_user(msg->uri), ';', &params), slice_from(number)))
		memcpy(decision->called, number, sizeof(number));
	return true;
}

/* ---- the caller ---- */

bool caller_may_show(const struct policy_trunk *trunk, const struct sip_msg *msg)
{
	struct slice uri = msg->from.uri;
	char number[STORE_NUMBER_SIZE];

	return trunk->config.caller == STORE_CALLER_OFF ||
	       (uri_number(&trunk->config, uri, number) == 0 &&
		policy_caller_allows(trunk, slice_from(number)));
}

/* False: the trunk's rule refuses the caller. */
static bool decide_caller(const struct policy_trunk *trunk, const struct sip_msg *msg,
			  struct caller_decision *decision)
{
	if (caller_may_show(trunk, msg))
		return true;
	decision->anonymous = trunk->config.caller == STORE_CALLER_PRIVATE;
	return decision->anonymous;
}

static void refuse(struct caller_decision *decision, enum caller_cause cause, unsigned status)
{
	*decision = (struct caller_decision){.cause = cause, .status = status};
}

void caller_decide(const struct policy_trunk *trunk, const struct policy_user *user,
		   const struct sip_msg *msg, struct caller_decision *ret_decision)
{
	caller_identify(trunk, user, ret_decision);
	if (msg->method == SIP_REGISTER)
		return;
	if (!decide_called(trunk, msg, ret_decision))
		refuse(ret_decision, CALLER_BAD_NUMBER, 484);
	else if (!decide_caller(trunk, msg, ret_decision))
		refuse(ret_decision, CALLER_NOT_ALLOWED, 403);
}

/* ---- the identity asserted ---- */

/* A realm that reads like a domain. */
static bool is_domain(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!is_digit(c) && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    c != '.' && c != '-')
			return false;
	}
	return s.n > 0 && memchr(s.p, '.', s.n);
}

/* The trunk's domain; of the default trunk, which has none, its first upstream's address. */
static void format_host(const struct policy_trunk *trunk, char text[STORE_DOMAIN_SIZE + 2])
{
	const char *domain = trunk->config.domain;

	if (strcmp(domain, "*") == 0 && trunk->upstream_count)
		ip_format_uri(&trunk->upstreams[0].endpoint.ip, text);
	else if (strcmp(domain, "*") == 0)
		strcpy(text, "unknown.invalid");
	else
		snprintf(text, STORE_DOMAIN_SIZE + 2, strchr(domain, ':') ? "[%s]" : "%s", domain);
}

static bool is_unreserved(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c && strchr("-_.!~*'()+", c));
}

/* With the escapes of RFC 3261 §25.1; text has room for three times the name. */
static void escape_user(struct slice name, char *text)
{
	for (size_t i = 0; i < name.n; i++) {
		if (is_unreserved(name.p[i]))
			*text++ = name.p[i];
		else
			text += sprintf(text, "%%%02X", (unsigned char)name.p[i]);
	}
	*text = '\0';
}

static void identify_user(const struct policy_user *user, const char *host,
			  char ret_uri[CALLER_URI_SIZE])
{
	char name[3 * STORE_USER_SIZE];
	struct slice at = is_domain(user->realm) ? user->realm : slice_from(host);

	if (user->name.n >= STORE_USER_SIZE)
		return;
	escape_user(user->name, name);
	snprintf(ret_uri, CALLER_URI_SIZE, "sip:%s@%.*s", name, (int)at.n, at.p);
}

void caller_identify(const struct policy_trunk *trunk, const struct policy_user *user,
		     struct caller_decision *ret_decision)
{
	const struct store_trunk *config = &trunk->config;
	char host[STORE_DOMAIN_SIZE + 2];

	*ret_decision = (struct caller_decision){.cause = CALLER_OK};
	if (!config->assert_identity)
		return;
	format_host(trunk, host);
	if (config->number[0]) {
		snprintf(ret_decision->asserted, CALLER_URI_SIZE, "sip:%s@%s;user=phone",
			 config->number, host);
		memcpy(ret_decision->asserted_tel, config->number, STORE_NUMBER_SIZE);
	} else if (user) {
		identify_user(user, host, ret_decision->asserted);
	}
}

/* ---- privacy ---- */

/* The next token of a Privacy value. The grammar separates them by ';'; ',' is met too. */
static bool privacy_next(struct slice *rest, struct slice *ret_token)
{
	size_t n = 0;

	if (rest->n == 0)
		return false;
	while (n < rest->n && rest->p[n] != ';' && rest->p[n] != ',')
		n++;
	*ret_token = slice_trim((struct slice){rest->p, n});
	n += n < rest->n;
	*rest = (struct slice){rest->p + n, rest->n - n};
	return true;
}

bool caller_privacy_has(const struct sip_msg *msg, struct slice wanted)
{
	struct slice token;

	for (int i = msg->first[SIP_PRIVACY]; i >= 0; i = sip_msg_next(msg, SIP_PRIVACY, i)) {
		struct slice rest = msg->headers[i].value;

		while (privacy_next(&rest, &token))
			if (slice_eq_nocase(token, wanted))
				return true;
	}
	return false;
}

bool caller_wants_privacy(const struct sip_msg *msg)
{
	return caller_privacy_has(msg, SLICE("id")) && !caller_privacy_has(msg, SLICE("none"));
}
