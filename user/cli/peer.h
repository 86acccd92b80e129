/* SPDX-License-Identifier: BSD-2-Clause */
/* What the commands about peers share (cmd_peer.c, peer_resolve.c). */
#ifndef SIPWARD_CLI_PEER_H
#define SIPWARD_CLI_PEER_H

#include "cli/output.h"

/* "upstream" or "destination": the commands of both are the same functions. */
enum store_peer_role peer_role(const struct cli *cli);
/* The URI as a peer to be found or added. */
int peer_named(struct cli *cli, const char *uri, enum store_peer_role role,
	       struct store_peer *ret_peer);
/* Asks DNS for the names of the trunk's peers that never were resolved, and prints what it says.
 * One that fails is no error: the daemon tries on. */
int peer_resolve(struct cli *cli, const char *trunk);

#endif
