/* SPDX-License-Identifier: BSD-2-Clause */
/* Puts a loaded program on an interface, or in the place of the one that is there. Inside
 * user/filter/ only. */
#ifndef SIPWARD_FILTER_LIVE_H
#define SIPWARD_FILTER_LIVE_H

#include "base/error.h"
#include "filter/filter.h"
#include "filter/interface.h"
#include "filter/object.h"
#include "filter/pins.h"

struct live {
	unsigned ifindex;
	struct interface before; /* what was there */
	struct sipward_bpf *object;
	unsigned how; /* enum object_how the object was opened */
};

/* Fills in before. */
int live_inspect(struct live *live, struct error *err);

/* From here on packets meet the object's program. A program of ours that was there is replaced with
 * no packet unfiltered. On failure all is as it was. */
int live_switch(struct live *live, const struct pins *pins, enum filter_attach_request mode,
		struct error *err);

/* What is attached now. */
int live_result(struct live *live, struct filter_attachment *ret_attachment, struct error *err);

/* Takes the attached program off. */
int live_off(const struct filter_attachment *attachment, struct error *err);

#endif
