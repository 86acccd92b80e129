/* SPDX-License-Identifier: BSD-2-Clause */
#include "store/effective.h"

#include <errno.h>
#include <stdlib.h>

/* The longest match that an ACL has so far on the way from /0 to the prefix looked at. */
struct match {
	int64_t entry_id; /* 0 = none */
	bool deny;
};

struct acl {
	int64_t id;
	struct match match;
};

/* What a prefix on the way has changed, to be undone when the walk leaves it. */
struct step {
	struct prefix prefix;
	struct acl *acl;
	struct match before;
};

struct upstream_host {
	struct prefix_key key;
	struct prefix prefix;
	int64_t trunk_id;
	bool seen;
};

struct effective {
	struct store *store;
	struct acl *acls; /* sorted by id */
	size_t acl_count;
	struct upstream_host *upstreams; /* sorted by key, none twice */
	size_t upstream_count;
	size_t allows;	    /* how many ACLs' matches allow */
	struct step *steps; /* the way: each prefix inside the one before */
	size_t step_count;
	sqlite3_stmt *at_prefix;
};

#define STEPS_PER_ACL 129 /* lengths 0 to 128 */

static int load_acls(struct effective *effective, struct error *err)
{
	struct store *store = effective->store;
	sqlite3_stmt *stmt = NULL;
	int64_t n;
	int rc = db_int(store, &n, err, "SELECT count(DISTINCT acl_id) FROM trunk_acl");

	if (rc)
		return rc;
	effective->acls = calloc((size_t)n + 1, sizeof(*effective->acls));
	effective->steps = calloc((size_t)n * STEPS_PER_ACL + 1, sizeof(*effective->steps));
	if (!effective->acls || !effective->steps)
		return error_set(err, -ENOMEM, "out of memory");
	rc = db_query(store, &stmt, err,
		      "SELECT DISTINCT acl_id FROM trunk_acl JOIN trunk ON trunk.id = trunk_id"
		      " WHERE enabled ORDER BY acl_id");
	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		effective->acls[effective->acl_count++].id = sqlite3_column_int64(stmt, 0);
		rc = 0;
	}
	sqlite3_finalize(stmt);
	return rc;
}

static int load_upstreams(struct effective *effective, struct error *err)
{
	struct store *store = effective->store;
	struct upstream_host *upstream;
	sqlite3_stmt *stmt = NULL;
	int64_t n;
	int rc = db_int(store, &n, err, "SELECT count(*) FROM peer_address");

	if (rc)
		return rc;
	effective->upstreams = calloc((size_t)n + 1, sizeof(*upstream));
	if (!effective->upstreams)
		return error_set(err, -ENOMEM, "out of memory");
	rc = db_query(store, &stmt, err,
		      "SELECT host, min(trunk.id) FROM peer_address"
		      " JOIN peer ON peer.id = peer_id JOIN trunk ON trunk.id = trunk_id"
		      " WHERE enabled GROUP BY host ORDER BY host");
	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		upstream = &effective->upstreams[effective->upstream_count];
		rc = 0;
		if (!column_prefix(stmt, 0, &upstream->prefix))
			continue;
		upstream->key = prefix_key(&upstream->prefix);
		upstream->trunk_id = sqlite3_column_int64(stmt, 1);
		effective->upstream_count++;
	}
	sqlite3_finalize(stmt);
	return rc;
}

int effective_load(struct store *store, struct effective **ret_effective, struct error *err)
{
	struct effective *effective = calloc(1, sizeof(*effective));
	int rc;

	if (!effective)
		return error_set(err, -ENOMEM, "out of memory");
	effective->store = store;
	rc = load_acls(effective, err);
	if (rc == 0)
		rc = load_upstreams(effective, err);
	if (rc == 0)
		rc = db_prepare(store, &effective->at_prefix, err,
				"SELECT acl_id, deny, id FROM acl_entry WHERE prefix = ?"
				" ORDER BY acl_id, deny");
	if (rc) {
		effective_free(effective);
		return rc;
	}
	*ret_effective = effective;
	return 0;
}

void effective_free(struct effective *effective)
{
	if (!effective)
		return;
	sqlite3_finalize(effective->at_prefix);
	free(effective->acls);
	free(effective->steps);
	free(effective->upstreams);
	free(effective);
}

