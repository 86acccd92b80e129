/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An intrusive hash table for what remote parties can grow: keyed hash (SipHash with a random key a
 * table), chains, doubling. The caller owns the nodes and the limit on their number.
 *
 *	struct thing { struct table_node node; ... };
 *	for (n = table_first(&t, hash); n; n = table_next(n)) compare keys ...
 */
#ifndef SIPWARD_BASE_TABLE_H
#define SIPWARD_BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_node {
	struct table_node *next;
	uint64_t hash;
};

struct table {
	struct table_node **buckets;
	size_t mask;
	size_t count;
	uint8_t key[16];
};

#define table_entry(node_, type, member) ((type *)((char *)(node_) - offsetof(type, member)))

/* 0 or -ENOMEM. */
int table_init(struct table *table);
/* Frees the buckets, not the nodes. Accepts a zeroed table. */
void table_free(struct table *table);
/* The keyed hash of n bytes; call again with the previous result as seed for further parts. */
uint64_t table_hash(const struct table *table, uint64_t seed, const void *bytes, size_t n);
/* Adds the node under the hash. Grows when it can, and has longer chains when it can not. */
void table_insert(struct table *table, struct table_node *node, uint64_t hash);
/* Removes a node that is in the table. */
void table_remove(struct table *table, struct table_node *node);
/* The first node with this hash, and the next one with the same hash; NULL at the end. */
struct table_node *table_first(const struct table *table, uint64_t hash);
struct table_node *table_next(const struct table_node *node);
/* Visits every node; the visitor may remove and free the node it is given, no other. */
void table_each(const struct table *table, void (*visit)(struct table_node *node, void *arg),
		void *arg);

#endif
