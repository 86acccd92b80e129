/* SPDX-License-Identifier: BSD-2-Clause */
/* REGISTERs to the gate, and the upstream's calls to who has registered. */
#include "proxy_digest.h"

#include <time.h>

#define PHONE "198.51.100.7:40000" /* outside of the phone's NAT */
#define CONTACT "sip:alice@192.168.1.20:5062;ob"

static time_t clock_step_s;
static enum net_transport by = NET_UDP; /* the phone's */

/* Instead of the library's: the wall clock of this program can be set. */
time_t time(time_t *ret_now)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	now.tv_sec += clock_step_s;
	if (ret_now)
		*ret_now = now.tv_sec;
	return now.tv_sec;
}

static const char *register_of(const char *aor, const char *branch, unsigned cseq,
			       const char *fields)
{
	static char text[4096];

	snprintf(text, sizeof(text),
		 "REGISTER sip:%s SIP/2.0\nVia: SIP/2.0/UDP "
		 "192.168.1.20:5062;rport;branch=z9hG4bK%s\n"
		 "From: <sip:%s>;tag=f1\nTo: <sip:%s>\nCall-ID: r1\nCSeq: %u REGISTER\n"
		 "Max-Forwards: 70\n%sContent-Length: 0\n\n",
		 strchr(aor, '@') + 1, branch, aor, aor, cseq, fields);
	return text;
}

/* With the right password of alice, whose address of record it may not be. Ends with the answer. */
static void registers(struct world *w, const char *aor, unsigned cseq, const char *fields)
{
	char nonce[NONCE_TEXT_SIZE], all[2048], branch[16];

	snprintf(branch, sizeof(branch), "a%u", cseq);
	hear_by(w, by, PHONE, register_of(aor, branch, cseq, fields));
	assert_non_null(strstr(sent_to(w, 0, PHONE, "SIP/2.0 401 "), "\r\nWWW-Authenticate: "));
	nonce_of(w->sent[0].text, nonce);
	snprintf(branch, sizeof(branch), "b%u", cseq + 1);
	snprintf(all, sizeof(all), "%s%s", credentials(w, "REGISTER", nonce, 1), fields);
	hear_by(w, by, PHONE, register_of(aor, branch, cseq + 1, all));
	assert_int_equal(w->sent_count, 1);
}

static void alice_registers(struct world *w)
{
	registers(w, "alice@digest.example", 1, "Contact: <" CONTACT ">\nExpires: 600\n");
	sent_to(w, 0, PHONE, "SIP/2.0 200 ");
}

static void register_is_challenged_and_answered_with_the_bindings(void **state)
{
	struct world *w = *state;
	const char *text;
	char again[4096];

	alice_registers(w);
	text = sent_to(w, 0, PHONE, "SIP/2.0 200 OK\r\n");
	assert_non_null(strstr(text, "\r\nContact: <" CONTACT ">;expires=600;q=1.000\r\n"));
	assert_non_null(strstr(text, "\r\nDate: "));
	assert_non_null(strstr(text, ";received=198.51.100.7"));
	assert_int_equal(counted(w, PROXY_REGISTERED), 1);
	assert_int_equal(counted(w, PROXY_FORWARDED), 0);
	/* A retransmission is the same answer, and no new registration. */
	strcpy(again, text);
	hear(w, PHONE, register_of("alice@digest.example", "b2", 2, ""));
	assert_string_equal(sent_to(w, 0, PHONE, "SIP/2.0 200 "), again);
	assert_int_equal(counted(w, PROXY_REGISTERED), 1);
	assert_int_equal(transactions(w), 1);
	wait_ms(w, 32001);
	assert_int_equal(transactions(w), 0);
}

static void nobody_registers_anothers_address(void **state)
{
	struct world *w = *state;

	registers(w, "bob@digest.example", 1, "Contact: <" CONTACT ">\n");
	sent_to(w, 0, PHONE, "SIP/2.0 403 ");
	registers(w, "Alice@digest.example", 3, "");
	sent_to(w, 0, PHONE, "SIP/2.0 403 ");
	registers(w, "alice@digest.example", 5, "");
	assert_null(strstr(sent_to(w, 0, PHONE, "SIP/2.0 200 "), "Contact"));
}

static void address_of_another_domain_is_not_found(void **state)
{
	struct world *w = *state;
	const char *text = "REGISTER sip:gate.example SIP/2.0\n"
			   "Via: SIP/2.0/UDP 198.51.100.7:40000;branch=z9hG4bK1\n"
			   "From: <sip:a@b>;tag=f1\nTo: <sip:alice@digest.example>\nCall-ID: r1\n"
			   "CSeq: 1 REGISTER\nContact: <sip:x@h>\n\n";

	/* Admitted by address, on the default trunk. */
	hear(w, PHONE, text);
	sent_to(w, 0, PHONE, "SIP/2.0 404 ");
}

