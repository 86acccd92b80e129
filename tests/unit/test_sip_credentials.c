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
	"Digest username=\"alice\", realm=\"r\", nonce=\"n\", uri=\"sip:b@h\", "                   \
	"response=\"0123\", algorithm=SHA-256, cnonce=\"c\", opaque=\"\", qop=auth, nc=00000001"

static void credentials_are_read(void **state)
{
	struct sip_credentials got;

	(void)state;
	assert_int_equal(sip_credentials_parse(SLICE(PLAIN), &got), 0);
	assert_slice(got.scheme, "Digest");
	assert_slice(got.username, "alice");
	assert_slice(got.realm, "r");
	assert_slice(got.nonce, "n");
	assert_slice(got.uri, "sip:b@h");
	assert_slice(got.response, "0123");
	assert_slice(got.algorithm, "SHA-256");
	assert_slice(got.cnonce, "c");
	assert_slice(got.qop, "auth");
	assert_slice(got.nc, "00000001");
	assert_false(got.duplicate);
	assert_int_equal(got.opaque.n, 0);
	assert_non_null(got.opaque.p);
	sip_credentials_free(&got);
	assert_null(got.owned);
	sip_credentials_free(&got);
}

static void absent_parameters_differ_from_empty_ones(void **state)
{
	struct sip_credentials got;

	(void)state;
	assert_int_equal(sip_credentials_parse(SLICE("Digest qop=\"\""), &got), 0);
	assert_non_null(got.qop.p);
	assert_int_equal(got.qop.n, 0);
	assert_null(got.cnonce.p);
	assert_null(got.username.p);
	sip_credentials_free(&got);
}

static void quotes_and_order_and_spaces_do_not_matter(void **state)
{
	struct sip_credentials got;

	(void)state;
	assert_int_equal(
		sip_credentials_parse(SLICE("dIGEST\r\n NC=\"00000001\"\t,QOP = \"auth\" ,\r\n"
					    "\talgorithm=\"MD5\",x=y,Username=\"a\""),
				      &got),
		0);
	assert_slice(got.nc, "00000001");
	assert_slice(got.qop, "auth");
	assert_slice(got.algorithm, "MD5");
	assert_slice(got.username, "a");
	sip_credentials_free(&got);
}

static void quoted_pairs_are_unescaped(void **state)
{
	struct sip_credentials got;

	(void)state;
	assert_int_equal(
		sip_credentials_parse(
			SLICE("Digest username=\"a\\\"b\\\\c, realm=x\", realm=\"\\r\\\"\""), &got),
		0);
	assert_slice(got.username, "a\"b\\c, realm=x");
	assert_slice(got.realm, "r\"");
	sip_credentials_free(&got);
}

static void user_names_with_realms_and_utf8_stay_whole(void **state)
{
	struct sip_credentials got;

	(void)state;
	assert_int_equal(
		sip_credentials_parse(
			SLICE("Digest username=\"alice@r.example\", realm=\"\xd1\x80<,=;>\""),
			&got),
		0);
	assert_slice(got.username, "alice@r.example");
	assert_slice(got.realm, "\xd1\x80<,=;>");
	sip_credentials_free(&got);
}

static void parameter_that_stands_twice_is_told(void **state)
{
	static const char *const rows[] = {
		"Digest username=\"a\", username=\"b\"",
		"Digest realm=\"\", REALM=\"\"",
		"Digest nc=1, nc=1",
		"Digest username=\"a\", x=y, nonce=\"1\", nonce=\"2\"",
	};
	struct sip_credentials got;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(sip_credentials_parse(slice_from(rows[i]), &got), 0);
		assert_true(got.duplicate);
		sip_credentials_free(&got);
	}
}

