/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls through the proxy, message by message. */
#include "proxy_call.h"

/* ---- what leaves ---- */

static void expect_forwarded(struct world *w, const char *message, const char *expected_rest)
{
	char branch[64], tokens[1024], expected[4096];
	const char *text;

	hear(w, CUSTOMER, message);
	text = sent_to(w, 0, PBX, "INVITE ");
	assert_int_equal(
		sscanf(text, "%*[^\n]\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=%63[^;]", branch), 1);
	lines_of(text, "Record-Route:", tokens, sizeof(tokens));
	assert_int_equal(strcspn(strchr(tokens, ':') + 7, "@"), 100);
	char *token = strndup(strchr(tokens, ':') + 7, strcspn(strchr(tokens, ':') + 7, "@"));
	snprintf(expected, sizeof(expected),
		 "INVITE sip:100@gate.example SIP/2.0\r\n"
		 "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=%s;rport\r\n"
		 "Record-Route: <sip:%s@10.0.0.1:5060;lr>\r\n"
		 "Record-Route: <sip:%s@203.0.113.1:5060;lr>\r\n%s",
		 branch, token, token, expected_rest);
	free(token);
	assert_string_equal(text, expected);
}

static void invite_leaves_with_our_fields_and_else_byte_for_byte(void **state)
{
	expect_forwarded(*state, INVITE,
			 "Via: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bKabc\r\n"
			 "From: <sip:a@b>;tag=f1\r\n"
			 "To: <sip:100@gate.example>\r\n"
			 "Call-ID: c1\r\n"
			 "CSeq: 7 INVITE\r\n"
			 "Contact: <sip:a@198.51.100.7:5062>\r\n"
			 "Max-Forwards: 69\r\n"
			 "Content-Length: 5\r\n"
			 "X-Sipward-Auth-Type: ip_acl\r\n"
			 "X-Sipward-Source-IP: 198.51.100.7\r\n"
			 "X-Sipward-Trunk: default\r\n\r\nv=0\r\n");
}

static void fields_only_the_trusted_side_may_write_and_routes_are_removed(void **state)
{
	expect_forwarded(*state,
			 INVITE_OF("10.9.9.9;rport;branch=z9hG4bKabc",
				   "P-Asserted-Identity: <sip:boss@b>\n"
				   "x-sipward-source: 10.0.0.1\n"
				   "Route: <sip:203.0.113.1;lr>, <sip:evil.example;lr>\n"
				   "X-Other: kept , as\n  it is\n"),
			 "Via: SIP/2.0/UDP "
			 "10.9.9.9;rport=5062;branch=z9hG4bKabc;received=198.51.100.7\r\n"
			 "X-Other: kept , as\r\n  it is\r\n"
			 "From: <sip:a@b>;tag=f1\r\n"
			 "To: <sip:100@gate.example>\r\n"
			 "Call-ID: c1\r\n"
			 "CSeq: 7 INVITE\r\n"
			 "Contact: <sip:a@198.51.100.7:5062>\r\n"
			 "Max-Forwards: 69\r\n"
			 "Content-Length: 5\r\n"
			 "X-Sipward-Auth-Type: ip_acl\r\n"
			 "X-Sipward-Source-IP: 198.51.100.7\r\n"
			 "X-Sipward-Trunk: default\r\n\r\nv=0\r\n");
}

static void missing_max_forwards_is_added(void **state)
{
	struct world *w = *state;
	const char *text;

	hear(w, CUSTOMER,
	     "MESSAGE sip:100@gate.example SIP/2.0\nVia: SIP/2.0/UDP " VIA "\n"
	     "From: <sip:a@b>;tag=f1\nTo: <sip:100@gate.example>\nCall-ID: c1\nCSeq: 7 MESSAGE\n"
	     "Content-Length: 0\n\n");
	assert_int_equal(w->sent_count, 1); /* no 100 but for INVITE */
	text = sent_to(w, 0, PBX, "MESSAGE ");
	assert_non_null(strstr(text, "\r\nMax-Forwards: 70\r\n"));
	assert_null(strstr(text, "Record-Route"));
}

