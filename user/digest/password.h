/* SPDX-License-Identifier: BSD-2-Clause */
/* What a password is kept as. */
#ifndef SIPWARD_DIGEST_PASSWORD_H
#define SIPWARD_DIGEST_PASSWORD_H

#include "digest/digest.h"
#include "store/store.h"

/* The HA1s for all algorithms, for the name alone and for name@realm. The caller wipes them. 0 or
 * -EIO, and then all are zero. */
int password_hash(struct digest_context *context, struct slice user, struct slice realm,
		  struct slice password, struct store_ha1 *ret_ha1);

#endif
