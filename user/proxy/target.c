/* SPDX-License-Identifier: BSD-2-Clause */
/* Which hop of a trunk a request goes to next: by priority, then by weight at random among those of
 * one priority (RFC 2782), what is down last. */
#include <errno.h>
#include <stdio.h>

#include "base/random.h"
#include "proxy/proxy_internal.h"

static bool was_tried(const struct txn *txn, const struct policy_hop *hop)
{
	for (const struct attempt *a = txn ? txn->attempts : NULL; a; a = a->next)
		if (a->target.transport == hop->transport &&
		    endpoint_eq(&a->target.remote, &hop->endpoint))
			return true;
	return false;
}

static bool has_stream(const struct target_choice *choice, const struct policy_hop *hop)
{
	for (size_t i = 0; i < choice->hop_count; i++)
		if (choice->hops[i].transport != NET_UDP &&
		    !was_tried(choice->txn, &choice->hops[i]) &&
		    ip_eq(&choice->hops[i].endpoint.ip, &hop->endpoint.ip))
			return true;
	return false;
}

static bool is_fit(const struct target_choice *choice, const struct policy_hop *hop)
{
	if (choice->secure)
		return hop->transport == NET_TLS;
	return !choice->large || hop->transport != NET_UDP || !has_stream(choice, hop);
}

/* The lower the sooner. */
static unsigned rank(const struct proxy *proxy, const struct policy_hop *hop)
{
	struct net_path target = {.transport = hop->transport, .remote = hop->endpoint};

	return health_usable(&proxy->shared->health, &target, proxy->now_ns) ? 0 : 1;
}

/* Below 0: a before b. */
static int order(const struct proxy *proxy, const struct policy_hop *a, const struct policy_hop *b)
{
	unsigned rank_a = rank(proxy, a), rank_b = rank(proxy, b);

	if (rank_a != rank_b)
		return rank_a < rank_b ? -1 : 1;
	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	if (a->srv_priority != b->srv_priority)
		return a->srv_priority < b->srv_priority ? -1 : 1;
	return 0;
}

/* One of weight 0 has a small chance (RFC 2782). */
static uint64_t share(const struct policy_hop *hop)
{
	return 1 + 100ULL * hop->weight * (hop->srv_weight ? hop->srv_weight : 1);
}

/* Takes the place of what was picked with the chance of its share of all seen so far. */
static bool takes_place(const struct policy_hop *hop, uint64_t *seen)
{
	uint64_t chance;

	*seen += share(hop);
	if (*seen == share(hop))
		return true;
	random_bytes(&chance, sizeof(chance));
	return chance % *seen < share(hop);
}

const struct policy_hop *target_pick(struct proxy *proxy, const struct target_choice *choice,
				     struct net_path *ret_target)
{
	const struct policy_hop *picked = NULL;
	uint64_t seen = 0;

	for (size_t i = 0; i < choice->hop_count; i++) {
		const struct policy_hop *hop = &choice->hops[i];
		struct net_path target = {
			.transport = hop->transport, .remote = hop->endpoint, .name = hop->host};
		int before = picked ? order(proxy, hop, picked) : -1;

		if (was_tried(choice->txn, hop) || !is_fit(choice, hop) || before > 0 ||
		    hop_route(proxy, &target))
			continue;
		if (before < 0)
			seen = 0;
		if (!takes_place(hop, &seen))
			continue;
		picked = hop;
		*ret_target = target;
	}
	return picked;
}

/* Those that a transaction could still go to. */
static struct target_choice choice_of(const struct proxy *proxy, const struct txn *txn)
{
	const struct policy_trunk *trunk =
		policy_trunk_by_id(proxy->admission.policy, txn->trunk_id);
	struct target_choice choice = {.txn = txn, .secure = txn->secure, .large = txn->large};

