/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>

#include "filter/filter.h"

/* Found, not found, or a real failure. */
static int found(int rc, bool *ret_found)
{
	*ret_found = rc == 0;
	return rc == -ENOENT ? 0 : rc;
}

static int explain_unlisted(struct filter *filter, const struct sipward_source *source,
			    const struct sipward_settings *settings,
			    enum sipward_reason *ret_reason)
{
	uint64_t until_ns;
	bool proven;
	int rc = found(filter_proven_get(filter, source, &until_ns), &proven);

	if (rc)
		return rc;
	if (proven)
		*ret_reason = SIPWARD_PROVEN;
	else if (settings->unlisted == SIPWARD_UNLISTED_DROP)
		*ret_reason = SIPWARD_UNLISTED;
	else
		*ret_reason = SIPWARD_UNLISTED_PASS;
	return 0;
}

int filter_explain(struct filter *filter, const struct ip *ip, enum sipward_reason *ret_reason)
{
	struct sipward_settings settings = {};
	struct sipward_source source;
	struct sipward_lockout lockout;
	struct sipward_acl_value acl;
	bool locked_out, listed;
	int rc = filter_settings_read(filter, &settings);

	source = filter_source(ip, settings.source_v6_bits);
	if (!rc)
		rc = found(filter_lockout_get(filter, &source, &lockout), &locked_out);
	if (!rc && locked_out) {
		*ret_reason = SIPWARD_LOCKED_OUT;
		return 0;
	}
	if (!rc)
		rc = found(filter_acl_lookup(filter, ip, &acl), &listed);
	if (rc)
		return rc;
	if (!listed)
		return explain_unlisted(filter, &source, &settings, ret_reason);
	*ret_reason = acl.flags & SIPWARD_ACL_DENY ? SIPWARD_DENIED : SIPWARD_LISTED;
	return 0;
}
