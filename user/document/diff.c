/* SPDX-License-Identifier: BSD-2-Clause */
#include "document/diff.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "document/fields.h"

struct walk {
	const struct state *was, *is;
	difference_visit *visit;
	void *arg;
};

static int tell(const struct walk *walk, enum difference_kind kind, const char *object,
		const void *was, const void *is)
{
	const struct difference difference = {kind, object, was, is};

	return walk->visit(&difference, walk->arg);
}

/* What to do with each item that stands in one of two lists or in both. */
struct pairs {
	size_t size;
	list_order *order;
	int (*pair)(const struct walk *walk, const char *object, const void *was, const void *is);
};

/* Walks along both sorted lists; a NULL list is empty. */
static int walk_lists(const struct walk *walk, const char *object, const struct list *was,
		      const struct list *is, const struct pairs *pairs)
{
	static const struct list empty;
	const struct list *a = was ? was : &empty, *b = is ? is : &empty;
	const char *x = a->items, *y = b->items;
	size_t i = 0, j = 0;
	int rc = 0;

	while (rc == 0 && (i < a->n || j < b->n)) {
		int order = i == a->n ? 1 : j == b->n ? -1 : pairs->order(x, y);

		rc = pairs->pair(walk, object, order <= 0 ? x : NULL, order >= 0 ? y : NULL);
		if (order <= 0)
			i++, x += pairs->size;
		if (order >= 0)
			j++, y += pairs->size;
	}
	return rc;
}

/* ---- ACLs ---- */

static int pair_entry(const struct walk *walk, const char *acl, const void *was_, const void *is_)
{
	const struct entry *was = was_, *is = is_;

	if (was && is && was->deny == is->deny &&
	    strcmp(was->note ? was->note : "", is->note ? is->note : "") == 0)
		return 0;
	return tell(walk, DIFFERENCE_ENTRY, acl, was, is);
}

static int pair_host(const struct walk *walk, const char *acl, const void *was_, const void *is_)
{
	const struct store_acl_host *was = was_, *is = is_;

	if (was && is && was->deny == is->deny && strcmp(was->note, is->note) == 0)
		return 0;
	return tell(walk, DIFFERENCE_HOST, acl, was, is);
}

static int pair_acl(const struct walk *walk, const char *object, const void *was_, const void *is_)
{
	static const struct pairs entries = {sizeof(struct entry), entry_order, pair_entry};
	static const struct pairs hosts = {sizeof(struct store_acl_host), host_order, pair_host};
	const struct acl *was = was_, *is = is_;
	int rc = 0;

	(void)object;
	if (!is)
		return tell(walk, DIFFERENCE_ACL, was->name, was, NULL);
	if (!was || strcmp(was->note, is->note) != 0)
		rc = tell(walk, DIFFERENCE_ACL, is->name, was, is);
	if (rc == 0)
		rc = walk_lists(walk, is->name, was ? &was->entries : NULL, &is->entries, &entries);
	return rc ? rc : walk_lists(walk, is->name, was ? &was->hosts : NULL, &is->hosts, &hosts);
}

/* ---- credential lists ---- */

static int pair_user(const struct walk *walk, const char *list, const void *was_, const void *is_)
{
	const struct user *was = was_, *is = is_;

	if (was && is && (!is->known || CRYPTO_memcmp(&was->ha1, &is->ha1, sizeof(is->ha1)) == 0))
		return 0;
	return tell(walk, DIFFERENCE_USER, list, was, is);
}

static bool is_replaced(const struct credentials *was, const struct credentials *is)
{
	return was && is && strcmp(was->realm, is->realm) != 0;
}

static int pair_list(const struct walk *walk, const char *object, const void *was_, const void *is_)
{
	static const struct pairs users = {sizeof(struct user), name_order, pair_user};
	const struct credentials *was = was_, *is = is_;
	int rc = 0;

	(void)object;
	if (!is || is_replaced(was, is)) {
		rc = tell(walk, DIFFERENCE_LIST, was->name, was, NULL);
		was = NULL;
	}
	if (rc || !is)
		return rc;
	if (!was || was->at_realm != is->at_realm)
		rc = tell(walk, DIFFERENCE_LIST, is->name, was, is);
	return rc ? rc : walk_lists(walk, is->name, was ? &was->users : NULL, &is->users, &users);
}

/* ---- trunks ---- */

static bool same_peer(const struct peer *a, const struct peer *b)
{
	return a && b && a->priority == b->priority && a->weight == b->weight;
}

bool outbound_same_secret(const struct outbound *was, const struct outbound *is)
{
	bool same_realm = strcmp(was->realm, is->realm) == 0;

	if (!is->known)
		return same_realm || !is->realm[0];
	return same_realm && was->known && CRYPTO_memcmp(&was->ha1, &is->ha1, sizeof(is->ha1)) == 0;
}

bool outbound_same_registration(const struct outbound *was, const struct outbound *is)
{
	return was->registers == is->registers && was->expires_s == is->expires_s;
}

static bool same_outbound(const struct list *was, const struct list *is)
{
	const struct outbound *a = was->items, *b = is->items;
	size_t n = list_prefix(was, is, sizeof(*a));

	for (size_t i = 0; i < n; i++) {
		if (!outbound_same_secret(&a[i], &b[i]) ||
		    !outbound_same_registration(&a[i], &b[i]))
			return false;
	}
	return n == was->n && n == is->n;
}

