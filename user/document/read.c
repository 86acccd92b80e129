/* SPDX-License-Identifier: BSD-2-Clause */
#include "document/read.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/printable.h"
#include "document/fields.h"
#include "document/seal.h"

struct reader {
	struct sealed_key seal;
	bool sealing;
	struct error *err;
	char place[256]; /* "trunks.main.e164" */
};

/* ---- where we are ---- */

/* Steps into a key or, with text such as "[3]", an element; leave() takes what this returns. */
static size_t enter(struct reader *r, const char *key)
{
	size_t n = strlen(r->place);

	snprintf(r->place + n, sizeof(r->place) - n, "%s%s", n && key[0] != '[' ? "." : "", key);
	return n;
}

static size_t enter_element(struct reader *r, size_t i)
{
	char text[24];

	snprintf(text, sizeof(text), "[%zu]", i);
	return enter(r, text);
}

static void leave(struct reader *r, size_t n)
{
	r->place[n] = '\0';
}

__attribute__((format(printf, 2, 3))) static int wrong(struct reader *r, const char *format, ...)
{
	char text[480];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printable(r->place);
	printable(text);
	if (!r->place[0])
		return error_set(r->err, -EINVAL, "the document %s", text);
	return error_set(r->err, -EINVAL, "%s: %s", r->place, text);
}

/* The error that another function has left, with the place in front. */
static int wrong_by(struct reader *r, const struct error *why)
{
	return wrong(r, "%s", why->text);
}

/* ---- kinds of values ---- */

static bool is_one_of(const char *key, const char *keys)
{
	struct slice rest = slice_from(keys);

	while (rest.n) {
		if (slice_eq(slice_cut(rest, '|', &rest), slice_from(key)))
			return true;
	}
	return false;
}

/* An object whose keys are all among those of the table (may be NULL) and "a|b|c". */
static int check_object(struct reader *r, json_t *object, const struct fields *fields,
			const char *keys)
{
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return wrong(r, "must be an object");
	json_object_foreach(object, key, value)
	{
		if (is_one_of(key, keys) || (fields && field_find(fields, key)))
			continue;
		enter(r, key);
		return wrong(r, "is no key that is known here");
	}
	return 0;
}

/* Text that may be missing: "" then. */
static int read_text(struct reader *r, const json_t *object, const char *key, char *ret_text,
		     size_t size)
{
	const json_t *value = json_object_get(object, key);
	struct slice text = {json_string_value(value), json_string_length(value)};
	size_t at;

	if (!value)
		return 0;
	at = enter(r, key);
	if (!json_is_string(value))
		return wrong(r, "must be a string");
	if (text.n >= size)
		return wrong(r, "is longer than %zu bytes", size - 1);
	if (slice_text(text, ret_text, size))
		return wrong(r, "holds a zero byte");
	leave(r, at);
	return 0;
}

static int read_yes(struct reader *r, const json_t *object, const char *key, bool *ret_yes)
{
	const json_t *value = json_object_get(object, key);

	if (value && !json_is_boolean(value)) {
		enter(r, key);
		return wrong(r, "must be true or false");
	}
	*ret_yes = json_is_true(value);
	return 0;
}

/* The name of an object is its key. */
static int read_name(struct reader *r, const char *key, char *ret_name, size_t size)
{
	if (slice_text(slice_from(key), ret_name, size))
		return wrong(r, "the name is longer than %zu bytes", size - 1);
	return 0;
}

static int read_fields(struct reader *r, json_t *object, const struct fields *fields, void *into)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		const struct field *field = field_find(fields, key);
		struct error why;
		size_t at;

		if (!field)
			continue;
		at = enter(r, key);
		if (field_put(field, value, into, &why))
			return wrong_by(r, &why);
		leave(r, at);
	}
	return 0;
}

/* Reads each member of an object that may be missing, or each element of a list, into one more
 * item. */
struct items {
	struct list *list;
	size_t size;
	int (*read)(struct reader *r, const char *key, json_t *value, void *item);
};

