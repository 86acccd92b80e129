/* SPDX-License-Identifier: BSD-2-Clause */
/* Credential lists and their users. */
#include <errno.h>
#include <string.h>

#include "cli/output.h"
#include "digest/password.h"

/* The choices of --user-at-realm are yes and no. */
static int set_at_realm(struct cli *cli)
{
	bool at_realm = args_option_choice(cli, "--user-at-realm", 1) == 0;

	return store_credentials_set(cli->store, cli->args[0], at_realm, &cli->err);
}

int cmd_credentials_create(struct cli *cli)
{
	const char *name = cli->args[0], *realm;
	int rc = args_required(cli, "--realm", &realm);
	if (rc == 0)
		rc = cli_store_to_change(cli);
	if (rc == 0)
		rc = store_credentials_create(cli->store, name, realm, &cli->err);
	if (rc == 0 && args_option(cli, "--user-at-realm"))
		rc = set_at_realm(cli);
	if (rc < 0)
		return rc;
	return output_done(
		cli,
		json_pack("{s:o, s:o}", "created", output_text(name), "realm", output_text(realm)),
		"created credential list %s in realm %s", name, realm);
}

int cmd_credentials_set(struct cli *cli)
{
	const char *choice;
	int rc = args_required(cli, "--user-at-realm", &choice);
	if (rc == 0)
		rc = cli_store(cli);
	if (rc == 0)
		rc = set_at_realm(cli);
	if (rc < 0)
		return rc;
	return output_done(cli,
			   json_pack("{s:o, s:b}", "changed", output_text(cli->args[0]),
				     "user_at_realm", strcmp(choice, "yes") == 0),
			   "credential list %s: users may %sgive their names as user@realm",
			   cli->args[0], strcmp(choice, "yes") == 0 ? "" : "not ");
}

int cmd_credentials_delete(struct cli *cli)
{
	const char *name = cli->args[0];
	int rc = cli_store(cli);
	if (rc == 0)
		rc = store_credentials_delete(cli->store, name, &cli->err);
	if (rc == 0)
		rc = cli_sync_silently(cli);
	if (rc < 0)
		return rc;
	return output_done(cli, json_pack("{s:o}", "deleted", output_text(name)),
			   "deleted credential list %s", name);
}

static const struct column list_columns[] = {
	{"LIST", "name", COLUMN_TEXT},
	{"REALM", "realm", COLUMN_TEXT},
	{"USER@REALM", "user_at_realm", COLUMN_YES},
	{"USERS", "users", COLUMN_NUMBER},
	{"TRUNKS", "trunks", COLUMN_NUMBER},
};

static json_t *list_json(const struct store_credentials *list)
{
	return json_pack("{s:o, s:o, s:b, s:I, s:I}", "name", output_text(list->name), "realm",
			 output_text(list->realm), "user_at_realm", list->at_realm, "users",
			 (json_int_t)list->users, "trunks", (json_int_t)list->trunks);
}

static int list_one(const struct store_credentials *list, void *rows)
{
	return output_append(rows, list_json(list));
}

int cmd_credentials_list(struct cli *cli)
{
	json_t *rows = json_array();
	int rc = cli_store(cli);
	if (rc == 0)
		rc = store_credentials_each(cli->store, list_one, rows, &cli->err);
	if (rc == 0)
		return output_table(cli, VIEW(list_columns, "there are no credential lists"), rows);
	json_decref(rows);
	return rc;
}

static const struct column user_columns[] = {
	{"USER", "user", COLUMN_TEXT},
	{"STRONGEST ANSWER", "strongest", COLUMN_TEXT},
};

/* Names only: what a password hashes to is nobody's to see. */
static int list_user(const struct store_user *user, void *rows)
{
	unsigned strongest = user->strongest < DIGEST_ALGORITHMS ? user->strongest : DIGEST_MD5;
	return output_append(rows, json_pack("{s:o, s:s}", "user", output_text(user->name),
					     "strongest", digest_algorithm_name(strongest)));
}

