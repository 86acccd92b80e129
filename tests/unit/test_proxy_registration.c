/* SPDX-License-Identifier: BSD-2-Clause */
/* Registrations that the gate keeps at its upstream. */
#include "proxy_call.h"

#define PASSWORD "Carrier1Secret"

static void add_credential(struct world *w, bool registers, unsigned expires_s)
{
	const struct store_outbound_key key = {"default", "sip:" PBX, "4930 1"};
	const struct store_outbound outbound = {.registers = registers, .expires_s = expires_s};

	assert_ok(w->f, store_outbound_add(w->f->store, &key, &outbound, PASSWORD, &w->f->err));
	world_read_store(w);
}

static void remove_credential(struct world *w)
{
	const struct store_outbound_key key = {"default", "sip:" PBX, "4930 1"};

	assert_ok(w->f, store_outbound_remove(w->f->store, &key, &w->f->err));
	world_read_store(w);
}

/* The upstream's answer to the REGISTER. */
static void is_answered(struct world *w, const char *request, const char *status,
			const char *fields)
{
	char text[4096], via[256], from[256], to[256], call_id[128], cseq[64];

	lines_of(request, "Via:", via, sizeof(via));
	lines_of(request, "From:", from, sizeof(from));
	lines_of(request, "To:", to, sizeof(to));
	lines_of(request, "Call-ID:", call_id, sizeof(call_id));
	lines_of(request, "CSeq:", cseq, sizeof(cseq));
	snprintf(text, sizeof(text), "SIP/2.0 %s\n%s%s%s%s%s%sContent-Length: 0\n\n", status, via,
		 from, to, call_id, cseq, fields);
	hear(w, PBX, text);
}

static void count_one(const struct proxy_registration *registration, void *arg)
{
	struct proxy_registration *found = arg;

	assert_int_equal(found->credential_id, 0);
	*found = *registration;
}

static struct proxy_registration state_of(struct world *w)
{
	struct proxy_registration found = {0};

	proxy_registration_each(w->proxy, count_one, &found);
	return found;
}

/* A copy of the one REGISTER that has just been sent. */
static const char *register_sent(struct world *w, const char *cseq)
{
	static char text[NET_DATAGRAM_MAX + 1];
	char line[64];

	assert_int_equal(w->sent_count, 1);
	strcpy(text, sent_to(w, 0, PBX, "REGISTER sip:10.0.0.5:5060 SIP/2.0\r\n"));
	lines_of(text, "CSeq:", line, sizeof(line));
	assert_string_equal(line, cseq);
	return text;
}

static void registers_and_renews_at_half_the_time(void **state)
{
	struct world *w = *state;
	char call_id[128], again[128];
	const char *text;

	add_credential(w, true, 600);
	wait_ms(w, 0);
	text = register_sent(w, "CSeq: 1 REGISTER\n");
	assert_non_null(strstr(text, "\r\nContact: <sip:4930%201@10.0.0.1:5060>\r\n"));
	assert_non_null(strstr(text, "\r\nTo: <sip:4930%201@10.0.0.5:5060>\r\n"));
	assert_non_null(strstr(text, "\r\nExpires: 600\r\n"));
	lines_of(text, "Call-ID:", call_id, sizeof(call_id));
	is_answered(w, text, "200 OK",
		    "Contact: <sip:other@10.0.0.9>;expires=7\n"
		    "Contact: <sip:4930%201@10.0.0.1:5060>;expires=100\n");
	assert_int_equal(w->sent_count, 0);
	assert_true(state_of(w).until_ns == w->now + 100 * NS_PER_S);
	wait_ms(w, 49999);
	assert_int_equal(w->sent_count, 0);
	wait_ms(w, 1);
	text = register_sent(w, "CSeq: 2 REGISTER\n");
	lines_of(text, "Call-ID:", again, sizeof(again));
	assert_string_equal(call_id, again);
}

