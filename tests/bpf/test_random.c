/* SPDX-License-Identifier: BSD-2-Clause */
/* Random and mutated frames: the filter must say what a second, independent decision says.
 * SIPWARD_RANDOM_FRAMES and SIPWARD_RANDOM_SEED widen the search. */
#include "judge.h"
#include "reference.h"

#define FRAMES 60000
#define SOURCES 12

static uint64_t seed;

static uint64_t rand64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static unsigned below(unsigned n)
{
	return rand64() % n;
}

static uint64_t from_environment(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void source_text(unsigned family, unsigned i, char text[IP_TEXT_SIZE])
{
	if (family == 4)
		snprintf(text, IP_TEXT_SIZE, "198.51.100.%u", i);
	else
		snprintf(text, IP_TEXT_SIZE, "2001:db8:51:%x::7", i);
}

/* Of a dozen sources of each family some are locked out, proven, listed, denied, unknown. What was
 * drawn before for IPv6 sources of another length stays in the maps, and must not count. */
static void draw_state(struct judge *j, struct ref_state *s, unsigned v6_bits)
{
	char text[IP_TEXT_SIZE];

	*s = (struct ref_state){.v6_bits = v6_bits};
	j->v6_bits = v6_bits;
	for (unsigned i = 0; i < SOURCES; i++) {
		unsigned family = i % 2 ? 4 : 6;
		struct ip ip;

		source_text(family, i, text);
		assert_int_equal(ip_parse(slice_from(text), &ip), 0);
		if (i / 2 % 3 == 0) {
			s->locked_out[s->locked_out_n++] = ip;
			judge_lock_out(j, text, UINT64_MAX);
		} else if (i / 2 % 3 == 1) {
			s->proven[s->proven_n++] = ip;
			judge_prove(j, text, UINT64_MAX);
		}
		if (i % 5 == 0)
			s->rules[s->rules_n++] = (struct filter_rule){
				.prefix = {.ip = ip_masked(&ip, family == 4 ? 32 - i % 4 : 64),
					   .len = family == 4 ? 32 - i % 4 : 64},
				.value = {.flags = i == 10 ? SIPWARD_ACL_DENY : SIPWARD_ACL_ALLOW}};
	}
}

static void use_policy(struct judge *j, struct ref_state *s, uint32_t unlisted)
{
	struct filter_rules rules = {.settings = {.mode = SIPWARD_ENFORCE,
						  .unlisted = unlisted,
						  .source_v6_bits = s->v6_bits},
				     .rules = s->rules,
				     .count = s->rules_n};
	struct error err = {};

	s->unlisted = unlisted;
	if (filter_reconcile(j->filter, &rules, NULL, &err))
		fail_msg("%s", err.text);
}

static struct shape draw_shape(char src[IP_TEXT_SIZE])
{
	static const uint8_t exts[] = {EXT_HOP, EXT_ROUTING, EXT_AH, EXT_DEST};
	static const uint16_t ports[] = {5060, 5060, 5060, 5061, 80, 0xc413};
	static const char *const payloads[] = {NULL, "OPTIONS sip:a SIP/2.0", "\r\n\r\n", "x",
					       "SIP/2.0 200 OK"};
	struct shape s = {.family = below(2) ? 4 : 6,
			  .src = src,
			  .protocol = below(4) ? PROTO_UDP : PROTO_TCP,
			  .port = ports[below(6)],
			  .payload = payloads[below(5)],
			  .tags = below(3) ? 0 : below(6),
			  .tags_8021ad = below(2),
			  .id = below(4)};

	source_text(s.family, below(SOURCES + 4), src);
	s.options = s.family == 4 && !below(3) ? below(11) : 0;
	s.exts = below(3) ? 0 : below(9);
	s.ext_bytes = 8 + 8 * below(4);
	for (unsigned i = 0; i < s.exts; i++)
		s.ext[i] = exts[below(4)];
	s.fragment = s.family == 6 && !below(4);
	s.more = !below(6) && (s.family == 4 || s.fragment);
	s.offset = below(6) ? 0 : 8 * below(8);
	s.no_transport = !below(12);
	s.padding = below(4) ? 0 : below(40);
	s.ip_length = below(6) ? 0 : (int)below(120) - 60;
	s.udp_length = below(6) ? 0 : (int)below(120);
	s.tcp_words = below(4) ? 0 : (int)below(16);
	return s;
}

static void mutate(struct frame *f)
{
	for (unsigned changes = below(3) ? below(3) : below(20); changes; changes--) {
		/* The headers, mostly. */
		uint8_t *byte = f->bytes + below(below(4) && f->n > 60 ? 60 : f->n);

		*byte = below(2) ? *byte ^ 1 << below(8) : (int)below(256);
	}
	if (!below(5))
		f->n = 14 + below(f->n - 13);
}

static void print_frame(const struct frame *f)
{
	for (uint32_t i = 0; i < f->n; i++)
		fprintf(stderr, "%02x%s", f->bytes[i], i % 32 == 31 ? "\n" : "");
	fprintf(stderr, "\n");
}

static void compare(struct judge *j, const struct ref_state *s, const struct frame *f)
{
	int expected = ref_judge(s, f->bytes, f->n);
	struct judgement got = judge_frame(j, f);
	bool same = got.reason == expected;

	if (expected == SIPWARD_FRAGMENT)
		same |= got.reason == SIPWARD_FRAGMENT_DROP;
	if (same && got.verdict == (filter_reason_is_drop(got.reason) ? XDP_DROPPED : XDP_PASSED) &&
	    got.counted.bytes == f->n)
		return;
	print_frame(f);
	fail_msg("expected %s, got %s with verdict %d", filter_reason_name(expected),
		 got.reason < 0 ? "none" : filter_reason_name(got.reason), got.verdict);
}

static void mutated_frames_are_judged_twice_alike(void **state)
{
	uint64_t n = from_environment("SIPWARD_RANDOM_FRAMES", FRAMES);
	unsigned reasons[SIPWARD_REASON_COUNT] = {};
	struct judge *j = *state;
	struct ref_state s;

	for (uint64_t i = 0; i < n; i++) {
		char src[IP_TEXT_SIZE];
		struct frame f = frame_make(draw_shape(src));

		if (i % (n / 3 + 1) == 0) {
			draw_state(j, &s, 62 + i / (n / 3 + 1));
			use_policy(j, &s, i / (n / 3 + 1));
		}
		mutate(&f);
		compare(j, &s, &f);
		reasons[ref_judge(&s, f.bytes, f.n)]++;
	}
	/* What comes later answers; test_challenge.c is about that. */
	for (int i = 0; i < SIPWARD_EVENT_LOST; i++) {
		if (i != SIPWARD_FRAGMENT_DROP && i != SIPWARD_RATE_LIMITED)
			assert_true(reasons[i] > n / 1000);
	}
}

static void noise_is_judged_twice_alike(void **state)
{
	static const uint8_t types[][2] = {{8, 0}, {0x86, 0xdd}, {0x81, 0}, {0x88, 0xa8}};
	struct judge *j = *state;
	struct ref_state s;

	draw_state(j, &s, 63);
	use_policy(j, &s, SIPWARD_UNLISTED_LIMIT);
	for (int i = 0; i < FRAMES / 3; i++) {
		struct frame f = {.n = 14 + below(200)};

		for (uint32_t k = 0; k < f.n; k++)
			f.bytes[k] = rand64();
		memcpy(f.bytes + 12, types[below(4)], 2);
		f.bytes[14] = below(2) ? 0x45 : 0x60;
		if (below(2))
			f.bytes[23] = PROTO_UDP;
		compare(j, &s, &f);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, judge_open, judge_close)
	const struct CMUnitTest tests[] = {
		TEST(mutated_frames_are_judged_twice_alike),
		TEST(noise_is_judged_twice_alike),
	};

	seed = from_environment("SIPWARD_RANDOM_SEED", 88172645463325252ULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
