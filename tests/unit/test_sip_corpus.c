/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of others, read where they lie (SIPWARD_SHARED, else ../shared); and every truncation
 * and every changed byte of our own. */
#include <errno.h>
#include <glob.h>
#include <osipparser2/osip_parser.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "messages/odd_messages.h"
#include "messages/sip_invariants.h"
#include "sip/sip_edit.h"
#include "sip/sip_grammar.h"
#include "sip/sip_reply.h"

static struct sip_msg msg;
static struct sip_edit edit;
static char written[SIP_MSG_MAX_BYTES];

/* Parses a copy of exactly the size, so that ASan sees the first byte beyond. The copy lives until
 * the next call; msg points into it. */
static enum sip_parse_result parse_copy(struct slice raw)
{
	static char *copy;
	enum sip_parse_result result;
	const char *why, *broken;

	free(copy);
	copy = malloc(raw.n ? raw.n : 1);
	assert_non_null(copy);
	if (raw.n > 0)
		memcpy(copy, raw.p, raw.n);
	raw.p = copy;
	result = sip_msg_parse(raw, &msg, &why);
	broken = broken_invariant(raw, result, &msg);
	if (broken)
		fail_msg("broken: %s", broken);
	return result;
}

static void assert_replies(enum sip_parse_result result)
{
	struct sip_reply reply = {
		.status = 400, .to_tag = SLICE("t"), .source = {{4, {192, 0, 2, 1}}, 5060}};
	size_t n;

	if (result < SIP_PARSE_UNANSWERABLE)
		assert_int_equal(sip_reply_write(&msg, &reply, written, sizeof(written), &n), 0);
}

/* An edit of nothing sends the bytes that came, without what is not part of the message. */
static void assert_sent_unchanged(struct slice raw)
{
	size_t n, skipped = 0;

	while (raw.p[skipped] == '\r' || raw.p[skipped] == '\n')
		skipped++;
	sip_edit_begin(&edit, &msg);
	assert_int_equal(sip_edit_write(&edit, written, sizeof(written), &n), 0);
	assert_true(n <= raw.n - skipped);
	assert_memory_equal(written, raw.p + skipped, n);
	if (msg.first[SIP_CONTENT_LENGTH] < 0)
		assert_int_equal(n, raw.n - skipped);
}

static int vias(void)
{
	int count = 0;

	for (int i = msg.first[SIP_VIA]; i >= 0; i = sip_msg_next(&msg, SIP_VIA, i)) {
		struct slice element;
		size_t position = 0;

		while (sip_list_next(msg.headers[i].value, &position, &element))
			count++;
	}
	return count;
}

static void assert_like_osip(const osip_message_t *theirs)
{
	char call_id[512], *text = NULL;
	uint32_t number;

	if (msg.is_request)
		assert_true(slice_eq(msg.method_text, slice_from(theirs->sip_method)));
	else
		assert_int_equal(msg.status, theirs->status_code);
	assert_int_equal(osip_call_id_to_str(theirs->call_id, &text), 0);
	assert_int_equal(slice_text(sip_msg_value(&msg, SIP_CALL_ID), call_id, sizeof(call_id)), 0);
	assert_string_equal(call_id, text);
	osip_free(text);
	assert_int_equal(vias(), osip_list_size(&theirs->vias));
	assert_int_equal(slice_u32(slice_from(theirs->cseq->number), &number), 0);
	assert_int_equal(msg.cseq, number);
	assert_true(slice_eq(msg.method_text, slice_from(theirs->cseq->method)));
}

/* What we take and osip2 takes, both must read alike. osip2 takes more than we do. */
static bool osip_agrees(struct slice raw)
{
	osip_message_t *theirs;
	bool taken;

	assert_int_equal(osip_message_init(&theirs), 0);
	taken = osip_message_parse(theirs, raw.p, raw.n) == 0 && theirs->call_id && theirs->cseq;
	if (taken)
		assert_like_osip(theirs);
	osip_message_free(theirs);
	return taken;
}

static enum sip_parse_result try_message(struct slice raw)
{
	enum sip_parse_result result = parse_copy(raw);

