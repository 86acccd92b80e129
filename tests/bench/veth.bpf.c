/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* A packet source that redirects into a veth, and the receivers behind it: nothing but a drop, and
 * the filter. */
#include "bpf/sipward.bpf.c"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

SEC("xdp")
int source(struct xdp_md *ctx)
{
	struct iphdr *ip = (void *)(long)ctx->data + sizeof(struct ethhdr);
	const __u32 *ifindex;
	__u32 only = 0;

	ifindex = bpf_map_lookup_elem(&target, &only);
	if (!ifindex || (void *)(ip + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	ip->saddr = bpf_get_prandom_u32();
	return bpf_redirect(*ifindex, 0);
}

SEC("xdp")
int bare_drop(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_DROP;
}
