/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* Writes the answer: first its text, byte for byte what the daemon would write but for nonces and
 * To tag (user/sip/sip_reply.c), then the headers of the packet that was the request. */
#ifndef SIPWARD_BPF_ANSWER_H
#define SIPWARD_BPF_ANSWER_H

#define COPY_WORDS 128
#define HOP_LIMIT 64
#define IPV4_DONT_FRAGMENT 0x4000
#define CHECKSUM_STEP 512 /* what bpf_csum_diff takes at a time */
#define MTU_EVERYWHERE 1280

/* ---- text ---- */

static __always_inline void answer_store(struct scratch *s, __u32 at, __u64 word)
{
	*(__u64 *)(s->answer + (at & ANSWER_MASK)) = little_endian(word);
}

/* Makes room for n bytes; once something did not fit, nothing does. */
static __always_inline __u32 answer_grow(struct scratch *s, __u32 n)
{
	__u32 at = s->answer_n;

	s->answer_n = n > ANSWER_MAX || at + n > ANSWER_MAX ? ANSWER_MAX + 1 : at + n;
	return at;
}

/* At most eight bytes. */
static __always_inline void put_word(struct scratch *s, __u64 word, __u32 n)
{
	answer_store(s, answer_grow(s, n), word);
}

/* False once something did not fit. */
__noinline __u32 put_text(struct scratch *s, __u32 from, __u32 n)
{
	__u32 at;

	if (!s)
		return false;
	at = answer_grow(s, n);
	for (__u32 i = 0; i < COPY_WORDS && 8 * i < n; i++)
		answer_store(s, at + 8 * i, word_at(s, from + 8 * i));
	return s->answer_n <= ANSWER_MAX;
}

/* From the address as text, which stands in s->source. */
static __always_inline void put_source(struct scratch *s)
{
	__u32 at = answer_grow(s, s->source_n);

	for (__u32 i = 0; i < SOURCE_TEXT / 8; i++)
		answer_store(s, at + 8 * i, little_endian(((const __u64 *)s->source)[i]));
}

/* Returns where the text begins in the answer. */
__noinline __u32 put_prepared(struct scratch *s, const struct sipward_challenge *c, __u32 from,
			      __u32 n)
{
	__u32 at;

	if (!s || !c)
		return 0;
	at = answer_grow(s, n);
	for (__u32 i = 0; i < SIPWARD_CHALLENGE_TEXT / 8 && 8 * i < n; i++) {
		__u32 pos = from + 8 * i;

		/* clang 14 would compare another copy of it. */
		barrier_var(pos);
		if (pos > SIPWARD_CHALLENGE_TEXT - 8)
			break;
		answer_store(s, at + 8 * i, little_endian(*(const __u64 *)(c->text + pos)));
	}
	return at;
}

static __always_inline __u32 decimal(__u32 value, __u64 *ret_text)
{
	__u64 text = 0;
	__u32 n = 0;

	for (int i = 0; i < 5; i++) {
		text = text << 8 | ('0' + value % 10);
		n++;
		value /= 10;
		if (!value)
			break;
	}
	*ret_text = text;
	return n;
}

/* Eight lower-case hex digits of four bytes, the first one the lowest. */
static __always_inline __u64 hex(__u32 bytes)
{
	__u64 x = bytes;

	/* One byte in two, then its halves, the high one first. */
	x = (x | x << 16) & 0x0000ffff0000ffffULL;
	x = (x | x << 8) & 0x00ff00ff00ff00ffULL;
	x = (x >> 4 | x << 8) & 0x0f0f0f0f0f0f0f0fULL;
	return x + '0' * EACH_BYTE + ((x + 6 * EACH_BYTE) >> 4 & EACH_BYTE) * ('a' - '0' - 10);
}

/* The four bytes of eight such digits; of other text, something. */
static __always_inline __u32 unhex(__u64 digits)
{
	__u64 x = (digits & 0x0f * EACH_BYTE) + 9 * (digits >> 6 & EACH_BYTE);

	x = (x << 4 | x >> 8) & 0x00ff00ff00ff00ffULL;
	x = (x | x >> 8) & 0x0000ffff0000ffffULL;
	return x | x >> 16;
}

/* ---- the source as text ---- */

static __always_inline void show_put(struct scratch *s, __u64 text, __u32 n)
{
	for (__u32 i = 0; i < 5; i++) {
		if (i < n && s->source_n < SOURCE_TEXT)
			s->source[s->source_n++] = text >> (8 * i);
	}
}

/* Of the address the byte that is shift bits from its end. */
__noinline __u32 show_octet(struct scratch *s, __u32 addr, __u32 shift)
{
	__u64 text;
	__u32 n;

	if (!s)
		return 0;
	n = decimal(addr >> (shift & 31) & 0xff, &text);
	show_put(s, text, n);
	if (shift)
		show_put(s, '.', 1);
	return 0;
}

/* Not a loop: clang 14 makes one of it that the verifier of 6.1 does not take. */
static __always_inline void show_v4(struct scratch *s, __be32 addr_be)
{
	__u32 addr = bpf_ntohl(addr_be);

	show_octet(s, addr, 24);
	show_octet(s, addr, 16);
	show_octet(s, addr, 8);
	show_octet(s, addr, 0);
}

