/* SPDX-License-Identifier: BSD-2-Clause */
/* Several upstreams: who is tried, in what order, and what is known of them. */
#include "proxy_call.h"

#define PBX2 "10.0.0.6:5060"
#define PBX3 "10.0.0.7:5060"

static void add_peer(struct world *w, enum store_peer_role role, const char *uri,
		     unsigned priority, unsigned weight)
{
	struct store_peer peer = {.role = role, .priority = priority, .weight = weight};

	strcpy(peer.uri, uri);
	assert_ok(w->f, store_peer_add(w->f->store, "default", &peer, &w->f->err));
	world_read_store(w);
}

static void change_settings(struct world *w, unsigned interval_s)
{
	struct store_settings settings;

	assert_ok(w->f, store_settings_get(w->f->store, &settings, &w->f->err));
	settings.health_interval_s = interval_s;
	assert_ok(w->f, store_settings_set(w->f->store, &settings, &w->f->err));
	world_read_store(w);
}

/* PBX first, PBX2 after it; nobody is asked whether they live. */
static void two_upstreams(struct world *w)
{
	change_settings(w, 0);
	add_peer(w, STORE_UPSTREAM, "sip:" PBX2, 20, 1);
}

static const char *invite_numbered(unsigned n)
{
	static char text[2048];
	char via[64];

	snprintf(via, sizeof(via), "198.51.100.7:5062;branch=z9hG4bKn%u", n);
	snprintf(text, sizeof(text),
		 "INVITE sip:100@gate.example SIP/2.0\nVia: SIP/2.0/UDP %s\n"
		 "From: <sip:a@b>;tag=f1\nTo: <sip:100@gate.example>\nCall-ID: c1\n"
		 "CSeq: 7 INVITE\nContact: <sip:a@198.51.100.7:5062>\nContent-Length: 0\n\n",
		 via);
	return text;
}

/* What was sent to the address, the last of it; NULL: nothing. */
static const char *last_to(struct world *w, const char *to, const char *begins)
{
	struct endpoint e = endpoint(to);

	for (unsigned i = w->sent_count; i-- > 0;)
		if (endpoint_eq(&w->sent[i].path.remote, &e) &&
		    strncmp(w->sent[i].text, begins, strlen(begins)) == 0)
			return w->sent[i].text;
	return NULL;
}

static char *kept(const char *text)
{
	assert_non_null(text);
	return strdup(text);
}

static void silent_upstream_is_passed_over_after_the_failover_time(void **state)
{
	struct world *w = *state;
	char *first, *second, branch[2][128];

	two_upstreams(w);
	first = kept(call_begins(w));
	for (int i = 0; i < 3; i++)
		wait_ms(w, 1000);
	assert_null(last_to(w, PBX2, "INVITE "));
	wait_ms(w, 1001);
	second = kept(last_to(w, PBX2, "INVITE sip:100@gate.example "));
	lines_of(first, "Via: SIP/2.0/UDP 10.0.0.1", branch[0], sizeof(branch[0]));
	lines_of(second, "Via: SIP/2.0/UDP 10.0.0.1", branch[1], sizeof(branch[1]));
	assert_string_not_equal(branch[0], branch[1]);
	/* Else they are alike, but for the token, which names the upstream. */
	assert_string_equal(strstr(first, "\r\nFrom:"), strstr(second, "\r\nFrom:"));
	hear(w, PBX2, answer(second, "200 OK", "INVITE"));
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 200 ");
	/* The first wakes up: it is cancelled, and is still the caller's business if it answers. */
	hear(w, PBX, answer(first, "180 Ringing", "INVITE"));
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, PBX, "CANCEL ");
	hear(w, PBX, answer(first, "487 Request Terminated", "INVITE"));
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, PBX, "ACK ");
	free(first);
	free(second);
	wait_ms(w, 33000);
	assert_int_equal(transactions(w), 0);
}

