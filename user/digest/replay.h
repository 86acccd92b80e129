/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Replay windows: which nonce counts of a nonce were used. Only a nonce that has authenticated
 * somebody takes memory, at most `limit` of them; when one must go, every nonce issued up to its
 * issue time counts as stale from then on, so that forgetting never opens a door. The same holds
 * for those forgotten because their lifetime is over. May be shared by threads.
 */
#ifndef SIPWARD_DIGEST_REPLAY_H
#define SIPWARD_DIGEST_REPLAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define REPLAY_WINDOW 64 /* counts below the highest seen that may still arrive out of order */

struct replay;

int replay_create(size_t limit, unsigned nonce_lifetime_s, struct replay **ret_replay);
void replay_free(struct replay *replay);

/* Nonces live so long from now on. */
void replay_set_lifetime(struct replay *replay, unsigned nonce_lifetime_s);

/* Makes every nonce issued up to then stale unless it has a window: to be called with the time of
 * the start where the nonce keys have outlived the windows (a restart with kept keys). */
void replay_refuse_until(struct replay *replay, uint64_t issued_s);

/* The time to issue a nonce at so that it is not stale from the start: now_s, or a little later
 * where nonces of this very second are refused already. */
uint64_t replay_issue_time(struct replay *replay, uint64_t now_s);

enum replay_result { REPLAY_FRESH, REPLAY_REPEATED, REPLAY_STALE };

/* To be called after the digest was found right, never before. nc 0 stands for a response without
 * qop (one use a nonce). Records the count if it is fresh. Out of memory is REPLAY_STALE. */
enum replay_result replay_use(struct replay *replay, struct slice nonce, uint64_t issued_s,
			      uint32_t nc, uint64_t now_s);

struct replay_stats {
	size_t nonces, limit;
	uint64_t evicted;
};
void replay_stats(struct replay *replay, struct replay_stats *ret_stats);

#endif
