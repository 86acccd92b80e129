/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* An XDP program that shares an interface with ours: counts the UDP packets that it meets, passes
 * all. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} met SEC(".maps");

SEC("xdp")
int neighbour(struct xdp_md *ctx)
{
	const __u8 *data = (void *)(long)ctx->data;
	const void *end = (void *)(long)ctx->data_end;
	const __u32 zero = 0;
	__u64 *count = bpf_map_lookup_elem(&met, &zero);

	if (count && (void *)(data + 24) <= end && data[12] == 8 && data[13] == 0 && data[23] == 17)
		__sync_fetch_and_add(count, 1);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
