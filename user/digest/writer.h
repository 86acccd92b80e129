/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes header fields, for the files of user/digest/ only. After a failure nothing more is
 * written. */
#ifndef SIPWARD_DIGEST_WRITER_H
#define SIPWARD_DIGEST_WRITER_H

#include "base/slice.h"

struct writer {
	char *p;
	size_t n, size;
	int err; /* 0, -ENOSPC, or -EINVAL for control characters in quotes */
};

void writer_put(struct writer *w, const char *bytes, size_t n);
void writer_text(struct writer *w, const char *text);
/* quoted-string of RFC 3261 §25.1 */
void writer_quoted(struct writer *w, struct slice s);

#endif
