/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "document/fields.h"
#include "document/seal.h"
#include "document/state.h"

/* One mistake, at the end: an object that could not be made whole is remembered, not passed up
 * through every line. */
struct writer {
	struct sealed_key seal;
	bool sealing, failed;
};

/* Both take over the value, NULL meaning out of memory. */
static void put(struct writer *w, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value))
		w->failed = true;
}

static void append(struct writer *w, json_t *list, json_t *value)
{
	if (json_array_append_new(list, value))
		w->failed = true;
}

/* What is not there is left out. */
static void put_text(struct writer *w, json_t *object, const char *key, const char *text)
{
	if (text && text[0])
		put(w, object, key, json_string(text));
}

static void put_fields(struct writer *w, json_t *object, const struct fields *fields,
		       const void *from, const void *defaults)
{
	for (size_t i = 0; i < fields->n; i++) {
		const struct field *field = &fields->list[i];

		if (!field_equal(field, from, defaults))
			put(w, object, field->key, field_get(field, from));
	}
}

static json_t *write_settings(struct writer *w, const struct store_settings *settings)
{
	struct store_settings defaults;
	json_t *object = json_object();

	store_settings_defaults(&defaults);
	put_fields(w, object, &setting_fields, settings, &defaults);
	return object;
}

/* A prefix that is just allowed is its text alone; so is a host. */
static json_t *write_rule(struct writer *w, const char *key, const char *text, bool deny,
			  const char *note)
{
	json_t *object;

	if (!deny && (!note || !note[0]))
		return json_string(text);
	object = json_object();
	put(w, object, key, json_string(text));
	if (deny)
		put(w, object, "deny", json_true());
	put_text(w, object, "note", note);
	return object;
}

static json_t *write_entries(struct writer *w, const struct list *entries)
{
	const struct entry *entry = entries->items;
	char text[PREFIX_TEXT_SIZE];
	json_t *list = json_array();

	for (size_t i = 0; i < entries->n; i++, entry++) {
		prefix_format(&entry->prefix, text);
		append(w, list, write_rule(w, "prefix", text, entry->deny, entry->note));
	}
	return list;
}

static json_t *write_hosts(struct writer *w, const struct list *hosts)
{
	const struct store_acl_host *host = hosts->items;
	json_t *list = json_array();

	for (size_t i = 0; i < hosts->n; i++, host++)
		append(w, list, write_rule(w, "host", host->host, host->deny, host->note));
	return list;
}

static json_t *write_acls(struct writer *w, const struct list *acls)
{
	const struct acl *acl = acls->items;
	json_t *all = json_object();

	for (size_t i = 0; i < acls->n; i++, acl++) {
		json_t *object = json_object();

		put_text(w, object, "note", acl->note);
		if (acl->entries.n)
			put(w, object, "entries", write_entries(w, &acl->entries));
		if (acl->hosts.n)
			put(w, object, "hosts", write_hosts(w, &acl->hosts));
		put(w, all, acl->name, object);
	}
	return all;
}

static json_t *write_user(struct writer *w, const struct credentials *list, const struct user *user)
{
	const struct seal_owner owner = {list->name, user->name, list->realm, NULL};
	json_t *object = json_object();
	char text[SEAL_TEXT_SIZE];

	if (!w->sealing)
		return object;
	if (seal_write(&w->seal, &owner, &user->ha1, text))
		w->failed = true;
	else
		put(w, object, "ha1", json_string(text));
	return object;
}

static json_t *write_users(struct writer *w, const struct credentials *list)
{
	const struct user *user = list->users.items;
	json_t *all = json_object();

	for (size_t i = 0; i < list->users.n; i++, user++)
		put(w, all, user->name, write_user(w, list, user));
	return all;
}

static json_t *write_lists(struct writer *w, const struct list *lists)
{
	const struct credentials *list = lists->items;
	json_t *all = json_object();

	for (size_t i = 0; i < lists->n; i++, list++) {
		json_t *object = json_object();

		put(w, object, "realm", json_string(list->realm));
		if (list->at_realm)
			put(w, object, "user-at-realm", json_true());
		if (list->users.n)
			put(w, object, "users", write_users(w, list));
		put(w, all, list->name, object);
	}
	return all;
}

static void put_names(struct writer *w, json_t *object, const char *key, const struct list *names)
{
	const struct name *name = names->items;
	json_t *list;

	if (!names->n)
		return;
	list = json_array();
	for (size_t i = 0; i < names->n; i++)
		append(w, list, json_string(name[i].text));
	put(w, object, key, list);
}

