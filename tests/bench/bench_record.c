/* SPDX-License-Identifier: BSD-2-Clause */
/* Call records: memory of calls in progress, the worker's time for a call, the writer's pace. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "record/writer.h"
#include "row.h"

#define CALLS 50000

static char dir[] = "/tmp/sipward-bench-record-XXXXXX";

static double cpu_s(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void begin(struct records *records, uint64_t id)
{
	struct record_start start = {
		.source = {{.family = 4, .bytes = {192, 0, 2, 1}}, 5060},
		.transport = CALL_UDP,
		.auth = STORE_AUTH_CREDENTIAL,
		.trunk = SLICE("main"),
		.user = SLICE("alice"),
		.from = SLICE("\"Alice\" <sip:+4930123456@gate.example;user=phone>;tag=88sja8x"),
		.to = SLICE("<sip:+4989654321@gate.example>"),
		.call_id = SLICE("1-12345-3848276298220188511@192.0.2.1"),
		.upstream = SLICE("sip:198.51.100.1:5060"),
		.at_ms = clock_wall_ms(),
	};

	record_begin(records, id, &start);
}

static void bench_calls(struct records *records)
{
	static const struct record_end end = {.by = CALL_CALLER};
	size_t before = mallinfo2().uordblks;
	double began = cpu_s(CLOCK_THREAD_CPUTIME_ID);

	for (uint64_t id = 1; id <= CALLS; id++)
		begin(records, id);
	for (uint64_t id = 1; id <= CALLS; id++)
		record_answered(records, id, id << 32, 200, clock_wall_ms());
	bench_row("a call in progress, its record", (double)(mallinfo2().uordblks - before) / CALLS,
		  "bytes", "<=", 512);
	for (uint64_t id = 1; id <= CALLS; id++)
		record_ended(records, id << 32, &end, clock_wall_ms());
	bench_row("a call's record, the worker's part of it",
		  (cpu_s(CLOCK_THREAD_CPUTIME_ID) - began) / CALLS * 1e6, "us", "<=", 8);
}

int main(void)
{
	struct record_writer_options options = {dir, "", RECORD_QUEUE, 30};
	struct record_writer_stats stats;
	struct record_writer *writer;
	struct records records;
	char log[64], command[64];
	double began;

	if (!mkdtemp(dir))
		return 1;
	snprintf(log, sizeof(log), "%s/calls.jsonl", dir);
	options.log_path = log;
	if (record_writer_start(&options, &writer, NULL) ||
	    records_init(&records, CALLS, writer, clock_wall_ms()))
		return 1;
	began = cpu_s(CLOCK_PROCESS_CPUTIME_ID);
	bench_calls(&records);
	record_writer_stats(writer, &stats);
	record_writer_stop(writer);
	bench_row("a call's record, written to store and log as well",
		  (cpu_s(CLOCK_PROCESS_CPUTIME_ID) - began) / CALLS * 1e6, "us", "<=", 60);
	bench_figure("records of these dropped", (double)stats.dropped, "");
	records_free(&records);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command);
}
