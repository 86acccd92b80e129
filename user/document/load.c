/* SPDX-License-Identifier: BSD-2-Clause */
/* From the store into memory. */
#include <errno.h>
#include <stdio.h>

#include "document/state.h"

static int load_entry(const struct store_acl_entry *from, void *entries)
{
	struct entry *entry;

	if (from->host_id)
		return 0;
	entry = list_add(entries, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->prefix = from->prefix;
	entry->deny = from->deny;
	return entry_note(entry, from->note);
}

static int load_host(const struct store_acl_host *from, void *hosts)
{
	struct store_acl_host *host = list_add(hosts, sizeof(*host));

	if (!host)
		return -ENOMEM;
	*host = *from;
	return 0;
}

static int load_acl(const struct store_acl *from, void *acls)
{
	struct acl *acl = list_add(acls, sizeof(*acl));

	if (!acl)
		return -ENOMEM;
	strcpy(acl->name, from->name);
	strcpy(acl->note, from->note);
	return 0;
}

static int load_acls(struct store *store, struct list *acls, struct error *err)
{
	int rc = store_acl_each(store, load_acl, acls, err);
	struct acl *acl = acls->items;

	for (size_t i = 0; i < acls->n && rc == 0; i++, acl++) {
		rc = store_acl_entry_each(store, acl->name, load_entry, &acl->entries, err);
		if (rc == 0)
			rc = store_acl_host_each(store, acl->name, load_host, &acl->hosts, err);
	}
	return rc;
}

static int load_user(const struct store_user *from, void *users)
{
	struct user *user = list_add(users, sizeof(*user));

	if (!user)
		return -ENOMEM;
	strcpy(user->name, from->name);
	user->known = true;
	user->ha1 = from->ha1;
	return 0;
}

static int load_list(const struct store_credentials *from, void *lists)
{
	struct credentials *list = list_add(lists, sizeof(*list));

	if (!list)
		return -ENOMEM;
	strcpy(list->name, from->name);
	strcpy(list->realm, from->realm);
	list->at_realm = from->at_realm;
	return 0;
}

static int load_lists(struct store *store, struct list *lists, struct error *err)
{
	int rc = store_credentials_each(store, load_list, lists, err);
	struct credentials *list = lists->items;

	for (size_t i = 0; i < lists->n && rc == 0; i++, list++)
		rc = store_user_each(store, list->name, load_user, &list->users, err);
	return rc;
}

static int load_caller(const char *text, void *names)
{
	struct name *name = list_add(names, sizeof(*name));

	if (!name)
		return -ENOMEM;
	strcpy(name->text, text);
	return 0;
}

static int load_attached(int64_t id, const char *text, void *names)
{
	(void)id;
	return load_caller(text, names);
}

struct loading {
	struct store *store;
	struct trunk *trunk;
	struct peer *peer;
	struct error *err;
};

/* What is sealed with a key that is gone is not known here either. */
static int load_password(struct store *store, int64_t id, struct outbound *outbound)
{
	char password[STORE_PASSWORD_SIZE] = "";
	int rc = store_outbound_secret(store, id, password, NULL);

	outbound->known = rc == 0;
	strcpy((char *)&outbound->ha1, rc == 0 ? password : "");
	explicit_bzero(password, sizeof(password));
	return rc == -ENOMEM ? rc : 0;
}

static int load_outbound(const struct store_outbound *from, void *arg)
{
	struct loading *loading = arg;
	struct outbound *outbound = list_add(&loading->peer->outbound, sizeof(*outbound));

	if (!outbound)
		return -ENOMEM;
	strcpy(outbound->user, from->user);
	strcpy(outbound->realm, from->realm);
	outbound->registers = from->registers;
	outbound->expires_s = from->expires_s;
	if (!from->realm[0])
		return load_password(loading->store, from->id, outbound);
	outbound->known = true;
	outbound->ha1 = from->ha1;
	return 0;
}

static int load_peer(const struct store_peer *from, void *arg)
{
	struct loading *loading = arg;
	bool upstream = from->role == STORE_UPSTREAM;
	struct trunk *trunk = loading->trunk;
	struct peer *peer =
		list_add(upstream ? &trunk->upstreams : &trunk->destinations, sizeof(*peer));

	if (!peer)
		return -ENOMEM;
	strcpy(peer->uri, from->uri);
	peer->priority = from->priority;
	peer->weight = from->weight;
	loading->peer = peer;
	return store_outbound_each(loading->store, from->id, load_outbound, loading, loading->err);
}

static int load_header(const struct store_header *from, void *headers)
{
	struct header *header = list_add(headers, sizeof(*header));

	if (!header)
		return -ENOMEM;
	snprintf(header->text, sizeof(header->text), "%s: %s", from->name, from->value);
	return 0;
}

static int load_peers(struct store *store, struct trunk *trunk, struct error *err)
{
	struct loading loading = {.store = store, .trunk = trunk, .err = err};
	int64_t id = trunk->fields.id;
	int rc = store_peer_each(store, id, load_peer, &loading, err);

	if (rc == 0)
		rc = store_trunk_header_each(store, id, load_header, &trunk->headers, err);
	list_sort(&trunk->upstreams, sizeof(struct peer), name_order);
	list_sort(&trunk->destinations, sizeof(struct peer), name_order);
	return rc;
}

static int load_trunk(const struct store_trunk *from, void *trunks)
{
	struct trunk *trunk = list_add(trunks, sizeof(*trunk));

	if (!trunk)
		return -ENOMEM;
	strcpy(trunk->name, from->name);
	trunk->fields = *from;
	return 0;
}

static int load_trunks(struct store *store, struct list *trunks, struct error *err)
{
	int rc = store_trunk_each(store, load_trunk, trunks, err);
	struct trunk *trunk = trunks->items;

	for (size_t i = 0; i < trunks->n && rc == 0; i++, trunk++) {
		int64_t id = trunk->fields.id;

		rc = load_peers(store, trunk, err);
		if (rc == 0)
			rc = store_trunk_acl_each(store, id, load_attached, &trunk->acls, err);
		if (rc == 0)
			rc = store_trunk_credentials_each(store, id, load_attached,
							  &trunk->credentials, err);
		if (rc == 0)
			rc = store_trunk_caller_each(store, id, load_caller, &trunk->callers, err);
	}
	return rc;
}

int state_load(struct store *store, struct state *ret_state, struct error *err)
{
	struct state state = {0};
	int rc = store_settings_get(store, &state.settings, err);

	if (rc == 0)
		rc = load_acls(store, &state.acls, err);
	if (rc == 0)
		rc = load_lists(store, &state.credentials, err);
	if (rc == 0)
		rc = load_trunks(store, &state.trunks, err);
	if (rc)
		state_free(&state);
	else
		*ret_state = state;
	return rc;
}
