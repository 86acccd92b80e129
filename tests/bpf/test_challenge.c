/* SPDX-License-Identifier: BSD-2-Clause */
/* When the filter challenges by itself, and when it leaves a packet to the daemon. */
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "challenger.h"

#include "../../maps/siphash.h"
#include "../../maps/nonce.h"

#define LINE "INVITE sip:+4930123@gate.example SIP/2.0\r\n"
#define VIA "Via: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bK-1-2\r\n"
#define FROM "From: \"Alice\" <sip:alice@gate.example>;tag=abc\r\n"
#define TO "To: <sip:+4930123@gate.example>\r\n"
#define REST "Call-ID: 1-2@198.51.100.7\r\nCSeq: 1 INVITE\r\n"
#define LONG                                                                                       \
	"X-Long: 0123456789012345678901234567890123456789012345678901234567890123456789012345678"  \
	"901234567890123456789012345678901234567890123456789012345678901234567890123456789012345"  \
	"678901234567890123456789012345678901234567890\r\n"
#define PLAIN LINE VIA FROM TO REST LONG "\r\n"

/* One line of a request in the place of another; NULL: left out. */
struct change {
	const char *what, *with;
	bool answered;
};

static struct slice changed(const char *what, const char *with)
{
	static char text[4096];
	const char *at = strstr(PLAIN, what);

	assert_non_null(at);
	snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - PLAIN), PLAIN, with ? with : "",
		 at + strlen(what));
	return slice_from(text);
}

