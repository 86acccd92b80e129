/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <linux/types.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../../maps/acl_index.h"
#include "filter/acl_index.h"

#define INDEX_BYTES (ACL_INDEX_WORDS * sizeof(uint64_t))

int acl_index_map(int fd, uint64_t **ret_words)
{
	void *words = mmap(NULL, INDEX_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (words == MAP_FAILED)
		return -errno;
	*ret_words = words;
	return 0;
}

void acl_index_unmap(uint64_t *words)
{
	if (words)
		munmap(words, INDEX_BYTES);
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

/* Sets `unit`, the bits of one cell, in the cells first..last; a word holds 64/width cells. */
static void set_cells(uint64_t *words, uint64_t unit, unsigned width, uint32_t first, uint32_t last)
{
	uint32_t per_word = 64 / width;
	uint64_t mask = 0;

	for (uint32_t cell = first; cell <= last; cell++) {
		mask |= unit << cell % per_word * width;
		if (cell % per_word == per_word - 1 || cell == last) {
			set_bits(&words[cell / per_word], mask);
			mask = 0;
		}
	}
}

static uint64_t read_be(const uint8_t *bytes, int n)
{
	uint64_t value = 0;

	for (int i = 0; i < n; i++)
		value = value << 8 | bytes[i];
	return value;
}

static void set_bloom(uint64_t *words, enum acl_index_class class, uint64_t high, uint64_t low)
{
	struct acl_index_spot spot = acl_index_bloom(class, high, low);

	set_bits(&words[spot.word], spot.mask);
	set_bits(&words[ACL_INDEX_CLASSES], 1ULL << class);
}

static void add_v4(uint64_t *words, const struct prefix *prefix)
{
	uint32_t addr = read_be(prefix->ip.bytes, 4);
	uint32_t first = addr >> 8;
	uint32_t covered = prefix->len < 24 ? 1U << (24 - prefix->len) : 1;
	struct acl_index_spot spot;

	if (prefix->len < 32) {
		set_cells(words, ACL_INDEX_V4_NET, 2, first, first + covered - 1);
		return;
	}
	spot = acl_index_v4(addr, ACL_INDEX_V4_HOST);
	set_bloom(words, ACL_CLASS_V4_HOST, addr, 0);
	set_bits(&words[spot.word], spot.mask);
}

static enum acl_index_class class_of_v6(unsigned len)
{
	if (len == 128)
		return ACL_CLASS_V6_HOST;
	if (len >= 64)
		return ACL_CLASS_V6_64;
	if (len >= 48)
		return ACL_CLASS_V6_48;
	return len >= 32 ? ACL_CLASS_V6_32 : ACL_CLASS_V6_24;
}

static void add_v6(uint64_t *words, const struct prefix *prefix)
{
	uint64_t high = read_be(prefix->ip.bytes, 8);
	uint64_t low = read_be(prefix->ip.bytes + 8, 8);
	enum acl_index_class class = class_of_v6(prefix->len);
	uint32_t first = high >> 48;
	uint32_t covered = prefix->len < 16 ? 1U << (16 - prefix->len) : 1;

	if (prefix->len < 24)
		set_cells(words + ACL_INDEX_V6_SHORT, 1, 1, first, first + covered - 1);
	else
		set_bloom(words, class, acl_index_v6_cut(class, high),
			  class == ACL_CLASS_V6_HOST ? low : 0);
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
