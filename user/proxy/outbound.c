/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/outbound.h"

#include <errno.h>
#include <stdlib.h>

int outbounds_init(struct outbounds *outbounds)
{
	return table_init(&outbounds->table);
}

static void drop(struct table_node *node, void *arg)
{
	struct outbounds *outbounds = arg;
	struct outbound *outbound = table_entry(node, struct outbound, node);

	table_remove(&outbounds->table, node);
	digest_client_forget(&outbound->state);
	free(outbound);
}

void outbounds_forget(struct outbounds *outbounds)
{
	table_each(&outbounds->table, drop, outbounds);
}

void outbounds_free(struct outbounds *outbounds)
{
	if (outbounds->table.buckets)
		outbounds_forget(outbounds);
	table_free(&outbounds->table);
}

const struct policy_outbound *outbound_credential(const struct policy_hop *hop, struct slice user)
{
	if (!user.n)
		return hop->outbound_count ? &hop->outbound[0] : NULL;
	for (size_t i = 0; i < hop->outbound_count; i++)
		if (slice_eq(slice_from(hop->outbound[i].user), user))
			return &hop->outbound[i];
	return NULL;
}

static uint64_t hash_of(const struct outbounds *outbounds, int64_t credential_id,
			const struct net_path *target)
{
	const struct table *table = &outbounds->table;
	uint64_t hash = table_hash(table, (uint64_t)credential_id, &target->remote.ip,
				   sizeof(target->remote.ip));

	return table_hash(table, hash, &target->remote.port, sizeof(target->remote.port));
}

struct outbound *outbound_find(const struct outbounds *outbounds, int64_t credential_id,
			       const struct net_path *target)
{
	struct table_node *n =
		table_first(&outbounds->table, hash_of(outbounds, credential_id, target));

	for (; n; n = table_next(n)) {
		struct outbound *outbound = table_entry(n, struct outbound, node);

		if (outbound->credential_id == credential_id &&
		    outbound->transport == target->transport &&
		    endpoint_eq(&outbound->endpoint, &target->remote))
			return outbound;
	}
	return NULL;
}

struct outbound *outbound_need(struct outbounds *outbounds, int64_t credential_id,
			       const struct net_path *target)
{
	struct outbound *outbound = outbound_find(outbounds, credential_id, target);

	if (outbound || outbounds->table.count >= OUTBOUNDS_MAX)
		return outbound;
	outbound = calloc(1, sizeof(*outbound));
	if (!outbound)
		return NULL;
	outbound->credential_id = credential_id;
	outbound->transport = target->transport;
	outbound->endpoint = target->remote;
	table_insert(&outbounds->table, &outbound->node,
		     hash_of(outbounds, credential_id, target));
	return outbound;
}
