/* SPDX-License-Identifier: BSD-2-Clause */
/* What a proxy need not touch leaves byte for byte as it came; requests of every method pass; and
 * what is made to confuse a proxy does not. */
#include "proxy_call.h"

#include <glob.h>

#include "sip/sip_grammar.h"

static const enum net_transport transports[] = {NET_UDP, NET_TCP, NET_TLS};
#define TRANSPORTS (sizeof(transports) / sizeof(transports[0]))

/* ---- byte for byte ---- */

static struct sip_msg before, after;

static void parse(struct slice bytes, struct sip_msg *msg)
{
	const char *why = "";

	if (sip_msg_parse(bytes, msg, &why) != SIP_PARSE_OK)
		fail_msg("%s:\n%.*s", why, (int)bytes.n, bytes.p);
}

static struct slice sent_bytes(struct world *w, unsigned i)
{
	assert_true(i < w->sent_count);
	return (struct slice){w->sent[i].text, w->sent[i].n};
}

/* Whether the proxy has a reason to write, change or remove such a field of a request. */
static bool is_ours(const struct sip_header *header)
{
	return header->id == SIP_VIA || header->id == SIP_RECORD_ROUTE || header->id == SIP_ROUTE ||
	       header->id == SIP_MAX_FORWARDS || header->id == SIP_P_ASSERTED_IDENTITY ||
	       slice_starts_nocase(header->name, SLICE("X-Sipward-"));
}

static const struct sip_header *next_kept(const struct sip_msg *msg, unsigned *i)
{
	while (*i < msg->header_count && is_ours(&msg->headers[*i]))
		++*i;
	return *i < msg->header_count ? &msg->headers[(*i)++] : NULL;
}

/* The elements of the later message are new ones, then those of the earlier one, of which the first
 * few may differ. */
static void assert_tail(enum sip_header_id id, unsigned differ)
{
	struct sip_walk earlier = SIP_WALK(&before, id), later = SIP_WALK(&after, id);
	struct slice a, b;
	int more = 0;

	while (sip_walk_next(&later, &b))
		more++;
	while (sip_walk_next(&earlier, &a))
		more--;
	assert_true(more >= 0);
	earlier = (struct sip_walk)SIP_WALK(&before, id);
	later = (struct sip_walk)SIP_WALK(&after, id);
	while (more-- > 0)
		assert_true(sip_walk_next(&later, &b));
	while (sip_walk_next(&earlier, &a)) {
		assert_true(sip_walk_next(&later, &b));
		if (differ)
			differ--;
		else
			assert_true(slice_eq(a, b));
	}
}

static void assert_request_untouched(struct slice came, struct slice left)
{
	const struct sip_header *a, *b;
	unsigned i = 0, j = 0;

	parse(came, &before);
	parse(left, &after);
	assert_true(slice_eq(before.start_line, after.start_line));
	do {
		a = next_kept(&before, &i);
		b = next_kept(&after, &j);
		if (!a != !b || (a && !slice_eq(a->line, b->line)))
			fail_msg("%.*s became\n%.*s", (int)came.n, came.p, (int)left.n, left.p);
	} while (a);
	assert_tail(SIP_VIA, 1);
	assert_tail(SIP_RECORD_ROUTE, 0);
	assert_int_equal(after.max_forwards, before.max_forwards - before.has_max_forwards);
	assert_true(slice_eq(before.body, after.body));
}

/* A response with all the fields that its request had, as it was heard upstream, and more. */
static struct slice response_to(struct slice request, char *room, size_t size)
{
	static const char start[] = "SIP/2.0 486  Odd \tPhrase\r\n";
	static const char more[] =
		"sUbJeCt :  two\t spaces,\r\n\t and a fold\r\nX-Empty:\r\n";
	const char *fields, *end = request.p + request.n;
	char *at = room;

