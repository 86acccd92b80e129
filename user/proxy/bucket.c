/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/bucket.h"

#include "base/clock.h"

bool bucket_take(struct bucket *bucket, unsigned rate, unsigned burst, unsigned count,
		 uint64_t now_ns)
{
	uint64_t elapsed_ms = (now_ns - bucket->at_ns) / NS_PER_MS;
	uint64_t most = (burst ? burst : 1) * 1000ULL;
	uint64_t tokens = bucket->milli_tokens, cost = count * 1000ULL;

	if (!rate)
		return true;
	/* A bucket that was never used is full. */
	if (!bucket->at_ns || elapsed_ms >= most / rate + 1)
		tokens = most;
	else
		tokens += elapsed_ms * rate;
	/* Time below a millisecond stays to be counted next time. */
	bucket->at_ns = bucket->at_ns ? bucket->at_ns + elapsed_ms * NS_PER_MS : now_ns;
	if (tokens > most)
		tokens = most;
	bucket->milli_tokens = tokens >= cost ? tokens - cost : tokens;
	return tokens >= cost;
}
