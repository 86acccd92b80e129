/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIPWARD_BASE_SIPHASH_H
#define SIPWARD_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* SipHash-2-4 with 64 bits of output: a keyed hash for tables and tags. */
uint64_t siphash_64(const uint8_t key[16], const void *bytes, size_t n);

#endif