static void late_answer_of_one_passed_over_reaches_the_caller(void **state)
{
	struct world *w = *state;
	char *first, *second;

	two_upstreams(w);
	first = kept(call_begins(w));
	wait_ms(w, 4001);
	second = kept(last_to(w, PBX2, "INVITE "));
	hear(w, PBX, answer(first, "200 OK", "INVITE"));
	sent_to(w, 0, CUSTOMER, "SIP/2.0 200 ");
	hear(w, PBX2, answer(second, "180 Ringing", "INVITE"));
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, PBX2, "CANCEL ");
	free(first);
	free(second);
}

static void unavailable_upstream_is_passed_over_at_once(void **state)
{
	struct world *w = *state;
	char *first, *second;

	two_upstreams(w);
	first = kept(call_begins(w));
	hear(w, PBX, answer(first, "503 Service Unavailable", "INVITE"));
	assert_null(last_to(w, CUSTOMER, ""));
	assert_non_null(last_to(w, PBX, "ACK "));
	second = kept(last_to(w, PBX2, "INVITE "));
	hear(w, PBX2, answer(second, "486 Busy Here", "INVITE"));
	sent_to(w, 0, CUSTOMER, "SIP/2.0 486 ");
	sent_to(w, 1, PBX2, "ACK ");
	free(first);
	free(second);
}

static void retry_after_keeps_calls_away_for_so_long(void **state)
{
	struct world *w = *state;

	two_upstreams(w);
	hear(w, PBX,
	     answer(call_begins(w), "503 Service Unavailable\nRetry-After: 20 (later);x=1",
		    "INVITE"));
	hear(w, CUSTOMER, invite_numbered(1));
	assert_null(last_to(w, PBX, "INVITE "));
	assert_non_null(last_to(w, PBX2, "INVITE "));
	w->now += 21 * NS_PER_S;
	hear(w, CUSTOMER, invite_numbered(2));
	assert_non_null(last_to(w, PBX, "INVITE "));
}

static void when_all_fail_the_best_failure_is_told(void **state)
{
	struct world *w = *state;
	char *text;

	two_upstreams(w);
	text = kept(call_begins(w));
	hear(w, PBX, answer(text, "503 Service Unavailable", "INVITE"));
	free(text);
	text = kept(last_to(w, PBX2, "INVITE "));
	hear(w, PBX2, answer(text, "503 Service Unavailable", "INVITE"));
	assert_non_null(last_to(w, CUSTOMER, "SIP/2.0 503 "));
	free(text);
	/* Neither silence nor 503 hides what one of them has said. */
	hear(w, CUSTOMER, invite_numbered(1));
	text = kept(last_to(w, PBX, "INVITE "));
	hear(w, PBX, answer(text, "503 Service Unavailable", "INVITE"));
	for (int i = 0; i < 33; i++) {
		wait_ms(w, 1000);
		if (last_to(w, CUSTOMER, "SIP/2.0 503 "))
			break;
	}
	assert_non_null(last_to(w, CUSTOMER, "SIP/2.0 503 "));
	free(text);
}

static void connection_that_fails_is_passed_over_at_the_next_tick(void **state)
{
	struct world *w = *state;
	struct net_path path = {.transport = NET_TCP, .remote = endpoint(PBX3)};

	change_settings(w, 0);
	add_peer(w, STORE_UPSTREAM, "sip:" PBX3 ";transport=tcp", 1, 1);
	hear(w, CUSTOMER, INVITE);
	assert_int_equal(w->sent[0].path.transport, NET_TCP);
	assert_non_null(strstr(sent_to(w, 0, PBX3, "INVITE "), "\r\nVia: SIP/2.0/TCP 10.0.0.1:"));
	assert_non_null(strstr(w->sent[0].text, "@10.0.0.1:5060;transport=tcp;lr>\r\n"));
	w->sent_count = 0;
	proxy_failed(w->proxy, &path, w->now, w->now);
	wait_ms(w, 0);
	assert_non_null(last_to(w, PBX, "INVITE "));
}

