/* SPDX-License-Identifier: BSD-2-Clause */
/* What is known about a source, and what follows: the order of the reasons, deadlines, the unlisted
 * policies, budgets, modes, and what is written down about drops. */
#include <unistd.h>

#include "judge.h"

#define NOW (5000 * NS_PER_S)

static struct sipward_settings limit_settings(void)
{
	return (struct sipward_settings){.mode = SIPWARD_ENFORCE,
					 .unlisted = SIPWARD_UNLISTED_LIMIT};
}

static void reasons_come_in_order(void **state)
{
	struct judge *j = *state;

	for (unsigned family = 4; family <= 6; family += 2) {
		const char *source = family == 4 ? "198.51.100.7" : "2001:db8:51::7";

		expect(j, SIPWARD_UNLISTED, .family = family);
		judge_prove(j, source, UINT64_MAX);
		expect(j, SIPWARD_PROVEN, .family = family);
		judge_acl(j, source, SIPWARD_ACL_ALLOW);
		expect(j, SIPWARD_LISTED, .family = family);
		judge_acl(j, source, SIPWARD_ACL_UPSTREAM);
		expect(j, SIPWARD_LISTED, .family = family);
		judge_acl(j, source, SIPWARD_ACL_DENY | SIPWARD_ACL_ALLOW);
		expect(j, SIPWARD_DENIED, .family = family);
		judge_lock_out(j, source, UINT64_MAX);
		expect(j, SIPWARD_LOCKED_OUT, .family = family);
		expect(j, SIPWARD_MALFORMED, .family = family, .udp_length = 7);
		expect(j, SIPWARD_OTHER, .family = family, .port = 80);
		expect(j, SIPWARD_OTHER, .family = family, .port = 80, .udp_length = 7);
	}
}

static void use_v6_bits(struct judge *j, uint32_t bits)
{
	judge_settings(j,
		       (struct sipward_settings){.mode = SIPWARD_ENFORCE, .source_v6_bits = bits});
	j->v6_bits = bits;
}

static void an_ipv6_source_is_as_long_as_the_settings_say(void **state)
{
	static const unsigned wrong[] = {0, 1, 31, 65, 128, UINT32_MAX};
	struct judge *j = *state;

	use_v6_bits(j, 56);
	judge_lock_out(j, "2001:db8:51:100::/56", UINT64_MAX);
	expect(j, SIPWARD_LOCKED_OUT, .family = 6, .src = "2001:db8:51:100::7");
	expect(j, SIPWARD_LOCKED_OUT, .family = 6, .src = "2001:db8:51:1ff::7");
	expect(j, SIPWARD_UNLISTED, .family = 6, .src = "2001:db8:51:200::7");
	expect(j, SIPWARD_UNLISTED, .family = 6, .src = "2001:db8:51:ff::7");
	use_v6_bits(j, 32);
	judge_prove(j, "2001:db9::1", UINT64_MAX);
	expect(j, SIPWARD_PROVEN, .family = 6, .src = "2001:db9:ffff:ffff::7");
	expect(j, SIPWARD_UNLISTED, .family = 6, .src = "2001:db8:51:100::7");
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		use_v6_bits(j, wrong[i]); /* stands for 64 */
		judge_prove(j, "2001:db8:52::/64", i % 2 ? UINT64_MAX : 1);
		expect(j, i % 2 ? SIPWARD_PROVEN : SIPWARD_UNLISTED, .family = 6,
		       .src = "2001:db8:52::ffff:7");
		expect(j, SIPWARD_UNLISTED, .family = 6, .src = "2001:db8:52:1::7");
	}
}

static void what_was_written_for_sources_of_another_length_does_not_count(void **state)
{
	struct judge *j = *state;

	use_v6_bits(j, 64);
	judge_lock_out(j, "2001:db8:51:100::/64", UINT64_MAX);
	use_v6_bits(j, 56);
	expect(j, SIPWARD_UNLISTED, .family = 6, .src = "2001:db8:51:100::7");
	judge_prove(j, "2001:db8:51:100::/56", UINT64_MAX);
	expect(j, SIPWARD_PROVEN, .family = 6, .src = "2001:db8:51:100::7");
	use_v6_bits(j, 64);
	expect(j, SIPWARD_LOCKED_OUT, .family = 6, .src = "2001:db8:51:100::7");
	expect(j, SIPWARD_UNLISTED, .family = 6, .src = "2001:db8:51:101::7");
}

