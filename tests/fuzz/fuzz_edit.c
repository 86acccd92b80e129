/* SPDX-License-Identifier: BSD-2-Clause */
/* Edits of a message, chosen by the first bytes of the input: what is sent is the message with just
 * these changes, for us and for osip2. */
#include <osipparser2/osip_parser.h>
#include <stdio.h>
#include <stdlib.h>

#include "../unit/messages/sip_invariants.h"
#include "sip/sip_edit.h"
#include "sip/sip_grammar.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHOICES 12
#define OUTPUT (SIP_MSG_MAX_BYTES + SIP_EDIT_POOL + 4096)
#define OURS "X-Fuzz"

static struct sip_msg msg, again;
static struct sip_edit edit;
static char written[OUTPUT];
/* What has been done to each field, and to the rest. */
static enum { KEPT, CHANGED, DROPPED } fate[SIP_HEADERS_MAX];
static bool uri_changed;
static unsigned inserted;

static void must(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "broken: %s\n%.*s\n---\n%s\n", what, (int)msg.raw.n, msg.raw.p, written);
	abort();
}

/* ---- edits ---- */

/* Others are what makes a message one. */
static bool may_be_dropped(enum sip_header_id id)
{
	return id == SIP_OTHER_HEADER || id >= SIP_MAX_FORWARDS;
}

/* Whether the first of a list can go, and something be left. */
static bool has_second_element(struct slice value)
{
	struct slice element;
	size_t position = 0;

	return sip_list_next(value, &position, &element) &&
	       sip_list_next(value, &position, &element) && element.n;
}

static void insert(unsigned header)
{
	sip_edit_insert(&edit, (int)header, OURS ": %u\r\n", inserted++);
}

static void drop(unsigned header)
{
	if (fate[header] != KEPT || !may_be_dropped(msg.headers[header].id))
		return;
	sip_edit_drop(&edit, (int)header);
	fate[header] = DROPPED;
}

static void drop_element(unsigned header)
{
	const struct sip_header *h = &msg.headers[header];

	if (fate[header] != KEPT || !has_second_element(h->value) ||
	    (h->id != SIP_VIA && h->id != SIP_ROUTE && h->id != SIP_RECORD_ROUTE))
		return;
	sip_edit_drop_first_element(&edit, (int)header);
	fate[header] = CHANGED;
}

static void change_value(unsigned header)
{
	const struct sip_header *h = &msg.headers[header];

	if (fate[header] != KEPT || h->id != SIP_OTHER_HEADER || !h->value.n)
		return;
	sip_edit_replace(&edit, h->value, "changed");
	fate[header] = CHANGED;
}

static void change_uri(void)
{
	if (uri_changed || !msg.is_request)
		return;
	sip_edit_replace(&edit, msg.uri, "sip:changed@192.0.2.1:5070;transport=tcp");
	uri_changed = true;
}

static void raise_cseq(void)
{
	unsigned header = (unsigned)msg.first[SIP_CSEQ];

	if (fate[header] != KEPT || msg.cseq > 1000000)
		return;
	sip_edit_replace(&edit, sip_cseq_number(&msg), "%u", msg.cseq + 1);
	fate[header] = CHANGED;
}

static void edit_by(const uint8_t choices[CHOICES])
{
	memset(fate, 0, sizeof(fate));
	uri_changed = false;
	inserted = 0;
	sip_edit_begin(&edit, &msg);
	for (unsigned i = 0; i + 1 < CHOICES; i += 2) {
		unsigned header = choices[i + 1] % (msg.header_count + 1);

		if (choices[i] % 8 == 0 || header == msg.header_count)
			insert(header);
		else if (choices[i] % 8 == 1)
			drop(header);
		else if (choices[i] % 8 == 2)
			drop_element(header);
		else if (choices[i] % 8 == 3)
			change_value(header);
		else if (choices[i] % 8 == 4)
			change_uri();
		else if (choices[i] % 8 == 5)
			raise_cseq();
	}
}

/* ---- as we read it ---- */

