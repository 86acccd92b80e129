/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "messages/odd_messages.h"
#include "sip/sip_grammar.h"
#include "sip/sip_reply.h"

#define REST                                                                                       \
	"From: <sip:a@a.example>;tag=1\r\nTo: <sip:b@b.example>\r\nCall-ID: 1\r\nCSeq: 1 "         \
	"INVITE\r\n"

static const struct endpoint source = {{4, {198, 51, 100, 7}}, 40000};
static struct sip_msg msg;
static char written[4096];

static struct sip_msg *parsed(const char *text)
{
	const char *why;

	if (sip_msg_parse(slice_from(text), &msg, &why) >= SIP_PARSE_UNANSWERABLE)
		fail_msg("%s", why);
	return &msg;
}

/* The request begins with the Vias given and goes on with REST. */
static struct sip_msg *with_vias(const char *vias)
{
	static char text[1024];

	snprintf(text, sizeof(text), INVITE_LINE "%s" REST EMPTY, vias);
	return parsed(text);
}

static void assert_reply(const struct sip_msg *request, const struct sip_reply *reply,
			 const char *expected)
{
	size_t n;

	memset(written, 'x', sizeof(written));
	assert_int_equal(sip_reply_write(request, reply, written, sizeof(written), &n), 0);
	if (n != strlen(expected) || memcmp(written, expected, n) != 0)
		fail_msg("got:\n%.*s\nwanted:\n%s", (int)n, written, expected);
}

static void reply_copies_what_identifies_the_request(void **state)
{
	struct sip_reply reply = {.status = 407,
				  .to_tag = SLICE("t1"),
				  .headers = SLICE("Proxy-Authenticate: Digest realm=\"r\"\r\n"),
				  .source = source};

	(void)state;
	assert_reply(parsed(INVITE_LINE "v: SIP/2.0/UDP 198.51.100.7:40000;branch=z9hG4bK1\r\n"
					"f: <sip:a@a.example>;tag=1\r\nt: <sip:b@b.example>\r\n"
					"i: 1\r\nCSeq:  1 INVITE\r\nTimestamp: 5\r\n"
					"Record-Route: <sip:r;lr>\r\n"
					"Via: SIP/2.0/UDP c.example ; branch=2\r\n\r\n"),
		     &reply,
		     "SIP/2.0 407 Proxy Authentication Required\r\n"
		     "Via: SIP/2.0/UDP 198.51.100.7:40000;branch=z9hG4bK1\r\n"
		     "Via: SIP/2.0/UDP c.example ; branch=2\r\n"
		     "From: <sip:a@a.example>;tag=1\r\nTo: <sip:b@b.example>;tag=t1\r\n"
		     "Call-ID: 1\r\nCSeq: 1 INVITE\r\n"
		     "Proxy-Authenticate: Digest realm=\"r\"\r\nContent-Length: 0\r\n\r\n");
}

static void trying_has_timestamp_and_no_tag(void **state)
{
	struct sip_reply reply = {.status = 100, .to_tag = SLICE("t1"), .source = source};

	(void)state;
	assert_reply(parsed(INVITE_LINE "Via: SIP/2.0/UDP 198.51.100.7;branch=1\r\n"
					"TimeStamp: 5.2\r\n" REST EMPTY),
		     &reply,
		     "SIP/2.0 100 Trying\r\nVia: SIP/2.0/UDP 198.51.100.7;branch=1\r\n" REST
		     "Timestamp: 5.2\r\n" EMPTY);
}

static void given_reason_is_used(void **state)
{
	struct sip_reply reply = {.status = 400, .reason = "Missing Via", .source = source};
	size_t n;

	(void)state;
	assert_int_equal(sip_reply_write(with_vias(VIA_LINE), &reply, written, sizeof(written), &n),
			 0);
	assert_memory_equal(written, "SIP/2.0 400 Missing Via\r\n", 25);
}

static void tag_of_the_request_stays(void **state)
{
	struct sip_reply reply = {.status = 481, .to_tag = SLICE("t1"), .source = source};

	(void)state;
	assert_reply(parsed("BYE sip:b@b.example SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.7\r\n"
			    "From: <sip:a@a.example>;tag=1\r\n"
			    "To: \"; x\" <sip:b@b.example;tag=u> ; TAG = t2\r\n"
			    "Call-ID: 1\r\nCSeq: 2 BYE\r\n\r\n"),
		     &reply,
		     "SIP/2.0 481 Call/Transaction Does Not Exist\r\n"
		     "Via: SIP/2.0/UDP 198.51.100.7\r\nFrom: <sip:a@a.example>;tag=1\r\n"
		     "To: \"; x\" <sip:b@b.example;tag=u> ; TAG = t2\r\n"
		     "Call-ID: 1\r\nCSeq: 2 BYE\r\n" EMPTY);
}

