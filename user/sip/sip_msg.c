/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines end with CRLF or, as every parser met in practice takes it, with LF alone. A CR that is not
 * before LF is refused: some parsers take it as a line end and others do not, so that we and the
 * PBX behind would see different header fields. The same goes for all else that is refused here.
 */
#include "sip/sip_msg.h"

#include <errno.h>

#include "sip/sip_scan.h"

struct parser {
	const char *pos, *end;
	struct sip_msg *msg;
	const char *why; /* the first fault; NULL = none */
	bool bad_version;
};

static void fault(struct parser *parser, const char *why)
{
	if (!parser->why)
		parser->why = why;
}

/* The next line, without its end: false if no line end is left. */
static bool take_line(struct parser *parser, struct slice *ret_text)
{
	const char *begin = parser->pos;
	const char *lf = memchr(begin, '\n', (size_t)(parser->end - begin));
	const char *cr;

	if (!lf)
		return false;
	parser->pos = lf + 1;
	*ret_text = slice_between(begin, lf);
	cr = memchr(begin, '\r', ret_text->n);
	if (cr && cr + 1 == lf)
		ret_text->n--;
	else if (cr)
		fault(parser, "CR Without LF");
	return true;
}

/* Adds a continuation line (RFC 3261 §7.3.1) to the text. One of white space only is refused: it
 * passes for the empty line elsewhere. */
static bool take_fold(struct parser *parser, struct slice *text)
{
	struct slice line;

	if (parser->pos == parser->end || (*parser->pos != ' ' && *parser->pos != '\t'))
		return false;
	if (!take_line(parser, &line))
		return false;
	if (slice_trim(line).n == 0)
		fault(parser, "Empty Continuation Line");
	*text = slice_between(text->p, line.p + line.n);
	return true;
}

static bool is_version(struct slice s)
{
	struct slice minor, major = slice_cut(s, '.', &minor);
	uint32_t number;

	return slice_u32(major, &number) != -EINVAL && slice_u32(minor, &number) != -EINVAL;
}

static void check_version(struct parser *parser, struct slice version)
{
	struct slice number = {version.p + 4, version.n - 4}; /* after "SIP/" */

	if (slice_eq(number, SLICE("2.0")))
		return;
	parser->bad_version = is_version(number);
	fault(parser, parser->bad_version ? "Version Not Supported" : "Malformed SIP Version");
}

static void check_uri(struct parser *parser)
{
	struct slice headers;
	struct sip_uri uri;

	if (sip_uri_scan(parser->msg->uri, &uri, &headers) != 0)
		fault(parser, "Malformed Request-URI");
	else if (headers.n > 0)
		fault(parser, "Headers in Request-URI");
}

/* Whether it looks like SIP at all, which the version at its end tells. */
static bool parse_request_line(struct parser *parser, struct slice line)
{
	struct sip_msg *msg = parser->msg;
	struct slice trimmed = slice_trim(line), rest, version;
	const char *space;

	msg->is_request = true;
	msg->method_text = slice_cut(trimmed, ' ', &rest);
	space = rest.n > 0 ? memrchr(rest.p, ' ', rest.n) : NULL;
	if (!space)
		return false;
	version = slice_between(space + 1, rest.p + rest.n);
	if (!slice_starts_nocase(version, SLICE("SIP/")))
		return false;
	msg->uri = slice_between(rest.p, space);
	msg->method = sip_method_of(msg->method_text);
	if (trimmed.n != line.n)
		fault(parser, "Extra Space in Request Line");
	check_version(parser, version);
	if (!sip_all_are(msg->method_text, CHAR_TOKEN))
		fault(parser, "Malformed Method");
	check_uri(parser);
	return true;
}

static void parse_status_line(struct parser *parser, struct slice line)
{
	struct sip_msg *msg = parser->msg;
	struct slice rest, version = slice_cut(line, ' ', &rest);
	struct slice code = slice_cut(rest, ' ', &msg->reason);
	uint32_t status = 0;

	check_version(parser, version);
	if (code.n != 3 || slice_u32(code, &status) != 0 || status < 100 || status > 699)
		fault(parser, "Malformed Status");
	msg->status = status;
}

static bool parse_start_line(struct parser *parser)
{
	const char *begin = parser->pos;
	struct slice line;

	if (!take_line(parser, &line))
		return false;
	parser->msg->start_line = slice_between(begin, parser->pos);
	if (!slice_starts_nocase(line, SLICE("SIP/")))
		return parse_request_line(parser, line);
	parse_status_line(parser, line);
	return true;
}

static const char *duplicate_fault(enum sip_header_id id)
{
	switch (id) {
	case SIP_FROM:
		return "From Stands Twice";
	case SIP_TO:
		return "To Stands Twice";
	case SIP_CALL_ID:
		return "Call-ID Stands Twice";
	case SIP_CSEQ:
		return "CSeq Stands Twice";
	case SIP_MAX_FORWARDS:
		return "Max-Forwards Stands Twice";
	case SIP_CONTENT_LENGTH: /* a stream with two is cut off: see net/framing.h */
		return "Content-Length Stands Twice";
	default:
		return NULL;
	}
}

