/* SPDX-License-Identifier: BSD-2-Clause */
/* ACLs, credential lists, trunks, settings: what they take, refuse and remember. */
#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>

#include "store_fixture.h"

static const struct store_ha1 ha1_a = {{{1}, {2}, {3}}, {{7}, {8}, {9}}};
static const struct store_ha1 ha1_b = {.plain = {{4}, {5}, {6}}};

/* ---- ACLs ---- */

static void acl_is_created_listed_and_deleted(void **state)
{
	struct fixture *f = *state;
	struct store_acl acl;

	assert_ok(f, store_acl_create(f->store, "offices", "all of ours", &f->err));
	assert_ok(f, allow(f, "offices", "192.0.2.0/24"));
	assert_ok(f, store_acl_get(f->store, "offices", &acl, &f->err));
	assert_string_equal(acl.note, "all of ours");
	assert_int_equal(acl.entries, 1);
	assert_int_equal(acl.trunks, 0);
	assert_ok(f, store_acl_delete(f->store, "offices", &f->err));
	assert_refused(f, -ENOENT, "\"offices\"",
		       store_acl_get(f->store, "offices", &acl, &f->err));
	assert_refused(f, -ENOENT, "\"offices\"", store_acl_delete(f->store, "offices", &f->err));
}

static void acl_of_the_same_name_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_refused(f, -EEXIST, "ACL \"a\"", store_acl_create(f->store, "a", "", &f->err));
}

static void names_that_break_the_rules_are_refused(void **state)
{
	struct fixture *f = *state;
	char name[130];

	memset(name, 'x', sizeof(name));
	name[121] = '\0';
	assert_refused(f, -EINVAL, "longer than 120",
		       store_acl_create(f->store, name, "", &f->err));
	name[120] = '\0';
	assert_ok(f, store_acl_create(f->store, name, "", &f->err));
	assert_refused(f, -EINVAL, "empty", store_acl_create(f->store, "", "", &f->err));
	assert_refused(f, -EINVAL, "\"a?b\"", store_acl_create(f->store, "a\nb", "", &f->err));
	assert_refused(f, -EINVAL, "UTF-8", store_acl_create(f->store, "a\xff", "", &f->err));
	assert_refused(f, -EINVAL, "UTF-8", store_acl_create(f->store, "\xc2\x9b", "", &f->err));
	assert_refused(f, -EINVAL, "UTF-8",
		       store_acl_create(f->store, "\xe0\x80\xaf", "", &f->err));
	assert_refused(f, -EINVAL, "space", store_acl_create(f->store, " a", "", &f->err));
	assert_ok(f, store_acl_create(f->store, "B\xc3\xbcro", "", &f->err));
}

static void note_longer_than_255_bytes_is_refused(void **state)
{
	struct fixture *f = *state;
	char note[300];

	memset(note, 'n', sizeof(note));
	note[256] = '\0';
	assert_refused(f, -EINVAL, "note", store_acl_create(f->store, "a", note, &f->err));
	note[255] = '\0';
	assert_ok(f, store_acl_create(f->store, "a", note, &f->err));
}

static int collect_entry(const struct store_acl_entry *entry, void *arg)
{
	char text[PREFIX_TEXT_SIZE], *all = arg;

	prefix_format(&entry->prefix, text);
	sprintf(all + strlen(all), "%s%s ", entry->deny ? "!" : "", text);
	return 0;
}

static void entries_come_sorted_by_family_address_and_length(void **state)
{
	struct fixture *f = *state;
	char all[256] = "";

	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_ok(f, allow(f, "a", "2001:db8::/32"));
	assert_ok(f, allow(f, "a", "10.0.0.0/16"));
	assert_ok(f, deny(f, "a", "10.0.0.0/8"));
	assert_ok(f, allow(f, "a", "9.255.0.0/16"));
	assert_ok(f, allow(f, "a", "::/0"));
	assert_ok(f, store_acl_entry_each(f->store, "a", collect_entry, all, &f->err));
	assert_string_equal(all, "9.255.0.0/16 !10.0.0.0/8 10.0.0.0/16 ::/0 2001:db8::/32 ");
}

