/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIPWARD_BASE_CLOCK_H
#define SIPWARD_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_S 1000000000ULL
#define NS_PER_MS 1000000ULL

/* The coarse monotonic clock, the one the filter compares deadlines with. */
uint64_t clock_coarse_ns(void);

/* Seconds since 1970, for people. */
uint64_t clock_wall_s(void);
/* The same in milliseconds. */
int64_t clock_wall_ms(void);

/* Seconds since 1970 when the process first asked, and counted on from there: never goes back, so
 * that a clock set back makes no nonce look as if it came from the future. */
uint64_t clock_steady_s(void);

#endif