static int pair_upstream(const struct walk *walk, const char *trunk, const void *was_,
			 const void *is_)
{
	static const struct list none;
	const struct peer *was = was_, *is = is_;
	int rc = same_peer(was, is) ? 0 : tell(walk, DIFFERENCE_UPSTREAM, trunk, was, is);

	if (rc || !is || same_outbound(was ? &was->outbound : &none, &is->outbound))
		return rc;
	return tell(walk, DIFFERENCE_OUTBOUND, trunk, was, is);
}

static int pair_destination(const struct walk *walk, const char *trunk, const void *was,
			    const void *is)
{
	return same_peer(was, is) ? 0 : tell(walk, DIFFERENCE_DESTINATION, trunk, was, is);
}

static int pair_trunk_acl(const struct walk *walk, const char *trunk, const void *was,
			  const void *is)
{
	return was && is ? 0 : tell(walk, DIFFERENCE_TRUNK_ACL, trunk, was, is);
}

static int pair_caller(const struct walk *walk, const char *trunk, const void *was, const void *is)
{
	return was && is ? 0 : tell(walk, DIFFERENCE_TRUNK_CALLER, trunk, was, is);
}

static const struct credentials *list_of(const struct state *state, const struct name *name)
{
	const struct list *all = &state->credentials;

	if (!all->n)
		return NULL;
	return bsearch(name, all->items, all->n, sizeof(struct credentials), name_order);
}

static int pair_trunk_list(const struct walk *walk, const char *trunk, const void *was,
			   const void *is)
{
	int rc;

	if (!was || !is)
		return tell(walk, DIFFERENCE_TRUNK_LIST, trunk, was, is);
	if (!is_replaced(list_of(walk->was, was), list_of(walk->is, is)))
		return 0;
	rc = tell(walk, DIFFERENCE_TRUNK_LIST, trunk, was, NULL);
	return rc ? rc : tell(walk, DIFFERENCE_TRUNK_LIST, trunk, NULL, is);
}

static bool same_headers(const struct trunk *was, const struct trunk *is)
{
	size_t n = list_prefix(&was->headers, &is->headers, sizeof(struct header));

	return n == was->headers.n && n == is->headers.n;
}

/* What stands in the trunk. */
static int pair_parts(const struct walk *walk, const struct trunk *was, const struct trunk *is)
{
	static const struct trunk none;
	static const struct {
		size_t offset; /* of the list */
		struct pairs pairs;
	} parts[] = {
		{offsetof(struct trunk, upstreams),
		 {sizeof(struct peer), name_order, pair_upstream}},
		{offsetof(struct trunk, destinations),
		 {sizeof(struct peer), name_order, pair_destination}},
		{offsetof(struct trunk, acls), {sizeof(struct name), name_order, pair_trunk_acl}},
		{offsetof(struct trunk, credentials),
		 {sizeof(struct name), name_order, pair_trunk_list}},
		{offsetof(struct trunk, callers), {sizeof(struct name), name_order, pair_caller}},
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && rc == 0; i++) {
		const void *a = (const char *)(was ? was : &none) + parts[i].offset;
		const void *b = (const char *)is + parts[i].offset;

		rc = walk_lists(walk, is->name, a, b, &parts[i].pairs);
	}
	if (rc == 0 && !same_headers(was ? was : &none, is))
		rc = tell(walk, DIFFERENCE_HEADERS, is->name, was ? was : &none, is);
	return rc;
}

static int pair_trunk(const struct walk *walk, const char *object, const void *was_,
		      const void *is_)
{
	const struct trunk *was = was_, *is = is_;
	int rc = 0;

	(void)object;
	if (!is)
		return tell(walk, DIFFERENCE_TRUNK, was->name, was, NULL);
	if (!was || !fields_equal(&trunk_fields, &was->fields, &is->fields))
		rc = tell(walk, DIFFERENCE_TRUNK, is->name, was, is);
	return rc ? rc : pair_parts(walk, was, is);
}

int state_diff(const struct state *was, const struct state *is, difference_visit *visit, void *arg)
{
	static const struct pairs acls = {sizeof(struct acl), name_order, pair_acl};
	static const struct pairs lists = {sizeof(struct credentials), name_order, pair_list};
	static const struct pairs trunks = {sizeof(struct trunk), name_order, pair_trunk};
	const struct walk walk = {was, is, visit, arg};
	int rc = 0;

	if (!fields_equal(&setting_fields, &was->settings, &is->settings))
		rc = tell(&walk, DIFFERENCE_SETTINGS, NULL, &was->settings, &is->settings);
	if (rc == 0)
		rc = walk_lists(&walk, NULL, &was->acls, &is->acls, &acls);
	if (rc == 0)
		rc = walk_lists(&walk, NULL, &was->credentials, &is->credentials, &lists);
	return rc ? rc : walk_lists(&walk, NULL, &was->trunks, &is->trunks, &trunks);
}

char difference_sign(const struct difference *difference)
{
	if (!difference->was)
		return '+';
	return difference->is ? '~' : '-';
}
