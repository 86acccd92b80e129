/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>

#include "record/internal.h"
#include "record/writer.h"

#define LOOK_AT_ONCE 64 /* a second: 262,144 calls are looked at within 70 minutes */

int records_init(struct records *records, size_t limit, struct record_writer *writer,
		 int64_t now_ms)
{
	*records = (struct records){.limit = limit, .writer = writer, .started_ms = now_ms};
	TAILQ_INIT(&records->order);
	return table_init(&records->calls);
}

void records_free(struct records *records)
{
	struct record *record;

	while ((record = TAILQ_FIRST(&records->order))) {
		TAILQ_REMOVE(&records->order, record, link);
		pool_put(&records->pool, record);
	}
	table_free(&records->calls);
	pool_free(&records->pool);
	*records = (struct records){0};
}

/* ---- the calls ---- */

static uint64_t hash_of(const struct records *records, uint64_t id)
{
	return table_hash(&records->calls, 0, &id, sizeof(id));
}

struct record *record_find(const struct records *records, uint64_t id)
{
	struct table_node *n = table_first(&records->calls, hash_of(records, id));

	for (; n; n = table_next(n)) {
		struct record *record = table_entry(n, struct record, node);

		if (record->id == id)
			return record;
	}
	return NULL;
}

/* The answered ones alone have a dialog. */
static struct record *find_dialog(const struct records *records, uint64_t dialog)
{
	struct record *record = record_find(records, dialog);

	return record && record->call.answered_ms ? record : NULL;
}

static void add(struct records *records, struct record *record, uint64_t id)
{
	record->id = id;
	record->sequence = ++records->sequence;
	table_insert(&records->calls, &record->node, hash_of(records, id));
	TAILQ_INSERT_TAIL(&records->order, record, link);
}

static void take_out(struct records *records, struct record *record)
{
	if (records->hand == record)
		records->hand = TAILQ_NEXT(record, link);
	table_remove(&records->calls, &record->node);
	TAILQ_REMOVE(&records->order, record, link);
}

static void hand_over(struct records *records, struct record *record)
{
	if (records->writer)
		record = record_writer_put(records->writer, record);
	pool_put(&records->pool, record);
}

/* Adds a record that has just been made, NULL if there was no memory, where there is a place. */
static int admit(struct records *records, struct record *record, uint64_t id)
{
	if (record && records->calls.count < records->limit) {
		add(records, record, id);
		return 0;
	}
	records->full++;
	pool_put(&records->pool, record);
	return record ? -ENOSPC : -ENOMEM;
}

int record_begin(struct records *records, uint64_t call, const struct record_start *start)
{
	if (record_find(records, call))
		return -EEXIST;
	return admit(records, record_create(&records->pool, start), call);
}

void record_upstream(struct records *records, uint64_t id, struct slice upstream)
{
	struct record *record = record_find(records, id);

	if (record)
		record_set_upstream(record, upstream);
}

bool record_answered(struct records *records, uint64_t call, uint64_t dialog, unsigned status,
		     int64_t now_ms)
{
	struct record *record;

	if (record_heard(records, dialog, now_ms))
		return true;
	record = record_find(records, call);
	if (!record)
		return false;
	table_remove(&records->calls, &record->node);
	record->id = dialog;
	table_insert(&records->calls, &record->node, hash_of(records, dialog));
	record->call.answered_ms = record->heard_ms = now_ms;
	record->call.sip_status = (uint16_t)status;
	return true;
}

bool record_heard(struct records *records, uint64_t dialog, int64_t now_ms)
{
	struct record *record = find_dialog(records, dialog);

	if (record)
		record->heard_ms = now_ms;
	return record != NULL;
}

struct record_numbers *record_numbers(struct records *records, uint64_t dialog)
{
	struct record *record = find_dialog(records, dialog);

	return record ? &record->numbers : NULL;
}

/* ---- the end ---- */

static void close_call(struct call_record *call, const struct record_end *end, int64_t now_ms)
{
	struct record_end known = *end;

	if (!known.status)
		known.status = call->sip_status;
	call->sip_status = (uint16_t)known.status;
	call->ended_ms = now_ms;
	call->ended_by = (uint8_t)known.by;
	call->cause = record_cause(&known);
}

/* A dialog of before the start can be taken up again by its token, but not once it is over: both
 * sides may say BYE. */
static void note_ended(struct records *records, const struct record *record)
{
	if (!record->call.answered_ms || record->call.start_ms > records->started_ms)
		return;
	records->ended[records->ended_next] = record->id;
	records->ended_next = (records->ended_next + 1) % RECORDS_ENDED;
}

