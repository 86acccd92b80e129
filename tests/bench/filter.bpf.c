/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The filter behind a source address drawn inside the measured program, and a control program that
 * only draws it. The packets are the bench's own: Ethernet, no tags, no options.
 */
#include "bpf/sipward.bpf.c"

#define SOURCES (1U << 17)

/* Random addresses, in the order of their use. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SOURCES);
	__type(key, __u32);
	__type(value, struct in6_addr);
} sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next SEC(".maps");

static __always_inline const struct in6_addr *draw(void)
{
	__u32 only = 0, index;
	__u32 *count = bpf_map_lookup_elem(&next, &only);

	if (!count)
		return NULL;
	index = (*count)++ % SOURCES;
	return bpf_map_lookup_elem(&sources, &index);
}

static __always_inline void draw_v4(struct xdp_md *ctx)
{
	struct iphdr *ip = (void *)(long)ctx->data + sizeof(struct ethhdr);
	const struct in6_addr *source = draw();

	if (source && (void *)(ip + 1) <= (void *)(long)ctx->data_end)
		ip->saddr = source->in6_u.u6_addr32[0];
}

static __always_inline void draw_v6(struct xdp_md *ctx)
{
	struct ipv6hdr *ip = (void *)(long)ctx->data + sizeof(struct ethhdr);
	const struct in6_addr *source = draw();

	if (source && (void *)(ip + 1) <= (void *)(long)ctx->data_end)
		ip->saddr = *source;
}

SEC("xdp")
int control_v4(struct xdp_md *ctx)
{
	draw_v4(ctx);
	return XDP_DROP;
}

SEC("xdp")
int control_v6(struct xdp_md *ctx)
{
	draw_v6(ctx);
	return XDP_DROP;
}

SEC("xdp")
int measured_v4(struct xdp_md *ctx)
{
	draw_v4(ctx);
	return filter(ctx, 0);
}

SEC("xdp")
int measured_v6(struct xdp_md *ctx)
{
	draw_v6(ctx);
	return filter(ctx, 0);
}
