/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of calls when too much waits, when the daemon is about to stop, and of those that
 * are another worker's. */
#include "proxy_call.h"

static void set_backlog(struct world *w, unsigned backlog)
{
	struct store_settings settings;

	assert_ok(w->f, store_settings_get(w->f->store, &settings, &w->f->err));
	settings.overload_backlog = backlog;
	assert_ok(w->f, store_settings_set(w->f->store, &settings, &w->f->err));
	world_read_store(w);
}

static void expect_refused(struct world *w, unsigned times)
{
	char another[2048];

	strcpy(another, INVITE);
	*(strstr(another, "bKabc") + 4) = 'z';
	*(strstr(another, "Call-ID: c1") + 10) = 'z';
	hear(w, CUSTOMER, another);
	assert_int_equal(w->sent_count, 1);
	assert_non_null(strstr(sent_to(w, 0, CUSTOMER, "SIP/2.0 503 "), "Retry-After: "));
	assert_int_equal(counted(w, PROXY_OVERLOADED), times);
}

static void new_calls_are_refused_above_the_backlog(void **state)
{
	struct world *w = *state;

	set_backlog(w, 10);
	w->waiting = 11;
	expect_refused(w, 1);
	assert_int_equal(transactions(w), 0);
	w->waiting = 10;
	call_begins(w);
	assert_int_equal(counted(w, PROXY_OVERLOADED), 1);
}

static void without_a_backlog_all_calls_are_taken(void **state)
{
	struct world *w = *state;

	w->waiting = 1000000;
	call_begins(w);
}

static void calls_in_progress_go_on_whatever_waits(void **state)
{
	struct world *w = *state;
	char routes[1024];

	set_backlog(w, 10);
	established(w, routes);
	w->waiting = 1000;
	caller_says(w, "ACK", routes);
	sent_to(w, 0, PBX, "ACK ");
	caller_says(w, "INVITE", routes);
	sent_to(w, 0, PBX, "INVITE ");
	caller_says(w, "BYE", routes);
	sent_to(w, 0, PBX, "BYE ");
	assert_int_equal(counted(w, PROXY_OVERLOADED), 0);
}

static void call_that_rings_is_answered_and_cancelled_whatever_waits(void **state)
{
	struct world *w = *state;
	char invite[4096];

	set_backlog(w, 10);
	strcpy(invite, call_begins(w));
	w->waiting = 1000;
	hear(w, CUSTOMER, INVITE);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 100 ");
	hear(w, PBX, answer(invite, "180 Ringing", "INVITE"));
	sent_to(w, 0, CUSTOMER, "SIP/2.0 180 ");
	hear(w, CUSTOMER, cancel);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 200 ");
	sent_to(w, 1, PBX, "CANCEL ");
}

static void draining_proxy_takes_no_calls_and_knows_what_is_unanswered(void **state)
{
	struct world *w = *state;
	char routes[1024], invite[4096];

	strcpy(invite, call_begins(w));
	assert_int_equal(proxy_unanswered(w->proxy), 1);
	proxy_drain(w->proxy);
	expect_refused(w, 1);
	assert_int_equal(proxy_unanswered(w->proxy), 1);
	hear(w, PBX, answer(invite, "200 OK", "INVITE"));
	routes_of(sent_to(w, 0, CUSTOMER, "SIP/2.0 200 "), true, routes);
	assert_int_equal(proxy_unanswered(w->proxy), 0);
	caller_says(w, "BYE", routes);
	sent_to(w, 0, PBX, "BYE ");
	assert_int_equal(proxy_unanswered(w->proxy), 1);
}

/* Only what can not be read has no call: whoever reads it answers it. */
static void calls_of_another_worker_are_passed_on_untouched(void **state)
{
	struct world *w = *state;
	char invite[4096];

	strcpy(invite, call_begins(w));
	w->foreign = true;
	hear(w, CUSTOMER, INVITE);
	assert_int_equal(w->sent_count, 0);
	hear(w, PBX, answer(invite, "200 OK", "INVITE"));
	assert_int_equal(w->sent_count, 0);
	assert_int_equal(w->passed_on, 2);
	assert_int_equal(counted(w, PROXY_PASSED_ON), 2);
	assert_int_equal(counted(w, PROXY_RECEIVED), 1);
	hear(w, CUSTOMER, "no SIP\n\n");
	assert_int_equal(w->passed_on, 2);
	assert_int_equal(counted(w, PROXY_RECEIVED), 2);
	w->foreign = false;
	hear(w, PBX, answer(invite, "200 OK", "INVITE"));
	sent_to(w, 0, CUSTOMER, "SIP/2.0 200 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROXY_TEST(new_calls_are_refused_above_the_backlog),
		PROXY_TEST(without_a_backlog_all_calls_are_taken),
		PROXY_TEST(calls_in_progress_go_on_whatever_waits),
		PROXY_TEST(call_that_rings_is_answered_and_cancelled_whatever_waits),
		PROXY_TEST(draining_proxy_takes_no_calls_and_knows_what_is_unanswered),
		PROXY_TEST(calls_of_another_worker_are_passed_on_untouched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
