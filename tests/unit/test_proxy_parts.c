/* SPDX-License-Identifier: BSD-2-Clause */
/* What the proxy is made of: branches, dialog tokens, deadlines, transactions, budgets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "proxy/branch.h"
#include "proxy/mac.h"
#include "proxy/source.h"
#include "proxy/token.h"
#include "proxy/txn.h"

static const uint8_t key[16] = "0123456789abcdef";
static const uint8_t other_key[16] = "0123456789abcdeg";

static struct ip ip(const char *text)
{
	struct ip parsed;

	assert_int_equal(ip_parse(slice_from(text), &parsed), 0);
	return parsed;
}

static struct endpoint endpoint(const char *text, uint16_t port)
{
	return (struct endpoint){ip(text), port};
}

/* ---- branches ---- */

static const char invite[] =
	"INVITE sip:100@gate.example SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bKabc;rport\r\n"
	"Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKin, SIP/2.0/UDP h;branch=z9hG4bKh\r\n"
	"From: <sip:a@b>;tag=f1\r\n"
	"To: <sip:100@gate.example>\r\n"
	"Call-ID: c1\r\n"
	"CSeq: 7 INVITE\r\n"
	"Content-Length: 0\r\n\r\n";

/* The message with one piece of text changed, and its branch. */
static struct branch branch_of(const char *from, const char *to, const char *source)
{
	static struct sip_msg msg;
	char text[1024];
	const char *at = from ? strstr(invite, from) : NULL, *why;
	struct branch branch;
	struct ip source_ip = ip(source);

	assert_true(!from || at);
	snprintf(text, sizeof(text), "%.*s%s%s", from ? (int)(at - invite) : 0, invite,
		 from ? to : "", from ? at + strlen(from) : invite);
	assert_int_equal(sip_msg_parse(slice_from(text), &msg, &why), SIP_PARSE_OK);
	branch = (struct branch){branch_id(key, &msg, &msg.via, &source_ip, msg.cseq),
				 branch_loop(key, &msg), 0, 0};
	return branch;
}

static void branch_is_the_same_for_a_retransmission_and_the_ack_and_cancel(void **state)
{
	struct branch first = branch_of(NULL, NULL, "198.51.100.7");

	(void)state;
	assert_int_equal(first.id, branch_of(NULL, NULL, "198.51.100.7").id);
	assert_int_equal(first.id, branch_of("7 INVITE", "7 INVITE", "198.51.100.7").id);
	assert_int_equal(first.loop, branch_of("10.0.0.1", "10.0.0.9", "198.51.100.7").loop);
}

static void branch_changes_with_each_of_its_inputs(void **state)
{
	static const char *const changes[][2] = {
		{"z9hG4bKabc", "z9hG4bKabd"},
		{"198.51.100.7:5062", "198.51.100.7:5063"},
		{"198.51.100.7:5062", "198.51.100.8:5062"},
		{"tag=f1", "tag=f2"},
		{"Call-ID: c1", "Call-ID: c2"},
		{"7 INVITE", "8 INVITE"},
	};
	uint64_t first = branch_of(NULL, NULL, "198.51.100.7").id;

	(void)state;
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		assert_int_not_equal(first,
				     branch_of(changes[i][0], changes[i][1], "198.51.100.7").id);
	assert_int_not_equal(first, branch_of(NULL, NULL, "198.51.100.8").id);
}

static void branch_loop_changes_when_the_request_uri_does(void **state)
{
	struct branch first = branch_of(NULL, NULL, "198.51.100.7");
	struct branch other = branch_of("sip:100@gate", "sip:101@gate", "198.51.100.7");

	(void)state;
	assert_int_equal(first.id, other.id);
	assert_int_not_equal(first.loop, other.loop);
}