static void adding_counts_only_what_changes(void **state)
{
	struct fixture *f = *state;
	struct store_acl_entry entries[3] = {{.prefix = prefix("10.0.0.0/8")},
					     {.prefix = prefix("10.0.0.1")},
					     {.prefix = prefix("10.0.0.1")}};
	uint64_t before;
	size_t added = 99;

	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_ok(f, store_acl_add(f->store, "a", entries, 3, &added, &f->err));
	assert_int_equal(added, 2);
	before = generation(f);
	assert_ok(f, store_acl_add(f->store, "a", entries, 3, &added, &f->err));
	assert_int_equal(added, 0);
	assert_int_equal(generation(f), before);
	entries[0].deny = true;
	assert_ok(f, store_acl_add(f->store, "a", entries, 3, &added, &f->err));
	assert_int_equal(added, 1);
	assert_int_equal(generation(f), before + 1);
}

static void adding_is_all_or_nothing(void **state)
{
	struct fixture *f = *state;
	struct store_acl_entry entries[2] = {{.prefix = prefix("10.0.0.0/8")},
					     {.prefix = prefix("10.0.0.0/8")}};
	struct store_acl acl;

	entries[1].prefix.ip.bytes[3] = 1;
	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_refused(f, -EINVAL, "\"10.0.0.1/8\"",
		       store_acl_add(f->store, "a", entries, 2, NULL, &f->err));
	assert_ok(f, store_acl_get(f->store, "a", &acl, &f->err));
	assert_int_equal(acl.entries, 0);
	assert_refused(f, -ENOENT, "\"b\"",
		       store_acl_add(f->store, "b", entries, 1, NULL, &f->err));
}

static void removing_is_all_or_nothing_and_names_what_is_missing(void **state)
{
	struct fixture *f = *state;
	struct prefix both[2] = {prefix("10.0.0.0/8"), prefix("2001:db8::/32")};
	struct store_acl acl;

	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_ok(f, allow(f, "a", "10.0.0.0/8"));
	assert_refused(f, -ENOENT, "2001:db8::/32",
		       store_acl_remove(f->store, "a", both, 2, &f->err));
	assert_ok(f, store_acl_get(f->store, "a", &acl, &f->err));
	assert_int_equal(acl.entries, 1);
	assert_ok(f, store_acl_remove(f->store, "a", both, 1, &f->err));
	assert_ok(f, store_acl_get(f->store, "a", &acl, &f->err));
	assert_int_equal(acl.entries, 0);
}

static void adding_or_removing_nothing_changes_nothing(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	before = generation(f);
	assert_ok(f, store_acl_add(f->store, "a", NULL, 0, NULL, &f->err));
	assert_ok(f, store_acl_remove(f->store, "a", NULL, 0, &f->err));
	assert_int_equal(generation(f), before);
}

/* ---- credentials ---- */

static void user_names_and_passwords_follow_the_hosted_rules(void **state)
{
	struct fixture *f = *state;
	char name[70];

	memset(name, 'u', sizeof(name));
	name[65] = '\0';
	assert_refused(f, -EINVAL, "3 to 64", store_user_name_check(f->store, name, &f->err));
	name[64] = '\0';
	assert_ok(f, store_user_name_check(f->store, name, &f->err));
	assert_refused(f, -EINVAL, "3 to 64", store_user_name_check(f->store, "ab", &f->err));
	assert_refused(f, -EINVAL, "letters", store_user_name_check(f->store, "a@b", &f->err));
	assert_ok(f, store_user_name_check(f->store, "a.b_c-9", &f->err));

	assert_refused(f, -EINVAL, "8 to 128", store_password_check("Abcdef1", &f->err));
	assert_refused(f, -EINVAL, "upper-case", store_password_check("abcdefg1", &f->err));
	assert_refused(f, -EINVAL, "digit", store_password_check("Abcdefgh", &f->err));
	assert_refused(f, -EINVAL, "control", store_password_check("Abcdefg1\n", &f->err));
	assert_null(strstr(f->err.text, "Abcdefg1"));
	assert_ok(f, store_password_check("Abcdefg1", &f->err));
}

static int keep_user(const struct store_user *user, void *arg)
{
	*(struct store_user *)arg = *user;
	return 0;
}

