/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a running daemon tells over its control socket.
 *
 *	{"ask": "status"}                           counters of every part, uptime, generation
 *	{"ask": "evidence", "source": "192.0.2.1"}  what is held against a source
 *	{"ask": "calls", …}                         those in progress, see records_answer
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

#include "net/net.h"
#include "proxy/proxy.h"
#include "record/record.h"

/* What the answers are drawn from; all borrowed. */
struct answerer {
	const struct proxy *proxy;
	const struct net *net;
	const struct records *records; /* NULL: none are kept */
	uint64_t started_ns; /* clock_coarse_ns */
};

/* A control_answer; arg is a struct answerer. */
json_t *answer_question(const char *ask, const json_t *request, void *arg);

#endif