static int compare_acl(const void *a_, const void *b_)
{
	const struct acl *a = a_, *b = b_;

	return (a->id > b->id) - (a->id < b->id);
}

static struct acl *find_acl(struct effective *effective, int64_t id)
{
	return bsearch(&(struct acl){.id = id}, effective->acls, effective->acl_count,
		       sizeof(struct acl), compare_acl);
}

static int compare_upstream(const void *a_, const void *b_)
{
	const struct upstream_host *a = a_, *b = b_;

	return memcmp(a->key.bytes, b->key.bytes, sizeof(a->key.bytes));
}

static struct upstream_host *find_upstream(struct effective *effective, const struct prefix *prefix)
{
	struct upstream_host wanted = {.key = prefix_key(prefix)};

	return bsearch(&wanted, effective->upstreams, effective->upstream_count, sizeof(wanted),
		       compare_upstream);
}

/* ---- the walk ---- */

static bool match_allows(const struct match *match)
{
	return match->entry_id && !match->deny;
}

static void set_match(struct effective *effective, struct acl *acl, struct match match)
{
	effective->allows -= match_allows(&acl->match);
	effective->allows += match_allows(&match);
	acl->match = match;
}

static bool prefix_eq(const struct prefix *a, const struct prefix *b)
{
	return a->len == b->len && ip_eq(&a->ip, &b->ip);
}

/* An ACL's entries of one prefix (as such, and for host names) come one after the other: they are
 * one step, in which deny wins. */
static void walk_enter(struct effective *effective, struct acl *acl, const struct prefix *prefix,
		       struct match match)
{
	const struct step *last = effective->steps + effective->step_count - 1;

	if (effective->step_count && last->acl == acl && prefix_eq(&last->prefix, prefix)) {
		if (match.deny && !acl->match.deny)
			set_match(effective, acl, match);
		return;
	}
	effective->steps[effective->step_count++] =
		(struct step){.prefix = *prefix, .acl = acl, .before = acl->match};
	set_match(effective, acl, match);
}

static bool prefix_inside(const struct prefix *outer, const struct prefix *inner)
{
	return outer->len <= inner->len && prefix_contains(outer, &inner->ip);
}

static void walk_leave(struct effective *effective)
{
	const struct step *step = &effective->steps[--effective->step_count];

	set_match(effective, step->acl, step->before);
}

/* Goes back to the longest prefix on the way that the next one is inside of. */
static void walk_back(struct effective *effective, const struct prefix *next)
{
	while (effective->step_count &&
	       !prefix_inside(&effective->steps[effective->step_count - 1].prefix, next))
		walk_leave(effective);
}

static uint32_t lower_id(uint32_t id, int64_t other)
{
	return id && id <= other ? id : (uint32_t)other;
}

/* The lowest entry among all ACLs' matches that allow. */
static uint32_t lowest_allow(const struct effective *effective)
{
	uint32_t id = 0;

	for (size_t i = 0; i < effective->acl_count; i++) {
		if (match_allows(&effective->acls[i].match))
			id = lower_id(id, effective->acls[i].match.entry_id);
	}
	return id;
}

/* What the entries of the prefix, the last steps of the way, come to. */
static struct sipward_acl_value walk_value(const struct effective *effective,
					   const struct prefix *prefix)
{
	uint32_t allow = 0, deny = 0;

	for (size_t i = effective->step_count; i > 0; i--) {
		const struct step *step = &effective->steps[i - 1];
		const struct match *match = &step->acl->match;

		if (!prefix_eq(&step->prefix, prefix))
			break;
		if (match->deny)
			deny = lower_id(deny, match->entry_id);
		else
			allow = lower_id(allow, match->entry_id);
	}
	if (deny && !allow && effective->allows)
		allow = lowest_allow(effective);
	if (allow)
		return (struct sipward_acl_value){SIPWARD_ACL_ALLOW, allow};
	return (struct sipward_acl_value){deny ? SIPWARD_ACL_DENY : 0, deny};
}

/* An upstream is never denied. */
static struct filter_rule make_rule(struct effective *effective, const struct prefix *prefix)
{
	struct filter_rule rule = {*prefix, walk_value(effective, prefix)};
	struct upstream_host *upstream = find_upstream(effective, prefix);

