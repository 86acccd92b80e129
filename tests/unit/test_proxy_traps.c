/* SPDX-License-Identifier: BSD-2-Clause */
/* What goes wrong in proxies that authenticate: one test a trap. */
#include "proxy_call.h"
#include "proxy_digest.h"

#include "proxy/token.h"

static const char *digest_invite(const char *branch, unsigned cseq, const char *extra)
{
	static char text[4096];

	snprintf(text, sizeof(text),
		 "INVITE sip:100@digest.example SIP/2.0\nVia: SIP/2.0/UDP "
		 "198.51.100.7:5062;branch=z9hG4bK%s\n%sFrom: <sip:a@b>;tag=f1\n"
		 "To: <sip:100@gate.example>\nCall-ID: c1\nCSeq: %u INVITE\nMax-Forwards: 70\n"
		 "Content-Length: 0\n\n",
		 branch, extra, cseq);
	return text;
}

/* Calls with the right password. The nonce, and what the PBX got. */
static const char *digest_call(struct world *w, char nonce[NONCE_TEXT_SIZE])
{
	static char text[4096];

	hear(w, CUSTOMER, digest_invite("ask", 6, ""));
	nonce_of(sent_to(w, 0, CUSTOMER, "SIP/2.0 407 "), nonce);
	hear(w, CUSTOMER, digest_invite("abc", 7, credentials(w, "INVITE", nonce, 1)));
	strcpy(text, sent_to(w, 0, PBX, "INVITE "));
	return text;
}

/* The same, answered. Routes as the caller has them. */
static void digest_established(struct world *w, char nonce[NONCE_TEXT_SIZE], char routes[1024])
{
	hear(w, PBX, answer(digest_call(w, nonce), "200 OK", "INVITE"));
	routes_of(sent_to(w, 0, CUSTOMER, "SIP/2.0 200 "), true, routes);
}

static void retransmitted_authenticated_invite_is_no_replay(void **state)
{
	struct world *w = *state;
	char nonce[NONCE_TEXT_SIZE];

	digest_call(w, nonce);
	hear(w, CUSTOMER, digest_invite("abc", 7, credentials(w, "INVITE", nonce, 1)));
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 100 ");
	/* The same credentials in a new transaction are one. */
	hear(w, CUSTOMER, digest_invite("abd", 8, credentials(w, "INVITE", nonce, 1)));
	assert_int_equal(w->sent_count, 1);
	assert_non_null(strstr(sent_to(w, 0, CUSTOMER, "SIP/2.0 407 "), "stale=true"));
}

/* linphone repeats the INVITE's credentials in the ACK; baresip counts on in ACK and BYE. */
static void credentials_in_ack_and_bye_are_taken_out_and_not_looked_at(void **state)
{
	static const struct {
		const char *method;
		unsigned nc;
	} later[] = {{"ACK", 1}, {"ACK", 2}, {"INFO", 1}, {"BYE", 3}};
	const char *foreign = "Authorization: Digest username=\"x\", realm=\"pbx\", nonce=\"n\"\n";
	struct world *w = *state;
	char nonce[NONCE_TEXT_SIZE], routes[1024], extra[2500];

	digest_established(w, nonce, routes);
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		const char *method = later[i].method, *text;

		snprintf(extra, sizeof(extra), "%s%s%s", routes,
			 credentials(w, method, nonce, later[i].nc), foreign);
		caller_says(w, method, extra);
		assert_int_equal(w->sent_count, 1);
		text = sent_to(w, 0, PBX, method);
		assert_null(strstr(text, "username=\"alice"));
		assert_non_null(strstr(text, "realm=\"pbx\""));
	}
}

/* A phone sends what it has to whatever trunk it calls. */
static void credentials_for_another_trunks_realm_do_not_reach_the_upstream(void **state)
{
	struct world *w = *state;
	char nonce[NONCE_TEXT_SIZE], message[4096];
	const char *text;

	hear(w, CUSTOMER, digest_invite("ask", 6, ""));
	nonce_of(sent_to(w, 0, CUSTOMER, "SIP/2.0 407 "), nonce);
	snprintf(message, sizeof(message),
		 INVITE_OF("198.51.100.7:5062;branch=z9hG4bKabc",
			   "%sAuthorization: Digest realm=\"pbx\"\n"),
		 credentials(w, "INVITE", nonce, 1));
	hear(w, CUSTOMER, message);
	text = sent_to(w, 0, PBX, "INVITE ");
	assert_null(strstr(text, "username=\"alice"));
	assert_non_null(strstr(text, "realm=\"pbx\""));
}

