/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <osipparser2/osip_parser.h>
#include <osipparser2/osip_port.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sip/sip_grammar.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_slice(struct slice actual, const char *expected)
{
	if (!slice_eq(actual, slice_from(expected)))
		fail_msg("'%.*s' is not '%s'", (int)actual.n, actual.p, expected);
}

static void uris_are_read(void **state)
{
	static const struct {
		const char *text, *scheme, *user, *host;
		uint16_t port;
		const char *params;
	} rows[] = {
		{"sip:example.com", "sip", "", "example.com", 0, ""},
		{"SIPS:bob@example.com:5061;transport=tls;lr", "SIPS", "bob", "example.com", 5061,
		 "transport=tls;lr"},
		{"sip:bob:secret@example.com", "sip", "bob", "example.com", 0, ""},
		{"sip:b%6fb%40x@example.com;a=b?Subject=x;y", "sip", "bob@x", "example.com", 0,
		 "a=b"},
		{"sip:example.com?Subject=x;y", "sip", "", "example.com", 0, ""},
		{"sip:a;b=c?d@example.com;e", "sip", "a;b=c?d", "example.com", 0, "e"},
		{"sip:[2001:db8::1]", "sip", "", "2001:db8::1", 0, ""},
		{"sip:u@[2001:db8::192.0.2.1]:5070;x", "sip", "u", "2001:db8::192.0.2.1", 5070,
		 "x"},
		{"sip:[2001:db8::10:5070]", "sip", "", "2001:db8::10:5070", 0, ""},
		{"sip:+1(2)-3@192.0.2.1", "sip", "+1(2)-3", "192.0.2.1", 0, ""},
		{"sip:#31#*12@h", "sip", "#31#*12", "h", 0, ""},
		{"tel:+1-234;phone-context=x", "tel", "+1-234", "", 0, "phone-context=x"},
		{"http://example.com/x", "http", "", "", 0, ""},
		{"urn:service:sos", "urn", "", "", 0, ""},
	};
	struct sip_uri uri;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(sip_uri_parse(slice_from(rows[i].text), &uri), 0);
		assert_slice(uri.scheme, rows[i].scheme);
		assert_slice(uri.user, rows[i].user);
		assert_slice(uri.host, rows[i].host);
		assert_int_equal(uri.port, rows[i].port);
		assert_slice(uri.params, rows[i].params);
		sip_uri_free(&uri);
	}
}

static void malformed_uris_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"sip",
		"sip:",
		":",
		"example.com",
		"sip:@example.com",
		"sip:bob@",
		"sip:a@b@c",
		"sip:2001:db8::10",
		"sip:[2001:db8::10",
		"sip:[xyz]",
		"sip:[]",
		"sip:[::1]x",
		"sip:h:",
		"sip:h:0",
		"sip:h:65536",
		"sip:h:5060x",
		"sip:h:-1",
		"sip:h h",
		" sip:h",
		"sip:h ",
		"<sip:h>",
		"sip:\"h\"",
		"sip:h\\",
		"sip:a%zz@h",
		"sip:a%4@h",
		"sip:a%@h",
		"sip:a%00b@h",
		"sip:h?",
		"sip:h\xff",
		"sip:h/x",
		"sip::pw@h",
		"sip:a:@h",
		"1 sip:h",
	};
	struct sip_uri uri = {.port = 77};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (sip_uri_parse(slice_from(rows[i]), &uri) != -EINVAL)
			fail_msg("'%s' is taken", rows[i]);
	}
	assert_int_equal(sip_uri_parse((struct slice){"sip:a\0b@h", 9}, &uri), -EINVAL);
	assert_int_equal(sip_uri_parse((struct slice){NULL, 0}, &uri), -EINVAL);
	assert_int_equal(uri.port, 77);
}

static void assert_like_osip(const char *text)
{
	struct sip_uri ours;
	osip_uri_t *theirs;

	assert_int_equal(sip_uri_parse(slice_from(text), &ours), 0);
	assert_null(ours.owned);
	assert_int_equal(osip_uri_init(&theirs), 0);
	if (osip_uri_parse(theirs, text))
		fail_msg("osip2 does not take '%s'", text);
	assert_slice(ours.host, theirs->host);
	assert_int_equal(!ours.user.p, !theirs->username);
	if (theirs->username)
		assert_slice(ours.user, theirs->username);
	osip_uri_free(theirs);
}

