/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/clock.h"

#include <stdbool.h>
#include <time.h>

uint64_t clock_coarse_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_steady_s(void)
{
	static uint64_t offset_s; /* from the time since boot to the time since 1970 */
	uint64_t offset = __atomic_load_n(&offset_s, __ATOMIC_RELAXED), none = 0;
	struct timespec boot;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	if (offset == 0) {
		offset = clock_wall_s() - (uint64_t)boot.tv_sec;
		/* Of two threads that ask first at the same time, one is taken at its word. */
		if (!__atomic_compare_exchange_n(&offset_s, &none, offset, false, __ATOMIC_RELAXED,
						 __ATOMIC_RELAXED))
			offset = none;
	}
	return offset + (uint64_t)boot.tv_sec;
}

uint64_t clock_wall_s(void)
{
	return (uint64_t)time(NULL);
}

int64_t clock_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
