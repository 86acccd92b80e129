/* SPDX-License-Identifier: BSD-2-Clause */
/* What a trunk is made of, its aliases and its callers. */
#include <errno.h>

#include "store/internal.h"
#include "store_fixture.h"

static struct store_trunk new_trunk(const char *name, const char *domain)
{
	struct store_trunk trunk;

	store_trunk_defaults(&trunk);
	strcpy(trunk.name, name);
	strcpy(trunk.domain, domain);
	return trunk;
}

static int create(struct fixture *f, const struct store_trunk *trunk)
{
	return store_trunk_create(f->store, trunk, "sip:192.0.2.1", &f->err);
}

static void every_field_is_kept(void **state)
{
	struct fixture *f = *state;
	struct store_trunk trunk = new_trunk("t", "acme.example"), got;

	strcpy(trunk.user, "app");
	strcpy(trunk.aliases, "eu.acme.example");
	trunk.algorithms[0] = 2;
	trunk.algorithms[1] = 1;
	trunk.algorithm_count = 2;
	trunk.challenge_status = 401;
	trunk.challenge = STORE_CHALLENGE_DAEMON;
	trunk.enabled = trunk.ratchet = false;
	trunk.allow_no_qop = trunk.auth_int = trunk.userhash = trunk.forward_register = true;
	trunk.digest_uri = STORE_URI_EQUIVALENT;
	trunk.e164 = STORE_E164_NORMALIZE;
	strcpy(trunk.country_code, "353");
	strcpy(trunk.international_prefix, "0011");
	strcpy(trunk.national_prefix, "0");
	trunk.caller = STORE_CALLER_PRIVATE;
	strcpy(trunk.number, "+353123456789012");
	trunk.assert_identity = trunk.upstream_trusted = false;
	trunk.client_certificate = trunk.outbound_user = true;
	trunk.calls_per_s = 1;
	trunk.calls_max = 2;
	trunk.user_calls_per_s = 3;
	trunk.user_calls_max = 1000000;
	assert_ok(f, create(f, &trunk));
	assert_ok(f, store_trunk_get(f->store, "t", &got, &f->err));
	trunk.id = got.id;
	assert_memory_equal(&got, &trunk, sizeof(got));
	strcpy(trunk.name, "u");
	store_trunk_defaults(&got);
	strcpy(got.name, "t");
	strcpy(got.domain, "acme.example");
	assert_ok(f, store_trunk_set(f->store, &got, &f->err));
	assert_ok(f, store_trunk_get(f->store, "t", &trunk, &f->err));
	got.id = trunk.id;
	assert_memory_equal(&got, &trunk, sizeof(got));
}

static void audit_tells_what_of_a_trunk_was_changed(void **state)
{
	struct fixture *f = *state;
	struct store_trunk trunk = new_trunk("t", "acme.example");

	assert_ok(f, create(f, &trunk));
	strcpy(trunk.aliases, "eu.acme.example");
	trunk.algorithms[0] = 1;
	trunk.algorithms[1] = 0;
	trunk.algorithm_count = 2;
	trunk.enabled = false;
	trunk.e164 = STORE_E164_REQUIRE;
	trunk.calls_max = 5;
	assert_ok(f, store_trunk_set(f->store, &trunk, &f->err));
	assert_last_audit(f, "changed trunk \"t\": aliases from \"\" to \"eu.acme.example\", "
			     "algorithms from \"md5\" to \"sha-256,md5\", enabled from yes to no, "
			     "e164 from off to require, calls_max from 0 to 5");
}

static void aliases_are_kept_as_domains_are(void **state)
{
	struct fixture *f = *state;
	struct store_trunk trunk = new_trunk("t", "acme.example");
	uint64_t before;

	strcpy(trunk.aliases, " US.acme.example.  [2001:db8::1] eu.acme.example ");
	assert_ok(f, create(f, &trunk));
	assert_ok(f, store_trunk_get(f->store, "t", &trunk, &f->err));
	assert_string_equal(trunk.aliases, "2001:db8::1 eu.acme.example us.acme.example");
	before = generation(f);
	strcpy(trunk.aliases, "us.acme.example eu.acme.example 2001:DB8::1");
	assert_ok(f, store_trunk_set(f->store, &trunk, &f->err));
	assert_int_equal(generation(f), before);
	strcpy(trunk.aliases, "us.acme.example");
	assert_ok(f, store_trunk_set(f->store, &trunk, &f->err));
	assert_int_equal(generation(f), before + 1);
	assert_ok(f, store_trunk_get(f->store, "t", &trunk, &f->err));
	assert_string_equal(trunk.aliases, "us.acme.example");
}

