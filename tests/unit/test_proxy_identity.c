/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers, identities and reserved fields on their way through the proxy, byte for byte. */
#include "proxy_call.h"

#include "proxy/identity.h"

/* ---- the trunk and the gate as a test wants them ---- */

static void trunk_is(struct world *w, void (*change)(struct store_trunk *trunk))
{
	struct store_trunk trunk;

	assert_ok(w->f, store_trunk_get(w->f->store, "default", &trunk, &w->f->err));
	change(&trunk);
	assert_ok(w->f, store_trunk_set(w->f->store, &trunk, &w->f->err));
	world_read_store(w);
}

static void settings_are(struct world *w, const char *prefix, const char *reserved)
{
	struct store_settings settings;

	assert_ok(w->f, store_settings_get(w->f->store, &settings, &w->f->err));
	strcpy(settings.header_prefix, prefix);
	strcpy(settings.reserved_headers, reserved);
	assert_ok(w->f, store_settings_set(w->f->store, &settings, &w->f->err));
	world_read_store(w);
}

static void callers_are(struct world *w, const char *number)
{
	assert_ok(w->f, store_trunk_caller_add(w->f->store, "default", &number, 1, &w->f->err));
	world_read_store(w);
}

static void normalizes(struct store_trunk *trunk)
{
	trunk->e164 = STORE_E164_NORMALIZE;
	strcpy(trunk->country_code, "49");
	strcpy(trunk->international_prefix, "00");
	strcpy(trunk->national_prefix, "0");
}

static void refuses(struct store_trunk *trunk)
{
	trunk->caller = STORE_CALLER_REFUSE;
}

static void hides(struct store_trunk *trunk)
{
	trunk->caller = STORE_CALLER_PRIVATE;
}

static void has_number(struct store_trunk *trunk)
{
	strcpy(trunk->number, "+493012345");
}

static void asserts_nothing(struct store_trunk *trunk)
{
	has_number(trunk);
	trunk->assert_identity = false;
}

static void is_untrusted(struct store_trunk *trunk)
{
	has_number(trunk);
	trunk->upstream_trusted = false;
}

/* ---- messages ---- */

#define SDP "Content-Length: 5\r\n"
#define CONTEXT                                                                                    \
	"X-Sipward-Auth-Type: ip_acl\r\nX-Sipward-Source-IP: 198.51.100.7\r\n"                     \
	"X-Sipward-Trunk: default\r\n"
#define PAI                                                                                        \
	"P-Asserted-Identity: <sip:+493012345@10.0.0.5;user=phone>\r\n"                            \
	"P-Asserted-Identity: <tel:+493012345>\r\n"

struct invite {
	const char *uri, *from, *contact, *extra; /* NULL: as usual */
};

static void say(struct world *w, const struct invite *invite)
{
	char text[4096];

	snprintf(text, sizeof(text),
		 "INVITE %s SIP/2.0\nVia: SIP/2.0/UDP " VIA "\n%sFrom: %s\n"
		 "To: <sip:100@gate.example>\nCall-ID: c1\nCSeq: 7 INVITE\nContact: %s\n"
		 "Max-Forwards: 70\nContent-Length: 5\n\nv=0\n\n",
		 invite->uri ? invite->uri : "sip:100@gate.example",
		 invite->extra ? invite->extra : "",
		 invite->from ? invite->from : "<sip:a@b>;tag=f1",
		 invite->contact ? invite->contact : "<sip:a@198.51.100.7:5062>");
	hear(w, CUSTOMER, text);
}

/* The message sent to the address, without what a proxy always adds: Via and Record-Route. */
static const char *rest_of(struct world *w, const char *to, const char *begins)
{
	static char rest[NET_DATAGRAM_MAX];
	const char *text = sent_to(w, 0, to, begins);
	size_t n = strcspn(text, "\n") + 1;

	memcpy(rest, text, n);
	text += n;
	while (strncmp(text, "Via: SIP/2.0/UDP 10.0.0.1:", 26) == 0 ||
	       strncmp(text, "Record-Route:", 13) == 0)
		text += strcspn(text, "\n") + 1;
	strcpy(rest + n, text);
	return rest;
}

