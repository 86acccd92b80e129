/* SPDX-License-Identifier: BSD-2-Clause */
/* Settings that are text or depend on each other, and what follows from them elsewhere. */
#include <errno.h>

#include "store/internal.h"
#include "store_fixture.h"

static struct store_settings settings_now(struct fixture *f)
{
	struct store_settings settings;

	assert_ok(f, store_settings_get(f->store, &settings, &f->err));
	return settings;
}

static int set(struct fixture *f, const struct store_settings *settings)
{
	return store_settings_set(f->store, settings, &f->err);
}

static void texts_are_kept_with_one_blank_between_names(void **state)
{
	struct fixture *f = *state;
	struct store_settings settings = settings_now(f);
	uint64_t before;

	assert_string_equal(settings.header_prefix, "X-Sipward-");
	assert_string_equal(settings.reserved_headers, "");
	strcpy(settings.header_prefix, "X-Acme-");
	strcpy(settings.reserved_headers, "  PH-*  ClientRegion x!y* ");
	settings.register_contacts = 3;
	settings.user_names_utf8 = true;
	assert_ok(f, set(f, &settings));
	assert_last_audit(f, "settings: register_contacts from 10 to 3, user_names_utf8 from off "
			     "to on, header_prefix from \"X-Sipward-\" to \"X-Acme-\", "
			     "reserved_headers from \"\" to \"PH-* ClientRegion x!y*\"");
	settings = settings_now(f);
	assert_string_equal(settings.header_prefix, "X-Acme-");
	assert_string_equal(settings.reserved_headers, "PH-* ClientRegion x!y*");
	assert_int_equal(settings.register_contacts, 3);
	before = generation(f);
	strcat(settings.reserved_headers, " ");
	assert_ok(f, set(f, &settings));
	assert_int_equal(generation(f), before);
}

static void header_prefixes_that_break_the_rules_are_refused(void **state)
{
	static const char *const wrong[] = {
		"",    "-",    "X",	"1-",	     "X_-",
		"X -", "X-:-", "X-\n-", "\xc3\x84-", "X23456789012345678901234567890123456789-"};
	struct fixture *f = *state;
	struct store_settings settings = settings_now(f);

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(settings.header_prefix, sizeof(settings.header_prefix), "%s", wrong[i]);
		assert_refused(f, -EINVAL, "header-prefix", set(f, &settings));
	}
	strcpy(settings.header_prefix, "X2345678901234567890123456789012345-7-");
	assert_ok(f, set(f, &settings));
}

static void reserved_headers_that_would_break_calls_are_refused(void **state)
{
	static const char *const wrong[] = {"*",     "PH:*", "a,b",   "X* **",	"A*B",
					    "X-\t*", "via",  "Cont*", "X-A c*", "\xff"};
	struct fixture *f = *state;
	struct store_settings settings = settings_now(f);

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		strcpy(settings.reserved_headers, wrong[i]);
		assert_refused(f, -EINVAL, "reserved-headers", set(f, &settings));
	}
	memset(settings.reserved_headers, 'x', sizeof(settings.reserved_headers) - 1);
	assert_ok(f, set(f, &settings));
	settings.reserved_headers[200] = '\r';
	assert_refused(f, -EINVAL, "reserved-headers", set(f, &settings));
}

static void settings_that_contradict_each_other_are_refused(void **state)
{
	struct fixture *f = *state;
	struct store_settings settings = settings_now(f);

	settings.nonce_rotation_s = 299;
	assert_refused(f, -EINVAL, "nonce-lifetime 300 s: must be no longer than nonce-rotation",
		       set(f, &settings));
	settings = settings_now(f);
	settings.register_min_s = 3601;
	assert_refused(f, -EINVAL, "register-min 3601 s", set(f, &settings));
	settings = settings_now(f);
	settings.register_max_s = 3599;
	assert_refused(f, -EINVAL, "register-default 3600 s", set(f, &settings));
	settings = settings_now(f);
	settings.source_v6_bits = 65;
	assert_refused(f, -EINVAL, "from 32 to 64", set(f, &settings));
	settings = settings_now(f);
	settings.register_contacts = 0;
	assert_refused(f, -EINVAL, "register_contacts 0", set(f, &settings));
}

/* ---- names, lists, limits ---- */

