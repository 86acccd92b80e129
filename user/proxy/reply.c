/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/proxy_internal.h"
#include "sip/sip_reply.h"

bool source_is_vouched(struct proxy *proxy, const struct ip *ip)
{
	return vouch_of(&proxy->admission, ip, proxy->now_ns) != VOUCHER_NONE;
}

struct net_path reply_path(const struct request *request)
{
	struct net_path path = *request->path;

	/* By the connection that it came by (RFC 3261 §18.2.2). */
	if (path.transport == NET_UDP)
		path.remote = sip_reply_destination(request->msg, &request->path->remote);
	return path;
}

void reply_tag(const struct proxy *proxy, uint64_t id, char text[MAC_TEXT_SIZE])
{
	struct mac mac;

	mac_begin(&mac, proxy->branch_key, MAC_TO_TAG);
	mac_number(&mac, id);
	mac_format(mac_end(&mac), text);
}

int reply_write(struct proxy *proxy, const struct request *request, unsigned status,
		struct slice headers, struct slice *ret_message)
{
	char tag[MAC_TEXT_SIZE];
	struct sip_reply reply = {
		.status = status,
		.headers = headers,
		.source = request->path->remote,
	};
	size_t n;
	int rc;

	reply_tag(proxy, request->branch.id, tag);
	reply.to_tag = (struct slice){tag, sizeof(tag) - 1};
	rc = sip_reply_write(request->msg, &reply, proxy->made, sizeof(proxy->made), &n);
	if (!rc)
		*ret_message = (struct slice){proxy->made, n};
	return rc;
}

/* Answers to forged sources would make a reflector of the gate, the more the larger they are. */
static bool may_answer(struct proxy *proxy, const struct net_path *path, const struct sip_msg *msg,
		       size_t answer_n)
{
	const struct ip *ip = &path->remote.ip;
	unsigned times = msg->raw.n ? (unsigned)(answer_n / msg->raw.n) : 1;
	const struct store_settings *settings = policy_settings(proxy->admission.policy);

	/* The other end of a connection can not be forged. */
	if (path->transport != NET_UDP || source_is_vouched(proxy, ip) ||
	    source_take_answer(&proxy->shared->sources, settings, ip, times ? times : 1,
			       proxy->now_ns))
		return true;
	proxy_count(proxy, PROXY_REPLY_WITHHELD);
	return false;
}

void reply_stateless(struct proxy *proxy, const struct request *request, unsigned status,
		     struct slice headers)
{
	struct net_path path = reply_path(request);
	struct slice message;

	if (reply_write(proxy, request, status, headers, &message) == 0 &&
	    may_answer(proxy, request->path, request->msg, message.n))
		proxy_send(proxy, &path, message);
}

void reply_unreadable(struct proxy *proxy, const struct net_path *path, unsigned status,
		      const char *why)
{
	const struct store_settings *settings = policy_settings(proxy->admission.policy);
	const struct sip_msg *msg = &proxy->msg;
	struct sip_reply reply = {.status = status, .reason = why, .source = path->remote};
	struct net_path back = *path;
	char tag[MAC_TEXT_SIZE];
	size_t n;

	proxy_count(proxy, PROXY_BAD_REQUEST);
	if (!msg->is_request || msg->method == SIP_ACK ||
	    (settings->mode != SIPWARD_MONITOR &&
	     lockout_active(proxy->admission.lockouts, settings, &path->remote.ip, proxy->now_ns,
			    NULL)))
		return;
	reply_tag(proxy, 0, tag);
	reply.to_tag = (struct slice){tag, sizeof(tag) - 1};
	if (path->transport == NET_UDP)
		back.remote = sip_reply_destination(msg, &path->remote);
	if (sip_reply_write(msg, &reply, proxy->made, sizeof(proxy->made), &n) == 0 &&
	    may_answer(proxy, path, msg, n))
		proxy_send(proxy, &back, (struct slice){proxy->made, n});
}

void reply_refuse(struct proxy *proxy, const struct request *request, unsigned status,
		  const char *cause)
{
	struct report_line line = {
		.event = "refused",
		.cause = cause,
		.status = status,
		.msg = request->msg,
		.source = &request->path->remote,
	};

	proxy_count(proxy, PROXY_REFUSED);
	report_refusal(&proxy->report, &line, proxy->now_ns);
	account_refused(proxy, request, NULL, &(struct account_refusal){.status = status});
	if (request->msg->method != SIP_ACK)
		reply_stateless(proxy, request, status, (struct slice){0});
}
