/* SPDX-License-Identifier: BSD-2-Clause */
/* Responses on their way back (RFC 3261 §16.7). */
#include "proxy/identity.h"
#include "proxy/proxy_internal.h"
#include "sip/sip_reply.h"

#define SIP_PORT 5060

/* Whose response it is, and who gets it. */
struct response_way {
	bool to_customer;
	bool upstream_trusted;
	bool anonymous;
	struct slice from; /* what From says to who gets it; empty: what it says */
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
		sip_edit_replace(edit, sip_msg_value(msg, SIP_FROM), "%.*s", (int)way->from.n,
				 way->from.p);
	rc = sip_edit_write(edit, proxy->out, sizeof(proxy->out), &n);
	if (!rc)
		*ret_message = (struct slice){proxy->out, n};
	return rc;
}

/* Sends it on to the requester. keep: to be sent again when asked. */
static void response_forward(struct proxy *proxy, struct txn *txn, const struct sip_msg *msg,
			     bool keep)
{
	const struct policy_trunk *trunk =
		policy_trunk_by_id(proxy->admission.policy, txn->trunk_id);
	struct response_way way = {
		.to_customer = txn->from_customer,
		.upstream_trusted = trunk && trunk->config.upstream_trusted,
		.anonymous = txn->anonymous,
		.from = blob_slice(&txn->from),
	};
	struct slice message;

	if (response_write(proxy, msg, &way, &message))
		return;
	if (keep && blob_set(&txn->response, message))
		proxy_count(proxy, PROXY_NO_MEMORY);
	proxy_send(proxy, &txn->requester, message);
}

/* ---- by transaction ---- */

/* The failure of an INVITE is acknowledged hop by hop (RFC 3261 §17.1.1.3). The ACK takes the
 * request's place: nothing else of it is needed from here on. */
static void acknowledge(struct proxy *proxy, struct txn *txn, const struct sip_msg *response)
{
	struct slice room = {proxy->made, sizeof(proxy->made)};
	struct slice to = response->headers[response->first[SIP_TO]].line;
	const char *why;
	size_t n;

	if (!txn->ack.p && txn->request.p &&
	    sip_msg_parse(blob_slice(&txn->request), &proxy->second, &why) == SIP_PARSE_OK &&
	    hop_request_write(&proxy->second, SLICE("ACK"), to, room, &n) == 0 &&
	    blob_set(&txn->ack, (struct slice){proxy->made, n}) == 0)
		blob_clear(&txn->request);
	if (txn->ack.p)
		proxy_send(proxy, &txn->target, blob_slice(&txn->ack));
}

static void provisional(struct proxy *proxy, struct txn *txn, const struct sip_msg *msg)
{
	bool invite = txn->method == SIP_INVITE;
	uint64_t now = proxy->now_ns;

	if (msg->status > 100)
		response_forward(proxy, txn, msg, true);
	txn->state = TXN_PROCEEDING;
	if (txn->cancel == TXN_CANCEL_WANTED)
		timer_cancel(proxy, txn);
	else if (txn->cancel == TXN_NOT_CANCELLED && invite)
		txn_schedule(&proxy->txns, txn, 0, now + TIMER_C_NS);
	else if (!invite)
		txn_schedule(&proxy->txns, txn, now + TIMER_T2_NS, txn->give_up_ns);
}

static void final(struct proxy *proxy, struct txn *txn, const struct sip_msg *msg)
{
	bool success = msg->status < 300, invite = txn->method == SIP_INVITE;
	uint64_t now = proxy->now_ns;

	rules_answered(proxy, txn, msg);
	response_forward(proxy, txn, msg, !(invite && success));
	txn->state = invite && success ? TXN_ACCEPTED : TXN_COMPLETED;
	if (txn->state == TXN_ACCEPTED)
		blob_clear(&txn->response);
	/* The request of a failed INVITE is kept until its ACK is made of it. */
	if (!invite || success)
		blob_clear(&txn->request);
	txn->interval_ns = TIMER_T1_NS;
	txn_schedule(&proxy->txns, txn, invite && !success ? now + TIMER_T1_NS : 0,
		     now + TIMER_64T1_NS);
}

/* Each 2xx belongs to the caller, however late (RFC 3261 §16.7 step 5). */
static void late_answer(struct proxy *proxy, struct txn *txn, const struct sip_msg *msg)
{
	rules_answered(proxy, txn, msg);
	response_forward(proxy, txn, msg, false);
}

static void response_by_txn(struct proxy *proxy, struct txn *txn, const struct sip_msg *msg)
{
	bool open = txn->state == TXN_CALLING || txn->state == TXN_PROCEEDING;
	bool success = msg->status >= 200 && msg->status < 300;

	if (open && msg->status < 200)
		provisional(proxy, txn, msg);
	else if (open)
		final(proxy, txn, msg);
	else if (txn->method == SIP_INVITE && success)
		late_answer(proxy, txn, msg);
	if (txn->method == SIP_INVITE && msg->status >= 300 && txn->state != TXN_ACCEPTED)
		acknowledge(proxy, txn, msg);
}

