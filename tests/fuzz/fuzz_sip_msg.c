/* SPDX-License-Identifier: BSD-2-Clause */
/* A datagram from anybody: index it, take its values apart, edit it, answer it. */
#include <osipparser2/osip_parser.h>
#include <stdio.h>
#include <stdlib.h>

#include "../unit/messages/sip_invariants.h"
#include "sip/sip_edit.h"
#include "sip/sip_grammar.h"
#include "sip/sip_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUTPUT (SIP_MSG_MAX_BYTES + SIP_EDIT_POOL + 4096)

static const struct endpoint source = {{4, {192, 0, 2, 77}}, 40000};
static struct sip_msg msg, again;
static struct sip_edit edit;
static char written[OUTPUT], joined[OUTPUT];

static void must(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* Choices that depend on the input alone. */
static uint32_t choice_state;

static void choose_from(const uint8_t *data, size_t size)
{
	choice_state = 2166136261u;
	for (size_t i = 0; i < size; i++)
		choice_state = (choice_state ^ data[i]) * 16777619u;
}

static unsigned choose(unsigned n)
{
	choice_state = choice_state * 1664525u + 1013904223u;
	return (choice_state >> 8) % n;
}

/* What osip2 was not asked about, it would have read the same. */
static void ask_osip(const struct sip_uri *uri)
{
	osip_uri_t *theirs;
	char text[1024];

	if (uri->scheme.n + uri->user.n + uri->host.n > sizeof(text) - 8)
		return;
	snprintf(text, sizeof(text), "%.*s:%.*s%s%.*s", (int)uri->scheme.n, uri->scheme.p,
		 (int)uri->user.n, uri->user.n ? uri->user.p : "", uri->user.n ? "@" : "",
		 (int)uri->host.n, uri->host.p);
	must(osip_uri_init(&theirs) == 0 && osip_uri_parse(theirs, text) == 0, "osip2 reads it");
	must(slice_eq(uri->host, slice_from(theirs->host)), "the host is osip2's");
	must(slice_eq(uri->user, slice_from(theirs->username)), "the user is osip2's");
	osip_uri_free(theirs);
}

static void read_uri(struct slice text)
{
	struct sip_uri uri;
	struct slice value;

	if (sip_uri_parse(text, &uri) != 0)
		return;
	must(uri.scheme.n > 0, "a URI has a scheme");
	must(!uri.user.n || !memchr(uri.user.p, '\0', uri.user.n), "no zero byte in a user");
	sip_param_find(uri.params, "lr", &value);
	if (!uri.owned && uri.host.n)
		ask_osip(&uri);
	sip_uri_free(&uri);
}

static void read_via(struct slice element)
{
	struct sip_via via, stamped;
	size_t n;

	if (sip_via_parse(element, &via) != 0)
		return;
	must(via.host.n > 0 && via.transport.n > 0, "a Via has host and transport");
	must(sip_via_stamp(&via, &source, written, sizeof(written), &n) == 0,
	     "a Via is stamped");
	must(sip_via_parse((struct slice){written, n}, &stamped) == 0, "a stamped Via is a Via");
	must(slice_eq(stamped.branch, via.branch), "the branch stays");
	must(stamped.rport == (via.has_rport ? source.port : 0), "rport is the source's");
	must(stamped.received.n == 0 || slice_eq(stamped.received, SLICE("192.0.2.77")),
	     "received is the source");
}

static void read_name_addr(struct slice element)
{
	struct sip_name_addr addr;

	if (sip_name_addr_parse(element, &addr) != 0)
		return;
	must(slice_eq(addr.tag, sip_tag(element)), "both ways to read a tag agree");
	read_uri(addr.uri);
}

static void read_credentials(struct slice value)
{
	struct sip_credentials credentials;

	if (sip_credentials_parse(value, &credentials) != 0)
		return;
	must(credentials.scheme.n > 0, "credentials have a scheme");
	sip_credentials_free(&credentials);
}

static void read_values(void)
{
	read_uri(msg.uri);
	for (unsigned i = 0; i < msg.header_count; i++) {
		struct slice value = msg.headers[i].value, element;
		size_t position = 0;

		read_credentials(value);
		while (sip_list_next(value, &position, &element)) {
			must(slice_inside(element, value), "elements lie in their value");
			read_via(element);
			read_name_addr(element);
		}
	}
}

static bool may_be_dropped(enum sip_header_id id)
{
	return id == SIP_OTHER_HEADER || id >= SIP_MAX_FORWARDS;
}

/* An edit that leaves a message to be taken. */
static void edit_once(void)
{
	unsigned header = choose(msg.header_count);

	switch (choose(4)) {
	case 0:
		sip_edit_insert(&edit, (int)header, "X-Fuzz: %u\r\n", header);
		break;
	case 1:
		if (may_be_dropped(msg.headers[header].id))
			sip_edit_drop(&edit, (int)header);
		break;
	case 2:
		if (msg.has_max_forwards)
			sip_edit_replace(&edit, sip_msg_value(&msg, SIP_MAX_FORWARDS), "69");
		break;
	default:
		if (msg.first[SIP_ROUTE] >= 0)
			sip_edit_drop_first_element(&edit, msg.first[SIP_ROUTE]);
	}
}

static bool is_header_line(struct slice part)
{
	for (unsigned i = 0; i < msg.header_count; i++) {
		if (part.p == msg.headers[i].line.p && part.n == msg.headers[i].line.n)
			return true;
	}
	return false;
}

static unsigned expected_headers(void)
{
	unsigned count = msg.header_count;

	for (unsigned i = 0; i < edit.op_count; i++) {
		if (edit.ops[i].cut.n == 0)
			count++;
		else if (is_header_line(edit.ops[i].cut))
			count--;
	}
	return count;
}

static size_t expected_size(void)
{
	size_t size = msg.raw.n;

	for (unsigned i = 0; i < edit.op_count; i++)
		size += edit.ops[i].text.n - edit.ops[i].cut.n;
	return size;
}

static size_t join(const struct iovec *iov, unsigned count)
{
	size_t used = 0;

	for (unsigned i = 0; i < count; i++) {
		memcpy(joined + used, iov[i].iov_base, iov[i].iov_len);
		used += iov[i].iov_len;
	}
	return used;
}

static void check_edit(void)
{
	struct iovec iov[2 * SIP_EDIT_OPS + 1];
	const char *why;
	unsigned count;
	size_t n;

	if (edit.failed) {
		must(sip_edit_iovec(&edit, iov, 1, &count) == edit.failed, "failure stays");
		return;
	}
	must(sip_edit_iovec(&edit, iov, 2 * SIP_EDIT_OPS + 1, &count) == 0, "an edit is sent");
	n = join(iov, count);
	must(n == expected_size(), "pieces add up");
	must(sip_edit_write(&edit, written, sizeof(written), &n) == 0, "an edit is written");
	must(n == expected_size() && memcmp(written, joined, n) == 0, "both ways to send agree");
	if (n > SIP_MSG_MAX_BYTES || expected_headers() > SIP_HEADERS_MAX)
		return;
	must(sip_msg_parse((struct slice){written, n}, &again, &why) == SIP_PARSE_OK,
	     "an edited message is taken");
	must(again.header_count == expected_headers(), "headers add up");
	must(again.cseq == msg.cseq && again.method == msg.method, "edits leave the rest alone");
}

static void edit_message(void)
{
	sip_edit_begin(&edit, &msg);
	check_edit();
	for (unsigned i = choose(6); i > 0; i--)
		edit_once();
	for (unsigned i = 1; i < edit.op_count; i++)
		must(edit.ops[i - 1].cut.p + edit.ops[i - 1].cut.n <= edit.ops[i].cut.p,
		     "operations are sorted and do not overlap");
	check_edit();
}

static void reply(enum sip_parse_result result)
{
	struct sip_reply what = {.status = 401, .to_tag = SLICE("fuzz"), .source = source};
	const char *why;
	size_t n;

	must(sip_reply_write(&msg, &what, written, sizeof(written), &n) == 0, "a reply is written");
	for (size_t i = 0; i < n; i++) {
		must(written[i] != '\r' || written[i + 1] == '\n', "no CR without LF in a reply");
		must(written[i] != '\n' || written[i - 1] == '\r', "no LF without CR in a reply");
	}
	if (result != SIP_PARSE_OK || n > SIP_MSG_MAX_BYTES || msg.header_count > 150)
		return;
	must(sip_msg_parse((struct slice){written, n}, &again, &why) == SIP_PARSE_OK,
	     "a reply is taken");
	must(!again.is_request && again.status == 401, "a reply is a response");
	must(again.cseq == msg.cseq && slice_eq(again.method_text, msg.method_text),
	     "a reply has the CSeq of its request");
	must(sip_tag(sip_msg_value(&again, SIP_TO)).n > 0, "a reply has a To tag");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice raw = {(const char *)data, size};
	const char *why = NULL, *broken;
	enum sip_parse_result result;

	if (size == 0)
		return 0;
	result = sip_msg_parse(raw, &msg, &why);
	broken = broken_invariant(raw, result, &msg);
	must(!broken, broken);
	must(why != NULL, "a result has a reason");
	choose_from(data, size);
	read_values();
	if (result == SIP_PARSE_OK)
		edit_message();
	if (result < SIP_PARSE_UNANSWERABLE)
		reply(result);
	return 0;
}
