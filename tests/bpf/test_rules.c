/* SPDX-License-Identifier: BSD-2-Clause */
/* From rules to verdicts: reconcile and apply, with and without the index, against a search through
 * all prefixes; and what a kill or a full map leaves behind. */
#include <sys/wait.h>
#include <unistd.h>

#include "filter/acl_index.h"
#include "filter/source_index.h"
#include "judge.h"
#include "../../maps/source_index.h"

#define RULES_MAX 4000
#define SOURCE_INDEX_BYTES (SOURCE_INDEX_WORDS * sizeof(uint64_t))

static uint64_t rand64(void)
{
	static uint64_t state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static struct filter_rule rule_of(const char *text, uint32_t flags)
{
	struct filter_rule rule = {.value = {.flags = flags, .rule_id = 1}};
	struct error err = {};

	if (prefix_parse(slice_from(text), &rule.prefix, &err))
		fail_msg("%s", err.text);
	return rule;
}

static struct filter_rules rules_of(struct filter_rule *rules, size_t n)
{
	return (struct filter_rules){
		.settings = {.mode = SIPWARD_ENFORCE}, .generation = 7, .rules = rules, .count = n};
}

static struct filter_reconciled reconcile(struct judge *j, struct filter_rule *rules, size_t n)
{
	struct filter_rules all = rules_of(rules, n);
	struct filter_reconciled reconciled = {};
	struct error err = {};

	if (filter_reconcile(j->filter, &all, &reconciled, &err))
		fail_msg("%s", err.text);
	return reconciled;
}

static struct filter_reconciled apply(struct judge *j, struct filter_rule *rules, size_t n)
{
	struct filter_rules all = rules_of(rules, n);
	struct filter_reconciled reconciled = {};
	struct error err = {};

	if (filter_apply(j->filter, &all, &reconciled, &err))
		fail_msg("%s", err.text);
	return reconciled;
}

static void assert_counts(struct filter_reconciled got, size_t added, size_t changed,
			  size_t removed, size_t kept)
{
	assert_int_equal(got.added, added);
	assert_int_equal(got.changed, changed);
	assert_int_equal(got.removed, removed);
	assert_int_equal(got.kept, kept);
}

static void use_index(struct judge *j, bool on)
{
	struct sipward_settings settings;

	assert_int_equal(filter_settings_read(j->filter, &settings), 0);
	settings.flags = on ? SIPWARD_ACL_INDEXED : 0;
	judge_settings(j, settings);
}

static int reason_by_search(const struct filter_rule *rules, size_t n, const struct ip *ip)
{
	const struct filter_rule *best = NULL;

	for (size_t i = 0; i < n; i++) {
		if (rules[i].prefix.ip.family == ip->family &&
		    prefix_contains(&rules[i].prefix, ip) &&
		    (!best || rules[i].prefix.len > best->prefix.len))
			best = &rules[i];
	}
	if (!best)
		return SIPWARD_UNLISTED;
	return best->value.flags & SIPWARD_ACL_DENY ? SIPWARD_DENIED : SIPWARD_LISTED;
}

static struct frame frame_from(const struct ip *ip)
{
	struct frame f = FRAME(.family = ip->family);

	memcpy(f.bytes + f.ip_at + (ip->family == 4 ? 12 : 8), ip->bytes, ip->family == 4 ? 4 : 16);
	return f;
}

static void expect_as_searched(struct judge *j, const struct filter_rule *rules, size_t n,
			       const struct ip *ip)
{
	struct frame f = frame_from(ip);
	int expected = reason_by_search(rules, n, ip);
	struct judgement got = judge_frame(j, &f);
	char text[IP_TEXT_SIZE];

	ip_format(ip, text);
	if (got.reason != expected)
		fail_msg("%s: expected %s, got %s", text, filter_reason_name(expected),
			 filter_reason_name(got.reason));
}

/* Few leading bits, so that prefixes nest and addresses meet them. */
static struct ip draw_ip(unsigned family)
{
	struct ip ip = {.family = family};

	for (unsigned i = 0; i < (family == 4 ? 4U : 16U); i++)
		ip.bytes[i] = rand64() % 4 ? rand64() % 3 : rand64();
	return ip;
}

/* An address at an edge of the prefix, just inside or just outside. */
static struct ip near(const struct prefix *prefix)
{
	struct ip ip = prefix->ip;
	unsigned bits = ip_bits(&ip), n = bits / 8;
	bool up = rand64() % 2;

	if (rand64() % 2)
		for (unsigned i = prefix->len; i < bits; i++)
			ip.bytes[i / 8] |= 0x80 >> i % 8;
	if (rand64() % 2)
		while (n-- && (up ? ++ip.bytes[n] == 0 : ip.bytes[n]-- == 0))
			;
	return ip;
}

static bool has_prefix(const struct filter_rule *rules, size_t n, const struct prefix *prefix)
{
	for (size_t i = 0; i < n; i++)
		if (!memcmp(&rules[i].prefix, prefix, sizeof(*prefix)))
			return true;
	return false;
}

static size_t draw_rules(struct filter_rule *rules, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned family = rand64() % 2 ? 4 : 6;
		struct ip ip = draw_ip(family);
		unsigned len = rand64() % (ip_bits(&ip) + 1);
		struct filter_rule rule = {
			.prefix = {.ip = ip_masked(&ip, len), .len = len},
			.value = {.flags = rand64() % 3 ? SIPWARD_ACL_ALLOW : SIPWARD_ACL_DENY,
				  .rule_id = i}};

		/* Short prefixes would cover all; one in sixteen is enough. */
		if (len < 16 && rand64() % 16)
			continue;
		if (!has_prefix(rules, kept, &rule.prefix))
			rules[kept++] = rule;
	}
	return kept;
}

