/* SPDX-License-Identifier: BSD-2-Clause */
/* A carrier that asks us for credentials: what it gets, and the numbers of the dialog since. */
#include "proxy_call.h"

#include "digest/password.h"
#include "record/record.h"

#define CARRIER PBX
#define CARRIER2 "10.0.0.6:5060"
#define URI "sip:" PBX
#define SECRET "Carrier-Pass-1"

static void add_credential(struct world *w, const char *uri, const char *user, const char *realm)
{
	struct store_outbound outbound = {.expires_s = STORE_OUTBOUND_EXPIRES_S};
	struct store_outbound_key key = {"default", uri, user};

	strcpy(outbound.realm, realm);
	if (realm[0])
		assert_int_equal(password_hash(w->digest, slice_from(user), slice_from(realm),
					       SLICE(SECRET), &outbound.ha1),
				 0);
	assert_ok(w->f, store_outbound_add(w->f->store, &key, &outbound,
					   realm[0] ? NULL : SECRET, &w->f->err));
	world_read_store(w);
}

/* ---- what the carrier says and hears ---- */

static const char *line_of(const char *text, const char *word)
{
	static char line[4][1024];
	static unsigned next;
	char *out = line[next++ % 4];

	lines_of(text, word, out, 1024);
	return out;
}

/* The carrier's response to a request, with further fields. */
static void somebody_says(struct world *w, const char *who, const char *request,
			  const char *status, const char *fields)
{
	char text[4096], vias[1024], to[512];

	lines_of(request, "Via:", vias, sizeof(vias));
	lines_of(request, "To:", to, sizeof(to));
	to[strcspn(to, "\n")] = '\0';
	snprintf(text, sizeof(text), "SIP/2.0 %s\n%s%s%s%s%s\n%s%s%sContent-Length: 0\n\n", status,
		 vias, line_of(request, "Record-Route:"), line_of(request, "From:"), to,
		 strstr(to, ";tag=") ? "" : ";tag=t1", line_of(request, "Call-ID:"),
		 line_of(request, "CSeq:"), fields);
	hear(w, who, text);
}

static void carrier_says(struct world *w, const char *request, const char *status,
			 const char *fields)
{
	somebody_says(w, CARRIER, request, status, fields);
}

#define CHALLENGE(nonce)                                                                           \
	"Proxy-Authenticate: Digest realm=\"carrier.example\", nonce=\"" nonce                     \
	"\", qop=\"auth\", algorithm=MD5\n"

static char *kept(const char *text)
{
	assert_non_null(text);
	return strdup(text);
}

static unsigned cseq_of(const char *text)
{
	unsigned cseq;

	assert_int_equal(sscanf(line_of(text, "CSeq:"), "CSeq: %u", &cseq), 1);
	return cseq;
}

static void parameter(const char *field, const char *name, char out[256])
{
	const char *at = strstr(field, name);

	assert_non_null(at);
	at += strlen(name);
	at += *at == '"';
	snprintf(out, 256, "%.*s", (int)strcspn(at, "\",\r\n"), at);
}

/* The credentials are right for the password, and count as said. */
static void assert_authenticated(struct world *w, const char *request, const char *user,
				 const char *method, const char *nc)
{
	char field[1024], expected[DIGEST_HEX_SIZE];
	char nonce[256], cnonce[256], uri[256], response[256], name[256], count[256];
	struct store_ha1 ha1;

	lines_of(request, "Proxy-Authorization:", field, sizeof(field));
	parameter(field, "username=", name);
	parameter(field, "nonce=", nonce);
	parameter(field, "cnonce=", cnonce);
	parameter(field, " uri=", uri);
	parameter(field, "response=", response);
	parameter(field, "nc=", count);
	assert_string_equal(name, user);
	assert_string_equal(count, nc);
	assert_int_equal(strncmp(strchr(request, ' ') + 1, uri, strlen(uri)), 0);
	assert_int_equal(password_hash(w->digest, slice_from(user), SLICE("carrier.example"),
				       SLICE(SECRET), &ha1),
			 0);
	assert_int_equal(digest_response(w->digest,
					 &(struct digest_input){
						 .ha1 = ha1.plain[DIGEST_MD5],
						 .nonce = slice_from(nonce),
						 .nc = slice_from(count),
						 .cnonce = slice_from(cnonce),
						 .qop = DIGEST_QOP_AUTH,
						 .method = slice_from(method),
						 .uri = slice_from(uri),
					 },
					 expected),
			 0);
	assert_string_equal(response, expected);
}

