/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cuts a stream into SIP messages (RFC 3261 §18.3) and keep-alives (RFC 5626 §3.5.1). Where a
 * header ends and which field gives its length is decided as sip_msg_parse does: who sees two
 * messages where others see one could be made to pass on what it has not checked.
 */
#ifndef SIPWARD_NET_FRAMING_H
#define SIPWARD_NET_FRAMING_H

#include "base/slice.h"

/* What is known of the message that is arriving. Zeroed at the start of the stream. */
struct framing {
	unsigned blanks; /* bytes of CRLFCRLF seen */
	size_t looked;	 /* bytes in which the header does not end */
	size_t total;	 /* of the message; 0 = not known yet */
};

enum framing_result {
	FRAMING_MORE,	 /* not whole yet */
	FRAMING_BLANK,	 /* *ret_n bytes of line ends between messages */
	FRAMING_PING,	 /* the same, and a keep-alive that is to be answered with CRLF */
	FRAMING_MESSAGE, /* *ret_n bytes */
	FRAMING_BROKEN,	 /* *ret_why: where the next message begins is not known */
};

/* bytes: all that has come and was not told by *ret_n before; call with the same beginning until it
 * is. A message has at most NET_DATAGRAM_MAX bytes. */
enum framing_result framing_next(struct framing *framing, struct slice bytes, size_t *ret_n,
				 const char **ret_why);

#endif