static void credentials_do_not_reach_the_upstream_of_a_disabled_trunk(void **state)
{
	struct world *w = *state;
	char nonce[NONCE_TEXT_SIZE], routes[1024], extra[2500];
	struct store_trunk trunk;

	digest_established(w, nonce, routes);
	assert_ok(w->f, store_trunk_get(w->f->store, "digest", &trunk, &w->f->err));
	trunk.enabled = false;
	assert_ok(w->f, store_trunk_set(w->f->store, &trunk, &w->f->err));
	world_read_store(w);
	snprintf(extra, sizeof(extra), "%s%s", routes, credentials(w, "BYE", nonce, 2));
	caller_says(w, "BYE", extra);
	assert_null(strstr(sent_to(w, 0, PBX, "BYE "), "username=\"alice"));
}

static void no_more_credentials_pass_than_can_be_counted(void **state)
{
	struct world *w = *state;
	char nonce[NONCE_TEXT_SIZE], routes[1024], extra[2048];
	size_t n;

	digest_established(w, nonce, routes);
	n = (size_t)snprintf(extra, sizeof(extra), "%s", routes);
	for (int i = 0; i < 16; i++)
		n += (size_t)snprintf(extra + n, sizeof(extra) - n, "Authorization: Digest\n");
	caller_says(w, "BYE", extra);
	assert_null(strstr(sent_to(w, 0, PBX, "BYE "), "Authorization"));
	snprintf(extra + n, sizeof(extra) - n, "Authorization: Digest\n");
	caller_says(w, "INFO", extra);
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 400 ");
}

static void sixteen_credentials_authenticate_and_all_are_taken_out(void **state)
{
	struct world *w = *state;
	char nonce[NONCE_TEXT_SIZE], extra[2048];
	size_t n = 0;

	hear(w, CUSTOMER, digest_invite("ask", 6, ""));
	nonce_of(sent_to(w, 0, CUSTOMER, "SIP/2.0 407 "), nonce);
	for (int i = 0; i < 15; i++)
		n += (size_t)snprintf(extra + n, sizeof(extra) - n,
				      "Authorization: Digest realm=\"sip.example\"\n");
	strcpy(extra + n, credentials(w, "INVITE", nonce, 1));
	hear(w, CUSTOMER, digest_invite("abc", 7, extra));
	assert_null(strstr(sent_to(w, 0, PBX, "INVITE "), "Authorization"));
}

static void proven_source_has_its_options_answered(void **state)
{
	const char *options = "OPTIONS sip:gate.example SIP/2.0\nVia: SIP/2.0/UDP "
			      "192.0.2.66;branch=z9hG4bKo\nFrom: <sip:a@b>;tag=f1\n"
			      "To: <sip:gate.example>\nCall-ID: c1\nCSeq: 7 OPTIONS\n\n";
	struct world *w = *state;
	char nonce[NONCE_TEXT_SIZE];

	hear(w, STRANGER, options);
	assert_int_equal(w->sent_count, 0);
	hear(w, STRANGER, digest_invite("ask", 6, ""));
	nonce_of(w->sent[0].text, nonce);
	hear(w, STRANGER, digest_invite("abc", 7, credentials(w, "INVITE", nonce, 1)));
	sent_to(w, 0, PBX, "INVITE ");
	hear(w, STRANGER, options);
	sent_to(w, 0, STRANGER, "SIP/2.0 200 ");
}

