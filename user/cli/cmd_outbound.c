/* SPDX-License-Identifier: BSD-2-Clause */
/* Credentials that the gate has at upstreams. */
#include <errno.h>
#include <string.h>

#include "cli/control.h"
#include "cli/peer.h"
#include "digest/password.h"

static struct store_outbound_key key_of(const struct cli *cli)
{
	return (struct store_outbound_key){cli->args[0], cli->args[1], cli->args[2]};
}

static int hash_password(struct cli *cli, const char *password, struct store_outbound *outbound)
{
	struct digest_context *context;
	int rc = digest_context_create(&context);
	if (rc == 0) {
		rc = password_hash(context, slice_from(cli->args[2]), slice_from(outbound->realm),
				   slice_from(password), &outbound->ha1);
		digest_context_free(context);
	}
	explicit_bzero(outbound->ha1.at_realm, sizeof(outbound->ha1.at_realm));
	return rc < 0 ? cli_error(cli, rc, "the password can not be hashed: %s", strerror(-rc)) : 0;
}

static int set_options(struct cli *cli, struct store_outbound *outbound)
{
	const char *realm = args_option(cli, "--realm"), *expires = args_option(cli, "--expires");
	uint64_t seconds = outbound->expires_s;
	if (realm && slice_text(slice_from(realm), outbound->realm, sizeof(outbound->realm)) < 0)
		return cli_error(cli, -EINVAL, "the realm is longer than %zu bytes",
				 sizeof(outbound->realm) - 1);
	if (expires && cli_duration(cli, expires, &seconds) < 0)
		return -EINVAL;
	outbound->expires_s = (unsigned)seconds;
	outbound->registers =
		args_option_choice(cli, "--register", outbound->registers ? 0 : 1) == 0;
	return 0;
}

struct search {
	const char *user;
	struct store_outbound *ret_outbound;
};

static int match(const struct store_outbound *outbound, void *arg)
{
	const struct search *search = arg;
	if (strcmp(outbound->user, search->user) != 0)
		return 0;
	*search->ret_outbound = *outbound;
	return 1;
}

/* What the store has of it. */
static int find(struct cli *cli, struct store_outbound *ret_outbound)
{
	struct search search = {cli->args[2], ret_outbound};
	struct store_peer wanted, peer;
	int rc = peer_named(cli, cli->args[1], STORE_UPSTREAM, &wanted);
	if (rc == 0)
		rc = cli_store(cli);
	if (rc == 0)
		rc = store_peer_get(cli->store, cli->args[0], &wanted, &peer, &cli->err);
	if (rc == 0)
		rc = store_outbound_each(cli->store, peer.id, match, &search, &cli->err);
	if (rc == 0)
		return cli_error(cli, -ENOENT,
				 "outbound user %s: upstream %s has none of this name",
				 cli->args[2], peer.uri);
	return rc < 0 ? rc : 0;
}

typedef int store_outbound_write(struct store *store, const struct store_outbound_key *key,
				 const struct store_outbound *outbound, const char *password,
				 struct error *err);

/* Asks for the password, and writes what is to be kept of it. */
static int write_password(struct cli *cli, struct store_outbound *outbound,
			  store_outbound_write *write)
{
	const struct store_outbound_key key = key_of(cli);
	char password[PASSWORD_SIZE] = "";
	int rc = password_read(cli, password);
	if (rc == 0)
		rc = store_outbound_password_check(password, &cli->err);
	if (rc == 0 && outbound->realm[0])
		rc = hash_password(cli, password, outbound);
	if (rc == 0)
		rc = write(cli->store, &key, outbound, password, &cli->err);
	explicit_bzero(password, sizeof(password));
	explicit_bzero(&outbound->ha1, sizeof(outbound->ha1));
	return rc < 0 ? rc : cli_sync_silently(cli);
}

static int done(struct cli *cli, const char *key, const char *sentence)
{
	return output_done(cli,
			   json_pack("{s:o, s:o, s:o}", key, output_text(cli->args[2]), "upstream",
				     output_text(cli->args[1]), "trunk", output_text(cli->args[0])),
			   "%s %s at upstream %s of trunk %s", sentence, cli->args[2], cli->args[1],
			   cli->args[0]);
}

int cmd_outbound_add(struct cli *cli)
{
	struct store_outbound outbound = {.expires_s = STORE_OUTBOUND_EXPIRES_S};
	int rc = cli_store(cli);
	if (rc == 0)
		rc = set_options(cli, &outbound);
	if (rc == 0)
		rc = write_password(cli, &outbound, store_outbound_add);
	return rc < 0 ? rc : done(cli, "added", "added outbound user");
}

int cmd_outbound_passwd(struct cli *cli)
{
	struct store_outbound outbound;
	int rc = find(cli, &outbound);
	if (rc == 0)
		rc = set_options(cli, &outbound);
	if (rc == 0)
		rc = write_password(cli, &outbound, store_outbound_passwd);
	return rc < 0 ? rc : done(cli, "changed", "changed the password of outbound user");
}

