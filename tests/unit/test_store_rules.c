/* SPDX-License-Identifier: BSD-2-Clause */
/* What the filter is told: which rule a prefix gets, and that changes add up to the whole. */
#include <errno.h>
#include <time.h>

#include "store/effective.h"
#include "store_hosts.h"

static int compare_rule(const void *a_, const void *b_)
{
	const struct filter_rule *a = a_, *b = b_;
	struct prefix_key key_a = prefix_key(&a->prefix), key_b = prefix_key(&b->prefix);

	return memcmp(key_a.bytes, key_b.bytes, sizeof(key_a.bytes));
}

static struct filter_rules rules_now(struct fixture *f)
{
	struct filter_rules rules = {0};

	assert_ok(f, store_filter_rules(f->store, &rules, &f->err));
	qsort(rules.rules, rules.count, sizeof(*rules.rules), compare_rule);
	return rules;
}

static const struct filter_rule *find_rule(const struct filter_rules *rules, const char *text)
{
	struct filter_rule wanted = {.prefix = prefix(text)};

	return bsearch(&wanted, rules->rules, rules->count, sizeof(wanted), compare_rule);
}

/* The flags of the prefix's rule; 0 = none. */
static unsigned flags_of(struct fixture *f, const char *text)
{
	struct filter_rules rules = rules_now(f);
	const struct filter_rule *rule = find_rule(&rules, text);
	unsigned flags = rule ? rule->value.flags : 0;

	free(rules.rules);
	return flags;
}

/* Two trunks with an ACL each. */
static void two_trunks(struct fixture *f)
{
	assert_ok(f, create_trunk(f, "t1", "a.example", "sip:192.0.2.1"));
	assert_ok(f, create_trunk(f, "t2", "b.example", "sip:192.0.2.2"));
	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_ok(f, store_acl_create(f->store, "b", "", &f->err));
	assert_ok(f, store_trunk_attach_acl(f->store, "t1", "a", &f->err));
	assert_ok(f, store_trunk_attach_acl(f->store, "t2", "b", &f->err));
}

static void set_enabled(struct fixture *f, const char *name, bool enabled)
{
	struct store_trunk trunk;

	assert_ok(f, store_trunk_get(f->store, name, &trunk, &f->err));
	trunk.enabled = enabled;
	assert_ok(f, store_trunk_set(f->store, &trunk, &f->err));
}

static void only_acls_of_enabled_trunks_make_rules(void **state)
{
	struct fixture *f = *state;

	two_trunks(f);
	assert_ok(f, store_acl_create(f->store, "loose", "", &f->err));
	assert_ok(f, allow(f, "a", "10.0.0.0/8"));
	assert_ok(f, allow(f, "loose", "11.0.0.0/8"));
	assert_int_equal(flags_of(f, "10.0.0.0/8"), SIPWARD_ACL_ALLOW);
	assert_int_equal(flags_of(f, "11.0.0.0/8"), 0);
	assert_int_equal(flags_of(f, "192.0.2.1"), SIPWARD_ACL_UPSTREAM);
	set_enabled(f, "t1", false);
	assert_int_equal(flags_of(f, "10.0.0.0/8"), 0);
	assert_int_equal(flags_of(f, "192.0.2.1"), 0);
}

static void allow_wins_over_deny_of_the_same_prefix(void **state)
{
	struct fixture *f = *state;

	two_trunks(f);
	assert_ok(f, deny(f, "a", "10.0.0.0/8"));
	assert_int_equal(flags_of(f, "10.0.0.0/8"), SIPWARD_ACL_DENY);
	assert_ok(f, allow(f, "b", "10.0.0.0/8"));
	assert_int_equal(flags_of(f, "10.0.0.0/8"), SIPWARD_ACL_ALLOW);
}

static void deny_holds_only_where_no_other_acl_allows(void **state)
{
	struct fixture *f = *state;

	two_trunks(f);
	assert_ok(f, allow(f, "a", "10.0.0.0/8"));
	assert_ok(f, deny(f, "a", "10.1.0.0/16"));
	assert_int_equal(flags_of(f, "10.1.0.0/16"), SIPWARD_ACL_DENY);
	assert_ok(f, allow(f, "b", "10.0.0.0/12"));
	assert_int_equal(flags_of(f, "10.1.0.0/16"), SIPWARD_ACL_ALLOW);
	assert_ok(f, deny(f, "b", "10.0.0.0/15"));
	assert_int_equal(flags_of(f, "10.1.0.0/16"), SIPWARD_ACL_DENY);
}

