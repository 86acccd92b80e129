/* SPDX-License-Identifier: BSD-2-Clause */
/* Host names in ACLs. Each has a row of its own; the addresses it was resolved to are entries of
 * the ACL that carry its id. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/internal.h"

/* In words that the partial index is found by. */
#define OF_HOST " WHERE host_id AND host_id = ?1"

static enum store_host_kind kind_of(const char *host)
{
	return host[0] == '_' ? STORE_HOST_SRV : STORE_HOST_ADDRESS;
}

static int check_host(const char *host, char ret_host[STORE_DOMAIN_SIZE], struct error *err)
{
	struct ip ip;
	int rc;

	if (ip_parse(slice_from(host), &ip) == 0)
		return error_set(err, -EINVAL, "host %s: is an address; add it as a prefix",
				 QUOTED(host));
	rc = strcmp(host, "*") == 0 ? -EINVAL : check_domain(host, ret_host, NULL);
	if (rc == 0 && kind_of(ret_host) == STORE_HOST_SRV && !strstr(ret_host, "._"))
		rc = -EINVAL;
	if (rc)
		return error_set(err, rc,
				 "host %s: must be a host name, or an SRV name such as "
				 "_sip._udp.example.net",
				 QUOTED(host));
	return 0;
}

/* ---- what the operator does ---- */

/* The rules at all addresses of the host may change. */
static int note_addresses(struct store *store, int64_t id, struct error *err)
{
	struct prefix prefix;
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err, "SELECT prefix FROM acl_entry" OF_HOST, INT(id));

	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0)
		rc = column_prefix(stmt, 0, &prefix) ? change_prefix(store, &prefix, err) : 0;
	sqlite3_finalize(stmt);
	return rc;
}

static int find_host(struct store *store, int64_t acl, const char *host, int64_t *ret_id,
		     struct error *err)
{
	return db_int(store, ret_id, err, "SELECT id FROM acl_host WHERE acl_id = ? AND host = ?",
		      INT(acl), TEXT(host));
}

static int follow_meaning(struct store *store, int64_t acl, const struct store_acl_host *host,
			  struct error *err)
{
	int64_t id;
	int rc = find_host(store, acl, host->host, &id, err);

	if (rc == 0)
		rc = db_run(store, err, "UPDATE acl_entry SET deny = ?2" OF_HOST " AND deny <> ?2",
			    INT(id), INT(host->deny));
	return rc > 0 ? note_addresses(store, id, err) : rc;
}

/* Whether anything has changed, or a negative errno. */
static int put_host(struct store *store, int64_t acl, const struct store_acl_host *host,
		    struct error *err)
{
	struct limit limit;
	int rc = limit_begin(store, LIMIT_ACL_ENTRIES, acl, &limit, err), changed;

	if (rc)
		return rc;
	changed = db_run(store, err,
			 "INSERT INTO acl_host (acl_id, host, deny, note) VALUES (?, ?, ?, ?)"
			 " ON CONFLICT (acl_id, host) DO UPDATE SET deny = excluded.deny,"
			 "  note = CASE excluded.note WHEN '' THEN note ELSE excluded.note END"
			 " WHERE deny <> excluded.deny"
			 "  OR (excluded.note <> '' AND note <> excluded.note)",
			 INT(acl), TEXT(host->host), INT(host->deny), TEXT(host->note));
	if (changed > 0)
		rc = limit_check(store, &limit, err);
	if (changed > 0 && rc == 0)
		rc = follow_meaning(store, acl, host, err);
	return rc ? rc : changed;
}

int store_acl_host_add(struct store *store, const char *acl, const struct store_acl_host *host,
		       struct error *err)
{
	struct store_acl_host new = *host;
	int64_t id;
	int rc = check_host(host->host, new.host, err);

