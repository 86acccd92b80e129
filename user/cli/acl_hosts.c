/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/acl_hosts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/names.h"

bool acl_hosts_is_name(struct slice text)
{
	if (!text.n || memchr(text.p, '/', text.n) || memchr(text.p, ':', text.n))
		return false;
	if (text.p[text.n - 1] == '.')
		text.n--;
	const char *dot = text.n ? memrchr(text.p, '.', text.n) : NULL;
	const char *label = dot ? dot + 1 : text.p;
	return label < text.p + text.n &&
	       ((*label >= 'a' && *label <= 'z') || (*label >= 'A' && *label <= 'Z'));
}

struct store_acl_host *acl_hosts_next(struct acl_hosts *hosts)
{
	if (hosts->n == hosts->room) {
		size_t room = hosts->room ? 2 * hosts->room : 16;
		void *list = reallocarray(hosts->list, room, sizeof(*hosts->list));
		if (!list)
			return NULL;
		hosts->list = list;
		hosts->room = room;
	}
	struct store_acl_host *host = &hosts->list[hosts->n++];
	memset(host, 0, sizeof(*host));
	return host;
}

/* ---- asking DNS ---- */

static const struct column refresh_columns[] = {
	{"HOST", "host", COLUMN_TEXT},
	{"ADDRESSES", "addresses", COLUMN_LIST},
	{"TTL", "ttl", COLUMN_SECONDS},
	{"FAILURE", "failure", COLUMN_TEXT},
};

static int collect(const struct store_acl_host *from, void *names)
{
	const struct host host = host_of_acl(from);
	return names_add(names, &host);
}

int cmd_acl_refresh(struct cli *cli)
{
	const char *acl = cli->arg_count ? cli->args[0] : NULL;
	struct names names = {0};
	json_t *rows = json_array();
	int rc = cli_store(cli);
	if (rc == 0)
		rc = store_acl_host_each(cli->store, acl, collect, &names, &cli->err);
	if (rc == 0)
		rc = names_resolve(cli, &names, rows);
	if (rc == 0 && names.n)
		rc = cli_sync(cli);
	if (rc == 0)
		rc = output_table(cli, VIEW(refresh_columns, "there are no host names"),
				  json_incref(rows));
	if (rc == 0 && names.failed)
		rc = cli_error(cli, -EAGAIN,
			       "%zu of %zu host names could not be resolved; they keep the "
			       "addresses they had",
			       names.failed, names.n);
	json_decref(rows);
	names_free(&names);
	return rc;
}

/* ---- showing ---- */

static void print_state(const struct store_acl_host *host)
{
	char due[32], resolved[32];
	int64_t now = (int64_t)clock_wall_s();
	output_span(host->due_s > now ? (double)(host->due_s - now) : 0, due, sizeof(due));
	output_span(host->resolved_s < now ? (double)(now - host->resolved_s) : 0, resolved,
		    sizeof(resolved));
	if (host->failure[0])
		printf("       failed: %s; next try in %s\n", host->failure, due);
	if (!host->resolved_s)
		puts("       never resolved yet");
	else if (host->failure[0])
		printf("       last resolved %s ago\n", resolved);
	else
		printf("       resolved %s ago, again in %s\n", resolved, due);
}

int acl_hosts_print(const struct store_acl_host *host, void *arg)
{
	struct cli *cli = arg;
	struct ip addresses[STORE_HOST_ADDRESSES_MAX];
	char text[IP_TEXT_SIZE];
	size_t n;
	int rc = store_acl_host_addresses(cli->store, host->id, addresses, &n, &cli->err);
	if (rc < 0)
		return rc;
	printf("%-6s %-20s %s\n", host->deny ? "deny" : "allow", host->host, host->note);
	for (size_t i = 0; i < n; i++) {
		ip_format(&addresses[i], text);
		printf("       %s\n", text);
	}
	print_state(host);
	return 0;
}

static json_t *address_array(const struct ip *addresses, size_t n)
{
	json_t *array = json_array();
	char text[IP_TEXT_SIZE];
	for (size_t i = 0; i < n; i++) {
		ip_format(&addresses[i], text);
		json_array_append_new(array, json_string(text));
	}
	return array;
}

static json_t *null_or(json_t *value, bool null)
{
	if (!null)
		return value;
	json_decref(value);
	return json_null();
}

json_t *acl_hosts_json(struct cli *cli, const struct store_acl_host *host)
{
	struct ip addresses[STORE_HOST_ADDRESSES_MAX];
	size_t n;
	if (store_acl_host_addresses(cli->store, host->id, addresses, &n, &cli->err) < 0)
		return NULL;
	return json_pack("{s:s, s:b, s:b, s:o, s:o, s:o, s:I, s:o}", "host", host->host, "srv",
			 host->kind == STORE_HOST_SRV, "deny", host->deny, "note",
			 output_text(host->note), "addresses", address_array(addresses, n),
			 "resolved", null_or(json_integer(host->resolved_s), host->resolved_s == 0),
			 "due", (json_int_t)host->due_s, "failure",
			 null_or(output_text(host->failure), !host->failure[0]));
}
