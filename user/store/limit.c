/* SPDX-License-Identifier: BSD-2-Clause */
/* The settable limits of how much there may be. */
#include <errno.h>

#include "store/internal.h"

struct kind {
	size_t offset; /* of the setting */
	const char *setting, *what;
	const char *count; /* ?1 is the ACL's id */
};

#define SETTING(field) offsetof(struct store_settings, field)

static const struct kind kinds[] = {
	[LIMIT_ACLS] = {SETTING(acl_limit), "acl-limit", "ACLs",
			"SELECT count(*) FROM acl WHERE ?1 = 0"},
	[LIMIT_ACL_ENTRIES] = {SETTING(acl_entry_limit), "acl-entry-limit", "entries in one ACL",
			       "SELECT (SELECT count(*) FROM acl_entry"
			       "  WHERE acl_id = ?1 AND host_id = 0)"
			       " + (SELECT count(*) FROM acl_host WHERE acl_id = ?1)"},
	[LIMIT_USERS] = {SETTING(user_limit), "user-limit", "users",
			 "SELECT count(*) FROM user WHERE ?1 = 0"},
};

int limit_begin(struct store *store, enum limit_kind kind, int64_t id, struct limit *ret_limit,
		struct error *err)
{
	struct limit limit = {.kind = kind, .id = id};
	struct store_settings settings;
	int rc = store_settings_get(store, &settings, err);

	if (rc)
		return rc;
	limit.max = *(const unsigned *)((const char *)&settings + kinds[kind].offset);
	if (limit.max)
		rc = db_int(store, &limit.before, err, kinds[kind].count, INT(id));
	if (rc == 0)
		*ret_limit = limit;
	return rc;
}

int limit_check(struct store *store, const struct limit *limit, struct error *err)
{
	const struct kind *kind = &kinds[limit->kind];
	int64_t now = 0;
	int rc = limit->max ? db_int(store, &now, err, kind->count, INT(limit->id)) : 0;

	if (rc || now <= limit->max || now <= limit->before)
		return rc;
	return error_set(err, -EINVAL, "%lld %s: the setting %s allows %u", (long long)now,
			 kind->what, kind->setting, limit->max);
}
