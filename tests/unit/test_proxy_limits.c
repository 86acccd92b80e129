/* SPDX-License-Identifier: BSD-2-Clause */
/* How many calls a trunk may place: what the messages of calls do to the count. */
#include "proxy_call.h"

static void limit(struct world *w, unsigned calls, unsigned calls_per_s)
{
	struct store_trunk trunk;

	assert_ok(w->f, store_trunk_get(w->f->store, "default", &trunk, &w->f->err));
	trunk.calls_max = calls;
	trunk.calls_per_s = calls_per_s;
	assert_ok(w->f, store_trunk_set(w->f->store, &trunk, &w->f->err));
	world_read_store(w);
}

static size_t calls_now(struct world *w)
{
	struct proxy_stats stats;

	proxy_stats(w->proxy, &stats);
	return stats.calls;
}

/* The INVITE of another call: its Call-ID and branch end with the letter. */
static void another(struct world *w, char letter)
{
	char text[2048];

	strcpy(text, INVITE);
	*(strstr(text, "bKabc") + 4) = letter;
	*(strstr(text, "Call-ID: c1") + 10) = letter;
	hear(w, CUSTOMER, text);
}

static void expect_too_many(struct world *w, char letter)
{
	another(w, letter);
	assert_int_equal(w->sent_count, 1);
	assert_non_null(strstr(sent_to(w, 0, CUSTOMER, "SIP/2.0 503 "), "Retry-After: 1\r\n"));
}

/* Answers what the PBX was sent last, with the CSeq it had. */
static void pbx_answers(struct world *w, const char *request, const char *status,
			const char *method)
{
	char text[4096], *cseq;

	strcpy(text, answer(request, status, method));
	cseq = strstr(text, "CSeq: 7");
	cseq[6] = strstr(request, "CSeq: ")[6];
	hear(w, PBX, text);
}

static void third_call_is_refused_until_one_ends(void **state)
{
	struct world *w = *state;
	char routes[1024], bye[4096];

	limit(w, 2, 0);
	established(w, routes);
	another(w, '2');
	sent_to(w, 0, PBX, "INVITE ");
	expect_too_many(w, '3');
	assert_int_equal(counted(w, PROXY_TOO_MANY_CALLS), 1);
	assert_int_equal(counted(w, PROXY_REFUSED), 1);
	caller_says(w, "BYE", routes);
	strcpy(bye, sent_to(w, 0, PBX, "BYE "));
	pbx_answers(w, bye, "200 OK", "BYE");
	another(w, '4');
	sent_to(w, 0, PBX, "INVITE ");
	assert_int_equal(calls_now(w), 2);
	expect_too_many(w, '5');
}

static void ends_by_bye_that_is_answered(struct world *w, const char *status, bool ends)
{
	char routes[1024], bye[4096];

	limit(w, 1, 0);
	world_start_proxy(w);
	established(w, routes);
	assert_int_equal(calls_now(w), 1);
	caller_says(w, "BYE", routes);
	strcpy(bye, sent_to(w, 0, PBX, "BYE "));
	assert_int_equal(calls_now(w), 1);
	expect_too_many(w, '2');
	pbx_answers(w, bye, status, "BYE");
	assert_int_equal(calls_now(w), ends ? 0 : 1);
}

static void bye_of_the_caller_ends_the_call_if_it_is_taken(void **state)
{
	ends_by_bye_that_is_answered(*state, "200 OK", true);
	ends_by_bye_that_is_answered(*state, "481 Gone", true);
	ends_by_bye_that_is_answered(*state, "408 Timeout", true);
	ends_by_bye_that_is_answered(*state, "500 Lower CSeq", false);
	ends_by_bye_that_is_answered(*state, "401 Unauthorized", false);
}

static void bye_that_nobody_answers_ends_the_call(void **state)
{
	struct world *w = *state;
	char routes[1024];

	limit(w, 1, 0);
	established(w, routes);
	caller_says(w, "BYE", routes);
	for (int i = 0; i < 100 && calls_now(w); i++)
		wait_ms(w, 500);
	assert_int_equal(calls_now(w), 0);
}

