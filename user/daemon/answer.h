/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a running daemon tells over its control socket.
 *
 *	{"ask": "status"}                           counters of every part, uptime, generation
 *	{"ask": "evidence", "source": "192.0.2.1"}  what is held against a source
 *	{"ask": "calls", "worker": 0, …}            those in progress that this worker has, see
 *	                                            records_answer; how many "workers" there are
 *	{"ask": "upstreams"}                        which next hops answer: destinations too
 *
 * Each of the "upstreams" is the place of a peer of an enabled trunk:
 *
 *	uri         of the peer; several peers may share the place
 *	address     "udp/192.0.2.1:5060": each once
 *	state       "up", "down" or "waiting": it has sent 503 with Retry-After
 *	wait_s      seconds until a waiting one is tried again, else null
 *	last        status of its last answer, to a call or to OPTIONS; null: none yet
 *	answered_s  seconds since then, else null
 *	latency_ms  of its last answer to OPTIONS; null: none yet
 *	failures    requests in a row that it has not answered
 *
 * Times are Unix seconds, those of calls milliseconds.
 */
#ifndef SIPWARD_DAEMON_ANSWER_H
#define SIPWARD_DAEMON_ANSWER_H

#include <jansson.h>

#include "daemon/workers.h"

/* What the answers are drawn from; all borrowed. */
struct answerer {
	struct worker_view workers[CONFIG_WORKERS_MAX];
	unsigned count;
	struct record_writer *record_writer;
	uint64_t started_ns; /* clock_coarse_ns */
};

/* What the workers count, together. */
struct answer_sums {
	struct proxy_stats proxy;
	struct net_stats net;
	struct records_stats records;
};
void answer_sum(const struct answerer *answerer, struct answer_sums *ret_sums);

/* A control_answer; arg is a struct answerer. */
json_t *answer_question(const char *ask, const json_t *request, void *arg);

#endif
