/* SPDX-License-Identifier: BSD-2-Clause */
/* One set of digest credentials, checked (RFC 7616 §3.4, RFC 8760). For admission.c. */
#ifndef SIPWARD_POLICY_CREDENTIALS_H
#define SIPWARD_POLICY_CREDENTIALS_H

#include "policy/admission.h"

struct credentials_query {
	const struct admission *admission;
	const struct admission_request *request;
	const struct policy_trunk *trunk;
};

struct credentials_outcome {
	enum admission_cause cause; /* ADMISSION_BY_CREDENTIAL, or why not */
	struct policy_user *user;   /* whose digest was right, whatever came of it; else NULL */
	bool unknown;		    /* there is no such user */
	size_t name_n;
	char name[STORE_USER_SIZE]; /* as sent, cut to size */
};

/* Uses up the nonce count, raises the ratchet; counts no evidence. An unknown user costs the same
 * work as a wrong password and has the same cause. False: a (Proxy-)Authorization value that is not
 * for one of the trunk's realms. */
bool credentials_check(const struct credentials_query *query, struct slice value,
		       struct credentials_outcome *ret_outcome);

/* Whether a (Proxy-)Authorization value is for any of the gate's realms. Digest credentials that
 * can not be read, or name no realm, count as ours where there are realms: nobody else could use
 * them. */
bool credentials_are_ours(const struct policy *policy, struct slice value);

/* Whether the trunk offers the algorithm to the user (NULL: not known yet). With the ratchet, the
 * strongest of the trunk's algorithms that the user ever answered is the weakest offered. */
bool credentials_offered(const struct policy_trunk *trunk, const struct policy_user *user,
			 enum digest_algorithm algorithm);

#endif
