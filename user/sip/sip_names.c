/* SPDX-License-Identifier: BSD-2-Clause */
/* The names this project knows: methods, header fields, reason phrases. */
#include "sip/sip_msg.h"
#include "sip/sip_reply.h"

static const char *const methods[] = {
	[SIP_INVITE] = "INVITE",   [SIP_ACK] = "ACK",
	[SIP_BYE] = "BYE",	   [SIP_CANCEL] = "CANCEL",
	[SIP_OPTIONS] = "OPTIONS", [SIP_REGISTER] = "REGISTER",
	[SIP_PRACK] = "PRACK",	   [SIP_SUBSCRIBE] = "SUBSCRIBE",
	[SIP_NOTIFY] = "NOTIFY",   [SIP_PUBLISH] = "PUBLISH",
	[SIP_INFO] = "INFO",	   [SIP_REFER] = "REFER",
	[SIP_MESSAGE] = "MESSAGE", [SIP_UPDATE] = "UPDATE",
};

enum sip_method sip_method_of(struct slice token)
{
	for (unsigned i = SIP_INVITE; i <= SIP_UPDATE; i++) {
		if (slice_eq(token, slice_from(methods[i])))
			return (enum sip_method)i;
	}
	return SIP_UNKNOWN_METHOD;
}

/* A perfect hash of length, first and last letter (lower case). Two names in one slot are an error
 * of the compiler (initialiser overridden). */
#define SLOT(length, first, last) (((length)*1 + (first)*1 + (last)*10) & 127)
#define NAME(first, last, text, header_id)                                                         \
	[SLOT(sizeof(text) - 1, first, last)] = {.name = {text, sizeof(text) - 1},                 \
						 .id = (header_id)}

static const struct {
	struct slice name;
	enum sip_header_id id;
} header_slots[128] = {
	NAME('v', 'a', "via", SIP_VIA),
	NAME('v', 'v', "v", SIP_VIA),
	NAME('f', 'm', "from", SIP_FROM),
	NAME('f', 'f', "f", SIP_FROM),
	NAME('t', 'o', "to", SIP_TO),
	NAME('t', 't', "t", SIP_TO),
	NAME('c', 'd', "call-id", SIP_CALL_ID),
	NAME('i', 'i', "i", SIP_CALL_ID),
	NAME('c', 'q', "cseq", SIP_CSEQ),
	NAME('m', 's', "max-forwards", SIP_MAX_FORWARDS),
	NAME('r', 'e', "route", SIP_ROUTE),
	NAME('r', 'e', "record-route", SIP_RECORD_ROUTE),
	NAME('c', 't', "contact", SIP_CONTACT),
	NAME('m', 'm', "m", SIP_CONTACT),
	NAME('a', 'n', "authorization", SIP_AUTHORIZATION),
	NAME('p', 'n', "proxy-authorization", SIP_PROXY_AUTHORIZATION),
	NAME('w', 'e', "www-authenticate", SIP_WWW_AUTHENTICATE),
	NAME('p', 'e', "proxy-authenticate", SIP_PROXY_AUTHENTICATE),
	NAME('c', 'h', "content-length", SIP_CONTENT_LENGTH),
	NAME('l', 'l', "l", SIP_CONTENT_LENGTH),
	NAME('c', 'e', "content-type", SIP_CONTENT_TYPE),
	NAME('c', 'c', "c", SIP_CONTENT_TYPE),
	NAME('e', 's', "expires", SIP_EXPIRES),
	NAME('r', 'e', "require", SIP_REQUIRE),
	NAME('p', 'e', "proxy-require", SIP_PROXY_REQUIRE),
	NAME('s', 'd', "supported", SIP_SUPPORTED),
	NAME('k', 'k', "k", SIP_SUPPORTED),
	NAME('p', 'y', "p-asserted-identity", SIP_P_ASSERTED_IDENTITY),
	NAME('p', 'y', "privacy", SIP_PRIVACY),
	NAME('r', 'r', "retry-after", SIP_RETRY_AFTER),
	NAME('r', 'k', "rack", SIP_RACK),
};

static unsigned lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (unsigned)(c - 'A' + 'a') : (unsigned char)c;
}

enum sip_header_id sip_header_id_of(struct slice name)
{
	unsigned slot;

	if (name.n == 0)
		return SIP_OTHER_HEADER;
	slot = SLOT((unsigned)name.n, lower(name.p[0]), lower(name.p[name.n - 1]));
	if (!slice_eq_nocase(name, header_slots[slot].name))
		return SIP_OTHER_HEADER;
	return header_slots[slot].id;
}

static const struct {
	unsigned status;
	const char *phrase;
} phrases[] = {
	{100, "Trying"},
	{180, "Ringing"},
	{181, "Call Is Being Forwarded"},
	{182, "Queued"},
	{183, "Session Progress"},
	{200, "OK"},
	{202, "Accepted"},
	{204, "No Notification"},
	{300, "Multiple Choices"},
	{301, "Moved Permanently"},
	{302, "Moved Temporarily"},
	{305, "Use Proxy"},
	{380, "Alternative Service"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{402, "Payment Required"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{406, "Not Acceptable"},
	{407, "Proxy Authentication Required"},
	{408, "Request Timeout"},
	{410, "Gone"},
	{413, "Request Entity Too Large"},
	{414, "Request-URI Too Long"},
	{415, "Unsupported Media Type"},
	{416, "Unsupported URI Scheme"},
	{420, "Bad Extension"},
	{421, "Extension Required"},
	{422, "Session Interval Too Small"},
	{423, "Interval Too Brief"},
	{429, "Provide Referrer Identity"},
	{430, "Flow Failed"},
	{433, "Anonymity Disallowed"},
	{480, "Temporarily Unavailable"},
	{481, "Call/Transaction Does Not Exist"},
	{482, "Loop Detected"},
	{483, "Too Many Hops"},
	{484, "Address Incomplete"},
	{485, "Ambiguous"},
	{486, "Busy Here"},
	{487, "Request Terminated"},
	{488, "Not Acceptable Here"},
	{489, "Bad Event"},
	{491, "Request Pending"},
	{493, "Undecipherable"},
	{500, "Server Internal Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Server Time-out"},
	{505, "Version Not Supported"},
	{513, "Message Too Large"},
	{600, "Busy Everywhere"},
	{603, "Decline"},
	{604, "Does Not Exist Anywhere"},
	{606, "Not Acceptable"},
	{607, "Unwanted"},
	{608, "Rejected"},
};

const char *sip_reason_phrase(unsigned status)
{
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++) {
		if (phrases[i].status == status)
			return phrases[i].phrase;
	}
	return "Unknown";
}
