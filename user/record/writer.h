/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes call records behind: a thread of its own puts them into the store (store/call.h) and, if
 * there is one, into a log, one JSON object a line. No worker waits for it; what finds no room is
 * dropped and counted. While the store can not be written (a full disk) as many records as the
 * queue holds are kept for it; the log gets each record once.
 */
#ifndef SIPWARD_RECORD_WRITER_H
#define SIPWARD_RECORD_WRITER_H

#include "record/record.h"

#define RECORD_QUEUE 65536

struct record_writer;

struct record_writer_options {
	const char *state_dir;
	const char *log_path; /* "" = no log; it is appended to, or made (mode 0640) */
	size_t queue;	      /* RECORD_QUEUE */
	unsigned retention_days;
};

int record_writer_start(const struct record_writer_options *options,
			struct record_writer **ret_writer, struct error *err);
/* Writes what is left, for two seconds at most, and ends the thread. */
void record_writer_stop(struct record_writer *writer);

/* Takes over the record, and gives one in return whose memory is free: another that is written, or
 * this very one if there is no room for it; NULL: none. Any thread's. */
struct record *record_writer_put(struct record_writer *writer, struct record *record);
/* The log may have been moved away: it is opened again under its name. */
void record_writer_reopen(struct record_writer *writer);
/* How long records are kept; what is older goes bit by bit. */
void record_writer_retain(struct record_writer *writer, unsigned days);

struct record_writer_stats {
	uint64_t written, dropped, unlogged;
};
void record_writer_stats(const struct record_writer *writer,
			 struct record_writer_stats *ret_stats);

#endif
