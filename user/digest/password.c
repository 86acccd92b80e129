/* SPDX-License-Identifier: BSD-2-Clause */
#include "digest/password.h"

#include <errno.h>
#include <stdio.h>

_Static_assert(STORE_ALGORITHMS == DIGEST_ALGORITHMS, "algorithms");
_Static_assert(STORE_HA1_SIZE == DIGEST_HASH_MAX, "HA1");

int password_hash(struct digest_context *context, struct slice user, struct slice realm,
		  struct slice password, struct store_ha1 *ret_ha1)
{
	char full[STORE_USER_SIZE + STORE_NAME_SIZE + 1];
	int n = snprintf(full, sizeof(full), "%.*s@%.*s", (int)user.n, user.p, (int)realm.n,
			 realm.p);
	const struct slice at_realm = {full, (size_t)n};
	int rc = (size_t)n < sizeof(full) ? 0 : -EIO;

	for (unsigned i = 0; i < DIGEST_ALGORITHMS && rc == 0; i++) {
		rc = digest_ha1(context, i, user, realm, password, ret_ha1->plain[i]);
		if (rc == 0)
			rc = digest_ha1(context, i, at_realm, realm, password,
					ret_ha1->at_realm[i]);
	}
	if (rc)
		explicit_bzero(ret_ha1, sizeof(*ret_ha1));
	return rc;
}
