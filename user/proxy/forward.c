/* SPDX-License-Identifier: BSD-2-Clause */
/* What a request looks like when it leaves (RFC 3261 §16.6). What is not named here leaves byte
 * for byte as it came. */
#include <errno.h>
#include <stdio.h>

#include "proxy/identity.h"
#include "proxy/proxy_internal.h"
#include "sip/sip_reply.h"


/* The caller's name is kept from the upstream. */
static bool is_anonymous(const struct forward *forward)
{
	return forward->token.flags & TOKEN_ANONYMOUS;
}

/* The client's Via says where the request truly came from. */
static void edit_client_via(struct proxy *proxy, const struct request *request)
{
	const struct sip_via *via = &request->msg->via;
	size_t n;

	if (sip_via_stamp(via, &request->path->remote, proxy->made, sizeof(proxy->made), &n))
		proxy->edit.failed = -ENOSPC;
	else
		sip_edit_replace_text(&proxy->edit, via->text,
				      (struct slice){proxy->made, n});
}

static void edit_max_forwards(struct sip_edit *edit, const struct sip_msg *msg)
{
	int i = msg->first[SIP_MAX_FORWARDS];

	if (i < 0)
		sip_edit_insert(edit, 0, "Max-Forwards: 70\r\n");
	else
		sip_edit_replace(edit, msg->headers[i].value, "%u", msg->max_forwards - 1);
}

static void drop_routes(struct sip_edit *edit, const struct sip_msg *msg)
{
	for (int i = msg->first[SIP_ROUTE]; i >= 0; i = sip_msg_next(msg, SIP_ROUTE, i))
		sip_edit_drop(edit, i);
}

static void drop_credentials(struct sip_edit *edit, const struct policy *policy)
{
	unsigned headers[ADMISSION_CREDENTIALS_MAX + 1];
	unsigned n = admission_own_credentials(policy, edit->msg, headers);

	/* More than were counted must not slip through to the upstream. */
	if (n > ADMISSION_CREDENTIALS_MAX)
		edit->failed = -ENOSPC;
	for (unsigned i = 0; i < n; i++)
		sip_edit_drop(edit, (int)headers[i]);
}

/* What the trunk's customer is told about its calls. */
static void insert_headers(struct sip_edit *edit, const struct policy_trunk *trunk)
{
	for (size_t i = 0; i < trunk->header_count; i++)
		sip_edit_insert(edit, (int)edit->msg->header_count, "%s: %s\r\n",
				trunk->headers[i].name, trunk->headers[i].value);
}

/* What either side may know about the other. */
static void edit_identity(struct proxy *proxy, const struct forward *forward)
{
	struct sip_edit *edit = &proxy->edit;
	const struct caller_decision *caller = forward->caller;
	struct identity_context context = {
		.settings = policy_settings(proxy->admission.policy),
		.admitted = forward->admitted,
		.source = &forward->request->path->remote.ip,
		.anonymous = is_anonymous(forward),
	};

	if (!forward->from_customer) {
		identity_withhold(edit, forward->trunk->config.upstream_trusted);
		if (!forward->in_dialog)
			insert_headers(edit, forward->trunk);
		return;
	}
	identity_screen(edit, context.settings, context.anonymous);
	if (caller)
		identity_write(edit, forward->trunk, caller);
	if (forward->admitted)
		identity_tell(edit, &context);
}

int forward_write(struct proxy *proxy, struct forward *forward, struct slice *ret_message)
{
	const struct sip_msg *msg = forward->request->msg;
	struct sip_edit *edit = &proxy->edit;
	struct hop_fields fields = {
		.hop = &forward->hop,
		.branch = forward->request->branch,
		.token = forward->record_route ? &forward->token : NULL,
		.outside = forward->request->path,
	};
	size_t n;
	int rc;

	fields.branch.cseq_offset = (uint8_t)forward->hop.cseq_offset;
	sip_edit_begin(edit, msg);
	forward->own_fields = hop_insert_fields(proxy, &fields);
	edit_max_forwards(edit, msg);
	edit_client_via(proxy, forward->request);
	edit_identity(proxy, forward);
	if (forward->from_customer)
		drop_credentials(edit, proxy->admission.policy);
	hop_edit(edit, &forward->hop);
	/* A preloaded Route is not followed: the trunk, or the contact, says where requests go. */
	if (forward->admitted || forward->hop.uri.n)
		drop_routes(edit, msg);
	else
		route_strip_own(proxy, msg);
	/* What is made of it later, an ACK or a CANCEL, is made of what was sent. */
	if (msg->header_count + edit->op_count + 1 > SIP_HEADERS_MAX)
		return -ENOSPC;
	rc = sip_edit_write(edit, proxy->out, FORWARD_MAX, &n);
	if (rc)
		return rc;
	*ret_message = (struct slice){proxy->out, n};
	if (forward->from_customer)
		authenticate_message(
			proxy,
			authenticate_credential(forward->trunk, &forward->hop.target,
						forward->hop.credential_id),
			&forward->hop, &forward->own_fields, ret_message);
	return 0;
}

