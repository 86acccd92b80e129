/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transactions: the client's (RFC 3261 §17.2, we are the server) and the one towards the next hop
 * (§17.1, we are the client) in one, as a request goes to one place only. Found by the branch id,
 * which both sides can be asked for.
 */
#ifndef SIPWARD_PROXY_TXN_H
#define SIPWARD_PROXY_TXN_H

#include "base/table.h"
#include "net/net.h"
#include "proxy/deadline.h"
#include "sip/sip_msg.h"

enum txn_state {
	TXN_CALLING,	/* sent, nothing heard */
	TXN_PROCEEDING, /* a provisional response was heard */
	TXN_ACCEPTED,	/* INVITE: 2xx; later ones pass (RFC 6026) */
	TXN_COMPLETED,	/* final response sent; INVITE: waiting for the ACK */
	TXN_CONFIRMED,	/* INVITE: ACK heard */
};

enum txn_cancel {
	TXN_NOT_CANCELLED,
	TXN_CANCEL_WANTED, /* to be sent when a provisional response allows it (§9.1) */
	TXN_CANCEL_SENT,
	TXN_CANCEL_ANSWERED,
};

/* Bytes of its own, or none. */
struct blob {
	char *p;
	size_t n;
};
/* Replaces what is there. 0 or -ENOMEM, with the blob then empty. */
int blob_set(struct blob *blob, struct slice bytes);
void blob_clear(struct blob *blob);
struct slice blob_slice(const struct blob *blob);

struct txn {
	struct table_node node;
	struct deadline deadline; /* the earlier of resend_ns and give_up_ns */
	uint64_t id;		  /* branch id */
	enum sip_method method;
	enum txn_state state;
	enum txn_cancel cancel;
	unsigned give_up_status;   /* what to answer if a cancelled INVITE stays silent */
	bool from_customer;	   /* the request; responses then come from the upstream */
	bool in_dialog;
	bool anonymous;		   /* the caller's name is kept from the upstream */
	bool counted;		   /* the trunk limits how many calls there are */
	int64_t trunk_id, user_id; /* who placed the call; user 0 = nobody in particular */
	struct net_path requester; /* where responses go */
	struct net_path target;	   /* where the request went */
	uint64_t resend_ns;	   /* 0 = nothing to repeat */
	uint64_t interval_ns;	   /* the last distance between repetitions */
	uint64_t give_up_ns;
	struct blob request;  /* as forwarded; gone when it is not needed any more */
	struct blob response; /* the last one sent to the requester */
	struct blob from;     /* the requester's own From, where the next hop got another */
	struct blob ack;      /* INVITE: what acknowledges its failure to the next hop */
};

struct txns {
	struct table table;
	struct deadlines deadlines;
	size_t limit;
};

int txns_init(struct txns *txns, size_t limit);
/* Accepts a zeroed one. */
void txns_free(struct txns *txns);

struct txn *txn_find(const struct txns *txns, uint64_t id);
/* Adds an empty transaction. 0, -ENOSPC at the limit, -ENOMEM. */
int txn_create(struct txns *txns, uint64_t id, struct txn **ret_txn);
void txn_free(struct txns *txns, struct txn *txn);

/* When the next thing is due: resend_ns (0 = never) or give_up_ns. */
void txn_schedule(struct txns *txns, struct txn *txn, uint64_t resend_ns, uint64_t give_up_ns);
/* The first transaction that is due at now, or NULL. */
struct txn *txn_due(const struct txns *txns, uint64_t now_ns);

#endif
