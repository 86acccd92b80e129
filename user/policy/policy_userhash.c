/* SPDX-License-Identifier: BSD-2-Clause */
/* Users by the hash of their name, for the trunks that offer userhash (RFC 7616 §3.4.4). */
#include <errno.h>
#include <stdlib.h>

#include "policy/policy_internal.h"

struct hashing {
	struct policy *policy;
	struct digest_context *context;
};

static int hash_user(const struct hashing *hashing, const struct policy_list *list,
		     struct policy_hashed *hashed)
{
	struct policy *policy = hashing->policy;
	int rc = digest_userhash(hashing->context, hashed->algorithm, hashed->entry->user.name,
				 slice_from(list->realm), hashed->hash);

	if (rc)
		return rc;
	table_insert(&policy->tables[POLICY_USER_HASHES], &hashed->by_hash,
		     policy_hash_user(policy, POLICY_USER_HASHES, list, slice_from(hashed->hash)));
	return 0;
}

static int hash_list(const struct hashing *hashing, enum digest_algorithm algorithm,
		     struct policy_list *list)
{
	struct policy_hashed *hashed;
	int rc = 0;

	if (list->hashed[algorithm] || list->count == 0)
		return 0;
	hashed = calloc(list->count, sizeof(*hashed));
	if (!hashed)
		return -ENOMEM;
	list->hashed[algorithm] = hashed;
	for (size_t i = 0; i < list->count && rc == 0; i++) {
		hashed[i].algorithm = algorithm;
		hashed[i].entry = &list->entries[i];
		rc = hash_user(hashing, list, &hashed[i]);
	}
	return rc;
}

static int hash_trunk(const struct hashing *hashing, const struct policy_place *place)
{
	const struct store_trunk *config = &place->trunk.config;
	int rc = 0;

	for (unsigned i = 0; i < config->algorithm_count; i++) {
		for (size_t j = 0; j < place->list_count && rc == 0; j++)
			rc = hash_list(hashing, config->algorithms[i], place->lists[j]);
	}
	return rc;
}

int policy_hash_users(struct policy *policy)
{
	struct hashing hashing = {.policy = policy};
	int rc = 0;

	for (size_t i = 0; i < policy->trunk_count && rc == 0; i++) {
		if (!policy->trunks[i]->trunk.config.userhash)
			continue;
		if (!hashing.context)
			rc = digest_context_create(&hashing.context);
		if (rc == 0)
			rc = hash_trunk(&hashing, policy->trunks[i]);
	}
	digest_context_free(hashing.context);
	return rc;
}

static struct policy_user *user_in(const struct policy *policy, const struct policy_list *list,
				   enum digest_algorithm algorithm, struct slice hash)
{
	const struct table *table = &policy->tables[POLICY_USER_HASHES];
	struct table_node *node =
		table_first(table, policy_hash_user(policy, POLICY_USER_HASHES, list, hash));

	for (; node; node = table_next(node)) {
		const struct policy_hashed *hashed =
			table_entry(node, struct policy_hashed, by_hash);

		if (hashed->entry->list == list && hashed->algorithm == algorithm &&
		    slice_eq(slice_from(hashed->hash), hash))
			return &hashed->entry->user;
	}
	return NULL;
}

struct policy_user *policy_user_by_hash(const struct policy_trunk *trunk, struct slice hash,
					enum digest_algorithm algorithm, struct slice realm)
{
	const struct policy_place *place = trunk->priv;
	struct policy_user *user = NULL;

	for (size_t i = 0; i < place->list_count && trunk->config.userhash && !user; i++) {
		const struct policy_list *list = place->lists[i];

		if (slice_eq(slice_from(list->realm), realm))
			user = user_in(place->policy, list, algorithm, hash);
	}
	return user;
}
