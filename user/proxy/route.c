/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/proxy_internal.h"

#define SIP_PORT 5060

bool uri_is_local(struct proxy *proxy, const struct sip_uri *uri)
{
	struct endpoint e = {.port = uri->port ? uri->port : SIP_PORT};

	return ip_parse(uri->host, &e.ip) == 0 && proxy->output.is_local(proxy->output.arg, &e);
}

static bool element_read(struct slice element, struct sip_name_addr *ret_addr,
			 struct sip_uri *ret_uri)
{
	struct sip_name_addr addr = {0};

	if (sip_name_addr_parse(element, &addr))
		return false;
	if (sip_uri_parse(addr.uri, ret_uri)) {
		sip_name_addr_free(&addr);
		return false;
	}
	*ret_addr = addr;
	return true;
}

bool route_element(const struct sip_msg *msg, unsigned place, struct sip_name_addr *ret_addr,
		   struct sip_uri *ret_uri)
{
	for (int i = msg->first[SIP_ROUTE]; i >= 0; i = sip_msg_next(msg, SIP_ROUTE, i)) {
		struct slice element;
		size_t position = 0;

		while (sip_list_next(msg->headers[i].value, &position, &element))
			if (place-- == 0)
				return element_read(element, ret_addr, ret_uri);
	}
	return false;
}

static bool element_is_own(struct proxy *proxy, struct slice element)
{
	struct sip_name_addr addr;
	struct sip_uri uri = {0};
	bool own;

	if (!element_read(element, &addr, &uri))
		return false;
	own = uri_is_local(proxy, &uri);
	sip_uri_free(&uri);
	sip_name_addr_free(&addr);
	return own;
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
			sip_edit_replace(&proxy->edit,
					 (struct slice){value.p, (size_t)(element.p - value.p)},
					 "%s", "");
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
