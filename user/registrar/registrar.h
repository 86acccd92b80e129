/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registrar and its location service (RFC 3261 §10, RFC 3581, RFC 5626 as far as a registrar
 * without flows needs it): which contacts an address of record (a trunk and a user) has. Kept in
 * memory, bounded; written behind to the store, so that a restart keeps them. Decides about a
 * REGISTER that admission has let in already; sends nothing. May be shared by threads.
 */
#ifndef SIPWARD_REGISTRAR_H
#define SIPWARD_REGISTRAR_H

#include "net/net.h"
#include "sip/sip_msg.h"
#include "store/store.h"

#define REGISTRAR_BINDINGS_DEFAULT 262144
#define REGISTRAR_CONTACTS_MAX 100 /* of an address of record, whatever the setting says */
#define REGISTRAR_HEADERS_SIZE 16384

struct registrar;

int registrar_create(size_t limit, struct registrar **ret_registrar);
void registrar_free(struct registrar *registrar);

/* Takes over what the store has; what has expired by then is left out. */
int registrar_load(struct registrar *registrar, struct store *store, uint64_t now_s,
		   struct error *err);

struct registrar_request {
	const struct sip_msg *msg; /* a REGISTER */
	const struct net_path *path; /* as received */
	int64_t trunk_id;
	struct slice user; /* of the address of record: the user part of To, unescaped */
	const struct store_settings *settings;
	uint64_t now_s; /* Unix time */
};
struct registrar_result {
	unsigned status; /* 200, 400, 403 (too many contacts), 420, 423, 500, 503 (full) */
	const char *cause; /* of a status other than 200, for logs */
	struct slice headers; /* Contact, Date, Min-Expires, …: with CRLF; into the result */
	char text[REGISTRAR_HEADERS_SIZE];
};
/* All of the REGISTER's contacts or none (RFC 3261 §10.3). */
void registrar_receive(struct registrar *registrar, const struct registrar_request *request,
		       struct registrar_result *ret_result);

/* Whether the user of the trunk has a live registration that came from this very address. */
bool registrar_knows(struct registrar *registrar, int64_t trunk_id, struct slice user,
		     const struct ip *source, uint64_t now_s);
/* The live bindings of an address of record, the preferred first; visits until false. The visitor
 * must not ask the registrar anything. */
void registrar_each(struct registrar *registrar, int64_t trunk_id, struct slice user,
		    uint64_t now_s, bool (*visit)(const struct store_binding *binding, void *arg),
		    void *arg);
/* Removes the user's binding (contact NULL: all of them). */
void registrar_remove(struct registrar *registrar, int64_t trunk_id, struct slice user,
		      const char *contact);
/* Drops what has expired, a bounded number a call and second; until then it is merely not seen. */
void registrar_tick(struct registrar *registrar, uint64_t now_s);

/* What has changed since the last call and is to be written to the store: at most max, oldest
 * first; returns how many. What is registered and refreshed between two calls is told once. */
size_t registrar_take_changes(struct registrar *registrar, struct store_binding_change *ret_changes,
			      size_t max);

struct registrar_stats {
	size_t bindings, limit;
	uint64_t registered, refreshed, removed, expired; /* bindings */
	uint64_t full;	/* requests refused as the table was full */
	uint64_t untold; /* removals that the store was not told, as too many waited */
};
void registrar_stats(struct registrar *registrar, struct registrar_stats *ret_stats);

#endif
