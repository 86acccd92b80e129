/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing lockouts and proven so that the index in front of them (maps/source_index.h) keeps up. */
#ifndef SIPWARD_FILTER_SOURCE_INDEX_H
#define SIPWARD_FILTER_SOURCE_INDEX_H

#include "filter/internal.h"

/* Maps the words of the map source_index into memory, and away. 0 or a negative errno. */
int source_index_map(struct filter *filter);
void source_index_unmap(struct filter *filter);

/* Writes an entry of the map (filter->lockouts or filter->proven) with its bits. 0 or a negative
 * errno. */
int source_index_write(struct filter *filter, int map, const struct sipward_source *source,
		       const void *value);

/* Rids the index of the bits of entries that are gone, and makes it whole where it was not. Others
 * may write entries meanwhile. 0 or a negative errno. */
int source_index_refresh(const struct filter *filter);

#endif
