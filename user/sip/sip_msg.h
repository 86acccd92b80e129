/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A zero-copy index over one received SIP message (RFC 3261 §7, §25). All slices point into the
 * bytes given to sip_msg_parse, which stay the caller's and must outlive the index.
 */
#ifndef SIPWARD_SIP_MSG_H
#define SIPWARD_SIP_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "sip/sip_grammar.h"

#define SIP_MSG_MAX_BYTES 65535
#define SIP_HEADERS_MAX 160

enum sip_method {
	SIP_UNKNOWN_METHOD, /* a valid token that is none of these */
	SIP_INVITE, SIP_ACK, SIP_BYE, SIP_CANCEL, SIP_OPTIONS, SIP_REGISTER, SIP_PRACK,
	SIP_SUBSCRIBE, SIP_NOTIFY, SIP_PUBLISH, SIP_INFO, SIP_REFER, SIP_MESSAGE, SIP_UPDATE,
};

/* Compact forms count as the long ones. */
enum sip_header_id {
	SIP_OTHER_HEADER,
	SIP_VIA, SIP_FROM, SIP_TO, SIP_CALL_ID, SIP_CSEQ, SIP_MAX_FORWARDS, SIP_ROUTE,
	SIP_RECORD_ROUTE, SIP_CONTACT, SIP_AUTHORIZATION, SIP_PROXY_AUTHORIZATION,
	SIP_WWW_AUTHENTICATE, SIP_PROXY_AUTHENTICATE, SIP_CONTENT_LENGTH, SIP_CONTENT_TYPE,
	SIP_EXPIRES, SIP_REQUIRE, SIP_PROXY_REQUIRE, SIP_SUPPORTED, SIP_P_ASSERTED_IDENTITY,
	SIP_PRIVACY, SIP_RETRY_AFTER, SIP_RACK,
	SIP_HEADER_IDS
};

struct sip_header {
	enum sip_header_id id;
	struct slice line;  /* the whole field, folds and final line end included */
	struct slice name;  /* as sent */
	struct slice value; /* trimmed; folded lines keep their line ends inside */
};

struct sip_msg {
	struct slice raw; /* the message alone: without leading CRLFs and what follows the body */
	bool is_request;
	enum sip_method method;	  /* request: of the request line; response: of CSeq */
	struct slice method_text;
	struct slice uri;	  /* request only */
	unsigned status;	  /* response only, 100–699 */
	struct slice reason;	  /* response only */
	struct slice start_line;  /* with its line end */
	struct sip_header headers[SIP_HEADERS_MAX];
	unsigned header_count;
	int first[SIP_HEADER_IDS]; /* index of the first header with the id, or -1 */
	struct sip_via via;	   /* the topmost; zeroed if it is malformed */
	struct sip_via via_below;  /* the one below it; zeroed if there is none */
	struct sip_name_addr from, to; /* of a malformed one the tag alone, if it can be found */
	uint32_t cseq;
	unsigned max_forwards;	   /* 70 and has_max_forwards false where absent */
	bool has_max_forwards;
	struct slice blank_line;   /* the empty line's end */
	struct slice body;	   /* cut to Content-Length on datagrams (RFC 3261 §18.3) */
};

/* Why a message was refused. Below SIP_PARSE_UNANSWERABLE a 400 can be sent: Via, From, To, Call-ID
 * and CSeq are there and can be copied; of one that stands twice the first is (RFC 4475 §3.3.8).
 * Malformed responses are never answerable, and an ACK is never answered. */
enum sip_parse_result {
	SIP_PARSE_OK,
	SIP_PARSE_BAD_REQUEST,	      /* answerable with 400; *ret_why is for its reason */
	SIP_PARSE_BAD_VERSION,	      /* answerable with 505 */
	SIP_PARSE_UNANSWERABLE,	      /* drop and count */
	SIP_PARSE_NOT_SIP,	      /* keep-alives (CRLF, STUN), noise: drop and count */
};

/* Indexes one datagram. Leading CRLFs are skipped (RFC 3261 §7.5). *ret_msg is filled as far as
 * parsing got (for the 400); *ret_why is a static phrase such as "Missing Call-ID", or "OK". */
enum sip_parse_result sip_msg_parse(struct slice raw, struct sip_msg *ret_msg,
				    const char **ret_why);

/* The next header with the id after index (start with -1); -1 at the end. */
int sip_msg_next(const struct sip_msg *msg, enum sip_header_id id, int index);

/* The value of the first header with the id; empty if there is none. */
struct slice sip_msg_value(const struct sip_msg *msg, enum sip_header_id id);

/* The number in the CSeq as it stands there. */
struct slice sip_cseq_number(const struct sip_msg *msg);

/* Walks the comma-separated elements of a header value (commas inside quotes and <> do not count):
 * true and the next trimmed element, or false. Start with *position = 0. An element may be
 * empty: "a,,b" has three, "a," two. */
bool sip_list_next(struct slice value, size_t *position, struct slice *ret_element);

/* Walks the elements of all header fields with one id, in order. */
struct sip_walk {
	const struct sip_msg *msg;
	enum sip_header_id id;
	int header;
	size_t position;
};
#define SIP_WALK(m, i) ((struct sip_walk){.msg = (m), .id = (i), .header = (m)->first[i]})
bool sip_walk_next(struct sip_walk *walk, struct slice *ret_element);

/* The enum of a method token (case matters, RFC 3261 §7.1). */
enum sip_method sip_method_of(struct slice token);
enum sip_header_id sip_header_id_of(struct slice name);

#endif
