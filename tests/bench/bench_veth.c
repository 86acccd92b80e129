/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A flood of SIP from random addresses through a veth, on one core that also makes it: received by
 * a program that only drops, by the filter, and by an nftables set. They take turns in a network
 * namespace that ends with the process. The machine may be shared: what is told are medians, of
 * rates and of the ratios within a turn.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "filter/internal.h"
#include "packet.h"
#include "row.h"
#include "tests/bench/veth.skel.h"

#define ROUNDS 21
#define PACKETS 1000000
#define LISTED 1000

static struct veth_bpf *skel;
static int out, in; /* interfaces */

static void must(int rc, const char *what)
{
	if (!rc)
		return;
	fprintf(stderr, "bench_veth: %s: %s\n", what, strerror(rc < 0 ? -rc : rc));
	exit(1);
}

static void run(const char *command)
{
	must(system(command) ? EIO : 0, command);
}

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static double received(void)
{
	FILE *file = fopen("/sys/class/net/bench-in/statistics/rx_packets", "r");
	double n = 0;

	if (!file || fscanf(file, "%lf", &n) != 1)
		must(EIO, "statistics");
	fclose(file);
	return n;
}

/* Mpps, of packets that the receiver saw. */
static double flood(void)
{
	struct bench_packet packet = bench_packet_v4(5060);
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet.bytes, .data_size_in = packet.n,
		    .repeat = PACKETS, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);
	double before = received(), start = now_s(), end;

	must(bpf_prog_test_run_opts(bpf_program__fd(skel->progs.source), &opts), "BPF_PROG_RUN");
	end = now_s();
	return (received() - before) / (end - start) / 1e6;
}

static double flood_xdp(const struct bpf_program *program)
{
	double mpps;

	must(bpf_xdp_attach(in, bpf_program__fd(program), XDP_FLAGS_DRV_MODE, NULL), "attach");
	mpps = flood();
	must(bpf_xdp_detach(in, XDP_FLAGS_DRV_MODE, NULL), "detach");
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
	cpu_set_t cpu;
	__u32 only = 0;

	CPU_ZERO(&cpu);
	CPU_SET(sched_getcpu(), &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	must(unshare(CLONE_NEWNET | CLONE_NEWNS) ? errno : 0, "unshare");
	run("mount --make-rprivate / && mount -t sysfs sysfs /sys");
	run("ip link add bench-out type veth peer name bench-in");
	run("ip link set bench-out up && ip link set bench-in up");
	run("ethtool -K bench-in gro on"); /* or nothing takes frames without an XDP program */
	out = if_nametoindex("bench-out");
	in = if_nametoindex("bench-in");
	skel = veth_bpf__open_and_load();
	must(skel ? 0 : errno, "load");
	must(bpf_map_update_elem(bpf_map__fd(skel->maps.target), &only, &out, BPF_ANY), "target");
	must(filter_of_object(skel->obj, &filter, &err), err.text);
	list_sources(filter);
	filter_close(filter);
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double values[ROUNDS])
{
	qsort(values, ROUNDS, sizeof(values[0]), compare);
	return values[ROUNDS / 2];
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
	bench_figure("flood through veth: bare XDP_DROP", median(drop), "Mpps");
	bench_figure("flood through veth: sipward", median(sipward), "Mpps");
	bench_figure("flood through veth: nftables set, netdev ingress", median(nftables), "Mpps");
	bench_row("sipward to bare XDP_DROP", median(to_drop), "%", ">=", 90);
	bench_row("sipward to nftables set", median(to_nftables), "times", ">=", 3.5);
	veth_bpf__destroy(skel);
	return 0;
}
