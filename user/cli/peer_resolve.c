/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/peer.h"

static int note_unresolved(const struct store_peer *peer, void *arg)
{
	struct cli *cli = arg;
	if (!peer->resolved_s && peer->due_s != STORE_NEVER && !cli->json)
		cli_note("%s is resolved by the daemon", peer->uri);
	return 0;
}

int peer_resolve(struct cli *cli, const char *trunk)
{
	struct store_trunk found;
	int rc = store_trunk_get(cli->store, trunk, &found, &cli->err);
	return rc < 0 ? rc : store_peer_each(cli->store, found.id, note_unresolved, cli, &cli->err);
}