static void trunk_by_address_registers_whom_to_names(void **state)
{
	struct world *w = *state;

	hear(w, PHONE, register_of("1000@gate.example", "1", 1, "Contact: <sip:x@h>\n"));
	assert_non_null(strstr(sent_to(w, 0, PHONE, "SIP/2.0 200 "), "\r\nContact: <sip:x@h>;"));
	hear(w, STRANGER, register_of("1000@gate.example", "1", 1, "Contact: <sip:y@h>\n"));
	assert_memory_equal(w->sent[0].text, "SIP/2.0 403 ", 12);
	hear(w, PHONE, register_of("1000@gate.example", "2", 2, "Contact: <sip:x@h>;expires=1\n"));
	assert_non_null(strstr(sent_to(w, 0, PHONE, "SIP/2.0 423 "), "\r\nMin-Expires: 60\r\n"));
	hear(w, PHONE, register_of("%ff@gate.example", "3", 3, "Contact: <sip:x@h>\n"));
	sent_to(w, 0, PHONE, "SIP/2.0 400 ");
	hear(w, PHONE, register_of("1000@gate.example", "4", 4, "Require: path\n"));
	assert_non_null(strstr(sent_to(w, 0, PHONE, "SIP/2.0 420 "), "\r\nUnsupported: path\r\n"));
}

static void trunk_without_rules_registers_nobody(void **state)
{
	struct world *w = *state;

	assert_ok(w->f, create_trunk(w->f, "open", "open.example", "sip:" PBX));
	world_read_store(w);
	hear(w, PHONE, register_of("alice@open.example", "1", 1, "Contact: <sip:x@h>\n"));
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, PHONE, "SIP/2.0 403 ");
}

/* Without credentials, through a trunk without rules. */
static void alice_calls_openly(struct world *w)
{
	hear(w, PHONE,
	     "INVITE sip:1000@open.example SIP/2.0\n"
	     "Via: SIP/2.0/UDP 192.168.1.20:5062;rport;branch=z9hG4bKc1\n"
	     "From: <sip:alice@digest.example>;tag=f2\nTo: <sip:1000@open.example>\n"
	     "Call-ID: c1\nCSeq: 1 INVITE\nMax-Forwards: 70\nContent-Length: 0\n\n");
}

static void clock_that_is_set_ends_no_registration(void **state)
{
	struct world *w = *state;

	assert_ok(w->f, create_trunk(w->f, "open", "open.example", "sip:" PBX));
	world_read_store(w);
	alice_registers(w);
	clock_step_s = 3600;
	alice_calls_openly(w);
	clock_step_s = 0;
	sent_to(w, 0, PBX, "INVITE ");
}

static void without_room_for_transactions_it_is_answered_all_the_same(void **state)
{
	struct world *w = *state;

	w->transactions = 1;
	world_start_proxy(w);
	alice_registers(w);
	registers(w, "alice@digest.example", 3, "");
	assert_non_null(strstr(sent_to(w, 0, PHONE, "SIP/2.0 200 "), CONTACT));
}

/* ---- calls to them ---- */

static const char *call_to(const char *uri, const char *fields)
{
	static char text[4096];

	snprintf(text, sizeof(text),
		 "INVITE %s SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKx\n%s"
		 "From: <sip:pbx@b>;tag=p1\nTo: <%s>\nCall-ID: d1\nCSeq: 7 INVITE\n"
		 "Contact: <sip:pbx@10.0.0.5>\nMax-Forwards: 70\nContent-Length: 5\n\nv=0\n\n",
		 uri, fields, uri);
	return text;
}

static void call_reaches_the_received_address(void **state)
{
	struct world *w = *state;
	const char *text;

	alice_registers(w);
	hear(w, PBX, call_to("sip:alice@digest.example", "Route: <sip:10.0.0.1;lr>, <sip:x;lr>\n"));
	assert_int_equal(w->sent_count, 2);
	text = sent_to(w, 0, PHONE,
		       "INVITE " CONTACT " SIP/2.0\r\n"
		       "Via: SIP/2.0/UDP 203.0.113.1:5060;");
	assert_null(strstr(text, "\r\nRoute:"));
	assert_null(strstr(text, "X-Sipward"));
	assert_non_null(strstr(text, "\r\nTo: <sip:alice@digest.example>\r\n"));
	sent_to(w, 1, PBX, "SIP/2.0 100 ");
}

