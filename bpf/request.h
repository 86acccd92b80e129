/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Reads as much of a request as its challenge takes. It is stricter than the daemon: what it does
 * not take for certain is left to the daemon, which takes more. Positions are in scratch.text; 0
 * returned for one is "leave it to the daemon".
 */
#ifndef SIPWARD_BPF_REQUEST_H
#define SIPWARD_BPF_REQUEST_H

#define LINES_MAX 64
#define FOLDS_MAX 8
#define ELEMENTS_MAX 8
#define PARAMS_MAX 12
#define METHOD_MAX 16
#define CSEQ_DIGITS 9
#define CREDENTIALS_PARAMS_MAX 24
#define OUR_BRANCH_BYTES 43 /* of the daemon's own branches (user/proxy/branch.h) */

enum field {
	FIELD_OTHER,
	FIELD_VIA,
	FIELD_FROM,
	FIELD_TO,
	FIELD_CALL_ID,
	FIELD_CSEQ,
	FIELD_MAX_FORWARDS,
	FIELD_CONTENT_LENGTH,
	FIELD_CREDENTIALS,
	FIELD_DAEMONS, /* a request with it is not for us */
};

#define FIELDS_NEEDED                                                                              \
	(1U << FIELD_VIA | 1U << FIELD_FROM | 1U << FIELD_TO | 1U << FIELD_CALL_ID |               \
	 1U << FIELD_CSEQ)

/* ---- names ---- */

static __always_inline enum field field_of_letter(__u64 name)
{
	switch (name) {
	case 'v':
		return FIELD_VIA;
	case 'f':
		return FIELD_FROM;
	case 't':
		return FIELD_TO;
	case 'i':
		return FIELD_CALL_ID;
	case 'l':
		return FIELD_CONTENT_LENGTH;
	default:
		return FIELD_OTHER;
	}
}

static __always_inline enum field field_of_short(__u64 name)
{
	if (name == TEXT2('t', 'o'))
		return FIELD_TO;
	if (name == TEXT4('v', 'i', 'a', 0))
		return FIELD_VIA;
	if (name == TEXT4('f', 'r', 'o', 'm'))
		return FIELD_FROM;
	if (name == TEXT4('c', 's', 'e', 'q'))
		return FIELD_CSEQ;
	if (name == TEXT8('r', 'o', 'u', 't', 'e', 0, 0, 0))
		return FIELD_DAEMONS;
	if (name == TEXT8('c', 'a', 'l', 'l', '-', 'i', 'd', 0))
		return FIELD_CALL_ID;
	return FIELD_OTHER;
}

/* The name's first sixteen bytes in lower case, and its length. Authorization, Proxy-Authorization
 * and Proxy-Require are known by length and beginning. */
static __always_inline enum field field_of(__u64 name, __u64 more, __u32 n)
{
	if (n == 1)
		return field_of_letter(name);
	if (n < 8)
		return field_of_short(name);
	if (n == 12 && name == TEXT8('m', 'a', 'x', '-', 'f', 'o', 'r', 'w') &&
	    more == TEXT4('a', 'r', 'd', 's'))
		return FIELD_MAX_FORWARDS;
	if (n == 14 && name == TEXT8('c', 'o', 'n', 't', 'e', 'n', 't', '-') &&
	    more == TEXT8('l', 'e', 'n', 'g', 't', 'h', 0, 0))
		return FIELD_CONTENT_LENGTH;
	if (n == 13 && name == TEXT8('p', 'r', 'o', 'x', 'y', '-', 'r', 'e'))
		return FIELD_DAEMONS;
	if ((n == 13 && name == TEXT8('a', 'u', 't', 'h', 'o', 'r', 'i', 'z')) ||
	    (n == 19 && name == TEXT8('p', 'r', 'o', 'x', 'y', '-', 'a', 'u')))
		return FIELD_CREDENTIALS;
	return FIELD_OTHER;
}