static void bye_of_another_dialog_ends_nothing(void **state)
{
	struct world *w = *state;
	char routes[1024], bye[4096], *tag;

	limit(w, 1, 0);
	established(w, routes);
	in_dialog(bye, "BYE", "sip:pbx@10.0.0.5", routes, true);
	tag = strstr(bye, "tag=t1");
	tag[5] = '9';
	hear(w, CUSTOMER, bye);
	strcpy(bye, answer(sent_to(w, 0, PBX, "BYE "), "200 OK", "BYE"));
	strstr(bye, "CSeq: 7")[6] = '8';
	strstr(bye, "tag=t1")[5] = '9';
	hear(w, PBX, bye);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 200 ");
	assert_int_equal(calls_now(w), 1);
}

static void bye_of_the_callee_ends_the_call_however_it_is_answered(void **state)
{
	static const char *const statuses[] = {"200 OK", "500 No"};
	struct world *w = *state;
	char invite[4096], routes[1024], message[4096], vias[1024];

	limit(w, 1, 0);
	for (int i = 0; i < 2; i++) {
		world_start_proxy(w);
		strcpy(invite, call_begins(w));
		hear(w, PBX, answer(invite, "200 OK", "INVITE"));
		routes_of(invite, false, routes);
		in_dialog(message, "BYE", "sip:a@198.51.100.7:5062", routes, false);
		hear(w, PBX, message);
		lines_of(sent_to(w, 0, CUSTOMER, "BYE "), "Via:", vias, sizeof(vias));
		snprintf(message, sizeof(message),
			 "SIP/2.0 %s\n%sFrom: <sip:100@gate.example>;tag=t1\n"
			 "To: <sip:a@b>;tag=f1\nCall-ID: c1\nCSeq: 8 BYE\nContent-Length: 0\n\n",
			 statuses[i], vias);
		hear(w, CUSTOMER, message);
		sent_to(w, 0, PBX, "SIP/2.0 ");
		assert_int_equal(calls_now(w), 0);
	}
}

static void failed_cancelled_and_silent_calls_end(void **state)
{
	struct world *w = *state;
	char invite[4096];

	limit(w, 1, 0);
	strcpy(invite, call_begins(w));
	expect_too_many(w, '2');
	hear(w, PBX, answer(invite, "486 Busy Here", "INVITE"));
	assert_int_equal(calls_now(w), 0);

	world_start_proxy(w);
	strcpy(invite, call_begins(w));
	hear(w, PBX, answer(invite, "180 Ringing", "INVITE"));
	hear(w, CUSTOMER, cancel);
	assert_int_equal(calls_now(w), 1);
	hear(w, PBX, answer(invite, "487 Request Terminated", "INVITE"));
	assert_int_equal(calls_now(w), 0);

	world_start_proxy(w);
	call_begins(w);
	wait_ms(w, 32000);
	while (calls_now(w) && transactions(w))
		wait_ms(w, 500);
	assert_int_equal(calls_now(w), 0);
}

/* The PBX asks for credentials of its own, or sends the caller elsewhere. */
static void invite_that_is_repeated_after_a_challenge_counts_once(void **state)
{
	struct world *w = *state;
	char invite[4096];

	limit(w, 1, 0);
	strcpy(invite, call_begins(w));
	hear(w, PBX, answer(invite, "407 Proxy Authentication Required", "INVITE"));
	hear(w, CUSTOMER, INVITE_OF("198.51.100.7:5062;branch=z9hG4bKagain", ""));
	sent_to(w, 0, PBX, "INVITE ");
	assert_int_equal(calls_now(w), 1);
}