static void expect_invite(struct world *w, const struct invite *as, const char *added)
{
	char expected[8192];

	snprintf(expected, sizeof(expected),
		 "INVITE %s SIP/2.0\r\nVia: SIP/2.0/UDP " VIA "\r\n%sFrom: %s\r\n"
		 "To: <sip:100@gate.example>\r\nCall-ID: c1\r\nCSeq: 7 INVITE\r\nContact: %s\r\n"
		 "Max-Forwards: 69\r\n" SDP "%s\r\nv=0\r\n",
		 as->uri ? as->uri : "sip:100@gate.example", as->extra ? as->extra : "",
		 as->from ? as->from : "<sip:a@b>;tag=f1",
		 as->contact ? as->contact : "<sip:a@198.51.100.7:5062>", added);
	assert_string_equal(rest_of(w, PBX, "INVITE "), expected);
}

/* ---- numbers ---- */

static void called_number_is_rewritten_in_place_and_nothing_else(void **state)
{
	static const struct {
		const char *said, *heard;
	} rows[] = {
		{"sip:00493012345@gate.example", "sip:+493012345@gate.example"},
		{"sip:03012345;npdi:pw@gate.example;user=phone",
		 "sip:+493012345;npdi:pw@gate.example;user=phone"},
		{"sip:%2B49-30.12345@gate.example:5060", "sip:+493012345@gate.example:5060"},
		{"sip:+493012345@gate.example", "sip:+493012345@gate.example"},
		{"tel:030-12345;npdi", "tel:+493012345;npdi"},
	};
	struct world *w = *state;

	trunk_is(w, normalizes);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		world_start_proxy(w);
		say(w, &(struct invite){.uri = rows[i].said});
		expect_invite(w, &(struct invite){.uri = rows[i].heard}, CONTEXT);
	}
}

static void what_is_no_number_is_answered_484(void **state)
{
	struct world *w = *state;
	const char *refusals[] = {"sip:112@gate.example", "sip:alice@gate.example",
				  "sip:gate.example", "sip:0301;phone-context=x@gate.example"};

	trunk_is(w, normalizes);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		say(w, &(struct invite){.uri = refusals[i]});
		assert_int_equal(w->sent_count, 1);
		sent_to(w, 0, CUSTOMER, "SIP/2.0 484 ");
	}
	assert_int_equal(counted(w, PROXY_REFUSED), 4);
	assert_int_equal(transactions(w), 0);
}

/* Refusals of this kind are no evidence against the caller. */
static void refused_callers_are_never_locked_out(void **state)
{
	struct world *w = *state;
	struct lockout_stats stats;

	trunk_is(w, refuses);
	for (int i = 0; i < 40; i++) {
		say(w, &(struct invite){0});
		assert_int_equal(w->sent_count, 1);
		sent_to(w, 0, CUSTOMER, "SIP/2.0 403 ");
		w->now += NS_PER_MS;
	}
	lockout_stats(w->lockouts, &stats);
	assert_int_equal(stats.sources, 0);
}

static void requests_in_dialog_keep_their_uri(void **state)
{
	struct world *w = *state;
	char routes[1024], message[4096];

	established(w, routes);
	trunk_is(w, normalizes);
	in_dialog(message, "INFO", "sip:0049@10.0.0.5", routes, true);
	hear(w, CUSTOMER, message);
	sent_to(w, 0, PBX, "INFO sip:0049@10.0.0.5 ");
}

/* ---- a caller who may not be shown ---- */

#define NOBODY "\"Anonymous\" <sip:anonymous@anonymous.invalid>"
#define ALICE "\"Alice +1 555\" <sip:+1555@b;user=phone>;x=1;tag=f1;y=2"

