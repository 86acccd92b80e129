/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/source_index.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../../maps/source_index.h"
#include "filter/walk.h"

#define INDEX_BYTES (SOURCE_INDEX_WORDS * sizeof(uint64_t))

int source_index_map(struct filter *filter)
{
	void *words = mmap(NULL, INDEX_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			   filter->source_index, 0);

	if (words == MAP_FAILED)
		return -errno;
	filter->source_words = words;
	return 0;
}

void source_index_unmap(struct filter *filter)
{
	if (filter->source_words)
		munmap(filter->source_words, INDEX_BYTES);
	filter->source_words = NULL;
}

static void add(uint64_t *words, const struct sipward_source *source)
{
	struct source_index_spot spot = source_index_spot(source);

	__atomic_fetch_or(&words[spot.word], spot.mask, __ATOMIC_SEQ_CST);
}

int source_index_write(struct filter *filter, int map, const struct sipward_source *source,
		       const void *value)
{
	int rc;

	/* Before, because the filter reads along; after, because a refresh may have read the map
	 * before and cleared the bits since. */
	add(filter->source_words, source);
	rc = bpf_map_update_elem(map, source, value, BPF_ANY);
	add(filter->source_words, source);
	return rc;
}

static int add_all(const struct filter *filter, uint64_t *words)
{
	const int maps[] = {filter->lockouts, filter->proven};
	int rc = 0;

	for (int i = 0; !rc && i < 2; i++) {
		void *keys = NULL, *values = NULL;
		size_t n = 0;

		rc = walk_hash(maps[i], &keys, &values, &n);
		for (size_t k = 0; !rc && k < n; k++)
			add(words, (const struct sipward_source *)keys + k);
		free(keys);
		free(values);
	}
	return rc;
}

int source_index_refresh(const struct filter *filter)
{
	uint64_t *fresh = calloc(SOURCE_INDEX_WORDS, sizeof(*fresh));
	int rc = fresh ? add_all(filter, fresh) : -ENOMEM;

	for (uint32_t i = 0; !rc && i < SOURCE_INDEX_WORDS; i++)
		__atomic_store_n(&filter->source_words[i], fresh[i], __ATOMIC_SEQ_CST);
	free(fresh);
	/* Once more, for what was written between reading and storing. */
	return rc ? rc : add_all(filter, filter->source_words);
}
