/* SPDX-License-Identifier: BSD-2-Clause */
/* Names in upstreams' URIs are resolved as they are given. */
#include "cli_fixture.h"

#define TRUNK "trunk create t --domain sip.example --upstream "

static void a_name_is_resolved_at_once(void **state)
{
	(void)state;
	expect_success(TRUNK "sip:localhost:5070", "sip:localhost:5070: udp/127.0.0.1:5070");
	assert_non_null(strstr(out, "\ncreated trunk t, "));
	expect_success("trunk set t --upstream 'sip:LocalHost.;transport=tcp'",
		       "sip:localhost;transport=tcp: tcp/127.0.0.1:5060");
	expect_success("audit", "upstream sip:localhost;transport=tcp is now tcp/127.0.0.1:5060");
}

/* The server in the configuration does not answer. */
static void a_name_that_dns_does_not_tell_is_no_error(void **state)
{
	(void)state;
	expect_success(TRUNK "sip:pbx.example", "created trunk t, ");
	assert_non_null(strstr(err, "note: sip:pbx.example is not resolved yet: "));
	assert_non_null(strstr(err, "; it is tried again as the daemon starts\n"));
	assert_null(strstr(out, "pbx.example"));
	expect_success("trunk set t --number +4930123", "changed trunk t");
	assert_null(strstr(err, "resolved"));
}

static void an_address_is_not_asked_for(void **state)
{
	(void)state;
	expect_success("trunk create t --domain sip.example --upstream 'sip:[2001:db8::1]'",
		       "created trunk t, ");
	assert_int_equal(strncmp(out, "created", 7), 0);
	assert_null(strstr(err, "resolved"));
}

static void json_has_the_object_alone(void **state)
{
	(void)state;
	json_t *created = json_of(TRUNK "sip:localhost");
	assert_string_equal(json_string_value(json_object_get(created, "created")), "t");
	json_decref(created);
	json_decref(json_of("trunk set t --upstream sip:pbx.example"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_name_is_resolved_at_once),
		TEST(a_name_that_dns_does_not_tell_is_no_error),
		TEST(an_address_is_not_asked_for),
		TEST(json_has_the_object_alone),
	};
	leave_network();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