static const struct change changes[] = {
	{"", "", true},
	{LINE, "INVITE sip:gate.example SIP/2.0\r\n", true},
	{LINE, "INVITE SIP:1@GATE.Example:5062;user=phone;lr SIP/2.0\r\n", true},
	{LINE, "INVITE sip:1@another.example SIP/2.0\r\n", true},
	{LINE VIA FROM TO REST,
	 "REGISTER sip:gate.example SIP/2.0\r\n" VIA FROM TO "Call-ID: 1\r\nCSeq: 1 REGISTER\r\n",
	 true},
	{LINE VIA FROM TO REST,
	 "MESSAGE sip:gate.example SIP/2.0\r\n" VIA FROM TO "Call-ID: 1\r\nCSeq: 1 MESSAGE\r\n",
	 true},
	{LINE VIA FROM TO REST,
	 "OPTIONS sip:a@gate.example SIP/2.0\r\n" VIA FROM TO "Call-ID: 1\r\nCSeq: 1 OPTIONS\r\n",
	 false},
	{LINE VIA FROM TO REST,
	 "ACK sip:a@gate.example SIP/2.0\r\n" VIA FROM TO "Call-ID: 1\r\nCSeq: 1 ACK\r\n", false},
	{LINE VIA FROM TO REST,
	 "CANCEL sip:a@gate.example SIP/2.0\r\n" VIA FROM TO "Call-ID: 1\r\nCSeq: 1 CANCEL\r\n",
	 false},
	{LINE VIA FROM TO REST, "SIP/2.0 407 Proxy Authentication Required\r\n" VIA FROM TO REST,
	 false},
	{LINE VIA FROM TO REST, "SIP/2.0 401 Unauthorized\r\n" VIA FROM TO REST, false},
	{LINE VIA FROM TO REST, "SIP/2.0 100 Trying\r\n" VIA FROM TO REST, false},
	{LINE VIA FROM TO REST, "SIP/2.0 200 OK\r\n" VIA FROM TO REST, false},
	/* what the daemon refuses, or may */
	{LINE, "INVITE sips:1@gate.example SIP/2.0\r\n", false},
	{LINE, "INVITE tel:+4930123 SIP/2.0\r\n", false},
	{LINE, "INVITE sip:1@[2001:db8::1] SIP/2.0\r\n", false},
	{LINE, "INVITE sip:1@gate.example. SIP/2.0\r\n", false},
	{LINE, "INVITE sip:1@gate.example?a=b SIP/2.0\r\n", false},
	{LINE, "INVITE sip:1@gate.example:0 SIP/2.0\r\n", false},
	{LINE, "INVITE sip:%31@gate.example SIP/2.0\r\n", false},
	{LINE, "INVITE sip:1:pw@gate.example SIP/2.0\r\n", false},
	{LINE, "INVITE sip:1@gate.example  SIP/2.0\r\n", false},
	{LINE, "INVITE sip:1@gate.example SIP/3.0\r\n", false},
	{LINE, "INVITE sip:1@gate.example SIP/2.0\n", false},
	{LINE, "\r\n" LINE, false},
	{LINE,
	 "INVITE sip:1@0123456789012345678901234567890123456789012345678901234567890123 "
	 "SIP/2.0\r\n",
	 false},
	{FROM, FROM "Max-Forwards: 0\r\n", false},
	{FROM, FROM "Max-Forwards: 1\r\n", true},
	{FROM, FROM "Max-Forwards: 256\r\n", false},
	{FROM, FROM "Proxy-Require: x\r\n", false},
	{FROM, FROM "Require: x\r\n", true},
	{FROM, FROM "Route: <sip:192.0.2.1;lr>\r\n", false},
	{FROM, FROM "rOUTE: <sip:192.0.2.1;lr>\r\n", false},
	{FROM, FROM "Record-Route: <sip:192.0.2.9;lr>\r\n", true},
	{FROM, FROM "Proxy-Authorization: Digest realm=\"sip.example\"\r\n", false},
	{FROM, FROM "Authorization: Digest realm=\"sip.example\"\r\n", false},
	{FROM, FROM "authorization:\r\n Digest realm=\"sip.example\"\r\n", false},
	{FROM, FROM "Authentication-Info: x\r\n", true},
	{FROM, FROM FROM, false},
	{FROM, FROM "f: <sip:a@b>\r\n", false},
	{FROM, NULL, false},
	{FROM, "FROM:sip:alice@gate.example;tag=abc\r\n", true},
	{FROM, "f:  Alice  <sip:alice@gate.example>\r\n", true},
	{FROM, "From: \"A\\\"\" <sip:alice@gate.example>\r\n", false},
	{FROM, "From: \"A <sip:alice@gate.example>\r\n", false},
	{FROM, "From: <sip:alice@gate.example\r\n", false},
	{FROM, "From: <sip:alice@gate.example>;tag=\r\n", false},
	{FROM, "From: <sip:alice@gate.example>;tag=a;tag=b\r\n", false},
	{FROM, "From: <alice>\r\n", false},
	{FROM, "From:\r\n <sip:alice@gate.example>\r\n\t;tag=1\r\n", false},
	{FROM, "From: \"Alice\r\n Smith\" <sip:alice@gate.example>;tag=1\r\n", true},
	{TO, NULL, false},
	{TO, "To: <sip:1@gate.example>;tag=x\r\n", false},
	{TO, "t: sip:1@gate.example\r\n", true},
	{TO, "To: sip:1@gate.example;tag=x\r\n", false},
	{VIA, NULL, false},
	{VIA, "v:SIP/2.0/UDP phone\r\n", true},
	{VIA, "Via: SIP/2.0/UDP phone;rport\r\n", true},
	{VIA, "Via: SIP/2.0/UDP phone;rport;branch=z\r\n", true},
	{VIA, "Via: SIP/2.0/UDP phone;branch=z;RPORT;x=y\r\n", true},
	{VIA, "Via: SIP/2.0/UDP phone;rport=\r\n", false},
	{VIA, "Via: SIP/2.0/UDP phone;rport=5\r\n", false},
	{VIA, "Via: SIP/2.0/UDP phone;rport;rport\r\n", false},
	{VIA, "Via: SIP/2.0/UDP phone;received=192.0.2.7\r\n", false},
	{VIA, "Via: SIP/2.0/TCP phone\r\n", false},
	{VIA, "Via: SIP/2.0/UDP phone ;rport\r\n", false},
	{VIA, "Via: SIP/2.0/UDP phone:70000\r\n", false},
	{VIA, "Via: SIP/2.0/UDP phone, SIP/2.0/TCP a;received=1.2.3.4;rport=5\r\n", true},
	{VIA,
	 "Via: SIP/2.0/UDP phone,\r\n SIP/2.0/TLS a\r\nVia: SIP/2.0/UDP b\r\nv: "
	 "SIP/2.0/UDP c\r\n",
	 true},
	{VIA, "Via: SIP/2.0/UDP phone, \r\n", false},
	{VIA, "Via: SIP/2.0/UDP phone, x\r\n", false},
	/* as long as a branch of the daemon's, which may tell of a loop */
	{VIA, "Via: SIP/2.0/UDP a;branch=z9hG4bK012345678901234567890123456789abcdef\r\n", false},
	{VIA,
	 "Via: SIP/2.0/UDP a;branch=z\r\nVia: SIP/2.0/UDP "
	 "b;branch=z9hG4bK012345678901234567890123456789abcdef\r\n",
	 false},
	{REST, "Call-ID: 1\r\n", false},
	{REST, "CSeq: 1 INVITE\r\n", false},
	{REST, "i: 1\r\nCSeq: 1 INVITE\r\n", true},
	{REST, "Call-ID: 1 2\r\nCSeq: 1 INVITE\r\n", false},
	{REST, "Call-ID: 1\r\nCSeq: 1 REGISTER\r\n", false},
	{REST, "Call-ID: 1\r\nCSeq: 1 INVIT\r\n", false},
	{REST, "Call-ID: 1\r\nCSeq: x INVITE\r\n", false},
	{REST, REST "Content-Length: 0\r\n", true},
	{REST, REST "l: 1\r\n", false},
	{REST, REST "Content-Length: 0\r\nl: 0\r\n", false},
	{REST, REST "No colon\r\n", false},
	{REST, REST "X: a\rb\r\n", false},
	{REST, REST "X: a\nb\r\n", false},
	{REST, REST "X: a\r\n \r\n", false},
	{REST, REST "X: a\r\n b\r\n\tc\r\n", true},
};

