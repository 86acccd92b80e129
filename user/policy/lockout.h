/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lockouts (DESIGN §7): failures counted by source, graded by what a forger could have sent.
 * Sources are IPv4 addresses and IPv6 prefixes of settings->source_v6_bits. The table has a fixed
 * number of places, half of them for sources that gave hard evidence, half for the others. The
 * window slides: the last 64 failures of a source, the most that lockout_failures may ask for, are
 * remembered one by one; 0 counts as never. May be shared by threads.
 */
#ifndef SIPWARD_POLICY_LOCKOUT_H
#define SIPWARD_POLICY_LOCKOUT_H

#include "filter/filter.h"
#include "store/store.h"

enum lockout_grade {
	LOCKOUT_SOFT, /* what a forger could send: never locks out a listed or proven source */
	LOCKOUT_HARD, /* a wrong digest on a nonce issued to that address; anything over TCP/TLS */
};

struct lockouts;

/* filter may be NULL: lockouts are then kept here alone. Those that the filter's map holds already
 * are taken over. */
int lockouts_create(struct filter *filter, size_t limit, struct lockouts **ret_lockouts);
void lockouts_free(struct lockouts *lockouts);
/* Goes by another filter, with the lockouts that its map holds and no others: what the old one knew
 * is in force no more. 0, or as lockouts_create, and nothing has changed. */
int lockouts_use_filter(struct lockouts *lockouts, struct filter *filter);

struct lockout_evidence {
	struct ip source;
	enum lockout_grade grade;
	enum sipward_lockout_reason reason;
	bool vouched; /* listed or proven */
};
/* Counts a failure, unless the source is locked out already. True if it has just locked the source
 * out: then the filter's map has it already, and *ret_lockout (may be NULL) says until when. With a
 * ceiling, a source that was locked out within the last ceiling's time is locked twice as long as
 * then. A failed write to the map leaves the lockout in force here and is told by lockout_stats. */
bool lockout_failure(struct lockouts *lockouts, const struct store_settings *settings,
		     const struct lockout_evidence *evidence, uint64_t now_ns,
		     struct sipward_lockout *ret_lockout);

/* Whether the source is locked out now. The filter's map is asked first, so that what the CLI adds
 * or clears counts at once. */
bool lockout_active(struct lockouts *lockouts, const struct store_settings *settings,
		    const struct ip *source, uint64_t now_ns, struct sipward_lockout *ret_lockout);

/* What is held against a source, for people. */
struct lockout_record {
	/* Failures in the window, up to now or to the one that locked it out. */
	unsigned soft, hard;
	enum lockout_grade grade;	    /* the best evidence so far */
	enum sipward_lockout_reason reason; /* of the last failure */
	/* Of a series in which no two failures were further apart than the window; 0: none is
	 * remembered, which is also so for what does not count (soft, and vouched for). */
	uint64_t first_ns, last_ns;
	bool locked_out;
	struct sipward_lockout lockout;
	uint64_t next_ns; /* how long the next lockout would be */
};
void lockout_evidence_of(struct lockouts *lockouts, const struct store_settings *settings,
			 const struct ip *source, uint64_t now_ns,
			 struct lockout_record *ret_record);

struct lockout_stats {
	size_t sources, limit;
	uint64_t full;		/* failures not counted for want of a place */
	uint64_t locked;	/* lockouts made */
	uint64_t map_errors;
};
void lockout_stats(struct lockouts *lockouts, struct lockout_stats *ret_stats);

#endif