static void top_via_is_stamped(void **state)
{
	static const struct {
		const char *via, *stamped;
	} rows[] = {
		{"SIP/2.0/UDP 198.51.100.7;branch=1", "SIP/2.0/UDP 198.51.100.7;branch=1"},
		{"SIP/2.0/UDP 192.0.2.9;branch=1",
		 "SIP/2.0/UDP 192.0.2.9;branch=1;received=198.51.100.7"},
		{"SIP/2.0/UDP a.example", "SIP/2.0/UDP a.example;received=198.51.100.7"},
		{"SIP/2.0/UDP 198.51.100.7;rport;branch=1",
		 "SIP/2.0/UDP 198.51.100.7;rport=40000;branch=1;received=198.51.100.7"},
		{"SIP/2.0/UDP a.example;branch=1;rport",
		 "SIP/2.0/UDP a.example;branch=1;rport=40000;received=198.51.100.7"},
		{"SIP/2.0/UDP a.example;rport=",
		 "SIP/2.0/UDP a.example;rport=40000;received=198.51.100.7"},
		{"SIP/2.0/UDP a.example;received=203.0.113.1;rport=9;x=\";\"",
		 "SIP/2.0/UDP a.example;rport=40000;x=\";\";received=198.51.100.7"},
		{"SIP/2.0/UDP [2001:db8::1]:5070 ; branch = 1",
		 "SIP/2.0/UDP [2001:db8::1]:5070;branch = 1;received=198.51.100.7"},
	};
	struct sip_via via;
	char text[200];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(sip_via_parse(slice_from(rows[i].via), &via), 0);
		assert_int_equal(sip_via_stamp(&via, &source, text, sizeof(text), &n), 0);
		text[n] = '\0';
		assert_string_equal(text, rows[i].stamped);
	}
	assert_int_equal(sip_via_stamp(&via, &source, text, 20, &n), -ENOSPC);
}

static void source_in_ipv6_is_received_without_brackets(void **state)
{
	struct endpoint v6 = {{6, {0x20, 0x01, 0x0d, 0xb8, [15] = 9}}, 5060};
	struct sip_via via;
	char text[200];
	size_t n;

	(void)state;
	assert_int_equal(sip_via_parse(SLICE("SIP/2.0/UDP [2001:db8::9]"), &via), 0);
	assert_int_equal(sip_via_stamp(&via, &v6, text, sizeof(text), &n), 0);
	assert_memory_equal(text, "SIP/2.0/UDP [2001:db8::9]", n);
	assert_int_equal(sip_via_parse(SLICE("SIP/2.0/UDP [2001:db8::9];rport"), &via), 0);
	assert_int_equal(sip_via_stamp(&via, &v6, text, sizeof(text), &n), 0);
	text[n] = '\0';
	assert_string_equal(text, "SIP/2.0/UDP [2001:db8::9];rport=5060;received=2001:db8::9");
}

static void only_the_first_of_several_vias_is_stamped(void **state)
{
	struct sip_reply reply = {.status = 200, .source = source};

	(void)state;
	assert_reply(
		with_vias("Via: SIP/2.0/UDP a.example;rport , SIP/2.0/UDP b.example;rport,\r\n"
			  " SIP/2.0/UDP c.example;x=\",\"\r\nVia: SIP/2.0/UDP d.example;rport\r\n"),
		&reply,
		"SIP/2.0 200 OK\r\n"
		"Via: SIP/2.0/UDP a.example;rport=40000;received=198.51.100.7 , SIP/2.0/UDP "
		"b.example;rport,   SIP/2.0/UDP c.example;x=\",\"\r\n"
		"Via: SIP/2.0/UDP d.example;rport\r\n" REST EMPTY);
}

static void line_ends_of_a_refused_request_stay_out(void **state)
{
	struct sip_reply reply = {.status = 400, .to_tag = SLICE("t1"), .source = source};
	size_t n;

	(void)state;
	parsed(INVITE_LINE "Via: SIP/2.0/UDP a\rX: y\r\nFrom: a\rb\r\nTo: \"b\n c\rd\r\n"
			   "Call-ID: 1\r2\r\nCSeq: 1\r\n INVITE\r\n" EMPTY);
	assert_int_equal(sip_reply_write(&msg, &reply, written, sizeof(written), &n), 0);
	for (size_t i = 0; i < n; i++) {
		if (written[i] == '\r')
			assert_int_equal(written[i + 1], '\n');
		if (written[i] == '\n')
			assert_true(i > 0 && written[i - 1] == '\r' && written[i + 1] != ' ');
	}
}

