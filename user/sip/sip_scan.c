/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/sip_scan.h"

#include <errno.h>

#include "sip/sip_msg.h"

#define VISIBLE (CHAR_URI | CHAR_PARAM)
#define TOKEN (CHAR_TOKEN | VISIBLE)
#define WORD (CHAR_HOST | TOKEN)

const uint8_t sip_char_class[256] = {
	['\t'] = CHAR_LWS,    ['\n'] = CHAR_LWS,    ['\r'] = CHAR_LWS,	     [' '] = CHAR_LWS,
	['0' ... '9'] = WORD, ['A' ... 'Z'] = WORD, ['a' ... 'z'] = WORD,    ['-'] = WORD,
	['.'] = WORD,	      ['_'] = WORD,	    ['!'] = TOKEN,	     ['%'] = TOKEN,
	['*'] = TOKEN,	      ['+'] = TOKEN,	    ['`'] = TOKEN,	     ['\''] = TOKEN,
	['~'] = TOKEN,	      ['#'] = VISIBLE,	    ['$'] = VISIBLE,	     ['&'] = VISIBLE,
	['('] = VISIBLE,      [')'] = VISIBLE,	    ['/'] = VISIBLE,	     [':'] = VISIBLE,
	['='] = VISIBLE,      ['?'] = VISIBLE,	    ['@'] = VISIBLE,	     ['['] = VISIBLE,
	[']'] = VISIBLE,      ['^'] = VISIBLE,	    ['{' ... '}'] = VISIBLE, ['"'] = CHAR_MARK,
	['<'] = CHAR_MARK,    [','] = CHAR_URI | CHAR_MARK,
	[';'] = CHAR_URI | CHAR_MARK,
};

bool sip_all_are(struct slice s, uint8_t classes)
{
	return s.n > 0 && sip_span(s, 0, classes) == s.n;
}

size_t sip_span(struct slice s, size_t i, uint8_t classes)
{
	while (i < s.n && sip_char_is(s.p[i], classes))
		i++;
	return i;
}

size_t sip_quoted_end(struct slice s, size_t i)
{
	for (i++; i < s.n; i++) {
		if (s.p[i] == '"')
			return i + 1;
		if (s.p[i] == '\\')
			i++;
	}
	return 0;
}

static struct slice part(struct slice s, size_t begin, size_t end)
{
	return (struct slice){s.p + begin, end - begin};
}

/* The first CHAR_MARK from i on; s.n if there is none. */
static size_t find_mark(struct slice s, size_t i)
{
	while (i < s.n && !sip_char_is(s.p[i], CHAR_MARK))
		i++;
	return i;
}

/* What find_separator finds where something is quoted, or stands in <>. */
static size_t find_unquoted(struct slice s, size_t i, char separator, bool angles)
{
	for (i = find_mark(s, i); i < s.n && s.p[i] != separator; i = find_mark(s, i)) {
		size_t next = i + 1;

		if (s.p[i] == '"') {
			next = sip_quoted_end(s, i);
		} else if (angles && s.p[i] == '<') {
			const char *close = memchr(s.p + i, '>', s.n - i);

			next = close ? (size_t)(close - s.p) + 1 : 0;
		}
		i = next ? next : s.n;
	}
	return i;
}

/* The index of the separator, ',' or ';', from i on, outside quoted strings and, if angles, outside
 * <>; s.n if there is none. */
static size_t find_separator(struct slice s, size_t i, char separator, bool angles)
{
	const char *begin = s.p + i, *at = memchr(begin, separator, s.n - i);
	size_t n = at ? (size_t)(at - begin) : s.n - i;

	if (memchr(begin, '"', n) || (angles && memchr(begin, '<', n)))
		return find_unquoted(s, i, separator, angles);
	return i + n;
}

/* An element after the last separator is there even if it is empty: that is how "a," differs from
 * "a". So *position goes to s.n + 1 at the end. */
static bool next_element(struct slice s, char separator, bool angles, size_t *position,
			 struct slice *ret_element)
{
	size_t end;

