/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "cli/challenger.h"
#include "cli/peer.h"
#include "cli/trunk.h"

static int done(struct cli *cli, const char *key, const char *sentence)
{
	int rc = cli_sync(cli);
	if (rc < 0)
		return rc;
	return output_done(cli, json_pack("{s:o}", key, output_text(cli->args[0])), "%s trunk %s",
			   sentence, cli->args[0]);
}

int cmd_trunk_create(struct cli *cli)
{
	struct store_trunk trunk;
	const char *value;
	int rc = args_required(cli, "--domain", &value);
	if (rc < 0)
		return rc;
	store_trunk_defaults(&trunk);
	if (slice_text(slice_from(cli->args[0]), trunk.name, sizeof(trunk.name)) < 0)
		return cli_error(cli, -EINVAL, "the trunk's name is longer than %zu bytes",
				 sizeof(trunk.name) - 1);
	rc = trunk_set_options(cli, &trunk);
	if (rc == 0)
		rc = cli_store_to_change(cli);
	if (rc == 0)
		rc = store_trunk_create(cli->store, &trunk, args_option(cli, "--upstream"),
					&cli->err);
	if (rc == 0)
		rc = peer_resolve(cli, trunk.name);
	if (rc == 0)
		rc = cli_sync(cli);
	if (rc < 0)
		return rc;
	const char *auth = store_auth_type_name(trunk.auth);
	return output_done(
		cli, json_pack("{s:o, s:s}", "created", output_text(trunk.name), "auth", auth),
		"created trunk %s, which authenticates by: %s", trunk.name, auth);
}

/* All or nothing of what is given. */
static int write_trunk(struct cli *cli, const struct store_trunk *trunk)
{
	const char *upstream = args_option(cli, "--upstream");
	int rc = store_change_begin(cli->store, &cli->err);
	if (rc < 0)
		return rc;
	rc = store_trunk_set(cli->store, trunk, &cli->err);
	if (rc == 0 && upstream)
		rc = store_upstream_replace(cli->store, trunk->name, upstream, &cli->err);
	int ended = store_change_end(cli->store, rc == 0, rc == 0 ? &cli->err : NULL);
	return rc < 0 ? rc : ended;
}

int cmd_trunk_set(struct cli *cli)
{
	struct store_trunk trunk;
	if (!cli->option_count)
		return cli_usage(cli, "say what to change");
	int rc = cli_store(cli);
	if (rc == 0)
		rc = store_trunk_get(cli->store, cli->args[0], &trunk, &cli->err);
	if (rc == 0)
		rc = trunk_set_options(cli, &trunk);
	if (rc == 0)
		rc = write_trunk(cli, &trunk);
	if (rc == 0 && args_option(cli, "--upstream"))
		rc = peer_resolve(cli, trunk.name);
	return rc < 0 ? rc : done(cli, "changed", "changed");
}

int cmd_trunk_delete(struct cli *cli)
{
	int rc = cli_store(cli);
	if (rc == 0)
		rc = store_trunk_delete(cli->store, cli->args[0], &cli->err);
	return rc < 0 ? rc : done(cli, "deleted", "deleted");
}

/* Calls the function for what --acl or --credentials names. */
static int change_attachment(struct cli *cli,
			     int (*acl)(struct store *, const char *, const char *, struct error *),
			     int (*list)(struct store *, const char *, const char *,
					 struct error *))
{
	const char *acl_name = args_option(cli, "--acl");
	const char *list_name = args_option(cli, "--credentials");
	if (!acl_name == !list_name)
		return cli_usage(cli, "name one of --acl and --credentials");
	int rc = cli_store(cli);
	if (rc < 0)
		return rc;
	return acl_name ? acl(cli->store, cli->args[0], acl_name, &cli->err)
			: list(cli->store, cli->args[0], list_name, &cli->err);
}

static int attachment_done(struct cli *cli, const char *key, const char *preposition)
{
	const char *acl = args_option(cli, "--acl");
	const char *name = acl ? acl : args_option(cli, "--credentials");
	struct store_trunk trunk;
	int rc = cli_sync(cli);
	if (rc == 0)
		rc = store_trunk_get(cli->store, cli->args[0], &trunk, &cli->err);
	if (rc < 0)
		return rc;
	const char *auth = store_auth_type_name(trunk.auth);
	return output_done(cli,
			   json_pack("{s:o, s:o, s:s}", key, output_text(name), "trunk",
				     output_text(trunk.name), "auth", auth),
			   "%s %s %s trunk %s, which now authenticates by: %s",
			   acl ? "ACL" : "credential list", name, preposition, trunk.name, auth);
}