/* One that was there may have been dead for long, though its other end lives. */
static void the_only_upstream_gets_one_more_connection(void **state)
{
	struct world *w = *state;
	struct net_path path = {.transport = NET_TCP, .remote = endpoint(PBX)};
	const struct store_peer by_udp = {.role = STORE_UPSTREAM, .uri = "sip:" PBX};

	add_peer(w, STORE_UPSTREAM, "sip:" PBX ";transport=tcp", 1, 1);
	assert_ok(w->f, store_peer_remove(w->f->store, "default", &by_udp, &w->f->err));
	world_read_store(w);
	for (int i = 0; i < 2; i++) {
		hear(w, CUSTOMER, invite_numbered((unsigned)i));
		sent_to(w, 0, PBX, "INVITE ");
		proxy_failed(w->proxy, &path, w->now, w->now);
		wait_ms(w, 0);
		assert_int_equal(w->sent_count, 1);
		sent_to(w, 0, PBX, "INVITE ");
		if (i == 0) {
			hear_by(w, NET_TCP, PBX, answer(w->sent[0].text, "200 OK", "INVITE"));
			sent_to(w, 0, CUSTOMER, "SIP/2.0 200 ");
			continue;
		}
		proxy_failed(w->proxy, &path, w->now, w->now);
		wait_ms(w, 0);
		assert_int_equal(w->sent_count, 1);
		sent_to(w, 0, CUSTOMER, "SIP/2.0 503 ");
	}
}

static void ack_whose_connection_is_gone_goes_on_by_another(void **state)
{
	struct world *w = *state;
	struct net_path path = {.transport = NET_TCP, .remote = endpoint("198.51.100.7:40000")};
	char text[4096], routes[1024];
	size_t before;

	hear_by(w, NET_TCP, "198.51.100.7:40000", INVITE);
	strcpy(text, sent_to(w, 0, PBX, "INVITE "));
	routes_of(text, false, routes);
	hear(w, PBX, answer(text, "200 OK", "INVITE"));
	before = transactions(w);
	in_dialog(text, "ACK", "sip:a@198.51.100.7:5062;transport=tcp", routes, false);
	for (int i = 0; i < 3; i++) {
		hear(w, PBX, text);
		assert_int_equal(w->sent_count, 1);
		sent_to(w, 0, "198.51.100.7:40000", "ACK ");
		assert_int_equal(transactions(w), before + 1);
	}
	assert_int_equal(proxy_unanswered(w->proxy), 0);
	proxy_failed(w->proxy, &path, w->now, w->now);
	wait_ms(w, 0);
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, "198.51.100.7:5062", "ACK ");
	/* Nobody waits for an answer. */
	path.remote.port = 5062;
	proxy_failed(w->proxy, &path, w->now, w->now);
	wait_ms(w, 0);
	assert_int_equal(w->sent_count, 0);
	assert_int_equal(transactions(w), before);
	hear(w, PBX, text);
	assert_int_equal(transactions(w), before + 1);
	/* For as long as a connection may take to fail. */
	wait_ms(w, 4001);
	assert_int_equal(transactions(w), before);
	assert_int_equal(counted(w, PROXY_TIMEOUTS), 0);
}

static void ack_that_the_callee_lost_with_its_connection_is_sent_again(void **state)
{
	struct world *w = *state;
	struct net_path path = {.transport = NET_TCP, .remote = endpoint(PBX3)};
	char routes[1024];

	add_peer(w, STORE_UPSTREAM, "sip:" PBX3 ";transport=tcp", 1, 1);
	hear(w, CUSTOMER, INVITE);
	hear_by(w, NET_TCP, PBX3, answer(sent_to(w, 0, PBX3, "INVITE "), "200 OK", "INVITE"));
	routes_of(sent_to(w, 0, CUSTOMER, "SIP/2.0 200 "), true, routes);
	caller_says(w, "ACK", routes);
	sent_to(w, 0, PBX3, "ACK ");
	proxy_failed(w->proxy, &path, w->now, w->now);
	wait_ms(w, 0);
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, PBX3, "ACK ");
}

/* RFC 3261 §16.9. */
static void what_can_not_be_sent_is_not_waited_for(void **state)
{
	struct world *w = *state;

	two_upstreams(w);
	w->unreachable = PBX;
	hear(w, CUSTOMER, INVITE);
	wait_ms(w, 0);
	sent_to(w, 0, PBX2, "INVITE ");
	w->unreachable = PBX2;
	hear(w, CUSTOMER, invite_numbered(2));
	sent_to(w, 0, PBX, "INVITE ");
}

