/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/sip_reply.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "sip/sip_scan.h"

/* Text that grows in the caller's buffer; once something did not fit, it stays full. */
struct writer {
	char *buf;
	size_t size, used;
	bool full;
};

static void put(struct writer *out, struct slice s)
{
	if (out->full || s.n > out->size - out->used) {
		out->full = true;
		return;
	}
	if (s.n > 0)
		memcpy(out->buf + out->used, s.p, s.n);
	out->used += s.n;
}

/* Unfolds, so that no odd line end of a refused request gets into the reply. */
static void put_value(struct writer *out, struct slice s)
{
	size_t begin = out->used;

	put(out, s);
	for (size_t i = begin; i < out->used; i++) {
		if (out->buf[i] == '\r' || out->buf[i] == '\n' || out->buf[i] == '\0')
			out->buf[i] = ' ';
	}
}

__attribute__((format(printf, 2, 3))) static void put_format(struct writer *out, const char *format,
							     ...)
{
	char text[256];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(text))
		out->full = true;
	else
		put(out, (struct slice){text, (size_t)n});
}

static int finish(const struct writer *out, size_t *ret_n)
{
	if (out->full)
		return -ENOSPC;
	*ret_n = out->used;
	return 0;
}

/* RFC 3261 §18.2.1: received where the sent-by is another address or a name; RFC 3581 §4: and
 * always beside rport. */
static bool wants_received(const struct sip_via *via, const struct endpoint *source)
{
	struct ip sent_by;

	if (source->ip.family == 0)
		return false;
	return via->has_rport || ip_parse(via->host, &sent_by) != 0 ||
	       !ip_eq(&sent_by, &source->ip);
}

static void put_via(struct writer *out, const struct sip_via *via, const struct endpoint *source)
{
	struct slice head, rest;
	struct sip_param param;
	size_t position = 0;
	char text[IP_TEXT_SIZE];

	if (source->ip.family == 0) {
		put_value(out, via->text);
		return;
	}
	head = via->params.n ? slice_between(via->text.p, via->params.p) : via->text;
	put_value(out, slice_trim(slice_cut(head, ';', &rest)));
	while (sip_param_next(via->params, &position, &param)) {
		if (slice_eq_nocase(param.name, SLICE("received")))
			continue;
		put(out, SLICE(";"));
		if (slice_eq_nocase(param.name, SLICE("rport")))
			put_format(out, "rport=%u", (unsigned)source->port);
		else
			put_value(out, param.text);
	}
	if (!wants_received(via, source))
		return;
	ip_format(&source->ip, text);
	put(out, SLICE(";received="));
	put(out, slice_from(text));
}

int sip_via_stamp(const struct sip_via *via, const struct endpoint *source, char *buf, size_t size,
		  size_t *ret_n)
{
	struct writer out = {.buf = buf, .size = size};

	put_via(&out, via, source);
	return finish(&out, ret_n);
}

static void put_vias(struct writer *out, const struct sip_msg *request,
		     const struct endpoint *source)
{
	int first = request->first[SIP_VIA];

	for (int i = first; i >= 0; i = sip_msg_next(request, SIP_VIA, i)) {
		struct slice value = request->headers[i].value;

		put(out, SLICE("Via: "));
		if (i == first && request->via.text.n) {
			put_via(out, &request->via, source);
			/* From the comma on. */
			value = slice_between(request->via.text.p + request->via.text.n,
					value.p + value.n);
		}
		put_value(out, value);
		put(out, SLICE("\r\n"));
	}
}

static void put_header(struct writer *out, const struct sip_msg *request, enum sip_header_id id,
		       struct slice name)
{
	if (request->first[id] < 0)
		return;
	put(out, name);
	put_value(out, sip_msg_value(request, id));
	put(out, SLICE("\r\n"));
}

static void put_to(struct writer *out, const struct sip_msg *request, const struct sip_reply *reply)
{
	struct slice value = sip_msg_value(request, SIP_TO);

	if (request->first[SIP_TO] < 0)
		return;
	put(out, SLICE("To: "));
	put_value(out, value);
	if (reply->status != 100 && reply->to_tag.n > 0 && request->to.tag.n == 0) {
		put(out, SLICE(";tag="));
		put(out, reply->to_tag);
	}
	put(out, SLICE("\r\n"));
}

static void put_timestamp(struct writer *out, const struct sip_msg *request)
{
	for (unsigned i = 0; i < request->header_count; i++) {
		const struct sip_header *header = &request->headers[i];

		if (!slice_eq_nocase(header->name, SLICE("Timestamp")))
			continue;
		put(out, SLICE("Timestamp: "));
		put_value(out, header->value);
		put(out, SLICE("\r\n"));
		return;
	}
}

int sip_reply_write(const struct sip_msg *request, const struct sip_reply *reply, char *buf,
		    size_t size, size_t *ret_n)
{
	struct writer out = {.buf = buf, .size = size};

	put_format(&out, "SIP/2.0 %u %s\r\n", reply->status,
		   reply->reason ? reply->reason : sip_reason_phrase(reply->status));
	put_vias(&out, request, &reply->source);
	put_header(&out, request, SIP_FROM, SLICE("From: "));
	put_to(&out, request, reply);
	put_header(&out, request, SIP_CALL_ID, SLICE("Call-ID: "));
	put_header(&out, request, SIP_CSEQ, SLICE("CSeq: "));
	if (reply->status == 100)
		put_timestamp(&out, request);
	put(&out, reply->headers);
	put(&out, SLICE("Content-Length: 0\r\n\r\n"));
	return finish(&out, ret_n);
}

struct endpoint sip_reply_destination(const struct sip_msg *request, const struct endpoint *source)
{
	const struct sip_via *via = &request->via;
	struct endpoint destination = *source;

	/* maddr is not followed: it would let anyone have replies sent to a third address. */
	if (!via->text.n || via->has_rport)
		return destination;
	destination.port = slice_eq_nocase(via->transport, SLICE("TLS")) ? 5061 : 5060;
	if (via->port)
		destination.port = via->port;
	return destination;
}
