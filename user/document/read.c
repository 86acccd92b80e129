/* SPDX-License-Identifier: BSD-2-Clause */
#include "document/read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "document/reader.h"

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
			return reader_wrong(r, "is longer than %zu bytes",
					    sizeof(ret_rule->text) - 1);
		return 0;
	}
	if (!json_is_object(value))
		return reader_wrong(r, "must be a string, or an object with \"%s\"", key);
	snprintf(keys, sizeof(keys), "%s|deny|note", key);
	rc = reader_check(r, value, NULL, keys);
	if (rc == 0)
		rc = reader_text(r, value, key, ret_rule->text, sizeof(ret_rule->text));
	if (rc == 0)
		rc = reader_text(r, value, "note", ret_rule->note, sizeof(ret_rule->note));
	return rc ? rc : reader_yes(r, value, "deny", &ret_rule->deny);
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
		return reader_wrong_by(r, &why);
	entry->deny = rule.deny;
	return entry_note(entry, rule.note);
}

static int read_entries(struct reader *r, json_t *array, struct list *entries)
{
	int rc = reader_elements(r, array,
				 &(struct items){entries, sizeof(struct entry), read_entry});
	const struct entry *twice;
	char text[PREFIX_TEXT_SIZE];

	if (rc)
		return rc;
	twice = list_sort(entries, sizeof(struct entry), entry_order);
	if (!twice)
		return 0;
	prefix_format(&twice->prefix, text);
	return reader_wrong(r, "%s is given twice", text);
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
	int rc = reader_elements(r, array,
				 &(struct items){hosts, sizeof(struct store_acl_host), read_host});
	const struct store_acl_host *twice;

	if (rc)
		return rc;
	twice = list_sort(hosts, sizeof(struct store_acl_host), host_order);
	return twice ? reader_wrong(r, "%s is given twice", twice->host) : 0;
}

static int read_acl(struct reader *r, const char *key, json_t *value, void *item)
{
	struct acl *acl = item;
	int rc = reader_check(r, value, NULL, "note|entries|hosts");
	size_t at;

	if (rc == 0)
		rc = reader_name(r, key, acl->name, sizeof(acl->name));
	if (rc == 0)
		rc = reader_text(r, value, "note", acl->note, sizeof(acl->note));
	if (rc)
		return rc;
	at = reader_enter(r, "entries");
	rc = read_entries(r, json_object_get(value, "entries"), &acl->entries);
	if (rc)
		return rc;
	reader_leave(r, at);
	reader_enter(r, "hosts");
	return read_hosts(r, json_object_get(value, "hosts"), &acl->hosts);
}

/* ---- credential lists ---- */

static int open_ha1(struct reader *r, const struct credentials *list, const json_t *value,
		    struct user *user)
{
	const struct seal_owner owner = {list->name, user->name, list->realm, NULL};
	const struct slice text = {json_string_value(value), json_string_length(value)};
	int rc;

	reader_enter(r, "ha1");
	if (!json_is_string(value))
		return reader_wrong(r, "must be a string");
	if (!r->sealing)
		return reader_wrong(r, "is sealed; --key-file names the key that opens it");
	rc = seal_read(&r->seal, &owner, text, &user->ha1);
	if (rc == -EBADMSG)
		return reader_wrong(r,
				    "does not open: it was sealed with another key, or for another "
				    "user, list or realm, or has been changed");
	if (rc == -EINVAL)
		return reader_wrong(r, "is no sealed HA1 (\"v1:...\"), or not all of one");
	user->known = rc == 0;
	return rc;
}

static int read_user(struct reader *r, const struct credentials *list, const char *key,
		     json_t *value, struct user *user)
{
	const json_t *ha1 = json_object_get(value, "ha1");
	int rc = reader_check(r, value, NULL, "ha1");

	if (rc == 0)
		rc = reader_name(r, key, user->name, sizeof(user->name));
	if (rc == 0 && ha1)
		rc = open_ha1(r, list, ha1, user);
	return rc;
}