static void sources_are_addresses_or_slash_64s(void **state)
{
	struct judge *j = *state;

	judge_lock_out(j, "198.51.100.7", UINT64_MAX);
	judge_lock_out(j, "2001:db8:51::/64", UINT64_MAX);
	expect(j, SIPWARD_LOCKED_OUT, .src = "198.51.100.7");
	expect(j, SIPWARD_UNLISTED, .src = "198.51.100.6");
	expect(j, SIPWARD_UNLISTED, .src = "7.100.51.198");
	expect(j, SIPWARD_LOCKED_OUT, .family = 6, .src = "2001:db8:51::1");
	expect(j, SIPWARD_LOCKED_OUT, .family = 6, .src = "2001:db8:51:0:ffff:ffff:ffff:ffff");
	expect(j, SIPWARD_UNLISTED, .family = 6, .src = "2001:db8:51:1::1");
}

static void deadlines_end(void **state)
{
	struct judge *j = *state;

	j->now_ns = NOW;
	judge_lock_out(j, "198.51.100.7", NOW + 1);
	expect(j, SIPWARD_LOCKED_OUT, );
	judge_lock_out(j, "198.51.100.7", NOW);
	expect(j, SIPWARD_UNLISTED, );
	judge_prove(j, "198.51.100.7", NOW + 1);
	expect(j, SIPWARD_PROVEN, );
	judge_prove(j, "198.51.100.7", NOW);
	expect(j, SIPWARD_UNLISTED, );
}

/* The same without a clock of the test's own. */
static void deadlines_are_in_the_coarse_monotonic_clock(void **state)
{
	struct judge *j = *state;

	judge_lock_out(j, "198.51.100.7", clock_coarse_ns() + 3600 * NS_PER_S);
	expect(j, SIPWARD_LOCKED_OUT, );
	judge_lock_out(j, "198.51.100.7", clock_coarse_ns() - 1);
	judge_prove(j, "198.51.100.7", clock_coarse_ns() + 3600 * NS_PER_S);
	expect(j, SIPWARD_PROVEN, );
	judge_prove(j, "198.51.100.7", clock_coarse_ns() - 1);
	expect(j, SIPWARD_UNLISTED, );
}

static void locked_out_sources_may_be_left_to_the_daemon(void **state)
{
	struct sipward_settings settings = {.mode = SIPWARD_ENFORCE,
					    .flags = SIPWARD_LOCKOUT_REJECT};
	struct frame f = FRAME(.port = 5060);
	struct judgement got;

	judge_settings(*state, settings);
	judge_lock_out(*state, "198.51.100.7", UINT64_MAX);
	got = judge_frame(*state, &f);
	assert_int_equal(got.reason, SIPWARD_LOCKED_OUT);
	assert_int_equal(got.verdict, XDP_PASSED);
	assert_int_equal(got.counted.monitored, 1);
	expect(*state, SIPWARD_UNLISTED, .src = "198.51.100.8");
}

static void policy_reject_leaves_the_unlisted_to_the_daemon(void **state)
{
	judge_settings(*state, (struct sipward_settings){.mode = SIPWARD_ENFORCE,
							 .unlisted = SIPWARD_UNLISTED_REJECT});
	expect(*state, SIPWARD_UNLISTED_PASS, );
	expect(*state, SIPWARD_UNLISTED_PASS, .payload = "\r\n\r\n");
	judge_acl(*state, "198.51.100.0/24", SIPWARD_ACL_DENY);
	expect(*state, SIPWARD_DENIED, );
}

static void policy_limit_wants_sip_over_udp(void **state)
{
	static const char *const sip[] = {"INVITE sip:a SIP/2.0", "SIP/2.0 200 OK", "A ", "ACK ",
					  "SUBSCRIBE sip:x",	  "PRACK s"};
	static const char *const not_sip[] = {"\r\n\r\n",
					      "\r\nINVITE sip:",
					      " INVITE",
					      "invite s",
					      "INVITE\t",
					      "INVITE",
					      "SIPS/2.0 ",
					      "RTSP/1.0",
					      "/",
					      "\x80\x12\x01",
					      "ABCDEFGHIJKLMNOPQRSTUVWXYZ x",
					      "SI"};
	struct judge *j = *state;

	judge_settings(j, limit_settings());
	for (size_t i = 0; i < sizeof(sip) / sizeof(sip[0]); i++)
		expect(j, SIPWARD_UNLISTED_PASS, .payload = sip[i]);
	for (size_t i = 0; i < sizeof(not_sip) / sizeof(not_sip[0]); i++) {
		expect(j, SIPWARD_NOT_SIP, .payload = not_sip[i]);
		expect(j, SIPWARD_NOT_SIP, .payload = not_sip[i], .family = 6, .tags = 2);
		expect(j, SIPWARD_UNLISTED_PASS, .payload = not_sip[i], .protocol = PROTO_TCP);
	}
	expect(j, SIPWARD_NOT_SIP, .payload = "", .udp_length = 8);
	judge_acl(j, "198.51.100.0/24", SIPWARD_ACL_ALLOW);
	expect(j, SIPWARD_LISTED, .payload = "\r\n\r\n");
}

