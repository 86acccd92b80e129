/* SPDX-License-Identifier: BSD-2-Clause */
/* The limits of DESIGN §8, at their last value and at the first beyond, each with its sentence. */
#include <errno.h>

#include "store_fixture.h"

/* So many bytes of 'x'. */
static const char *text(size_t n)
{
	static char buf[400];

	assert_true(n < sizeof(buf));
	memset(buf, 'x', n);
	buf[n] = '\0';
	return buf;
}

static const struct store_ha1 ha1;

/* ---- names ---- */

static void names_have_120_bytes_at_most(void **state)
{
	struct fixture *f = *state;
	struct store_trunk trunk;

	assert_ok(f, store_acl_create(f->store, text(120), "", &f->err));
	assert_refused(f, -EINVAL, "ACL name \"xxx",
		       store_acl_create(f->store, text(121), "", &f->err));
	assert_refused(f, -EINVAL, "is longer than 120 bytes",
		       store_acl_create(f->store, text(121), "", &f->err));
	assert_refused(f, -EINVAL, "ACL name: is empty",
		       store_acl_create(f->store, "", "", &f->err));
	assert_ok(f, store_credentials_create(f->store, text(120), "r", &f->err));
	assert_refused(f, -EINVAL, "credential list name \"xxx",
		       store_credentials_create(f->store, text(121), "r", &f->err));
	assert_refused(f, -EINVAL, "realm \"xxx",
		       store_credentials_create(f->store, "c", text(121), &f->err));
	/* A struct has no room for more. */
	store_trunk_defaults(&trunk);
	strcpy(trunk.name, text(120));
	strcpy(trunk.domain, "*");
	assert_ok(f, store_trunk_create(f->store, &trunk, "sip:192.0.2.1", &f->err));
}

static void user_names_have_3_to_64_letters_digits_dots_underscores_and_hyphens(void **state)
{
	static const char *const wrong[] = {"a b",
					    "a@b",
					    "a:b",
					    "a/b",
					    "a\"b",
					    "a\\b",
					    "a\tb",
					    "a\x7f"
					    "b",
					    "\xc3\xa4rger"};
	struct fixture *f = *state;

	assert_ok(f, store_credentials_create(f->store, "c", "r", &f->err));
	assert_ok(f, store_user_add(f->store, "c", "abc", &ha1, &f->err));
	assert_ok(f, store_user_add(f->store, "c", text(64), &ha1, &f->err));
	assert_ok(f, store_user_add(f->store, "c", "A.b_c-9", &ha1, &f->err));
	assert_refused(f, -EINVAL, "must have 3 to 64 bytes",
		       store_user_add(f->store, "c", "ab", &ha1, &f->err));
	assert_refused(f, -EINVAL, "must have 3 to 64 bytes",
		       store_user_add(f->store, "c", text(65), &ha1, &f->err));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_refused(f, -EINVAL, "only letters, digits, '.', '_' and '-' are allowed",
			       store_user_add(f->store, "c", wrong[i], &ha1, &f->err));
}

/* ---- notes ---- */

static void notes_have_255_bytes_at_most(void **state)
{
	struct store_acl_entry entry = {.prefix = prefix("10.0.0.0/8")};
	struct store_acl_host host = {.host = "sip.example"};
	struct fixture *f = *state;

	assert_ok(f, store_acl_create(f->store, "a", text(255), &f->err));
	assert_refused(f, -EINVAL, "is longer than 255 bytes",
		       store_acl_create(f->store, "b", text(256), &f->err));
	assert_refused(f, -EINVAL, "is longer than 255 bytes",
		       store_acl_note(f->store, "a", text(256), &f->err));
	/* A struct has no room for more. */
	strcpy(entry.note, text(255));
	assert_ok(f, store_acl_add(f->store, "a", &entry, 1, NULL, &f->err));
	strcpy(host.note, text(255));
	assert_ok(f, store_acl_host_add(f->store, "a", &host, &f->err));
	assert_refused(f, -EINVAL, "is longer than 255 bytes",
		       store_acl_host_note(f->store, "a", "sip.example", text(256), &f->err));
	assert_refused(f, -EINVAL, "note \"a?b\": holds a control character",
		       store_acl_note(f->store, "a", "a\033b", &f->err));
}

/* ---- passwords ---- */

/* "Aa1" and so many more. */
static const char *password(size_t n)
{
	static char buf[400 + 3];

	snprintf(buf, sizeof(buf), "Aa1%s", text(n - 3));
	return buf;
}

static void passwords_have_8_to_128_bytes_of_three_kinds(void **state)
{
	struct fixture *f = *state;

	assert_ok(f, store_password_check(password(8), &f->err));
	assert_ok(f, store_password_check(password(128), &f->err));
	assert_refused(f, -EINVAL, "must have 8 to 128 bytes, this has 7",
		       store_password_check(password(7), &f->err));
	assert_refused(f, -EINVAL, "must have 8 to 128 bytes, this has 129",
		       store_password_check(password(129), &f->err));
	assert_refused(f, -EINVAL,
		       "must hold an upper-case letter, a lower-case letter and a digit",
		       store_password_check("abcdefg1", &f->err));
	assert_refused(f, -EINVAL,
		       "must hold an upper-case letter, a lower-case letter and a digit",
		       store_password_check("ABCDEFG1", &f->err));
	assert_refused(f, -EINVAL,
		       "must hold an upper-case letter, a lower-case letter and a digit",
		       store_password_check("Abcdefgh", &f->err));
	assert_refused(f, -EINVAL, "holds a control character",
		       store_password_check("Abcdef1\x1b", &f->err));
}

