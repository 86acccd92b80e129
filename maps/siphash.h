/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * SipHash-2-4 (Aumasson, Bernstein 2012) with 64 or 128 bits of output, for both sides: no libc, no
 * unbounded loop.
 *
 * Both sides include this file and it includes nothing: the BPF side gets __u8 and __always_inline
 * from vmlinux.h and bpf_helpers.h, user space from <linux/types.h>, each before this file.
 *
 *	siphash_init(&h, key, SIPHASH_128);
 *	siphash_word(&h, …) for each full 8 bytes, as a little-endian number
 *	siphash_final_128(&h, siphash_tail(rest, length), tag);
 */
#ifndef SIPWARD_MAPS_SIPHASH_H
#define SIPWARD_MAPS_SIPHASH_H

#define SIPHASH_KEY_SIZE 16
#define SIPHASH_TAG_SIZE 16

enum siphash_width { SIPHASH_64, SIPHASH_128 };

struct siphash {
	__u64 v0, v1, v2, v3;
};

static __always_inline __u64 siphash_load(const __u8 *p)
{
	return (__u64)p[0] | (__u64)p[1] << 8 | (__u64)p[2] << 16 | (__u64)p[3] << 24 |
	       (__u64)p[4] << 32 | (__u64)p[5] << 40 | (__u64)p[6] << 48 | (__u64)p[7] << 56;
}

static __always_inline void siphash_store(__u8 *p, __u64 value)
{
	p[0] = (__u8)value;
	p[1] = (__u8)(value >> 8);
	p[2] = (__u8)(value >> 16);
	p[3] = (__u8)(value >> 24);
	p[4] = (__u8)(value >> 32);
	p[5] = (__u8)(value >> 40);
	p[6] = (__u8)(value >> 48);
	p[7] = (__u8)(value >> 56);
}

static __always_inline __u64 siphash_rotl(__u64 value, int bits)
{
	return value << bits | value >> (64 - bits);
}

static __always_inline void siphash_round(struct siphash *h)
{
	h->v0 += h->v1;
	h->v2 += h->v3;
	h->v1 = siphash_rotl(h->v1, 13) ^ h->v0;
	h->v3 = siphash_rotl(h->v3, 16) ^ h->v2;
	h->v0 = siphash_rotl(h->v0, 32) + h->v3;
	h->v2 += h->v1;
	h->v1 = siphash_rotl(h->v1, 17) ^ h->v2;
	h->v3 = siphash_rotl(h->v3, 21) ^ h->v0;
	h->v2 = siphash_rotl(h->v2, 32);
}

static __always_inline void siphash_rounds(struct siphash *h)
{
	siphash_round(h);
	siphash_round(h);
	siphash_round(h);
	siphash_round(h);
}

static __always_inline void siphash_init(struct siphash *h, const __u8 key[SIPHASH_KEY_SIZE],
					 enum siphash_width width)
{
	__u64 k0 = siphash_load(key);
	__u64 k1 = siphash_load(key + 8);

	h->v0 = 0x736f6d6570736575ULL ^ k0;
	h->v1 = 0x646f72616e646f6dULL ^ k1 ^ (width == SIPHASH_128 ? 0xee : 0);
	h->v2 = 0x6c7967656e657261ULL ^ k0;
	h->v3 = 0x7465646279746573ULL ^ k1;
}

static __always_inline void siphash_word(struct siphash *h, __u64 word)
{
	h->v3 ^= word;
	siphash_round(h);
	siphash_round(h);
	h->v0 ^= word;
}

/* The last word: the length modulo 256 above the length % 8 bytes that are left over. */
static __always_inline __u64 siphash_tail(const __u8 *rest, __u64 length)
{
	__u64 word = length << 56;

	for (unsigned int i = 0; i < 7; i++) {
		if (i < (length & 7))
			word |= (__u64)rest[i] << (8 * i);
	}
	return word;
}

static __always_inline __u64 siphash_final_64(struct siphash *h, __u64 tail)
{
	siphash_word(h, tail);
	h->v2 ^= 0xff;
	siphash_rounds(h);
	return h->v0 ^ h->v1 ^ h->v2 ^ h->v3;
}

static __always_inline void siphash_final_128(struct siphash *h, __u64 tail,
					      __u8 ret_tag[SIPHASH_TAG_SIZE])
{
	siphash_word(h, tail);
	h->v2 ^= 0xee;
	siphash_rounds(h);
	siphash_store(ret_tag, h->v0 ^ h->v1 ^ h->v2 ^ h->v3);
	h->v1 ^= 0xdd;
	siphash_rounds(h);
	siphash_store(ret_tag + 8, h->v0 ^ h->v1 ^ h->v2 ^ h->v3);
}

/* The words of n bytes; returns the tail for a final function. In BPF n must have a known bound. */
static __always_inline __u64 siphash_bytes(struct siphash *h, const __u8 *bytes, __u64 n)
{
	for (__u64 left = n;; left -= 8) {
		/* The verifier of 6.1 bounds the loop by what is compared with a constant, where
		 * clang compares just that. */
		__asm__ volatile("" : "+r"(left));
		if (left < 8)
			break;
		siphash_word(h, siphash_load(bytes));
		bytes += 8;
	}
	return siphash_tail(bytes, n);
}

#endif
