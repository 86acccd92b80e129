/* SPDX-License-Identifier: BSD-2-Clause */
/* Fragments: the first one is judged, later ones share its verdict. */
#include "judge.h"

#define ID 0x4711

static void later_fragments_of_nothing_known_pass(void **state)
{
	for (unsigned offset = 8; offset <= 65528; offset += 1024) {
		expect(*state, SIPWARD_FRAGMENT, .fragment = true, .offset = offset, .id = ID);
		expect(*state, SIPWARD_FRAGMENT, .offset = offset, .more = true, .id = ID + 1,
		       .protocol = PROTO_TCP);
		expect(*state, SIPWARD_FRAGMENT, .family = 6, .fragment = true, .offset = offset,
		       .id = ID);
	}
}

/* The greatest offset has all thirteen bits; the flags beside it are none. */
static void offsets_are_not_confused_with_flags(void **state)
{
	struct frame f = FRAME(.payload_n = 64);

	put_u16(f.bytes + f.ip_at + 6, 0x4000); /* don't fragment */
	expect_at(*state, &f, SIPWARD_UNLISTED, __LINE__);
	put_u16(f.bytes + f.ip_at + 6, 0x8000); /* reserved */
	expect_at(*state, &f, SIPWARD_UNLISTED, __LINE__);
	put_u16(f.bytes + f.ip_at + 6, 0x1000);
	expect_at(*state, &f, SIPWARD_FRAGMENT, __LINE__);
	put_u16(f.bytes + f.ip_at + 6, 0x0001);
	expect_at(*state, &f, SIPWARD_FRAGMENT, __LINE__);
}

static void later_fragments_inherit_the_drop(void **state)
{
	for (unsigned family = 4; family <= 6; family += 2) {
		expect(*state, SIPWARD_UNLISTED, .family = family, .fragment = true, .more = true,
		       .id = ID, .udp_length = 3000);
		expect(*state, SIPWARD_FRAGMENT_DROP, .family = family, .fragment = true,
		       .more = true, .offset = 1480, .id = ID);
		expect(*state, SIPWARD_FRAGMENT_DROP, .family = family, .fragment = true,
		       .offset = 2960, .id = ID);
	}
}

static void only_the_same_datagram_inherits(void **state)
{
	expect(*state, SIPWARD_UNLISTED, .more = true, .id = ID);
	expect(*state, SIPWARD_FRAGMENT, .offset = 64, .id = ID + 1);
	expect(*state, SIPWARD_FRAGMENT, .offset = 64, .id = ID, .src = "198.51.100.8");
	expect(*state, SIPWARD_FRAGMENT, .offset = 64, .id = ID, .protocol = PROTO_TCP);
	expect(*state, SIPWARD_UNLISTED, .family = 6, .fragment = true, .more = true, .id = ID);
	expect(*state, SIPWARD_FRAGMENT, .family = 6, .fragment = true, .offset = 64,
	       .id = ID << 16);
	expect(*state, SIPWARD_FRAGMENT, .family = 6, .fragment = true, .offset = 64, .id = ID,
	       .src = "2001:db8:51::8");
}

static void a_passing_first_fragment_ends_an_old_drop(void **state)
{
	for (unsigned family = 4; family <= 6; family += 2) {
		expect(*state, SIPWARD_UNLISTED, .family = family, .fragment = true, .more = true,
		       .id = ID);
		expect(*state, SIPWARD_FRAGMENT_DROP, .family = family, .fragment = true,
		       .offset = 64, .id = ID);
		expect(*state, SIPWARD_OTHER, .family = family, .fragment = true, .more = true,
		       .id = ID, .port = 53);
		expect(*state, SIPWARD_FRAGMENT, .family = family, .fragment = true, .offset = 64,
		       .id = ID);
	}
}

static void a_drop_is_forgotten_after_thirty_seconds(void **state)
{
	struct judge *j = *state;

	j->now_ns = 1000 * NS_PER_S;
	expect(j, SIPWARD_UNLISTED, .more = true, .id = ID);
	j->now_ns = 1030 * NS_PER_S - 1;
	expect(j, SIPWARD_FRAGMENT_DROP, .offset = 64, .id = ID);
	j->now_ns = 1030 * NS_PER_S;
	expect(j, SIPWARD_FRAGMENT, .offset = 64, .id = ID);
	j->now_ns = 0;
}

/* A tiny first fragment could become SIP: RFC 1858, RFC 7112. */
static void first_fragments_without_ports_are_malformed(void **state)
{
	static const unsigned protocols[] = {PROTO_UDP, PROTO_TCP};

	for (unsigned i = 0; i < 2; i++) {
		for (unsigned n = 0; n < 4; n++) {
			struct frame f = FRAME(.protocol = protocols[i], .no_transport = true,
					       .more = true, .payload = "\x9c\x40\x13", .id = ID,
					       .payload_n = n ? n : 1, .ip_length = n ? 0 : -1);

			expect_at(*state, &f, SIPWARD_MALFORMED, __LINE__);
			f = FRAME(.family = 6, .protocol = protocols[i], .no_transport = true,
				  .fragment = true, .more = true, .payload = "\x9c\x40\x13",
				  .payload_n = n ? n : 1, .ip_length = n ? 0 : -1);
			expect_at(*state, &f, SIPWARD_MALFORMED, __LINE__);
		}
	}
	expect(*state, SIPWARD_OTHER, .protocol = PROTO_ICMP, .no_transport = true, .more = true,
	       .payload = "x");
}

