/* SPDX-License-Identifier: BSD-2-Clause */
/* The doctor's list while it is being written. Inside user/filter/ only. */
#ifndef SIPWARD_FILTER_FINDINGS_H
#define SIPWARD_FILTER_FINDINGS_H

#include "filter/filter.h"

struct findings {
	struct filter_finding *list;
	size_t max, n;
};

/* Adds a finding; what does not fit any more is left out. mend may be "". */
__attribute__((format(printf, 5, 6))) void finding_add(struct findings *findings,
						       enum filter_finding_level level,
						       const char *check, const char *mend,
						       const char *format, ...);

/* What the interface's driver and settings allow (doctor_interface.c). */
int doctor_interface(const char *ifname, struct findings *findings);

#endif
