/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/branch.h"

#include <errno.h>

#include "proxy/mac.h"

#define COOKIE "z9hG4bK"
#define COOKIE_BYTES (sizeof(COOKIE) - 1)
#define PART_BYTES (MAC_TEXT_SIZE - 1)

uint64_t branch_id(const uint8_t *key, const struct sip_msg *msg, const struct sip_via *client_via,
		   const struct ip *source, uint32_t cseq)
{
	struct mac mac;

	mac_begin(&mac, key, MAC_BRANCH);
	mac_slice(&mac, client_via->branch);
	mac_slice(&mac, client_via->host);
	mac_number(&mac, client_via->port);
	mac_slice(&mac, sip_msg_value(msg, SIP_CALL_ID));
	mac_number(&mac, cseq);
	mac_slice(&mac, msg->from.tag);
	mac_ip(&mac, source);
	return mac_end(&mac);
}

uint64_t branch_loop(const uint8_t *key, const struct sip_msg *request)
{
	struct mac mac;

	mac_begin(&mac, key, MAC_LOOP);
	mac_slice(&mac, request->uri);
	mac_slice(&mac, sip_msg_value(request, SIP_CALL_ID));
	mac_number(&mac, request->cseq);
	mac_slice(&mac, request->from.tag);
	mac_slice(&mac, request->to.tag);
	return mac_end(&mac);
}

void branch_format(const struct branch *branch, char text[BRANCH_TEXT_SIZE])
{
	char *at = stpcpy(text, COOKIE);

	mac_format(branch->id, at);
	mac_format(branch->loop, at + PART_BYTES);
	hex_encode(&branch->attempt, 1, at + 2 * PART_BYTES);
	hex_encode(&branch->cseq_offset, 1, at + 2 * PART_BYTES + 2);
}

static bool is_ours(struct slice text)
{
	return text.n == BRANCH_TEXT_SIZE - 1 && memcmp(text.p, COOKIE, COOKIE_BYTES) == 0;
}

static struct slice part_of(struct slice text, size_t from, size_t n)
{
	return (struct slice){text.p + COOKIE_BYTES + from, n};
}

static int read_part(struct slice text, size_t from, void *ret_bytes, size_t n)
{
	return hex_decode(part_of(text, from, 2 * n), ret_bytes, n);
}

int branch_read(struct slice text, struct branch *ret_branch)
{
	struct branch branch;

	if (!is_ours(text) || read_part(text, 0, &branch.id, 8) ||
	    read_part(text, PART_BYTES, &branch.loop, 8) ||
	    read_part(text, 2 * PART_BYTES, &branch.attempt, 1) ||
	    read_part(text, 2 * PART_BYTES + 2, &branch.cseq_offset, 1))
		return -EINVAL;
	*ret_branch = branch;
	return 0;
}

bool branch_has_id(struct slice text, uint64_t id)
{
	return is_ours(text) && mac_matches(id, part_of(text, 0, PART_BYTES));
}

bool branch_has_loop(struct slice text, uint64_t loop)
{
	return is_ours(text) && mac_matches(loop, part_of(text, PART_BYTES, PART_BYTES));
}

int via_source(const struct sip_via *via, struct ip *ret_ip)
{
	return ip_parse(via->received.n ? via->received : via->host, ret_ip);
}