/* The INVITE as the carrier got it with credentials. */
static char *authenticated_invite(struct world *w)
{
	char *first = kept(call_begins(w)), *second;

	assert_null(strstr(first, "Authorization"));
	carrier_says(w, first, "407 Proxy Authentication Required", CHALLENGE("n1"));
	assert_int_equal(w->sent_count, 2);
	assert_int_equal(cseq_of(sent_to(w, 0, CARRIER, "ACK ")), 7);
	second = kept(sent_to(w, 1, CARRIER, "INVITE "));
	assert_int_equal(cseq_of(second), 8);
	assert_authenticated(w, second, "gate", "INVITE", "00000001");
	free(first);
	return second;
}

/* An established call; Route fields as the caller has them. */
static void authenticated_call(struct world *w, char routes[1024])
{
	char *invite = authenticated_invite(w);

	carrier_says(w, invite, "200 OK", "Contact: <sip:pbx@10.0.0.5>\n");
	assert_int_equal(cseq_of(sent_to(w, 0, CUSTOMER, "SIP/2.0 200 ")), 7);
	routes_of(w->sent[0].text, true, routes);
	free(invite);
}

static void caller_sends(struct world *w, const char *method, unsigned cseq, const char *routes,
			 const char *fields)
{
	char text[4096];

	snprintf(text, sizeof(text),
		 "%s sip:pbx@10.0.0.5 SIP/2.0\nVia: SIP/2.0/UDP 198.51.100.7:5062;"
		 "branch=z9hG4bK%s%u\n%sFrom: <sip:a@b>;tag=f1\nTo: <sip:100@gate.example>;tag=t1\n"
		 "Call-ID: c1\nCSeq: %u %s\nMax-Forwards: 70\n%sContent-Length: 0\n\n",
		 method, method, cseq, routes, cseq, method, fields);
	hear(w, CUSTOMER, text);
}

/* ---- */

static void challenge_is_answered_and_the_caller_never_sees_it(void **state)
{
	struct world *w = *state;
	char routes[1024];
	char *bye;

	add_credential(w, URI, "gate", "carrier.example");
	authenticated_call(w, routes);
	caller_sends(w, "ACK", 7, routes, "");
	assert_int_equal(cseq_of(sent_to(w, 0, CARRIER, "ACK ")), 8);
	caller_sends(w, "BYE", 8, routes, "");
	bye = kept(sent_to(w, 0, CARRIER, "BYE "));
	assert_int_equal(cseq_of(bye), 9);
	/* The nonce is known: nobody needs to ask again. */
	assert_authenticated(w, bye, "gate", "BYE", "00000002");
	carrier_says(w, bye, "200 OK", "");
	assert_int_equal(cseq_of(sent_to(w, 0, CUSTOMER, "SIP/2.0 200 ")), 8);
	free(bye);
}

static void cancel_and_prack_bear_the_numbers_that_the_carrier_knows(void **state)
{
	struct world *w = *state;
	char routes[1024], *invite;

	add_credential(w, URI, "gate", "carrier.example");
	invite = authenticated_invite(w);
	carrier_says(w, invite, "183 Session Progress", "Contact: <sip:pbx@10.0.0.5>\nRSeq: 1\n");
	assert_int_equal(cseq_of(sent_to(w, 0, CUSTOMER, "SIP/2.0 183 ")), 7);
	routes_of(w->sent[0].text, true, routes);
	caller_sends(w, "PRACK", 8, routes, "RAck: 1 7 INVITE\n");
	assert_int_equal(cseq_of(sent_to(w, 0, CARRIER, "PRACK ")), 9);
	assert_string_equal(line_of(w->sent[0].text, "RAck:"), "RAck: 1 8 INVITE\n");
	/* A retransmission is absorbed. */
	hear(w, CUSTOMER, INVITE);
	assert_null(strstr(w->sent[0].text, "INVITE sip"));
	hear(w, CUSTOMER, cancel);
	assert_int_equal(w->sent_count, 2);
	assert_int_equal(cseq_of(sent_to(w, 1, CARRIER, "CANCEL ")), 8);
	carrier_says(w, invite, "487 Request Terminated", "");
	assert_int_equal(cseq_of(sent_to(w, 0, CUSTOMER, "SIP/2.0 487 ")), 7);
	assert_int_equal(cseq_of(sent_to(w, 1, CARRIER, "ACK ")), 8);
	free(invite);
}

