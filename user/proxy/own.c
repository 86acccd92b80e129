/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests that are nobody's but ours: OPTIONS that ask a hop whether it lives, REGISTERs
 * (enrol.c). Each is a transaction without a requester. */
#include <errno.h>
#include <stdio.h>

#include "base/random.h"
#include "proxy/proxy_internal.h"

static void random_text(char text[MAC_TEXT_SIZE])
{
	uint64_t number;

	random_bytes(&number, sizeof(number));
	mac_format(number, text);
}

/* Of a call of this worker's: the answer is to come here. */
void own_call_id(const struct proxy *proxy, char text[MAC_TEXT_SIZE])
{
	do
		random_text(text);
	while (proxy->output.is_own && !proxy->output.is_own(proxy->output.arg, slice_from(text)));
}

/* 0 or -ENOSPC. */
static int write_own(struct proxy *proxy, const struct own_request *own, uint64_t id,
		     struct slice *ret_message)
{
	struct branch branch = {.id = id};
	char via[HOP_VIA_SIZE], tag[MAC_TEXT_SIZE], call_id[MAC_TEXT_SIZE];
	int n;

	hop_via_format(&own->target, &branch, via);
	random_text(tag);
	own_call_id(proxy, call_id);
	n = snprintf(proxy->out, FORWARD_MAX,
		     "%s %s SIP/2.0\r\n%sMax-Forwards: 70\r\nFrom: <%s>;tag=%s\r\nTo: <%s>\r\n"
		     "Call-ID: %s\r\nCSeq: %u %s\r\n%sContent-Length: 0\r\n\r\n",
		     own->method_text, own->uri, via, own->from, tag, own->to,
		     own->call_id ? own->call_id : call_id, own->cseq, own->method_text,
		     own->headers);
	if (n < 0 || n >= FORWARD_MAX)
		return -ENOSPC;
	*ret_message = (struct slice){proxy->out, (size_t)n};
	return 0;
}

int own_send(struct proxy *proxy, const struct own_request *own)
{
	struct hop hop = {.target = own->target,
			  .credential_id = own->credential ? own->credential->id : 0};
	struct slice message;
	struct txn *txn;
	uint64_t id;
	int rc;

	random_bytes(&id, sizeof(id));
	rc = txn_create(&proxy->txns, id, &txn);
	if (rc)
		return rc;
	txn->own = own->kind;
	txn->method = own->method;
	txn->trunk_id = own->trunk_id;
	txn->own_fields = 1;
	rc = write_own(proxy, own, id, &message);
	if (!rc)
		authenticate_message(proxy, own->credential, &hop, &txn->own_fields, &message);
	if (!rc)
		rc = attempt_send(proxy, txn, &hop, message);
	if (rc)
		txn_free(&proxy->txns, txn);
	return rc;
}

void own_ping(struct proxy *proxy, const struct health_hop *hop)
{
	char local[ENDPOINT_TEXT_SIZE], from[ENDPOINT_TEXT_SIZE + 16];
	struct own_request own = {
		.kind = OWN_PING,
		.method = SIP_OPTIONS,
		.method_text = "OPTIONS",
		.target = {.transport = hop->transport,
			   .remote = hop->endpoint,
			   .name = hop->name},
		.uri = hop->uri,
		.from = from,
		.to = hop->uri,
		.headers = "Accept: application/sdp\r\n",
		.cseq = 1,
	};

	if (hop_route(proxy, &own.target))
		return;
	endpoint_format(&own.target.local, local);
	snprintf(from, sizeof(from), "sip:sipward@%s", local);
	if (own_send(proxy, &own) == -ENOMEM)
		proxy_count(proxy, PROXY_NO_MEMORY);
}

void own_answered(struct proxy *proxy, const struct attempt *attempt, const struct sip_msg *msg)
{
	if (attempt->timer.txn->own == OWN_REGISTER && msg)
		enrol_answered(proxy, attempt, msg);
	else if (attempt->timer.txn->own == OWN_REGISTER)
		enrol_unanswered(proxy, attempt);
}
