/* SPDX-License-Identifier: BSD-2-Clause */
/* Host names in ACLs, and the addresses they stand for. */
#include "store/internal.h"
#include "store_hosts.h"

static int acl_setup(void **state)
{
	struct fixture *f;
	int rc = fixture_setup(state);

	if (rc)
		return rc;
	f = *state;
	return store_acl_create(f->store, "a", "", &f->err);
}

#define ACL_TEST(function) cmocka_unit_test_setup_teardown(function, acl_setup, fixture_teardown)

static struct store_acl_host the_host(struct fixture *f, const char *name)
{
	struct store_acl_host host;

	assert_true(get_host(f->store, "a", name, &host));
	return host;
}

/* Addresses with blanks between. */
static int resolve(struct fixture *f, const char *name, const char *addresses)
{
	struct slice rest = slice_from(addresses);
	struct ip list[8];
	size_t n = 0;

	while (rest.n)
		assert_int_equal(ip_parse(slice_cut(rest, ' ', &rest), &list[n++]), 0);
	return store_acl_host_resolved(f->store, the_host(f, name).id, list, n, 42, &f->err);
}

struct listing {
	char text[1024];
};

static int list_entry(const struct store_acl_entry *entry, void *arg)
{
	struct listing *listing = arg;
	char text[PREFIX_TEXT_SIZE];
	size_t used = strlen(listing->text);

	prefix_format(&entry->prefix, text);
	snprintf(listing->text + used, sizeof(listing->text) - used, "%s%s%s%s%s", used ? " " : "",
		 entry->deny ? "!" : "", text, entry->host_id ? "=" : "",
		 entry->host_id ? entry->note : "");
	return 0;
}

static void assert_entries(struct fixture *f, const char *wanted)
{
	struct listing one = {""}, all = {""};
	struct store_acl acl;
	size_t n = 0;

	assert_ok(f, store_acl_entry_each(f->store, "a", list_entry, &one, &f->err));
	assert_string_equal(one.text, wanted);
	assert_ok(f, store_acl_entry_each(f->store, NULL, list_entry, &all, &f->err));
	assert_string_equal(all.text, wanted);
	assert_ok(f, store_acl_get(f->store, "a", &acl, &f->err));
	for (const char *c = wanted; *c; c++)
		n += *c == ' ';
	assert_int_equal(acl.entries, *wanted ? n + 1 : 0);
}

static void host_stands_for_the_addresses_it_resolves_to(void **state)
{
	struct fixture *f = *state;
	struct store_acl_host host;
	struct ip addresses[STORE_HOST_ADDRESSES_MAX];
	size_t n = 0;

	assert_ok(f, add_host(f, "a", "SIP.Carrier.Example.", false));
	assert_last_audit(f, "ACL \"a\": allows host sip.carrier.example");
	host = the_host(f, "sip.carrier.example");
	assert_int_equal(host.kind, STORE_HOST_ADDRESS);
	assert_int_equal(host.addresses + (uint64_t)host.resolved_s + (uint64_t)host.due_s, 0);
	assert_entries(f, "");
	assert_ok(f, resolve(f, host.host, "2001:db8::7 192.0.2.9 192.0.2.1 192.0.2.9"));
	assert_last_audit(f, "ACL \"a\": host sip.carrier.example is now 192.0.2.1, 192.0.2.9, "
			     "2001:db8::7");
	assert_entries(f, "192.0.2.1=sip.carrier.example 192.0.2.9=sip.carrier.example "
			  "2001:db8::7=sip.carrier.example");
	assert_ok(f, store_acl_host_addresses(f->store, host.id, addresses, &n, &f->err));
	assert_int_equal(n, 3);
	assert_int_equal(addresses[1].bytes[3], 9);
	host = the_host(f, "sip.carrier.example");
	assert_int_equal(host.addresses, 3);
	assert_int_equal(host.due_s, 42);
	assert_true(host.resolved_s > 1700000000);
	assert_ok(f, resolve(f, host.host, "192.0.2.9 192.0.2.3"));
	assert_entries(f, "192.0.2.3=sip.carrier.example 192.0.2.9=sip.carrier.example");
	assert_ok(f, store_acl_host_remove(f->store, "a", "sip.carrier.EXAMPLE", &f->err));
	assert_last_audit(f, "ACL \"a\": removed host sip.carrier.example");
	assert_entries(f, "");
}

static void same_answer_again_is_no_change(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	assert_ok(f, add_host(f, "a", "h.example", false));
	assert_ok(f, resolve(f, "h.example", "192.0.2.1 192.0.2.2"));
	before = generation(f);
	assert_ok(f, add_host(f, "a", "h.example", false));
	assert_ok(f, resolve(f, "h.example", "192.0.2.2 192.0.2.1"));
	assert_int_equal(generation(f), before);
}

