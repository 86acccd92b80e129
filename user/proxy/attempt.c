/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests that we send on, as their client (RFC 3261 §17.1). */
#include <errno.h>

#include "proxy/proxy_internal.h"

static bool is_reliable(const struct net_path *path)
{
	return path->transport != NET_UDP;
}

/* ---- sending ---- */

static uint64_t failover_ns(const struct proxy *proxy)
{
	return policy_settings(proxy->admission.policy)->failover_timeout_ms * NS_PER_MS;
}

int attempt_send(struct proxy *proxy, struct txn *txn, const struct hop *hop, struct slice message)
{
	struct attempt *attempt;
	uint64_t now = proxy->now_ns, give_up = now + TIMER_64T1_NS;
	int rc = attempt_create(&proxy->txns, txn, message, &attempt);

	if (rc)
		return rc;
	if (attempt_set_target(&proxy->txns, attempt, &hop->target)) {
		attempt_end(proxy, attempt, ATTEMPT_ENDED);
		return -ENOMEM;
	}
	attempt->cseq_offset = hop->cseq_offset;
	attempt->credential_id = hop->credential_id;
	attempt->challenged = hop->challenged;
	attempt->answers = hop->answers;
	attempt->sent_ns = now;
	attempt->expires_ns = give_up;
	attempt->timer.interval_ns = TIMER_T1_NS;
	if (txn->own || txn->method == SIP_ACK)
		attempt->expires_ns = give_up = now + failover_ns(proxy);
	else if (target_remains(proxy, txn))
		give_up = now + failover_ns(proxy);
	timer_set(&proxy->txns, &attempt->timer, is_reliable(&hop->target) ? 0 : now + TIMER_T1_NS,
		  give_up);
	if (proxy_send(proxy, &attempt->target, message))
		attempt_unreachable(proxy, attempt);
	return 0;
}

/* The first request sent, with other fields in front. */
static int rewrite(struct proxy *proxy, const struct txn *txn, struct hop *hop,
		   struct slice *ret_message)
{
	struct sip_msg *sent = &proxy->second;
	struct hop_fields fields = {
		.hop = hop,
		.branch = {txn->id, txn->loop, (uint8_t)txn->attempt_count,
			   (uint8_t)hop->cseq_offset},
		.token = txn->record_route ? &txn->token : NULL,
		.outside = &txn->requester,
	};
	const struct attempt *first = attempt_find(txn, 0);
	struct hop edits = *hop;
	const char *why;
	unsigned own;
	size_t n;
	int rc;

	if (!first || sip_msg_parse(blob_slice(&first->request), sent, &why) != SIP_PARSE_OK)
		return -EINVAL;
	/* That of the first attempt is raised already. */
	edits.cseq_offset -= first->cseq_offset;
	sip_edit_begin(&proxy->edit, sent);
	for (unsigned i = 0; i < txn->own_fields; i++)
		sip_edit_drop(&proxy->edit, (int)i);
	own = hop_insert_fields(proxy, &fields);
	hop_edit(&proxy->edit, &edits);
	rc = sip_edit_write(&proxy->edit, proxy->out, FORWARD_MAX, &n);
	if (rc)
		return rc;
	*ret_message = (struct slice){proxy->out, n};
	if (!txn->in_dialog && !txn->own)
		account_moved(proxy, sent, hop);
	authenticate_message(
		proxy,
		authenticate_credential_of(proxy, txn, &hop->target, hop->credential_id), hop,
		&own, ret_message);
	return 0;
}

int attempt_uri(struct proxy *proxy, const struct txn *txn, struct slice *ret_uri)
{
	const struct attempt *first = attempt_find(txn, 0);
	const char *why;

	if (!first ||
	    sip_msg_parse(blob_slice(&first->request), &proxy->second, &why) != SIP_PARSE_OK)
		return -EINVAL;
	*ret_uri = proxy->second.uri;
	return 0;
}

int attempt_again(struct proxy *proxy, struct txn *txn, struct hop *hop)
{
	struct slice message;
	int rc = rewrite(proxy, txn, hop, &message);

	return rc ? rc : attempt_send(proxy, txn, hop, message);
}

/* ---- CANCEL and ACK ---- */

static void send_cancel(struct proxy *proxy, struct attempt *attempt)
{
	struct slice room = {proxy->made, sizeof(proxy->made)};
	const char *why;
	size_t n;

	if (sip_msg_parse(blob_slice(&attempt->request), &proxy->second, &why) == SIP_PARSE_OK &&
	    hop_request_write(&proxy->second, SLICE("CANCEL"), (struct slice){0}, room, &n) == 0)
		proxy_send(proxy, &attempt->target, (struct slice){proxy->made, n});
}

static void cancel_now(struct proxy *proxy, struct attempt *attempt)
{
	uint64_t now = proxy->now_ns;

	attempt->cancel = ATTEMPT_CANCEL_SENT;
	attempt->timer.interval_ns = TIMER_T1_NS;
	send_cancel(proxy, attempt);
	timer_set(&proxy->txns, &attempt->timer,
		  is_reliable(&attempt->target) ? 0 : now + TIMER_T1_NS, now + TIMER_64T1_NS);
}

void attempt_cancel(struct proxy *proxy, struct attempt *attempt)
{
	if (attempt->timer.txn->method != SIP_INVITE ||
	    attempt->cancel > ATTEMPT_CANCEL_WANTED)
		return;
	if (attempt->state == ATTEMPT_PROCEEDING)
		cancel_now(proxy, attempt);
	else if (attempt->state == ATTEMPT_CALLING)
		attempt->cancel = ATTEMPT_CANCEL_WANTED;
}