/* With no filter to remember it. */
static void forged_packets_do_not_take_a_proven_source_off_the_air(void **state)
{
	struct world *w = *state;
	char nonce[NONCE_TEXT_SIZE];

	hear(w, STRANGER, digest_invite("ask", 6, ""));
	nonce_of(w->sent[0].text, nonce);
	hear(w, STRANGER, digest_invite("abc", 7, credentials(w, "INVITE", nonce, 1)));
	for (int i = 0; i < 20; i++)
		hear(w, STRANGER, INVITE_OF("192.0.2.66;branch=z9hG4bKx", ""));
	sent_to(w, 0, STRANGER, "SIP/2.0 403 ");
	hear(w, STRANGER, digest_invite("abd", 8, credentials(w, "INVITE", nonce, 2)));
	sent_to(w, 0, PBX, "INVITE ");
}

static void register_of_a_trunk_that_forwards_it_leaves_with_all_its_contacts(void **state)
{
	const char *head = "REGISTER sip:digest.example SIP/2.0\n"
			   "Via: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bKr%u\n"
			   "From: <sip:alice@digest.example>;tag=f1\n"
			   "To: <sip:alice@digest.example>\nCall-ID: c9\nCSeq: %u REGISTER\n%s"
			   "Contact: <sip:a@198.51.100.7:5062>;expires=60, <sip:b@h>\n"
			   "Contact: *\nContent-Length: 0\n\n";
	struct world *w = *state;
	char nonce[NONCE_TEXT_SIZE], message[4096];
	struct store_trunk trunk;
	const char *text;

	assert_ok(w->f, store_trunk_get(w->f->store, "digest", &trunk, &w->f->err));
	trunk.forward_register = true;
	assert_ok(w->f, store_trunk_set(w->f->store, &trunk, &w->f->err));
	world_read_store(w);
	snprintf(message, sizeof(message), head, 1, 1, "");
	hear(w, CUSTOMER, message);
	text = sent_to(w, 0, CUSTOMER, "SIP/2.0 401 ");
	assert_non_null(strstr(text, "\r\nWWW-Authenticate: "));
	nonce_of(text, nonce);
	snprintf(message, sizeof(message), head, 2, 2, credentials(w, "REGISTER", nonce, 1));
	hear(w, CUSTOMER, message);
	text = sent_to(w, 0, PBX, "REGISTER sip:digest.example SIP/2.0\r\n");
	assert_non_null(strstr(text, "\r\nContact: <sip:a@198.51.100.7:5062>;expires=60, <sip:b@h>"
				     "\r\nContact: *\r\n"));
	assert_null(strstr(text, "nonce"));
}

/* ---- a token is no way round what has changed ---- */

static void token_in_other_hands_proves_nothing(void **state)
{
	struct world *w = *state;
	char routes[1024], message[4096];

	established(w, routes);
	in_dialog(message, "INVITE", "sip:pbx@10.0.0.5", routes, true);
	hear(w, STRANGER, message);
	assert_int_equal(w->sent_count, 1);
	assert_memory_equal(w->sent[0].text, "SIP/2.0 403 ", 12);
	in_dialog(message, "BYE", "sip:pbx@10.0.0.5", routes, true);
	hear(w, STRANGER, message);
	assert_int_equal(w->sent_count, 1);
	assert_memory_equal(w->sent[0].text, "SIP/2.0 403 ", 12);
	in_dialog(message, "ACK", "sip:pbx@10.0.0.5", routes, true);
	hear(w, STRANGER, message);
	assert_int_equal(w->sent_count, 0);
	/* Another address of the office may go on. */
	hear(w, "198.51.100.8:5062", message);
	sent_to(w, 0, PBX, "ACK ");
}

static void caller_who_moved_is_challenged_by_the_trunk_of_the_call(void **state)
{
	struct world *w = *state;
	char nonce[NONCE_TEXT_SIZE], routes[1024], message[4096], extra[2048];

	digest_established(w, nonce, routes);
	in_dialog(message, "UPDATE", "sip:pbx@10.0.0.5", routes, true);
	hear(w, STRANGER, message);
	assert_int_equal(w->sent_count, 1);
	assert_memory_equal(w->sent[0].text, "SIP/2.0 407 ", 12);
	nonce_of(w->sent[0].text, nonce);
	snprintf(extra, sizeof(extra), "%s%s", routes, credentials(w, "UPDATE", nonce, 1));
	in_dialog(message, "UPDATE", "sip:pbx@10.0.0.5", extra, true);
	hear(w, STRANGER, message);
	sent_to(w, 0, PBX, "UPDATE sip:pbx@10.0.0.5 ");
}

