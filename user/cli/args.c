/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/cli.h"

#include <errno.h>
#include <string.h>

static const char global_options[] = "[--json] [--state DIR] [--pin-dir DIR] [--help] [--version]";

bool args_next_option(const char *args, size_t *position, struct slice *ret_name,
		      struct slice *ret_value)
{
	const char *name = strstr(args + *position, "--");
	if (!name)
		return false;
	*ret_name = (struct slice){name, strcspn(name, " ]|")};
	const char *value = name + ret_name->n;
	*ret_value = (struct slice){value, 0};
	if (*value == ' ' && !strchr("[|-", value[1]))
		*ret_value = (struct slice){value + 1, strcspn(value + 1, " ]")};
	*position = (size_t)(ret_value->p + ret_value->n - args);
	return true;
}

static bool option_find(const char *args, struct slice name, struct slice *ret_name,
			struct slice *ret_value)
{
	size_t position = 0;
	while (args_next_option(args, &position, ret_name, ret_value))
		if (slice_eq(name, *ret_name))
			return true;
	return false;
}

int args_choice(struct slice choices, const char *text)
{
	struct slice rest = choices;
	for (int i = 0; rest.n; i++)
		if (slice_eq(slice_cut(rest, '|', &rest), slice_from(text)))
			return i;
	return -1;
}

/* "auto|native|generic" is a choice; "SOURCE|--all" and "DIR" are not. */
static bool is_choice(struct slice text)
{
	return memchr(text.p, '|', text.n) && !memchr(text.p, '-', text.n);
}

const char *args_option(const struct cli *cli, const char *name)
{
	for (unsigned i = 0; i < cli->option_count; i++)
		if (slice_eq(cli->options[i].name, slice_from(name)))
			return cli->options[i].value;
	return NULL;
}

int args_required(struct cli *cli, const char *name, const char **ret_value)
{
	const char *value = args_option(cli, name);
	if (!value)
		return cli_usage(cli, "%s is missing", name);
	*ret_value = value;
	return 0;
}

int args_option_choice(const struct cli *cli, const char *name, int otherwise)
{
	struct slice found, choices;
	const char *value = args_option(cli, name);
	if (!value || !option_find(cli->command->args, slice_from(name), &found, &choices))
		return otherwise;
	return args_choice(choices, value);
}

static void set_global(struct cli *cli, struct slice name, const char *value)
{
	if (slice_eq(name, SLICE("--json")))
		cli->json = true;
	else if (slice_eq(name, SLICE("--help")))
		cli->help = true;
	else if (slice_eq(name, SLICE("--version")))
		cli->version = true;
	else if (slice_eq(name, SLICE("--state")))
		cli->state_dir = value;
	else
		cli->pin_dir = value;
}

static int set_option(struct cli *cli, struct cli_option option)
{
	for (unsigned i = 0; i < cli->option_count; i++)
		if (slice_eq(cli->options[i].name, option.name))
			return cli_usage(cli, "%.*s is given twice", (int)option.name.n,
					 option.name.p);
	if (cli->option_count == CLI_OPTIONS_MAX)
		return cli_usage(cli, "too many options");
	cli->options[cli->option_count++] = option;
	return 0;
}

/* Takes the option at argv[*i], and the value behind it; *i moves past what was taken. */
static int parse_option(struct cli *cli, char **argv, int *i)
{
	const char *text = argv[(*i)++], *equals = strchr(text, '=');
	struct slice given = {text, equals ? (size_t)(equals - text) : strlen(text)};
	struct slice wants;
	struct cli_option option;
	bool global = option_find(global_options, given, &option.name, &wants);
	if (!global &&
	    !(cli->command && option_find(cli->command->args, given, &option.name, &wants)))
		return cli_usage(cli, "there is no option '%.*s'%s", (int)given.n, given.p,
				 cli->command ? "" : " before the command");
	if (!wants.n && equals)
		return cli_usage(cli, "%.*s takes no value", (int)given.n, given.p);
	option.value = equals ? equals + 1 : "";
	if (wants.n && !equals) {
		if (!argv[*i])
			return cli_usage(cli, "%s needs a value: %.*s", text, (int)wants.n,
					 wants.p);
		option.value = argv[(*i)++];
	}
	if (is_choice(wants) && args_choice(wants, option.value) < 0)
		return cli_usage(cli, "%.*s: '%s' is not one of %.*s", (int)given.n, given.p,
				 option.value, (int)wants.n, wants.p);
	if (!global)
		return set_option(cli, option);
	set_global(cli, option.name, option.value);
	return 0;
}

/* The n-th word of the row's args that is no option. */
static struct slice argument_name(const char *args, int n)
{
	struct slice rest = slice_from(args), word = {"argument", 8};
	for (int i = 0; rest.n && i <= n; i++)
		word = slice_cut(rest, ' ', &rest);
	return word;
}

static int check_arguments(struct cli *cli)
{
	const struct command *command = cli->command;
	struct slice first = argument_name(command->args, 0);
	if (cli->arg_count < command->min_args) {
		struct slice missing = argument_name(command->args, cli->arg_count);
		return cli_usage(cli, "%.*s is missing", (int)missing.n, missing.p);
	}
	if (cli->arg_count > command->max_args)
		return cli_usage(cli, "'%s' is one argument too many",
				 cli->args[command->max_args]);
	if (cli->arg_count && is_choice(first) && args_choice(first, cli->args[0]) < 0)
		return cli_usage(cli, "'%s' is not one of %.*s", cli->args[0], (int)first.n,
				 first.p);
	return 0;
}

/* A word before the command is known: the command, or the first word of its two. */
static int parse_word(struct cli *cli, const char *word)
{
	const char *group = cli->group;
	if (!group && command_is_group(word)) {
		cli->group = word;
		return 0;
	}
	cli->command = group ? command_find(group, word) : command_find(word, NULL);
	if (cli->command)
		return 0;
	return group ? command_unknown(cli, group, word) : command_unknown(cli, word, NULL);
}

int args_parse(struct cli *cli, int argc, char **argv)
{
	bool only_arguments = false;
	int rc = 0;
	cli->args = argv;
	for (int i = 1; i < argc && rc == 0;) {
		if (!only_arguments && strcmp(argv[i], "--") == 0) {
			only_arguments = true;
			i++;
		} else if (!only_arguments && strcmp(argv[i], "-h") == 0) {
			cli->help = true;
			i++;
		} else if (!only_arguments && strncmp(argv[i], "--", 2) == 0) {
			rc = parse_option(cli, argv, &i);
		} else if (!cli->command) {
			rc = parse_word(cli, argv[i++]);
		} else {
			cli->args[cli->arg_count++] = argv[i++];
		}
	}
	if (rc < 0)
		return rc;
	if (cli->help || cli->version)
		return 0;
	if (cli->command)
		return check_arguments(cli);
	return cli->group ? cli_usage(cli, "'%s' needs a second word", cli->group)
			  : cli_usage(cli, "no command is given");
}
