/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "store/internal.h"
#include "store/resolve.h"

static const char *const algorithm_names[STORE_ALGORITHMS] = {"md5", "sha-256", "sha-512-256"};

const char *store_auth_type_name(enum store_auth_type type)
{
	static const char *const names[] = {
		[STORE_AUTH_NONE] = "none",
		[STORE_AUTH_IP_ACL] = "ip_acl",
		[STORE_AUTH_CREDENTIAL] = "credential",
		[STORE_AUTH_IP_ACL_AND_CREDENTIAL] = "ip_acl_and_credential",
	};

	return (unsigned)type < sizeof(names) / sizeof(names[0]) ? names[type] : "unknown";
}

void store_trunk_defaults(struct store_trunk *ret_trunk)
{
	*ret_trunk = (struct store_trunk){
		.algorithm_count = 1, /* MD5 alone: the one set that every client takes */
		.challenge_status = 407,
		.enabled = true,
		.ratchet = true,
		.assert_identity = true,
		.upstream_trusted = true,
		.international_prefix = "00",
	};
}

int trunk_id(struct store *store, const char *name, int64_t *ret_id, struct error *err)
{
	int rc = db_int(store, ret_id, err, "SELECT id FROM trunk WHERE name = ?", TEXT(name));

	if (rc == -ENOENT)
		error_set(err, rc, "trunk %s: there is none of this name", QUOTED(name));
	return rc;
}

int trunk_names(struct store *store, const char *sql, int64_t id, char *ret_names, size_t size)
{
	char name[STORE_NAME_SIZE];
	sqlite3_stmt *stmt = NULL;
	size_t used = 0;
	int n = 0;
	int rc = db_query(store, &stmt, NULL, sql, INT(id));

	while (rc == 0 && (rc = db_step(store, stmt, NULL)) > 0) {
		column_text(stmt, 0, name, sizeof(name));
		if (used < size)
			used += (size_t)snprintf(ret_names + used, size - used, "%s%s",
						 n ? ", " : "", QUOTED(name));
		n++;
		rc = 0;
	}
	sqlite3_finalize(stmt);
	return rc < 0 ? rc : n;
}

/* ---- reading ---- */

#define SELECT_TRUNK                                                                               \
	"SELECT id, name, domain, user, upstream, upstream_host, upstream_port, algorithms,"       \
	" challenge_status, enabled, allow_no_qop, auth_int, strict_uri, ratchet,"                 \
	" EXISTS (SELECT 1 FROM trunk_acl WHERE trunk_id = trunk.id),"                             \
	" EXISTS (SELECT 1 FROM trunk_credentials WHERE trunk_id = trunk.id)"                      \
	" FROM trunk"

static void read_upstream(sqlite3_stmt *stmt, struct store_trunk *ret_trunk)
{
	struct prefix host;

	ret_trunk->upstream_addr = (struct endpoint){0};
	if (column_prefix(stmt, 5, &host))
		ret_trunk->upstream_addr.ip = host.ip;
	ret_trunk->upstream_addr.port = (uint16_t)sqlite3_column_int(stmt, 6);
}

static void read_algorithms(sqlite3_stmt *stmt, struct store_trunk *ret_trunk)
{
	char digits[STORE_ALGORITHMS + 1];

	column_text(stmt, 7, digits, sizeof(digits));
	memset(ret_trunk->algorithms, 0, sizeof(ret_trunk->algorithms));
	ret_trunk->algorithm_count = (unsigned)strlen(digits);
	for (size_t i = 0; digits[i]; i++)
		ret_trunk->algorithms[i] = (unsigned)(digits[i] - '0');
}

