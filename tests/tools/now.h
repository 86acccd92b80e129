/* SPDX-License-Identifier: BSD-2-Clause */
/* The time, in nanoseconds of the monotonic clock. */
#ifndef SIPWARD_TOOLS_NOW_H
#define SIPWARD_TOOLS_NOW_H

#include <time.h>

#include "base/clock.h"

static inline uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

#endif
