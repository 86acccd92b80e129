/* SPDX-License-Identifier: BSD-2-Clause */
/* What the store is to be told, oldest first. A binding stands in the queue once, however often it
 * is refreshed meanwhile. */
#include <stdlib.h>

#include "registrar/internal.h"

/* A store that takes nothing must not let removed bindings pile up. What is not told expires in the
 * store by itself. */
#define REMOVALS_MAX 65536

void change_note(struct registrar *registrar, struct binding *binding)
{
	if (binding->changed)
		return;
	binding->changed = true;
	TAILQ_INSERT_TAIL(&registrar->changes, binding, change);
}

void change_forget(struct registrar *registrar, struct binding *binding)
{
	if (!binding->changed)
		return;
	binding->changed = false;
	TAILQ_REMOVE(&registrar->changes, binding, change);
}

void change_note_removal(struct registrar *registrar, struct binding *binding)
{
	if (registrar->removals == REMOVALS_MAX) {
		registrar->stats.untold++;
		free(binding);
		return;
	}
	registrar->removals++;
	change_note(registrar, binding);
}

/* Frees what has been told, or will not be. */
static void let_go(struct registrar *registrar, struct binding *binding)
{
	change_forget(registrar, binding);
	if (binding->live)
		return;
	registrar->removals--;
	free(binding);
}

void changes_free(struct registrar *registrar)
{
	struct binding *binding;

	while ((binding = TAILQ_FIRST(&registrar->changes)))
		let_go(registrar, binding);
}

void binding_export(const struct binding *binding, struct store_binding *ret_binding)
{
	const struct binding_fields *is = &binding->is;

	memset(ret_binding, 0, sizeof(*ret_binding));
	ret_binding->trunk_id = is->trunk_id;
	/* Their lengths were looked at when they came in. */
	slice_text(is->user, ret_binding->user, sizeof(ret_binding->user));
	slice_text(is->contact, ret_binding->contact, sizeof(ret_binding->contact));
	slice_text(is->instance, ret_binding->instance, sizeof(ret_binding->instance));
	slice_text(is->call_id, ret_binding->call_id, sizeof(ret_binding->call_id));
	slice_text(is->user_agent, ret_binding->user_agent, sizeof(ret_binding->user_agent));
	ret_binding->reg_id = is->reg_id;
	ret_binding->q = is->q;
	ret_binding->cseq = is->cseq;
	ret_binding->expires_s = is->expires_s;
	ret_binding->received = is->received;
	ret_binding->local = is->local;
	ret_binding->transport = is->transport;
}

size_t registrar_take_changes(struct registrar *registrar, struct store_binding_change *ret_changes,
			      size_t max)
{
	struct binding *binding;
	size_t n = 0;

	pthread_mutex_lock(&registrar->lock);
	while (n < max && (binding = TAILQ_FIRST(&registrar->changes))) {
		ret_changes[n].removed = !binding->live;
		binding_export(binding, &ret_changes[n++].binding);
		let_go(registrar, binding);
	}
	pthread_mutex_unlock(&registrar->lock);
	return n;
}
