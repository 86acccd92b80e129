/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/source.h"

#include "base/random.h"
#include "proxy/mac.h"

void sources_init(struct sources *sources)
{
	memset(sources, 0, sizeof(*sources));
	pthread_mutex_init(&sources->lock, NULL);
	random_bytes(sources->key, sizeof(sources->key));
}

static size_t place_of(const struct sources *sources, const struct sipward_source *source)
{
	struct mac mac;

	mac_begin(&mac, sources->key, MAC_SOURCE);
	mac_slice(&mac, (struct slice){(const char *)source, sizeof(*source)});
	return mac_end(&mac) % SOURCE_PLACES;
}

bool source_take_answer(struct sources *sources, const struct store_settings *settings,
			const struct ip *ip, unsigned times, uint64_t now_ns)
{
	struct sipward_source source = filter_source(ip, settings->source_v6_bits);
	struct bucket *bucket = &sources->buckets[place_of(sources, &source)];
	bool taken;

	pthread_mutex_lock(&sources->lock);
	taken = bucket_take(bucket, settings->source_rate_pps, settings->source_burst, times,
			    now_ns) &&
		bucket_take(&sources->all, settings->cpu_rate_pps, settings->cpu_burst, times,
			    now_ns);
	pthread_mutex_unlock(&sources->lock);
	return taken;
}