static void check_addresses(struct judge *j, const struct filter_rule *rules, size_t n)
{
	for (int i = 0; i < 1500; i++) {
		struct ip ip = n && rand64() % 3 ? near(&rules[rand64() % n].prefix)
						 : draw_ip(rand64() % 2 ? 4 : 6);

		expect_as_searched(j, rules, n, &ip);
	}
}

static void random_rules_decide_as_a_search_does(void **state)
{
	static const size_t sizes[] = {1, 3, 30, 300, 1500, 4000, 40, 0};
	struct filter_rule *rules = calloc(RULES_MAX, sizeof(*rules));
	struct judge *j = *state;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t n = draw_rules(rules, sizes[i]);

		reconcile(j, rules, n);
		check_addresses(j, rules, n);
		use_index(j, false);
		check_addresses(j, rules, n);
	}
	free(rules);
}

/* Adds prefixes and takes them away again: nothing may stay of them. */
static void come_and_go(struct judge *j, const struct filter_rule *rules, size_t n)
{
	struct filter_rule passing[3];
	size_t passing_n = draw_rules(passing, 3);

	for (size_t i = 0; i < passing_n; i++) {
		if (has_prefix(rules, n, &passing[i].prefix))
			continue;
		apply(j, &passing[i], 1);
		passing[i].value.flags = 0;
		apply(j, &passing[i], 1);
	}
}

static void applied_changes_decide_as_a_search_does(void **state)
{
	struct filter_rule *rules = calloc(RULES_MAX, sizeof(*rules));
	size_t n = draw_rules(rules, 600);
	struct judge *j = *state;

	reconcile(j, rules, n);
	for (int round = 0; round < 60; round++) {
		size_t gone = rand64() % n, changed;
		struct filter_rule removal = rules[gone];

		come_and_go(j, rules, n);
		removal.value.flags = 0;
		apply(j, &removal, 1);
		rules[gone] = rules[--n];
		changed = rand64() % n;
		rules[changed].value.flags ^= SIPWARD_ACL_ALLOW | SIPWARD_ACL_DENY;
		apply(j, &rules[changed], 1);
		for (int i = 0; i < 40; i++) {
			struct ip ip = near(&rules[rand64() % n].prefix);

			expect_as_searched(j, rules, n, &ip);
		}
	}
	free(rules);
}