static int read_members(struct reader *r, json_t *object, const struct items *items)
{
	const char *key;
	json_t *value;

	if (object && !json_is_object(object))
		return wrong(r, "must be an object");
	json_object_foreach(object, key, value)
	{
		void *item = list_add(items->list, items->size);
		size_t at = enter(r, key);
		int rc = item ? items->read(r, key, value, item) : -ENOMEM;

		if (rc)
			return rc;
		leave(r, at);
	}
	list_sort(items->list, items->size, name_order);
	return 0;
}

static int read_elements(struct reader *r, json_t *array, const struct items *items)
{
	json_t *value;
	size_t i;

	if (array && !json_is_array(array))
		return wrong(r, "must be a list");
	json_array_foreach(array, i, value)
	{
		void *item = list_add(items->list, items->size);
		size_t at = enter_element(r, i);
		int rc = item ? items->read(r, NULL, value, item) : -ENOMEM;

		if (rc)
			return rc;
		leave(r, at);
	}
	return 0;
}

/* ---- ACLs ---- */

/* "TEXT" or {key: "TEXT", "deny": …, "note": …}. */
struct rule {
	char text[STORE_DOMAIN_SIZE];
	char note[STORE_NOTE_SIZE];
	bool deny;
};

static int read_rule(struct reader *r, json_t *value, const char *key, struct rule *ret_rule)
{
	char keys[32];
	int rc;

	*ret_rule = (struct rule){0};
	if (json_is_string(value)) {
		if (slice_text((struct slice){json_string_value(value), json_string_length(value)},
			       ret_rule->text, sizeof(ret_rule->text)))
			return wrong(r, "is longer than %zu bytes", sizeof(ret_rule->text) - 1);
		return 0;
	}
	if (!json_is_object(value))
		return wrong(r, "must be a string, or an object with \"%s\"", key);
	snprintf(keys, sizeof(keys), "%s|deny|note", key);
	rc = check_object(r, value, NULL, keys);
	if (rc == 0)
		rc = read_text(r, value, key, ret_rule->text, sizeof(ret_rule->text));
	if (rc == 0)
		rc = read_text(r, value, "note", ret_rule->note, sizeof(ret_rule->note));
	return rc ? rc : read_yes(r, value, "deny", &ret_rule->deny);
}

static int read_entry(struct reader *r, const char *key, json_t *value, void *item)
{
	struct entry *entry = item;
	struct error why;
	struct rule rule;
	int rc = read_rule(r, value, "prefix", &rule);

	(void)key;
	if (rc)
		return rc;
	if (prefix_parse(slice_from(rule.text), &entry->prefix, &why))
		return wrong_by(r, &why);
	entry->deny = rule.deny;
	return entry_note(entry, rule.note);
}

static int read_entries(struct reader *r, json_t *array, struct list *entries)
{
	int rc =
		read_elements(r, array, &(struct items){entries, sizeof(struct entry), read_entry});
	const struct entry *twice;
	char text[PREFIX_TEXT_SIZE];

	if (rc)
		return rc;
	twice = list_sort(entries, sizeof(struct entry), entry_order);
	if (!twice)
		return 0;
	prefix_format(&twice->prefix, text);
	return wrong(r, "%s is given twice", text);
}

static int read_host(struct reader *r, const char *key, json_t *value, void *item)
{
	struct store_acl_host *host = item;
	struct rule rule;
	int rc = read_rule(r, value, "host", &rule);
	size_t n = strlen(rule.text);

	(void)key;
	if (rc)
		return rc;
	/* As the store keeps it, so that an unchanged one is seen to be the same. */
	for (size_t i = 0; i < n; i++)
		host->host[i] = rule.text[i] >= 'A' && rule.text[i] <= 'Z' ? rule.text[i] + 32
									   : rule.text[i];
	if (n > 1 && host->host[n - 1] == '.')
		host->host[n - 1] = '\0';
	host->deny = rule.deny;
	strcpy(host->note, rule.note);
	return 0;
}

static int read_hosts(struct reader *r, json_t *array, struct list *hosts)
{
	int rc = read_elements(r, array,
			       &(struct items){hosts, sizeof(struct store_acl_host), read_host});
	const struct store_acl_host *twice;

	if (rc)
		return rc;
	twice = list_sort(hosts, sizeof(struct store_acl_host), host_order);
	return twice ? wrong(r, "%s is given twice", twice->host) : 0;
}