static void host_that_does_not_resolve_keeps_its_addresses(void **state)
{
	struct fixture *f = *state;
	struct store_acl_host host;
	char why[1000];
	uint64_t before;

	memset(why, 'x', sizeof(why));
	why[sizeof(why) - 1] = '\0';
	assert_ok(f, add_host(f, "a", "h.example", false));
	assert_ok(f, resolve(f, "h.example", "192.0.2.1"));
	before = generation(f);
	host = the_host(f, "h.example");
	assert_ok(f, store_acl_host_failed(f->store, host.id, "SERVFAIL", 77, &f->err));
	host = the_host(f, "h.example");
	assert_string_equal(host.failure, "SERVFAIL");
	assert_int_equal(host.due_s, 77);
	assert_ok(f, store_acl_host_failed(f->store, host.id, why, 78, &f->err));
	assert_int_equal(strlen(the_host(f, "h.example").failure), STORE_NOTE_SIZE - 1);
	assert_entries(f, "192.0.2.1=h.example");
	assert_int_equal(generation(f), before);
	assert_ok(f, resolve(f, "h.example", "192.0.2.1"));
	assert_string_equal(the_host(f, "h.example").failure, "");
}

static void answer_for_a_removed_host_is_told_and_adds_nothing(void **state)
{
	struct fixture *f = *state;
	struct ip ip = prefix("192.0.2.1").ip;
	int64_t id;

	assert_ok(f, add_host(f, "a", "h.example", false));
	id = the_host(f, "h.example").id;
	assert_ok(f, store_acl_host_remove(f->store, "a", "h.example", &f->err));
	assert_refused(f, -ENOENT, "any more",
		       store_acl_host_resolved(f->store, id, &ip, 1, 0, &f->err));
	assert_refused(f, -ENOENT, "any more",
		       store_acl_host_failed(f->store, id, "why", 0, &f->err));
	assert_entries(f, "");
}

static void prefix_and_hosts_may_coincide_and_leave_one_another(void **state)
{
	struct fixture *f = *state;

	assert_ok(f, allow(f, "a", "192.0.2.1"));
	assert_ok(f, add_host(f, "a", "one.example", false));
	assert_ok(f, add_host(f, "a", "two.example", true));
	assert_ok(f, resolve(f, "two.example", "192.0.2.1"));
	assert_ok(f, resolve(f, "one.example", "192.0.2.1"));
	assert_entries(f, "192.0.2.1 192.0.2.1=one.example !192.0.2.1=two.example");
	assert_ok(f, take_away(f, "a", "192.0.2.1"));
	assert_ok(f, allow(f, "a", "192.0.2.1"));
	assert_ok(f, take_away(f, "a", "192.0.2.1"));
	assert_entries(f, "192.0.2.1=one.example !192.0.2.1=two.example");
	assert_refused(f, -ENOENT, "192.0.2.1", take_away(f, "a", "192.0.2.1"));
	assert_ok(f, store_acl_host_remove(f->store, "a", "two.example", &f->err));
	assert_entries(f, "192.0.2.1=one.example");
	assert_ok(f, deny(f, "a", "192.0.2.1"));
	assert_ok(f, store_acl_host_remove(f->store, "a", "one.example", &f->err));
	assert_entries(f, "!192.0.2.1");
}

static struct sipward_acl_value rule_at(struct fixture *f, const char *address)
{
	struct filter_rules rules = {0};
	struct prefix wanted = prefix(address);
	struct sipward_acl_value value = {0};

	assert_ok(f, store_filter_rules(f->store, &rules, &f->err));
	for (size_t i = 0; i < rules.count; i++) {
		if (memcmp(&rules.rules[i].prefix, &wanted, sizeof(wanted)) == 0)
			value = rules.rules[i].value;
	}
	filter_rules_free(&rules);
	return value;
}

static void deny_wins_at_one_prefix_of_one_acl(void **state)
{
	struct fixture *f = *state;

	assert_ok(f, create_trunk(f, "t", "*", "sip:198.51.100.1"));
	assert_ok(f, store_trunk_attach_acl(f->store, "t", "a", &f->err));
	assert_ok(f, add_host(f, "a", "h.example", true));
	assert_ok(f, resolve(f, "h.example", "192.0.2.1"));
	assert_int_equal(rule_at(f, "192.0.2.1").flags, SIPWARD_ACL_DENY);
	assert_ok(f, allow(f, "a", "192.0.2.1"));
	assert_int_equal(rule_at(f, "192.0.2.1").flags, SIPWARD_ACL_DENY);
	assert_ok(f, add_host(f, "a", "h.example", false));
	assert_last_audit(f, "ACL \"a\": allows host h.example");
	assert_int_equal(rule_at(f, "192.0.2.1").flags, SIPWARD_ACL_ALLOW);
	assert_ok(f, deny(f, "a", "192.0.2.1"));
	assert_int_equal(rule_at(f, "192.0.2.1").flags, SIPWARD_ACL_DENY);
}