void attempt_cancel_open(struct proxy *proxy, struct txn *txn)
{
	for (struct attempt *a = txn->attempts; a; a = a->next)
		attempt_cancel(proxy, a);
}

void attempt_pass_over(struct proxy *proxy, struct attempt *attempt)
{
	attempt->passed_over = true;
	attempt_cancel(proxy, attempt);
	/* Not repeated any more; what it still has to say is waited for. */
	if (attempt->state == ATTEMPT_CALLING)
		timer_set(&proxy->txns, &attempt->timer, 0, attempt->expires_ns);
}

void attempt_wait(struct proxy *proxy, struct attempt *attempt)
{
	timer_set(&proxy->txns, &attempt->timer, attempt->timer.resend_ns, attempt->expires_ns);
}

void attempt_unreachable(struct proxy *proxy, struct attempt *attempt)
{
	attempt->unreachable = true;
	attempt->expires_ns = proxy->now_ns;
	timer_set(&proxy->txns, &attempt->timer, 0, proxy->now_ns);
}

/* The failure of an INVITE is acknowledged hop by hop (RFC 3261 §17.1.1.3). */
void attempt_acknowledge(struct proxy *proxy, struct attempt *attempt,
			 const struct sip_msg *response)
{
	struct slice room = {proxy->made, sizeof(proxy->made)};
	struct slice to = response->headers[response->first[SIP_TO]].line;
	const char *why;
	size_t n;

	if (!attempt->ack.p && attempt->request.p &&
	    sip_msg_parse(blob_slice(&attempt->request), &proxy->second, &why) == SIP_PARSE_OK &&
	    hop_request_write(&proxy->second, SLICE("ACK"), to, room, &n) == 0)
		(void)blob_set(&proxy->txns.pool, &attempt->ack, (struct slice){proxy->made, n});
	if (attempt->timer.txn->state != TXN_PROCEEDING && attempt->ack.p)
		blob_clear(&proxy->txns.pool, &attempt->request);
	if (attempt->ack.p)
		proxy_send(proxy, &attempt->target, blob_slice(&attempt->ack));
}

/* ---- answers ---- */

void attempt_provisional(struct proxy *proxy, struct attempt *attempt)
{
	bool invite = attempt->timer.txn->method == SIP_INVITE;
	uint64_t now = proxy->now_ns;

	attempt->state = ATTEMPT_PROCEEDING;
	if (attempt->cancel == ATTEMPT_CANCEL_WANTED)
		cancel_now(proxy, attempt);
	else if (attempt->cancel == ATTEMPT_NOT_CANCELLED && invite)
		timer_set(&proxy->txns, &attempt->timer, 0, now + TIMER_C_NS);
	else if (!invite)
		timer_set(&proxy->txns, &attempt->timer,
			  is_reliable(&attempt->target) ? 0 : now + TIMER_T2_NS,
			  attempt->expires_ns);
}

void attempt_end(struct proxy *proxy, struct attempt *attempt, enum attempt_state state)
{
	attempt->state = state;
	timer_set(&proxy->txns, &attempt->timer, 0, UINT64_MAX);
}

void attempt_cancel_answered(struct proxy *proxy, struct attempt *attempt)
{
	if (attempt->cancel != ATTEMPT_CANCEL_SENT)
		return;
	attempt->cancel = ATTEMPT_CANCEL_ANSWERED;
	if (attempt->state == ATTEMPT_PROCEEDING)
		timer_set(&proxy->txns, &attempt->timer, 0, attempt->timer.give_up_ns);
}

/* ---- time ---- */

/* Timers A and E, and E again for our CANCEL. */
static void repeat(struct proxy *proxy, struct attempt *attempt)
{
	struct txn_timer *timer = &attempt->timer;
	bool invite = timer->txn->method == SIP_INVITE;
	uint64_t most = TIMER_T2_NS;

	if (attempt->cancel == ATTEMPT_CANCEL_SENT) {
		send_cancel(proxy, attempt);
	} else {
		proxy_send(proxy, &attempt->target, blob_slice(&attempt->request));
		most = invite ? TIMER_64T1_NS : TIMER_T2_NS;
	}
	timer->interval_ns = 2 * timer->interval_ns < most ? 2 * timer->interval_ns : most;
	if (!invite && attempt->state == ATTEMPT_PROCEEDING)
		timer->interval_ns = TIMER_T2_NS;
	timer_set(&proxy->txns, timer, proxy->now_ns + timer->interval_ns, timer->give_up_ns);
}

void attempt_due(struct proxy *proxy, struct attempt *attempt)
{
	bool invite = attempt->timer.txn->method == SIP_INVITE;

	if (proxy->now_ns < attempt->timer.give_up_ns)
		repeat(proxy, attempt);
	else if (attempt->passed_over)
		attempt_end(proxy, attempt, ATTEMPT_ENDED);
	else if (attempt->state == ATTEMPT_CALLING && proxy->now_ns < attempt->expires_ns)
		outcome_slow(proxy, attempt);
	else if (invite && attempt->state == ATTEMPT_PROCEEDING &&
		 attempt->cancel == ATTEMPT_NOT_CANCELLED)
		cancel_now(proxy, attempt); /* Timer C: the callee has been ringing too long */
	else
		outcome_silent(proxy, attempt);
}