/* text: the field without its final line end. */
static void add_field(struct parser *parser, struct slice line, struct slice text)
{
	struct sip_msg *msg = parser->msg;
	struct sip_header *header = &msg->headers[msg->header_count];
	size_t name = sip_span(text, 0, CHAR_TOKEN), colon = name;

	while (colon < text.n && (text.p[colon] == ' ' || text.p[colon] == '\t'))
		colon++;
	if (name == 0 || colon == text.n || text.p[colon] != ':') {
		fault(parser, "Malformed Header Field");
		return;
	}
	if (msg->header_count == SIP_HEADERS_MAX) {
		fault(parser, "Too Many Header Fields");
		return;
	}
	header->line = line;
	header->name = (struct slice){text.p, name};
	header->value = slice_trim(slice_between(text.p + colon + 1, text.p + text.n));
	header->id = sip_header_id_of(header->name);
	if (msg->first[header->id] < 0)
		msg->first[header->id] = (int)msg->header_count;
	else if (duplicate_fault(header->id))
		fault(parser, duplicate_fault(header->id));
	msg->header_count++;
}

static void parse_fields(struct parser *parser)
{
	const char *begin = parser->pos;
	struct slice text;

	while (take_line(parser, &text)) {
		if (text.n == 0) {
			parser->msg->blank_line = slice_between(begin, parser->pos);
			return;
		}
		while (take_fold(parser, &text))
			;
		add_field(parser, slice_between(begin, parser->pos), text);
		begin = parser->pos;
	}
	fault(parser, "Missing Empty Line");
	parser->pos = parser->end;
	parser->msg->blank_line = slice_between(parser->end, parser->end);
}

static bool nul_only_quoted(struct slice value)
{
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '\0')
			return false;
		if (value.p[i] != '"')
			continue;
		for (i++; i < value.n && value.p[i] != '"'; i++) {
			if (value.p[i] == '\0')
				return false;
			if (value.p[i] == '\\')
				i++;
		}
	}
	return true;
}

/* A zero byte is refused but where RFC 3261 §25.1 allows it: as a quoted pair in a quoted string.
 */
static void check_nul(struct parser *parser)
{
	const struct sip_msg *msg = parser->msg;
	const char *begin = msg->start_line.p, *end = msg->blank_line.p;

	if (!memchr(begin, '\0', (size_t)(end - begin)))
		return;
	if (memchr(begin, '\0', msg->start_line.n))
		fault(parser, "Zero Byte in Start Line");
	for (unsigned i = 0; i < msg->header_count; i++) {
		if (!nul_only_quoted(msg->headers[i].value))
			fault(parser, "Zero Byte in Header Field");
	}
}

static void check_via(struct parser *parser)
{
	struct sip_msg *msg = parser->msg;
	unsigned place = 0;

	for (int i = msg->first[SIP_VIA]; i >= 0; i = sip_msg_next(msg, SIP_VIA, i)) {
		struct slice element;
		size_t position = 0;

		if (msg->headers[i].value.n == 0)
			fault(parser, "Malformed Via");
		while (sip_list_next(msg->headers[i].value, &position, &element)) {
			struct sip_via other;
			struct sip_via *via = place == 0 ? &msg->via :
					      place == 1 ? &msg->via_below : &other;

			if (sip_via_parse(element, via) != 0)
				fault(parser, "Malformed Via");
			place++;
		}
	}
}

static void check_address(struct parser *parser, enum sip_header_id id,
			  struct sip_name_addr *ret_addr)
{
	struct slice value = sip_msg_value(parser->msg, id);

	if (sip_name_addr_scan(value, ret_addr) == 0)
		return;
	ret_addr->tag = sip_tag(value);
	fault(parser, id == SIP_FROM ? "Malformed From" : "Malformed To");
}

static void check_call_id(struct parser *parser)
{
	struct slice value = sip_msg_value(parser->msg, SIP_CALL_ID);

	for (size_t i = 0; i < value.n; i++) {
		if ((unsigned char)value.p[i] <= ' ' || value.p[i] == 0x7f)
			fault(parser, "Malformed Call-ID");
	}
}

static void check_cseq(struct parser *parser)
{
	struct sip_msg *msg = parser->msg;
	struct slice value = sip_msg_value(msg, SIP_CSEQ), method;
	size_t digits = 0;

	while (digits < value.n && !sip_char_is(value.p[digits], CHAR_LWS))
		digits++;
	method = slice_trim(slice_between(value.p + digits, value.p + value.n));
	if (slice_u32((struct slice){value.p, digits}, &msg->cseq) != 0 ||
	    !sip_all_are(method, CHAR_TOKEN)) {
		fault(parser, "Malformed CSeq");
		return;
	}
	if (msg->is_request && !slice_eq(method, msg->method_text))
		fault(parser, "CSeq Method Does Not Match");
	if (!msg->is_request) {
		msg->method = sip_method_of(method);
		msg->method_text = method;
	}
}

