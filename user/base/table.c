/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/siphash.h"

#define BUCKETS_AT_FIRST 64

int table_init(struct table *table)
{
	memset(table, 0, sizeof(*table));
	table->buckets = calloc(BUCKETS_AT_FIRST, sizeof(*table->buckets));
	if (!table->buckets)
		return -ENOMEM;
	table->mask = BUCKETS_AT_FIRST - 1;
	random_bytes(table->key, sizeof(table->key));
	return 0;
}

void table_free(struct table *table)
{
	free(table->buckets);
	memset(table, 0, sizeof(*table));
}

uint64_t table_hash(const struct table *table, uint64_t seed, const void *bytes, size_t n)
{
	uint8_t key[16];
	uint64_t low;

	memcpy(key, table->key, sizeof(key));
	memcpy(&low, key, sizeof(low));
	low ^= seed;
	memcpy(key, &low, sizeof(low));
	return siphash_64(key, bytes, n);
}

static void table_grow(struct table *table)
{
	const size_t size = 2 * (table->mask + 1);
	struct table_node **buckets = calloc(size, sizeof(*buckets));

	if (!buckets)
		return;
	for (size_t i = 0; i <= table->mask; i++) {
		struct table_node *node = table->buckets[i], *next;

		for (; node; node = next) {
			next = node->next;
			node->next = buckets[node->hash & (size - 1)];
			buckets[node->hash & (size - 1)] = node;
		}
	}
	free(table->buckets);
	table->buckets = buckets;
	table->mask = size - 1;
}

void table_insert(struct table *table, struct table_node *node, uint64_t hash)
{
	if (table->count > table->mask)
		table_grow(table);
	node->hash = hash;
	node->next = table->buckets[hash & table->mask];
	table->buckets[hash & table->mask] = node;
	table->count++;
}

void table_remove(struct table *table, struct table_node *node)
{
	struct table_node **at = &table->buckets[node->hash & table->mask];

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	table->count--;
}

static struct table_node *with_hash(struct table_node *node, uint64_t hash)
{
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct table_node *table_first(const struct table *table, uint64_t hash)
{
	return with_hash(table->buckets[hash & table->mask], hash);
}

struct table_node *table_next(const struct table_node *node)
{
	return with_hash(node->next, node->hash);
}

void table_each(const struct table *table, void (*visit)(struct table_node *node, void *arg),
		void *arg)
{
	for (size_t i = 0; table->buckets && i <= table->mask; i++) {
		struct table_node *node = table->buckets[i], *next;

		for (; node; node = next) {
			next = node->next;
			visit(node, arg);
		}
	}
}