static void user_is_added_changed_and_removed(void **state)
{
	struct fixture *f = *state;
	struct store_user user = {0};

	assert_ok(f, store_credentials_create(f->store, "c", "sip.example", &f->err));
	assert_ok(f, store_user_add(f->store, "c", "alice", &ha1_a, &f->err));
	assert_refused(f, -EEXIST, "alice",
		       store_user_add(f->store, "c", "alice", &ha1_b, &f->err));
	assert_ok(f, store_user_each(f->store, "c", keep_user, &user, &f->err));
	assert_string_equal(user.name, "alice");
	assert_memory_equal(&user.ha1.plain, &ha1_a.plain, sizeof(ha1_a.plain));

	assert_ok(f, store_user_ratchet(f->store, user.id, 2, &f->err));
	assert_ok(f, store_user_ratchet(f->store, user.id, 1, &f->err));
	assert_ok(f, store_user_each(f->store, NULL, keep_user, &user, &f->err));
	assert_int_equal(user.strongest, 2);

	assert_ok(f, store_user_passwd(f->store, "c", "alice", &ha1_b, &f->err));
	assert_ok(f, store_user_each(f->store, NULL, keep_user, &user, &f->err));
	assert_memory_equal(&user.ha1, &ha1_b, sizeof(ha1_b));
	assert_int_equal(user.strongest, 0);
	assert_refused(f, -ENOENT, "bob", store_user_passwd(f->store, "c", "bob", &ha1_b, &f->err));

	assert_ok(f, store_user_remove(f->store, "c", "alice", &f->err));
	assert_refused(f, -ENOENT, "alice", store_user_remove(f->store, "c", "alice", &f->err));
}

static void ratchet_raises_no_generation(void **state)
{
	struct fixture *f = *state;
	struct store_user user = {0};
	uint64_t before;

	assert_ok(f, store_credentials_create(f->store, "c", "r", &f->err));
	assert_ok(f, store_user_add(f->store, "c", "alice", &ha1_a, &f->err));
	assert_ok(f, store_user_each(f->store, NULL, keep_user, &user, &f->err));
	before = generation(f);
	assert_ok(f, store_user_ratchet(f->store, user.id, 1, &f->err));
	assert_int_equal(generation(f), before);
}

static void realm_that_would_break_a_challenge_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_refused(f, -EINVAL, "quote",
		       store_credentials_create(f->store, "c", "a\"b", &f->err));
	assert_refused(f, -EINVAL, "empty", store_credentials_create(f->store, "c", "", &f->err));
}

static void same_user_twice_in_a_realm_of_a_trunk_is_refused(void **state)
{
	struct fixture *f = *state;

	assert_ok(f, create_trunk(f, "t", "sip.example", "sip:192.0.2.1"));
	assert_ok(f, store_credentials_create(f->store, "one", "r", &f->err));
	assert_ok(f, store_credentials_create(f->store, "two", "r", &f->err));
	assert_ok(f, store_credentials_create(f->store, "three", "other", &f->err));
	assert_ok(f, store_user_add(f->store, "one", "alice", &ha1_a, &f->err));
	assert_ok(f, store_user_add(f->store, "two", "alice", &ha1_a, &f->err));
	assert_ok(f, store_user_add(f->store, "three", "alice", &ha1_a, &f->err));
	assert_ok(f, store_trunk_attach_credentials(f->store, "t", "one", &f->err));
	assert_ok(f, store_trunk_attach_credentials(f->store, "t", "three", &f->err));
	assert_refused(f, -EEXIST, "\"alice\"",
		       store_trunk_attach_credentials(f->store, "t", "two", &f->err));
	assert_ok(f, store_user_remove(f->store, "two", "alice", &f->err));
	assert_ok(f, store_trunk_attach_credentials(f->store, "t", "two", &f->err));
	assert_refused(f, -EEXIST, "\"one\"",
		       store_user_add(f->store, "two", "alice", &ha1_a, &f->err));
}

/* ---- trunks ---- */

