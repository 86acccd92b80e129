/* SPDX-License-Identifier: BSD-2-Clause */
/* What a trunk's rules on numbers and calls make of requests and their answers. */
#include "proxy/proxy_internal.h"

/* ---- requests ---- */

uint64_t rules_call_id(const struct proxy *proxy, const struct sip_msg *msg,
		       struct slice caller_tag)
{
	struct mac mac;

	mac_begin(&mac, proxy->dialog_key, MAC_CALL);
	mac_slice(&mac, sip_msg_value(msg, SIP_CALL_ID));
	mac_slice(&mac, caller_tag);
	return mac_end(&mac);
}

uint64_t rules_dialog_id(const struct proxy *proxy, const struct sip_msg *msg,
			 struct slice caller_tag, struct slice callee_tag)
{
	struct mac mac;

	mac_begin(&mac, proxy->dialog_key, MAC_CALL);
	mac_slice(&mac, sip_msg_value(msg, SIP_CALL_ID));
	mac_slice(&mac, caller_tag);
	mac_slice(&mac, callee_tag);
	return mac_end(&mac);
}

static void refuse(struct proxy *proxy, const struct request *request,
		   const struct admission_result *admitted, unsigned status, const char *cause)
{
	struct report_line line = {
		.event = "refused",
		.cause = cause,
		.status = status,
		.msg = request->msg,
		.source = &request->path->remote,
		.trunk = admitted->trunk,
	};

	if (admitted->user)
		line.user = admitted->user->name;
	proxy_count(proxy, PROXY_REFUSED);
	report_refusal(&proxy->report, &line, proxy->now_ns);
	account_refused(proxy, request, admitted->trunk,
			&(struct account_refusal){.status = status, .user = line.user});
	reply_stateless(proxy, request, status,
			status == 503 ? SLICE("Retry-After: 1\r\n") : (struct slice){0});
}

/* Whether one more call is within the trunk's and the user's limits. */
static bool may_call(struct proxy *proxy, const struct request *request,
		     const struct admission_result *admitted)
{
	static const enum proxy_counter counters[] = {
		[CALLS_PER_SECOND] = PROXY_CALLS_PER_SECOND,
		[CALLS_TOO_MANY] = PROXY_TOO_MANY_CALLS,
		[CALLS_FULL] = PROXY_CALLS_FULL,
	};
	struct calls_placed placed = {admitted->trunk, admitted->user, proxy->now_ns};
	struct slice tag = request->msg->from.tag;
	enum calls_verdict verdict = calls_begin(&proxy->shared->calls, &placed,
						 rules_call_id(proxy, request->msg, tag));

	if (verdict == CALLS_OK)
		return true;
	proxy_count(proxy, counters[verdict]);
	refuse(proxy, request, admitted, 503, calls_verdict_name(verdict));
	return false;
}

bool rules_pass(struct proxy *proxy, const struct request *request,
		const struct admission_result *admitted, struct caller_decision *ret_caller)
{
	caller_decide(admitted->trunk, admitted->user, request->msg, ret_caller);
	if (ret_caller->status) {
		refuse(proxy, request, admitted, ret_caller->status,
		       caller_cause_name(ret_caller->cause));
		return false;
	}
	return request->msg->method != SIP_INVITE || may_call(proxy, request, admitted);
}

void rules_undo(struct proxy *proxy, const struct request *request)
{
	if (request->msg->method == SIP_INVITE)
		calls_end(&proxy->shared->calls,
			  rules_call_id(proxy, request->msg,
					request->msg->from.tag));
}

/* ---- answers ---- */

/* The call that a request or response belongs to. */
struct counted {
	struct calls_placed placed; /* trunk NULL: it is gone */
	uint64_t call, dialog;
};

static struct counted counted_by(const struct proxy *proxy, const struct txn *txn,
				 const struct sip_msg *msg)
{
	struct slice from = msg->from.tag;
	struct slice to = msg->to.tag;
	struct slice caller = txn->from_customer ? from : to;
	struct slice callee = txn->from_customer ? to : from;
	struct counted counted = {
		.placed.trunk = policy_trunk_by_id(proxy->admission.policy, txn->trunk_id),
		.placed.now_ns = proxy->now_ns,
		.call = rules_call_id(proxy, msg, caller),
		.dialog = rules_dialog_id(proxy, msg, caller, callee),
	};

	if (counted.placed.trunk && txn->user_id)
		counted.placed.user = policy_user_by_id(counted.placed.trunk, txn->user_id);
	return counted;
}

/* A BYE that the upstream did not take leaves the call where it was: the caller may not have meant
 * it. Its own always ends the call. */
static bool ends_call(const struct txn *txn, unsigned status)
{
	return !txn->from_customer || status < 300 || status == 408 || status == 481;
}

void rules_answered(struct proxy *proxy, const struct txn *txn, const struct sip_msg *response)
{
	bool success = response->status < 300;
	struct counted counted;

	if (!txn->counted)
		return;
	counted = counted_by(proxy, txn, response);
	if (txn->method == SIP_BYE && ends_call(txn, response->status))
		calls_end(&proxy->shared->calls, counted.dialog);
	else if (txn->method == SIP_INVITE && !success && !txn->in_dialog)
		calls_end(&proxy->shared->calls, counted.call);
	else if (!success || !counted.placed.trunk)
		return;
	else if (txn->method == SIP_INVITE)
		calls_answer(&proxy->shared->calls, &counted.placed, counted.call, counted.dialog);
	else if (txn->method == SIP_UPDATE)
		calls_confirm(&proxy->shared->calls, &counted.placed, counted.call, counted.dialog);
	else
		calls_hear(&proxy->shared->calls, counted.dialog, proxy->now_ns);
}

void rules_unanswered(struct proxy *proxy, const struct txn *txn)
{
	struct counted counted;
	const char *why;

	account_unanswered(proxy, txn);
	if (!txn->counted || !txn->attempts ||
	    sip_msg_parse(blob_slice(&txn->attempts->request), &proxy->second, &why) !=
		    SIP_PARSE_OK)
		return;
	counted = counted_by(proxy, txn, &proxy->second);
	if (txn->method == SIP_BYE)
		calls_end(&proxy->shared->calls, counted.dialog);
	else if (txn->method == SIP_INVITE && !txn->in_dialog)
		calls_end(&proxy->shared->calls, counted.call);
}
