/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdarg.h>
#include <stdio.h>

#include "store/internal.h"

__attribute__((format(printf, 2, 3))) static void add(struct summary *summary, const char *format,
						      ...)
{
	size_t used = strlen(summary->text);
	va_list args;

	if (used)
		used += (size_t)snprintf(summary->text + used, sizeof(summary->text) - used, ", ");
	if (used >= sizeof(summary->text))
		return;
	va_start(args, format);
	vsnprintf(summary->text + used, sizeof(summary->text) - used, format, args);
	va_end(args);
}

/* The word at the place, or the number itself. */
static void put_value(const char *words, unsigned value, char text[32])
{
	struct slice word = {0}, rest = slice_from(words);

	for (unsigned i = 0; i <= value && rest.n; i++) {
		word = slice_cut(rest, '|', &rest);
		if (i == value && slice_text(word, text, 32) == 0)
			return;
	}
	snprintf(text, 32, "%u", value);
}

void summary_number(struct summary *summary, const char *name, const char *words,
		    struct summary_values values)
{
	char from[32], to[32];

	if (values.from == values.to)
		return;
	put_value(words, values.from, from);
	put_value(words, values.to, to);
	add(summary, "%s from %s to %s", name, from, to);
}

void summary_text(struct summary *summary, const char *name, const char *from, const char *to)
{
	if (strcmp(from, to) != 0)
		add(summary, "%s from %s to %s", name, QUOTED(from), QUOTED(to));
}
