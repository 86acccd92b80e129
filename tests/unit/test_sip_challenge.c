/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <osipparser2/osip_parser.h>
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

#define PLAIN                                                                                      \
	"Digest algorithm=SHA-256, realm=\"r\", nonce=\"n\", opaque=\"\", qop=\"auth,auth-int\", " \
	"stale=TRUE, userhash=true, charset=UTF-8, domain=\"sip:a sip:b\""

static void a_challenge_is_read(void **state)
{
	struct sip_challenges got;

	(void)state;
	assert_int_equal(sip_challenges_parse(SLICE(PLAIN), &got), 0);
	assert_int_equal(got.count, 1);
	assert_slice(got.list[0].scheme, "Digest");
	assert_slice(got.list[0].realm, "r");
	assert_slice(got.list[0].nonce, "n");
	assert_slice(got.list[0].algorithm, "SHA-256");
	assert_slice(got.list[0].qop, "auth,auth-int");
	assert_slice(got.list[0].stale, "TRUE");
	assert_slice(got.list[0].userhash, "true");
	assert_slice(got.list[0].charset, "UTF-8");
	assert_int_equal(got.list[0].opaque.n, 0);
	assert_non_null(got.list[0].opaque.p);
	assert_false(got.list[0].duplicate);
	sip_challenges_free(&got);
	assert_int_equal(got.count, 0);
	sip_challenges_free(&got);
}

static void several_challenges_in_one_field_are_told_apart(void **state)
{
	struct sip_challenges got;

	(void)state;
	assert_int_equal(
		sip_challenges_parse(SLICE("Negotiate, dIGEST\r\n realm = \"a, Digest b=c\","
					   "nonce=\"1\" ,Basic realm=\"x\", more=z ,\r\n"
					   "\tDigest realm=\"b\\\"\\\\\", nonce=2, qop=auth, NTLM "
					   "TlRMTVNTUAAC+/==, Digest nonce=\"3\""),
				     &got),
		0);
	assert_int_equal(got.count, 6);
	assert_slice(got.list[0].scheme, "Negotiate");
	assert_slice(got.list[1].scheme, "dIGEST");
	assert_slice(got.list[1].realm, "a, Digest b=c");
	assert_slice(got.list[1].nonce, "1");
	assert_null(got.list[1].qop.p);
	assert_slice(got.list[2].scheme, "Basic");
	assert_null(got.list[2].realm.p);
	assert_slice(got.list[3].realm, "b\"\\");
	assert_slice(got.list[3].nonce, "2");
	assert_slice(got.list[3].qop, "auth");
	assert_slice(got.list[4].scheme, "NTLM");
	assert_slice(got.list[5].nonce, "3");
	assert_null(got.list[5].realm.p);
	sip_challenges_free(&got);
}

static void a_parameter_that_stands_twice_is_told_of_its_challenge(void **state)
{
	struct sip_challenges got;

	(void)state;
	assert_int_equal(
		sip_challenges_parse(
			SLICE("Digest realm=\"a\", nonce=\"\", NONCE=\"2\", Digest realm=\"b\", "
			      "nonce=\"3\", x=1, x=2"),
			&got),
		0);
	assert_int_equal(got.count, 2);
	assert_true(got.list[0].duplicate);
	assert_slice(got.list[0].nonce, "");
	assert_false(got.list[1].duplicate);
	sip_challenges_free(&got);
}

static void as_many_as_the_limit_and_no_more(void **state)
{
	static const char text[] = "Digest nonce=1, A, B, C, D, E, F, G, H";
	struct sip_challenges got = {.count = 77};

	(void)state;
	assert_int_equal(sip_challenges_parse(SLICE(text), &got), -E2BIG);
	assert_int_equal(got.count, 77);
	assert_int_equal(sip_challenges_parse((struct slice){text, sizeof(text) - 4}, &got), 0);
	assert_int_equal(got.count, SIP_CHALLENGES_MAX);
	sip_challenges_free(&got);
}

static void malformed_challenges_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		" ",
		",",
		"Digest",
		"Digest ",
		"Digest,",
		"Digest, realm=\"a\"",
		"realm=\"a\"",
		"realm = \"a\"",
		"Digest realm",
		"Digest realm=",
		"Digest realm=\"a",
		"Digest realm=\"a\\",
		"Digest realm=\"a\\\"",
		"Digest realm=\"a\"x",
		"Digest realm=\"a\" nonce=\"b\"",
		"Digest realm=\"a\",",
		"Digest realm=\"a\",,nonce=\"b\"",
		"Digest ,realm=\"a\"",
		"Digest realm=\"a\"; nonce=\"b\"",
		"Digest =\"a\"",
		"Digest Digest realm=\"a\"",
		"Digest realm=\"a\r\n b\"",
		"Digest realm=\"a\\\r\"",
		"Digest=a",
		"\"Digest\" a=b",
		"Digest realm=\"a\", Digest",
	};
	struct sip_challenges got = {.count = 77};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (sip_challenges_parse(slice_from(rows[i]), &got) != -EINVAL)
			fail_msg("'%s' is taken", rows[i]);
	}
	assert_int_equal(sip_challenges_parse((struct slice){"Digest realm=\"a\0b\"", 18}, &got),
			 -EINVAL);
	assert_int_equal(got.count, 77);
}

/* osip2 keeps the quotes. */
static void assert_like_osip(struct slice ours, const char *theirs)
{
	struct slice text = slice_from(theirs);

	if (text.n >= 2 && text.p[0] == '"') {
		text.p++;
		text.n -= 2;
	}
	assert_int_equal(!ours.p, !theirs);
	assert_true(slice_eq(ours, text));
}

static void osip_reads_the_same_challenge(void **state)
{
	static const char *const rows[] = {
		"Digest algorithm=MD5, realm=\"r\", nonce=\"n\", opaque=\"o\", "
		"qop=\"auth,auth-int\", "
		"stale=TRUE",
		"Digest  nonce=\"1\" ,stale=false,  realm=\"x y\"",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		osip_www_authenticate_t *theirs;
		struct sip_challenges ours;

		assert_int_equal(osip_www_authenticate_init(&theirs), 0);
		assert_int_equal(osip_www_authenticate_parse(theirs, rows[i]), 0);
		assert_int_equal(sip_challenges_parse(slice_from(rows[i]), &ours), 0);
		assert_like_osip(ours.list[0].realm, theirs->realm);
		assert_like_osip(ours.list[0].nonce, theirs->nonce);
		assert_like_osip(ours.list[0].opaque, theirs->opaque);
		assert_like_osip(ours.list[0].algorithm, theirs->algorithm);
		assert_like_osip(ours.list[0].qop, theirs->qop_options);
		assert_like_osip(ours.list[0].stale, theirs->stale);
		sip_challenges_free(&ours);
		osip_www_authenticate_free(theirs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_challenge_is_read),
		cmocka_unit_test(several_challenges_in_one_field_are_told_apart),
		cmocka_unit_test(a_parameter_that_stands_twice_is_told_of_its_challenge),
		cmocka_unit_test(as_many_as_the_limit_and_no_more),
		cmocka_unit_test(malformed_challenges_are_refused),
		cmocka_unit_test(osip_reads_the_same_challenge),
	};

	return cmocka_run_group_tests_name("sip_challenge", tests, NULL, NULL);
}