static void trunk_keeps_what_it_was_given(void **state)
{
	struct fixture *f = *state;
	struct store_trunk trunk, got;

	store_trunk_defaults(&trunk);
	assert_int_equal(trunk.algorithm_count, 1);
	assert_int_equal(trunk.challenge_status, 407);
	strcpy(trunk.name, "t");
	strcpy(trunk.domain, "SIP.Example.");
	strcpy(trunk.user, "app42");
	trunk.algorithms[0] = 2;
	trunk.algorithms[1] = 0;
	trunk.algorithm_count = 2;
	trunk.allow_no_qop = true;
	assert_ok(f, store_trunk_create(f->store, &trunk, "sip:[2001:db8::5]:5070", &f->err));
	assert_ok(f, store_trunk_get(f->store, "t", &got, &f->err));
	assert_string_equal(got.domain, "sip.example");
	assert_string_equal(got.user, "app42");
	assert_places(f, get_peer(f, "t", "sip:[2001:db8::5]:5070").id, "udp/[2001:db8::5]:5070");
	assert_int_equal(got.algorithm_count, 2);
	assert_int_equal(got.algorithms[0], 2);
	assert_int_equal(got.algorithms[1], 0);
	assert_true(got.allow_no_qop && got.enabled && got.ratchet && !got.digest_uri);
	assert_int_equal(got.auth, STORE_AUTH_NONE);
}

static void trunk_is_changed_only_where_something_changes(void **state)
{
	struct fixture *f = *state;
	struct store_trunk trunk;
	uint64_t before;

	assert_ok(f, create_trunk(f, "t", "sip.example", "sip:192.0.2.1"));
	assert_ok(f, store_trunk_get(f->store, "t", &trunk, &f->err));
	before = generation(f);
	assert_ok(f, store_trunk_set(f->store, &trunk, &f->err));
	assert_int_equal(generation(f), before);
	trunk.digest_uri = STORE_URI_EXACT;
	assert_ok(f, store_trunk_set(f->store, &trunk, &f->err));
	assert_int_equal(generation(f), before + 1);
	assert_ok(f, store_trunk_get(f->store, "t", &trunk, &f->err));
	assert_int_equal(trunk.digest_uri, STORE_URI_EXACT);
}

static void trunk_fields_that_break_the_rules_are_refused(void **state)
{
	struct fixture *f = *state;
	struct store_trunk trunk;

	assert_refused(f, -EINVAL, "sip:HOST", create_trunk(f, "t", "*", "192.0.2.1"));
	assert_refused(f, -EINVAL, "domain \"a b\"", create_trunk(f, "t", "a b", "sip:192.0.2.1"));
	assert_refused(f, -EINVAL, "domain \"\"", create_trunk(f, "t", "", "sip:192.0.2.1"));
	assert_refused(f, -EINVAL, "domain", create_trunk(f, "t", "10.0.0.256", "sip:192.0.2.1"));
	assert_refused(f, -EINVAL, "domain", create_trunk(f, "t", "-a.example", "sip:192.0.2.1"));
	store_trunk_defaults(&trunk);
	strcpy(trunk.name, "t");
	strcpy(trunk.domain, "*");
	trunk.challenge_status = 400;
	assert_refused(f, -EINVAL, "400",
		       store_trunk_create(f->store, &trunk, "sip:192.0.2.1", &f->err));
	trunk.challenge_status = 401;
	trunk.algorithm_count = 2;
	assert_refused(f, -EINVAL, "twice",
		       store_trunk_create(f->store, &trunk, "sip:192.0.2.1", &f->err));
	trunk.algorithm_count = 0;
	assert_refused(f, -EINVAL, "algorithms",
		       store_trunk_create(f->store, &trunk, "sip:192.0.2.1", &f->err));
}

static void second_trunk_of_a_domain_is_refused_and_the_first_named(void **state)
{
	struct fixture *f = *state;
	struct store_trunk trunk;

	assert_ok(f, create_trunk(f, "first", "sip.example", "sip:192.0.2.1"));
	assert_refused(f, -EEXIST, "\"first\"",
		       create_trunk(f, "second", "SIP.example", "sip:192.0.2.2"));
	assert_refused(f, -EEXIST, "trunk \"first\"",
		       create_trunk(f, "first", "other.example", "sip:192.0.2.2"));
	assert_ok(f, create_trunk(f, "second", "*", "sip:192.0.2.2"));
	assert_ok(f, store_trunk_get(f->store, "second", &trunk, &f->err));
	strcpy(trunk.domain, "sip.example");
	assert_refused(f, -EEXIST, "\"first\"", store_trunk_set(f->store, &trunk, &f->err));
}

static int append_name(int64_t id, const char *name, void *arg)
{
	(void)id;
	strcat(strcat(arg, name), " ");
	return 0;
}

