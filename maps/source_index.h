/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The index in front of lockouts and proven: a Bloom filter of 128 KiB that tells most sources from
 * those that have an entry in one of the two, in a tenth of the time of two lookups that miss. Bits
 * are set before an entry is written; a bit too many costs two lookups, a bit too few hides an
 * entry.
 *
 * Like types.h this is for both sides and includes nothing; types.h stands before it.
 */
#ifndef SIPWARD_MAPS_SOURCE_INDEX_H
#define SIPWARD_MAPS_SOURCE_INDEX_H

#define SOURCE_INDEX_BITS 14
#define SOURCE_INDEX_WORDS (1U << SOURCE_INDEX_BITS)

struct source_index_spot {
	__u32 word;
	__u64 mask; /* two bits, rarely the same one */
};

static inline struct source_index_spot source_index_spot(const struct sipward_source *source)
{
	__u64 h;

	__builtin_memcpy(&h, source->addr, sizeof(h));
	h = (h + source->family) * 0x9e3779b97f4a7c15ULL;
	h = (h ^ h >> 32) * 0xd6e8feb86659fd93ULL;
	return (struct source_index_spot){(__u32)(h >> (64 - SOURCE_INDEX_BITS)),
					  1ULL << (h >> 39 & 63) | 1ULL << (h >> 33 & 63)};
}

#endif
