/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of calls, told to the call records. The caller is who sent the first INVITE. */
#include "proxy/proxy_internal.h"

/* ---- which call ---- */

static uint64_t call_of(const struct proxy *proxy, const struct sip_msg *invite)
{
	return rules_call_id(proxy, invite, invite->from.tag);
}

static bool is_by_caller(const struct txn *txn)
{
	bool began_inside = txn->token.flags & TOKEN_TO_CUSTOMER;

	return txn->from_customer != began_inside;
}

static uint64_t dialog_of(const struct proxy *proxy, const struct sip_msg *msg, bool by_caller)
{
	struct slice from = msg->from.tag;
	struct slice to = msg->to.tag;

	return rules_dialog_id(proxy, msg, by_caller ? from : to, by_caller ? to : from);
}

/* ---- beginnings ---- */

static struct record_start start_of(const struct request *request,
				    const struct policy_trunk *trunk)
{
	const struct sip_msg *msg = request->msg;

	return (struct record_start){
		.source = request->path->remote,
		.transport = (enum call_transport)request->path->transport,
		.direction = CALL_INBOUND,
		.trunk = trunk ? slice_from(trunk->config.name) : (struct slice){0},
		.from = sip_msg_value(msg, SIP_FROM),
		.to = sip_msg_value(msg, SIP_TO),
		.call_id = sip_msg_value(msg, SIP_CALL_ID),
		.at_ms = clock_wall_ms(),
	};
}

void account_begin(struct proxy *proxy, const struct forward *forward)
{
	const struct request *request = forward->request;
	struct record_start start = start_of(request, forward->trunk);
	const struct policy_user *user =
		policy_user_by_id(forward->trunk, forward->token.user_id);
	char upstream[ENDPOINT_TEXT_SIZE];

	if (!proxy->records || forward->in_dialog || request->msg->method != SIP_INVITE)
		return;
	endpoint_format(&forward->hop.target.remote, upstream);
	start.upstream = slice_from(upstream);
	start.auth = forward->trunk->config.auth;
	if (user)
		start.user = user->name;
	if (!forward->from_customer)
		start.direction = CALL_OUTBOUND;
	(void)record_begin(proxy->records, call_of(proxy, request->msg), &start);
}

static void note_upstream(struct proxy *proxy, uint64_t call, const struct endpoint *remote)
{
	char upstream[ENDPOINT_TEXT_SIZE];

	endpoint_format(remote, upstream);
	record_upstream(proxy->records, call, slice_from(upstream));
}

void account_moved(struct proxy *proxy, const struct sip_msg *sent, const struct hop *hop)
{
	if (proxy->records && sent->method == SIP_INVITE)
		note_upstream(proxy, call_of(proxy, sent), &hop->target.remote);
}

void account_refused(struct proxy *proxy, const struct request *request,
		     const struct policy_trunk *trunk, const struct account_refusal *refusal)
{
	struct record_start start = start_of(request, trunk);
	struct record_end end = {.status = refusal->status,
				 .by = CALL_GATE,
				 .auth = refusal->auth ? RECORD_AUTH_INBOUND : RECORD_AUTH_NONE};

	if (!proxy->records || request->msg->method != SIP_INVITE)
		return;
	start.user = refusal->user;
	if (trunk)
		start.auth = trunk->config.auth;
	record_refused(proxy->records, &start, &end);
}

/* ---- ends ---- */

/* Whoever answered an INVITE that failed. */
static enum call_party party_of_failure(const struct txn *txn, const struct sip_msg *msg,
					bool ours)
{
	if (txn->cancelled && msg->status == 487)
		return CALL_CALLER;
	return ours ? CALL_GATE : CALL_CALLEE;
}

static void invite_answered(struct proxy *proxy, const struct attempt *attempt,
			    const struct sip_msg *msg, bool ours)
{
	const struct txn *txn = attempt->timer.txn;
	uint64_t call = call_of(proxy, msg);
	int64_t now_ms = clock_wall_ms();
	/* Ours is a 403 only to a challenge that we could not, or would not, answer. */
	bool asked = attempt->answers || (ours && msg->status == 403);
	struct record_end end = {
		.status = msg->status,
		.by = party_of_failure(txn, msg, ours),
		.auth = asked && !attempt->progressed ? RECORD_AUTH_OUTBOUND : RECORD_AUTH_NONE,
	};

	/* Of several that it was sent to, this one counts. */
	if (txn->attempts->next)
		note_upstream(proxy, call, &attempt->target.remote);
	if (msg->status < 300)
		record_answered(proxy->records, call, dialog_of(proxy, msg, true), msg->status,
				now_ms);
	else
		record_ended(proxy->records, call, &end, now_ms);
}

