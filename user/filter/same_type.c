/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/same_type.h"

#include <string.h>

static const struct btf_type *resolve(const struct btf *btf, __u32 *id)
{
	const struct btf_type *type = btf__type_by_id(btf, *id);

	while (type && (btf_is_typedef(type) || btf_is_mod(type))) {
		*id = type->type;
		type = btf__type_by_id(btf, *id);
	}
	return type;
}

static bool same_name(const struct btf *a, __u32 a_offset, const struct btf *b, __u32 b_offset)
{
	const char *a_name = btf__name_by_offset(a, a_offset);
	const char *b_name = btf__name_by_offset(b, b_offset);

	return a_name && b_name && !strcmp(a_name, b_name);
}

static bool same_members(const struct btf *a, const struct btf_type *a_type, const struct btf *b,
			 const struct btf_type *b_type)
{
	const struct btf_member *left = btf_members(a_type), *right = btf_members(b_type);

	if (btf_vlen(a_type) != btf_vlen(b_type))
		return false;
	for (unsigned i = 0; i < btf_vlen(a_type); i++)
		if (left[i].offset != right[i].offset ||
		    !same_name(a, left[i].name_off, b, right[i].name_off) ||
		    !same_type(a, left[i].type, b, right[i].type))
			return false;
	return true;
}

/* What maps hold has no pointers, so that types end. */
bool same_type(const struct btf *a, __u32 a_id, const struct btf *b, __u32 b_id)
{
	const struct btf_type *a_type = resolve(a, &a_id), *b_type = resolve(b, &b_id);

	if (!a_type || !b_type || btf_kind(a_type) != btf_kind(b_type))
		return false;
	if (btf_is_array(a_type))
		return btf_array(a_type)->nelems == btf_array(b_type)->nelems &&
		       same_type(a, btf_array(a_type)->type, b, btf_array(b_type)->type);
	if (a_type->size != b_type->size)
		return false;
	return !btf_is_composite(a_type) || same_members(a, a_type, b, b_type);
}
