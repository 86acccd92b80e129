/* SPDX-License-Identifier: BSD-2-Clause */
/* A million prefixes from the store into real maps, and one change among them. As root, on a veth
 * in a network namespace that ends with this process. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "store/store.h"

#define PREFIXES 1000000
#define CHANGES 51

static char dir[] = "/tmp/sipward-bench-store-XXXXXX";
static char pin_dir[64];
static struct store *store;
static struct filter *filter;
static struct error err;

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void print(const char *name, double value, const char *unit, double target)
{
	if (target > 0)
		printf("%s\t%.2f\t%s\t<= %.0f\t%s\n", name, value, unit, target,
		       value <= target ? "ok" : "MISSED");
	else
		printf("%s\t%.2f\t%s\t-\t-\n", name, value, unit);
	fflush(stdout);
}

static int open_filter(void)
{
	struct filter_attach_options options = {.pin_dir = pin_dir, .ifname = "bstore0"};
	struct filter_attachment attachment;
	int rc;

	snprintf(pin_dir, sizeof(pin_dir), "/sys/fs/bpf/sipward-bench-store-%d", (int)getpid());
	if (unshare(CLONE_NEWNET) || system("ip link add bstore0 type veth peer name bstore1"))
		return error_set(&err, -1, "a network namespace and a veth are needed");
	rc = filter_attach(&options, &attachment, &err);
	return rc ? rc : filter_open(pin_dir, NULL, &filter, &err);
}

static int open_store(void)
{
	struct store_trunk trunk;
	int rc;

	if (!mkdtemp(dir))
		return error_set(&err, -1, "%s can not be made", dir);
	store_trunk_defaults(&trunk);
	snprintf(trunk.name, sizeof(trunk.name), "t");
	snprintf(trunk.domain, sizeof(trunk.domain), "*");
	rc = store_open(dir, &store, &err);
	if (rc == 0)
		rc = store_trunk_create(store, &trunk, "sip:192.0.2.1", &err);
	if (rc == 0)
		rc = store_acl_create(store, "a", "", &err);
	return rc ? rc : store_trunk_attach_acl(store, "t", "a", &err);
}

/* Three in four are IPv4, /16 to /32; the others IPv6, /48 to /64. One in ten denies. */
static struct store_acl_entry *random_entries(void)
{
	struct store_acl_entry *entries = calloc(PREFIXES, sizeof(*entries));

	srandom(1);
	for (size_t i = 0; entries && i < PREFIXES; i++) {
		bool v6 = i % 4 == 0;
		struct prefix *prefix = &entries[i].prefix;

		prefix->ip.family = v6 ? 6 : 4;
		for (size_t j = 0; j < (v6 ? 16 : 4); j++)
			prefix->ip.bytes[j] = (uint8_t)random();
		prefix->len = (uint8_t)((v6 ? 48 : 16) + random() % 17);
		prefix->ip = ip_masked(&prefix->ip, prefix->len);
		entries[i].deny = i % 10 == 0;
	}
	return entries;
}

static int measure_all(const struct store_acl_entry *entries)
{
	struct filter_rules rules;
	double start = now_s();
	int rc = store_acl_add(store, "a", entries, PREFIXES, NULL, &err);

	print("store: import of 1,000,000 prefixes", now_s() - start, "s", 5);
	if (rc)
		return rc;
	start = now_s();
	rc = store_filter_rules(store, &rules, &err);
	if (rc)
		return rc;
	print("store: rules of 1,000,000 prefixes", now_s() - start, "s", 3);
	filter_rules_free(&rules);
	start = now_s();
	rc = store_sync(store, filter, true, NULL, &err);
	print("store: reconcile of 1,000,000 prefixes into empty maps", now_s() - start, "s", 10);
	if (rc)
		return rc;
	start = now_s();
	rc = store_sync(store, filter, true, NULL, &err);
	print("store: reconcile of 1,000,000 prefixes, nothing to do", now_s() - start, "s", 10);
	return rc;
}

static int compare_double(const void *a_, const void *b_)
{
	const double *a = a_, *b = b_;

	return (*a > *b) - (*a < *b);
}

/* From the command to the map: commit and sync, of an entry added or changed to the other meaning.
 */
static int measure_changes(const struct store_acl_entry *entries)
{
	double ms[CHANGES];

	for (size_t i = 0; i < CHANGES; i++) {
		struct store_acl_entry entry = entries[i];
		double start = now_s();
		int rc;

		entry.deny = !entry.deny;
		rc = store_acl_add(store, "a", &entry, 1, NULL, &err);
		if (rc == 0)
			rc = store_sync(store, filter, false, NULL, &err);
		if (rc)
			return rc;
		ms[i] = 1e3 * (now_s() - start);
	}
	qsort(ms, CHANGES, sizeof(ms[0]), compare_double);
	print("store: one ACL change to the map, 1,000,000 present, median", ms[CHANGES / 2], "ms",
	      10);
	print("store: the same, worst of 51", ms[CHANGES - 1], "ms", 0);
	return 0;
}

static void clean_up(void)
{
	char command[96];

	filter_close(filter);
	filter_detach(pin_dir, NULL, NULL);
	store_close(store);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	(void)!system(command);
}

int main(void)
{
	struct store_acl_entry *entries = random_entries();
	int rc = entries ? open_store() : error_set(&err, -1, "out of memory");

	if (rc == 0)
		rc = open_filter();
	if (rc == 0)
		rc = measure_all(entries);
	if (rc == 0)
		rc = measure_changes(entries);
	if (rc)
		printf("bench_store: %s\n", err.text);
	clean_up();
	free(entries);
	return rc != 0;
}
