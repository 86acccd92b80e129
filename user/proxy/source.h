/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many answers an unlisted source may still have. In a table of fixed size where sources may
 * share a place, so that a flood of forged ones takes no memory. May be shared by threads.
 */
#ifndef SIPWARD_PROXY_SOURCE_H
#define SIPWARD_PROXY_SOURCE_H

#include <pthread.h>

#include "filter/filter.h"
#include "proxy/bucket.h"
#include "store/store.h"

#define SOURCE_PLACES 8192

struct sources {
	pthread_mutex_t lock; /* over the buckets */
	uint8_t key[16];
	struct bucket all;
	struct bucket buckets[SOURCE_PLACES];
};

void sources_init(struct sources *sources);
/* Takes an answer from the budget of the source and from that of all (the filter's rates, so that a
 * gate without the filter is no better reflector than one with it). times: how often the request's
 * size goes into the answer's, at least 1; that much it costs. */
bool source_take_answer(struct sources *sources, const struct store_settings *settings,
			const struct ip *ip, unsigned times, uint64_t now_ns);

#endif
