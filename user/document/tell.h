/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIPWARD_DOCUMENT_TELL_H
#define SIPWARD_DOCUMENT_TELL_H

#include "document/diff.h"
#include "document/document.h"

struct telling {
	document_difference *tell; /* NULL: only counts */
	void *arg;
	size_t count;
};

/* A difference_visit with a struct telling: a line for each field that differs, else one. Never
 * fails. */
int difference_tell(const struct difference *difference, void *telling);

#endif
