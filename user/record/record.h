/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls of one worker, from their INVITE on, as they will be written to the call records. A
 * call takes about 400 bytes; what has no place or no memory is counted and goes without a
 * record: no call is ever refused for it.
 *
 * A call is known by a keyed hash of its Call-ID and the caller's tag until it is answered, then
 * by one of both tags (its dialog), as in proxy/calls.h. Times are clock_wall_ms.
 *
 *	record_begin, record_answered, record_ended     INVITE, its 2xx, BYE
 *	record_begin, record_ended                      INVITE, CANCEL or another final answer
 *	record_refused                                  an INVITE that the gate itself refuses
 *	record_from_token, record_ended                 a dialog of before a kill
 */
#ifndef SIPWARD_RECORD_H
#define SIPWARD_RECORD_H

#include <jansson.h>
#include <sys/queue.h>

#include "base/pool.h"
#include "base/table.h"
#include "record/cause.h"

#define RECORDS_DEFAULT 262144
#define RECORDS_SILENCE_MS (12 * 3600 * 1000LL) /* then it is over: see proxy/calls.h */
#define RECORDS_REFUSED_PER_S 5 /* anybody can be refused; the rest is counted */
#define RECORDS_ENDED 256
#define RECORD_UPSTREAM_SIZE 64

struct record;
struct record_writer;

struct records {
	struct table calls;
	TAILQ_HEAD(record_list, record) order; /* the oldest first */
	struct record *hand; /* whose silence is looked at next; NULL: the oldest one's */
	struct record_writer *writer; /* borrowed; NULL: what ends is forgotten */
	struct pool pool;
	size_t limit;
	int64_t started_ms; /* dialogs of since then are known here, if any */
	uint64_t sequence;
	struct {
		int64_t second;
		unsigned refused;
	} budget;
	uint64_t ended[RECORDS_ENDED]; /* the last dialogs of before the start that are over */
	unsigned ended_next;
	uint64_t full;	     /* no place, or no memory */
	uint64_t suppressed; /* refusals over the budget */
};

int records_init(struct records *records, size_t limit, struct record_writer *writer,
		 int64_t now_ms);
/* Accepts a zeroed one. What is alive leaves no record: see records_save. */
void records_free(struct records *records);

/* What is known of a call from its INVITE; texts are cut to size, and URIs lose what may not be
 * written down (sip_uri_plain). */
struct record_start {
	struct endpoint source;
	enum call_transport transport;
	enum call_direction direction;
	enum store_auth_type auth;
	struct slice trunk, user; /* user empty: nobody in particular */
	struct slice from, to;	  /* the fields' values */
	struct slice call_id;
	struct slice upstream; /* a URI or an address; may be empty, see record_upstream */
	int64_t at_ms;
};
/* 0, -EEXIST (its INVITE came again: it stays as it is), -ENOSPC, -ENOMEM. */
int record_begin(struct records *records, uint64_t call, const struct record_start *start);
/* Where it goes now: before it is answered or ended this is what failover may change. */
void record_upstream(struct records *records, uint64_t id, struct slice upstream);
/* Its INVITE got a 2xx; again: it has been heard of. False: neither call nor dialog is known. */
bool record_answered(struct records *records, uint64_t call, uint64_t dialog, unsigned status,
		     int64_t now_ms);
/* Something was heard of a dialog. False: it is not known. */
bool record_heard(struct records *records, uint64_t dialog, int64_t now_ms);
/* It is over; by call while it is not answered, else by dialog. False: it is not known. */
bool record_ended(struct records *records, uint64_t id, const struct record_end *end,
		  int64_t now_ms);
/* A call that was refused at once. */
void record_refused(struct records *records, const struct record_start *start,
		    const struct record_end *end);
/* Takes up a dialog of which nothing but its token is known: it was answered before a kill. start's
 * time is the token's issue time, and counts as that of the answer too. 0; -EEXIST: it is known,
 * or over, or of since the start, so that its record was written or is being so; -ENOSPC,
 * -ENOMEM. */
int record_from_token(struct records *records, uint64_t dialog, const struct record_start *start);

/* What the proxy keeps with a dialog; zero at first, and kept over a restart. NULL: not known.
 * Valid until the call is changed. */
struct record_numbers {
	uint32_t cseq_extra, invite_offset;
};
struct record_numbers *record_numbers(struct records *records, uint64_t dialog);

/* Ends what has been silent too long; looks at a few calls each time. Each second. */
void records_tick(struct records *records, int64_t now_ms);

/* At a stop: hands the answered calls to the writer as live, and ends the others (their
 * transactions end with the daemon). records is empty then. Before record_writer_stop. */
void records_save(struct records *records, int64_t now_ms);
/* At a start: takes up what was saved; is_own says whether a call is this worker's (NULL: all
 * are). */
int records_load(struct records *records, const char *state_dir,
		 bool (*is_own)(struct slice call_id, void *arg), void *arg, struct error *err);

struct records_stats {
	uint64_t calls, limit, full, suppressed;
};
void records_stats(const struct records *records, struct records_stats *ret_stats);

/* ---- as JSON ---- */

/* The one form that records have in the log, the CLI and over the control socket; NULL: out of
 * memory. Of a call that is not over, what is not known is null. */
json_t *record_json(const struct call_record *record);

/* Answers {"ask": "calls", "next": PLACE, "since_ms": N, "trunk": NAME, "limit": N}, all optional:
 * {"calls": [...], "next": PLACE}, the latest first. The place, null at the end, is where the next
 * question goes on. An answer holds few calls, none perhaps, and looks at no more than some
 * thousand. */
json_t *records_answer(const struct records *records, const json_t *request);

#endif
