/* SPDX-License-Identifier: BSD-2-Clause */
/* Credentials that the gate has at upstreams. Where the realm is known only HA1s are kept; until
 * then the password must be, sealed. */
#include <errno.h>
#include <stdio.h>

#include "store/internal.h"

#define MD5_SIZE 16
#define EXPIRES_MIN_S 60
#define EXPIRES_MAX_S 86400
#define SEALED_SIZE (STORE_PASSWORD_SIZE + SEALED_OVERHEAD)

int store_outbound_password_check(const char *password, struct error *err)
{
	size_t n = strlen(password);

	if (n < 1 || n >= STORE_PASSWORD_SIZE)
		return error_set(err, -EINVAL, "password: must have 1 to %d bytes, this has %zu",
				 STORE_PASSWORD_SIZE - 1, n);
	for (const char *c = password; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return error_set(err, -EINVAL, "password: holds a control character");
	}
	return 0;
}

/* The user name stands between quotes in the answer. */
static int check_user(const char *user, struct error *err)
{
	int rc = check_name("outbound user", user, err);

	if (rc == 0 && strpbrk(user, "\"\\:"))
		return error_set(err, -EINVAL,
				 "outbound user %s: must not hold a quote, a backslash or ':'",
				 QUOTED(user));
	return rc;
}

static int check_registration(const struct store_outbound *outbound, struct error *err)
{
	unsigned expires = outbound->expires_s;

	if (expires < EXPIRES_MIN_S || expires > EXPIRES_MAX_S)
		return error_set(err, -EINVAL, "expires %u: must be from %d to %d seconds", expires,
				 EXPIRES_MIN_S, EXPIRES_MAX_S);
	return 0;
}

static int check_secret(const struct store_outbound *outbound, const char *password,
			struct error *err)
{
	if (outbound->realm[0])
		return check_realm(outbound->realm, err);
	return store_outbound_password_check(password, err);
}

/* ---- sealing ---- */

/* Trunk, URI and user, each with its zero: what is copied to another row does not open there. */
struct owner {
	char bytes[2 * STORE_NAME_SIZE + STORE_URI_SIZE];
	size_t n;
};

static struct slice owner_of(const struct store_outbound_key *key, struct owner *owner)
{
	int n = snprintf(owner->bytes, sizeof(owner->bytes), "%s%c%s%c%s", key->trunk, '\0',
			 key->uri, '\0', key->user);

	owner->n = (size_t)n + 1;
	return (struct slice){owner->bytes, owner->n};
}

/* Always of one length, so that nothing tells how long the password is. */
static int seal(struct store *store, const struct store_outbound_key *key, const char *password,
		uint8_t ret_sealed[SEALED_SIZE], struct error *err)
{
	char padded[STORE_PASSWORD_SIZE] = "";
	struct sealed_key seal_key;
	struct owner owner;
	int rc = outbound_key(store, true, &seal_key, err);

	if (rc)
		return rc;
	strcpy(padded, password);
	if (sealed_write(&seal_key, owner_of(key, &owner), (struct slice){padded, sizeof(padded)},
			 ret_sealed))
		rc = error_set(err, -ENOMEM, "out of memory");
	explicit_bzero(padded, sizeof(padded));
	explicit_bzero(&seal_key, sizeof(seal_key));
	return rc;
}

/* ---- writing ---- */

struct row {
	int64_t peer_id;
	char uri[STORE_URI_SIZE]; /* as it is kept */
	const struct store_outbound *outbound;
	uint8_t sealed[SEALED_SIZE];
	size_t sealed_size;
};

/* Finds the upstream, and seals what is to be sealed. */
static int begin_row(struct store *store, const struct store_outbound_key *key,
		     const char *password, struct row *row, struct error *err)
{
	struct store_peer wanted = {.role = STORE_UPSTREAM}, peer;
	struct store_outbound_key kept = *key;
	int rc = check_user(key->user, err);

	if (rc)
		return rc;
	if (slice_text(slice_from(key->uri), wanted.uri, sizeof(wanted.uri)))
		return error_set(err, -EINVAL, "upstream %s: is too long", QUOTED(key->uri));
	rc = peer_find(store, key->trunk, &wanted, &peer, err);
	if (rc)
		return rc;
	row->peer_id = peer.id;
	strcpy(row->uri, peer.uri);
	kept.uri = row->uri;
	if (!password)
		return 0;
	row->sealed_size = SEALED_SIZE;
	return seal(store, &kept, password, row->sealed, err);
}

