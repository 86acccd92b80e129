/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIPWARD_PROXY_INTERNAL_H
#define SIPWARD_PROXY_INTERNAL_H

#include "base/clock.h"
#include "policy/caller.h"
#include "policy/vouch.h"
#include "proxy/branch.h"
#include "proxy/calls.h"
#include "proxy/health.h"
#include "proxy/mac.h"
#include "proxy/outbound.h"
#include "proxy/proxy.h"
#include "proxy/registration.h"
#include "proxy/report.h"
#include "proxy/source.h"
#include "proxy/token.h"
#include "proxy/txn.h"
#include "record/record.h"
#include "sip/sip_edit.h"

#define SIP_PORT 5060
#define SIPS_PORT 5061

#define TIMER_T1_NS (500 * NS_PER_MS)
#define TIMER_T2_NS (4 * NS_PER_S)
#define TIMER_64T1_NS (64 * TIMER_T1_NS)
#define TIMER_C_NS (185 * NS_PER_S) /* more than 3 minutes (RFC 3261 §16.6 step 11) */

struct proxy_shared {
	struct calls calls;
	struct proofs proofs;
	struct sources sources;
	struct health health;
	struct outbounds outbounds;
};

struct proxy {
	struct proxy_output output;
	struct admission admission;
	struct registrar *registrar;
	struct records *records;
	uint8_t branch_key[16];
	uint8_t dialog_key[16];
	struct txns txns;
	struct proxy_shared *shared, *own_shared; /* own: NULL if borrowed */
	bool leads; /* see struct proxy_options */
	struct registrations registrations;
	struct report report;
	bool draining;
	uint64_t counters[PROXY_COUNTERS];
	uint64_t now_ns;
	/* Working space of the message in hand. */
	struct sip_msg msg;    /* as received */
	struct sip_msg second; /* one made of a stored message */
	struct sip_edit edit;
	struct admission_result decision;
	struct registrar_result registered;
	char out[NET_DATAGRAM_MAX];
	char field[OUTBOUND_FIELD_SIZE];
	char
	    made[NET_DATAGRAM_MAX]; /* a message of our own making, before it is sent through out */
};

/* A request in hand. */
struct request {
	const struct sip_msg *msg;
	const struct net_path *path; /* as received */
	struct branch branch;	     /* ours, should it be forwarded */
	bool client_verified;	     /* it came with a TLS certificate that we trust */
};

/* ---- request.c, dialog.c ---- */

void request_receive(struct proxy *proxy, const struct sip_msg *msg,
		     const struct net_packet *packet);
bool request_makes_dialog(enum sip_method method);
/* Its URI is of the scheme sips. */
bool request_is_secure(const struct sip_msg *msg);
/* Forwards it by the signed token in its Route. False: it has none that is good. *ret_trunk is then
 * set if the token is genuine: the trunk to be admitted by again. */
bool dialog_receive(struct proxy *proxy, const struct request *request,
		    const struct policy_trunk **ret_trunk);

/* ---- registrar.c, deliver.c ---- */

/* Answers a REGISTER where we are the registrar. False: it is none, or is to be treated as any
 * other request. */
bool register_receive(struct proxy *proxy, const struct request *request,
		      const struct admission_result *admitted);
/* A request out of dialog from an upstream, to a user who has registered. */
void deliver_receive(struct proxy *proxy, const struct request *request);

/* ---- hop.c: what is said to the next hop alone ---- */

/* Where a request goes next, and what differs there. */
struct hop {
	struct net_path target;	  /* remote and local filled in */
	struct slice uri;	  /* the Request-URI in place of the old one; empty: it stays */
	unsigned cseq_offset;	  /* added to the number of CSeq */
	int64_t credential_id;	  /* ours there; 0 = none */
	bool challenged;	  /* the request was, there */
	unsigned answers;	  /* how often credentials were sent there with it */
};
struct hop_fields {
	const struct hop *hop;
	struct branch branch;
	const struct token *token;	/* for Record-Route; NULL: none */
	const struct net_path *outside; /* the way of the request's sender */
};
#define HOP_VIA_SIZE (ENDPOINT_TEXT_SIZE + BRANCH_TEXT_SIZE + 40)
/* Our Via for a target, with its line end. */
void hop_via_format(const struct net_path *target, const struct branch *branch,
		    char text[HOP_VIA_SIZE]);
/* Writes our Via and Record-Routes in front of the message of proxy->edit. Returns how many fields
 * these are. */
