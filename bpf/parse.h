/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * From the first byte of the frame to the destination port. The cursor stands before the next
 * unread byte; each cursor_* function checks one header against the end of the packet, moves past
 * it and returns it, or NULL where the packet ends too soon.
 */
#ifndef SIPWARD_BPF_PARSE_H
#define SIPWARD_BPF_PARSE_H

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_P_8021Q 0x8100
#define ETH_P_8021AD 0x88a8

#define IPPROTO_HOPOPTS 0
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_ROUTING 43
#define IPPROTO_FRAGMENT 44
#define IPPROTO_AH 51
#define IPPROTO_DSTOPTS 60

#define VLAN_TAGS_MAX 4
#define EXTENSIONS_MAX 6

#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_OFFSET 0x1fff
#define IPV6_MORE_FRAGMENTS 0x0001
#define IPV6_OFFSET 0xfff8

#define PORTS_BYTES 4
#define UDP_BYTES 8
#define TCP_BYTES 20

struct cursor {
	void *pos;
	void *end;
};

/* What the decision needs of a packet: numbers only. Pointers into the packet that lived on behind
 * the parser would each multiply the states that the verifier has to walk. */
struct packet {
	struct sipward_source source;
	__be32 src_be[4]; /* IPv4: the address, 0, 0, 0 */
	__be32 dst_be[4];
	__u32 bytes;	       /* of the whole frame */
	__u32 promised_bytes;  /* of the frame, up to the end of the IP packet by its header */
	__s32 transport_bytes; /* from the transport header on, by the IP header's length field */
	__u32 payload_offset;  /* of what UDP carries, in the frame */
	__u32 payload_bytes;   /* by the UDP header */
	__u32 acl;	       /* flags of the longest match, once it is looked for */
	__be32 fragment_id_be;
	__be16 port_be; /* destination */
	__u8 protocol;
	bool first_fragment; /* and others follow */
	bool flooded;	     /* it is more than the CPU's budget has room for */
	bool malformed;	     /* the transport header is cut, or disagrees with the IP header */
};

enum parsed {
	PARSED_OTHER,	       /* no UDP or TCP that could be SIP */
	PARSED_LATER_FRAGMENT, /* has no ports of its own */
	PARSED_HIDDEN,	       /* has ports, but only its receiver will see them */
	PARSED_CUT,	       /* ends within its headers, or goes on in a further buffer */
	PARSED_TRANSPORT,      /* protocol and port are known */
};

/* Copies `bytes` bytes of the frame, but at most max, from offset on. Returns how many. */
static __always_inline __u32 packet_copy(struct xdp_md *ctx, __u32 offset, __u32 bytes, void *to,
					 __u32 max)
{
	if (bytes > max)
		bytes = max;
	/* The verifier of 6.1 learns that the length is not 0 from a signed comparison only, and
	 * only if clang 14 does not compare another copy of it. */
	barrier_var(bytes);
	return (__s32)bytes > 0 && !bpf_xdp_load_bytes(ctx, offset, to, bytes) ? bytes : 0;
}

static __always_inline void *cursor_take(struct cursor *c, __u32 bytes)
{
	void *header = c->pos;

	if (header + bytes > c->end)
		return NULL;
	c->pos = header + bytes;
	return header;
}

static __always_inline struct ethhdr *cursor_ethernet(struct cursor *c)
{
	return cursor_take(c, sizeof(struct ethhdr));
}

static __always_inline struct vlan_hdr *cursor_vlan(struct cursor *c)
{
	return cursor_take(c, sizeof(struct vlan_hdr));
}

/* With its options, which nobody reads. */
static __always_inline struct iphdr *cursor_ipv4(struct cursor *c)
{
	struct iphdr *ip = cursor_take(c, sizeof(*ip));

	if (!ip || ip->version != 4 || ip->ihl < 5)
		return NULL;
	if (!cursor_take(c, ip->ihl * 4 - sizeof(*ip)))
		return NULL;
	return ip;
}

static __always_inline struct ipv6hdr *cursor_ipv6(struct cursor *c)
{
	struct ipv6hdr *ip = cursor_take(c, sizeof(*ip));

	return ip && ip->version == 6 ? ip : NULL;
}