static void read_trunk(sqlite3_stmt *stmt, struct store_trunk *ret_trunk)
{
	bool acl = sqlite3_column_int(stmt, 14), credentials = sqlite3_column_int(stmt, 15);

	ret_trunk->id = sqlite3_column_int64(stmt, 0);
	column_text(stmt, 1, ret_trunk->name, sizeof(ret_trunk->name));
	column_text(stmt, 2, ret_trunk->domain, sizeof(ret_trunk->domain));
	column_text(stmt, 3, ret_trunk->user, sizeof(ret_trunk->user));
	column_text(stmt, 4, ret_trunk->upstream, sizeof(ret_trunk->upstream));
	read_upstream(stmt, ret_trunk);
	read_algorithms(stmt, ret_trunk);
	ret_trunk->challenge_status = (unsigned)sqlite3_column_int(stmt, 8);
	ret_trunk->enabled = sqlite3_column_int(stmt, 9);
	ret_trunk->allow_no_qop = sqlite3_column_int(stmt, 10);
	ret_trunk->auth_int = sqlite3_column_int(stmt, 11);
	ret_trunk->digest_uri = sqlite3_column_int(stmt, 12) ? STORE_URI_EXACT : STORE_URI_ANY;
	ret_trunk->ratchet = sqlite3_column_int(stmt, 13);
	ret_trunk->auth = acl && credentials ? STORE_AUTH_IP_ACL_AND_CREDENTIAL
			  : acl		     ? STORE_AUTH_IP_ACL
			  : credentials	     ? STORE_AUTH_CREDENTIAL
					     : STORE_AUTH_NONE;
}

int store_trunk_get(struct store *store, const char *name, struct store_trunk *ret_trunk,
		    struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err, SELECT_TRUNK " WHERE name = ?", TEXT(name));

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc > 0)
		read_trunk(stmt, ret_trunk);
	else if (rc == 0)
		rc = error_set(err, -ENOENT, "trunk %s: there is none of this name", QUOTED(name));
	sqlite3_finalize(stmt);
	return rc < 0 ? rc : 0;
}

int store_trunk_each(struct store *store, int (*visit)(const struct store_trunk *trunk, void *arg),
		     void *arg, struct error *err)
{
	struct store_trunk trunk;
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err, SELECT_TRUNK " ORDER BY name");

	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		read_trunk(stmt, &trunk);
		rc = visit(&trunk, arg);
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- writing ---- */

static int check_algorithms(const struct store_trunk *trunk, struct error *err)
{
	unsigned seen = 0;

	if (trunk->algorithm_count < 1 || trunk->algorithm_count > STORE_ALGORITHMS)
		return error_set(err, -EINVAL, "algorithms: between one and %d are needed",
				 STORE_ALGORITHMS);
	for (unsigned i = 0; i < trunk->algorithm_count; i++) {
		unsigned algorithm = trunk->algorithms[i];

		if (algorithm >= STORE_ALGORITHMS)
			return error_set(err, -EINVAL, "algorithms: there is no number %u",
					 algorithm);
		if (seen & 1U << algorithm)
			return error_set(err, -EINVAL, "algorithms: %s is named twice",
					 algorithm_names[algorithm]);
		seen |= 1U << algorithm;
	}
	return 0;
}

/* Checks all fields and writes the domain as it will be kept. */
static int check_trunk(struct store_trunk *trunk, struct upstream *ret_upstream, struct error *err)
{
	int rc = check_name("trunk name", trunk->name, err);

	if (rc == 0)
		rc = check_domain(trunk->domain, trunk->domain, err);
	if (rc == 0)
		rc = check_trunk_user(trunk->user, err);
	if (rc == 0)
		rc = check_upstream(trunk->upstream, ret_upstream, err);
	if (rc == 0)
		rc = check_algorithms(trunk, err);
	if (rc == 0 && trunk->challenge_status != 401 && trunk->challenge_status != 407)
		rc = error_set(err, -EINVAL, "challenge status %u: must be 401 or 407",
			       trunk->challenge_status);
	return rc;
}