/* What field begins at pos; *ret_value is where its value does. */
static __always_inline enum field field_at(const struct scratch *s, __u32 pos, __u32 *ret_value)
{
	__u64 name = word_at(s, pos), more = 0;
	__u64 others = ~mask_name(name) & HIGH_BITS;
	__u32 n = 8;

	if (others) {
		n = mask_first(others);
		name = word_cut(name, n);
	} else {
		more = word_at(s, pos + 8);
		others = ~mask_name(more) & HIGH_BITS;
		if (others) {
			n = 8 + mask_first(others);
			more = word_cut(more, n - 8);
		} else {
			n = span_token(s, pos) - pos;
		}
	}
	if (!n || byte_at(s, pos + n) != ':')
		return FIELD_DAEMONS;
	*ret_value = pos + n + 1;
	/* Letters alone become others; what is behind the name does not count. */
	return field_of(word_cut(lower(name), n), n > 8 ? word_cut(lower(more), n - 8) : 0, n);
}

/* ---- values ---- */

/* A host name or an address, IPv6 in brackets, with or without a port. Returns where it ends. */
static __always_inline __u32 hostport_read(struct scratch *s, __u32 pos, struct piece *ret_host,
					   __u32 *ret_port)
{
	bool v6 = byte_at(s, pos) == '[';
	__u32 end = v6 ? span_v6(s, pos + 1) : span_host(s, pos);

	if (v6 && (end == pos + 1 || byte_at(s, end++) != ']'))
		return 0;
	*ret_host = (struct piece){pos, end - pos};
	*ret_port = 0;
	if (byte_at(s, end) != ':' || end == pos)
		return end == pos ? 0 : end;
	*ret_port = number_read(s, end + 1, 5);
	return *ret_port && *ret_port <= 0xffff ? s->number_end : 0;
}

struct param {
	struct piece name, value;
	__u64 lower_name; /* its first eight bytes */
	__u32 end;	  /* 0: it is malformed, or quoted */
};

/* The parameter behind the ';' at pos. */
static __always_inline struct param param_read(const struct scratch *s, __u32 pos)
{
	struct param param = {.name.at = pos + 1};

	param.end = span_token(s, pos + 1);
	param.name.n = param.end - param.name.at;
	param.lower_name = word_cut(lower(word_at(s, pos + 1)), param.name.n);
	if (!param.name.n)
		param.end = 0;
	if (byte_at(s, param.end) != '=' || !param.end)
		return param;
	param.value.at = param.end + 1;
	param.end = span_token(s, param.value.at);
	param.value.n = param.end - param.value.at;
	if (!param.value.n)
		param.end = 0;
	return param;
}

#define NAME_RPORT TEXT8('r', 'p', 'o', 'r', 't', 0, 0, 0)
#define NAME_BRANCH TEXT8('b', 'r', 'a', 'n', 'c', 'h', 0, 0)
#define NAME_RECEIVED TEXT8('r', 'e', 'c', 'e', 'i', 'v', 'e', 'd')
#define NAME_TAG TEXT4('t', 'a', 'g', 0)

enum via_param { VIA_OTHER = 0, VIA_RPORT = 1, VIA_BRANCH = 2, VIA_RECEIVED = 4, VIA_DAEMONS = 8 };

/* Which it is of those that may stand there once. A branch of the daemon's own may tell of a loop;
 * what the topmost Via says of its sender is the gate's to say. */
static __always_inline enum via_param via_param(struct scratch *s, const struct param *param,
						bool topmost)
{
	__u32 port;

	if (param->lower_name == NAME_BRANCH && param->name.n == 6)
		return param->value.n && param->value.n != OUR_BRANCH_BYTES ? VIA_BRANCH
									    : VIA_DAEMONS;
	if (param->lower_name == NAME_RPORT && param->name.n == 5) {
		if (!param->value.n)
			return VIA_RPORT;
		port = number_read(s, param->value.at, 5);
		return !topmost && port && port <= 0xffff && s->number_end == param->end
			       ? VIA_RPORT
			       : VIA_DAEMONS;
	}
	if (param->lower_name == NAME_RECEIVED && param->name.n == 8)
		return !topmost && param->value.n ? VIA_RECEIVED : VIA_DAEMONS;
	return VIA_OTHER;
}

/* "SIP/2.0/UDP " at pos, and for other elements than the topmost any transport. Returns where the
 * host begins. */