/* ---- a whole call ---- */

static void call_passes_in_both_directions(void **state)
{
	struct world *w = *state;
	const char *invite = call_begins(w), *text;
	char routes[1024], message[4096];

	hear(w, PBX, answer(invite, "180 Ringing", "INVITE"));
	text = sent_to(w, 0, CUSTOMER,
		       "SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 198.51.100.7:5062;");
	assert_null(strstr(text, "10.0.0.1:5060;branch"));
	hear(w, PBX, answer(invite, "200 OK", "INVITE"));
	text = sent_to(w, 0, CUSTOMER, "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 198.51.100.7:5062;");
	routes_of(text, true, routes);

	in_dialog(message, "ACK", "sip:pbx@10.0.0.5", routes, true);
	hear(w, CUSTOMER, message);
	assert_int_equal(w->sent_count, 1);
	text = sent_to(w, 0, PBX,
		       "ACK sip:pbx@10.0.0.5 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;");
	assert_null(strstr(text, "Route:"));

	in_dialog(message, "INFO", "sip:a@198.51.100.7:5062", routes, false);
	hear(w, PBX, message); /* The routes' order does not matter: both are ours. */
	text = sent_to(w, 0, CUSTOMER,
		       "INFO sip:a@198.51.100.7:5062 SIP/2.0\r\n"
		       "Via: SIP/2.0/UDP 203.0.113.1:5060;");
	assert_null(strstr(text, "Route:"));
	hear(w, CUSTOMER, answer(text, "200 OK", "INFO"));
	/* CSeq 8: the answer above says 7 and belongs to no request of ours. */
	assert_int_equal(w->sent_count, 0);

	in_dialog(message, "BYE", "sip:pbx@10.0.0.5", routes, true);
	hear(w, CUSTOMER, message);
	sent_to(w, 0, PBX, "BYE ");
	assert_int_equal(counted(w, PROXY_DIALOG_FORWARDED), 3);
}

static void retransmitted_2xx_passes_again(void **state)
{
	struct world *w = *state;
	const char *invite = call_begins(w);

	for (int i = 0; i < 3; i++) {
		hear(w, PBX, answer(invite, "200 OK", "INVITE"));
		assert_int_equal(w->sent_count, 1);
		sent_to(w, 0, CUSTOMER, "SIP/2.0 200 OK");
	}
}

static void retransmitted_invite_is_answered_and_not_forwarded_again(void **state)
{
	struct world *w = *state;
	const char *invite = call_begins(w);

	hear(w, CUSTOMER, INVITE);
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 100 ");
	hear(w, PBX, answer(invite, "183 Session Progress", "INVITE"));
	hear(w, CUSTOMER, INVITE);
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 183 ");
	hear(w, PBX, answer(invite, "200 OK", "INVITE"));
	hear(w, CUSTOMER, INVITE);
	assert_int_equal(w->sent_count, 0);
	assert_int_equal(counted(w, PROXY_RETRANSMISSIONS), 3);
	assert_int_equal(counted(w, PROXY_FORWARDED), 1);
}

/* Timers L and M (RFC 6026 §7.1): as long as either side may still repeat itself. */
static void accepted_invite_is_remembered_for_64_t1(void **state)
{
	struct world *w = *state;
	const char *invite = call_begins(w);

	hear(w, PBX, answer(invite, "200 OK", "INVITE"));
	wait_ms(w, 31999);
	hear(w, CUSTOMER, INVITE);
	assert_int_equal(w->sent_count, 0);
	hear(w, PBX, answer(invite, "200 OK", "INVITE"));
	sent_to(w, 0, CUSTOMER, "SIP/2.0 200 OK");
	assert_int_equal(counted(w, PROXY_RESPONSE_STATELESS), 0);
	assert_int_equal(transactions(w), 1);
	wait_ms(w, 1);
	assert_int_equal(transactions(w), 0);
}

