/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIPWARD_BASE_RANDOM_H
#define SIPWARD_BASE_RANDOM_H

#include <stddef.h>

/* Fills buf with n bytes from the kernel's generator. Ends the process if there are none: nothing
 * that follows would be safe. */
void random_bytes(void *buf, size_t n);

#endif