static void caller_is_made_anonymous_and_nothing_tells_who_it_was(void **state)
{
	struct world *w = *state;

	callers_are(w, "+4930*");
	trunk_is(w, hides);
	say(w, &(struct invite){.from = ALICE,
				.contact = "\"Alice\" <sip:+1555:pw@198.51.100.7:5062;ob>;x=1",
				.extra = "Remote-Party-ID: <sip:+1555@b>\n"
					 "p-preferred-identity: <sip:+1555@b>\n"
					 "User-Agent: Alice's\ns: from Alice\nREPLY-TO: <sip:a@b>\n"
					 "Identity: xyz\ny: xyz\nReferred-By: <sip:a@b>\n"
					 "Organization: Acme\nCall-Info: <http://a>\n"
					 "In-Reply-To: x\nX-Kept: yes\n"});
	expect_invite(w,
		      &(struct invite){.from = NOBODY ";tag=f1",
				       .contact = "<sip:anonymous@198.51.100.7:5062;ob>;x=1",
				       .extra = "X-Kept: yes\r\n"},
		      "Privacy: id\r\n" CONTEXT);
}

static void listed_caller_is_left_as_it_is(void **state)
{
	struct world *w = *state;
	const struct invite as = {.from = "\"A\" <sip:+4930555555@b>;tag=f1",
				  .extra = "User-Agent: x\r\nReferred-By: <sip:a@b>\r\n"};
	struct invite said = as;

	callers_are(w, "+4930*");
	trunk_is(w, hides);
	said.extra = "User-Agent: x\nReferred-By: <sip:a@b>\n";
	say(w, &said);
	expect_invite(w, &as, CONTEXT);
}

static void contacts_of_every_form_are_hidden(void **state)
{
	static const struct {
		const char *said, *heard;
	} rows[] = {
		{"sip:+1555@198.51.100.7", "sip:anonymous@198.51.100.7"},
		{"<sip:198.51.100.7>", "<sip:198.51.100.7>"},
		{"Alice <sip:198.51.100.7>", "<sip:198.51.100.7>"},
		{"<sip:a@h1>, \"B, C\" <sips:b@h2>;q=1",
		 "<sip:anonymous@h1>, <sips:anonymous@h2>;q=1"},
	};
	struct world *w = *state;

	trunk_is(w, hides);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		world_start_proxy(w);
		say(w, &(struct invite){.contact = rows[i].said});
		expect_invite(w,
			      &(struct invite){.from = NOBODY ";tag=f1", .contact = rows[i].heard},
			      "Privacy: id\r\n" CONTEXT);
	}
}

static void privacy_that_was_asked_for_is_completed(void **state)
{
	static const struct {
		const char *said, *heard, *added;
	} rows[] = {
		{"privacy: ID\n", "privacy: ID\r\n", ""},
		{"Privacy: user; Id\n", "Privacy: user; Id\r\n", ""},
		{"Privacy: user\n", "Privacy: user;id\r\n", ""},
		{"Privacy: user\nPrivacy: header\n", "Privacy: user;id\r\nPrivacy: header\r\n", ""},
		{"Privacy:\n", "Privacy:id\r\n", ""},
		{"Privacy: None\nPrivacy: id\n", "", "Privacy: id\r\n"},
	};
	struct world *w = *state;

	trunk_is(w, hides);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char added[512];

		snprintf(added, sizeof(added), "%s" CONTEXT, rows[i].added);
		world_start_proxy(w);
		say(w, &(struct invite){.contact = "<sip:h>", .extra = rows[i].said});
		expect_invite(w,
			      &(struct invite){.from = NOBODY ";tag=f1",
					       .contact = "<sip:h>",
					       .extra = rows[i].heard},
			      added);
	}
}

/* The response of the PBX, which knows the caller as nobody. */
static void pbx_answers(struct world *w, const char *request, const char *status,
			const char *method, const char *extra)
{
	char text[4096], vias[1024], routes[1024];

	lines_of(request, "Via:", vias, sizeof(vias));
	lines_of(request, "Record-Route:", routes, sizeof(routes));
	snprintf(text, sizeof(text),
		 "SIP/2.0 %s\n%s%sFrom: " NOBODY ";tag=f1\nTo: <sip:100@gate.example>;tag=t1\n"
		 "Call-ID: c1\nCSeq: %d %s\n%sContact: <sip:pbx@10.0.0.5>\nContent-Length: 0\n\n",
		 status, vias, routes, atoi(strstr(request, "CSeq: ") + 6), method, extra);
	hear(w, PBX, text);
}

