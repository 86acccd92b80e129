/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/outbound.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int outbounds_init(struct outbounds *outbounds)
{
	*outbounds = (struct outbounds){.lock = PTHREAD_MUTEX_INITIALIZER};
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

void outbounds_free(struct outbounds *outbounds)
{
	if (outbounds->table.buckets)
		table_each(&outbounds->table, drop, outbounds);
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

const struct policy_outbound *outbound_by_id(const struct policy_hop *hop, int64_t id)
{
	for (size_t i = 0; i < hop->outbound_count; i++)
		if ((uint32_t)hop->outbound[i].id == (uint32_t)id)
			return &hop->outbound[i];
	return NULL;
}

static struct endpoint place_of(const struct net_path *target)
{
	struct endpoint place = target->remote;

	if (target->transport != NET_UDP)
		place.port = 0;
	return place;
}

static uint64_t hash_of(const struct outbounds *outbounds, int64_t credential_id,
			const struct endpoint *place)
{
	const struct table *table = &outbounds->table;
	uint64_t hash =
		table_hash(table, (uint64_t)credential_id, &place->ip, sizeof(place->ip));

	return table_hash(table, hash, &place->port, sizeof(place->port));
}

static struct outbound *find(const struct outbounds *outbounds, int64_t credential_id,
			     const struct net_path *target, bool registrar)
{
	const struct endpoint place = place_of(target);
	struct table_node *n =
		table_first(&outbounds->table, hash_of(outbounds, credential_id, &place));

	for (; n; n = table_next(n)) {
		struct outbound *outbound = table_entry(n, struct outbound, node);

		if (outbound->credential_id == credential_id && outbound->registrar == registrar &&
		    outbound->transport == target->transport &&
		    endpoint_eq(&outbound->endpoint, &place))
			return outbound;
	}
	return NULL;
}

struct outbound *outbound_find(const struct outbounds *outbounds, int64_t credential_id,
			       const struct net_path *target, enum sip_method method)
{
	return find(outbounds, credential_id, target, method == SIP_REGISTER);
}

struct outbound *outbound_need(struct outbounds *outbounds, int64_t credential_id,
			       const struct net_path *target, enum sip_method method)
{
	struct outbound *outbound = outbound_find(outbounds, credential_id, target, method);

	if (outbound || outbounds->table.count >= OUTBOUNDS_MAX)
		return outbound;
	outbound = calloc(1, sizeof(*outbound));
	if (!outbound)
		return NULL;
	outbound->credential_id = credential_id;
	outbound->registrar = method == SIP_REGISTER;
	outbound->transport = target->transport;
	outbound->endpoint = place_of(target);
	table_insert(&outbounds->table, &outbound->node,
		     hash_of(outbounds, credential_id, &outbound->endpoint));
	return outbound;
}

/* ---- another policy ---- */

static void unlist(struct table_node *node, void *arg)
{
	(void)arg;
	table_entry(node, struct outbound, node)->listed = false;
}

static void drop_unlisted(struct table_node *node, void *arg)
{
	if (!table_entry(node, struct outbound, node)->listed)
		drop(node, arg);
}

/* What was answered with is still the credential. Before it has a realm, another password shows as
 * soon as it is tried. */
static bool is_current(const struct outbound *outbound, const struct policy_outbound *credential)
{
	const struct digest_client_state *state = &outbound->state;

	if (!credential->realm[0])
		return outbound->learned;
	return strcmp(state->realm, credential->realm) == 0 &&
	       memcmp(state->ha1, credential->ha1.plain[state->algorithm], sizeof(state->ha1)) == 0;
}

static void keep_at(const struct outbounds *outbounds, const struct policy_outbound *credential,
		    const struct net_path *target)
{
	for (int registrar = 0; registrar < 2; registrar++) {
		struct outbound *outbound = find(outbounds, credential->id, target, registrar);

		if (!outbound || !is_current(outbound, credential))
			continue;
		outbound->listed = true;
		outbound->learned = !credential->realm[0];
	}
}

static void keep(const struct policy_trunk *trunk, void *arg)
{
	for (size_t i = 0; i < trunk->upstream_count; i++) {
		const struct policy_hop *hop = &trunk->upstreams[i];
		const struct net_path target = {.transport = hop->transport,
						.remote = hop->endpoint};

		for (size_t j = 0; j < hop->outbound_count; j++)
			keep_at(arg, &hop->outbound[j], &target);
	}
}

void outbounds_follow(struct outbounds *outbounds, const struct policy *policy)
{
	pthread_mutex_lock(&outbounds->lock);
	table_each(&outbounds->table, unlist, NULL);
	policy_trunk_each(policy, keep, outbounds);
	table_each(&outbounds->table, drop_unlisted, outbounds);
	pthread_mutex_unlock(&outbounds->lock);
}