	if (rc == 0)
		rc = check_note(new.note, err);
	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = acl_id(store, acl, &id, err);
	if (rc == 0)
		rc = put_host(store, id, &new, err);
	return change_end(store, rc, err, "ACL \"%s\": %s host %s", acl,
			  new.deny ? "denies" : "allows", new.host);
}

static int delete_host(struct store *store, const char *acl, const char *host, struct error *err)
{
	int64_t list, id;
	int rc = acl_id(store, acl, &list, err);

	if (rc)
		return rc;
	rc = find_host(store, list, host, &id, err);
	if (rc == -ENOENT)
		error_set(err, rc, "host \"%s\": is not in ACL %s", host, QUOTED(acl));
	if (rc == 0)
		rc = note_addresses(store, id, err);
	if (rc == 0)
		rc = db_run(store, err, "DELETE FROM acl_entry" OF_HOST, INT(id));
	return rc < 0 ? rc : db_run(store, err, "DELETE FROM acl_host WHERE id = ?", INT(id));
}

int store_acl_host_remove(struct store *store, const char *acl, const char *host, struct error *err)
{
	char name[STORE_DOMAIN_SIZE];
	int rc = check_host(host, name, err);

	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = delete_host(store, acl, name, err);
	return change_end(store, rc, err, "ACL \"%s\": removed host %s", acl, name);
}

int store_acl_host_note(struct store *store, const char *acl, const char *host, const char *note,
			struct error *err)
{
	char name[STORE_DOMAIN_SIZE];
	int64_t id;
	int rc = check_host(host, name, err);

	if (rc == 0)
		rc = check_note(note, err);
	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = acl_id(store, acl, &id, err);
	if (rc == 0)
		rc = db_run(store, err,
			    "UPDATE acl_host SET note = ?1"
			    " WHERE acl_id = ?2 AND host = ?3 AND note <> ?1",
			    TEXT(note), INT(id), TEXT(name));
	return change_end(store, rc, err, "ACL \"%s\": new note of host %s", acl, name);
}

/* ---- reading ---- */

static void read_host(sqlite3_stmt *stmt, struct store_acl_host *ret_host)
{
	*ret_host = (struct store_acl_host){
		.id = sqlite3_column_int64(stmt, 0),
		.acl_id = sqlite3_column_int64(stmt, 1),
		.deny = sqlite3_column_int(stmt, 3) != 0,
		.addresses = (uint64_t)sqlite3_column_int64(stmt, 5),
		.resolved_s = sqlite3_column_int64(stmt, 6),
		.due_s = sqlite3_column_int64(stmt, 7),
	};
	column_text(stmt, 2, ret_host->host, sizeof(ret_host->host));
	column_text(stmt, 4, ret_host->note, sizeof(ret_host->note));
	column_text(stmt, 8, ret_host->failure, sizeof(ret_host->failure));
	ret_host->kind = kind_of(ret_host->host);
}

int store_acl_host_each(struct store *store, const char *acl,
			int (*visit)(const struct store_acl_host *host, void *arg), void *arg,
			struct error *err)
{
	struct store_acl_host host;
	sqlite3_stmt *stmt = NULL;
	int64_t id = 0;
	int rc = acl ? acl_id(store, acl, &id, err) : 0;

	if (rc == 0)
		rc = db_query(store, &stmt, err,
			      "SELECT acl_host.id, acl_id, host, deny, acl_host.note,"
			      " (SELECT count(*) FROM acl_entry"
			      "  WHERE host_id AND host_id = acl_host.id), resolved, due, failure"
			      " FROM acl_host JOIN acl ON acl.id = acl_id"
			      " WHERE ?1 = 0 OR acl_id = ?1 ORDER BY name, host",
			      INT(id));
	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		read_host(stmt, &host);
		rc = visit(&host, arg);
	}
	sqlite3_finalize(stmt);
	return rc;
}

