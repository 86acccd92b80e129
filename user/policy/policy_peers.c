/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a trunk's calls go: its peers, laid out as one hop for each address. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy_internal.h"

/* ---- outbound credentials ---- */

static int add_outbound(const struct store_outbound *from, void *arg)
{
	struct policy_peer *peer = arg;
	struct policy_outbound *outbound;

	/* Grown by hand, as what realloc leaves behind is not wiped. */
	outbound = calloc(peer->outbound_count + 1, sizeof(*outbound));
	if (!outbound)
		return -ENOMEM;
	if (peer->outbound_count) {
		memcpy(outbound, peer->outbound, peer->outbound_count * sizeof(*outbound));
		explicit_bzero(peer->outbound, peer->outbound_count * sizeof(*outbound));
	}
	free(peer->outbound);
	peer->outbound = outbound;
	outbound += peer->outbound_count++;
	outbound->id = from->id;
	strcpy(outbound->user, from->user);
	strcpy(outbound->realm, from->realm);
	outbound->ha1 = from->ha1;
	outbound->registers = from->registers;
	outbound->expires_s = from->expires_s;
	return 0;
}

/* One that can not be opened (its key is gone) is empty: its calls are not answered for. */
static void open_secrets(struct build *build, struct policy_peer *peer)
{
	struct error ignored;

	for (size_t i = 0; i < peer->outbound_count; i++)
		if (!peer->outbound[i].realm[0] &&
		    store_outbound_secret(build->store, peer->outbound[i].id,
					  peer->outbound[i].password, &ignored))
			peer->outbound[i].password[0] = '\0';
}

/* ---- peers ---- */

static struct policy_peer *new_peer(struct policy_place *place)
{
	struct policy_peer *peer;

	if (policy_reserve(&place->peers, place->peer_count, sizeof(struct policy_peer *)))
		return NULL;
	peer = calloc(1, sizeof(*peer));
	if (peer)
		place->peers[place->peer_count++] = peer;
	return peer;
}

static int add_hop(struct policy_trunk *trunk, enum store_peer_role role,
		   const struct policy_hop *hop)
{
	struct policy_hop **hops =
		role == STORE_UPSTREAM ? &trunk->upstreams : &trunk->destinations;
	size_t *count = role == STORE_UPSTREAM ? &trunk->upstream_count : &trunk->destination_count;

	if (policy_reserve(hops, *count, sizeof(**hops)))
		return -ENOMEM;
	(*hops)[(*count)++] = *hop;
	return 0;
}

static int add_hops(struct build *build, const struct store_peer *stored,
		    const struct policy_peer *peer)
{
	struct store_peer_address addresses[STORE_PEER_ADDRESSES_MAX];
	size_t n = 0;
	int rc = store_peer_addresses(build->store, stored->id, addresses, &n, build->err);

	for (size_t i = 0; i < n && rc == 0; i++) {
		const struct policy_hop hop = {
			.peer_id = stored->id,
			.uri = peer->uri.text,
			.host = peer->uri.host,
			.endpoint = addresses[i].endpoint,
			.transport = (enum net_transport)addresses[i].transport,
			.priority = stored->priority,
			.weight = stored->weight,
			.srv_priority = addresses[i].priority,
			.srv_weight = addresses[i].weight,
			.outbound = peer->outbound,
			.outbound_count = peer->outbound_count,
		};

		if (add_hop(&build->place->trunk, stored->role, &hop))
			rc = policy_no_memory(build->err);
	}
	return rc;
}

static int read_peer(const struct store_peer *stored, void *arg)
{
	struct build *build = arg;
	struct policy_peer *peer = new_peer(build->place);
	int rc;

	if (!peer)
		return policy_no_memory(build->err);
	rc = store_peer_uri_parse(stored->uri, stored->role, &peer->uri, build->err);
	if (rc == 0)
		rc = store_outbound_each(build->store, stored->id, add_outbound, peer, build->err);
	if (rc == -ENOMEM)
		rc = policy_no_memory(build->err);
	if (rc)
		return rc;
	open_secrets(build, peer);
	return add_hops(build, stored, peer);
}

static int add_header(const struct store_header *header, void *arg)
{
	struct build *build = arg;
	struct policy_trunk *trunk = &build->place->trunk;

	if (policy_reserve(&trunk->headers, trunk->header_count, sizeof(*header)))
		return policy_no_memory(build->err);
	trunk->headers[trunk->header_count++] = *header;
	return 0;
}

/* The rest is for an order that is always the same. */
static int hop_order(const void *a_, const void *b_)
{
	const struct policy_hop *a = a_, *b = b_;

	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	if (a->srv_priority != b->srv_priority)
		return a->srv_priority < b->srv_priority ? -1 : 1;
	if (a->peer_id != b->peer_id)
		return a->peer_id < b->peer_id ? -1 : 1;
	return memcmp(&a->endpoint.ip, &b->endpoint.ip, sizeof(a->endpoint.ip));
}

static void sort_hops(struct policy_hop *hops, size_t n)
{
	if (n > 1)
		qsort(hops, n, sizeof(*hops), hop_order);
}

int policy_read_peers(struct build *build)
{
	struct policy_trunk *trunk = &build->place->trunk;
	int64_t id = trunk->config.id;
	int rc = store_peer_each(build->store, id, read_peer, build, build->err);

	if (rc == 0)
		rc = store_trunk_header_each(build->store, id, add_header, build, build->err);
	sort_hops(trunk->upstreams, trunk->upstream_count);
	sort_hops(trunk->destinations, trunk->destination_count);
	return rc;
}

void policy_free_peers(struct policy_place *place)
{
	for (size_t i = 0; i < place->peer_count; i++) {
		struct policy_peer *peer = place->peers[i];

		if (peer->outbound)
			explicit_bzero(peer->outbound,
				       peer->outbound_count * sizeof(*peer->outbound));
		free(peer->outbound);
		free(peer);
	}
	free(place->peers);
	free(place->trunk.upstreams);
	free(place->trunk.destinations);
	free(place->trunk.headers);
}
