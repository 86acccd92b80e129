/* SPDX-License-Identifier: BSD-2-Clause */
/* What the SIP side costs a message, against osip2 in the same run. */
#include <osipparser2/osip_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "sip/sip_edit.h"
#include "sip/sip_grammar.h"
#include "sip/sip_reply.h"

#define CALLS 20000
#define RUNS 9

static const char invite[] =
	"INVITE sip:+12345678900@trunk.example.net SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-524287-1---8f0a3c7d11e2b945;rport\r\n"
	"Max-Forwards: 70\r\n"
	"From: \"Alice\" <sip:alice@trunk.example.net>;tag=a6c85cf1\r\n"
	"To: <sip:+12345678900@trunk.example.net>\r\n"
	"Call-ID: f81d4fae-7dec-11d0-a765-00a0c91e6bf6@192.0.2.10\r\n"
	"CSeq: 1 INVITE\r\n"
	"Contact: <sip:alice@192.0.2.10:5060>\r\n"
	"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE\r\n"
	"Supported: timer, 100rel\r\n"
	"P-Asserted-Identity: <sip:+12345678901@trunk.example.net>\r\n"
	"User-Agent: bench/1.0.0 ok\r\n"
	"Content-Type: application/sdp\r\n"
	"Content-Length: 209\r\n"
	"\r\n"
	"v=0\r\n"
	"o=alice 2890844526 2890844526 IN IP4 192.0.2.10\r\n"
	"s=-\r\n"
	"c=IN IP4 192.0.2.10\r\n"
	"t=0 0\r\n"
	"m=audio 49172 RTP/AVP 0 8 101\r\n"
	"a=rtpmap:0 PCMU/8000\r\n"
	"a=rtpmap:8 PCMA/8000\r\n"
	"a=rtpmap:101 telephone-event/8000\r\n"
	"a=ptime:20\r\n";

static const struct slice raw = {invite, sizeof(invite) - 1};
static struct sip_msg msg;

static void die(const char *what)
{
	fprintf(stderr, "bench_sip: %s failed\n", what);
	exit(1);
}

static void parse(void)
{
	const char *why;

	if (sip_msg_parse(raw, &msg, &why) != SIP_PARSE_OK)
		die(why);
}

static void parse_osip(void)
{
	osip_message_t *message;

	if (osip_message_init(&message) != 0 || osip_message_parse(message, raw.p, raw.n) != 0)
		die("osip_message_parse");
	osip_message_free(message);
}

static void forward(void)
{
	static struct sip_edit edit;
	struct iovec iov[16];
	unsigned n;

	parse();
	sip_edit_begin(&edit, &msg);
	sip_edit_insert(&edit, 0, "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK%s\r\n",
			"0123456789ab");
	sip_edit_replace(&edit, sip_msg_value(&msg, SIP_MAX_FORWARDS), "%u", msg.max_forwards - 1);
	if (sip_edit_iovec(&edit, iov, 16, &n) != 0)
		die("sip_edit_iovec");
}

static void reply(void)
{
	struct sip_reply what = {.status = 407, .to_tag = SLICE("0123456789abcdef")};
	char buf[2048];
	size_t n;

	what.source = (struct endpoint){{4, {192, 0, 2, 10}}, 5060};
	if (sip_reply_write(&msg, &what, buf, sizeof(buf), &n) != 0)
		die("sip_reply_write");
}

static void parse_uri(void)
{
	struct sip_uri uri;

	if (sip_uri_parse(msg.uri, &uri) != 0)
		die("sip_uri_parse");
	sip_uri_free(&uri);
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The best of several runs: what is above it is the machine's noise. */
static double measure(void (*call)(void))
{
	double best = 1e18;

	for (int run = 0; run < RUNS; run++) {
		double began = now_ns(), took;

		for (int i = 0; i < CALLS; i++)
			call();
		took = (now_ns() - began) / CALLS;
		if (took < best)
			best = took;
	}
	return best;
}

int main(void)
{
	double ours, osip;

	parser_init();
	ours = measure(parse);
	osip = measure(parse_osip);
	printf("sip_msg_parse, %zu-byte INVITE\t%.0f\tns\t-\t-\n", raw.n, ours);
	printf("osip_message_parse, the same\t%.0f\tns\t-\t-\n", osip);
	printf("osip2 takes as often as long\t%.1f\ttimes\t>= 4\t%s\n", osip / ours,
	       osip >= 4 * ours ? "ok" : "MISSED");
	printf("sip_msg_parse + Via, Max-Forwards, iovec\t%.0f\tns\t-\t-\n", measure(forward));
	printf("sip_reply_write, 407\t%.0f\tns\t-\t-\n", measure(reply));
	printf("sip_uri_parse of the Request-URI\t%.0f\tns\t-\t-\n", measure(parse_uri));
	return 0;
}