static void caller_gets_its_own_from_back_in_every_answer(void **state)
{
	static const char *const statuses[] = {"180 Ringing", "183 Progress", "200 OK", "200 OK"};
	struct world *w = *state;
	char invite[4096];

	trunk_is(w, hides);
	say(w, &(struct invite){.from = ALICE});
	strcpy(invite, sent_to(w, 0, PBX, "INVITE "));
	assert_non_null(strstr(sent_to(w, 1, CUSTOMER, "SIP/2.0 100 "), "From: " ALICE "\r\n"));
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		pbx_answers(w, invite, statuses[i], "INVITE", "");
		assert_non_null(strstr(sent_to(w, 0, CUSTOMER, "SIP/2.0 "), "From: " ALICE "\r\n"));
	}
}

static void own_answers_to_an_anonymous_call_have_the_callers_from_too(void **state)
{
	struct world *w = *state;

	trunk_is(w, hides);
	say(w, &(struct invite){.from = ALICE});
	wait_ms(w, 32000);
	while (transactions(w) && (!w->sent_count || memcmp(w->sent[0].text, "SIP/2.0 408", 11)))
		wait_ms(w, 500);
	assert_non_null(strstr(sent_to(w, 0, CUSTOMER, "SIP/2.0 408 "), "From: " ALICE "\r\n"));
}

static void failure_and_cancel_of_an_anonymous_call_stay_anonymous(void **state)
{
	struct world *w = *state;
	char invite[4096];

	trunk_is(w, hides);
	say(w, &(struct invite){.from = ALICE});
	strcpy(invite, sent_to(w, 0, PBX, "INVITE "));
	pbx_answers(w, invite, "180 Ringing", "INVITE", "");
	hear(w, CUSTOMER, cancel);
	assert_non_null(strstr(sent_to(w, 1, PBX, "CANCEL "), "From: " NOBODY ";tag=f1\r\n"));
	pbx_answers(w, invite, "487 Request Terminated", "INVITE", "");
	assert_non_null(strstr(sent_to(w, 0, CUSTOMER, "SIP/2.0 487 "), "From: " ALICE "\r\n"));
	assert_non_null(strstr(sent_to(w, 1, PBX, "ACK "), "From: " NOBODY ";tag=f1\r\n"));
}

static void later_requests_of_the_caller_stay_anonymous(void **state)
{
	static const char *const methods[] = {"ACK", "INFO", "INVITE", "BYE"};
	struct world *w = *state;
	char routes[1024];

	trunk_is(w, hides);
	say(w, &(struct invite){0});
	pbx_answers(w, sent_to(w, 0, PBX, "INVITE "), "200 OK", "INVITE", "");
	routes_of(sent_to(w, 0, CUSTOMER, "SIP/2.0 200 "), true, routes);
	/* Not even a restart and a change of the rule tell. */
	trunk_is(w, has_number);
	world_start_proxy(w);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		const char *text;

		caller_says(w, methods[i], routes);
		text = sent_to(w, 0, PBX, methods[i]);
		assert_non_null(strstr(text, "From: " NOBODY ";tag=f1\r\n"));
		assert_non_null(strstr(text, "Privacy: id\r\n"));
		assert_null(strstr(text, "a@b"));
		if (strcmp(methods[i], "ACK") == 0)
			continue;
		pbx_answers(w, text, "200 OK", methods[i], "");
		assert_non_null(
			strstr(sent_to(w, 0, CUSTOMER, "SIP/2.0 200 "), "From: <sip:a@b>;tag=f1"));
	}
}