	parse(request, &after);
	fields = after.headers[0].line.p;
	assert_true(sizeof(start) + sizeof(more) + request.n < size);
	at = mempcpy(at, start, sizeof(start) - 1);
	at = mempcpy(at, fields, (size_t)(after.blank_line.p - fields));
	at = mempcpy(at, more, sizeof(more) - 1);
	at = mempcpy(at, after.blank_line.p, (size_t)(end - after.blank_line.p));
	return (struct slice){room, (size_t)(at - room)};
}

/* Our Via is a field of its own, the first; nothing else of the response is ours. */
static void assert_response_untouched(struct slice came, struct slice left)
{
	struct slice start, via;

	parse(came, &before);
	start = before.start_line;
	via = before.headers[0].line;
	assert_int_equal(left.n, came.n - via.n);
	assert_memory_equal(left.p, start.p, start.n);
	assert_memory_equal(left.p + start.n, via.p + via.n, left.n - start.n);
}

/* Sends it from the customer to the PBX, and an answer back. False: it was not forwarded. */
static bool passes_untouched(struct world *w, enum net_transport transport, struct slice bytes)
{
	static char room[2 * NET_DATAGRAM_MAX], heard[NET_DATAGRAM_MAX + 1];
	struct endpoint pbx = endpoint(PBX);
	struct slice request, response;

	hear_bytes(w, transport, CUSTOMER, bytes);
	if (!w->sent_count || !endpoint_eq(&w->sent[0].path.remote, &pbx))
		return false;
	request = (struct slice){heard, w->sent[0].n};
	memcpy(heard, w->sent[0].text, w->sent[0].n);
	assert_request_untouched(bytes, request);
	if (sip_msg_value(&before, SIP_P_ASSERTED_IDENTITY).n)
		return true;
	response = response_to(request, room, sizeof(room));
	hear_bytes(w, NET_UDP, PBX, response);
	for (unsigned i = 0; i < w->sent_count; i++) {
		if (endpoint_eq(&w->sent[i].path.remote, &pbx))
			continue;
		assert_int_equal(w->sent[i].path.transport, transport);
		assert_response_untouched(response, sent_bytes(w, i));
		return true;
	}
	fail_msg("the response does not come back:\n%.*s", (int)response.n, response.p);
	return false;
}

#define STIR \
	"Identity: eyJhbGciOiJFUzI1NiIsInBwdCI6InNoYWtlbiIsInR5cCI6InBhc3Nwb3J0IiwieDV1IjoiaHR0c" \
	"HM6Ly9jZXJ0LmV4YW1wbGUvYS5wZW0ifQ.eyJhdHRlc3QiOiJBIn0.c2lnbmF0dXJl" \
	";info=<https://cert.example/a.pem>;alg=ES256;ppt=\"shaken\"\r\n" \
	"Identity:eyJhbGciOiJFUzI1NiJ9..c2ln;info=<https://cert.example/b.pem>;ppt=div\r\n"
#define ODD \
	"v: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bK%s\r\n" \
	"VIA:SIP/2.0/TCP a.example;branch=1 ,SIP/2.0/TLS [2001:db8::9]:5061 ; branch=2\r\n" \
	"f:\"A, B;tag=no\" <sip:a@b>;TAG=f1\r\n" \
	"To   :\t<sip:100@gate.example;p=%%22x>\r\n" \
	"i:odd@x\r\ncseq: 0007\t INVITE\r\nMAX-forwards :  0070 \r\n" STIR \
	"Date: Thu, 26 Nov 2026 17:00:00 GMT\r\n" \
	"m:<sip:a@198.51.100.7:5062;ob>;+sip.instance=\"<urn:uuid:0>\" , <sip:b@c>\r\n" \
	"X-Folded: one\r\n two\r\n\t three  \r\nX-Empty:\r\nX-Colon::::\r\n" \
	"X-Bytes: \xc3\xa4 \xff\xfe \x01\r\nk: 100rel,timer\r\nk: 100rel , timer\r\n" \
	"c: multipart/mixed ;boundary=\"--b\"\r\nContent-Length :  %zu\r\n\r\n"