/* ---- failures ---- */

static void failure_is_acknowledged_and_repeated_until_the_ack(void **state)
{
	struct world *w = *state;
	const char *invite = call_begins(w), *text;

	hear(w, PBX, answer(invite, "486 Busy Here", "INVITE"));
	assert_int_equal(w->sent_count, 2);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 486 Busy Here\r\n");
	text = sent_to(w, 1, PBX,
		       "ACK sip:100@gate.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;");
	assert_non_null(strstr(text, "\r\nTo: <sip:100@gate.example>;tag=t1\r\n"));
	assert_non_null(strstr(text, "\r\nCSeq: 7 ACK\r\n"));
	assert_null(strstr(text, "198.51.100.7:5062;branch"));

	hear(w, PBX, answer(invite, "486 Busy Here", "INVITE"));
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, PBX, "ACK ");
	wait_ms(w, 500);
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 486 ");
	wait_ms(w, 999);
	assert_int_equal(w->sent_count, 0);
	wait_ms(w, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 486 ");

	hear(w, CUSTOMER, ack_of_failure);
	assert_int_equal(w->sent_count, 0);
	wait_ms(w, 10000);
	assert_int_equal(w->sent_count, 0);
	hear(w, CUSTOMER, ack_of_failure);
	assert_int_equal(w->sent_count, 0);
	wait_ms(w, 32000);
	assert_int_equal(transactions(w), 0);
}

static void silent_upstream_is_asked_again_and_then_408(void **state)
{
	static const unsigned gaps[] = {500, 1000, 2000, 4000, 8000, 16000};
	struct world *w = *state;
	char first[4096];

	strcpy(first, call_begins(w));
	for (size_t i = 0; i < sizeof(gaps) / sizeof(gaps[0]); i++) {
		wait_ms(w, gaps[i] - 1);
		assert_int_equal(w->sent_count, 0);
		wait_ms(w, 1);
		assert_int_equal(w->sent_count, 1);
		assert_string_equal(sent_to(w, 0, PBX, "INVITE "), first);
	}
	wait_ms(w, 500);
	assert_int_equal(w->sent_count, 1);
	const char *text = sent_to(w, 0, CUSTOMER,
				   "SIP/2.0 408 Request Timeout\r\n"
				   "Via: SIP/2.0/UDP 198.51.100.7:5062;");
	assert_non_null(strstr(text, "\r\nTo: <sip:100@gate.example>;tag="));
	hear(w, PBX, answer(first, "486 Busy Here", "INVITE"));
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, PBX, "ACK ");
	wait_ms(w, 33000);
	assert_int_equal(transactions(w), 0);
}

static void silence_to_another_request_ends_in_silence(void **state)
{
	struct world *w = *state;
	unsigned sent = 0;

	hear(w, CUSTOMER,
	     "MESSAGE sip:100@gate.example SIP/2.0\nVia: SIP/2.0/UDP " VIA "\n"
	     "From: <sip:a@b>;tag=f1\nTo: <sip:100@gate.example>\nCall-ID: c1\nCSeq: 7 MESSAGE\n"
	     "Content-Length: 0\n\n");
	for (int i = 0; i < 64; i++) {
		wait_ms(w, 500);
		for (unsigned j = 0; j < w->sent_count; j++, sent++)
			sent_to(w, j, PBX, "MESSAGE ");
	}
	assert_int_equal(sent, 10); /* RFC 3261 §17.1.2.2: 0.5, 1, 2, then every 4 s */
	assert_int_equal(transactions(w), 0);
	assert_int_equal(counted(w, PROXY_TIMEOUTS), 1);
}

