/* SPDX-License-Identifier: BSD-2-Clause */
/* Differences in words. */
#include "document/tell.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/printable.h"
#include "document/fields.h"

#define LINE_SIZE 4096
#define RULE_SIZE (STORE_NOTE_SIZE + 16)

__attribute__((format(printf, 3, 4))) static void line(struct telling *telling, char sign,
						       const char *format, ...)
{
	char text[LINE_SIZE];
	va_list args;

	telling->count++;
	if (!telling->tell)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printable(text);
	telling->tell(sign, text, telling->arg);
}

/* A field as in the document. NULL: out of memory. */
static char *field_text(const struct field *field, const void *object)
{
	json_t *value = field_get(field, object);
	char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

	json_decref(value);
	return text;
}

/* What the fields belong to: "settings" or "trunk NAME". was may be NULL. */
static void tell_field(struct telling *telling, const char *what, const struct field *field,
		       const void *was, const void *is)
{
	char *from = was ? field_text(field, was) : NULL, *to = field_text(field, is);

	if (was)
		line(telling, '~', "%s %s: %s -> %s", what, field->key, from ? from : "?",
		     to ? to : "?");
	else
		line(telling, '+', "%s %s %s", what, field->key, to ? to : "?");
	free(from);
	free(to);
}

static void tell_settings(struct telling *telling, const struct difference *d)
{
	for (size_t i = 0; i < setting_fields.n; i++) {
		const struct field *field = &setting_fields.list[i];

		if (!field_equal(field, d->was, d->is))
			tell_field(telling, "settings", field, d->was, d->is);
	}
}

static void tell_trunk(struct telling *telling, const struct difference *d)
{
	const struct trunk *was = d->was, *is = d->is;
	char what[STORE_NAME_SIZE + 8];
	struct store_trunk defaults;

	snprintf(what, sizeof(what), "trunk %s", d->object);
	if (!was || !is)
		line(telling, difference_sign(d), "%s", what);
	store_trunk_defaults(&defaults);
	for (size_t i = 0; is && i < trunk_fields.n; i++) {
		const struct field *field = &trunk_fields.list[i];

		if (!field_equal(field, was ? &was->fields : &defaults, &is->fields))
			tell_field(telling, what, field, was ? &was->fields : NULL, &is->fields);
	}
}

static void tell_peer(struct telling *telling, const struct difference *d)
{
	const struct peer *was = d->was, *is = d->is, *peer = is ? is : was;
	const char *role = d->kind == DIFFERENCE_UPSTREAM ? "upstream" : "destination";

	if (was && is)
		line(telling, '~', "trunk %s %s %s: priority %u, weight %u -> %u, %u", d->object,
		     role, peer->uri, was->priority, was->weight, is->priority, is->weight);
	else
		line(telling, difference_sign(d), "trunk %s %s %s", d->object, role, peer->uri);
}

static void tell_outbound_user(struct telling *telling, const char *what,
			       const struct outbound *was, const struct outbound *is)
{
	static const char *const yes[] = {"false", "true"};

	if (!was)
		line(telling, '+', "%s %s", what, is->user);
	if (was && !outbound_same_registration(was, is))
		line(telling, '~', "%s %s: register %s, expires %u -> %s, %u", what, is->user,
		     yes[was->registers], was->expires_s, yes[is->registers], is->expires_s);
	if (was && !outbound_same_secret(was, is))
		line(telling, '~', "%s %s: another realm or password", what, is->user);
}

static void tell_outbound(struct telling *telling, const struct difference *d)
{
	static const struct peer none;
	const struct peer *was = d->was ? d->was : &none, *is = d->is;
	const struct outbound *had = was->outbound.items, *has = is->outbound.items;
	char what[STORE_NAME_SIZE + STORE_URI_SIZE + 32];
	size_t before = telling->count;

	snprintf(what, sizeof(what), "trunk %s upstream %s outbound", d->object, is->uri);
	for (size_t i = 0; i < was->outbound.n; i++) {
		if (!outbound_find(&is->outbound, had[i].user))
			line(telling, '-', "%s %s", what, had[i].user);
	}
	for (size_t i = 0; i < is->outbound.n; i++)
		tell_outbound_user(telling, what, outbound_find(&was->outbound, has[i].user),
				   &has[i]);
	if (telling->count == before)
		line(telling, '~', "%s: another order", what);
}

static bool has_header(const struct list *headers, const char *text)
{
	const struct header *header = headers->items;

	for (size_t i = 0; i < headers->n; i++) {
		if (strcmp(header[i].text, text) == 0)
			return true;
	}
	return false;
}

static void tell_headers(struct telling *telling, const struct difference *d)
{
	const struct list *was = &((const struct trunk *)d->was)->headers;
	const struct list *is = &((const struct trunk *)d->is)->headers;
	const struct header *had = was->items, *has = is->items;
	size_t before = telling->count;

	for (size_t i = 0; i < was->n; i++) {
		if (!has_header(is, had[i].text))
			line(telling, '-', "trunk %s header %s", d->object, had[i].text);
	}
	for (size_t i = 0; i < is->n; i++) {
		if (!has_header(was, has[i].text))
			line(telling, '+', "trunk %s header %s", d->object, has[i].text);
	}
	if (telling->count == before)
		line(telling, '~', "trunk %s headers: another order", d->object);
}