static int read_acl(struct reader *r, const char *key, json_t *value, void *item)
{
	struct acl *acl = item;
	int rc = check_object(r, value, NULL, "note|entries|hosts");
	size_t at;

	if (rc == 0)
		rc = read_name(r, key, acl->name, sizeof(acl->name));
	if (rc == 0)
		rc = read_text(r, value, "note", acl->note, sizeof(acl->note));
	if (rc)
		return rc;
	at = enter(r, "entries");
	rc = read_entries(r, json_object_get(value, "entries"), &acl->entries);
	if (rc)
		return rc;
	leave(r, at);
	enter(r, "hosts");
	return read_hosts(r, json_object_get(value, "hosts"), &acl->hosts);
}

/* ---- credential lists ---- */

static int open_ha1(struct reader *r, const struct credentials *list, const json_t *value,
		    struct user *user)
{
	const struct seal_owner owner = {list->name, user->name, list->realm};
	const struct slice text = {json_string_value(value), json_string_length(value)};
	int rc;

	enter(r, "ha1");
	if (!json_is_string(value))
		return wrong(r, "must be a string");
	if (!r->sealing)
		return wrong(r, "is sealed; --key-file names the key that opens it");
	rc = seal_read(&r->seal, &owner, text, &user->ha1);
	if (rc == -EBADMSG)
		return wrong(r, "does not open: it was sealed with another key, or for another "
				"user, list or realm, or has been changed");
	if (rc == -EINVAL)
		return wrong(r, "is no sealed HA1 (\"v1:...\"), or not all of one");
	user->known = rc == 0;
	return rc;
}

static int read_user(struct reader *r, const struct credentials *list, const char *key,
		     json_t *value, struct user *user)
{
	const json_t *ha1 = json_object_get(value, "ha1");
	int rc = check_object(r, value, NULL, "ha1");

	if (rc == 0)
		rc = read_name(r, key, user->name, sizeof(user->name));
	if (rc == 0 && ha1)
		rc = open_ha1(r, list, ha1, user);
	return rc;
}

static int read_users(struct reader *r, json_t *object, struct credentials *list)
{
	const char *key;
	json_t *value;

	if (object && !json_is_object(object))
		return wrong(r, "must be an object");
	json_object_foreach(object, key, value)
	{
		struct user *user = list_add(&list->users, sizeof(*user));
		size_t at = enter(r, key);
		int rc = user ? read_user(r, list, key, value, user) : -ENOMEM;

		if (rc)
			return rc;
		leave(r, at);
	}
	list_sort(&list->users, sizeof(struct user), name_order);
	return 0;
}

static int read_list(struct reader *r, const char *key, json_t *value, void *item)
{
	struct credentials *list = item;
	int rc = check_object(r, value, NULL, "realm|user-at-realm|users");

	if (rc == 0)
		rc = read_name(r, key, list->name, sizeof(list->name));
	if (rc == 0)
		rc = read_text(r, value, "realm", list->realm, sizeof(list->realm));
	if (rc == 0)
		rc = read_yes(r, value, "user-at-realm", &list->at_realm);
	if (rc)
		return rc;
	if (!list->realm[0])
		return wrong(r, "needs a \"realm\"");
	enter(r, "users");
	return read_users(r, json_object_get(value, "users"), list);
}

/* ---- trunks ---- */

static int read_attached(struct reader *r, const char *key, json_t *value, void *item)
{
	struct slice text = {json_string_value(value), json_string_length(value)};
	struct name *name = item;

	(void)key;
	if (!json_is_string(value) || slice_text(text, name->text, sizeof(name->text)))
		return wrong(r, "must be a string of at most %zu bytes", sizeof(name->text) - 1);
	return 0;
}

struct peers {
	struct list *list;
	enum store_peer_role role;
};

static int read_share(struct reader *r, const json_t *object, const char *key, unsigned *ret_share)
{
	const json_t *value = json_object_get(object, key);
	json_int_t share = json_integer_value(value);

	if (value && (!json_is_integer(value) || share < 0 || share > UINT16_MAX)) {
		enter(r, key);
		return wrong(r, "must be a whole number from 0 to %d", UINT16_MAX);
	}
	if (value)
		*ret_share = (unsigned)share;
	return 0;
}

