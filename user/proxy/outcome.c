/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of a request as its attempts end (RFC 3261 §16.7, §16.9). */
#include "proxy/proxy_internal.h"

#define RETRY_AFTER_MAX_S 300

/* ---- the final response ---- */

/* What is not needed any more to make another attempt. */
static void drop_requests(struct proxy *proxy, struct txn *txn)
{
	for (struct attempt *a = txn->attempts; a; a = a->next)
		if (a->state == ATTEMPT_ACCEPTED || txn->method != SIP_INVITE || a->ack.p)
			blob_clear(&proxy->txns.pool, &a->request);
}

static void answer_by(struct proxy *proxy, const struct attempt *attempt,
		      const struct sip_msg *msg, bool ours)
{
	struct txn *txn = attempt->timer.txn;
	bool accepted = txn->method == SIP_INVITE && msg->status < 300;

	rules_answered(proxy, txn, msg);
	account_answered(proxy, attempt, msg, ours);
	response_forward(proxy, attempt, msg, !accepted);
	if (accepted)
		blob_clear(&proxy->txns.pool, &txn->response);
	blob_clear(&proxy->txns.pool, &txn->best);
	timer_complete(proxy, txn, accepted ? TXN_ACCEPTED : TXN_COMPLETED);
	drop_requests(proxy, txn);
}

static void answer(struct proxy *proxy, const struct attempt *attempt, const struct sip_msg *msg)
{
	answer_by(proxy, attempt, msg, false);
}

/* A response of our own in place of one that the next hop owes. */
static bool answer_ourselves(struct proxy *proxy, const struct attempt *attempt, unsigned status)
{
	struct sip_msg *msg;

	if (!response_make(proxy, attempt, status, &msg))
		return false;
	answer_by(proxy, attempt, msg, true);
	return true;
}

/* ---- the best of several failures (RFC 3261 §16.7 step 6) ---- */

/* The lower the better. */
static unsigned rank(unsigned status)
{
	bool tells_how = status == 401 || status == 407 || status == 415 || status == 420 ||
			 status == 484;

	if (status >= 600)
		return 0;
	return 10 * (status / 100) + (tells_how ? 0 : 1);
}

static bool is_better(const struct txn *txn, unsigned status)
{
	return !txn->best_status || rank(status) < rank(txn->best_status);
}

static void keep_best(struct proxy *proxy, const struct attempt *attempt,
		      const struct sip_msg *msg)
{
	struct txn *txn = attempt->timer.txn;

	if (!is_better(txn, msg->status))
		return;
	if (blob_set(&proxy->txns.pool, &txn->best, msg->raw)) {
		proxy_count(proxy, PROXY_NO_MEMORY);
		return;
	}
	txn->best_status = msg->status;
	txn->best_of = attempt;
}

static bool answer_best(struct proxy *proxy, const struct txn *txn)
{
	const char *why;

	if (!txn->best_status ||
	    sip_msg_parse(blob_slice(&txn->best), &proxy->second, &why) != SIP_PARSE_OK)
		return false;
	answer(proxy, txn->best_of, &proxy->second);
	return true;
}

/* ---- attempts that end ---- */

/* Each 2xx belongs to the caller, however late (RFC 3261 §16.7 step 5). */
static void late_answer(struct proxy *proxy, const struct attempt *attempt,
			const struct sip_msg *msg)
{
	rules_answered(proxy, attempt->timer.txn, msg);
	response_forward(proxy, attempt, msg, false);
}

/* An upstream may not put itself out of service for longer by one answer. */
static unsigned retry_after_s(const struct sip_msg *msg)
{
	unsigned seconds = sip_retry_after(sip_msg_value(msg, SIP_RETRY_AFTER));

	return seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S;
}

static void note(struct proxy *proxy, const struct health_word *word)
{
	struct health_hop hop;

	if (health_heard(&proxy->shared->health, policy_settings(proxy->admission.policy), word,
			 &hop))
		report_hop(&hop);
}

/* What an answer, or silence, says about the hop. */
static void note_answer(struct proxy *proxy, const struct attempt *attempt,
			const struct sip_msg *msg)
{
	note(proxy, &(struct health_word){
			    .target = &attempt->target,
			    .status = msg->status,
			    .retry_after_s = msg->status == 503 ? retry_after_s(msg) : 0,
			    .ping = attempt->timer.txn->own == OWN_PING,
			    .now_ns = proxy->now_ns,
		    });
}

static void note_silence(struct proxy *proxy, const struct attempt *attempt)
{
	if (attempt->state == ATTEMPT_CALLING)
		note(proxy, &(struct health_word){.target = &attempt->target,
						  .now_ns = proxy->now_ns});
}

