/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/words.h"

#include <arpa/inet.h>

static const char *word(const char *const *words, size_t count, unsigned i)
{
	return i < count ? words[i] : "unknown";
}

#define WORD(words, i) word(words, sizeof(words) / sizeof((words)[0]), i)

const char *xdp_mode_name(enum filter_xdp_mode mode)
{
	static const char *const words[] = {"none", "native", "generic", "offloaded"};
	return WORD(words, mode);
}

const char *via_name(enum filter_via via)
{
	static const char *const words[] = {"none", "link", "dispatcher", "foreign"};
	return WORD(words, via);
}

const char *via_text(enum filter_via via)
{
	static const char *const words[] = {
		"not attached",
		"alone, by its own link",
		"beside others, by libxdp's dispatcher",
		"by another tool",
	};
	return WORD(words, via);
}

const char *mode_name(uint32_t mode)
{
	static const char *const words[] = {"monitor", "enforce"};
	return WORD(words, mode);
}

const char *unlisted_name(uint32_t unlisted)
{
	static const char *const words[] = {"drop", "limit", "reject"};
	return WORD(words, unlisted);
}

const char *unlisted_choice_name(enum store_unlisted unlisted)
{
	static const char *const words[] = {"auto", "drop", "limit", "reject"};
	return WORD(words, unlisted);
}

static int port_format(const struct sipward_port *port, char *text, size_t size)
{
	return snprintf(text, size, "%s/%u", port->protocol == IPPROTO_UDP ? "udp" : "tcp",
			ntohs(port->port_be));
}

void ports_format(const struct sipward_port *ports, unsigned count, char text[PORTS_TEXT_SIZE])
{
	int used = 0;
	if (!count)
		snprintf(text, PORTS_TEXT_SIZE, "udp/%d tcp/%d tcp/%d", SIPWARD_PORT_SIP,
			 SIPWARD_PORT_SIP, SIPWARD_PORT_SIPS);
	for (unsigned i = 0; i < count && i < SIPWARD_PORTS_MAX; i++) {
		if (i)
			text[used++] = ' ';
		used += port_format(&ports[i], text + used, PORTS_TEXT_SIZE - (size_t)used);
	}
}

json_t *ports_json(const struct sipward_port *ports, unsigned count)
{
	char text[PORTS_TEXT_SIZE];
	json_t *array = json_array();
	ports_format(ports, count, text);
	for (struct slice rest = slice_from(text); rest.n;) {
		struct slice port = slice_cut(rest, ' ', &rest);
		json_array_append_new(array, json_stringn(port.p, port.n));
	}
	return array;
}