/* A dialog of before a kill: its token says what the record needs. */
static bool take_up(struct proxy *proxy, const struct txn *txn, const struct sip_msg *msg)
{
	const struct policy_trunk *trunk =
		policy_trunk_by_id(proxy->admission.policy, txn->trunk_id);
	const struct policy_user *user = trunk ? policy_user_by_id(trunk, txn->user_id) : NULL;
	bool by_caller = is_by_caller(txn), inside = txn->token.flags & TOKEN_TO_CUSTOMER;
	struct record_start start = {
		.source = inside ? txn->token.upstream : txn->token.caller,
		.transport = (enum call_transport)(inside ? txn->token.upstream_transport :
							    txn->token.caller_transport),
		.direction = inside ? CALL_OUTBOUND : CALL_INBOUND,
		.from = sip_msg_value(msg, by_caller ? SIP_FROM : SIP_TO),
		.to = sip_msg_value(msg, by_caller ? SIP_TO : SIP_FROM),
		.call_id = sip_msg_value(msg, SIP_CALL_ID),
		.at_ms = (int64_t)txn->token.issued_s * 1000,
	};

	if (trunk) {
		start.trunk = slice_from(trunk->config.name);
		start.auth = trunk->config.auth;
	}
	if (user)
		start.user = user->name;
	return record_from_token(proxy->records, dialog_of(proxy, msg, by_caller), &start) == 0;
}

static void bye_answered(struct proxy *proxy, const struct txn *txn, const struct sip_msg *msg)
{
	bool by_caller = is_by_caller(txn);
	uint64_t dialog = dialog_of(proxy, msg, by_caller);
	struct record_end end = {.by = by_caller ? CALL_CALLER : CALL_CALLEE};
	int64_t now_ms = clock_wall_ms();

	if (!record_ended(proxy->records, dialog, &end, now_ms) && take_up(proxy, txn, msg))
		record_ended(proxy->records, dialog, &end, now_ms);
}

/* Which CSeq the ACK of a re-INVITE has to bear. */
static void note_invite_offset(struct proxy *proxy, const struct attempt *attempt,
			       const struct sip_msg *msg)
{
	const struct txn *txn = attempt->timer.txn;
	struct record_numbers *numbers =
		record_numbers(proxy->records, dialog_of(proxy, msg, is_by_caller(txn)));

	if (numbers && txn->from_customer && txn->method == SIP_INVITE)
		numbers->invite_offset = attempt->cseq_offset - txn->token.cseq_offset;
}

void account_answered(struct proxy *proxy, const struct attempt *attempt,
		      const struct sip_msg *msg, bool ours)
{
	const struct txn *txn = attempt->timer.txn;

	if (!proxy->records)
		return;
	if (txn->method == SIP_INVITE && !txn->in_dialog) {
		invite_answered(proxy, attempt, msg, ours);
	} else if (txn->method == SIP_BYE && txn->in_dialog) {
		bye_answered(proxy, txn, msg);
	} else if (txn->in_dialog && msg->status < 300) {
		note_invite_offset(proxy, attempt, msg);
		record_heard(proxy->records, dialog_of(proxy, msg, is_by_caller(txn)),
			     clock_wall_ms());
	}
}

void account_unanswered(struct proxy *proxy, const struct txn *txn)
{
	const char *why;

	if (!proxy->records || txn->method != SIP_BYE || !txn->in_dialog || !txn->attempts ||
	    sip_msg_parse(blob_slice(&txn->attempts->request), &proxy->second, &why) !=
		    SIP_PARSE_OK)
		return;
	bye_answered(proxy, txn, &proxy->second);
}

/* ---- CSeq numbers of a dialog (see authenticate.c) ---- */

struct record_numbers *account_numbers(struct proxy *proxy, const struct sip_msg *msg,
				       bool by_caller)
{
	return proxy->records ?
		       record_numbers(proxy->records, dialog_of(proxy, msg, by_caller)) :
		       NULL;
}