static void what_is_attached_decides_the_authentication(void **state)
{
	struct fixture *f = *state;
	struct store_trunk trunk;
	char names[64] = "";

	assert_ok(f, create_trunk(f, "t", "*", "sip:192.0.2.1"));
	assert_ok(f, store_acl_create(f->store, "b", "", &f->err));
	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_ok(f, store_credentials_create(f->store, "c", "r", &f->err));
	assert_ok(f, store_trunk_attach_acl(f->store, "t", "b", &f->err));
	assert_ok(f, store_trunk_attach_acl(f->store, "t", "a", &f->err));
	assert_refused(f, -EEXIST, "\"a\"", store_trunk_attach_acl(f->store, "t", "a", &f->err));
	assert_ok(f, store_trunk_get(f->store, "t", &trunk, &f->err));
	assert_int_equal(trunk.auth, STORE_AUTH_IP_ACL);
	assert_ok(f, store_trunk_acl_each(f->store, trunk.id, append_name, names, &f->err));
	assert_string_equal(names, "a b ");
	assert_ok(f, store_trunk_attach_credentials(f->store, "t", "c", &f->err));
	assert_ok(f, store_trunk_get(f->store, "t", &trunk, &f->err));
	assert_int_equal(trunk.auth, STORE_AUTH_IP_ACL_AND_CREDENTIAL);
	assert_ok(f, store_trunk_detach_acl(f->store, "t", "a", &f->err));
	assert_ok(f, store_trunk_detach_acl(f->store, "t", "b", &f->err));
	assert_refused(f, -ENOENT, "\"b\"", store_trunk_detach_acl(f->store, "t", "b", &f->err));
	assert_ok(f, store_trunk_get(f->store, "t", &trunk, &f->err));
	assert_int_equal(trunk.auth, STORE_AUTH_CREDENTIAL);
}

static void what_is_attached_can_not_be_deleted(void **state)
{
	struct fixture *f = *state;

	assert_ok(f, create_trunk(f, "t1", "*", "sip:192.0.2.1"));
	assert_ok(f, create_trunk(f, "t2", "b.example", "sip:192.0.2.1"));
	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_ok(f, store_credentials_create(f->store, "c", "r", &f->err));
	assert_ok(f, store_trunk_attach_acl(f->store, "t1", "a", &f->err));
	assert_ok(f, store_trunk_attach_acl(f->store, "t2", "a", &f->err));
	assert_ok(f, store_trunk_attach_credentials(f->store, "t1", "c", &f->err));
	assert_refused(f, -EBUSY, "\"t1\", \"t2\"", store_acl_delete(f->store, "a", &f->err));
	assert_refused(f, -EBUSY, "\"t1\"", store_credentials_delete(f->store, "c", &f->err));
	assert_ok(f, store_trunk_delete(f->store, "t1", &f->err));
	assert_ok(f, store_trunk_delete(f->store, "t2", &f->err));
	assert_ok(f, store_acl_delete(f->store, "a", &f->err));
	assert_ok(f, store_credentials_delete(f->store, "c", &f->err));
	assert_refused(f, -ENOENT, "\"t1\"", store_trunk_delete(f->store, "t1", &f->err));
}

/* ---- settings, secrets, audit, notification ---- */

static void settings_have_defaults_and_are_remembered(void **state)
{
	struct fixture *f = *state;
	struct store_settings settings, got;
	uint64_t before;

	assert_ok(f, store_settings_get(f->store, &settings, &f->err));
	assert_int_equal(settings.mode, SIPWARD_MONITOR);
	assert_int_equal(settings.lockout_failures, 10);
	assert_int_equal(settings.nonce_lifetime_s, 300);
	before = generation(f);
	assert_ok(f, store_settings_set(f->store, &settings, &f->err));
	assert_int_equal(generation(f), before);

	settings.mode = SIPWARD_ENFORCE;
	settings.lockout_reject = true;
	settings.ports[0] = (struct sipward_port){.protocol = 17, .port_be = htons(5070)};
	settings.ports[1] = (struct sipward_port){.protocol = 6, .port_be = htons(5071)};
	settings.port_count = 2;
	assert_ok(f, store_settings_set(f->store, &settings, &f->err));
	assert_int_equal(generation(f), before + 1);
	assert_ok(f, store_settings_get(f->store, &got, &f->err));
	assert_memory_equal(&got, &settings, sizeof(got));
	settings.port_count = 0;
	assert_ok(f, store_settings_set(f->store, &settings, &f->err));
	assert_ok(f, store_settings_get(f->store, &got, &f->err));
	assert_int_equal(got.port_count, 0);
}

