/* SPDX-License-Identifier: BSD-2-Clause */
#include "document/state.h"

#include <errno.h>
#include <stdlib.h>

void *list_add(struct list *list, size_t size)
{
	/* Full at each power of two. */
	if ((list->n & (list->n - 1)) == 0) {
		void *grown = calloc(list->n ? 2 * list->n : 1, size);

		if (!grown)
			return NULL;
		if (list->n) {
			memcpy(grown, list->items, list->n * size);
			explicit_bzero(list->items, list->n * size);
		}
		free(list->items);
		list->items = grown;
	}
	return (char *)list->items + size * list->n++;
}

const void *list_sort(struct list *list, size_t size, list_order *order)
{
	if (list->n < 2)
		return NULL;
	qsort(list->items, list->n, size, order);
	for (size_t i = 1; i < list->n; i++) {
		const char *item = (const char *)list->items + i * size;

		if (order(item - size, item) == 0)
			return item;
	}
	return NULL;
}

const struct outbound *outbound_find(const struct list *list, const char *user)
{
	const struct outbound *outbound = list->items;

	for (size_t i = 0; i < list->n; i++) {
		if (strcmp(outbound[i].user, user) == 0)
			return &outbound[i];
	}
	return NULL;
}

size_t list_prefix(const struct list *a, const struct list *b, size_t size)
{
	const char *x = a->items, *y = b->items;
	size_t n = 0;

	while (n < a->n && n < b->n && strcmp(x + n * size, y + n * size) == 0)
		n++;
	return n;
}

int entry_note(struct entry *entry, const char *note)
{
	if (!note[0])
		return 0;
	entry->note = strdup(note);
	return entry->note ? 0 : -ENOMEM;
}

int name_order(const void *a, const void *b)
{
	return strcmp(a, b);
}

int host_order(const void *a, const void *b)
{
	return strcmp(((const struct store_acl_host *)a)->host,
		      ((const struct store_acl_host *)b)->host);
}

int entry_order(const void *a_, const void *b_)
{
	const struct prefix *a = &((const struct entry *)a_)->prefix;
	const struct prefix *b = &((const struct entry *)b_)->prefix;
	int order = a->ip.family - b->ip.family;

	if (order == 0)
		order = memcmp(a->ip.bytes, b->ip.bytes, sizeof(a->ip.bytes));
	return order ? order : a->len - b->len;
}

void state_init(struct state *ret_state)
{
	*ret_state = (struct state){0};
	store_settings_defaults(&ret_state->settings);
}

static void free_acl(struct acl *acl)
{
	struct entry *entries = acl->entries.items;

	for (size_t i = 0; i < acl->entries.n; i++)
		free(entries[i].note);
	free(entries);
	free(acl->hosts.items);
}

static void free_credentials(struct credentials *list)
{
	if (list->users.n)
		explicit_bzero(list->users.items, list->users.n * sizeof(struct user));
	free(list->users.items);
}

static void free_peers(struct list *peers)
{
	struct peer *peer = peers->items;

	for (size_t i = 0; i < peers->n; i++, peer++) {
		if (peer->outbound.n)
			explicit_bzero(peer->outbound.items,
				       peer->outbound.n * sizeof(struct outbound));
		free(peer->outbound.items);
	}
	free(peers->items);
}

static void free_trunk(struct trunk *trunk)
{
	free_peers(&trunk->upstreams);
	free_peers(&trunk->destinations);
	free(trunk->headers.items);
	free(trunk->acls.items);
	free(trunk->credentials.items);
	free(trunk->callers.items);
}

void state_free(struct state *state)
{
	struct credentials *lists = state->credentials.items;
	struct trunk *trunks = state->trunks.items;
	struct acl *acls = state->acls.items;

	for (size_t i = 0; i < state->acls.n; i++)
		free_acl(&acls[i]);
	for (size_t i = 0; i < state->credentials.n; i++)
		free_credentials(&lists[i]);
	for (size_t i = 0; i < state->trunks.n; i++)
		free_trunk(&trunks[i]);
	free(acls);
	free(lists);
	free(trunks);
	*state = (struct state){0};
}
