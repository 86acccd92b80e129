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
	int source_index;
	int lockouts;
	int proven;
	int limits;
	int fragments;
	int counters;
	int drops;
	int events;
	int challenges;
	int lease;
	int own_addresses;
	int lock; /* a descriptor of the pin directory, held with flock() while rules are written;
		     -1 where the maps are not pinned */
	bool pinned;
	uint64_t *acl_words;	  /* the memory of acl_index, from its first writing on */
	uint64_t *source_words;	  /* the memory of source_index */
	struct ring_buffer *ring; /* over events, made at the first poll */
	void (*on_event)(const struct sipward_event *event, void *arg);
	void *on_event_arg;
};

struct bpf_object;

/* The maps of a loaded object, for as long as the result is open. */
int filter_of_object(struct bpf_object *object, struct filter **ret_filter, struct error *err);

#endif
