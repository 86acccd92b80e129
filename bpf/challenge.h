/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The first answer to a request without credentials leaves from here: nothing of it is kept, the
 * daemon never hears of it. Whatever is not certain is left to the daemon.
 */
#ifndef SIPWARD_BPF_CHALLENGE_H
#define SIPWARD_BPF_CHALLENGE_H

/* What is known of the source. */
enum trust {
	TRUST_VOUCHED = 1 << 0, /* listed or proven: it may get more than it sent */
	TRUST_LISTED = 1 << 1,
	TRUST_ONLY_COUNT = 1 << 2, /* mode monitor */
	TRUST_FLOODED = 1 << 3,	   /* what the filter does not deal with is dropped */
};

/* Whether the packet, which passes or has come in a flood, may be answered here. An upstream is
 * never asked who it is, and whom the operator wants to be refused by the daemon is left to it. */
static __always_inline bool may_challenge(const struct packet *p, struct env *env,
					  enum sipward_reason reason)
{
	const struct sipward_lease *live;
	__u32 only = 0;

	if (p->protocol != IPPROTO_UDP || p->first_fragment)
		return false;
	if (reason == SIPWARD_UNLISTED_PASS && env->settings->unlisted != SIPWARD_UNLISTED_LIMIT)
		return false;
	if (reason != SIPWARD_LISTED && reason != SIPWARD_PROVEN &&
	    reason != SIPWARD_UNLISTED_PASS && !p->flooded)
		return false;
	live = bpf_map_lookup_elem(&lease, &only);
	return live && live->until_ns && !(p->acl & SIPWARD_ACL_UPSTREAM) &&
	       live->until_ns > env_now(env) && (!p->flooded || look_take(p, env));
}

static __always_inline __u32 trust_of(const struct env *env, enum sipward_reason reason)
{
	__u32 trust = env->settings->mode == SIPWARD_ENFORCE ? 0 : TRUST_ONLY_COUNT;

	if (reason == SIPWARD_LISTED)
		trust |= TRUST_LISTED | TRUST_VOUCHED;
	if (reason == SIPWARD_PROVEN)
		trust |= TRUST_VOUCHED;
	if (reason == SIPWARD_RATE_LIMITED)
		trust |= TRUST_FLOODED;
	return trust;
}

/* ---- the packet ---- */

/* Addresses that nobody is answered at: 0/8, 127/8, multicast and above. */
static __always_inline bool is_odd_v4(__be32 addr_be)
{
	__u32 first = bpf_ntohl(addr_be) >> 24;

	return first == 0 || first == 127 || first >= 224;
}

/* Without global scope, or an IPv4 address in disguise. */
static __always_inline bool is_odd_v6(const __be32 *addr_be)
{
	__u32 first = bpf_ntohl(addr_be[0]);

	return !first || first >> 28 >= 0xe;
}

static __always_inline bool ipv4_ends(struct cursor *c, struct ends *ends)
{
	const struct iphdr *ip = cursor_take(c, sizeof(*ip));

	if (!ip || ip->ihl != 5 || ip->protocol != IPPROTO_UDP)
		return false;
	ends->family = 4;
	ends->src_be[0] = ip->saddr;
	ends->dst_be[0] = ip->daddr;
	return !is_odd_v4(ip->saddr);
}

static __always_inline bool ipv6_ends(struct cursor *c, struct ends *ends)
{
	const struct ipv6hdr *ip = cursor_take(c, sizeof(*ip));

	if (!ip || ip->nexthdr != IPPROTO_UDP)
		return false;
	ends->family = 6;
	__builtin_memcpy(ends->src_be, &ip->saddr, sizeof(ends->src_be));
	__builtin_memcpy(ends->dst_be, &ip->daddr, sizeof(ends->dst_be));
	return !is_odd_v6(ends->src_be);
}

