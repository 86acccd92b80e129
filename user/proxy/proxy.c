/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/proxy_internal.h"

static const char *const counter_names[] = {
	[PROXY_RECEIVED] = "received",
	[PROXY_NOT_SIP] = "not_sip",
	[PROXY_UNANSWERABLE] = "unanswerable",
	[PROXY_BAD_REQUEST] = "bad_request",
	[PROXY_REQUESTS] = "requests",
	[PROXY_RETRANSMISSIONS] = "retransmissions",
	[PROXY_FORWARDED] = "forwarded",
	[PROXY_DIALOG_FORWARDED] = "dialog_forwarded",
	[PROXY_REGISTERED] = "registered",
	[PROXY_CHALLENGED] = "challenged",
	[PROXY_REFUSED] = "refused",
	[PROXY_LOCKED_OUT] = "locked_out",
	[PROXY_LOCKED_OUT_SERVED] = "locked_out_served",
	[PROXY_REPLY_WITHHELD] = "reply_withheld",
	[PROXY_ACK_UNMATCHED] = "ack_unmatched",
	[PROXY_RESPONSES] = "responses",
	[PROXY_RESPONSE_UNVERIFIED] = "response_unverified",
	[PROXY_RESPONSE_STATELESS] = "response_stateless",
	[PROXY_TIMEOUTS] = "timeouts",
	[PROXY_TRANSACTIONS_FULL] = "transactions_full",
	[PROXY_NO_MEMORY] = "no_memory",
	[PROXY_SEND_FAILED] = "send_failed",
	[PROXY_CALLS_PER_SECOND] = "calls_per_second",
	[PROXY_TOO_MANY_CALLS] = "too_many_calls",
	[PROXY_CALLS_FULL] = "calls_full",
	[PROXY_OVERLOADED] = "overloaded",
	[PROXY_PASSED_ON] = "passed_on",
	[PROXY_NOT_PASSED_ON] = "not_passed_on",
};
_Static_assert(sizeof(counter_names) / sizeof(counter_names[0]) == PROXY_COUNTERS, "counter names");

const char *proxy_counter_name(enum proxy_counter counter)
{
	return counter_names[counter];
}

static void follow_hops(struct proxy *proxy)
{
	const struct policy *policy = proxy->admission.policy;

	if (!proxy->leads)
		return;
	if (health_follow(&proxy->shared->health, policy, proxy->now_ns))
		proxy_count(proxy, PROXY_NO_MEMORY);
	if (registrations_follow(&proxy->registrations, policy, proxy->now_ns))
		proxy_count(proxy, PROXY_NO_MEMORY);
}

int proxy_shared_create(size_t calls, struct proxy_shared **ret_shared)
{
	struct proxy_shared *shared = calloc(1, sizeof(*shared));

	if (!shared)
		return -ENOMEM;
	if (calls_init(&shared->calls, calls ? calls : CALLS_DEFAULT) ||
	    health_init(&shared->health) || outbounds_init(&shared->outbounds)) {
		proxy_shared_free(shared);
		return -ENOMEM;
	}
	sources_init(&shared->sources);
	proofs_init(&shared->proofs);
	*ret_shared = shared;
	return 0;
}

void proxy_shared_free(struct proxy_shared *shared)
{
	if (!shared)
		return;
	calls_free(&shared->calls);
	health_free(&shared->health);
	outbounds_free(&shared->outbounds);
	explicit_bzero(shared, sizeof(*shared));
	free(shared);
}

int proxy_create(const struct proxy_options *options, struct proxy **ret_proxy)
{
	struct proxy *proxy = calloc(1, sizeof(*proxy));
	size_t limit = options->transactions ? options->transactions : PROXY_TRANSACTIONS_DEFAULT;
	int rc;

	if (!proxy)
		return -ENOMEM;
	rc = txns_init(&proxy->txns, limit);
	if (!rc && !options->shared)
		rc = proxy_shared_create(options->calls, &proxy->own_shared);
	if (rc) {
		proxy_free(proxy);
		return rc;
	}
	proxy->output = options->output;
	proxy->admission = options->admission;
	proxy->registrar = options->registrar;
	proxy->records = options->records;
	proxy->leads = options->leads;
	proxy->admission.registrar = options->registrar;
	proxy->shared = options->shared ? options->shared : proxy->own_shared;
	proxy->admission.proofs = &proxy->shared->proofs;
	memcpy(proxy->branch_key, options->branch_key, sizeof(proxy->branch_key));
	memcpy(proxy->dialog_key, options->dialog_key, sizeof(proxy->dialog_key));
	follow_hops(proxy);
	*ret_proxy = proxy;
	return 0;
}