	if (s.n == 0 || *position > s.n)
		return false;
	end = find_separator(s, *position, separator, angles);
	*ret_element = slice_trim(part(s, *position, end));
	*position = end + 1;
	return true;
}

bool sip_list_next(struct slice value, size_t *position, struct slice *ret_element)
{
	return next_element(value, ',', true, position, ret_element);
}

bool sip_param_next(struct slice params, size_t *position, struct sip_param *ret_param)
{
	struct slice text, value;

	if (!next_element(params, ';', false, position, &text))
		return false;
	ret_param->text = text;
	ret_param->name = slice_trim(slice_cut(text, '=', &value));
	ret_param->has_value = ret_param->name.n < text.n;
	ret_param->value = slice_trim(value);
	return true;
}

/* generic-param, with more characters in values than RFC 3261 has: '=' in branches is common. */
static bool param_ok(const struct sip_param *param)
{
	struct slice value = param->value;

	if (!sip_all_are(param->name, CHAR_TOKEN))
		return false;
	if (!param->has_value)
		return true;
	if (value.n > 0 && value.p[0] == '"')
		return sip_quoted_end(value, 0) == value.n;
	return sip_all_are(value, CHAR_PARAM);
}

bool sip_uri_chars_ok(struct slice uri)
{
	size_t colon = sip_span(uri, 0, CHAR_TOKEN);

	return colon > 0 && colon + 1 < uri.n && uri.p[colon] == ':' &&
	       sip_span(uri, colon, CHAR_URI) == uri.n;
}

/* Takes the characters of the classes at *i: false if there are none. */
static bool take(struct slice s, size_t *i, uint8_t classes, struct slice *ret_part)
{
	size_t end = sip_span(s, *i, classes);

	*ret_part = part(s, *i, end);
	*i = end;
	return ret_part->n > 0;
}

/* Takes c with white space around it. */
static bool take_char(struct slice s, size_t *i, char c)
{
	size_t at = sip_span(s, *i, CHAR_LWS);

	if (at == s.n || s.p[at] != c)
		return false;
	*i = sip_span(s, at + 1, CHAR_LWS);
	return true;
}

static bool is_ipv6_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') ||
	       c == ':' || c == '.';
}

static bool all_ipv6(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (!is_ipv6_char(s.p[i]))
			return false;
	}
	return s.n > 0;
}

/* A host name, an IPv4 address, or an IPv6 address in brackets, which are left out. */
static bool take_host(struct slice s, size_t *i, struct slice *ret_host)
{
	const char *close;

	if (*i == s.n || s.p[*i] != '[')
		return take(s, i, CHAR_HOST, ret_host);
	close = memchr(s.p + *i, ']', s.n - *i);
	if (!close)
		return false;
	*ret_host = part(s, *i + 1, (size_t)(close - s.p));
	*i = (size_t)(close - s.p) + 1;
	return all_ipv6(*ret_host);
}