static void requests_that_can_only_be_challenged_are(void **state)
{
	struct challenger *c = *state;

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		if (compare(c, changed(changes[i].what, changes[i].with)) != changes[i].answered)
			fail_msg("%zu: %s", i, changes[i].with ? changes[i].with : changes[i].what);
	}
}

/* As docs/admission.md tells them: so often the piece may stand there, and no more. */
static void what_is_more_than_the_filter_takes_is_the_daemons(void **state)
{
	static const struct {
		const char *before, *piece, *after;
		int most;
	} limits[] = {
		{LINE VIA FROM TO REST, "X: 1\r\n", "", 63 - 5},
		{LINE VIA FROM TO REST "X: 1", "\r\n 2", "\r\n", 8},
		{LINE FROM TO REST, "v: SIP/2.0/UDP a\r\n", "", 8},
		{LINE FROM TO REST "v: SIP/2.0/UDP a", ",SIP/2.0/UDP a", "\r\n", 8 - 1},
		{LINE FROM TO REST "v: SIP/2.0/UDP a", ";x=1", "\r\n", 12},
		{LINE VIA TO REST "f: <sip:a@b>", ";x=1", "\r\n", 12},
		{"INVITE sip:gate.example", ";x=1", " SIP/2.0\r\n" VIA FROM TO REST, 12},
		{"INVITE sip:", "a", " SIP/2.0\r\n" VIA FROM TO REST, 63},
		{LINE VIA FROM TO "CSeq: ", "1", " INVITE\r\ni: 1\r\n", 9},
	};
	struct challenger *c = *state;

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		for (int n = limits[i].most; n <= limits[i].most + 1; n++) {
			char text[2048];

			strcpy(text, limits[i].before);
			for (int j = 0; j < n; j++)
				strcat(text, limits[i].piece);
			strcat(strcat(text, limits[i].after), "\r\n");
			if (compare(c, slice_from(text)) != (n == limits[i].most))
				fail_msg("%zu: %d times %s", i, n, limits[i].piece);
		}
	}
}

/* Complete within 2040 bytes, whatever follows it. */
static void a_header_that_is_not_seen_whole_is_the_daemons(void **state)
{
	struct challenger *c = *state;
	static const char body[] = "l: 5\r\n\r\nv=0\r\n";

	for (int n = 2040; n <= 2041; n++) {
		char text[2200] = LINE VIA FROM TO REST LONG LONG LONG LONG "X: ";
		int used = (int)strlen(text);

		snprintf(text + used, sizeof(text) - (size_t)used, "%0*d\r\n%s",
			 n - used - 2 - (int)strlen("l: 5\r\n\r\n"), 0, body);
		if (compare(c, slice_from(text)) != (n == 2040))
			fail_msg("%d bytes", n);
	}
}