static void answers_of_an_anonymous_caller_tell_nothing_either(void **state)
{
	struct world *w = *state;
	char routes[1024], message[4096], vias[1024];
	const char *text;

	trunk_is(w, hides);
	say(w, &(struct invite){0});
	routes_of(sent_to(w, 0, PBX, "INVITE "), false, routes);
	snprintf(message, sizeof(message),
		 "INVITE sip:anonymous@198.51.100.7:5062 SIP/2.0\nVia: SIP/2.0/UDP "
		 "10.0.0.5;branch=z9hG4bKr\n%sFrom: <sip:100@gate.example>;tag=t1\nTo: " NOBODY
		 ";tag=f1\nCall-ID: c1\nCSeq: 1 INVITE\nContent-Length: 0\n\n",
		 routes);
	hear(w, PBX, message);
	text = sent_to(w, 0, CUSTOMER, "INVITE ");
	assert_non_null(strstr(text, "To: " NOBODY ";tag=f1\r\n"));
	lines_of(text, "Via:", vias, sizeof(vias));
	snprintf(message, sizeof(message),
		 "SIP/2.0 200 OK\n%sFrom: <sip:100@gate.example>;tag=t1\nTo: " NOBODY
		 ";tag=f1\nCall-ID: c1\nCSeq: 1 INVITE\nContact: \"Alice\" <sip:a@198.51.100.7>\n"
		 "P-Asserted-Identity: <sip:a@b>\nRemote-Party-ID: <sip:a@b>\n"
		 "Reply-To: <sip:a@b>\nx-sipward-trunk: x\nContent-Length: 0\n\n",
		 vias);
	hear(w, CUSTOMER, message);
	assert_string_equal(strstr(sent_to(w, 0, PBX, "SIP/2.0 200 "), "From:"),
			    "From: <sip:100@gate.example>;tag=t1\r\nTo: " NOBODY
			    ";tag=f1\r\nCall-ID: c1\r\nCSeq: 1 INVITE\r\n"
			    "Contact: <sip:anonymous@198.51.100.7>\r\nContent-Length: 0\r\n\r\n");
}

static void from_too_long_to_be_given_back_is_refused(void **state)
{
	struct world *w = *state;
	char from[3000];

	trunk_is(w, hides);
	snprintf(from, sizeof(from), "\"%02500d\" <sip:a@b>;tag=f1", 1);
	say(w, &(struct invite){.from = from});
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 400 ");
	assert_int_equal(transactions(w), 0);
}

/* ---- a caller whose From changes during the call (RFC 4916) ---- */

/* A call of a number that the trunk has, in which the caller then says the method as another. */
static void calls_and_says_as_another(struct world *w, const char *method)
{
	char routes[1024], text[4096];

	world_start_proxy(w);
	say(w, &(struct invite){.from = "<sip:+4930555555@b>;tag=f1"});
	hear(w, PBX, answer(sent_to(w, 0, PBX, "INVITE "), "200 OK", "INVITE"));
	routes_of(sent_to(w, 0, CUSTOMER, "SIP/2.0 200 "), true, routes);
	snprintf(text, sizeof(text),
		 "%s sip:pbx@10.0.0.5 SIP/2.0\nVia: SIP/2.0/UDP " VIA "2\n%sFrom: " ALICE
		 "\nTo: <sip:100@gate.example>;tag=t1\nCall-ID: c1\nCSeq: 8 %s\n"
		 "Content-Length: 0\n\n",
		 method, routes, method);
	hear(w, CUSTOMER, text);
}

static void caller_can_not_become_another_during_the_call(void **state)
{
	static const struct {
		void (*rule)(struct store_trunk *trunk);
		const char *method;
		bool refused;
	} rows[] = {
		{refuses, "INVITE", true}, {refuses, "UPDATE", true}, {refuses, "ACK", false},
		{refuses, "BYE", false},   {hides, "INVITE", false},  {hides, "UPDATE", false},
		{hides, "ACK", false},	   {hides, "BYE", false},
	};
	struct world *w = *state;

	callers_are(w, "+4930*");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		trunk_is(w, rows[i].rule);
		calls_and_says_as_another(w, rows[i].method);
		if (rows[i].refused) {
			assert_int_equal(w->sent_count, 1);
			sent_to(w, 0, CUSTOMER, "SIP/2.0 403 ");
		} else {
			assert_non_null(strstr(sent_to(w, 0, PBX, rows[i].method),
					       "From: " NOBODY ";tag=f1\r\n"));
			assert_null(strstr(w->sent[0].text, "1555"));
		}
	}
}

