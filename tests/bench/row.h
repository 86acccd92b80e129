/* SPDX-License-Identifier: BSD-2-Clause */
/* A line of the benches' table: name, value, unit, target, ok or MISSED. */
#ifndef SIPWARD_BENCH_ROW_H
#define SIPWARD_BENCH_ROW_H

#include <stdbool.h>
#include <stdio.h>

static inline void bench_row(const char *name, double value, const char *unit, const char *relation,
			     double target)
{
	bool ok = relation[0] == '<' ? value <= target : value >= target;

	printf("%s\t%.2f\t%s\t%s %g\t%s\n", name, value, unit, relation, target,
	       ok ? "ok" : "MISSED");
	fflush(stdout);
}

static inline void bench_figure(const char *name, double value, const char *unit)
{
	printf("%s\t%.2f\t%s\t-\t-\n", name, value, unit);
	fflush(stdout);
}

#endif
