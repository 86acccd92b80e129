/* SPDX-License-Identifier: BSD-2-Clause */
/* Streams cut into messages, whatever the pieces they come in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "net/framing.h"
#include "net/net.h"

#define OPTIONS "OPTIONS sip:a SIP/2.0\r\n"

/* What a stream is cut into, told as text: "M" and the size of a message, "P" for a keep-alive, and
 * the fault that ends it, if there is one. */
struct cut {
	char text[256];
	struct framing framing;
	bool broken;
	size_t taken;
};

static void tell(struct cut *cut, const char *what, size_t n)
{
	size_t used = strlen(cut->text);

	if (n)
		snprintf(cut->text + used, sizeof(cut->text) - used, "%s%zu ", what, n);
	else
		snprintf(cut->text + used, sizeof(cut->text) - used, "%s ", what);
}

static void take(struct cut *cut, const char *bytes, size_t end)
{
	const char *why = "";
	size_t n = 0;

	while (!cut->broken) {
		struct slice rest = {bytes + cut->taken, end - cut->taken};

		switch (framing_next(&cut->framing, rest, &n, &why)) {
		case FRAMING_MORE:
			return;
		case FRAMING_BLANK:
			break;
		case FRAMING_PING:
			tell(cut, "P", 0);
			break;
		case FRAMING_MESSAGE:
			tell(cut, "M", n);
			break;
		case FRAMING_BROKEN:
			tell(cut, why, 0);
			cut->broken = true;
			return;
		}
		assert_true(n > 0 && n <= rest.n);
		cut->taken += n;
	}
}

/* Whole, byte by byte, and in every two pieces; each time from a copy of its own, so that a byte
 * too far is seen. */
static void assert_cut(struct slice stream, const char *expected)
{
	char *bytes = malloc(stream.n);
	struct cut one_by_one = {0};

	memcpy(bytes, stream.p, stream.n);
	for (size_t split = 0; split < stream.n; split++) {
		struct cut cut = {0};

		take(&cut, bytes, split);
		take(&cut, bytes, stream.n);
		assert_string_equal(cut.text, expected);
	}
	for (size_t end = 1; end <= stream.n; end++)
		take(&one_by_one, bytes, end);
	assert_string_equal(one_by_one.text, expected);
	free(bytes);
}