static void endless_ringing_is_cancelled(void **state)
{
	struct world *w = *state;
	const char *invite = call_begins(w);

	hear(w, PBX, answer(invite, "180 Ringing", "INVITE"));
	wait_ms(w, 184999);
	assert_int_equal(w->sent_count, 0);
	wait_ms(w, 1);
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, PBX, "CANCEL ");
	cancel_is_answered(w, invite);
	assert_int_equal(w->sent_count, 0);
	wait_ms(w, 32000);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 408 ");
}

/* ---- CANCEL ---- */

static void cancel_is_answered_and_goes_on_with_the_branch_of_its_invite(void **state)
{
	struct world *w = *state;
	const char *invite = call_begins(w), *text;
	char branch[128];

	lines_of(invite, "Via: SIP/2.0/UDP 10.0.0.1", branch, sizeof(branch));
	branch[strlen(branch) - 1] = '\0';
	hear(w, PBX, answer(invite, "180 Ringing", "INVITE"));
	hear(w, CUSTOMER, cancel);
	assert_int_equal(w->sent_count, 2);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 200 OK\r\n");
	text = sent_to(w, 1, PBX, "CANCEL sip:100@gate.example SIP/2.0\r\n");
	assert_non_null(strstr(text, branch));
	assert_non_null(strstr(text, "\r\nCSeq: 7 CANCEL\r\n"));
	hear(w, CUSTOMER, cancel);
	assert_int_equal(w->sent_count, 1);
	wait_ms(w, 500);
	sent_to(w, 0, PBX, "CANCEL ");
	cancel_is_answered(w, invite);
	wait_ms(w, 5000);
	assert_int_equal(w->sent_count, 0);
	hear(w, PBX, answer(invite, "487 Request Terminated", "INVITE"));
	sent_to(w, 0, CUSTOMER, "SIP/2.0 487 ");
	sent_to(w, 1, PBX, "ACK ");
}

static void cancel_waits_for_a_provisional_response(void **state)
{
	struct world *w = *state;
	const char *invite = call_begins(w);

	hear(w, CUSTOMER, cancel);
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 200 OK\r\n");
	hear(w, PBX, answer(invite, "100 Trying", "INVITE"));
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, PBX, "CANCEL ");
}

static void cancelled_invite_to_a_silent_upstream_ends_in_487(void **state)
{
	struct world *w = *state;

	call_begins(w);
	hear(w, CUSTOMER, cancel);
	wait_ms(w, 32000);
	sent_to(w, w->sent_count - 1, CUSTOMER, "SIP/2.0 487 ");
}

static void cancel_without_invite_is_481(void **state)
{
	struct world *w = *state;

	hear(w, CUSTOMER, cancel);
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 481 ");
}

static void cancel_from_another_address_does_not_end_the_call(void **state)
{
	struct world *w = *state;
	const char *invite = call_begins(w);

	hear(w, PBX, answer(invite, "180 Ringing", "INVITE"));
	hear(w, "198.51.100.8:5062", cancel);
	assert_int_equal(w->sent_count, 1);
	assert_memory_equal(w->sent[0].text, "SIP/2.0 481 ", 12);
}

/* ---- what is refused ---- */

static void request_without_hops_left_is_483(void **state)
{
	struct world *w = *state;

	hear(w, CUSTOMER,
	     "INVITE sip:100@gate.example SIP/2.0\nVia: SIP/2.0/UDP " VIA "\n"
	     "From: <sip:a@b>;tag=f1\nTo: <sip:100@gate.example>\nCall-ID: c1\nCSeq: 7 INVITE\n"
	     "Max-Forwards: 0\nContent-Length: 0\n\n");
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 483 ");
	assert_int_equal(transactions(w), 0);
}

static void request_that_comes_back_unchanged_is_482(void **state)
{
	struct world *w = *state;
	char back[4096];

	strcpy(back, call_begins(w));
	hear(w, "198.51.100.9:5060", back);
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, "198.51.100.9:5060", "SIP/2.0 482 ");
}