int cmd_trunk_attach(struct cli *cli)
{
	int rc = change_attachment(cli, store_trunk_attach_acl, store_trunk_attach_credentials);
	return rc < 0 ? rc : attachment_done(cli, "attached", "attached to");
}

int cmd_trunk_detach(struct cli *cli)
{
	int rc = change_attachment(cli, store_trunk_detach_acl, store_trunk_detach_credentials);
	return rc < 0 ? rc : attachment_done(cli, "detached", "detached from");
}

static const struct column trunk_columns[] = {
	{"TRUNK", "name", COLUMN_TEXT},
	{"DOMAIN", "domain", COLUMN_TEXT},
	{"USER", "user", COLUMN_TEXT},
	{"UPSTREAMS", "upstreams", COLUMN_LIST},
	{"AUTH", "auth", COLUMN_TEXT},
	{"ACLS", "acls", COLUMN_LIST},
	{"CREDENTIALS", "credentials", COLUMN_LIST},
	{"ENABLED", "enabled", COLUMN_YES},
};

static const struct column trunk_fields[] = {
	{"trunk", "name", COLUMN_TEXT},
	{"call", "call", COLUMN_LIST},
	{"domain", "domain", COLUMN_TEXT},
	{"aliases", "aliases", COLUMN_LIST},
	{"user", "user", COLUMN_TEXT},
	{"enabled", "enabled", COLUMN_YES},
	{"upstreams", "upstreams", COLUMN_LIST},
	{"upstream trusted", "upstream_trusted", COLUMN_YES},
	{"outbound users", "outbound", COLUMN_LIST},
	{"upstream chooses one", "outbound_user", COLUMN_YES},
	{"destinations", "destinations", COLUMN_LIST},
	{"headers", "headers", COLUMN_LIST},
	{"client certificate", "client_certificate", COLUMN_YES},
	{"authentication", "auth", COLUMN_TEXT},
	{"ACLs", "acls", COLUMN_LIST},
	{"credential lists", "credentials", COLUMN_LIST},
	{"algorithms", "algorithms", COLUMN_LIST},
	{"challenge status", "challenge_status", COLUMN_NUMBER},
	{"challenge", "challenge", COLUMN_TEXT},
	{"challenges now", "challenger", COLUMN_TEXT},
	{"clients without qop", "allow_no_qop", COLUMN_YES},
	{"offers auth-int", "auth_int", COLUMN_YES},
	{"offers userhash", "userhash", COLUMN_YES},
	{"algorithms -sess", "sess", COLUMN_YES},
	{"digest URI", "digest_uri", COLUMN_TEXT},
	{"ratchet", "ratchet", COLUMN_YES},
	{"registrar", "register", COLUMN_TEXT},
	{"E.164", "e164", COLUMN_TEXT},
	{"country code", "country_code", COLUMN_TEXT},
	{"international prefix", "international_prefix", COLUMN_TEXT},
	{"national prefix", "national_prefix", COLUMN_TEXT},
	{"caller ID", "caller_id", COLUMN_TEXT},
	{"number", "number", COLUMN_TEXT},
	{"asserts identity", "assert_identity", COLUMN_YES},
	{"calls a second", "calls_per_second", COLUMN_NUMBER},
	{"calls", "calls", COLUMN_NUMBER},
	{"calls a second and user", "user_calls_per_second", COLUMN_NUMBER},
	{"calls a user", "user_calls", COLUMN_NUMBER},
};

static int add_name(int64_t id, const char *name, void *names)
{
	(void)id;
	return output_append(names, output_text(name));
}

struct peers {
	struct cli *cli;
	struct trunk_attached *attached;
};

static int add_outbound(const struct store_outbound *outbound, void *names)
{
	return output_append(names, output_text(outbound->user));
}

static int add_peer(const struct store_peer *peer, void *arg)
{
	const struct peers *peers = arg;
	const struct trunk_attached *attached = peers->attached;
	bool upstream = peer->role == STORE_UPSTREAM;
	int rc = output_append(upstream ? attached->upstreams : attached->destinations,
			       output_text(peer->uri));
	return rc < 0 ? rc
		      : store_outbound_each(peers->cli->store, peer->id, add_outbound,
					    attached->outbound, &peers->cli->err);
}

static int add_header(const struct store_header *header, void *headers)
{
	return output_append(headers, json_sprintf("%s: %s", header->name, header->value));
}

static struct trunk_attached attached_new(void)
{
	return (struct trunk_attached){json_array(), json_array(), json_array(),
				       json_array(), json_array(), json_array()};
}

static void attached_free(struct trunk_attached *attached)
{
	json_decref(attached->acls);
	json_decref(attached->lists);
	json_decref(attached->upstreams);
	json_decref(attached->outbound);
	json_decref(attached->destinations);
	json_decref(attached->headers);
}