/* Another challenge to credentials: it is over. Frees the request. */
static void refused(struct world *w, char *request, const char *nonce)
{
	char challenge[256];

	snprintf(challenge, sizeof(challenge),
		 "Proxy-Authenticate: Digest realm=\"carrier.example\", nonce=\"%s\", "
		 "qop=\"auth\", stale=false\n",
		 nonce);
	carrier_says(w, request, "407 Proxy Authentication Required", challenge);
	assert_int_equal(w->sent_count, 2);
	sent_to(w, 0, CARRIER, "ACK ");
	sent_to(w, 1, CUSTOMER, "SIP/2.0 403 ");
	free(request);
}

/* Of another call. */
static const char *next_invite(struct world *w, const char *branch)
{
	char text[2048];

	snprintf(text, sizeof(text), "%s", INVITE);
	*strstr(text, "Kabc") = branch[0];
	hear(w, CUSTOMER, text);
	return sent_to(w, 0, CARRIER, "INVITE ");
}

static void refused_credentials_end_the_call(void **state)
{
	struct world *w = *state;
	char *invite;

	add_credential(w, URI, "gate", "carrier.example");
	invite = authenticated_invite(w);
	refused(w, invite, "n2");
	/* What was refused is not sent unasked. */
	assert_null(strstr(next_invite(w, "2"), "Authorization"));
}

/* The carrier may have forgotten it without saying so; the new one it has just given itself. */
static void nonce_of_before_may_be_refused_once(void **state)
{
	static const char *const nonces[] = {"n2", "n1"};
	struct world *w = *state;
	char routes[1024], branch[2] = "p";

	add_credential(w, URI, "gate", "carrier.example");
	for (unsigned i = 0; i < 2; i++) {
		char challenge[256];
		char *invite;

		authenticated_call(w, routes);
		branch[0]++;
		invite = kept(next_invite(w, branch));
		assert_authenticated(w, invite, "gate", "INVITE", "00000002");
		snprintf(challenge, sizeof(challenge),
			 "Proxy-Authenticate: Digest realm=\"carrier.example\", "
			 "nonce=\"%s\", qop=\"auth\"\n",
			 nonces[i]);
		carrier_says(w, invite, "407 Proxy Authentication Required", challenge);
		free(invite);
		invite = kept(sent_to(w, 1, CARRIER, "INVITE "));
		assert_authenticated(w, invite, "gate", "INVITE", i ? "00000003" : "00000001");
		assert_int_equal(cseq_of(invite), 8);
		refused(w, invite, "n3");
		world_start_proxy(w);
	}
}

static void stale_is_honoured_but_not_for_ever(void **state)
{
	struct world *w = *state;
	char *invite, *again;

	add_credential(w, URI, "gate", "carrier.example");
	invite = authenticated_invite(w);
	carrier_says(w, invite, "407 Proxy Authentication Required",
		     "Proxy-Authenticate: Digest realm=\"carrier.example\", nonce=\"n2\", "
		     "qop=\"auth\", stale=true\n");
	again = kept(sent_to(w, 1, CARRIER, "INVITE "));
	assert_int_equal(cseq_of(again), 9);
	assert_authenticated(w, again, "gate", "INVITE", "00000001");
	carrier_says(w, again, "407 Proxy Authentication Required",
		     "Proxy-Authenticate: Digest realm=\"carrier.example\", nonce=\"n3\", "
		     "qop=\"auth\", stale=true\n");
	sent_to(w, 1, CUSTOMER, "SIP/2.0 403 ");
	free(invite);
	free(again);
}

/* Even if somebody else could know the branch, he would not get the answer. */
static void answer_goes_where_the_request_went(void **state)
{
	struct world *w = *state;
	char *invite;

	add_credential(w, URI, "gate", "carrier.example");
	invite = kept(call_begins(w));
	somebody_says(w, "10.0.0.66:5060", invite, "407 Proxy Authentication Required",
		      CHALLENGE("n1"));
	assert_int_equal(w->sent_count, 2);
	sent_to(w, 0, CARRIER, "ACK ");
	assert_authenticated(w, sent_to(w, 1, CARRIER, "INVITE "), "gate", "INVITE", "00000001");
	free(invite);
}