static const char multipart[] =
	"----b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n----b\r\n"
	"Content-Type: application/isup;version=itu-t92+\r\n\r\n\x01\x00\xff\r\n\r\n"
	"INVITE sip:x SIP/2.0\r\n\r\n----b--\r\n";

static struct slice odd_invite(const char *branch)
{
	static char text[8192];
	size_t length = sizeof(multipart) - 1;
	int n = snprintf(text, sizeof(text), "INVITE sip:%%31%s@gate.example;a=1 SIP/2.0\r\n" ODD,
			 branch, branch, length);

	assert_true(n > 0 && (size_t)n + length < sizeof(text));
	memcpy(text + n, multipart, length);
	return (struct slice){text, (size_t)n + length};
}

static void odd_but_right_messages_leave_as_they_came(void **state)
{
	static const char *const branches[] = {"u", "t", "s"};

	for (size_t i = 0; i < TRANSPORTS; i++)
		if (!passes_untouched(*state, transports[i], odd_invite(branches[i])))
			fail_msg("%s", ((struct world *)*state)->sent[0].text);
}

static const char *shared(void)
{
	const char *dir = getenv("SIPWARD_SHARED");

	return dir ? dir : "../shared";
}

static size_t read_file(const char *path, char *room, size_t size)
{
	FILE *file = fopen(path, "rb");
	size_t n = file ? fread(room, 1, size, file) : 0;

	if (file)
		fclose(file);
	return n;
}

/* How many of the files are forwarded. */
static unsigned pass_files(struct world *w, const char *pattern)
{
	static char bytes[NET_DATAGRAM_MAX];
	char path[512];
	glob_t files;
	unsigned passed = 0;

	snprintf(path, sizeof(path), "%s/messages/%s", shared(), pattern);
	assert_int_equal(glob(path, 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		size_t n = read_file(files.gl_pathv[i], bytes, sizeof(bytes));

		world_start_proxy(w);
		passed += passes_untouched(w, transports[i % TRANSPORTS],
					   (struct slice){bytes, n});
	}
	globfree(&files);
	return passed;
}

static void messages_of_others_leave_as_they_came(void **state)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/messages", shared());
	if (access(path, R_OK)) {
		printf("skip messages_of_others_leave_as_they_came: no %s\n", path);
		return;
	}
	assert_true(pass_files(*state, "rfc4475/*.dat") >= 10);
	assert_true(pass_files(*state, "rfc5118/wire_fixed/*") >= 1);
	assert_true(pass_files(*state, "kamailio/*") >= 8);
	assert_true(pass_files(*state, "pjsip/*") >= 1);
}

/* ---- methods ---- */

struct method_row {
	const char *name;
	const char *alone;   /* out of dialog, from a customer: where it goes, or the answer */
	const char *inbound; /* the same from the upstream */
	bool in_dialog;	     /* it passes there, in both directions */
	bool answered;
};
#define PASSES "passes"
#define SILENCE ""
static const struct method_row methods[] = {
	{"INVITE", PASSES, PASSES, true, true},
	{"ACK", SILENCE, SILENCE, true, false},
	{"BYE", PASSES, PASSES, true, true},
	{"CANCEL", "481", "481", false, false},
	{"OPTIONS", PASSES, PASSES, true, true},
	{"REGISTER", "200", "403", true, true},
	{"PRACK", PASSES, PASSES, true, true},
	{"UPDATE", PASSES, PASSES, true, true},
	{"INFO", PASSES, PASSES, true, true},
	{"REFER", PASSES, PASSES, true, true},
	{"NOTIFY", PASSES, PASSES, true, true},
	{"SUBSCRIBE", PASSES, PASSES, true, true},
	{"MESSAGE", PASSES, PASSES, true, true},
	{"PUBLISH", PASSES, PASSES, true, true},
	{"WEATHER.now", PASSES, PASSES, true, true},
};
#define DESTINATION "198.51.100.20:5070"