static void upstream_is_never_denied(void **state)
{
	struct fixture *f = *state;

	two_trunks(f);
	assert_ok(f, deny(f, "a", "192.0.2.1"));
	assert_ok(f, allow(f, "a", "192.0.2.2"));
	assert_int_equal(flags_of(f, "192.0.2.1"), SIPWARD_ACL_UPSTREAM);
	assert_int_equal(flags_of(f, "192.0.2.2"), SIPWARD_ACL_UPSTREAM | SIPWARD_ACL_ALLOW);
}

static void rule_names_the_entry_or_trunk_behind_it(void **state)
{
	struct fixture *f = *state;
	struct filter_rules rules;
	struct store_trunk trunk;

	two_trunks(f);
	assert_ok(f, allow(f, "a", "10.0.0.0/8"));
	assert_ok(f, deny(f, "b", "10.1.0.0/16"));
	assert_ok(f, store_trunk_get(f->store, "t2", &trunk, &f->err));
	rules = rules_now(f);
	assert_int_equal(find_rule(&rules, "10.1.0.0/16")->value.rule_id,
			 find_rule(&rules, "10.0.0.0/8")->value.rule_id);
	assert_int_equal(find_rule(&rules, "192.0.2.2")->value.rule_id, trunk.id);
	free(rules.rules);
}

static enum sipward_unlisted unlisted(struct fixture *f)
{
	enum sipward_unlisted value;

	assert_ok(f, store_unlisted_effective(f->store, &value, &f->err));
	return value;
}

static void unlisted_policy_follows_from_the_trunks(void **state)
{
	struct fixture *f = *state;
	struct store_settings settings;

	assert_int_equal(unlisted(f), SIPWARD_UNLISTED_DROP);
	assert_ok(f, create_trunk(f, "t1", "*", "sip:192.0.2.1"));
	assert_int_equal(unlisted(f), SIPWARD_UNLISTED_LIMIT);
	assert_ok(f, store_acl_create(f->store, "a", "", &f->err));
	assert_ok(f, store_trunk_attach_acl(f->store, "t1", "a", &f->err));
	assert_int_equal(unlisted(f), SIPWARD_UNLISTED_DROP);
	assert_ok(f, create_trunk(f, "t2", "b.example", "sip:192.0.2.1"));
	assert_int_equal(unlisted(f), SIPWARD_UNLISTED_LIMIT);
	set_enabled(f, "t2", false);
	assert_int_equal(unlisted(f), SIPWARD_UNLISTED_DROP);
	assert_ok(f, store_settings_get(f->store, &settings, &f->err));
	settings.unlisted = STORE_UNLISTED_REJECT;
	assert_ok(f, store_settings_set(f->store, &settings, &f->err));
	assert_int_equal(unlisted(f), SIPWARD_UNLISTED_REJECT);
}

static void settings_reach_the_filter(void **state)
{
	struct fixture *f = *state;
	struct store_settings settings;
	struct filter_rules rules;

	assert_ok(f, store_settings_get(f->store, &settings, &f->err));
	settings.mode = SIPWARD_ENFORCE;
	settings.lockout_reject = true;
	settings.source_rate_pps = 7;
	settings.ports[0] = (struct sipward_port){.protocol = 17, .port_be = htons(5070)};
	settings.port_count = 1;
	assert_ok(f, store_settings_set(f->store, &settings, &f->err));
	rules = rules_now(f);
	assert_int_equal(rules.generation, generation(f));
	assert_int_equal(rules.settings.mode, SIPWARD_ENFORCE);
	assert_int_equal(rules.settings.flags, SIPWARD_LOCKOUT_REJECT);
	assert_int_equal(rules.settings.source_rate_pps, 7);
	assert_int_equal(rules.settings.port_count, 1);
	assert_int_equal(ntohs(rules.settings.ports[0].port_be), 5070);
	free(rules.rules);
}

static void entry_change_is_told_by_its_prefix_alone(void **state)
{
	struct fixture *f = *state;
	struct filter_rules changes;
	uint64_t before;

	two_trunks(f);
	assert_ok(f, allow(f, "a", "10.0.0.0/8"));
	before = generation(f);
	assert_ok(f, allow(f, "a", "10.2.0.0/16"));
	assert_ok(f, store_filter_changes(f->store, before, &changes, &f->err));
	assert_int_equal(changes.count, 1);
	assert_int_equal(changes.rules[0].value.flags, SIPWARD_ACL_ALLOW);
	assert_int_equal(changes.generation, before + 1);
	free(changes.rules);
	assert_ok(f, take_away(f, "a", "10.2.0.0/16"));
	assert_ok(f, store_filter_changes(f->store, before, &changes, &f->err));
	assert_int_equal(changes.count, 1);
	assert_int_equal(changes.rules[0].value.flags, 0);
	free(changes.rules);
}

