/* SPDX-License-Identifier: BSD-2-Clause */
/* What a trunk asks of numbers and callers, decided for single messages. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "policy/caller.h"
#include "policy/policy_internal.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* German prefixes, or those of a country without a national one. */
static struct store_trunk trunk_of(enum store_e164 rule, const char *country, const char *national)
{
	struct store_trunk trunk;

	store_trunk_defaults(&trunk);
	trunk.e164 = rule;
	strcpy(trunk.domain, "sip.acme.example");
	strcpy(trunk.country_code, country);
	strcpy(trunk.international_prefix, "00");
	strcpy(trunk.national_prefix, national);
	trunk.assert_identity = true;
	trunk.upstream_trusted = true;
	return trunk;
}

struct number_row {
	const char *dialled, *number; /* NULL: refused */
};

static void expect_numbers(const struct store_trunk *trunk, const struct number_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char number[STORE_NUMBER_SIZE] = "unset";
		int rc = caller_number(trunk, slice_from(rows[i].dialled), number);

		if (rc != (rows[i].number ? 0 : -EINVAL) ||
		    strcmp(number, rows[i].number ? rows[i].number : "unset") != 0) {
			print_error("%s: %d %s, want %s\n", rows[i].dialled, rc, number,
				    rows[i].number ? rows[i].number : "refused");
			fail();
		}
	}
}

/* ---- numbers ---- */

static void rule_off_takes_a_number_as_it_is(void **state)
{
	static const struct number_row rows[] = {
		{"+493012345", "+493012345"},
		{"112", "112"},
		{"alice", "alice"},
		{"a-user-name-too-long", NULL},
	};
	struct store_trunk trunk = trunk_of(STORE_E164_OFF, "49", "0");

	(void)state;
	expect_numbers(&trunk, rows, ROWS(rows));
}

static void rule_require_takes_plus_and_7_to_15_digits(void **state)
{
	static const struct number_row rows[] = {
		{"+493012345", "+493012345"},
		{"+1234567", "+1234567"},
		{"+123456789012345", "+123456789012345"},
		{"+123456", NULL},
		{"+1234567890123456", NULL},
		{"493012345", NULL},
		{"00493012345", NULL},
		{"+0493012345", NULL},
		{"+49-30-12345", NULL},
		{"+49301234a", NULL},
		{"++493012345", NULL},
		{"+", NULL},
		{"", NULL},
		{"alice", NULL},
		{"112", NULL},
	};
	struct store_trunk trunk = trunk_of(STORE_E164_REQUIRE, "49", "0");

	(void)state;
	expect_numbers(&trunk, rows, ROWS(rows));
}

static void rule_normalize_completes_by_the_dialling_prefixes(void **state)
{
	static const struct number_row rows[] = {
		{"+493012345", "+493012345"},
		{"00493012345", "+493012345"},
		{"0033123456789", "+33123456789"},
		{"03012345", "+493012345"},
		{"+49-30-123.45", "+493012345"},
		{"(030)12345", "+493012345"},
		{"12345678", NULL}, /* neither prefix, and there is a national one */
		{"493012345", NULL},
		{"110", NULL},
		{"112", NULL},
		{"0110", NULL},
		{"00", NULL},
		{"0", NULL},
		{"", NULL},
		{"+", NULL},
		{"+49+3012345", NULL},
		{"000493012345", NULL},
		{"0030123x5", NULL},
		{"0012345678901234567890123456789012345678901234567890", NULL},
	};
	struct store_trunk trunk = trunk_of(STORE_E164_NORMALIZE, "49", "0");

	(void)state;
	expect_numbers(&trunk, rows, ROWS(rows));
}

static void without_a_national_prefix_other_numbers_are_national(void **state)
{
	static const struct number_row rows[] = {
		{"33123456", "+4533123456"},
		{"004533123456", "+4533123456"},
		{"+4533123456", "+4533123456"},
		{"112", NULL},
	};
	struct store_trunk trunk = trunk_of(STORE_E164_NORMALIZE, "45", "");

	(void)state;
	expect_numbers(&trunk, rows, ROWS(rows));
}

