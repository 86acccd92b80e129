/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A flood of SIP from random addresses through a veth, on one core that also makes it: received by
 * a program that only drops, by the filter, and by an nftables set. They take turns in a network
 * namespace that ends with the process. The machine may be shared: what is told are medians, of
 * rates and of the ratios within a turn.
 */
#include "filter/internal.h"
#include "packet.h"
#include "row.h"
#include "veth.h"

#define ROUNDS 21
#define PACKETS 1000000
#define LISTED 1000

/* Mpps, of packets that the receiver saw. */
static double flood(void)
{
	struct bench_packet packet = bench_packet_v4(5060);
	double before = veth_received("bench-in");
	double seconds = veth_send(skel->progs.source, packet.bytes, packet.n, PACKETS);

	return (veth_received("bench-in") - before) / seconds / 1e6;
}

static double flood_xdp(const struct bpf_program *program)
{
	double mpps;

	veth_attach(in, program);
	mpps = flood();
	veth_detach(in);
	return mpps;
}

static double flood_nftables(void)
{
	double mpps;

	run("nft -f - <<'RULES'\n"
	    "table netdev bench {\n"
	    "  set listed { type ipv4_addr; flags interval; }\n"
	    "  chain ingress {\n"
	    "    type filter hook ingress device bench-in priority 0; policy accept;\n"
	    "    udp dport 5060 ip saddr != @listed counter drop\n"
	    "  }\n"
	    "}\n"
	    "RULES");
	run("for i in $(seq 0 999); do echo add element netdev bench listed "
	    "{ 198.18.$((i / 250)).$((i % 250)) }; done | nft -f -");
	mpps = flood();
	run("nft delete table netdev bench");
	return mpps;
}

static void list_sources(struct filter *filter)
{
	static struct filter_rule rules[LISTED];
	struct filter_rules all = {.settings = {.mode = SIPWARD_ENFORCE},
				   .generation = 1,
				   .rules = rules,
				   .count = LISTED};
	struct error err = {};

	for (int i = 0; i < LISTED; i++)
		rules[i] = (struct filter_rule){
			.prefix = {.ip = {.family = 4, .bytes = {198, 18, i / 250, i % 250}},
				   .len = 32},
			.value = {.flags = SIPWARD_ACL_ALLOW}};
	must(filter_reconcile(filter, &all, NULL, &err), err.text);
}

static void set_up(void)
{
	struct filter *filter;
	struct error err = {};

	veth_open();
	must(filter_of_object(skel->obj, &filter, &err), err.text);
	list_sources(filter);
	filter_close(filter);
}

int main(void)
{
	double drop[ROUNDS], sipward[ROUNDS], nftables[ROUNDS], to_drop[ROUNDS],
		to_nftables[ROUNDS];

	set_up();
	for (int i = 0; i < ROUNDS; i++) {
		drop[i] = flood_xdp(skel->progs.bare_drop);
		sipward[i] = flood_xdp(skel->progs.sipward);
		nftables[i] = flood_nftables();
		to_drop[i] = 100 * sipward[i] / drop[i];
		to_nftables[i] = sipward[i] / nftables[i];
	}
	bench_figure("flood through veth: bare XDP_DROP", median(drop, ROUNDS), "Mpps");
	bench_figure("flood through veth: sipward", median(sipward, ROUNDS), "Mpps");
	bench_figure("flood through veth: nftables set, netdev ingress", median(nftables, ROUNDS),
		     "Mpps");
	bench_row("sipward to bare XDP_DROP", median(to_drop, ROUNDS), "%", ">=", 90);
	bench_row("sipward to nftables set", median(to_nftables, ROUNDS), "times", ">=", 3.5);
	veth_bpf__destroy(skel);
	return 0;
}
