/* SPDX-License-Identifier: BSD-2-Clause */
/* Carries what old maps hold over to the fresh maps that take their place. Inside user/filter/
 * only. */
#ifndef SIPWARD_FILTER_CARRY_H
#define SIPWARD_FILTER_CARRY_H

#include <stdint.h>

#include "base/error.h"
#include "filter/object.h"
#include "filter/pins.h"

/* Copies lockouts, proven sources, ACLs and settings from the pinned maps, or, if nothing is
 * pinned, from those of the program (0: from nowhere). A map whose keys or values are of another
 * type is left empty: nobody can know what they mean. The copied settings say generation 0, so that
 * the next reconcile goes over everything. */
int carry_over(struct sipward_bpf *object, const struct pins *pins, uint32_t program_id,
	       struct error *err);

#endif
