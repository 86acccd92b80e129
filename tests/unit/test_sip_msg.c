/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "messages/odd_messages.h"
#include "messages/sip_invariants.h"

static struct sip_msg msg;

static enum sip_parse_result parse(struct slice raw)
{
	const char *why = NULL, *broken;
	enum sip_parse_result result = sip_msg_parse(raw, &msg, &why);

	assert_non_null(why);
	broken = broken_invariant(raw, result, &msg);
	if (broken)
		fail_msg("broken: %s", broken);
	return result;
}

static void odd_message_is_judged(void **state)
{
	const struct odd_message *odd = *state;
	const char *why = NULL;

	assert_int_equal(parse(odd->raw), odd->result);
	sip_msg_parse(odd->raw, &msg, &why);
	if (odd->why)
		assert_string_equal(why, odd->why);
	if (odd->result != SIP_PARSE_OK)
		return;
	assert_int_equal(msg.header_count, odd->headers);
	assert_int_equal(msg.body.n, odd->body_size);
}

static void assert_slice(struct slice actual, const char *expected)
{
	if (!slice_eq(actual, slice_from(expected)))
		fail_msg("'%.*s' is not '%s'", (int)actual.n, actual.p, expected);
}

/* Via, From and To are read once, for all who ask. */
static void what_names_the_request_is_read(void **state)
{
	static const struct {
		const char *vias, *host, *below;
	} rows[] = {
		{"Via: SIP/2.0/UDP a;branch=z9hG4bK1\r\n", "a", ""},
		{"v: SIP/2.0/UDP a , SIP/2.0/TCP b;x=\",\"\r\nVia: SIP/2.0/TCP c\r\n", "a", "b"},
		{"Via: SIP/2.0/UDP a\r\nVia: SIP/2.0/TCP c\r\n", "a", "c"},
		{"Via: nonsense, SIP/2.0/UDP b\r\n", "", "b"},
	};
	char text[400];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(text, sizeof(text),
			 "BYE sip:b SIP/2.0\r\n%sFrom: <sip:a@a.example>;tag=x\r\n"
			 "t: sip:b@b.example ; x=y;Tag=z\r\nCall-ID: 1\r\nCSeq: 1 BYE\r\n\r\n",
			 rows[i].vias);
		assert_int_equal(parse(slice_from(text)), rows[i].host[0] ? SIP_PARSE_OK :
									    SIP_PARSE_BAD_REQUEST);
		assert_slice(msg.via.host, rows[i].host);
		assert_slice(msg.via_below.host, rows[i].below);
		assert_slice(msg.from.uri, "sip:a@a.example");
		assert_slice(msg.from.tag, "x");
		assert_slice(msg.to.uri, "sip:b@b.example");
		assert_slice(msg.to.tag, "z");
	}
}

static void a_malformed_to_keeps_its_tag(void **state)
{
	struct slice raw = SLICE("BYE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nFrom: <sip:a@a>\r\n"
				 "To: <sip:b@b>;;tag=z\r\nCall-ID: 1\r\nCSeq: 1 BYE\r\n\r\n");

	(void)state;
	assert_int_equal(parse(raw), SIP_PARSE_BAD_REQUEST);
	assert_slice(msg.to.uri, "");
	assert_slice(msg.to.tag, "z");
}

static void request_is_indexed(void **state)
{
	struct slice raw = SLICE("\r\nBYE sip:b@b.example SIP/2.0\r\n"
				 "Max-Forwards: 009\r\n"
				 "X-Odd :  one\r\n two \r\n"
				 "Via: SIP/2.0/UDP a.example;branch=z9hG4bK1\r\n"
				 "f: \"A\" <sip:a@a.example>;tag=x\r\n"
				 "To: <sip:b@b.example>;tag=y\r\n"
				 "Call-ID: abc@a.example\r\n"
				 "CSeq: 4294967295 BYE\r\n"
				 "VIA: SIP/2.0/TCP c.example\r\n"
				 "Content-Length: 2\r\n"
				 "\r\nhi, and more");

	(void)state;
	assert_int_equal(parse(raw), SIP_PARSE_OK);
	assert_true(msg.is_request);
	assert_int_equal(msg.method, SIP_BYE);
	assert_slice(msg.method_text, "BYE");
	assert_slice(msg.uri, "sip:b@b.example");
	assert_slice(msg.start_line, "BYE sip:b@b.example SIP/2.0\r\n");
	assert_int_equal(msg.header_count, 9);
	assert_slice(msg.headers[1].line, "X-Odd :  one\r\n two \r\n");
	assert_slice(msg.headers[1].name, "X-Odd");
	assert_slice(msg.headers[1].value, "one\r\n two");
	assert_int_equal(msg.headers[1].id, SIP_OTHER_HEADER);
	assert_slice(sip_msg_value(&msg, SIP_FROM), "\"A\" <sip:a@a.example>;tag=x");
	assert_slice(sip_msg_value(&msg, SIP_ROUTE), "");
	assert_true(msg.cseq == UINT32_MAX);
	assert_true(msg.has_max_forwards);
	assert_int_equal(msg.max_forwards, 9);
	assert_slice(msg.blank_line, "\r\n");
	assert_slice(msg.body, "hi");
	assert_ptr_equal(msg.raw.p, raw.p + 2);
	assert_int_equal(msg.raw.n, raw.n - 2 - strlen(", and more"));
}