static void first_fragments_must_hold_the_whole_header(void **state)
{
	char ports[] = "\x9c\x40\x13\xc4\x0b\xb8\0\0\0\0\0\0\x50\0\0\0\0\0\0\0";

	for (unsigned n = 4; n < 20; n++) {
		expect(*state, SIPWARD_MALFORMED, .protocol = PROTO_TCP, .no_transport = true,
		       .more = true, .payload = ports, .payload_n = n);
		expect(*state, n < 8 ? SIPWARD_MALFORMED : SIPWARD_UNLISTED, .no_transport = true,
		       .more = true, .payload = ports, .payload_n = n);
	}
	ports[3] = 80; /* shows its ports, and is none of our business */
	for (unsigned n = 4; n < 20; n++)
		expect(*state, SIPWARD_OTHER, .protocol = PROTO_TCP, .no_transport = true,
		       .more = true, .payload = ports, .payload_n = n);
}

static void first_fragments_must_reach_the_transport_header(void **state)
{
	struct frame f = FRAME(.family = 6, .fragment = true, .more = true, .id = ID);

	/* The fragment header says that destination options follow, which do not fit. */
	f.bytes[f.ip_at + 40] = EXT_DEST;
	f.bytes[f.ip_at + 49] = 255;
	expect_at(*state, &f, SIPWARD_MALFORMED, __LINE__);
	f.bytes[f.ip_at + 43] = 0; /* no fragment after all: not SIP, as far as one can see */
	expect_at(*state, &f, SIPWARD_OTHER, __LINE__);
}

static void forged_malformed_fragments_stop_nobody(void **state)
{
	expect(*state, SIPWARD_MALFORMED, .no_transport = true, .more = true, .payload = "x",
	       .id = ID);
	expect(*state, SIPWARD_FRAGMENT, .offset = 64, .id = ID);
}

static void extension_headers_before_and_behind_are_walked(void **state)
{
	struct frame f;

	expect(*state, SIPWARD_UNLISTED, .family = 6, .exts = 2, .ext = {EXT_HOP, EXT_DEST},
	       .fragment = true, .more = true, .id = ID);
	expect(*state, SIPWARD_FRAGMENT_DROP, .family = 6, .exts = 2, .ext = {EXT_HOP, EXT_DEST},
	       .fragment = true, .offset = 128, .id = ID);
	f = FRAME(.family = 6, .fragment = true, .offset = 128, .id = ID);
	f.bytes[f.ip_at + 40] = EXT_DEST; /* what the first one begins with */
	expect_at(*state, &f, SIPWARD_FRAGMENT_DROP, __LINE__);
	f.bytes[f.ip_at + 40] = 58;
	expect_at(*state, &f, SIPWARD_OTHER, __LINE__);
}

static void atomic_fragments_are_whole_packets(void **state)
{
	expect(*state, SIPWARD_UNLISTED, .family = 6, .fragment = true, .id = ID);
	expect(*state, SIPWARD_FRAGMENT, .family = 6, .fragment = true, .offset = 64, .id = ID);
	expect(*state, SIPWARD_MALFORMED, .family = 6, .fragment = true, .udp_length = 3000);
}

/* What is remembered is bounded in time, so a flood of first fragments can not make it the slow
 * part; the rest of what it drops passes and is never put together. */
static void a_flood_of_first_fragments_is_remembered_in_part(void **state)
{
	struct judge *j = *state;
	struct sipward_fragment_key key, next;
	unsigned n = 0;
	int more;

	for (unsigned id = 0; id < 20000; id++) {
		struct frame f = FRAME(.more = true, .id = id & 0xffff);

		judge_run(j, f.bytes, f.n);
	}
	more = bpf_map_get_next_key(j->filter->fragments, NULL, &next);
	for (; !more; n++) {
		key = next;
		more = bpf_map_get_next_key(j->filter->fragments, &key, &next);
	}
	assert_in_range(n, 1, SIPWARD_FRAGMENTS_MAX);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, judge_open, judge_close)
	const struct CMUnitTest tests[] = {
		TEST(later_fragments_of_nothing_known_pass),
		TEST(offsets_are_not_confused_with_flags),
		TEST(later_fragments_inherit_the_drop),
		TEST(only_the_same_datagram_inherits),
		TEST(a_passing_first_fragment_ends_an_old_drop),
		TEST(a_drop_is_forgotten_after_thirty_seconds),
		TEST(first_fragments_without_ports_are_malformed),
		TEST(first_fragments_must_hold_the_whole_header),
		TEST(first_fragments_must_reach_the_transport_header),
		TEST(forged_malformed_fragments_stop_nobody),
		TEST(extension_headers_before_and_behind_are_walked),
		TEST(atomic_fragments_are_whole_packets),
		TEST(a_flood_of_first_fragments_is_remembered_in_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
