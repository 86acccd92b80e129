/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/names.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/hosts.h"

int names_add(struct names *names, const struct host *host)
{
	if (names->n == names->room) {
		size_t room = names->room ? 2 * names->room : 16;
		void *list = reallocarray(names->list, room, sizeof(*names->list));
		if (!list)
			return -ENOMEM;
		names->list = list;
		names->room = room;
	}
	names->list[names->n++] = *host;
	return 0;
}

void names_free(struct names *names)
{
	free(names->list);
}

/* Asks whom the daemon asks; without its file the system's name servers. */
static int open_dns(struct cli *cli, struct dns **ret_dns)
{
	const char *path = getenv("SIPWARD_CONFIG");
	struct config config;
	config_defaults(&config);
	int rc = config_read(path ? path : CONFIG_FILE_DEFAULT, &config, &cli->err);
	if (rc < 0)
		config_defaults(&config);
	if (rc < 0 && (path || rc == -EINVAL))
		cli_note("%s; the system's name servers are asked", cli->err.text);
	return dns_create(config.dns_servers, config.dns_timeout_ms, ret_dns, &cli->err);
}

static json_t *place_array(const struct host_places *places)
{
	json_t *array = json_array();
	char text[HOST_PLACE_TEXT_SIZE];
	for (size_t i = 0; i < places->n; i++) {
		host_place_format(&places->list[i], text);
		json_array_append_new(array, json_string(text));
	}
	return array;
}

/* 1: resolved, 0: not, or a negative errno. */
static int resolve_one(struct cli *cli, struct dns *dns, const struct host *host, json_t *rows)
{
	struct host_places answer;
	int rc = host_resolve(cli->store, dns, host, HOSTS_RETRY_MIN_S, &answer, &cli->err);
	json_t *row = NULL;
	if (rc < 0)
		return rc;
	if (rc > 0)
		row = json_pack("{s:s, s:o, s:i, s:n}", "host", host->name, "addresses",
				place_array(&answer), "ttl", (int)answer.ttl_s, "failure");
	else
		row = json_pack("{s:s, s:[], s:n, s:o}", "host", host->name, "addresses", "ttl",
				"failure", output_text(cli->err.text));
	if (!row || output_append(rows, row) < 0)
		return cli_error(cli, -ENOMEM, "out of memory");
	return rc;
}

int names_resolve(struct cli *cli, struct names *names, json_t *rows)
{
	struct dns *dns = NULL;
	int rc = names->n ? open_dns(cli, &dns) : 0;
	for (size_t i = 0; i < names->n && rc >= 0; i++) {
		rc = resolve_one(cli, dns, &names->list[i], rows);
		names->failed += rc == 0;
		if (rc == -ENOENT) /* removed meanwhile */
			rc = 0;
	}
	dns_free(dns);
	return rc < 0 ? rc : 0;
}

void names_print(struct cli *cli, const json_t *rows, const char *else_tries)
{
	const json_t *row, *addresses, *address;
	size_t i, j;
	json_array_foreach(rows, i, row)
	{
		const char *host = json_string_value(json_object_get(row, "host"));
		const char *failure = json_string_value(json_object_get(row, "failure"));
		if (failure) {
			cli_note("%s is not resolved yet: %s; %s", host, failure,
				 cli_daemon_runs(cli) ? "the daemon tries on" : else_tries);
			continue;
		}
		printf("%s:", host);
		addresses = json_object_get(row, "addresses");
		json_array_foreach(addresses, j, address) printf(" %s", json_string_value(address));
		putchar('\n');
	}
}
