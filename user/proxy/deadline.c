/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/deadline.h"

#include <errno.h>
#include <stdlib.h>

void deadlines_free(struct deadlines *deadlines)
{
	free(deadlines->heap);
	*deadlines = (struct deadlines){0};
}

static void put(struct deadlines *d, size_t place, struct deadline *deadline)
{
	d->heap[place - 1] = deadline;
	deadline->place = place;
}

/* Moves the deadline from a hole at place to where it belongs: up, or else down. */
static void settle(struct deadlines *d, size_t place, struct deadline *deadline)
{
	while (place > 1 && d->heap[place / 2 - 1]->at_ns > deadline->at_ns) {
		put(d, place, d->heap[place / 2 - 1]);
		place /= 2;
	}
	while (2 * place <= d->count) {
		size_t child = 2 * place;

		if (child < d->count && d->heap[child]->at_ns < d->heap[child - 1]->at_ns)
			child++;
		if (d->heap[child - 1]->at_ns >= deadline->at_ns)
			break;
		put(d, place, d->heap[child - 1]);
		place = child;
	}
	put(d, place, deadline);
}

static int grow(struct deadlines *d)
{
	size_t capacity = d->capacity ? 2 * d->capacity : 64;
	struct deadline **heap = realloc(d->heap, capacity * sizeof(*heap));

	if (!heap)
		return -ENOMEM;
	d->heap = heap;
	d->capacity = capacity;
	return 0;
}

int deadline_set(struct deadlines *deadlines, struct deadline *deadline, uint64_t at_ns)
{
	if (!deadline->place) {
		if (deadlines->count == deadlines->capacity && grow(deadlines))
			return -ENOMEM;
		deadline->place = ++deadlines->count;
	}
	deadline->at_ns = at_ns;
	settle(deadlines, deadline->place, deadline);
	return 0;
}

void deadline_clear(struct deadlines *deadlines, struct deadline *deadline)
{
	size_t place = deadline->place;
	struct deadline *last;

	if (!place)
		return;
	last = deadlines->heap[--deadlines->count];
	deadline->place = 0;
	if (last != deadline)
		settle(deadlines, place, last);
}

struct deadline *deadline_first(const struct deadlines *deadlines)
{
	return deadlines->count ? deadlines->heap[0] : NULL;
}