/* Those that osip2 is not asked about, with every pair of the characters that they may have. */
static void plain_uris_need_no_memory_and_no_second_opinion(void **state)
{
	static const char characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789-._+";
	static const char *const asked[] = {"sip:a%62@h", "sip:a:b@h", "sip:a;b@h",
					    "sip:[::1]",  "sip:a*@h",  "sip:~@h"};
	struct sip_uri uri;
	char text[32];

	(void)state;
	for (const char *a = characters; *a; a++)
		for (const char *b = characters; *b; b++) {
			snprintf(text, sizeof(text), "sips:%c%c@h:5061", *a, *b);
			assert_like_osip(text);
			if (*a == '+' || *b == '+')
				continue;
			snprintf(text, sizeof(text), "sip:%c%c", *a, *b);
			assert_like_osip(text);
			snprintf(text, sizeof(text), "SIP:1@%c%c:9", *a, *b);
			assert_like_osip(text);
		}
	for (size_t i = 0; i < COUNT(asked); i++) {
		assert_int_equal(sip_uri_parse(slice_from(asked[i]), &uri), 0);
		assert_non_null(uri.owned);
		sip_uri_free(&uri);
	}
}

static void params_are_found(void **state)
{
	struct slice params = SLICE("a=1;LR;b = \"x;y\" ;c=;;d"), value = SLICE("before");

	(void)state;
	assert_true(sip_param_find(params, "A", &value));
	assert_slice(value, "1");
	assert_true(sip_param_find(params, "lr", &value));
	assert_int_equal(value.n, 0);
	assert_true(sip_param_find(params, "b", &value));
	assert_slice(value, "x;y");
	assert_true(sip_param_find(params, "c", &value));
	assert_int_equal(value.n, 0);
	assert_true(sip_param_find(params, "d", &value));
	assert_false(sip_param_find(params, "y\"", &value));
	assert_false(sip_param_find(SLICE(""), "a", &value));
	assert_false(sip_param_find(SLICE("lrx;xlr"), "lr", &value));
}

static void vias_are_read(void **state)
{
	struct sip_via via;

	(void)state;
	assert_int_equal(sip_via_parse(SLICE("SIP/2.0/UDP a.example:5070;branch=z9hG4bK1=;rport;"
					     "received=192.0.2.1;x=\"a;rport=1\""),
				       &via),
			 0);
	assert_slice(via.transport, "UDP");
	assert_slice(via.host, "a.example");
	assert_int_equal(via.port, 5070);
	assert_slice(via.branch, "z9hG4bK1=");
	assert_slice(via.received, "192.0.2.1");
	assert_true(via.has_rport);
	assert_int_equal(via.rport, 0);
	assert_int_equal(
		sip_via_parse(SLICE(" sip / 2.0\r\n / tls  [2001:db8::1] : 5061 ; rport = 7 ;"
				    " received=[2001:db8::9]"),
			      &via),
		0);
	assert_slice(via.transport, "tls");
	assert_slice(via.host, "2001:db8::1");
	assert_int_equal(via.port, 5061);
	assert_slice(via.received, "2001:db8::9");
	assert_int_equal(via.rport, 7);
	assert_int_equal(via.branch.n, 0);
}

static void malformed_vias_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"SIP/2.0/UDP",
		"SIP/2.0/UDP ",
		"SIP/2.0 a",
		"SIP/2.0/UDPa",
		"HTTP/2.0/UDP a",
		"SIP/3.0/UDP a",
		"SIP/2.0/UDP a;",
		"SIP/2.0/UDP a;;x",
		"SIP/2.0/UDP a b",
		"SIP/2.0/UDP a:",
		"SIP/2.0/UDP a:0",
		"SIP/2.0/UDP a:99999",
		"SIP/2.0/UDP [::1",
		"SIP/2.0/UDP [x]",
		"SIP/2.0/UDP ::1",
		"SIP/2.0/UDP a;branch",
		"SIP/2.0/UDP a;branch=",
		"SIP/2.0/UDP a;branch=1;Branch=2",
		"SIP/2.0/UDP a;rport;rport=1",
		"SIP/2.0/UDP a;received=1;received=2",
		"SIP/2.0/UDP a;rport=x",
		"SIP/2.0/UDP a;rport=0",
		"SIP/2.0/UDP a;received=",
		"SIP/2.0/UDP a;x=\"y",
		"SIP/2.0/UDP a;x=",
		"SIP/2.0/UDP a, SIP/2.0/UDP b",
		"SIP/2.0/UDP a;x y",
		"SIP/2.0/UDP <a>",
		"SIP/2.0/UDP a;branch=<1>",
		"SIP/2.0/UDP a;branch=\"1\"",
		"SIP/2.0/UDP a;received=\"1\"",
	};
	struct sip_via via = {.port = 77};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (sip_via_parse(slice_from(rows[i]), &via) != -EINVAL)
			fail_msg("'%s' is taken", rows[i]);
	}
	assert_int_equal(via.port, 77);
}

