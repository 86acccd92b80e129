/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/answer.h"

#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/host.h"
#include "policy/vouch.h"
#include "record/writer.h"

_Static_assert((int)CALL_UDP == (int)NET_UDP && (int)CALL_TCP == (int)NET_TCP &&
		       (int)CALL_TLS == (int)NET_TLS,
	       "records name transports as the net does");

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

/* A time of the coarse monotonic clock; null for never. */
static json_t *wall_time(uint64_t time_ns, uint64_t now_ns)
{
	int64_t ahead_s = (int64_t)(time_ns - now_ns) / (int64_t)NS_PER_S;

	return time_ns ? json_integer((json_int_t)clock_wall_s() + ahead_s) : json_null();
}

/* ---- the workers ---- */

static void lock(const struct worker_view *worker)
{
	if (worker->lock)
		pthread_mutex_lock(worker->lock);
}

static void unlock(const struct worker_view *worker)
{
	if (worker->lock)
		pthread_mutex_unlock(worker->lock);
}

static void add_counters(uint64_t *sums, const uint64_t *counters, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		sums[i] += counters[i];
}

static void add_worker(struct answer_sums *sums, const struct worker_view *worker)
{
	struct proxy_stats proxy;
	struct net_stats net;
	struct records_stats records;

	proxy_stats(worker->proxy, &proxy);
	add_counters(sums->proxy.counters, proxy.counters, PROXY_COUNTERS);
	sums->proxy.transactions += proxy.transactions;
	sums->proxy.transaction_limit += proxy.transaction_limit;
	/* These they share. */
	sums->proxy.calls = proxy.calls;
	sums->proxy.call_limit = proxy.call_limit;
	net_stats(worker->net, &net);
	add_counters(sums->net.counters, net.counters, NET_COUNTERS);
	sums->net.incoming = net.incoming;
	sums->net.outgoing = net.outgoing;
	sums->net.connection_limit = net.connection_limit;
	records_stats(worker->records, &records);
	sums->records.calls += records.calls;
	sums->records.limit += records.limit;
	sums->records.full += records.full;
	sums->records.suppressed += records.suppressed;
}

void answer_sum(const struct answerer *answerer, struct answer_sums *ret_sums)
{
	memset(ret_sums, 0, sizeof(*ret_sums));
	for (unsigned i = 0; i < answerer->count; i++) {
		lock(&answerer->workers[i]);
		add_worker(ret_sums, &answerer->workers[i]);
		unlock(&answerer->workers[i]);
	}
}

/* What they share is borrowed from the first one: it changes in this thread alone. */
static const struct admission *admission_of(const struct answerer *answerer)
{
	return proxy_admission(answerer->workers[0].proxy);
}

/* ---- status ---- */

static json_t *proxy_status(const struct answerer *answerer, const struct answer_sums *sums)
{
	json_t *object = json_object();

	(void)answerer;
	for (int i = 0; i < PROXY_COUNTERS; i++)
		json_object_set_new(object, proxy_counter_name((enum proxy_counter)i),
				    number(sums->proxy.counters[i]));
	return object;
}

static json_t *transaction_status(const struct answerer *answerer, const struct answer_sums *sums)
{
	(void)answerer;
	return json_pack("{s:o, s:o}", "transactions", number(sums->proxy.transactions), "limit",
			 number(sums->proxy.transaction_limit));
}

static json_t *call_status(const struct answerer *answerer, const struct answer_sums *sums)
{
	(void)answerer;
	return json_pack("{s:o, s:o}", "calls", number(sums->proxy.calls), "limit",
			 number(sums->proxy.call_limit));
}

static json_t *net_status(const struct answerer *answerer, const struct answer_sums *sums)
{
	json_t *object = json_object();

	(void)answerer;
	for (int i = 0; i < NET_COUNTERS; i++)
		json_object_set_new(object, net_counter_name((enum net_counter)i),
				    number(sums->net.counters[i]));
	return object;
}

static json_t *connection_status(const struct answerer *answerer, const struct answer_sums *sums)
{
	(void)answerer;
	return json_pack("{s:o, s:o, s:o}", "incoming", number(sums->net.incoming), "outgoing",
			 number(sums->net.outgoing), "limit", number(sums->net.connection_limit));
}