static void expect_field(const struct sip_header *was, unsigned *at)
{
	while (*at < again.header_count &&
	       slice_eq(again.headers[*at].name, SLICE(OURS)))
		++*at;
	must(*at < again.header_count, "no field is lost");
	if (fate[was - msg.headers] == KEPT)
		must(slice_eq(again.headers[*at].line, was->line), "a field stays as it is");
	else
		must(slice_eq(again.headers[*at].name, was->name), "a name stays");
	++*at;
}

static void compare_fields(void)
{
	unsigned at = 0, dropped = 0;

	for (unsigned i = 0; i < msg.header_count; i++) {
		if (fate[i] == DROPPED)
			dropped++;
		else
			expect_field(&msg.headers[i], &at);
	}
	must(again.header_count == msg.header_count + inserted - dropped, "no field is added");
}

static void compare(void)
{
	must(uri_changed || slice_eq(again.start_line, msg.start_line), "the start stays");
	must(again.method == msg.method && again.status == msg.status, "the method stays");
	must(slice_eq(again.body, msg.body), "the body stays");
	must(again.cseq == msg.cseq + (fate[msg.first[SIP_CSEQ]] == CHANGED), "so does CSeq");
	compare_fields();
}

/* ---- as osip2 reads it ---- */

static osip_message_t *osip_read(struct slice bytes)
{
	osip_message_t *message;

	if (osip_message_init(&message))
		abort();
	if (osip_message_parse(message, bytes.p, bytes.n) == 0 && message->call_id &&
	    message->cseq && message->from && message->to)
		return message;
	osip_message_free(message);
	return NULL;
}

/* Values that osip2 keeps as they are, those of ours left out. */
static osip_header_t *next_other(const osip_message_t *message, int *i)
{
	osip_header_t *header;

	while ((header = osip_list_get(&message->headers, (*i)++)))
		if (strcasecmp(header->hname, OURS) != 0)
			return header;
	return NULL;
}

static bool nothing_of_others_is_touched(void)
{
	for (unsigned i = 0; i < msg.header_count; i++)
		if (fate[i] != KEPT)
			return false;
	return true;
}

static void compare_others(const osip_message_t *was, const osip_message_t *is)
{
	osip_header_t *a, *b;
	int i = 0, j = 0;

	do {
		a = next_other(was, &i);
		b = next_other(is, &j);
		must(!a == !b, "osip2 sees as many fields");
		must(!a || (!a->hvalue == !b->hvalue &&
			    (!a->hvalue || strcmp(a->hvalue, b->hvalue) == 0)),
		     "osip2 sees the same values");
	} while (a);
}

static void compare_by_osip(struct slice came, struct slice left)
{
	osip_message_t *was = osip_read(came), *is = was ? osip_read(left) : NULL;

	if (was) {
		must(is != NULL, "what osip2 has taken it takes");
		must(strcmp(was->call_id->number, is->call_id->number) == 0, "Call-ID stays");
		must(osip_list_size(&was->bodies) == osip_list_size(&is->bodies), "bodies stay");
		if (nothing_of_others_is_touched())
			compare_others(was, is);
	}
	osip_message_free(is);
	osip_message_free(was);
}

/* Our first use sets osip2 up, and makes it keep its opinions to itself. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct sip_uri uri;

	(void)argc;
	(void)argv;
	must(sip_uri_parse(SLICE("sip:%61@a"), &uri) == 0, "osip2 is there");
	sip_uri_free(&uri);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *why;
	size_t n;

	if (size < CHOICES ||
	    sip_msg_parse((struct slice){(const char *)data + CHOICES, size - CHOICES}, &msg,
			  &why) != SIP_PARSE_OK)
		return 0;
	edit_by(data);
	if (sip_edit_write(&edit, written, sizeof(written) - 1, &n))
		return 0;
	written[n] = '\0';
	if (n > SIP_MSG_MAX_BYTES || msg.header_count + inserted > SIP_HEADERS_MAX)
		return 0;
	must(sip_msg_parse((struct slice){written, n}, &again, &why) == SIP_PARSE_OK,
	     "what is sent is a message");
	must(!broken_invariant((struct slice){written, n}, SIP_PARSE_OK, &again), "indexed well");
	compare();
	compare_by_osip(msg.raw, (struct slice){written, n});
	return 0;
}
