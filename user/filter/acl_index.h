/* SPDX-License-Identifier: BSD-2-Clause */
/* Writing the index in front of the ACL tries (maps/acl_index.h says what is in it). */
#ifndef SIPWARD_FILTER_ACL_INDEX_H
#define SIPWARD_FILTER_ACL_INDEX_H

#include "filter/internal.h"

/* Maps the words of the map acl_index into memory, to filter->acl_words, unless that is done; and
 * away again. 0 or a negative errno. */
int acl_index_map(struct filter *filter);
void acl_index_unmap(struct filter *filter);

/* Room for a private index, all bits clear; NULL without memory. The caller free()s it. */
uint64_t *acl_index_new(void);

/* Sets the bits of the prefix. The filter may read the words meanwhile. */
void acl_index_add(uint64_t *words, const struct prefix *prefix);

/* Makes words equal to fresh, word by word. */
void acl_index_replace(uint64_t *words, const uint64_t *fresh);

#endif