	assert_replies(result);
	if (result == SIP_PARSE_OK) {
		assert_sent_unchanged(raw);
		osip_agrees(raw);
	}
	return result;
}

static const char *shared(void)
{
	const char *dir = getenv("SIPWARD_SHARED");

	return dir ? dir : "../shared";
}

/* The content of a file that the caller frees; p is NULL if there is none. */
static struct slice load(const char *path)
{
	FILE *file = fopen(path, "rb");
	struct slice s = {NULL, 0};
	char *bytes;

	if (!file)
		return s;
	bytes = malloc(SIP_MSG_MAX_BYTES + 1);
	assert_non_null(bytes);
	s = (struct slice){bytes, fread(bytes, 1, SIP_MSG_MAX_BYTES, file)};
	bytes[s.n] = '\0';
	fclose(file);
	return s;
}

static void drop(struct slice s)
{
	free((void *)(uintptr_t)s.p);
}

enum { NAME, SECTION, CLASS, KIND, METHOD, BYTES, LENGTH, BODY, SHA, SAYS, COLUMNS };
struct row {
	struct slice column[COLUMNS];
};

/* Where the answer is not plainly "taken". What an element behind the parser has to look at
 * (Contact, branch, scheme, Accept …) is taken here. */
static const struct {
	const char *name;
	enum sip_parse_result result;
} answers[] = {
	{"badinv01", SIP_PARSE_BAD_REQUEST},   {"clerr", SIP_PARSE_BAD_REQUEST},
	{"ncl", SIP_PARSE_BAD_REQUEST},	       {"scalar02", SIP_PARSE_BAD_REQUEST},
	{"scalarlg", SIP_PARSE_UNANSWERABLE},  {"quotbal", SIP_PARSE_BAD_REQUEST},
	{"ltgtruri", SIP_PARSE_BAD_REQUEST},   {"lwsruri", SIP_PARSE_BAD_REQUEST},
	{"lwsstart", SIP_PARSE_BAD_REQUEST},   {"trws", SIP_PARSE_BAD_REQUEST},
	{"escruri", SIP_PARSE_BAD_REQUEST},    {"badaspec", SIP_PARSE_BAD_REQUEST},
	{"baddn", SIP_PARSE_BAD_REQUEST},      {"badvers", SIP_PARSE_BAD_VERSION},
	{"mismatch01", SIP_PARSE_BAD_REQUEST}, {"mismatch02", SIP_PARSE_BAD_REQUEST},
	{"bigcode", SIP_PARSE_UNANSWERABLE},   {"insuf", SIP_PARSE_UNANSWERABLE},
	{"multi01", SIP_PARSE_BAD_REQUEST},    {"mcl01", SIP_PARSE_BAD_REQUEST},
	{"test", SIP_PARSE_NOT_SIP},	       {"ipv6-bad", SIP_PARSE_BAD_REQUEST},
};

static enum sip_parse_result answer_to(struct slice name)
{
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		if (slice_eq(name, slice_from(answers[i].name)))
			return answers[i].result;
	}
	return SIP_PARSE_OK;
}

static bool says(const struct row *row, const char *what)
{
	return memmem(row->column[SAYS].p, row->column[SAYS].n, what, strlen(what)) != NULL;
}

/* The table above against what the RFC says of the message. */
static void assert_answer_is_allowed(const struct row *row, enum sip_parse_result result)
{
	bool request = slice_eq(row->column[KIND], SLICE("request"));

	if (slice_eq(row->column[CLASS], SLICE("valid")))
		assert_int_equal(result, SIP_PARSE_OK);
	if (result == SIP_PARSE_BAD_REQUEST)
		assert_true(request && (says(row, "400") || says(row, "reject acceptable")));
	if (result == SIP_PARSE_BAD_VERSION)
		assert_true(says(row, "505"));
	if (!request)
		assert_true(result == SIP_PARSE_OK || result == SIP_PARSE_UNANSWERABLE);
	if (slice_eq(row->column[CLASS], SLICE("invalid")) && says(row, "400 because"))
		assert_int_equal(result, SIP_PARSE_BAD_REQUEST);
}