/* "URI" or {"uri": "URI", "priority": …, "weight": …}. */
static int read_peer(struct reader *r, json_t *value, enum store_peer_role role, struct peer *peer)
{
	struct store_peer_uri uri;
	struct error why;
	int rc = 0;

	peer->priority = STORE_PEER_PRIORITY;
	peer->weight = STORE_PEER_WEIGHT;
	if (json_is_object(value)) {
		rc = check_object(r, value, NULL, "uri|priority|weight");
		if (rc == 0)
			rc = read_text(r, value, "uri", peer->uri, sizeof(peer->uri));
		if (rc == 0)
			rc = read_share(r, value, "priority", &peer->priority);
		if (rc == 0)
			rc = read_share(r, value, "weight", &peer->weight);
	} else if (!json_is_string(value) ||
		   slice_text((struct slice){json_string_value(value), json_string_length(value)},
			      peer->uri, sizeof(peer->uri))) {
		return wrong(r, "must be a SIP URI, or an object with \"uri\"");
	}
	if (rc == 0 && store_peer_uri_parse(peer->uri, role, &uri, &why))
		rc = wrong_by(r, &why);
	if (rc == 0)
		strcpy(peer->uri, uri.text);
	return rc;
}

static int read_peers(struct reader *r, json_t *array, const struct peers *peers)
{
	const struct peer *twice;
	json_t *value;
	size_t i;

	if (array && !json_is_array(array))
		return wrong(r, "must be a list");
	json_array_foreach(array, i, value)
	{
		struct peer *peer = list_add(peers->list, sizeof(*peer));
		size_t at = enter_element(r, i);
		int rc = peer ? read_peer(r, value, peers->role, peer) : -ENOMEM;

		if (rc)
			return rc;
		leave(r, at);
	}
	twice = list_sort(peers->list, sizeof(struct peer), name_order);
	return twice ? wrong(r, "%s is given twice", twice->uri) : 0;
}

/* "upstream" is what documents have that were written when a trunk had one. */
static int read_trunk_peers(struct reader *r, const json_t *object, struct trunk *trunk)
{
	const struct {
		const char *key;
		struct peers peers;
	} lists[] = {
		{"upstreams", {&trunk->upstreams, STORE_UPSTREAM}},
		{"destinations", {&trunk->destinations, STORE_DESTINATION}},
	};
	json_t *one = json_object_get(object, "upstream");
	struct peer *peer = one ? list_add(&trunk->upstreams, sizeof(*peer)) : NULL;
	size_t at = enter(r, "upstream");
	int rc = 0;

	if (one)
		rc = peer ? read_peer(r, one, STORE_UPSTREAM, peer) : -ENOMEM;
	for (size_t i = 0; i < 2 && rc == 0; i++) {
		leave(r, at);
		at = enter(r, lists[i].key);
		rc = read_peers(r, json_object_get(object, lists[i].key), &lists[i].peers);
	}
	if (rc == 0)
		leave(r, at);
	return rc;
}

static int read_names(struct reader *r, const json_t *object, const char *key,
		      struct list *ret_names)
{
	const struct items items = {ret_names, sizeof(struct name), read_attached};
	size_t at = enter(r, key);
	int rc = read_elements(r, json_object_get(object, key), &items);
	const struct name *twice;

	if (rc)
		return rc;
	twice = list_sort(ret_names, sizeof(struct name), name_order);
	if (twice)
		return wrong(r, "\"%s\" is given twice", twice->text);
	leave(r, at);
	return 0;
}