static json_t *write_outbound(struct writer *w, const struct outbound *outbound,
			      const struct seal_owner *owner)
{
	json_t *object = json_object();
	char text[SEAL_TEXT_SIZE];

	put(w, object, "user", json_string(outbound->user));
	put_text(w, object, "realm", outbound->realm);
	if (outbound->registers)
		put(w, object, "register", json_true());
	if (outbound->expires_s != STORE_OUTBOUND_EXPIRES_S)
		put(w, object, "expires", json_integer(outbound->expires_s));
	if (!w->sealing || !outbound->known)
		return object;
	if (seal_write(&w->seal, owner, &outbound->ha1, text))
		w->failed = true;
	else
		put(w, object, "sealed", json_string(text));
	return object;
}

static json_t *write_outbounds(struct writer *w, const char *trunk, const struct peer *peer)
{
	const struct outbound *outbound = peer->outbound.items;
	json_t *list = json_array();

	for (size_t i = 0; i < peer->outbound.n; i++, outbound++) {
		const struct seal_owner owner = {trunk, outbound->user, outbound->realm, peer->uri};

		append(w, list, write_outbound(w, outbound, &owner));
	}
	return list;
}

/* One that is like any other is its URI alone. */
static json_t *write_peer(struct writer *w, const char *trunk, const struct peer *peer)
{
	json_t *object;

	if (peer->priority == STORE_PEER_PRIORITY && peer->weight == STORE_PEER_WEIGHT &&
	    !peer->outbound.n)
		return json_string(peer->uri);
	object = json_object();
	put(w, object, "uri", json_string(peer->uri));
	if (peer->priority != STORE_PEER_PRIORITY)
		put(w, object, "priority", json_integer(peer->priority));
	if (peer->weight != STORE_PEER_WEIGHT)
		put(w, object, "weight", json_integer(peer->weight));
	if (peer->outbound.n)
		put(w, object, "outbound", write_outbounds(w, trunk, peer));
	return object;
}

static json_t *write_peers(struct writer *w, const char *trunk, const struct list *peers)
{
	const struct peer *peer = peers->items;
	json_t *list = json_array();

	for (size_t i = 0; i < peers->n; i++, peer++)
		append(w, list, write_peer(w, trunk, peer));
	return list;
}

static void put_headers(struct writer *w, json_t *object, const struct list *headers)
{
	const struct header *header = headers->items;
	json_t *list;

	if (!headers->n)
		return;
	list = json_array();
	for (size_t i = 0; i < headers->n; i++)
		append(w, list, json_string(header[i].text));
	put(w, object, "headers", list);
}

static json_t *write_trunks(struct writer *w, const struct list *trunks)
{
	const struct trunk *trunk = trunks->items;
	struct store_trunk defaults;
	json_t *all = json_object();

	store_trunk_defaults(&defaults);
	for (size_t i = 0; i < trunks->n; i++, trunk++) {
		json_t *object = json_object();

		put_fields(w, object, &trunk_fields, &trunk->fields, &defaults);
		if (trunk->upstreams.n)
			put(w, object, "upstreams", write_peers(w, trunk->name, &trunk->upstreams));
		if (trunk->destinations.n)
			put(w, object, "destinations",
			    write_peers(w, trunk->name, &trunk->destinations));
		put_headers(w, object, &trunk->headers);
		put_names(w, object, "acls", &trunk->acls);
		put_names(w, object, "credentials", &trunk->credentials);
		put_names(w, object, "callers", &trunk->callers);
		put(w, all, trunk->name, object);
	}
	return all;
}

static json_t *write_document(struct writer *w, const struct state *state)
{
	json_t *document = json_object();

	put(w, document, "sipward", json_pack("{s:i}", "version", DOCUMENT_VERSION));
	put(w, document, "settings", write_settings(w, &state->settings));
	put(w, document, "acls", write_acls(w, &state->acls));
	put(w, document, "credentials", write_lists(w, &state->credentials));
	put(w, document, "trunks", write_trunks(w, &state->trunks));
	return document;
}

static int load(struct store *store, struct state *ret_state, struct error *err)
{
	int rc = store_read_begin(store, err);

	if (rc)
		return rc;
	rc = state_load(store, ret_state, err);
	store_read_end(store);
	return rc;
}

int document_export(struct store *store, const struct document_key *key, json_t **ret_document,
		    struct error *err)
{
	struct writer w = {.sealing = key && key->present};
	struct state state = {0};
	json_t *document = NULL;
	int rc = load(store, &state, err);

	if (rc == 0 && w.sealing)
		rc = seal_init(key, &w.seal);
	if (rc == 0) {
		document = write_document(&w, &state);
		rc = w.failed ? -ENOMEM : 0;
	}
	if (rc == 0)
		*ret_document = document;
	else
		json_decref(document);
	explicit_bzero(&w.seal, sizeof(w.seal));
	state_free(&state);
	return rc == -ENOMEM ? error_set(err, rc, "out of memory") : rc;
}
