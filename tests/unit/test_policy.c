/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "store_fixture.h"

/* The snapshot's own code, with allocations that fail when told to: -1 never, 0 the next one … */
static int allocations_left = -1;
static const void *watched;
static size_t watched_size;
static bool watched_was_wiped;

static bool refuse(void)
{
	if (allocations_left > 0)
		allocations_left--;
	else if (allocations_left == 0)
		return true;
	return false;
}

static void *failing_calloc(size_t n, size_t size)
{
	return refuse() ? NULL : calloc(n, size);
}

static void *failing_realloc(void *p, size_t n)
{
	return refuse() ? NULL : realloc(p, n);
}

static void watching_free(void *p)
{
	static const char zeroes[65536];

	if (p && p == watched)
		watched_was_wiped = memcmp(p, zeroes, watched_size) == 0;
	free(p);
}

#define calloc failing_calloc
#define realloc failing_realloc
#define free watching_free
#include "../../user/base/table.c"
#include "../../user/policy/acl_table.c"
#include "../../user/policy/policy_build.c"
#include "../../user/policy/policy_index.c"
#include "../../user/policy/policy_peers.c"
#undef calloc
#undef realloc
#undef free

#include "policy/explain.h"

static const struct store_ha1 ha1s = {.plain = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}};

static struct ip ip(const char *text)
{
	struct ip value;

	assert_int_equal(ip_parse(slice_from(text), &value), 0);
	return value;
}

static struct policy *build(struct fixture *f)
{
	struct policy *policy = NULL;

	assert_ok(f, policy_build(f->store, &policy, &f->err));
	return policy;
}

static void create_app_trunk(struct fixture *f, const char *name, const char *user,
			     const char *domain)
{
	struct store_trunk trunk;

	store_trunk_defaults(&trunk);
	snprintf(trunk.name, sizeof(trunk.name), "%s", name);
	snprintf(trunk.user, sizeof(trunk.user), "%s", user);
	snprintf(trunk.domain, sizeof(trunk.domain), "%s", domain);
	assert_ok(f, store_trunk_create(f->store, &trunk, "sip:198.51.100.9", &f->err));
}

static void set_enabled(struct fixture *f, const char *name, bool enabled)
{
	struct store_trunk trunk;

	assert_ok(f, store_trunk_get(f->store, name, &trunk, &f->err));
	trunk.enabled = enabled;
	assert_ok(f, store_trunk_set(f->store, &trunk, &f->err));
}

static void set_aliases(struct fixture *f, const char *name, const char *aliases)
{
	struct store_trunk trunk;

	assert_ok(f, store_trunk_get(f->store, name, &trunk, &f->err));
	snprintf(trunk.aliases, sizeof(trunk.aliases), "%s", aliases);
	assert_ok(f, store_trunk_set(f->store, &trunk, &f->err));
}

static void attach_acl_with(struct fixture *f, const char *trunk, const char *acl,
			    const char *prefix_text)
{
	assert_ok(f, store_acl_create(f->store, acl, "", &f->err));
	assert_ok(f, allow(f, acl, prefix_text));
	assert_ok(f, store_trunk_attach_acl(f->store, trunk, acl, &f->err));
}

static void attach_list_with(struct fixture *f, const char *trunk, const char *list,
			     const char *realm, const char *user)
{
	assert_ok(f, store_credentials_create(f->store, list, realm, &f->err));
	assert_ok(f, store_user_add(f->store, list, user, &ha1s, &f->err));
	assert_ok(f, store_trunk_attach_credentials(f->store, trunk, list, &f->err));
}

static void add_peer(struct fixture *f, const char *trunk, enum store_peer_role role,
		     const char *uri, unsigned priority)
{
	struct store_peer peer = {.role = role, .priority = priority, .weight = 7};

	snprintf(peer.uri, sizeof(peer.uri), "%s", uri);
	assert_ok(f, store_peer_add(f->store, trunk, &peer, &f->err));
}

static void add_outbound_user(struct fixture *f, const char *trunk, const char *uri,
			      const char *user)
{
	const struct store_outbound_key key = {trunk, uri, user};
	const struct store_outbound outbound = {
		.realm = "carrier.example", .registers = true, .expires_s = 600, .ha1 = ha1s};

	assert_ok(f, store_outbound_add(f->store, &key, &outbound, NULL, &f->err));
}