static int with_aliases(struct fixture *f, const char *aliases)
{
	struct store_trunk trunk = new_trunk("t", "acme.example");

	snprintf(trunk.aliases, sizeof(trunk.aliases), "%s", aliases);
	return create(f, &trunk);
}

static void aliases_that_break_the_rules_are_refused(void **state)
{
	struct fixture *f = *state;
	struct store_trunk trunk;

	assert_refused(f, -EINVAL, "default trunk", with_aliases(f, "*"));
	assert_refused(f, -EINVAL, "\"a_b.1\"", with_aliases(f, "eu.example a_b.1"));
	assert_refused(f, -EINVAL, "given twice", with_aliases(f, "eu.example EU.example."));
	assert_refused(f, -EINVAL, "domain already", with_aliases(f, "ACME.example"));
	assert_refused(f, -EINVAL, "write it as \"::0.1.0.2\"", with_aliases(f, "::1:2"));
	assert_refused(f, -ENOENT, "\"t\"", store_trunk_get(f->store, "t", &trunk, &f->err));
}

static void domain_and_user_belong_to_one_trunk(void **state)
{
	struct fixture *f = *state;
	struct store_trunk first = new_trunk("first", "acme.example");
	struct store_trunk second = new_trunk("second", "other.example");

	strcpy(first.aliases, "eu.acme.example");
	assert_ok(f, create(f, &first));
	strcpy(second.aliases, "us.example EU.acme.example");
	assert_refused(f, -EEXIST, "\"eu.acme.example\": belongs to trunk \"first\"",
		       create(f, &second));
	strcpy(second.aliases, "acme.example");
	assert_refused(f, -EEXIST, "\"acme.example\": belongs to trunk \"first\"",
		       create(f, &second));
	second = new_trunk("second", "eu.acme.example");
	assert_refused(f, -EEXIST, "belongs to trunk \"first\"", create(f, &second));
	/* With another user it is another address. */
	strcpy(second.user, "app");
	strcpy(second.aliases, "acme.example");
	assert_ok(f, create(f, &second));
	second.user[0] = '\0';
	assert_refused(f, -EEXIST, "belongs to trunk \"first\"",
		       store_trunk_set(f->store, &second, &f->err));
	first.aliases[0] = '\0';
	assert_ok(f, store_trunk_set(f->store, &first, &f->err));
	assert_refused(f, -EEXIST, "\"acme.example\"", store_trunk_set(f->store, &second, &f->err));
	assert_ok(f, store_trunk_delete(f->store, "first", &f->err));
	assert_ok(f, store_trunk_set(f->store, &second, &f->err));
	assert_ok(f, store_trunk_get(f->store, "second", &second, &f->err));
	assert_string_equal(second.aliases, "acme.example");
}

static void alias_follows_the_trunk_to_another_user(void **state)
{
	struct fixture *f = *state;
	struct store_trunk trunk = new_trunk("t", "acme.example"), other;

	strcpy(trunk.aliases, "eu.acme.example");
	assert_ok(f, create(f, &trunk));
	strcpy(trunk.user, "app");
	assert_ok(f, store_trunk_set(f->store, &trunk, &f->err));
	other = new_trunk("other", "eu.acme.example");
	assert_ok(f, create(f, &other));
	other = new_trunk("third", "eu.acme.example");
	strcpy(other.user, "app");
	assert_refused(f, -EEXIST, "\"app@eu.acme.example\": belongs to trunk \"t\"",
		       create(f, &other));
}

/* ---- numbers ---- */

#define REFUSED_WITH(f, words, field, value)                                                       \
	do {                                                                                       \
		struct store_trunk trunk_ = new_trunk("t", "acme.example");                        \
		strcpy(trunk_.field, (value));                                                     \
		assert_refused(f, -EINVAL, (words), create(f, &trunk_));                           \
	} while (0)