static void removed_address_may_end_its_call_and_nothing_else(void **state)
{
	struct world *w = *state;
	struct prefix office;
	char routes[1024];

	established(w, routes);
	caller_says(w, "INVITE", routes);
	sent_to(w, 0, PBX, "INVITE ");
	assert_int_equal(prefix_parse(SLICE("198.51.100.0/24"), &office, &w->f->err), 0);
	assert_ok(w->f, store_acl_remove(w->f->store, "office", &office, 1, &w->f->err));
	world_read_store(w);
	caller_says(w, "INFO", routes);
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 403 ");
	caller_says(w, "ACK", routes);
	sent_to(w, 0, PBX, "ACK ");
	caller_says(w, "BYE", routes);
	sent_to(w, 0, PBX, "BYE ");
}

static void removed_user_may_end_the_call_and_nothing_else(void **state)
{
	struct world *w = *state;
	char nonce[NONCE_TEXT_SIZE], routes[1024];

	digest_established(w, nonce, routes);
	caller_says(w, "INVITE", routes);
	sent_to(w, 0, PBX, "INVITE ");
	assert_ok(w->f, store_user_remove(w->f->store, "phones", "alice", &w->f->err));
	world_read_store(w);
	caller_says(w, "INFO", routes);
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 407 ");
	caller_says(w, "BYE", routes);
	sent_to(w, 0, PBX, "BYE ");
}

static void caller_of_a_trunk_that_asks_for_more_now_is_asked_for_it(void **state)
{
	struct world *w = *state;
	char routes[1024];

	established(w, routes);
	assert_ok(w->f,
		  store_trunk_attach_credentials(w->f->store, "default", "phones", &w->f->err));
	world_read_store(w);
	caller_says(w, "INFO", routes);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 407 ");
}

/* Routes with a token of the digest trunk that was issued so long ago. */
static void aged_routes(struct world *w, unsigned age_s, char routes[1024])
{
	const struct policy_trunk *trunk =
		policy_trunk_find(w->policy, SLICE("100"), SLICE("digest.example"));
	struct token_call call = {SLICE("c1"), SLICE("f1")};
	struct token token = {
		.trunk_id = trunk->config.id,
		.user_id = policy_user_find(trunk, SLICE("alice"), SLICE("sip.example"))->id,
		.issued_s = (uint32_t)(clock_steady_s() - age_s),
		.caller = endpoint(CUSTOMER),
		.caller_transport = NET_UDP,
		.upstream = endpoint(PBX),
		.upstream_transport = NET_UDP,
	};
	char text[TOKEN_TEXT_SIZE];

	token_write((const uint8_t *)"dialog-key-0123", &token, &call, text);
	snprintf(routes, 1024, "Route: <sip:%s@203.0.113.1:5060;lr>\n", text);
}

static void token_of_a_day_ago_is_good_for_the_end_of_the_call_alone(void **state)
{
	struct world *w = *state;
	char routes[1024];

	aged_routes(w, 24 * 3600 - 60, routes);
	caller_says(w, "INFO", routes);
	sent_to(w, 0, PBX, "INFO ");
	aged_routes(w, 24 * 3600, routes);
	caller_says(w, "UPDATE", routes);
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 407 ");
	caller_says(w, "BYE", routes);
	sent_to(w, 0, PBX, "BYE ");
}

/* ---- odd requests ---- */

static void request_uri_of_another_scheme_is_416(void **state)
{
	static const char *const uris[] = {"sips:100@gate.example", "http://gate.example/",
					   "SIPS:gate.example"};
	struct world *w = *state;
	char message[1024];

	for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
		snprintf(message, sizeof(message),
			 "INVITE %s SIP/2.0\nVia: SIP/2.0/UDP " VIA "\nFrom: <sip:a@b>;tag=f1\n"
			 "To: <sip:1@b>\nCall-ID: c1\nCSeq: 7 INVITE\n\n",
			 uris[i]);
		hear(w, CUSTOMER, message);
		assert_int_equal(w->sent_count, 1);
		sent_to(w, 0, CUSTOMER, "SIP/2.0 416 ");
	}
}