static void retransmissions_and_requests_in_dialog_are_not_counted(void **state)
{
	struct world *w = *state;
	char routes[1024];

	limit(w, 1, 1);
	call_begins(w);
	for (int i = 0; i < 3; i++) {
		hear(w, CUSTOMER, INVITE);
		sent_to(w, 0, CUSTOMER, "SIP/2.0 100 ");
	}
	world_start_proxy(w);
	established(w, routes);
	for (int i = 0; i < 2; i++) {
		caller_says(w, i ? "INFO" : "INVITE", routes);
		sent_to(w, 0, PBX, i ? "INFO " : "INVITE ");
	}
	assert_int_equal(calls_now(w), 1);
	hear(w, CUSTOMER,
	     "MESSAGE sip:100@gate.example SIP/2.0\nVia: SIP/2.0/UDP " VIA "m\n"
	     "From: <sip:a@b>;tag=f1\nTo: <sip:100@gate.example>\nCall-ID: c9\n"
	     "CSeq: 7 MESSAGE\nContent-Length: 0\n\n");
	sent_to(w, 0, PBX, "MESSAGE ");
}

static void call_is_counted_again_after_a_restart(void **state)
{
	static const char *const methods[] = {"INVITE", "UPDATE"};
	struct world *w = *state;
	char routes[1024], request[4096];

	limit(w, 1, 0);
	established(w, routes);
	for (size_t i = 0; i < 2; i++) {
		world_start_proxy(w);
		assert_int_equal(calls_now(w), 0);
		caller_says(w, "INFO", routes);
		strcpy(request, sent_to(w, 0, PBX, "INFO "));
		pbx_answers(w, request, "200 OK", "INFO");
		assert_int_equal(calls_now(w), 0);
		caller_says(w, methods[i], routes);
		strcpy(request, sent_to(w, 0, PBX, methods[i]));
		pbx_answers(w, request, "481 Gone", methods[i]);
		assert_int_equal(calls_now(w), 0);
		world_start_proxy(w);
		caller_says(w, methods[i], routes);
		strcpy(request, sent_to(w, 0, PBX, methods[i]));
		pbx_answers(w, request, "200 OK", methods[i]);
		assert_int_equal(calls_now(w), 1);
		expect_too_many(w, '2');
	}
}

/* An INVITE that is answered late, or twice with two tags, is as many calls as there are. */
static void every_answered_branch_is_a_call(void **state)
{
	struct world *w = *state;
	char invite[4096], second[4096];

	limit(w, 5, 0);
	strcpy(invite, call_begins(w));
	hear(w, PBX, answer(invite, "200 OK", "INVITE"));
	hear(w, PBX, answer(invite, "200 OK", "INVITE"));
	assert_int_equal(calls_now(w), 1);
	strcpy(second, answer(invite, "200 OK", "INVITE"));
	strstr(second, "tag=t1")[5] = '2';
	hear(w, PBX, second);
	assert_int_equal(calls_now(w), 2);
}

static void calls_a_second_are_refused_with_503(void **state)
{
	struct world *w = *state;

	limit(w, 0, 2);
	for (char c = '1'; c < '3'; c++) {
		another(w, c);
		sent_to(w, 0, PBX, "INVITE ");
	}
	expect_too_many(w, '3');
	assert_int_equal(counted(w, PROXY_CALLS_PER_SECOND), 1);
	w->now += 500 * NS_PER_MS;
	another(w, '4');
	sent_to(w, 0, PBX, "INVITE ");
	assert_int_equal(calls_now(w), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROXY_TEST(third_call_is_refused_until_one_ends),
		PROXY_TEST(bye_of_the_caller_ends_the_call_if_it_is_taken),
		PROXY_TEST(bye_that_nobody_answers_ends_the_call),
		PROXY_TEST(bye_of_another_dialog_ends_nothing),
		PROXY_TEST(bye_of_the_callee_ends_the_call_however_it_is_answered),
		PROXY_TEST(failed_cancelled_and_silent_calls_end),
		PROXY_TEST(invite_that_is_repeated_after_a_challenge_counts_once),
		PROXY_TEST(retransmissions_and_requests_in_dialog_are_not_counted),
		PROXY_TEST(call_is_counted_again_after_a_restart),
		PROXY_TEST(every_answered_branch_is_a_call),
		PROXY_TEST(calls_a_second_are_refused_with_503),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