static __always_inline __u32 group_of(const struct scratch *s, __u32 i)
{
	__u32 word = bpf_ntohl(s->ends.src_be[i / 2 & 3]);

	return i & 1 ? word & 0xffff : word >> 16;
}

/* Which groups the "::" stands for: the first of the longest runs of zeros, of two at least. */
static __always_inline __u32 longest_zeros(const struct scratch *s, __u32 *ret_n)
{
	__u32 at = 0, n = 0, run = 0;

	for (__u32 i = 0; i < 8; i++) {
		run = group_of(s, i) ? 0 : run + 1;
		if (run > n) {
			n = run;
			at = i + 1 - run;
		}
	}
	*ret_n = n < 2 ? 0 : n;
	return at;
}

__noinline __u32 show_group(struct scratch *s, __u32 group)
{
	__u32 digits = group > 0xfff ? 4 : group > 0xff ? 3 : group > 0xf ? 2 : 1;
	__u64 text = hex((group & 0xff) << 8 | group >> 8);

	if (!s)
		return 0;
	show_put(s, (text & 0xffffffff) >> (8 * (4 - digits)), digits);
	return 0;
}

/* As RFC 5952 has it. */
__noinline __u32 show_v6(struct scratch *s)
{
	__u32 zeros_at, zeros_n;

	if (!s)
		return 0;
	zeros_at = longest_zeros(s, &zeros_n);
	for (__u32 i = 0; i < 8; i++) {
		if (zeros_n && i >= zeros_at && i < zeros_at + zeros_n) {
			if (i == zeros_at)
				show_put(s, TEXT2(':', ':'), 2);
			continue;
		}
		if (i && !(zeros_n && i == zeros_at + zeros_n))
			show_put(s, ':', 1);
		show_group(s, group_of(s, i));
	}
	return 0;
}

static __always_inline void show_source(struct scratch *s)
{
	s->source_n = 0;
	if (s->ends.family == 4)
		show_v4(s, s->ends.src_be[0]);
	else
		show_v6(s);
}

/* Whether the topmost Via shows the source as s->source does. */
__noinline __u32 via_shows_source(const struct scratch *s)
{
	__u32 at, n;

	if (!s)
		return 0;
	at = s->via_host.at;
	n = s->via_host.n;
	if (byte_at(s, at) == '[') {
		at++;
		n -= 2;
	}
	if (n != s->source_n)
		return 0;
	for (__u32 i = 0; i < SOURCE_TEXT && i < n; i++) {
		if (byte_at(s, at + i) != s->source[i])
			return 0;
	}
	return 1;
}

/* An IPv6 address can be spelled in many ways. */
static __always_inline bool is_source_certain(const struct scratch *s)
{
	return s->via_rport.n || byte_at(s, s->via_host.at) != '[' || via_shows_source(s);
}

/* ---- the fields ---- */

/* RFC 3261 §18.2.1, RFC 3581 §4. */
static __always_inline void put_topmost_via(struct scratch *s)
{
	struct piece via = s->vias[0], rport = s->via_rport;
	__u32 pos = via.at;
	__u64 port;
	__u32 n;

	if (rport.n) {
		put_text(s, pos, rport.at - pos);
		pos = rport.at + rport.n;
		put_word(s, TEXT8('r', 'p', 'o', 'r', 't', '=', 0, 0), 6);
		n = decimal(bpf_ntohs(s->ends.src_port_be), &port);
		put_word(s, port, n);
	}
	put_text(s, pos, s->via_end - pos);
	if (rport.n || !via_shows_source(s)) {
		put_word(s, TEXT8(';', 'r', 'e', 'c', 'e', 'i', 'v', 'e'), 8);
		put_word(s, TEXT2('d', '='), 2);
		put_source(s);
	}
	put_text(s, s->via_end, via.at + via.n - s->via_end);
}

__noinline __u32 put_vias(struct scratch *s)
{
	if (!s)
		return 0;
	put_word(s, TEXT8('V', 'i', 'a', ':', ' ', 0, 0, 0), 5);
	put_topmost_via(s);
	for (__u32 i = 1; i < VIAS_MAX && i < s->via_count; i++) {
		put_word(s, TEXT8('\r', '\n', 'V', 'i', 'a', ':', ' ', 0), 7);
		if (!put_text(s, s->vias[i].at, s->vias[i].n))
			break;
	}
	return 0;
}

