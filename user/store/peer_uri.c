/* SPDX-License-Identifier: BSD-2-Clause */
/* The URI of a peer, taken apart. */
#include <errno.h>
#include <stdio.h>

#include "store/internal.h"

#define NAME_UDP 1 /* where no transport is given for an address */
#define NAME_TLS 3

/* In the order of enum net_transport. */
static const char *const transports[] = {NULL, "udp", "tcp", "tls"};

#define FORM "sip:HOST[:PORT][;transport=udp|tcp|tls] or sips:HOST[:PORT]"

struct parse {
	const char *uri, *role;
	struct store_peer_uri *uri_parts;
	struct error *err;
};

static int wrong(const struct parse *parse, const char *why)
{
	return error_set(parse->err, -EINVAL, "%s %s: %s", parse->role, QUOTED(parse->uri), why);
}

/* Cuts off the scheme. */
static int parse_scheme(const struct parse *parse, struct slice *text)
{
	size_t n;

	if (slice_starts_nocase(*text, SLICE("sips:"))) {
		parse->uri_parts->transport = NAME_TLS;
		n = strlen("sips:");
	} else if (slice_starts_nocase(*text, SLICE("sip:"))) {
		n = strlen("sip:");
	} else {
		return wrong(parse, "must be " FORM);
	}
	*text = (struct slice){text->p + n, text->n - n};
	if (memchr(text->p, '@', text->n))
		return wrong(parse, "takes no user, the caller's is kept; write " FORM);
	if (memchr(text->p, '?', text->n))
		return wrong(parse, "takes no header fields; write " FORM);
	return 0;
}

/* ";transport=…", the one parameter there is. */
static int parse_transport(const struct parse *parse, struct slice parameter)
{
	struct slice value, name = slice_cut(parameter, '=', &value);
	struct store_peer_uri *uri = parse->uri_parts;

	if (!slice_eq_nocase(name, SLICE("transport")))
		return wrong(parse, "takes no other parameter than transport; write " FORM);
	if (uri->transport == NAME_TLS)
		return wrong(parse, "sips: is always TLS, and takes no transport");
	for (unsigned i = NAME_UDP; i <= NAME_TLS; i++) {
		if (slice_eq_nocase(value, slice_from(transports[i])))
			uri->transport = i;
	}
	return uri->transport ? 0 : wrong(parse, "the transport must be udp, tcp or tls");
}

/* Splits HOST[:PORT], where HOST may be an IPv6 address in brackets. */
static bool split_port(struct slice text, struct slice *ret_host, uint16_t *ret_port)
{
	const char *after = memchr(text.p, ']', text.n);
	const char *from = text.n && text.p[0] == '[' && after ? after : text.p;
	const char *colon = memchr(from, ':', text.n - (size_t)(from - text.p));
	uint32_t port = 0;

	*ret_host = text;
	if (colon) {
		struct slice digits = {colon + 1, text.n - (size_t)(colon + 1 - text.p)};

		ret_host->n = (size_t)(colon - text.p);
		if (slice_u32(digits, &port) || port == 0 || port > UINT16_MAX)
			return false;
	}
	*ret_port = (uint16_t)port;
	return true;
}

static int parse_host(const struct parse *parse, struct slice text)
{
	struct store_peer_uri *uri = parse->uri_parts;
	char host[STORE_URI_SIZE];
	struct slice given;

	if (!split_port(text, &given, &uri->port))
		return wrong(parse, "the port must be a number from 1 to 65535; an IPv6 address "
				    "stands in brackets");
	if (slice_text(given, host, sizeof(host)) || !host_parse(host, uri->host, &uri->ip))
		return wrong(parse, "the host must be a host name or an IP address");
	return 0;
}

static void write_text(struct store_peer_uri *uri, bool sips)
{
	char port[8] = "", *text = uri->text;
	const char *given = uri->transport && !sips ? transports[uri->transport] : "";
	bool six = uri->ip.family == 6;

	if (uri->port)
		snprintf(port, sizeof(port), ":%u", uri->port);
	snprintf(text, STORE_URI_SIZE, "%s:%s%s%s%s%s%s", sips ? "sips" : "sip", six ? "[" : "",
		 uri->host, six ? "]" : "", port, given[0] ? ";transport=" : "", given);
}

int store_peer_uri_parse(const char *text, enum store_peer_role role,
			 struct store_peer_uri *ret_uri, struct error *err)
{
	struct store_peer_uri uri = {0};
	const struct parse parse = {text, store_peer_role_name(role), &uri, err};
	struct slice rest = slice_from(text), host, parameter;
	bool parameters = strchr(text, ';') != NULL;
	int rc = rest.n < STORE_URI_SIZE ? 0 : wrong(&parse, "is too long");

	if (rc == 0)
		rc = parse_scheme(&parse, &rest);
	if (rc)
		return rc;
	host = slice_cut(rest, ';', &parameter);
	rc = parse_host(&parse, host);
	write_text(&uri, uri.transport == NAME_TLS);
	if (rc == 0 && parameters) {
		rc = parse_transport(&parse, parameter);
		write_text(&uri, false);
	}
	if (rc)
		return rc;
	if (uri.ip.family && !uri.transport)
		uri.transport = NAME_UDP;
	*ret_uri = uri;
	return 0;
}
