/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Packet sources that redirect into a veth, and the receivers behind it: nothing but a drop, and
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

struct whole_frame {
	__u32 n;
	__u8 bytes[1024];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct whole_frame);
} whole_frames SEC(".maps");

/* The kernel uses a frame again with what its receiver has made of it, its length too, unless that
 * changes here: it is given a byte more. */
SEC("xdp")
int source_anew(struct xdp_md *ctx)
{
	const struct whole_frame *whole;
	const __u32 *ifindex;
	__u32 only = 0, n;

	ifindex = bpf_map_lookup_elem(&target, &only);
	whole = bpf_map_lookup_elem(&whole_frames, &only);
	if (!ifindex || !whole)
		return XDP_ABORTED;
	n = whole->n;
	if ((__s32)n <= 0 || n > sizeof(whole->bytes) || bpf_xdp_adjust_tail(ctx, -1) ||
	    bpf_xdp_store_bytes(ctx, 0, (void *)whole->bytes, n))
		return XDP_ABORTED;
	return bpf_redirect(*ifindex, 0);
}

SEC("xdp")
int bare_drop(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_DROP;
}
