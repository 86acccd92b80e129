/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of the upstreams that ask us for credentials: a nonce for each credential and
 * address, so that later requests are answered before they are challenged. One for all workers.
 */
#ifndef SIPWARD_PROXY_OUTBOUND_H
#define SIPWARD_PROXY_OUTBOUND_H

#include <pthread.h>

#include "base/table.h"
#include "digest/client.h"
#include "policy/policy.h"

#define OUTBOUNDS_MAX 4096
#define OUTBOUND_FIELD_SIZE 2048

struct outbound {
	struct table_node node;
	int64_t credential_id;
	enum net_transport transport;
	struct endpoint endpoint; /* of a connection without its port, which may be any */
	bool registrar; /* what asks for REGISTER, by 401, is not what asks for calls, by 407 */
	bool learned;	/* the state's realm is the upstream's word: the policy has none yet */
	bool listed;	/* the policy still has it */
	struct digest_client_state state;
};

struct outbounds {
	pthread_mutex_t lock; /* held by whoever looks for one, until he is done with it */
	struct table table;
};

/* 0 or -ENOMEM. */
int outbounds_init(struct outbounds *outbounds);
/* Wipes what it frees. Accepts a zeroed one. */
void outbounds_free(struct outbounds *outbounds);
/* Forgets the nonces of credentials that the policy has no more, or has others for; takes the
 * lock. */
void outbounds_follow(struct outbounds *outbounds, const struct policy *policy);

/* The credential of this user at the hop, or the default one for an empty name; NULL: none. */
const struct policy_outbound *outbound_credential(const struct policy_hop *hop, struct slice user);

/* The hop's credential of this id; NULL: it has none. Tokens know only the lower half of an id. */
const struct policy_outbound *outbound_by_id(const struct policy_hop *hop, int64_t id);

/* What is known of the credential at the address, for requests of the method; NULL: nothing. */
struct outbound *outbound_find(const struct outbounds *outbounds, int64_t credential_id,
			       const struct net_path *target, enum sip_method method);
/* The same, with a place made for it. NULL: out of memory, or OUTBOUNDS_MAX. */
struct outbound *outbound_need(struct outbounds *outbounds, int64_t credential_id,
			       const struct net_path *target, enum sip_method method);

#endif