static void without_a_country_code_only_international_numbers_are_known(void **state)
{
	static const struct number_row rows[] = {
		{"+493012345", "+493012345"},
		{"00493012345", "+493012345"},
		{"03012345678", NULL},
	};
	struct store_trunk trunk = trunk_of(STORE_E164_NORMALIZE, "", "");

	(void)state;
	expect_numbers(&trunk, rows, ROWS(rows));
}

/* ---- decisions ---- */

static struct policy_caller callers[] = {{"+4930*"}, {"+4989123"}, {"+498912345678"}};

struct call {
	struct policy_trunk trunk;
	struct policy_place place;
	char text[2048];
	struct sip_msg msg;
	struct caller_decision decision;
};

static void call_setup(struct call *call, enum store_e164 e164, enum store_caller_rule rule)
{
	memset(call, 0, sizeof(*call));
	call->trunk.config = trunk_of(e164, "49", "0");
	call->trunk.config.caller = rule;
	call->place.callers = callers;
	call->place.caller_count = ROWS(callers);
	call->trunk.priv = &call->place;
}

static void read_call(struct call *call, const char *method, const char *uri, const char *from,
		      const char *extra)
{
	const char *why;

	snprintf(call->text, sizeof(call->text),
		 "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\r\n"
		 "From: %s;tag=f\r\nTo: <sip:1@b>\r\nCall-ID: c\r\nCSeq: 1 %s\r\n%s"
		 "Content-Length: 0\r\n\r\n",
		 method, uri, from, method, extra);
	assert_int_equal(sip_msg_parse(slice_from(call->text), &call->msg, &why), SIP_PARSE_OK);
}

static const struct caller_decision *decide(struct call *call, const char *method, const char *uri,
					    const char *from)
{
	read_call(call, method, uri, from, "");
	caller_decide(&call->trunk, NULL, &call->msg, &call->decision);
	return &call->decision;
}

static void called_number_is_read_from_sip_and_tel_uris(void **state)
{
	static const struct {
		const char *uri;
		unsigned status;
		const char *called;
	} rows[] = {
		{"sip:+493012345@gate.example", 0, ""},
		{"sip:00493012345@gate.example", 0, "+493012345"},
		{"SIP:03012345@gate.example;user=phone", 0, "+493012345"},
		{"sip:%2B493012345@gate.example", 0, "+493012345"},
		{"sip:03012345:secret@gate.example", 0, "+493012345"},
		{"sip:03012345;npdi@gate.example", 0, "+493012345"},
		{"sip:+493012345;phone-context=+49@gate.example", 0, ""},
		{"sip:03012345;phone-context=+49@gate.example", 484, ""},
		{"tel:+49-30-12345", 0, "+493012345"},
		{"tel:+493012345;npdi", 0, ""},
		{"tel:03012345;phone-context=+49", 484, ""},
		{"sip:alice@gate.example", 484, ""},
		{"sip:112@gate.example", 484, ""},
		{"sip:gate.example", 484, ""},
	};
	struct call call;

	(void)state;
	call_setup(&call, STORE_E164_NORMALIZE, STORE_CALLER_OFF);
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct caller_decision *d = decide(&call, "INVITE", rows[i].uri, "<sip:a@b>");

		if (d->status != rows[i].status || strcmp(d->called, rows[i].called) != 0) {
			print_error("%s: %u %s\n", rows[i].uri, d->status, d->called);
			fail();
		}
		assert_int_equal(d->cause, d->status ? CALLER_BAD_NUMBER : CALLER_OK);
	}
	assert_string_equal(caller_cause_name(CALLER_BAD_NUMBER), "bad_number");
}

static void number_rule_is_for_domain_trunks_and_not_for_register(void **state)
{
	struct call call;

	(void)state;
	call_setup(&call, STORE_E164_REQUIRE, STORE_CALLER_OFF);
	assert_int_equal(decide(&call, "MESSAGE", "sip:alice@b", "<sip:a@b>")->status, 484);
	assert_int_equal(decide(&call, "REGISTER", "sip:b", "<sip:a@b>")->status, 0);
	strcpy(call.trunk.config.user, "app-4711");
	assert_int_equal(decide(&call, "INVITE", "sip:app-4711@b", "<sip:a@b>")->status, 0);
}

