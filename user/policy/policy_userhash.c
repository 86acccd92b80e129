/* SPDX-License-Identifier: BSD-2-Clause */
/* Users by the hash of their name, for the trunks that offer userhash (RFC 7616 §3.4.4). */
#include <errno.h>
#include <stdlib.h>

#include "policy/policy_internal.h"

static int hash_order(const void *a, const void *b)
{
	return strcmp(((const struct policy_hashed *)a)->hash,
		      ((const struct policy_hashed *)b)->hash);
}

static int hash_list(struct digest_context *context, enum digest_algorithm algorithm,
		     struct policy_list *list)
{
	struct policy_hashed *by_hash;
	int rc = 0;

	if (list->by_hash[algorithm] || list->count == 0)
		return 0;
	by_hash = calloc(list->count, sizeof(*by_hash));
	if (!by_hash)
		return -ENOMEM;
	list->by_hash[algorithm] = by_hash;
	for (size_t i = 0; i < list->count && rc == 0; i++) {
		by_hash[i].entry = &list->entries[i];
		rc = digest_userhash(context, algorithm, list->entries[i].user.name,
				     slice_from(list->realm), by_hash[i].hash);
	}
	qsort(by_hash, list->count, sizeof(*by_hash), hash_order);
	return rc;
}

static int hash_trunk(struct digest_context *context, const struct policy_trunk *trunk)
{
	const struct policy_attached *attached = trunk->priv;
	int rc = 0;

	for (unsigned i = 0; i < trunk->config.algorithm_count; i++) {
		for (size_t j = 0; j < attached->list_count && rc == 0; j++)
			rc = hash_list(context, trunk->config.algorithms[i], attached->lists[j]);
	}
	return rc;
}

int policy_hash_users(struct policy *policy)
{
	struct digest_context *context = NULL;
	int rc = 0;

	for (size_t i = 0; i < policy->trunk_count && rc == 0; i++) {
		if (!policy->trunks[i].config.userhash)
			continue;
		if (!context)
			rc = digest_context_create(&context);
		if (rc == 0)
			rc = hash_trunk(context, &policy->trunks[i]);
	}
	digest_context_free(context);
	return rc;
}

static int hash_search(const void *key, const void *element)
{
	const struct policy_hashed *hashed = element;

	return policy_text_cmp(*(const struct slice *)key, slice_from(hashed->hash));
}

struct policy_user *policy_user_by_hash(const struct policy_trunk *trunk, struct slice hash,
					enum digest_algorithm algorithm, struct slice realm)
{
	const struct policy_attached *attached = trunk->priv;

	for (size_t i = 0; i < attached->list_count && trunk->config.userhash; i++) {
		const struct policy_list *list = attached->lists[i];
		const struct policy_hashed *found = NULL;

		if (list->by_hash[algorithm] && slice_eq(slice_from(list->realm), realm))
			found = bsearch(&hash, list->by_hash[algorithm], list->count,
					sizeof(*found), hash_search);
		if (found)
			return &found->entry->user;
	}
	return NULL;
}