static void another_realm_gets_nothing(void **state)
{
	struct world *w = *state;
	char *invite;

	add_credential(w, URI, "gate", "carrier.example");
	invite = kept(call_begins(w));
	carrier_says(w, invite, "401 Unauthorized",
		     "WWW-Authenticate: Digest realm=\"evil.example\", nonce=\"n1\"\n");
	assert_int_equal(w->sent_count, 2);
	sent_to(w, 0, CARRIER, "ACK ");
	sent_to(w, 1, CUSTOMER, "SIP/2.0 403 ");
	free(invite);
}

/* As the policy has it. */
static const char *realm_known(struct world *w)
{
	const struct policy_trunk *trunk =
		policy_trunk_find(w->policy, SLICE("100"), SLICE("gate.example"));

	return trunk->upstreams[0].outbound[0].realm;
}

static void another_realm_is_refused(struct world *w, const char *branch)
{
	char *invite = kept(next_invite(w, branch));

	carrier_says(w, invite, "401 Unauthorized",
		     "WWW-Authenticate: Digest realm=\"evil.example\", nonce=\"n9\"\n");
	sent_to(w, 1, CUSTOMER, "SIP/2.0 403 ");
	free(invite);
}

static void realm_is_learned_once_and_then_pinned(void **state)
{
	struct world *w = *state;
	char *invite;

	add_credential(w, URI, "gate", "");
	invite = authenticated_invite(w);
	/* While it rings nothing is known for sure, but nobody else is answered. */
	carrier_says(w, invite, "180 Ringing", "");
	another_realm_is_refused(w, "1");
	world_read_store(w);
	another_realm_is_refused(w, "2");
	assert_string_equal(realm_known(w), "");
	carrier_says(w, invite, "200 OK", "Contact: <sip:pbx@10.0.0.5>\n");
	free(invite);
	/* Before the store's word has come back, too. */
	another_realm_is_refused(w, "3");
	world_read_store(w);
	assert_string_equal(realm_known(w), "carrier.example");
	another_realm_is_refused(w, "4");
	invite = kept(next_invite(w, "5"));
	carrier_says(w, invite, "407 Proxy Authentication Required", CHALLENGE("n4"));
	assert_authenticated(w, sent_to(w, 1, CARRIER, "INVITE "), "gate", "INVITE", "00000001");
	free(invite);
}

/* Whoever has made the wrong credential has not learned anything for the right one. */
static void realm_is_not_learned_by_what_is_refused(void **state)
{
	struct world *w = *state;
	char *invite;

	add_credential(w, URI, "gate", "");
	refused(w, authenticated_invite(w), "n2");
	world_read_store(w);
	assert_string_equal(realm_known(w), "");
	invite = kept(next_invite(w, "1"));
	assert_null(strstr(invite, "Authorization"));
	carrier_says(w, invite, "407 Proxy Authentication Required",
		     "Proxy-Authenticate: Digest realm=\"other.example\", nonce=\"n1\"\n");
	assert_non_null(strstr(sent_to(w, 1, CARRIER, "INVITE "), "realm=\"other.example\""));
	free(invite);
}

static void challenge_is_the_callers_where_we_have_no_credential(void **state)
{
	struct world *w = *state;
	char *invite = kept(call_begins(w));

	carrier_says(w, invite, "407 Proxy Authentication Required", CHALLENGE("n1"));
	assert_non_null(strstr(sent_to(w, 0, CUSTOMER, "SIP/2.0 407 "), "carrier.example"));
	free(invite);
}

static void request_in_dialog_is_authenticated_and_all_later_numbers_are_higher(void **state)
{
	struct world *w = *state;
	char routes[1024], *request, *again;

	add_credential(w, URI, "gate", "carrier.example");
	authenticated_call(w, routes);
	caller_sends(w, "ACK", 7, routes, "");
	caller_sends(w, "INVITE", 8, routes, "");
	request = kept(sent_to(w, 0, CARRIER, "INVITE "));
	assert_int_equal(cseq_of(request), 9);
	assert_authenticated(w, request, "gate", "INVITE", "00000002");
	carrier_says(w, request, "407 Proxy Authentication Required",
		     "Proxy-Authenticate: Digest realm=\"carrier.example\", nonce=\"n5\", "
		     "qop=\"auth\", stale=true\n");
	again = kept(sent_to(w, 1, CARRIER, "INVITE "));
	assert_int_equal(cseq_of(again), 10);
	carrier_says(w, again, "200 OK", "Contact: <sip:pbx@10.0.0.5>\n");
	assert_int_equal(cseq_of(sent_to(w, 0, CUSTOMER, "SIP/2.0 200 ")), 8);
	caller_sends(w, "ACK", 8, routes, "");
	assert_int_equal(cseq_of(sent_to(w, 0, CARRIER, "ACK ")), 10);
	caller_sends(w, "BYE", 9, routes, "");
	assert_int_equal(cseq_of(sent_to(w, 0, CARRIER, "BYE ")), 11);
	free(request);
	free(again);
}

