/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The text of a request, eight bytes at a time. A mask has the highest bit of each byte set that is
 * in a set of characters; the tests are exact, no byte's result depends on its neighbours.
 *
 * Functions that are not inlined are global ones: the verifier walks each once, for any argument,
 * instead of again for every state of its callers.
 */
#ifndef SIPWARD_BPF_TEXT_H
#define SIPWARD_BPF_TEXT_H

/* What is looked at of a request, headers being a small part of it. */
#define TEXT_MAX 2040
#define TEXT_MASK 2047
#define TEXT_SLACK 64

#define EACH_BYTE 0x0101010101010101ULL
#define HIGH_BITS 0x8080808080808080ULL

#define ANSWER_MAX 1472
#define ANSWER_MASK 2047
#define ANSWER_SLACK 64
#define VIAS_MAX 8
#define SOURCE_TEXT 48

#define LINE_WORDS 128 /* longer lines are the daemon's */
#define SPAN_WORDS 32
#define BLANKS_MAX 16

#define TEXT2(a, b) ((__u64)(a) | (__u64)(b) << 8)
#define TEXT4(a, b, c, d) (TEXT2(a, b) | TEXT2(c, d) << 16)
#define TEXT8(a, b, c, d, e, f, g, h) (TEXT4(a, b, c, d) | TEXT4(e, f, g, h) << 32)

struct piece {
	__u32 at, n; /* n = 0: there is none */
};

/* Who sent the request, and to whom; IPv4: the address, 0, 0, 0. */
struct ends {
	__be32 src_be[4], dst_be[4];
	__be16 src_port_be, dst_port_be;
	__u32 family;
	__u32 payload_offset, payload_n;
};