/* Whatever the spelling and whoever the neighbours: before, between and behind all other fields. */
static void credentials_anywhere_are_the_daemons(void **state)
{
	static const char *const credentials[] = {
		"Authorization: Digest realm=\"sip.example\"\r\n",
		"Proxy-Authorization: Digest realm=\"sip.example\"\r\n",
		"AUTHORIZATION:Digest x\r\n",
		"PROXY-AUTHORIZATION:Digest x\r\n",
		"aUTHoRiZaTIoN:\tDigest x\r\n",
		"pROXY-aUTHORIZATION:\tDigest x\r\n",
		"Authorization:\r\n Digest\r\n\trealm=\"sip.example\"\r\n",
		"Proxy-Authorization:\r\n Digest\r\n\trealm=\"sip.example\"\r\n",
		"Authorization : Digest x\r\n",
		"Proxy-Authorization\t: Digest x\r\n",
		"Authorization\r\n : Digest x\r\n",
		"Authorization:\r\n",
		"Proxy-Authorization: Basic x\r\n",
	};
	static const char *const fields[] = {
		"v: SIP/2.0/UDP a;branch=z\r\n", "f: <sip:a@b>;tag=1\r\n", "t: <sip:a@b>\r\n",
		"i: 1\r\n", "CSeq: 1 INVITE\r\n", "l: 0\r\n", "x: 1\r\n",
	};
	enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };
	struct challenger *c = *state;

	for (size_t i = 0; i < sizeof(credentials) / sizeof(credentials[0]); i++) {
		for (int place = -1; place <= FIELDS; place++) {
			char text[2048] = LINE;

			for (int j = 0; j <= FIELDS; j++) {
				strcat(text, j == place ? credentials[i] : "");
				strcat(text, j < FIELDS ? fields[j] : "\r\n");
			}
			if (compare(c, slice_from(text)) != (place < 0))
				fail_msg("place %d: %s", place, credentials[i]);
		}
	}
}

static void it_is_counted(void **state)
{
	struct challenger *c = *state;

	expect_reason(c, slice_from(PLAIN), XDP_ANSWERED, SIPWARD_CHALLENGED);
	expect_reason(c, changed(TO, "To: <sip:a@b>;tag=1\r\n"), XDP_PASSED, SIPWARD_LISTED);
}

static void mode_monitor_counts_and_passes(void **state)
{
	struct challenger *c = *state;
	struct frame f = frame_of(c, slice_from(PLAIN));
	struct sipward_settings settings;
	struct judgement judgement;

	assert_int_equal(filter_settings_read(c->judge->filter, &settings), 0);
	settings.mode = SIPWARD_MONITOR;
	judge_settings(c->judge, settings);
	judgement = judge_frame(c->judge, &f);
	assert_int_equal(judgement.verdict, XDP_PASSED);
	assert_int_equal(judgement.reason, SIPWARD_CHALLENGED);
	assert_int_equal(judgement.counted.monitored, 1);
	run_filter(c, &f);
	assert_true(is_untouched(c, &f));
}

/* ---- whom ---- */

static void trust_decides_who_is_answered(void **state)
{
	struct challenger *c = *state;
	char small_text[2048], other_text[2048];
	struct slice small, other;

	keep_text(changed(LONG, NULL), small_text, sizeof(small_text));
	keep_text(changed(LINE, "INVITE sip:1@another.example SIP/2.0\r\n"), other_text,
		  sizeof(other_text));
	small = slice_from(small_text);
	other = slice_from(other_text);
	challenger_unlisted(c, SIPWARD_UNLISTED_LIMIT);
	/* listed: whatever its size, and where address and credential are asked for */
	assert_true(compare(c, small) && compare(c, other));
	/* unlisted: no more than it sent */
	c->shape.src = "192.0.2.77";
	assert_true(compare(c, slice_from(PLAIN)));
	assert_false(compare(c, small) || compare(c, other));
	/* proven */
	judge_prove(c->judge, "192.0.2.77", UINT64_MAX);
	assert_true(compare(c, small));
	assert_false(compare(c, other));
	/* who is left to the daemon to be refused */
	c->shape.src = "192.0.2.78";
	challenger_unlisted(c, SIPWARD_UNLISTED_REJECT);
	assert_false(compare(c, slice_from(PLAIN)));
}

static void nobody_refused_is_answered(void **state)
{
	struct challenger *c = *state;

	challenger_unlisted(c, SIPWARD_UNLISTED_LIMIT);
	judge_acl(c->judge, "198.51.100.8/32", SIPWARD_ACL_DENY);
	judge_acl(c->judge, "198.51.100.9/32", SIPWARD_ACL_ALLOW | SIPWARD_ACL_UPSTREAM);
	judge_lock_out(c->judge, "198.51.100.10", UINT64_MAX);
	c->shape.src = "198.51.100.8";
	expect_reason(c, slice_from(PLAIN), XDP_DROPPED, SIPWARD_DENIED);
	c->shape.src = "198.51.100.9";
	expect_reason(c, slice_from(PLAIN), XDP_PASSED, SIPWARD_LISTED);
	c->shape.src = "198.51.100.10";
	expect_reason(c, slice_from(PLAIN), XDP_DROPPED, SIPWARD_LOCKED_OUT);
}

