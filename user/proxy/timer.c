/* SPDX-License-Identifier: BSD-2-Clause */
/* The server's timers (RFC 3261 §17.2): G, H, I, J, and L of RFC 6026. */
#include "proxy/proxy_internal.h"

void timer_complete(struct proxy *proxy, struct txn *txn, enum txn_state state)
{
	bool repeat = state == TXN_COMPLETED && txn->method == SIP_INVITE &&
		      txn->requester.transport == NET_UDP;
	uint64_t now = proxy->now_ns;

	txn->state = state;
	txn->timer.interval_ns = TIMER_T1_NS;
	timer_set(&proxy->txns, &txn->timer, repeat ? now + TIMER_T1_NS : 0, now + TIMER_64T1_NS);
}

static void repeat_response(struct proxy *proxy, struct txn *txn)
{
	struct txn_timer *timer = &txn->timer;
	uint64_t doubled = 2 * timer->interval_ns;

	if (txn->response.p)
		proxy_send(proxy, &txn->requester, blob_slice(&txn->response));
	timer->interval_ns = doubled < TIMER_T2_NS ? doubled : TIMER_T2_NS;
	timer_set(&proxy->txns, timer, proxy->now_ns + timer->interval_ns, timer->give_up_ns);
}

void timer_fire(struct proxy *proxy, struct txn_timer *timer)
{
	if (timer->attempt)
		attempt_due(proxy, timer->attempt);
	else if (proxy->now_ns < timer->give_up_ns)
		repeat_response(proxy, timer->txn);
	else
		txn_free(&proxy->txns, timer->txn);
}