static void user_names_may_be_utf8_where_the_setting_says_so(void **state)
{
	static const char *const wrong[] = {"a@b", "a:bc", "ab\n", "\xc3\x28zz", "x\xc2\x80y"};
	static const char name[] = "J\xc3\xbcrgen \"the\" 2nd";
	struct fixture *f = *state;
	struct store_settings settings = settings_now(f);
	char long_name[STORE_USER_SIZE + 1];

	assert_refused(f, -EINVAL, "only letters", store_user_name_check(f->store, name, &f->err));
	settings.user_names_utf8 = true;
	assert_ok(f, set(f, &settings));
	assert_ok(f, store_user_name_check(f->store, name, &f->err));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_refused(f, -EINVAL, "user name",
			       store_user_name_check(f->store, wrong[i], &f->err));
	assert_refused(f, -EINVAL, "3 to 64", store_user_name_check(f->store, "\xc3\xbc", &f->err));
	memset(long_name, 'x', sizeof(long_name));
	long_name[STORE_USER_SIZE] = '\0';
	assert_refused(f, -EINVAL, "3 to 64", store_user_name_check(f->store, long_name, &f->err));
}

static const struct store_ha1 ha1 = {{{1}, {2}, {3}}, {{4}, {5}, {6}}};

static int keep_user(const struct store_user *user, void *arg)
{
	*(struct store_user *)arg = *user;
	return 0;
}

static void passwords_are_kept_for_name_at_realm_too(void **state)
{
	static const struct store_ha1 other = {{{11}, {12}, {13}}, {{14}, {15}, {16}}};
	struct fixture *f = *state;
	struct store_credentials list;
	struct store_user user = {0};
	uint64_t before;

	assert_ok(f, store_credentials_create(f->store, "c", "r", &f->err));
	assert_ok(f, store_user_add(f->store, "c", "alice", &ha1, &f->err));
	assert_ok(f, store_user_each(f->store, "c", keep_user, &user, &f->err));
	assert_memory_equal(&user.ha1, &ha1, sizeof(ha1));
	assert_ok(f, store_user_passwd(f->store, "c", "alice", &other, &f->err));
	assert_ok(f, store_user_each(f->store, "c", keep_user, &user, &f->err));
	assert_memory_equal(&user.ha1, &other, sizeof(other));
	assert_ok(f, store_credentials_set(f->store, "c", true, &f->err));
	assert_ok(f, store_credentials_get(f->store, "c", &list, &f->err));
	assert_true(list.at_realm);
	assert_int_equal(list.users, 1);
	before = generation(f);
	assert_ok(f, store_credentials_set(f->store, "c", true, &f->err));
	assert_int_equal(generation(f), before);
	assert_refused(f, -ENOENT, "\"d\"", store_credentials_set(f->store, "d", true, &f->err));
}

static void limits_of_acls_and_users_name_their_setting(void **state)
{
	struct fixture *f = *state;
	struct store_settings settings = settings_now(f);

	settings.acl_limit = 1;
	settings.user_limit = 2;
	assert_ok(f, set(f, &settings));
	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_refused(f, -EINVAL, "2 ACLs: the setting acl-limit allows 1",
		       store_acl_create(f->store, "b", "", &f->err));
	assert_ok(f, store_credentials_create(f->store, "c", "r", &f->err));
	assert_ok(f, store_credentials_create(f->store, "d", "r", &f->err));
	assert_ok(f, store_user_add(f->store, "c", "alice", &ha1, &f->err));
	assert_ok(f, store_user_add(f->store, "d", "bob", &ha1, &f->err));
	assert_refused(f, -EINVAL, "3 users: the setting user-limit allows 2",
		       store_user_add(f->store, "d", "carol", &ha1, &f->err));
	assert_ok(f, store_user_passwd(f->store, "d", "bob", &ha1, &f->err));
	assert_ok(f, store_user_remove(f->store, "d", "bob", &f->err));
	assert_ok(f, store_user_add(f->store, "d", "carol", &ha1, &f->err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(texts_are_kept_with_one_blank_between_names),
		STORE_TEST(header_prefixes_that_break_the_rules_are_refused),
		STORE_TEST(reserved_headers_that_would_break_calls_are_refused),
		STORE_TEST(settings_that_contradict_each_other_are_refused),
		STORE_TEST(user_names_may_be_utf8_where_the_setting_says_so),
		STORE_TEST(passwords_are_kept_for_name_at_realm_too),
		STORE_TEST(limits_of_acls_and_users_name_their_setting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