static const char *found(const struct policy *policy, const char *user, const char *host)
{
	const struct policy_trunk *trunk =
		policy_trunk_find(policy, slice_from(user), slice_from(host));

	return trunk ? trunk->config.name : "none";
}

static void a_trunk_is_found_by_user_and_domain_then_domain_then_default(void **state)
{
	static const struct {
		const char *user, *host, *trunk;
	} rows[] = {
		{"app42", "a.example", "app"},
		{"app43", "a.example", "domain"},
		{"APP42", "a.example", "domain"}, /* users differ by case, RFC 3261 §19.1.4 */
		{"", "a.example", "domain"},
		{"app42", "A.Example", "app"},
		{"anybody", "A.EXAMPLE", "domain"},
		{"anybody", "b.example", "default"},
		{"anyuser", "203.0.113.1", "any-domain"},
		{"anyuser", "a.example", "domain"},
		{"", "", "default"},
		{"x", "a.example.", "domain"}, /* the same name, RFC 1034 §3.1 */
		{"x", "a.example..", "default"},
		{"x", ".", "default"},
		{"x", "a.exampl", "default"},
		{"x", "sub.a.example", "default"},
		{"x", "*", "default"},
	};
	struct fixture *f = *state;
	struct policy *policy;

	create_app_trunk(f, "app", "app42", "a.example");
	create_app_trunk(f, "domain", "", "a.example");
	create_app_trunk(f, "any-domain", "anyuser", "*");
	create_app_trunk(f, "default", "", "*");
	policy = build(f);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(found(policy, rows[i].user, rows[i].host), rows[i].trunk);
	policy_unref(policy);
}

static void without_a_default_trunk_a_foreign_domain_finds_none(void **state)
{
	struct fixture *f = *state;
	struct policy *policy = build(f);

	assert_string_equal(found(policy, "a", "a.example"), "none");
	policy_unref(policy);
	assert_ok(f, create_trunk(f, "t", "a.example", "sip:198.51.100.1"));
	policy = build(f);
	assert_string_equal(found(policy, "a", "a.example"), "t");
	assert_string_equal(found(policy, "a", "b.example"), "none");
	policy_unref(policy);
}

static void an_alias_is_as_good_as_the_domain(void **state)
{
	static const struct {
		const char *user, *host, *trunk;
	} rows[] = {
		{"1000", "acme.example", "acme"},	{"1000", "eu.acme.example", "acme"},
		{"1000", "US.ACME.example", "acme"},	{"app42", "eu.acme.example", "acme"},
		{"app42", "app.example", "app"},	{"app42", "eu.app.example", "app"},
		{"1000", "eu.app.example", "none"},	{"1000", "asia.acme.example", "none"},
		{"1000", "2001:db8::1", "acme"},	{"1000", "2001:DB8:0:0::1", "acme"},
		{"1000", "eu.acme.example us", "none"}, {"1000", "203.0.113.9", "acme"},
	};
	struct fixture *f = *state;
	struct policy *policy;

	create_app_trunk(f, "acme", "", "acme.example");
	set_aliases(f, "acme", "eu.acme.example us.acme.example 2001:db8::1 203.0.113.9");
	create_app_trunk(f, "app", "app42", "app.example");
	set_aliases(f, "app", "eu.app.example");
	policy = build(f);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(found(policy, rows[i].user, rows[i].host), rows[i].trunk);
	assert_true(policy_has_user_trunk(policy, SLICE("eu.app.example")));
	assert_false(policy_has_user_trunk(policy, SLICE("eu.acme.example")));
	policy_unref(policy);
}

