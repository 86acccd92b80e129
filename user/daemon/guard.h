/* SPDX-License-Identifier: BSD-2-Clause */
/* What the daemon holds from start to stop besides its sockets: state directory, store, filter. */
#ifndef SIPWARD_DAEMON_GUARD_H
#define SIPWARD_DAEMON_GUARD_H

#include "daemon/config.h"
#include "filter/filter.h"
#include "policy/policy.h"
#include "store/store.h"

/* Opens the store and makes sure that no other daemon works on it: the lock lasts until the process
 * ends, however it does. -EBUSY if one does. */
int guard_store(const struct config *config, struct store **ret_store, struct error *err);
/* Makes the default trunk with the configured upstream if there is none. */
int guard_default_trunk(const struct config *config, struct store *store, struct error *err);
/* Whether the filter is on the configured interface. */
bool guard_is_attached(const struct config *config);
/* Attaches it there unless it is, with the store's rules in it before the first packet. */
int guard_attach(const struct config *config, struct store *store, struct error *err);
/* Gives the filter what it may answer by itself under this snapshot; what it is not given, the
 * daemon answers. */
void guard_challenges(const struct policy *policy, struct filter *filter);
/* Attaches the filter to the configured interface and opens it, or opens the one that is there.
 * *ret_filter stays NULL where none is configured and none is found. */
int guard_filter(const struct config *config, struct store *store, struct filter **ret_filter,
		 struct error *err);

#endif
