/* SPDX-License-Identifier: BSD-2-Clause */
/* What each trunk would do with a request from an address, for people. */
#ifndef SIPWARD_POLICY_EXPLAIN_H
#define SIPWARD_POLICY_EXPLAIN_H

#include "policy/policy.h"

struct policy_explain_row {
	const struct policy_trunk *trunk;
	const char *name;
	char target[STORE_USER_SIZE + STORE_DOMAIN_SIZE]; /* the Request-URI it is found by:
							     user@domain, domain or "*" */
	enum store_auth_type auth;
	bool acl_allows; /* false too where the trunk has no ACL */
	char next[320];	 /* what happens next, a phrase without a full stop */
};

/* Visits every trunk in order of name; the row is valid during the visit. Changes nothing,
 * counts nothing. */
void policy_explain(const struct policy *policy, const struct ip *ip,
		    void (*visit)(const struct policy_explain_row *row, void *arg), void *arg);

#endif
