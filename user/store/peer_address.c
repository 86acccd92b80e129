/* SPDX-License-Identifier: BSD-2-Clause */
/* What the URIs of peers stand for: an address for itself, a name for what DNS said last. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/internal.h"

#define SIP_PORT 5060
#define SIPS_PORT 5061
#define TLS 3 /* of enum net_transport */

static int change_host(struct store *store, const struct ip *ip, struct error *err)
{
	struct prefix host = {.ip = *ip, .len = (uint8_t)ip_bits(ip)};

	return change_prefix(store, &host, err);
}

int peer_note_addresses(struct store *store, int64_t peer, struct error *err)
{
	struct prefix host;
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err,
			  "SELECT DISTINCT host FROM peer_address WHERE peer_id = ?", INT(peer));

	while (rc == 0 && (rc = db_step(store, stmt, err)) > 0)
		rc = column_prefix(stmt, 0, &host) ? change_prefix(store, &host, err) : 0;
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- reading ---- */

static void read_address(sqlite3_stmt *stmt, struct store_peer_address *ret_address)
{
	struct prefix host = {0};

	column_prefix(stmt, 0, &host);
	*ret_address = (struct store_peer_address){
		.endpoint = {.ip = host.ip, .port = (uint16_t)sqlite3_column_int(stmt, 1)},
		.transport = (unsigned)sqlite3_column_int(stmt, 2),
		.priority = (unsigned)sqlite3_column_int(stmt, 3),
		.weight = (unsigned)sqlite3_column_int(stmt, 4),
	};
}

int store_peer_addresses(struct store *store, int64_t peer_id,
			 struct store_peer_address *ret_addresses, size_t *ret_n, struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	size_t n = 0;
	int rc = db_query(store, &stmt, err,
			  "SELECT host, port, transport, priority, weight FROM peer_address"
			  " WHERE peer_id = ? ORDER BY priority, host, port, transport",
			  INT(peer_id));

	while (rc == 0 && n < STORE_PEER_ADDRESSES_MAX && (rc = db_step(store, stmt, err)) > 0) {
		read_address(stmt, &ret_addresses[n++]);
		rc = 0;
	}
	sqlite3_finalize(stmt);
	if (rc == 0)
		*ret_n = n;
	return rc;
}

/* ---- writing ---- */

static int insert_address(struct store *store, int64_t peer,
			  const struct store_peer_address *address, struct error *err)
{
	struct prefix_key key = host_key(&address->endpoint.ip);
	int rc = db_run(store, err, "INSERT INTO peer_address VALUES (?, ?, ?, ?, ?, ?)", INT(peer),
			BLOB(key.bytes, key.n), INT(address->endpoint.port),
			INT(address->transport), INT(address->priority), INT(address->weight));

	return rc < 0 ? rc : change_host(store, &address->endpoint.ip, err);
}

int peer_put_literal(struct store *store, int64_t peer, const struct store_peer_uri *uri,
		     struct error *err)
{
	uint16_t port = uri->transport == TLS ? SIPS_PORT : SIP_PORT;
	struct store_peer_address address = {
		.endpoint = {.ip = uri->ip, .port = uri->port ? uri->port : port},
		.transport = uri->transport,
	};
	int rc = uri->ip.family ? insert_address(store, peer, &address, err) : 0;

	if (rc || !uri->ip.family)
		return rc;
	rc = db_run(store, err, "UPDATE peer SET resolved = ? WHERE id = ?", INT(clock_wall_s()),
		    INT(peer));
	return rc < 0 ? rc : 0;
}

/* ---- what the resolver found ---- */

struct addresses {
	struct store_peer_address list[STORE_PEER_ADDRESSES_MAX];
	size_t n;
};

static int compare_place(const struct store_peer_address *a, const struct store_peer_address *b)
{
	struct prefix_key key_a = host_key(&a->endpoint.ip), key_b = host_key(&b->endpoint.ip);
	int order = memcmp(key_a.bytes, key_b.bytes, sizeof(key_a.bytes));

	if (order == 0)
		order = a->endpoint.port - b->endpoint.port;
	return order ? order : (int)a->transport - (int)b->transport;
}

static int compare_address(const void *a_, const void *b_)
{
	const struct store_peer_address *a = a_, *b = b_;

	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	return compare_place(a, b);
}

static bool holds_place(const struct addresses *addresses, const struct store_peer_address *wanted)
{
	for (size_t i = 0; i < addresses->n; i++) {
		if (compare_place(&addresses->list[i], wanted) == 0)
			return true;
	}
	return false;
}

static int check_address(const struct store_peer_address *address, struct error *err)
{
	uint8_t family = address->endpoint.ip.family;

	if (family != 4 && family != 6)
		return error_set(err, -EINVAL, "family %u is no IP address", family);
	if (!address->endpoint.port)
		return error_set(err, -EINVAL, "port 0 is no port");
	if (address->transport < 1 || address->transport > TLS)
		return error_set(err, -EINVAL, "there is no transport %u", address->transport);
	return 0;
}

static int order_addresses(const struct store_peer_address *addresses, size_t n,
			   struct addresses *ret_ordered, struct error *err)
{
	struct addresses sorted = {.n = n};
	int rc = 0;