static int read_trunk(struct reader *r, const char *key, json_t *value, void *item)
{
	struct trunk *trunk = item;
	struct error why;
	int rc = check_object(r, value, &trunk_fields,
			      "upstream|upstreams|destinations|acls|credentials|callers");

	store_trunk_defaults(&trunk->fields);
	if (rc == 0)
		rc = read_name(r, key, trunk->name, sizeof(trunk->name));
	strcpy(trunk->fields.name, trunk->name);
	if (rc == 0)
		rc = read_fields(r, value, &trunk_fields, &trunk->fields);
	if (rc == 0)
		rc = read_trunk_peers(r, value, trunk);
	if (rc == 0)
		rc = read_names(r, value, "acls", &trunk->acls);
	if (rc == 0)
		rc = read_names(r, value, "credentials", &trunk->credentials);
	if (rc == 0)
		rc = read_names(r, value, "callers", &trunk->callers);
	if (rc)
		return rc;
	return store_trunk_check(&trunk->fields, &why) ? wrong_by(r, &why) : 0;
}

/* ---- the whole ---- */

static int check_attached(struct reader *r, const struct list *names, const char *key,
			  const struct list *all, size_t size)
{
	const struct name *name = names->items;

	for (size_t i = 0; i < names->n; i++, name++) {
		if (all->n && bsearch(name, all->items, all->n, size, name_order))
			continue;
		enter(r, key);
		return wrong(r, "\"%s\" is not in the document", name->text);
	}
	return 0;
}

static int check_references(struct reader *r, const struct state *state)
{
	const struct trunk *trunk = state->trunks.items;
	int rc = 0;

	for (size_t i = 0; i < state->trunks.n && rc == 0; i++, trunk++) {
		enter(r, "trunks");
		enter(r, trunk->name);
		rc = check_attached(r, &trunk->acls, "acls", &state->acls, sizeof(struct acl));
		if (rc == 0)
			rc = check_attached(r, &trunk->credentials, "credentials",
					    &state->credentials, sizeof(struct credentials));
		if (rc == 0)
			leave(r, 0);
	}
	return rc;
}

static int read_version(struct reader *r, const json_t *document)
{
	json_t *header = json_object_get(document, "sipward");
	const json_t *version = json_object_get(header, "version");
	int rc;

	enter(r, "sipward");
	rc = check_object(r, header, NULL, "version");
	if (rc)
		return rc;
	enter(r, "version");
	if (!json_is_integer(version) || json_integer_value(version) != DOCUMENT_VERSION)
		return wrong(r, "must be %d, the version of documents that this sipward reads",
			     DOCUMENT_VERSION);
	leave(r, 0);
	return 0;
}

static int read_settings(struct reader *r, const json_t *document, struct store_settings *settings)
{
	json_t *object = json_object_get(document, "settings");
	int rc;

	if (!object)
		return 0;
	enter(r, "settings");
	rc = check_object(r, object, &setting_fields, "");
	if (rc == 0)
		rc = read_fields(r, object, &setting_fields, settings);
	if (rc == 0)
		leave(r, 0);
	return rc;
}

static int read_section(struct reader *r, const json_t *document, const char *key,
			struct items items)
{
	int rc;

	enter(r, key);
	rc = read_members(r, json_object_get(document, key), &items);
	if (rc == 0)
		leave(r, 0);
	return rc;
}

static int read_all(struct reader *r, json_t *document, struct state *state)
{
	int rc = check_object(r, document, NULL, "sipward|settings|acls|credentials|trunks");

	if (rc == 0)
		rc = read_version(r, document);
	if (rc == 0)
		rc = read_settings(r, document, &state->settings);
	if (rc == 0)
		rc = read_section(r, document, "acls",
				  (struct items){&state->acls, sizeof(struct acl), read_acl});
	if (rc == 0)
		rc = read_section(
			r, document, "credentials",
			(struct items){&state->credentials, sizeof(struct credentials), read_list});
	if (rc == 0)
		rc = read_section(r, document, "trunks",
				  (struct items){&state->trunks, sizeof(struct trunk), read_trunk});
	return rc ? rc : check_references(r, state);
}

int document_read(const json_t *document, const struct document_key *key, struct state *ret_state,
		  struct error *err)
{
	struct reader r = {.sealing = key && key->present, .err = err};
	struct state state;
	int rc = r.sealing ? seal_init(key, &r.seal) : 0;

	state_init(&state);
	if (rc == 0)
		rc = read_all(&r, (json_t *)document, &state);
	explicit_bzero(&r.seal, sizeof(r.seal));
	if (rc)
		state_free(&state);
	else
		*ret_state = state;
	return rc;
}
