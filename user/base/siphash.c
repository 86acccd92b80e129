/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/siphash.h"

#include <linux/types.h>

#include "../../maps/siphash.h"

uint64_t siphash_64(const uint8_t key[16], const void *bytes, size_t n)
{
	struct siphash h;
	__u64 tail;

	siphash_init(&h, key, SIPHASH_64);
	tail = siphash_bytes(&h, bytes, n);
	return siphash_final_64(&h, tail);
}