/* False: not plain UDP in IP in an untagged frame from one station to another. */
__noinline __u32 ends_read(struct xdp_md *ctx, struct scratch *s)
{
	struct ends *ends;
	struct cursor c = {(void *)(long)ctx->data, (void *)(long)ctx->data_end};
	const struct ethhdr *eth = cursor_ethernet(&c);
	const struct udphdr *udp;
	bool known = false;

	if (!s)
		return false;
	ends = &s->ends;
	__builtin_memset(ends, 0, sizeof(*ends));
	if (!eth || (eth->h_dest[0] | eth->h_source[0]) & 1)
		return false;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		known = ipv4_ends(&c, ends);
	else if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		known = ipv6_ends(&c, ends);
	udp = known ? cursor_udp(&c) : NULL;
	if (!udp || !udp->source)
		return false;
	ends->src_port_be = udp->source;
	ends->dst_port_be = udp->dest;
	ends->payload_offset = c.pos - (void *)(long)ctx->data;
	ends->payload_n = bpf_ntohs(udp->len) - UDP_BYTES;
	return ends->payload_n <= c.end - c.pos;
}

__noinline __u32 own_flags(const struct scratch *s, __u32 ifindex, __u32 source)
{
	struct sipward_own_key key = {.ifindex = ifindex};
	const struct sipward_own *own;

	if (!s)
		return 0;
	key.family = s->ends.family;
	key.port_be = source ? 0 : s->ends.dst_port_be;
	__builtin_memcpy(key.addr_be, source ? s->ends.src_be : s->ends.dst_be,
			 sizeof(key.addr_be));
	own = bpf_map_lookup_elem(&own_addresses, &key);
	return own ? own->flags : 0;
}

/* Before anything else is read: responses, and methods that are never challenged. */
static __always_inline bool is_daemons_at_once(struct xdp_md *ctx, const struct scratch *s)
{
	__u64 word = 0;

	if (s->ends.payload_n < sizeof(word) ||
	    bpf_xdp_load_bytes(ctx, s->ends.payload_offset, &word, sizeof(word)))
		return true;
	word = little_endian(word);
	return (__u32)word == TEXT4('S', 'I', 'P', '/') ||
	       (__u32)word == TEXT4('B', 'Y', 'E', ' ') ||
	       word == TEXT8('O', 'P', 'T', 'I', 'O', 'N', 'S', ' ') ||
	       word_cut(word, 7) == TEXT8('C', 'A', 'N', 'C', 'E', 'L', ' ', 0);
}

static __always_inline bool text_load(struct xdp_md *ctx, struct scratch *s)
{
	__u32 n = s->ends.payload_n;

	s->total_n = n;
	if (n > TEXT_MAX)
		n = TEXT_MAX;
	barrier_var(n);
	if ((__s32)n <= 0 || n > TEXT_MAX ||
	    bpf_xdp_load_bytes(ctx, s->ends.payload_offset, s->text, n))
		return false;
	s->text_n = n;
	/* Zeros end every search. */
	*(__u64 *)(s->text + n) = 0;
	return true;
}

/* ---- keys ---- */

static __always_inline const __u8 *lease_key(const struct sipward_lease *live)
{
	return live->key[live->current % SIPWARD_LEASE_KEYS];
}

/* Our To tag for whoever sends from there: an ACK that carries it answers to us. Another width than
 * a nonce's tag, so that neither tells of the other. */
__noinline __u64 to_tag(const struct scratch *s, const struct sipward_lease *live)
{
	const __be32 *src_be;
	struct siphash h;

	if (!s || !live)
		return 0;
	src_be = s->ends.src_be;
	siphash_init(&h, lease_key(live), SIPHASH_64);
	siphash_word(&h, (__u64)src_be[0] << 32 | src_be[1]);
	siphash_word(&h, (__u64)src_be[2] << 32 | src_be[3]);
	return siphash_final_64(&h, 16ULL << 56);
}

static __always_inline bool is_our_ack(const struct scratch *s, const struct sipward_lease *live)
{
	__u64 tag;

	if (s->to_tag.n != 16)
		return false;
	tag = to_tag(s, live);
	return word_at(s, s->to_tag.at) == hex(tag) &&
	       word_at(s, s->to_tag.at + 8) == hex(tag >> 32);
}

static __always_inline void nonce_write(struct scratch *s, __u32 at)
{
	const __u32 *words = (const __u32 *)&s->nonce;

	for (__u32 i = 0; i < sizeof(s->nonce) / 4; i++)
		answer_store(s, at + 8 * i, hex(words[i]));
}

