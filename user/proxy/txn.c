/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/txn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int blob_set(struct blob *blob, struct slice bytes)
{
	char *p = malloc(bytes.n ? bytes.n : 1);

	blob_clear(blob);
	if (!p)
		return -ENOMEM;
	memcpy(p, bytes.p, bytes.n);
	*blob = (struct blob){p, bytes.n};
	return 0;
}

void blob_clear(struct blob *blob)
{
	free(blob->p);
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

static void txn_destroy(struct txn *txn)
{
	blob_clear(&txn->request);
	blob_clear(&txn->response);
	blob_clear(&txn->from);
	blob_clear(&txn->ack);
	free(txn);
}

static void destroy_visited(struct table_node *node, void *arg)
{
	(void)arg;
	txn_destroy(table_entry(node, struct txn, node));
}

void txns_free(struct txns *txns)
{
	if (txns->table.buckets)
		table_each(&txns->table, destroy_visited, NULL);
	table_free(&txns->table);
	deadlines_free(&txns->deadlines);
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
	txn = calloc(1, sizeof(*txn));
	if (!txn)
		return -ENOMEM;
	txn->id = id;
	if (deadline_set(&txns->deadlines, &txn->deadline, UINT64_MAX)) {
		free(txn);
		return -ENOMEM;
	}
	table_insert(&txns->table, &txn->node, hash_of(txns, id));
	*ret_txn = txn;
	return 0;
}

void txn_free(struct txns *txns, struct txn *txn)
{
	table_remove(&txns->table, &txn->node);
	deadline_clear(&txns->deadlines, &txn->deadline);
	txn_destroy(txn);
}

void txn_schedule(struct txns *txns, struct txn *txn, uint64_t resend_ns, uint64_t give_up_ns)
{
	uint64_t first = resend_ns && resend_ns < give_up_ns ? resend_ns : give_up_ns;

	txn->resend_ns = resend_ns;
	txn->give_up_ns = give_up_ns;
	/* Can not fail: a transaction is in the heap from its creation on. */
	(void)deadline_set(&txns->deadlines, &txn->deadline, first);
}

struct txn *txn_due(const struct txns *txns, uint64_t now_ns)
{
	struct deadline *first = deadline_first(&txns->deadlines);

	if (!first || first->at_ns > now_ns)
		return NULL;
	return (struct txn *)((char *)first - offsetof(struct txn, deadline));
}