/* It is found, so that its calls reach no other trunk; everything else is gone. */
static void a_disabled_trunk_keeps_its_place_and_vouches_for_nobody(void **state)
{
	struct fixture *f = *state;
	struct ip customer = ip("192.0.2.1"), upstream = ip("198.51.100.1");
	struct store_trunk trunk;
	struct policy *policy;

	create_app_trunk(f, "default", "", "*");
	assert_ok(f, create_trunk(f, "t", "a.example", "sip:198.51.100.1"));
	attach_acl_with(f, "t", "office", "192.0.2.0/24");
	attach_list_with(f, "t", "one", "one.example", "alice");
	assert_ok(f, store_trunk_get(f->store, "t", &trunk, &f->err));
	for (int enabled = 0; enabled <= 1; enabled++) {
		const struct policy_trunk *there;

		set_enabled(f, "t", enabled);
		policy = build(f);
		there = policy_trunk_find(policy, SLICE("a"), SLICE("a.example"));
		assert_string_equal(there->config.name, "t");
		assert_int_equal(there->config.enabled, enabled);
		assert_int_equal(policy_acl_allows(there, &customer), enabled);
		assert_int_equal(there->realm_count, enabled);
		assert_ptr_equal(policy_trunk_by_id(policy, trunk.id), there);
		assert_int_equal(policy_is_upstream(policy, &upstream), enabled);
		assert_int_equal(policy_is_listed(policy, &upstream), enabled);
		assert_int_equal(policy_is_listed(policy, &customer), enabled);
		policy_unref(policy);
	}
}

static void an_upstream_belongs_to_the_first_trunk_by_name(void **state)
{
	struct fixture *f = *state;
	struct ip shared = ip("198.51.100.1"), six = ip("2001:db8::1"), none = ip("198.51.100.2");
	struct policy *policy;

	assert_ok(f, create_trunk(f, "zeta", "z.example", "sip:198.51.100.1"));
	assert_ok(f, create_trunk(f, "beta", "b.example", "sip:198.51.100.1:5080"));
	assert_ok(f, create_trunk(f, "six", "s.example", "sip:[2001:db8::1]"));
	policy = build(f);
	assert_string_equal(policy_trunk_of_upstream(policy, &shared)->config.name, "beta");
	assert_string_equal(policy_trunk_of_upstream(policy, &six)->config.name, "six");
	assert_null(policy_trunk_of_upstream(policy, &none));
	policy_unref(policy);
}

/* "sip:a=udp/192.0.2.1:5060 …", in order. */
static const char *hops_text(const struct policy_hop *hops, size_t n, char text[1024])
{
	char endpoint[ENDPOINT_TEXT_SIZE];
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		endpoint_format(&hops[i].endpoint, endpoint);
		used += (size_t)snprintf(text + used, 1024 - used, "%s%s=%d/%s", i ? " " : "",
					 hops[i].uri, (int)hops[i].transport, endpoint);
	}
	return text;
}

static void calls_go_to_every_address_of_every_peer_in_order(void **state)
{
	static const struct store_peer_address addresses[] = {
		{{{4, {192, 0, 2, 8}}, 5061}, NET_TLS, 20, 1},
		{{{4, {192, 0, 2, 9}}, 5060}, NET_TCP, 10, 3},
	};
	struct fixture *f = *state;
	const struct policy_trunk *trunk;
	struct policy *policy;
	char text[1024];

	assert_ok(f, create_trunk(f, "t", "t.example", "sip:198.51.100.1"));
	add_peer(f, "t", STORE_UPSTREAM, "sip:Carrier.example", 5);
	add_peer(f, "t", STORE_UPSTREAM, "sip:never-resolved.example", 1);
	add_peer(f, "t", STORE_DESTINATION, "sips:198.51.100.2", 30);
	add_peer(f, "t", STORE_DESTINATION, "sip:198.51.100.3:5070", 20);
	assert_ok(f, store_peer_resolved(f->store, get_peer(f, "t", "sip:carrier.example").id,
					 addresses, 2, 0, &f->err));
	assert_ok(f, store_trunk_header_add(f->store, "t", "X-B: 1", &f->err));
	assert_ok(f, store_trunk_header_add(f->store, "t", "X-A: 2", &f->err));
	policy = build(f);
	trunk = policy_trunk_find(policy, SLICE(""), SLICE("t.example"));
	assert_string_equal(hops_text(trunk->upstreams, trunk->upstream_count, text),
			    "sip:carrier.example=2/192.0.2.9:5060 "
			    "sip:carrier.example=3/192.0.2.8:5061 "
			    "sip:198.51.100.1=1/198.51.100.1:5060");
	assert_string_equal(trunk->upstreams[1].host, "carrier.example");
	assert_int_equal(trunk->upstreams[0].priority, 5);
	assert_int_equal(trunk->upstreams[0].weight, 7);
	assert_int_equal(trunk->upstreams[0].srv_priority, 10);
	assert_int_equal(trunk->upstreams[0].srv_weight, 3);
	assert_string_equal(hops_text(trunk->destinations, trunk->destination_count, text),
			    "sip:198.51.100.3:5070=1/198.51.100.3:5070 "
			    "sips:198.51.100.2=3/198.51.100.2:5061");
	assert_int_equal(trunk->header_count, 2);
	assert_string_equal(trunk->headers[0].name, "X-B");
	assert_string_equal(trunk->headers[1].value, "2");
	policy_unref(policy);
}