static void what_the_journal_does_not_reach_asks_for_everything(void **state)
{
	struct fixture *f = *state;
	struct filter_rules changes;
	uint64_t before;

	two_trunks(f);
	before = generation(f);
	assert_int_equal(store_filter_changes(f->store, before - 1, &changes, NULL), -E2BIG);
	assert_int_equal(store_filter_changes(f->store, 0, &changes, NULL), -E2BIG);
	assert_int_equal(store_filter_changes(f->store, before + 1, &changes, NULL), -E2BIG);
	assert_ok(f, store_filter_changes(f->store, before, &changes, &f->err));
	assert_int_equal(changes.count, 0);
	free(changes.rules);
	assert_ok(f, store_trunk_detach_acl(f->store, "t1", "a", &f->err));
	assert_int_equal(store_filter_changes(f->store, before, &changes, NULL), -E2BIG);
}

static struct store_acl_entry *many_entries(size_t n)
{
	struct store_acl_entry *entries = calloc(n, sizeof(*entries));

	assert_non_null(entries);
	for (size_t i = 0; i < n; i++) {
		entries[i].prefix = prefix("10.0.0.0");
		entries[i].prefix.ip.bytes[2] = (uint8_t)(i >> 8);
		entries[i].prefix.ip.bytes[3] = (uint8_t)i;
	}
	return entries;
}

static void bulk_import_asks_for_everything(void **state)
{
	enum { BULK = 6000 };
	struct store_acl_entry *entries = many_entries(BULK);
	struct fixture *f = *state;
	struct filter_rules changes;
	uint64_t before;
	size_t added;

	two_trunks(f);
	before = generation(f);
	assert_ok(f, store_acl_add(f->store, "a", entries, BULK, &added, &f->err));
	assert_int_equal(added, BULK);
	assert_int_equal(store_filter_changes(f->store, before, &changes, NULL), -E2BIG);
	free(entries);
}

static void journal_stays_bounded_and_knows_how_far_it_reaches(void **state)
{
	enum { EACH = 5000, CHANGES = 22 };
	struct store_acl_entry *entries = many_entries(EACH);
	struct fixture *f = *state;
	struct filter_rules changes;
	uint64_t before, last = 0;
	int64_t rows;

	two_trunks(f);
	before = generation(f);
	for (int i = 0; i < CHANGES; i++) {
		for (size_t j = 0; j < EACH; j++)
			entries[j].deny = i % 2;
		last = generation(f);
		assert_ok(f, store_acl_add(f->store, "a", entries, EACH, NULL, &f->err));
	}
	assert_ok(f, db_int(f->store, &rows, &f->err, "SELECT count(*) FROM journal"));
	assert_int_equal(rows, 100000);
	assert_int_equal(store_filter_changes(f->store, before, &changes, NULL), -E2BIG);
	assert_ok(f, store_filter_changes(f->store, last, &changes, &f->err));
	assert_int_equal(changes.count, EACH);
	free(changes.rules);
	free(entries);
}

/* ---- random operations ---- */

enum { ACLS = 3, UNIVERSE = 256 };

static const char *const acl_names[ACLS] = {"a", "b", "c"};
static const char *const trunk_names_[ACLS] = {"t0", "t1", "t2"};

/* A small world, so that prefixes nest and meet: 10.0.0.0/24 and 2001:db8::/120. */
static struct prefix random_prefix(void)
{
	bool v6 = rand() % 4 == 0;
	struct prefix p = {.ip = prefix(v6 ? "2001:db8::" : "10.0.0.0").ip};
	unsigned bits = v6 ? 128 : 32;

	p.ip.bytes[v6 ? 15 : 3] = (uint8_t)(rand() % UNIVERSE);
	p.len = (uint8_t)(rand() % 10 == 0 ? rand() % bits : bits - rand() % 9);
	p.ip = ip_masked(&p.ip, p.len);
	return p;
}

static struct ip random_address(void)
{
	return random_prefix().ip;
}

static void random_enabling(struct fixture *f, const char *name)
{
	struct store_trunk trunk;

	assert_ok(f, store_trunk_get(f->store, name, &trunk, &f->err));
	trunk.enabled = !trunk.enabled;
	assert_ok(f, store_trunk_set(f->store, &trunk, &f->err));
}

