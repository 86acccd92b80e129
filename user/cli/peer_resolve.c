/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/names.h"
#include "cli/peer.h"

static int collect(const struct store_peer *peer, void *names)
{
	struct host host;
	return !peer->resolved_s && host_of_peer(peer, &host) ? names_add(names, &host) : 0;
}

int peer_resolve(struct cli *cli, const char *trunk)
{
	struct store_trunk found;
	struct names names = {0};
	json_t *rows = json_array();
	int rc = store_trunk_get(cli->store, trunk, &found, &cli->err);
	if (rc == 0)
		rc = store_peer_each(cli->store, found.id, collect, &names, &cli->err);
	if (rc == 0)
		rc = names_resolve(cli, &names, rows);
	if (rc == 0 && !cli->json)
		names_print(cli, rows, "it is tried again as the daemon starts");
	json_decref(rows);
	names_free(&names);
	return rc;
}