static __always_inline struct udphdr *cursor_udp(struct cursor *c)
{
	return cursor_take(c, sizeof(struct udphdr));
}

static __always_inline struct tcphdr *cursor_tcp(struct cursor *c)
{
	return cursor_take(c, sizeof(struct tcphdr));
}

static __always_inline struct frag_hdr *cursor_fragment(struct cursor *c)
{
	return cursor_take(c, sizeof(struct frag_hdr));
}

/* An extension header of the kind `type`; *ret_bytes is its length. */
static __always_inline struct ipv6_opt_hdr *cursor_extension(struct cursor *c, __u8 type,
							     __u32 *ret_bytes)
{
	struct ipv6_opt_hdr *header = cursor_take(c, sizeof(*header));

	if (!header)
		return NULL;
	*ret_bytes = type == IPPROTO_AH ? (header->hdrlen + 2U) * 4 : (header->hdrlen + 1U) * 8;
	return cursor_take(c, *ret_bytes - sizeof(*header)) ? header : NULL;
}

static __always_inline bool is_extension(__u8 type)
{
	return type == IPPROTO_HOPOPTS || type == IPPROTO_ROUTING || type == IPPROTO_FRAGMENT ||
	       type == IPPROTO_AH || type == IPPROTO_DSTOPTS;
}

static __always_inline bool is_transport(__u8 type)
{
	return type == IPPROTO_UDP || type == IPPROTO_TCP;
}

/* Whether the UDP header is there in full and agrees with the length of the IP packet. Of a first
 * fragment only the header itself can be judged. */
static __always_inline bool udp_agrees(struct cursor *c, struct packet *p)
{
	const struct udphdr *udp = cursor_udp(c);
	__s32 bytes;

	if (!udp || p->transport_bytes < UDP_BYTES)
		return false;
	bytes = bpf_ntohs(udp->len);
	p->payload_bytes = bytes - UDP_BYTES;
	return bytes >= UDP_BYTES && (p->first_fragment || bytes <= p->transport_bytes);
}

static __always_inline bool tcp_agrees(struct cursor *c, const struct packet *p)
{
	const struct tcphdr *tcp = cursor_tcp(c);
	__s32 bytes;

	if (!tcp || p->transport_bytes < TCP_BYTES)
		return false;
	bytes = tcp->doff * 4;
	return bytes >= TCP_BYTES && bytes <= p->transport_bytes;
}

/* The cursor stands before the UDP or TCP header. */
static __always_inline enum parsed parse_transport(struct cursor *c, struct packet *p)
{
	__u32 offset = p->bytes - (c->end - c->pos);
	struct cursor ports = *c;
	const struct udphdr *udp;

	udp = cursor_take(&ports, PORTS_BYTES);
	if (!udp || p->transport_bytes < PORTS_BYTES)
		return p->first_fragment ? PARSED_HIDDEN : PARSED_CUT;
	p->port_be = udp->dest;
	p->payload_offset = offset + UDP_BYTES;
	p->promised_bytes = offset + p->transport_bytes;
	if (p->protocol == IPPROTO_UDP)
		p->malformed = !udp_agrees(c, p);
	else
		p->malformed = !tcp_agrees(c, p);
	return PARSED_TRANSPORT;
}

static __always_inline enum parsed parse_ipv4(struct cursor *c, struct packet *p)
{
	const struct iphdr *ip = cursor_ipv4(c);
	__u16 fragment;

	if (!ip || !is_transport(ip->protocol))
		return PARSED_OTHER;
	p->source.family = 4;
	p->src_be[0] = ip->saddr;
	p->dst_be[0] = ip->daddr;
	__builtin_memcpy(p->source.addr, &ip->saddr, sizeof(ip->saddr));
	p->protocol = ip->protocol;
	p->fragment_id_be = ip->id;
	p->transport_bytes = bpf_ntohs(ip->tot_len) - ip->ihl * 4;
	fragment = bpf_ntohs(ip->frag_off);
	if (fragment & IPV4_OFFSET)
		return PARSED_LATER_FRAGMENT;
	p->first_fragment = fragment & IPV4_MORE_FRAGMENTS;
	return parse_transport(c, p);
}

