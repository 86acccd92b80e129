/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether two URIs are the same (RFC 3261 §19.1.4). */
#include "sip/sip_grammar.h"
#include "sip/sip_scan.h"

/* Parameters and headers are looked for in one another: work that goes with their square. */
#define PARTS_MAX 12

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

struct params {
	struct sip_param list[PARTS_MAX];
	unsigned n;
};

static void params_read(struct slice text, struct params *ret_params)
{
	size_t position = 0;

	ret_params->n = 0;
	while (ret_params->n < PARTS_MAX &&
	       sip_param_next(text, &position, &ret_params->list[ret_params->n]))
		ret_params->n++;
}

static const struct sip_param *param_of(const struct params *params, struct slice name)
{
	for (unsigned i = 0; i < params->n; i++)
		if (text_equal(params->list[i].name, name, true))
			return &params->list[i];
	return NULL;
}

/* Whether the other has the parameters that must be in both. */
static bool params_contain(const struct params *params, const struct params *other)
{
	for (unsigned i = 0; i < params->n; i++)
		if (must_be_in_both(params->list[i].name) && !param_of(other, params->list[i].name))
			return false;
	return true;
}

static bool params_equal(struct slice a, struct slice b)
{
	struct params x, y;

	params_read(a, &x);
	params_read(b, &y);
	for (unsigned i = 0; i < x.n; i++) {
		const struct sip_param *same = param_of(&y, x.list[i].name);

		if (same && !text_equal(x.list[i].value, same->value, true))
			return false;
	}
	return params_contain(&x, &y) && params_contain(&y, &x);
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

static bool has_many_parts(struct slice uri)
{
	unsigned n = 0;

	for (size_t i = 0; i < uri.n; i++)
		n += uri.p[i] == ';' || uri.p[i] == '&';
	return n > PARTS_MAX;
}

bool sip_uri_equal(struct slice a, struct slice b)
{
	struct slice headers_a, headers_b;
	struct sip_uri x, y;

	if (slice_eq(a, b))
		return true;
	if (has_many_parts(a) || has_many_parts(b) || !sip_uri_is_sip(a) || !sip_uri_is_sip(b) ||
	    sip_uri_scan(a, &x, &headers_a) || sip_uri_scan(b, &y, &headers_b))
		return false;
	return slice_eq_nocase(x.scheme, y.scheme) &&
	       text_equal(userinfo(a, &x), userinfo(b, &y), false) && x.port == y.port &&
	       host_equal(x.host, y.host) && params_equal(x.params, y.params) &&
	       headers_contained(headers_a, headers_b) && headers_contained(headers_b, headers_a);
}
