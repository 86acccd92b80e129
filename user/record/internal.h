/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of this folder share. */
#ifndef SIPWARD_RECORD_INTERNAL_H
#define SIPWARD_RECORD_INTERNAL_H

#include "record/record.h"

/* A call, alive or on its way to the writer; its texts stand behind it. */
struct record {
	struct table_node node;
	TAILQ_ENTRY(record) link; /* in records.order, then in the writer's queue */
	uint64_t id;		  /* call or dialog */
	uint64_t sequence;
	int64_t heard_ms;
	struct record_numbers numbers;
	struct call_record call;
	bool saved; /* is in the store as live */
	char upstream[RECORD_UPSTREAM_SIZE];
	char texts[];
};

/* NULL: not known. */
struct record *record_find(const struct records *records, uint64_t id);
/* Make one that is in no table yet, the second with the texts as they are. NULL: out of memory. */
struct record *record_create(struct pool *pool, const struct record_start *start);
struct record *record_copy(struct pool *pool, const struct call_record *call);
void record_set_upstream(struct record *record, struct slice upstream);

#endif
