/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the trunk commands share. */
#ifndef SIPWARD_CLI_TRUNK_H
#define SIPWARD_CLI_TRUNK_H

#include "cli/output.h"

/* Sets the fields that options were given for (trunk_options.c). */
int trunk_set_options(struct cli *cli, struct store_trunk *trunk);
/* Adds all fields that options set to the object. */
void trunk_options_json(const struct store_trunk *trunk, json_t *object);

/* What is attached, by name, and where calls go, by URI, as whom and with what header fields. */
struct trunk_attached {
	json_t *acls, *lists, *upstreams, *outbound, *destinations, *headers;
};
/* The URIs to call, an array (trunk_howto.c); NULL with the reason in cli->err. */
json_t *trunk_call_json(struct cli *cli, const struct store_trunk *trunk);
/* What a caller has to do, an array of sentences; NULL with the reason in cli->err. */
json_t *trunk_steps_json(struct cli *cli, const struct store_trunk *trunk,
			 const struct trunk_attached *attached);

#endif