void proxy_free(struct proxy *proxy)
{
	if (!proxy)
		return;
	txns_free(&proxy->txns);
	proxy_shared_free(proxy->own_shared);
	registrations_free(&proxy->registrations);
	explicit_bzero(proxy, sizeof(*proxy));
	free(proxy);
}

void proxy_drain(struct proxy *proxy)
{
	proxy->draining = true;
}

static void count_unanswered(struct table_node *node, void *arg)
{
	const struct txn *txn = table_entry(node, struct txn, node);

	*(size_t *)arg += !txn->own && txn->state == TXN_PROCEEDING;
}

size_t proxy_unanswered(struct proxy *proxy)
{
	size_t n = 0;

	table_each(&proxy->txns.table, count_unanswered, &n);
	return n;
}

const struct admission *proxy_admission(const struct proxy *proxy)
{
	return &proxy->admission;
}

void proxy_set_policy(struct proxy *proxy, const struct policy *policy)
{
	proxy->admission.policy = policy;
	calls_forget_idle(&proxy->shared->calls, proxy->now_ns);
	outbounds_follow(&proxy->shared->outbounds, policy);
	follow_hops(proxy);
}

void proxy_set_filter(struct proxy *proxy, struct filter *filter, struct lockouts *lockouts)
{
	proxy->admission.filter = filter;
	proxy->admission.lockouts = lockouts;
}

void proxy_count(struct proxy *proxy, enum proxy_counter counter)
{
	proxy->counters[counter]++;
}

int proxy_send(struct proxy *proxy, const struct net_path *path, struct slice message)
{
	struct iovec iov = {(char *)(uintptr_t)message.p, message.n};
	int rc = proxy->output.send(proxy->output.arg, path, &iov, 1);

	if (rc)
		proxy_count(proxy, PROXY_SEND_FAILED);
	return rc;
}

/* True if the packet is no more ours to handle. */
static bool pass_on(struct proxy *proxy, const struct net_packet *packet)
{
	const struct proxy_output *output = &proxy->output;
	struct slice call_id = sip_msg_value(&proxy->msg, SIP_CALL_ID);

	if (!output->is_own || output->is_own(output->arg, call_id))
		return false;
	proxy_count(proxy, output->pass_on(output->arg, call_id, packet) ? PROXY_PASSED_ON
									 : PROXY_NOT_PASSED_ON);
	return true;
}

static void receive_one(struct proxy *proxy, const struct net_packet *packet)
{
	struct sip_msg *msg = &proxy->msg;
	const char *why = "";

	enum sip_parse_result result = sip_msg_parse(packet->bytes, msg, &why);

	if (result == SIP_PARSE_OK && pass_on(proxy, packet))
		return;
	proxy_count(proxy, PROXY_RECEIVED);
	switch (result) {
	case SIP_PARSE_OK:
		if (msg->is_request)
			request_receive(proxy, msg, packet);
		else
			response_receive(proxy, msg, &packet->path);
		break;
	case SIP_PARSE_BAD_REQUEST:
		reply_unreadable(proxy, &packet->path, 400, why);
		break;
	case SIP_PARSE_BAD_VERSION:
		reply_unreadable(proxy, &packet->path, 505, NULL);
		break;
	case SIP_PARSE_UNANSWERABLE:
		proxy_count(proxy, PROXY_UNANSWERABLE);
		break;
	case SIP_PARSE_NOT_SIP:
		proxy_count(proxy, PROXY_NOT_SIP);
		break;
	}
}

void proxy_receive(struct proxy *proxy, const struct net_packet *packets, unsigned n,
		   uint64_t now_ns)
{
	proxy->now_ns = now_ns;
	for (unsigned i = 0; i < n; i++)
		receive_one(proxy, &packets[i]);
}

void proxy_tick(struct proxy *proxy, uint64_t now_ns)
{
	struct health_hop hop;
	struct registration *registration;
	struct txn_timer *timer;

	proxy->now_ns = now_ns;
	report_flush(&proxy->report, now_ns);
	if (proxy->registrar)
		registrar_tick(proxy->registrar, clock_steady_s());
	while ((timer = timer_due(&proxy->txns, now_ns)))
		timer_fire(proxy, timer);
	while (proxy->leads &&
	       health_due(&proxy->shared->health, policy_settings(proxy->admission.policy), now_ns,
			  &hop))
		own_ping(proxy, &hop);
	while ((registration = registration_due(&proxy->registrations, now_ns)))
		enrol_due(proxy, registration);
	calls_tick(&proxy->shared->calls, now_ns);
	pool_rest(&proxy->txns.pool, now_ns / NS_PER_S);
}