static void unknown_proxy_extension_is_420(void **state)
{
	struct world *w = *state;

	hear(w, CUSTOMER, INVITE_OF(VIA, "Proxy-Require: foo, bar\n"));
	assert_int_equal(w->sent_count, 1);
	assert_non_null(
		strstr(sent_to(w, 0, CUSTOMER, "SIP/2.0 420 "), "\r\nUnsupported: foo, bar\r\n"));
}

static void unlisted_source_is_403_with_the_same_tag_each_time(void **state)
{
	struct world *w = *state;
	char first[4096];

	hear(w, STRANGER, INVITE_OF("192.0.2.66;branch=z9hG4bKx", ""));
	strcpy(first, sent_to(w, 0, STRANGER, "SIP/2.0 403 Forbidden\r\n"));
	assert_non_null(strstr(first, "\r\nTo: <sip:100@gate.example>;tag="));
	hear(w, STRANGER, INVITE_OF("192.0.2.66;branch=z9hG4bKx", ""));
	assert_string_equal(sent_to(w, 0, STRANGER, "SIP/2.0 403 "), first);
	assert_int_equal(transactions(w), 0);
}

static void answers_to_unlisted_sources_have_a_budget(void **state)
{
	struct world *w = *state;
	unsigned answers = 0;

	for (int i = 0; i < 100; i++) {
		hear(w, STRANGER, "INVITE nonsense\n\n");
		answers += w->sent_count;
		hear(w, STRANGER, cancel);
		answers += w->sent_count;
	}
	assert_int_equal(answers, 20);
	assert_true(counted(w, PROXY_REPLY_WITHHELD) >= 80);
	for (int i = 0; i < 100; i++) {
		hear(w, CUSTOMER, cancel);
		assert_int_equal(w->sent_count, 1);
	}
}

static void full_table_is_503_and_counted(void **state)
{
	struct world *w = *state;

	w->transactions = 1;
	world_start_proxy(w);
	call_begins(w);
	hear(w, CUSTOMER, INVITE_OF("198.51.100.7:5062;branch=z9hG4bKother", ""));
	assert_int_equal(w->sent_count, 1);
	assert_non_null(strstr(sent_to(w, 0, CUSTOMER, "SIP/2.0 503 "), "\r\nRetry-After: "));
	assert_int_equal(counted(w, PROXY_TRANSACTIONS_FULL), 1);
}

static void upstream_calls_none_but_registered_users(void **state)
{
	struct world *w = *state;

	hear(w, PBX, INVITE_OF("10.0.0.5;branch=z9hG4bKx", ""));
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, PBX, "SIP/2.0 480 ");
}

#define OPTIONS_OF(uri, via)                                                                       \
	"OPTIONS " uri " SIP/2.0\nVia: SIP/2.0/UDP " via ";branch=z9hG4bKo\n"                      \
	"From: <sip:a@b>;tag=f1\nTo: <" uri ">\nCall-ID: c1\nCSeq: 7 OPTIONS\n"                    \
	"Max-Forwards: 70\nContent-Length: 0\n\n"

static void options_to_us_is_answered_to_those_vouched_for(void **state)
{
	struct world *w = *state;

	hear(w, CUSTOMER, OPTIONS_OF("sip:gate.example", "198.51.100.7:5062"));
	sent_to(w, 0, CUSTOMER, "SIP/2.0 200 ");
	hear(w, CUSTOMER, OPTIONS_OF("sip:ping@203.0.113.1", "198.51.100.7:5062"));
	sent_to(w, 0, CUSTOMER, "SIP/2.0 200 ");
	hear(w, PBX, OPTIONS_OF("sip:10.0.0.1", "10.0.0.5"));
	sent_to(w, 0, PBX, "SIP/2.0 200 ");
	hear(w, STRANGER, OPTIONS_OF("sip:gate.example", "192.0.2.66"));
	assert_int_equal(w->sent_count, 0);
	hear(w, CUSTOMER, OPTIONS_OF("sip:100@elsewhere.example", "198.51.100.7:5062"));
	sent_to(w, 0, PBX, "OPTIONS ");
}

