/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "record/log.h"

#define BATCH 512
#define SPARE_MAX (4 * BATCH)
#define PAUSE_MS 100 /* between two transactions */
#define RETRY_MS 250
#define STOP_MS 2000
#define PRUNE_ROWS 1000
#define PRUNE_MS 60000 /* from the end of one pruning to the next */
#define TELL_MS 60000  /* from one line about dropped records to the next */
#define DAY_MS (86400 * 1000LL)

struct record_writer {
	size_t limit;
	/* the thread's, once it runs */
	char state_dir[4096];
	struct store_calls *store; /* NULL: not open yet */
	struct record_log log;
	struct record_list unstored;
	size_t unstored_n;
	int last_error;
	uint64_t prune_at_ms, tell_at_ms; /* of the coarse clock */
	uint64_t told;

	uint64_t written, dropped, unlogged; /* atomic */

	struct behind behind; /* its lock is over what follows */
	bool reopen;
	struct record_list queue;
	size_t queued;
	struct record_list spare; /* written, for the workers to take back */
	size_t spare_n;
	unsigned retention_days;
};

static uint64_t now_ms(void)
{
	return clock_coarse_ns() / NS_PER_MS;
}

static void count(uint64_t *counter, uint64_t n)
{
	__atomic_fetch_add(counter, n, __ATOMIC_RELAXED);
}

