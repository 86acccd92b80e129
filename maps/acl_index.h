/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The index in front of the ACL tries: bits that tell in a few nanoseconds, however many prefixes
 * there are, that no prefix can match an address. The tries alone hold the truth: a bit too many
 * costs a lookup in the trie, a bit too few would hide a prefix. So bits are set before a prefix
 * goes into its trie, and only cleared when no prefix in the tries needs them.
 *
 * It is one array of 64-bit words, in seven parts:
 *
 *	IPv4 /16s	a bit for each: some prefix covers it or is in it
 *	IPv4 /24s	a bit for each: some prefix covers it or is in it
 *	IPv4 networks	a bit for each /24: a prefix of at most /24 covers it
 *	IPv6 heads	two bits, hashed, for the first 20, 24, 29 or 32 bits of each longer prefix
 *	IPv6 /16s	a bit for each: a prefix shorter than /20 covers it or is in it
 *	classes		one word: which of the classes below have prefixes at all
 *	Bloom filter	three bits of one word for each longer prefix, as its class cuts it
 *
 * The IPv4 parts and the IPv6 heads answer for most addresses. They are kept apart and small: what
 * they cost is cache misses.
 *
 * Like types.h this is for both sides and includes nothing; types.h stands before it.
 */
#ifndef SIPWARD_MAPS_ACL_INDEX_H
#define SIPWARD_MAPS_ACL_INDEX_H

#define ACL_INDEX_V4_WORDS (1U << 18)
#define ACL_INDEX_V4_ANY 0U
#define ACL_INDEX_V4_NET ACL_INDEX_V4_WORDS
#define ACL_INDEX_V6_HEADS (2 * ACL_INDEX_V4_WORDS)
#define ACL_INDEX_V6_HEADS_BITS 18
#define ACL_INDEX_V6_SHORT (ACL_INDEX_V6_HEADS + (1U << ACL_INDEX_V6_HEADS_BITS))
#define ACL_INDEX_V6_SHORT_WORDS (1U << 10)
#define ACL_INDEX_V4_WIDE (ACL_INDEX_V6_SHORT + ACL_INDEX_V6_SHORT_WORDS)
#define ACL_INDEX_V4_WIDE_WORDS (1U << 10)
#define ACL_INDEX_CLASSES (ACL_INDEX_V4_WIDE + ACL_INDEX_V4_WIDE_WORDS)
#define ACL_INDEX_BLOOM (ACL_INDEX_V6_SHORT + 4096)
#define ACL_INDEX_BLOOM_BITS 19
#define ACL_INDEX_WORDS (ACL_INDEX_BLOOM + (1U << ACL_INDEX_BLOOM_BITS))

/* A prefix belongs to the last class of its family that is not longer than itself; an IPv4 prefix
 * from /25 to /27 to that of /28 with each /28 in it. */
enum acl_index_class {
	ACL_CLASS_V4_28 = 0,
	ACL_CLASS_V4_32,
	ACL_CLASS_V6_20,
	ACL_CLASS_V6_24,
	ACL_CLASS_V6_29,
	ACL_CLASS_V6_32,
	ACL_CLASS_V6_48,
	ACL_CLASS_V6_64,
	ACL_CLASS_V6_128,
	ACL_CLASS_COUNT
};

/* Where a bit or several of one word stand. */
struct acl_index_spot {
	__u32 word;
	__u64 mask;
};

static inline struct acl_index_spot acl_index_v4_wide(__u32 addr)
{
	return (struct acl_index_spot){ACL_INDEX_V4_WIDE + (addr >> 22), 1ULL << (addr >> 16 & 63)};
}

/* part: ACL_INDEX_V4_ANY or ACL_INDEX_V4_NET; addr: host order. */
static inline struct acl_index_spot acl_index_v4(__u32 part, __u32 addr)
{
	return (struct acl_index_spot){part + (addr >> 14), 1ULL << (addr >> 8 & 63)};
}

/* high: the upper 64 bits of the address, host order. */
static inline struct acl_index_spot acl_index_v6_short(__u64 high)
{
	return (struct acl_index_spot){ACL_INDEX_V6_SHORT + (__u32)(high >> 54),
				       1ULL << (high >> 48 & 63)};
}

static inline __u64 acl_index_hash(enum acl_index_class class, __u64 high, __u64 low)
{
	__u64 h = (high + (__u64) class) * 0x9e3779b97f4a7c15ULL;

	h = ((h ^ h >> 32) + low) * 0xd6e8feb86659fd93ULL;
	h ^= h >> 32;
	return h * 0xd6e8feb86659fd93ULL;
}

/* high and low: the address in host order, cut to the class's length; IPv4 is in high. */
static inline struct acl_index_spot acl_index_bloom(enum acl_index_class class, __u64 high,
						    __u64 low)
{
	__u64 h = acl_index_hash(class, high, low);

	return (struct acl_index_spot){ACL_INDEX_BLOOM + (__u32)(h >> (64 - ACL_INDEX_BLOOM_BITS)),
				       1ULL << (h >> 39 & 63) | 1ULL << (h >> 33 & 63) |
					   1ULL << (h >> 27 & 63)};
}

/* How many of the upper 64 bits of an IPv6 address the class looks at. */
static inline __u32 acl_index_v6_bits(enum acl_index_class class)
{
	switch (class) {
	case ACL_CLASS_V6_20:
		return 20;
	case ACL_CLASS_V6_24:
		return 24;
	case ACL_CLASS_V6_29:
		return 29;
	case ACL_CLASS_V6_32:
		return 32;
	case ACL_CLASS_V6_48:
		return 48;
	default:
		return 64;
	}
}

/* The bits of an IPv6 prefix or address, given as its halves, in the class. */
static inline struct acl_index_spot acl_index_v6(enum acl_index_class class, __u64 high, __u64 low)
{
	__u32 rest = 64 - acl_index_v6_bits(class);

	return acl_index_bloom(class, high >> rest << rest, class == ACL_CLASS_V6_128 ? low : 0);
}

/* The bits of an IPv6 prefix's or address's head, the class being one of those up to
 * ACL_CLASS_V6_32. */
static inline struct acl_index_spot acl_index_v6_head(enum acl_index_class class, __u64 high)
{
	__u32 rest = 64 - acl_index_v6_bits(class);
	__u64 h = acl_index_hash(class, high >> rest << rest, 0);

	return (struct acl_index_spot){ACL_INDEX_V6_HEADS +
					   (__u32)(h >> (64 - ACL_INDEX_V6_HEADS_BITS)),
				       1ULL << (h >> 39 & 63)};
}

#endif
