/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/* What tests/tools/xdpflood tells its program. */
#ifndef SIPWARD_BENCH_FLOOD_H
#define SIPWARD_BENCH_FLOOD_H

#define FLOOD_FRAME_MAX 1514
#define FLOOD_SIGNS 2

struct flood {
	__u64 pps, idle_ns;
	__u64 begin_ns; /* by CLOCK_MONOTONIC, once idle_ns have passed; the program's, as is: */
	__u64 sent;
	__u32 ifindex;
	__be32 prefix_be, mask_be;  /* of the sources */
	__u32 sign_at[FLOOD_SIGNS]; /* where eight random letters go */
	__u32 frame_n;
	__u8 frame[FLOOD_FRAME_MAX + 1];
};

#endif