static void noise_gets_no_answer(void **state)
{
	struct world *w = *state;

	hear(w, CUSTOMER, "\n\n");
	hear(w, CUSTOMER, "hello\n");
	assert_int_equal(w->sent_count, 0);
	hear(w, CUSTOMER, "SIP/2.0 200 OK\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\n\n");
	assert_int_equal(w->sent_count, 0);
	hear(w, CUSTOMER, ack_of_failure);
	assert_int_equal(w->sent_count, 0);
	assert_int_equal(counted(w, PROXY_ACK_UNMATCHED), 1);
}

/* ---- dialogs ---- */

static void to_tag_without_token_proves_nothing(void **state)
{
	struct world *w = *state;
	char message[4096];

	in_dialog(message, "BYE", "sip:pbx@10.0.0.5", "", true);
	hear(w, STRANGER, message);
	sent_to(w, 0, "192.0.2.66:5062", "SIP/2.0 403 ");
	in_dialog(message, "BYE", "sip:pbx@10.0.0.5", "Route: <sip:00@10.0.0.1:5060;lr>\n", true);
	hear(w, STRANGER, message);
	sent_to(w, 0, "192.0.2.66:5062", "SIP/2.0 403 ");
	assert_int_equal(transactions(w), 0);
}

static void caller_side_requests_come_from_the_upstream_alone(void **state)
{
	struct world *w = *state;
	char routes[1024], message[4096];

	established(w, routes);
	in_dialog(message, "BYE", "sip:a@198.51.100.7:5062", routes, false);
	hear(w, "10.0.0.6:5060", message);
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, "10.0.0.6:5060", "SIP/2.0 403 ");
}

static void requests_to_the_caller_never_reach_a_third_party(void **state)
{
	struct world *w = *state;
	char routes[1024], message[4096];

	established(w, routes);
	in_dialog(message, "BYE", "sip:a@192.0.2.66:5060", routes, false);
	hear(w, PBX, message);
	sent_to(w, 0, CUSTOMER, "BYE sip:a@192.0.2.66:5060 ");
}

static void requests_to_the_caller_follow_a_contact_that_is_listed(void **state)
{
	struct world *w = *state;
	char routes[1024], message[4096];

	established(w, routes);
	in_dialog(message, "BYE", "sip:a@198.51.100.20:5090", routes, false);
	hear(w, PBX, message);
	sent_to(w, 0, "198.51.100.20:5090", "BYE ");
	in_dialog(message, "INFO", "sip:a@192.168.1.4", routes, false);
	hear(w, PBX, message);
	sent_to(w, 0, CUSTOMER, "INFO sip:a@192.168.1.4 ");
}

static void call_survives_a_restart_and_a_new_upstream(void **state)
{
	struct world *w = *state;
	char routes[1024], message[4096];

	established(w, routes);
	world_start_proxy(w);
	assert_ok(w->f, store_upstream_replace(w->f->store, "default", "sip:10.0.0.9", &w->f->err));
	world_read_store(w);
	in_dialog(message, "BYE", "sip:pbx@10.0.0.5", routes, true);
	hear(w, CUSTOMER, message);
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, PBX, "BYE ");
	in_dialog(message, "INFO", "sip:a@198.51.100.7:5062", routes, false);
	hear(w, PBX, message);
	sent_to(w, 0, CUSTOMER, "INFO ");
}

static void call_of_a_disabled_trunk_can_only_be_ended(void **state)
{
	struct world *w = *state;
	struct store_trunk trunk;
	char routes[1024];

	established(w, routes);
	assert_ok(w->f, store_trunk_get(w->f->store, "default", &trunk, &w->f->err));
	trunk.enabled = false;
	assert_ok(w->f, store_trunk_set(w->f->store, &trunk, &w->f->err));
	world_read_store(w);
	caller_says(w, "INFO", routes);
	assert_memory_equal(w->sent[0].text, "SIP/2.0 403 ", 12);
	caller_says(w, "ACK", routes);
	sent_to(w, 0, PBX, "ACK ");
	caller_says(w, "BYE", routes);
	sent_to(w, 0, PBX, "BYE ");
}