unsigned hop_insert_fields(struct proxy *proxy, const struct hop_fields *fields);
/* The other edits that a hop asks for. */
void hop_edit(struct sip_edit *edit, const struct hop *hop);
/* The ACK for a failure, or the CANCEL, of a request as it was forwarded (RFC 3261 §17.1.1.3,
 * §9.1). to: the To header field of the response, with its line end; empty: the request's own.
 * 0 or -ENOSPC. */
int hop_request_write(const struct sip_msg *sent, struct slice method, struct slice to,
		      struct slice room, size_t *ret_n);
/* Fills in which address of ours the target is reached from. 0 or a negative errno. */
int hop_route(struct proxy *proxy, struct net_path *target);

/* ---- forward.c ---- */

#define FORWARD_UDP_MAX 1300 /* by UDP, where the hop offers a stream (RFC 3261 §18.1.1) */
#define FORWARD_MAX (NET_DATAGRAM_MAX - 28) /* with the headers of IPv4 and UDP before it */

struct forward {
	const struct request *request;
	const struct policy_trunk *trunk;
	struct hop hop;
	bool from_customer; /* strip what an untrusted side must not say */
	/* The edits that only some requests need; see forward_write. */
	const struct admission_result *admitted; /* NULL in dialog */
	const struct caller_decision *caller;	 /* NULL unless it is the customer who calls */
	struct token token;			 /* the call's; written if record_route */
	bool record_route;
	bool in_dialog;
	bool can_move; /* to another hop of the trunk, if this one fails */
	bool secure, large; /* see struct target_choice */
	struct net_path detour; /* see struct txn */
	struct slice chosen; /* the user whose credential is to be used; empty: the default */
	unsigned own_fields; /* set by forward_write: how many of ours lead the message */
};

/* Writes the request as it leaves into proxy->out. 0, or the sticky error of struct sip_edit. */
int forward_write(struct proxy *proxy, struct forward *forward, struct slice *ret_message);
/* Sends it with a transaction (an ACK by UDP without) and answers what can not be sent. True if
 * sent; the transaction, or NULL, is for further attempts. */
bool forward_send(struct proxy *proxy, struct forward *forward, struct txn **ret_txn);

/* ---- own.c: requests that are nobody's but ours ---- */

struct own_request {
	enum txn_own kind;
	enum sip_method method;
	const char *method_text;
	struct net_path target; /* remote and local filled in */
	const char *uri;	/* of the request */
	const char *from, *to;	/* URIs */
	const char *headers;	/* further fields, each with CRLF */
	const char *call_id;	/* NULL: one of its own */
	unsigned cseq;
	const struct policy_outbound *credential; /* NULL: challenges are not answered */
	int64_t trunk_id;
};
/* A Call-ID such that the answers come to this worker. */
void own_call_id(const struct proxy *proxy, char text[MAC_TEXT_SIZE]);
/* 0, -ENOSPC, -ENOMEM. */
int own_send(struct proxy *proxy, const struct own_request *own);
/* Asks the hop whether it lives. */
void own_ping(struct proxy *proxy, const struct health_hop *hop);
/* A final response was heard to a request of our own, or none will be (msg NULL). */
void own_answered(struct proxy *proxy, const struct attempt *attempt, const struct sip_msg *msg);

/* ---- enrol.c: our registrations at upstreams ---- */

void enrol_due(struct proxy *proxy, struct registration *registration);
void enrol_answered(struct proxy *proxy, const struct attempt *attempt, const struct sip_msg *msg);
void enrol_unanswered(struct proxy *proxy, const struct attempt *attempt);

/* ---- authenticate.c: hops that ask us for credentials ---- */

/* What the trunk has for the hop under this id; NULL: nothing. The other: for the transaction. */
const struct policy_outbound *authenticate_credential(const struct policy_trunk *trunk,
						      const struct net_path *target, int64_t id);
const struct policy_outbound *authenticate_credential_of(const struct proxy *proxy,
							 const struct txn *txn,
							 const struct net_path *target,
							 int64_t id);
/* Puts the credential, if there is one, into a message in proxy->out that is about to go to the
 * hop, behind our fields that lead it, if the hop has asked for it before. Else it goes as is. */
void authenticate_message(struct proxy *proxy, const struct policy_outbound *credential,
			  struct hop *hop, unsigned *own_fields, struct slice *message);
/* The upstream's 401 or 407: tries again with credentials. False: that can not be; *ret_ours says
 * whether it was for us to answer. */