	if (!trunk || txn->cancelled || !txn->can_move)
		return choice;
	choice.hops = txn->from_customer ? trunk->upstreams : trunk->destinations;
	choice.hop_count = txn->from_customer ? trunk->upstream_count : trunk->destination_count;
	return choice;
}

bool target_remains(const struct proxy *proxy, const struct txn *txn)
{
	struct target_choice choice = choice_of(proxy, txn);

	for (size_t i = 0; i < choice.hop_count; i++)
		if (!was_tried(txn, &choice.hops[i]) && is_fit(&choice, &choice.hops[i]))
			return true;
	return false;
}

static bool is_meant(const struct policy_hop *hop, bool large, const struct net_path *target)
{
	if (large && target->transport == NET_UDP)
		return hop->transport != NET_UDP && ip_eq(&hop->endpoint.ip, &target->remote.ip);
	return hop->transport == target->transport && endpoint_eq(&hop->endpoint, &target->remote);
}

static const struct policy_hop *find_meant(const struct policy_hop *hops, size_t n, bool large,
					   const struct net_path *target)
{
	for (size_t i = 0; i < n; i++)
		if (is_meant(&hops[i], large, target))
			return &hops[i];
	return NULL;
}

const struct policy_hop *target_refine(const struct policy_trunk *trunk, bool large,
				       struct net_path *target)
{
	const struct policy_hop *hop =
		find_meant(trunk->upstreams, trunk->upstream_count, large, target);

	if (!hop)
		hop = find_meant(trunk->destinations, trunk->destination_count, large, target);
	if (hop) {
		target->transport = hop->transport;
		target->remote = hop->endpoint;
		target->name = hop->host;
	}
	return hop;
}

bool target_detour(struct proxy *proxy, struct txn *txn)
{
	const struct policy_trunk *trunk =
		policy_trunk_by_id(proxy->admission.policy, txn->trunk_id);
	const struct attempt *latest = txn->attempts;
	struct hop hop = {
		.target = txn->detour.transport ? txn->detour : latest->target,
		.cseq_offset = latest->cseq_offset,
		.credential_id = latest->credential_id,
	};

	if (hop.target.transport == NET_UDP || txn->detoured || txn->cancelled || !trunk)
		return false;
	txn->detoured = true;
	target_refine(trunk, false, &hop.target);
	return attempt_again(proxy, txn, &hop) == 0;
}

int target_uri(const struct policy_hop *hop, struct slice called, char ret_uri[TARGET_URI_SIZE])
{
	struct slice user = sip_uri_user(called), rest, none;
	bool secure = slice_starts_nocase(called, SLICE("sips:"));
	int n;

	slice_cut(slice_from(hop->uri), ':', &rest);
	/* There it has no meaning (RFC 5630 §3.1.4). */
	if (secure)
		rest = slice_cut(rest, ';', &none);
	n = snprintf(ret_uri, TARGET_URI_SIZE, "%s:%.*s%s%.*s", secure ? "sips" : "sip",
		     (int)user.n, user.p, user.n ? "@" : "", (int)rest.n, rest.p);
	return n < TARGET_URI_SIZE ? 0 : -ENOSPC;
}

bool target_next(struct proxy *proxy, struct txn *txn)
{
	struct target_choice choice = choice_of(proxy, txn);
	char uri[TARGET_URI_SIZE];
	struct hop hop = {0};
	const struct policy_hop *picked = target_pick(proxy, &choice, &hop.target);
	const struct policy_outbound *credential;

	if (!picked)
		return false;
	credential = outbound_credential(picked, blob_slice(&txn->chosen));
	if (credential && txn->from_customer)
		hop.credential_id = credential->id;
	if (!txn->from_customer) {
		hop.credential_id = txn->attempts->credential_id;
		if (attempt_uri(proxy, txn, &hop.uri) || target_uri(picked, hop.uri, uri))
			return false;
		hop.uri = slice_from(uri);
	}
	return attempt_again(proxy, txn, &hop) == 0;
}