/* Peers come and go, and their names move. */
static int random_peer_change(struct fixture *f, const char *trunk)
{
	struct store_peer peer = {.role = (enum store_peer_role)(rand() % 2)}, found;
	struct store_peer_address addresses[3];
	size_t n = 1 + (size_t)rand() % 3;
	bool name = rand() % 2;
	int rc;

	snprintf(peer.uri, sizeof(peer.uri), name ? "sip:h%d.example" : "sip:10.0.0.%d",
		 rand() % 4);
	if (rand() % 3 == 0)
		return store_peer_remove(f->store, trunk, &peer, NULL);
	rc = store_peer_add(f->store, trunk, &peer, NULL);
	if (!name || (rc && rc != -EEXIST))
		return rc;
	for (size_t i = 0; i < n; i++)
		addresses[i] = (struct store_peer_address){.endpoint = {random_address(), 5060},
							   .transport = 1};
	assert_ok(f, store_peer_get(f->store, trunk, &peer, &found, &f->err));
	return store_peer_resolved(f->store, found.id, addresses, n, 0, NULL);
}

static int random_trunk_change(struct fixture *f, const char *name)
{
	if (rand() % 4 == 0)
		random_enabling(f, name);
	else
		return random_peer_change(f, name);
	return 0;
}

static void random_operation(struct fixture *f)
{
	const char *acl = acl_names[rand() % ACLS], *trunk = trunk_names_[rand() % ACLS];
	struct store_acl_entry entry = {.prefix = random_prefix(), .deny = rand() % 2};
	int rc = 0;

	switch (rand() % 35) {
	case 0:
		rc = store_trunk_attach_acl(f->store, trunk, acl, NULL);
		break;
	case 1:
		rc = store_trunk_detach_acl(f->store, trunk, acl, NULL);
		break;
	case 2 ... 5:
		rc = random_trunk_change(f, trunk);
		break;
	case 27 ... 34:
		rc = random_host_operation(f->store, acl, random_address);
		break;
	case 6 ... 12:
		rc = store_acl_remove(f->store, acl, &entry.prefix, 1, NULL);
		break;
	default:
		rc = store_acl_add(f->store, acl, &entry, 1, NULL, NULL);
	}
	assert_true(rc == 0 || rc == -ENOENT || rc == -EEXIST);
}

/* The maps, as far as this test goes. */
static void apply(struct filter_rules *maps, const struct filter_rules *changes)
{
	maps->rules =
		reallocarray(maps->rules, maps->count + changes->count + 1, sizeof(*maps->rules));
	for (size_t i = 0; i < changes->count; i++) {
		size_t at = 0;

		while (at < maps->count && compare_rule(&maps->rules[at], &changes->rules[i]))
			at++;
		if (changes->rules[i].value.flags) {
			maps->count += at == maps->count;
			maps->rules[at] = changes->rules[i];
		} else if (at < maps->count) {
			maps->rules[at] = maps->rules[--maps->count];
		}
	}
	qsort(maps->rules, maps->count, sizeof(*maps->rules), compare_rule);
	maps->generation = changes->generation;
	maps->settings = changes->settings;
}

static void assert_same_rules(const struct filter_rules *a, const struct filter_rules *b)
{
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->generation, b->generation);
	assert_memory_equal(&a->settings, &b->settings, sizeof(a->settings));
	for (size_t i = 0; i < a->count; i++) {
		assert_int_equal(compare_rule(&a->rules[i], &b->rules[i]), 0);
		assert_int_equal(a->rules[i].value.flags, b->rules[i].value.flags);
		assert_int_equal(a->rules[i].value.rule_id, b->rules[i].value.rule_id);
	}
}

static void changes_add_up_to_the_whole(void **state)
{
	struct fixture *f = *state;
	struct filter_rules maps = {0}, changes, whole;
	unsigned by_changes = 0;
	unsigned seed = (unsigned)time(NULL);

	print_message("# seed %u\n", seed);
	srand(seed);
	two_trunks(f);
	assert_ok(f, store_acl_create(f->store, "c", "", &f->err));
	assert_ok(f, create_trunk(f, "t0", "c.example", "sip:10.0.0.1"));
	assert_ok(f, store_trunk_attach_acl(f->store, "t0", "c", &f->err));
	for (int round = 0; round < 1500; round++) {
		int rc;

		for (int n = 1 + rand() % 3; n; n--)
			random_operation(f);
		whole = rules_now(f);
		rc = store_filter_changes(f->store, maps.generation, &changes, &f->err);
		if (rc == 0) {
			apply(&maps, &changes);
			assert_same_rules(&maps, &whole);
			free(changes.rules);
			by_changes++;
		} else {
			assert_int_equal(rc, -E2BIG);
		}
		free(maps.rules);
		maps = whole;
	}
	free(maps.rules);
	assert_true(by_changes > 500);
}