/* The payload ends where UDP says so; what stands behind it is no SIP. */
static void policy_limit_reads_no_further_than_udp_says(void **state)
{
	judge_settings(*state, limit_settings());
	expect(*state, SIPWARD_NOT_SIP, .udp_length = 8 + 6); /* "INVITE" */
	expect(*state, SIPWARD_UNLISTED_PASS, .udp_length = 8 + 7);
	expect(*state, SIPWARD_NOT_SIP, .udp_length = 8);
	expect(*state, SIPWARD_NOT_SIP, .payload = "OPTIONS", .padding = 40);
}

static unsigned count_passes(struct judge *j, const char *src, unsigned packets)
{
	struct frame f = FRAME(.src = src);
	unsigned passes = 0;

	for (unsigned i = 0; i < packets; i++) {
		struct judgement got = judge_frame(j, &f);

		passes += got.reason == SIPWARD_UNLISTED_PASS;
		assert_true(got.reason == SIPWARD_UNLISTED_PASS ||
			    got.reason == SIPWARD_RATE_LIMITED);
	}
	return passes;
}

static void a_source_gets_its_burst_and_then_its_rate(void **state)
{
	struct sipward_settings settings = limit_settings();
	struct judge *j = *state;

	settings.source_rate_pps = 10;
	settings.source_burst = 20;
	judge_settings(j, settings);
	j->now_ns = NOW;
	assert_int_equal(count_passes(j, "198.51.100.7", 50), 20);
	assert_int_equal(count_passes(j, "198.51.100.8", 50), 20);
	j->now_ns += NS_PER_S / 10 - 1;
	assert_int_equal(count_passes(j, "198.51.100.7", 5), 0);
	j->now_ns += 1;
	assert_int_equal(count_passes(j, "198.51.100.7", 5), 1);
	j->now_ns += NS_PER_S;
	assert_int_equal(count_passes(j, "198.51.100.7", 50), 10);
	j->now_ns += 3600 * NS_PER_S;
	assert_int_equal(count_passes(j, "198.51.100.7", 50), 20);
}

static void all_unlisted_sources_share_the_budget_of_the_cpu(void **state)
{
	struct sipward_settings settings = limit_settings();
	struct judge *j = *state;
	struct sipward_source key;

	settings.cpu_rate_pps = 1000;
	settings.cpu_burst = 30;
	settings.source_rate_pps = 10;
	settings.source_burst = 20;
	judge_settings(j, settings);
	j->now_ns = NOW;
	assert_int_equal(count_passes(j, "198.51.100.7", 40), 20);
	assert_int_equal(count_passes(j, "198.51.100.8", 40), 10);
	/* Spent: no new source is even noted. */
	assert_int_equal(count_passes(j, "198.51.100.9", 40), 0);
	key = source_of("198.51.100.9");
	assert_int_equal(bpf_map_lookup_elem(j->filter->limits, &key, &(struct sipward_bucket){}),
			 -ENOENT);
	/* A source that is refused by its own bucket takes nothing from the others. */
	j->now_ns += NS_PER_S / 1000 * 10;
	assert_int_equal(count_passes(j, "198.51.100.7", 40), 0);
	assert_int_equal(count_passes(j, "198.51.100.9", 40), 10);
}

static void buckets_recover_when_rates_are_lowered(void **state)
{
	struct sipward_settings settings = limit_settings();
	struct judge *j = *state;

	settings.source_rate_pps = 1;
	settings.source_burst = 1000;
	judge_settings(j, settings);
	j->now_ns = NOW;
	assert_int_equal(count_passes(j, "198.51.100.7", 1100), 1000);
	settings.source_rate_pps = 100;
	settings.source_burst = 10;
	judge_settings(j, settings);
	assert_int_equal(count_passes(j, "198.51.100.7", 5), 0);
	j->now_ns += NS_PER_S / 10;
	assert_int_equal(count_passes(j, "198.51.100.7", 50), 10);
}

