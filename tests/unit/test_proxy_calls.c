/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls that go by unusual ways, forks and crossings: each reaches whom it should. */
#include "proxy_call.h"

/* ---- NAT and IPv6 ---- */

static void client_behind_nat_without_rport_is_answered_at_its_address(void **state)
{
	struct world *w = *state;
	char invite[4096];

	hear(w, "198.51.100.7:40000", INVITE_OF("192.168.1.4:5064;branch=z9hG4bKn", ""));
	sent_to(w, 1, "198.51.100.7:5064", "SIP/2.0 100 ");
	strcpy(invite, sent_to(w, 0, PBX, "INVITE "));
	assert_non_null(strstr(invite, "192.168.1.4:5064;branch=z9hG4bKn;received=198.51.100.7"));
	hear(w, PBX, answer(invite, "180 Ringing", "INVITE"));
	sent_to(w, 0, "198.51.100.7:5064", "SIP/2.0 180 ");
	world_start_proxy(w);
	hear(w, PBX, answer(invite, "200 OK", "INVITE"));
	sent_to(w, 0, "198.51.100.7:5064", "SIP/2.0 200 ");
}

static void ipv6_client_is_found_by_via_alone_and_in_dialog(void **state)
{
	struct world *w = *state;
	const char *client = "[2001:db8:1::7]:5062";
	char invite[4096], routes[1024], message[4096];

	hear(w, client, INVITE_OF("[2001:DB8:1:0::9]:5062;branch=z9hG4bK6;rport", ""));
	strcpy(invite, sent_to(w, 0, PBX, "INVITE "));
	assert_non_null(strstr(invite, ";rport=5062;received=2001:db8:1::7\r\n"));
	world_start_proxy(w);
	hear(w, PBX, answer(invite, "200 OK", "INVITE"));
	routes_of(sent_to(w, 0, client, "SIP/2.0 200 "), true, routes);
	in_dialog(message, "BYE", "sip:a@[2001:db8:1::7]:5062", routes, false);
	hear(w, PBX, message);
	assert_null(strstr(sent_to(w, 0, client, "BYE sip:a@[2001:db8:1::7]:5062 "), "Route:"));
	in_dialog(message, "INFO", "sip:pbx@10.0.0.5", routes, true);
	hear(w, client, message);
	sent_to(w, 0, PBX, "INFO ");
}

/* ---- upstreams ---- */

static void answer_from_another_port_or_address_of_the_upstream_passes(void **state)
{
	struct world *w = *state;
	const char *invite = call_begins(w);

	hear(w, "10.0.0.5:40000", answer(invite, "180 Ringing", "INVITE"));
	sent_to(w, 0, CUSTOMER, "SIP/2.0 180 ");
	hear(w, "10.0.0.6:5060", answer(invite, "486 Busy Here", "INVITE"));
	sent_to(w, 0, CUSTOMER, "SIP/2.0 486 ");
	sent_to(w, 1, PBX, "ACK ");
}

/* The same with another tag of the callee. */
static const char *of_branch_two(const char *response)
{
	static char text[4096];
	char *at;

	strcpy(text, response);
	at = strstr(text, "tag=t1");
	at[5] = '2';
	return text;
}

static void every_branch_of_a_forked_call_reaches_the_caller(void **state)
{
	static const char *const statuses[] = {"180 Ringing", "183 Session Progress", "200 OK"};
	struct world *w = *state;
	const char *invite = call_begins(w);
	char routes[1024], message[4096];

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		hear(w, PBX, answer(invite, statuses[i], "INVITE"));
		assert_non_null(strstr(sent_to(w, 0, CUSTOMER, "SIP/2.0 "), "tag=t1"));
		hear(w, PBX, of_branch_two(answer(invite, statuses[i], "INVITE")));
		assert_non_null(strstr(sent_to(w, 0, CUSTOMER, "SIP/2.0 "), "tag=t2"));
	}
	routes_of(w->sent[0].text, true, routes);
	in_dialog(message, "ACK", "sip:pbx@10.0.0.5", routes, true);
	hear(w, CUSTOMER, message);
	sent_to(w, 0, PBX, "ACK ");
	hear(w, CUSTOMER, of_branch_two(message));
	sent_to(w, 0, PBX, "ACK ");
	in_dialog(message, "BYE", "sip:pbx@10.0.0.5", routes, true);
	hear(w, CUSTOMER, of_branch_two(message));
	sent_to(w, 0, PBX, "BYE ");
}

static void answer_that_comes_after_the_cancel_reaches_the_caller(void **state)
{
	struct world *w = *state;
	const char *invite = call_begins(w);

	hear(w, PBX, answer(invite, "180 Ringing", "INVITE"));
	hear(w, CUSTOMER, cancel);
	cancel_is_answered(w, invite);
	assert_int_equal(w->sent_count, 0);
	hear(w, PBX, answer(invite, "200 OK", "INVITE"));
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 200 ");
	wait_ms(w, 5000);
	assert_int_equal(w->sent_count, 0);
	hear(w, CUSTOMER, cancel);
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 200 ");
}