static void a_challenge_is_answered_and_a_423_obeyed(void **state)
{
	struct world *w = *state;

	add_credential(w, true, 60);
	wait_ms(w, 0);
	is_answered(w, register_sent(w, "CSeq: 1 REGISTER\n"), "401 Unauthorized",
		    "WWW-Authenticate: Digest realm=\"c\", nonce=\"n1\", qop=\"auth\"\n");
	assert_non_null(strstr(register_sent(w, "CSeq: 2 REGISTER\n"),
			       "\r\nAuthorization: Digest username=\"4930 1\", realm=\"c\""));
	is_answered(w, register_sent(w, "CSeq: 2 REGISTER\n"), "423 Interval Too Brief",
		    "Min-Expires: 1800\n");
	wait_ms(w, 0);
	assert_non_null(strstr(register_sent(w, "CSeq: 3 REGISTER\n"), "\r\nExpires: 1800\r\n"));
	assert_non_null(strstr(w->sent[0].text, "nc=00000002"));
	is_answered(w, register_sent(w, "CSeq: 3 REGISTER\n"), "200 OK", "Expires: 1800\n");
	assert_true(state_of(w).until_ns == w->now + 1800 * NS_PER_S);
	assert_int_equal(transactions(w), 0);
}

/* Once it has been asked for both, neither waits for another challenge. */
static void calls_and_registrations_are_asked_for_credentials_apart(void **state)
{
	static const char challenge[] = "-Authenticate: Digest realm=\"c\", nonce=\"";
	struct world *w = *state;
	char text[512], call[2048];

	add_credential(w, true, 600);
	wait_ms(w, 0);
	snprintf(text, sizeof(text), "WWW%sr\", qop=\"auth\"\n", challenge);
	is_answered(w, register_sent(w, "CSeq: 1 REGISTER\n"), "401 Who?", text);
	is_answered(w, register_sent(w, "CSeq: 2 REGISTER\n"), "200 OK", "");
	hear(w, CUSTOMER, INVITE);
	snprintf(text, sizeof(text), "Proxy%si\", qop=\"auth\"\n", challenge);
	strcpy(call, sent_to(w, 0, PBX, "INVITE "));
	is_answered(w, call, "407 Who?", text);
	assert_non_null(strstr(sent_to(w, 1, PBX, "INVITE "), "Proxy-Authorization: Digest"));
	strcpy(call, w->sent[1].text);
	is_answered(w, call, "486 Busy", "");
	wait_ms(w, 40000);
	wait_ms(w, 260000);
	assert_non_null(
		strstr(register_sent(w, "CSeq: 3 REGISTER\n"), "\r\nAuthorization: Digest"));
	assert_non_null(strstr(w->sent[0].text, "nonce=\"r\""));
	hear(w, CUSTOMER, INVITE_OF("198.51.100.7:5062;branch=z9hG4bKnext", ""));
	assert_non_null(strstr(sent_to(w, 0, PBX, "INVITE "), "\r\nProxy-Authorization: Digest"));
	assert_non_null(strstr(w->sent[0].text, "nonce=\"i\""));
	assert_null(strstr(w->sent[0].text, "\r\nAuthorization:"));
}

static void failures_are_tried_again_later_and_later(void **state)
{
	struct world *w = *state;

	add_credential(w, true, 60);
	wait_ms(w, 0);
	is_answered(w, register_sent(w, "CSeq: 1 REGISTER\n"), "403 Forbidden", "");
	assert_int_equal(state_of(w).status, 403);
	wait_ms(w, 4999);
	assert_int_equal(w->sent_count, 0);
	wait_ms(w, 1);
	is_answered(w, register_sent(w, "CSeq: 2 REGISTER\n"), "403 Forbidden", "");
	wait_ms(w, 9999);
	assert_int_equal(w->sent_count, 0);
	wait_ms(w, 1);
	is_answered(w, register_sent(w, "CSeq: 3 REGISTER\n"), "503 Busy", "Retry-After: 100\n");
	wait_ms(w, 99999);
	assert_int_equal(w->sent_count, 0);
	assert_int_equal(state_of(w).failures, 3);
	/* Silence counts too. */
	wait_ms(w, 1);
	register_sent(w, "CSeq: 4 REGISTER\n");
	wait_ms(w, 4001);
	assert_int_equal(state_of(w).failures, 4);
	assert_int_equal(state_of(w).status, 0);
	assert_int_equal(transactions(w), 0);
}

