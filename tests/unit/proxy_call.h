/* SPDX-License-Identifier: BSD-2-Clause */
/* The messages of one call between CUSTOMER and PBX. */
#ifndef SIPWARD_TESTS_PROXY_CALL_H
#define SIPWARD_TESTS_PROXY_CALL_H

#include "proxy_fixture.h"

#define INVITE_OF(via, extra)                                                                      \
	"INVITE sip:100@gate.example SIP/2.0\n"                                                    \
	"Via: SIP/2.0/UDP " via "\n" extra "From: <sip:a@b>;tag=f1\n"                              \
	"To: <sip:100@gate.example>\n"                                                             \
	"Call-ID: c1\n"                                                                            \
	"CSeq: 7 INVITE\n"                                                                         \
	"Contact: <sip:a@198.51.100.7:5062>\n"                                                     \
	"Max-Forwards: 70\n"                                                                       \
	"Content-Length: 5\n\nv=0\n\n"
#define VIA "198.51.100.7:5062;branch=z9hG4bKabc"
#define INVITE INVITE_OF(VIA, "")

__attribute__((unused)) static const char cancel[] =
    "CANCEL sip:100@gate.example SIP/2.0\n"
    "Via: SIP/2.0/UDP " VIA "\n"
    "From: <sip:a@b>;tag=f1\nTo: <sip:100@gate.example>\nCall-ID: c1\n"
    "CSeq: 7 CANCEL\nMax-Forwards: 70\nContent-Length: 0\n\n";
__attribute__((unused)) static const char ack_of_failure[] =
    "ACK sip:100@gate.example SIP/2.0\n"
    "Via: SIP/2.0/UDP " VIA "\n"
    "From: <sip:a@b>;tag=f1\nTo: <sip:100@gate.example>;tag=t1\nCall-ID: c1\n"
    "CSeq: 7 ACK\nMax-Forwards: 70\nContent-Length: 0\n\n";

/* The response of the PBX to a request it got. */
static inline const char *answer(const char *request, const char *status, const char *method)
{
	static char text[4096];
	char vias[1024], routes[1024];

	lines_of(request, "Via:", vias, sizeof(vias));
	lines_of(request, "Record-Route:", routes, sizeof(routes));
	snprintf(text, sizeof(text),
		 "SIP/2.0 %s\n%s%sFrom: <sip:a@b>;tag=f1\nTo: <sip:100@gate.example>;tag=t1\n"
		 "Call-ID: c1\nCSeq: 7 %s\nContact: <sip:pbx@10.0.0.5>\nContent-Length: 0\n\n",
		 status, vias, routes, method);
	return text;
}

/* Route fields from the Record-Route of a message, as its receiver (false) or its sender has them.
 */
static inline void routes_of(const char *text, bool reversed, char out[1024])
{
	char records[1024], first[256] = "", second[256] = "";

	lines_of(text, "Record-Route:", records, sizeof(records));
	sscanf(records, "Record-Route: %255s\nRecord-Route: %255s", first, second);
	snprintf(out, 1024, "Route: %s\nRoute: %s\n", reversed ? second : first,
		 reversed ? first : second);
}

static inline void in_dialog(char out[4096], const char *method, const char *uri,
			     const char *routes, bool from_caller)
{
	const char *caller = "<sip:a@b>;tag=f1", *callee = "<sip:100@gate.example>;tag=t1";

	snprintf(out, 4096,
		 "%s %s SIP/2.0\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s\n%sFrom: %s\nTo: %s\n"
		 "Call-ID: c1\nCSeq: 8 %s\nMax-Forwards: 70\nContent-Length: 0\n\n",
		 method, uri, from_caller ? "198.51.100.7:5062" : "10.0.0.5", method, routes,
		 from_caller ? caller : callee, from_caller ? callee : caller, method);
}

/* The PBX's 200 to a CANCEL, whose only Via is ours. */
static inline void cancel_is_answered(struct world *w, const char *invite)
{
	char text[4096], via[256];

	lines_of(invite, "Via: SIP/2.0/UDP 10.0.0.1", via, sizeof(via));
	snprintf(text, sizeof(text),
		 "SIP/2.0 200 OK\n%sFrom: <sip:a@b>;tag=f1\nTo: <sip:100@gate.example>;tag=t1\n"
		 "Call-ID: c1\nCSeq: 7 CANCEL\nContent-Length: 0\n\n",
		 via);
	hear(w, PBX, text);
	assert_int_equal(w->sent_count, 0);
	assert_int_equal(counted(w, PROXY_RESPONSE_UNVERIFIED), 0);
}

/* Sends the INVITE; the text that the PBX got. */
static inline const char *call_begins(struct world *w)
{
	static char text[4096];

	hear(w, CUSTOMER, INVITE);
	assert_int_equal(w->sent_count, 2);
	sent_to(w, 1, CUSTOMER, "SIP/2.0 100 ");
	strcpy(text, sent_to(w, 0, PBX, "INVITE "));
	return text;
}

/* Routes of an established call, as its caller has them. */
static inline void established(struct world *w, char routes[1024])
{
	hear(w, PBX, answer(call_begins(w), "200 OK", "INVITE"));
	routes_of(sent_to(w, 0, CUSTOMER, "SIP/2.0 200 "), true, routes);
}

static inline void caller_says(struct world *w, const char *method, const char *routes)
{
	char message[4096];

	in_dialog(message, method, "sip:pbx@10.0.0.5", routes, true);
	hear(w, CUSTOMER, message);
}

#endif