/* The source is allowed, by another trunk's ACL alone: it is refused, not challenged. */
static void an_acl_of_another_trunk_leaves_it_to_the_daemon(void **state)
{
	struct challenger *c = *state;
	struct fixture *f = c->world->f;
	char text[2048];

	keep_text(changed(LINE, "INVITE sip:1@another.example SIP/2.0\r\n"), text, sizeof(text));
	assert_true(compare(c, slice_from(text)));
	assert_ok(f, create_trunk(f, "third", "third.example", "sip:" PBX));
	assert_ok(f, store_acl_create(f->store, "others", "", &f->err));
	assert_ok(f, store_trunk_attach_acl(f->store, "third", "others", &f->err));
	challenger_sync(c);
	assert_false(compare(c, slice_from(text)));
	assert_true(compare(c, slice_from(PLAIN)));
}

/* ---- where ---- */

static void only_plain_packets_from_one_station_to_another_are_answered(void **state)
{
	static const struct shape shapes[] = {
		{.tags = 1},
		{.options = 1},
		{.family = 6, .src = LISTED_V6, .exts = 1, .ext = {EXT_DEST}},
		{.family = 6, .src = LISTED_V6, .fragment = true},
		{.more = true, .id = 7},
		{.protocol = PROTO_TCP},
		{.port = 5061},
	};
	struct challenger *c = *state;
	struct frame f;

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		c->shape = shapes[i];
		if (compare(c, slice_from(PLAIN)))
			fail_msg("%zu", i);
	}
	c->shape = (struct shape){.padding = 9};
	assert_true(compare(c, slice_from(PLAIN)));
	c->shape = (struct shape){.family = 6, .src = LISTED_V6};
	assert_true(compare(c, slice_from(PLAIN)));
	c->shape = (struct shape){};
	for (int i = 0; i < 2; i++) {
		f = frame_of(c, slice_from(PLAIN));
		f.bytes[i * 6] |= 1;
		assert_int_equal(run_filter(c, &f), XDP_PASSED);
		assert_true(is_untouched(c, &f));
	}
	f = frame_of(c, slice_from(PLAIN));
	memset(f.bytes + f.transport_at, 0, 2);
	assert_int_equal(run_filter(c, &f), XDP_PASSED);
}

static bool is_source_answered(struct challenger *c, unsigned family, const char *source)
{
	struct frame f;

	c->shape = (struct shape){.family = family, .src = source};
	f = frame_of(c, slice_from(PLAIN));
	if (run_filter(c, &f) == XDP_ANSWERED)
		return true;
	assert_true(is_untouched(c, &f));
	return false;
}

static void nobody_is_answered_at_an_own_or_odd_address(void **state)
{
	static const char *const odd_v4[] = {"192.0.2.1", "192.0.2.255", "224.0.0.1",
					     "239.255.255.250", "255.255.255.255", "127.0.0.1",
					     "0.0.0.1"};
	static const char *const odd_v6[] = {"2001:db8::1", "ff02::1", "ff0e::1", "fe80::1", "::1",
					     "::", "::ffff:198.51.100.7"};
	struct challenger *c = *state;

	challenger_unlisted(c, SIPWARD_UNLISTED_LIMIT);
	challenger_own(c, 0, "192.0.2.255", SIPWARD_OWN_BARRED);
	challenger_own(c, 0, "2001:db8::1", SIPWARD_OWN_BARRED);
	assert_true(is_source_answered(c, 4, "192.0.2.254"));
	assert_true(is_source_answered(c, 6, "2001:db8::2"));
	for (size_t i = 0; i < sizeof(odd_v4) / sizeof(odd_v4[0]); i++) {
		if (is_source_answered(c, 4, odd_v4[i]))
			fail_msg("%s", odd_v4[i]);
	}
	for (size_t i = 0; i < sizeof(odd_v6) / sizeof(odd_v6[0]); i++) {
		if (is_source_answered(c, 6, odd_v6[i]))
			fail_msg("%s", odd_v6[i]);
	}
}