static void every_prefix_length_matches_its_addresses(void **state)
{
	struct judge *j = *state;

	for (unsigned len = 0; len <= 128; len++) {
		for (unsigned family = len > 32 ? 6 : 4; family <= 6; family += 2) {
			struct filter_rule rule = {.value = {.flags = SIPWARD_ACL_ALLOW}};
			struct ip ip = draw_ip(family);

			ip.bytes[0] |= 0x20;
			rule.prefix = (struct prefix){.ip = ip_masked(&ip, len), .len = len};
			reconcile(j, &rule, 1);
			expect_as_searched(j, &rule, 1, &ip);
			for (int i = 0; i < 16; i++) {
				struct ip edge = near(&rule.prefix);

				expect_as_searched(j, &rule, 1, &edge);
			}
		}
	}
}

static void the_longest_prefix_wins(void **state)
{
	struct filter_rule rules[] = {
		rule_of("0.0.0.0/0", SIPWARD_ACL_DENY),
		rule_of("198.51.100.0/24", SIPWARD_ACL_ALLOW),
		rule_of("198.51.100.0/28", SIPWARD_ACL_DENY),
		rule_of("198.51.100.7/32", SIPWARD_ACL_UPSTREAM),
	};
	struct judge *j = *state;

	reconcile(j, rules, 4);
	expect(j, SIPWARD_DENIED, .src = "203.0.113.9");
	expect(j, SIPWARD_LISTED, .src = "198.51.100.16");
	expect(j, SIPWARD_DENIED, .src = "198.51.100.6");
	expect(j, SIPWARD_LISTED, .src = "198.51.100.7");
	expect(j, SIPWARD_UNLISTED, .family = 6);
}

static void reconcile_goes_by_difference(void **state)
{
	struct filter_rule first[] = {rule_of("198.51.100.0/24", SIPWARD_ACL_ALLOW),
				      rule_of("203.0.113.7", SIPWARD_ACL_ALLOW),
				      rule_of("2001:db8::/32", SIPWARD_ACL_ALLOW)};
	struct filter_rule second[] = {rule_of("2001:db8::/32", SIPWARD_ACL_DENY),
				       rule_of("203.0.113.7", SIPWARD_ACL_ALLOW),
				       rule_of("203.0.113.8", SIPWARD_ACL_ALLOW)};
	struct sipward_settings settings;
	struct judge *j = *state;

	assert_counts(reconcile(j, first, 3), 3, 0, 0, 0);
	assert_counts(reconcile(j, first, 3), 0, 0, 0, 3);
	assert_counts(reconcile(j, second, 3), 1, 1, 1, 1);
	assert_counts(reconcile(j, NULL, 0), 0, 0, 3, 0);
	assert_int_equal(filter_settings_read(j->filter, &settings), 0);
	assert_int_equal(settings.generation, 7);
	assert_int_equal(settings.layout, SIPWARD_LAYOUT);
	assert_int_equal(settings.flags, SIPWARD_ACL_INDEXED | SIPWARD_SOURCES_INDEXED);
}

static void apply_counts_what_it_does(void **state)
{
	struct filter_rule rule = rule_of("198.51.100.0/24", SIPWARD_ACL_ALLOW);
	struct filter_rule inner = rule_of("198.51.100.7", SIPWARD_ACL_ALLOW);
	struct judge *j = *state;

	reconcile(j, NULL, 0);
	inner.value.rule_id = 2;
	assert_counts(apply(j, &rule, 1), 1, 0, 0, 0);
	assert_counts(apply(j, &rule, 1), 0, 0, 0, 1);
	assert_counts(apply(j, &inner, 1), 1, 0, 0, 0);
	inner.value.flags = SIPWARD_ACL_DENY;
	assert_counts(apply(j, &inner, 1), 0, 1, 0, 0);
	expect(j, SIPWARD_DENIED, .src = "198.51.100.7");
	inner.value.flags = 0;
	assert_counts(apply(j, &inner, 1), 0, 0, 1, 0);
	expect(j, SIPWARD_LISTED, .src = "198.51.100.7");
}

