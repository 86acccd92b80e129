/* SPDX-License-Identifier: BSD-2-Clause */
/* Upstream names to addresses, by the system's resolver. Blocks: never within a transaction. */
#ifndef SIPWARD_STORE_RESOLVE_H
#define SIPWARD_STORE_RESOLVE_H

#include "store/internal.h"

/* The upstream's address; a literal asks no resolver. uri is for the sentence. */
int upstream_resolve(const struct upstream *upstream, const char *uri,
		     struct endpoint *ret_endpoint, struct error *err);

/* Whether the trunk's upstream is a name that no longer resolves to the address it had; only then
 * *ret_endpoint is set. A name that does not resolve has not moved. */
bool upstream_moved(const struct store_trunk *trunk, struct endpoint *ret_endpoint);

#endif
