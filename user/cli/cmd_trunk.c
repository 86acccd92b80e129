/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "cli/output.h"
#include "digest/digest.h"

/* The options that answer yes or no, and the field each sets. */
static const struct {
	const char *option;
	size_t offset;
} switches[] = {
	{"--allow-no-qop", offsetof(struct store_trunk, allow_no_qop)},
	{"--auth-int", offsetof(struct store_trunk, auth_int)},
	{"--ratchet", offsetof(struct store_trunk, ratchet)},
	{"--userhash", offsetof(struct store_trunk, userhash)},
	{"--sess", offsetof(struct store_trunk, sess)},
	{"--enabled", offsetof(struct store_trunk, enabled)},
};

static const char *const uri_rules[] = {"any", "equivalent", "exact"};

static int set_text(struct cli *cli, const char *option, char *field, size_t size)
{
	const char *text = args_option(cli, option);
	if (text && slice_text(slice_from(text), field, size) < 0)
		return cli_error(cli, -EINVAL, "%s is longer than %zu bytes", option, size - 1);
	return 0;
}

static int set_algorithms(struct cli *cli, struct store_trunk *trunk)
{
	struct slice rest = slice_from(args_option(cli, "--algorithms"));
	trunk->algorithm_count = 0;
	while (rest.n) {
		enum digest_algorithm algorithm;
		bool sess;
		struct slice name = slice_trim(slice_cut(rest, ',', &rest));
		if (!name.n || digest_algorithm_of(name, &algorithm, &sess) < 0 || sess)
			return cli_error(cli, -EINVAL,
					 "--algorithms: '%.*s' is not md5, sha-256 or sha-512-256",
					 (int)name.n, name.p);
		for (unsigned i = 0; i < trunk->algorithm_count; i++)
			if (trunk->algorithms[i] == algorithm)
				return cli_error(cli, -EINVAL, "--algorithms: %s is named twice",
						 digest_algorithm_name(algorithm));
		trunk->algorithms[trunk->algorithm_count++] = algorithm;
	}
	if (!trunk->algorithm_count)
		return cli_error(cli, -EINVAL, "--algorithms: names at least one algorithm");
	return 0;
}

static int set_options(struct cli *cli, struct store_trunk *trunk)
{
	int rc = set_text(cli, "--domain", trunk->domain, sizeof(trunk->domain));
	if (rc == 0)
		rc = set_text(cli, "--user", trunk->user, sizeof(trunk->user));
	if (rc == 0)
		rc = set_text(cli, "--upstream", trunk->upstream, sizeof(trunk->upstream));
	if (rc == 0 && args_option(cli, "--algorithms"))
		rc = set_algorithms(cli, trunk);
	if (rc < 0)
		return rc;
	if (args_option(cli, "--challenge"))
		trunk->challenge_status = args_option_choice(cli, "--challenge", 0) ? 407 : 401;
	trunk->digest_uri = (enum store_uri_rule)args_option_choice(cli, "--digest-uri",
								    (int)trunk->digest_uri);
	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		bool *field = (bool *)((char *)trunk + switches[i].offset);
		*field = args_option_choice(cli, switches[i].option, !*field) == 0;
	}
	return 0;
}

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
	if (rc == 0)
		rc = args_required(cli, "--upstream", &value);
	if (rc < 0)
		return rc;
	store_trunk_defaults(&trunk);
	if (slice_text(slice_from(cli->args[0]), trunk.name, sizeof(trunk.name)) < 0)
		return cli_error(cli, -EINVAL, "the trunk's name is longer than %zu bytes",
				 sizeof(trunk.name) - 1);
	rc = set_options(cli, &trunk);
	if (rc == 0)
		rc = cli_store_to_change(cli);
	if (rc == 0)
		rc = store_trunk_create(cli->store, &trunk, &cli->err);
	return rc < 0 ? rc : done(cli, "created", "created");
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
		rc = set_options(cli, &trunk);
	if (rc == 0)
		rc = store_trunk_set(cli->store, &trunk, &cli->err);
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
	{"UPSTREAM", "upstream", COLUMN_TEXT},
	{"AUTH", "auth", COLUMN_TEXT},
	{"ACLS", "acls", COLUMN_LIST},
	{"CREDENTIALS", "credentials", COLUMN_LIST},
	{"ENABLED", "enabled", COLUMN_YES},
};

