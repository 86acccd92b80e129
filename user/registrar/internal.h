/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIPWARD_REGISTRAR_INTERNAL_H
#define SIPWARD_REGISTRAR_INTERNAL_H

#include <pthread.h>
#include <sys/queue.h>

#include "base/table.h"
#include "registrar/registrar.h"

struct binding_fields {
	int64_t trunk_id;
	struct slice user, contact, instance, call_id, user_agent;
	unsigned reg_id, q, transport;
	uint32_t cseq;
	int64_t expires_s;
	struct endpoint received, local;
};

/* In the table under its address of record, or, once removed, only in the queue of changes. */
struct binding {
	struct table_node node;
	TAILQ_ENTRY(binding) change;
	bool live, changed; /* in the table; in the queue */
	uint64_t order;	    /* the later registered, the higher */
	struct binding_fields is;
	char text[];
};

TAILQ_HEAD(binding_queue, binding);

struct registrar {
	pthread_mutex_t lock; /* over all of it; taken by the functions of registrar.h alone */
	struct table table;
	size_t limit;
	uint64_t order;
	size_t sweep; /* the bucket where the search for expired ones goes on */
	uint64_t swept_s;
	struct binding_queue changes;
	size_t removals; /* of the queue */
	struct registrar_stats stats;
};

/* ---- bindings.c ---- */

/* A copy of the fields, in no table yet; NULL without memory. */
struct binding *binding_new(const struct binding_fields *fields);
void binding_add(struct registrar *registrar, struct binding *binding);
/* Takes it out of the table; the store is to be told. The binding is not to be used any more. */
void binding_drop(struct registrar *registrar, struct binding *binding);
/* The same, but where another takes its place in the store too: nothing is told. */
void binding_replace(struct registrar *registrar, struct binding *binding);
/* All bindings of an address of record, also expired ones, the preferred first. */
unsigned bindings_find(const struct registrar *registrar, int64_t trunk_id, struct slice user,
		       struct binding *ret_bindings[REGISTRAR_CONTACTS_MAX]);
bool binding_is_expired(const struct binding *binding, uint64_t now_s);

/* ---- changes.c ---- */

void change_note(struct registrar *registrar, struct binding *binding);
void change_forget(struct registrar *registrar, struct binding *binding);
/* Of a binding that is in the table no more: tells of it, or frees it. */
void change_note_removal(struct registrar *registrar, struct binding *binding);
void changes_free(struct registrar *registrar);
void binding_export(const struct binding *binding, struct store_binding *ret_binding);

#endif
