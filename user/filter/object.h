/* SPDX-License-Identifier: BSD-2-Clause */
/* The embedded program. Inside user/filter/ only. */
#ifndef SIPWARD_FILTER_OBJECT_H
#define SIPWARD_FILTER_OBJECT_H

#include "base/error.h"
#include "filter/pins.h"

struct sipward_bpf;
struct bpf_object;

enum object_maps {
	OBJECT_MAPS_NONE,    /* nothing is pinned */
	OBJECT_MAPS_OURS,    /* the pinned maps fit this program */
	OBJECT_MAPS_FOREIGN, /* they do not: the error says why */
};

enum object_how {
	OBJECT_FRAGS = 1 << 0, /* takes packets of several buffers */
	OBJECT_PLAIN = 1 << 1, /* without challenges */
};

/* Opens the program without loading it. how: enum object_how. */
int object_open(unsigned how, struct sipward_bpf **ret_object, struct error *err);

/* How the pinned maps fit the (opened) program. A negative errno if they can not be looked at. */
int object_compare_maps(struct sipward_bpf *object, const struct pins *pins,
			enum object_maps *ret_maps, struct error *err);

/* Before loading: use the pinned maps, or those of another loaded object. */
int object_use_pins(struct sipward_bpf *object, const struct pins *pins, struct error *err);
int object_use_object(struct sipward_bpf *object, struct sipward_bpf *other, struct error *err);

/* Loads it. The error names a missing right or kernel feature, else repeats what libbpf said. */
int object_load(struct sipward_bpf *object, struct error *err);

int object_program_fd(struct sipward_bpf *object);
const char *object_program_name(struct sipward_bpf *object);
struct bpf_object *object_bpf(struct sipward_bpf *object);
void object_close(struct sipward_bpf *object);

#endif
