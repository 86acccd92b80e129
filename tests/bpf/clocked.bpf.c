/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* The filter, and beside it the same with a clock that the test sets. */
#include "bpf/sipward.bpf.c"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} test_clock SEC(".maps");

SEC("xdp")
int sipward_at(struct xdp_md *ctx)
{
	__u32 only = 0;
	const __u64 *now_ns = bpf_map_lookup_elem(&test_clock, &only);

	return filter(ctx, now_ns ? *now_ns : 0);
}
