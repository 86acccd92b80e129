/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stateful proxy (RFC 3261 §16) for one worker: takes datagrams, asks admission, forwards.
 * What it sends leaves through struct proxy_output, and time is an argument, so that it runs the
 * same in a daemon, a test and a fuzzer. Not thread-safe.
 */
#ifndef SIPWARD_PROXY_H
#define SIPWARD_PROXY_H

#include "net/net.h"
#include "policy/admission.h"

#define PROXY_TRANSACTIONS_DEFAULT 262144

struct proxy_output {
	int (*send)(void *arg, const struct net_path *path, const struct iovec *iov,
		    unsigned count);
	int (*local_for)(void *arg, enum net_transport transport, const struct endpoint *remote,
			 struct endpoint *ret_local);
	bool (*is_local)(void *arg, const struct endpoint *endpoint);
	/* Requests to the port at the path's remote address may take its connection; NULL: none
	 * may. */
	void (*alias)(void *arg, const struct net_path *path, uint16_t port);
	/* The realm of an outbound credential is known now, and what is to be kept in place of its
	 * password; may be NULL. Must not block. */
	void (*learned)(void *arg, int64_t credential_id, const char *realm,
			const struct store_ha1 *ha1);
	void *arg;
	/* Where there are several workers; NULL where there is one: whether a call is this one's;
	 * hands a packet of a call that is not to its worker, which may have no room (false). */
	bool (*is_own)(void *arg, struct slice call_id);
	bool (*pass_on)(void *arg, struct slice call_id, const struct net_packet *packet);
	/* How many messages wait to be handled, roughly; may be NULL. */
	size_t (*waiting)(void *arg);
};

/* What all workers' proxies go by together: the limits of calls, the budgets of answers, who has
 * authenticated himself lately, which upstreams answer, and with what nonces they are answered. */
struct proxy_shared;
/* calls: at most so many under a limit at a time; 0 = the default. 0 or -ENOMEM. */
int proxy_shared_create(size_t calls, struct proxy_shared **ret_shared);
void proxy_shared_free(struct proxy_shared *shared);

struct proxy_options {
	struct proxy_output output;
	struct admission admission; /* all that it points to is borrowed */
	struct registrar *registrar; /* borrowed; NULL: none */
	struct records *records;     /* borrowed; NULL: none are kept */
	struct proxy_shared *shared; /* borrowed; NULL: one of its own */
	uint8_t branch_key[16];
	uint8_t dialog_key[16];
	size_t transactions; /* at most so many at a time; 0 = the default */
	size_t calls;	     /* of a proxy_shared of its own */
	bool leads;	     /* asks upstreams if they live, and registers there, for all workers */
};

struct proxy;

int proxy_create(const struct proxy_options *options, struct proxy **ret_proxy);
void proxy_free(struct proxy *proxy);

/* Decides by another snapshot, filter or lockout table from now on. What was given before is not
 * used any more when this returns. */
void proxy_set_policy(struct proxy *proxy, const struct policy *policy);
void proxy_set_filter(struct proxy *proxy, struct filter *filter, struct lockouts *lockouts);

/* From now on new calls are answered 503, those in progress go on: for when the daemon stops. */
void proxy_drain(struct proxy *proxy);
/* How many requests of others have no final answer yet. Looks at all of them. */
size_t proxy_unanswered(struct proxy *proxy);

/* What it decides by now. */
const struct admission *proxy_admission(const struct proxy *proxy);

/* Handles datagrams. now_ns: clock_coarse_ns. */
void proxy_receive(struct proxy *proxy, const struct net_packet *packets, unsigned n,
		   uint64_t now_ns);
/* A connection could not be made, or was lost with messages unsent: whoever has asked by it, which
 * was at asked_ns last, and waits for an answer tries another way at the next tick. */
void proxy_failed(struct proxy *proxy, const struct net_path *path, uint64_t asked_ns,
		  uint64_t now_ns);
/* A peer broke the rules of its connection: counted against it. */
void proxy_misbehaved(struct proxy *proxy, const struct net_path *path, uint64_t now_ns);
/* Repeats and gives up what is due. */
void proxy_tick(struct proxy *proxy, uint64_t now_ns);
/* When proxy_tick has something to do; UINT64_MAX if nothing is pending. */
uint64_t proxy_deadline(const struct proxy *proxy);