static void response_takes_its_method_from_cseq(void **state)
{
	(void)state;
	assert_int_equal(parse(SLICE("SIP/2.0 486 Busy  Here\r\n" FIVE("CANCEL") EMPTY)),
			 SIP_PARSE_OK);
	assert_false(msg.is_request);
	assert_int_equal(msg.status, 486);
	assert_slice(msg.reason, "Busy  Here");
	assert_int_equal(msg.method, SIP_CANCEL);
	assert_slice(msg.method_text, "CANCEL");
	assert_int_equal(msg.uri.n, 0);
}

static void max_forwards_defaults_to_70(void **state)
{
	(void)state;
	assert_int_equal(parse(SLICE(INVITE_LINE FIVE("INVITE") EMPTY)), SIP_PARSE_OK);
	assert_false(msg.has_max_forwards);
	assert_int_equal(msg.max_forwards, 70);
}

static void headers_with_one_id_are_walked_in_order(void **state)
{
	struct slice raw = SLICE(INVITE_LINE FIVE("INVITE") "Route: <sip:1;lr>\r\nX: y\r\n"
							    "route: <sip:2;lr>\r\n\r\n");
	int i;

	(void)state;
	assert_int_equal(parse(raw), SIP_PARSE_OK);
	i = sip_msg_next(&msg, SIP_ROUTE, -1);
	assert_int_equal(i, msg.first[SIP_ROUTE]);
	assert_slice(msg.headers[i].value, "<sip:1;lr>");
	i = sip_msg_next(&msg, SIP_ROUTE, i);
	assert_slice(msg.headers[i].value, "<sip:2;lr>");
	assert_int_equal(sip_msg_next(&msg, SIP_ROUTE, i), -1);
	assert_int_equal(sip_msg_next(&msg, SIP_CONTACT, -1), -1);
}