/* A call that the carrier began, over the transport; the customer hangs up. */
static void called_customer_hangs_up(struct world *w, enum net_transport by, const char *carrier)
{
	static const char invite[] = "INVITE sip:+4930123@gate.example SIP/2.0\n"
				     "Via: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKp\n"
				     "From: <sip:a@b>;tag=f1\nTo: <sip:100@gate.example>\n"
				     "Call-ID: c1\nCSeq: 7 INVITE\nContact: <sip:pbx@10.0.0.5>\n"
				     "Max-Forwards: 70\nContent-Length: 0\n\n";
	char text[4096], routes[1024], *bye, *again;

	hear_by(w, by, carrier, invite);
	bye = kept(sent_to(w, 0, "198.51.100.20:5060", "INVITE "));
	assert_null(strstr(bye, "Authorization"));
	routes_of(bye, false, routes);
	hear(w, "198.51.100.20:5060", answer(bye, "200 OK", "INVITE"));
	free(bye);
	in_dialog(text, "BYE", "sip:pbx@10.0.0.5", routes, false);
	hear(w, "198.51.100.20:5060", text);
	bye = kept(sent_to(w, 0, carrier, "BYE "));
	assert_int_equal(cseq_of(bye), 8);
	carrier_says(w, bye, "407 Proxy Authentication Required", CHALLENGE("n1"));
	again = kept(sent_to(w, 0, carrier, "BYE "));
	assert_int_equal(w->sent[0].path.transport, by);
	assert_int_equal(cseq_of(again), 9);
	assert_authenticated(w, again, "gate", "BYE", "00000001");
	carrier_says(w, again, "200 OK", "");
	assert_int_equal(cseq_of(sent_to(w, 0, "198.51.100.20:5060", "SIP/2.0 200 ")), 8);
	free(bye);
	free(again);
}

static void customer_that_was_called_is_authenticated_in_dialog(void **state)
{
	struct world *w = *state;
	struct store_peer peer = {.role = STORE_DESTINATION, .priority = 20, .weight = 1};

	strcpy(peer.uri, "sip:198.51.100.20");
	assert_ok(w->f, store_peer_add(w->f->store, "default", &peer, &w->f->err));
	add_credential(w, URI, "gate", "carrier.example");
	called_customer_hangs_up(w, NET_UDP, CARRIER);
	world_start_proxy(w);
	called_customer_hangs_up(w, NET_TCP, "10.0.0.5:40000");
}

static void each_upstream_has_credentials_of_its_own(void **state)
{
	struct world *w = *state;
	struct store_peer peer = {.role = STORE_UPSTREAM, .priority = 20, .weight = 1};
	char *invite;

	strcpy(peer.uri, "sip:" CARRIER2);
	assert_ok(w->f, store_peer_add(w->f->store, "default", &peer, &w->f->err));
	add_credential(w, URI, "gate", "carrier.example");
	add_credential(w, "sip:" CARRIER2, "other", "carrier.example");
	invite = authenticated_invite(w);
	carrier_says(w, invite, "503 Service Unavailable", "");
	free(invite);
	/* The second one is not told what was for the first. */
	invite = kept(sent_to(w, 0, CARRIER2, "INVITE "));
	assert_null(strstr(invite, "Authorization"));
	assert_int_equal(cseq_of(invite), 7);
	carrier_says(w, invite, "407 Proxy Authentication Required", CHALLENGE("m1"));
	assert_authenticated(w, sent_to(w, 1, CARRIER2, "INVITE "), "other", "INVITE", "00000001");
	free(invite);
}

/* What is told in the end is the first one's, whose numbers were raised. */
static void failure_kept_over_a_failover_bears_the_callers_number(void **state)
{
	struct world *w = *state;
	struct store_peer peer = {.role = STORE_UPSTREAM, .priority = 20, .weight = 1};
	char *invite;

	strcpy(peer.uri, "sip:" CARRIER2);
	assert_ok(w->f, store_peer_add(w->f->store, "default", &peer, &w->f->err));
	add_credential(w, URI, "gate", "carrier.example");
	invite = authenticated_invite(w);
	carrier_says(w, invite, "503 Service Unavailable", "");
	free(invite);
	invite = kept(sent_to(w, 0, CARRIER2, "INVITE "));
	carrier_says(w, invite, "503 Service Unavailable", "");
	assert_int_equal(cseq_of(sent_to(w, 0, CUSTOMER, "SIP/2.0 503 ")), 7);
	free(invite);
}