/* A prefix that says the same as the one around it is still one of its own. */
static void a_removed_prefix_is_gone_even_within_its_like(void **state)
{
	struct filter_rule outer = rule_of("198.51.100.0/24", SIPWARD_ACL_ALLOW);
	struct filter_rule inner = rule_of("198.51.100.7", SIPWARD_ACL_ALLOW);
	struct judge *j = *state;

	reconcile(j, NULL, 0);
	apply(j, &outer, 1);
	apply(j, &inner, 1);
	inner.value = outer.value = (struct sipward_acl_value){};
	apply(j, &inner, 1);
	apply(j, &outer, 1);
	expect(j, SIPWARD_UNLISTED, .src = "198.51.100.7");
}

static void prefixes_of_an_operator_count_without_an_index(void **state)
{
	struct judge *j = *state;

	judge_acl(j, "198.51.100.7", SIPWARD_ACL_ALLOW);
	judge_acl(j, "2001:db8:51::/48", SIPWARD_ACL_DENY);
	expect(j, SIPWARD_LISTED, .family = 4);
	expect(j, SIPWARD_DENIED, .family = 6);
}

/* The index is only a shadow of the tries: whatever stands in it, the next reconcile mends it. */
static void reconcile_mends_the_index(void **state)
{
	struct filter_rule rules[] = {rule_of("198.51.100.0/24", SIPWARD_ACL_ALLOW),
				      rule_of("2001:db8:51::/48", SIPWARD_ACL_ALLOW)};
	struct judge *j = *state;
	uint64_t *empty = acl_index_new();

	reconcile(j, rules, 2);
	acl_index_replace(j->filter->acl_words, empty);
	expect(j, SIPWARD_UNLISTED, .family = 4);
	assert_counts(reconcile(j, rules, 2), 0, 0, 0, 2);
	expect(j, SIPWARD_LISTED, .family = 4);
	expect(j, SIPWARD_LISTED, .family = 6);
	reconcile(j, NULL, 0);
	assert_int_equal(memcmp(j->filter->acl_words, empty, 4096), 0);
	free(empty);
}

/* Known sources are found whoever wrote them, once the settings vouch for the index. */
static void known_sources_are_found_through_the_index(void **state)
{
	struct sipward_source locked = source_of("198.51.100.7"),
			      proven = source_of("2001:db8:51::");
	struct sipward_lockout lockout = {.until_ns = UINT64_MAX};
	struct judge *j = *state;

	judge_lock_out(j, "198.51.100.9", UINT64_MAX);
	reconcile(j, NULL, 0);
	expect(j, SIPWARD_LOCKED_OUT, .src = "198.51.100.9");
	assert_int_equal(filter_lockout_set(j->filter, &locked, &lockout), 0);
	assert_int_equal(filter_proven_set(j->filter, &proven, UINT64_MAX), 0);
	expect(j, SIPWARD_LOCKED_OUT, .src = "198.51.100.7");
	expect(j, SIPWARD_PROVEN, .family = 6);
	memset(j->filter->source_words, 0, SOURCE_INDEX_BYTES);
	expect(j, SIPWARD_UNLISTED, .src = "198.51.100.7");
	reconcile(j, NULL, 0);
	expect(j, SIPWARD_LOCKED_OUT, .src = "198.51.100.7");
	expect(j, SIPWARD_PROVEN, .family = 6);
	expect(j, SIPWARD_UNLISTED, .src = "198.51.100.8");
}

static void reconcile_forgets_sources_that_are_gone(void **state)
{
	struct sipward_source source = source_of("198.51.100.7");
	struct sipward_lockout lockout = {.until_ns = UINT64_MAX};
	struct judge *j = *state;
	unsigned set = 0;

	assert_int_equal(filter_lockout_set(j->filter, &source, &lockout), 0);
	assert_int_equal(filter_lockout_clear(j->filter, &source), 0);
	reconcile(j, NULL, 0);
	for (unsigned i = 0; i < SOURCE_INDEX_BYTES / sizeof(uint64_t); i++)
		set += j->filter->source_words[i] != 0;
	assert_int_equal(set, 0);
}