/* ---- responses without a transaction ---- */

static void response_after_a_restart_finds_its_way_by_via(void **state)
{
	struct world *w = *state;
	const char *invite = call_begins(w);

	world_start_proxy(w);
	hear(w, PBX, answer(invite, "200 OK", "INVITE"));
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 198.51.100.7:5062;");
	hear(w, PBX, answer(invite, "100 Trying", "INVITE"));
	assert_int_equal(w->sent_count, 0);
}

static void response_with_anything_of_its_vias_changed_is_dropped(void **state)
{
	static const char *const changes[] = {"z9hG4bK", "198.51.100.7", "5062",    "abc",
					      "tag=f1",	 "c1",		 "7 INVITE"};
	struct world *w = *state;
	const char *invite = call_begins(w);

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		char text[4096], *at;

		strcpy(text, answer(invite, "200 OK", "INVITE"));
		/* The last character: from 7 to 8, from c to d. */
		at = strstr(text, changes[i]) + strlen(changes[i]) - 1;
		if (strcmp(changes[i], "7 INVITE") == 0)
			at = strstr(text, changes[i]);
		if (strcmp(changes[i], "c1") == 0)
			at = strstr(text, "Call-ID: c1") + 10;
		*at += 1;
		hear(w, PBX, text);
		assert_int_equal(w->sent_count, 0);
	}
	hear(w, PBX, answer(invite, "200 OK", "INVITE"));
	assert_int_equal(w->sent_count, 1);
}

/* ---- lockout ---- */

static void set_lockout(struct world *w, enum sipward_mode mode, bool reject)
{
	struct lockout_evidence evidence = {.source = endpoint(STRANGER).ip,
					    .grade = LOCKOUT_HARD,
					    .reason = SIPWARD_LOCKOUT_ADDRESS};
	struct store_settings settings;

	assert_ok(w->f, store_settings_get(w->f->store, &settings, &w->f->err));
	settings.mode = mode;
	settings.lockout_reject = reject;
	assert_ok(w->f, store_settings_set(w->f->store, &settings, &w->f->err));
	world_read_store(w);
	for (unsigned i = 0; i < settings.lockout_failures; i++)
		lockout_failure(w->lockouts, policy_settings(w->policy), &evidence, w->now, NULL);
}

static void locked_out_source_gets_nothing_or_403_or_is_only_counted(void **state)
{
	struct world *w = *state;

	set_lockout(w, SIPWARD_ENFORCE, false);
	hear(w, STRANGER, OPTIONS_OF("sip:1@gate.example", "192.0.2.66"));
	assert_int_equal(w->sent_count, 0);
	set_lockout(w, SIPWARD_ENFORCE, true);
	hear(w, STRANGER, OPTIONS_OF("sip:1@gate.example", "192.0.2.66"));
	sent_to(w, 0, STRANGER, "SIP/2.0 403 ");
	assert_int_equal(counted(w, PROXY_LOCKED_OUT), 2);
	set_lockout(w, SIPWARD_MONITOR, false);
	hear(w, STRANGER, OPTIONS_OF("sip:1@gate.example", "192.0.2.66"));
	assert_int_equal(w->sent_count, 1);
	assert_int_equal(counted(w, PROXY_LOCKED_OUT_SERVED), 1);
}