int store_acl_host_addresses(struct store *store, int64_t host_id, struct ip *ret_addresses,
			     size_t *ret_n, struct error *err)
{
	struct prefix prefix;
	sqlite3_stmt *stmt = NULL;
	size_t n = 0;
	int rc = db_query(store, &stmt, err,
			  "SELECT prefix FROM acl_entry" OF_HOST " ORDER BY prefix", INT(host_id));

	while (rc == 0 && n < STORE_HOST_ADDRESSES_MAX && (rc = db_step(store, stmt, err)) > 0) {
		rc = 0;
		if (column_prefix(stmt, 0, &prefix))
			ret_addresses[n++] = prefix.ip;
	}
	sqlite3_finalize(stmt);
	if (rc == 0)
		*ret_n = n;
	return rc;
}

/* ---- what the resolver found ---- */

struct addresses {
	struct ip list[STORE_HOST_ADDRESSES_MAX];
	size_t n;
};

static int compare_ip(const void *a, const void *b)
{
	struct prefix_key key_a = host_key(a), key_b = host_key(b);

	return memcmp(key_a.bytes, key_b.bytes, sizeof(key_a.bytes));
}

/* Sorted, and none twice. */
static int order_addresses(const struct ip *addresses, size_t n, struct addresses *ret_ordered,
			   struct error *err)
{
	if (n < 1 || n > STORE_HOST_ADDRESSES_MAX)
		return error_set(err, -EINVAL, "a host name stands for 1 to %d addresses, not %zu",
				 STORE_HOST_ADDRESSES_MAX, n);
	memcpy(ret_ordered->list, addresses, n * sizeof(*addresses));
	qsort(ret_ordered->list, n, sizeof(*addresses), compare_ip);
	ret_ordered->n = 0;
	for (size_t i = 0; i < n; i++) {
		struct ip ip = ret_ordered->list[i];

		if (ip.family != 4 && ip.family != 6)
			return error_set(err, -EINVAL, "family %u is no IP address", ip.family);
		if (ret_ordered->n == 0 || !ip_eq(&ip, &ret_ordered->list[ret_ordered->n - 1]))
			ret_ordered->list[ret_ordered->n++] = ip;
	}
	return 0;
}

static bool holds(const struct addresses *addresses, const struct ip *ip)
{
	return bsearch(ip, addresses->list, addresses->n, sizeof(*ip), compare_ip) != NULL;
}

static bool same_addresses(const struct addresses *a, const struct addresses *b)
{
	for (size_t i = 0; i < a->n && a->n == b->n; i++) {
		if (!ip_eq(&a->list[i], &b->list[i]))
			return false;
	}
	return a->n == b->n;
}

/* Runs the SQL, of host (?1) and prefix (?2), for each address that the other list lacks. */
static int run_for_each_new(struct store *store, const char *sql, int64_t id,
			    const struct addresses *lists[2], struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = db_prepare(store, &stmt, err, sql);

	for (size_t i = 0; i < lists[0]->n && rc >= 0; i++) {
		const struct ip *ip = &lists[0]->list[i];
		struct prefix_key key = host_key(ip);
		struct prefix prefix = {*ip, (uint8_t)ip_bits(ip)};

		if (holds(lists[1], ip))
			continue;
		rc = db_bind(store, stmt, err, BINDS(INT(id), BLOB(key.bytes, key.n)));
		if (rc == 0)
			rc = db_finish(store, stmt, err);
		if (rc > 0)
			rc = change_prefix(store, &prefix, err);
	}
	sqlite3_finalize(stmt);
	return rc < 0 ? rc : 0;
}

/* Adds before it removes. */
static int replace_addresses(struct store *store, int64_t id, const struct addresses *old,
			     const struct addresses *new, struct error *err)
{
	int rc = run_for_each_new(store,
				  "INSERT INTO acl_entry (acl_id, prefix, deny, note, host_id)"
				  " SELECT acl_id, ?2, deny, host, id FROM acl_host WHERE id = ?1",
				  id, (const struct addresses *[]){new, old}, err);

	if (rc)
		return rc;
	return run_for_each_new(store, "DELETE FROM acl_entry" OF_HOST " AND prefix = ?2", id,
				(const struct addresses *[]){old, new}, err);
}

