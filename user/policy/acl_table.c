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

enum acl_match acl_table_match(const struct acl_table *table, const struct ip *ip)
{
	const struct acl_lengths *lengths = ip->family == 4 ? &table->v4 : &table->v6;

	for (unsigned i = 0; i < lengths->count; i++) {
		struct ip masked = ip_masked(ip, lengths->len[i]);
		uint32_t slot = *slot_of(table, &masked, lengths->len[i]);

		if (slot)
			return table->entries[slot - 1].deny ? ACL_DENY : ACL_ALLOW;
	}
	return ACL_NO_MATCH;
}