/* Names the trunk that has the domain and user already. */
static int check_address_free(struct store *store, const struct store_trunk *trunk,
			      struct error *err)
{
	char name[200];
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err,
			  "SELECT name FROM trunk WHERE domain = ? AND user = ? AND name <> ?",
			  TEXT(trunk->domain), TEXT(trunk->user), TEXT(trunk->name));

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc > 0) {
		column_text(stmt, 0, name, sizeof(name));
		rc = error_set(err, -EEXIST, "domain \"%s%s%s\": belongs to trunk %s", trunk->user,
			       trunk->user[0] ? "@" : "", trunk->domain, QUOTED(name));
	}
	sqlite3_finalize(stmt);
	return rc;
}

static int change_host(struct store *store, const struct ip *ip, struct error *err)
{
	struct prefix host = {.ip = *ip, .len = (uint8_t)ip_bits(ip)};

	return ip->family ? change_prefix(store, &host, err) : 0;
}

static struct prefix_key host_key(const struct ip *ip)
{
	return prefix_key(&(struct prefix){.ip = *ip, .len = (uint8_t)ip_bits(ip)});
}

static int write_trunk(struct store *store, const char *sql, const struct store_trunk *trunk,
		       struct error *err)
{
	struct prefix_key host = host_key(&trunk->upstream_addr.ip);
	char digits[STORE_ALGORITHMS + 1] = "";

	for (unsigned i = 0; i < trunk->algorithm_count; i++)
		digits[i] = (char)('0' + trunk->algorithms[i]);
	return db_run(store, err, sql, TEXT(trunk->name), TEXT(trunk->domain), TEXT(trunk->user),
		      TEXT(trunk->upstream), BLOB(host.bytes, host.n),
		      INT(trunk->upstream_addr.port), TEXT(digits), INT(trunk->challenge_status),
		      INT(trunk->enabled), INT(trunk->allow_no_qop), INT(trunk->auth_int),
		      INT(trunk->digest_uri != STORE_URI_ANY), INT(trunk->ratchet));
}

int store_trunk_create(struct store *store, const struct store_trunk *trunk, struct error *err)
{
	struct store_trunk new = *trunk;
	struct upstream upstream;
	int rc = check_trunk(&new, &upstream, err);

	if (rc == 0)
		rc = upstream_resolve(&upstream, new.upstream, &new.upstream_addr, err);
	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = check_address_free(store, &new, err);
	if (rc == 0)
		rc = change_host(store, &new.upstream_addr.ip, err);
	if (rc == 0) {
		rc = write_trunk(store,
				 "INSERT INTO trunk (name, domain, user, upstream, upstream_host,"
				 " upstream_port, algorithms, challenge_status, enabled,"
				 " allow_no_qop, auth_int, strict_uri, ratchet)"
				 " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
				 &new, err);
		if (rc == -EEXIST)
			error_set(err, rc, "trunk %s: there is one already", QUOTED(new.name));
	}
	return change_end(store, rc, err, "created trunk \"%s\" for %s%s%s to %.120s", new.name,
			  new.user, new.user[0] ? "@" : "", new.domain, new.upstream);
}

static int update_trunk(struct store *store, const struct store_trunk *old,
			const struct store_trunk *new, struct error *err)
{
	int rc = check_address_free(store, new, err);

	if (new->enabled != old->enabled)
		change_everything(store);
	if (rc == 0 && !ip_eq(&old->upstream_addr.ip, &new->upstream_addr.ip)) {
		rc = change_host(store, &old->upstream_addr.ip, err);
		if (rc == 0)
			rc = change_host(store, &new->upstream_addr.ip, err);
	}
	if (rc)
		return rc;
	return write_trunk(store,
			   "UPDATE trunk SET domain = ?2, user = ?3, upstream = ?4,"
			   " upstream_host = ?5, upstream_port = ?6, algorithms = ?7,"
			   " challenge_status = ?8, enabled = ?9, allow_no_qop = ?10,"
			   " auth_int = ?11, strict_uri = ?12, ratchet = ?13"
			   " WHERE name = ?1 AND (domain, user, upstream, upstream_host,"
			   "  upstream_port, algorithms, challenge_status, enabled, allow_no_qop,"
			   "  auth_int, strict_uri, ratchet)"
			   " <> (?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
			   new, err);
}

