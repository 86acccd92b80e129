/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/carry.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter/filter.h"
#include "filter/interface.h"
#include "filter/same_type.h"
#include "filter/walk.h"

/* What user space wrote and can not read again from the store comes first; the kernel's own counts
 * and budgets begin anew. */
static const char *const carried[] = {"lockouts", "proven", "acl_v4", "acl_v6", "settings"};

static bool same_entries(int from, int to)
{
	struct bpf_map_info a = {0}, b = {0};
	__u32 a_size = sizeof(a), b_size = sizeof(b);
	struct btf *a_btf, *b_btf;
	bool same;

	if (bpf_obj_get_info_by_fd(from, &a, &a_size) || bpf_obj_get_info_by_fd(to, &b, &b_size))
		return false;
	a_btf = btf__load_from_kernel_by_id(a.btf_id);
	b_btf = btf__load_from_kernel_by_id(b.btf_id);
	same = a_btf && b_btf && a.type == b.type &&
	       same_type(a_btf, a.btf_key_type_id, b_btf, b.btf_key_type_id) &&
	       same_type(a_btf, a.btf_value_type_id, b_btf, b.btf_value_type_id);
	btf__free(a_btf);
	btf__free(b_btf);
	return same;
}

static int copy_hash(int from, int to, size_t key_size, size_t value_size)
{
	void *keys, *values;
	size_t n;
	int rc = walk_hash(from, &keys, &values, &n);

	if (rc)
		return rc;
	for (size_t i = 0; !rc && i < n; i++)
		rc = bpf_map_update_elem(to, (char *)keys + i * key_size,
					 (char *)values + i * value_size, BPF_ANY);
	free(keys);
	free(values);
	return rc;
}

static int copy_trie(int from, int to)
{
	struct sipward_acl_v6_key key; /* the larger of the two */
	struct sipward_acl_value value;
	void *previous = NULL;
	int rc;

	while (!(rc = bpf_map_get_next_key(from, previous, &key))) {
		previous = &key;
		rc = bpf_map_lookup_elem(from, &key, &value);
		if (!rc)
			rc = bpf_map_update_elem(to, &key, &value, BPF_ANY);
		if (rc && rc != -ENOENT)
			return rc;
	}
	return rc == -ENOENT ? 0 : rc;
}

/* Generation 0 and no indexes: the next reconcile looks at every rule. */
static int copy_settings(int from, int to)
{
	struct sipward_settings settings;
	const __u32 zero = 0;
	int rc = bpf_map_lookup_elem(from, &zero, &settings);

	if (rc || settings.layout != SIPWARD_LAYOUT)
		return rc;
	settings.generation = 0;
	settings.flags &= ~(__u32)(SIPWARD_ACL_INDEXED | SIPWARD_SOURCES_INDEXED);
	return bpf_map_update_elem(to, &zero, &settings, BPF_ANY);
}

static int copy(int from, int to)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	int rc = bpf_obj_get_info_by_fd(to, &info, &size);

	if (rc)
		return rc;
	switch (info.type) {
	case BPF_MAP_TYPE_LPM_TRIE:
		return copy_trie(from, to);
	case BPF_MAP_TYPE_ARRAY:
		return copy_settings(from, to);
	default:
		return copy_hash(from, to, info.key_size, info.value_size);
	}
}

int carry_over(struct sipward_bpf *object, const struct pins *pins, uint32_t program_id,
	       struct error *err)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < sizeof(carried) / sizeof(carried[0]); i++) {
		int to = bpf_object__find_map_fd_by_name(object_bpf(object), carried[i]);
		int from = pins_exist(pins) ? pins_open(pins, carried[i])
					    : program_map_open(program_id, carried[i]);

		if (from < 0)
			continue;
		if (same_entries(from, to))
			rc = copy(from, to);
		close(from);
		if (rc)
			error_set(err, rc, "can not carry over the map %s: %s", carried[i],
				  strerror(-rc));
	}
	return rc;
}