static const struct column trunk_fields[] = {
	{"trunk", "name", COLUMN_TEXT},
	{"domain", "domain", COLUMN_TEXT},
	{"user", "user", COLUMN_TEXT},
	{"enabled", "enabled", COLUMN_YES},
	{"upstream", "upstream", COLUMN_TEXT},
	{"upstream address", "upstream_address", COLUMN_TEXT},
	{"authentication", "auth", COLUMN_TEXT},
	{"ACLs", "acls", COLUMN_LIST},
	{"credential lists", "credentials", COLUMN_LIST},
	{"algorithms", "algorithms", COLUMN_LIST},
	{"challenge", "challenge", COLUMN_NUMBER},
	{"clients without qop", "allow_no_qop", COLUMN_YES},
	{"offers auth-int", "auth_int", COLUMN_YES},
	{"digest URI", "digest_uri", COLUMN_TEXT},
	{"ratchet", "ratchet", COLUMN_YES},
	{"offers userhash", "userhash", COLUMN_YES},
	{"algorithms' -sess forms", "sess", COLUMN_YES},
};

static int add_name(int64_t id, const char *name, void *names)
{
	(void)id;
	return output_append(names, output_text(name));
}

static json_t *algorithms_json(const struct store_trunk *trunk)
{
	json_t *names = json_array();
	for (unsigned i = 0; i < trunk->algorithm_count; i++)
		json_array_append_new(names,
				      json_string(digest_algorithm_name(trunk->algorithms[i])));
	return names;
}

static json_t *optional_text(const char *text)
{
	return *text ? output_text(text) : json_null();
}

/* All about the trunk, NULL with the reason in the error. */
static json_t *trunk_json(struct cli *cli, const struct store_trunk *trunk)
{
	char address[ENDPOINT_TEXT_SIZE] = "";
	json_t *acls = json_array(), *lists = json_array();
	int rc = store_trunk_acl_each(cli->store, trunk->id, add_name, acls, &cli->err);
	if (rc == 0)
		rc = store_trunk_credentials_each(cli->store, trunk->id, add_name, lists,
						  &cli->err);
	if (rc < 0) {
		json_decref(acls);
		json_decref(lists);
		return NULL;
	}
	if (trunk->upstream_addr.ip.family)
		endpoint_format(&trunk->upstream_addr, address);
	return json_pack("{s:o, s:o, s:o, s:b, s:o, s:o, s:s, s:o, s:o, s:o, s:i, s:b, s:b, s:s, "
			 "s:b, s:b, s:b}",
			 "name", output_text(trunk->name), "domain", output_text(trunk->domain),
			 "user", optional_text(trunk->user), "enabled", trunk->enabled, "upstream",
			 output_text(trunk->upstream), "upstream_address", optional_text(address),
			 "auth", store_auth_type_name(trunk->auth), "acls", acls, "credentials",
			 lists, "algorithms", algorithms_json(trunk), "challenge",
			 (int)trunk->challenge_status, "allow_no_qop", trunk->allow_no_qop,
			 "auth_int", trunk->auth_int, "digest_uri", uri_rules[trunk->digest_uri],
			 "ratchet", trunk->ratchet, "userhash", trunk->userhash, "sess",
			 trunk->sess);
}

struct listing {
	struct cli *cli;
	json_t *rows;
};

static int list_trunk(const struct store_trunk *trunk, void *arg)
{
	struct listing *listing = arg;
	json_t *row = trunk_json(listing->cli, trunk);
	return row ? output_append(listing->rows, row) : -EIO;
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

int cmd_trunk_show(struct cli *cli)
{
	struct store_trunk trunk;
	int rc = cli_store(cli);
	if (rc == 0)
		rc = store_trunk_get(cli->store, cli->args[0], &trunk, &cli->err);
	if (rc < 0)
		return rc;
	json_t *object = trunk_json(cli, &trunk);
	if (!object)
		return cli->err.text[0] ? -EIO : cli_error(cli, -ENOMEM, "out of memory");
	if (!cli->json && trunk.auth == STORE_AUTH_NONE)
		cli_note("nothing is attached to trunk %s: only registered callers may place calls "
			 "through it",
			 trunk.name);
	return output_object(cli, VIEW(trunk_fields, NULL), object);
}