bool authenticate_again(struct proxy *proxy, struct attempt *attempt, const struct sip_msg *msg,
			bool *ret_ours);
/* The upstream's 2xx: if the credentials were let in, their realm is theirs from here on. */
void authenticate_accepted(struct proxy *proxy, const struct attempt *attempt);

/* ---- attempt.c: requests that we send on, as their client ---- */

/* Sends the message as an attempt of the transaction. 0, -ENOSPC, -ENOMEM. */
int attempt_send(struct proxy *proxy, struct txn *txn, const struct hop *hop, struct slice message);
/* Sends what the first attempt sent to another hop. The same, and the errors of struct sip_edit. */
int attempt_again(struct proxy *proxy, struct txn *txn, struct hop *hop);
/* The Request-URI of the first attempt. 0 or -EINVAL. */
int attempt_uri(struct proxy *proxy, const struct txn *txn, struct slice *ret_uri);
/* Cancels an INVITE as soon as that may be; all that are open. */
void attempt_cancel(struct proxy *proxy, struct attempt *attempt);
void attempt_cancel_open(struct proxy *proxy, struct txn *txn);
void attempt_cancel_answered(struct proxy *proxy, struct attempt *attempt);
/* Another is made in its place. */
void attempt_pass_over(struct proxy *proxy, struct attempt *attempt);
/* There is none: it waits as long as RFC 3261 says. */
void attempt_wait(struct proxy *proxy, struct attempt *attempt);
/* The transport has failed: it is given up at the next tick. */
void attempt_unreachable(struct proxy *proxy, struct attempt *attempt);
void attempt_provisional(struct proxy *proxy, struct attempt *attempt);
void attempt_end(struct proxy *proxy, struct attempt *attempt, enum attempt_state state);
/* Acknowledges the failure of an INVITE to the next hop. */
void attempt_acknowledge(struct proxy *proxy, struct attempt *attempt,
			 const struct sip_msg *response);
/* Does what is due, which may end the transaction. */
void attempt_due(struct proxy *proxy, struct attempt *attempt);

/* ---- target.c: which hop of a trunk comes next ---- */

struct target_choice {
	const struct policy_hop *hops;
	size_t hop_count;
	const struct txn *txn; /* not where it has been already; NULL: anywhere */
	bool secure;	       /* by TLS alone (sips) */
	bool large;	       /* not by UDP where there is another way (RFC 3261 §18.1.1) */
};
/* The hop to try next, with the way there. NULL: none is left, or can be reached. */
const struct policy_hop *target_pick(struct proxy *proxy, const struct target_choice *choice,
				     struct net_path *ret_target);
/* A hop's URI with the user and the scheme of the URI that is called: sips is neither lost nor
 * gained on the way (RFC 5630 §5.3). 0 or -ENOSPC. */
#define TARGET_URI_SIZE (STORE_URI_SIZE + 256)
int target_uri(const struct policy_hop *hop, struct slice called, char ret_uri[TARGET_URI_SIZE]);
/* Whether the transaction could go to another hop of its trunk, and sends it there. */
bool target_remains(const struct proxy *proxy, const struct txn *txn);
bool target_next(struct proxy *proxy, struct txn *txn);
/* Sends it once more after its connection has failed: by its detour, or by a new connection. */
bool target_detour(struct proxy *proxy, struct txn *txn);
/* Puts in what the trunk knows of a hop that a call goes to: the name its certificate is for, and
 * the stream that a large request takes instead of UDP. Returns it; NULL: nothing is known. */
const struct policy_hop *target_refine(const struct policy_trunk *trunk, bool large,
				       struct net_path *target);

/* ---- outcome.c: what becomes of a request as its attempts end ---- */

/* A final response was heard. */
void outcome_final(struct proxy *proxy, struct attempt *attempt, const struct sip_msg *msg);
/* None will be. May free the transaction. */
void outcome_silent(struct proxy *proxy, struct attempt *attempt);
/* None came within the failover time: another hop is tried, if there is one. */
void outcome_slow(struct proxy *proxy, struct attempt *attempt);

/* ---- rules.c: what a trunk allows its callers ---- */

/* Whether the trunk's rules on numbers and calls let an admitted request pass, and how; if not, it
 * has been answered. One that is not sent after all is taken back by rules_undo. */
bool rules_pass(struct proxy *proxy, const struct request *request,
		const struct admission_result *admitted, struct caller_decision *ret_caller);
