/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the filter costs a packet, by BPF_PROG_RUN, above a control program that only draws the
 * source address and drops; and how fast rules reach the maps.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "filter/internal.h"
#include "tests/bench/filter.skel.h"
#include "packet.h"
#include "row.h"

#define ROUNDS 12
#define REPEAT 200000
#define SOURCES (1U << 17) /* as in filter.bpf.c */
#define LOCKED_SOURCES 1024

static struct filter_bpf *skel;
static struct filter *filter;

static void must(int rc, const char *what)
{
	if (!rc)
		return;
	fprintf(stderr, "bench_filter: %s: %s\n", what, strerror(rc < 0 ? -rc : rc));
	exit(1);
}

static unsigned run_ns(const struct bpf_program *program, const struct bench_packet *packet)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet->bytes, .data_size_in = packet->n,
		    .repeat = REPEAT);

	must(bpf_prog_test_run_opts(bpf_program__fd(program), &opts), "BPF_PROG_RUN");
	return opts.duration;
}

/* What the program costs above its control. They take turns, and the best round of each counts:
 * whatever else the machine does can only add. */
static double cost_ns(const struct bpf_program *program, const struct bpf_program *control,
		      const struct bench_packet *packet)
{
	unsigned best = run_ns(program, packet), base = run_ns(control, packet);

	for (int i = 0; i < ROUNDS; i++) {
		unsigned control_ns = run_ns(control, packet);
		unsigned program_ns = run_ns(program, packet);

		base = control_ns < base ? control_ns : base;
		best = program_ns < best ? program_ns : best;
	}
	return (double)best - base;
}

static uint64_t rand64(void)
{
	static uint64_t state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static struct ip draw_ip(unsigned family)
{
	struct ip ip = {.family = family};
	uint64_t words[2] = {rand64(), rand64()};

	memcpy(ip.bytes, words, family == 4 ? 4 : 16);
	if (family == 6)
		ip.bytes[0] = 0x20 | (ip.bytes[0] & 0x1f); /* 2000::/3 is what is in use */
	return ip;
}

static struct ip draw_unlisted(unsigned family)
{
	struct sipward_acl_value value;
	struct ip ip;

	do {
		ip = draw_ip(family);
	} while (!filter_acl_lookup(filter, &ip, &value));
	return ip;
}

static struct ip draw_locked_out(unsigned n)
{
	return (struct ip){.family = 4, .bytes = {198, 18, n >> 8, n}};
}

static void put_source(uint32_t index, const struct ip *ip)
{
	must(bpf_map_update_elem(bpf_map__fd(skel->maps.sources), &index, ip->bytes, BPF_ANY),
	     "sources");
}

static double cost_unlisted(const struct bench_packet *packet, unsigned family)
{
	for (uint32_t i = 0; i < SOURCES; i++) {
		struct ip ip = draw_unlisted(family);

		put_source(i, &ip);
	}
	if (family == 4)
		return cost_ns(skel->progs.measured_v4, skel->progs.control_v4, packet);
	return cost_ns(skel->progs.measured_v6, skel->progs.control_v6, packet);
}

static double cost_locked_out(const struct bench_packet *packet, unsigned n)
{
	for (uint32_t i = 0; i < SOURCES; i++) {
		struct ip ip = draw_locked_out(rand64() % n);

		put_source(i, &ip);
	}
	return cost_ns(skel->progs.measured_v4, skel->progs.control_v4, packet);
}

/* Shares in percent of the prefix lengths, as ACLs of trunks have them: hosts, customers' networks.
 */
struct share {
	unsigned percent;
	unsigned shortest, longest;
};
static const struct share v4_shares[] = {{85, 32, 32}, {8, 24, 24}, {6, 25, 30}, {1, 20, 23}};
static const struct share v6_shares[] = {
	{50, 128, 128}, {30, 64, 64}, {12, 48, 56}, {7, 32, 47}, {1, 29, 31}};

static unsigned draw_len(const struct share *shares)
{
	unsigned percent = rand64() % 100;

	while (percent >= shares->percent)
		percent -= shares++->percent;
	return shares->shortest + rand64() % (shares->longest - shares->shortest + 1);
}

static void draw_prefix(unsigned family, struct filter_rule *rule)
{
	unsigned len = draw_len(family == 4 ? v4_shares : v6_shares);
	struct ip ip = draw_ip(family);

	*rule = (struct filter_rule){.prefix = {.ip = ip_masked(&ip, len), .len = len},
				     .value = {.flags = SIPWARD_ACL_ALLOW, .rule_id = 1}};
}

static int rule_cmp(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct prefix));
}