static void every_known_header_is_found_in_any_case(void **state)
{
	static const struct {
		const char *name;
		enum sip_header_id id;
	} rows[] = {
		{"Via", SIP_VIA},
		{"v", SIP_VIA},
		{"From", SIP_FROM},
		{"F", SIP_FROM},
		{"TO", SIP_TO},
		{"t", SIP_TO},
		{"call-ID", SIP_CALL_ID},
		{"i", SIP_CALL_ID},
		{"cSeQ", SIP_CSEQ},
		{"Max-forwards", SIP_MAX_FORWARDS},
		{"Route", SIP_ROUTE},
		{"Record-Route", SIP_RECORD_ROUTE},
		{"Contact", SIP_CONTACT},
		{"M", SIP_CONTACT},
		{"Authorization", SIP_AUTHORIZATION},
		{"Proxy-Authorization", SIP_PROXY_AUTHORIZATION},
		{"WWW-Authenticate", SIP_WWW_AUTHENTICATE},
		{"Proxy-Authenticate", SIP_PROXY_AUTHENTICATE},
		{"Content-Length", SIP_CONTENT_LENGTH},
		{"L", SIP_CONTENT_LENGTH},
		{"Content-Type", SIP_CONTENT_TYPE},
		{"c", SIP_CONTENT_TYPE},
		{"Expires", SIP_EXPIRES},
		{"Require", SIP_REQUIRE},
		{"Proxy-Require", SIP_PROXY_REQUIRE},
		{"Supported", SIP_SUPPORTED},
		{"k", SIP_SUPPORTED},
		{"P-Asserted-Identity", SIP_P_ASSERTED_IDENTITY},
		{"PRIVACY", SIP_PRIVACY},
		{"", SIP_OTHER_HEADER},
		{"Vix", SIP_OTHER_HEADER},
		{"Vi", SIP_OTHER_HEADER},
		{"Viaa", SIP_OTHER_HEADER},
		{"Call_ID", SIP_OTHER_HEADER},
		{"Call\rID", SIP_OTHER_HEADER},
		{"s", SIP_OTHER_HEADER},
		{"x", SIP_OTHER_HEADER},
		{"Subject", SIP_OTHER_HEADER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(sip_header_id_of(slice_from(rows[i].name)), rows[i].id);
}

static void methods_are_told_by_exact_case(void **state)
{
	static const char *const names[] = {"INVITE",	"ACK",	 "BYE",	      "CANCEL", "OPTIONS",
					    "REGISTER", "PRACK", "SUBSCRIBE", "NOTIFY", "PUBLISH",
					    "INFO",	"REFER", "MESSAGE",   "UPDATE"};

	(void)state;
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(sip_method_of(slice_from(names[i])), SIP_INVITE + i);
	assert_int_equal(sip_method_of(SLICE("invite")), SIP_UNKNOWN_METHOD);
	assert_int_equal(sip_method_of(SLICE("INVITES")), SIP_UNKNOWN_METHOD);
	assert_int_equal(sip_method_of(SLICE("")), SIP_UNKNOWN_METHOD);
}

static void too_many_headers_are_refused(void **state)
{
	static const char head[] = INVITE_LINE FIVE("INVITE");
	static char text[8192];
	const char *why;
	size_t used = sizeof(head) - 1;

	(void)state;
	memcpy(text, head, used);
	for (unsigned i = 5; i < SIP_HEADERS_MAX; i++)
		used += (size_t)sprintf(text + used, "X-%u: y\r\n", i);
	memcpy(text + used, "\r\n", 2);
	assert_int_equal(parse((struct slice){text, used + 2}), SIP_PARSE_OK);
	assert_int_equal(msg.header_count, SIP_HEADERS_MAX);
	memcpy(text + used, "X: y\r\n\r\n", 8);
	assert_int_equal(parse((struct slice){text, used + 8}), SIP_PARSE_BAD_REQUEST);
	sip_msg_parse((struct slice){text, used + 8}, &msg, &why);
	assert_string_equal(why, "Too Many Header Fields");
}

static void message_of_the_largest_size_is_taken(void **state)
{
	static const char head[] = INVITE_LINE FIVE("INVITE") "\r\n";
	static char text[SIP_MSG_MAX_BYTES + 1];

	(void)state;
	memcpy(text, head, sizeof(head) - 1);
	assert_int_equal(parse((struct slice){text, SIP_MSG_MAX_BYTES}), SIP_PARSE_OK);
	assert_int_equal(msg.raw.n, SIP_MSG_MAX_BYTES);
	assert_int_equal(parse((struct slice){text, sizeof(text)}), SIP_PARSE_NOT_SIP);
}

static void assert_elements(const char *value, const char *const *expected)
{
	struct slice element;
	size_t position = 0;

	while (sip_list_next(slice_from(value), &position, &element)) {
		if (!*expected)
			fail_msg("one too many in '%s'", value);
		assert_slice(element, *expected++);
	}
	assert_null(*expected);
	assert_false(sip_list_next(slice_from(value), &position, &element));
}

static void list_is_split_at_commas_outside_quotes_and_brackets(void **state)
{
	(void)state;
	assert_elements("a", (const char *const[]){"a", NULL});
	assert_elements(" a ,\r\n b\t,c", (const char *const[]){"a", "b", "c", NULL});
	assert_elements(
		"\"a, \\\", b\" <sip:x,y@z>;p=\",\" , <sip:c,d>",
		(const char *const[]){"\"a, \\\", b\" <sip:x,y@z>;p=\",\"", "<sip:c,d>", NULL});
	assert_elements("a,", (const char *const[]){"a", "", NULL});
	assert_elements(",", (const char *const[]){"", "", NULL});
	assert_elements("a,,b", (const char *const[]){"a", "", "b", NULL});
	assert_elements("", (const char *const[]){NULL});
	assert_elements("\"a,b", (const char *const[]){"\"a,b", NULL});
	assert_elements("<a,b", (const char *const[]){"<a,b", NULL});
}

int main(void)
{
	static const struct CMUnitTest own[] = {
		cmocka_unit_test(request_is_indexed),
		cmocka_unit_test(response_takes_its_method_from_cseq),
		cmocka_unit_test(max_forwards_defaults_to_70),
		cmocka_unit_test(headers_with_one_id_are_walked_in_order),
		cmocka_unit_test(every_known_header_is_found_in_any_case),
		cmocka_unit_test(methods_are_told_by_exact_case),
		cmocka_unit_test(what_names_the_request_is_read),
		cmocka_unit_test(a_malformed_to_keeps_its_tag),
		cmocka_unit_test(too_many_headers_are_refused),
		cmocka_unit_test(message_of_the_largest_size_is_taken),
		cmocka_unit_test(list_is_split_at_commas_outside_quotes_and_brackets),
	};
	enum { OWN = sizeof(own) / sizeof(own[0]) };
	struct CMUnitTest tests[OWN + ODD_MESSAGES];

	memcpy(tests, own, sizeof(own));
	for (size_t i = 0; i < ODD_MESSAGES; i++) {
		tests[OWN + i] = (struct CMUnitTest){
			.name = odd_messages[i].name,
			.test_func = odd_message_is_judged,
			.initial_state = (void *)(uintptr_t)&odd_messages[i],
		};
	}
	return cmocka_run_group_tests_name("sip_msg", tests, NULL, NULL);
}