static void expect_unanswered_destination(struct challenger *c, unsigned family,
					  const char *address)
{
	struct frame f;
	struct ip ip;

	c->shape = (struct shape){.family = family, .src = family == 6 ? LISTED_V6 : NULL};
	f = frame_of(c, slice_from(PLAIN));
	assert_int_equal(ip_parse(slice_from(address), &ip), 0);
	memcpy(f.bytes + f.ip_at + (family == 6 ? 24 : 16), ip.bytes, family == 6 ? 16 : 4);
	if (run_filter(c, &f) != XDP_PASSED || !is_untouched(c, &f))
		fail_msg("%s", address);
}

static void only_own_addresses_answer(void **state)
{
	static const char *const v4[] = {"192.0.2.2", "192.0.2.255", "224.0.0.1", "255.255.255.255",
					 "127.0.0.1"};
	static const char *const v6[] = {"2001:db8::2", "ff02::1", "ff0e::1", "::1"};
	struct challenger *c = *state;

	challenger_unlisted(c, SIPWARD_UNLISTED_LIMIT);
	challenger_own(c, 0, "192.0.2.255", SIPWARD_OWN_BARRED);
	for (size_t i = 0; i < sizeof(v4) / sizeof(v4[0]); i++)
		expect_unanswered_destination(c, 4, v4[i]);
	for (size_t i = 0; i < sizeof(v6) / sizeof(v6[0]); i++)
		expect_unanswered_destination(c, 6, v6[i]);
}

/* The frame, whose lengths promise more. */
static void a_frame_cut_off_anywhere_is_not_answered(void **state)
{
	struct challenger *c = *state;
	struct frame f;

	for (unsigned family = 4; family <= 6; family += 2) {
		c->shape = (struct shape){.family = family, .src = family == 6 ? LISTED_V6 : NULL};
		f = frame_of(c, slice_from(PLAIN));
		assert_int_equal(run_filter(c, &f), XDP_ANSWERED);
		while (--f.n >= 14) {
			if (run_filter(c, &f) == XDP_ANSWERED)
				fail_msg("%u bytes", f.n);
		}
	}
}

/* Another program's, whose port is among the SIP ports. */
static void a_port_the_daemon_does_not_listen_on_is_left_alone(void **state)
{
	struct challenger *c = *state;
	struct sipward_settings settings;

	assert_int_equal(filter_settings_read(c->judge->filter, &settings), 0);
	settings.port_count = 2;
	settings.ports[0] = (struct sipward_port){IPPROTO_UDP, 0, htons(5060)};
	settings.ports[1] = (struct sipward_port){IPPROTO_UDP, 0, htons(5062)};
	judge_settings(c->judge, settings);
	assert_true(compare(c, slice_from(PLAIN)));
	c->shape.port = 5062;
	assert_false(compare(c, slice_from(PLAIN)));
}

static void generic_mode_is_answered_in_only_where_the_trunk_says_so(void **state)
{
	struct challenger *c = *state;
	struct fixture *f = c->world->f;
	struct store_trunk trunk;

	challenger_own(c, IFINDEX_OF_TEST, "192.0.2.1", SIPWARD_OWN_ANSWERS);
	assert_false(compare(c, slice_from(PLAIN)));
	assert_ok(f, store_trunk_get(f->store, "main", &trunk, &f->err));
	trunk.challenge = STORE_CHALLENGE_FILTER;
	assert_ok(f, store_trunk_set(f->store, &trunk, &f->err));
	challenger_sync(c);
	assert_true(compare(c, slice_from(PLAIN)));
	trunk.challenge = STORE_CHALLENGE_DAEMON;
	assert_ok(f, store_trunk_set(f->store, &trunk, &f->err));
	challenger_sync(c);
	challenger_own(c, IFINDEX_OF_TEST, "192.0.2.1", SIPWARD_OWN_ANSWERS | SIPWARD_OWN_NATIVE);
	assert_false(compare(c, slice_from(PLAIN)));
}

static void without_a_lease_the_daemon_challenges(void **state)
{
	struct challenger *c = *state;
	struct sipward_lease lease;

	assert_int_equal(filter_lease_read(c->judge->filter, &lease), 0);
	lease.until_ns = clock_coarse_ns() - NS_PER_S;
	assert_int_equal(filter_lease_write(c->judge->filter, &lease), 0);
	assert_false(compare(c, slice_from(PLAIN)));
	memset(&lease, 0, sizeof(lease));
	assert_int_equal(filter_lease_write(c->judge->filter, &lease), 0);
	assert_false(compare(c, slice_from(PLAIN)));
}