static __always_inline __u32 via_protocol(const struct scratch *s, __u32 pos, bool topmost)
{
	__u32 end;

	if (lower(word_at(s, pos)) != TEXT8('s', 'i', 'p', '/', '2', '.', '0', '/'))
		return 0;
	if (topmost)
		return (__u32)lower(word_at(s, pos + 8)) == TEXT4('u', 'd', 'p', ' ') ? pos + 12
										      : 0;
	end = span_token(s, pos + 8);
	return end != pos + 8 && byte_at(s, end) == ' ' ? end + 1 : 0;
}

/* A parameter of an element. Returns where it ends. */
__noinline __u32 via_param_read(struct scratch *s, __u32 pos, __u32 topmost)
{
	struct param param;
	enum via_param kind;

	if (!s)
		return 0;
	param = param_read(s, pos);
	kind = via_param(s, &param, topmost);
	if (kind == VIA_DAEMONS || s->via_seen & kind)
		return 0;
	s->via_seen |= kind;
	if (topmost && kind == VIA_RPORT)
		s->via_rport = param.name;
	return param.end;
}

/* One element, without white space but the one before its host. Returns where it ends. */
__noinline __u32 via_element(struct scratch *s, __u32 pos, __u32 topmost)
{
	struct piece host;
	__u32 port;

	if (!s)
		return 0;
	pos = via_protocol(s, pos, topmost);
	if (pos)
		pos = hostport_read(s, pos, &host, &port);
	if (topmost && pos) {
		s->via_host = host;
		s->via_port = port;
		s->via_rport = (struct piece){};
	}
	s->via_seen = 0;
	for (int i = 0; i < PARAMS_MAX && pos && byte_at(s, pos) == ';'; i++)
		pos = via_param_read(s, pos, topmost);
	return pos;
}

/* A field's value: elements, and white space behind commas alone. */
__noinline __u32 via_read(struct scratch *s, __u32 pos, __u32 end)
{
	struct piece value = {pos, end - pos};

	if (!s || s->via_count >= VIAS_MAX)
		return false;
	for (int i = 0; i < ELEMENTS_MAX; i++) {
		bool topmost = !i && !s->via_count;

		pos = via_element(s, pos, topmost);
		if (!pos || pos > end)
			return false;
		if (topmost)
			s->via_end = pos;
		if (pos == end) {
			s->vias[s->via_count++ % VIAS_MAX] = value;
			return true;
		}
		if (byte_at(s, pos++) != ',')
			return false;
		for (int j = 0; j < BLANKS_MAX && is_blank(byte_at(s, pos)); j++)
			pos++;
	}
	return false;
}

/* A scheme, ':' and more, up to end. */
static __always_inline bool is_uri(const struct scratch *s, __u32 pos, __u32 end)
{
	__u32 colon = span_token(s, pos);

	return colon > pos && byte_at(s, colon) == ':' && colon + 1 < end &&
	       span_uri(s, pos) >= end;
}

/* Display name and URI. Returns where they end. */
static __always_inline __u32 address_read(const struct scratch *s, __u32 pos, __u32 end)
{
	__u32 open, close;

	if (byte_at(s, pos) == '"') {
		open = span_quoted(s, pos + 1);
		if (byte_at(s, open++) != '"')
			return 0;
		for (int i = 0; i < BLANKS_MAX && is_blank(byte_at(s, open)); i++)
			open++;
		if (byte_at(s, open) != '<')
			return 0;
	} else {
		open = span_display(s, pos);
	}
	if (open < end && byte_at(s, open) == '<') {
		close = span_uri(s, open + 1);
		return byte_at(s, close) == '>' && is_uri(s, open + 1, close) ? close + 1 : 0;
	}
	close = open < end ? open : end;
	if (open < end && byte_at(s, open) != ';')
		return 0;
	return is_uri(s, pos, close) ? close : 0;
}

/* A value of From or To; *s->tag is its tag. False: leave it to the daemon. */
__noinline __u32 name_addr_read(struct scratch *s, __u32 at, __u32 end)
{
	__u32 pos;

	if (!s)
		return false;
	pos = address_read(s, at, end);
	s->tag = (struct piece){};
	for (int i = 0; i < PARAMS_MAX && pos && pos < end; i++) {
		struct param param;

		if (byte_at(s, pos) != ';')
			return false;
		param = param_read(s, pos);
		pos = param.end;
		if (param.lower_name != NAME_TAG || param.name.n != 3)
			continue;
		if (s->tag.n || !param.value.n)
			return false;
		s->tag = param.value;
	}
	return pos == end;
}