/* Runs SQL in which ?1 and ?2 are the peer and the user. */
static int write_row(struct store *store, const char *sql, const char *user, const struct row *row,
		     struct error *err)
{
	static const struct store_ha1 none;
	const struct store_outbound *outbound = row->outbound;
	const struct store_ha1 *ha1 = outbound->realm[0] ? &outbound->ha1 : &none;
	int rc = db_run(store, err, sql, INT(row->peer_id), TEXT(user), TEXT(outbound->realm),
			INT(outbound->registers), INT(outbound->expires_s),
			BLOB(ha1->plain[0], MD5_SIZE), BLOB(ha1->plain[1], STORE_HA1_SIZE),
			BLOB(ha1->plain[2], STORE_HA1_SIZE), BLOB(row->sealed, row->sealed_size));

	return rc;
}

static int check_found(int changed, const struct store_outbound_key *key, struct error *err)
{
	if (changed)
		return changed;
	return error_set(err, -ENOENT, "outbound user %s: upstream %s has none of this name",
			 QUOTED(key->user), QUOTED(key->uri));
}

int store_outbound_add(struct store *store, const struct store_outbound_key *key,
		       const struct store_outbound *outbound, const char *password,
		       struct error *err)
{
	struct row row = {.outbound = outbound};
	int rc = check_registration(outbound, err);

	if (rc == 0)
		rc = check_secret(outbound, password, err);
	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = begin_row(store, key, outbound->realm[0] ? NULL : password, &row, err);
	if (rc == 0)
		rc = write_row(store,
			       "INSERT INTO outbound (peer_id, user, realm, registers, expires,"
			       " ha1_md5, ha1_sha256, ha1_sha512_256, sealed)"
			       " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			       key->user, &row, err);
	if (rc == -EEXIST)
		error_set(err, rc, "outbound user %s: upstream %s has one already",
			  QUOTED(key->user), QUOTED(row.uri));
	return change_end(store, rc, err, "trunk \"%s\": upstream %s: added outbound user \"%s\"",
			  key->trunk, row.uri, key->user);
}

int store_outbound_passwd(struct store *store, const struct store_outbound_key *key,
			  const struct store_outbound *outbound, const char *password,
			  struct error *err)
{
	struct row row = {.outbound = outbound};
	int rc = check_secret(outbound, password, err);

	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = begin_row(store, key, outbound->realm[0] ? NULL : password, &row, err);
	if (rc == 0)
		rc = check_found(write_row(store,
					   "UPDATE outbound SET realm = ?3, ha1_md5 = ?6,"
					   " ha1_sha256 = ?7, ha1_sha512_256 = ?8, sealed = ?9"
					   " WHERE peer_id = ?1 AND user = ?2",
					   key->user, &row, err),
				 key, err);
	return change_end(store, rc, err,
			  "trunk \"%s\": upstream %s: new password of outbound user \"%s\"",
			  key->trunk, row.uri, key->user);
}

int store_outbound_set(struct store *store, const struct store_outbound_key *key,
		       const struct store_outbound *outbound, struct error *err)
{
	struct row row = {.outbound = outbound};
	int rc = check_registration(outbound, err);

	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = begin_row(store, key, NULL, &row, err);
	if (rc == 0)
		rc = db_int(store, &(int64_t){0}, err,
			    "SELECT 1 FROM outbound WHERE peer_id = ? AND user = ?",
			    INT(row.peer_id), TEXT(key->user));
	if (rc == -ENOENT)
		rc = check_found(0, key, err);
	if (rc == 0)
		rc = db_run(store, err,
			    "UPDATE outbound SET registers = ?3, expires = ?4"
			    " WHERE peer_id = ?1 AND user = ?2"
			    "  AND (registers, expires) IS NOT (?3, ?4)",
			    INT(row.peer_id), TEXT(key->user), INT(outbound->registers),
			    INT(outbound->expires_s));
	return change_end(
		store, rc, err, "trunk \"%s\": upstream %s: outbound user \"%s\" %s (expires %u)",
		key->trunk, row.uri, key->user,
		outbound->registers ? "registers" : "does not register", outbound->expires_s);
}

int store_outbound_remove(struct store *store, const struct store_outbound_key *key,
			  struct error *err)
{
	struct row row = {0};
	int rc = change_begin(store, err);