static void users_not_registered_are_unavailable_and_unknown_ones_not_found(void **state)
{
	struct world *w = *state;

	hear(w, PBX, call_to("sip:alice@digest.example", ""));
	sent_to(w, 0, PBX, "SIP/2.0 480 ");
	hear(w, PBX, call_to("sip:mallory@digest.example", ""));
	sent_to(w, 0, PBX, "SIP/2.0 404 ");
	alice_registers(w);
	registers(w, "alice@digest.example", 3, "Contact: *\nExpires: 0\n");
	sent_to(w, 0, PHONE, "SIP/2.0 200 ");
	hear(w, PBX, call_to("sip:alice@digest.example", ""));
	sent_to(w, 0, PBX, "SIP/2.0 480 ");
}

static void user_removed_from_the_list_is_called_no_more(void **state)
{
	struct world *w = *state;

	alice_registers(w);
	assert_ok(w->f, store_user_remove(w->f->store, "phones", "alice", &w->f->err));
	world_read_store(w);
	hear(w, PBX, call_to("sip:alice@digest.example", ""));
	assert_int_equal(w->sent_count, 1);
	assert_memory_equal(w->sent[0].text, "SIP/2.0 4", 9);
}

static void nobody_is_called_on_a_disabled_trunk(void **state)
{
	struct world *w = *state;
	struct store_trunk trunk;

	alice_registers(w);
	assert_ok(w->f, store_trunk_get(w->f->store, "digest", &trunk, &w->f->err));
	trunk.enabled = false;
	assert_ok(w->f, store_trunk_set(w->f->store, &trunk, &w->f->err));
	world_read_store(w);
	hear(w, PBX, call_to("sip:alice@digest.example", ""));
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, PBX, "SIP/2.0 404 ");
}

static void strangers_do_not_call_registered_users(void **state)
{
	struct world *w = *state;

	alice_registers(w);
	hear(w, "10.0.0.6:5060", call_to("sip:alice@digest.example", ""));
	assert_int_equal(w->sent_count, 1);
	assert_memory_equal(w->sent[0].text, "SIP/2.0 407 ", 12);
	hear(w, PBX, register_of("alice@digest.example", "1", 1, "Contact: <sip:x@h>\n"));
	assert_memory_equal(w->sent[0].text, "SIP/2.0 403 ", 12);
}

/* RFC 5630 §5.3: a sips contact stands for a sip one too, by TLS; never the other way round. */
static void scheme_that_is_called_is_kept(void **state)
{
	struct world *w = *state;

	by = NET_TLS;
	registers(w, "alice@digest.example", 1, "Contact: <sips:alice@192.168.1.20>\n");
	by = NET_UDP;
	sent_to(w, 0, PHONE, "SIP/2.0 200 ");
	hear_by(w, NET_TLS, PBX, call_to("sips:alice@digest.example", ""));
	sent_to(w, 0, PHONE, "INVITE sips:alice@192.168.1.20 SIP/2.0\r\nVia: SIP/2.0/TLS ");
	world_start_proxy(w); /* to which the next one is no retransmission */
	hear(w, PBX, call_to("sip:alice@digest.example", ""));
	sent_to(w, 0, PHONE, "INVITE sip:alice@192.168.1.20 SIP/2.0\r\nVia: SIP/2.0/TLS ");
	by = NET_TLS;
	registers(w, "alice@digest.example", 3, "Contact: *\nExpires: 0\n");
	registers(w, "alice@digest.example", 5, "Contact: <sip:alice@192.168.1.20>\n");
	by = NET_UDP;
	world_start_proxy(w);
	hear_by(w, NET_TLS, PBX, call_to("sips:alice@digest.example", ""));
	sent_to(w, 0, PBX, "SIP/2.0 480 ");
	/* What a path without TLS could not promise. */
	registers(w, "alice@digest.example", 7, "Contact: <sips:alice@192.168.1.20>\n");
	sent_to(w, 0, PHONE, "SIP/2.0 400 ");
}

/* ---- several contacts ---- */

static void fork_to_two(struct world *w, char *ret_invites[2])
{
	registers(w, "alice@digest.example", 1,
		  "Contact: <sip:low@h>;q=0.1, <sip:hi@h;x=y?Subject=a@b>;q=0.9\n");
	sent_to(w, 0, PHONE, "SIP/2.0 200 ");
	hear(w, PBX, call_to("sip:alice@digest.example", ""));
	assert_int_equal(w->sent_count, 3);
	ret_invites[0] = strdup(sent_to(w, 0, PHONE, "INVITE sip:hi@h;x=y SIP/2.0\r\n"));
	sent_to(w, 1, PBX, "SIP/2.0 100 ");
	ret_invites[1] = strdup(sent_to(w, 2, PHONE, "INVITE sip:low@h SIP/2.0\r\n"));
}

