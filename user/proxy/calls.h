/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many calls a trunk and a user may place: a second, and at a time. Only calls under a limit on
 * their number are remembered, each from its INVITE on until it fails, a BYE ends it, or nothing is
 * heard of it for CALLS_SILENCE_NS. May be shared by threads.
 */
#ifndef SIPWARD_PROXY_CALLS_H
#define SIPWARD_PROXY_CALLS_H

#include <pthread.h>

#include "base/pool.h"
#include "base/table.h"
#include "policy/policy.h"
#include "proxy/deadline.h"

#define CALLS_DEFAULT 262144
#define CALLS_SILENCE_NS (12 * 3600 * 1000000000ULL)

struct calls {
	pthread_mutex_t lock; /* over all of it */
	struct table parties; /* trunks and users with limits: as many as the policy names */
	struct table running; /* by call until answered, then by dialog */
	struct deadlines silences;
	struct pool pool;     /* of those running */
	size_t limit;	      /* of those running */
	uint64_t full;	      /* calls refused for want of a place or memory */
};

int calls_init(struct calls *calls, size_t limit);
/* Accepts a zeroed one. */
void calls_free(struct calls *calls);
/* Forgets the trunks and users that place no calls: for when the policy has changed. */
void calls_forget_idle(struct calls *calls, uint64_t now_ns);

enum calls_verdict {
	CALLS_OK,
	CALLS_PER_SECOND, /* too many a second: in a second it may pass */
	CALLS_TOO_MANY,	  /* too many at a time */
	CALLS_FULL,	  /* no place to remember it */
};
/* "ok", "calls_per_second", "too_many_calls", "calls_full" */
const char *calls_verdict_name(enum calls_verdict verdict);

/* Who places a call; user NULL = nobody in particular. */
struct calls_placed {
	const struct policy_trunk *trunk;
	const struct policy_user *user;
	uint64_t now_ns;
};
/* Counts a call that is about to begin. call: a keyed hash of its Call-ID and the caller's tag. */
enum calls_verdict calls_begin(struct calls *calls, const struct calls_placed *placed,
			       uint64_t call);
/* Its INVITE was answered: from now on it is known by its dialog, a keyed hash of both tags. A
 * dialog that is known has been heard of; one of which no beginning is known (the daemon has been
 * started since, one INVITE was answered twice) is counted too, over the limit if need be. */
void calls_answer(struct calls *calls, const struct calls_placed *placed, uint64_t call,
		  uint64_t dialog);
/* Another request of the dialog was answered: the same, but a call that is still to be answered
 * stays what it is. */
void calls_confirm(struct calls *calls, const struct calls_placed *placed, uint64_t call,
		   uint64_t dialog);
/* Something was heard of a dialog; and it is over, by call while it is not answered, else by
 * dialog. Both also for what is not known. */
void calls_hear(struct calls *calls, uint64_t dialog, uint64_t now_ns);
void calls_end(struct calls *calls, uint64_t id);
/* Ends what has been silent too long. */
void calls_tick(struct calls *calls, uint64_t now_ns);
/* When calls_tick has something to do; UINT64_MAX if nothing is pending. */
uint64_t calls_deadline(struct calls *calls);

/* How many calls there are that are remembered, and of a trunk. */
size_t calls_count(struct calls *calls);
unsigned calls_of_trunk(struct calls *calls, int64_t trunk_id);

#endif
