/* SPDX-License-Identifier: BSD-2-Clause */
/* From frames of every shape to the right port, or not. Nobody is listed: a SIP packet that is
 * understood is dropped as unlisted, so a wrong pass shows. */
#include "judge.h"

#define SOME_PAYLOAD 1500

static void is_sip_port_by_default(void **state)
{
	expect(*state, SIPWARD_UNLISTED, .port = 5060);
	expect(*state, SIPWARD_OTHER, .port = 5061);
	expect(*state, SIPWARD_UNLISTED, .protocol = PROTO_TCP, .port = 5060);
	expect(*state, SIPWARD_UNLISTED, .protocol = PROTO_TCP, .port = 5061);
	expect(*state, SIPWARD_UNLISTED, .family = 6, .port = 5060);
	expect(*state, SIPWARD_UNLISTED, .family = 6, .protocol = PROTO_TCP, .port = 5061);
	expect(*state, SIPWARD_OTHER, .protocol = PROTO_ICMP);
	expect(*state, SIPWARD_OTHER, .family = 6, .protocol = 58);
}

static void swapped_port_bytes_are_another_port(void **state)
{
	expect(*state, SIPWARD_OTHER, .port = 0xc413);
	expect(*state, SIPWARD_OTHER, .protocol = PROTO_TCP, .port = 0xc413);
	expect(*state, SIPWARD_OTHER, .family = 6, .port = 0xc413);
}

static void only_one_of_all_ports_is_judged(void **state)
{
	struct frame f = FRAME(.port = 5060);

	for (unsigned port = 0; port < 65536; port++) {
		put_u16(f.bytes + f.transport_at + 2, port);
		assert_int_equal(judge_run(*state, f.bytes, f.n),
				 port == 5060 ? XDP_DROPPED : XDP_PASSED);
	}
}

static void ports_follow_the_settings(void **state)
{
	struct sipward_settings settings = {.mode = SIPWARD_ENFORCE, .port_count = 8};

	for (unsigned i = 0; i < 8; i++)
		settings.ports[i] = (struct sipward_port){.protocol = i % 2 ? PROTO_TCP : PROTO_UDP,
							  .port_be = htons(6000 + i)};
	judge_settings(*state, settings);
	for (unsigned i = 0; i < 8; i++) {
		bool udp = i % 2 == 0;

		expect(*state, udp ? SIPWARD_UNLISTED : SIPWARD_OTHER, .port = 6000 + i);
		expect(*state, udp ? SIPWARD_OTHER : SIPWARD_UNLISTED, .port = 6000 + i,
		       .protocol = PROTO_TCP);
	}
	expect(*state, SIPWARD_OTHER, .port = 5060);
	settings.port_count = 1;
	judge_settings(*state, settings);
	expect(*state, SIPWARD_UNLISTED, .port = 6000);
	expect(*state, SIPWARD_OTHER, .port = 6002);
	settings.port_count = 0xffffffff;
	judge_settings(*state, settings);
	expect(*state, SIPWARD_UNLISTED, .port = 6006);
	expect(*state, SIPWARD_OTHER, .port = 6008);
}

static void four_vlan_tags_are_looked_through(void **state)
{
	for (unsigned tags = 0; tags <= 6; tags++) {
		int expected = tags <= 4 ? SIPWARD_UNLISTED : SIPWARD_OTHER;

		expect(*state, expected, .tags = tags);
		expect(*state, expected, .tags = tags, .tags_8021ad = true);
		expect(*state, expected, .tags = tags, .family = 6);
		expect(*state, SIPWARD_OTHER, .tags = tags, .port = 80);
	}
}

static void other_ether_types_pass(void **state)
{
	static const uint16_t types[] = {0x0806, 0x8847, 0x8863, 0x8864, 0x0008, 0xdd86,
					 0x0081, 0xa888, 0x0060, 0x9100, 0xffff};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		expect(*state, SIPWARD_OTHER, .ether_type = types[i]);
		expect(*state, SIPWARD_OTHER, .ether_type = types[i], .family = 6);
	}
	expect(*state, SIPWARD_OTHER, .ether_type = 0x86dd); /* with IPv4 behind it */
	expect(*state, SIPWARD_OTHER, .ether_type = 0x0800, .family = 6);
}

