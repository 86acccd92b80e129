/* SPDX-License-Identifier: BSD-2-Clause */
/* What holds for every index over every input; unit tests and the fuzzer both check it. */
#ifndef SIPWARD_SIP_INVARIANTS_H
#define SIPWARD_SIP_INVARIANTS_H

#include "sip/sip_msg.h"

static bool slice_inside(struct slice part, struct slice whole)
{
	return part.n == 0 || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

/* Whether the message is, byte for byte, start line, header fields, empty line, body. */
static bool parts_make_the_whole(const struct sip_msg *msg)
{
	const char *at = msg->raw.p;

	if (msg->start_line.p != at)
		return false;
	at += msg->start_line.n;
	for (unsigned i = 0; i < msg->header_count; i++) {
		if (msg->headers[i].line.p != at)
			return false;
		at += msg->headers[i].line.n;
	}
	if (msg->blank_line.p != at || msg->body.p != at + msg->blank_line.n)
		return false;
	return msg->body.p + msg->body.n == msg->raw.p + msg->raw.n;
}

static bool header_holds_its_parts(const struct sip_header *header)
{
	return header->name.n > 0 && slice_inside(header->name, header->line) &&
	       slice_inside(header->value, header->line) &&
	       header->id == sip_header_id_of(header->name);
}

static bool first_is_first(const struct sip_msg *msg)
{
	for (int id = SIP_OTHER_HEADER; id < SIP_HEADER_IDS; id++) {
		if (msg->first[id] != sip_msg_next(msg, (enum sip_header_id)id, -1))
			return false;
	}
	return true;
}

/* NULL, or the invariant that is broken. */
static const char *broken_invariant(struct slice input, enum sip_parse_result result,
				    const struct sip_msg *msg)
{
	if (!slice_inside(msg->raw, input))
		return "the message lies in the input";
	if (!slice_inside(msg->start_line, msg->raw) || !slice_inside(msg->uri, msg->raw) ||
	    !slice_inside(msg->method_text, msg->raw) || !slice_inside(msg->body, msg->raw))
		return "the parts lie in the message";
	if (msg->header_count > SIP_HEADERS_MAX || !first_is_first(msg))
		return "first is the first";
	for (unsigned i = 0; i < msg->header_count; i++) {
		if (!slice_inside(msg->headers[i].line, msg->raw) ||
		    !header_holds_its_parts(&msg->headers[i]))
			return "header fields hold their name and value";
	}
	if (result == SIP_PARSE_OK && !parts_make_the_whole(msg))
		return "the parts make the whole";
	if (result < SIP_PARSE_UNANSWERABLE &&
	    (sip_msg_value(msg, SIP_VIA).n == 0 || sip_msg_value(msg, SIP_FROM).n == 0 ||
	     sip_msg_value(msg, SIP_TO).n == 0 || sip_msg_value(msg, SIP_CALL_ID).n == 0 ||
	     sip_msg_value(msg, SIP_CSEQ).n == 0))
		return "what a reply needs is there";
	return NULL;
}

#endif