static void settings_out_of_range_are_refused(void **state)
{
	struct fixture *f = *state;
	struct store_settings settings;

	assert_ok(f, store_settings_get(f->store, &settings, &f->err));
	settings.lockout_failures = 0;
	assert_refused(f, -EINVAL, "lockout_failures 0",
		       store_settings_set(f->store, &settings, &f->err));
	settings.lockout_failures = 10;
	settings.lockout_ceiling_s = 30;
	assert_refused(f, -EINVAL, "lockout-ceiling 30 s",
		       store_settings_set(f->store, &settings, &f->err));
	settings.lockout_ceiling_s = 0;
	settings.port_count = 9;
	assert_refused(f, -EINVAL, "ports", store_settings_set(f->store, &settings, &f->err));
	settings.port_count = 1;
	assert_refused(f, -EINVAL, "ports", store_settings_set(f->store, &settings, &f->err));
}

static void limits_are_those_that_are_checked(void **state)
{
	struct store_settings settings;
	struct store_limits limits = store_settings_limits("lockout_window_s");

	(void)state;
	store_settings_defaults(&settings);
	assert_int_equal(settings.lockout_window_s, 60);
	assert_int_equal(limits.initial, 60);
	assert_int_equal(limits.min, 1);
	assert_int_equal(limits.max, 86400);
	assert_int_equal(store_settings_limits("colour").max, 0);
}

static void secret_is_made_once_and_stays(void **state)
{
	struct fixture *f = *state;
	uint8_t first[16], again[16], other[16];

	assert_ok(f, store_secret(f->store, "nonce", first, &f->err));
	assert_ok(f, store_secret(f->store, "dialog", other, &f->err));
	store_close(f->store);
	f->store = NULL;
	assert_ok(f, store_open(f->dir, &f->store, &f->err));
	assert_ok(f, store_secret(f->store, "nonce", again, &f->err));
	assert_memory_equal(first, again, 16);
	assert_memory_not_equal(first, other, 16);
}

static int keep_audit(int64_t time_s, const char *who, const char *what, void *arg)
{
	assert_true(time_s > 1700000000);
	sprintf((char *)arg + strlen(arg), "%s|%s\n", who, what);
	return 0;
}

static void audit_tells_who_did_what_latest_first(void **state)
{
	struct fixture *f = *state;
	const struct passwd *us = getpwuid(getuid());
	char rows[1024] = "", expected[64];

	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_ok(f, allow(f, "a", "10.0.0.0/8"));
	assert_ok(f, store_audit_each(f->store, 1, keep_audit, rows, &f->err));
	assert_non_null(us);
	snprintf(expected, sizeof(expected), "%s, test_store_lists|", us->pw_name);
	assert_non_null(strstr(rows, expected));
	assert_non_null(strstr(rows, "ACL \"a\": allows 10.0.0.0/8"));
	assert_null(strstr(rows, "created"));
}

static void check_who(struct fixture *f, const char *sudo_user, const char *expected)
{
	struct store *store;
	char rows[1024] = "";

	setenv("SUDO_USER", sudo_user, 1);
	assert_ok(f, store_open(f->dir, &store, &f->err));
	assert_ok(f, store_acl_create(store, sudo_user, "", &f->err));
	assert_ok(f, store_audit_each(store, 1, keep_audit, rows, &f->err));
	unsetenv("SUDO_USER");
	assert_memory_equal(rows, expected, strlen(expected));
	store_close(store);
}

static void audit_tells_whom_sudo_let_in(void **state)
{
	if (getuid() != 0)
		skip();
	check_who(*state, "alice", "alice as root, test_store_lists|");
	check_who(*state, "root", "root, test_store_lists|");
	/* No name: somebody else's words. */
	check_who(*state, "a, b", "root, test_store_lists|");
}

static void change_wakes_the_listener(void **state)
{
	struct fixture *f = *state;
	struct pollfd listener = {.events = POLLIN};
	char byte;

	assert_ok(f, store_notify_listen(f->store, &listener.fd, &f->err));
	assert_int_equal(poll(&listener, 1, 0), 0);
	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_int_equal(poll(&listener, 1, 1000), 1);
	assert_int_equal(recv(listener.fd, &byte, 1, 0), 1);
	/* A full queue neither blocks nor fails the change. */
	for (int i = 0; i < 2000; i++)
		store_notify(f->store);
	assert_ok(f, store_acl_create(f->store, "b", "", &f->err));
	close(listener.fd);
}