static __always_inline bool is_same(const struct scratch *s, struct piece a, __u32 b)
{
	return word_cut(word_at(s, a.at), a.n) == word_cut(word_at(s, b), a.n) &&
	       (a.n <= 8 ||
		word_cut(word_at(s, a.at + 8), a.n - 8) == word_cut(word_at(s, b + 8), a.n - 8));
}

static __always_inline __u32 span_digits(const struct scratch *s, __u32 pos)
{
	__u64 others = ~mask_digits(word_at(s, pos)) & HIGH_BITS;

	if (others)
		return pos + mask_first(others);
	others = ~mask_digits(word_at(s, pos + 8)) & HIGH_BITS;
	return pos + 8 + (others ? mask_first(others) : 8);
}

/* A number, one blank, the method of the request line. */
static __always_inline bool is_cseq(const struct scratch *s, struct piece value)
{
	__u32 end = span_digits(s, value.at);

	return end != value.at && end - value.at <= CSEQ_DIGITS && byte_at(s, end) == ' ' &&
	       end + 1 + s->method.n == value.at + value.n && is_same(s, s->method, end + 1);
}

static __always_inline bool content_length_read(struct scratch *s, struct piece value)
{
	s->content_length = number_read(s, value.at, 5);
	if (value.n == 1 && byte_at(s, value.at) == '0')
		return true;
	return s->content_length && s->number_end == value.at + value.n;
}

static __always_inline bool is_max_forwards(struct scratch *s, struct piece value)
{
	__u32 hops = number_read(s, value.at, 3);

	return hops && hops <= 255 && s->number_end == value.at + value.n;
}

static __always_inline bool value_read(struct scratch *s, enum field field, struct piece value)
{
	switch (field) {
	case FIELD_OTHER:
		return true;
	case FIELD_VIA:
		return via_read(s, value.at, value.at + value.n);
	case FIELD_FROM:
		s->from = value;
		return name_addr_read(s, value.at, value.at + value.n);
	case FIELD_TO:
		s->to = value;
		if (!name_addr_read(s, value.at, value.at + value.n))
			return false;
		s->to_tag = s->tag;
		return true;
	case FIELD_CALL_ID:
		s->call_id = value;
		return span_uri(s, value.at) == value.at + value.n;
	case FIELD_CSEQ:
		s->cseq = value;
		return is_cseq(s, value);
	case FIELD_MAX_FORWARDS:
		return is_max_forwards(s, value);
	case FIELD_CONTENT_LENGTH:
		return content_length_read(s, value);
	default:
		return false;
	}
}

/* ---- the message ---- */

/* Where the field that begins at pos ends. Its folds become blanks, as many as their line ends had
 * bytes; one of white space alone passes for the empty line elsewhere. */
__noinline __u32 unfold(struct scratch *s, __u32 pos)
{
	__u32 end;

	if (!s)
		return 0;
	end = line_end(s, pos);
	for (int i = 0; i < FOLDS_MAX && end && is_blank(byte_at(s, end + 2)); i++) {
		__u32 next = line_end(s, end + 2);

		if (!next || !trimmed(s, end + 2, next))
			return 0;
		s->text[end & TEXT_MASK] = ' ';
		s->text[(end + 1) & TEXT_MASK] = ' ';
		end = next;
	}
	return end && !is_blank(byte_at(s, end + 2)) ? end : 0;
}

/* Where the digits of the first nonce stand; 0: nowhere. Whether it is one, they prove. */
__noinline __u32 nonce_find(const struct scratch *s, __u32 pos, __u32 end)
{
	__u64 before;

	if (!s)
		return 0;
	for (int i = 0; i < CREDENTIALS_PARAMS_MAX; i++) {
		pos = span_unequal(s, pos);
		if (pos >= end || pos < 6)
			return 0;
		before = lower(word_at(s, pos - 6));
		if (before >> 8 == TEXT8('n', 'o', 'n', 'c', 'e', '=', '"', 0) &&
		    (__u8)before != 'c')
			return pos + 2;
		pos++;
	}
	return 0;
}