static void caller_is_among_the_trunks_numbers_and_prefixes_or_not(void **state)
{
	static const struct {
		const char *from;
		bool allowed;
	} rows[] = {
		{"<sip:+493012345@b>", true},
		{"\"+1\" <sip:+493099999@b>", true},
		{"sip:+4930@b", false}, /* too short for a number */
		{"<sip:+4989123@b>", true},
		{"<sip:+49891234@b>", false},
		{"<sip:+498912345678@b>", true},
		{"<sip:+4989124@b>", false},
		{"<tel:+493012345>", true},
		{"<sips:+493012345@b>", true},
		{"<sip:03012345@b>", true}, /* normalised as the called number is */
		{"<sip:00493012345@b>", true},
		{"<sip:+493012345;ext=1@b>", true},
		{"<sip:04012345@b>", false},
		{"\"+493012345\" <sip:alice@b>", false},
		{"<sip:b>", false},
		{"\"Anonymous\" <sip:anonymous@anonymous.invalid>", false},
	};
	struct call call;

	(void)state;
	call_setup(&call, STORE_E164_NORMALIZE, STORE_CALLER_REFUSE);
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct caller_decision *d =
			decide(&call, "INVITE", "sip:+4940123456@b", rows[i].from);

		if (d->status != (rows[i].allowed ? 0u : 403u)) {
			print_error("%s: %u\n", rows[i].from, d->status);
			fail();
		}
		assert_false(d->anonymous);
		assert_int_equal(d->cause, d->status ? CALLER_NOT_ALLOWED : CALLER_OK);
	}
	assert_string_equal(caller_cause_name(CALLER_NOT_ALLOWED), "caller_not_allowed");
}

static void caller_outside_the_list_is_made_private_where_the_trunk_says_so(void **state)
{
	struct call call;

	(void)state;
	call_setup(&call, STORE_E164_OFF, STORE_CALLER_PRIVATE);
	assert_false(decide(&call, "INVITE", "sip:1@b", "<sip:+493012345@b>")->anonymous);
	assert_true(decide(&call, "INVITE", "sip:1@b", "<sip:+1555@b>")->anonymous);
	assert_int_equal(call.decision.status, 0);
	assert_true(decide(&call, "INVITE", "sip:1@b", "<sip:alice@b>")->anonymous);
	assert_false(decide(&call, "REGISTER", "sip:b", "<sip:alice@b>")->anonymous);
	call.place.caller_count = 0;
	assert_true(decide(&call, "INVITE", "sip:1@b", "<sip:+493012345@b>")->anonymous);
	call.trunk.config.caller = STORE_CALLER_OFF;
	assert_false(decide(&call, "INVITE", "sip:1@b", "<sip:alice@b>")->anonymous);
}

/* ---- the identity asserted ---- */

struct identity_row {
	const char *domain, *number, *user, *realm;
	const char *uri, *tel;
};

