/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>

#include "base/utf8.h"
#include "store/internal.h"

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
	return is_alpha(c) || is_digit(c);
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 || c == 0x7f;
}

const char *quoted(const char *value, char buf[QUOTED_SIZE])
{
	size_t n = 0;

	buf[n++] = '"';
	for (; *value && n < QUOTED_SIZE - 6; value++)
		buf[n++] = is_control(*value) ? '?' : *value;
	if (*value) {
		/* Not in the middle of a UTF-8 sequence. */
		while (n > 1 && (buf[n - 1] & 0xc0) == 0x80)
			n--;
		if (n > 1 && (buf[n - 1] & 0x80))
			n--;
		memcpy(buf + n, "...", 3);
		n += 3;
	}
	buf[n++] = '"';
	buf[n] = '\0';
	return buf;
}

int check_text(const char *field, const char *text, size_t max, struct error *err)
{
	const struct slice whole = slice_from(text);

	if (whole.n > max)
		return error_set(err, -EINVAL, "%s %s: is longer than %zu bytes", field,
				 QUOTED(text), max);
	for (size_t step, i = 0; i < whole.n; i += step) {
		step = utf8_printable(whole, i);
		if (step == 0)
			return error_set(err, -EINVAL,
					 "%s %s: holds a control character or is not UTF-8", field,
					 QUOTED(text));
	}
	return 0;
}

int check_name(const char *field, const char *name, struct error *err)
{
	if (!name || !*name)
		return error_set(err, -EINVAL, "%s: is empty", field);
	if (name[0] == ' ' || name[strlen(name) - 1] == ' ')
		return error_set(err, -EINVAL, "%s %s: begins or ends with a space", field,
				 QUOTED(name));
	return check_text(field, name, STORE_NAME_SIZE - 1, err);
}

int check_note(const char *note, struct error *err)
{
	return check_text("note", note, STORE_NOTE_SIZE - 1, err);
}

int check_realm(const char *realm, struct error *err)
{
	int rc = check_name("realm", realm, err);

	if (rc == 0 && strpbrk(realm, "\"\\"))
		return error_set(err, -EINVAL, "realm %s: must not hold a quote or a backslash",
				 QUOTED(realm));
	return rc;
}

int check_prefix(const struct prefix *prefix, struct error *err)
{
	struct ip masked;

	if ((prefix->ip.family != 4 && prefix->ip.family != 6) ||
	    prefix->len > ip_bits(&prefix->ip))
		return error_set(err, -EINVAL, "prefix: family %u, length %u is no prefix",
				 prefix->ip.family, prefix->len);
	masked = ip_masked(&prefix->ip, prefix->len);
	if (!ip_eq(&masked, &prefix->ip)) {
		char text[PREFIX_TEXT_SIZE];

		prefix_format(prefix, text);
		return error_set(err, -EINVAL, "prefix \"%s\": host bits are set", text);
	}
	return 0;
}

/* The characters of a plain user name. */
static bool is_plain_name(const char *name)
{
	for (; *name; name++) {
		if (!is_alnum(*name) && !strchr("._-", *name))
			return false;
	}
	return true;
}

int store_user_name_check(struct store *store, const char *name, struct error *err)
{
	size_t n = name ? strlen(name) : 0;
	struct store_settings settings;
	int rc;

	if (n < 3 || n >= STORE_USER_SIZE)
		return error_set(err, -EINVAL, "user name %s: must have 3 to 64 bytes",
				 QUOTED(name ? name : ""));
	if (is_plain_name(name))
		return 0;
	rc = store_settings_get(store, &settings, err);
	if (rc)
		return rc;
	if (!settings.user_names_utf8)
		return error_set(err, -EINVAL,
				 "user name %s: only letters, digits, '.', '_' and '-' are "
				 "allowed",
				 QUOTED(name));
	if (strpbrk(name, "@:"))
		return error_set(err, -EINVAL, "user name %s: must not hold '@' or ':'",
				 QUOTED(name));
	return check_text("user name", name, STORE_USER_SIZE - 1, err);
}

