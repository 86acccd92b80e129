/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sipcalls answer LOCAL
 * sipcalls call LOCAL GATE USER PASSWORD CALLS AT_ONCE [RATE|held]
 *
 * A caller that costs little, for measuring what stands between it and who answers. Each call is
 * INVITE, 407, ACK, INVITE with digest, 100, 180, 200, ACK, BYE, 200; as many as AT_ONCE are on
 * their way at a time, the next begins when one has ended, RATE a second at most. CALLS is their
 * number, or for how long: "5s", after which those on their way no longer count. With "held" none
 * ends before all are up, which "held N" tells, and then all do, at the signal USR1. Addresses
 * are ADDRESS:PORT. Prints what failed and was sent again; exits with 1 if a call failed.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "digest/digest.h"
#include "sip/sip_msg.h"
#include "now.h"

#define BATCH 64
#define MESSAGE_MAX 2048
#define AGAIN_NS (500 * NS_PER_MS) /* RFC 3261 T1 */
#define TRIES_MAX 20
#define SDP "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" \
	    "m=audio 6000 RTP/AVP 0\r\n"

static void die(const char *what)
{
	fprintf(stderr, "sipcalls: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- datagrams, many at a time ---- */

struct batch {
	struct mmsghdr messages[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_storage names[BATCH];
	char text[BATCH][MESSAGE_MAX];
	unsigned n;
};
static struct batch in, out;
static int fd;

static void flush(void)
{
	for (unsigned done = 0; done < out.n;) {
		int n = sendmmsg(fd, out.messages + done, out.n - done, 0);

		if (n > 0)
			done += (unsigned)n;
		else if (errno != EINTR && errno != ECONNREFUSED)
			die("send");
	}
	out.n = 0;
}

/* Where the next message is to be written; queue sends it, to the name if there is one. */
static char *room(void)
{
	if (out.n == BATCH)
		flush();
	return out.text[out.n];
}

static void queue(int length, const struct sockaddr_storage *name)
{
	struct msghdr *header = &out.messages[out.n].msg_hdr;

	if (length < 0 || length >= MESSAGE_MAX)
		die("message too long");
	out.iov[out.n] = (struct iovec){out.text[out.n], (size_t)length};
	*header = (struct msghdr){.msg_iov = &out.iov[out.n], .msg_iovlen = 1};
	if (name) {
		out.names[out.n] = *name;
		header->msg_name = &out.names[out.n];
		header->msg_namelen = sizeof(struct sockaddr_in);
	}
	out.n++;
}

static unsigned receive(int timeout_ms)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	int n;

	if (poll(&readable, 1, timeout_ms) <= 0)
		return 0;
	for (unsigned i = 0; i < BATCH; i++) {
		in.iov[i] = (struct iovec){in.text[i], MESSAGE_MAX};
		in.messages[i].msg_hdr = (struct msghdr){.msg_iov = &in.iov[i],
							 .msg_iovlen = 1,
							 .msg_name = &in.names[i],
							 .msg_namelen = sizeof(in.names[i])};
	}
	n = recvmmsg(fd, in.messages, BATCH, MSG_DONTWAIT, NULL);
	return n > 0 ? (unsigned)n : 0;
}

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage sa;
	struct endpoint endpoint;

	if (endpoint_parse(slice_from(text), 5060, &endpoint))
		die(text);
	endpoint_to_sockaddr(&endpoint, &sa);
	return sa;
}

static void open_at(const char *local)
{
	const struct sockaddr_storage sa = address(local);
	const int bytes = 8 << 20;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&sa, sizeof(struct sockaddr_in)))
		die(local);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
}

static bool parse(unsigned i, struct sip_msg *msg)
{
	const char *why;

	return sip_msg_parse((struct slice){in.text[i], in.messages[i].msg_len}, msg, &why) ==
	       SIP_PARSE_OK;
}

/* Copies the fields with the id, as they are or under another name. */
static int put_fields(char *text, const struct sip_msg *msg, enum sip_header_id id,
		      const char *name)
{
	int n = 0;

	for (int i = msg->first[id]; i >= 0; i = sip_msg_next(msg, id, i))
		n += sprintf(text + n, "%s: %.*s\r\n", name, (int)msg->headers[i].value.n,
			     msg->headers[i].value.p);
	return n;
}