/* One extension header of the kind *type, which becomes the kind of the one behind it.
 * PARSED_OTHER: go on. */
static __always_inline enum parsed parse_extension(struct cursor *c, struct packet *p, __u8 *type)
{
	const struct ipv6_opt_hdr *header;
	const struct frag_hdr *fragment;
	__u32 bytes = sizeof(*fragment);

	if (*type != IPPROTO_FRAGMENT) {
		header = cursor_extension(c, *type, &bytes);
		if (!header)
			return PARSED_CUT;
		p->transport_bytes -= bytes;
		*type = header->nexthdr;
		return PARSED_OTHER;
	}
	fragment = cursor_fragment(c);
	if (!fragment)
		return PARSED_CUT;
	p->transport_bytes -= bytes;
	p->fragment_id_be = fragment->identification;
	*type = fragment->nexthdr;
	p->first_fragment = bpf_ntohs(fragment->frag_off) & IPV6_MORE_FRAGMENTS;
	if (bpf_ntohs(fragment->frag_off) & IPV6_OFFSET) {
		p->first_fragment = false;
		return PARSED_LATER_FRAGMENT;
	}
	return PARSED_OTHER;
}

/* An IPv6 source is no less than 32 bits, so only the second word is ever cut. */
static __always_inline void source_v6(struct packet *p, const struct sipward_settings *set)
{
	__u32 bits = set->source_v6_bits;
	__be32 words[2] = {p->src_be[0], p->src_be[1]};

	p->source.family = 6;
	if (bits >= SIPWARD_SOURCE_V6_MIN && bits < SIPWARD_SOURCE_V6_MAX) {
		p->source.v6_bits = bits;
		words[1] &= bpf_htonl((__u32)(~0ULL << (SIPWARD_SOURCE_V6_MAX - bits)));
	}
	__builtin_memcpy(p->source.addr, words, sizeof(words));
}

static __always_inline enum parsed parse_ipv6(struct cursor *c, struct packet *p,
					      const struct sipward_settings *set)
{
	const struct ipv6hdr *ip = cursor_ipv6(c);
	enum parsed parsed;
	__u8 type;

	if (!ip)
		return PARSED_OTHER;
	__builtin_memcpy(p->src_be, &ip->saddr, sizeof(p->src_be));
	__builtin_memcpy(p->dst_be, &ip->daddr, sizeof(p->dst_be));
	source_v6(p, set);
	p->transport_bytes = bpf_ntohs(ip->payload_len);
	type = ip->nexthdr;
	for (int i = 0; i < EXTENSIONS_MAX && is_extension(type); i++) {
		parsed = parse_extension(c, p, &type);
		if (parsed == PARSED_CUT)
			return p->first_fragment ? PARSED_HIDDEN : PARSED_CUT;
		if (parsed == PARSED_LATER_FRAGMENT)
			return is_transport(type) || is_extension(type) ? parsed : PARSED_OTHER;
	}
	/* Linux would walk on, and find SIP behind as many headers as a packet holds. */
	if (is_extension(type))
		return PARSED_HIDDEN;
	if (!is_transport(type))
		return PARSED_OTHER;
	p->protocol = type;
	return parse_transport(c, p);
}

static __always_inline enum parsed parse_packet(struct cursor *c, struct packet *p,
						const struct sipward_settings *set)
{
	const struct ethhdr *eth = cursor_ethernet(c);
	const struct vlan_hdr *vlan;
	__be16 type;

	if (!eth)
		return PARSED_OTHER;
	type = eth->h_proto;
	for (int i = 0; i < VLAN_TAGS_MAX; i++) {
		if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD))
			break;
		vlan = cursor_vlan(c);
		if (!vlan)
			return PARSED_OTHER;
		type = vlan->h_vlan_encapsulated_proto;
	}
	if (type == bpf_htons(ETH_P_IP))
		return parse_ipv4(c, p);
	if (type == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(c, p, set);
	return PARSED_OTHER;
}

#endif
