/* SPDX-License-Identifier: BSD-2-Clause */
/* Challenges as far as they do not depend on the request: the daemon's, and those that the filter
 * is given so that it need not ask. */
#ifndef SIPWARD_POLICY_PREPARE_H
#define SIPWARD_POLICY_PREPARE_H

#include "digest/challenge.h"
#include "policy/policy.h"

/* RFC 3261 §22: a registrar asks with 401, a proxy with 407 (or as the trunk says). */
unsigned challenge_status(const struct policy_trunk *trunk, bool registers);
/* All but realm, algorithm, nonce and stale. */
struct challenge challenge_of_trunk(const struct policy *policy, const struct policy_trunk *trunk,
				    unsigned status);

/* Why the filter could not challenge for the trunk, whatever its setting is; NULL: it could. */
const char *prepare_hindrance(const struct policy_trunk *trunk);

struct prepared {
	const struct filter_challenge *list; /* the snapshot's */
	size_t n;
	bool any; /* some are ready */
};

/* What filter_challenges_write needs: an entry for REGISTER and one for all else for each domain
 * that a trunk is found by. Those whose requests without credentials can only be challenged, as the
 * domain alone tells, are ready; so are, for listed sources, those of a trunk whose ACLs are all
 * that the gate has. The others are there as the daemon's. */
struct prepared prepared_challenges(const struct policy *policy);

#endif