void rules_undo(struct proxy *proxy, const struct request *request);
/* Counts by what becomes of requests: a final response passes, or none ever came. */
void rules_answered(struct proxy *proxy, const struct txn *txn, const struct sip_msg *response);
void rules_unanswered(struct proxy *proxy, const struct txn *txn);

/* Keyed hashes that name a call by the tag of the party that began it, and its dialog. */
uint64_t rules_call_id(const struct proxy *proxy, const struct sip_msg *msg, struct slice tag);
uint64_t rules_dialog_id(const struct proxy *proxy, const struct sip_msg *msg, struct slice tag,
			 struct slice other_tag);

/* ---- accounting.c: what the call records are told ---- */

void account_begin(struct proxy *proxy, const struct forward *forward);
/* An INVITE goes to another hop. */
void account_moved(struct proxy *proxy, const struct sip_msg *sent, const struct hop *hop);
/* An INVITE was refused by the gate. */
struct account_refusal {
	unsigned status;
	struct slice user; /* who it said to be; empty: nobody */
	bool auth;	   /* for its address or credentials */
};
void account_refused(struct proxy *proxy, const struct request *request,
		     const struct policy_trunk *trunk, const struct account_refusal *refusal);
/* The transaction's final response. ours: made by the gate. */
void account_answered(struct proxy *proxy, const struct attempt *attempt,
		      const struct sip_msg *msg, bool ours);
/* There will be none. */
void account_unanswered(struct proxy *proxy, const struct txn *txn);
/* What the dialog of a request or response has to remember; NULL: it is not known. */
struct record_numbers *account_numbers(struct proxy *proxy, const struct sip_msg *msg,
				       bool by_caller);

/* ---- route.c ---- */

/* Whether a URI's host and port are ours. */
bool uri_is_local(struct proxy *proxy, const struct sip_uri *uri);
/* Removes the Route elements at the front that are ours. */
void route_strip_own(struct proxy *proxy, const struct sip_msg *msg);
/* The URI of the next Route element; false if there is none that can be read. */
bool route_next(struct sip_walk *routes, struct sip_uri *ret_uri);

/* ---- reply.c ---- */

/* Whether somebody vouches for the source: an ACL, an upstream's address, a recent proof. */
bool source_is_vouched(struct proxy *proxy, const struct ip *ip);
/* Answers without state, within the budget if nobody vouches for the source. headers: further
 * fields with CRLF, may be empty. */
void reply_stateless(struct proxy *proxy, const struct request *request, unsigned status,
		     struct slice headers);
/* Counts and logs a refusal, and answers it unless it is an ACK. */
void reply_refuse(struct proxy *proxy, const struct request *request, unsigned status,
		  const char *cause);
/* A 400 or 505 to a message that could not be read to its end. */
void reply_unreadable(struct proxy *proxy, const struct net_path *path, unsigned status,
		      const char *why);
/* Writes a reply into proxy->made. 0 or -ENOSPC. */
int reply_write(struct proxy *proxy, const struct request *request, unsigned status,
		struct slice headers, struct slice *ret_message);
/* The To tag of replies to a transaction: a retransmission gets it again, with nothing kept
 * (RFC 3261 §8.2.7). */
void reply_tag(const struct proxy *proxy, uint64_t id, char text[MAC_TEXT_SIZE]);
/* Where replies to the request go. */
struct net_path reply_path(const struct request *request);

/* ---- response.c ---- */

void response_receive(struct proxy *proxy, const struct sip_msg *msg, const struct net_path *path);
/* Sends it on to the requester. keep: to be sent again when asked. */
void response_forward(struct proxy *proxy, const struct attempt *attempt, const struct sip_msg *msg,
		      bool keep);
/* Makes a response to an attempt as if the next hop had sent it; valid until the next message is
 * made. */
bool response_make(struct proxy *proxy, const struct attempt *attempt, unsigned status,
		   struct sip_msg **ret_msg);

/* ---- timer.c ---- */

/* Does what is due, which may end the transaction. */
void timer_fire(struct proxy *proxy, struct txn_timer *timer);
/* The transaction has been answered: from now on it only waits. */
void timer_complete(struct proxy *proxy, struct txn *txn, enum txn_state state);

/* ---- proxy.c ---- */

void proxy_count(struct proxy *proxy, enum proxy_counter counter);
/* Sends bytes that lie in one piece. 0, or a negative errno, which has been counted. */
int proxy_send(struct proxy *proxy, const struct net_path *path, struct slice message);

#endif
