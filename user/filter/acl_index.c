/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <linux/types.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../../maps/acl_index.h"
#include "filter/acl_index.h"

#define INDEX_BYTES (ACL_INDEX_WORDS * sizeof(uint64_t))

int acl_index_map(struct filter *filter)
{
	void *words;

	if (filter->acl_words)
		return 0;
	words = mmap(NULL, INDEX_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, filter->acl_index, 0);
	if (words == MAP_FAILED)
		return -errno;
	filter->acl_words = words;
	return 0;
}

void acl_index_unmap(struct filter *filter)
{
	if (filter->acl_words)
		munmap(filter->acl_words, INDEX_BYTES);
	filter->acl_words = NULL;
}

uint64_t *acl_index_new(void)
{
	return calloc(ACL_INDEX_WORDS, sizeof(uint64_t));
}

static void set_bits(uint64_t *word, uint64_t mask)
{
	if ((__atomic_load_n(word, __ATOMIC_RELAXED) & mask) != mask)
		__atomic_fetch_or(word, mask, __ATOMIC_SEQ_CST);
}

/* Sets the bits first..last. */
static void set_range(uint64_t *words, uint32_t first, uint32_t last)
{
	for (uint32_t word = first / 64; word <= last / 64; word++) {
		uint64_t mask = ~0ULL;

		if (word == first / 64)
			mask &= ~0ULL << first % 64;
		if (word == last / 64)
			mask &= ~0ULL >> (63 - last % 64);
		set_bits(&words[word], mask);
	}
}

static uint64_t read_be(const uint8_t *bytes, int n)
{
	uint64_t value = 0;

	for (int i = 0; i < n; i++)
		value = value << 8 | bytes[i];
	return value;
}

static void set_spot(uint64_t *words, struct acl_index_spot spot)
{
	set_bits(&words[spot.word], spot.mask);
}

static void add_v4(uint64_t *words, const struct prefix *prefix)
{
	uint32_t addr = read_be(prefix->ip.bytes, 4);
	uint32_t first = addr >> 8, last = addr >> 8;
	uint32_t blocks = prefix->len < 28 ? 1U << (28 - prefix->len) : 1;

	if (prefix->len == 32) {
		set_spot(words, acl_index_bloom(ACL_CLASS_V4_32, addr, 0));
	} else if (prefix->len > 24) {
		for (uint32_t i = 0; i < blocks; i++)
			set_spot(words,
				 acl_index_bloom(ACL_CLASS_V4_28, ((addr >> 4) + i) << 4, 0));
	} else {
		last = first + (1U << (24 - prefix->len)) - 1;
		set_range(words + ACL_INDEX_V4_NET, first, last);
	}
	set_range(words + ACL_INDEX_V4_ANY, first, last);
	set_range(words + ACL_INDEX_V4_WIDE, first >> 8, last >> 8);
}

static enum acl_index_class class_of_v6(unsigned len)
{
	enum acl_index_class class = ACL_CLASS_V6_64;

	if (len == 128)
		return ACL_CLASS_V6_128;
	while (acl_index_v6_bits(class) > len)
		class --;
	return class;
}

static void add_v6(uint64_t *words, const struct prefix *prefix)
{
	uint64_t high = read_be(prefix->ip.bytes, 8);
	uint64_t low = read_be(prefix->ip.bytes + 8, 8);
	uint32_t first = high >> 48;
	uint32_t covered = prefix->len < 16 ? 1U << (16 - prefix->len) : 1;
	enum acl_index_class class, head;

	if (prefix->len < 20) {
		set_range(words + ACL_INDEX_V6_SHORT, first, first + covered - 1);
		return;
	}
	class = class_of_v6(prefix->len);
	set_spot(words, acl_index_v6(class, high, low));
	head = class < ACL_CLASS_V6_32 ? class : ACL_CLASS_V6_32;
	set_spot(words, acl_index_v6_head(head, high));
	set_bits(&words[ACL_INDEX_CLASSES], 1ULL << class | 1ULL << head);
}

void acl_index_add(uint64_t *words, const struct prefix *prefix)
{
	if (prefix->ip.family == 4)
		add_v4(words, prefix);
	else
		add_v6(words, prefix);
}

void acl_index_replace(uint64_t *words, const uint64_t *fresh)
{
	for (uint32_t i = 0; i < ACL_INDEX_WORDS; i++) {
		if (words[i] != fresh[i])
			__atomic_store_n(&words[i], fresh[i], __ATOMIC_RELAXED);
	}
}
