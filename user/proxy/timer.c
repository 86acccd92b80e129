/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens when nothing happens: repetitions and time-outs (RFC 3261 §17, §16.8). */
#include "proxy/proxy_internal.h"

static uint64_t doubled(uint64_t interval_ns, uint64_t most_ns)
{
	return 2 * interval_ns < most_ns ? 2 * interval_ns : most_ns;
}

static void send_cancel(struct proxy *proxy, struct txn *txn)
{
	struct slice room = {proxy->made, sizeof(proxy->made)};
	const char *why;
	size_t n;

	if (sip_msg_parse(blob_slice(&txn->request), &proxy->second, &why) == SIP_PARSE_OK &&
	    hop_request_write(&proxy->second, SLICE("CANCEL"), (struct slice){0}, room, &n) == 0)
		proxy_send(proxy, &txn->target, (struct slice){proxy->made, n});
}

void timer_cancel(struct proxy *proxy, struct txn *txn)
{
	txn->cancel = TXN_CANCEL_SENT;
	txn->interval_ns = TIMER_T1_NS;
	send_cancel(proxy, txn);
	txn_schedule(&proxy->txns, txn, proxy->now_ns + TIMER_T1_NS, proxy->now_ns + TIMER_64T1_NS);
}

/* Timers A, E, G, and E again for our CANCEL. */
static void repeat(struct proxy *proxy, struct txn *txn)
{
	bool invite = txn->method == SIP_INVITE;
	uint64_t most = TIMER_T2_NS;

	if (txn->state == TXN_COMPLETED) {
		if (txn->response.p)
			proxy_send(proxy, &txn->requester, blob_slice(&txn->response));
	} else if (txn->cancel == TXN_CANCEL_SENT) {
		send_cancel(proxy, txn);
	} else {
		proxy_send(proxy, &txn->target, blob_slice(&txn->request));
		most = invite ? TIMER_64T1_NS : TIMER_T2_NS;
	}
	txn->interval_ns = doubled(txn->interval_ns, most);
	if (!invite && txn->state == TXN_PROCEEDING)
		txn->interval_ns = TIMER_T2_NS;
	txn_schedule(&proxy->txns, txn, proxy->now_ns + txn->interval_ns, txn->give_up_ns);
}

/* Timer C: the callee has been ringing too long. */
static void stop_ringing(struct proxy *proxy, struct txn *txn)
{
	txn->give_up_status = 408;
	timer_cancel(proxy, txn);
}

/* The next hop never answered. To a request other than INVITE that is said by silence (RFC 4320
 * §4.2): the client has timed out itself. */
static void time_out(struct proxy *proxy, struct txn *txn)
{
	proxy_count(proxy, PROXY_TIMEOUTS);
	if (txn->method != SIP_INVITE) {
		rules_unanswered(proxy, txn);
		txn_free(&proxy->txns, txn);
		return;
	}
	response_make(proxy, txn, txn->give_up_status ? txn->give_up_status : 408);
	/* No answer could be made: nothing is left to do. */
	if (txn->state != TXN_COMPLETED) {
		rules_unanswered(proxy, txn);
		txn_free(&proxy->txns, txn);
	}
}

void timer_fire(struct proxy *proxy, struct txn *txn)
{
	bool open = txn->state == TXN_CALLING || txn->state == TXN_PROCEEDING;

	if (proxy->now_ns < txn->give_up_ns)
		repeat(proxy, txn);
	else if (!open)
		txn_free(&proxy->txns, txn);
	else if (txn->method == SIP_INVITE && txn->state == TXN_PROCEEDING &&
		 txn->cancel == TXN_NOT_CANCELLED)
		stop_ringing(proxy, txn);
	else
		time_out(proxy, txn);
}
