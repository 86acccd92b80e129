/* SPDX-License-Identifier: BSD-2-Clause */
/* Responses on their way back (RFC 3261 §16.7). */
#include "proxy/identity.h"
#include "proxy/proxy_internal.h"
#include "sip/sip_reply.h"

/* Whose response it is, and who gets it. */
struct response_way {
	bool to_customer;
	bool upstream_trusted;
	bool anonymous;
	struct slice from;    /* what From says to who gets it; empty: what it says */
	unsigned cseq_offset; /* what the request's CSeq was raised by */
};

/* The response without our Via, in proxy->out. 0, or the error of struct sip_edit. */
static int response_write(struct proxy *proxy, const struct sip_msg *msg,
			  const struct response_way *way, struct slice *ret_message)
{
	struct sip_edit *edit = &proxy->edit;
	size_t n;
	int rc;

	sip_edit_begin(edit, msg);
	sip_edit_drop_first_element(edit, msg->first[SIP_VIA]);
	if (way->to_customer)
		identity_withhold(edit, way->upstream_trusted);
	else
		identity_screen(edit, policy_settings(proxy->admission.policy), way->anonymous);
	if (way->from.n)
		sip_edit_replace_text(edit, sip_msg_value(msg, SIP_FROM), way->from);
	if (way->cseq_offset)
		sip_edit_replace(edit, sip_cseq_number(msg), "%u", msg->cseq - way->cseq_offset);
	rc = sip_edit_write(edit, proxy->out, sizeof(proxy->out), &n);
	if (!rc)
		*ret_message = (struct slice){proxy->out, n};
	return rc;
}

void response_forward(struct proxy *proxy, const struct attempt *attempt, const struct sip_msg *msg,
		      bool keep)
{
	struct txn *txn = attempt->timer.txn;
	const struct policy_trunk *trunk =
		policy_trunk_by_id(proxy->admission.policy, txn->trunk_id);
	struct response_way way = {
		.to_customer = txn->from_customer,
		.upstream_trusted = trunk && trunk->config.upstream_trusted,
		.anonymous = txn->anonymous,
		.from = blob_slice(&txn->from),
		.cseq_offset = attempt->cseq_offset,
	};
	struct slice message;

	if (response_write(proxy, msg, &way, &message))
		return;
	if (keep && blob_set(&proxy->txns.pool, &txn->response, message))
		proxy_count(proxy, PROXY_NO_MEMORY);
	proxy_send(proxy, &txn->requester, message);
}

/* ---- by transaction ---- */

static void provisional(struct proxy *proxy, struct attempt *attempt, const struct sip_msg *msg)
{
	bool open = attempt_is_open(attempt);

	if (attempt->state > ATTEMPT_PROCEEDING)
		return;
	if (open && msg->status > 100 && attempt->timer.txn->state == TXN_PROCEEDING &&
	    !attempt->timer.txn->own)
		response_forward(proxy, attempt, msg, true);
	attempt->progressed |= msg->status > 100;
	attempt_provisional(proxy, attempt);
}

static void response_by_txn(struct proxy *proxy, struct attempt *attempt, const struct sip_msg *msg)
{
	if (msg->status < 200)
		provisional(proxy, attempt, msg);
	else
		outcome_final(proxy, attempt, msg);
}

bool response_make(struct proxy *proxy, const struct attempt *attempt, unsigned status,
		   struct sip_msg **ret_msg)
{
	char tag[MAC_TEXT_SIZE];
	struct sip_reply reply = {
		.status = status,
		.to_tag = {tag, sizeof(tag) - 1},
		.source = attempt->target.local,
	};
	const char *why;
	size_t n;

	reply_tag(proxy, attempt->timer.txn->id, tag);
	if (sip_msg_parse(blob_slice(&attempt->request), &proxy->second, &why) != SIP_PARSE_OK ||
	    sip_reply_write(&proxy->second, &reply, proxy->made, sizeof(proxy->made), &n) ||
	    sip_msg_parse((struct slice){proxy->made, n}, &proxy->second, &why) != SIP_PARSE_OK)
		return false;
	*ret_msg = &proxy->second;
	return true;
}

/* ---- by Via alone ---- */