/* ---- prefixes ---- */

static void prefix_lengths_are_those_of_the_family(void **state)
{
	static const char *const right[] = {"0.0.0.0/0", "10.1.2.3/32", "::/0", "2001:db8::1/128"};
	static const struct {
		const char *prefix, *why;
	} wrong[] = {
		{"10.0.0.0/33", "prefix \"10.0.0.0/33\": the length must be 0 to 32"},
		{"::/129", "prefix \"::/129\": the length must be 0 to 128"},
		{"10.1.2.3/8",
		 "prefix \"10.1.2.3/8\": host bits are set; 10.0.0.0/8 was probably meant"},
		{"0.0.0.1/0", "0.0.0.0/0 was probably meant"},
		{"10.1.2.3/31", "10.1.2.2/31 was probably meant"},
		{"2001:db8::1/127", "2001:db8::/127 was probably meant"},
		{"2001:db8:ffff::/33", "2001:db8:8000::/33 was probably meant"},
	};
	struct store_acl_entry entry = {.prefix = {.ip = {4, {10, 0, 0, 1}}, .len = 8}};
	struct fixture *f = *state;
	struct prefix value;

	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		assert_ok(f, allow(f, "a", right[i]));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_refused(f, -EINVAL, wrong[i].why,
			       prefix_parse(slice_from(wrong[i].prefix), &value, &f->err));
	assert_refused(f, -EINVAL, "host bits are set",
		       store_acl_add(f->store, "a", &entry, 1, NULL, &f->err));
}

/* ---- how many there may be ---- */

static void set_limit(struct fixture *f, unsigned acls, unsigned entries, unsigned users)
{
	struct store_settings settings;

	assert_ok(f, store_settings_get(f->store, &settings, &f->err));
	settings.acl_limit = acls;
	settings.acl_entry_limit = entries;
	settings.user_limit = users;
	assert_ok(f, store_settings_set(f->store, &settings, &f->err));
}

static void numbers_of_things_are_limited_only_where_set(void **state)
{
	struct fixture *f = *state;
	char name[16];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "acl-%d", i);
		assert_ok(f, store_acl_create(f->store, name, "", &f->err));
	}
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "10.0.0.%d", i);
		assert_ok(f, allow(f, "acl-0", name));
	}
	assert_ok(f, store_credentials_create(f->store, "c", "r", &f->err));
	assert_ok(f, store_user_add(f->store, "c", "alice", &ha1, &f->err));
	set_limit(f, 100, 50, 1);
	assert_refused(f, -EINVAL, "101 ACLs: the setting acl-limit allows 100",
		       store_acl_create(f->store, "more", "", &f->err));
	assert_refused(f, -EINVAL, "51 entries in one ACL: the setting acl-entry-limit allows 50",
		       allow(f, "acl-0", "10.0.0.50"));
	assert_refused(f, -EINVAL, "2 users: the setting user-limit allows 1",
		       store_user_add(f->store, "c", "bob", &ha1, &f->err));
	set_limit(f, 101, 51, 2);
	assert_ok(f, store_acl_create(f->store, "more", "", &f->err));
	assert_ok(f, allow(f, "acl-0", "10.0.0.50"));
	assert_ok(f, store_user_add(f->store, "c", "bob", &ha1, &f->err));
	set_limit(f, 0, 0, 0);
	assert_ok(f, store_acl_create(f->store, "and more", "", &f->err));
}

/* ---- what is attached ---- */

static void what_is_attached_is_not_deleted_and_all_trunks_are_named(void **state)
{
	struct fixture *f = *state;

	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_ok(f, store_credentials_create(f->store, "c", "r", &f->err));
	for (int i = 0; i < 30; i++) {
		char name[32], domain[32];

		snprintf(name, sizeof(name), "carrier-%02d", i);
		snprintf(domain, sizeof(domain), "d%d.example", i);
		assert_ok(f, create_trunk(f, name, domain, "sip:192.0.2.1"));
		if (i == 3)
			assert_refused(
				f, -EBUSY,
				"ACL \"a\": is attached to trunk \"carrier-00\", \"carrier-01\", "
				"\"carrier-02\"; detach it first",
				store_acl_delete(f->store, "a", &f->err));
		assert_ok(f, store_trunk_attach_acl(f->store, name, "a", &f->err));
		assert_ok(f, store_trunk_attach_credentials(f->store, name, "c", &f->err));
	}
	/* As many as a sentence holds, and how many they are. */
	assert_refused(f, -EBUSY, "\"carrier-19\" and 10 more; detach it first",
		       store_acl_delete(f->store, "a", &f->err));
	assert_refused(f, -EBUSY, "credential list \"c\": is attached to trunk \"carrier-00\", ",
		       store_credentials_delete(f->store, "c", &f->err));
	assert_refused(f, -EBUSY, "\"carrier-19\" and 10 more; detach it first",
		       store_credentials_delete(f->store, "c", &f->err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(names_have_120_bytes_at_most),
		STORE_TEST(user_names_have_3_to_64_letters_digits_dots_underscores_and_hyphens),
		STORE_TEST(notes_have_255_bytes_at_most),
		STORE_TEST(passwords_have_8_to_128_bytes_of_three_kinds),
		STORE_TEST(prefix_lengths_are_those_of_the_family),
		STORE_TEST(numbers_of_things_are_limited_only_where_set),
		STORE_TEST(what_is_attached_is_not_deleted_and_all_trunks_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
