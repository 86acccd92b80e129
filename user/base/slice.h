/* SPDX-License-Identifier: BSD-2-Clause */
/* Slices: bytes that somebody else owns. Never zero-terminated, may hold any byte. */
#ifndef SIPWARD_BASE_SLICE_H
#define SIPWARD_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
	const char *p;
	size_t n;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

static inline struct slice slice_from(const char *text)
{
	return (struct slice){text, text ? strlen(text) : 0};
}

/* From begin up to end. */
static inline struct slice slice_between(const char *begin, const char *end)
{
	return (struct slice){begin, (size_t)(end - begin)};
}

/* Byte-wise equality. */
bool slice_eq(struct slice a, struct slice b);

/* Equality of ASCII text without regard to case; locale plays no part. */
bool slice_eq_nocase_n(const char *a, const char *b, size_t n);
static inline bool slice_eq_nocase(struct slice a, struct slice b)
{
	return a.n == b.n && slice_eq_nocase_n(a.p, b.p, a.n);
}

/* Order of ASCII text without regard to case: below, at or above 0. */
int slice_compare_nocase(struct slice a, struct slice b);

/* Whether s begins with the prefix, ASCII case ignored. */
bool slice_starts_nocase(struct slice s, struct slice prefix);

static inline bool slice_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* s without SP, HTAB, CR and LF at both ends. */
static inline struct slice slice_trim(struct slice s)
{
	while (s.n > 0 && slice_is_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && slice_is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

/* The part of s before the first c; the rest behind it goes to *ret_rest (empty without a c). */
struct slice slice_cut(struct slice s, char c, struct slice *ret_rest);

/* Decimal digits only, the whole slice, no sign. 0, or -EINVAL, or -ERANGE past UINT32_MAX. */
int slice_u32(struct slice s, uint32_t *ret_value);

/* Copies s and a final zero into buf of size bytes. 0, or -ENOSPC with buf untouched, or -EINVAL if
 * s holds a zero byte. */
int slice_text(struct slice s, char *buf, size_t size);

/* Writes n bytes as 2n lower-case hex digits and a zero. */
void hex_encode(const void *bytes, size_t n, char *ret_text);

/* The value of a hex digit of either case, or -1. */
int hex_value(char c);

/* Reads exactly n bytes from 2n lower-case hex digits (upper case is refused: one text for one
 * value). 0 or -EINVAL. */
int hex_decode(struct slice text, void *ret_bytes, size_t n);

#endif
