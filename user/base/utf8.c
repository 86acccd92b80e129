/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/utf8.h"

/* By the first byte; 0: none begins so. */
static size_t length_of(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if ((first & 0xf0) == 0xe0)
		return 3;
	return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

size_t utf8_printable(struct slice s, size_t i)
{
	const unsigned char *c = (const unsigned char *)s.p + i;
	size_t n = length_of(c[0]);
	uint32_t code;

	if (n == 0 || n > s.n - i)
		return 0;
	if (n == 1)
		return c[0] >= 0x20 && c[0] != 0x7f;
	code = c[0] & (0xff >> (n + 1));
	for (size_t k = 1; k < n; k++) {
		if ((c[k] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (c[k] & 0x3f);
	}
	if (code < 0xa0 || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff)
		return 0;
	return (n == 3 && code < 0x800) || (n == 4 && code < 0x10000) ? 0 : n;
}