static void telephone_number_goes_to_the_default_trunk(void **state)
{
	struct world *w = *state;

	hear(w, CUSTOMER,
	     "INVITE tel:+12025550123;phone-context=x SIP/2.0\nVia: SIP/2.0/UDP " VIA "\n"
	     "From: <sip:a@b>;tag=f1\nTo: <tel:+12025550123>\nCall-ID: c1\nCSeq: 7 INVITE\n\n");
	sent_to(w, 0, PBX, "INVITE tel:+12025550123;phone-context=x SIP/2.0\r\n");
}

static void escapes_in_the_request_uri_are_read_but_not_changed(void **state)
{
	struct world *w = *state;
	struct store_trunk trunk;

	store_trunk_defaults(&trunk);
	strcpy(trunk.name, "app");
	strcpy(trunk.domain, "app.example");
	strcpy(trunk.user, "app1");
	assert_ok(w->f, store_trunk_create(w->f->store, &trunk, "sip:10.0.0.7", &w->f->err));
	assert_ok(w->f, store_trunk_attach_acl(w->f->store, "app", "office", &w->f->err));
	world_read_store(w);
	hear(w, CUSTOMER,
	     "INVITE sip:%61pp1@APP.example SIP/2.0\nVia: SIP/2.0/UDP " VIA "\n"
	     "From: <sip:a@b>;tag=f1\nTo: <sip:b@c>\nCall-ID: c1\nCSeq: 7 INVITE\n\n");
	sent_to(w, 0, "10.0.0.7:5060", "INVITE sip:%61pp1@APP.example SIP/2.0\r\n");
}

static void largest_message_is_forwarded_and_a_larger_one_is_513(void **state)
{
	const size_t limit = NET_DATAGRAM_MAX - 28;
	struct world *w = *state;
	char *message = malloc(NET_DATAGRAM_MAX + 1);
	size_t head, grown;

	hear(w, CUSTOMER, INVITE_OF("198.51.100.7:5062;branch=z9hG4bK1", ""));
	grown = w->sent[0].n;
	head = (size_t)sprintf(message, "%s",
			       "INVITE sip:100@gate.example SIP/2.0\r\n"
			       "Via: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bK2\r\n"
			       "From: <sip:a@b>;tag=f1\r\nTo: <sip:100@gate.example>\r\n"
			       "Call-ID: c1\r\nCSeq: 8 INVITE\r\nMax-Forwards: 70\r\n\r\n");
	memset(message + head, 'x', NET_DATAGRAM_MAX - head);
	message[NET_DATAGRAM_MAX] = '\0';
	hear(w, CUSTOMER, message);
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 513 ");
	assert_int_equal(transactions(w), 1);
	/* How much a message grows was seen above. */
	message[limit - (grown - strlen(INVITE))] = '\0';
	hear(w, CUSTOMER, message);
	sent_to(w, 0, PBX, "INVITE ");
	assert_true(w->sent[0].n <= limit && w->sent[0].n > limit - 512);
	free(message);
}

static void compact_forms_are_understood_and_stay(void **state)
{
	struct world *w = *state;
	const char *text;

	hear(w, CUSTOMER,
	     "INVITE sip:100@gate.example SIP/2.0\n"
	     "v: SIP/2.0/UDP 10.9.9.9:5062;branch=z9hG4bKabc;rport, SIP/2.0/UDP "
	     "in;branch=z9hG4bKi\n"
	     "f: <sip:a@b>;tag=f1\nt: <sip:100@gate.example>\ni: c1\nCSeq: 7 INVITE\n"
	     "m: <sip:a@198.51.100.7:5062>\nk: timer\nMax-Forwards: 70\nl: 0\n\n");
	text = sent_to(w, 0, PBX, "INVITE ");
	/* Only the first element of the list is the client's. */
	assert_non_null(strstr(text, "\r\nv: SIP/2.0/UDP 10.9.9.9:5062;branch=z9hG4bKabc;"
				     "rport=5062;received=198.51.100.7, "
				     "SIP/2.0/UDP in;branch=z9hG4bKi\r\nf: <sip:a@b>;tag=f1\r\n"));
	assert_non_null(strstr(text, "\r\ni: c1\r\n"));
}

