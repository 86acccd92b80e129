/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which next hops answer. Told by what becomes of requests and of OPTIONS that are sent for the
 * purpose; one that is silent a few times is passed over until it has answered a few times. Hops
 * that several trunks share are one here. For one worker.
 */
#ifndef SIPWARD_PROXY_HEALTH_H
#define SIPWARD_PROXY_HEALTH_H

#include "base/table.h"
#include "net/net.h"
#include "policy/policy.h"
#include "proxy/deadline.h"

struct health {
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
	uint64_t asked_ns;	      /* when the question on its way was sent; 0 = none is */
};

int health_init(struct health *health);
/* Accepts a zeroed one. */
void health_free(struct health *health);
/* Keeps the hops of the policy's enabled trunks: what was known of those that stay is still known.
 * 0, or -ENOMEM: hops without a place count as up. */
int health_follow(struct health *health, const struct policy *policy, uint64_t now_ns);

/* NULL: none that is known. */
struct health_hop *health_find(const struct health *health, const struct net_path *target);
/* Whether requests should go there now. One that is not known is as good as any. */
bool health_usable(const struct health *health, const struct net_path *target, uint64_t now_ns);

/* It answered with the status, or was silent. True if that changed whether it is up. */
bool health_answered(struct health_hop *hop, const struct store_settings *settings,
		     unsigned status, uint64_t now_ns);
bool health_silent(struct health_hop *hop, const struct store_settings *settings);

/* The first that is to be asked now, or NULL; health_asked says that it was. */
struct health_hop *health_due(const struct health *health, uint64_t now_ns);
void health_asked(struct health *health, struct health_hop *hop,
		  const struct store_settings *settings, uint64_t now_ns);
/* When the next one is due; UINT64_MAX if none ever is. */
uint64_t health_deadline(const struct health *health);

#endif