static json_t *lockout_status(const struct answerer *answerer, const struct answer_sums *sums)
{
	struct lockout_stats stats;

	(void)sums;
	lockout_stats(admission_of(answerer)->lockouts, &stats);
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "sources", number(stats.sources), "limit",
			 number(stats.limit), "locked", number(stats.locked), "full",
			 number(stats.full), "map_errors", number(stats.map_errors));
}

static json_t *replay_status(const struct answerer *answerer, const struct answer_sums *sums)
{
	struct replay_stats stats;

	(void)sums;
	replay_stats(admission_of(answerer)->replay, &stats);
	return json_pack("{s:o, s:o, s:o}", "nonces", number(stats.nonces), "limit",
			 number(stats.limit), "evicted", number(stats.evicted));
}

static json_t *registrar_status(const struct answerer *answerer, const struct answer_sums *sums)
{
	struct registrar_stats stats;

	(void)sums;
	registrar_stats(admission_of(answerer)->registrar, &stats);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "bindings",
			 number(stats.bindings), "limit", number(stats.limit), "registered",
			 number(stats.registered), "refreshed", number(stats.refreshed), "removed",
			 number(stats.removed), "expired", number(stats.expired), "full",
			 number(stats.full), "untold", number(stats.untold));
}

static json_t *record_status(const struct answerer *answerer, const struct answer_sums *sums)
{
	struct record_writer_stats written = {0};
	const struct records_stats *stats = &sums->records;

	if (answerer->record_writer)
		record_writer_stats(answerer->record_writer, &written);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "calls", number(stats->calls),
			 "limit", number(stats->limit), "full", number(stats->full), "suppressed",
			 number(stats->suppressed), "written", number(written.written), "dropped",
			 number(written.dropped), "unlogged", number(written.unlogged));
}

/* Each part of the daemon that counts something has a row. */
static const struct {
	const char *name;
	json_t *(*status)(const struct answerer *answerer, const struct answer_sums *sums);
} parts[] = {
	{"proxy", proxy_status},
	{"transactions", transaction_status},
	{"calls", call_status},
	{"net", net_status},
	{"connections", connection_status},
	{"lockouts", lockout_status},
	{"replay", replay_status},
	{"registrar", registrar_status},
	{"records", record_status},
};

static json_t *answer_status(const struct answerer *answerer, const json_t *request)
{
	const struct admission *admission = admission_of(answerer);
	uint64_t up_ns = clock_coarse_ns() - answerer->started_ns;
	json_t *answer = json_pack("{s:o, s:o, s:b}", "uptime_s", number(up_ns / NS_PER_S),
				   "generation", number(policy_generation(admission->policy)),
				   "filter", admission->filter != NULL);
	struct answer_sums sums;

	(void)request;
	answer_sum(answerer, &sums);
	json_object_set_new(answer, "workers", number(answerer->count));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		json_object_set_new(answer, parts[i].name, parts[i].status(answerer, &sums));
	return answer;
}

/* ---- evidence ---- */

/* Who vouches for the source, so that soft evidence does not count; null for nobody. */
static json_t *voucher(const struct admission *admission, const struct ip *ip, uint64_t now_ns)
{
	switch (vouch_of(admission, ip, now_ns)) {
	case VOUCHER_LIST:
		return json_string("listed");
	case VOUCHER_PROOF:
		return json_string("proven");
	case VOUCHER_NONE:
		break;
	}
	return json_null();
}

static json_t *evidence_of(const struct admission *admission, const struct ip *ip)
{
	const struct store_settings *settings = policy_settings(admission->policy);
	uint64_t now_ns = clock_coarse_ns();
	struct lockout_record record;
	json_t *answer = json_object();

	lockout_evidence_of(admission->lockouts, settings, ip, now_ns, &record);
	json_object_set_new(answer, "vouched", voucher(admission, ip, now_ns));
	json_object_set_new(answer, "soft", number(record.soft));
	json_object_set_new(answer, "hard", number(record.hard));
	json_object_set_new(answer, "first", wall_time(record.first_ns, now_ns));
	json_object_set_new(answer, "last", wall_time(record.last_ns, now_ns));
	if (record.last_ns) {
		const char *grade = record.grade == LOCKOUT_HARD ? "hard" : "soft";

		json_object_set_new(answer, "grade", json_string(grade));
		json_object_set_new(answer, "reason",
				    json_string(filter_lockout_reason_name(record.reason)));
	}
	json_object_set_new(answer, "locked_out", json_boolean(record.locked_out));
	if (record.locked_out)
		json_object_set_new(answer, "until", wall_time(record.lockout.until_ns, now_ns));
	json_object_set_new(answer, "allowed", number(settings->lockout_failures));
	json_object_set_new(answer, "window_s", number(settings->lockout_window_s));
	json_object_set_new(answer, "next_lockout_s", number(record.next_ns / NS_PER_S));
	return answer;
}