static void host_names_that_break_the_rules_are_refused(void **state)
{
	static const struct ip none;
	struct fixture *f = *state;
	struct ip many[STORE_HOST_ADDRESSES_MAX + 1] = {0};
	int64_t id;

	assert_refused(f, -EINVAL, "as a prefix", add_host(f, "a", "192.0.2.1", false));
	assert_refused(f, -EINVAL, "as a prefix", add_host(f, "a", "2001:db8::1", false));
	assert_refused(f, -EINVAL, "host name", add_host(f, "a", "", false));
	assert_refused(f, -EINVAL, "host name", add_host(f, "a", "*", false));
	assert_refused(f, -EINVAL, "host name", add_host(f, "a", "a b.example", false));
	assert_refused(f, -EINVAL, "host name", add_host(f, "a", "10.0.0.0/8", false));
	assert_refused(f, -EINVAL, "_sip._udp", add_host(f, "a", "_sip.example", false));
	assert_refused(f, -ENOENT, "\"b\"", add_host(f, "b", "h.example", false));
	assert_refused(f, -ENOENT, "\"h.example\"",
		       store_acl_host_remove(f->store, "a", "h.example", &f->err));
	assert_ok(f, add_host(f, "a", "_sip._udp.example", false));
	assert_int_equal(the_host(f, "_sip._udp.example").kind, STORE_HOST_SRV);
	id = the_host(f, "_sip._udp.example").id;
	assert_refused(f, -EINVAL, "1 to 256",
		       store_acl_host_resolved(f->store, id, many, 257, 0, &f->err));
	assert_refused(f, -EINVAL, "1 to 256",
		       store_acl_host_resolved(f->store, id, many, 0, 0, &f->err));
	assert_refused(f, -EINVAL, "no IP address",
		       store_acl_host_resolved(f->store, id, &none, 1, 0, &f->err));
}

static void acl_goes_with_its_hosts(void **state)
{
	struct fixture *f = *state;
	int64_t rows;

	assert_ok(f, add_host(f, "a", "h.example", false));
	assert_ok(f, resolve(f, "h.example", "192.0.2.1"));
	assert_ok(f, store_acl_delete(f->store, "a", &f->err));
	assert_ok(f, db_int(f->store, &rows, &f->err,
			    "SELECT (SELECT count(*) FROM acl_host)"
			    " + (SELECT count(*) FROM acl_entry)"));
	assert_int_equal(rows, 0);
}

static void limit_counts_prefixes_and_hosts_but_no_addresses(void **state)
{
	struct fixture *f = *state;
	struct store_settings settings;

	assert_ok(f, store_settings_get(f->store, &settings, &f->err));
	settings.acl_entry_limit = 2;
	assert_ok(f, store_settings_set(f->store, &settings, &f->err));
	assert_ok(f, add_host(f, "a", "h.example", false));
	assert_ok(f, allow(f, "a", "192.0.2.1"));
	assert_ok(f, resolve(f, "h.example", "192.0.2.1 192.0.2.2 192.0.2.3"));
	assert_refused(f, -EINVAL, "acl-entry-limit allows 2", allow(f, "a", "192.0.2.4"));
	assert_refused(f, -EINVAL, "acl-entry-limit", add_host(f, "a", "i.example", false));
	/* What is there can change. */
	assert_ok(f, deny(f, "a", "192.0.2.1"));
	assert_ok(f, add_host(f, "a", "h.example", true));
	settings.acl_entry_limit = 1;
	assert_ok(f, store_settings_set(f->store, &settings, &f->err));
	assert_ok(f, allow(f, "a", "192.0.2.1"));
	assert_ok(f, take_away(f, "a", "192.0.2.1"));
	assert_refused(f, -EINVAL, "acl-entry-limit allows 1", allow(f, "a", "192.0.2.1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ACL_TEST(host_stands_for_the_addresses_it_resolves_to),
		ACL_TEST(same_answer_again_is_no_change),
		ACL_TEST(host_that_does_not_resolve_keeps_its_addresses),
		ACL_TEST(answer_for_a_removed_host_is_told_and_adds_nothing),
		ACL_TEST(prefix_and_hosts_may_coincide_and_leave_one_another),
		ACL_TEST(deny_wins_at_one_prefix_of_one_acl),
		ACL_TEST(host_names_that_break_the_rules_are_refused),
		ACL_TEST(acl_goes_with_its_hosts),
		ACL_TEST(limit_counts_prefixes_and_hosts_but_no_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