/* One field. Returns where the next line begins. */
__noinline __u32 field_read(struct scratch *s, __u32 pos)
{
	__u32 end, value_at = 0;
	enum field field;

	if (!s)
		return 0;
	end = unfold(s, pos);
	field = end ? field_at(s, pos, &value_at) : FIELD_DAEMONS;
	if (field == FIELD_OTHER)
		return end + 2;
	if (field == FIELD_CREDENTIALS)
		s->nonce_at = nonce_find(s, value_at, end);
	if (field >= FIELD_CREDENTIALS || (field != FIELD_VIA && s->seen & 1U << field))
		return 0;
	s->seen |= 1U << field;
	if (!trimmed(s, value_at, end))
		return 0;
	return value_read(s, field, s->value) ? end + 2 : 0;
}

__noinline __u32 fields_read(struct scratch *s, __u32 pos)
{
	if (!s)
		return false;
	for (int i = 0; i < LINES_MAX && pos; i++) {
		if ((__u16)word_at(s, pos) == TEXT2('\r', '\n')) {
			pos += 2;
			return (s->seen & FIELDS_NEEDED) == FIELDS_NEEDED && pos <= s->text_n &&
			       s->content_length <= s->total_n - pos;
		}
		pos = field_read(s, pos);
	}
	return false;
}

static __always_inline void key_write(struct scratch *s, struct piece host)
{
	__u64 *words = (__u64 *)&s->key;

	for (__u32 i = 0; i < sizeof(s->key) / 8; i++) {
		__u64 word = word_at(s, host.at + 8 * i);

		word |= mask_range(word, 'A', 'Z') >> 2;
		words[i] = little_endian(host.n > 8 * i ? word_cut(word, host.n - 8 * i) : 0);
	}
}

/* Of the Request-URI, which names the trunk; behind it the version. Returns where the next line
 * begins. */
__noinline __u32 uri_read(struct scratch *s, __u32 pos, __u32 end)
{
	struct piece host;
	__u32 port, user;

	if (!s)
		return 0;
	if ((__u32)lower(word_at(s, pos)) != TEXT4('s', 'i', 'p', ':'))
		return 0;
	pos += 4;
	user = span_token(s, pos);
	if (byte_at(s, user) == '@') {
		if (user == pos)
			return 0;
		pos = user + 1;
	}
	pos = hostport_read(s, pos, &host, &port);
	/* How an IPv6 address is spelled, and a final dot, do not matter to the daemon. */
	if (!pos || host.n > SIPWARD_CHALLENGE_DOMAIN || byte_at(s, host.at) == '[' ||
	    byte_at(s, host.at + host.n - 1) == '.')
		return 0;
	for (int i = 0; i < PARAMS_MAX && byte_at(s, pos) == ';'; i++)
		pos = param_read(s, pos).end;
	if (word_at(s, pos) != TEXT8(' ', 'S', 'I', 'P', '/', '2', '.', '0') || pos + 8 != end)
		return 0;
	key_write(s, host);
	return end + 2;
}

static __always_inline __u32 method_read(struct scratch *s)
{
	__u64 others = ~mask_range(word_at(s, 0), 'A', 'Z') & HIGH_BITS;
	__u32 n = others ? mask_first(others) : 8;

	if (!others) {
		others = ~mask_range(word_at(s, 8), 'A', 'Z') & HIGH_BITS;
		n += others ? mask_first(others) : 8;
	}
	s->method = (struct piece){0, n};
	return n && byte_at(s, n) == ' ' ? n + 1 : 0;
}

/* The whole request in scratch.text. False: leave it to the daemon. */
static __always_inline bool request_read(struct scratch *s)
{
	__u32 end = line_end(s, 0);
	__u32 pos = end ? method_read(s) : 0;

	s->via_count = 0;
	s->seen = 0;
	s->content_length = 0;
	s->nonce_at = 0;
	s->to_tag = (struct piece){};
	if (pos)
		pos = uri_read(s, pos, end);
	return pos && fields_read(s, pos);
}

static __always_inline bool method_is(const struct scratch *s, __u64 name, __u32 n)
{
	return s->method.n == n && word_cut(word_at(s, 0), n) == name;
}

#endif