/* ---- who answers ---- */

static void respond(const struct sip_msg *request, const char *status, const char *local,
		    const struct sockaddr_storage *to)
{
	char *text = room();
	int n = sprintf(text, "SIP/2.0 %s\r\n", status);

	n += put_fields(text + n, request, SIP_VIA, "Via");
	n += put_fields(text + n, request, SIP_RECORD_ROUTE, "Record-Route");
	n += put_fields(text + n, request, SIP_FROM, "From");
	n += sprintf(text + n, "To: %.*s%s\r\n", (int)sip_msg_value(request, SIP_TO).n,
		     sip_msg_value(request, SIP_TO).p, request->to.tag.n ? "" : ";tag=pbx");
	n += put_fields(text + n, request, SIP_CALL_ID, "Call-ID");
	n += put_fields(text + n, request, SIP_CSEQ, "CSeq");
	n += sprintf(text + n, "Contact: <sip:pbx@%s>\r\nContent-Length: 0\r\n\r\n", local);
	queue(n, to);
}

static void answer_calls(const char *local)
{
	static struct sip_msg msg;

	for (;;) {
		unsigned n = receive(-1);

		for (unsigned i = 0; i < n; i++) {
			if (!parse(i, &msg) || !msg.is_request || msg.method == SIP_ACK)
				continue;
			if (msg.method == SIP_INVITE)
				respond(&msg, "180 Ringing", local, &in.names[i]);
			respond(&msg, "200 OK", local, &in.names[i]);
		}
		flush();
	}
}

/* ---- who calls ---- */

enum state { ENDED, ASKING, CALLING, UP, ENDING };
struct call {
	enum state state;
	unsigned number, tries;
	uint64_t said_ns;
	char credentials[600], routes[600], contact[100];
};

static struct calls {
	const char *local, *user, *password;
	unsigned wanted, at_once, begun, busy, up, ended, failed, again;
	unsigned rate;	  /* 0: as fast as it goes */
	uint64_t last_ns; /* how long after the first; 0: until all have ended */
	bool held;
	struct call *list;
	unsigned size;
	struct digest_context *digest;
} calls;
static volatile sig_atomic_t let_go;

static void on_signal(int number)
{
	(void)number;
	let_go = 1;
}

static void say(struct call *call, const char *method, unsigned cseq)
{
	bool invite = strcmp(method, "INVITE") == 0, in_dialog = call->contact[0];
	char *text = room();

	queue(snprintf(text, MESSAGE_MAX,
		       "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bK-%u-%u-%s\r\n%s"
		       "From: <sip:%s@gate.example>;tag=caller-%u\r\n"
		       "To: <sip:100@gate.example>%s\r\nCall-ID: %u-%d@%s\r\nCSeq: %u %s\r\n"
		       "Contact: <sip:%s@%s>\r\n%sMax-Forwards: 70\r\n%s"
		       "Content-Length: %zu\r\n\r\n%s",
		       method, in_dialog ? call->contact : "sip:100@gate.example", calls.local,
		       call->number, cseq, in_dialog ? method : "", in_dialog ? call->routes : "",
		       calls.user, call->number, in_dialog ? ";tag=pbx" : "", call->number,
		       (int)getpid(), calls.local, cseq, method, calls.user, calls.local,
		       invite ? call->credentials : "",
		       invite ? "Content-Type: application/sdp\r\n" : "",
		       invite ? sizeof(SDP) - 1 : 0, invite ? SDP : ""),
	      NULL);
	call->said_ns = now_ns();
}

static void take(struct call *call, enum state state)
{
	calls.up += (state == UP) - (call->state == UP);
	calls.busy -= call->state != ENDED && call->state != UP;
	calls.busy += state != ENDED && state != UP;
	call->state = state;
	call->tries = 1;
}

/* The number says where it stands in the list. */
static void begin(struct call *call)
{
	unsigned slot = (unsigned)(call - calls.list);

	*call = (struct call){.number = call->tries ? call->number + calls.size : slot};
	calls.begun++;
	take(call, ASKING);
	say(call, "INVITE", 1);
}