static void every_address_of_a_peer_is_known_by_its_role(void **state)
{
	static const struct store_peer_address addresses[] = {
		{{{4, {192, 0, 2, 8}}, 5060}, NET_UDP, 0, 0},
		{{{4, {192, 0, 2, 9}}, 5070}, NET_UDP, 0, 0},
	};
	struct ip upstream = ip("192.0.2.9"), destination = ip("198.51.100.2");
	struct fixture *f = *state;
	const struct policy_trunk *trunk;
	struct policy *policy;

	assert_ok(f, create_trunk(f, "t", "t.example", "sip:carrier.example"));
	add_peer(f, "t", STORE_DESTINATION, "sip:198.51.100.2", 10);
	assert_ok(f, store_peer_resolved(f->store, get_peer(f, "t", "sip:carrier.example").id,
					 addresses, 2, 0, &f->err));
	policy = build(f);
	trunk = policy_trunk_find(policy, SLICE(""), SLICE("t.example"));
	assert_ptr_equal(policy_trunk_of_upstream(policy, &upstream), trunk);
	assert_true(policy_is_upstream(policy, &upstream));
	assert_true(policy_is_listed(policy, &upstream));
	assert_false(policy_is_upstream(policy, &destination));
	assert_true(policy_is_listed(policy, &destination));
	assert_ptr_equal(policy_upstream_at(trunk, &(struct endpoint){upstream, 5070}),
			 &trunk->upstreams[1]);
	assert_ptr_equal(policy_upstream_at(trunk, &(struct endpoint){upstream, 0}),
			 &trunk->upstreams[1]);
	assert_null(policy_upstream_at(trunk, &(struct endpoint){upstream, 5060}));
	assert_null(policy_upstream_at(trunk, &(struct endpoint){destination, 5060}));
	policy_unref(policy);
}

static void outbound_credentials_come_with_the_hop_and_are_wiped(void **state)
{
	const struct store_outbound_key sealed = {"t", "sip:198.51.100.1", "second"};
	const struct store_outbound unknown = {.expires_s = 60};
	struct fixture *f = *state;
	const struct policy_hop *hop;
	struct policy *policy;

	assert_ok(f, create_trunk(f, "t", "t.example", "sip:198.51.100.1"));
	add_outbound_user(f, "t", "sip:198.51.100.1", "zoe");
	assert_ok(f, store_outbound_add(f->store, &sealed, &unknown, "secret", &f->err));
	policy = build(f);
	hop = policy_trunk_find(policy, SLICE(""), SLICE("t.example"))->upstreams;
	assert_int_equal(hop->outbound_count, 2);
	assert_string_equal(hop->outbound[0].user, "zoe");
	assert_string_equal(hop->outbound[0].realm, "carrier.example");
	assert_memory_equal(&hop->outbound[0].ha1, &ha1s, sizeof(ha1s));
	assert_true(hop->outbound[0].registers);
	assert_string_equal(hop->outbound[0].password, "");
	assert_int_equal(hop->outbound[0].expires_s, 600);
	assert_string_equal(hop->outbound[1].realm, "");
	assert_string_equal(hop->outbound[1].password, "secret");
	watched = hop->outbound;
	watched_size = hop->outbound_count * sizeof(*hop->outbound);
	watched_was_wiped = false;
	policy_unref(policy);
	watched = NULL;
	assert_true(watched_was_wiped);
}

