/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/walk.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

int walk_hash(int map_fd, void **ret_keys, void **ret_values, size_t *ret_n)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info), count, position;
	void *keys, *values;
	int rc = bpf_obj_get_info_by_fd(map_fd, &info, &size);

	if (rc)
		return rc;
	count = info.max_entries;
	keys = calloc(count, info.key_size);
	values = calloc(count, info.value_size);
	rc = keys && values ? 0 : -ENOMEM;
	if (!rc)
		rc = bpf_map_lookup_batch(map_fd, NULL, &position, keys, values, &count, NULL);
	/* -ENOENT: the end was reached, which is what we want. */
	if (rc && rc != -ENOENT) {
		free(keys);
		free(values);
		return rc;
	}
	*ret_keys = keys;
	*ret_values = values;
	*ret_n = count;
	return 0;
}