/* ---- the identity asserted ---- */

static void customers_claims_go_and_the_trunks_number_is_asserted(void **state)
{
	struct world *w = *state;

	trunk_is(w, has_number);
	say(w, &(struct invite){.extra = "P-Asserted-Identity: <sip:boss@b>, <tel:+1>\n"
					 "p-asserted-identity : <tel:+1>\n"
					 "P-Preferred-Identity: <sip:boss@b>\n"
					 "Remote-Party-Id: <sip:boss@b>\nX-Kept: yes\n"});
	expect_invite(w, &(struct invite){.extra = "X-Kept: yes\r\n"}, PAI CONTEXT);
}

static void nothing_is_asserted_where_the_trunk_says_so(void **state)
{
	struct world *w = *state;

	trunk_is(w, asserts_nothing);
	say(w, &(struct invite){.extra = "P-Asserted-Identity: <sip:boss@b>\n"});
	expect_invite(w, &(struct invite){0}, CONTEXT);
}

static void untrusted_upstream_is_not_told_who_asks_for_privacy(void **state)
{
	struct world *w = *state;

	trunk_is(w, is_untrusted);
	say(w, &(struct invite){.extra = "Privacy: header\nprivacy: user;ID\n"});
	expect_invite(w, &(struct invite){.extra = "Privacy: header\r\nprivacy: user;ID\r\n"},
		      "X-Sipward-Auth-Type: ip_acl\r\nX-Sipward-Trunk: default\r\n");
	world_start_proxy(w);
	say(w, &(struct invite){.extra = "Privacy: user\n"});
	expect_invite(w, &(struct invite){.extra = "Privacy: user\r\n"}, PAI CONTEXT);
}

static void trusted_upstream_is_told_even_so(void **state)
{
	struct world *w = *state;

	trunk_is(w, has_number);
	say(w, &(struct invite){.extra = "Privacy: id\n"});
	expect_invite(w, &(struct invite){.extra = "Privacy: id\r\n"}, PAI CONTEXT);
}

static void identity_is_on_every_request_of_the_caller_but_ack(void **state)
{
	static const char *const methods[] = {"ACK", "INVITE", "UPDATE", "INFO", "BYE"};
	struct world *w = *state;
	char routes[1024], with_claim[2048], found[512];

	trunk_is(w, has_number);
	established(w, routes);
	snprintf(with_claim, sizeof(with_claim), "%sP-Asserted-Identity: <sip:boss@b>\n", routes);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		caller_says(w, methods[i], with_claim);
		lines_of(sent_to(w, 0, PBX, methods[i]), "P-Asserted-Identity:", found,
			 sizeof(found));
		assert_string_equal(
			found, i == 0 ? ""
				      : "P-Asserted-Identity: <sip:+493012345@10.0.0.5;user=phone>"
					"\nP-Asserted-Identity: <tel:+493012345>\n");
	}
}

/* What the upstream asserts: towards the customer in requests and responses. */
struct kept_row {
	const char *privacy;
	bool trusted, kept;
};
static const struct kept_row kept_rows[] = {
	{"", true, true},
	{"Privacy: none\n", true, true},
	{"Privacy: user\n", true, true},
	{"Privacy: iD\n", true, false},
	{"Privacy: user\nPrivacy: header;ID\n", true, false},
	{"", false, false},
	{"Privacy: id\n", false, false},
};

static void trusts(struct world *w, bool trusted)
{
	trunk_is(w, trusted ? has_number : is_untrusted);
	if (trusted) {
		struct store_trunk trunk;

		assert_ok(w->f, store_trunk_get(w->f->store, "default", &trunk, &w->f->err));
		trunk.upstream_trusted = true;
		assert_ok(w->f, store_trunk_set(w->f->store, &trunk, &w->f->err));
		world_read_store(w);
	}
}