static void another_address_of_the_upstream_is_tried_after_a_failure(void **state)
{
	struct store_peer peer = {.role = STORE_UPSTREAM, .uri = "sip:carrier.example"};
	struct store_peer_address addresses[] = {
		{.endpoint = endpoint(PBX), .transport = NET_UDP, .priority = 1},
		{.endpoint = endpoint("10.0.0.6:5060"), .transport = NET_UDP, .priority = 2},
	};
	const struct store_outbound_key key = {"default", peer.uri, "4930 1"};
	const struct store_outbound outbound = {.registers = true, .expires_s = 60};
	struct world *w = *state;

	assert_ok(w->f, store_upstream_replace(w->f->store, "default", peer.uri, &w->f->err));
	assert_ok(w->f, store_peer_get(w->f->store, "default", &peer, &peer, &w->f->err));
	assert_ok(w->f, store_peer_resolved(w->f->store, peer.id, addresses, 2, STORE_NEVER,
					    &w->f->err));
	assert_ok(w->f, store_outbound_add(w->f->store, &key, &outbound, PASSWORD, &w->f->err));
	world_read_store(w);
	wait_ms(w, 0);
	sent_to(w, 0, PBX, "REGISTER ");
	wait_ms(w, 4001);
	wait_ms(w, 5000);
	sent_to(w, 0, "10.0.0.6:5060", "REGISTER ");
	wait_ms(w, 4001);
	wait_ms(w, 10000);
	sent_to(w, 0, PBX, "REGISTER ");
}

static void one_that_goes_is_removed_with_credentials(void **state)
{
	struct world *w = *state;

	add_credential(w, true, 60);
	wait_ms(w, 0);
	is_answered(w, register_sent(w, "CSeq: 1 REGISTER\n"), "200 OK", "");
	remove_credential(w);
	wait_ms(w, 0);
	assert_non_null(strstr(register_sent(w, "CSeq: 2 REGISTER\n"), "\r\nExpires: 0\r\n"));
	is_answered(w, w->sent[0].text, "407 Who?",
		    "Proxy-Authenticate: Digest realm=\"c\", nonce=\"n1\"\n");
	assert_non_null(strstr(register_sent(w, "CSeq: 3 REGISTER\n"),
			       "\r\nProxy-Authorization: Digest"));
	assert_false(proxy_has_left(w->proxy));
	is_answered(w, w->sent[0].text, "200 OK", "");
	assert_true(proxy_has_left(w->proxy));
	wait_ms(w, 60000);
	assert_int_equal(w->sent_count, 0);
}

static void a_stop_removes_them(void **state)
{
	struct world *w = *state;

	proxy_leave(w->proxy, w->now);
	assert_true(proxy_has_left(w->proxy));
	world_start_proxy(w);
	add_credential(w, true, 60);
	wait_ms(w, 0);
	is_answered(w, register_sent(w, "CSeq: 1 REGISTER\n"), "200 OK", "");
	proxy_leave(w->proxy, w->now);
	assert_false(proxy_has_left(w->proxy));
	wait_ms(w, 0);
	assert_non_null(strstr(register_sent(w, "CSeq: 2 REGISTER\n"), "\r\nExpires: 0\r\n"));
	/* No answer: it is over all the same. */
	wait_ms(w, 4001);
	assert_true(proxy_has_left(w->proxy));
}

static void one_that_does_not_register_is_left_alone(void **state)
{
	struct world *w = *state;

	add_credential(w, false, 60);
	wait_ms(w, 10000);
	assert_int_equal(w->sent_count, 0);
	assert_true(proxy_has_left(w->proxy));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROXY_TEST(registers_and_renews_at_half_the_time),
		PROXY_TEST(a_challenge_is_answered_and_a_423_obeyed),
		PROXY_TEST(calls_and_registrations_are_asked_for_credentials_apart),
		PROXY_TEST(failures_are_tried_again_later_and_later),
		PROXY_TEST(another_address_of_the_upstream_is_tried_after_a_failure),
		PROXY_TEST(one_that_goes_is_removed_with_credentials),
		PROXY_TEST(a_stop_removes_them),
		PROXY_TEST(one_that_does_not_register_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
