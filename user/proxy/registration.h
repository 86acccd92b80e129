/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registrations that we keep at upstreams, so that their calls for the number of a credential come
 * here (RFC 3261 §10.2): one for each outbound credential that asks for it. For one worker.
 */
#ifndef SIPWARD_PROXY_REGISTRATION_H
#define SIPWARD_PROXY_REGISTRATION_H

#include "policy/policy.h"
#include "proxy/deadline.h"
#include "proxy/mac.h"

#define REGISTRATION_RETRY_S 5 /* doubled at each failure in a row */
#define REGISTRATION_RETRY_MAX_S 1800
#define REGISTRATION_EXPIRES_MAX_S 86400 /* more is not taken from a 423 */

struct registration {
	struct registration *next;
	int64_t trunk_id;
	struct policy_outbound credential; /* a copy: the policy may have it no more */
	char uri[STORE_URI_SIZE];	   /* of the upstream */
	char host[STORE_DOMAIN_SIZE];
	struct net_path target; /* where it was sent last */
	char call_id[MAC_TEXT_SIZE];
	unsigned cseq;
	bool listed;	    /* the policy still has it */
	bool asking;	    /* a REGISTER is on its way */
	bool removing;	    /* which is to end it */
	unsigned expires_s; /* to ask for: what is set, or the least that the upstream takes */
	unsigned status;    /* of the last answer; 0 = silence */
	unsigned failures;  /* in a row */
	uint64_t until_ns;  /* registered until; 0 = it is not */
	struct deadline due;
};

struct registrations {
	struct registration *first;
	struct deadlines dues;
	bool leaving; /* all are being removed */
};

/* Wipes what it frees. */
void registrations_free(struct registrations *registrations);
/* Keeps the credentials of the policy's enabled trunks that register. Those it has no more are
 * removed at their upstream when they are due next, which is now. 0 or -ENOMEM. */
int registrations_follow(struct registrations *registrations, const struct policy *policy,
			 uint64_t now_ns);
/* Removes all at their upstreams. */
void registrations_leave(struct registrations *registrations, uint64_t now_ns);

struct registration *registration_find(const struct registrations *registrations,
				       int64_t credential_id);
/* The first that has something to say now, or NULL. */
struct registration *registration_due(const struct registrations *registrations, uint64_t now_ns);
/* When the next one is due; UINT64_MAX if none ever is. */
uint64_t registrations_deadline(const struct registrations *registrations);
void registration_free(struct registrations *registrations, struct registration *registration);

/* It was granted for so long; it was refused or not answered (status 0), and is to be tried again
 * after the seconds or, if they are fewer, the back-off. */
void registration_granted(struct registrations *registrations, struct registration *registration,
			  unsigned seconds, uint64_t now_ns);
void registration_failed(struct registrations *registrations, struct registration *registration,
			 unsigned after_s, uint64_t now_ns);

#endif