/* Removes its registrations at upstreams: for before it stops. It has when they have answered, or
 * have not in time. */
void proxy_leave(struct proxy *proxy, uint64_t now_ns);
bool proxy_has_left(const struct proxy *proxy);

/* A registration at an upstream. */
struct proxy_registration {
	int64_t credential_id;
	uint64_t until_ns; /* clock_coarse_ns; 0 = it is not registered */
	unsigned status;   /* of the last answer; 0 = there was none */
	unsigned failures; /* in a row */
};
typedef void proxy_registration_visit(const struct proxy_registration *registration, void *arg);
void proxy_registration_each(const struct proxy *proxy, proxy_registration_visit *visit, void *arg);

enum proxy_counter {
	PROXY_RECEIVED,
	PROXY_NOT_SIP,
	PROXY_UNANSWERABLE, /* SIP, but too broken for an answer */
	PROXY_BAD_REQUEST,  /* answered 400 or 505 */
	PROXY_REQUESTS,
	PROXY_RETRANSMISSIONS,	/* requests that were there already */
	PROXY_FORWARDED,	/* requests out of dialog */
	PROXY_DIALOG_FORWARDED, /* requests in dialog, ACKs too */
	PROXY_REGISTERED, /* REGISTERs answered 200 */
	PROXY_CHALLENGED,
	PROXY_REFUSED,
	PROXY_LOCKED_OUT,	 /* requests of locked-out sources that the filter let through */
	PROXY_LOCKED_OUT_SERVED, /* the same in mode monitor */
	PROXY_REPLY_WITHHELD,	 /* the budget of answers to unlisted sources was spent */
	PROXY_ACK_UNMATCHED,
	PROXY_RESPONSES,
	PROXY_RESPONSE_UNVERIFIED, /* the topmost Via is not ours */
	PROXY_RESPONSE_STATELESS,  /* forwarded by Via alone */
	PROXY_TIMEOUTS,		   /* requests that the next hop never answered */
	PROXY_TRANSACTIONS_FULL,
	PROXY_NO_MEMORY,
	PROXY_SEND_FAILED,
	PROXY_CALLS_PER_SECOND, /* refused: too many calls a second */
	PROXY_TOO_MANY_CALLS,	/* refused: too many at a time */
	PROXY_CALLS_FULL,	/* refused: no place to count one more */
	PROXY_OVERLOADED,	/* new calls refused: too much waits, or we are about to stop */
	PROXY_PASSED_ON,	/* packets that another worker was to have */
	PROXY_NOT_PASSED_ON,	/* it had no room for them */
	PROXY_COUNTERS
};
const char *proxy_counter_name(enum proxy_counter counter);

struct proxy_stats {
	uint64_t counters[PROXY_COUNTERS];
	size_t transactions, transaction_limit;
	size_t calls, call_limit; /* of trunks that limit how many there are, of all workers */
};
void proxy_stats(const struct proxy *proxy, struct proxy_stats *ret_stats);

/* What is known of the places that the peers of enabled trunks stand for, each once. */
enum proxy_hop_state {
	PROXY_HOP_UP,
	PROXY_HOP_DOWN,	   /* silent too often in a row */
	PROXY_HOP_WAITING, /* it has asked to be left alone for a while (Retry-After) */
};
struct proxy_hop {
	const char *uri; /* of the peer; of several that share the place one */
	struct endpoint endpoint;
	enum net_transport transport;
	enum proxy_hop_state state;
	uint64_t retry_ns;    /* when a waiting one is tried again */
	unsigned status;      /* of its last answer; 0 = it has not answered yet */
	uint64_t answered_ns; /* when that was */
	unsigned latency_ms;  /* of its last answer to OPTIONS; UINT_MAX = none yet */
	unsigned failures;    /* unanswered in a row */
};
/* In no order. now_ns: clock_coarse_ns. */
void proxy_hops_each(const struct proxy *proxy, uint64_t now_ns,
		     void (*visit)(const struct proxy_hop *hop, void *arg), void *arg);

#endif