static void the_longest_match_decides_within_an_acl_and_any_acl_may_allow(void **state)
{
	static const struct {
		const char *address;
		bool allowed;
	} rows[] = {
		{"192.0.2.1", true},   {"192.0.2.129", false},	 {"192.0.2.130", true},
		{"192.0.3.1", false},  {"10.9.8.7", true},	 {"192.0.2.200", true},
		{"2001:db8::1", true}, {"2001:db8:1::1", false}, {"2001:db8:1::2", true},
		{"c000:201::", false}, /* the bytes of 192.0.2.1, the other family */
	};
	struct fixture *f = *state;
	struct policy *policy;

	assert_ok(f, create_trunk(f, "t", "a.example", "sip:198.51.100.1"));
	attach_acl_with(f, "t", "first", "192.0.2.0/24");
	assert_ok(f, deny(f, "first", "192.0.2.128/25"));
	assert_ok(f, allow(f, "first", "192.0.2.130"));
	assert_ok(f, allow(f, "first", "2001:db8::/32"));
	assert_ok(f, deny(f, "first", "2001:db8:1::/48"));
	assert_ok(f, allow(f, "first", "2001:db8:1::2"));
	attach_acl_with(f, "t", "second", "10.0.0.0/8");
	assert_ok(f, allow(f, "second", "192.0.2.200"));
	policy = build(f);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct policy_trunk *trunk =
			policy_trunk_find(policy, SLICE(""), SLICE("a.example"));
		struct ip address = ip(rows[i].address);

		if (policy_acl_allows(trunk, &address) != rows[i].allowed)
			fail_msg("%s", rows[i].address);
		assert_int_equal(policy_is_listed(policy, &address), rows[i].allowed);
	}
	policy_unref(policy);
}

static void another_trunks_acl_lists_a_source_but_does_not_allow_it_here(void **state)
{
	struct fixture *f = *state;
	struct ip address = ip("192.0.2.1");
	struct policy *policy;

	assert_ok(f, create_trunk(f, "here", "here.example", "sip:198.51.100.1"));
	assert_ok(f, create_trunk(f, "there", "there.example", "sip:198.51.100.1"));
	attach_acl_with(f, "here", "here", "10.0.0.0/8");
	attach_acl_with(f, "there", "there", "192.0.2.0/24");
	policy = build(f);
	assert_false(policy_acl_allows(policy_trunk_find(policy, SLICE(""), SLICE("here.example")),
				       &address));
	assert_true(policy_is_listed(policy, &address));
	policy_unref(policy);
}

/* The slow and obvious way. */
static enum acl_match naive_match(const struct prefix *prefixes, const bool *denies, size_t n,
				  const struct ip *address)
{
	enum acl_match match = ACL_NO_MATCH;
	int longest = -1;

	for (size_t i = 0; i < n; i++) {
		if (prefixes[i].len < longest || !prefix_contains(&prefixes[i], address))
			continue;
		longest = prefixes[i].len;
		match = denies[i] ? ACL_DENY : ACL_ALLOW;
	}
	return match;
}

/* Few different bits, so that prefixes nest and addresses hit. */
static struct ip random_ip(void)
{
	struct ip value = {.family = rand() % 2 ? 4 : 6};

	for (size_t i = 0; i < ip_bits(&value) / 8; i++)
		value.bytes[i] = rand() % 3 ? 0 : (uint8_t)(0x80 >> rand() % 8);
	return value;
}

static void longest_match_agrees_with_a_naive_search(void **state)
{
	enum { N = 200 };
	struct prefix prefixes[N];
	bool denies[N];
	struct acl_table table;

	(void)state;
	srand(1);
	for (int round = 0; round < 20; round++) {
		assert_int_equal(acl_table_init(&table, N), 0);
		for (size_t i = 0; i < N; i++) {
			struct ip address = random_ip();

			prefixes[i].len = (uint8_t)((unsigned)rand() % (ip_bits(&address) + 1));
			prefixes[i].ip = ip_masked(&address, prefixes[i].len);
			denies[i] = rand() % 2;
			assert_int_equal(acl_table_add(&table, &prefixes[i], denies[i]), 0);
		}
		for (int i = 0; i < 2000; i++) {
			struct ip address = random_ip();

			assert_int_equal(acl_table_match(&table, &address),
					 naive_match(prefixes, denies, N, &address));
		}
		acl_table_free(&table);
	}
}