static struct filter_rules draw_rules(unsigned family, size_t n)
{
	struct filter_rules rules = {.generation = 1, .settings = {.mode = SIPWARD_ENFORCE}};
	size_t kept = 0;

	rules.rules = calloc(n + 1, sizeof(*rules.rules));
	if (!rules.rules)
		must(-1, "memory");
	for (size_t i = 0; i < n; i++)
		draw_prefix(family, &rules.rules[i]);
	qsort(rules.rules, n, sizeof(*rules.rules), rule_cmp);
	for (size_t i = 0; i < n; i++) {
		if (!kept || rule_cmp(&rules.rules[i], &rules.rules[kept - 1]))
			rules.rules[kept++] = rules.rules[i];
	}
	rules.count = kept;
	return rules;
}

static double reconcile_s(const struct filter_rules *rules)
{
	struct timespec start, end;
	struct error err = {};

	clock_gettime(CLOCK_MONOTONIC, &start);
	must(filter_reconcile(filter, rules, NULL, &err), err.text);
	clock_gettime(CLOCK_MONOTONIC, &end);
	return end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9;
}

static double apply_ms(void)
{
	struct filter_rules change = draw_rules(4, 1);
	struct timespec start, end;
	struct error err = {};

	clock_gettime(CLOCK_MONOTONIC, &start);
	must(filter_apply(filter, &change, NULL, &err), err.text);
	clock_gettime(CLOCK_MONOTONIC, &end);
	filter_rules_free(&change);
	return (end.tv_sec - start.tv_sec) * 1e3 + (end.tv_nsec - start.tv_nsec) / 1e6;
}

static void bench_sizes(unsigned family, const struct bench_packet *packet, double target)
{
	static const size_t sizes[] = {1, 1000, 100000, 1000000};
	char name[80];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct filter_rules rules = draw_rules(family, sizes[i]);
		double seconds = reconcile_s(&rules);

		snprintf(name, sizeof(name), "unlisted IPv%u source dropped, %zu prefixes", family,
			 sizes[i]);
		bench_row(name, cost_unlisted(packet, family), "ns", "<=", target);
		if (sizes[i] == 1000000) {
			snprintf(name, sizeof(name), "reconcile of %zu IPv%u prefixes", sizes[i],
				 family);
			bench_row(name, seconds, "s", "<=", 10);
			bench_row("one ACL change into 1000000 prefixes", apply_ms(), "ms",
				  "<=", 10);
		}
		filter_rules_free(&rules);
	}
}

static void bench_locked_out(const struct bench_packet *packet)
{
	struct sipward_lockout lockout = {.until_ns = clock_coarse_ns() + 3600 * NS_PER_S};

	for (uint32_t i = 0; i < LOCKED_SOURCES; i++) {
		struct ip ip = draw_locked_out(i);
		struct sipward_source source = filter_source(&ip, 64);

		must(filter_lockout_set(filter, &source, &lockout), "lockout");
	}
	bench_row("locked-out source dropped, one source", cost_locked_out(packet, 1), "ns",
		  "<=", 50);
	bench_row("locked-out source dropped, one of 1024", cost_locked_out(packet, LOCKED_SOURCES),
		  "ns", "<=", 50);
	filter_lockout_clear_all(filter, &(size_t){0});
}

int main(void)
{
	struct bench_packet sip4 = bench_packet_v4(5060), sip6 = bench_packet_v6(5060);
	struct bench_packet other4 = bench_packet_v4(4000);
	struct filter_rules none = draw_rules(4, 0);
	struct error err = {};

	skel = filter_bpf__open_and_load();
	if (!skel)
		must(errno ? errno : 1, "load");
	must(filter_of_object(skel->obj, &filter, &err), err.text);
	reconcile_s(&none);
	bench_row("packet to another port, random source", cost_unlisted(&other4, 4), "ns",
		  "<=", 15);
	bench_locked_out(&sip4);
	bench_sizes(4, &sip4, 60);
	reconcile_s(&none);
	bench_sizes(6, &sip6, 80);
	filter_rules_free(&none);
	filter_close(filter);
	filter_bpf__destroy(skel);
	return 0;
}
