/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIPWARD_FILTER_SAME_TYPE_H
#define SIPWARD_FILTER_SAME_TYPE_H

#include <bpf/btf.h>
#include <stdbool.h>

/* Whether two types of two BTFs mean the same: sizes, and names and places of all members. */
bool same_type(const struct btf *a, __u32 a_id, const struct btf *b, __u32 b_id);

#endif