/* One CPU's desk: the request, what was found in it, and the answer. */
struct scratch {
	__u8 text[TEXT_MASK + 1 + TEXT_SLACK];
	__u8 answer[ANSWER_MASK + 1 + ANSWER_SLACK];
	struct piece vias[VIAS_MAX];
	struct piece method, from, to, tag, to_tag, call_id, cseq;
	struct piece via_host, via_rport; /* of the topmost Via */
	__u32 via_end;			  /* of its element */
	__u32 via_port;			  /* as it stands there; 0: none */
	__u32 via_count;
	__u32 via_seen;	    /* enum via_param of the element being read */
	struct piece value; /* of the field being read */
	__u32 number_end;
	__u32 seen;    /* a bit for each enum field that stands there once at most */
	__u32 text_n;  /* bytes in text */
	__u32 total_n; /* bytes of the request */
	__u32 content_length;
	__u32 nonce_at; /* where the digits of the credentials' nonce stand; 0: there is none */
	__u32 answer_n;
	__u32 prepared_at; /* where the challenge's own fields begin in it */
	struct sipward_challenge_key key;
	struct ends ends;
	struct sipward_nonce nonce;
	struct sipward_nonce_binding binding;
	__u8 source[SOURCE_TEXT]; /* the address as Via's received shows it */
	__u32 source_n;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

/* The first byte of what is loaded is the lowest. */
static __always_inline __u64 little_endian(__u64 word)
{
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? word : __builtin_bswap64(word);
}

static __always_inline __u64 word_at(const struct scratch *s, __u32 pos)
{
	return little_endian(*(const __u64 *)(s->text + (pos & TEXT_MASK)));
}

static __always_inline __u8 byte_at(const struct scratch *s, __u32 pos)
{
	return s->text[pos & TEXT_MASK];
}

/* The first n bytes of a word, n = 0 to 8. */
static __always_inline __u64 word_cut(__u64 word, __u32 n)
{
	return n >= 8 ? word : word & ((1ULL << (8 * n)) - 1);
}

/* Right for letters; other bytes must not be taken for what they become. */
static __always_inline __u64 lower(__u64 word)
{
	return word | 0x20 * EACH_BYTE;
}

/* ---- masks ---- */

/* Bytes that are less than n, at most 0x80. */
static __always_inline __u64 mask_below(__u64 word, __u8 n)
{
	return ~(((word & ~HIGH_BITS) + (0x80 - n) * EACH_BYTE) | word) & HIGH_BITS;
}

static __always_inline __u64 mask_of(__u64 word, __u8 c)
{
	return mask_below(word ^ c * EACH_BYTE, 1);
}

static __always_inline __u64 mask_range(__u64 word, __u8 first, __u8 last)
{
	return mask_below(word, last + 1) & ~mask_below(word, first);
}

static __always_inline __u64 mask_letters(__u64 word)
{
	return mask_range(lower(word), 'a', 'z');
}

static __always_inline __u64 mask_digits(__u64 word)
{
	return mask_range(word, '0', '9');
}

/* Letters, digits, '-': what names of header fields are made of. */
static __always_inline __u64 mask_name(__u64 word)
{
	return mask_letters(word) | mask_digits(word) | mask_of(word, '-');
}

/* The same and '.', '_': host names. */
static __always_inline __u64 mask_host(__u64 word)
{
	return mask_letters(word) | mask_of(word, '_') |
	       (mask_range(word, '-', '9') & ~mask_of(word, '/'));
}

/* The same and '+', '~': those of tokens, branches, tags and numbers that are met. */
static __always_inline __u64 mask_token(__u64 word)
{
	return mask_host(word) | mask_of(word, '+') | mask_of(word, '~');
}

/* Those of an IPv6 address. */
static __always_inline __u64 mask_v6(__u64 word)
{
	return mask_digits(word) | mask_range(lower(word), 'a', 'f') | mask_of(word, ':') |
	       mask_of(word, '.');
}

/* What is visible, but for what ends a URI in <> and for the headers of one. */
static __always_inline __u64 mask_uri(__u64 word)
{
	return mask_range(word, '!', '~') &
	       ~(mask_of(word, '"') | mask_of(word, '<') | mask_of(word, '>') | mask_of(word, '?') |
		 mask_of(word, '\\'));
}

/* Which byte is the first of a mask that is not empty. */
static __always_inline __u32 mask_first(__u64 mask)
{
	return ((mask & -mask) >> 7) * 0x0001020304050607ULL >> 56;
}

/* ---- spans: each returns where the first byte stands that is none of the set ---- */

#define SPAN(name, mask)                                                                           \
	__noinline __u32 name(const struct scratch *s, __u32 pos)                                  \
	{                                                                                          \
		if (!s)                                                                            \
			return pos;                                                                \
		for (int i = 0; i < SPAN_WORDS; i++) {                                             \
			__u64 others = ~mask(word_at(s, pos)) & HIGH_BITS;                         \
                                                                                                   \
			if (others)                                                                \
				return pos + mask_first(others);                                   \
			pos += 8;                                                                  \
		}                                                                                  \
		return pos;                                                                        \
	}

SPAN(span_host, mask_host)
SPAN(span_token, mask_token)
SPAN(span_uri, mask_uri)
SPAN(span_v6, mask_v6)

/* Not '<', not what ends a display name, a quoted string or a line. */
static __always_inline __u64 mask_display(__u64 word)
{
	return HIGH_BITS & ~(mask_of(word, '<') | mask_of(word, ';') | mask_of(word, ',') |
			     mask_of(word, '"') | mask_of(word, '\\') | mask_below(word, ' '));
}

static __always_inline __u64 mask_quoted(__u64 word)
{
	return HIGH_BITS & ~(mask_of(word, '"') | mask_of(word, '\\') | mask_below(word, ' '));
}

SPAN(span_display, mask_display)
SPAN(span_quoted, mask_quoted)

/* Up to '='. */
static __always_inline __u64 mask_unequal(__u64 word)
{
	return HIGH_BITS & ~mask_of(word, '=');
}

SPAN(span_unequal, mask_unequal)

/* Where the line ends: before its CR LF. 0: it does not, or holds what the daemon must see. */
__noinline __u32 line_end(const struct scratch *s, __u32 pos)
{
	if (!s)
		return 0;
	for (int i = 0; i < LINE_WORDS; i++) {
		__u64 controls = mask_below(word_at(s, pos), ' ');

		if (!controls) {
			pos += 8;
			continue;
		}
		pos += mask_first(controls);
		if (byte_at(s, pos) != '\t')
			return (__u16)word_at(s, pos) == TEXT2('\r', '\n') ? pos : 0;
		pos++;
	}
	return 0;
}

static __always_inline bool is_blank(__u8 c)
{
	return c == ' ' || c == '\t';
}

/* What is left between two positions without the blanks at both ends goes to s->value. Nothing is
 * left of too many. Returns how long it is. */
__noinline __u32 trimmed(struct scratch *s, __u32 at, __u32 end)
{
	if (!s)
		return 0;
	for (int i = 0; i < BLANKS_MAX && at < end && is_blank(byte_at(s, at)); i++)
		at++;
	for (int i = 0; i < BLANKS_MAX && at < end && is_blank(byte_at(s, end - 1)); i++)
		end--;
	if (at >= end || is_blank(byte_at(s, at)) || is_blank(byte_at(s, end - 1)))
		return 0;
	s->value = (struct piece){at, end - at};
	return end - at;
}

/* A number of at most `digits` digits, no more than 7, that does not begin with 0; 0: it is none.
 * s->number_end is where the digits end. */
__noinline __u32 number_read(struct scratch *s, __u32 pos, __u32 digits)
{
	__u64 word, others;
	__u32 n, value = 0;

	if (!s)
		return 0;
	word = word_at(s, pos);
	others = ~mask_digits(word) & HIGH_BITS;
	n = others ? mask_first(others) : 8;
	s->number_end = pos + n;
	if (n > digits || (word & 0xff) == '0')
		return 0;
	for (__u32 i = 0; i < 7; i++) {
		if (i >= n)
			break;
		value = value * 10 + ((word >> (8 * i) & 0xff) - '0');
	}
	return value;
}

#endif