/* A contact's response to the INVITE it got. */
static void responds(struct world *w, const char *invite, const char *status)
{
	char text[4096], vias[1024], records[1024];

	lines_of(invite, "Via:", vias, sizeof(vias));
	lines_of(invite, "Record-Route:", records, sizeof(records));
	snprintf(text, sizeof(text),
		 "SIP/2.0 %s\n%s%sFrom: <sip:pbx@b>;tag=p1\n"
		 "To: <sip:alice@digest.example>;tag=a1\nCall-ID: d1\nCSeq: 7 INVITE\n"
		 "Contact: <" CONTACT ">\nContent-Length: 0\n\n",
		 status, vias, records);
	hear(w, PHONE, text);
}

static void free_two(char *invites[2])
{
	free(invites[0]);
	free(invites[1]);
}

static void all_contacts_are_called_and_the_first_to_answer_gets_the_call(void **state)
{
	struct world *w = *state;
	char *invites[2];

	fork_to_two(w, invites);
	responds(w, invites[0], "180 Ringing");
	sent_to(w, 0, PBX, "SIP/2.0 180 ");
	responds(w, invites[1], "183 Session Progress");
	sent_to(w, 0, PBX, "SIP/2.0 183 ");
	responds(w, invites[1], "200 OK");
	assert_int_equal(w->sent_count, 2);
	sent_to(w, 0, PBX, "SIP/2.0 200 ");
	sent_to(w, 1, PHONE, "CANCEL sip:hi@h;x=y SIP/2.0\r\n");
	responds(w, invites[0], "487 Request Terminated");
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, PHONE, "ACK sip:hi@h;x=y SIP/2.0\r\n");
	/* Both have answered at once: both are the caller's to end. */
	responds(w, invites[0], "200 OK");
	free_two(invites);
}

static void best_failure_of_all_contacts_is_told_when_the_last_has_failed(void **state)
{
	struct world *w = *state;
	char *invites[2];

	fork_to_two(w, invites);
	responds(w, invites[0], "486 Busy Here");
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, PHONE, "ACK ");
	responds(w, invites[1], "500 Server Internal Error");
	assert_int_equal(w->sent_count, 2);
	sent_to(w, 0, PBX, "SIP/2.0 486 ");
	sent_to(w, 1, PHONE, "ACK sip:low@h ");
	free_two(invites);
}

static void refusal_everywhere_ends_the_other_contacts_ringing(void **state)
{
	struct world *w = *state;
	char *invites[2];

	fork_to_two(w, invites);
	responds(w, invites[0], "180 Ringing");
	responds(w, invites[1], "603 Decline");
	assert_int_equal(w->sent_count, 2);
	sent_to(w, 0, PHONE, "CANCEL sip:hi@h;x=y ");
	sent_to(w, 1, PHONE, "ACK sip:low@h ");
	responds(w, invites[0], "487 Request Terminated");
	sent_to(w, 0, PBX, "SIP/2.0 603 ");
	free_two(invites);
}

/* The upstream's call, answered by alice. Routes as the upstream and as alice have them. */
static void called(struct world *w, char routes[1024], char alices[1024])
{
	char text[4096], vias[1024], records[1024];

	alice_registers(w);
	hear(w, PBX, call_to("sip:alice@digest.example", ""));
	sent_to(w, 0, PHONE, "INVITE ");
	lines_of(w->sent[0].text, "Via:", vias, sizeof(vias));
	lines_of(w->sent[0].text, "Record-Route:", records, sizeof(records));
	snprintf(text, sizeof(text),
		 "SIP/2.0 200 OK\n%s%sFrom: <sip:pbx@b>;tag=p1\n"
		 "To: <sip:alice@digest.example>;tag=a1\nCall-ID: d1\nCSeq: 7 INVITE\n"
		 "Contact: <" CONTACT ">\nContent-Length: 0\n\n",
		 vias, records);
	hear(w, PHONE, text);
	strcpy(text, sent_to(w, 0, PBX, "SIP/2.0 200 "));
	for (int i = 0; i < 2; i++) {
		char first[256], second[256];

		sscanf(records, "Record-Route: %255s\nRecord-Route: %255s", first, second);
		snprintf(i ? alices : routes, 1024, "Route: %s\nRoute: %s\n", i ? first : second,
			 i ? second : first);
	}
}