/* What a daemon would decide, by the plainest of means. */
struct world {
	struct fixture *f;
	struct ip ip;
	int len[ACLS]; /* of the ACL's longest match; -1 = none */
	bool denies[ACLS];
	int64_t acl_ids[ACLS];
};

static int look_at_entry(const struct store_acl_entry *entry, void *arg)
{
	struct world *world = arg;

	for (int i = 0; i < ACLS; i++) {
		if (entry->acl_id != world->acl_ids[i] || entry->prefix.len < world->len[i] ||
		    !prefix_contains(&entry->prefix, &world->ip))
			continue;
		world->len[i] = entry->prefix.len;
		world->denies[i] = entry->deny;
	}
	return 0;
}

static unsigned expected_flags(struct world *world)
{
	unsigned flags = 0;

	for (int i = 0; i < ACLS; i++)
		world->len[i] = -1;
	assert_ok(world->f, store_acl_entry_each(world->f->store, NULL, look_at_entry, world,
						 &world->f->err));
	for (int i = 0; i < ACLS; i++) {
		if (world->len[i] >= 0)
			flags |= world->denies[i] ? SIPWARD_ACL_DENY : SIPWARD_ACL_ALLOW;
	}
	return flags & SIPWARD_ACL_ALLOW ? SIPWARD_ACL_ALLOW : flags;
}

static unsigned longest_match(const struct filter_rules *rules, const struct ip *ip)
{
	unsigned flags = 0;
	int len = -1;

	for (size_t i = 0; i < rules->count; i++) {
		if (rules->rules[i].prefix.len <= len ||
		    !prefix_contains(&rules->rules[i].prefix, ip))
			continue;
		len = rules->rules[i].prefix.len;
		flags = rules->rules[i].value.flags;
	}
	return flags;
}

/* The filter drops a denied address exactly if every ACL that knows it denies it. */
static void longest_match_agrees_with_every_acl(void **state)
{
	struct fixture *f = *state;
	struct world world = {.f = f};
	struct filter_rules rules;
	struct store_acl acl;

	srand(7);
	two_trunks(f);
	assert_ok(f, store_acl_create(f->store, "c", "", &f->err));
	assert_ok(f, store_trunk_attach_acl(f->store, "t2", "c", &f->err));
	for (int i = 0; i < ACLS; i++) {
		assert_ok(f, store_acl_get(f->store, acl_names[i], &acl, &f->err));
		world.acl_ids[i] = acl.id;
	}
	for (int round = 0; round < 40; round++) {
		for (int i = 0; i < 5; i++) {
			struct store_acl_entry entry = {.prefix = random_prefix(),
							.deny = rand() % 2};

			assert_ok(f, store_acl_add(f->store, acl_names[rand() % ACLS], &entry, 1,
						   NULL, &f->err));
			random_host_operation(f->store, acl_names[rand() % ACLS], random_address);
		}
		rules = rules_now(f);
		for (int i = 0; i < 40; i++) {
			world.ip = random_prefix().ip;
			assert_int_equal(longest_match(&rules, &world.ip), expected_flags(&world));
		}
		free(rules.rules);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		STORE_TEST(only_acls_of_enabled_trunks_make_rules),
		STORE_TEST(allow_wins_over_deny_of_the_same_prefix),
		STORE_TEST(deny_holds_only_where_no_other_acl_allows),
		STORE_TEST(upstream_is_never_denied),
		STORE_TEST(rule_names_the_entry_or_trunk_behind_it),
		STORE_TEST(unlisted_policy_follows_from_the_trunks),
		STORE_TEST(settings_reach_the_filter),
		STORE_TEST(entry_change_is_told_by_its_prefix_alone),
		STORE_TEST(what_the_journal_does_not_reach_asks_for_everything),
		STORE_TEST(bulk_import_asks_for_everything),
		STORE_TEST(journal_stays_bounded_and_knows_how_far_it_reaches),
		STORE_TEST(changes_add_up_to_the_whole),
		STORE_TEST(longest_match_agrees_with_every_acl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