static void ipv4_options_are_skipped(void **state)
{
	for (unsigned words = 0; words <= 10; words++) {
		expect(*state, SIPWARD_UNLISTED, .options = words);
		expect(*state, SIPWARD_UNLISTED, .options = words, .protocol = PROTO_TCP);
		expect(*state, SIPWARD_OTHER, .options = words, .port = 5062);
	}
}

static void ipv4_header_lengths_below_five_pass(void **state)
{
	struct frame f = FRAME(.port = 5060);

	for (unsigned ihl = 0; ihl < 5; ihl++) {
		f.bytes[f.ip_at] = 0x40 | ihl;
		expect_at(*state, &f, SIPWARD_OTHER, __LINE__);
	}
}

/* Behind more of them nobody but the receiver sees whether it is SIP. */
static void six_extension_headers_are_walked_and_more_dropped(void **state)
{
	static const uint8_t kinds[] = {EXT_HOP, EXT_DEST, EXT_ROUTING, EXT_AH};

	for (unsigned n = 0; n <= 8; n++) {
		struct shape shape = {.family = 6, .exts = n, .ext_bytes = 16};
		struct frame f;

		for (unsigned i = 0; i < n; i++)
			shape.ext[i] = kinds[i % 4];
		f = frame_make(shape);
		expect_at(*state, &f, n <= 6 ? SIPWARD_UNLISTED : SIPWARD_MALFORMED, __LINE__);
		shape.port = 443;
		f = frame_make(shape);
		expect_at(*state, &f, n <= 6 ? SIPWARD_OTHER : SIPWARD_MALFORMED, __LINE__);
	}
}

static void extension_headers_have_their_own_length(void **state)
{
	for (unsigned bytes = 8; bytes <= 1024; bytes += 8) {
		expect(*state, SIPWARD_UNLISTED, .family = 6, .exts = 1, .ext = {EXT_DEST},
		       .ext_bytes = bytes);
		expect(*state, SIPWARD_UNLISTED, .family = 6, .exts = 1, .ext = {EXT_AH},
		       .ext_bytes = bytes);
	}
	expect(*state, SIPWARD_UNLISTED, .family = 6, .exts = 1, .ext = {EXT_DEST},
	       .ext_bytes = 2048);
	expect(*state, SIPWARD_OTHER, .family = 6, .exts = 1, .ext = {50}); /* ESP */
	expect(*state, SIPWARD_OTHER, .family = 6, .exts = 1, .ext = {59}); /* no next header */
}

/* What the UDP length must be for a payload of n bytes: all others are malformed, in either byte
 * order. */
static void every_udp_length(void **state, unsigned family, unsigned payload_n)
{
	struct frame f = FRAME(.family = family, .payload_n = payload_n);

	for (unsigned length = 0; length <= payload_n + 300; length++) {
		bool right = length >= 8 && length <= payload_n + 8;

		put_u16(f.bytes + f.transport_at + 4, length);
		expect_at(*state, &f, right ? SIPWARD_UNLISTED : SIPWARD_MALFORMED, __LINE__);
	}
}

static void udp_lengths_beyond_the_packet_are_malformed(void **state)
{
	every_udp_length(state, 4, 64);
	every_udp_length(state, 6, 300);
	every_udp_length(state, 4, 1472);
}

static void every_right_udp_length_is_judged(void **state)
{
	for (unsigned n = 1; n <= SOME_PAYLOAD + 300; n++) {
		expect(*state, SIPWARD_UNLISTED, .payload_n = n);
		expect(*state, SIPWARD_UNLISTED, .family = 6, .payload_n = n);
	}
}

static void ip_lengths_must_hold_what_they_carry(void **state)
{
	int payload = strlen(INVITE);

	for (unsigned family = 4; family <= 6; family += 2) {
		for (int less = 1; less <= payload + 4; less++)
			expect(*state, SIPWARD_MALFORMED, .family = family, .ip_length = -less);
		for (int less = payload + 5; less <= payload + 8; less++)
			expect(*state, SIPWARD_OTHER, .family = family, .ip_length = -less);
		for (int more = 1; more < 600; more++)
			expect(*state, SIPWARD_MALFORMED, .family = family, .ip_length = more);
	}
}

