/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said to the next hop alone: the fields that lead a request, and the ACK and CANCEL of our
 * own. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proxy/proxy_internal.h"

/* ---- fields that lead a request ---- */

void hop_via_format(const struct net_path *target, const struct branch *branch,
		    char text[HOP_VIA_SIZE])
{
	static const char *const begins[] = {[NET_UDP] = "Via: SIP/2.0/UDP ",
					     [NET_TCP] = "Via: SIP/2.0/TCP ",
					     [NET_TLS] = "Via: SIP/2.0/TLS "};
	char *at = stpcpy(text, begins[target->transport]);

	endpoint_format(&target->local, at);
	at = stpcpy(strchr(at, '\0'), ";branch=");
	branch_format(branch, at);
	strcpy(strchr(at, '\0'), ";rport\r\n");
}

static void insert_record_route(struct sip_edit *edit, const struct net_path *path,
				const char *token)
{
	static const char *const parameters[] = {
		[NET_UDP] = "", [NET_TCP] = ";transport=tcp", [NET_TLS] = ";transport=tls"};
	char local[ENDPOINT_TEXT_SIZE];

	endpoint_format(&path->local, local);
	if (request_is_secure(edit->msg))
		sip_edit_insert(edit, 0, "Record-Route: <sips:%s@%s;lr>\r\n", token, local);
	else
		sip_edit_insert(edit, 0, "Record-Route: <sip:%s@%s%s;lr>\r\n", token, local,
				parameters[path->transport]);
}

/* One Record-Route, or two where the two sides see different addresses or transports of ours (RFC
 * 5658 §5). */
static unsigned insert_record_routes(struct proxy *proxy, const struct hop_fields *fields)
{
	struct sip_edit *edit = &proxy->edit;
	const struct net_path *inside = &fields->hop->target, *outside = fields->outside;
	struct token_call call = {sip_msg_value(edit->msg, SIP_CALL_ID),
				  edit->msg->from.tag};
	struct token token = *fields->token;
	char text[TOKEN_TEXT_SIZE];

	token.upstream = inside->remote;
	token.upstream_transport = inside->transport;
	token.cseq_offset = fields->hop->cseq_offset;
	token.credential_id = (uint32_t)fields->hop->credential_id;
	token_write(proxy->dialog_key, &token, &call, text);
	insert_record_route(edit, inside, text);
	if (inside->transport == outside->transport && endpoint_eq(&inside->local, &outside->local))
		return 1;
	insert_record_route(edit, outside, text);
	return 2;
}

unsigned hop_insert_fields(struct proxy *proxy, const struct hop_fields *fields)
{
	char via[HOP_VIA_SIZE];
	unsigned n = 1;

	hop_via_format(&fields->hop->target, &fields->branch, via);
	sip_edit_insert_text(&proxy->edit, 0, slice_from(via));
	if (fields->token)
		n += insert_record_routes(proxy, fields);
	return n;
}

/* The number of the request that a PRACK acknowledges: "776656 1 INVITE" (RFC 3262 §7.2). */
static struct slice rack_cseq(const struct sip_msg *msg)
{
	struct slice rest, number;

	slice_cut(sip_msg_value(msg, SIP_RACK), ' ', &rest);
	number = slice_cut(slice_trim(rest), ' ', &rest);
	return number;
}

static void raise_cseq(struct sip_edit *edit, unsigned offset)
{
	const struct sip_msg *msg = edit->msg;
	struct slice acknowledged = rack_cseq(msg);
	uint32_t number;

	sip_edit_replace(edit, sip_cseq_number(msg), "%u", msg->cseq + offset);
	if (slice_u32(acknowledged, &number) == 0)
		sip_edit_replace(edit, acknowledged, "%u", number + offset);
}

void hop_edit(struct sip_edit *edit, const struct hop *hop)
{
	const struct sip_msg *msg = edit->msg;

	if (hop->uri.n)
		sip_edit_replace_text(edit, msg->uri, hop->uri);
	if (hop->cseq_offset)
		raise_cseq(edit, hop->cseq_offset);
}

int hop_route(struct proxy *proxy, struct net_path *target)
{
	return proxy->output.local_for(proxy->output.arg, target->transport, &target->remote,
				       &target->local);
}

/* ---- requests of our own ---- */

struct writer {
	char *p;
	size_t left;
	bool full;
};

static void put(struct writer *w, struct slice text)
{
	if (w->full || text.n > w->left) {
		w->full = true;
		return;
	}
	memcpy(w->p, text.p, text.n);
	w->p += text.n;
	w->left -= text.n;
}

static void put_headers(struct writer *w, const struct sip_msg *msg, enum sip_header_id id)
{
	for (int i = msg->first[id]; i >= 0; i = sip_msg_next(msg, id, i))
		put(w, msg->headers[i].line);
}

static void put_first(struct writer *w, const struct sip_msg *msg, enum sip_header_id id)
{
	if (msg->first[id] >= 0)
		put(w, msg->headers[msg->first[id]].line);
}

int hop_request_write(const struct sip_msg *sent, struct slice method, struct slice to,
		      struct slice room, size_t *ret_n)
{
	struct writer w = {(char *)(uintptr_t)room.p, room.n, false};
	char cseq[16];

	snprintf(cseq, sizeof(cseq), "CSeq: %u ", sent->cseq);
	put(&w, method);
	put(&w, SLICE(" "));
	put(&w, sent->uri);
	put(&w, SLICE(" SIP/2.0\r\n"));
	/* Our own Via stands alone in a field of its own, the first. */
	put_first(&w, sent, SIP_VIA);
	put(&w, SLICE("Max-Forwards: 70\r\n"));
	put_headers(&w, sent, SIP_ROUTE);
	put_first(&w, sent, SIP_FROM);
	if (to.n)
		put(&w, to);
	else
		put_first(&w, sent, SIP_TO);
	put_first(&w, sent, SIP_CALL_ID);
	put(&w, slice_from(cseq));
	put(&w, method);
	put(&w, SLICE("\r\nContent-Length: 0\r\n\r\n"));
	if (w.full)
		return -ENOSPC;
	*ret_n = room.n - w.left;
	return 0;
}