	if (upstream) {
		upstream->seen = true;
		rule.value.flags = SIPWARD_ACL_UPSTREAM | (rule.value.flags & SIPWARD_ACL_ALLOW);
		rule.value.rule_id = (uint32_t)upstream->trunk_id;
	}
	return rule;
}

/* ---- one prefix ---- */

static int enter_entries_at(struct effective *effective, const struct prefix *prefix,
			    struct error *err)
{
	struct prefix_key key = prefix_key(prefix);
	sqlite3_stmt *stmt = effective->at_prefix;
	int rc = db_bind(effective->store, stmt, err, BINDS(BLOB(key.bytes, key.n)));

	while (rc == 0 && (rc = db_step(effective->store, stmt, err)) > 0) {
		struct acl *acl = find_acl(effective, sqlite3_column_int64(stmt, 0));
		struct match match = {.entry_id = sqlite3_column_int64(stmt, 2),
				      .deny = sqlite3_column_int(stmt, 1)};

		if (acl)
			walk_enter(effective, acl, prefix, match);
		rc = 0;
	}
	sqlite3_reset(stmt);
	return rc;
}

int effective_one(struct effective *effective, const struct prefix *prefix,
		  struct filter_rule *ret_rule, struct error *err)
{
	int rc = 0;

	for (unsigned len = 0; len <= prefix->len && rc == 0; len++) {
		struct prefix outer = {ip_masked(&prefix->ip, len), (uint8_t)len};

		rc = enter_entries_at(effective, &outer, err);
	}
	if (rc == 0)
		*ret_rule = make_rule(effective, prefix);
	while (effective->step_count)
		walk_leave(effective);
	return rc;
}

/* ---- all prefixes ---- */

struct rule_list {
	struct filter_rule *rules;
	size_t n, space;
};

static int append_rule(struct rule_list *list, struct filter_rule rule, struct error *err)
{
	if (list->n == list->space) {
		size_t space = 2 * list->space + 256;
		struct filter_rule *grown = reallocarray(list->rules, space, sizeof(*grown));

		if (!grown)
			return error_set(err, -ENOMEM, "out of memory for %zu rules", space);
		list->rules = grown;
		list->space = space;
	}
	list->rules[list->n++] = rule;
	return 0;
}

/* The rule of the prefix that the walk stands at, if it stands at one. */
static int flush_rule(struct effective *effective, struct rule_list *list, struct error *err)
{
	if (!effective->step_count)
		return 0;
	return append_rule(
		list, make_rule(effective, &effective->steps[effective->step_count - 1].prefix),
		err);
}

/* Sorted by prefix, entries come in the order of a walk over the tree of prefixes. */
static int walk_entries(struct effective *effective, struct rule_list *list, struct error *err)
{
	struct store *store = effective->store;
	struct prefix current = {0}, prefix;
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err,
			  "SELECT prefix, acl_id, deny, id FROM acl_entry"
			  " ORDER BY prefix, acl_id, deny");

	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		struct acl *acl = find_acl(effective, sqlite3_column_int64(stmt, 1));
		struct match match = {.entry_id = sqlite3_column_int64(stmt, 3),
				      .deny = sqlite3_column_int(stmt, 2)};

		rc = 0;
		if (!acl || !column_prefix(stmt, 0, &prefix))
			continue;
		if (!prefix_eq(&prefix, &current)) {
			rc = flush_rule(effective, list, err);
			walk_back(effective, &prefix);
			current = prefix;
		}
		walk_enter(effective, acl, &prefix, match);
	}
	if (rc == 0)
		rc = flush_rule(effective, list, err);
	while (effective->step_count)
		walk_leave(effective);
	sqlite3_finalize(stmt);
	return rc;
}

int effective_all(struct effective *effective, struct filter_rule **ret_rules, size_t *ret_n,
		  struct error *err)
{
	struct rule_list list = {.rules = calloc(1, sizeof(*list.rules)), .space = 1};
	int rc = list.rules ? walk_entries(effective, &list, err)
			    : error_set(err, -ENOMEM, "out of memory");

	for (size_t i = 0; i < effective->upstream_count && rc == 0; i++) {
		const struct prefix *prefix = &effective->upstreams[i].prefix;

		if (!effective->upstreams[i].seen)
			rc = append_rule(&list, make_rule(effective, prefix), err);
	}
	if (rc) {
		free(list.rules);
		return rc;
	}
	*ret_rules = list.rules;
	*ret_n = list.n;
	return 0;
}
