/* SPDX-License-Identifier: BSD-2-Clause */
/* What this kernel and this process must offer. Inside user/filter/ only. */
#ifndef SIPWARD_FILTER_FEATURES_H
#define SIPWARD_FILTER_FEATURES_H

#include <stdbool.h>

/* The first kernel feature that the program needs and that is missing, with the release that
 * brought it, or NULL. Takes milliseconds and the right to load programs. */
const char *features_missing(void);

/* Whether libxdp's dispatcher can work: programs that extend programs. */
bool features_dispatcher(void);

/* The capabilities that this process lacks for attaching, as a text, or NULL. */
const char *features_capabilities_missing(void);

#endif