static void check_max_forwards(struct parser *parser)
{
	struct sip_msg *msg = parser->msg;
	uint32_t hops;

	if (msg->first[SIP_MAX_FORWARDS] < 0)
		return;
	if (slice_u32(sip_msg_value(msg, SIP_MAX_FORWARDS), &hops) != 0 || hops > 255) {
		fault(parser, "Malformed Max-Forwards");
		return;
	}
	msg->has_max_forwards = true;
	msg->max_forwards = hops;
}

/* RFC 3261 §18.3. */
static void set_body(struct parser *parser)
{
	struct sip_msg *msg = parser->msg;
	uint32_t rest = (uint32_t)(parser->end - parser->pos), length = rest;

	if (msg->first[SIP_CONTENT_LENGTH] >= 0 &&
	    slice_u32(sip_msg_value(msg, SIP_CONTENT_LENGTH), &length) != 0)
		fault(parser, "Malformed Content-Length");
	if (length > rest) {
		fault(parser, "Content-Length Beyond Datagram");
		length = rest;
	}
	msg->body = (struct slice){parser->pos, length};
	msg->raw = slice_between(msg->start_line.p, parser->pos + length);
}

static const char *missing_fault(const struct sip_msg *msg)
{
	if (sip_msg_value(msg, SIP_VIA).n == 0)
		return "Missing Via";
	if (sip_msg_value(msg, SIP_FROM).n == 0)
		return "Missing From";
	if (sip_msg_value(msg, SIP_TO).n == 0)
		return "Missing To";
	if (sip_msg_value(msg, SIP_CALL_ID).n == 0)
		return "Missing Call-ID";
	if (sip_msg_value(msg, SIP_CSEQ).n == 0)
		return "Missing CSeq";
	return NULL;
}

static enum sip_parse_result check(struct parser *parser)
{
	const char *missing = missing_fault(parser->msg);

	check_nul(parser);
	set_body(parser);
	if (missing) {
		fault(parser, missing);
		return SIP_PARSE_UNANSWERABLE;
	}
	check_via(parser);
	check_address(parser, SIP_FROM, &parser->msg->from);
	check_address(parser, SIP_TO, &parser->msg->to);
	check_call_id(parser);
	check_cseq(parser);
	check_max_forwards(parser);
	if (!parser->why)
		return SIP_PARSE_OK;
	if (!parser->msg->is_request)
		return SIP_PARSE_UNANSWERABLE;
	return parser->bad_version ? SIP_PARSE_BAD_VERSION : SIP_PARSE_BAD_REQUEST;
}

/* All but the headers, which are big and valid up to header_count only. */
static void clear(struct sip_msg *msg)
{
	memset(msg, 0, offsetof(struct sip_msg, headers));
	memset(&msg->header_count, 0, sizeof(*msg) - offsetof(struct sip_msg, header_count));
	memset(msg->first, 0xff, sizeof(msg->first));
	msg->max_forwards = 70;
}

enum sip_parse_result sip_msg_parse(struct slice raw, struct sip_msg *ret_msg, const char **ret_why)
{
	struct parser parser = {.pos = raw.p, .end = raw.p + raw.n, .msg = ret_msg};
	enum sip_parse_result result = SIP_PARSE_NOT_SIP;

	clear(ret_msg);
	ret_msg->raw = raw;
	while (parser.pos < parser.end && (*parser.pos == '\r' || *parser.pos == '\n'))
		parser.pos++;
	if (raw.n > SIP_MSG_MAX_BYTES || parser.pos == parser.end || !parse_start_line(&parser)) {
		fault(&parser, "Not SIP");
	} else {
		parse_fields(&parser);
		result = check(&parser);
	}
	*ret_why = parser.why ? parser.why : "OK";
	return result;
}

int sip_msg_next(const struct sip_msg *msg, enum sip_header_id id, int index)
{
	for (unsigned i = (unsigned)(index + 1); i < msg->header_count; i++) {
		if (msg->headers[i].id == id)
			return (int)i;
	}
	return -1;
}

struct slice sip_msg_value(const struct sip_msg *msg, enum sip_header_id id)
{
	int index = msg->first[id];

	return index < 0 ? (struct slice){NULL, 0} : msg->headers[index].value;
}

struct slice sip_cseq_number(const struct sip_msg *msg)
{
	struct slice value = sip_msg_value(msg, SIP_CSEQ);
	size_t n = 0;

	while (n < value.n && value.p[n] >= '0' && value.p[n] <= '9')
		n++;
	return (struct slice){value.p, n};
}

bool sip_walk_next(struct sip_walk *walk, struct slice *ret_element)
{
	while (walk->header >= 0) {
		struct slice value = walk->msg->headers[walk->header].value;

		if (sip_list_next(value, &walk->position, ret_element))
			return true;
		walk->header = sip_msg_next(walk->msg, walk->id, walk->header);
		walk->position = 0;
	}
	return false;
}