static void expect_one(struct world *w, const struct method_row *row, const char *expected,
		       const char *to, const char *back)
{
	char begins[64];

	if (!*expected) {
		assert_int_equal(w->sent_count, 0);
		return;
	}
	if (strcmp(expected, PASSES) == 0)
		snprintf(begins, sizeof(begins), "%s sip:", row->name);
	else
		snprintf(begins, sizeof(begins), "SIP/2.0 %s ", expected);
	sent_to(w, 0, strcmp(expected, PASSES) == 0 ? to : back, begins);
}

static void alone(struct world *w, const struct method_row *row, const char *from,
		  const char *number)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "%s sip:100@gate.example SIP/2.0\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%s\n"
		 "From: <sip:100@gate.example>;tag=f1\nTo: <sip:100@gate.example>\n"
		 "Call-ID: %s%s\nCSeq: 1 %s\nContact: <sip:a@%s>\nMax-Forwards: 70\n"
		 "Content-Length: 0\n\n",
		 row->name, from, number, row->name, number, row->name, row->name, from);
	hear(w, from, text);
}

static void requests_of_every_method_pass_or_are_answered(void **state)
{
	struct world *w = *state;
	struct store_peer peer = {
		.role = STORE_DESTINATION, .priority = 1, .weight = 1, .uri = "sip:" DESTINATION};

	assert_ok(w->f, store_peer_add(w->f->store, "default", &peer, &w->f->err));
	world_read_store(w);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		const struct method_row *row = &methods[i];

		world_start_proxy(w);
		alone(w, row, CUSTOMER, "1");
		expect_one(w, row, row->alone, PBX, CUSTOMER);
	}
	/* Nobody has the number any more that was registered above. */
	registrar_free(w->registrar);
	assert_int_equal(registrar_create(1000, &w->registrar), 0);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		const struct method_row *row = &methods[i];

		world_start_proxy(w);
		alone(w, row, PBX, "2");
		expect_one(w, row, row->inbound, DESTINATION, PBX);
	}
}

/* The response to a request in a call as it was heard; its CSeq is that of in_dialog. */
static void answered_in_dialog(struct world *w, const char *method, bool by_caller)
{
	char text[4096], vias[1024];

	lines_of(w->sent[0].text, "Via:", vias, sizeof(vias));
	snprintf(text, sizeof(text),
		 "SIP/2.0 200 OK\n%sFrom: %s\nTo: %s\nCall-ID: c1\nCSeq: 8 %s\n"
		 "Content-Length: 0\n\n",
		 vias, by_caller ? "<sip:a@b>;tag=f1" : "<sip:100@gate.example>;tag=t1",
		 by_caller ? "<sip:100@gate.example>;tag=t1" : "<sip:a@b>;tag=f1", method);
	hear(w, by_caller ? PBX : CUSTOMER, text);
	sent_to(w, 0, by_caller ? CUSTOMER : PBX, "SIP/2.0 200 ");
}

static void requests_of_every_method_pass_in_a_call(void **state)
{
	struct world *w = *state;
	char routes[1024], text[4096], begins[64];

	established(w, routes);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		const struct method_row *row = &methods[i];

		if (!row->in_dialog)
			continue;
		snprintf(begins, sizeof(begins), "%s sip:", row->name);
		caller_says(w, row->name, routes);
		sent_to(w, 0, PBX, begins);
		if (row->answered)
			answered_in_dialog(w, row->name, true);
		in_dialog(text, row->name, "sip:a@198.51.100.7:5062", routes, false);
		hear(w, PBX, text);
		sent_to(w, 0, CUSTOMER, begins);
		if (row->answered)
			answered_in_dialog(w, row->name, false);
	}
}

/* ---- connections ---- */