/* Into the hole of that number. False: there is none. */
__noinline __u32 nonce_issue(struct scratch *s, const struct sipward_challenge *c,
			     const struct sipward_lease *live, __u32 number)
{
	if (!s || !c || !live || number >= SIPWARD_CHALLENGE_HOLES)
		return false;
	s->binding.realm_hash = c->holes[number].realm_hash;
	s->binding.algorithm = c->holes[number].algorithm;
	sipward_nonce_tag(lease_key(live), &s->nonce, &s->binding, s->nonce.tag);
	nonce_write(s, s->prepared_at + c->holes[number].at - c->start_n);
	return true;
}

static __always_inline void nonce_bind(struct scratch *s)
{
	s->binding.family = s->ends.family;
	s->binding.transport = SIPWARD_NONCE_UDP;
	__builtin_memcpy(s->binding.addr, s->ends.src_be, sizeof(s->binding.addr));
}

/* A nonce for each field of the challenge. */
static __always_inline void nonces_issue(struct scratch *s, const struct sipward_challenge *c,
					 const struct sipward_lease *live, __u64 now_ns)
{
	__u32 *random = (__u32 *)s->nonce.random;

	s->nonce.version = SIPWARD_NONCE_VERSION;
	s->nonce.key = live->current;
	s->nonce.node_be = live->node_be;
	s->nonce.issued_be = bpf_htonl((now_ns + live->epoch_ns) / NS_PER_S);
	random[0] = bpf_get_prandom_u32();
	random[1] = bpf_get_prandom_u32();
	nonce_bind(s);
	for (__u32 i = 0; i < SIPWARD_CHALLENGE_HOLES && i < c->hole_count; i++) {
		if (!nonce_issue(s, c, live, i))
			break;
	}
}

/* Whether it would be made by the challenge's field of that number. */
__noinline __u32 nonce_is_of(struct scratch *s, const struct sipward_challenge *c,
			     const struct sipward_lease *live, __u32 number)
{
	const __u32 *words;

	if (!s || !c || !live || number >= SIPWARD_CHALLENGE_HOLES)
		return false;
	s->binding.realm_hash = c->holes[number].realm_hash;
	s->binding.algorithm = c->holes[number].algorithm;
	sipward_nonce_tag(live->key[s->nonce.key % SIPWARD_LEASE_KEYS], &s->nonce, &s->binding,
			  s->nonce.tag);
	words = (const __u32 *)&s->nonce;
	for (__u32 i = 0; i < sizeof(s->nonce) / 4; i++) {
		if (word_at(s, s->nonce_at + 8 * i) != hex(words[i]))
			return false;
	}
	return true;
}

/* Whether the credentials answer a challenge that their source was sent: it is no forged one. */
static __always_inline bool is_our_nonce(struct scratch *s, const struct sipward_challenge *c,
					 const struct sipward_lease *live)
{
	__u32 *words = (__u32 *)&s->nonce;

	for (__u32 i = 0; i < 4; i++)
		words[i] = unhex(word_at(s, s->nonce_at + 8 * i));
	if (s->nonce.version != SIPWARD_NONCE_VERSION || s->nonce.key >= SIPWARD_LEASE_KEYS)
		return false;
	nonce_bind(s);
	for (__u32 i = 0; i < SIPWARD_CHALLENGE_HOLES && i < c->hole_count; i++) {
		if (nonce_is_of(s, c, live, i))
			return true;
	}
	return false;
}

/* ---- the answer ---- */

static __always_inline const struct sipward_challenge *challenge_find(struct scratch *s)
{
	const struct sipward_challenge *found;

	s->key.registers = method_is(s, TEXT8('R', 'E', 'G', 'I', 'S', 'T', 'E', 'R'), 8);
	found = bpf_map_lookup_elem(&challenges, &s->key);
	if (found)
		return found;
	__builtin_memset(s->key.domain, 0, sizeof(s->key.domain));
	s->key.domain[0] = '*';
	return bpf_map_lookup_elem(&challenges, &s->key);
}