static void says(struct world *w, const char *from, const char *method, const char *routes)
{
	bool pbx = strcmp(from, PBX) == 0;
	const char *us = "<sip:pbx@b>;tag=p1", *alice = "<sip:alice@digest.example>;tag=a1";
	char text[4096];

	snprintf(text, sizeof(text),
		 "%s %s SIP/2.0\nVia: SIP/2.0/UDP 192.168.1.20:5062;rport;branch=z9hG4bK%s%d\n%s"
		 "From: %s\nTo: %s\nCall-ID: d1\nCSeq: 8 %s\nMax-Forwards: 70\n"
		 "P-Asserted-Identity: <sip:boss@b>\nContent-Length: 0\n\n",
		 method, pbx ? CONTACT : "sip:pbx@10.0.0.5", method, pbx, routes, pbx ? us : alice,
		 pbx ? alice : us, method);
	hear(w, from, text);
}

static void either_side_speaks_in_the_call(void **state)
{
	struct world *w = *state;
	char routes[1024], alices[1024];

	called(w, routes, alices);
	says(w, PBX, "ACK", routes);
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, PHONE, "ACK " CONTACT " SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.1:5060;");
	says(w, PBX, "INFO", routes);
	sent_to(w, 0, PHONE, "INFO ");
	/* The untrusted side is alice's, though the other one has begun the call. */
	says(w, PHONE, "INFO", alices);
	assert_null(strstr(sent_to(w, 0, PBX, "INFO sip:pbx@10.0.0.5 "), "boss"));
	says(w, PHONE, "BYE", alices);
	sent_to(w, 0, PBX, "BYE ");
	assert_int_equal(counted(w, PROXY_DIALOG_FORWARDED), 4);
}

/* Its From is the address that was called, which need not be a number. */
static void rule_on_callers_is_not_for_who_is_called(void **state)
{
	struct world *w = *state;
	struct store_trunk trunk;
	char routes[1024], alices[1024];

	assert_ok(w->f, store_trunk_get(w->f->store, "digest", &trunk, &w->f->err));
	trunk.caller = STORE_CALLER_REFUSE;
	assert_ok(w->f, store_trunk_set(w->f->store, &trunk, &w->f->err));
	world_read_store(w);
	called(w, routes, alices);
	says(w, PHONE, "INFO", alices);
	assert_non_null(strstr(sent_to(w, 0, PBX, "INFO "), "From: <sip:alice@digest.example>"));
}

static void token_of_the_call_is_good_in_either_sides_hands_alone(void **state)
{
	struct world *w = *state;
	char routes[1024], alices[1024];

	called(w, routes, alices);
	says(w, STRANGER, "BYE", alices); /* speaks as alice */
	assert_int_equal(w->sent_count, 1);
	assert_memory_equal(w->sent[0].text, "SIP/2.0 40", 10);
	says(w, STRANGER, "ACK", alices);
	assert_int_equal(w->sent_count, 0);
	/* alice's own tag and address, but said to be the upstream's side */
	says(w, PBX, "BYE", "");
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, PBX, "SIP/2.0 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIGEST_TEST(register_is_challenged_and_answered_with_the_bindings),
		DIGEST_TEST(nobody_registers_anothers_address),
		DIGEST_TEST(address_of_another_domain_is_not_found),
		DIGEST_TEST(trunk_by_address_registers_whom_to_names),
		DIGEST_TEST(trunk_without_rules_registers_nobody),
		DIGEST_TEST(clock_that_is_set_ends_no_registration),
		DIGEST_TEST(without_room_for_transactions_it_is_answered_all_the_same),
		DIGEST_TEST(call_reaches_the_received_address),
		DIGEST_TEST(users_not_registered_are_unavailable_and_unknown_ones_not_found),
		DIGEST_TEST(user_removed_from_the_list_is_called_no_more),
		DIGEST_TEST(nobody_is_called_on_a_disabled_trunk),
		DIGEST_TEST(strangers_do_not_call_registered_users),
		DIGEST_TEST(scheme_that_is_called_is_kept),
		DIGEST_TEST(all_contacts_are_called_and_the_first_to_answer_gets_the_call),
		DIGEST_TEST(best_failure_of_all_contacts_is_told_when_the_last_has_failed),
		DIGEST_TEST(refusal_everywhere_ends_the_other_contacts_ringing),
		DIGEST_TEST(either_side_speaks_in_the_call),
		DIGEST_TEST(rule_on_callers_is_not_for_who_is_called),
		DIGEST_TEST(token_of_the_call_is_good_in_either_sides_hands_alone),
	};

	return cmocka_run_group_tests_name("proxy_registrar", tests, NULL, NULL);
}