/* Some merge all Via fields of a response into one. */
static void response_with_its_vias_in_one_field_finds_its_way(void **state)
{
	struct world *w = *state;
	char own[256], response[1024];

	lines_of(call_begins(w), "Via: SIP/2.0/UDP 10.0.0.1", own, sizeof(own));
	own[strlen(own) - 1] = '\0';
	snprintf(response, sizeof(response),
		 "SIP/2.0 180 Ringing\n%s ,\n SIP/2.0/UDP " VIA "\nFrom: <sip:a@b>;tag=f1\n"
		 "To: <sip:1@b>;tag=t\nCall-ID: c1\nCSeq: 7 INVITE\nContent-Length: 0\n\n",
		 own);
	hear(w, PBX, response);
	sent_to(w, 0, CUSTOMER,
		"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bKabc\r\n");
}

static void top_via_that_stands_twice_is_taken_out_once(void **state)
{
	struct world *w = *state;
	char invite[4096];

	hear(w, CUSTOMER, INVITE_OF(VIA "\nVia: SIP/2.0/UDP " VIA, ""));
	strcpy(invite, sent_to(w, 0, PBX, "INVITE "));
	hear(w, PBX, answer(invite, "180 Ringing", "INVITE"));
	sent_to(w, 0, CUSTOMER,
		"SIP/2.0 180 Ringing\r\nVia: SIP/2.0/UDP " VIA "\r\n"
		"Via: SIP/2.0/UDP " VIA "\r\n");
}

static void own_routes_at_the_front_go_and_foreign_ones_stay(void **state)
{
	struct world *w = *state;
	char routes[1024], first[512], second[512], mixed[2048];
	const char *text;

	established(w, routes);
	assert_int_equal(sscanf(routes, "Route: %511s\nRoute: %511s", first, second), 2);
	snprintf(mixed, sizeof(mixed),
		 "Route: %s,\n %s , <sip:10.0.0.20;lr>\nRoute: <sip:x@y;lr>\n", first, second);
	caller_says(w, "INFO", mixed);
	text = sent_to(w, 0, PBX, "INFO ");
	assert_non_null(strstr(text, "\r\nRoute: <sip:10.0.0.20;lr>\r\nRoute: <sip:x@y;lr>\r\n"));
	/* Behind a foreign one it is not for us. */
	snprintf(mixed, sizeof(mixed), "Route: <sip:10.0.0.20;lr>, %s\n", first);
	caller_says(w, "BYE", mixed);
	assert_non_null(strstr(sent_to(w, 0, PBX, "BYE "), "X-Sipward-Auth-Type: ip_acl"));
}

static void from_without_a_tag_is_forwarded_and_makes_no_dialog_for_others(void **state)
{
	struct world *w = *state;

	hear(w, CUSTOMER,
	     "INVITE sip:100@gate.example SIP/2.0\nVia: SIP/2.0/UDP " VIA "\nFrom: sip:a@b\n"
	     "To: <sip:100@gate.example>\nCall-ID: c1\nCSeq: 7 INVITE\n\n");
	sent_to(w, 0, PBX, "INVITE ");
	hear(w, STRANGER,
	     "BYE sip:100@gate.example SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.66\nFrom: sip:a@b\n"
	     "To: <sip:100@gate.example>\nCall-ID: c1\nCSeq: 8 BYE\n\n");
	sent_to(w, 0, STRANGER, "SIP/2.0 403 ");
}

static void acks_nobody_asked_for_cost_nothing(void **state)
{
	struct world *w = *state;

	for (int i = 0; i < 1000; i++) {
		hear(w, i % 2 ? STRANGER : CUSTOMER, ack_of_failure);
		assert_int_equal(w->sent_count, 0);
	}
	assert_int_equal(transactions(w), 0);
	assert_int_equal(counted(w, PROXY_ACK_UNMATCHED), 1000);
}

