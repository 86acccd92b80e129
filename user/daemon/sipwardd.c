/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/version.h"
#include "daemon/daemon.h"

enum exit_code { EXIT_STOPPED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_IN_USE = 3 };

static const char help[] =
	"Usage: sipwardd [OPTION]...\n"
	"Guards SIP trunks: authenticates requests, forwards calls, tells the XDP filter whom to "
	"drop.\n"
	"\n"
	"  --config FILE            read FILE instead of " CONFIG_FILE_DEFAULT "\n"
	"  --state DIR              where the store lives (default " STORE_STATE_DIR_DEFAULT ")\n"
	"  --pin-dir DIR            where the filter's maps are pinned (default\n"
	"                           " FILTER_PIN_DIR_DEFAULT ")\n"
	"  --interface IF           attach the filter to IF\n"
	"  --listen udp:ADDR:PORT   or tcp: or tls:; repeat for more; given once, those of the\n"
	"                           file do not count (default: udp and tcp on port 5060 of\n"
	"                           all addresses, tls on 5061 where there is a certificate)\n"
	"  --upstream sip:HOST:PORT make the trunk \"default\" with it, if there is none\n"
	"  --workers N              threads that serve calls (default 1)\n"
	"  --steering yes|no        have the kernel hand datagrams to the worker whose call they\n"
	"                           are of\n"
	"  --log-level LEVEL        error, warning, info or debug\n"
	"  --log-json               one JSON object a line\n"
	"  --help, --version\n"
	"\n"
	"Options count over the file. SIGHUP resolves the upstreams' names again and reads the\n"
	"store and the certificates; SIGUSR1 logs the counters; SIGTERM stops once requests are\n"
	"answered, a second one at once. The filter stays attached.\n"
	"\n"
	"Exit codes: 0 stopped, 1 failed, 2 wrong option or configuration, 3 in use by another: "
	"the\n"
	"state directory, an address to listen on, or the interface.\n";

enum option_id { OPT_CONFIG = 256, OPT_SET, OPT_LOG_JSON, OPT_HELP, OPT_VERSION };

/* Options that set a field are named as in the file, with '-' for '_'. */
static const struct option options[] = {
	{"config", required_argument, NULL, OPT_CONFIG},
	{"state", required_argument, NULL, OPT_SET},
	{"pin-dir", required_argument, NULL, OPT_SET},
	{"interface", required_argument, NULL, OPT_SET},
	{"listen", required_argument, NULL, OPT_SET},
	{"upstream", required_argument, NULL, OPT_SET},
	{"workers", required_argument, NULL, OPT_SET},
	{"steering", required_argument, NULL, OPT_SET},
	{"log-level", required_argument, NULL, OPT_SET},
	{"log-json", no_argument, NULL, OPT_LOG_JSON},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{0},
};

struct arguments {
	const char *config_path; /* NULL: not given */
	struct config config;
	bool listen_given;
};

static int usage_error(const struct error *err)
{
	fprintf(stderr, "sipwardd: %s\n", err->text);
	return EXIT_USAGE;
}

/* "pin-dir" → "pin_dir", the key of the file. */
static void key_of(const char *name, char key[32])
{
	size_t i = 0;

	for (; name[i] && i < 31; i++)
		key[i] = name[i] == '-' ? '_' : name[i];
	key[i] = '\0';
}

static int set_option(struct arguments *args, const char *name, const char *value,
		      struct error *err)
{
	char key[32];

	key_of(name, key);
	if (strcmp(key, "listen") == 0 && !args->listen_given) {
		args->config.listen_count = 0;
		args->listen_given = true;
	}
	return config_set(&args->config, key, value, err);
}

/* Finds --config, --help and --version before anything is read. -1 to go on, else an exit code. */
static int first_pass(int argc, char **argv, struct arguments *args)
{
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == OPT_HELP || c == OPT_VERSION) {
			fputs(c == OPT_HELP ? help : "sipwardd " SIPWARD_VERSION "\n", stdout);
			return EXIT_STOPPED;
		}
		if (c == '?')
			return EXIT_USAGE;
		if (c == OPT_CONFIG)
			args->config_path = optarg;
	}
	if (optind < argc) {
		fprintf(stderr, "sipwardd: unexpected argument '%s'; see --help\n", argv[optind]);
		return EXIT_USAGE;
	}
	return -1;
}

static int second_pass(int argc, char **argv, struct arguments *args)
{
	struct error err;
	int c, index;

	optind = 1;
	while ((c = getopt_long(argc, argv, "", options, &index)) != -1) {
		if (c == OPT_LOG_JSON)
			args->config.log_format = LOG_FORMAT_JSON;
		if (c == OPT_SET && set_option(args, options[index].name, optarg, &err))
			return usage_error(&err);
	}
	return -1;
}

/* A file that was not asked for may be missing. */
static int read_file(struct arguments *args)
{
	bool asked = args->config_path;
	struct error err;
	int rc;

	if (!asked)
		args->config_path = CONFIG_FILE_DEFAULT;
	rc = config_read(args->config_path, &args->config, &err);
	if (rc == -ENOENT && !asked)
		return -1;
	return rc ? usage_error(&err) : -1;
}

static int exit_code(int rc)
{
	switch (rc) {
	case -EINVAL:
		return EXIT_USAGE;
	case -EBUSY:
	case -EADDRINUSE:
	case -EEXIST:
		return EXIT_IN_USE;
	default:
		return EXIT_FAILED;
	}
}

int main(int argc, char **argv)
{
	struct arguments args = {0};
	struct error err = {0};
	int rc;

	config_defaults(&args.config);
	rc = first_pass(argc, argv, &args);
	if (rc < 0)
		rc = read_file(&args);
	if (rc < 0)
		rc = second_pass(argc, argv, &args);
	if (rc >= 0)
		return rc;
	config_complete(&args.config);
	log_setup(args.config.log_format, args.config.log_level);
	rc = daemon_run(&args.config, &err);
	if (!rc)
		return EXIT_STOPPED;
	log_error("failed", LOG_STR("error", err.text));
	return exit_code(rc);
}