static void tell_acl(struct telling *telling, const struct difference *d)
{
	const struct acl *was = d->was, *is = d->is;
	const char *note = is ? is->note : "";

	if (was && is)
		line(telling, '~', "acl %s note: \"%s\" -> \"%s\"", d->object, was->note, note);
	else
		line(telling, difference_sign(d), "acl %s%s%s", d->object, note[0] ? " # " : "",
		     note);
}

/* "allow", "deny # a note" */
static const char *rule_text(bool deny, const char *note, char text[RULE_SIZE])
{
	bool noted = note && note[0];

	snprintf(text, RULE_SIZE, "%s%s%s", deny ? "deny" : "allow", noted ? " # " : "",
		 noted ? note : "");
	return text;
}

/* was and is: rule texts, or NULL. */
static void tell_rule(struct telling *telling, const struct difference *d, const char *what,
		      const char *was, const char *is)
{
	if (was && is)
		line(telling, '~', "acl %s %s: %s -> %s", d->object, what, was, is);
	else
		line(telling, difference_sign(d), "acl %s %s%s%s", d->object, what,
		     !is || strcmp(is, "allow") == 0 ? "" : " ",
		     !is || strcmp(is, "allow") == 0 ? "" : is);
}

static void tell_entry(struct telling *telling, const struct difference *d)
{
	char from[RULE_SIZE], to[RULE_SIZE], prefix[PREFIX_TEXT_SIZE], what[PREFIX_TEXT_SIZE + 8];
	const struct entry *was = d->was, *is = d->is;

	prefix_format(is ? &is->prefix : &was->prefix, prefix);
	snprintf(what, sizeof(what), "entry %s", prefix);
	tell_rule(telling, d, what, was ? rule_text(was->deny, was->note, from) : NULL,
		  is ? rule_text(is->deny, is->note, to) : NULL);
}

static void tell_host(struct telling *telling, const struct difference *d)
{
	char from[RULE_SIZE], to[RULE_SIZE], what[STORE_DOMAIN_SIZE + 8];
	const struct store_acl_host *was = d->was, *is = d->is;

	snprintf(what, sizeof(what), "host %s", is ? is->host : was->host);
	tell_rule(telling, d, what, was ? rule_text(was->deny, was->note, from) : NULL,
		  is ? rule_text(is->deny, is->note, to) : NULL);
}

static void tell_list(struct telling *telling, const struct difference *d)
{
	static const char *const yes[] = {"false", "true"};
	const struct credentials *was = d->was, *is = d->is;

	if (was && is)
		line(telling, '~', "credentials %s user-at-realm: %s -> %s", d->object,
		     yes[was->at_realm], yes[is->at_realm]);
	else
		line(telling, difference_sign(d), "credentials %s realm \"%s\"%s", d->object,
		     is ? is->realm : was->realm, is && is->at_realm ? " user-at-realm true" : "");
}

/* Kinds that are a name in something. */
static void tell_name(struct telling *telling, const struct difference *d)
{
	static const char *const words[][2] = {
		[DIFFERENCE_USER] = {"credentials", "user"},
		[DIFFERENCE_TRUNK_ACL] = {"trunk", "acl"},
		[DIFFERENCE_TRUNK_LIST] = {"trunk", "credentials"},
		[DIFFERENCE_TRUNK_CALLER] = {"trunk", "caller"},
	};
	const char *name = d->is ? d->is : d->was;

	line(telling, difference_sign(d), "%s %s %s %s%s", words[d->kind][0], d->object,
	     words[d->kind][1], name, d->was && d->is ? ": another password" : "");
}

int difference_tell(const struct difference *d, void *telling)
{
	switch (d->kind) {
	case DIFFERENCE_SETTINGS:
		tell_settings(telling, d);
		break;
	case DIFFERENCE_TRUNK:
		tell_trunk(telling, d);
		break;
	case DIFFERENCE_UPSTREAM:
	case DIFFERENCE_DESTINATION:
		tell_peer(telling, d);
		break;
	case DIFFERENCE_OUTBOUND:
		tell_outbound(telling, d);
		break;
	case DIFFERENCE_HEADERS:
		tell_headers(telling, d);
		break;
	case DIFFERENCE_ACL:
		tell_acl(telling, d);
		break;
	case DIFFERENCE_ENTRY:
		tell_entry(telling, d);
		break;
	case DIFFERENCE_HOST:
		tell_host(telling, d);
		break;
	case DIFFERENCE_LIST:
		tell_list(telling, d);
		break;
	case DIFFERENCE_USER:
	case DIFFERENCE_TRUNK_ACL:
	case DIFFERENCE_TRUNK_LIST:
	case DIFFERENCE_TRUNK_CALLER:
		tell_name(telling, d);
		break;
	}
	return 0;
}