static void offered_connections_are_taken_from_listed_sources_alone(void **state)
{
	struct world *w = *state;

	hear_by(w, NET_UDP, CUSTOMER, INVITE_OF(VIA "1;alias", ""));
	assert_int_equal(w->alias_port, 0);
	hear_by(w, NET_TCP, CUSTOMER, INVITE_OF(VIA "2", ""));
	assert_int_equal(w->alias_port, 0);
	hear_by(w, NET_TCP, STRANGER, INVITE_OF(VIA "3;alias", ""));
	assert_int_equal(w->alias_port, 0);
	hear_by(w, NET_TCP, CUSTOMER, INVITE_OF(VIA "4;alias", ""));
	assert_int_equal(w->alias_port, 5062);
	hear_by(w, NET_TLS, CUSTOMER, INVITE_OF("198.51.100.7;branch=z9hG4bK5;ALIAS", ""));
	assert_int_equal(w->alias_port, 5061);
}

static void upstream_is(struct world *w, const char *uri)
{
	struct store_peer old = {.role = STORE_UPSTREAM, .uri = "sip:" PBX};
	struct store_peer peer = {.role = STORE_UPSTREAM, .priority = 1, .weight = 1};

	snprintf(peer.uri, sizeof(peer.uri), "%s", uri);
	assert_ok(w->f, store_peer_add(w->f->store, "default", &peer, &w->f->err));
	assert_ok(w->f, store_peer_remove(w->f->store, "default", &old, &w->f->err));
	world_read_store(w);
}

/* The name of a hop is the policy's, which another one may replace meanwhile. */
static void call_by_tls_outlives_the_policy_it_began_under(void **state)
{
	struct world *w = *state;
	char text[4096];

	upstream_is(w, "sip:" PBX ";transport=tls");
	hear_by(w, NET_TLS, CUSTOMER, INVITE);
	strcpy(text, sent_to(w, 0, PBX, "INVITE "));
	assert_string_equal(w->sent[0].path.name, "10.0.0.5");
	world_read_store(w);
	hear_by(w, NET_TLS, PBX, answer(text, "486 Busy", "INVITE"));
	sent_to(w, 1, PBX, "ACK ");
	assert_string_equal(w->sent[1].path.name, "10.0.0.5");
}

/* An INVITE that is received so long. */
static const char *invite_of_length(size_t n)
{
	static char text[4096];
	const char *invite = INVITE, *rest = strstr(invite, "Max-");
	size_t lines = 0, length;

	for (const char *p = INVITE; *p; p++)
		lines += *p == '\n';
	length = n - strlen(INVITE) - lines - strlen("X-Long: \r\n");
	snprintf(text, sizeof(text), "%.*sX-Long: %0*d\n%s", (int)(rest - invite), invite,
		 (int)length, 0, rest);
	return text;
}

static void requests_that_leave_too_large_take_the_stream(void **state)
{
	struct world *w = *state;
	struct store_peer peer = {.role = STORE_UPSTREAM,
				  .priority = 50,
				  .weight = 1,
				  .uri = "sip:10.0.0.5:5070;transport=tcp"};
	unsigned by_udp = 0, by_tcp = 0;

	assert_ok(w->f, store_peer_add(w->f->store, "default", &peer, &w->f->err));
	world_read_store(w);
	for (size_t n = 600; n < 1300; n += 7) {
		world_start_proxy(w);
		hear(w, CUSTOMER, invite_of_length(n));
		assert_int_equal(w->sent_count, 2);
		if (w->sent[0].path.transport == NET_UDP) {
			sent_to(w, 0, PBX, "INVITE ");
			assert_true(w->sent[0].n <= 1300);
			assert_int_equal(by_tcp, 0);
			by_udp++;
		} else {
			sent_to(w, 0, "10.0.0.5:5070", "INVITE ");
			assert_non_null(strstr(w->sent[0].text, "\r\nVia: SIP/2.0/TCP 10.0.0.1:"));
			assert_true(w->sent[0].n > 1300);
			by_tcp++;
		}
	}
	assert_true(by_udp > 10 && by_tcp > 10);
}