	if (rc)
		return rc;
	rc = begin_row(store, key, NULL, &row, err);
	if (rc == 0)
		rc = check_found(db_run(store, err,
					"DELETE FROM outbound WHERE peer_id = ? AND user = ?",
					INT(row.peer_id), TEXT(key->user)),
				 key, err);
	return change_end(store, rc, err, "trunk \"%s\": upstream %s: removed outbound user \"%s\"",
			  key->trunk, row.uri, key->user);
}

/* ---- reading ---- */

static void read_outbound(sqlite3_stmt *stmt, struct store_outbound *ret_outbound)
{
	*ret_outbound = (struct store_outbound){
		.id = sqlite3_column_int64(stmt, 0),
		.peer_id = sqlite3_column_int64(stmt, 1),
		.registers = sqlite3_column_int(stmt, 4) != 0,
		.expires_s = (unsigned)sqlite3_column_int(stmt, 5),
		.has_secret = sqlite3_column_bytes(stmt, 9) > 0,
	};
	column_text(stmt, 2, ret_outbound->user, sizeof(ret_outbound->user));
	column_text(stmt, 3, ret_outbound->realm, sizeof(ret_outbound->realm));
	for (int i = 0; i < STORE_ALGORITHMS; i++)
		column_bytes(stmt, 6 + i, ret_outbound->ha1.plain[i], STORE_HA1_SIZE);
}

int store_outbound_each(struct store *store, int64_t peer_id,
			int (*visit)(const struct store_outbound *outbound, void *arg), void *arg,
			struct error *err)
{
	struct store_outbound outbound;
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err,
			  "SELECT id, peer_id, user, realm, registers, expires, ha1_md5,"
			  " ha1_sha256, ha1_sha512_256, sealed FROM outbound WHERE peer_id = ?"
			  " ORDER BY id",
			  INT(peer_id));

	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0) {
		read_outbound(stmt, &outbound);
		rc = visit(&outbound, arg);
		explicit_bzero(&outbound, sizeof(outbound));
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- the daemon's ---- */

struct secret {
	char trunk[STORE_NAME_SIZE], uri[STORE_URI_SIZE], user[STORE_NAME_SIZE];
	uint8_t sealed[SEALED_SIZE];
	bool sealed_whole;
};

static int read_secret(struct store *store, int64_t id, struct secret *ret_secret,
		       struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err,
			  "SELECT name, uri, outbound.user, sealed FROM outbound"
			  " JOIN peer ON peer.id = peer_id JOIN trunk ON trunk.id = trunk_id"
			  " WHERE outbound.id = ?",
			  INT(id));

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc > 0) {
		column_text(stmt, 0, ret_secret->trunk, sizeof(ret_secret->trunk));
		column_text(stmt, 1, ret_secret->uri, sizeof(ret_secret->uri));
		column_text(stmt, 2, ret_secret->user, sizeof(ret_secret->user));
		column_bytes(stmt, 3, ret_secret->sealed, sizeof(ret_secret->sealed));
		ret_secret->sealed_whole = sqlite3_column_bytes(stmt, 3) == SEALED_SIZE;
	}
	sqlite3_finalize(stmt);
	if (rc == 0)
		return error_set(err, -ENOENT, "there is no outbound user %lld any more",
				 (long long)id);
	return rc < 0 ? rc : 0;
}

int store_outbound_secret(struct store *store, int64_t id, char ret_password[STORE_PASSWORD_SIZE],
			  struct error *err)
{
	struct secret secret = {0};
	const struct store_outbound_key key = {secret.trunk, secret.uri, secret.user};
	struct sealed_key seal_key;
	struct owner owner;
	int rc = read_secret(store, id, &secret, err);

	if (rc == 0 && !secret.sealed_whole)
		rc = error_set(err, -ENOENT, "outbound user %s: no password is kept of it",
			       QUOTED(secret.user));
	if (rc == 0)
		rc = outbound_key(store, false, &seal_key, err);
	if (rc)
		return rc == -ENOENT && secret.sealed_whole ? -EBADMSG : rc;
	rc = sealed_read(&seal_key, owner_of(&key, &owner),
			 (struct slice){(const char *)secret.sealed, SEALED_SIZE}, ret_password);
	explicit_bzero(&seal_key, sizeof(seal_key));
	if (rc == -EBADMSG)
		error_set(err, rc,
			  "outbound user %s: its password was sealed with another outbound.key; "
			  "`sipward outbound passwd` sets it anew",
			  QUOTED(secret.user));
	return rc;
}

int store_outbound_learned(struct store *store, int64_t id, const char *realm,
			   const struct store_ha1 *ha1, struct error *err)
{
	struct secret secret = {0};
	int rc = check_realm(realm, err);

	if (rc == 0)
		rc = change_begin(store, err);
	if (rc)
		return rc;
	rc = read_secret(store, id, &secret, err);
	if (rc == 0)
		rc = db_run(store, err,
			    "UPDATE outbound SET realm = ?2, ha1_md5 = ?3, ha1_sha256 = ?4,"
			    " ha1_sha512_256 = ?5, sealed = x'' WHERE id = ?1 AND realm = ''",
			    INT(id), TEXT(realm), BLOB(ha1->plain[0], MD5_SIZE),
			    BLOB(ha1->plain[1], STORE_HA1_SIZE),
			    BLOB(ha1->plain[2], STORE_HA1_SIZE));
	if (rc == 0)
		rc = error_set(err, -ENOENT, "outbound user %s: has a realm already",
			       QUOTED(secret.user));
	return change_end(store, rc, err,
			  "trunk \"%s\": upstream %s: outbound user \"%s\" is of realm \"%s\"",
			  secret.trunk, secret.uri, secret.user, realm);
}