/* The failure of an older connection says nothing about a newer one. */
static void connection_that_was_not_asked_by_may_fail(void **state)
{
	struct world *w = *state;
	struct net_path path = {.transport = NET_TCP, .remote = endpoint(PBX3)};

	add_peer(w, STORE_UPSTREAM, "sip:" PBX3 ";transport=tcp", 1, 1);
	hear(w, CUSTOMER, INVITE);
	sent_to(w, 0, PBX3, "INVITE ");
	proxy_failed(w->proxy, &path, w->now - 1, w->now);
	wait_ms(w, 0);
	assert_int_equal(w->sent_count, 0);
	proxy_failed(w->proxy, &path, w->now, w->now);
	wait_ms(w, 0);
	assert_non_null(last_to(w, PBX, "INVITE "));
}

static void connection_repeats_nothing(void **state)
{
	struct world *w = *state;
	struct net_path path = {.transport = NET_TCP, .remote = endpoint(PBX3)};

	change_settings(w, 0);
	add_peer(w, STORE_UPSTREAM, "sip:" PBX3 ";transport=tcp", 1, 1);
	hear(w, CUSTOMER, INVITE);
	for (int i = 0; i < 3; i++) {
		wait_ms(w, 1000);
		assert_int_equal(w->sent_count, 0);
	}
	wait_ms(w, 1001);
	assert_non_null(last_to(w, PBX, "INVITE "));
	proxy_failed(w->proxy, &path, w->now, w->now);
}

static void in_dialog_nobody_else_is_tried(void **state)
{
	struct world *w = *state;
	char routes[1024];

	two_upstreams(w);
	established(w, routes);
	caller_says(w, "BYE", routes);
	sent_to(w, 0, PBX, "BYE ");
	for (int i = 0; i < 33; i++) {
		wait_ms(w, 1000);
		assert_null(last_to(w, PBX2, ""));
	}
}

static void cancelled_call_is_tried_nowhere_else(void **state)
{
	struct world *w = *state;

	two_upstreams(w);
	call_begins(w);
	hear(w, CUSTOMER, cancel);
	for (int i = 0; i < 33; i++) {
		wait_ms(w, 1000);
		assert_null(last_to(w, PBX2, ""));
		if (last_to(w, CUSTOMER, "SIP/2.0 487 "))
			return;
	}
	fail();
}

static void calls_are_shared_by_weight(void **state)
{
	struct world *w = *state;
	unsigned second = 0, third = 0;

	change_settings(w, 0);
	add_peer(w, STORE_UPSTREAM, "sip:" PBX2, 5, 1);
	add_peer(w, STORE_UPSTREAM, "sip:" PBX3, 5, 3);
	for (unsigned i = 0; i < 400; i++) {
		hear(w, CUSTOMER, invite_numbered(i));
		second += last_to(w, PBX2, "INVITE ") != NULL;
		third += last_to(w, PBX3, "INVITE ") != NULL;
	}
	assert_int_equal(second + third, 400);
	/* Of 400 with a chance of 3/4 each, fewer than 250 or more than 350 do not happen. */
	assert_in_range(third, 250, 350);
}

/* ---- health ---- */

static void answer_ping(struct world *w, const char *from, const char *ping)
{
	char text[2048], via[256], call_id[128], fromto[512];

	lines_of(ping, "Via:", via, sizeof(via));
	lines_of(ping, "Call-ID:", call_id, sizeof(call_id));
	lines_of(ping, "From:", fromto, sizeof(fromto));
	snprintf(text, sizeof(text),
		 "SIP/2.0 200 OK\n%s%sTo: <sip:x>;tag=1\n%sCSeq: 1 OPTIONS\nContent-Length: 0\n\n",
		 via, fromto, call_id);
	hear(w, from, text);
}