static int note_answer(struct store *store, int64_t id, int64_t due_s, struct error *err)
{
	int rc = db_run(store, err,
			"UPDATE acl_host SET resolved = ?2, due = ?3, failure = '' WHERE id = ?1",
			INT(id), INT(clock_wall_s()), INT(due_s));

	return rc ? rc : error_set(err, -ENOENT, "the host name is not in its ACL any more");
}

struct host_name {
	char acl[STORE_NAME_SIZE], host[STORE_DOMAIN_SIZE];
};

static int read_name(struct store *store, int64_t id, struct host_name *ret_name, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err,
			  "SELECT name, host FROM acl_host JOIN acl ON acl.id = acl_id"
			  " WHERE acl_host.id = ?",
			  INT(id));

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc > 0) {
		column_text(stmt, 0, ret_name->acl, sizeof(ret_name->acl));
		column_text(stmt, 1, ret_name->host, sizeof(ret_name->host));
	}
	sqlite3_finalize(stmt);
	return rc < 0 ? rc : 0;
}

/* For the audit: as many as are read with pleasure. */
static void describe(const struct addresses *addresses, char *ret_text, size_t size)
{
	char ip[IP_TEXT_SIZE];
	size_t used = 0, shown = addresses->n > 4 ? 3 : addresses->n;

	for (size_t i = 0; i < shown; i++) {
		ip_format(&addresses->list[i], ip);
		used += (size_t)snprintf(ret_text + used, size - used, "%s%s", i ? ", " : "", ip);
	}
	if (shown < addresses->n)
		snprintf(ret_text + used, size - used, " and %zu more", addresses->n - shown);
}

static int change_addresses(struct store *store, int64_t id, const struct addresses *new,
			    int64_t due_s, struct error *err)
{
	struct host_name name = {"", ""};
	struct addresses old = {.n = 0};
	char text[256];
	int rc = change_begin(store, err);

	if (rc)
		return rc;
	rc = read_name(store, id, &name, err);
	if (rc == 0)
		rc = store_acl_host_addresses(store, id, old.list, &old.n, err);
	if (rc == 0)
		rc = replace_addresses(store, id, &old, new, err);
	if (rc == 0)
		rc = note_answer(store, id, due_s, err);
	describe(new, text, sizeof(text));
	return change_end(store, rc, err, "ACL \"%s\": host %s is now %s", name.acl, name.host,
			  text);
}

int store_acl_host_resolved(struct store *store, int64_t host_id, const struct ip *addresses,
			    size_t n, int64_t due_s, struct error *err)
{
	struct addresses old = {.n = 0}, new;
	int rc = order_addresses(addresses, n, &new, err);

	if (rc == 0)
		rc = store_acl_host_addresses(store, host_id, old.list, &old.n, err);
	if (rc)
		return rc;
	if (!same_addresses(&old, &new))
		return change_addresses(store, host_id, &new, due_s, err);
	rc = note_answer(store, host_id, due_s, err);
	return rc < 0 ? rc : 0;
}

int store_acl_host_failed(struct store *store, int64_t host_id, const char *why, int64_t due_s,
			  struct error *err)
{
	size_t n = strnlen(why, STORE_NOTE_SIZE - 1);
	int rc = db_run(store, err, "UPDATE acl_host SET failure = ?, due = ? WHERE id = ?",
			((struct bind){.kind = BIND_TEXT, .bytes = why, .n = n}), INT(due_s),
			INT(host_id));

	if (rc == 0)
		return error_set(err, -ENOENT, "the host name is not in its ACL any more");
	return rc < 0 ? rc : 0;
}
