/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Where a flood comes from: frames with forged sources that leave through an interface, and, at
 * that interface, who is not there to be answered. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "tests/bench/flood.h"

#define ETH_P_IP 0x0800

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flood);
} flood SEC(".maps");

/* Whoever had the frame before may have written over it and changed its length, of which the kernel
 * only notes what is changed here: frames come with one byte more than they leave with. */
static __always_inline bool renew(struct xdp_md *ctx, const struct flood *f)
{
	__u32 n = f->frame_n;

	return n && n <= FLOOD_FRAME_MAX && !bpf_xdp_store_bytes(ctx, 0, (void *)f->frame, n) &&
	       !bpf_xdp_adjust_tail(ctx, -1);
}

static __always_inline void sign(struct xdp_md *ctx, __u32 at)
{
	__u32 random = bpf_get_prandom_u32();
	char letters[8];

	for (int i = 0; i < 8; i++)
		letters[i] = 'a' + (random >> (4 * i) & 0xf);
	bpf_xdp_store_bytes(ctx, at, letters, sizeof(letters));
}

/* The checksum in the frame is that of the source 0.0.0.0. */
static __always_inline void forge(struct iphdr *ip, const struct flood *f)
{
	__u32 source = (bpf_get_prandom_u32() & ~f->mask_be) | f->prefix_be;
	__u32 sum = (__u16)~ip->check + (source & 0xffff) + (source >> 16);

	sum = (sum & 0xffff) + (sum >> 16);
	ip->saddr = source;
	ip->check = ~(sum + (sum >> 16));
}

/* Frames come one after the other, as fast as one CPU makes them; what is not due is dropped. */
static __always_inline bool is_due(struct flood *f)
{
	__u64 now_ns = bpf_ktime_get_ns();

	if (!f->begin_ns)
		f->begin_ns = now_ns + f->idle_ns;
	if (now_ns < f->begin_ns || f->sent >= (now_ns - f->begin_ns) * f->pps / 1000000000)
		return false;
	f->sent++;
	return true;
}

SEC("xdp")
int flood_source(struct xdp_md *ctx)
{
	__u32 only = 0;
	struct flood *f = bpf_map_lookup_elem(&flood, &only);
	struct iphdr *ip;

	if (!f || !is_due(f))
		return XDP_DROP;
	if (!renew(ctx, f))
		return XDP_ABORTED;
	for (int i = 0; i < FLOOD_SIGNS; i++)
		sign(ctx, f->sign_at[i]);
	ip = (void *)(long)ctx->data + sizeof(struct ethhdr);
	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	forge(ip, f);
	return bpf_redirect(f->ifindex, 0);
}

/* The internet of the benches: 10.9.0.0/24 is there, answers to anyone else are lost. */
SEC("xdp")
int internet(struct xdp_md *ctx)
{
	const struct ethhdr *eth = (void *)(long)ctx->data;
	const struct iphdr *ip = (const void *)(eth + 1);

	if ((const void *)(ip + 1) > (const void *)(long)ctx->data_end ||
	    eth->h_proto != bpf_htons(ETH_P_IP))
		return XDP_PASS;
	return (ip->daddr & bpf_htonl(0xffffff00)) == bpf_htonl(0x0a090000) ? XDP_PASS : XDP_DROP;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
