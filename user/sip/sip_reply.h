/* SPDX-License-Identifier: BSD-2-Clause */
/* Replies made from a request (RFC 3261 §8.2.6). */
#ifndef SIPWARD_SIP_REPLY_H
#define SIPWARD_SIP_REPLY_H

#include "base/addr.h"
#include "sip/sip_msg.h"

/* The standard phrase of a status ("Forbidden"); "Unknown" for others. */
const char *sip_reason_phrase(unsigned status);

struct sip_reply {
	unsigned status;
	const char *reason;	/* NULL: the standard phrase */
	struct slice to_tag;	/* added where To has none and status is not 100; empty: none */
	struct slice headers;	/* further header fields, each with CRLF; may be empty */
	struct endpoint source; /* where the request came from: received and rport (RFC 3581) */
};

/* Writes a reply to the request into buf: Via (all, the first with received/rport), From, To,
 * Call-ID, CSeq, Timestamp (100 only, RFC 3261 §8.2.6.1), Record-Route not, further headers,
 * Content-Length: 0. 0 or -ENOSPC. Works on any message whose parse result is answerable. */
int sip_reply_write(const struct sip_msg *request, const struct sip_reply *reply, char *buf,
		    size_t size, size_t *ret_n);

/* Writes a Via with received and rport as they must be for a request from the source (RFC 3261
 * §18.2.1, RFC 3581 §4); what the sender put there is replaced. 0 or -ENOSPC. */
int sip_via_stamp(const struct sip_via *via, const struct endpoint *source, char *buf, size_t size,
		  size_t *ret_n);

/* Where a reply to a request goes (RFC 3261 §18.2.2, RFC 3581 §4): the source address; its port
 * with rport, else the Via's. A Via that can not be read: the source. */
struct endpoint sip_reply_destination(const struct sip_msg *request, const struct endpoint *source);

#endif