static bool has_identity(struct world *w, const char *begins)
{
	char found[512];

	lines_of(sent_to(w, 0, CUSTOMER, begins), "P-Asserted", found, sizeof(found));
	if (found[0])
		assert_string_equal(found, "P-Asserted-Identity: <sip:1@pbx>\n"
					   "P-Asserted-identity: <tel:+1>\n");
	return found[0] != '\0';
}

static void identity_in_answers_is_kept_from_customers_as_privacy_asks(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < 2 * sizeof(kept_rows) / sizeof(kept_rows[0]); i++) {
		const struct kept_row *row = &kept_rows[i / 2];
		char extra[512], invite[4096];

		trusts(w, row->trusted);
		world_start_proxy(w);
		say(w, &(struct invite){0});
		strcpy(invite, sent_to(w, 0, PBX, "INVITE "));
		snprintf(extra, sizeof(extra),
			 "P-Asserted-Identity: <sip:1@pbx>\n%sP-Asserted-identity: <tel:+1>\n",
			 row->privacy);
		if (i % 2) /* by Via alone */
			world_start_proxy(w);
		pbx_answers(w, invite, "200 OK", "INVITE", extra);
		assert_int_equal(has_identity(w, "SIP/2.0 200 "), row->kept);
	}
}

static void identity_in_requests_is_kept_from_customers_as_privacy_asks(void **state)
{
	struct world *w = *state;
	char routes[1024], extra[2048], message[4096];

	established(w, extra);
	say(w, &(struct invite){0});
	world_start_proxy(w);
	say(w, &(struct invite){0});
	routes_of(sent_to(w, 0, PBX, "INVITE "), false, routes);
	for (size_t i = 0; i < sizeof(kept_rows) / sizeof(kept_rows[0]); i++) {
		trusts(w, kept_rows[i].trusted);
		world_start_proxy(w);
		snprintf(extra, sizeof(extra),
			 "%sP-Asserted-Identity: <sip:1@pbx>\n%sP-Asserted-identity: <tel:+1>\n",
			 routes, kept_rows[i].privacy);
		in_dialog(message, "BYE", "sip:a@198.51.100.7:5062", extra, false);
		hear(w, PBX, message);
		assert_int_equal(has_identity(w, "BYE "), kept_rows[i].kept);
	}
}

/* ---- what the upstream is told ---- */

static void prefix_of_the_context_can_be_set(void **state)
{
	struct world *w = *state;

	settings_are(w, "X-Acme-", "");
	say(w, &(struct invite){.extra = "X-Sipward-Auth-User: root\nx-acme-TRUNK: x\n"
					 "X-Acme: kept\n"});
	expect_invite(w, &(struct invite){.extra = "X-Acme: kept\r\n"},
		      "X-Acme-Auth-Type: ip_acl\r\nX-Acme-Source-IP: 198.51.100.7\r\n"
		      "X-Acme-Trunk: default\r\n");
}

static void reserved_fields_are_removed_without_case_in_requests(void **state)
{
	struct world *w = *state;
	char routes[1024], extra[2048];
	const char *text;

	settings_are(w, "X-Sipward-", "PH-* ClientRegion zt-* Subject Session-Expires");
	say(w, &(struct invite){.extra = "ph-1: x\nPH-: x\nclientregion: x\nZT-a: x\n"
					 "S: x\nsubject: x\nX: 90\n"
					 "PH: kept\nClientRegion2: kept\nxPH-1: kept\n"});
	expect_invite(w,
		      &(struct invite){.extra = "PH: kept\r\nClientRegion2: kept\r\n"
						"xPH-1: kept\r\n"},
		      CONTEXT);
	pbx_answers(w, sent_to(w, 0, PBX, "INVITE "), "200 OK", "INVITE",
		    "PH-1: for the customer\n");
	text = sent_to(w, 0, CUSTOMER, "SIP/2.0 200 ");
	assert_non_null(strstr(text, "PH-1: for the customer\r\n"));
	routes_of(text, true, routes);
	snprintf(extra, sizeof(extra), "%sPh-2: x\nX-sipward-auth-user: root\nKept: 1\n", routes);
	caller_says(w, "BYE", extra);
	text = sent_to(w, 0, PBX, "BYE ");
	assert_null(strcasestr(text, "ph-2"));
	assert_null(strcasestr(text, "x-sipward"));
	assert_non_null(strstr(text, "Kept: 1\r\n"));
}

