/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transactions. The client's (RFC 3261 §17.2, we are the server) is a txn; each request that we
 * send on for it (§17.1, we are the client) is an attempt of it: the first, one to another hop
 * where the first was silent, one with credentials, one for each contact of a called user. A txn
 * is found by the branch id, which both sides can be asked for; an attempt by its number in it.
 */
#ifndef SIPWARD_PROXY_TXN_H
#define SIPWARD_PROXY_TXN_H

#include "base/pool.h"
#include "base/table.h"
#include "net/net.h"
#include "proxy/deadline.h"
#include "proxy/token.h"
#include "sip/sip_msg.h"

#define TXN_ATTEMPTS_MAX 128

/* The earlier of resend_ns and give_up_ns. */
struct txn_timer {
	struct deadline deadline;
	struct txn *txn;
	struct attempt *attempt; /* whose it is; NULL: the transaction's own */
	uint64_t resend_ns;	 /* 0 = nothing to repeat */
	uint64_t interval_ns;	 /* the last distance between repetitions */
	uint64_t give_up_ns;
};

/* Bytes of its own, or none. */
struct blob {
	char *p;
	size_t n;
};
/* Replaces what is there by a copy. 0 or -ENOMEM, with the blob then empty. */
int blob_set(struct pool *pool, struct blob *blob, struct slice bytes);
void blob_clear(struct pool *pool, struct blob *blob);
struct slice blob_slice(const struct blob *blob);

enum attempt_state {
	ATTEMPT_CALLING,    /* sent, nothing heard */
	ATTEMPT_PROCEEDING, /* a provisional response was heard */
	ATTEMPT_ACCEPTED,   /* INVITE: 2xx; later ones pass (RFC 6026) */
	ATTEMPT_ENDED,	    /* another final response was heard, or none will be */
};

enum attempt_cancel {
	ATTEMPT_NOT_CANCELLED,
	ATTEMPT_CANCEL_WANTED, /* to be sent when a provisional response allows it (§9.1) */
	ATTEMPT_CANCEL_SENT,
	ATTEMPT_CANCEL_ANSWERED,
};

struct attempt {
	struct attempt *next; /* of the transaction */
	struct txn_timer timer;
	unsigned number; /* in the branch, from 0 on */
	enum attempt_state state;
	enum attempt_cancel cancel;
	bool passed_over;	/* another was made in its place: only a 2xx still counts */
	bool unreachable;	/* the transport has failed */
	bool progressed;	/* more than 100 was heard */
	unsigned cseq_offset;	/* what CSeq was raised by */
	int64_t credential_id;	/* ours there; 0 = none */
	bool challenged;	/* the request was asked for credentials, and this answers */
	unsigned answers;	/* how often credentials were sent to this hop by now */
	uint64_t sent_ns;
	uint64_t expires_ns;	/* timers B and F */
	struct net_path target; /* where the request went; set by attempt_set_target */
	struct blob name;	/* that of the target: the policy it was of may be gone */
	struct blob request;	/* as sent; gone when it is not needed any more */
	struct blob ack;	/* INVITE: what acknowledges its failure */
};

enum txn_state {
	TXN_PROCEEDING, /* no final response was sent */
	TXN_ACCEPTED,	/* INVITE: 2xx sent (RFC 6026) */
	TXN_COMPLETED,	/* final response sent; INVITE: waiting for the ACK */
	TXN_CONFIRMED,	/* INVITE: ACK heard */
};

/* Whose a transaction is. */
enum txn_own {
	OWN_NOT,  /* a requester's */
	OWN_PING, /* ours: OPTIONS to a hop */
	OWN_REGISTER, /* ours: to an upstream */
};

struct txn {
	struct table_node node;
	struct txn_timer timer; /* runs once a final response was sent */
	uint64_t id;		/* branch id */
	uint64_t loop;		/* the loop part of its branches */
	enum sip_method method;
	enum txn_state state;
	enum txn_own own;
	bool cancelled;		   /* the requester has changed its mind */
	bool can_move;		   /* to another hop of its trunk, if one fails */
	bool secure, large;	   /* see struct target_choice */
	bool from_customer;	   /* the request; responses then come from the upstream */
	bool in_dialog;
	bool anonymous;		   /* the caller's name is kept from the upstream */
	bool counted;		   /* the trunk limits how many calls there are */
	bool record_route;	   /* token is written into what is sent */
	unsigned own_fields;	   /* that lead the requests sent: our Via and Record-Routes */
	int64_t trunk_id, user_id; /* who placed the call; user 0 = nobody in particular */
	struct net_path requester; /* where responses go */
	uint16_t answer_port;	   /* the same, where the connection is gone */
	/* Where it goes if its connection is gone; transport 0 = to the same place by another. */
	struct net_path detour;
	bool detoured;
	struct token token;
	struct attempt *attempts; /* the latest first; none: we answer ourselves */
	unsigned attempt_count;
	struct blob response; /* the last one sent to the requester */
	struct blob best;     /* the best failure so far, as received */
	unsigned best_status; /* 0 = none */
	const struct attempt *best_of; /* which got it: its CSeq is raised as that one's was */
	struct blob from;     /* the requester's own From, where the next hop got another */
	struct blob chosen;   /* the user whose credential is to be used; none: the default */
};

struct txns {
	struct table table;
	struct deadlines deadlines;
	struct pool pool; /* what all of them are made of */
	size_t limit;
};

int txns_init(struct txns *txns, size_t limit);
/* Accepts a zeroed one. */
void txns_free(struct txns *txns);

struct txn *txn_find(const struct txns *txns, uint64_t id);
/* Adds an empty transaction without attempts. 0, -ENOSPC at the limit, -ENOMEM. */
int txn_create(struct txns *txns, uint64_t id, struct txn **ret_txn);
/* With its attempts. */
void txn_free(struct txns *txns, struct txn *txn);

/* Adds an attempt to send the request. 0, -ENOSPC (TXN_ATTEMPTS_MAX), -ENOMEM. */
int attempt_create(struct txns *txns, struct txn *txn, struct slice request,
		   struct attempt **ret_attempt);
/* 0 or -ENOMEM. */
int attempt_set_target(struct txns *txns, struct attempt *attempt, const struct net_path *target);
struct attempt *attempt_find(const struct txn *txn, unsigned number);
/* Whether a final response of it can still be the transaction's. */
bool attempt_is_open(const struct attempt *attempt);
bool txn_has_open(const struct txn *txn);

/* When the next thing is due: resend_ns (0 = never) or give_up_ns. */
void timer_set(struct txns *txns, struct txn_timer *timer, uint64_t resend_ns, uint64_t give_up_ns);
/* The first that is due at now, or NULL. */
struct txn_timer *timer_due(const struct txns *txns, uint64_t now_ns);

#endif
