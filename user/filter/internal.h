/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of user/filter/ share. */
#ifndef SIPWARD_FILTER_INTERNAL_H
#define SIPWARD_FILTER_INTERNAL_H

#include "filter/filter.h"

/* File descriptors of the maps, -1 where there is none. */
struct filter {
	int settings;
	int acl_v4, acl_v6;
	int acl_index;
	int lockouts;
	int proven;
	int limits;
	int fragments;
	int counters;
	int drops;
	int events;
	int lock; /* a descriptor of the pin directory, held with flock() while rules are written;
		     -1 where the maps are not pinned */
	bool pinned;
};

#endif
