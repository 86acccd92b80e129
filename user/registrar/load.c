/* SPDX-License-Identifier: BSD-2-Clause */
/* What the store knows at the start. */
#include <errno.h>

#include "registrar/internal.h"

struct loading {
	struct registrar *registrar;
	uint64_t now_s;
};

static int load_one(const struct store_binding *from, const char *trunk, void *arg)
{
	const struct loading *loading = arg;
	struct registrar *registrar = loading->registrar;
	struct binding_fields fields = {
		.trunk_id = from->trunk_id,
		.user = slice_from(from->user),
		.contact = slice_from(from->contact),
		.instance = slice_from(from->instance),
		.call_id = slice_from(from->call_id),
		.user_agent = slice_from(from->user_agent),
		.reg_id = from->reg_id,
		.q = from->q,
		.transport = from->transport,
		.cseq = from->cseq,
		.expires_s = from->expires_s,
		.received = from->received,
		.local = from->local,
	};
	struct binding *binding;

	(void)trunk;
	if (registrar->table.count == registrar->limit)
		return 0;
	binding = binding_new(&fields);
	if (!binding)
		return -ENOMEM;
	binding_add(registrar, binding);
	/* The store tells the newest first. */
	binding->order = registrar->limit - registrar->table.count;
	if (binding_is_expired(binding, loading->now_s))
		binding_drop(registrar, binding);
	return 0;
}

int registrar_load(struct registrar *registrar, struct store *store, uint64_t now_s,
		   struct error *err)
{
	struct loading loading = {registrar, now_s};
	int rc = store_binding_each(store, load_one, &loading, err);

	registrar->order = registrar->limit;
	return rc == -ENOMEM ? error_set(err, rc, "out of memory") : rc;
}