/* ---- which challenges ---- */

static void set_trunk(struct challenger *c, void (*change)(struct store_trunk *trunk))
{
	struct fixture *f = c->world->f;
	struct store_trunk trunk;

	assert_ok(f, store_trunk_get(f->store, "main", &trunk, &f->err));
	change(&trunk);
	assert_ok(f, store_trunk_set(f->store, &trunk, &f->err));
	challenger_sync(c);
}

static void offer_all(struct store_trunk *trunk)
{
	trunk->algorithm_count = 3;
	memcpy(trunk->algorithms, (unsigned[]){2, 1, 0}, sizeof(trunk->algorithms));
	trunk->challenge_status = 401;
	trunk->auth_int = trunk->userhash = trunk->sess = true;
}

static void disable(struct store_trunk *trunk)
{
	trunk->enabled = false;
}

static void ask_for_certificates(struct store_trunk *trunk)
{
	trunk->client_certificate = true;
}

static void every_field_of_a_challenge_is_there(void **state)
{
	struct challenger *c = *state;

	set_trunk(c, offer_all);
	assert_true(compare(c, slice_from(PLAIN)));
	challenger_list(c, "main", "more", "another.example");
	challenger_sync(c);
	/* too long for a packet of 1280 bytes */
	assert_false(compare(c, slice_from(PLAIN)));
}

static void trunks_that_do_not_only_challenge_are_the_daemons(void **state)
{
	struct challenger *c = *state;
	struct fixture *f = c->world->f;
	struct store_trunk trunk;

	set_trunk(c, ask_for_certificates);
	assert_false(compare(c, slice_from(PLAIN)));
	set_trunk(c, disable);
	assert_false(compare(c, slice_from(PLAIN)));
	/* Where a user has a trunk of its own the domain does not tell. */
	store_trunk_defaults(&trunk);
	strcpy(trunk.name, "app");
	strcpy(trunk.domain, "app.example");
	assert_ok(f, store_trunk_create(f->store, &trunk, "sip:" PBX, &f->err));
	challenger_list(c, "app", "users", "sip.example");
	challenger_sync(c);
	assert_true(compare(c, changed(LINE, "INVITE sip:1@app.example SIP/2.0\r\n")));
	strcpy(trunk.name, "app2");
	strcpy(trunk.user, "special");
	assert_ok(f, store_trunk_create(f->store, &trunk, "sip:" PBX, &f->err));
	challenger_sync(c);
	assert_false(compare(c, changed(LINE, "INVITE sip:1@app.example SIP/2.0\r\n")));
}

/* ---- nonces and tags ---- */

static void the_daemon_takes_the_filters_nonces(void **state)
{
	struct challenger *c = *state;
	const struct nonce_binding binding = {.source = endpoint("198.51.100.7").ip,
					      .transport = NET_UDP,
					      .realm = SLICE("sip.example")};
	char nonce[NONCE_TEXT_SIZE], other[NONCE_TEXT_SIZE];
	uint64_t issued_s;

	assert_true(compare(c, slice_from(PLAIN)));
	nonce_of(c, nonce);
	assert_int_equal(nonce_verify(&c->world->nonce_keys, &binding, slice_from(nonce),
				      clock_steady_s(), 5, &issued_s),
			 NONCE_VALID);
	assert_true(compare(c, slice_from(PLAIN)));
	nonce_of(c, other);
	assert_string_not_equal(nonce, other);
}

static void the_filters_hash_is_openssls(void **state)
{
	struct challenger *c = *state;
	uint8_t tagged[48] = {0}, nonce[32], tag[16];
	char text[NONCE_TEXT_SIZE];
	uint64_t realm = sipward_nonce_realm((const uint8_t *)"sip.example", 11);
	size_t size = 16, n = 0;
	OSSL_PARAM params[] = {OSSL_PARAM_size_t(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_END};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);

	assert_true(compare(c, slice_from(PLAIN)));
	nonce_of(c, text);
	assert_int_equal(hex_decode(slice_from(text), nonce, sizeof(nonce)), 0);
	memcpy(tagged, nonce, 16);
	memcpy(tagged + 16, (uint8_t[]){198, 51, 100, 7}, 4);
	memcpy(tagged + 32, &realm, 8);
	memcpy(tagged + 40, (uint8_t[]){4, NET_UDP, 0}, 3);
	assert_true(EVP_MAC_init(ctx, c->world->nonce_keys.key[0], 16, params));
	assert_true(EVP_MAC_update(ctx, tagged, sizeof(tagged)));
	assert_true(EVP_MAC_final(ctx, tag, &n, sizeof(tag)));
	assert_memory_equal(nonce + 16, tag, sizeof(tag));
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
}

