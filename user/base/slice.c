/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/slice.h"

#include <errno.h>

/* ASCII only: the C library's tolower depends on the locale. */
static unsigned char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned char)(c - 'A' + 'a') : (unsigned char)c;
}

bool slice_eq(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool slice_eq_nocase_n(const char *a, const char *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (a[i] != b[i] && lower(a[i]) != lower(b[i]))
			return false;
	}
	return true;
}

int slice_compare_nocase(struct slice a, struct slice b)
{
	for (size_t i = 0; i < a.n && i < b.n; i++) {
		if (lower(a.p[i]) != lower(b.p[i]))
			return lower(a.p[i]) - lower(b.p[i]);
	}
	return (a.n > b.n) - (a.n < b.n);
}

bool slice_starts_nocase(struct slice s, struct slice prefix)
{
	return s.n >= prefix.n && slice_eq_nocase((struct slice){s.p, prefix.n}, prefix);
}

struct slice slice_cut(struct slice s, char c, struct slice *ret_rest)
{
	const char *at = s.n > 0 ? memchr(s.p, c, s.n) : NULL;
	struct slice head = s;

	if (!at) {
		*ret_rest = (struct slice){s.n > 0 ? s.p + s.n : s.p, 0};
		return s;
	}
	head.n = (size_t)(at - s.p);
	*ret_rest = (struct slice){at + 1, s.n - head.n - 1};
	return head;
}

int slice_u32(struct slice s, uint32_t *ret_value)
{
	uint64_t value = 0;

	if (s.n == 0)
		return -EINVAL;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EINVAL;
	}
	for (size_t i = 0; i < s.n; i++) {
		value = value * 10 + (uint64_t)(s.p[i] - '0');
		if (value > UINT32_MAX)
			return -ERANGE;
	}
	*ret_value = (uint32_t)value;
	return 0;
}

int slice_text(struct slice s, char *buf, size_t size)
{
	if (s.n >= size)
		return -ENOSPC;
	if (s.n > 0 && memchr(s.p, '\0', s.n))
		return -EINVAL;
	if (s.n > 0)
		memcpy(buf, s.p, s.n);
	buf[s.n] = '\0';
	return 0;
}

void hex_encode(const void *bytes, size_t n, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";
	const unsigned char *in = bytes;

	for (size_t i = 0; i < n; i++) {
		ret_text[2 * i] = digits[in[i] >> 4];
		ret_text[2 * i + 1] = digits[in[i] & 15];
	}
	ret_text[2 * n] = '\0';
}

int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Of a lower-case digit, one more than its value; 0 is none. */
static const uint8_t hex_digits[256] = {
	['0'] = 1,  ['1'] = 2,	['2'] = 3,  ['3'] = 4,	['4'] = 5,  ['5'] = 6,
	['6'] = 7,  ['7'] = 8,	['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

static unsigned hex_digit(char c)
{
	return hex_digits[(unsigned char)c];
}

int hex_decode(struct slice text, void *ret_bytes, size_t n)
{
	unsigned char *out = ret_bytes;

	if (text.n != 2 * n)
		return -EINVAL;
	for (size_t i = 0; i < text.n; i++) {
		if (!hex_digit(text.p[i]))
			return -EINVAL;
	}
	for (size_t i = 0; i < n; i++)
		out[i] = (unsigned char)((hex_digit(text.p[2 * i]) - 1) << 4 |
					 (hex_digit(text.p[2 * i + 1]) - 1));
	return 0;
}
