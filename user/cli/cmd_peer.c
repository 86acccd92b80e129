/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a trunk's calls go: upstreams and destinations, by the same functions. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "cli/control.h"
#include "cli/peer.h"
#include "daemon/host.h"

enum store_peer_role peer_role(const struct cli *cli)
{
	bool upstream = strncmp(cli->command->words, "upstream ", 9) == 0;
	return upstream ? STORE_UPSTREAM : STORE_DESTINATION;
}

int peer_named(struct cli *cli, const char *uri, enum store_peer_role role,
	       struct store_peer *ret_peer)
{
	*ret_peer = (struct store_peer){
		.role = role, .priority = STORE_PEER_PRIORITY, .weight = STORE_PEER_WEIGHT};
	if (slice_text(slice_from(uri), ret_peer->uri, sizeof(ret_peer->uri)) < 0)
		return cli_error(cli, -EINVAL, "the URI is longer than %d bytes",
				 STORE_URI_SIZE - 1);
	return 0;
}

/* ---- changing ---- */

static int set_share(struct cli *cli, const char *option, unsigned *share)
{
	const char *text = args_option(cli, option);
	uint32_t value;
	if (!text)
		return 0;
	if (slice_u32(slice_from(text), &value) < 0 || value > UINT16_MAX)
		return cli_error(cli, -EINVAL, "%s '%s' is not from 0 to %d", option, text,
				 UINT16_MAX);
	*share = value;
	return 0;
}

static int set_shares(struct cli *cli, struct store_peer *peer)
{
	int rc = set_share(cli, "--priority", &peer->priority);
	return rc < 0 ? rc : set_share(cli, "--weight", &peer->weight);
}

static int done(struct cli *cli, const char *key, const char *sentence)
{
	const char *role = store_peer_role_name(peer_role(cli));
	int rc = cli_sync(cli);
	if (rc < 0)
		return rc;
	return output_done(cli,
			   json_pack("{s:o, s:o}", "trunk", output_text(cli->args[0]), key,
				     output_text(cli->args[1])),
			   "%s %s %s of trunk %s", sentence, role, cli->args[1], cli->args[0]);
}

int cmd_peer_add(struct cli *cli)
{
	struct store_peer peer;
	int rc = peer_named(cli, cli->args[1], peer_role(cli), &peer);
	if (rc == 0)
		rc = set_shares(cli, &peer);
	if (rc == 0)
		rc = cli_store(cli);
	if (rc == 0)
		rc = store_peer_add(cli->store, cli->args[0], &peer, &cli->err);
	if (rc == 0)
		rc = peer_resolve(cli, cli->args[0]);
	return rc < 0 ? rc : done(cli, "added", "added");
}

int cmd_peer_set(struct cli *cli)
{
	struct store_peer wanted, peer;
	if (!cli->option_count)
		return cli_usage(cli, "say what to change");
	int rc = peer_named(cli, cli->args[1], peer_role(cli), &wanted);
	if (rc == 0)
		rc = cli_store(cli);
	if (rc == 0)
		rc = store_peer_get(cli->store, cli->args[0], &wanted, &peer, &cli->err);
	if (rc == 0)
		rc = set_shares(cli, &peer);
	if (rc == 0)
		rc = store_peer_set(cli->store, cli->args[0], &peer, &cli->err);
	return rc < 0 ? rc : done(cli, "changed", "changed");
}

int cmd_peer_remove(struct cli *cli)
{
	struct store_peer peer;
	int rc = peer_named(cli, cli->args[1], peer_role(cli), &peer);
	if (rc == 0)
		rc = cli_store(cli);
	if (rc == 0)
		rc = store_peer_remove(cli->store, cli->args[0], &peer, &cli->err);
	return rc < 0 ? rc : done(cli, "removed", "removed");
}

/* ---- listing: one line for each address ---- */

