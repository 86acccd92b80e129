/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which next hops answer. Told by what becomes of requests and of OPTIONS that are sent for the
 * purpose; one that is silent a few times is passed over until it has answered a few times. Hops
 * that several trunks share are one here, for all workers: what one hears all know, and only one
 * asks. May be shared by threads.
 */
#ifndef SIPWARD_PROXY_HEALTH_H
#define SIPWARD_PROXY_HEALTH_H

#include <pthread.h>

#include "base/table.h"
#include "net/net.h"
#include "policy/policy.h"
#include "proxy/deadline.h"

struct health {
	pthread_mutex_t lock; /* over all of it */
	struct table hops;
	struct deadlines pings;
};

/* What is known of one hop. */
struct health_hop {
	struct table_node node;
	struct endpoint endpoint;
	enum net_transport transport;
	char uri[STORE_URI_SIZE];      /* of the peer, which is asked by it */
	char name[STORE_DOMAIN_SIZE];  /* what its TLS certificate is for */
	bool down;
	bool listed;		  /* the policy still has it */
	unsigned failures, successes; /* in a row */
	unsigned status;	      /* of its last answer; 0 = none yet */
	uint64_t answered_ns;	      /* when; 0 = never */
	unsigned latency_ms;	      /* of its last answer to an OPTIONS; UINT_MAX = none */
	uint64_t retry_ns;	      /* not before (Retry-After); 0 = at any time */
	struct deadline ping;	      /* when to ask next */
	uint64_t asked_ns;	      /* when it was asked last; 0 = never */
};

/* 0 or -ENOMEM. */
int health_init(struct health *health);
/* Accepts a zeroed one. */
void health_free(struct health *health);
/* Keeps the hops of the policy's enabled trunks: what was known of those that stay is still known.
 * For the worker that asks. 0, or -ENOMEM: hops without a place count as up. */
int health_follow(struct health *health, const struct policy *policy, uint64_t now_ns);

/* Whether requests should go there now. One that is not known is as good as any. */
bool health_usable(struct health *health, const struct net_path *target, uint64_t now_ns);

/* What was heard of a hop. */
struct health_word {
	const struct net_path *target;
	unsigned status;	/* of its answer; 0 = it was silent */
	unsigned retry_after_s; /* 503: how long it wants to be left alone */
	bool ping;		/* the answer is to an OPTIONS */
	uint64_t now_ns;
};
/* True if that changed whether it is up: *ret_hop then says how it stands now. */
bool health_heard(struct health *health, const struct store_settings *settings,
		  const struct health_word *word, struct health_hop *ret_hop);

/* A hop that is to be asked now, and is taken to be asked with this; false: none is. */
bool health_due(struct health *health, const struct store_settings *settings, uint64_t now_ns,
		struct health_hop *ret_hop);
/* When the next one is due; UINT64_MAX if none ever is. */
uint64_t health_deadline(struct health *health);

/* In no order. */
void health_each(struct health *health, void (*visit)(const struct health_hop *hop, void *arg),
		 void *arg);

#endif
