/* SPDX-License-Identifier: BSD-2-Clause */
#include "digest/writer.h"

#include <errno.h>

void writer_put(struct writer *w, const char *bytes, size_t n)
{
	if (w->err == 0 && n > w->size - w->n)
		w->err = -ENOSPC;
	if (w->err != 0)
		return;
	memcpy(w->p + w->n, bytes, n);
	w->n += n;
}

void writer_text(struct writer *w, const char *text)
{
	writer_put(w, text, strlen(text));
}

void writer_quoted(struct writer *w, struct slice s)
{
	writer_put(w, "\"", 1);
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = s.p[i];

		if (c < 0x20 || c == 0x7f)
			w->err = -EINVAL;
		if (c == '"' || c == '\\')
			writer_put(w, "\\", 1);
		writer_put(w, &s.p[i], 1);
	}
	writer_put(w, "\"", 1);
}