static const struct column columns[] = {
	{"TRUNK", "trunk", COLUMN_TEXT},
	{"URI", "uri", COLUMN_TEXT},
	{"PRIORITY", "priority", COLUMN_NUMBER},
	{"WEIGHT", "weight", COLUMN_NUMBER},
	{"ADDRESS", "address", COLUMN_TEXT},
	{"STATE", "state", COLUMN_TEXT},
	{"LAST ANSWER", "last", COLUMN_TEXT},
	{"LATENCY MS", "latency_ms", COLUMN_NUMBER},
	{"RESOLVED", "resolved_s", COLUMN_SECONDS},
	{"FAILURE", "failure", COLUMN_TEXT},
};

struct listing {
	struct cli *cli;
	enum store_peer_role role;
	const char *trunk; /* whose peers are being listed */
	json_t *health;	   /* the daemon's, or NULL */
	json_t *rows;
};

/* {"upstreams": [{"peer": ID, "address": "udp/192.0.2.1:5060", "state": "up", "last": 200,
 * "latency_ms": 3}, …]}, of destinations too; without a daemon nothing. */
static json_t *ask_health(struct cli *cli)
{
	json_t *answer = NULL, *health;
	if (control_ask(cli->state_dir, json_pack("{s:s}", "ask", "upstreams"), &answer) < 0)
		return NULL;
	health = json_incref(json_object_get(answer, "upstreams"));
	json_decref(answer);
	return health;
}

static const json_t *health_of(const json_t *health, const char *address)
{
	json_t *one;
	size_t i;
	json_array_foreach(health, i, one)
	{
		const char *text = json_string_value(json_object_get(one, "address"));
		if (text && strcmp(text, address) == 0)
			return one;
	}
	return NULL;
}

static void set_health(json_t *row, const json_t *health)
{
	static const char *const keys[] = {"state", "last", "latency_ms"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		json_t *value = json_object_get(health, keys[i]);
		json_object_set(row, keys[i], value ? value : json_null());
	}
}

static int add_row(const struct listing *listing, const struct store_peer *peer,
		   const char *address)
{
	int64_t ago = (int64_t)clock_wall_s() - peer->resolved_s;
	bool asked = peer->resolved_s && peer->due_s != STORE_NEVER;
	json_t *row = json_pack("{s:o, s:s, s:I, s:I, s:s?, s:o, s:o}", "trunk",
				output_text(listing->trunk), "uri", peer->uri, "priority",
				(json_int_t)peer->priority, "weight", (json_int_t)peer->weight,
				"address", address, "resolved_s",
				asked ? json_integer(ago > 0 ? ago : 0) : json_null(), "failure",
				peer->failure[0] ? output_text(peer->failure) : json_null());
	if (row)
		set_health(row, address ? health_of(listing->health, address) : NULL);
	return output_append(listing->rows, row);
}

static int list_peer(const struct store_peer *peer, void *arg)
{
	const struct listing *listing = arg;
	struct store_peer_address addresses[STORE_PEER_ADDRESSES_MAX];
	char text[HOST_PLACE_TEXT_SIZE];
	size_t n = 0;
	if (peer->role != listing->role)
		return 0;
	int rc = store_peer_addresses(listing->cli->store, peer->id, addresses, &n,
				      &listing->cli->err);
	if (rc == 0 && n == 0)
		rc = add_row(listing, peer, NULL);
	for (size_t i = 0; i < n && rc == 0; i++) {
		host_place_format(&addresses[i], text);
		rc = add_row(listing, peer, text);
	}
	return rc;
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

int cmd_peer_list(struct cli *cli)
{
	struct listing listing = {.cli = cli, .role = peer_role(cli), .rows = json_array()};
	struct store_trunk trunk;
	int rc = cli_store(cli);
	if (rc == 0 && cli->arg_count)
		rc = store_trunk_get(cli->store, cli->args[0], &trunk, &cli->err);
	if (rc == 0) {
		listing.health = ask_health(cli);
		rc = store_trunk_each(cli->store, list_trunk, &listing, &cli->err);
	}
	json_decref(listing.health);
	if (rc == 0)
		return output_table(cli, VIEW(columns, "there are none"), listing.rows);
	json_decref(listing.rows);
	return rc;
}