/* An address is listed where some ACL, asked alone, allows it. */
static void merged_acls_agree_with_each_asked_alone(void **state)
{
	enum { ACLS = 6, N = 40 };
	struct acl_table tables[ACLS], merged;
	const struct acl_table *all[ACLS];

	(void)state;
	srand(2);
	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < ACLS; i++) {
			all[i] = &tables[i];
			assert_int_equal(acl_table_init(&tables[i], N), 0);
			for (size_t j = 0; j < N; j++) {
				struct ip address = random_ip();
				unsigned len = (unsigned)rand() % (ip_bits(&address) + 1);
				struct prefix prefix = {ip_masked(&address, len), (uint8_t)len};

				assert_int_equal(acl_table_add(&tables[i], &prefix, rand() % 2), 0);
			}
		}
		assert_int_equal(acl_table_merge(all, ACLS, &merged), 0);
		for (int i = 0; i < 2000; i++) {
			struct ip address = random_ip();
			bool allowed = false;

			for (size_t j = 0; j < ACLS; j++)
				allowed |= acl_table_match(&tables[j], &address) == ACL_ALLOW;
			assert_int_equal(acl_table_match(&merged, &address) == ACL_ALLOW, allowed);
		}
		for (size_t i = 0; i < ACLS; i++)
			acl_table_free(&tables[i]);
		acl_table_free(&merged);
	}
}

static void a_full_table_says_so_and_an_empty_one_matches_nothing(void **state)
{
	struct prefix one = prefix("192.0.2.1"), two = prefix("192.0.2.2");
	struct acl_table table;

	(void)state;
	assert_int_equal(acl_table_init(&table, 0), 0);
	assert_int_equal(acl_table_match(&table, &one.ip), ACL_NO_MATCH);
	acl_table_free(&table);
	assert_int_equal(acl_table_init(&table, 1), 0);
	assert_int_equal(acl_table_add(&table, &one, false), 0);
	assert_int_equal(acl_table_add(&table, &one, true), 0);
	assert_int_equal(acl_table_match(&table, &one.ip), ACL_DENY);
	assert_int_equal(acl_table_add(&table, &two, false), -ENOSPC);
	assert_int_equal(acl_table_match(&table, &two.ip), ACL_NO_MATCH);
	acl_table_free(&table);
	assert_int_equal(acl_table_init(&table, UINT64_MAX), -EOVERFLOW);
}

static void users_are_found_by_name_and_realm(void **state)
{
	struct fixture *f = *state;
	const struct policy_trunk *trunk;
	struct policy_user *user;
	struct policy *policy;

	assert_ok(f, create_trunk(f, "t", "a.example", "sip:198.51.100.1"));
	attach_list_with(f, "t", "one", "one.example", "alice");
	attach_list_with(f, "t", "two", "two.example", "bob");
	attach_list_with(f, "t", "three", "one.example", "carol");
	assert_ok(f, store_user_add(f->store, "one", "zoe", &ha1s, &f->err));
	policy = build(f);
	trunk = policy_trunk_find(policy, SLICE(""), SLICE("a.example"));
	assert_int_equal(trunk->realm_count, 2);
	user = policy_user_find(trunk, SLICE("alice"), SLICE("one.example"));
	assert_non_null(user);
	assert_true(slice_eq(user->name, SLICE("alice")));
	assert_true(slice_eq(user->realm, SLICE("one.example")));
	assert_memory_equal(&user->ha1, &ha1s, sizeof(ha1s));
	assert_non_null(policy_user_find(trunk, SLICE("zoe"), SLICE("one.example")));
	assert_non_null(policy_user_find(trunk, SLICE("carol"), SLICE("one.example")));
	assert_non_null(policy_user_find(trunk, SLICE("bob"), SLICE("two.example")));
	assert_null(policy_user_find(trunk, SLICE("bob"), SLICE("one.example")));
	assert_null(policy_user_find(trunk, SLICE("alic"), SLICE("one.example")));
	assert_null(policy_user_find(trunk, SLICE("alice@one"), SLICE("one.example")));
	assert_null(policy_user_find(trunk, SLICE("Alice"), SLICE("one.example")));
	assert_null(policy_user_find(trunk, SLICE("alice"), SLICE("ONE.example")));
	assert_null(policy_user_find(trunk, SLICE(""), SLICE("")));
	policy_unref(policy);
}