static int show(struct cli *cli, const struct store_credentials *list, json_t *users)
{
	if (cli->json) {
		json_t *object = list_json(list);
		if (!object || json_object_set(object, "entries", users) < 0)
			return cli_error(cli, -ENOMEM, "out of memory");
		json_decref(users);
		return output_json(cli, object);
	}
	printf("credential list %s: realm %s, user@realm %s, users %llu, trunks %llu\n", list->name,
	       list->realm, list->at_realm ? "yes" : "no", (unsigned long long)list->users,
	       (unsigned long long)list->trunks);
	return output_table(cli, VIEW(user_columns, "it has no users"), users);
}

int cmd_credentials_show(struct cli *cli)
{
	struct store_credentials list;
	json_t *users = json_array();
	int rc = cli_store(cli);
	if (rc == 0)
		rc = store_credentials_get(cli->store, cli->args[0], &list, &cli->err);
	if (rc == 0)
		rc = store_user_each(cli->store, list.name, list_user, users, &cli->err);
	if (rc == 0)
		return show(cli, &list, users);
	json_decref(users);
	return rc;
}

static int hash_password(const struct store_credentials *list, const char *user,
			 const char *password, struct store_ha1 *ret_ha1)
{
	struct digest_context *context;
	int rc = digest_context_create(&context);
	if (rc < 0)
		return rc;
	rc = password_hash(context, slice_from(user), slice_from(list->realm), slice_from(password),
			   ret_ha1);
	digest_context_free(context);
	return rc;
}

typedef int store_user_write(struct store *store, const char *list, const char *name,
			     const struct store_ha1 *ha1, struct error *err);

/* Asks for the password and writes the user with what it hashes to. */
static int write_user(struct cli *cli, store_user_write *write)
{
	const char *list_name = cli->args[0], *user = cli->args[1];
	struct store_ha1 ha1 = {0};
	char password[PASSWORD_SIZE] = "";
	struct store_credentials list;
	int rc = cli_store(cli);
	if (rc == 0)
		rc = store_credentials_get(cli->store, list_name, &list, &cli->err);
	if (rc == 0)
		rc = store_user_name_check(cli->store, user, &cli->err);
	if (rc == 0)
		rc = password_read(cli, password);
	if (rc == 0)
		rc = store_password_check(password, &cli->err);
	if (rc == 0) {
		rc = hash_password(&list, user, password, &ha1);
		if (rc < 0)
			cli_error(cli, rc, "the password can not be hashed: %s", strerror(-rc));
	}
	explicit_bzero(password, sizeof(password));
	if (rc == 0)
		rc = write(cli->store, list_name, user, &ha1, &cli->err);
	explicit_bzero(&ha1, sizeof(ha1));
	return rc < 0 ? rc : cli_sync_silently(cli);
}

static int done(struct cli *cli, const char *key, const char *sentence)
{
	return output_done(cli,
			   json_pack("{s:o, s:o}", key, output_text(cli->args[1]), "list",
				     output_text(cli->args[0])),
			   "%s %s of credential list %s", sentence, cli->args[1], cli->args[0]);
}

int cmd_user_add(struct cli *cli)
{
	int rc = write_user(cli, store_user_add);
	return rc < 0 ? rc : done(cli, "added", "added user");
}

int cmd_user_passwd(struct cli *cli)
{
	int rc = write_user(cli, store_user_passwd);
	return rc < 0 ? rc : done(cli, "changed", "changed the password of user");
}

int cmd_user_remove(struct cli *cli)
{
	int rc = cli_store(cli);
	if (rc == 0)
		rc = store_user_remove(cli->store, cli->args[0], cli->args[1], &cli->err);
	if (rc == 0)
		rc = cli_sync_silently(cli);
	return rc < 0 ? rc : done(cli, "removed", "removed user");
}
