/* SPDX-License-Identifier: BSD-2-Clause */
/* The commands for ACLs and the host names in them, without a filter. */
#include "cli_fixture.h"

static void an_acl_is_made_filled_shown_and_deleted(void **state)
{
	(void)state;
	expect_success("acl create office --note 'the office'", "created ACL office");
	expect_failure("acl create office", 4, "there is one already");
	expect_success("acl add office 192.0.2.0/24 2001:db8::/32 --note hq",
		       "ACL office: 2 added");
	assert_non_null(strstr(err, "`sipward trunk attach TRUNK --acl office` attaches it"));
	assert_non_null(strstr(err, "no filter is attached"));
	expect_success("acl add office 192.0.2.0/24", "0 added, the others were there already");
	expect_success("acl add office 192.0.2.66 --deny", "1 added");
	expect_success("acl show office", "deny   192.0.2.66\n");
	expect_success("acl remove office 192.0.2.0/24", "1 removed");
	expect_failure("acl remove office 192.0.2.0/24", 3, "192.0.2.0/24");
	expect_success("acl delete office", "deleted ACL office");
	expect_failure("acl show office", 3, "office");
	expect_success("acl list", "there are no ACLs");
}

static void wrong_prefixes_add_nothing(void **state)
{
	(void)state;
	expect_success("acl create a", "");
	expect_failure("acl add a 192.0.2.1 192.0.2.1/24", 2, "192.0.2.0/24 was probably meant");
	expect_failure("acl add a 192.0.2.1 gate.example/24", 2, "gate.example");
	expect_failure("acl add nobody 192.0.2.1", 3, "nobody");
	expect_success("acl show a", "prefixes 0");
}

/* The server in the configuration does not answer. */
static void host_names_stand_in_acls_beside_prefixes(void **state)
{
	(void)state;
	expect_success("acl create a", "");
	expect_success("acl add a 192.0.2.1 Gate.example. --note x", "ACL a: 2 added");
	assert_non_null(strstr(err, "note: gate.example is not resolved yet: gate.example: "));
	assert_non_null(strstr(err, "`sipward acl refresh` tries again"));
	expect_success("acl show a", "ACL a: prefixes 1, host names 1, trunks 0\n");
	expect_success("acl show a", "\nallow  gate.example         x\n       failed: ");
	expect_success("acl show a", "\n       never resolved yet\n");
	expect_success("printf '_sip._udp.example deny # all\\n' | sipward acl import a -",
		       "ACL a: 1 added");
	expect_success("acl list", "a           1      2       0");
	json_t *acl = json_of("acl show a");
	json_t *hosts = json_object_get(acl, "hosts");
	assert_int_equal(json_array_size(hosts), 2);
	json_t *first = json_array_get(hosts, 0);
	assert_string_equal(json_string_value(json_object_get(first, "host")), "_sip._udp.example");
	assert_true(json_is_true(json_object_get(first, "srv")));
	assert_true(json_is_true(json_object_get(first, "deny")));
	assert_true(json_is_null(json_object_get(first, "resolved")));
	assert_true(json_is_string(json_object_get(first, "failure")));
	assert_int_equal(json_array_size(json_object_get(acl, "entries")), 1);
	json_decref(acl);
	expect_success("acl remove a GATE.example 192.0.2.1", "ACL a: 2 removed");
	expect_failure("acl remove a gate.example", 3, "gate.example");
}

static void a_mistyped_address_is_no_host_name(void **state)
{
	static const char *const texts[] = {
		"192.0.2.300",	     "192.0.2", "192.0.2.1O", "10.",	     "192.0.2.1:5060",
		"gate.example:5060", "fe80::x", ".",	      "192.0.2.0/2A"};
	char command[64];
	(void)state;
	expect_success("acl create a", "");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		snprintf(command, sizeof(command), "acl add a 192.0.2.1 %s", texts[i]);
		expect_failure(command, 2, "prefix \"");
	}
	expect_failure("acl add a 192.0.2.1 b.example c-.example", 2, "c-.example");
	expect_success("acl show a", "prefixes 0, host names 0");
}

static void acl_refresh_fails_while_a_host_can_not_be_resolved(void **state)
{
	(void)state;
	expect_success("acl create a", "");
	expect_success("acl refresh", "there are no host names");
	expect_success("acl add a b.example c.example", "2 added");
	assert_int_equal(sipward("acl refresh a"), 1);
	assert_non_null(strstr(err, "2 of 2 host names could not be resolved; they keep"));
	assert_non_null(strstr(out, "b.example  -          -    b.example: "));
	expect_failure("acl refresh b", 3, "there is none of this name");
}

static void acl_show_is_valid_json(void **state)
{
	(void)state;
	expect_success("acl create a --note 'say \"hi\"'", "");
	json_t *empty = json_of("acl show a");
	assert_int_equal(json_array_size(json_object_get(empty, "entries")), 0);
	json_decref(empty);
	expect_success("acl add a 192.0.2.1 192.0.2.2 --note \"it's \\\\\"", "");
	json_t *acl = json_of("acl show a");
	json_t *entries = json_object_get(acl, "entries");
	assert_int_equal(json_array_size(entries), 2);
	json_t *first = json_array_get(entries, 0);
	assert_string_equal(json_string_value(json_object_get(first, "prefix")), "192.0.2.1");
	assert_string_equal(json_string_value(json_object_get(first, "note")), "it's \\");
	assert_string_equal(json_string_value(json_object_get(acl, "note")), "say \"hi\"");
	json_decref(acl);
}

static void import_takes_all_or_nothing(void **state)
{
	(void)state;
	expect_success("acl create a", "");
	expect_success(
		"printf '# x\\n\\n10.0.0.0/8 deny # bad\\r\\n 192.0.2.1\\t#n\\n2001:db8::/32' | "
		"sipward acl import a -",
		"ACL a: 3 added");
	expect_success("acl show a", "deny   10.0.0.0/8           bad\n");
	expect_failure(
		"printf '198.51.100.0/24\\n300.1.1.1\\n' >$D/l | cat; sipward acl import a $D/l", 2,
		"/l line 2: prefix \"300.1.1.1\"");
	expect_failure("printf '198.51.100.0/24 allow\\n' | sipward acl import a -", 2,
		       "- line 1: 'allow' after the prefix is not 'deny'");
	expect_failure("acl import a /nonexistent", 3, "can not open /nonexistent");
	expect_failure("acl import a /tmp", 1, "can not read /tmp");
	json_t *acl = json_of("acl show a");
	assert_int_equal(json_integer_value(json_object_get(acl, "prefixes")), 3);
	json_decref(acl);
}

int main(void)
{
	leave_network();
	const struct CMUnitTest tests[] = {
		TEST(an_acl_is_made_filled_shown_and_deleted),
		TEST(wrong_prefixes_add_nothing),
		TEST(host_names_stand_in_acls_beside_prefixes),
		TEST(a_mistyped_address_is_no_host_name),
		TEST(acl_refresh_fails_while_a_host_can_not_be_resolved),
		TEST(acl_show_is_valid_json),
		TEST(import_takes_all_or_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