/* received and rport of the client's Via; we wrote them ourselves (RFC 3261 §18.2.2). */
static bool via_destination(const struct sip_via *via, struct net_path *ret_path)
{
	ret_path->transport = slice_eq_nocase(via->transport, SLICE("TCP")) ? NET_TCP :
			      slice_eq_nocase(via->transport, SLICE("TLS")) ? NET_TLS :
									      NET_UDP;
	ret_path->remote.port = via->rport ? via->rport : via->port ? via->port : SIP_PORT;
	return via_source(via, &ret_path->remote.ip) == 0;
}

/* Without the transaction only the addresses tell the sides; who is not known is not believed. */
static struct response_way way_by_addresses(const struct proxy *proxy,
					    const struct net_path *received,
					    const struct net_path *sent)
{
	const struct policy *policy = proxy->admission.policy;
	const struct policy_trunk *upstream =
		policy_trunk_of_upstream(policy, &received->remote.ip);

	return (struct response_way){
		.to_customer = upstream || !policy_is_upstream(policy, &sent->remote.ip),
		.upstream_trusted = upstream && upstream->config.upstream_trusted,
	};
}

static void response_stateless(struct proxy *proxy, const struct sip_msg *msg,
			       const struct net_path *received)
{
	struct net_path path = {0};
	struct response_way way;
	struct slice message;

	if (msg->status == 100 || msg->method == SIP_CANCEL ||
	    !via_destination(&msg->via_below, &path) || hop_route(proxy, &path))
		return;
	way = way_by_addresses(proxy, received, &path);
	if (response_write(proxy, msg, &way, &message))
		return;
	proxy_count(proxy, PROXY_RESPONSE_STATELESS);
	proxy_send(proxy, &path, message);
}

/* Whether the topmost Via is ours, put there for the client whose Via is the next one. */
static bool response_verify(struct proxy *proxy, const struct sip_msg *msg,
			    struct branch *ret_branch)
{
	struct slice own = msg->via.branch;
	struct ip source;

	return via_source(&msg->via_below, &source) == 0 && branch_read(own, ret_branch) == 0 &&
	       branch_has_id(own, branch_id(proxy->branch_key, msg, &msg->via_below, &source,
					    msg->cseq - ret_branch->cseq_offset));
}

/* To a CANCEL of ours, or to a request that is nobody's but ours: they have no other Via. */
static bool response_to_own(struct proxy *proxy, const struct sip_msg *msg)
{
	struct attempt *attempt = NULL;
	struct branch branch;
	struct txn *txn = NULL;

	if (branch_read(msg->via.branch, &branch) == 0)
		txn = txn_find(&proxy->txns, branch.id);
	attempt = txn ? attempt_find(txn, branch.attempt) : NULL;
	if (!attempt || (msg->method != SIP_CANCEL && (!txn->own || msg->method != txn->method)))
		return false;
	if (msg->method == SIP_CANCEL && msg->status >= 200)
		attempt_cancel_answered(proxy, attempt);
	else if (msg->method != SIP_CANCEL)
		response_by_txn(proxy, attempt, msg);
	return true;
}

static void response_dispatch(struct proxy *proxy, const struct sip_msg *msg,
			      const struct net_path *path, const struct branch *branch)
{
	struct txn *txn = txn_find(&proxy->txns, branch->id);
	struct attempt *attempt = txn ? attempt_find(txn, branch->attempt) : NULL;

	if (!txn)
		response_stateless(proxy, msg, path);
	else if (attempt && msg->method == txn->method)
		response_by_txn(proxy, attempt, msg);
}

void response_receive(struct proxy *proxy, const struct sip_msg *msg, const struct net_path *path)
{
	struct branch branch;

	proxy_count(proxy, PROXY_RESPONSES);
	if (!msg->via_below.text.n) {
		if (!response_to_own(proxy, msg))
			proxy_count(proxy, PROXY_RESPONSE_UNVERIFIED);
		return;
	}
	if (response_verify(proxy, msg, &branch))
		response_dispatch(proxy, msg, path, &branch);
	else
		proxy_count(proxy, PROXY_RESPONSE_UNVERIFIED);
}