static void finish(struct records *records, struct record *record, const struct record_end *end,
		   int64_t now_ms)
{
	note_ended(records, record);
	take_out(records, record);
	close_call(&record->call, end, now_ms);
	hand_over(records, record);
}

bool record_ended(struct records *records, uint64_t id, const struct record_end *end,
		  int64_t now_ms)
{
	struct record *record = record_find(records, id);

	if (record)
		finish(records, record, end, now_ms);
	return record != NULL;
}

static bool may_refuse(struct records *records, int64_t now_ms)
{
	int64_t second = now_ms / 1000;

	if (records->budget.second != second) {
		records->budget.second = second;
		records->budget.refused = 0;
	}
	return records->budget.refused++ < RECORDS_REFUSED_PER_S;
}

void record_refused(struct records *records, const struct record_start *start,
		    const struct record_end *end)
{
	struct record *record;

	if (!may_refuse(records, start->at_ms)) {
		records->suppressed++;
		return;
	}
	record = record_create(&records->pool, start);
	if (!record) {
		records->full++;
		return;
	}
	close_call(&record->call, end, start->at_ms);
	hand_over(records, record);
}

void records_tick(struct records *records, int64_t now_ms)
{
	static const struct record_end lost = {.by = CALL_NOBODY};

	pool_rest(&records->pool, (uint64_t)now_ms / 1000);
	for (int i = 0; i < LOOK_AT_ONCE; i++) {
		struct record *record =
			records->hand ? records->hand : TAILQ_FIRST(&records->order);

		if (!record)
			return;
		records->hand = TAILQ_NEXT(record, link);
		if (now_ms - record->heard_ms >= RECORDS_SILENCE_MS)
			finish(records, record, &lost, now_ms);
		if (!records->hand)
			return;
	}
}

/* ---- restarts ---- */

static bool has_ended(const struct records *records, uint64_t dialog)
{
	for (unsigned i = 0; i < RECORDS_ENDED; i++)
		if (records->ended[i] == dialog)
			return true;
	return false;
}

/* Issue times are whole seconds. */
int record_from_token(struct records *records, uint64_t dialog, const struct record_start *start)
{
	struct record *record;

	if (start->at_ms + 1000 > records->started_ms || record_find(records, dialog) ||
	    has_ended(records, dialog))
		return -EEXIST;
	record = record_create(&records->pool, start);
	if (record) {
		record->call.answered_ms = start->at_ms;
		record->call.sip_status = 200;
		record->heard_ms = records->started_ms;
		record->saved = true; /* or may be, by a stop before the kill */
	}
	return admit(records, record, dialog);
}

void records_save(struct records *records, int64_t now_ms)
{
	static const struct record_end stopped = {.by = CALL_GATE};
	struct record *record;

	while ((record = TAILQ_FIRST(&records->order))) {
		if (!record->call.answered_ms) {
			finish(records, record, &stopped, now_ms);
			continue;
		}
		take_out(records, record);
		hand_over(records, record);
	}
}

struct loading {
	struct records *records;
	bool (*is_own)(struct slice call_id, void *arg);
	void *arg;
};

/* What finds no place is counted, and the others are read. */
static int load_one(const struct store_live_call *live, void *arg)
{
	struct loading *loading = arg;
	struct records *records = loading->records;
	struct slice call_id = slice_from(live->record.call_id);
	struct record *record;

	if ((loading->is_own && !loading->is_own(call_id, loading->arg)) ||
	    record_find(records, live->dialog))
		return 0;
	record = record_copy(&records->pool, &live->record);
	if (record) {
		record->numbers = (struct record_numbers){live->cseq_extra, live->invite_offset};
		record->heard_ms = records->started_ms;
		record->saved = true;
	}
	(void)admit(records, record, live->dialog);
	return 0;
}

int records_load(struct records *records, const char *state_dir,
		 bool (*is_own)(struct slice call_id, void *arg), void *arg, struct error *err)
{
	struct loading loading = {records, is_own, arg};
	struct store_calls *store;
	int rc;

	if (!store_calls_exist(state_dir))
		return 0;
	rc = store_calls_open(state_dir, &store, err);
	if (rc)
		return rc;
	rc = store_calls_live_each(store, load_one, &loading, err);
	store_calls_close(store);
	return rc;
}

void records_stats(const struct records *records, struct records_stats *ret_stats)
{
	*ret_stats = (struct records_stats){
		.calls = records->calls.count,
		.limit = records->limit,
		.full = records->full,
		.suppressed = records->suppressed,
	};
}