/* RFC 3261 §18.1.1: who does not take the stream after all is asked by UDP. */
static void stream_that_fails_is_no_obstacle(void **state)
{
	struct world *w = *state;
	struct net_path path = {.transport = NET_TCP, .remote = endpoint("10.0.0.5:5070")};
	struct store_peer peer = {.role = STORE_UPSTREAM,
				  .priority = 50,
				  .weight = 1,
				  .uri = "sip:10.0.0.5:5070;transport=tcp"};

	assert_ok(w->f, store_peer_add(w->f->store, "default", &peer, &w->f->err));
	world_read_store(w);
	hear(w, CUSTOMER, invite_of_length(1300));
	sent_to(w, 0, "10.0.0.5:5070", "INVITE ");
	proxy_failed(w->proxy, &path, w->now, w->now);
	wait_ms(w, 0);
	sent_to(w, 0, PBX, "INVITE ");
	assert_int_equal(w->sent[0].path.transport, NET_UDP);
}

static void request_in_a_call_whose_connection_is_gone_goes_to_the_contact(void **state)
{
	struct world *w = *state;
	struct net_path path = {.transport = NET_TCP, .remote = endpoint("198.51.100.7:40000")};
	char text[4096], routes[1024];

	hear_by(w, NET_TCP, "198.51.100.7:40000", INVITE);
	strcpy(text, sent_to(w, 0, PBX, "INVITE "));
	routes_of(text, false, routes);
	hear(w, PBX, answer(text, "200 OK", "INVITE"));
	in_dialog(text, "BYE", "sip:a@198.51.100.7:5062;transport=tcp", routes, false);
	hear(w, PBX, text);
	sent_to(w, 0, "198.51.100.7:40000", "BYE ");
	proxy_failed(w->proxy, &path, w->now, w->now);
	wait_ms(w, 0);
	sent_to(w, 0, "198.51.100.7:5062", "BYE ");
	assert_int_equal(w->sent[0].path.transport, NET_TCP);
	/* Once: then it is unreachable. */
	path.remote.port = 5062;
	proxy_failed(w->proxy, &path, w->now, w->now);
	wait_ms(w, 0);
	sent_to(w, 0, PBX, "SIP/2.0 503 ");
}

/* RFC 3261 §18.2.2. */
static void answer_whose_connection_is_gone_goes_to_where_the_via_says(void **state)
{
	struct world *w = *state;
	struct net_path path = {.transport = NET_TCP, .remote = endpoint("198.51.100.7:40000")};
	char text[4096];

	hear_by(w, NET_TCP, "198.51.100.7:40000", INVITE);
	strcpy(text, sent_to(w, 0, PBX, "INVITE "));
	hear(w, PBX, answer(text, "486 Busy", "INVITE"));
	sent_to(w, 0, "198.51.100.7:40000", "SIP/2.0 486 ");
	w->sent_count = 0;
	proxy_failed(w->proxy, &path, w->now, w->now);
	sent_to(w, 0, "198.51.100.7:5062", "SIP/2.0 486 ");
	assert_int_equal(w->sent[0].path.transport, NET_TCP);
	path.remote.port = 5062;
	w->sent_count = 0;
	proxy_failed(w->proxy, &path, w->now, w->now);
	assert_int_equal(w->sent_count, 0);
}

