/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a challenge by the filter costs, by BPF_PROG_RUN. The packet is the answer afterwards, so
 * that each run is one of its own, and holds the cost of two looks at the clock; that of a packet
 * to another port, which does too, is taken off.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "filter/internal.h"
#include "filter/object.h"
#include "invite.h"
#include "row.h"
#include "../bpf/packets.h"

#define RUNS 50000
static void must(int rc, const char *what)
{
	if (!rc)
		return;
	fprintf(stderr, "bench_challenge: %s: %s\n", what, strerror(rc < 0 ? -rc : rc));
	exit(1);
}

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* The median. */
static int run_ns(int program, const struct frame *f, uint32_t verdict)
{
	static uint8_t out[4096];
	static int took[RUNS];

	for (int i = 0; i < RUNS; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = f->bytes, .data_size_in = f->n,
			    .data_out = out, .data_size_out = sizeof(out), .repeat = 1);

		must(bpf_prog_test_run_opts(program, &opts), "BPF_PROG_RUN");
		must(opts.retval != verdict, "another verdict");
		took[i] = (int)opts.duration;
	}
	qsort(took, RUNS, sizeof(took[0]), compare);
	return took[RUNS / 2];
}

/* With one text in the place of another of the same length. */
static struct frame with(const char *text, const char *before, const char *after)
{
	static char changed[INVITE_BYTES + 1];

	memcpy(changed, text, sizeof(changed));
	memcpy(strstr(changed, before), after, strlen(before));
	return FRAME(.payload = changed);
}

static void figure(int program, const char *name, struct frame f, int other_ns)
{
	bench_figure(name, run_ns(program, &f, 2) - other_ns, "ns");
}

int main(void)
{
	static char text[INVITE_BYTES + 1];
	struct sipward_bpf *object;
	struct filter *filter;
	struct error err = {0};
	struct frame request, other;
	int program, other_ns;

	must(object_open(false, &object, &err), err.text);
	must(object_load(object, &err), err.text);
	must(filter_of_object(object_bpf(object), &filter, &err), err.text);
	must(bench_challenging(filter, "lo"), "maps");
	bench_invite_write(text);
	request = FRAME(.payload = text);
	other = FRAME(.payload = text, .port = 4000);
	program = object_program_fd(object);
	other_ns = run_ns(program, &other, 2);
	bench_row("challenge to an INVITE of 850 bytes", run_ns(program, &request, 3) - other_ns,
		  "ns", "<=", 1500);
	figure(program, "left to the daemon: with credentials",
	       with(text, "Supported: replaces", "Authorization: xxxx"), other_ns);
	figure(program, "left to the daemon: with a To tag",
	       with(text, "gate.example>\r\nFrom", "g>;tag=123456\r\nFrom"), other_ns);
	figure(program, "left to the daemon: a BYE", with(text, "INVITE sip:+", "BYE sip:+123"),
	       other_ns);
	figure(program, "left to the daemon: a response",
	       with(text, "INVITE sip:+4930123456", "SIP/2.0 180 Ringing\r\nX"), other_ns);
	filter_close(filter);
	object_close(object);
	return 0;
}
