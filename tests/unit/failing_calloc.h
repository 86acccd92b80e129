/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests that include a module's source: its allocations fail when told to. Every header that
 * declares calloc stands before this; #undef calloc behind the module. */
#ifndef SIPWARD_TESTS_FAILING_CALLOC_H
#define SIPWARD_TESTS_FAILING_CALLOC_H

#include <stdlib.h>

/* -1 never, 0 the next one, 1 … */
static int allocations_left = -1;

static void *failing_calloc(size_t n, size_t size)
{
	if (allocations_left == 0)
		return NULL;
	if (allocations_left > 0)
		allocations_left--;
	return calloc(n, size);
}

#define calloc failing_calloc

#endif
