/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether two URIs are the same (RFC 3261 §19.1.4). */
#include "sip/sip_grammar.h"
#include "sip/sip_scan.h"

/* Parameters are looked for in one another: the work of long ones would go with the square. */
#define COMPARED_MAX 1024

/* A character of a URI: its value, and whether it stands there escaped where that makes a
 * difference: only reserved ones differ from their escapes. */
static int next_char(struct slice s, size_t *i, bool nocase)
{
	uint8_t c;

	if (s.p[*i] == '%' && s.n - *i >= 3) {
		char hex[2] = {(char)(s.p[*i + 1] | 0x20), (char)(s.p[*i + 2] | 0x20)};

		if (hex_decode((struct slice){hex, 2}, &c, 1) == 0) {
			*i += 3;
			if (memchr(";/?:@&=+$,", c, 10))
				return 0x100 | c;
			return nocase && c >= 'A' && c <= 'Z' ? c | 0x20 : c;
		}
	}
	c = (uint8_t)s.p[(*i)++];
	return nocase && c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool text_equal(struct slice a, struct slice b, bool nocase)
{
	size_t i = 0, j = 0;

	while (i < a.n && j < b.n)
		if (next_char(a, &i, nocase) != next_char(b, &j, nocase))
			return false;
	return i == a.n && j == b.n;
}

/* With the password; the host's bracket is not of it. */
static struct slice userinfo(struct slice text, const struct sip_uri *uri)
{
	const char *begin = text.p + uri->scheme.n + 1, *at;

	at = memchr(begin, '@', (size_t)(uri->host.p - begin));
	return (struct slice){begin, at ? (size_t)(at - begin) : 0};
}

static bool host_equal(struct slice a, struct slice b)
{
	struct ip x, y;

	if (ip_parse(a, &x) == 0 && ip_parse(b, &y) == 0)
		return ip_eq(&x, &y);
	return slice_eq_nocase(a, b);
}

/* Those that say where a request goes, or how, are never ignored. */
static bool must_be_in_both(struct slice name)
{
	static const char *const names[] = {"user", "ttl", "method", "maddr", "transport"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (slice_eq_nocase(name, slice_from(names[i])))
			return true;
	return false;
}

static bool param_of(struct slice params, struct slice name, struct sip_param *ret_param)
{
	size_t position = 0;

	while (sip_param_next(params, &position, ret_param))
		if (text_equal(ret_param->name, name, true))
			return true;
	return false;
}

/* Whether the other's parameters contradict none of these. */
static bool params_agree(struct slice params, struct slice other)
{
	struct sip_param mine, theirs;
	size_t position = 0;

	while (sip_param_next(params, &position, &mine)) {
		if (!param_of(other, mine.name, &theirs)) {
			if (must_be_in_both(mine.name))
				return false;
		} else if (!text_equal(mine.value, theirs.value, true)) {
			return false;
		}
	}
	return true;
}

/* Whether each header of the one is in the other. */
static bool headers_contained(struct slice headers, struct slice other)
{
	while (headers.n) {
		struct slice header = slice_cut(headers, '&', &headers), rest = other;
		bool found = false;

		while (rest.n && !found)
			found = text_equal(header, slice_cut(rest, '&', &rest), true);
		if (!found)
			return false;
	}
	return true;
}

bool sip_uri_equal(struct slice a, struct slice b)
{
	struct slice headers_a, headers_b;
	struct sip_uri x, y;

	if (slice_eq(a, b))
		return true;
	if (a.n > COMPARED_MAX || b.n > COMPARED_MAX || !sip_uri_is_sip(a) || !sip_uri_is_sip(b) ||
	    sip_uri_scan(a, &x, &headers_a) || sip_uri_scan(b, &y, &headers_b))
		return false;
	return slice_eq_nocase(x.scheme, y.scheme) &&
	       text_equal(userinfo(a, &x), userinfo(b, &y), false) && x.port == y.port &&
	       host_equal(x.host, y.host) && params_agree(x.params, y.params) &&
	       params_agree(y.params, x.params) && headers_contained(headers_a, headers_b) &&
	       headers_contained(headers_b, headers_a);
}