static void name_addrs_are_read(void **state)
{
	static const struct {
		const char *text, *display, *uri, *params, *tag;
	} rows[] = {
		{"sip:a@h", "", "sip:a@h", "", ""},
		{"sip:a@h;tag=1;x", "", "sip:a@h", "tag=1;x", "1"},
		{" sip:a@h\r\n ; tag  = 1", "", "sip:a@h", "tag  = 1", "1"},
		{"<sip:a@h;tag=no>", "", "sip:a@h;tag=no", "", ""},
		{"<sip:a@h;lr>;x;TAG=1", "", "sip:a@h;lr", "x;TAG=1", "1"},
		{"\"A \\\" <x>; B\" <sip:a@h>;tag=1", "A \\\" <x>; B", "sip:a@h", "tag=1", "1"},
		{"\"\"<sip:a@h>", "", "sip:a@h", "", ""},
		{"Alice B <sip:a@h>", "Alice B", "sip:a@h", "", ""},
		{"8..123<sip:a@h>", "8..123", "sip:a@h", "", ""},
		{"<sip:a,b;c?d@h?Route=%3Cx%3E>;q=0.5", "", "sip:a,b;c?d@h?Route=%3Cx%3E", "q=0.5",
		 ""},
		{"<sip:a@h>;+sip.instance=\"<urn:uuid:1;2>\";expires=60", "", "sip:a@h",
		 "+sip.instance=\"<urn:uuid:1;2>\";expires=60", ""},
		{"<tel:+1-2>", "", "tel:+1-2", "", ""},
	};
	struct sip_name_addr addr;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(sip_name_addr_parse(slice_from(rows[i].text), &addr), 0);
		assert_slice(addr.display, rows[i].display);
		assert_slice(addr.uri, rows[i].uri);
		assert_slice(addr.params, rows[i].params);
		assert_slice(addr.tag, rows[i].tag);
		assert_slice(sip_tag(slice_from(rows[i].text)), rows[i].tag);
	}
}

static void malformed_name_addrs_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"*",
		"<>",
		"a@h",
		"<a@h>",
		"<sip:a@h",
		"\"a <sip:a@h>",
		"\"a\" sip:a@h",
		"a \"b\" <sip:a@h>",
		"a, b <sip:a@h>",
		"< sip:a@h>",
		"<sip:a@h >",
		"<sip:a h>",
		"<sip:a@h>x",
		"<sip:a@h>;",
		"<sip:a@h>;;x",
		"<sip:a@h>;tag",
		"<sip:a@h>;tag=",
		"<sip:a@h>;tag=1;tag=1",
		"<sip:a@h>;x=\"y",
		"<sip:a@h>;x=a,b",
		"sip:a@h?x=y",
		"sip:a@h, sip:b@h",
		"<sip:a@h>, <sip:b@h>",
		"<<sip:a@h>>",
		"sip:a@h;tag=<1>",
		"sip:a@h;tag=\"1\"",
	};
	struct sip_name_addr addr = {.tag = SLICE("before")};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (sip_name_addr_parse(slice_from(rows[i]), &addr) != -EINVAL)
			fail_msg("'%s' is taken", rows[i]);
	}
	assert_slice(addr.tag, "before");
}

static void tag_of_a_broken_value_is_empty(void **state)
{
	(void)state;
	assert_slice(sip_tag(SLICE("\"a <sip:a@h>;tag=1")), "");
	assert_slice(sip_tag(SLICE("<sip:a@h;tag=1")), "");
	assert_slice(sip_tag(SLICE("")), "");
}

static unsigned allocations_left;

static void *scarce_malloc(size_t size)
{
	if (allocations_left == 0)
		return NULL;
	allocations_left--;
	return malloc(size);
}

static void *scarce_realloc(void *p, size_t size)
{
	if (allocations_left == 0)
		return NULL;
	allocations_left--;
	return realloc(p, size);
}

static int read_uri(void)
{
	struct sip_uri uri;
	int err = sip_uri_parse(SLICE("sips:b%6f:pw@h:5060;a=b;c?d=e&f=g"), &uri);

	if (!err)
		sip_uri_free(&uri);
	return err;
}