/* Lets seconds pass, PBX2 answers what it is asked, PBX if alive. */
static void live(struct world *w, unsigned seconds, bool alive)
{
	for (unsigned i = 0; i < seconds; i++) {
		char *first, *second;

		wait_ms(w, 1000);
		first = last_to(w, PBX, "OPTIONS ") ? strdup(last_to(w, PBX, "OPTIONS ")) : NULL;
		second = last_to(w, PBX2, "OPTIONS ") ? strdup(last_to(w, PBX2, "OPTIONS ")) :
							NULL;
		if (second)
			answer_ping(w, PBX2, second);
		if (first && alive)
			answer_ping(w, PBX, first);
		free(first);
		free(second);
	}
}

static const char *called_at(struct world *w, unsigned n)
{
	hear(w, CUSTOMER, invite_numbered(n));
	return last_to(w, PBX, "INVITE ") ? PBX : last_to(w, PBX2, "INVITE ") ? PBX2 : "nowhere";
}

static void upstream_that_does_not_answer_options_gets_no_calls_until_it_does(void **state)
{
	struct world *w = *state;

	add_peer(w, STORE_UPSTREAM, "sip:" PBX2, 20, 1);
	change_settings(w, 10);
	live(w, 45, true);
	assert_string_equal(called_at(w, 1), PBX);
	live(w, 45, false);
	assert_string_equal(called_at(w, 2), PBX2);
	live(w, 45, true);
	assert_string_equal(called_at(w, 3), PBX);
	live(w, 60, true);
	assert_int_equal(counted(w, PROXY_RESPONSE_UNVERIFIED), 0);
	assert_in_range(transactions(w), 0, 2);
}

static void when_all_are_down_calls_are_tried_all_the_same(void **state)
{
	struct world *w = *state;

	change_settings(w, 10);
	live(w, 60, false);
	assert_string_equal(called_at(w, 1), PBX);
}

static void forged_answer_to_options_counts_for_nothing(void **state)
{
	struct world *w = *state;

	change_settings(w, 10);
	hear(w, PBX,
	     "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 10.0.0.1:5060;"
	     "branch=z9hG4bKefcdab89674523011032547698badcfe0000;rport\n"
	     "From: <sip:sipward@10.0.0.1>;tag=1\nTo: <sip:x>;tag=2\nCall-ID: x\n"
	     "CSeq: 1 OPTIONS\nContent-Length: 0\n\n");
	assert_int_equal(w->sent_count, 0);
	assert_int_equal(counted(w, PROXY_RESPONSE_UNVERIFIED), 1);
}

/* ---- towards the customer ---- */

static const char *call_of_pbx(unsigned n)
{
	static char text[2048];

	snprintf(text, sizeof(text),
		 "INVITE sip:+4930123@gate.example SIP/2.0\n"
		 "Via: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKp%u\nFrom: <sip:pbx@b>;tag=f1\n"
		 "To: <sip:+4930123@gate.example>\nCall-ID: c1\nCSeq: 7 INVITE\n"
		 "Contact: <sip:pbx@10.0.0.5>\nMax-Forwards: 70\nContent-Length: 0\n\n",
		 n);
	return text;
}

static void destinations_are_called_with_the_trunks_fields_and_failover(void **state)
{
	struct world *w = *state;
	char *text;

	change_settings(w, 0);
	add_peer(w, STORE_DESTINATION, "sip:198.51.100.20:5070", 1, 1);
	add_peer(w, STORE_DESTINATION, "sip:198.51.100.21;transport=tcp", 2, 1);
	assert_ok(w->f, store_trunk_header_add(w->f->store, "default", "X-My-Header: one; two",
					       &w->f->err));
	world_read_store(w);
	hear(w, PBX, call_of_pbx(1));
	text = kept(last_to(w, "198.51.100.20:5070",
			    "INVITE sip:+4930123@198.51.100.20:5070 SIP/2.0\r\n"));
	assert_non_null(strstr(text, "\r\nX-My-Header: one; two\r\n"));
	assert_non_null(strstr(text, "\r\nTo: <sip:+4930123@gate.example>\r\n"));
	hear(w, "198.51.100.20:5070", answer(text, "503 Service Unavailable", "INVITE"));
	free(text);
	text = kept(last_to(w, "198.51.100.21:5060",
			    "INVITE sip:+4930123@198.51.100.21;transport=tcp SIP/2.0\r\n"
			    "Via: SIP/2.0/TCP "));
	assert_non_null(strstr(text, "\r\nX-My-Header: one; two\r\n"));
	hear(w, "198.51.100.21:5060", answer(text, "200 OK", "INVITE"));
	sent_to(w, 0, PBX, "SIP/2.0 200 ");
	free(text);
}