static uint64_t counted(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* ---- the store ---- */

/* Each failure is told once, a busy store not at all. */
static void tell_failure(struct record_writer *writer, int rc, const struct error *err)
{
	if (rc && rc != -EBUSY && rc != writer->last_error)
		log_error("calls_not_written", LOG_STR("error", err->text),
			  LOG_STR("effect", "tried again; what finds no room is dropped"));
	if (!rc && writer->last_error && writer->last_error != -EBUSY)
		log_info("calls_written_again");
	writer->last_error = rc;
}

static size_t fill(const struct record_writer *writer, struct store_call_change *changes)
{
	const struct record *record;
	size_t n = 0;

	TAILQ_FOREACH(record, &writer->unstored, link)
	{
		if (n == BATCH)
			break;
		changes[n++] = (struct store_call_change){
			.record = &record->call,
			.live = !record->call.cause,
			.was_live = record->saved,
			.dialog = record->id,
			.cseq_extra = record->numbers.cseq_extra,
			.invite_offset = record->numbers.invite_offset,
		};
	}
	return n;
}

static struct record *pop(struct record_list *list)
{
	struct record *record = TAILQ_FIRST(list);

	if (record)
		TAILQ_REMOVE(list, record, link);
	return record;
}

static void discard_all(struct record_list *list)
{
	for (struct record *record; (record = pop(list));)
		pool_discard(record);
}

static void forget_first(struct record_writer *writer, size_t n)
{
	struct record_list more = TAILQ_HEAD_INITIALIZER(more);

	pthread_mutex_lock(&writer->behind.lock);
	for (; n > 0; n--) {
		struct record *record = pop(&writer->unstored);

		writer->unstored_n--;
		if (writer->spare_n == SPARE_MAX) {
			TAILQ_INSERT_TAIL(&more, record, link);
			continue;
		}
		TAILQ_INSERT_TAIL(&writer->spare, record, link);
		writer->spare_n++;
	}
	pthread_mutex_unlock(&writer->behind.lock);
	discard_all(&more);
}

static int open_store(struct record_writer *writer, struct error *err)
{
	return writer->store ? 0 : store_calls_open(writer->state_dir, &writer->store, err);
}

/* One transaction. False: try again. */
static bool write_batch(struct record_writer *writer)
{
	struct store_call_change changes[BATCH];
	size_t n = fill(writer, changes);
	struct error err = {0};
	int rc;

	if (n == 0)
		return true;
	rc = open_store(writer, &err);
	if (!rc)
		rc = store_calls_write(writer->store, changes, n, &err);
	tell_failure(writer, rc, &err);
	if (rc)
		return false;
	forget_first(writer, n);
	count(&writer->written, n);
	return true;
}

/* Bit by bit, so that a long retention made short holds up nothing. */
static void prune(struct record_writer *writer, unsigned days)
{
	int64_t before_ms = clock_wall_ms() - days * DAY_MS;

	if (now_ms() < writer->prune_at_ms)
		return;
	writer->prune_at_ms = now_ms() + PRUNE_MS;
	if (!writer->store && !store_calls_exist(writer->state_dir))
		return;
	if (open_store(writer, NULL) == 0 &&
	    store_calls_prune(writer->store, before_ms, PRUNE_ROWS, NULL) >= PRUNE_ROWS)
		writer->prune_at_ms = now_ms();
}

/* ---- the thread ---- */

/* Live ones come at the stop alone, and their memory is there already. */
static bool has_room(const struct record_writer *writer, const struct record *record, size_t n)
{
	return n < writer->limit || !record->call.cause;
}

/* What there is room for waits for the store. */
static void keep(struct record_writer *writer, struct record_list *list)
{
	struct record *record;

	while ((record = pop(list))) {
		if (has_room(writer, record, writer->unstored_n)) {
			TAILQ_INSERT_TAIL(&writer->unstored, record, link);
			writer->unstored_n++;
		} else {
			pool_discard(record);
			count(&writer->dropped, 1);
		}
	}
}

static void tell_dropped(struct record_writer *writer)
{
	uint64_t dropped = counted(&writer->dropped);

	if (dropped == writer->told || now_ms() < writer->tell_at_ms)
		return;
	log_warning("calls_dropped", LOG_INT("count", (int64_t)(dropped - writer->told)),
		    LOG_STR("effect", "they have no record"));
	writer->told = dropped;
	writer->tell_at_ms = now_ms() + TELL_MS;
}

/* What the thread does next, taken under the lock. */
struct turn {
	struct record_list list;
	bool reopen;
	unsigned days;
};

static void begin_turn(struct record_writer *writer, struct turn *ret_turn)
{
	TAILQ_INIT(&ret_turn->list);
	TAILQ_CONCAT(&ret_turn->list, &writer->queue, link);
	ret_turn->reopen = writer->reopen;
	ret_turn->days = writer->retention_days;
	writer->queued = 0;
	writer->reopen = false;
}

static void take_in(struct record_writer *writer, struct turn *turn)
{
	if (turn->reopen)
		record_log_close(&writer->log);
	count(&writer->unlogged, record_log_append(&writer->log, &turn->list));
	keep(writer, &turn->list);
	tell_dropped(writer);
}

static unsigned idle_ms(const struct record_writer *writer)
{
	uint64_t now = now_ms();

	return writer->prune_at_ms > now ? (unsigned)(writer->prune_at_ms - now) : 0;
}

static void *writer_main(void *arg)
{
	struct record_writer *writer = arg;
	bool written = true;
	struct turn turn;

	pthread_mutex_lock(&writer->behind.lock);
	while (!writer->behind.stop) {
		if (!written)
			behind_pause(&writer->behind, RETRY_MS);
		else if (!writer->unstored_n)
			behind_wait(&writer->behind, idle_ms(writer));
		begin_turn(writer, &turn);
		pthread_mutex_unlock(&writer->behind.lock);
		take_in(writer, &turn);
		written = write_batch(writer);
		prune(writer, turn.days);
		pthread_mutex_lock(&writer->behind.lock);
		if (written && writer->unstored_n < BATCH)
			behind_pause(&writer->behind, PAUSE_MS);
	}
	pthread_mutex_unlock(&writer->behind.lock);
	return NULL;
}

/* ---- start and stop ---- */

int record_writer_start(const struct record_writer_options *options,
			struct record_writer **ret_writer, struct error *err)
{
	struct record_writer *writer = calloc(1, sizeof(*writer));

	if (!writer)
		return error_set(err, -ENOMEM, "out of memory");
	writer->limit = options->queue;
	writer->retention_days = options->retention_days;
	snprintf(writer->state_dir, sizeof(writer->state_dir), "%s", options->state_dir);
	record_log_init(&writer->log, options->log_path);
	TAILQ_INIT(&writer->unstored);
	TAILQ_INIT(&writer->queue);
	TAILQ_INIT(&writer->spare);
	behind_init(&writer->behind);
	if (behind_start(&writer->behind, writer_main, writer)) {
		record_writer_stop(writer);
		return error_set(err, -EAGAIN, "can not start a thread");
	}
	*ret_writer = writer;
	return 0;
}

static void write_rest(struct record_writer *writer)
{
	struct turn turn;

	begin_turn(writer, &turn); /* the thread is gone, and workers put nothing any more */
	take_in(writer, &turn);
	for (unsigned waited = 0; writer->unstored_n && waited < STOP_MS;) {
		if (write_batch(writer))
			continue;
		usleep(RETRY_MS * 1000);
		waited += RETRY_MS;
	}
	if (writer->unstored_n)
		log_error("calls_lost", LOG_INT("count", (int64_t)writer->unstored_n),
			  LOG_STR("cause", "the store could not be written"));
	forget_first(writer, writer->unstored_n);
}

void record_writer_stop(struct record_writer *writer)
{
	if (!writer)
		return;
	if (behind_stop(&writer->behind))
		write_rest(writer);
	store_calls_close(writer->store);
	record_log_close(&writer->log);
	discard_all(&writer->spare);
	behind_free(&writer->behind);
	free(writer);
}

/* ---- the workers' side ---- */

struct record *record_writer_put(struct record_writer *writer, struct record *record)
{
	struct record *spare = NULL;
	bool room;

	pthread_mutex_lock(&writer->behind.lock);
	room = has_room(writer, record, writer->queued);
	if (room) {
		TAILQ_INSERT_TAIL(&writer->queue, record, link);
		if (writer->queued++ == 0)
			behind_wake(&writer->behind);
		spare = pop(&writer->spare);
		writer->spare_n -= spare != NULL;
	}
	pthread_mutex_unlock(&writer->behind.lock);
	if (room)
		return spare;
	count(&writer->dropped, 1);
	return record;
}

void record_writer_reopen(struct record_writer *writer)
{
	pthread_mutex_lock(&writer->behind.lock);
	writer->reopen = true;
	behind_wake(&writer->behind);
	pthread_mutex_unlock(&writer->behind.lock);
}

void record_writer_retain(struct record_writer *writer, unsigned days)
{
	pthread_mutex_lock(&writer->behind.lock);
	writer->retention_days = days;
	pthread_mutex_unlock(&writer->behind.lock);
}

void record_writer_stats(const struct record_writer *writer, struct record_writer_stats *ret_stats)
{
	*ret_stats = (struct record_writer_stats){
		.written = counted(&writer->written),
		.dropped = counted(&writer->dropped),
		.unlogged = counted(&writer->unlogged),
	};
}