	if (n < 1 || n > STORE_PEER_ADDRESSES_MAX)
		return error_set(err, -EINVAL, "a peer stands for 1 to %d addresses, not %zu",
				 STORE_PEER_ADDRESSES_MAX, n);
	memcpy(sorted.list, addresses, n * sizeof(*addresses));
	qsort(sorted.list, n, sizeof(*addresses), compare_address);
	ret_ordered->n = 0;
	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = check_address(&sorted.list[i], err);
		if (rc == 0 && !holds_place(ret_ordered, &sorted.list[i]))
			ret_ordered->list[ret_ordered->n++] = sorted.list[i];
	}
	return rc;
}

static bool same_addresses(const struct addresses *a, const struct addresses *b)
{
	for (size_t i = 0; i < a->n && a->n == b->n; i++) {
		if (compare_address(&a->list[i], &b->list[i]) != 0 ||
		    a->list[i].weight != b->list[i].weight)
			return false;
	}
	return a->n == b->n;
}

static int replace_addresses(struct store *store, int64_t peer, const struct addresses *new,
			     struct error *err)
{
	int rc = peer_note_addresses(store, peer, err);

	if (rc == 0)
		rc = db_run(store, err, "DELETE FROM peer_address WHERE peer_id = ?", INT(peer));
	for (size_t i = 0; i < new->n &&rc >= 0; i++)
		rc = insert_address(store, peer, &new->list[i], err);
	return rc < 0 ? rc : 0;
}

#define GONE "the trunk does not have this peer any more"

static int note_answer(struct store *store, int64_t peer, int64_t due_s, struct error *err)
{
	int rc = db_run(store, err,
			"UPDATE peer SET resolved = ?2, due = ?3, failure = '' WHERE id = ?1",
			INT(peer), INT(clock_wall_s()), INT(due_s));

	return rc ? rc : error_set(err, -ENOENT, GONE);
}

struct peer_name {
	char trunk[STORE_NAME_SIZE], uri[STORE_URI_SIZE];
	enum store_peer_role role;
};

static int read_name(struct store *store, int64_t peer, struct peer_name *ret_name,
		     struct error *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = db_query(store, &stmt, err,
			  "SELECT name, uri, role FROM peer JOIN trunk ON trunk.id = trunk_id"
			  " WHERE peer.id = ?",
			  INT(peer));

	if (rc == 0)
		rc = db_step(store, stmt, err);
	if (rc > 0) {
		column_text(stmt, 0, ret_name->trunk, sizeof(ret_name->trunk));
		column_text(stmt, 1, ret_name->uri, sizeof(ret_name->uri));
		ret_name->role = (enum store_peer_role)sqlite3_column_int(stmt, 2);
	} else if (rc == 0) {
		rc = error_set(err, -ENOENT, GONE);
	}
	sqlite3_finalize(stmt);
	return rc < 0 ? rc : 0;
}

/* For the audit: as many as are read with pleasure. */
static void describe(const struct addresses *addresses, char *ret_text, size_t size)
{
	static const char *const names[] = {"", "udp", "tcp", "tls"};
	char endpoint[ENDPOINT_TEXT_SIZE];
	size_t used = 0, shown = addresses->n > 4 ? 3 : addresses->n;

	for (size_t i = 0; i < shown; i++) {
		const struct store_peer_address *address = &addresses->list[i];

		endpoint_format(&address->endpoint, endpoint);
		used += (size_t)snprintf(ret_text + used, size - used, "%s%s/%s", i ? ", " : "",
					 names[address->transport], endpoint);
	}
	if (shown < addresses->n)
		snprintf(ret_text + used, size - used, " and %zu more", addresses->n - shown);
}

static int change_addresses(struct store *store, int64_t peer, const struct addresses *new,
			    int64_t due_s, struct error *err)
{
	struct peer_name name = {"", "", STORE_UPSTREAM};
	char text[300];
	int rc = change_begin(store, err);

	if (rc)
		return rc;
	rc = read_name(store, peer, &name, err);
	if (rc == 0)
		rc = replace_addresses(store, peer, new, err);
	if (rc == 0)
		rc = note_answer(store, peer, due_s, err);
	describe(new, text, sizeof(text));
	return change_end(store, rc, err, "trunk \"%s\": %s %.120s is now %s", name.trunk,
			  store_peer_role_name(name.role), name.uri, text);
}

int store_peer_resolved(struct store *store, int64_t peer_id,
			const struct store_peer_address *addresses, size_t n, int64_t due_s,
			struct error *err)
{
	struct addresses old = {.n = 0}, new;
	int rc = order_addresses(addresses, n, &new, err);

	if (rc == 0)
		rc = store_peer_addresses(store, peer_id, old.list, &old.n, err);
	if (rc)
		return rc;
	if (!same_addresses(&old, &new))
		return change_addresses(store, peer_id, &new, due_s, err);
	rc = note_answer(store, peer_id, due_s, err);
	return rc < 0 ? rc : 0;
}

int store_peer_failed(struct store *store, int64_t peer_id, const char *why, int64_t due_s,
		      struct error *err)
{
	size_t n = strnlen(why, STORE_NOTE_SIZE - 1);
	int rc = db_run(store, err, "UPDATE peer SET failure = ?, due = ? WHERE id = ?",
			((struct bind){.kind = BIND_TEXT, .bytes = why, .n = n}), INT(due_s),
			INT(peer_id));

	if (rc == 0)
		return error_set(err, -ENOENT, GONE);
	return rc < 0 ? rc : 0;
}

int store_peer_due_now(struct store *store, struct error *err)
{
	int rc = db_run(store, err, "UPDATE peer SET due = 0");

	return rc < 0 ? rc : 0;
}