static void sips_is_served_by_tls_alone(void **state)
{
	struct world *w = *state;
	char text[4096], routes[1024];
	char secure[4096];

	snprintf(secure, sizeof(secure), "INVITE sips%s", strchr(INVITE, ':'));
	hear_by(w, NET_UDP, CUSTOMER, secure);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 416 ");
	hear_by(w, NET_TCP, CUSTOMER, secure);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 416 ");
	hear_by(w, NET_TLS, CUSTOMER, secure);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 503 ");
	upstream_is(w, "sip:" PBX ";transport=tls");
	hear_by(w, NET_TLS, CUSTOMER, secure);
	strcpy(text, sent_to(w, 0, PBX, "INVITE sips:"));
	assert_int_equal(w->sent[0].path.transport, NET_TLS);
	assert_non_null(strstr(text, "Record-Route: <sips:"));
	hear_by(w, NET_TLS, PBX, answer(text, "200 OK", "INVITE"));
	routes_of(sent_to(w, 0, CUSTOMER, "SIP/2.0 200 "), true, routes);
	in_dialog(text, "INFO", "sips:pbx@10.0.0.5", routes, true);
	hear_by(w, NET_TCP, CUSTOMER, text);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 416 ");
	in_dialog(text, "BYE", "sips:pbx@10.0.0.5", routes, true);
	hear_by(w, NET_TLS, CUSTOMER, text);
	sent_to(w, 0, PBX, "BYE sips:");
}

/* ---- what is made to confuse ---- */

/* The same message with so many fields more. */
static void with_fields(char *text, size_t size, unsigned fields)
{
	size_t n = (size_t)snprintf(text, size, "%.*s", (int)(strstr(INVITE, "Max-") - INVITE),
				    INVITE);

	for (unsigned i = 0; i < fields; i++)
		n += (size_t)snprintf(text + n, size - n, "X-Field-%u: %u\n", i, i);
	snprintf(text + n, size - n, "%s", strstr(INVITE, "Max-"));
}

static void call_with_many_fields_can_be_cancelled_or_does_not_begin(void **state)
{
	struct world *w = *state;
	static char text[65536];
	unsigned began = 0, refused = 0;

	for (unsigned fields = 100; fields < 170; fields++) {
		world_start_proxy(w);
		with_fields(text, sizeof(text), fields);
		hear(w, CUSTOMER, text);
		if (strncmp(w->sent[0].text, "INVITE", 6) != 0) {
			assert_true(strncmp(w->sent[0].text, "SIP/2.0 513 ", 12) == 0 ||
				    strncmp(w->sent[0].text, "SIP/2.0 400 ", 12) == 0);
			refused++;
			continue;
		}
		began++;
		strcpy(text, w->sent[0].text);
		hear(w, PBX, answer(text, "180 Ringing", "INVITE"));
		hear(w, CUSTOMER, cancel);
		sent_to(w, 1, PBX, "CANCEL ");
	}
	assert_true(began > 0 && refused > 0);
}

static void fields_by_the_thousand_are_refused(void **state)
{
	static char text[65536];
	struct world *w = *state;

	with_fields(text, sizeof(text), 3000);
	hear(w, CUSTOMER, text);
	assert_int_equal(w->sent_count, 1);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 400 ");
}

static void header_of_64_kb_is_forwarded_or_refused_and_never_cut(void **state)
{
	static char extra[65536], text[2 * 65536];
	struct world *w = *state;

	for (size_t n = 60000; n < 65400; n += 100) {
		world_start_proxy(w);
		memset(extra, 'x', n);
		extra[n] = '\0';
		snprintf(text, sizeof(text), "%.*sX-Long: %s\n%s",
			 (int)(strstr(INVITE, "Max-") - INVITE), INVITE, extra,
			 strstr(INVITE, "Max-"));
		hear(w, CUSTOMER, text);
		if (!w->sent_count)
			continue; /* more than a datagram holds */
		if (strncmp(w->sent[0].text, "INVITE", 6) == 0)
			assert_non_null(strstr(w->sent[0].text, extra));
		else
			sent_to(w, 0, CUSTOMER, "SIP/2.0 513 ");
	}
}