static int read_users(struct reader *r, json_t *object, struct credentials *list)
{
	const char *key;
	json_t *value;

	if (object && !json_is_object(object))
		return reader_wrong(r, "must be an object");
	json_object_foreach(object, key, value)
	{
		struct user *user = list_add(&list->users, sizeof(*user));
		size_t at = reader_enter(r, key);
		int rc = user ? read_user(r, list, key, value, user) : -ENOMEM;

		if (rc)
			return rc;
		reader_leave(r, at);
	}
	list_sort(&list->users, sizeof(struct user), name_order);
	return 0;
}

static int read_list(struct reader *r, const char *key, json_t *value, void *item)
{
	struct credentials *list = item;
	int rc = reader_check(r, value, NULL, "realm|user-at-realm|users");

	if (rc == 0)
		rc = reader_name(r, key, list->name, sizeof(list->name));
	if (rc == 0)
		rc = reader_text(r, value, "realm", list->realm, sizeof(list->realm));
	if (rc == 0)
		rc = reader_yes(r, value, "user-at-realm", &list->at_realm);
	if (rc)
		return rc;
	if (!list->realm[0])
		return reader_wrong(r, "needs a \"realm\"");
	reader_enter(r, "users");
	return read_users(r, json_object_get(value, "users"), list);
}

/* ---- the whole ---- */

static int check_attached(struct reader *r, const struct list *names, const char *key,
			  const struct list *all, size_t size)
{
	const struct name *name = names->items;

	for (size_t i = 0; i < names->n; i++, name++) {
		if (all->n && bsearch(name, all->items, all->n, size, name_order))
			continue;
		reader_enter(r, key);
		return reader_wrong(r, "\"%s\" is not in the document", name->text);
	}
	return 0;
}

static int check_references(struct reader *r, const struct state *state)
{
	const struct trunk *trunk = state->trunks.items;
	int rc = 0;

	for (size_t i = 0; i < state->trunks.n && rc == 0; i++, trunk++) {
		reader_enter(r, "trunks");
		reader_enter(r, trunk->name);
		rc = check_attached(r, &trunk->acls, "acls", &state->acls, sizeof(struct acl));
		if (rc == 0)
			rc = check_attached(r, &trunk->credentials, "credentials",
					    &state->credentials, sizeof(struct credentials));
		if (rc == 0)
			reader_leave(r, 0);
	}
	return rc;
}

static int read_version(struct reader *r, const json_t *document)
{
	json_t *header = json_object_get(document, "sipward");
	const json_t *version = json_object_get(header, "version");
	int rc;

	reader_enter(r, "sipward");
	rc = reader_check(r, header, NULL, "version");
	if (rc)
		return rc;
	reader_enter(r, "version");
	if (!json_is_integer(version) || json_integer_value(version) != DOCUMENT_VERSION)
		return reader_wrong(r,
				    "must be %d, the version of documents that this sipward reads",
				    DOCUMENT_VERSION);
	reader_leave(r, 0);
	return 0;
}

static int read_settings(struct reader *r, const json_t *document, struct store_settings *settings)
{
	json_t *object = json_object_get(document, "settings");
	int rc;

	if (!object)
		return 0;
	reader_enter(r, "settings");
	rc = reader_check(r, object, &setting_fields, "");
	if (rc == 0)
		rc = reader_fields(r, object, &setting_fields, settings);
	if (rc == 0)
		reader_leave(r, 0);
	return rc;
}

static int read_section(struct reader *r, const json_t *document, const char *key,
			struct items items)
{
	int rc;

	reader_enter(r, key);
	rc = reader_members(r, json_object_get(document, key), &items);
	if (rc == 0)
		reader_leave(r, 0);
	return rc;
}

static int read_all(struct reader *r, json_t *document, struct state *state)
{
	int rc = reader_check(r, document, NULL, "sipward|settings|acls|credentials|trunks");

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
