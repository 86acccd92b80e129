/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/proxy_internal.h"

bool uri_is_local(struct proxy *proxy, const struct sip_uri *uri)
{
	struct endpoint e = {.port = uri->port ? uri->port : SIP_PORT};

	return ip_parse(uri->host, &e.ip) == 0 && proxy->output.is_local(proxy->output.arg, &e);
}

static bool element_read(struct slice element, struct sip_uri *ret_uri)
{
	struct sip_name_addr addr;

	return sip_name_addr_parse(element, &addr) == 0 && sip_uri_read(addr.uri, ret_uri) == 0;
}

bool route_next(struct sip_walk *routes, struct sip_uri *ret_uri)
{
	struct slice element;

	return sip_walk_next(routes, &element) && element_read(element, ret_uri);
}

static bool element_is_own(struct proxy *proxy, struct slice element)
{
	struct sip_uri uri;

	return element_read(element, &uri) && uri_is_local(proxy, &uri);
}

/* Removes the own elements at the front of one header. True if nothing of it is left. */
static bool header_strip_own(struct proxy *proxy, const struct sip_msg *msg, int header)
{
	struct slice value = msg->headers[header].value, element;
	size_t position = 0;

	while (sip_list_next(value, &position, &element)) {
		if (element_is_own(proxy, element))
			continue;
		if (element.p > value.p)
			sip_edit_replace_text(
				&proxy->edit,
				(struct slice){value.p, (size_t)(element.p - value.p)},
				(struct slice){"", 0});
		return false;
	}
	sip_edit_drop(&proxy->edit, header);
	return true;
}

void route_strip_own(struct proxy *proxy, const struct sip_msg *msg)
{
	for (int i = msg->first[SIP_ROUTE]; i >= 0; i = sip_msg_next(msg, SIP_ROUTE, i))
		if (!header_strip_own(proxy, msg, i))
			return;
}