static int parse_port(struct slice text, uint16_t *ret_port)
{
	uint32_t port;

	if (slice_u32(text, &port) != 0 || port == 0 || port > UINT16_MAX)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

static struct slice without_brackets(struct slice s)
{
	if (s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
		return part(s, 1, s.n - 1);
	return s;
}

static int via_param(const struct sip_param *param, struct sip_via *via)
{
	/* "rport=" is met in practice and means no more than "rport". */
	bool empty_rport = slice_eq_nocase(param->text, SLICE("rport="));

	if (!param_ok(param) && !empty_rport)
		return -EINVAL;
	if (slice_eq_nocase(param->name, SLICE("branch"))) {
		if (via->branch.n > 0 || !sip_all_are(param->value, CHAR_PARAM))
			return -EINVAL;
		via->branch = param->value;
	} else if (slice_eq_nocase(param->name, SLICE("received"))) {
		if (via->received.n > 0 || !sip_all_are(param->value, CHAR_PARAM))
			return -EINVAL;
		via->received = without_brackets(param->value);
	} else if (slice_eq_nocase(param->name, SLICE("rport"))) {
		if (via->has_rport)
			return -EINVAL;
		via->has_rport = true;
		if (param->value.n > 0)
			return parse_port(param->value, &via->rport);
	} else if (slice_eq_nocase(param->name, SLICE("alias"))) {
		via->alias = true;
	}
	return 0;
}

static int via_params(struct sip_via *via)
{
	struct sip_param param;
	size_t position = 0;
	int err = via->params.n > 0 ? 0 : -EINVAL;

	while (!err && sip_param_next(via->params, &position, &param))
		err = via_param(&param, via);
	return err;
}

int sip_hostport_scan(struct slice s, size_t *i, struct slice *ret_host, uint16_t *ret_port)
{
	struct slice port;

	if (!take_host(s, i, ret_host))
		return -EINVAL;
	*ret_port = 0;
	if (!take_char(s, i, ':'))
		return 0;
	return take(s, i, CHAR_TOKEN, &port) ? parse_port(port, ret_port) : -EINVAL;
}

bool sip_uri_is_sip(struct slice uri)
{
	return slice_starts_nocase(uri, SLICE("sip:")) || slice_starts_nocase(uri, SLICE("sips:"));
}

int sip_escape_value(struct slice s, size_t i)
{
	int high, low;

	if (s.n - i < 3 || s.p[i] != '%')
		return -1;
	high = hex_value(s.p[i + 1]);
	low = hex_value(s.p[i + 2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Whether every % begins an escape, and none of them a zero byte. */
static bool escapes_ok(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%' && sip_escape_value(s, i) <= 0)
			return false;
	}
	return true;
}

/* What follows "sip:". The first '@' ends the user: another one has to be escaped. */
static int sip_uri_rest(struct slice rest, struct sip_uri *uri, struct slice *ret_headers)
{
	const char *at = memchr(rest.p, '@', rest.n);
	struct slice tail, password;
	size_t i = 0;

	if (at) {
		i = (size_t)(at - rest.p) + 1;
		uri->user = slice_cut(part(rest, 0, i - 1), ':', &password);
		if (uri->user.n == 0 || !escapes_ok(uri->user))
			return -EINVAL;
	}
	if (sip_hostport_scan(rest, &i, &uri->host, &uri->port) != 0)
		return -EINVAL;
	if (i < rest.n && rest.p[i] != ';' && rest.p[i] != '?')
		return -EINVAL;
	tail = slice_cut(part(rest, i, rest.n), '?', ret_headers);
	slice_cut(tail, ';', &uri->params);
	return tail.n < rest.n - i && ret_headers->n == 0 ? -EINVAL : 0;
}

int sip_uri_scan(struct slice text, struct sip_uri *ret_uri, struct slice *ret_headers)
{
	struct slice rest, headers = {NULL, 0};
	struct sip_uri uri = {0};
	int err = 0;

	if (!sip_uri_chars_ok(text))
		return -EINVAL;
	uri.scheme = slice_cut(text, ':', &rest);
	if (sip_uri_is_sip(text))
		err = sip_uri_rest(rest, &uri, &headers);
	else if (slice_eq_nocase(uri.scheme, SLICE("tel")))
		uri.user = slice_cut(rest, ';', &uri.params);
	if (err)
		return err;
	*ret_uri = uri;
	*ret_headers = headers;
	return 0;
}

/* sent-protocol LWS sent-by, then what follows from *i on. */
static int via_head(struct slice s, size_t *i, struct sip_via *via)
{
	struct slice name, version;

	if (!take(s, i, CHAR_TOKEN, &name) || !take_char(s, i, '/') ||
	    !take(s, i, CHAR_TOKEN, &version) || !take_char(s, i, '/') ||
	    !take(s, i, CHAR_TOKEN, &via->transport))
		return -EINVAL;
	if (!slice_eq_nocase(name, SLICE("SIP")) || !slice_eq(version, SLICE("2.0")))
		return -EINVAL;
	if (sip_span(s, *i, CHAR_LWS) == *i)
		return -EINVAL;
	*i = sip_span(s, *i, CHAR_LWS);
	return sip_hostport_scan(s, i, &via->host, &via->port);
}

int sip_via_parse(struct slice element, struct sip_via *ret_via)
{
	struct sip_via via = {.text = slice_trim(element)};
	size_t i = 0;
	int err = via_head(via.text, &i, &via);

	if (err)
		return err;
	if (take_char(via.text, &i, ';')) {
		via.params = part(via.text, i, via.text.n);
		err = via_params(&via);
	} else if (i != via.text.n) {
		err = -EINVAL;
	}
	if (!err)
		*ret_via = via;
	return err;
}

static int name_addr_params(struct slice params, struct sip_name_addr *addr)
{
	struct sip_param param;
	size_t position = 0;

	while (sip_param_next(params, &position, &param)) {
		if (!param_ok(&param))
			return -EINVAL;
		if (!slice_eq_nocase(param.name, SLICE("tag")))
			continue;
		if (addr->tag.n > 0 || !sip_all_are(param.value, CHAR_PARAM))
			return -EINVAL;
		addr->tag = param.value;
	}
	return 0;
}

/* Display name and URI, then what follows from *i on. */
static int name_addr_head(struct slice s, size_t *i, struct sip_name_addr *addr)
{
	size_t open = 0;
	const char *close;

	if (s.n > 0 && s.p[0] == '"') {
		open = sip_quoted_end(s, 0);
		if (open == 0)
			return -EINVAL;
		addr->display = part(s, 1, open - 1);
		open = sip_span(s, open, CHAR_LWS);
		if (open == s.n || s.p[open] != '<')
			return -EINVAL;
	}
	while (open < s.n && !strchr("<;,\"", s.p[open]))
		open++;
	if (open < s.n && s.p[open] == '<') {
		if (!addr->display.p)
			addr->display = slice_trim(part(s, 0, open));
		close = memchr(s.p + open, '>', s.n - open);
		if (!close)
			return -EINVAL;
		*i = (size_t)(close - s.p) + 1;
		addr->uri = part(s, open + 1, *i - 1);
		return 0;
	}
	*i = open;
	addr->uri = slice_trim(part(s, 0, open));
	/* RFC 3261 §20: a URI with a question mark has to stand in <>. */
	return memchr(addr->uri.p, '?', addr->uri.n) ? -EINVAL : 0;
}

int sip_name_addr_scan(struct slice element, struct sip_name_addr *ret_addr)
{
	struct slice s = slice_trim(element);
	struct sip_name_addr addr = {0};
	size_t i = 0;
	int err = s.n > 0 ? name_addr_head(s, &i, &addr) : -EINVAL;

	if (err)
		return err;
	if (!sip_uri_chars_ok(addr.uri))
		return -EINVAL;
	addr.params = part(s, s.n, s.n);
	if (take_char(s, &i, ';')) {
		addr.params = part(s, i, s.n);
		err = addr.params.n > 0 ? name_addr_params(addr.params, &addr) : -EINVAL;
	} else if (sip_span(s, i, CHAR_LWS) != s.n) {
		err = -EINVAL;
	}
	if (err)
		return err;
	*ret_addr = addr;
	return 0;
}

bool sip_param_find(struct slice params, const char *name, struct slice *ret_value)
{
	struct slice wanted = slice_from(name);
	struct sip_param param;
	size_t position = 0;

	while (sip_param_next(params, &position, &param)) {
		struct slice value = param.value;

		if (!slice_eq_nocase(param.name, wanted))
			continue;
		if (value.n >= 2 && value.p[0] == '"')
			value = part(value, 1, value.n - 1);
		*ret_value = value;
		return true;
	}
	return false;
}

struct slice sip_tag(struct slice value)
{
	size_t params = value.n ? find_separator(value, 0, ';', true) : 0;
	struct slice tag = {NULL, 0};

	if (params < value.n)
		sip_param_find(part(value, params + 1, value.n), "tag", &tag);
	return tag;
}