static void trusted_pbx_chooses_the_credential(void **state)
{
	struct world *w = *state;
	struct store_trunk trunk;
	char *invite;

	add_credential(w, URI, "gate", "carrier.example");
	add_credential(w, URI, "sales", "carrier.example");
	/* Who is not trusted to is not heard, and the field goes all the same. */
	hear(w, CUSTOMER,
	     INVITE_OF("198.51.100.7:5062;branch=z9hG4bKx", "X-Sipward-Outbound-User: sales\n"));
	invite = kept(sent_to(w, 0, CARRIER, "INVITE "));
	assert_null(strcasestr(invite, "outbound"));
	carrier_says(w, invite, "407 Proxy Authentication Required", CHALLENGE("n0"));
	assert_authenticated(w, sent_to(w, 1, CARRIER, "INVITE "), "gate", "INVITE", "00000001");
	free(invite);
	assert_ok(w->f, store_trunk_get(w->f->store, "default", &trunk, &w->f->err));
	trunk.outbound_user = true;
	assert_ok(w->f, store_trunk_set(w->f->store, &trunk, &w->f->err));
	world_read_store(w);
	hear(w, CUSTOMER, INVITE_OF(VIA, "x-sipward-outbound-USER: sales\n"));
	invite = kept(sent_to(w, 0, CARRIER, "INVITE "));
	assert_null(strcasestr(invite, "outbound"));
	carrier_says(w, invite, "407 Proxy Authentication Required", CHALLENGE("n1"));
	assert_authenticated(w, sent_to(w, 1, CARRIER, "INVITE "), "sales", "INVITE", "00000001");
	free(invite);
	hear(w, CUSTOMER,
	     INVITE_OF("198.51.100.7:5062;branch=z9hG4bKy", "X-Sipward-Outbound-User: nobody\n"));
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 403 ");
}

static void workers_count_one_nonce(void **state)
{
	struct world *w = *state;
	struct proxy_options options = world_options(w);
	struct proxy *first, *second;
	char routes[1024];

	assert_int_equal(proxy_shared_create(0, &options.shared), 0);
	proxy_free(w->proxy);
	assert_int_equal(proxy_create(&options, &first), 0);
	assert_int_equal(proxy_create(&options, &second), 0);
	w->proxy = first;
	add_credential(w, URI, "gate", "carrier.example");
	proxy_set_policy(second, w->policy);
	authenticated_call(w, routes);
	w->proxy = second;
	assert_authenticated(w, next_invite(w, "1"), "gate", "INVITE", "00000002");
	w->proxy = first;
	assert_authenticated(w, next_invite(w, "2"), "gate", "INVITE", "00000003");
	proxy_free(first);
	proxy_free(second);
	w->proxy = NULL;
	proxy_shared_free(options.shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROXY_TEST(challenge_is_answered_and_the_caller_never_sees_it),
		PROXY_TEST(cancel_and_prack_bear_the_numbers_that_the_carrier_knows),
		PROXY_TEST(refused_credentials_end_the_call),
		PROXY_TEST(nonce_of_before_may_be_refused_once),
		PROXY_TEST(stale_is_honoured_but_not_for_ever),
		PROXY_TEST(answer_goes_where_the_request_went),
		PROXY_TEST(another_realm_gets_nothing),
		PROXY_TEST(realm_is_learned_once_and_then_pinned),
		PROXY_TEST(realm_is_not_learned_by_what_is_refused),
		PROXY_TEST(challenge_is_the_callers_where_we_have_no_credential),
		PROXY_TEST(request_in_dialog_is_authenticated_and_all_later_numbers_are_higher),
		PROXY_TEST(customer_that_was_called_is_authenticated_in_dialog),
		PROXY_TEST(each_upstream_has_credentials_of_its_own),
		PROXY_TEST(failure_kept_over_a_failover_bears_the_callers_number),
		PROXY_TEST(trusted_pbx_chooses_the_credential),
		PROXY_TEST(workers_count_one_nonce),
	};

	return cmocka_run_group_tests_name("proxy_outbound", tests, NULL, NULL);
}