static int read_credentials(void)
{
	struct sip_credentials credentials;
	int err = sip_credentials_parse(SLICE("Digest username=\"\\a\""), &credentials);

	if (!err)
		sip_credentials_free(&credentials);
	return err;
}

static int read_challenges(void)
{
	struct sip_challenges challenges;
	int err = sip_challenges_parse(SLICE("Digest realm=\"\\a\", nonce=\"b\""), &challenges);

	if (!err)
		sip_challenges_free(&challenges);
	return err;
}

static void every_failed_allocation_is_told(void **state)
{
	static int (*const readers[])(void) = {read_uri, read_credentials, read_challenges};

	(void)state;
	assert_int_equal(read_uri(), 0); /* osip2 sets itself up */
	osip_set_allocators(scarce_malloc, scarce_realloc, free);
	for (size_t i = 0; i < COUNT(readers); i++) {
		unsigned allowed = 0;
		int err = -ENOMEM;

		for (; err && allowed < 100; allowed++) {
			allocations_left = allowed;
			err = readers[i]();
			assert_true(err == 0 || err == -ENOMEM);
		}
		assert_int_equal(err, 0);
		assert_true(allowed > 1);
	}
	osip_set_allocators(NULL, NULL, NULL);
}

/* RFC 3261 §19.1.4, with its own examples. */
static void uris_are_compared_as_the_rfc_says(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
		{"sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp",
		 true},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;security=on", true},
		{"sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on", true},
		{"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
		 "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com", true},
		{"sip:alice@atlanta.com?subject=project%20x&priority=urgent",
		 "sip:alice@atlanta.com?priority=urgent&subject=project%20x", true},
		{"SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP",
		 false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", false},
		{"sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false},
		{"sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", false},
		{"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", false},
		{"sip:bob@biloxi.com", "sips:bob@biloxi.com", false},
		{"sip:bob@biloxi.com", "sip:biloxi.com", false},
		{"sip:bob:x@biloxi.com", "sip:bob:X@biloxi.com", false},
		{"sip:bob@biloxi.com;maddr=192.0.2.1", "sip:bob@biloxi.com", false},
		{"sip:b@h;lr", "sip:b@h;LR", true},
		{"sip:a%3Bb@h", "sip:a;b@h", false},
		{"sip:a%3bb@h", "sip:a%3Bb@h", true},
		{"sip:u@[2001:db8::1]", "sip:u@[2001:DB8:0::1]", true},
		{"sip:h;a;b;c;d;e;f;g;h;i;j;k;l", "sip:h;l;k;j;i;h;g;f;e;d;c;b;a", true},
		{"sip:h;a;b;c;d;e;f;g;h;i;j;k;l;m", "sip:h;m;l;k;j;i;h;g;f;e;d;c;b;a", false},
		{"tel:+1", "tel:+1", true},
		{"tel:+1", "tel:+2", false},
		{"nonsense", "nonsense", true},
		{"nonsense", "sip:h", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice a = slice_from(rows[i].a), b = slice_from(rows[i].b);

		if (sip_uri_equal(a, b) != rows[i].equal || sip_uri_equal(b, a) != rows[i].equal)
			fail_msg("%s %s %s", rows[i].a, rows[i].equal ? "is not" : "is", rows[i].b);
	}
}

static void zeroed_values_may_be_freed(void **state)
{
	struct sip_uri uri = {0};
	struct sip_credentials credentials = {0};

	(void)state;
	sip_uri_free(&uri);
	sip_credentials_free(&credentials);
	sip_uri_free(NULL);
	sip_credentials_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uris_are_read),
		cmocka_unit_test(malformed_uris_are_refused),
		cmocka_unit_test(plain_uris_need_no_memory_and_no_second_opinion),
		cmocka_unit_test(params_are_found),
		cmocka_unit_test(vias_are_read),
		cmocka_unit_test(malformed_vias_are_refused),
		cmocka_unit_test(name_addrs_are_read),
		cmocka_unit_test(malformed_name_addrs_are_refused),
		cmocka_unit_test(tag_of_a_broken_value_is_empty),
		cmocka_unit_test(every_failed_allocation_is_told),
		cmocka_unit_test(uris_are_compared_as_the_rfc_says),
		cmocka_unit_test(zeroed_values_may_be_freed),
	};

	return cmocka_run_group_tests_name("sip_grammar", tests, NULL, NULL);
}