static void assert_as_indexed(const struct row *row, int length_column)
{
	uint32_t length;

	assert_int_equal(msg.is_request, slice_eq(row->column[KIND], SLICE("request")));
	if (msg.is_request)
		assert_true(slice_eq(msg.method_text, row->column[METHOD]));
	if (slice_eq(row->column[length_column], SLICE("-")))
		length_column = BODY;
	if (slice_u32(row->column[length_column], &length) == 0)
		assert_int_equal(msg.body.n, length);
}

/* false at the end. */
static bool next_row(struct slice *table, struct row *ret_row)
{
	struct slice line = slice_cut(*table, '\n', table);

	for (int i = 0; i < COLUMNS; i++)
		ret_row->column[i] = slice_cut(line, '\t', &line);
	return ret_row->column[NAME].n > 0;
}

static void check_listed(const char *folder, const char *index, int length_column)
{
	char path[512];
	struct slice table, rest, raw;
	struct row row;
	unsigned seen = 0;

	snprintf(path, sizeof(path), "%s/messages/%s", shared(), index);
	table = load(path);
	assert_non_null(table.p);
	rest = table;
	next_row(&rest, &row); /* the heading */
	while (next_row(&rest, &row)) {
		enum sip_parse_result result;

		snprintf(path, sizeof(path), "%s/messages/%s/%.*s.dat", shared(), folder,
			 (int)row.column[NAME].n, row.column[NAME].p);
		raw = load(path);
		assert_non_null(raw.p);
		result = try_message(raw);
		if (result != answer_to(row.column[NAME]))
			fail_msg("%s: %d", path, result);
		assert_answer_is_allowed(&row, result);
		if (result == SIP_PARSE_OK)
			assert_as_indexed(&row, length_column);
		drop(raw);
		seen++;
	}
	drop(table);
	assert_true(seen >= 12);
}

static void rfc4475_is_answered_as_it_expects(void **state)
{
	(void)state;
	check_listed("rfc4475", "rfc4475/index.tsv", LENGTH);
}

static void rfc5118_is_answered_as_it_expects(void **state)
{
	(void)state;
	check_listed("rfc5118/wire_fixed", "rfc5118/index.tsv", BODY);
}

