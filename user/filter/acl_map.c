/* SPDX-License-Identifier: BSD-2-Clause */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "filter/acl_map.h"

#define BATCH 4096

union acl_key {
	struct sipward_acl_v4_key v4;
	struct sipward_acl_v6_key v6;
};

static int map_of(const struct filter *filter, unsigned family)
{
	return family == 4 ? filter->acl_v4 : filter->acl_v6;
}

static union acl_key key_of(const struct prefix *prefix, unsigned len)
{
	union acl_key key = {};

	if (prefix->ip.family == 4) {
		key.v4.prefix_len = len;
		memcpy(key.v4.addr, prefix->ip.bytes, sizeof(key.v4.addr));
	} else {
		key.v6.prefix_len = len;
		memcpy(key.v6.addr, prefix->ip.bytes, sizeof(key.v6.addr));
	}
	return key;
}

int acl_map_capacity(const struct filter *filter, unsigned family, size_t *ret_capacity)
{
	struct bpf_map_info info = {};
	__u32 size = sizeof(info);
	int rc = bpf_obj_get_info_by_fd(map_of(filter, family), &info, &size);

	if (!rc)
		*ret_capacity = info.max_entries;
	return rc;
}

static int lookup(const struct filter *filter, const struct prefix *prefix, unsigned len,
		  struct sipward_acl_value *ret_value)
{
	union acl_key key = key_of(prefix, len);
	struct sipward_acl_value value = {};
	int rc = bpf_map_lookup_elem(map_of(filter, prefix->ip.family), &key, &value);

	if (rc && rc != -ENOENT)
		return rc;
	*ret_value = value;
	return 0;
}

int acl_map_match(const struct filter *filter, const struct prefix *prefix,
		  struct sipward_acl_value *ret_value)
{
	return lookup(filter, prefix, prefix->len, ret_value);
}

static bool same_value(const struct sipward_acl_value *a, const struct sipward_acl_value *b)
{
	return a->flags == b->flags && a->rule_id == b->rule_id;
}

int acl_map_set(const struct filter *filter, const struct filter_rule *rule)
{
	const struct prefix *prefix = &rule->prefix;
	union acl_key key = key_of(prefix, prefix->len);
	struct sipward_acl_value there = {};
	int rc;

	rc = bpf_map_update_elem(map_of(filter, prefix->ip.family), &key, &rule->value, BPF_ANY);
	if (!rc)
		rc = lookup(filter, prefix, prefix->len, &there);
	if (!rc && !same_value(&there, &rule->value))
		rc = -EIO;
	return rc;
}

int acl_map_remove(const struct filter *filter, const struct prefix *prefix)
{
	union acl_key key = key_of(prefix, prefix->len);
	int rc = bpf_map_delete_elem(map_of(filter, prefix->ip.family), &key);

	return rc == -ENOENT ? 0 : rc;
}

int acl_map_get(const struct filter *filter, const struct prefix *prefix,
		struct sipward_acl_value *ret_value)
{
	struct sipward_acl_value own = {}, shorter = {};
	int rc = lookup(filter, prefix, prefix->len, &own);

	if (!rc && prefix->len)
		rc = lookup(filter, prefix, prefix->len - 1, &shorter);
	if (rc)
		return rc;
	if (same_value(&own, &shorter))
		own = (struct sipward_acl_value){};
	*ret_value = own;
	return 0;
}

struct reading {
	struct filter_rule *rules;
	size_t n;
	size_t room;
};

static int reading_reserve(struct reading *reading, size_t more)
{
	size_t room = reading->room ? reading->room : BATCH;
	struct filter_rule *rules;

	while (room < reading->n + more)
		room *= 2;
	if (room == reading->room)
		return 0;
	rules = realloc(reading->rules, room * sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	reading->rules = rules;
	reading->room = room;
	return 0;
}

static struct filter_rule rule_of(unsigned family, const union acl_key *key,
				  const struct sipward_acl_value *value)
{
	struct filter_rule rule = {.prefix.ip.family = family, .value = *value};

	if (family == 4) {
		rule.prefix.len = key->v4.prefix_len;
		memcpy(rule.prefix.ip.bytes, key->v4.addr, sizeof(key->v4.addr));
	} else {
		rule.prefix.len = key->v6.prefix_len;
		memcpy(rule.prefix.ip.bytes, key->v6.addr, sizeof(key->v6.addr));
	}
	return rule;
}

struct batch {
	union acl_key at;
	struct sipward_acl_value values[BATCH];
	char keys[BATCH * sizeof(struct sipward_acl_v6_key)]; /* packed at the family's key size */
};

static int read_batches(int map, unsigned family, struct batch *batch, struct reading *reading)
{
	size_t key_size =
		family == 4 ? sizeof(struct sipward_acl_v4_key) : sizeof(struct sipward_acl_v6_key);
	bool first = true;
	int rc = 0;

	while (!rc) {
		__u32 n = BATCH;

		rc = bpf_map_lookup_batch(map, first ? NULL : &batch->at, &batch->at, batch->keys,
					  batch->values, &n, NULL);
		if (rc && rc != -ENOENT)
			return rc;
		if (reading_reserve(reading, n))
			return -ENOMEM;
		for (__u32 i = 0; i < n; i++) {
			union acl_key key;

			memcpy(&key, batch->keys + i * key_size, key_size);
			reading->rules[reading->n++] = rule_of(family, &key, &batch->values[i]);
		}
		first = false;
	}
	return 0;
}

int acl_map_read(const struct filter *filter, struct filter_rule **ret_rules, size_t *ret_n)
{
	struct reading reading = {};
	struct batch *batch = malloc(sizeof(*batch));
	int rc = -ENOMEM;

	if (batch)
		rc = read_batches(filter->acl_v4, 4, batch, &reading);
	if (!rc)
		rc = read_batches(filter->acl_v6, 6, batch, &reading);
	free(batch);
	if (rc) {
		free(reading.rules);
		return rc;
	}
	*ret_rules = reading.rules;
	*ret_n = reading.n;
	return 0;
}