static void without_rates_nothing_is_limited(void **state)
{
	struct judge *j = *state;

	judge_settings(j, limit_settings());
	assert_int_equal(count_passes(j, "198.51.100.7", 500), 500);
}

/* What enforce would drop is counted under the same reason, and passes. */
static void monitor_counts_and_drops_nothing(void **state)
{
	const struct frame frames[] = {FRAME(.port = 5060), FRAME(.udp_length = 3),
				       FRAME(.src = "203.0.113.1"), FRAME(.src = "203.0.113.2")};
	const int reasons[] = {SIPWARD_UNLISTED, SIPWARD_MALFORMED, SIPWARD_DENIED,
			       SIPWARD_LOCKED_OUT};

	judge_acl(*state, "203.0.113.1", SIPWARD_ACL_DENY);
	judge_lock_out(*state, "203.0.113.2", UINT64_MAX);
	judge_settings(*state, (struct sipward_settings){.mode = SIPWARD_MONITOR});
	for (int i = 0; i < 4; i++) {
		struct judgement got = judge_frame(*state, &frames[i]);

		assert_int_equal(got.reason, reasons[i]);
		assert_int_equal(got.verdict, XDP_PASSED);
		assert_int_equal(got.counted.monitored, 1);
	}
	judge_acl(*state, "198.51.100.7", SIPWARD_ACL_ALLOW);
	expect(*state, SIPWARD_LISTED, );
}

static void fresh_maps_monitor(void **state)
{
	struct frame f = FRAME(.port = 5060);
	struct judgement got;

	judge_settings(*state, (struct sipward_settings){});
	got = judge_frame(*state, &f);
	assert_int_equal(got.verdict, XDP_PASSED);
	assert_int_equal(got.reason, SIPWARD_UNLISTED);
	assert_int_equal(got.counted.monitored, 1);
}

static struct sipward_drop drop_of(struct judge *j, const char *source)
{
	struct sipward_source key = source_of(source);
	struct sipward_drop drop = {};

	bpf_map_lookup_elem(j->filter->drops, &key, &drop);
	return drop;
}

static void few_drops_are_put_down_exactly(void **state)
{
	struct judge *j = *state;

	j->now_ns = NOW;
	for (int i = 0; i < 30; i++)
		expect(j, SIPWARD_UNLISTED, );
	expect(j, SIPWARD_MALFORMED, .udp_length = 7);
	expect(j, SIPWARD_UNLISTED, .src = "198.51.100.8");
	expect(j, SIPWARD_OTHER, .src = "198.51.100.9", .port = 53);
	assert_int_equal(drop_of(j, "198.51.100.7").packets, 31);
	assert_int_equal(drop_of(j, "198.51.100.7").last_reason, SIPWARD_MALFORMED);
	assert_int_equal(drop_of(j, "198.51.100.7").last_seen_ns, NOW);
	assert_int_equal(drop_of(j, "198.51.100.8").packets, 1);
	assert_int_equal(drop_of(j, "198.51.100.9").packets, 0);
}

static void many_drops_are_put_down_nearly(void **state)
{
	struct judge *j = *state;
	struct frame f = FRAME(.port = 5060);
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f.bytes, .data_size_in = f.n,
		    .repeat = 1000000);

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(j->skel->progs.sipward), &opts), 0);
	assert_in_range(drop_of(j, "198.51.100.7").packets, 950000, 1000000);
	usleep(200000); /* what the flood left over is nobody else's */
	expect(j, SIPWARD_UNLISTED, .src = "198.51.100.8");
	assert_int_equal(drop_of(j, "198.51.100.8").packets, 1);
}

static struct sipward_event last_event;
static unsigned events;

static void note_event(const struct sipward_event *event, void *arg)
{
	(void)arg;
	last_event = *event;
	events++;
}

static void some_drops_are_sent_as_events(void **state)
{
	struct judge *j = *state;
	struct frame f = FRAME(.port = 5060);

	j->now_ns = NOW;
	expect_at(j, &f, SIPWARD_UNLISTED, __LINE__);
	assert_int_equal(filter_events_poll(j->filter, 0, note_event, NULL), 1);
	assert_int_equal(last_event.reason, SIPWARD_UNLISTED);
	assert_int_equal(last_event.time_ns, NOW);
	assert_int_equal(last_event.packet_bytes, f.n);
	assert_int_equal(last_event.snap_bytes, SIPWARD_EVENT_SNAP);
	assert_memory_equal(last_event.snap, f.bytes, SIPWARD_EVENT_SNAP);
	assert_memory_equal(last_event.source.addr, "\xc6\x33\x64\x07\0\0\0\0", 8);
}