uint64_t proxy_deadline(const struct proxy *proxy)
{
	const struct deadline *txn = deadline_first(&proxy->txns.deadlines);
	uint64_t at_ns = txn ? txn->at_ns : UINT64_MAX;
	uint64_t ping_ns = proxy->leads ? health_deadline(&proxy->shared->health) : UINT64_MAX;
	uint64_t registration_ns = registrations_deadline(&proxy->registrations);
	uint64_t call_ns = calls_deadline(&proxy->shared->calls);

	if (ping_ns < at_ns)
		at_ns = ping_ns;
	if (registration_ns < at_ns)
		at_ns = registration_ns;
	return call_ns < at_ns ? call_ns : at_ns;
}

struct failed_path {
	struct proxy *proxy;
	const struct net_path *path;
	uint64_t asked_ns;
};

static bool is_to(const struct failed_path *failed, const struct net_path *path)
{
	return path->transport == failed->path->transport &&
	       endpoint_eq(&path->remote, &failed->path->remote);
}

/* The requester's connection is gone: what it may have missed goes to where its Via says (RFC 3261
 * §18.2.2). */
static void answer_by_via(struct proxy *proxy, struct txn *txn)
{
	if (txn->own || txn->requester.remote.port == txn->answer_port)
		return;
	txn->requester.remote.port = txn->answer_port;
	if (txn->response.p)
		proxy_send(proxy, &txn->requester, blob_slice(&txn->response));
}

static void fail_txn(struct table_node *node, void *arg)
{
	const struct failed_path *failed = arg;
	struct txn *txn = table_entry(node, struct txn, node);

	for (struct attempt *a = txn->attempts; a; a = a->next)
		if (a->state == ATTEMPT_CALLING && is_to(failed, &a->target) &&
		    a->sent_ns <= failed->asked_ns)
			attempt_unreachable(failed->proxy, a);
	if (is_to(failed, &txn->requester))
		answer_by_via(failed->proxy, txn);
}

void proxy_failed(struct proxy *proxy, const struct net_path *path, uint64_t asked_ns,
		  uint64_t now_ns)
{
	struct failed_path failed = {proxy, path, asked_ns};

	proxy->now_ns = now_ns;
	/* Of others nothing is waited for that the effort would be worth. */
	if (source_is_vouched(proxy, &path->remote.ip))
		table_each(&proxy->txns.table, fail_txn, &failed);
}

void proxy_misbehaved(struct proxy *proxy, const struct net_path *path, uint64_t now_ns)
{
	struct sipward_lockout lockout;

	if (admission_misbehaved(&proxy->admission, &path->remote.ip, now_ns, &lockout))
		report_lockout(&path->remote, &lockout, now_ns);
}

void proxy_stats(const struct proxy *proxy, struct proxy_stats *ret_stats)
{
	memcpy(ret_stats->counters, proxy->counters, sizeof(ret_stats->counters));
	ret_stats->transactions = proxy->txns.table.count;
	ret_stats->transaction_limit = proxy->txns.limit;
	ret_stats->calls = calls_count(&proxy->shared->calls);
	ret_stats->call_limit = proxy->shared->calls.limit;
}

struct hop_visitor {
	uint64_t now_ns;
	void (*visit)(const struct proxy_hop *hop, void *arg);
	void *arg;
};

static void visit_hop(const struct health_hop *hop, void *arg)
{
	const struct hop_visitor *visitor = arg;
	struct proxy_hop told = {
		.uri = hop->uri,
		.endpoint = hop->endpoint,
		.transport = hop->transport,
		.retry_ns = hop->retry_ns,
		.status = hop->status,
		.answered_ns = hop->answered_ns,
		.latency_ms = hop->latency_ms,
		.failures = hop->failures,
	};

	if (hop->down)
		told.state = PROXY_HOP_DOWN;
	else if (hop->retry_ns > visitor->now_ns)
		told.state = PROXY_HOP_WAITING;
	visitor->visit(&told, visitor->arg);
}

void proxy_hops_each(const struct proxy *proxy, uint64_t now_ns,
		     void (*visit)(const struct proxy_hop *hop, void *arg), void *arg)
{
	struct hop_visitor visitor = {now_ns, visit, arg};

	health_each(&proxy->shared->health, visit_hop, &visitor);
}

unsigned proxy_calls_of_trunk(const struct proxy *proxy, int64_t trunk_id)
{
	return calls_of_trunk(&proxy->shared->calls, trunk_id);
}