static void branch_text_is_recognised_and_any_changed_character_is_not(void **state)
{
	struct branch branch = {0x0123456789abcdef, 0xfedcba9876543210, 0x1f, 2}, read;
	char text[BRANCH_TEXT_SIZE];

	(void)state;
	branch_format(&branch, text);
	assert_string_equal(text, "z9hG4bKefcdab89674523011032547698badcfe1f02");
	assert_true(branch_has_id(slice_from(text), branch.id));
	assert_int_equal(branch_read(slice_from(text), &read), 0);
	assert_int_equal(read.id, branch.id);
	assert_int_equal(read.loop, branch.loop);
	assert_int_equal(read.attempt, 0x1f);
	assert_int_equal(read.cseq_offset, 2);
	assert_int_equal(branch_read(SLICE("z9hG4bKab"), &read), -EINVAL);
	assert_true(branch_has_loop(slice_from(text), branch.loop));
	assert_false(branch_has_loop(slice_from(text), branch.id));
	for (size_t i = 0; i < 7 + 16; i++) {
		text[i] ^= 1;
		assert_false(branch_has_id(slice_from(text), branch.id));
		text[i] ^= 1;
	}
	assert_false(branch_has_id((struct slice){text, sizeof(text) - 2}, branch.id));
	assert_false(branch_has_id(SLICE(""), branch.id));
}

/* ---- dialog tokens ---- */

static const struct token_call call = {{"c1", 2}, {"tag-a", 5}};

static struct token token_v4(void)
{
	return (struct token){.trunk_id = 42,
			      .user_id = 7,
			      .issued_s = 1700000000,
			      .caller = endpoint("198.51.100.7", 5062),
			      .upstream = endpoint("10.0.0.5", 5060),
			      .caller_transport = NET_UDP,
			      .upstream_transport = NET_UDP};
}

static void token_round_trip(const struct token *token)
{
	char text[TOKEN_TEXT_SIZE];
	struct token back;

	token_write(key, token, &call, text);
	assert_int_equal(token_read(key, slice_from(text), &call, &back), 0);
	assert_int_equal(back.trunk_id, token->trunk_id);
	assert_int_equal(back.user_id, token->user_id);
	assert_int_equal(back.issued_s, token->issued_s);
	assert_true(endpoint_eq(&back.caller, &token->caller));
	assert_true(endpoint_eq(&back.upstream, &token->upstream));
	assert_int_equal(back.caller_transport, token->caller_transport);
	assert_int_equal(back.upstream_transport, token->upstream_transport);
	assert_int_equal(back.cseq_offset, token->cseq_offset);
	assert_int_equal(back.flags, token->flags);
}

static void token_says_what_was_written(void **state)
{
	struct token v4 = token_v4();
	struct token v6 = {.trunk_id = INT64_MAX,
			   .user_id = INT64_MAX,
			   .issued_s = UINT32_MAX,
			   .caller = endpoint("2001:db8::1", 1),
			   .upstream = endpoint("2001:db8::2", 65535),
			   .caller_transport = NET_TLS,
			   .upstream_transport = NET_TCP,
			   .cseq_offset = 255,
			   .flags = TOKEN_TO_CUSTOMER};
	struct token mixed = {.trunk_id = 1,
			      .caller = endpoint("2001:db8::1", 5060),
			      .upstream = endpoint("192.0.2.1", 5060),
			      .caller_transport = NET_UDP,
			      .upstream_transport = NET_TLS,
			      .cseq_offset = 1,
			      .flags = 3};

	(void)state;
	token_round_trip(&v4);
	token_round_trip(&v6);
	token_round_trip(&mixed);
}

static void token_of_another_call_party_or_key_is_refused(void **state)
{
	struct token token = token_v4(), back;
	struct token_call other_id = {SLICE("c2"), SLICE("tag-a")};
	struct token_call other_tag = {SLICE("c1"), SLICE("tag-b")};
	struct token_call shifted = {SLICE("c1t"), SLICE("ag-a")};
	char text[TOKEN_TEXT_SIZE];

	(void)state;
	token_write(key, &token, &call, text);
	assert_int_equal(token_read(key, slice_from(text), &other_id, &back), -EINVAL);
	assert_int_equal(token_read(key, slice_from(text), &other_tag, &back), -EINVAL);
	assert_int_equal(token_read(key, slice_from(text), &shifted, &back), -EINVAL);
	assert_int_equal(token_read(other_key, slice_from(text), &call, &back), -EINVAL);
}