static void second_listener_is_refused_and_a_dead_one_replaced(void **state)
{
	struct fixture *f = *state;
	int fd, other = -1;

	assert_ok(f, store_notify_listen(f->store, &fd, &f->err));
	assert_refused(f, -EADDRINUSE, "another daemon",
		       store_notify_listen(f->store, &other, &f->err));
	close(fd);
	store_notify(f->store);
	assert_ok(f, store_notify_listen(f->store, &fd, &f->err));
	close(fd);
}

static void listener_works_under_a_path_too_long_for_a_socket(void **state)
{
	struct fixture *f = *state;
	struct pollfd listener = {.events = POLLIN};
	struct store *store = NULL;
	char dir[256], command[300];

	snprintf(dir, sizeof(dir), "%s/%0150d", f->dir, 0);
	assert_ok(f, store_open(dir, &store, &f->err));
	assert_ok(f, store_notify_listen(store, &listener.fd, &f->err));
	assert_ok(f, store_acl_create(store, "a", "", &f->err));
	assert_int_equal(poll(&listener, 1, 1000), 1);
	close(listener.fd);
	store_close(store);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

static void read_transaction_sees_one_state(void **state)
{
	struct fixture *f = *state;
	struct store *writer = NULL;
	struct store_acl acl;
	uint64_t before;

	assert_ok(f, store_open(f->dir, &writer, &f->err));
	assert_ok(f, store_read_begin(f->store, &f->err));
	before = generation(f);
	assert_ok(f, store_acl_create(writer, "a", "", &f->err));
	assert_int_equal(generation(f), before);
	assert_int_equal(store_acl_get(f->store, "a", &acl, &f->err), -ENOENT);
	assert_refused(f, -EBUSY, "read transaction", store_acl_create(f->store, "b", "", &f->err));
	store_read_end(f->store);
	assert_int_equal(generation(f), before + 1);
	assert_ok(f, store_acl_get(f->store, "a", &acl, &f->err));
	store_close(writer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(acl_is_created_listed_and_deleted),
		STORE_TEST(acl_of_the_same_name_is_refused),
		STORE_TEST(names_that_break_the_rules_are_refused),
		STORE_TEST(note_longer_than_255_bytes_is_refused),
		STORE_TEST(entries_come_sorted_by_family_address_and_length),
		STORE_TEST(adding_counts_only_what_changes),
		STORE_TEST(adding_is_all_or_nothing),
		STORE_TEST(removing_is_all_or_nothing_and_names_what_is_missing),
		STORE_TEST(user_names_and_passwords_follow_the_hosted_rules),
		STORE_TEST(user_is_added_changed_and_removed),
		STORE_TEST(ratchet_raises_no_generation),
		STORE_TEST(realm_that_would_break_a_challenge_is_refused),
		STORE_TEST(same_user_twice_in_a_realm_of_a_trunk_is_refused),
		STORE_TEST(trunk_keeps_what_it_was_given),
		STORE_TEST(trunk_is_changed_only_where_something_changes),
		STORE_TEST(trunk_fields_that_break_the_rules_are_refused),
		STORE_TEST(second_trunk_of_a_domain_is_refused_and_the_first_named),
		STORE_TEST(what_is_attached_decides_the_authentication),
		STORE_TEST(what_is_attached_can_not_be_deleted),
		STORE_TEST(settings_have_defaults_and_are_remembered),
		STORE_TEST(settings_out_of_range_are_refused),
		STORE_TEST(limits_are_those_that_are_checked),
		STORE_TEST(secret_is_made_once_and_stays),
		STORE_TEST(audit_tells_who_did_what_latest_first),
		STORE_TEST(audit_tells_whom_sudo_let_in),
		STORE_TEST(change_wakes_the_listener),
		STORE_TEST(second_listener_is_refused_and_a_dead_one_replaced),
		STORE_TEST(listener_works_under_a_path_too_long_for_a_socket),
		STORE_TEST(read_transaction_sees_one_state),
		STORE_TEST(adding_or_removing_nothing_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