static void failed(struct proxy *proxy, struct attempt *attempt, const struct sip_msg *msg)
{
	struct txn *txn = attempt->timer.txn;

	if (msg->status == 503 && target_next(proxy, txn)) {
		keep_best(proxy, attempt, msg);
		return;
	}
	if (msg->status >= 600)
		attempt_cancel_open(proxy, txn);
	if (txn_has_open(txn))
		keep_best(proxy, attempt, msg);
	else if (is_better(txn, msg->status) || !answer_best(proxy, txn))
		answer(proxy, attempt, msg);
}

/* A challenge that was for us: the requester never sees it. */
static bool is_answered_again(struct proxy *proxy, struct attempt *attempt,
			      const struct sip_msg *msg)
{
	struct txn *txn = attempt->timer.txn;
	bool ours;

	if (msg->status != 401 && msg->status != 407)
		return false;
	if (authenticate_again(proxy, attempt, msg, &ours))
		return true;
	if (!ours || txn_has_open(txn))
		return false;
	if (txn->method == SIP_INVITE)
		attempt_acknowledge(proxy, attempt, msg);
	return answer_ourselves(proxy, attempt, 403);
}

/* To a request of our own. */
static void own_final(struct proxy *proxy, struct attempt *attempt, const struct sip_msg *msg)
{
	struct txn *txn = attempt->timer.txn;
	bool ours;

	if (!attempt_is_open(attempt))
		return;
	attempt_end(proxy, attempt, ATTEMPT_ENDED);
	if ((msg->status == 401 || msg->status == 407) &&
	    authenticate_again(proxy, attempt, msg, &ours))
		return;
	own_answered(proxy, attempt, msg);
	txn_free(&proxy->txns, txn);
}

void outcome_final(struct proxy *proxy, struct attempt *attempt, const struct sip_msg *msg)
{
	struct txn *txn = attempt->timer.txn;
	bool counts = txn->state == TXN_PROCEEDING && attempt_is_open(attempt);
	bool success = msg->status < 300;

	note_answer(proxy, attempt, msg);
	if (success)
		authenticate_accepted(proxy, attempt);
	if (txn->own) {
		own_final(proxy, attempt, msg);
		return;
	}
	if (attempt->state <= ATTEMPT_PROCEEDING)
		attempt_end(proxy, attempt,
			    txn->method == SIP_INVITE && success ? ATTEMPT_ACCEPTED :
								   ATTEMPT_ENDED);
	if (counts && !success && is_answered_again(proxy, attempt, msg))
		return;
	if (success && txn->state == TXN_PROCEEDING) {
		answer(proxy, attempt, msg);
		attempt_cancel_open(proxy, txn);
	} else if (success && txn->method == SIP_INVITE) {
		late_answer(proxy, attempt, msg);
	} else if (counts && !success) {
		failed(proxy, attempt, msg);
	}
	if (txn->method == SIP_INVITE && !success && attempt->state == ATTEMPT_ENDED)
		attempt_acknowledge(proxy, attempt, msg);
}

/* What the requester is told where no hop has said anything. */
static unsigned silence_status(const struct attempt *attempt)
{
	if (attempt->timer.txn->cancelled)
		return 487;
	return attempt->unreachable ? 503 : 408;
}

/* An ACK is answered by nobody: it has arrived, unless its connection has failed. */
static void acknowledged(struct proxy *proxy, struct attempt *attempt)
{
	struct txn *txn = attempt->timer.txn;

	attempt_end(proxy, attempt, ATTEMPT_ENDED);
	if (!attempt->unreachable || !target_detour(proxy, txn))
		txn_free(&proxy->txns, txn);
}

void outcome_silent(struct proxy *proxy, struct attempt *attempt)
{
	struct txn *txn = attempt->timer.txn;

	if (txn->method == SIP_ACK) {
		acknowledged(proxy, attempt);
		return;
	}
	note_silence(proxy, attempt);
	if (txn->own) {
		own_answered(proxy, attempt, NULL);
		txn_free(&proxy->txns, txn);
		return;
	}
	proxy_count(proxy, PROXY_TIMEOUTS);
	attempt_end(proxy, attempt, ATTEMPT_ENDED);
	if (txn->state != TXN_PROCEEDING || txn_has_open(txn) || target_next(proxy, txn) ||
	    (attempt->unreachable && target_detour(proxy, txn)) || answer_best(proxy, txn))
		return;
	/* To a request other than INVITE that is said by silence (RFC 4320 §4.2): the client has
	 * timed out itself. */
	if ((txn->method == SIP_INVITE || attempt->unreachable) &&
	    answer_ourselves(proxy, attempt, silence_status(attempt)))
		return;
	rules_unanswered(proxy, txn);
	txn_free(&proxy->txns, txn);
}

void outcome_slow(struct proxy *proxy, struct attempt *attempt)
{
	if (!target_next(proxy, attempt->timer.txn)) {
		attempt_wait(proxy, attempt);
		return;
	}
	proxy_count(proxy, PROXY_TIMEOUTS);
	note_silence(proxy, attempt);
	attempt_pass_over(proxy, attempt);
}