static void a_list_shared_by_two_trunks_has_one_user(void **state)
{
	struct fixture *f = *state;
	struct policy *policy;

	assert_ok(f, create_trunk(f, "t", "a.example", "sip:198.51.100.1"));
	assert_ok(f, create_trunk(f, "u", "b.example", "sip:198.51.100.1"));
	attach_list_with(f, "t", "one", "one.example", "alice");
	assert_ok(f, store_trunk_attach_credentials(f->store, "u", "one", &f->err));
	policy = build(f);
	assert_ptr_equal(policy_user_find(policy_trunk_find(policy, SLICE(""), SLICE("a.example")),
					  SLICE("alice"), SLICE("one.example")),
			 policy_user_find(policy_trunk_find(policy, SLICE(""), SLICE("b.example")),
					  SLICE("alice"), SLICE("one.example")));
	policy_unref(policy);
}

static void a_snapshot_does_not_change_with_the_store(void **state)
{
	struct fixture *f = *state;
	struct policy *before, *after;

	assert_ok(f, create_trunk(f, "t", "a.example", "sip:198.51.100.1"));
	before = policy_ref(build(f));
	assert_ok(f, store_trunk_delete(f->store, "t", &f->err));
	after = build(f);
	assert_true(policy_generation(after) > policy_generation(before));
	assert_int_equal(policy_generation(after), generation(f));
	policy_unref(before);
	assert_string_equal(found(before, "a", "a.example"), "t");
	assert_string_equal(found(after, "a", "a.example"), "none");
	assert_int_equal(policy_settings(after)->lockout_failures, 10);
	policy_unref(before);
	policy_unref(after);
	policy_unref(NULL);
}

static void secrets_are_wiped_when_the_snapshot_goes(void **state)
{
	struct fixture *f = *state;
	struct policy *policy;

	assert_ok(f, create_trunk(f, "t", "a.example", "sip:198.51.100.1"));
	attach_list_with(f, "t", "one", "one.example", "alice");
	policy = build(f);
	watched = policy_user_find(policy_trunk_find(policy, SLICE(""), SLICE("a.example")),
				   SLICE("alice"), SLICE("one.example"));
	watched_size = sizeof(struct policy_entry); /* which begins with the user */
	watched_was_wiped = false;
	policy_unref(policy);
	watched = NULL;
	assert_true(watched_was_wiped);
}

/* What a build left behind the leak checker would report. */
static void a_build_survives_each_failing_allocation(void **state)
{
	struct fixture *f = *state;
	struct policy *policy = NULL;
	int n = 0, rc;

	assert_ok(f, create_trunk(f, "t", "a.example", "sip:198.51.100.1"));
	assert_ok(f, create_trunk(f, "u", "b.example", "sip:198.51.100.1"));
	attach_acl_with(f, "t", "one", "192.0.2.0/24");
	attach_acl_with(f, "t", "two", "10.0.0.0/8");
	attach_list_with(f, "t", "one", "one.example", "alice");
	attach_list_with(f, "u", "two", "two.example", "alice");
	add_peer(f, "u", STORE_DESTINATION, "sip:198.51.100.2", 10);
	add_outbound_user(f, "u", "sip:198.51.100.1", "one");
	add_outbound_user(f, "u", "sip:198.51.100.1", "two");
	assert_ok(f, store_trunk_header_add(f->store, "u", "X-A: b", &f->err));
	do {
		allocations_left = n++;
		rc = policy_build(f->store, &policy, &f->err);
		allocations_left = -1;
		if (rc) {
			assert_int_equal(rc, -ENOMEM);
			assert_null(policy);
		}
	} while (rc);
	assert_true(n > 15);
	policy_unref(policy);
	/* The read transaction is over: a change can be written. */
	assert_ok(f, store_trunk_delete(f->store, "u", &f->err));
}

struct explained {
	unsigned rows;
	char text[4096];
};

static void note_row(const struct policy_explain_row *row, void *arg)
{
	struct explained *explained = arg;
	size_t used = strlen(explained->text);

	explained->rows++;
	snprintf(explained->text + used, sizeof(explained->text) - used, "%s|%s|%s|%s|%s\n",
		 row->name, row->target, store_auth_type_name(row->auth),
		 row->acl_allows ? "yes" : "no", row->next);
}

