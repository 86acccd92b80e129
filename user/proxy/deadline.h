/* SPDX-License-Identifier: BSD-2-Clause */
/* Deadlines in order: a heap of nodes that live inside what they belong to. */
#ifndef SIPWARD_PROXY_DEADLINE_H
#define SIPWARD_PROXY_DEADLINE_H

#include <stddef.h>
#include <stdint.h>

struct deadline {
	uint64_t at_ns;
	size_t place; /* in the heap, counted from 1; 0 = not in it */
};

struct deadlines {
	struct deadline **heap;
	size_t count, capacity;
};

void deadlines_free(struct deadlines *deadlines);
/* Sets or moves. 0 or -ENOMEM (only for one that was not in the heap). */
int deadline_set(struct deadlines *deadlines, struct deadline *deadline, uint64_t at_ns);
/* Takes it out, if it is in. */
void deadline_clear(struct deadlines *deadlines, struct deadline *deadline);
/* The earliest, or NULL. */
struct deadline *deadline_first(const struct deadlines *deadlines);

#endif