static void user_names_are_told_so_that_they_can_not_end_the_field(void **state)
{
	struct world *w = *state;
	struct policy_trunk trunk = {.config.name = "a\r\nX: y", .config.upstream_trusted = true};
	struct policy_user user = {.name = SLICE("j\xc3\xbcrg \"x\"\r\nEvil: 1")};
	struct admission_result admitted = {
		.trunk = &trunk, .user = &user, .auth = STORE_AUTH_CREDENTIAL};
	static struct sip_edit edit;
	struct sip_msg msg;
	const char *why;
	char text[4096];
	size_t n;

	(void)w;
	struct ip ip = endpoint("[2001:db8::7]:1").ip;
	struct store_settings settings;
	struct identity_context context = {&settings, &admitted, &ip, false};

	store_settings_defaults(&settings);
	assert_int_equal(sip_msg_parse(SLICE("OPTIONS sip:b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n"
					     "From: <sip:a@b>;tag=1\r\nTo: <sip:b>\r\n"
					     "Call-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n"),
				       &msg, &why),
			 SIP_PARSE_OK);
	sip_edit_begin(&edit, &msg);
	identity_tell(&edit, &context);
	assert_int_equal(sip_edit_write(&edit, text, sizeof(text), &n), 0);
	text[n] = '\0';
	assert_string_equal(strstr(text, "X-Sipward"),
			    "X-Sipward-Auth-Type: credential\r\n"
			    "X-Sipward-Auth-User: j\xc3\xbcrg \"x\"%0D%0AEvil: 1\r\n"
			    "X-Sipward-Source-IP: 2001:db8::7\r\n"
			    "X-Sipward-Trunk: a%0D%0AX: y\r\n\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROXY_TEST(called_number_is_rewritten_in_place_and_nothing_else),
		PROXY_TEST(what_is_no_number_is_answered_484),
		PROXY_TEST(refused_callers_are_never_locked_out),
		PROXY_TEST(requests_in_dialog_keep_their_uri),
		PROXY_TEST(caller_is_made_anonymous_and_nothing_tells_who_it_was),
		PROXY_TEST(listed_caller_is_left_as_it_is),
		PROXY_TEST(contacts_of_every_form_are_hidden),
		PROXY_TEST(privacy_that_was_asked_for_is_completed),
		PROXY_TEST(caller_gets_its_own_from_back_in_every_answer),
		PROXY_TEST(own_answers_to_an_anonymous_call_have_the_callers_from_too),
		PROXY_TEST(failure_and_cancel_of_an_anonymous_call_stay_anonymous),
		PROXY_TEST(later_requests_of_the_caller_stay_anonymous),
		PROXY_TEST(answers_of_an_anonymous_caller_tell_nothing_either),
		PROXY_TEST(from_too_long_to_be_given_back_is_refused),
		PROXY_TEST(caller_can_not_become_another_during_the_call),
		PROXY_TEST(customers_claims_go_and_the_trunks_number_is_asserted),
		PROXY_TEST(nothing_is_asserted_where_the_trunk_says_so),
		PROXY_TEST(untrusted_upstream_is_not_told_who_asks_for_privacy),
		PROXY_TEST(trusted_upstream_is_told_even_so),
		PROXY_TEST(identity_is_on_every_request_of_the_caller_but_ack),
		PROXY_TEST(identity_in_answers_is_kept_from_customers_as_privacy_asks),
		PROXY_TEST(identity_in_requests_is_kept_from_customers_as_privacy_asks),
		PROXY_TEST(prefix_of_the_context_can_be_set),
		PROXY_TEST(reserved_fields_are_removed_without_case_in_requests),
		PROXY_TEST(user_names_are_told_so_that_they_can_not_end_the_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