static void token_with_any_digit_changed_or_any_length_is_refused(void **state)
{
	struct token token = token_v4(), back;
	char text[TOKEN_TEXT_SIZE];

	(void)state;
	token_write(key, &token, &call, text);
	for (size_t i = 0; text[i]; i++) {
		char was = text[i];

		text[i] = was == '0' ? '1' : '0';
		assert_int_equal(token_read(key, slice_from(text), &call, &back), -EINVAL);
		text[i] = was;
		assert_int_equal(token_read(key, (struct slice){text, i}, &call, &back), -EINVAL);
	}
	text[strlen(text) - 1] = 'A';
	assert_int_equal(token_read(key, slice_from(text), &call, &back), -EINVAL);
}

/* ---- deadlines ---- */

static void deadlines_come_in_order_whatever_is_set_moved_and_cleared(void **state)
{
	enum { N = 500 };
	static struct deadline nodes[N];
	struct deadlines deadlines = {0};
	uint64_t last = 0;
	size_t left = 0;

	(void)state;
	srand(1);
	for (int round = 0; round < 10 * N; round++) {
		struct deadline *d = &nodes[rand() % N];

		if (rand() % 4 == 0)
			deadline_clear(&deadlines, d);
		else
			assert_int_equal(deadline_set(&deadlines, d, (uint64_t)rand() % 1000), 0);
	}
	for (int i = 0; i < N; i++)
		left += nodes[i].place != 0;
	assert_int_equal(deadlines.count, left);
	for (struct deadline *d; (d = deadline_first(&deadlines)); left--) {
		assert_true(d->at_ns >= last);
		last = d->at_ns;
		deadline_clear(&deadlines, d);
	}
	assert_int_equal(left, 0);
	deadlines_free(&deadlines);
}

/* ---- transactions ---- */

static void transactions_are_found_until_freed_and_never_exceed_the_limit(void **state)
{
	struct txns txns;
	struct txn *txn, *more;

	(void)state;
	assert_int_equal(txns_init(&txns, 2), 0);
	assert_int_equal(txn_create(&txns, 1, &txn), 0);
	assert_int_equal(txn_create(&txns, 2, &more), 0);
	assert_int_equal(txn_create(&txns, 3, &more), -ENOSPC);
	assert_ptr_equal(txn_find(&txns, 1), txn);
	txn_free(&txns, txn);
	assert_null(txn_find(&txns, 1));
	assert_int_equal(txn_create(&txns, 3, &more), 0);
	txns_free(&txns);
}

static void timer_is_due_at_the_earlier_of_its_times(void **state)
{
	struct txns txns;
	struct txn *txn;

	(void)state;
	assert_int_equal(txns_init(&txns, 2), 0);
	assert_int_equal(txn_create(&txns, 1, &txn), 0);
	assert_null(timer_due(&txns, 1000));
	timer_set(&txns, &txn->timer, 10, 20);
	assert_null(timer_due(&txns, 9));
	assert_ptr_equal(timer_due(&txns, 10), &txn->timer);
	timer_set(&txns, &txn->timer, 0, 20);
	assert_null(timer_due(&txns, 19));
	assert_ptr_equal(timer_due(&txns, 20), &txn->timer);
	timer_set(&txns, &txn->timer, 30, 20);
	assert_ptr_equal(timer_due(&txns, 20), &txn->timer);
	txns_free(&txns);
}

static void attempts_are_found_by_number_and_have_timers_of_their_own(void **state)
{
	struct attempt *first, *second;
	struct txns txns;
	struct txn *txn;

	(void)state;
	assert_int_equal(txns_init(&txns, 2), 0);
	assert_int_equal(txn_create(&txns, 1, &txn), 0);
	assert_false(txn_has_open(txn));
	assert_int_equal(attempt_create(&txns, txn, SLICE("one"), &first), 0);
	assert_int_equal(attempt_create(&txns, txn, SLICE("two"), &second), 0);
	assert_ptr_equal(attempt_find(txn, 0), first);
	assert_ptr_equal(attempt_find(txn, 1), second);
	assert_null(attempt_find(txn, 2));
	timer_set(&txns, &second->timer, 0, 7);
	timer_set(&txns, &first->timer, 0, 8);
	assert_ptr_equal(timer_due(&txns, 9)->attempt, second);
	first->passed_over = true;
	assert_true(txn_has_open(txn));
	second->state = ATTEMPT_ENDED;
	assert_false(txn_has_open(txn));
	txn_free(&txns, txn);
	assert_null(timer_due(&txns, 9));
	txns_free(&txns);
}