int store_password_check(const char *password, struct error *err)
{
	size_t n = password ? strlen(password) : 0;
	bool upper = false, lower = false, digit = false;

	if (n < 8 || n > 128)
		return error_set(err, -EINVAL, "password: must have 8 to 128 bytes, this has %zu",
				 n);
	for (const char *c = password; *c; c++) {
		if (is_control(*c))
			return error_set(err, -EINVAL, "password: holds a control character");
		upper |= *c >= 'A' && *c <= 'Z';
		lower |= *c >= 'a' && *c <= 'z';
		digit |= is_digit(*c);
	}
	if (!upper || !lower || !digit)
		return error_set(
			err, -EINVAL,
			"password: must hold an upper-case letter, a lower-case letter and "
			"a digit");
	return 0;
}

/* RFC 3261 §25.1: unreserved and user-unreserved, without escapes. */
int check_trunk_user(const char *user, struct error *err)
{
	if (strlen(user) >= STORE_USER_SIZE)
		return error_set(err, -EINVAL, "trunk user %s: is longer than 64 bytes",
				 QUOTED(user));
	for (const char *c = user; *c; c++) {
		if (!is_alnum(*c) && !strchr("-_.!~*'()&=+$,;?/", *c))
			return error_set(err, -EINVAL,
					 "trunk user %s: '%c' can not stand in the user part of a "
					 "SIP URI",
					 QUOTED(user), is_control(*c) ? '?' : *c);
	}
	return 0;
}

/* RFC 1123 labels, '_' tolerated; the last begins with a letter, so that a mistyped address is not
 * taken for a name. */
static bool is_host_name(const char *host)
{
	const char *label = host;

	for (;;) {
		size_t n = strcspn(label, ".");

		if (n == 0 || n > 63 || label[0] == '-' || label[n - 1] == '-')
			return false;
		for (size_t i = 0; i < n; i++) {
			if (!is_alnum(label[i]) && label[i] != '-' && label[i] != '_')
				return false;
		}
		if (!label[n])
			return is_alpha(label[0]);
		label += n + 1;
	}
}

bool host_parse(const char *text, char ret_host[STORE_DOMAIN_SIZE], struct ip *ret_ip)
{
	size_t n = strlen(text);

	*ret_ip = (struct ip){0};
	if (ip_parse(slice_from(text), ret_ip) == 0) {
		ip_format(ret_ip, ret_host);
		return true;
	}
	if (n > 1 && text[n - 1] == '.')
		n--;
	if (n >= STORE_DOMAIN_SIZE)
		return false;
	for (size_t i = 0; i < n; i++)
		ret_host[i] = text[i] >= 'A' && text[i] <= 'Z' ? text[i] + ('a' - 'A') : text[i];
	ret_host[n] = '\0';
	return is_host_name(ret_host);
}

int check_domain(const char *domain, char ret_domain[STORE_DOMAIN_SIZE], struct error *err)
{
	char host[STORE_DOMAIN_SIZE];
	struct ip ip;

	if (strcmp(domain, "*") == 0) {
		strcpy(ret_domain, "*");
		return 0;
	}
	if (!host_parse(domain, host, &ip))
		return error_set(err, -EINVAL,
				 "domain %s: must be a host name, an IP address, or \"*\" for the "
				 "default trunk",
				 QUOTED(domain));
	strcpy(ret_domain, host);
	return 0;
}

/* ---- header names (RFC 3261 §25.1) ---- */

int check_header_prefix(const char *prefix, struct error *err)
{
	size_t n = strlen(prefix);
	bool valid = n >= 1 && n <= 38 && is_alpha(prefix[0]) && prefix[n - 1] == '-';

	for (size_t i = 0; i < n; i++)
		valid &= is_alnum(prefix[i]) || prefix[i] == '-';
	if (!valid)
		return error_set(err, -EINVAL,
				 "header-prefix %s: must be 1 to 38 letters, digits and '-', begin "
				 "with a letter and end with '-'",
				 QUOTED(prefix));
	return 0;
}