static void trunks_number_or_else_the_user_is_asserted(void **state)
{
	static const struct identity_row rows[] = {
		{"acme.example", "+493012345", "alice", "sip.example",
		 "sip:+493012345@acme.example;user=phone", "+493012345"},
		{"acme.example", "", "alice", "sip.example", "sip:alice@sip.example", ""},
		{"acme.example", "", "alice", "Acme PBX", "sip:alice@acme.example", ""},
		{"*", "+493012345", "", "", "sip:+493012345@10.0.0.5;user=phone", "+493012345"},
		{"2001:db8::1", "", "bob", "x", "sip:bob@[2001:db8::1]", ""},
		{"acme.example", "", "a@\"<>\r\n", "x", "sip:a%40%22%3C%3E%0D%0A@acme.example", ""},
		{"acme.example", "", "j\xc3\xbcrg", "x", "sip:j%C3%BCrg@acme.example", ""},
		{"acme.example", "", "", "", "", ""},
	};
	struct policy_hop hop = {.transport = NET_UDP};
	struct call call;

	(void)state;
	call_setup(&call, STORE_E164_OFF, STORE_CALLER_OFF);
	assert_int_equal(ip_parse(SLICE("10.0.0.5"), &hop.endpoint.ip), 0);
	call.trunk.upstreams = &hop;
	call.trunk.upstream_count = 1;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct policy_user user = {.name = slice_from(rows[i].user),
					   .realm = slice_from(rows[i].realm)};

		strcpy(call.trunk.config.domain, rows[i].domain);
		strcpy(call.trunk.config.number, rows[i].number);
		caller_identify(&call.trunk, rows[i].user[0] ? &user : NULL, &call.decision);
		assert_string_equal(call.decision.asserted, rows[i].uri);
		assert_string_equal(call.decision.asserted_tel, rows[i].tel);
		call.trunk.config.assert_identity = false;
		caller_identify(&call.trunk, &user, &call.decision);
		assert_string_equal(call.decision.asserted, "");
		assert_string_equal(call.decision.asserted_tel, "");
		call.trunk.config.assert_identity = true;
	}
}

/* The longest names that the store takes are not cut. */
static void longest_user_and_domain_fit(void **state)
{
	struct call call;
	char name[STORE_USER_SIZE];
	struct policy_user user = {.name = {name, STORE_USER_SIZE - 1}, .realm = SLICE("x")};

	(void)state;
	call_setup(&call, STORE_E164_OFF, STORE_CALLER_OFF);
	memset(name, '@', sizeof(name));
	memset(call.trunk.config.domain, 'd', STORE_DOMAIN_SIZE - 1);
	caller_identify(&call.trunk, &user, &call.decision);
	assert_int_equal(strlen(call.decision.asserted), 4 + 3 * 64 + 1 + 253);
}

/* ---- privacy ---- */

static void privacy_is_read_from_every_field_and_token_without_case(void **state)
{
	static const struct {
		const char *fields;
		bool wanted;
	} rows[] = {
		{"", false},
		{"Privacy: id\r\n", true},
		{"privacy: ID\r\n", true},
		{"PRIVACY: Id\r\n", true},
		{"Privacy: user;id\r\n", true},
		{"Privacy: header ; id ; critical\r\n", true},
		{"Privacy: header;\r\n id\r\n", true},
		{"Privacy: critical,id\r\n", true},
		{"Privacy: user\r\nPrivacy: header\r\nPrivacy: iD\r\n", true},
		{"Privacy: ;;id\r\n", true},
		{"Privacy: user\r\n", false},
		{"Privacy: idx;xid;i d\r\n", false},
		{"Privacy: none\r\n", false},
		{"Privacy: id;none\r\n", false},
		{"Privacy: id\r\nPrivacy: NONE\r\n", false},
		{"Privacy:\r\n", false},
	};
	struct call call;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		read_call(&call, "INVITE", "sip:1@b", "<sip:a@b>", rows[i].fields);
		if (caller_wants_privacy(&call.msg) != rows[i].wanted)
			print_error("%s\n", rows[i].fields);
		assert_int_equal(caller_wants_privacy(&call.msg), rows[i].wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_off_takes_a_number_as_it_is),
		cmocka_unit_test(rule_require_takes_plus_and_7_to_15_digits),
		cmocka_unit_test(rule_normalize_completes_by_the_dialling_prefixes),
		cmocka_unit_test(without_a_national_prefix_other_numbers_are_national),
		cmocka_unit_test(without_a_country_code_only_international_numbers_are_known),
		cmocka_unit_test(called_number_is_read_from_sip_and_tel_uris),
		cmocka_unit_test(number_rule_is_for_domain_trunks_and_not_for_register),
		cmocka_unit_test(caller_is_among_the_trunks_numbers_and_prefixes_or_not),
		cmocka_unit_test(caller_outside_the_list_is_made_private_where_the_trunk_says_so),
		cmocka_unit_test(trunks_number_or_else_the_user_is_asserted),
		cmocka_unit_test(longest_user_and_domain_fit),
		cmocka_unit_test(privacy_is_read_from_every_field_and_token_without_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
