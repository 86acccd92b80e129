/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/siphash.h"

#include <string.h>

#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

/* n is a constant: inlined, the state stays in registers. */
static inline __attribute__((always_inline)) void sip_rounds(uint64_t v[4], int n)
{
	for (int i = 0; i < n; i++) {
		v[0] += v[1], v[1] = ROTL(v[1], 13) ^ v[0], v[0] = ROTL(v[0], 32);
		v[2] += v[3], v[3] = ROTL(v[3], 16) ^ v[2];
		v[0] += v[3], v[3] = ROTL(v[3], 21) ^ v[0];
		v[2] += v[1], v[1] = ROTL(v[1], 17) ^ v[2], v[2] = ROTL(v[2], 32);
	}
}

uint64_t siphash_64(const uint8_t key[16], const void *bytes, size_t n)
{
	const uint8_t *in = bytes;
	uint64_t k[2], word, last = (uint64_t)n << 56;

	memcpy(k, key, sizeof(k));
	uint64_t v[4] = {k[0] ^ 0x736f6d6570736575, k[1] ^ 0x646f72616e646f6d,
			 k[0] ^ 0x6c7967656e657261, k[1] ^ 0x7465646279746573};

	for (; n >= 8; in += 8, n -= 8) {
		memcpy(&word, in, 8);
		v[3] ^= word;
		sip_rounds(v, 2);
		v[0] ^= word;
	}
	for (size_t i = 0; i < n; i++)
		last |= (uint64_t)in[i] << (8 * i);
	v[3] ^= last;
	sip_rounds(v, 2);
	v[0] ^= last;
	v[2] ^= 0xff;
	sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
