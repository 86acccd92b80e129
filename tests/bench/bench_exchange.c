/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What INVITE → 407 → ACK costs where the filter answers, all of it: each packet comes through
 * a veth, and the 407 leaves through it to a program that drops it. One core makes the packets and
 * does this, one after the other, so that a packet's cost is what it takes longer than one that is
 * dropped where it comes in. The machine may be shared: what is told are medians of turns.
 */
#include <stdint.h>

#include "invite.h"
#include "row.h"
#include "veth.h"
#include "../bpf/packets.h"

#define ROUNDS 21
#define PACKETS 100000

/* The packet's ns, and how many of the answers to it came back. */
static double packet_ns(const struct bpf_program *receiver, const struct frame *f, double *ret_back)
{
	double before = veth_received("bench-out"), met = veth_received("bench-in"), seconds;
	struct {
		__u32 n;
		__u8 bytes[1024];
	} whole = {.n = f->n, .bytes = {0}};
	__u32 only = 0;

	must(f->n > sizeof(whole.bytes) ? E2BIG : 0, "frame");
	memcpy(whole.bytes, f->bytes, f->n);
	must(bpf_map_update_elem(bpf_map__fd(skel->maps.whole_frames), &only, &whole, BPF_ANY),
	     "whole_frames");
	veth_attach(in, receiver);
	seconds = veth_send(skel->progs.source_anew, f->bytes, f->n + 1, PACKETS);
	veth_detach(in);
	*ret_back = veth_received("bench-out") - before;
	must(veth_received("bench-in") - met == PACKETS ? 0 : EIO, "packets were lost");
	return seconds / PACKETS * 1e9;
}

/* What the filter takes longer than a drop. */
static double cost_ns(const struct frame *f, double answers)
{
	double back, drop = packet_ns(skel->progs.bare_drop, f, &back);
	double filter = packet_ns(skel->progs.sipward, f, &back);

	must(back == answers ? 0 : EIO, "another number of answers");
	return filter - drop;
}

/* What the client of the INVITE would send for its answer. */
static struct frame ack_for(const struct frame *invite)
{
	static char answer[2048], text[1024];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = invite->bytes, .data_size_in = invite->n,
		    .data_out = answer, .data_size_out = sizeof(answer) - 1);
	const char *tag;

	must(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.sipward), &opts), "BPF_PROG_RUN");
	tag = memmem(answer, opts.data_size_out, "\r\nTo: ", 6);
	tag = tag ? strstr(tag, ";tag=") : NULL;
	must(tag ? 0 : EIO, "no answer");
	snprintf(text, sizeof(text),
		 "ACK sip:+4930123456@gate.example SIP/2.0\r\n"
		 "Via: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bK-524287-1---2ad6ed1bc63b1b11"
		 ";rport\r\n"
		 "Max-Forwards: 70\r\n"
		 "To: <sip:+4930123456@gate.example>%.21s\r\n"
		 "From: \"Alice\" <sip:alice@gate.example>;tag=9c26cf4d\r\n"
		 "Call-ID: 93342NjQ5ZTZiZmNjNTUzNTlhNzFkMmNjYmMyMzU1N2JiYjA\r\n"
		 "CSeq: 1 ACK\r\nContent-Length: 0\r\n\r\n",
		 tag);
	return FRAME(.payload = text);
}

static void check_counters(struct filter *filter)
{
	struct sipward_counter counters[SIPWARD_REASON_COUNT];

	must(filter_counters_read(filter, counters), "counters");
	must(counters[SIPWARD_CHALLENGE_ACK].packets == (__u64)ROUNDS * PACKETS ? 0 : EIO,
	     "another number of ACKs");
}

int main(void)
{
	static char text[INVITE_BYTES + 1];
	double invite_ns[ROUNDS], ack_ns[ROUNDS], exchange_ns[ROUNDS];
	struct frame invite, ack;
	struct filter *filter;
	struct error err = {0};

	veth_open();
	run("sysctl -qw net.ipv6.conf.all.disable_ipv6=1"); /* or it sends packets itself */
	must(filter_of_object(skel->obj, &filter, &err), err.text);
	must(bench_challenging(filter, "lo"), "maps");
	bench_invite_write(text);
	invite = FRAME(.payload = text);
	ack = ack_for(&invite);
	must(bench_challenging(filter, "bench-in"), "maps");
	veth_attach(out, skel->progs.bare_drop);
	for (int i = 0; i < ROUNDS; i++) {
		invite_ns[i] = cost_ns(&invite, PACKETS);
		ack_ns[i] = cost_ns(&ack, 0);
		exchange_ns[i] = invite_ns[i] + ack_ns[i];
	}
	check_counters(filter);
	bench_figure("INVITE → 407 by the filter, through veth", median(invite_ns, ROUNDS), "ns");
	bench_figure("the ACK for it", median(ack_ns, ROUNDS), "ns");
	bench_figure("INVITE → 407 → ACK by the filter", median(exchange_ns, ROUNDS), "ns");
	filter_close(filter);
	veth_bpf__destroy(skel);
	return 0;
}
