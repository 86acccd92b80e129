/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What is known about a source, and what follows from it. */
#ifndef SIPWARD_BPF_POLICY_H
#define SIPWARD_BPF_POLICY_H

/* The longest known method name is SUBSCRIBE; others may come. */
#define METHOD_BYTES_MAX 24
#define LOOK_BURSTS_PER_S 64

static __always_inline bool is_sip_port(const struct packet *p, const struct env *env)
{
	const struct sipward_settings *set = env->settings;
	__u32 count = set->port_count;

	if (!count)
		return p->port_be == bpf_htons(SIPWARD_PORT_SIP) ||
		       (p->protocol == IPPROTO_TCP && p->port_be == bpf_htons(SIPWARD_PORT_SIPS));
	for (__u32 i = 0; i < SIPWARD_PORTS_MAX; i++) {
		if (i >= count)
			break;
		if (set->ports[i].port_be == p->port_be && set->ports[i].protocol == p->protocol)
			return true;
	}
	return false;
}

/* Whether the source may have an entry in lockouts or proven. The index only counts where user
 * space vouches for it. */
static __always_inline bool may_be_known(const struct packet *p, const struct env *env)
{
	struct source_index_spot spot = source_index_spot(&p->source);
	const __u64 *word = bpf_map_lookup_elem(&source_index, &spot.word);

	if (!word || !(env->settings->flags & SIPWARD_SOURCES_INDEXED))
		return true;
	return (*word & spot.mask) == spot.mask;
}

static __always_inline bool is_locked_out(const struct packet *p, struct env *env)
{
	const struct sipward_lockout *lockout = bpf_map_lookup_elem(&lockouts, &p->source);

	return lockout && lockout->until_ns > env_now(env);
}

static __always_inline bool is_proven(const struct packet *p, struct env *env)
{
	const struct sipward_proof *proof = bpf_map_lookup_elem(&proven, &p->source);

	return proof && proof->until_ns > env_now(env);
}

static __always_inline bool index_has(struct acl_index_spot spot)
{
	const __u64 *word = bpf_map_lookup_elem(&acl_index, &spot.word);

	return !word || (*word & spot.mask) == spot.mask;
}

/* Whether some prefix in acl_v4 may match. Behind the first bit all others are fetched at once. */
static __always_inline bool index_may_match_v4(__u32 addr)
{
	__u32 hits;

	if (!index_has(acl_index_v4_wide(addr)) || !index_has(acl_index_v4(ACL_INDEX_V4_ANY, addr)))
		return false;
	hits = index_has(acl_index_v4(ACL_INDEX_V4_NET, addr));
	hits += index_has(acl_index_bloom(ACL_CLASS_V4_28, addr >> 4 << 4, 0));
	hits += index_has(acl_index_bloom(ACL_CLASS_V4_32, addr, 0));
	return hits;
}

static __always_inline bool index_has_head_v6(__u64 classes, __u64 high)
{
#pragma unroll
	for (int class = ACL_CLASS_V6_20; class <= ACL_CLASS_V6_32; class++) {
		if (classes & 1ULL << class && index_has(acl_index_v6_head(class, high)))
			return true;
	}
	return false;
}

/* Whether some prefix in acl_v6 may match. */
static __always_inline bool index_may_match_v6(__u64 high, __u64 low)
{
	__u32 word = ACL_INDEX_CLASSES;
	const __u64 *classes = bpf_map_lookup_elem(&acl_index, &word);

	if (!classes || index_has(acl_index_v6_short(high)))
		return true;
	if (!index_has_head_v6(*classes, high))
		return false;
#pragma unroll
	for (int class = ACL_CLASS_V6_20; class <= ACL_CLASS_V6_128; class++) {
		if (*classes & 1ULL << class && index_has(acl_index_v6(class, high, low)))
			return true;
	}
	return false;
}

static __always_inline const struct sipward_acl_value *acl_match_v4(const struct packet *p,
								    bool indexed)
{
	struct sipward_acl_v4_key key = {.prefix_len = 32};

	if (indexed && !index_may_match_v4(bpf_ntohl(p->src_be[0])))
		return NULL;
	__builtin_memcpy(key.addr, p->src_be, sizeof(key.addr));
	return bpf_map_lookup_elem(&acl_v4, &key);
}

static __always_inline const struct sipward_acl_value *acl_match_v6(const struct packet *p,
								    bool indexed)
{
	struct sipward_acl_v6_key key = {.prefix_len = 128};
	__u64 high = (__u64)bpf_ntohl(p->src_be[0]) << 32 | bpf_ntohl(p->src_be[1]);
	__u64 low = (__u64)bpf_ntohl(p->src_be[2]) << 32 | bpf_ntohl(p->src_be[3]);

	if (indexed && !index_may_match_v6(high, low))
		return NULL;
	__builtin_memcpy(key.addr, p->src_be, sizeof(key.addr));
	return bpf_map_lookup_elem(&acl_v6, &key);
}

/* The flags of the longest prefix that matches the source; 0: none does. An operator who fills the
 * tries by hand is served too: the index only counts where user space vouches for it. */
static __always_inline __u32 acl_match(const struct packet *p, const struct env *env)
{
	bool indexed = env->settings->flags & SIPWARD_ACL_INDEXED;
	const struct sipward_acl_value *value;

	value = p->source.family == 4 ? acl_match_v4(p, indexed) : acl_match_v6(p, indexed);
	return value ? value->flags : 0;
}

