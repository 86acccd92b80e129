/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/acl_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct acl_table_entry {
	struct ip ip;
	uint8_t len;
	bool deny;
};

static uint32_t entry_hash(const struct ip *ip, unsigned len)
{
	uint64_t half[2], h;

	memcpy(half, ip->bytes, sizeof(half));
	h = half[0] * 0x9e3779b97f4a7c15ULL;
	h ^= h >> 32;
	h = (h ^ half[1]) * 0xc2b2ae3d27d4eb4fULL;
	h ^= h >> 29;
	h = (h + len + ((uint64_t)ip->family << 8)) * 0x9e3779b97f4a7c15ULL;
	return (uint32_t)(h >> 32);
}

static bool entry_is(const struct acl_table_entry *entry, const struct ip *ip, unsigned len)
{
	return entry->len == len && ip_eq(&entry->ip, ip);
}

/* The slot that holds the prefix, or the empty one where it belongs. At most half of the slots are
 * in use, so there is always one. */
static uint32_t *slot_of(const struct acl_table *table, const struct ip *ip, unsigned len)
{
	uint32_t at = entry_hash(ip, len) & table->mask;

	while (table->slots[at] && !entry_is(&table->entries[table->slots[at] - 1], ip, len))
		at = (at + 1) & table->mask;
	return &table->slots[at];
}

static void lengths_add(struct acl_lengths *lengths, uint8_t len)
{
	unsigned at = 0;

	while (at < lengths->count && lengths->len[at] > len)
		at++;
	if (at < lengths->count && lengths->len[at] == len)
		return;
	memmove(&lengths->len[at + 1], &lengths->len[at], lengths->count - at);
	lengths->len[at] = len;
	lengths->count++;
}

int acl_table_init(struct acl_table *table, uint64_t capacity)
{
	uint64_t slots = 4;

	memset(table, 0, sizeof(*table));
	if (capacity > UINT32_MAX / 4)
		return -EOVERFLOW;
	while (slots < 2 * capacity)
		slots *= 2;
	table->entries = calloc(capacity ? capacity : 1, sizeof(*table->entries));
	table->slots = calloc(slots, sizeof(*table->slots));
	if (!table->entries || !table->slots) {
		acl_table_free(table);
		return -ENOMEM;
	}
	table->capacity = (uint32_t)capacity;
	table->mask = (uint32_t)(slots - 1);
	return 0;
}

void acl_table_free(struct acl_table *table)
{
	free(table->entries);
	free(table->slots);
	memset(table, 0, sizeof(*table));
}

int acl_table_add(struct acl_table *table, const struct prefix *prefix, bool deny)
{
	uint32_t *slot = slot_of(table, &prefix->ip, prefix->len);

	if (!*slot) {
		if (table->count == table->capacity)
			return -ENOSPC;
		table->entries[table->count].ip = prefix->ip;
		table->entries[table->count].len = prefix->len;
		*slot = ++table->count;
		lengths_add(prefix->ip.family == 4 ? &table->v4 : &table->v6, prefix->len);
	}
	table->entries[*slot - 1].deny = deny;
	return 0;
}

/* The longest prefix shorter than `below` that contains the address: its slot's number, or 0. */
static uint32_t longest_match(const struct acl_table *table, const struct ip *ip, unsigned below)
{
	const struct acl_lengths *lengths = ip->family == 4 ? &table->v4 : &table->v6;

	for (unsigned i = 0; i < lengths->count; i++) {
		struct ip masked;
		uint32_t number;

		if (lengths->len[i] >= below)
			continue;
		masked = ip_masked(ip, lengths->len[i]);
		number = *slot_of(table, &masked, lengths->len[i]);
		if (number)
			return number;
	}
	return 0;
}

static enum acl_match match_below(const struct acl_table *table, const struct ip *ip,
				  unsigned below)
{
	uint32_t number = longest_match(table, ip, below);

	if (!number)
		return ACL_NO_MATCH;
	return table->entries[number - 1].deny ? ACL_DENY : ACL_ALLOW;
}

enum acl_match acl_table_match(const struct acl_table *table, const struct ip *ip)
{
	return match_below(table, ip, ACL_LENGTHS_MAX);
}

/* ---- merging ---- */

struct merge {
	struct acl_table *merged;
	uint32_t *allowing; /* for each entry of it: how many tables allow there */
};

/* All shorter prefixes of all tables are there already. What a prefix changes is told by what its
 * own table said there without it. */
static int merge_entry(const struct merge *merge, const struct acl_table *table,
		       const struct acl_table_entry *entry)
{
	const struct prefix prefix = {entry->ip, entry->len};
	uint32_t number = *slot_of(merge->merged, &entry->ip, entry->len);
	int rc;

	if (!number) {
		uint32_t outer = longest_match(merge->merged, &entry->ip, entry->len);

		rc = acl_table_add(merge->merged, &prefix, true);
		if (rc)
			return rc;
		number = merge->merged->count;
		merge->allowing[number - 1] = outer ? merge->allowing[outer - 1] : 0;
	}
	merge->allowing[number - 1] += !entry->deny;
	merge->allowing[number - 1] -= match_below(table, &entry->ip, entry->len) == ACL_ALLOW;
	merge->merged->entries[number - 1].deny = merge->allowing[number - 1] == 0;
	return 0;
}

static bool has_length(const struct acl_table *table, unsigned len)
{
	return memchr(table->v4.len, (int)len, table->v4.count) ||
	       memchr(table->v6.len, (int)len, table->v6.count);
}

static int merge_length(const struct merge *merge, const struct acl_table *table, unsigned len)
{
	int rc = 0;

	if (!has_length(table, len))
		return 0;
	for (uint32_t i = 0; i < table->count && rc == 0; i++) {
		if (table->entries[i].len == len)
			rc = merge_entry(merge, table, &table->entries[i]);
	}
	return rc;
}

int acl_table_merge(const struct acl_table *const *tables, size_t n, struct acl_table *ret_merged)
{
	struct acl_table merged;
	struct merge merge = {.merged = &merged};
	uint64_t total = 0;
	int rc;

	for (size_t i = 0; i < n; i++)
		total += tables[i]->count;
	rc = acl_table_init(&merged, total);
	if (rc)
		return rc;
	merge.allowing = calloc(total ? total : 1, sizeof(*merge.allowing));
	if (!merge.allowing)
		rc = -ENOMEM;
	for (unsigned len = 0; len < ACL_LENGTHS_MAX; len++) {
		for (size_t i = 0; i < n && rc == 0; i++)
			rc = merge_length(&merge, tables[i], len);
	}
	free(merge.allowing);
	if (rc)
		acl_table_free(&merged);
	else
		*ret_merged = merged;
	return rc;
}
