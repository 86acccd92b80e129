/* SPDX-License-Identifier: BSD-2-Clause */
/* A token bucket that counts in thousandths, so that a rate of one a second fills it smoothly. */
#ifndef SIPWARD_PROXY_BUCKET_H
#define SIPWARD_PROXY_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint64_t milli_tokens, at_ns; /* zeroed: never used, which is full */
};

/* Takes so many tokens, all or none. rate: tokens a second, 0 = no limit; burst: the most that
 * there can be. */
bool bucket_take(struct bucket *bucket, unsigned rate, unsigned burst, unsigned count,
		 uint64_t now_ns);

#endif