int store_trunk_set(struct store *store, const struct store_trunk *trunk, struct error *err)
{
	struct store_trunk old, new = *trunk;
	struct upstream upstream;
	int rc = check_trunk(&new, &upstream, err);

	if (rc == 0)
		rc = store_trunk_get(store, new.name, &old, err);
	if (rc)
		return rc;
	/* What stays as it is needs no resolver: a trunk can be disabled while the DNS is away. */
	if (strcmp(old.upstream, new.upstream) == 0)
		new.upstream_addr = old.upstream_addr;
	else
		rc = upstream_resolve(&upstream, new.upstream, &new.upstream_addr, err);
	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	/* Once more, now that nobody else can change it. */
	rc = store_trunk_get(store, new.name, &old, err);
	if (rc == 0)
		rc = update_trunk(store, &old, &new, err);
	return change_end(store, rc, err, "changed trunk \"%s\": %s, for %s%s%s to %.120s",
			  new.name, new.enabled ? "enabled" : "disabled", new.user,
			  new.user[0] ? "@" : "", new.domain, new.upstream);
}

int store_trunk_delete(struct store *store, const char *name, struct error *err)
{
	int rc = change_begin(store, err);

	if (rc)
		return rc;
	change_everything(store);
	rc = db_run(store, err, "DELETE FROM trunk WHERE name = ?", TEXT(name));
	if (rc == 0)
		rc = error_set(err, -ENOENT, "trunk %s: there is none of this name", QUOTED(name));
	return change_end(store, rc, err, "deleted trunk \"%s\"", name);
}

/* ---- resolving again ---- */

static int update_host(struct store *store, const struct store_trunk *trunk,
		       const struct endpoint *addr, struct error *err)
{
	struct prefix_key key = host_key(&addr->ip);
	char text[IP_TEXT_SIZE];
	int rc = change_begin(store, err);

	if (rc)
		return rc;
	ip_format(&addr->ip, text);
	rc = change_host(store, &trunk->upstream_addr.ip, err);
	if (rc == 0)
		rc = change_host(store, &addr->ip, err);
	if (rc == 0)
		/* Not if an operator has changed the trunk meanwhile. */
		rc = db_run(store, err,
			    "UPDATE trunk SET upstream_host = ? WHERE id = ? AND upstream = ?",
			    BLOB(key.bytes, key.n), INT(trunk->id), TEXT(trunk->upstream));
	return change_end(store, rc, err, "trunk \"%s\": %.120s has moved to %s", trunk->name,
			  trunk->upstream, text);
}

struct trunk_list {
	struct store_trunk *trunks;
	size_t n;
};

static int keep_trunk(const struct store_trunk *trunk, void *arg)
{
	struct trunk_list *list = arg;
	struct store_trunk *grown;

	grown = reallocarray(list->trunks, list->n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	list->trunks = grown;
	list->trunks[list->n++] = *trunk;
	return 0;
}

int store_trunk_resolve(struct store *store, size_t *ret_changed, struct error *err)
{
	struct trunk_list list = {0};
	size_t changed = 0;
	int rc = store_trunk_each(store, keep_trunk, &list, err);

	for (size_t i = 0; i < list.n && rc == 0; i++) {
		const struct store_trunk *trunk = &list.trunks[i];
		struct endpoint addr = trunk->upstream_addr;

		if (!upstream_moved(trunk, &addr))
			continue;
		rc = update_host(store, trunk, &addr, err);
		changed += rc == 0;
	}
	free(list.trunks);
	if (rc == 0 && ret_changed)
		*ret_changed = changed;
	return rc;
}