static void end(struct call *call)
{
	take(call, ENDING);
	say(call, "BYE", 3);
}

/* Answers the challenge; false if there is none that it could. */
static bool authenticate(struct call *call, const struct sip_msg *msg)
{
	struct sip_challenges challenges = {0};
	uint8_t ha1[DIGEST_HASH_MAX];
	char hex[DIGEST_HEX_SIZE];
	struct digest_input input = {.ha1 = ha1,
				     .nc = SLICE("00000001"),
				     .cnonce = SLICE("6b8b4567"),
				     .qop = DIGEST_QOP_AUTH,
				     .method = SLICE("INVITE"),
				     .uri = SLICE("sip:100@gate.example")};
	bool done = false;

	if (sip_challenges_parse(sip_msg_value(msg, SIP_PROXY_AUTHENTICATE), &challenges) == 0) {
		const struct sip_challenge *first = &challenges.list[0];

		input.nonce = first->nonce;
		done = digest_ha1(calls.digest, DIGEST_MD5, slice_from(calls.user), first->realm,
				  slice_from(calls.password), ha1) == 0 &&
		       digest_response(calls.digest, &input, hex) == 0;
		snprintf(call->credentials, sizeof(call->credentials),
			 "Proxy-Authorization: Digest username=\"%s\",realm=\"%.*s\","
			 "cnonce=\"6b8b4567\",nc=00000001,qop=auth,uri=\"sip:100@gate.example\","
			 "nonce=\"%.*s\",response=\"%s\",algorithm=MD5\r\n",
			 calls.user, (int)first->realm.n, first->realm.p, (int)first->nonce.n,
			 first->nonce.p, hex);
	}
	sip_challenges_free(&challenges);
	return done;
}

/* In the order of the route set (RFC 3261 §12.1.2). */
static void note_dialog(struct call *call, const struct sip_msg *msg)
{
	struct sip_walk walk = SIP_WALK(msg, SIP_RECORD_ROUTE);
	struct slice element, contact = sip_element_uri(sip_msg_value(msg, SIP_CONTACT));

	call->routes[0] = '\0';
	while (sip_walk_next(&walk, &element)) {
		char line[300];
		int n = snprintf(line, sizeof(line), "Route: %.*s\r\n", (int)element.n, element.p);
		size_t rest = strlen(call->routes) + 1;

		if ((size_t)n >= sizeof(line) || (size_t)n + rest > sizeof(call->routes))
			die("route too long");
		memmove(call->routes + n, call->routes, rest);
		memcpy(call->routes, line, (size_t)n);
	}
	snprintf(call->contact, sizeof(call->contact), "%.*s", (int)contact.n, contact.p);
}

static void fail(struct call *call, const char *why)
{
	if (calls.failed++ < 5)
		fprintf(stderr, "call %u failed: %s\n", call->number, why);
	take(call, ENDED);
	calls.ended++;
}

static void answered(struct call *call, const struct sip_msg *msg)
{
	char status[32];

	if (msg->status < 200)
		return;
	if (call->state == ASKING && msg->status == 407 && msg->cseq == 1) {
		say(call, "ACK", 1);
		if (!authenticate(call, msg))
			die("no challenge");
		take(call, CALLING);
		say(call, "INVITE", 2);
	} else if (msg->method == SIP_INVITE && msg->cseq == 2 && msg->status < 300) {
		if (call->state != CALLING && call->state != UP)
			return;
		note_dialog(call, msg);
		say(call, "ACK", 2);
		take(call, UP);
		if (!calls.held)
			end(call);
	} else if (call->state == ENDING && msg->method == SIP_BYE && msg->status < 300) {
		take(call, ENDED);
		calls.ended++;
	} else if (msg->cseq != 1 && msg->status >= 300) {
		snprintf(status, sizeof(status), "status %u", msg->status);
		fail(call, status);
	}
}

