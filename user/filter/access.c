/* SPDX-License-Identifier: BSD-2-Clause */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "filter/filter.h"
#include "filter/internal.h"
#include "filter/libbpf_log.h"
#include "filter/source_index.h"
#include "filter/walk.h"

int filter_settings_read(struct filter *filter, struct sipward_settings *ret_settings)
{
	const __u32 zero = 0;

	return bpf_map_lookup_elem(filter->settings, &zero, ret_settings);
}

/* ---- counters ---- */

int filter_counters_read(struct filter *filter,
			 struct sipward_counter ret_counters[SIPWARD_REASON_COUNT])
{
	struct sipward_counter sums[SIPWARD_REASON_COUNT] = {0};
	int cpus = libbpf_num_possible_cpus();
	struct sipward_counter *per_cpu;
	int rc = 0;

	if (cpus < 0)
		return cpus;
	per_cpu = calloc((size_t)cpus, sizeof(*per_cpu));
	if (!per_cpu)
		return -ENOMEM;
	for (__u32 reason = 0; !rc && reason < SIPWARD_REASON_COUNT; reason++) {
		rc = bpf_map_lookup_elem(filter->counters, &reason, per_cpu);
		for (int i = 0; !rc && i < cpus; i++) {
			sums[reason].packets += per_cpu[i].packets;
			sums[reason].bytes += per_cpu[i].bytes;
			sums[reason].monitored += per_cpu[i].monitored;
		}
	}
	free(per_cpu);
	if (!rc)
		memcpy(ret_counters, sums, sizeof(sums));
	return rc;
}

/* ---- drops ---- */

static int by_packets(const void *a, const void *b)
{
	const struct filter_drop *left = a, *right = b;

	return (left->drop.packets < right->drop.packets) -
	       (left->drop.packets > right->drop.packets);
}

int filter_drops_read(struct filter *filter, struct filter_drop **ret_drops, size_t *ret_n)
{
	struct filter_drop *drops = NULL;
	void *keys, *values;
	size_t n;
	int rc = walk_hash(filter->drops, &keys, &values, &n);

	if (rc)
		return rc;
	drops = calloc(n + 1, sizeof(*drops));
	if (!drops) {
		rc = -ENOMEM;
		goto out;
	}
	for (size_t i = 0; i < n; i++)
		drops[i] = (struct filter_drop){((struct sipward_source *)keys)[i],
						((struct sipward_drop *)values)[i]};
	qsort(drops, n, sizeof(*drops), by_packets);
	*ret_drops = drops;
	*ret_n = n;
out:
	free(keys);
	free(values);
	return rc;
}

/* ---- lockouts ---- */

static int by_deadline(const void *a, const void *b)
{
	const struct filter_lockout *left = a, *right = b;

	return (left->lockout.until_ns < right->lockout.until_ns) -
	       (left->lockout.until_ns > right->lockout.until_ns);
}

/* Entries whose deadline is in the future, whatever the settings are now. */
static int read_lockouts(struct filter *filter, struct filter_lockout **ret_lockouts, size_t *ret_n)
{
	const uint64_t now_ns = clock_coarse_ns();
	struct filter_lockout *lockouts = NULL;
	void *keys, *values;
	size_t n, active = 0;
	int rc = walk_hash(filter->lockouts, &keys, &values, &n);

	if (rc)
		return rc;
	lockouts = calloc(n + 1, sizeof(*lockouts));
	if (!lockouts) {
		rc = -ENOMEM;
		goto out;
	}
	for (size_t i = 0; i < n; i++) {
		const struct sipward_lockout *lockout = &((struct sipward_lockout *)values)[i];

		if (lockout->until_ns > now_ns)
			lockouts[active++] = (struct filter_lockout){
				((struct sipward_source *)keys)[i], *lockout};
	}
	qsort(lockouts, active, sizeof(*lockouts), by_deadline);
	*ret_lockouts = lockouts;
	*ret_n = active;
out:
	free(keys);
	free(values);
	return rc;
}

/* Whether the filter looks for sources of this length. */
static bool is_in_use(const struct sipward_source *source, unsigned v6_bits)
{
	const struct ip any = {.family = 6};

	return source->family == 4 || source->v6_bits == filter_source(&any, v6_bits).v6_bits;
}

int filter_lockouts_read(struct filter *filter, struct filter_lockout **ret_lockouts, size_t *ret_n)
{
	struct sipward_settings settings;
	struct filter_lockout *lockouts;
	size_t n, kept = 0;
	int rc = filter_settings_read(filter, &settings);

	if (!rc)
		rc = read_lockouts(filter, &lockouts, &n);
	if (rc)
		return rc;
	for (size_t i = 0; i < n; i++) {
		if (is_in_use(&lockouts[i].source, settings.source_v6_bits))
			lockouts[kept++] = lockouts[i];
	}
	*ret_lockouts = lockouts;
	*ret_n = kept;
	return 0;
}

int filter_lockout_set(struct filter *filter, const struct sipward_source *source,
		       const struct sipward_lockout *lockout)
{
	return source_index_write(filter, filter->lockouts, source, lockout);
}

int filter_lockout_get(struct filter *filter, const struct sipward_source *source,
		       struct sipward_lockout *ret_lockout)
{
	struct sipward_lockout lockout;
	int rc = bpf_map_lookup_elem(filter->lockouts, source, &lockout);

	if (rc)
		return rc;
	if (lockout.until_ns <= clock_coarse_ns())
		return -ENOENT;
	*ret_lockout = lockout;
	return 0;
}

int filter_lockout_clear(struct filter *filter, const struct sipward_source *source)
{
	return bpf_map_delete_elem(filter->lockouts, source);
}

int filter_lockout_clear_all(struct filter *filter, size_t *ret_n)
{
	struct filter_lockout *lockouts;
	size_t n, cleared = 0;
	int rc = read_lockouts(filter, &lockouts, &n);

	if (rc)
		return rc;
	for (size_t i = 0; i < n; i++) {
		int one = bpf_map_delete_elem(filter->lockouts, &lockouts[i].source);

		if (!one)
			cleared++;
		else if (one != -ENOENT)
			rc = one;
	}
	free(lockouts);
	if (ret_n)
		*ret_n = cleared;
	return rc;
}

/* ---- proven sources ---- */

int filter_proven_set(struct filter *filter, const struct sipward_source *source, uint64_t until_ns)
{
	const struct sipward_proof proof = {.until_ns = until_ns};

	return source_index_write(filter, filter->proven, source, &proof);
}

int filter_proven_get(struct filter *filter, const struct sipward_source *source,
		      uint64_t *ret_until_ns)
{
	struct sipward_proof proof;
	int rc = bpf_map_lookup_elem(filter->proven, source, &proof);

	if (rc)
		return rc;
	if (proof.until_ns <= clock_coarse_ns())
		return -ENOENT;
	*ret_until_ns = proof.until_ns;
	return 0;
}

/* ---- ACLs ---- */

int filter_acl_lookup(struct filter *filter, const struct ip *ip,
		      struct sipward_acl_value *ret_value)
{
	struct sipward_acl_v4_key v4 = {.prefix_len = 32};
	struct sipward_acl_v6_key v6 = {.prefix_len = 128};

	if (ip->family == 4) {
		memcpy(v4.addr, ip->bytes, sizeof(v4.addr));
		return bpf_map_lookup_elem(filter->acl_v4, &v4, ret_value);
	}
	memcpy(v6.addr, ip->bytes, sizeof(v6.addr));
	return bpf_map_lookup_elem(filter->acl_v6, &v6, ret_value);
}