static void events_that_nobody_reads_are_counted_as_lost(void **state)
{
	struct judge *j = *state;
	struct frame f = FRAME(.port = 5060);
	struct sipward_counter counters[SIPWARD_REASON_COUNT] = {};
	struct sipward_cpu_state *cpu = calloc(libbpf_num_possible_cpus(), sizeof(*cpu));
	int fd = bpf_map__fd(j->skel->maps.cpu_state);
	uint32_t only = 0;

	/* There are two a window; a cleared state begins a new one. */
	for (int i = 0; i < 5000; i++) {
		assert_int_equal(bpf_map_update_elem(fd, &only, cpu, BPF_ANY), 0);
		judge_run(j, f.bytes, f.n);
	}
	free(cpu);
	assert_int_equal(filter_counters_read(j->filter, counters), 0);
	assert_true(counters[SIPWARD_EVENT_LOST].packets > 0);
	assert_true(counters[SIPWARD_UNLISTED].packets == 5000);
}

/* As a driver with several buffers a frame hands them over. */
static void jumbo_frames_are_judged_whole(void **state)
{
	uint32_t length = 8000;
	struct clocked_bpf *skel = clocked_bpf__open();
	struct judge j = {.skel = skel};
	struct frame f = FRAME(.udp_length = length - 34, .ip_length = length);
	struct error err = {};
	struct judgement got;
	uint8_t *bytes = calloc(1, length);

	bpf_program__set_flags(skel->progs.sipward, BPF_F_XDP_HAS_FRAGS);
	bpf_program__set_autoload(skel->progs.sipward_at, false);
	assert_int_equal(clocked_bpf__load(skel), 0);
	assert_int_equal(filter_of_object(skel->obj, &j.filter, &err), 0);
	judge_enforce(&j);
	put_u16(f.bytes + f.ip_at + 2, length - 14);
	memcpy(bytes, f.bytes, f.n);
	got = judge_bytes(&j, bytes, length);
	assert_int_equal(got.reason, SIPWARD_UNLISTED);
	assert_int_equal(got.counted.bytes, length);
	put_u16(bytes + f.ip_at + 2, length - 13);
	assert_int_equal(judge_bytes(&j, bytes, length).reason, SIPWARD_MALFORMED);
	/* Three extension headers of 2 KB end in the second buffer. */
	f = FRAME(.family = 6, .exts = 1, .ext = {EXT_DEST}, .ext_bytes = 8);
	memcpy(bytes, f.bytes, f.n);
	for (unsigned i = 0, at = 14 + 40; i < 3; i++, at += 2048)
		memcpy(bytes + at, (const uint8_t[]){i < 2 ? EXT_DEST : IPPROTO_UDP, 255}, 2);
	put_u16(bytes + 14 + 4, length - 54);
	assert_int_equal(judge_bytes(&j, bytes, length).reason, SIPWARD_MALFORMED);
	free(bytes);
	filter_close(j.filter);
	clocked_bpf__destroy(skel);
	(void)state;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, judge_open, judge_close)
	const struct CMUnitTest tests[] = {
		TEST(reasons_come_in_order),
		TEST(sources_are_addresses_or_slash_64s),
		TEST(an_ipv6_source_is_as_long_as_the_settings_say),
		TEST(what_was_written_for_sources_of_another_length_does_not_count),
		TEST(deadlines_end),
		TEST(deadlines_are_in_the_coarse_monotonic_clock),
		TEST(locked_out_sources_may_be_left_to_the_daemon),
		TEST(policy_reject_leaves_the_unlisted_to_the_daemon),
		TEST(policy_limit_wants_sip_over_udp),
		TEST(policy_limit_reads_no_further_than_udp_says),
		TEST(a_source_gets_its_burst_and_then_its_rate),
		TEST(all_unlisted_sources_share_the_budget_of_the_cpu),
		TEST(buckets_recover_when_rates_are_lowered),
		TEST(without_rates_nothing_is_limited),
		TEST(monitor_counts_and_drops_nothing),
		TEST(fresh_maps_monitor),
		TEST(few_drops_are_put_down_exactly),
		TEST(many_drops_are_put_down_nearly),
		TEST(some_drops_are_sent_as_events),
		TEST(events_that_nobody_reads_are_counted_as_lost),
		cmocka_unit_test(jumbo_frames_are_judged_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