/* Whether its answer tells something about the number of the trunk's calls. */
static bool is_counted(const struct forward *forward)
{
	const struct store_trunk *config = &forward->trunk->config;

	return (config->calls_max || config->user_calls_max) &&
	       !(forward->token.flags & TOKEN_TO_CUSTOMER) &&
	       (forward->in_dialog || forward->request->msg->method == SIP_INVITE);
}

/* Not that of the INVITE, whose branch some give their ACK. */
static uint64_t ack_id(const struct request *request)
{
	return ~request->branch.id;
}

/* Starts the transaction with its first attempt. 0, -ENOSPC, -ENOMEM. */
static int start_transaction(struct proxy *proxy, const struct forward *forward,
			     struct slice message, struct txn **ret_txn)
{
	const struct request *request = forward->request;
	bool ack = request->msg->method == SIP_ACK;
	struct txn *txn;
	int rc = txn_create(&proxy->txns, ack ? ack_id(request) : request->branch.id, &txn);

	if (rc)
		return rc;
	txn->state = ack ? TXN_CONFIRMED : TXN_PROCEEDING;
	txn->loop = request->branch.loop;
	txn->method = request->msg->method;
	txn->from_customer = forward->from_customer;
	txn->in_dialog = forward->in_dialog;
	txn->can_move = forward->can_move;
	txn->secure = forward->secure;
	txn->large = forward->large;
	txn->anonymous = is_anonymous(forward);
	txn->counted = is_counted(forward);
	txn->record_route = forward->record_route;
	txn->own_fields = forward->own_fields;
	txn->trunk_id = forward->trunk->config.id;
	txn->user_id = forward->token.user_id;
	txn->token = forward->token;
	txn->requester = reply_path(request);
	txn->answer_port = request->msg->via.port ? request->msg->via.port :
			   request->path->transport == NET_TLS ? SIPS_PORT : SIP_PORT;
	txn->detour = forward->detour;
	if (forward->chosen.n)
		rc = blob_set(&proxy->txns.pool, &txn->chosen, forward->chosen);
	if (!rc && is_anonymous(forward) && forward->caller)
		rc = blob_set(&proxy->txns.pool, &txn->from, sip_msg_value(request->msg, SIP_FROM));
	if (!rc)
		rc = attempt_send(proxy, txn, &forward->hop, message);
	if (rc)
		txn_free(&proxy->txns, txn);
	else
		*ret_txn = txn;
	return rc;
}

static void say_trying(struct proxy *proxy, const struct request *request, struct txn *txn)
{
	struct slice reply;

	if (reply_write(proxy, request, 100, (struct slice){0}, &reply) ||
	    blob_set(&proxy->txns.pool, &txn->response, reply))
		return;
	proxy_send(proxy, &txn->requester, reply);
}

/* To the stream that the hop offers beside UDP. */
static bool move_to_stream(struct proxy *proxy, struct forward *forward)
{
	struct net_path target = forward->hop.target;
	const struct policy_hop *hop = target_refine(forward->trunk, true, &target);
	const struct policy_outbound *credential;

	if (!hop || hop_route(proxy, &target))
		return false;
	forward->hop.target = target;
	forward->hop.answers = 0;
	if (forward->admitted) {
		credential = outbound_credential(hop, forward->chosen);
		forward->hop.credential_id = credential ? credential->id : 0;
	}
	return true;
}

/* Only what is written tells how long it is. */
static int write_to_fit(struct proxy *proxy, struct forward *forward, struct slice *ret_message)
{
	int rc = forward_write(proxy, forward, ret_message);

	if (rc || ret_message->n <= FORWARD_UDP_MAX)
		return rc;
	forward->large = true;
	if (forward->hop.target.transport != NET_UDP || !move_to_stream(proxy, forward))
		return 0;
	return forward_write(proxy, forward, ret_message);
}

/* An ACK whose connection may yet turn out to be dead. One that is sent again is known already. */
static bool is_remembered(const struct proxy *proxy, const struct forward *forward)
{
	return forward->hop.target.transport != NET_UDP &&
	       !txn_find(&proxy->txns, ack_id(forward->request));
}

bool forward_send(struct proxy *proxy, struct forward *forward, struct txn **ret_txn)
{
	const struct request *request = forward->request;
	bool ack = request->msg->method == SIP_ACK;
	struct slice message;
	int rc;

	*ret_txn = NULL;
	if (write_to_fit(proxy, forward, &message)) {
		/* 400: more fields to take out than anybody has reason to send. */
		unsigned status = proxy->edit.failed ? 400 : 513;

		if (!ack)
			reply_stateless(proxy, request, status, (struct slice){0});
		return false;
	}
	if (ack && !is_remembered(proxy, forward)) {
		proxy_send(proxy, &forward->hop.target, message);
		return true;
	}
	rc = start_transaction(proxy, forward, message, ret_txn);
	if (rc) {
		proxy_count(proxy, rc == -ENOSPC ? PROXY_TRANSACTIONS_FULL : PROXY_NO_MEMORY);
		if (ack)
			proxy_send(proxy, &forward->hop.target, message);
		else
			reply_stateless(proxy, request, 503, SLICE("Retry-After: 5\r\n"));
		return ack;
	}
	account_begin(proxy, forward);
	if (request->msg->method == SIP_INVITE)
		say_trying(proxy, request, *ret_txn);
	return true;
}