static void answer_that_comes_after_our_408_reaches_the_caller(void **state)
{
	struct world *w = *state;
	const char *invite = call_begins(w);

	wait_ms(w, 32000);
	while (transactions(w) && (!w->sent_count || memcmp(w->sent[0].text, "SIP/2.0 408", 11)))
		wait_ms(w, 500);
	hear(w, PBX, answer(invite, "200 OK", "INVITE"));
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 200 ");
}

static void redirection_and_global_failure_are_the_callers_to_judge(void **state)
{
	static const char *const statuses[] = {"302 Moved Temporarily", "603 Decline",
					       "503 Service Unavailable", "401 Unauthorized"};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		char begins[64];

		hear(w, PBX, answer(call_begins(w), statuses[i], "INVITE"));
		snprintf(begins, sizeof(begins), "SIP/2.0 %s\r\n", statuses[i]);
		sent_to(w, 0, CUSTOMER, begins);
		sent_to(w, 1, PBX, "ACK ");
		wait_ms(w, 33000);
	}
}

/* ---- dialogs ---- */

static void requests_of_an_early_dialog_pass_by_the_token(void **state)
{
	struct world *w = *state;
	char routes[1024], message[4096];

	hear(w, PBX, answer(call_begins(w), "183 Session Progress", "INVITE"));
	routes_of(sent_to(w, 0, CUSTOMER, "SIP/2.0 183 "), true, routes);
	caller_says(w, "PRACK", routes);
	sent_to(w, 0, PBX, "PRACK ");
	caller_says(w, "UPDATE", routes);
	sent_to(w, 0, PBX, "UPDATE ");
	in_dialog(message, "UPDATE", "sip:a@198.51.100.7:5062", routes, false);
	hear(w, PBX, message);
	sent_to(w, 0, CUSTOMER, "UPDATE ");
}

static void invites_that_cross_do_not_mix(void **state)
{
	struct world *w = *state;
	char routes[1024], message[4096], to_pbx[4096], to_customer[4096], response[4096];

	established(w, routes);
	caller_says(w, "INVITE", routes);
	strcpy(to_pbx, sent_to(w, 0, PBX, "INVITE "));
	in_dialog(message, "INVITE", "sip:a@198.51.100.7:5062", routes, false);
	hear(w, PBX, message);
	strcpy(to_customer, sent_to(w, 0, CUSTOMER, "INVITE "));
	strcpy(response, answer(to_pbx, "491 Request Pending", "INVITE"));
	strstr(response, "CSeq: 7")[6] = '8';
	hear(w, PBX, response);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 491 ");
	sent_to(w, 1, PBX, "ACK ");
	strcpy(response, answer(to_customer, "491 Request Pending", "INVITE"));
	strstr(response, "CSeq: 7")[6] = '8';
	/* Who calls here is the callee. */
	strcpy(strstr(response, "From: "),
	       "From: <sip:100@gate.example>;tag=t1\nTo: <sip:a@b>;tag=f1\nCall-ID: c1\n"
	       "CSeq: 8 INVITE\nContent-Length: 0\n\n");
	hear(w, CUSTOMER, response);
	sent_to(w, 0, PBX, "SIP/2.0 491 ");
	sent_to(w, 1, CUSTOMER, "ACK ");
}

static void retransmitted_bye_gets_the_same_answer(void **state)
{
	struct world *w = *state;
	char routes[1024], response[4096];

	established(w, routes);
	caller_says(w, "BYE", routes);
	strcpy(response, answer(sent_to(w, 0, PBX, "BYE "), "200 OK", "BYE"));
	caller_says(w, "BYE", routes);
	assert_int_equal(w->sent_count, 0);
	strstr(response, "CSeq: 7")[6] = '8';
	hear(w, PBX, response);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 200 ");
	caller_says(w, "BYE", routes);
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 200 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROXY_TEST(client_behind_nat_without_rport_is_answered_at_its_address),
		PROXY_TEST(ipv6_client_is_found_by_via_alone_and_in_dialog),
		PROXY_TEST(answer_from_another_port_or_address_of_the_upstream_passes),
		PROXY_TEST(every_branch_of_a_forked_call_reaches_the_caller),
		PROXY_TEST(answer_that_comes_after_the_cancel_reaches_the_caller),
		PROXY_TEST(answer_that_comes_after_our_408_reaches_the_caller),
		PROXY_TEST(redirection_and_global_failure_are_the_callers_to_judge),
		PROXY_TEST(requests_of_an_early_dialog_pass_by_the_token),
		PROXY_TEST(invites_that_cross_do_not_mix),
		PROXY_TEST(retransmitted_bye_gets_the_same_answer),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
