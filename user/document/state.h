/* SPDX-License-Identifier: BSD-2-Clause */
/* A configuration in memory, as the store has it or as a document wants it. Every list is sorted
 * as the store sorts it, so that two can be compared by walking along both. */
#ifndef SIPWARD_DOCUMENT_STATE_H
#define SIPWARD_DOCUMENT_STATE_H

#include "store/store.h"

struct list {
	void *items;
	size_t n;
};

/* An ACL may hold a million: no larger than it must be. */
struct entry {
	struct prefix prefix;
	bool deny;
	char *note; /* NULL = none */
};

struct acl {
	char name[STORE_NAME_SIZE];
	char note[STORE_NOTE_SIZE];
	struct list entries; /* struct entry, those of host names left out */
	struct list hosts;   /* struct store_acl_host */
};

struct user {
	char name[STORE_USER_SIZE];
	bool known; /* false: the document leaves the HA1s as they are */
	struct store_ha1 ha1;
};

struct credentials {
	char name[STORE_NAME_SIZE];
	char realm[STORE_NAME_SIZE];
	bool at_realm;
	struct list users; /* struct user */
};

struct name {
	char text[STORE_NAME_SIZE];
};

struct outbound {
	char user[STORE_NAME_SIZE];
	char realm[STORE_NAME_SIZE]; /* empty: not known */
	bool registers;
	unsigned expires_s;
	bool known; /* false: the document leaves realm (if empty) and secret as they are */
	struct store_ha1 ha1; /* without a realm the password, as text in its place */
};

struct peer {
	char uri[STORE_URI_SIZE]; /* as the store keeps it */
	unsigned priority, weight;
	struct list outbound; /* struct outbound, in the store's order; of upstreams */
};

struct header {
	char text[STORE_HEADER_NAME_SIZE + STORE_HEADER_VALUE_SIZE + 1]; /* "Name: value" */
};

struct trunk {
	char name[STORE_NAME_SIZE];
	struct store_trunk fields;
	struct list upstreams, destinations;	/* struct peer */
	struct list headers;			/* struct header, in the store's order */
	struct list acls, credentials, callers; /* struct name */
};

struct state {
	struct store_settings settings;
	struct list acls, credentials, trunks;
};

/* A zeroed element at the end, or NULL: out of memory. What the list outgrows is wiped. */
void *list_add(struct list *list, size_t size);
/* Puts the items in order; the first that occurs twice, or NULL. */
typedef int list_order(const void *a, const void *b);
const void *list_sort(struct list *list, size_t size, list_order *order);

/* Gives an entry its note; "" is none. 0 or -ENOMEM. */
int entry_note(struct entry *entry, const char *note);

/* The user's, or NULL. */
const struct outbound *outbound_find(const struct list *outbound, const char *user);
/* How many at the beginning of both lists are of the same name, which they begin with. */
size_t list_prefix(const struct list *a, const struct list *b, size_t size);

/* The order of names, and of all items that begin with one. */
int name_order(const void *a, const void *b);
int entry_order(const void *a, const void *b);
int host_order(const void *a, const void *b);

/* Defaults, and nothing else. */
void state_init(struct state *ret_state);
/* Within a transaction of the store. */
int state_load(struct store *store, struct state *ret_state, struct error *err);
/* Wipes what is secret. */
void state_free(struct state *state);

#endif