void response_make(struct proxy *proxy, struct txn *txn, unsigned status)
{
	char tag[MAC_TEXT_SIZE];
	struct sip_reply reply = {
		.status = status,
		.to_tag = {tag, sizeof(tag) - 1},
		.source = txn->target.local,
	};
	const char *why;
	size_t n;

	reply_tag(proxy, txn->id, tag);
	if (sip_msg_parse(blob_slice(&txn->request), &proxy->second, &why) != SIP_PARSE_OK ||
	    sip_reply_write(&proxy->second, &reply, proxy->made, sizeof(proxy->made), &n) ||
	    sip_msg_parse((struct slice){proxy->made, n}, &proxy->second, &why) != SIP_PARSE_OK)
		return;
	final(proxy, txn, &proxy->second);
}

/* ---- by Via alone ---- */

/* received and rport of the client's Via; we wrote them ourselves (RFC 3261 §18.2.2). */
static bool via_destination(const struct sip_via *via, struct endpoint *ret_endpoint)
{
	ret_endpoint->port = via->rport ? via->rport : via->port ? via->port : SIP_PORT;
	return via_source(via, &ret_endpoint->ip) == 0;
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
			       const struct sip_via *client_via, const struct net_path *received)
{
	struct net_path path = {.transport = NET_UDP};
	struct response_way way;
	struct slice message;

	if (msg->status == 100 || msg->method == SIP_CANCEL ||
	    !via_destination(client_via, &path.remote) ||
	    proxy->output.local_for(proxy->output.arg, &path.remote, &path.local))
		return;
	way = way_by_addresses(proxy, received, &path);
	if (response_write(proxy, msg, &way, &message))
		return;
	proxy_count(proxy, PROXY_RESPONSE_STATELESS);
	proxy_send(proxy, &path, message);
}

/* Whether the topmost Via is ours, put there for the client whose Via is the next one. */
static bool response_verify(struct proxy *proxy, const struct sip_msg *msg,
			    const struct sip_via *client_via, uint64_t *ret_id)
{
	struct slice element;
	struct sip_via own = {0};
	struct ip source;
	bool good;

	if (via_source(client_via, &source) || !via_element(msg, 0, &element) ||
	    sip_via_parse(element, &own))
		return false;
	*ret_id = branch_id(proxy->branch_key, msg, client_via, &source);
	good = branch_has_id(own.branch, *ret_id);
	sip_via_free(&own);
	return good;
}

/* To a CANCEL of ours, which had no other Via than ours. */
static bool response_to_cancel(struct proxy *proxy, const struct sip_msg *msg)
{
	struct txn *txn = NULL;
	struct slice element;
	struct sip_via own = {0};
	uint64_t id;

	if (msg->method != SIP_CANCEL || !via_element(msg, 0, &element) ||
	    sip_via_parse(element, &own))
		return false;
	if (branch_read_id(own.branch, &id) == 0)
		txn = txn_find(&proxy->txns, id);
	sip_via_free(&own);
	if (!txn)
		return false;
	if (txn->cancel == TXN_CANCEL_SENT && msg->status >= 200) {
		txn->cancel = TXN_CANCEL_ANSWERED;
		if (txn->state == TXN_PROCEEDING)
			txn_schedule(&proxy->txns, txn, 0, txn->give_up_ns);
	}
	return true;
}

static void response_dispatch(struct proxy *proxy, const struct sip_msg *msg,
			      const struct sip_via *client_via, const struct net_path *path,
			      uint64_t id)
{
	struct txn *txn = txn_find(&proxy->txns, id);

	if (!txn)
		response_stateless(proxy, msg, client_via, path);
	else if (msg->method == txn->method)
		response_by_txn(proxy, txn, msg);
}

void response_receive(struct proxy *proxy, const struct sip_msg *msg, const struct net_path *path)
{
	struct slice element;
	struct sip_via client_via = {0};
	uint64_t id;

	proxy_count(proxy, PROXY_RESPONSES);
	if (!via_element(msg, 1, &element) || sip_via_parse(element, &client_via)) {
		if (!response_to_cancel(proxy, msg))
			proxy_count(proxy, PROXY_RESPONSE_UNVERIFIED);
		return;
	}
	if (response_verify(proxy, msg, &client_via, &id))
		response_dispatch(proxy, msg, &client_via, path, id);
	else
		proxy_count(proxy, PROXY_RESPONSE_UNVERIFIED);
	sip_via_free(&client_via);
}