/* Which goes by TLS, whatever the destination's scheme says of it. */
static void destination_is_called_with_the_scheme_of_the_call(void **state)
{
	struct world *w = *state;
	char *text;

	change_settings(w, 0);
	add_peer(w, STORE_DESTINATION, "sip:198.51.100.20", 1, 1);
	add_peer(w, STORE_DESTINATION, "sip:198.51.100.21:5071;transport=tls", 2, 1);
	add_peer(w, STORE_DESTINATION, "sips:198.51.100.22", 3, 1);
	text = calloc(1, 4096);
	assert_non_null(text);
	snprintf(text, 4096, "INVITE sips%s", strchr(call_of_pbx(1), ':'));
	hear_by(w, NET_TLS, PBX, text);
	free(text);
	text = kept(last_to(w, "198.51.100.21:5071",
			    "INVITE sips:+4930123@198.51.100.21:5071 SIP/2.0\r\n"
			    "Via: SIP/2.0/TLS "));
	hear_by(w, NET_TLS, "198.51.100.21:5071", answer(text, "503 No", "INVITE"));
	free(text);
	assert_non_null(last_to(w, "198.51.100.22:5061",
				"INVITE sips:+4930123@198.51.100.22 SIP/2.0\r\n"));
	hear(w, PBX, call_of_pbx(2));
	text = kept(last_to(w, "198.51.100.20:5060", "INVITE sip:+4930123@198.51.100.20 "));
	hear(w, "198.51.100.20:5060", answer(text, "503 No", "INVITE"));
	free(text);
	text = kept(last_to(w, "198.51.100.21:5071",
			    "INVITE sip:+4930123@198.51.100.21:5071;transport=tls "));
	hear(w, "198.51.100.21:5071", answer(text, "503 No", "INVITE"));
	free(text);
	assert_non_null(last_to(w, "198.51.100.22:5061",
				"INVITE sip:+4930123@198.51.100.22 SIP/2.0\r\n"
				"Via: SIP/2.0/TLS "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROXY_TEST(silent_upstream_is_passed_over_after_the_failover_time),
		PROXY_TEST(late_answer_of_one_passed_over_reaches_the_caller),
		PROXY_TEST(unavailable_upstream_is_passed_over_at_once),
		PROXY_TEST(retry_after_keeps_calls_away_for_so_long),
		PROXY_TEST(when_all_fail_the_best_failure_is_told),
		PROXY_TEST(connection_that_fails_is_passed_over_at_the_next_tick),
		PROXY_TEST(the_only_upstream_gets_one_more_connection),
		PROXY_TEST(ack_whose_connection_is_gone_goes_on_by_another),
		PROXY_TEST(ack_that_the_callee_lost_with_its_connection_is_sent_again),
		PROXY_TEST(what_can_not_be_sent_is_not_waited_for),
		PROXY_TEST(connection_that_was_not_asked_by_may_fail),
		PROXY_TEST(connection_repeats_nothing),
		PROXY_TEST(in_dialog_nobody_else_is_tried),
		PROXY_TEST(cancelled_call_is_tried_nowhere_else),
		PROXY_TEST(calls_are_shared_by_weight),
		PROXY_TEST(upstream_that_does_not_answer_options_gets_no_calls_until_it_does),
		PROXY_TEST(when_all_are_down_calls_are_tried_all_the_same),
		PROXY_TEST(forged_answer_to_options_counts_for_nothing),
		PROXY_TEST(destinations_are_called_with_the_trunks_fields_and_failover),
		PROXY_TEST(destination_is_called_with_the_scheme_of_the_call),
	};

	return cmocka_run_group_tests_name("proxy_failover", tests, NULL, NULL);
}