static void unreadable_request_of_a_locked_out_source_is_answered_in_monitor_alone(void **state)
{
	const char *unreadable = "OPTIONS sip:gate.example SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.66\n"
				 "From: <sip:a@b>;tag=1\nTo: <sip:c>\nCall-ID: c1\n"
				 "CSeq: 1 INVITE\n\n";
	struct world *w = *state;

	set_lockout(w, SIPWARD_ENFORCE, true);
	hear(w, STRANGER, unreadable);
	assert_int_equal(w->sent_count, 0);
	set_lockout(w, SIPWARD_MONITOR, false);
	hear(w, STRANGER, unreadable);
	sent_to(w, 0, STRANGER, "SIP/2.0 400 ");
}

/* ---- IPv6 ---- */

static void ipv6_customer_reaches_an_ipv4_upstream(void **state)
{
	struct world *w = *state;
	const char *text;

	hear(w, "[2001:db8:1::7]:5062",
	     INVITE_OF("[2001:db8:1::7]:5062;branch=z9hG4bKabc;rport", ""));
	text = sent_to(w, 0, PBX, "INVITE ");
	assert_non_null(strstr(text, "@[2001:db8::1]:5060;lr>\r\n"));
	assert_non_null(strstr(text, "received=2001:db8:1::7"));
	hear(w, PBX, answer(text, "200 OK", "INVITE"));
	sent_to(w, 0, "[2001:db8:1::7]:5062", "SIP/2.0 200 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROXY_TEST(invite_leaves_with_our_fields_and_else_byte_for_byte),
		PROXY_TEST(fields_only_the_trusted_side_may_write_and_routes_are_removed),
		PROXY_TEST(missing_max_forwards_is_added),
		PROXY_TEST(call_passes_in_both_directions),
		PROXY_TEST(retransmitted_2xx_passes_again),
		PROXY_TEST(retransmitted_invite_is_answered_and_not_forwarded_again),
		PROXY_TEST(accepted_invite_is_remembered_for_64_t1),
		PROXY_TEST(failure_is_acknowledged_and_repeated_until_the_ack),
		PROXY_TEST(silent_upstream_is_asked_again_and_then_408),
		PROXY_TEST(silence_to_another_request_ends_in_silence),
		PROXY_TEST(endless_ringing_is_cancelled),
		PROXY_TEST(cancel_is_answered_and_goes_on_with_the_branch_of_its_invite),
		PROXY_TEST(cancel_waits_for_a_provisional_response),
		PROXY_TEST(cancelled_invite_to_a_silent_upstream_ends_in_487),
		PROXY_TEST(cancel_without_invite_is_481),
		PROXY_TEST(cancel_from_another_address_does_not_end_the_call),
		PROXY_TEST(request_without_hops_left_is_483),
		PROXY_TEST(request_that_comes_back_unchanged_is_482),
		PROXY_TEST(unknown_proxy_extension_is_420),
		PROXY_TEST(unlisted_source_is_403_with_the_same_tag_each_time),
		PROXY_TEST(answers_to_unlisted_sources_have_a_budget),
		PROXY_TEST(full_table_is_503_and_counted),
		PROXY_TEST(upstream_calls_none_but_registered_users),
		PROXY_TEST(options_to_us_is_answered_to_those_vouched_for),
		PROXY_TEST(noise_gets_no_answer),
		PROXY_TEST(to_tag_without_token_proves_nothing),
		PROXY_TEST(caller_side_requests_come_from_the_upstream_alone),
		PROXY_TEST(requests_to_the_caller_never_reach_a_third_party),
		PROXY_TEST(requests_to_the_caller_follow_a_contact_that_is_listed),
		PROXY_TEST(call_survives_a_restart_and_a_new_upstream),
		PROXY_TEST(call_of_a_disabled_trunk_can_only_be_ended),
		PROXY_TEST(response_after_a_restart_finds_its_way_by_via),
		PROXY_TEST(response_with_anything_of_its_vias_changed_is_dropped),
		PROXY_TEST(locked_out_source_gets_nothing_or_403_or_is_only_counted),
		PROXY_TEST(unreadable_request_of_a_locked_out_source_is_answered_in_monitor_alone),
		PROXY_TEST(ipv6_customer_reaches_an_ipv4_upstream),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
