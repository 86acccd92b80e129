/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/txn.h"

#include <errno.h>
#include <string.h>

int blob_set(struct pool *pool, struct blob *blob, struct slice bytes)
{
	char *p;

	blob_clear(pool, blob);
	p = pool_take(pool, bytes.n);
	if (!p)
		return -ENOMEM;
	memcpy(p, bytes.p, bytes.n);
	*blob = (struct blob){p, bytes.n};
	return 0;
}

void blob_clear(struct pool *pool, struct blob *blob)
{
	pool_put(pool, blob->p);
	*blob = (struct blob){0};
}

struct slice blob_slice(const struct blob *blob)
{
	return (struct slice){blob->p, blob->n};
}

int txns_init(struct txns *txns, size_t limit)
{
	*txns = (struct txns){.limit = limit};
	return table_init(&txns->table);
}

/* ---- timers ---- */

static int timer_start(struct txns *txns, struct txn_timer *timer)
{
	return deadline_set(&txns->deadlines, &timer->deadline, UINT64_MAX);
}

void timer_set(struct txns *txns, struct txn_timer *timer, uint64_t resend_ns, uint64_t give_up_ns)
{
	uint64_t first = resend_ns && resend_ns < give_up_ns ? resend_ns : give_up_ns;

	timer->resend_ns = resend_ns;
	timer->give_up_ns = give_up_ns;
	/* Can not fail: a timer is in the heap from its start on. */
	(void)deadline_set(&txns->deadlines, &timer->deadline, first);
}

struct txn_timer *timer_due(const struct txns *txns, uint64_t now_ns)
{
	struct deadline *first = deadline_first(&txns->deadlines);

	if (!first || first->at_ns > now_ns)
		return NULL;
	return (struct txn_timer *)((char *)first - offsetof(struct txn_timer, deadline));
}

/* ---- attempts ---- */

static void attempt_destroy(struct pool *pool, struct attempt *attempt)
{
	blob_clear(pool, &attempt->request);
	blob_clear(pool, &attempt->ack);
	blob_clear(pool, &attempt->name);
	pool_put(pool, attempt);
}

int attempt_set_target(struct txns *txns, struct attempt *attempt, const struct net_path *target)
{
	const char *name = target->transport == NET_TLS ? target->name : NULL;

	attempt->target = *target;
	attempt->target.name = NULL;
	if (!name)
		return 0;
	if (blob_set(&txns->pool, &attempt->name, (struct slice){name, strlen(name) + 1}))
		return -ENOMEM;
	attempt->target.name = attempt->name.p;
	return 0;
}

int attempt_create(struct txns *txns, struct txn *txn, struct slice request,
		   struct attempt **ret_attempt)
{
	struct attempt *attempt;

	if (txn->attempt_count == TXN_ATTEMPTS_MAX)
		return -ENOSPC;
	attempt = pool_take_zeroed(&txns->pool, sizeof(*attempt));
	if (!attempt)
		return -ENOMEM;
	attempt->timer.txn = txn;
	attempt->timer.attempt = attempt;
	if (blob_set(&txns->pool, &attempt->request, request) ||
	    timer_start(txns, &attempt->timer)) {
		attempt_destroy(&txns->pool, attempt);
		return -ENOMEM;
	}
	attempt->number = txn->attempt_count++;
	attempt->next = txn->attempts;
	txn->attempts = attempt;
	*ret_attempt = attempt;
	return 0;
}

struct attempt *attempt_find(const struct txn *txn, unsigned number)
{
	struct attempt *attempt = txn->attempts;

	while (attempt && attempt->number != number)
		attempt = attempt->next;
	return attempt;
}

bool attempt_is_open(const struct attempt *attempt)
{
	return attempt->state <= ATTEMPT_PROCEEDING && !attempt->passed_over;
}

bool txn_has_open(const struct txn *txn)
{
	for (const struct attempt *a = txn->attempts; a; a = a->next)
		if (attempt_is_open(a))
			return true;
	return false;
}

/* ---- transactions ---- */

static void txn_destroy(struct pool *pool, struct txn *txn)
{
	for (struct attempt *next, *a = txn->attempts; a; a = next) {
		next = a->next;
		attempt_destroy(pool, a);
	}
	blob_clear(pool, &txn->response);
	blob_clear(pool, &txn->best);
	blob_clear(pool, &txn->from);
	blob_clear(pool, &txn->chosen);
	pool_put(pool, txn);
}

static void destroy_visited(struct table_node *node, void *arg)
{
	txn_destroy(arg, table_entry(node, struct txn, node));
}

void txns_free(struct txns *txns)
{
	if (txns->table.buckets)
		table_each(&txns->table, destroy_visited, &txns->pool);
	table_free(&txns->table);
	deadlines_free(&txns->deadlines);
	pool_free(&txns->pool);
}

static uint64_t hash_of(const struct txns *txns, uint64_t id)
{
	return table_hash(&txns->table, 0, &id, sizeof(id));
}

struct txn *txn_find(const struct txns *txns, uint64_t id)
{
	struct table_node *n = table_first(&txns->table, hash_of(txns, id));

	for (; n; n = table_next(n)) {
		struct txn *txn = table_entry(n, struct txn, node);

		if (txn->id == id)
			return txn;
	}
	return NULL;
}

int txn_create(struct txns *txns, uint64_t id, struct txn **ret_txn)
{
	struct txn *txn;

	if (txns->table.count >= txns->limit)
		return -ENOSPC;
	txn = pool_take_zeroed(&txns->pool, sizeof(*txn));
	if (!txn)
		return -ENOMEM;
	txn->id = id;
	txn->timer.txn = txn;
	if (timer_start(txns, &txn->timer)) {
		pool_put(&txns->pool, txn);
		return -ENOMEM;
	}
	table_insert(&txns->table, &txn->node, hash_of(txns, id));
	*ret_txn = txn;
	return 0;
}

void txn_free(struct txns *txns, struct txn *txn)
{
	table_remove(&txns->table, &txn->node);
	deadline_clear(&txns->deadlines, &txn->timer.deadline);
	for (struct attempt *a = txn->attempts; a; a = a->next)
		deadline_clear(&txns->deadlines, &a->timer.deadline);
	txn_destroy(&txns->pool, txn);
}