static void numbers_that_break_the_rules_are_refused(void **state)
{
	struct fixture *f = *state;
	struct store_trunk trunk = new_trunk("t", "acme.example");

	REFUSED_WITH(f, "7 to 15 digits", number, "4989123456");
	REFUSED_WITH(f, "7 to 15 digits", number, "+498912");
	REFUSED_WITH(f, "7 to 15 digits", number, "+4989123456789012");
	REFUSED_WITH(f, "7 to 15 digits", number, "+49 8912345");
	REFUSED_WITH(f, "country code \"4999\"", country_code, "4999");
	REFUSED_WITH(f, "country code \"049\"", country_code, "049");
	REFUSED_WITH(f, "country code \"+49\"", country_code, "+49");
	REFUSED_WITH(f, "international prefix \"+\"", international_prefix, "+");
	REFUSED_WITH(f, "national prefix \"0x\"", national_prefix, "0x");
	trunk.e164 = STORE_E164_NORMALIZE;
	assert_refused(f, -EINVAL, "country code is needed", create(f, &trunk));
	trunk.e164 = STORE_E164_NORMALIZE + 1;
	assert_refused(f, -EINVAL, "E.164", create(f, &trunk));
	trunk = new_trunk("t", "acme.example");
	trunk.caller = STORE_CALLER_PRIVATE + 1;
	assert_refused(f, -EINVAL, "caller", create(f, &trunk));
	trunk = new_trunk("t", "acme.example");
	trunk.digest_uri = STORE_URI_EXACT + 1;
	assert_refused(f, -EINVAL, "digest URI", create(f, &trunk));
	trunk = new_trunk("t", "acme.example");
	trunk.user_calls_max = 1000001;
	assert_refused(f, -EINVAL, "concurrent calls of a user", create(f, &trunk));
}

/* ---- callers ---- */

struct listing {
	char text[256];
};

static int list_caller(const char *number, void *arg)
{
	struct listing *listing = arg;
	size_t used = strlen(listing->text);

	snprintf(listing->text + used, sizeof(listing->text) - used, "%s%s", used ? " " : "",
		 number);
	return 0;
}

static void assert_callers(struct fixture *f, const char *trunk, const char *wanted)
{
	struct listing listing = {""};
	struct store_trunk got;

	assert_ok(f, store_trunk_get(f->store, trunk, &got, &f->err));
	assert_ok(f, store_trunk_caller_each(f->store, got.id, list_caller, &listing, &f->err));
	assert_string_equal(listing.text, wanted);
}

static int keep_audit(int64_t time_s, const char *who, const char *what, void *arg)
{
	(void)time_s;
	(void)who;
	snprintf(arg, 512, "%s", what);
	return 1;
}

static void callers_are_added_and_removed_all_or_none(void **state)
{
	static const char *const numbers[] = {"+4989123456", "+1*", "+4989*"};
	static const char *const wrong[] = {"+4989777777", "089777"};
	static const char *const gone[] = {"+4989123456", "+4930*"};
	struct fixture *f = *state;
	char what[512];
	uint64_t before;

	assert_ok(f, create_trunk(f, "t", "acme.example", "sip:192.0.2.1"));
	assert_ok(f, store_trunk_caller_add(f->store, "t", numbers, 3, &f->err));
	assert_int_equal(store_audit_each(f->store, 1, keep_audit, what, &f->err), 1);
	assert_string_equal(what, "trunk \"t\": added caller +4989123456 and 2 more");
	assert_callers(f, "t", "+1* +4989* +4989123456");
	before = generation(f);
	assert_ok(f, store_trunk_caller_add(f->store, "t", numbers, 2, &f->err));
	assert_int_equal(generation(f), before);
	assert_refused(f, -EINVAL, "\"089777\"",
		       store_trunk_caller_add(f->store, "t", wrong, 2, &f->err));
	assert_refused(f, -ENOENT, "\"+4930*\"",
		       store_trunk_caller_remove(f->store, "t", gone, 2, &f->err));
	assert_callers(f, "t", "+1* +4989* +4989123456");
	assert_ok(f, store_trunk_caller_remove(f->store, "t", numbers, 2, &f->err));
	assert_callers(f, "t", "+4989*");
	assert_refused(f, -ENOENT, "\"none\"",
		       store_trunk_caller_add(f->store, "none", numbers, 1, &f->err));
}

static void callers_that_are_no_numbers_are_refused(void **state)
{
	static const char *const wrong[] = {"",	       "+",	"*",   "+*",
					    "+49*1",   "+49**", "49*", "+1234567890123456*",
					    "+123456", "+49a*"};
	struct fixture *f = *state;

	assert_ok(f, create_trunk(f, "t", "acme.example", "sip:192.0.2.1"));
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_refused(f, -EINVAL, "7 to 15 digits",
			       store_trunk_caller_add(f->store, "t", &wrong[i], 1, &f->err));
	assert_callers(f, "t", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(every_field_is_kept),
		STORE_TEST(audit_tells_what_of_a_trunk_was_changed),
		STORE_TEST(aliases_are_kept_as_domains_are),
		STORE_TEST(aliases_that_break_the_rules_are_refused),
		STORE_TEST(domain_and_user_belong_to_one_trunk),
		STORE_TEST(alias_follows_the_trunk_to_another_user),
		STORE_TEST(numbers_that_break_the_rules_are_refused),
		STORE_TEST(callers_are_added_and_removed_all_or_none),
		STORE_TEST(callers_that_are_no_numbers_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
