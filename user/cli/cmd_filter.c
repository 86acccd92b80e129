/* SPDX-License-Identifier: BSD-2-Clause */
/* attach, detach, mode, unlisted, ports set. */
#include <errno.h>
#include <string.h>
#include <arpa/inet.h>

#include "cli/output.h"
#include "cli/words.h"

static int describe_attachment(struct cli *cli, const char *done,
			       const struct filter_attachment *attachment)
{
	return output_done(
		cli,
		json_pack("{s:s, s:s, s:s, s:I}", "attached", attachment->ifname, "mode",
			  xdp_mode_name(attachment->mode), "via", via_name(attachment->via),
			  "program_id", (json_int_t)attachment->program_id),
		"%s %s: %s, %s, program %u", done, attachment->ifname,
		xdp_mode_name(attachment->mode), via_text(attachment->via), attachment->program_id);
}

static void note_after_attach(struct cli *cli, const struct filter_attachment *attachment)
{
	struct store_settings settings;
	if (cli->json)
		return;
	if (attachment->mode == FILTER_XDP_GENERIC)
		cli_note("generic mode drops only after the kernel has built a socket buffer: "
			 "slower; `sipward doctor %s` says what native mode needs",
			 attachment->ifname);
	if (store_settings_get(cli->store, &settings, NULL) == 0 &&
	    settings.mode == SIPWARD_MONITOR)
		cli_note("mode monitor: it counts what it would drop and drops nothing until "
			 "`sipward mode enforce`");
}

/* The rules go into the maps before the first packet meets the program. */
static int prepare(struct filter *filter, void *arg, struct error *err)
{
	struct cli *cli = arg;
	struct filter_reconciled reconciled;
	return store_sync(cli->store, filter, true, &reconciled, err);
}

int cmd_attach(struct cli *cli)
{
	struct filter_attachment attachment;
	const struct filter_attach_options options = {
		.pin_dir = cli->pin_dir,
		.ifname = cli->args[0],
		.mode = (enum filter_attach_request)args_option_choice(cli, "--mode",
								       FILTER_ATTACH_AUTO),
		.replace = args_option(cli, "--replace") != NULL,
		.prepare = prepare,
		.prepare_arg = cli,
	};
	int rc = cli_store_to_change(cli);
	if (rc == 0)
		rc = filter_attach(&options, &attachment, &cli->err);
	if (rc < 0)
		return rc;
	note_after_attach(cli, &attachment);
	return describe_attachment(cli, "attached to", &attachment);
}

int cmd_detach(struct cli *cli)
{
	const char *ifname = cli->args[0];
	int rc = filter_detach(cli->pin_dir, ifname, &cli->err);
	if (rc < 0)
		return rc;
	return output_done(cli, json_pack("{s:o}", "detached", output_text(ifname)),
			   "detached from %s; nothing is filtered there now", ifname);
}

static int set_mode(struct cli *cli, struct store_settings *settings)
{
	int choice = args_choice(slice_from(cli->command->args), cli->args[0]);
	settings->mode = (enum sipward_mode)choice;
	return 0;
}

int cmd_mode(struct cli *cli)
{
	int rc = cli_settings_change(cli, set_mode, NULL);
	if (rc < 0)
		return rc;
	return output_done(cli, json_pack("{s:s}", "mode", cli->args[0]), "mode %s", cli->args[0]);
}

static int set_unlisted(struct cli *cli, struct store_settings *settings)
{
	int choice = args_choice(slice_from(cli->command->args), cli->args[0]);
	settings->unlisted = (enum store_unlisted)choice;
	return 0;
}

int cmd_unlisted(struct cli *cli)
{
	enum sipward_unlisted effective;
	int rc = cli_settings_change(cli, set_unlisted, NULL);
	if (rc == 0)
		rc = store_unlisted_effective(cli->store, &effective, &cli->err);
	if (rc < 0)
		return rc;
	return output_done(cli,
			   json_pack("{s:s, s:s}", "unlisted", cli->args[0], "effective",
				     unlisted_name(effective)),
			   "unlisted sources: %s, which now means %s", cli->args[0],
			   unlisted_name(effective));
}

/* Reads udp/5060. */
static int parse_port(struct cli *cli, const char *text, struct sipward_port *ret_port)
{
	struct slice number, protocol = slice_cut(slice_from(text), '/', &number);
	struct sipward_port port = {0};
	uint32_t value;
	if (slice_eq_nocase(protocol, SLICE("udp")))
		port.protocol = IPPROTO_UDP;
	else if (slice_eq_nocase(protocol, SLICE("tcp")))
		port.protocol = IPPROTO_TCP;
	else
		return cli_error(cli, -EINVAL, "port '%s' does not begin with udp/ or tcp/", text);
	if (slice_u32(number, &value) < 0 || value < 1 || value > 65535)
		return cli_error(cli, -EINVAL, "port '%s' is not between 1 and 65535", text);
	port.port_be = htons((uint16_t)value);
	*ret_port = port;
	return 0;
}

static bool has_port(const struct store_settings *settings, const struct sipward_port *port)
{
	for (unsigned i = 0; i < settings->port_count; i++)
		if (settings->ports[i].protocol == port->protocol &&
		    settings->ports[i].port_be == port->port_be)
			return true;
	return false;
}

static int set_ports(struct cli *cli, struct store_settings *settings)
{
	memset(settings->ports, 0, sizeof(settings->ports));
	settings->port_count = 0;
	for (int i = 0; i < cli->arg_count; i++) {
		struct sipward_port port;
		int rc = parse_port(cli, cli->args[i], &port);
		if (rc < 0)
			return rc;
		if (has_port(settings, &port))
			return cli_error(cli, -EINVAL, "port '%s' is named twice", cli->args[i]);
		if (settings->port_count == SIPWARD_PORTS_MAX)
			return cli_error(cli, -EINVAL, "there can be at most %d ports",
					 SIPWARD_PORTS_MAX);
		settings->ports[settings->port_count++] = port;
	}
	return 0;
}

int cmd_ports_set(struct cli *cli)
{
	struct store_settings settings;
	char text[PORTS_TEXT_SIZE];
	int rc = cli_settings_change(cli, set_ports, &settings);
	if (rc < 0)
		return rc;
	ports_format(settings.ports, settings.port_count, text);
	return output_done(
		cli, json_pack("{s:o}", "ports", ports_json(settings.ports, settings.port_count)),
		"SIP ports: %s", text);
}