static void ethernet_padding_is_allowed(void **state)
{
	for (unsigned padding = 1; padding < 60; padding++) {
		expect(*state, SIPWARD_UNLISTED, .padding = padding);
		expect(*state, SIPWARD_UNLISTED, .padding = padding, .family = 6);
		expect(*state, SIPWARD_UNLISTED, .padding = padding, .protocol = PROTO_TCP);
	}
	/* The padding must not be taken for the port. */
	expect(*state, SIPWARD_OTHER, .no_transport = true, .payload = "\x9c\x40\x13\xc4",
	       .payload_n = 4, .ip_length = -4);
}

static void tcp_data_offsets_must_fit(void **state)
{
	expect(*state, SIPWARD_MALFORMED, .protocol = PROTO_TCP, .tcp_words = -1);
	for (int words = 1; words <= 15; words++) {
		int expected = words >= 5 ? SIPWARD_UNLISTED : SIPWARD_MALFORMED;

		expect(*state, expected, .protocol = PROTO_TCP, .tcp_words = words);
		expect(*state, expected, .family = 6, .protocol = PROTO_TCP, .tcp_words = words);
		if (words > 6)
			expected = SIPWARD_MALFORMED;
		expect(*state, expected, .protocol = PROTO_TCP, .tcp_words = words, .payload_n = 4);
	}
}

/* Cut anywhere, a packet whose ports can be read and are SIP's is malformed; one whose ports can
 * not be read is none of our business. */
static void expect_truncations(struct judge *j, const struct frame *f)
{
	for (uint32_t n = 14; n < f->n; n++) {
		struct frame cut = *f;

		cut.n = n;
		expect_at(j, &cut, n < f->transport_at + 4 ? SIPWARD_OTHER : SIPWARD_MALFORMED,
			  __LINE__);
	}
	expect_at(j, f, SIPWARD_UNLISTED, __LINE__);
}

static void every_truncation_of_every_shape(void **state)
{
	static const uint8_t protocols[] = {PROTO_UDP, PROTO_TCP};

	for (unsigned i = 0; i < 2 * 5 * 4; i++) {
		struct shape shape = {.protocol = protocols[i % 2], .tags = i / 2 % 5};
		unsigned kind = i / 10;
		struct frame f;

		shape.family = kind < 2 ? 4 : 6;
		shape.options = kind == 1 ? 10 : 0;
		shape.exts = kind == 3 ? 3 : 0;
		shape.ext[1] = EXT_DEST;
		shape.ext[2] = EXT_AH;
		shape.ext_bytes = 24;
		f = frame_make(shape);
		expect_truncations(*state, &f);
	}
}

static void a_header_without_payload_is_judged(void **state)
{
	struct frame f = FRAME(.payload = "", .udp_length = 8);

	expect_at(*state, &f, SIPWARD_UNLISTED, __LINE__);
	f = FRAME(.payload = "", .protocol = PROTO_TCP);
	expect_at(*state, &f, SIPWARD_UNLISTED, __LINE__);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_sip_port_by_default),
		cmocka_unit_test(swapped_port_bytes_are_another_port),
		cmocka_unit_test(only_one_of_all_ports_is_judged),
		cmocka_unit_test_setup_teardown(ports_follow_the_settings, judge_open, judge_close),
		cmocka_unit_test(four_vlan_tags_are_looked_through),
		cmocka_unit_test(other_ether_types_pass),
		cmocka_unit_test(ipv4_options_are_skipped),
		cmocka_unit_test(ipv4_header_lengths_below_five_pass),
		cmocka_unit_test(six_extension_headers_are_walked_and_more_dropped),
		cmocka_unit_test(extension_headers_have_their_own_length),
		cmocka_unit_test(udp_lengths_beyond_the_packet_are_malformed),
		cmocka_unit_test(every_right_udp_length_is_judged),
		cmocka_unit_test(ip_lengths_must_hold_what_they_carry),
		cmocka_unit_test(ethernet_padding_is_allowed),
		cmocka_unit_test(tcp_data_offsets_must_fit),
		cmocka_unit_test(every_truncation_of_every_shape),
		cmocka_unit_test(a_header_without_payload_is_judged),
	};

	return cmocka_run_group_tests(tests, judge_open, judge_close);
}