static int attached_read(struct cli *cli, const struct store_trunk *trunk,
			 struct trunk_attached *ret_attached)
{
	struct trunk_attached attached = attached_new();
	struct peers peers = {cli, &attached};
	int rc = store_peer_each(cli->store, trunk->id, add_peer, &peers, &cli->err);
	if (rc == 0)
		rc = store_trunk_header_each(cli->store, trunk->id, add_header, attached.headers,
					     &cli->err);
	if (rc == 0)
		rc = store_trunk_acl_each(cli->store, trunk->id, add_name, attached.acls,
					  &cli->err);
	if (rc == 0)
		rc = store_trunk_credentials_each(cli->store, trunk->id, add_name, attached.lists,
						  &cli->err);
	if (rc == 0)
		*ret_attached = attached;
	else
		attached_free(&attached);
	return rc;
}

/* All about the trunk but how to call it. */
static json_t *trunk_json(const struct store_trunk *trunk, const struct trunk_attached *attached)
{
	json_t *object = json_pack(
		"{s:o, s:s, s:O, s:O, s:O, s:O, s:O, s:O}", "name", output_text(trunk->name),
		"auth", store_auth_type_name(trunk->auth), "acls", attached->acls, "credentials",
		attached->lists, "upstreams", attached->upstreams, "outbound", attached->outbound,
		"destinations", attached->destinations, "headers", attached->headers);
	trunk_options_json(trunk, object);
	return object;
}

struct listing {
	struct cli *cli;
	json_t *rows;
};

static int list_trunk(const struct store_trunk *trunk, void *arg)
{
	struct listing *listing = arg;
	struct trunk_attached attached;
	int rc = attached_read(listing->cli, trunk, &attached);
	if (rc < 0)
		return rc;
	rc = output_append(listing->rows, trunk_json(trunk, &attached));
	attached_free(&attached);
	return rc;
}

int cmd_trunk_list(struct cli *cli)
{
	struct listing listing = {cli, json_array()};
	int rc = cli_store(cli);
	if (rc == 0)
		rc = store_trunk_each(cli->store, list_trunk, &listing, &cli->err);
	if (rc == 0)
		return output_table(cli, VIEW(trunk_columns, "there are no trunks"), listing.rows);
	json_decref(listing.rows);
	return rc;
}

/* Who challenges now, where anybody is challenged. */
static int add_challenger(struct cli *cli, const struct store_trunk *trunk, json_t *object)
{
	struct policy *policy;
	if (trunk->auth != STORE_AUTH_CREDENTIAL && trunk->auth != STORE_AUTH_IP_ACL_AND_CREDENTIAL)
		return 0;
	int rc = policy_build(cli->store, &policy, &cli->err);
	if (rc < 0)
		return rc;
	(void)cli_filter(cli);
	cli->err = (struct error){0};
	const char *why = challenger_hindrance(cli, policy_trunk_by_id(policy, trunk->id));
	rc = json_object_set_new(object, "challenger",
				 why ? json_sprintf("daemon: %s", why) : json_string("filter"));
	policy_unref(policy);
	return rc;
}

/* The object with "call" and "steps"; NULL with the reason in the error. */
static json_t *trunk_howto_json(struct cli *cli, const struct store_trunk *trunk)
{
	struct trunk_attached attached;
	if (attached_read(cli, trunk, &attached) < 0)
		return NULL;
	json_t *object = trunk_json(trunk, &attached);
	json_t *steps = trunk_steps_json(cli, trunk, &attached);
	attached_free(&attached);
	int rc = json_object_set_new(object, "call", trunk_call_json(cli, trunk));
	if (rc == 0)
		rc = add_challenger(cli, trunk, object);
	if (json_object_set_new(object, "steps", steps) == 0 && rc == 0)
		return object;
	json_decref(object);
	return NULL;
}

static void print_steps(const json_t *object)
{
	const json_t *steps = json_object_get(object, "steps");
	json_t *sentence;
	size_t i;
	printf("\nTo call:\n");
	json_array_foreach(steps, i, sentence)
	{
		printf("%2zu. %s\n", i + 1, json_string_value(sentence));
	}
}

int cmd_trunk_show(struct cli *cli)
{
	struct store_trunk trunk;
	int rc = cli_store(cli);
	if (rc == 0)
		rc = store_trunk_get(cli->store, cli->args[0], &trunk, &cli->err);
	if (rc < 0)
		return rc;
	json_t *object = trunk_howto_json(cli, &trunk);
	if (!object)
		return cli->err.text[0] ? -EIO : cli_error(cli, -ENOMEM, "out of memory");
	rc = output_object(cli, VIEW(trunk_fields, NULL), json_incref(object));
	if (rc == 0 && !cli->json)
		print_steps(object);
	json_decref(object);
	return rc;
}