/* ---- sources ---- */

static unsigned answers(struct sources *sources, const struct store_settings *settings,
			const char *text, uint64_t now_ns)
{
	struct ip source = ip(text);
	unsigned n = 0;

	while (n < 1000 && source_take_answer(sources, settings, &source, 1, now_ns))
		n++;
	return n;
}

static void answers_are_a_burst_and_then_a_rate_for_each_and_for_all(void **state)
{
	struct sources *sources = malloc(sizeof(*sources));
	struct store_settings settings = {
		.source_rate_pps = 10, .source_burst = 20, .cpu_rate_pps = 100, .cpu_burst = 50};
	struct store_settings unlimited = {0};
	struct ip source;
	uint64_t now = 7 * NS_PER_S;

	(void)state;
	sources_init(sources);
	assert_int_equal(answers(sources, &settings, "192.0.2.1", now), 20);
	assert_int_equal(answers(sources, &settings, "192.0.2.1", now + NS_PER_S / 2), 5);
	assert_int_equal(answers(sources, &settings, "192.0.2.1", now + 100 * NS_PER_S), 20);
	now += 100 * NS_PER_S;
	assert_int_equal(answers(sources, &settings, "192.0.2.2", now), 20);
	/* Ten are left of fifty for everybody. */
	assert_int_equal(answers(sources, &settings, "192.0.2.3", now), 10);
	/* Of five times the size there are two in the burst, and none is cheaper for being late. */
	now += 100 * NS_PER_S;
	source = ip("192.0.2.4");
	settings.source_burst = 14;
	assert_true(source_take_answer(sources, &settings, &source, 5, now));
	assert_true(source_take_answer(sources, &settings, &source, 5, now));
	assert_false(source_take_answer(sources, &settings, &source, 5, now));
	assert_int_equal(answers(sources, &settings, "192.0.2.4", now), 4);
	assert_int_equal(answers(sources, &unlimited, "192.0.2.3", now), 1000);
	free(sources);
}

static void mac_keeps_fields_and_purposes_apart(void **state)
{
	struct mac a, b;

	(void)state;
	mac_begin(&a, key, MAC_BRANCH);
	mac_slice(&a, SLICE("ab"));
	mac_slice(&a, SLICE("c"));
	mac_begin(&b, key, MAC_BRANCH);
	mac_slice(&b, SLICE("a"));
	mac_slice(&b, SLICE("bc"));
	assert_int_not_equal(mac_end(&a), mac_end(&b));
	mac_begin(&b, key, MAC_LOOP);
	mac_slice(&b, SLICE("ab"));
	mac_slice(&b, SLICE("c"));
	assert_int_not_equal(mac_end(&a), mac_end(&b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(branch_is_the_same_for_a_retransmission_and_the_ack_and_cancel),
		cmocka_unit_test(branch_changes_with_each_of_its_inputs),
		cmocka_unit_test(branch_loop_changes_when_the_request_uri_does),
		cmocka_unit_test(branch_text_is_recognised_and_any_changed_character_is_not),
		cmocka_unit_test(token_says_what_was_written),
		cmocka_unit_test(token_of_another_call_party_or_key_is_refused),
		cmocka_unit_test(token_with_any_digit_changed_or_any_length_is_refused),
		cmocka_unit_test(deadlines_come_in_order_whatever_is_set_moved_and_cleared),
		cmocka_unit_test(transactions_are_found_until_freed_and_never_exceed_the_limit),
		cmocka_unit_test(timer_is_due_at_the_earlier_of_its_times),
		cmocka_unit_test(attempts_are_found_by_number_and_have_timers_of_their_own),
		cmocka_unit_test(answers_are_a_burst_and_then_a_rate_for_each_and_for_all),
		cmocka_unit_test(mac_keeps_fields_and_purposes_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