static void hear(unsigned i)
{
	static struct sip_msg msg;
	struct slice rest;
	uint32_t number;
	struct call *call;

	if (!parse(i, &msg) || msg.is_request ||
	    slice_u32(slice_cut(sip_msg_value(&msg, SIP_CALL_ID), '-', &rest), &number))
		return;
	call = &calls.list[number % calls.size];
	if (call->number == number && call->state != ENDED)
		answered(call, &msg);
}

static void say_again(struct call *call)
{
	calls.again++;
	if (call->state == ENDING)
		say(call, "BYE", 3);
	else
		say(call, "INVITE", call->state == ASKING ? 1 : 2);
}

static void look_after(uint64_t now)
{
	static uint64_t looked_ns;

	if (now < looked_ns + AGAIN_NS / 5)
		return;
	looked_ns = now;
	for (unsigned i = 0; i < calls.size; i++) {
		struct call *call = &calls.list[i];

		if (call->state == ENDED || call->state == UP || now < call->said_ns + AGAIN_NS)
			continue;
		if (call->tries++ == TRIES_MAX)
			fail(call, "no answer");
		else
			say_again(call);
	}
}

static bool is_time(uint64_t since_ns)
{
	return !calls.rate || calls.begun < since_ns * calls.rate / NS_PER_S;
}

/* As many as there is room for. */
static void go_on(uint64_t since_ns)
{
	static unsigned next;

	if (calls.held && calls.up + calls.failed == calls.wanted && !let_go) {
		printf("held %u\n", calls.up);
		fflush(stdout);
		while (!let_go)
			pause();
	}
	for (unsigned seen = 0; seen < calls.size && calls.busy < calls.at_once; seen++) {
		struct call *call = &calls.list[next++ % calls.size];

		if (call->state == ENDED && calls.begun < calls.wanted && is_time(since_ns))
			begin(call);
		else if (call->state == UP && let_go)
			end(call);
	}
}

static int call_all(void)
{
	const uint64_t began = now_ns();
	uint64_t passed = 0;

	while (calls.ended < calls.wanted && (!calls.last_ns || passed < calls.last_ns)) {
		unsigned n;

		go_on(passed);
		flush();
		n = receive(calls.rate || calls.last_ns ? 1 : 100);
		for (unsigned i = 0; i < n; i++)
			hear(i);
		look_after(now_ns());
		passed = now_ns() - began;
	}
	printf("%u calls, %u failed, %u sent again, %.0f a second\n", calls.ended, calls.failed,
	       calls.again, (calls.ended - calls.failed) / ((double)passed / NS_PER_S));
	return calls.failed != 0;
}

/* A number of calls, or "5s". */
static void read_wanted(const char *text)
{
	char *unit;
	unsigned long n = strtoul(text, &unit, 10);

	calls.wanted = *unit == 's' ? UINT_MAX : (unsigned)n;
	calls.last_ns = *unit == 's' ? n * NS_PER_S : 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_storage gate;

	if (argc == 3 && strcmp(argv[1], "answer") == 0) {
		open_at(argv[2]);
		answer_calls(argv[2]);
	}
	if (argc < 8 || argc > 9 || strcmp(argv[1], "call") != 0) {
		fprintf(stderr, "usage: sipcalls answer LOCAL\n"
				"       sipcalls call LOCAL GATE USER PASSWORD CALLS AT_ONCE "
				"[RATE|held]\n");
		return 2;
	}
	calls.local = argv[2];
	calls.user = argv[4];
	calls.password = argv[5];
	read_wanted(argv[6]);
	calls.at_once = (unsigned)strtoul(argv[7], NULL, 10);
	calls.held = argc == 9 && strcmp(argv[8], "held") == 0;
	calls.rate = argc == 9 ? (unsigned)strtoul(argv[8], NULL, 10) : 0;
	calls.size = calls.held ? calls.wanted : calls.at_once;
	calls.list = calloc(calls.size, sizeof(*calls.list));
	signal(SIGUSR1, on_signal);
	if (!calls.list || digest_context_create(&calls.digest))
		die("memory");
	open_at(calls.local);
	gate = address(argv[3]);
	if (connect(fd, (struct sockaddr *)&gate, sizeof(struct sockaddr_in)))
		die(argv[3]);
	return call_all();
}
