/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The index in front of the ACL tries: bits that tell in a few nanoseconds, however many prefixes
 * there are, that no prefix can match an address. The tries alone hold the truth: a bit too many
 * costs a lookup in the trie, a bit too few would hide a prefix. So bits are set before a prefix
 * goes into its trie, and only cleared when no prefix in the tries needs them.
 *
 * It is one array of 64-bit words, in four parts:
 *
 *	IPv4 /24s	two bits for each: a host (/32) is in it; a shorter prefix covers it or is in
 *it IPv6 /16s	a bit for each: a prefix shorter than /24 covers it or is in it classes
 *one word: which of the classes below have prefixes at all
 *	Bloom filter	three bits of one word for each prefix, cut to the length of its class
 *
 * Like types.h this is for both sides and includes nothing; types.h stands before it.
 */
#ifndef SIPWARD_MAPS_ACL_INDEX_H
#define SIPWARD_MAPS_ACL_INDEX_H

#define ACL_INDEX_V4_WORDS (1U << 19)
#define ACL_INDEX_V6_SHORT (ACL_INDEX_V4_WORDS)
#define ACL_INDEX_V6_SHORT_WORDS (1U << 10)
#define ACL_INDEX_CLASSES (ACL_INDEX_V6_SHORT + ACL_INDEX_V6_SHORT_WORDS)
#define ACL_INDEX_BLOOM (ACL_INDEX_V6_SHORT + 4096)
#define ACL_INDEX_BLOOM_BITS 19
#define ACL_INDEX_WORDS (ACL_INDEX_BLOOM + (1U << ACL_INDEX_BLOOM_BITS))

#define ACL_INDEX_V4_HOST 1U
#define ACL_INDEX_V4_NET 2U

/* A prefix belongs to the last class that is not longer than itself. */
enum acl_index_class {
	ACL_CLASS_V4_HOST = 0,
	ACL_CLASS_V6_24,
	ACL_CLASS_V6_32,
	ACL_CLASS_V6_48,
	ACL_CLASS_V6_64,
	ACL_CLASS_V6_HOST,
	ACL_CLASS_COUNT
};

/* Where a bit or several of one word stand. */
struct acl_index_spot {
	__u32 word;
	__u64 mask;
};

/* addr: host order. bits: ACL_INDEX_V4_*. */
static inline struct acl_index_spot acl_index_v4(__u32 addr, __u32 bits)
{
	return (struct acl_index_spot){addr >> 13, (__u64)bits << (addr >> 8 & 31) * 2};
}

/* high: the upper 64 bits of the address, host order. */
static inline struct acl_index_spot acl_index_v6_short(__u64 high)
{
	return (struct acl_index_spot){ACL_INDEX_V6_SHORT + (__u32)(high >> 54),
				       1ULL << (high >> 48 & 63)};
}

/* high and low: the address in host order, cut to the class's length; IPv4 is in high. */
static inline struct acl_index_spot acl_index_bloom(enum acl_index_class class, __u64 high,
						    __u64 low)
{
	__u64 h = (high + (__u64) class) * 0x9e3779b97f4a7c15ULL;

	h = ((h ^ h >> 32) + low) * 0xd6e8feb86659fd93ULL;
	h ^= h >> 32;
	h *= 0xd6e8feb86659fd93ULL;
	return (struct acl_index_spot){ACL_INDEX_BLOOM + (__u32)(h >> (64 - ACL_INDEX_BLOOM_BITS)),
				       1ULL << (h >> 39 & 63) | 1ULL << (h >> 33 & 63) |
					   1ULL << (h >> 27 & 63)};
}

/* The upper 64 bits of an IPv6 address cut to the class's length. */
static inline __u64 acl_index_v6_cut(enum acl_index_class class, __u64 high)
{
	switch (class) {
	case ACL_CLASS_V6_24:
		return high >> 40 << 40;
	case ACL_CLASS_V6_32:
		return high >> 32 << 32;
	case ACL_CLASS_V6_48:
		return high >> 16 << 16;
	default:
		return high;
	}
}

#endif
