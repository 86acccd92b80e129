/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads whole maps. Inside user/filter/ only. */
#ifndef SIPWARD_FILTER_WALK_H
#define SIPWARD_FILTER_WALK_H

#include <stddef.h>

/* All entries of a hash map as they are found in one pass (an entry that moves meanwhile may be
 * missed or met twice); *ret_keys and *ret_values are two arrays, the caller's to free(). */
int walk_hash(int map_fd, void **ret_keys, void **ret_values, size_t *ret_n);

#endif