static bool is_token(struct slice text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (!is_alnum(text.p[i]) && !strchr("-.!%_+`'~", text.p[i]))
			return false;
	}
	return text.n > 0;
}

static bool covers(struct slice pattern, struct slice name)
{
	if (pattern.p[pattern.n - 1] != '*')
		return slice_eq_nocase(pattern, name);
	pattern.n--;
	return slice_starts_nocase(name, pattern);
}

/* A request without these is none, or goes astray. */
static const char *needed_header(struct slice pattern)
{
	static const char *const names[] = {
		"Via",
		"From",
		"To",
		"Call-ID",
		"CSeq",
		"Max-Forwards",
		"Contact",
		"Route",
		"Record-Route",
		"Content-Type",
		"Content-Length",
		"Authorization",
		"Proxy-Authorization",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (covers(pattern, slice_from(names[i])))
			return names[i];
	}
	return NULL;
}

static int check_header_pattern(struct slice pattern, struct error *err)
{
	struct slice name = pattern;
	char text[512];
	const char *needed;

	if (name.p[name.n - 1] == '*')
		name.n--;
	if (!is_token(name)) {
		slice_text(pattern, text, sizeof(text));
		return error_set(err, -EINVAL,
				 "reserved-headers %s: must be a header name, or the beginning of "
				 "one and '*'",
				 QUOTED(text));
	}
	needed = needed_header(pattern);
	if (needed)
		return error_set(err, -EINVAL, "reserved-headers \"%.*s\": would remove %s",
				 (int)pattern.n, pattern.p, needed);
	return 0;
}

int check_reserved_headers(char *headers, struct error *err)
{
	struct slice rest = slice_from(headers);
	size_t used = 0;

	/* Written over itself with one blank between two. */
	while (rest.n) {
		struct slice one = slice_cut(rest, ' ', &rest);
		int rc = one.n ? check_header_pattern(one, err) : 0;

		if (rc)
			return rc;
		if (one.n && used)
			headers[used++] = ' ';
		memmove(headers + used, one.p, one.n);
		used += one.n;
	}
	headers[used] = '\0';
	return 0;
}

/* Fields that SIP (RFC 3261 §20 and extensions) or the gate gives a meaning; a name of one letter
 * is the short form of one. */
int check_added_header(struct slice name, struct error *err)
{
	static const char own[] =
		"Accept Accept-Contact Accept-Encoding Accept-Language Alert-Info Allow "
		"Allow-Events Authentication-Info Authorization Call-ID Call-Info Contact "
		"Content-Disposition Content-Encoding Content-Language Content-Length "
		"Content-Type CSeq Date Diversion Error-Info Event Expires From Geolocation "
		"History-Info Identity Identity-Info In-Reply-To Join Max-Forwards MIME-Version "
		"Min-Expires Min-SE Organization P-Asserted-Identity P-Preferred-Identity Path "
		"Priority Privacy Proxy-Authenticate Proxy-Authentication-Info "
		"Proxy-Authorization Proxy-Require RAck Reason Record-Route Refer-To Referred-By "
		"Reject-Contact Remote-Party-ID Replaces Reply-To Request-Disposition Require "
		"Resource-Priority Retry-After Route RSeq Server Service-Route Session-Expires "
		"SIP-ETag SIP-If-Match Subject Subscription-State Supported Target-Dialog "
		"Timestamp To Unsupported User-Agent Via Warning WWW-Authenticate";
	struct slice rest = slice_from(own);
	char text[STORE_HEADER_NAME_SIZE] = "";

	slice_text(name, text, sizeof(text));
	if (!is_token(name))
		return error_set(err, -EINVAL,
				 "header %s: the name must be of letters, digits and "
				 "- . ! %% _ + ` ' ~",
				 QUOTED(text));
	while (rest.n) {
		if (name.n == 1 || slice_eq_nocase(slice_cut(rest, ' ', &rest), name))
			return error_set(err, -EINVAL,
					 "header %s: SIP itself gives it a meaning; take a name "
					 "such as X-My-Header",
					 QUOTED(text));
	}
	return 0;
}
