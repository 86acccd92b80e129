/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/framing.h"

#include "net/net.h"
#include "sip/sip_msg.h"

static struct slice after(struct slice s, size_t n)
{
	return (struct slice){s.p + n, s.n - n};
}

static bool is_line_end(char c)
{
	return c == '\r' || c == '\n';
}

/* Line ends before a message, up to the end of a keep-alive. */
static enum framing_result take_blanks(struct framing *framing, struct slice bytes, size_t *ret_n)
{
	size_t n = 0;

	while (n < bytes.n && is_line_end(bytes.p[n])) {
		char c = bytes.p[n++];

		if (c == "\r\n\r\n"[framing->blanks])
			framing->blanks++;
		else
			framing->blanks = c == '\r';
		if (framing->blanks < 4)
			continue;
		framing->blanks = 0;
		*ret_n = n;
		return FRAMING_PING;
	}
	*ret_n = n;
	return FRAMING_BLANK;
}

/* As sip_msg_parse knows SIP: by the version, first in a response, and in a request last, after the
 * method and the URI. */
static bool is_start_line(struct slice line)
{
	struct slice version;
	const char *space;

	if (slice_starts_nocase(line, SLICE("SIP/")))
		return true;
	slice_cut(slice_trim(line), ' ', &version);
	space = version.n ? memrchr(version.p, ' ', version.n) : NULL;
	return space && slice_starts_nocase(after(version, (size_t)(space + 1 - version.p)),
					    SLICE("SIP/"));
}

/* The bytes up to and with the next line end; 0 if there is none. */
static size_t line_size(struct slice bytes, size_t from)
{
	const char *lf = memchr(bytes.p + from, '\n', bytes.n - from);

	return lf ? (size_t)(lf + 1 - bytes.p) : 0;
}

/* The size of the header with its empty line; 0 if it is not whole yet. A first line that is no SIP
 * is told as soon as it is there. */
static size_t header_size(struct framing *framing, struct slice bytes, const char **ret_why)
{
	size_t end;

	while ((end = line_size(bytes, framing->looked))) {
		const char *lf = bytes.p + end - 1;
		bool first = !memchr(bytes.p, '\n', framing->looked);

		framing->looked = end;
		if (first) {
			if (!is_start_line((struct slice){bytes.p, end}))
				*ret_why = "Not SIP";
			if (*ret_why)
				return 0;
		} else if (lf[-1] == '\n' || (lf[-1] == '\r' && lf[-2] == '\n')) {
			return end;
		}
	}
	framing->looked = bytes.n;
	return 0;
}

/* Takes the next field with its continuation lines off the header. */
static struct slice next_field(struct slice *header)
{
	size_t n = line_size(*header, 0);
	struct slice field;

	while (n < header->n && (header->p[n] == ' ' || header->p[n] == '\t'))
		n = line_size(*header, n);
	field = (struct slice){header->p, n};
	*header = after(*header, n);
	return field;
}

static const char *read_length(struct slice header, uint32_t *ret_length)
{
	bool found = false;

	next_field(&header);
	while (header.n) {
		struct slice value, name = slice_cut(next_field(&header), ':', &value);

		if (sip_header_id_of(slice_trim(name)) != SIP_CONTENT_LENGTH)
			continue;
		if (found)
			return "Content-Length Stands Twice";
		if (slice_u32(slice_trim(value), ret_length))
			return "Malformed Content-Length";
		found = true;
	}
	return found ? NULL : "Missing Content-Length";
}

static const char *find_total(struct framing *framing, struct slice bytes)
{
	const char *why = NULL;
	size_t header = header_size(framing, bytes, &why);
	uint32_t length = 0;

	/* Such as a TLS hello, which may never have a line end. */
	if ((unsigned char)bytes.p[0] < ' ')
		return "Not SIP";
	if (why)
		return why;
	if (header > NET_DATAGRAM_MAX || (!header && bytes.n >= NET_DATAGRAM_MAX))
		return "Message Too Large";
	if (!header)
		return NULL;
	why = read_length((struct slice){bytes.p, header}, &length);
	if (!why && length > NET_DATAGRAM_MAX - header)
		why = "Message Too Large";
	framing->total = header + length;
	return why;
}

enum framing_result framing_next(struct framing *framing, struct slice bytes, size_t *ret_n,
				 const char **ret_why)
{
	const char *why;

	if (!bytes.n)
		return FRAMING_MORE;
	if (is_line_end(bytes.p[0]))
		return take_blanks(framing, bytes, ret_n);
	framing->blanks = 0;
	why = framing->total ? NULL : find_total(framing, bytes);
	if (why) {
		*ret_why = why;
		return FRAMING_BROKEN;
	}
	if (!framing->total || bytes.n < framing->total)
		return FRAMING_MORE;
	*ret_n = framing->total;
	*framing = (struct framing){0};
	return FRAMING_MESSAGE;
}