struct rate {
	__u64 interval_ns; /* of one token; 0 = no limit */
	__u64 capacity_ns; /* of a full bucket */
};

static __always_inline struct rate rate_of(__u32 rate_pps, __u32 burst)
{
	struct rate rate = {};

	if (rate_pps) {
		rate.interval_ns = NS_PER_S / rate_pps;
		rate.capacity_ns = rate.interval_ns * (burst ? burst : 1);
	}
	return rate;
}

/* A bucket is never emptier than empty, whatever rate it was filled at before. */
static __always_inline bool bucket_has_token(struct sipward_bucket *bucket, struct rate rate,
					     __u64 now_ns)
{
	if (bucket->full_at_ns > now_ns + rate.capacity_ns)
		bucket->full_at_ns = now_ns + rate.capacity_ns;
	return bucket->full_at_ns + rate.interval_ns <= now_ns + rate.capacity_ns;
}

static __always_inline void bucket_take(struct sipward_bucket *bucket, struct rate rate,
					__u64 now_ns)
{
	if (bucket->full_at_ns < now_ns)
		bucket->full_at_ns = now_ns;
	bucket->full_at_ns += rate.interval_ns;
}

/* Takes a token from the source's bucket. Two CPUs may take the same one: a source whose packets
 * come in on several is granted a little more. */
static __always_inline bool source_take(const struct sipward_source *source, struct rate rate,
					__u64 now_ns)
{
	struct sipward_bucket *bucket = bpf_map_lookup_elem(&limits, source);
	struct sipward_bucket fresh = {};

	if (!rate.interval_ns)
		return true;
	if (bucket) {
		if (!bucket_has_token(bucket, rate, now_ns))
			return false;
		bucket_take(bucket, rate, now_ns);
		return true;
	}
	bucket_take(&fresh, rate, now_ns);
	bpf_map_update_elem(&limits, source, &fresh, BPF_ANY);
	return true;
}

static __always_inline struct rate rate_of_source(const struct env *env)
{
	return rate_of(env->settings->source_rate_pps, env->settings->source_burst);
}

/* The CPU's budget is looked at first: once it is spent, a flood from ever new addresses no longer
 * pays for, or gets, entries in the map. */
static __always_inline bool budget_take(struct packet *p, struct env *env)
{
	const struct sipward_settings *set = env->settings;
	struct rate of_cpu = rate_of(set->cpu_rate_pps, set->cpu_burst);
	__u64 now_ns = env_now(env);

	p->flooded = !bucket_has_token(&env->cpu->budget, of_cpu, now_ns);
	if (p->flooded || !source_take(&p->source, rate_of_source(env), now_ns))
		return false;
	bucket_take(&env->cpu->budget, of_cpu, now_ns);
	return true;
}

/* Whether the packet, for which nothing is left in the CPU's budget, is looked at all the same: it
 * may get a challenge, or bring the answer to one. Its source gets no entry in the map by that. */
static __always_inline bool look_take(const struct packet *p, struct env *env)
{
	__u32 pps = env->settings->challenge_rate_pps;
	struct rate rate = rate_of(pps, pps / LOOK_BURSTS_PER_S);
	__u64 now_ns = env_now(env);
	struct sipward_bucket *of_source;

	if (!bucket_has_token(&env->cpu->looks, rate, now_ns))
		return false;
	of_source = bpf_map_lookup_elem(&limits, &p->source);
	if (of_source && !bucket_has_token(of_source, rate_of_source(env), now_ns))
		return false;
	bucket_take(&env->cpu->looks, rate, now_ns);
	return true;
}

/* Whether the text begins with a method and a space, or with "SIP/". */
static __always_inline bool is_start_line(const char *text)
{
	for (int i = 0; i < METHOD_BYTES_MAX; i++) {
		if (text[i] >= 'A' && text[i] <= 'Z')
			continue;
		if (text[i] == '/')
			return i == 3 && text[0] == 'S' && text[1] == 'I' && text[2] == 'P';
		return i > 0 && text[i] == ' ';
	}
	return false;
}

static __always_inline bool carries_sip(const struct packet *p, const struct env *env)
{
	char text[METHOD_BYTES_MAX] = {};
	__u32 bytes = p->payload_bytes;

	if (bytes > p->promised_bytes - p->payload_offset)
		bytes = p->promised_bytes - p->payload_offset; /* a first fragment */
	return packet_copy(env->ctx, p->payload_offset, bytes, text, sizeof(text)) &&
	       is_start_line(text);
}

static __always_inline enum sipward_reason decide_unlisted(struct packet *p, struct env *env)
{
	if (env->settings->unlisted == SIPWARD_UNLISTED_REJECT)
		return SIPWARD_UNLISTED_PASS;
	if (env->settings->unlisted != SIPWARD_UNLISTED_LIMIT)
		return SIPWARD_UNLISTED;
	if (p->protocol == IPPROTO_UDP && !carries_sip(p, env))
		return SIPWARD_NOT_SIP;
	if (!budget_take(p, env))
		return SIPWARD_RATE_LIMITED;
	return SIPWARD_UNLISTED_PASS;
}

#endif