static void streams_are_cut_the_same_at_every_split(void **state)
{
	static const struct {
		const char *stream, *expected;
	} cases[] = {
		{OPTIONS "Content-Length: 0\r\n\r\n", "M44 "},
		{OPTIONS "l:0\r\n\r\n", "M30 "},
		{OPTIONS "CONTENT-LENGTH \t:\r\n\t 3 \r\n\r\nabc", "M53 "},
		{OPTIONS "Subject: l: 9\r\nl: 0003\r\nTo: b\r\n\r\nabc", "M59 "},
		/* The body may look like anything. */
		{OPTIONS "l: 8\r\n\r\n\r\n\r\nl: 1" OPTIONS "l: 0\r\n\r\n", "M39 M31 "},
		{"SIP/2.0 200 OK\r\nl: 0\r\n\r\n" OPTIONS "l: 2\r\n\r\nxy", "M24 M33 "},
		/* LF alone, as sip_msg_parse takes it. */
		{"OPTIONS sip:a SIP/2.0\nl: 1\n\nx" OPTIONS "l: 0\n\r\n", "M29 M30 "},
		{OPTIONS "l: 1\n\nx", "M30 "},
		/* RFC 5626 §3.5.1, and line ends that are none of it. */
		{"\r\n\r\n", "P "},
		{"\r\n", ""},
		{"\r\n\r\n\r\n\r\n", "P P "},
		{"\r\n\r\n\r\n", "P "},
		{"\n\n\r\r\n\n\r\n", ""},
		{"\n\r\n\r\n", "P "},
		{"\r\r\n\r\n", "P "},
		{"\r\n" OPTIONS "l: 0\r\n\r\n\r\n" OPTIONS "l: 0\r\n\r\n\r\n\r\n", "M31 M31 P "},
		/* The second half of a keep-alive after a message is none. */
		{"\r\n" OPTIONS "l: 0\r\n\r\n\r\n", "M31 "},
		/* Where the next message begins is not known. */
		{OPTIONS "\r\n", "Missing Content-Length "},
		{OPTIONS "To: a\r\n\r\n" OPTIONS "l: 0\r\n\r\n", "Missing Content-Length "},
		{OPTIONS "l: 0\r\nl: 0\r\n\r\n", "Content-Length Stands Twice "},
		{OPTIONS "l: 3\r\nContent-Length: 4\r\n\r\nabcd", "Content-Length Stands Twice "},
		{OPTIONS "l: -1\r\n\r\n", "Malformed Content-Length "},
		{OPTIONS "l: +1\r\n\r\nx", "Malformed Content-Length "},
		{OPTIONS "l: 1, 1\r\n\r\nx", "Malformed Content-Length "},
		{OPTIONS "l: 0x1\r\n\r\nx", "Malformed Content-Length "},
		{OPTIONS "l: 1\r\n 1\r\n\r\nx", "Malformed Content-Length "},
		{OPTIONS "l:\r\n\r\nx", "Malformed Content-Length "},
		{OPTIONS "l\r\n\r\nx", "Malformed Content-Length "},
		{OPTIONS "l: 4294967296\r\n\r\n", "Malformed Content-Length "},
		{OPTIONS "l: 18446744073709551616\r\n\r\n", "Malformed Content-Length "},
		{OPTIONS "l: 4294967295\r\n\r\n", "Message Too Large "},
		{OPTIONS "l: 65535\r\n\r\n", "Message Too Large "},
		{"GET / HTTP/1.1\r\n", "Not SIP "},
		{"hello\r\n", "Not SIP "},
		{"OPTIONS SIP/2.0\r\n", "Not SIP "},
		{"\x16\x03\x01", "Not SIP "},
		{OPTIONS "l: 0\r\n\r\nSSH-2.0-x\r\n", "M31 Not SIP "},
		{OPTIONS "l: 5\r\n\r\nabc", ""},
		{"OPTIONS sip:a SIP/2.0", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_cut(slice_from(cases[i].stream), cases[i].expected);
}

/* A message of n bytes, all header. */
static char *sized(size_t n)
{
	char *bytes = malloc(n);
	const struct slice head = SLICE(OPTIONS "l: 0\r\nS: ");

	memset(bytes, 'x', n);
	memcpy(bytes, head.p, head.n);
	memcpy(bytes + n - 4, "\r\n\r\n", 4);
	return bytes;
}

static void largest_message_is_taken_and_one_byte_more_is_not(void **state)
{
	struct cut cut = {0}, large = {0};
	char *bytes = sized(NET_DATAGRAM_MAX);

	(void)state;
	take(&cut, bytes, NET_DATAGRAM_MAX - 1);
	take(&cut, bytes, NET_DATAGRAM_MAX);
	assert_string_equal(cut.text, "M65535 ");
	free(bytes);
	bytes = sized(NET_DATAGRAM_MAX + 1);
	take(&large, bytes, NET_DATAGRAM_MAX - 1);
	assert_string_equal(large.text, "");
	take(&large, bytes, NET_DATAGRAM_MAX);
	assert_string_equal(large.text, "Message Too Large ");
	large = (struct cut){0};
	take(&large, bytes, NET_DATAGRAM_MAX + 1);
	assert_string_equal(large.text, "Message Too Large ");
	free(bytes);
}

static void length_may_reach_the_limit_with_the_header(void **state)
{
	static const char *const texts[] = {"M65535 ", "Message Too Large "};
	char *bytes = malloc(2 * NET_DATAGRAM_MAX);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct cut cut = {0};
		int head = snprintf(bytes, 64, OPTIONS "l: %zu\r\n\r\n", 65535 - 35 + i);

		assert_int_equal(head, 35);
		memset(bytes + head, '\n', NET_DATAGRAM_MAX);
		take(&cut, bytes, NET_DATAGRAM_MAX);
		assert_string_equal(cut.text, texts[i]);
	}
	free(bytes);
}

/* A header of 64 kB that comes byte by byte is looked at once. */
static void slow_peers_cost_no_more_than_fast_ones(void **state)
{
	char *bytes = sized(NET_DATAGRAM_MAX);
	struct cut cut = {0};

	(void)state;
	for (size_t end = 1; end <= NET_DATAGRAM_MAX; end++) {
		take(&cut, bytes, end);
		assert_true(cut.framing.looked == end || end == NET_DATAGRAM_MAX);
	}
	assert_string_equal(cut.text, "M65535 ");
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_are_cut_the_same_at_every_split),
		cmocka_unit_test(largest_message_is_taken_and_one_byte_more_is_not),
		cmocka_unit_test(length_may_reach_the_limit_with_the_header),
		cmocka_unit_test(slow_peers_cost_no_more_than_fast_ones),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
