/* SPDX-License-Identifier: BSD-2-Clause */
/* The pair bench-out, bench-in in a network namespace that ends with the process, on one core that
 * also makes what goes through it, so that what the receiver takes shows in the clock. */
#ifndef SIPWARD_BENCH_VETH_H
#define SIPWARD_BENCH_VETH_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/veth.skel.h"

static struct veth_bpf *skel;
static int out, in; /* interfaces */

static inline void must(int rc, const char *what)
{
	if (!rc)
		return;
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, what,
		strerror(rc < 0 ? -rc : rc));
	exit(1);
}

static inline void run(const char *command)
{
	must(system(command) ? EIO : 0, command);
}

static inline void veth_open(void)
{
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
}

static inline void veth_attach(int ifindex, const struct bpf_program *program)
{
	must(bpf_xdp_attach(ifindex, bpf_program__fd(program), XDP_FLAGS_DRV_MODE, NULL), "attach");
}

static inline void veth_detach(int ifindex)
{
	must(bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE, NULL), "detach");
}

/* Packets that the end has met. */
static inline double veth_received(const char *ifname)
{
	char path[128];
	double n = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/sys/class/net/%s/statistics/rx_packets", ifname);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%lf", &n) != 1)
		must(EIO, path);
	fclose(file);
	return n;
}

/* Sends the frame so often through the program, which redirects it. Returns how long that took. */
static inline double veth_send(const struct bpf_program *source, const void *frame, unsigned n,
			       unsigned packets)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = n,
		    .repeat = packets, .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);
	struct timespec start, end;

	clock_gettime(CLOCK_MONOTONIC, &start);
	must(bpf_prog_test_run_opts(bpf_program__fd(source), &opts), "BPF_PROG_RUN");
	clock_gettime(CLOCK_MONOTONIC, &end);
	return (end.tv_sec - start.tv_sec) + (end.tv_nsec - start.tv_nsec) / 1e9;
}

static inline int compare_doubles(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static inline double median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare_doubles);
	return values[n / 2];
}

#endif