__noinline __u32 put_rest(struct scratch *s, __u64 tag)
{
	if (!s)
		return 0;
	put_word(s, TEXT8('\r', '\n', 'F', 'r', 'o', 'm', ':', ' '), 8);
	put_text(s, s->from.at, s->from.n);
	put_word(s, TEXT8('\r', '\n', 'T', 'o', ':', ' ', 0, 0), 6);
	put_text(s, s->to.at, s->to.n);
	put_word(s, TEXT8(';', 't', 'a', 'g', '=', 0, 0, 0), 5);
	put_word(s, hex(tag), 8);
	put_word(s, hex(tag >> 32), 8);
	put_word(s, TEXT8('\r', '\n', 'C', 'a', 'l', 'l', '-', 'I'), 8);
	put_word(s, TEXT4('D', ':', ' ', 0), 3);
	put_text(s, s->call_id.at, s->call_id.n);
	put_word(s, TEXT8('\r', '\n', 'C', 'S', 'e', 'q', ':', ' '), 8);
	put_text(s, s->cseq.at, s->cseq.n);
	put_word(s, TEXT2('\r', '\n'), 2);
	return 0;
}

/* ---- the packet ---- */

static __always_inline __u32 folded(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* Over pseudo header, UDP header without it, and text. */
__noinline __u32 udp_checksum(struct scratch *s, __be16 port_be)
{
	__s64 text = 0;
	__u64 sum;

	if (!s)
		return 0;
	/* Whole steps are summed, and zeros do not count. */
	for (__u32 i = 0; i < CHECKSUM_STEP / 8; i++)
		answer_store(s, s->answer_n + 8 * i, 0);
	for (__u32 i = 0; i < (ANSWER_MASK + 1) / CHECKSUM_STEP; i++) {
		if (i * CHECKSUM_STEP >= s->answer_n)
			break;
		text = bpf_csum_diff(NULL, 0, (__be32 *)(s->answer + i * CHECKSUM_STEP),
				     CHECKSUM_STEP, text);
	}
	sum = (__u64)(__u32)text + s->ends.dst_port_be + port_be +
	      2ULL * bpf_htons(s->answer_n + UDP_BYTES) + bpf_htons(IPPROTO_UDP);
	for (int i = 0; i < 4; i++)
		sum += (__u64)s->ends.src_be[i] + s->ends.dst_be[i];
	sum = ~folded(sum) & 0xffff;
	return sum ? sum : 0xffff;
}

static __always_inline void ipv4_turn(struct iphdr *ip, const struct scratch *s, __u32 bytes)
{
	__u64 sum = 0;

	ip->tos = 0;
	ip->tot_len = bpf_htons(sizeof(*ip) + bytes);
	ip->id = 0;
	ip->frag_off = bpf_htons(IPV4_DONT_FRAGMENT);
	ip->ttl = HOP_LIMIT;
	ip->check = 0;
	ip->saddr = s->ends.dst_be[0];
	ip->daddr = s->ends.src_be[0];
	for (__u32 i = 0; i < sizeof(*ip) / 4; i++)
		sum += ((const __u32 *)ip)[i];
	ip->check = ~folded(sum);
}

static __always_inline void ipv6_turn(struct ipv6hdr *ip, const struct scratch *s, __u32 bytes)
{
	*(__u32 *)ip = bpf_htonl(0x60000000);
	ip->payload_len = bpf_htons(bytes);
	ip->hop_limit = HOP_LIMIT;
	__builtin_memcpy(&ip->saddr, s->ends.dst_be, sizeof(s->ends.dst_be));
	__builtin_memcpy(&ip->daddr, s->ends.src_be, sizeof(s->ends.src_be));
}

static __always_inline void ethernet_turn(struct ethhdr *eth)
{
	__u16 *word = (__u16 *)eth;

	for (int i = 0; i < 3; i++) {
		__u16 destination = word[i];

		word[i] = word[i + 3];
		word[i + 3] = destination;
	}
}

static __always_inline bool headers_turn(struct xdp_md *ctx, const struct scratch *s,
					 const struct udphdr *wanted)
{
	struct cursor c = {(void *)(long)ctx->data, (void *)(long)ctx->data_end};
	struct ethhdr *eth = cursor_ethernet(&c);
	void *ip = cursor_take(&c,
			       s->ends.family == 4 ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
	struct udphdr *udp = ip ? cursor_udp(&c) : NULL;

	if (!eth || !udp)
		return false;
	ethernet_turn(eth);
	if (s->ends.family == 4)
		ipv4_turn(ip, s, bpf_ntohs(wanted->len));
	else
		ipv6_turn(ip, s, bpf_ntohs(wanted->len));
	*udp = *wanted;
	return true;
}

/* False, and nothing has happened, where the driver has no room for a larger answer. */
static __always_inline bool packet_turn(struct xdp_md *ctx, struct scratch *s, __be16 port_be)
{
	struct udphdr udp = {
		.source = s->ends.dst_port_be,
		.dest = port_be,
		.len = bpf_htons(s->answer_n + UDP_BYTES),
		.check = udp_checksum(s, port_be),
	};
	__u32 n = s->answer_n;
	__s32 frame_n = bpf_xdp_get_buff_len(ctx);

	if (bpf_xdp_adjust_tail(ctx, (__s32)(s->ends.payload_offset + n) - frame_n))
		return false;
	/* As in packet_copy. */
	barrier_var(n);
	if ((__s32)n <= 0 || n > ANSWER_MAX)
		return false;
	bpf_xdp_store_bytes(ctx, s->ends.payload_offset, s->answer, n);
	return headers_turn(ctx, s, &udp);
}

#endif