/* The To field of the answer just given. */
static void to_of(const struct challenger *c, char *buf, size_t size)
{
	const char *at = memmem(c->out, c->out_n, "To: ", 4), *end;

	assert_non_null(at);
	end = strstr(at, "\r\n");
	snprintf(buf, size, "%.*s\r\n", (int)(end - at), at);
}

static void the_ack_for_its_answer_ends_in_the_filter(void **state)
{
	struct challenger *c = *state;
	char to[256], ack[1024];

	assert_true(compare(c, slice_from(PLAIN)));
	to_of(c, to, sizeof(to));
	snprintf(ack, sizeof(ack),
		 "ACK sip:+4930123@gate.example SIP/2.0\r\n" VIA FROM
		 "%sCall-ID: 1-2@198.51.100.7\r\nCSeq: 1 ACK\r\n\r\n",
		 to);
	expect_reason(c, slice_from(ack), XDP_DROPPED, SIPWARD_CHALLENGE_ACK);
	/* another source's tag, another tag, and the ACK for an answer that had a route */
	c->shape.src = "198.51.100.8";
	expect_reason(c, slice_from(ack), XDP_PASSED, SIPWARD_LISTED);
	c->shape.src = NULL;
	strstr(ack, "CSeq")[-3] = '8';
	expect_reason(c, slice_from(ack), XDP_DROPPED, SIPWARD_CHALLENGE_ACK);
	strstr(ack, ";tag=abc\r\nTo")[5] = 'x';
	expect_reason(c, slice_from(ack), XDP_DROPPED, SIPWARD_CHALLENGE_ACK);
	snprintf(ack, sizeof(ack),
		 "ACK sip:+4930123@gate.example SIP/2.0\r\n" VIA FROM
		 "%sRoute: <sip:192.0.2.1;lr>\r\nCall-ID: 1-2@198.51.100.7\r\nCSeq: 1 ACK\r\n\r\n",
		 to);
	expect_reason(c, slice_from(ack), XDP_PASSED, SIPWARD_LISTED);
	to[strlen(to) - 3] ^= 1;
	snprintf(ack, sizeof(ack),
		 "ACK sip:+4930123@gate.example SIP/2.0\r\n" VIA FROM
		 "%sCall-ID: 1-2@198.51.100.7\r\nCSeq: 1 ACK\r\n\r\n",
		 to);
	expect_reason(c, slice_from(ack), XDP_PASSED, SIPWARD_LISTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CHALLENGER_TEST(requests_that_can_only_be_challenged_are),
		CHALLENGER_TEST(what_is_more_than_the_filter_takes_is_the_daemons),
		CHALLENGER_TEST(a_header_that_is_not_seen_whole_is_the_daemons),
		CHALLENGER_TEST(credentials_anywhere_are_the_daemons),
		CHALLENGER_TEST(it_is_counted),
		CHALLENGER_TEST(mode_monitor_counts_and_passes),
		CHALLENGER_TEST(trust_decides_who_is_answered),
		CHALLENGER_TEST(nobody_refused_is_answered),
		CHALLENGER_TEST(an_acl_of_another_trunk_leaves_it_to_the_daemon),
		CHALLENGER_TEST(only_plain_packets_from_one_station_to_another_are_answered),
		CHALLENGER_TEST(nobody_is_answered_at_an_own_or_odd_address),
		CHALLENGER_TEST(only_own_addresses_answer),
		CHALLENGER_TEST(a_frame_cut_off_anywhere_is_not_answered),
		CHALLENGER_TEST(a_port_the_daemon_does_not_listen_on_is_left_alone),
		CHALLENGER_TEST(generic_mode_is_answered_in_only_where_the_trunk_says_so),
		CHALLENGER_TEST(without_a_lease_the_daemon_challenges),
		CHALLENGER_TEST(every_field_of_a_challenge_is_there),
		CHALLENGER_TEST(trunks_that_do_not_only_challenge_are_the_daemons),
		CHALLENGER_TEST(the_daemon_takes_the_filters_nonces),
		CHALLENGER_TEST(the_filters_hash_is_openssls),
		CHALLENGER_TEST(the_ack_for_its_answer_ends_in_the_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
