/* SPDX-License-Identifier: BSD-2-Clause */
/* The filter in the kernel as the tests see it: state in, packet in, verdict and reason out. */
#ifndef SIPWARD_TESTS_JUDGE_H
#define SIPWARD_TESTS_JUDGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "filter/internal.h"
#include "tests/bpf/clocked.skel.h"
#include "packets.h"

enum { XDP_DROPPED = 1, XDP_PASSED = 2 };

struct judge {
	struct clocked_bpf *skel;
	struct filter *filter;
	uint64_t now_ns; /* 0: the kernel's own clock */
	unsigned v6_bits; /* of the IPv6 sources that are written; 0 = 64 */
};

struct judgement {
	int verdict;
	int reason; /* -1: counted under none, or more than one */
	struct sipward_counter counted;
};

static inline void judge_settings(struct judge *j, struct sipward_settings settings)
{
	uint32_t only = 0;

	assert_int_equal(bpf_map_update_elem(j->filter->settings, &only, &settings, BPF_ANY), 0);
}

static inline void judge_enforce(struct judge *j)
{
	judge_settings(j, (struct sipward_settings){.mode = SIPWARD_ENFORCE});
}

static inline int judge_open(void **state)
{
	struct judge *j = calloc(1, sizeof(*j));
	struct error err = {};

	assert_non_null(j);
	j->skel = clocked_bpf__open_and_load();
	assert_non_null(j->skel);
	assert_int_equal(filter_of_object(j->skel->obj, &j->filter, &err), 0);
	judge_enforce(j);
	*state = j;
	return 0;
}

static inline int judge_close(void **state)
{
	struct judge *j = *state;

	filter_close(j->filter);
	clocked_bpf__destroy(j->skel);
	free(j);
	return 0;
}

static inline int judge_run(struct judge *j, const void *bytes, uint32_t n)
{
	struct bpf_program *program =
	    j->now_ns ? j->skel->progs.sipward_at : j->skel->progs.sipward;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bytes, .data_size_in = n, .repeat = 1);
	uint32_t only = 0;

	bpf_map_update_elem(bpf_map__fd(j->skel->maps.test_clock), &only, &j->now_ns, BPF_ANY);
	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(program), &opts), 0);
	return opts.retval;
}

/* Every packet must be counted once, under one reason, with its bytes. */
static inline struct judgement judge_bytes(struct judge *j, const void *bytes, uint32_t n)
{
	struct sipward_counter before[SIPWARD_REASON_COUNT], after[SIPWARD_REASON_COUNT];
	struct judgement judgement = {.reason = -1};
	uint64_t packets = 0;

	assert_int_equal(filter_counters_read(j->filter, before), 0);
	judgement.verdict = judge_run(j, bytes, n);
	assert_int_equal(filter_counters_read(j->filter, after), 0);
	for (int i = 0; i < SIPWARD_REASON_COUNT; i++) {
		if (i == SIPWARD_EVENT_LOST)
			continue;
		if (after[i].packets == before[i].packets)
			continue;
		packets += after[i].packets - before[i].packets;
		judgement.reason = i;
		judgement.counted.packets = after[i].packets - before[i].packets;
		judgement.counted.bytes = after[i].bytes - before[i].bytes;
		judgement.counted.monitored = after[i].monitored - before[i].monitored;
	}
	if (packets != 1)
		judgement.reason = -1;
	return judgement;
}

static inline struct judgement judge_frame(struct judge *j, const struct frame *f)
{
	return judge_bytes(j, f->bytes, f->n);
}

/* Passes `expected` in mode enforce: verdict and reason must fit together too. */
static inline void expect_at(struct judge *j, const struct frame *f, int expected, int line)
{
	struct judgement got = judge_frame(j, f);
	bool drop = filter_reason_is_drop(expected);

	if (got.reason != expected || got.verdict != (drop ? XDP_DROPPED : XDP_PASSED))
		fail_msg("line %d: expected %s, got %s with verdict %d", line,
			 filter_reason_name(expected),
			 got.reason < 0 ? "none" : filter_reason_name(got.reason), got.verdict);
	assert_int_equal(got.counted.bytes, f->n);
	assert_int_equal(got.counted.monitored, 0);
}

#define expect(j, reason, ...)                                                                     \
	do {                                                                                       \
		struct frame frame_ = FRAME(__VA_ARGS__);                                          \
		expect_at(j, &frame_, reason, __LINE__);                                           \
	} while (0)

static inline struct sipward_source source_of_bits(const char *text, unsigned v6_bits)
{
	struct sipward_source source;

	assert_int_equal(filter_source_parse(slice_from(text), v6_bits, &source, NULL), 0);
	return source;
}

static inline struct sipward_source source_of(const char *text)
{
	return source_of_bits(text, 64);
}

static inline void judge_lock_out(struct judge *j, const char *source, uint64_t until_ns)
{
	struct sipward_lockout lockout = {.until_ns = until_ns};
	struct sipward_source key = source_of_bits(source, j->v6_bits);

	assert_int_equal(bpf_map_update_elem(j->filter->lockouts, &key, &lockout, BPF_ANY), 0);
}

static inline void judge_prove(struct judge *j, const char *source, uint64_t until_ns)
{
	struct sipward_proof proof = {.until_ns = until_ns};
	struct sipward_source key = source_of_bits(source, j->v6_bits);

	assert_int_equal(bpf_map_update_elem(j->filter->proven, &key, &proof, BPF_ANY), 0);
}

/* Straight into the trie, as an operator with bpftool would. */
static inline void judge_acl(struct judge *j, const char *text, uint32_t flags)
{
	struct sipward_acl_value value = {.flags = flags};
	struct sipward_acl_v6_key v6;
	struct sipward_acl_v4_key v4;
	struct prefix prefix;

	assert_int_equal(prefix_parse(slice_from(text), &prefix, NULL), 0);
	v4.prefix_len = v6.prefix_len = prefix.len;
	memcpy(v4.addr, prefix.ip.bytes, 4);
	memcpy(v6.addr, prefix.ip.bytes, 16);
	if (prefix.ip.family == 4)
		assert_int_equal(bpf_map_update_elem(j->filter->acl_v4, &v4, &value, BPF_ANY), 0);
	else
		assert_int_equal(bpf_map_update_elem(j->filter->acl_v6, &v6, &value, BPF_ANY), 0);
}

#endif
