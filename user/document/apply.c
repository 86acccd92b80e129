/* SPDX-License-Identifier: BSD-2-Clause */
/* The differences, made by the store's own functions in one transaction: validation, journal and
 * audit are the store's. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/printable.h"
#include "document/fields.h"
#include "document/read.h"
#include "document/tell.h"

#define BATCH 16384 /* entries added or removed at once, with an audit row each time */

struct apply {
	struct store *store;
	struct error *err;
	bool dry_run;
	const char *acl;     /* whose entries are in the batch */
	struct list entries; /* struct store_acl_entry */
};

/* ---- what went wrong ---- */

/* Where in the document it stands. */
static void place_of(const struct difference *d, char *ret_text, size_t size)
{
	const char *section = d->kind == DIFFERENCE_SETTINGS ? "settings"
			      : d->kind <= DIFFERENCE_HOST   ? "acls."
			      : d->kind <= DIFFERENCE_USER   ? "credentials."
							     : "trunks.";

	snprintf(ret_text, size, "%s%s", section, d->object ? d->object : "");
}

/* Puts the place in front of the store's sentence. A document that breaks the store's rules is
 * wrong, whatever the store calls it. */
static int check(struct apply *a, const struct difference *d, int rc)
{
	char place[STORE_NAME_SIZE + 16];
	struct error why = {0};

	if (rc == 0 || rc == -ENOMEM)
		return rc;
	if (rc == -EEXIST || rc == -ENOENT || rc == -EBUSY)
		rc = -EINVAL;
	why = *a->err;
	place_of(d, place, sizeof(place));
	printable(place);
	printable(why.text);
	return error_set(a->err, rc, "%s: %.330s", place, why.text);
}

/* ---- ACL entries, many at once ---- */

static int remove_entries(struct apply *a)
{
	const struct store_acl_entry *entries = a->entries.items;
	struct list prefixes = {0};
	int rc = 0;

	for (size_t i = 0; i < a->entries.n && rc == 0; i++) {
		struct prefix *prefix = list_add(&prefixes, sizeof(*prefix));

		if (prefix)
			*prefix = entries[i].prefix;
		else
			rc = -ENOMEM;
	}
	if (rc == 0)
		rc = store_acl_remove(a->store, a->acl, prefixes.items, prefixes.n, a->err);
	free(prefixes.items);
	return rc;
}

static int flush(struct apply *a, bool removing)
{
	const struct difference d = {.kind = DIFFERENCE_ENTRY, .object = a->acl};
	int rc;

	if (a->entries.n == 0)
		return 0;
	rc = removing ? remove_entries(a)
		      : store_acl_add(a->store, a->acl, a->entries.items, a->entries.n, NULL,
				      a->err);
	a->entries.n = 0;
	return check(a, &d, rc);
}