static void foreign_schemes_are_named_only(void **state)
{
	struct sip_credentials got;

	(void)state;
	assert_int_equal(sip_credentials_parse(SLICE("NoOneKnows opaque-data=here"), &got), 0);
	assert_slice(got.scheme, "NoOneKnows");
	assert_null(got.username.p);
	sip_credentials_free(&got);
	assert_int_equal(sip_credentials_parse(SLICE("Basic dXNlcjpwYXNz=="), &got), 0);
	assert_slice(got.scheme, "Basic");
	sip_credentials_free(&got);
}

static void malformed_credentials_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		" ",
		"Digest",
		"Digest ",
		"Digest,",
		"Digest username",
		"Digest username=",
		"Digest username=\"a",
		"Digest username=\"a\\",
		"Digest username=\"a\\\"",
		"Digest username=\"a\"x",
		"Digest username=\"a\" realm=\"b\"",
		"Digest username=a b",
		"Digest username=\"a\",",
		"Digest ,username=\"a\"",
		"Digest username=\"a\",,realm=\"b\"",
		"Digest username=\"a\"; realm=\"b\"",
		"Digest =\"a\"",
		"Digest user name=\"a\"",
		"Digest uri=sip:a@h",
		"Digest username=\"a\r\n b\"",
		"Digest username=\"a\\\r\"",
		"Digest username=\"a\", Digest username=\"b\"",
		"=",
		"\"Digest\" a=b",
		"Digest=a",
	};
	struct sip_credentials got = {.duplicate = true};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (sip_credentials_parse(slice_from(rows[i]), &got) != -EINVAL)
			fail_msg("'%s' is taken", rows[i]);
	}
	assert_int_equal(sip_credentials_parse((struct slice){"Digest realm=\"a\0b\"", 18}, &got),
			 -EINVAL);
	assert_int_equal(sip_credentials_parse((struct slice){"Digest realm=\"\\\0\"", 17}, &got),
			 -EINVAL);
	assert_true(got.duplicate);
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

static void osip_reads_the_same_credentials(void **state)
{
	static const char *const rows[] = {
		PLAIN,
		"Digest username=\"a@b\",realm=\"x y\",nonce=\"1\",uri=\"sip:h\",response=\"2\"",
		"Digest  response=\"2\" , qop=\"auth\" ,nc=00000002,  cnonce=\"z\",uri=\"sip:h\", "
		"nonce=\"1\", realm=\"x\", username=\"a\"",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		osip_authorization_t *theirs;
		struct sip_credentials ours;

		assert_int_equal(osip_authorization_init(&theirs), 0);
		assert_int_equal(osip_authorization_parse(theirs, rows[i]), 0);
		assert_int_equal(sip_credentials_parse(slice_from(rows[i]), &ours), 0);
		assert_like_osip(ours.username, theirs->username);
		assert_like_osip(ours.realm, theirs->realm);
		assert_like_osip(ours.nonce, theirs->nonce);
		assert_like_osip(ours.uri, theirs->uri);
		assert_like_osip(ours.response, theirs->response);
		assert_like_osip(ours.cnonce, theirs->cnonce);
		assert_like_osip(ours.qop, theirs->message_qop);
		assert_like_osip(ours.nc, theirs->nonce_count);
		assert_like_osip(ours.algorithm, theirs->algorithm);
		sip_credentials_free(&ours);
		osip_authorization_free(theirs);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(credentials_are_read),
		cmocka_unit_test(absent_parameters_differ_from_empty_ones),
		cmocka_unit_test(quotes_and_order_and_spaces_do_not_matter),
		cmocka_unit_test(quoted_pairs_are_unescaped),
		cmocka_unit_test(user_names_with_realms_and_utf8_stay_whole),
		cmocka_unit_test(parameter_that_stands_twice_is_told),
		cmocka_unit_test(foreign_schemes_are_named_only),
		cmocka_unit_test(malformed_credentials_are_refused),
		cmocka_unit_test(osip_reads_the_same_credentials),
	};

	return cmocka_run_group_tests_name("sip_credentials", tests, NULL, NULL);
}
