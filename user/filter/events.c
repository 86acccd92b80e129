/* SPDX-License-Identifier: BSD-2-Clause */
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "filter/filter.h"
#include "filter/internal.h"

static int on_sample(void *arg, void *data, size_t size)
{
	struct filter *filter = arg;
	struct sipward_event event;

	if (size < sizeof(event))
		return 0;
	memcpy(&event, data, sizeof(event));
	filter->on_event(&event, filter->on_event_arg);
	return 0;
}

int filter_events_poll(struct filter *filter, int timeout_ms,
		       void (*on_event)(const struct sipward_event *event, void *arg), void *arg)
{
	if (!filter->ring)
		filter->ring = ring_buffer__new(filter->events, on_sample, filter, NULL);
	if (!filter->ring)
		return -errno;
	filter->on_event = on_event;
	filter->on_event_arg = arg;
	return ring_buffer__poll(filter->ring, timeout_ms);
}