static void load_and_try(const char *pattern, unsigned least)
{
	char path[512];
	glob_t files;
	unsigned taken = 0;

	snprintf(path, sizeof(path), "%s/messages/%s", shared(), pattern);
	assert_int_equal(glob(path, 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct slice raw = load(files.gl_pathv[i]);

		assert_non_null(raw.p);
		taken += try_message(raw) == SIP_PARSE_OK;
		for (size_t n = 0; n < raw.n; n++)
			assert_replies(parse_copy((struct slice){raw.p, n}));
		drop(raw);
	}
	globfree(&files);
	assert_true(taken >= least);
}

static void rfc4475_breaks_nothing_however_cut(void **state)
{
	(void)state;
	load_and_try("rfc4475/*.dat", 28);
}

static void rfc5118_breaks_nothing_however_cut(void **state)
{
	(void)state;
	load_and_try("rfc5118/*.dat", 5);
	load_and_try("rfc5118/wire/*.dat", 10);
}

static void kamailio_breaks_nothing_however_cut(void **state)
{
	(void)state;
	load_and_try("kamailio/*", 10);
}

static void pjsip_breaks_nothing_however_cut(void **state)
{
	(void)state;
	load_and_try("pjsip/*", 8);
}

/* Takes every header value apart, whatever it is. */
static void read_values(void)
{
	for (unsigned i = 0; i < msg.header_count; i++) {
		struct slice value = msg.headers[i].value, element;
		struct sip_credentials credentials;
		struct sip_name_addr addr;
		struct sip_via via;
		size_t position = 0;

		sip_tag(value);
		if (sip_credentials_parse(value, &credentials) == 0)
			sip_credentials_free(&credentials);
		while (sip_list_next(value, &position, &element)) {
			(void)sip_via_parse(element, &via);
			(void)sip_name_addr_parse(element, &addr);
		}
	}
}

static void every_truncation_of_every_odd_message_is_survived(void **state)
{
	(void)state;
	for (size_t i = 0; i < ODD_MESSAGES; i++) {
		struct slice raw = odd_messages[i].raw;

		for (size_t n = 0; n <= raw.n; n++) {
			assert_replies(parse_copy((struct slice){raw.p, n}));
			read_values();
		}
	}
}

static void no_truncation_before_the_body_is_taken(void **state)
{
	struct slice raw = SLICE(INVITE_LINE FIVE("INVITE") "Content-Length: 5\r\n\r\nhello");

	(void)state;
	for (size_t n = 0; n < raw.n; n++)
		assert_int_not_equal(parse_copy((struct slice){raw.p, n}), SIP_PARSE_OK);
	assert_int_equal(parse_copy(raw), SIP_PARSE_OK);
}

static void try_every_byte(struct slice raw)
{
	char *text = malloc(raw.n);

	assert_non_null(text);
	memcpy(text, raw.p, raw.n);
	for (size_t i = 0; i < raw.n; i++) {
		for (int c = 0; c < 256; c++) {
			text[i] = (char)c;
			assert_replies(parse_copy((struct slice){text, raw.n}));
		}
		text[i] = raw.p[i];
	}
	free(text);
}

static void every_changed_byte_is_survived(void **state)
{
	(void)state;
	try_every_byte(SLICE("\r\nINVITE sip:a%41;b@[2001:db8::1]:5060;lr SIP/2.0\r\n"
			     "Via : SIP/2.0/UDP\r\n a.example:5060;branch=z9hG4bK1;rport, "
			     "SIP/2.0/TCP [::1]\r\n"
			     "f: \"A \\\" \" <sip:a@h>\r\n ;tag=1\r\nTo: sip:b@h\r\n"
			     "Call-ID: 1@h\r\nCSeq:\r\n 1 INVITE\r\nMax-Forwards: 70\r\n"
			     "l: 4\r\n\r\nbody"));
	try_every_byte(SLICE("SIP/2.0 200 OK\nVia: SIP/2.0/UDP h\nFrom: <sip:a@h>\nTo: <sip:b@h>\n"
			     "Call-ID: 1\nCSeq: 1 BYE\n\n"));
}

static void osip_reads_our_messages_alike(void **state)
{
	unsigned agreed = 0;

	(void)state;
	for (size_t i = 0; i < ODD_MESSAGES; i++) {
		if (odd_messages[i].result != SIP_PARSE_OK)
			continue;
		assert_int_equal(parse_copy(odd_messages[i].raw), SIP_PARSE_OK);
		assert_sent_unchanged(odd_messages[i].raw);
		agreed += osip_agrees(msg.raw);
	}
	assert_true(agreed >= 15);
}

/* Our first use sets osip2 up, and makes it keep its opinions to itself. */
static int init_osip(void **state)
{
	struct sip_uri uri;

	(void)state;
	if (sip_uri_parse(SLICE("sip:%61@a"), &uri) != 0)
		return -1;
	sip_uri_free(&uri);
	return 0;
}

/* The messages of others are not part of this project: without them these are counted as skipped.
 * cmocka's own skip() would print "not ok". */
static int run_with_shared(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc4475_is_answered_as_it_expects),
		cmocka_unit_test(rfc5118_is_answered_as_it_expects),
		cmocka_unit_test(rfc4475_breaks_nothing_however_cut),
		cmocka_unit_test(rfc5118_breaks_nothing_however_cut),
		cmocka_unit_test(kamailio_breaks_nothing_however_cut),
		cmocka_unit_test(pjsip_breaks_nothing_however_cut),
	};
	char path[512];

	snprintf(path, sizeof(path), "%s/messages", shared());
	if (access(path, R_OK) == 0)
		return cmocka_run_group_tests_name("sip_shared", tests, init_osip, NULL);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		printf("skip %s: no %s\n", tests[i].name, path);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_truncation_of_every_odd_message_is_survived),
		cmocka_unit_test(no_truncation_before_the_body_is_taken),
		cmocka_unit_test(every_changed_byte_is_survived),
		cmocka_unit_test(osip_reads_our_messages_alike),
	};

	return run_with_shared() +
	       cmocka_run_group_tests_name("sip_corpus", tests, init_osip, NULL);
}
