/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proxy/proxy_internal.h"

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