int cmd_outbound_set(struct cli *cli)
{
	const struct store_outbound_key key = key_of(cli);
	struct store_outbound outbound;
	if (!cli->option_count)
		return cli_usage(cli, "say what to change");
	int rc = find(cli, &outbound);
	if (rc == 0)
		rc = set_options(cli, &outbound);
	if (rc == 0)
		rc = store_outbound_set(cli->store, &key, &outbound, &cli->err);
	explicit_bzero(&outbound, sizeof(outbound));
	if (rc == 0)
		rc = cli_sync_silently(cli);
	return rc < 0 ? rc : done(cli, "changed", "changed outbound user");
}

int cmd_outbound_remove(struct cli *cli)
{
	const struct store_outbound_key key = key_of(cli);
	int rc = cli_store(cli);
	if (rc == 0)
		rc = store_outbound_remove(cli->store, &key, &cli->err);
	if (rc == 0)
		rc = cli_sync_silently(cli);
	return rc < 0 ? rc : done(cli, "removed", "removed outbound user");
}

/* ---- listing: what a password is kept as is nobody's to see ---- */

static const struct column columns[] = {
	{"TRUNK", "trunk", COLUMN_TEXT},	{"UPSTREAM", "upstream", COLUMN_TEXT},
	{"USER", "user", COLUMN_TEXT},		{"REALM", "realm", COLUMN_TEXT},
	{"REGISTERS", "registers", COLUMN_YES}, {"EXPIRES", "expires_s", COLUMN_SECONDS},
	{"REGISTERED UNTIL", "until", COLUMN_TIME}, {"LAST STATUS", "status", COLUMN_NUMBER},
};

struct listing {
	struct cli *cli;
	const char *trunk, *upstream; /* whose credentials are being listed */
	json_t *registrations;	      /* the daemon's, or NULL */
	json_t *rows;
};

static json_t *ask_registrations(struct cli *cli)
{
	json_t *answer = NULL, *registrations;
	if (control_ask(cli->state_dir, json_pack("{s:s}", "ask", "registrations_out"), &answer) <
	    0)
		return NULL;
	registrations = json_incref(json_object_get(answer, "registrations"));
	json_decref(answer);
	return registrations;
}

/* Null without a daemon, and while nothing was heard. */
static void set_registration(json_t *row, const json_t *registrations, int64_t id)
{
	json_t *one, *until = NULL, *status = NULL;
	size_t i;
	json_array_foreach(registrations, i, one)
	{
		if (json_integer_value(json_object_get(one, "credential")) != id)
			continue;
		until = json_object_get(one, "until");
		status = json_object_get(one, "status");
	}
	json_object_set(row, "until", until ? until : json_null());
	json_object_set(row, "status", json_integer_value(status) ? status : json_null());
}

static int list_outbound(const struct store_outbound *outbound, void *arg)
{
	const struct listing *listing = arg;
	json_t *row =
		json_pack("{s:o, s:s, s:o, s:o, s:b, s:I}", "trunk", output_text(listing->trunk),
			  "upstream", listing->upstream, "user", output_text(outbound->user),
			  "realm", outbound->realm[0] ? output_text(outbound->realm) : json_null(),
			  "registers", outbound->registers, "expires_s",
			  (json_int_t)outbound->expires_s);
	if (row)
		set_registration(row, listing->registrations, outbound->id);
	return output_append(listing->rows, row);
}

static int list_peer(const struct store_peer *peer, void *arg)
{
	struct listing *listing = arg;
	listing->upstream = peer->uri;
	return store_outbound_each(listing->cli->store, peer->id, list_outbound, listing,
				   &listing->cli->err);
}

static int list_trunk(const struct store_trunk *trunk, void *arg)
{
	struct listing *listing = arg;
	const struct cli *cli = listing->cli;
	if (cli->arg_count && strcmp(trunk->name, cli->args[0]) != 0)
		return 0;
	listing->trunk = trunk->name;
	return store_peer_each(cli->store, trunk->id, list_peer, listing, &listing->cli->err);
}

int cmd_outbound_list(struct cli *cli)
{
	struct listing listing = {.cli = cli, .rows = json_array()};
	struct store_trunk trunk;
	int rc = cli_store(cli);
	if (rc == 0 && cli->arg_count)
		rc = store_trunk_get(cli->store, cli->args[0], &trunk, &cli->err);
	if (rc == 0) {
		listing.registrations = ask_registrations(cli);
		rc = store_trunk_each(cli->store, list_trunk, &listing, &cli->err);
	}
	json_decref(listing.registrations);
	if (rc == 0)
		return output_table(cli, VIEW(columns, "there are none"), listing.rows);
	json_decref(listing.rows);
	return rc;
}