/* Killed at whatever moment: sources that both states list pass, sources that neither lists are
 * dropped, and the next reconcile makes it right. */
static void a_kill_at_any_moment_is_healed(void **state)
{
	static struct filter_rule before[2000], after[2000];
	struct judge *j = *state;

	for (int i = 0; i < 2000; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.%d.%d.0/24", i / 256, i % 256);
		before[i] = rule_of(text, SIPWARD_ACL_ALLOW);
		snprintf(text, sizeof(text), "10.%d.%d.%d", i / 256, i % 256, 7);
		after[i] = rule_of(text, SIPWARD_ACL_ALLOW);
	}
	for (int round = 0; round < 25; round++) {
		pid_t child;

		reconcile(j, before, 2000);
		child = fork();
		if (!child) {
			struct filter_rules all = rules_of(after, 2000);

			filter_reconcile(j->filter, &all, NULL, NULL);
			_exit(0);
		}
		usleep(round * 400);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		for (int i = 0; i < 2000; i += 37) {
			struct ip listed = after[i].prefix.ip, unlisted = {.family = 4};
			struct frame f = frame_from(&listed);

			expect_at(j, &f, SIPWARD_LISTED, __LINE__);
			unlisted.bytes[0] = 11;
			unlisted.bytes[3] = i;
			f = frame_from(&unlisted);
			expect_at(j, &f, SIPWARD_UNLISTED, __LINE__);
		}
		reconcile(j, after, 2000);
		expect(j, SIPWARD_LISTED, .src = "10.1.1.7");
		expect(j, SIPWARD_UNLISTED, .src = "10.1.1.8");
	}
}

static int open_small(void **state)
{
	struct judge *j = calloc(1, sizeof(*j));
	struct error err = {};

	j->skel = clocked_bpf__open();
	bpf_map__set_max_entries(j->skel->maps.acl_v4, 4);
	bpf_map__set_max_entries(j->skel->maps.acl_v6, 4);
	assert_int_equal(clocked_bpf__load(j->skel), 0);
	assert_int_equal(filter_of_object(j->skel->obj, &j->filter, &err), 0);
	*state = j;
	return 0;
}

static void too_many_prefixes_leave_the_maps_as_they_were(void **state)
{
	struct filter_rule rules[6] = {rule_of("10.0.0.1", 1),	  rule_of("10.0.0.2", 1),
				       rule_of("10.0.0.0/24", 1), rule_of("10.0.0.4", 1),
				       rule_of("10.0.0.5", 1),	  rule_of("10.0.0.6", 1)};
	struct filter_rules many = rules_of(rules, 5), changes = rules_of(rules + 3, 3);
	struct judge *j = *state;
	struct error err = {};

	reconcile(j, rules, 3);
	assert_int_equal(filter_reconcile(j->filter, &many, NULL, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "at most 4"));
	rules[2].value.flags = SIPWARD_ACL_DENY;
	changes = rules_of(rules + 2, 3); /* a change, and two too many */
	assert_int_equal(filter_apply(j->filter, &changes, NULL, &err), -ENOSPC);
	rules[2].value.flags = SIPWARD_ACL_ALLOW;
	assert_counts(reconcile(j, rules, 3), 0, 0, 0, 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, judge_open, judge_close)
	const struct CMUnitTest tests[] = {
		TEST(random_rules_decide_as_a_search_does),
		TEST(applied_changes_decide_as_a_search_does),
		TEST(every_prefix_length_matches_its_addresses),
		TEST(the_longest_prefix_wins),
		TEST(reconcile_goes_by_difference),
		TEST(apply_counts_what_it_does),
		TEST(a_removed_prefix_is_gone_even_within_its_like),
		TEST(prefixes_of_an_operator_count_without_an_index),
		TEST(reconcile_mends_the_index),
		TEST(known_sources_are_found_through_the_index),
		TEST(reconcile_forgets_sources_that_are_gone),
		TEST(a_kill_at_any_moment_is_healed),
		cmocka_unit_test_setup_teardown(too_many_prefixes_leave_the_maps_as_they_were,
						open_small, judge_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
