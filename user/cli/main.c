/* SPDX-License-Identifier: BSD-2-Clause */
/* sipward: manages the filter and the store. */
#include "cli/cli.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "cli/output.h"

static enum cli_exit exit_code(int rc)
{
	switch (-rc) {
	case 0:
		return CLI_DONE;
	case EINVAL:
	case ERANGE:
		return CLI_USAGE;
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return CLI_NOT_FOUND;
	case EEXIST:
	case EBUSY:
		return CLI_IN_USE;
	case EPERM:
	case EACCES:
	case EROFS:
		return CLI_NOT_ALLOWED;
	default:
		return CLI_FAILED;
	}
}

static void report(const struct cli *cli, int rc)
{
	const char *text = cli->err.text[0] ? cli->err.text : strerror(-rc);
	if (cli->json) {
		json_t *error = json_pack("{s:o, s:i}", "error", output_text(text), "code",
					  (int)exit_code(rc));
		json_dumpf(error, stderr, JSON_COMPACT);
		fputc('\n', stderr);
		json_decref(error);
		return;
	}
	const char *words = cli->command && cli->show_usage ? cli->command->words : "";
	fprintf(stderr, "sipward: %s%s%s\n", words, *words ? ": " : "", text);
	if (cli->show_usage && cli->command)
		command_usage(stderr, cli->command);
	else if (cli->show_usage && cli->group)
		command_help(stderr, cli->group);
	else if (cli->show_usage)
		fputs("`sipward help` lists the commands\n", stderr);
}

static int run(struct cli *cli, int argc, char **argv)
{
	int rc = args_parse(cli, argc, argv);
	if (rc < 0)
		return rc;
	if (cli->version)
		return output_done(cli, json_pack("{s:s}", "version", SIPWARD_VERSION),
				   "sipward " SIPWARD_VERSION);
	if (!cli->help)
		return cli->command->run(cli);
	if (!cli->command) {
		command_help(stdout, cli->group);
		return 0;
	}
	command_usage(stdout, cli->command);
	if (cli->command->help)
		printf("\n  %s\n", cli->command->help);
	return 0;
}

static const char *from_environment(const char *name, const char *otherwise)
{
	const char *value = getenv(name);
	return value && *value ? value : otherwise;
}

int main(int argc, char **argv)
{
	struct cli cli = {
		.state_dir = from_environment("SIPWARD_STATE", STORE_STATE_DIR_DEFAULT),
		.pin_dir = from_environment("SIPWARD_PIN_DIR", FILTER_PIN_DIR_DEFAULT),
	};
	setlocale(LC_TIME, "");
	/* A reader that goes away must not end a change half-way; output_finish notices it. */
	signal(SIGPIPE, SIG_IGN);
	int rc = run(&cli, argc, argv);
	cli_close(&cli);
	if (rc == 0)
		rc = output_finish(&cli);
	if (rc < 0)
		report(&cli, rc);
	return exit_code(rc);
}