static void explain_says_for_each_trunk_what_comes_next(void **state)
{
	struct fixture *f = *state;
	struct explained in = {0}, out = {0};
	struct ip office = ip("192.0.2.1"), street = ip("203.0.113.1");
	struct store_trunk both;
	struct policy *policy;

	assert_ok(f, create_trunk(f, "a-addr", "a.example", "sip:198.51.100.1"));
	attach_acl_with(f, "a-addr", "office", "192.0.2.0/24");
	create_app_trunk(f, "b-app", "app42", "b.example");
	attach_list_with(f, "b-app", "one", "one.example", "alice");
	assert_ok(f, create_trunk(f, "c-both", "c.example", "sip:198.51.100.1"));
	assert_ok(f, store_trunk_attach_acl(f->store, "c-both", "office", &f->err));
	assert_ok(f, store_trunk_attach_credentials(f->store, "c-both", "one", &f->err));
	assert_ok(f, store_trunk_get(f->store, "c-both", &both, &f->err));
	both.sess = true;
	assert_ok(f, store_trunk_set(f->store, &both, &f->err));
	assert_ok(f, create_trunk(f, "d-none", "d.example", "sip:198.51.100.1"));
	assert_ok(f, create_trunk(f, "e-off", "e.example", "sip:198.51.100.1"));
	assert_ok(f, store_trunk_attach_acl(f->store, "e-off", "office", &f->err));
	set_enabled(f, "e-off", false);
	policy = build(f);
	policy_explain(policy, &office, note_row, &in);
	policy_explain(policy, &street, note_row, &out);
	policy_unref(policy);
	assert_int_equal(in.rows, 5);
	assert_string_equal(
		in.text,
		"a-addr|a.example|ip_acl|yes|forwarded: its ACLs allow the address\n"
		"b-app|app42@b.example|credential|no|asked for credentials (407; REGISTER 401), "
		"realm "
		"\"one.example\", with MD5; forwarded when right (only if the Request-URI says "
		"app42@b.example)\n"
		"c-both|c.example|ip_acl_and_credential|yes|asked for credentials (407; REGISTER "
		"401), "
		"realm \"one.example\", with MD5-sess; forwarded when right\n"
		"d-none|d.example|none|no|486 unless the From user has registered from this "
		"address: neither ACL nor credentials are attached\n"
		"e-off|e.example|ip_acl|no|403: the trunk is disabled\n");
	assert_non_null(strstr(out.text, "a-addr|a.example|ip_acl|no|403: none of its ACLs"));
	assert_non_null(strstr(out.text, "c-both|c.example|ip_acl_and_credential|no|403 before"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(a_trunk_is_found_by_user_and_domain_then_domain_then_default),
		STORE_TEST(without_a_default_trunk_a_foreign_domain_finds_none),
		STORE_TEST(an_alias_is_as_good_as_the_domain),
		STORE_TEST(a_disabled_trunk_keeps_its_place_and_vouches_for_nobody),
		STORE_TEST(an_upstream_belongs_to_the_first_trunk_by_name),
		STORE_TEST(calls_go_to_every_address_of_every_peer_in_order),
		STORE_TEST(every_address_of_a_peer_is_known_by_its_role),
		STORE_TEST(outbound_credentials_come_with_the_hop_and_are_wiped),
		STORE_TEST(the_longest_match_decides_within_an_acl_and_any_acl_may_allow),
		STORE_TEST(another_trunks_acl_lists_a_source_but_does_not_allow_it_here),
		cmocka_unit_test(longest_match_agrees_with_a_naive_search),
		cmocka_unit_test(merged_acls_agree_with_each_asked_alone),
		cmocka_unit_test(a_full_table_says_so_and_an_empty_one_matches_nothing),
		STORE_TEST(users_are_found_by_name_and_realm),
		STORE_TEST(a_list_shared_by_two_trunks_has_one_user),
		STORE_TEST(a_snapshot_does_not_change_with_the_store),
		STORE_TEST(secrets_are_wiped_when_the_snapshot_goes),
		STORE_TEST(a_build_survives_each_failing_allocation),
		STORE_TEST(explain_says_for_each_trunk_what_comes_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