static json_t *answer_evidence(const struct answerer *answerer, const json_t *request)
{
	const char *text = json_string_value(json_object_get(request, "source"));
	struct ip ip;

	if (!text || ip_parse(slice_from(text), &ip))
		return json_pack("{s:s}", "error", "\"source\" is no IPv4 or IPv6 address");
	return evidence_of(admission_of(answerer), &ip);
}

/* ---- calls ---- */

static json_t *answer_calls(const struct answerer *answerer, const json_t *request)
{
	json_int_t index = json_integer_value(json_object_get(request, "worker"));
	const struct worker_view *worker;
	json_t *answer;

	if (index < 0 || index >= answerer->count)
		return json_pack("{s:s}", "error", "there is no such worker");
	worker = &answerer->workers[index];
	lock(worker);
	answer = records_answer(worker->records, request);
	unlock(worker);
	json_object_set_new(answer, "workers", number(answerer->count));
	return answer;
}

/* ---- upstreams, as the first worker sees them ---- */

/* null where there is none. */
static json_t *number_if(bool known, uint64_t value)
{
	return known ? number(value) : json_null();
}

struct hop_rows {
	json_t *array;
	uint64_t now_ns;
};

static void add_hop(const struct proxy_hop *hop, void *arg)
{
	static const char *const states[] = {
		[PROXY_HOP_UP] = "up", [PROXY_HOP_DOWN] = "down", [PROXY_HOP_WAITING] = "waiting"};
	const struct store_peer_address place = {.endpoint = hop->endpoint,
						 .transport = hop->transport};
	const struct hop_rows *rows = arg;
	bool waits = hop->state == PROXY_HOP_WAITING, answered = hop->answered_ns != 0;
	char address[HOST_PLACE_TEXT_SIZE];

	host_place_format(&place, address);
	json_array_append_new(
		rows->array,
		json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "uri", hop->uri, "address",
			  address, "state", states[hop->state], "wait_s",
			  number_if(waits, (hop->retry_ns - rows->now_ns) / NS_PER_S), "last",
			  number_if(answered, hop->status), "answered_s",
			  number_if(answered, (rows->now_ns - hop->answered_ns) / NS_PER_S),
			  "latency_ms", number_if(hop->latency_ms != UINT_MAX, hop->latency_ms),
			  "failures", number(hop->failures)));
}

static json_t *answer_upstreams(const struct answerer *answerer, const json_t *request)
{
	const struct worker_view *first = &answerer->workers[0];
	struct hop_rows rows = {json_array(), clock_coarse_ns()};

	(void)request;
	lock(first);
	proxy_hops_each(first->proxy, rows.now_ns, add_hop, &rows);
	unlock(first);
	return json_pack("{s:o}", "upstreams", rows.array);
}

/* ---- registrations at upstreams ---- */

static void tell_registration(const struct proxy_registration *registration, void *arg)
{
	uint64_t now_ns = clock_coarse_ns();

	json_array_append_new(arg, json_pack("{s:I, s:o, s:o, s:o}", "credential",
					     (json_int_t)registration->credential_id, "until",
					     wall_time(registration->until_ns, now_ns), "status",
					     number(registration->status), "failures",
					     number(registration->failures)));
}

static json_t *answer_registrations(const struct answerer *answerer, const json_t *request)
{
	const struct worker_view *first = &answerer->workers[0];
	json_t *rows = json_array();

	(void)request;
	lock(first);
	proxy_registration_each(first->proxy, tell_registration, rows);
	unlock(first);
	return json_pack("{s:o}", "registrations", rows);
}

static const struct {
	const char *ask;
	json_t *(*answer)(const struct answerer *answerer, const json_t *request);
} questions[] = {
	{"status", answer_status},
	{"evidence", answer_evidence},
	{"calls", answer_calls},
	{"upstreams", answer_upstreams},
	{"registrations_out", answer_registrations},
};

json_t *answer_question(const char *ask, const json_t *request, void *arg)
{
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		if (strcmp(questions[i].ask, ask) == 0)
			return questions[i].answer(arg, request);
	}
	return NULL;
}