static int batch(struct apply *a, const struct difference *d, bool removing)
{
	const struct entry *from = removing ? d->was : d->is;
	struct store_acl_entry *entry;
	int rc = 0;

	if (a->entries.n == BATCH || (a->entries.n && strcmp(a->acl, d->object) != 0))
		rc = flush(a, removing);
	if (rc)
		return rc;
	a->acl = d->object;
	entry = list_add(&a->entries, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->prefix = from->prefix;
	entry->deny = from->deny;
	snprintf(entry->note, sizeof(entry->note), "%s", from->note ? from->note : "");
	return 0;
}

/* ---- peers ---- */

static struct store_peer peer_of(const struct difference *d)
{
	const struct peer *from = d->is ? d->is : d->was;
	struct store_peer peer = {
		.role = d->kind == DIFFERENCE_UPSTREAM ? STORE_UPSTREAM : STORE_DESTINATION,
		.priority = from->priority,
		.weight = from->weight,
	};

	strcpy(peer.uri, from->uri);
	return peer;
}

static int put_peer(struct apply *a, const struct difference *d)
{
	const struct store_peer peer = peer_of(d);

	return d->was ? store_peer_set(a->store, d->object, &peer, a->err)
		      : store_peer_add(a->store, d->object, &peer, a->err);
}

static int remove_peer(struct apply *a, const struct difference *d)
{
	const struct store_peer peer = peer_of(d);

	return store_peer_remove(a->store, d->object, &peer, a->err);
}

/* ---- outbound credentials, header fields: those that stand in another order are made anew ---- */

/* What the credential is written from: the document, or what the store had of it. */
static int find_secret(struct apply *a, const struct peer *was, const struct outbound *is,
		       struct store_outbound *ret_outbound)
{
	const struct outbound *had = was ? outbound_find(&was->outbound, is->user) : NULL;
	const struct outbound *from = is->known ? is : had;

	if (!is->known && !(had && had->known && outbound_same_secret(had, is)))
		return error_set(a->err, -EINVAL,
				 "outbound user \"%s\": is new in this realm and has no \"sealed\" "
				 "password; export with --key-file, or add it first",
				 is->user);
	*ret_outbound = (struct store_outbound){
		.registers = is->registers, .expires_s = is->expires_s, .ha1 = from->ha1};
	strcpy(ret_outbound->realm, from->realm);
	return 0;
}

typedef int outbound_write(struct store *store, const struct store_outbound_key *key,
			   const struct store_outbound *outbound, const char *password,
			   struct error *err);

static int write_secret(struct apply *a, const struct difference *d, const struct outbound *is,
			outbound_write *write)
{
	const struct peer *peer = d->is;
	const struct store_outbound_key key = {d->object, peer->uri, is->user};
	struct store_outbound outbound;
	int rc = find_secret(a, d->was, is, &outbound);

	if (rc)
		return rc;
	rc = write(a->store, &key, &outbound,
		   outbound.realm[0] ? NULL : (const char *)&outbound.ha1, a->err);
	explicit_bzero(&outbound, sizeof(outbound));
	return rc;
}

static int change_outbound(struct apply *a, const struct difference *d, const struct outbound *was,
			   const struct outbound *is)
{
	const struct peer *peer = d->is;
	const struct store_outbound_key key = {d->object, peer->uri, is->user};
	const struct store_outbound outbound = {.registers = is->registers,
						.expires_s = is->expires_s};
	int rc = 0;

	if (!outbound_same_registration(was, is))
		rc = store_outbound_set(a->store, &key, &outbound, a->err);
	if (rc == 0 && !outbound_same_secret(was, is))
		rc = write_secret(a, d, is, store_outbound_passwd);
	return rc;
}

static int put_outbound(struct apply *a, const struct difference *d)
{
	static const struct peer none;
	const struct peer *was = d->was ? d->was : &none, *is = d->is;
	const struct outbound *had = was->outbound.items, *has = is->outbound.items;
	size_t kept = list_prefix(&was->outbound, &is->outbound, sizeof(*has));
	int rc = 0;

	for (size_t i = kept; i < was->outbound.n && rc == 0; i++) {
		const struct store_outbound_key key = {d->object, is->uri, had[i].user};

		rc = store_outbound_remove(a->store, &key, a->err);
	}
	for (size_t i = 0; i < is->outbound.n && rc == 0; i++)
		rc = i < kept ? change_outbound(a, d, &had[i], &has[i])
			      : write_secret(a, d, &has[i], store_outbound_add);
	return rc;
}

static int put_headers(struct apply *a, const struct difference *d)
{
	const struct list *was = &((const struct trunk *)d->was)->headers;
	const struct list *is = &((const struct trunk *)d->is)->headers;
	const struct header *had = was->items, *has = is->items;
	size_t kept = list_prefix(was, is, sizeof(*has));
	int rc = 0;

	for (size_t i = kept; i < was->n && rc == 0; i++)
		rc = store_trunk_header_remove(a->store, d->object, had[i].text, a->err);
	for (size_t i = kept; i < is->n && rc == 0; i++)
		rc = store_trunk_header_add(a->store, d->object, has[i].text, a->err);
	return rc;
}

/* ---- the passes, in their order ---- */

/* Settings first, as they say what else may be; then whatever ties things together. */
static int loosen(const struct difference *d, void *arg)
{
	struct apply *a = arg;
	const char *name = d->was;

	if (d->kind == DIFFERENCE_SETTINGS)
		return check(a, d, store_settings_set(a->store, d->is, a->err));
	if (d->is)
		return 0;
	switch (d->kind) {
	case DIFFERENCE_TRUNK:
		return check(a, d, store_trunk_delete(a->store, d->object, a->err));
	case DIFFERENCE_UPSTREAM:
	case DIFFERENCE_DESTINATION:
		return check(a, d, remove_peer(a, d));
	case DIFFERENCE_TRUNK_ACL:
		return check(a, d, store_trunk_detach_acl(a->store, d->object, name, a->err));
	case DIFFERENCE_TRUNK_LIST:
		return check(a, d,
			     store_trunk_detach_credentials(a->store, d->object, name, a->err));
	case DIFFERENCE_TRUNK_CALLER:
		return check(a, d,
			     store_trunk_caller_remove(a->store, d->object, &name, 1, a->err));
	default:
		return 0;
	}
}

/* An entry whose note goes is made anew: adding does not take notes away. */
static bool loses_note(const struct difference *d)
{
	const struct entry *was = d->was, *is = d->is;

	return was && is && was->note && !is->note;
}

/* Before anything is added, so that names and numbers of things are free for it. */
static int take_away(const struct difference *d, void *arg)
{
	struct apply *a = arg;

	if (d->kind == DIFFERENCE_ENTRY && (!d->is || loses_note(d)))
		return batch(a, d, true);
	if (d->is)
		return 0;
	switch (d->kind) {
	case DIFFERENCE_ACL:
		return check(a, d, store_acl_delete(a->store, d->object, a->err));
	case DIFFERENCE_HOST:
		return check(a, d,
			     store_acl_host_remove(a->store, d->object,
						   ((const struct store_acl_host *)d->was)->host,
						   a->err));
	case DIFFERENCE_LIST:
		return check(a, d, store_credentials_delete(a->store, d->object, a->err));
	case DIFFERENCE_USER:
		return check(a, d, store_user_remove(a->store, d->object, d->was, a->err));
	default:
		return 0;
	}
}

static int add_acl(struct apply *a, const struct difference *d)
{
	const struct acl *acl = d->is;

	return d->was ? store_acl_note(a->store, acl->name, acl->note, a->err)
		      : store_acl_create(a->store, acl->name, acl->note, a->err);
}

static int add_host(struct apply *a, const struct difference *d)
{
	const struct store_acl_host *host = d->is, *was = d->was;
	int rc = store_acl_host_add(a->store, d->object, host, a->err);

	if (rc == 0 && was && was->note[0] && !host->note[0])
		rc = store_acl_host_note(a->store, d->object, host->host, "", a->err);
	return rc;
}

static int add_list(struct apply *a, const struct difference *d)
{
	const struct credentials *list = d->is;
	int rc = d->was ? 0 : store_credentials_create(a->store, list->name, list->realm, a->err);

	if (rc == 0 && (d->was || list->at_realm))
		rc = store_credentials_set(a->store, list->name, list->at_realm, a->err);
	return rc;
}

static int add_user(struct apply *a, const struct difference *d)
{
	const struct user *user = d->is;

	if (d->was)
		return store_user_passwd(a->store, d->object, user->name, &user->ha1, a->err);
	if (!user->known)
		return error_set(a->err, -EINVAL,
				 "user \"%s\": is new in this realm and has no sealed \"ha1\"; "
				 "export with --key-file, or add the user first",
				 user->name);
	return store_user_add(a->store, d->object, user->name, &user->ha1, a->err);
}

static int add(const struct difference *d, void *arg)
{
	struct apply *a = arg;

	if (!d->is)
		return 0;
	switch (d->kind) {
	case DIFFERENCE_ACL:
		return check(a, d, add_acl(a, d));
	case DIFFERENCE_ENTRY:
		return batch(a, d, false);
	case DIFFERENCE_HOST:
		return check(a, d, add_host(a, d));
	case DIFFERENCE_LIST:
		return check(a, d, add_list(a, d));
	case DIFFERENCE_USER:
		return check(a, d, add_user(a, d));
	default:
		return 0;
	}
}

static bool moves(const struct difference *d)
{
	static const char *const keys[] = {"domain", "user", "aliases"};
	const struct trunk *was = d->was, *is = d->is;
	bool moved = false;

	if (d->kind != DIFFERENCE_TRUNK || !was || !is)
		return false;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		moved |=
			!field_equal(field_find(&trunk_fields, keys[i]), &was->fields, &is->fields);
	return moved;
}

static int count_moves(const struct difference *d, void *count)
{
	*(size_t *)count += moves(d);
	return 0;
}

/* Trunks that move to other domains first go where none is, as one may get what another has. */
static int park(const struct difference *d, void *arg)
{
	struct apply *a = arg;
	struct store_trunk fields;

	if (!moves(d))
		return 0;
	fields = ((const struct trunk *)d->was)->fields;
	snprintf(fields.domain, sizeof(fields.domain), "trunk-%lld.invalid", (long long)fields.id);
	fields.aliases[0] = '\0';
	return check(a, d, store_trunk_set(a->store, &fields, a->err));
}

static int set_trunk(const struct difference *d, void *arg)
{
	struct apply *a = arg;
	const struct trunk *is = d->is;

	if (d->kind != DIFFERENCE_TRUNK || !d->was || !is)
		return 0;
	return check(a, d, store_trunk_set(a->store, &is->fields, a->err));
}

/* Its upstreams follow as differences of their own. */
static int create_trunk(struct apply *a, const struct difference *d)
{
	const struct trunk *is = d->is;

	return store_trunk_create(a->store, &is->fields, NULL, a->err);
}

static int tie(const struct difference *d, void *arg)
{
	struct apply *a = arg;
	const char *name = d->is;

	if (d->is && (d->kind == DIFFERENCE_UPSTREAM || d->kind == DIFFERENCE_DESTINATION))
		return check(a, d, put_peer(a, d));
	if (d->kind == DIFFERENCE_OUTBOUND)
		return check(a, d, put_outbound(a, d));
	if (d->kind == DIFFERENCE_HEADERS)
		return check(a, d, put_headers(a, d));
	if (d->was)
		return 0;
	switch (d->kind) {
	case DIFFERENCE_TRUNK:
		return check(a, d, create_trunk(a, d));
	case DIFFERENCE_TRUNK_ACL:
		return check(a, d, store_trunk_attach_acl(a->store, d->object, name, a->err));
	case DIFFERENCE_TRUNK_LIST:
		return check(a, d,
			     store_trunk_attach_credentials(a->store, d->object, name, a->err));
	case DIFFERENCE_TRUNK_CALLER:
		return check(a, d, store_trunk_caller_add(a->store, d->object, &name, 1, a->err));
	default:
		return 0;
	}
}

static int change(struct apply *a, const struct state *was, const struct state *is)
{
	size_t moving = 0;
	int rc = state_diff(was, is, loosen, a);

	if (rc == 0)
		rc = state_diff(was, is, take_away, a);
	if (rc == 0)
		rc = flush(a, true);
	if (rc == 0)
		rc = state_diff(was, is, add, a);
	if (rc == 0)
		rc = flush(a, false);
	if (rc == 0)
		rc = state_diff(was, is, count_moves, &moving);
	if (rc == 0 && moving > 1)
		rc = state_diff(was, is, park, a);
	if (rc == 0)
		rc = state_diff(was, is, set_trunk, a);
	return rc ? rc : state_diff(was, is, tie, a);
}

/* ---- the whole ---- */

static int make_equal(struct apply *a, const struct state *is, struct state *ret_was)
{
	int rc = store_change_begin(a->store, a->err), ended;

	if (rc)
		return rc;
	rc = state_load(a->store, ret_was, a->err);
	if (rc == 0)
		rc = change(a, ret_was, is);
	ended = store_change_end(a->store, rc == 0 && !a->dry_run, rc ? NULL : a->err);
	return rc ? rc : ended;
}

int document_apply(struct store *store, const json_t *document, const struct document_key *key,
		   bool dry_run, document_difference *tell, void *arg, size_t *ret_changes,
		   struct error *err)
{
	struct error own; /* what went wrong is read here too */
	struct apply a = {.store = store, .err = err ? err : &own, .dry_run = dry_run};
	struct telling telling = {.tell = tell, .arg = arg};
	struct state was = {0}, is = {0};
	int rc = document_read(document, key, &is, a.err);

	if (rc == 0)
		rc = make_equal(&a, &is, &was);
	if (rc == 0)
		state_diff(&was, &is, difference_tell, &telling);
	if (rc == 0 && ret_changes)
		*ret_changes = telling.count;
	free(a.entries.items);
	state_free(&was);
	state_free(&is);
	return rc == -ENOMEM ? error_set(err, rc, "out of memory") : rc;
}