static void locked_out_source_stays_so_when_it_is_listed(void **state)
{
	struct world *w = *state;
	struct lockout_evidence evidence = {.source = endpoint(STRANGER).ip,
					    .grade = LOCKOUT_HARD,
					    .reason = SIPWARD_LOCKOUT_ADDRESS};

	for (int i = 0; i < 10; i++)
		lockout_failure(w->lockouts, policy_settings(w->policy), &evidence, w->now, NULL);
	assert_ok(w->f, allow(w->f, "office", "192.0.2.66"));
	world_read_store(w);
	hear(w, STRANGER, INVITE_OF("192.0.2.66;branch=z9hG4bKx", ""));
	assert_int_equal(w->sent_count, 0);
	w->now += 60 * NS_PER_S;
	hear(w, STRANGER, INVITE_OF("192.0.2.66;branch=z9hG4bKx", ""));
	sent_to(w, 0, PBX, "INVITE ");
}

/* Forged sources get little more than was sent in their name. */
static void large_answers_to_small_requests_of_strangers_cost_more(void **state)
{
	static const unsigned all[] = {DIGEST_SHA_512_256, DIGEST_SHA_256, DIGEST_MD5};
	const char *request = "INVITE sip:digest.example SIP/2.0\nv:SIP/2.0/UDP h;branch=z9hG4bK1\n"
			      "f:<sip:a>;tag=1\nt:<sip:a>\ni:1\nCSeq:1 INVITE\n\n";
	struct world *w = *state;
	struct store_trunk trunk;
	size_t bytes = 0;

	assert_ok(w->f, store_trunk_get(w->f->store, "digest", &trunk, &w->f->err));
	memcpy(trunk.algorithms, all, sizeof(all));
	trunk.algorithm_count = 3;
	assert_ok(w->f, store_trunk_set(w->f->store, &trunk, &w->f->err));
	world_read_store(w);
	for (int i = 0; i < 100; i++) {
		hear(w, STRANGER, request);
		bytes += w->sent_count ? w->sent[0].n : 0;
	}
	assert_true(bytes > 0);
	assert_true(bytes < 2 * 20 * strlen(request));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DIGEST_TEST(retransmitted_authenticated_invite_is_no_replay),
		DIGEST_TEST(credentials_in_ack_and_bye_are_taken_out_and_not_looked_at),
		DIGEST_TEST(credentials_for_another_trunks_realm_do_not_reach_the_upstream),
		DIGEST_TEST(credentials_do_not_reach_the_upstream_of_a_disabled_trunk),
		DIGEST_TEST(no_more_credentials_pass_than_can_be_counted),
		DIGEST_TEST(sixteen_credentials_authenticate_and_all_are_taken_out),
		DIGEST_TEST(proven_source_has_its_options_answered),
		DIGEST_TEST(forged_packets_do_not_take_a_proven_source_off_the_air),
		DIGEST_TEST(register_of_a_trunk_that_forwards_it_leaves_with_all_its_contacts),
		PROXY_TEST(token_in_other_hands_proves_nothing),
		DIGEST_TEST(caller_who_moved_is_challenged_by_the_trunk_of_the_call),
		PROXY_TEST(removed_address_may_end_its_call_and_nothing_else),
		DIGEST_TEST(removed_user_may_end_the_call_and_nothing_else),
		DIGEST_TEST(caller_of_a_trunk_that_asks_for_more_now_is_asked_for_it),
		DIGEST_TEST(token_of_a_day_ago_is_good_for_the_end_of_the_call_alone),
		PROXY_TEST(request_uri_of_another_scheme_is_416),
		PROXY_TEST(telephone_number_goes_to_the_default_trunk),
		PROXY_TEST(escapes_in_the_request_uri_are_read_but_not_changed),
		PROXY_TEST(largest_message_is_forwarded_and_a_larger_one_is_513),
		PROXY_TEST(compact_forms_are_understood_and_stay),
		PROXY_TEST(response_with_its_vias_in_one_field_finds_its_way),
		PROXY_TEST(top_via_that_stands_twice_is_taken_out_once),
		PROXY_TEST(own_routes_at_the_front_go_and_foreign_ones_stay),
		PROXY_TEST(from_without_a_tag_is_forwarded_and_makes_no_dialog_for_others),
		PROXY_TEST(acks_nobody_asked_for_cost_nothing),
		PROXY_TEST(locked_out_source_stays_so_when_it_is_listed),
		DIGEST_TEST(large_answers_to_small_requests_of_strangers_cost_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
