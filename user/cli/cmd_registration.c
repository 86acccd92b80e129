/* SPDX-License-Identifier: BSD-2-Clause */
/* The contacts that users have registered. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "cli/output.h"

static const struct column registration_columns[] = {
	{"TRUNK", "trunk", COLUMN_TEXT},	  {"USER", "user", COLUMN_TEXT},
	{"CONTACT", "contact", COLUMN_TEXT},	  {"RECEIVED", "received", COLUMN_TEXT},
	{"EXPIRES", "expires_s", COLUMN_SECONDS}, {"Q", "q", COLUMN_TEXT},
	{"INSTANCE", "instance", COLUMN_TEXT},	  {"USER AGENT", "user_agent", COLUMN_TEXT},
};

struct listing {
	json_t *rows;
	const char *trunk; /* NULL: all */
	int64_t now_s;
};

static json_t *registration_json(const struct store_binding *binding, const char *trunk,
				 int64_t now_s)
{
	char received[ENDPOINT_TEXT_SIZE], q[8];

	endpoint_format(&binding->received, received);
	snprintf(q, sizeof(q), "%u.%03u", binding->q / 1000 % 10, binding->q % 1000);
	return json_pack("{s:o, s:o, s:o, s:s, s:I, s:s, s:o, s:I, s:o}", "trunk",
			 output_text(trunk), "user", output_text(binding->user), "contact",
			 output_text(binding->contact), "received", received, "expires_s",
			 (json_int_t)(binding->expires_s - now_s), "q", q, "instance",
			 output_text(binding->instance), "reg_id", (json_int_t)binding->reg_id,
			 "user_agent", output_text(binding->user_agent));
}

static int list_binding(const struct store_binding *binding, const char *trunk, void *arg)
{
	struct listing *listing = arg;

	if ((listing->trunk && strcmp(listing->trunk, trunk) != 0) ||
	    binding->expires_s <= listing->now_s)
		return 0;
	return output_append(listing->rows, registration_json(binding, trunk, listing->now_s));
}

int cmd_registration_list(struct cli *cli)
{
	struct listing listing = {.rows = json_array(), .now_s = (int64_t)clock_wall_s()};
	struct store_trunk trunk;
	int rc = cli_store(cli);

	if (rc == 0 && cli->arg_count) {
		listing.trunk = cli->args[0];
		rc = store_trunk_get(cli->store, listing.trunk, &trunk, &cli->err);
	}
	if (rc == 0)
		rc = store_binding_each(cli->store, list_binding, &listing, &cli->err);
	if (rc == 0)
		return output_table(cli, VIEW(registration_columns, "nobody is registered"),
				    listing.rows);
	json_decref(listing.rows);
	return rc;
}

int cmd_registration_remove(struct cli *cli)
{
	const char *trunk = cli->args[0], *user = cli->args[1];
	const char *contact = args_option(cli, "--contact");
	int rc = cli_store(cli);

	if (rc == 0)
		rc = store_binding_remove(cli->store, trunk, user, contact, &cli->err);
	if (rc < 0)
		return rc;
	return output_done(cli,
			   json_pack("{s:o, s:o, s:o?}", "trunk", output_text(trunk), "removed",
				     output_text(user), "contact",
				     contact ? output_text(contact) : NULL),
			   "removed %s of %s on trunk %s", contact ? contact : "all registrations",
			   user, trunk);
}