static void reply_parses_as_a_response_for_every_answerable_message(void **state)
{
	struct sip_reply reply = {.status = 400, .to_tag = SLICE("t1"), .source = source};
	static struct sip_msg again;
	unsigned answered = 0;

	(void)state;
	for (size_t i = 0; i < ODD_MESSAGES; i++) {
		const char *why;
		size_t n;
		enum sip_parse_result result = sip_msg_parse(odd_messages[i].raw, &msg, &why);

		if (result >= SIP_PARSE_UNANSWERABLE)
			continue;
		assert_int_equal(sip_reply_write(&msg, &reply, written, sizeof(written), &n), 0);
		if (result != SIP_PARSE_OK)
			continue;
		answered++;
		assert_int_equal(sip_msg_parse((struct slice){written, n}, &again, &why),
				 SIP_PARSE_OK);
		assert_int_equal(again.status, 400);
		assert_int_equal(again.cseq, msg.cseq);
		assert_true(slice_eq(sip_msg_value(&again, SIP_CALL_ID),
				     sip_msg_value(&msg, SIP_CALL_ID)));
		assert_true(sip_tag(sip_msg_value(&again, SIP_TO)).n > 0);
	}
	assert_true(answered > 15);
}

static void every_short_buffer_is_told(void **state)
{
	struct sip_reply reply = {.status = 403, .to_tag = SLICE("t1"), .source = source};
	char *buf;
	size_t n, whole;

	(void)state;
	with_vias(VIA_LINE);
	assert_int_equal(sip_reply_write(&msg, &reply, written, sizeof(written), &whole), 0);
	for (size_t size = 0; size < whole; size++) {
		buf = malloc(size + 1);
		assert_int_equal(sip_reply_write(&msg, &reply, buf, size, &n), -ENOSPC);
		free(buf);
	}
	buf = malloc(whole);
	assert_int_equal(sip_reply_write(&msg, &reply, buf, whole, &n), 0);
	assert_int_equal(n, whole);
	free(buf);
}

static void reply_goes_where_the_via_says(void **state)
{
	static const struct {
		const char *via;
		uint16_t port;
	} rows[] = {
		{"Via: SIP/2.0/UDP a.example;branch=1;rport\r\n", 40000},
		{"Via: SIP/2.0/UDP a.example:5070;rport=1;branch=1\r\n", 40000},
		{"Via: SIP/2.0/UDP a.example:5070;branch=1\r\n", 5070},
		{"Via: SIP/2.0/UDP a.example;branch=1\r\n", 5060},
		{"Via: SIP/2.0/TLS a.example;branch=1\r\n", 5061},
		{"Via: SIP/2.0/UDP a.example;maddr=203.0.113.9\r\n", 5060},
		{"Via: SIP/2.0/UDP a.example:5070 , SIP/2.0/UDP b.example:5080;rport\r\n", 5070},
		{"Via: nonsense\r\n", 40000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct endpoint to = sip_reply_destination(with_vias(rows[i].via), &source);

		assert_true(ip_eq(&to.ip, &source.ip));
		assert_int_equal(to.port, rows[i].port);
	}
}

static void phrases_are_the_standard_ones(void **state)
{
	(void)state;
	assert_string_equal(sip_reason_phrase(403), "Forbidden");
	assert_string_equal(sip_reason_phrase(505), "Version Not Supported");
	assert_string_equal(sip_reason_phrase(699), "Unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reply_copies_what_identifies_the_request),
		cmocka_unit_test(trying_has_timestamp_and_no_tag),
		cmocka_unit_test(given_reason_is_used),
		cmocka_unit_test(tag_of_the_request_stays),
		cmocka_unit_test(top_via_is_stamped),
		cmocka_unit_test(source_in_ipv6_is_received_without_brackets),
		cmocka_unit_test(only_the_first_of_several_vias_is_stamped),
		cmocka_unit_test(line_ends_of_a_refused_request_stay_out),
		cmocka_unit_test(reply_parses_as_a_response_for_every_answerable_message),
		cmocka_unit_test(every_short_buffer_is_told),
		cmocka_unit_test(reply_goes_where_the_via_says),
		cmocka_unit_test(phrases_are_the_standard_ones),
	};

	return cmocka_run_group_tests_name("sip_reply", tests, NULL, NULL);
}