static void lengths_that_lie_are_refused_and_what_follows_is_cut_off(void **state)
{
	static const char *const lies[] = {"6", "99999999999", "-1", "5, 5", "5x", ""};
	struct world *w = *state;
	char text[2048];

	for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
		snprintf(text, sizeof(text), "%.*sContent-Length: %s\n\nv=0\n",
			 (int)(strstr(INVITE, "Content-Length") - INVITE), INVITE, lies[i]);
		hear(w, CUSTOMER, text);
		assert_int_equal(w->sent_count, 1);
		sent_to(w, 0, CUSTOMER, "SIP/2.0 400 ");
	}
	snprintf(text, sizeof(text), "%s%s", INVITE, "INVITE sip:smuggled@x SIP/2.0\n\n");
	hear(w, CUSTOMER, text);
	assert_null(strstr(sent_to(w, 0, PBX, "INVITE "), "smuggled"));
}

/* A spiral is no loop: the Request-URI is another each time. */
static void spiral_passes_and_a_loop_does_not(void **state)
{
	struct world *w = *state;
	char text[8192], again[8192];
	char *uri;

	strcpy(text, call_begins(w));
	hear(w, CUSTOMER, text);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 482 ");
	uri = strstr(text, "sip:100@");
	memcpy(uri, "sip:200@", 8);
	hear(w, CUSTOMER, text);
	strcpy(again, sent_to(w, 0, PBX, "INVITE sip:200@"));
	hear(w, CUSTOMER, again);
	sent_to(w, 0, CUSTOMER, "SIP/2.0 482 ");
}

static void forged_routes_lead_nowhere(void **state)
{
	static const char *const routes[] = {
		"Route: <sip:10.0.0.99;lr>\n",
		"Route: <sip:0400000000@203.0.113.1:5060;lr>\n",
		"Route: <sip:203.0.113.1:5060;lr>, <sip:10.0.0.99;lr>\n",
		"Route: <sip:203.0.113.1:5060;lr>\nRoute: <sip:evil.example;lr>\n",
		"Record-Route: <sip:10.0.0.99;lr>\n",
		"Via: SIP/2.0/UDP 10.0.0.99;branch=z9hG4bKx;received=10.0.0.98;rport=9\n",
	};
	struct world *w = *state;
	char text[4096];

	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		world_start_proxy(w);
		snprintf(text, sizeof(text), "%.*s%s%s", (int)(strstr(INVITE, "From") - INVITE),
			 INVITE, routes[i], strstr(INVITE, "From"));
		hear(w, CUSTOMER, text);
		assert_int_equal(w->sent_count, 2);
		assert_null(strstr(sent_to(w, 0, PBX, "INVITE "), "\r\nRoute:"));
		sent_to(w, 1, CUSTOMER, "SIP/2.0 100 ");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROXY_TEST(odd_but_right_messages_leave_as_they_came),
		PROXY_TEST(messages_of_others_leave_as_they_came),
		PROXY_TEST(requests_of_every_method_pass_or_are_answered),
		PROXY_TEST(requests_of_every_method_pass_in_a_call),
		PROXY_TEST(offered_connections_are_taken_from_listed_sources_alone),
		PROXY_TEST(call_by_tls_outlives_the_policy_it_began_under),
		PROXY_TEST(sips_is_served_by_tls_alone),
		PROXY_TEST(requests_that_leave_too_large_take_the_stream),
		PROXY_TEST(stream_that_fails_is_no_obstacle),
		PROXY_TEST(request_in_a_call_whose_connection_is_gone_goes_to_the_contact),
		PROXY_TEST(answer_whose_connection_is_gone_goes_to_where_the_via_says),
		PROXY_TEST(call_with_many_fields_can_be_cancelled_or_does_not_begin),
		PROXY_TEST(fields_by_the_thousand_are_refused),
		PROXY_TEST(header_of_64_kb_is_forwarded_or_refused_and_never_cut),
		PROXY_TEST(lengths_that_lie_are_refused_and_what_follows_is_cut_off),
		PROXY_TEST(spiral_passes_and_a_loop_does_not),
		PROXY_TEST(forged_routes_lead_nowhere),
	};

	return cmocka_run_group_tests_name("proxy_messages", tests, NULL, NULL);
}