static __always_inline bool is_for(const struct sipward_challenge *c, __u32 own, __u32 trust)
{
	return c->flags & SIPWARD_CHALLENGE_READY &&
	       (own & SIPWARD_OWN_NATIVE || c->flags & SIPWARD_CHALLENGE_ANY_MODE) &&
	       (trust & TRUST_LISTED || !(c->flags & SIPWARD_CHALLENGE_LISTED));
}

static __always_inline void answer_write(struct scratch *s, const struct sipward_challenge *c,
					 __u64 tag)
{
	s->answer_n = 0;
	put_prepared(s, c, 0, c->start_n);
	put_vias(s);
	put_rest(s, tag);
	s->prepared_at = put_prepared(s, c, c->start_n, c->text_n - c->start_n);
}

/* What may go to whom without making a reflector of the gate, or needing fragments. */
static __always_inline bool is_small_enough(const struct scratch *s, __u32 trust)
{
	if (s->answer_n <= s->total_n)
		return s->answer_n <= ANSWER_MAX;
	return trust & TRUST_VOUCHED && s->answer_n <= MTU_EVERYWHERE - 40 - UDP_BYTES;
}

static __always_inline __be16 answer_port(const struct scratch *s)
{
	if (s->via_rport.n)
		return s->ends.src_port_be;
	return bpf_htons(s->via_port ? s->via_port : SIPWARD_PORT_SIP);
}

/* What could not be read to its end: SIPWARD_UNLISTED_PASS, if it came in a flood but shows where
 * it came from. */
static __always_inline __u32 judge_credentials(struct scratch *s, const struct sipward_lease *live,
					       __u32 own, __u32 trust)
{
	const struct sipward_challenge *c;

	if (!(trust & TRUST_FLOODED) || !s->nonce_at)
		return SIPWARD_OTHER;
	c = challenge_find(s);
	return c && is_for(c, own, trust) && is_our_nonce(s, c, live) ? SIPWARD_UNLISTED_PASS
								      : SIPWARD_OTHER;
}

/* Answers the packet, a UDP datagram that is about to pass or has come in a flood, if it is a
 * request that can only be challenged. SIPWARD_CHALLENGED: the packet is the answer now (or would
 * be, in mode monitor); SIPWARD_CHALLENGE_ACK: it acknowledges one; SIPWARD_UNLISTED_PASS: it came
 * in a flood, from where it says; SIPWARD_OTHER: nothing of that. Those two leave it untouched. */
__noinline __u32 challenge(struct xdp_md *ctx, __u32 trust, __u64 now_ns)
{
	__u32 only = 0, own;
	const struct sipward_lease *live = bpf_map_lookup_elem(&lease, &only);
	struct scratch *s = bpf_map_lookup_elem(&scratch, &only);
	const struct sipward_challenge *c;

	if (!s || !live || !ends_read(ctx, s) || is_daemons_at_once(ctx, s))
		return SIPWARD_OTHER;
	own = own_flags(s, ctx->ingress_ifindex, false);
	if (!(own & SIPWARD_OWN_ANSWERS) || own_flags(s, 0, true) || !text_load(ctx, s))
		return SIPWARD_OTHER;
	if (!request_read(s))
		return judge_credentials(s, live, own, trust);
	if (method_is(s, TEXT4('A', 'C', 'K', 0), 3))
		return is_our_ack(s, live) ? SIPWARD_CHALLENGE_ACK : SIPWARD_OTHER;
	c = s->to_tag.n ? NULL : challenge_find(s);
	if (!c || !is_for(c, own, trust))
		return SIPWARD_OTHER;
	show_source(s);
	if (!is_source_certain(s))
		return SIPWARD_OTHER;
	answer_write(s, c, to_tag(s, live));
	if (!is_small_enough(s, trust))
		return SIPWARD_OTHER;
	if (trust & TRUST_ONLY_COUNT)
		return SIPWARD_CHALLENGED;
	nonces_issue(s, c, live, now_ns);
	return packet_turn(ctx, s, answer_port(s)) ? SIPWARD_CHALLENGED : SIPWARD_OTHER;
}

#endif
