/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which socket of a group the kernel hands a datagram to: that of the worker whose call user space
 * says it is of, or, where steering finds no Call-ID, the one it would without steering. The kernel
 * has no BPF_PROG_RUN for this type of program, so real datagrams are sent. Skipped without root.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/siphash.h"
#include "filter/steering.h"
#include "sip/sip_msg.h"

#define WORKERS 5
#define SENDERS 12
#define GENERATED 10000
#define WAIT_MS 10000

static const uint8_t key[16] = "steering's tests";
static int workers[WORKERS], senders[SENDERS];
static int unsteered[SENDERS]; /* which worker the kernel chooses for what steering leaves to it */
static char text[65536];

/* ---- sockets ---- */

static int bound_socket(const struct sockaddr_in6 *address)
{
	static const int one = 1, room = 1 << 20;
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	assert_int_equal(bind(fd, (const struct sockaddr *)address, sizeof(*address)), 0);
	return fd;
}

/* The worker who gets it, once. */
static int handed_to(unsigned sender, struct slice datagram)
{
	struct pollfd polled[WORKERS];
	static char got[sizeof(text)];
	int worker = -1;

	assert_int_equal(send(senders[sender], datagram.p, datagram.n, 0), datagram.n);
	for (int i = 0; i < WORKERS; i++)
		polled[i] = (struct pollfd){workers[i], POLLIN, 0};
	assert_int_equal(poll(polled, WORKERS, WAIT_MS), 1);
	for (int i = 0; i < WORKERS; i++)
		if (polled[i].revents)
			worker = i;
	assert_int_equal(recv(workers[worker], got, sizeof(got), 0), datagram.n);
	return worker;
}

static int open_all(void **state)
{
	struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_in6 any = address;
	socklen_t n = sizeof(address);
	struct error err;

	(void)state;
	if (geteuid() != 0)
		return 0;
	if (unshare(CLONE_NEWNET) || system("ip link set lo up"))
		return -1;
	for (int i = 0; i < WORKERS; i++) {
		workers[i] = bound_socket(&address);
		getsockname(workers[i], (struct sockaddr *)&address, &n);
	}
	if (steering_attach(workers, WORKERS, key, &err)) {
		print_error("%s\n", err.text);
		return -1;
	}
	for (int i = 0; i < SENDERS; i++) {
		senders[i] = bound_socket(&any);
		connect(senders[i], (struct sockaddr *)&address, sizeof(address));
		unsteered[i] = handed_to(i, SLICE("\r\n\r\n"));
	}
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	for (int i = 0; i < WORKERS; i++)
		close(workers[i]);
	for (int i = 0; i < SENDERS; i++)
		close(senders[i]);
	return 0;
}

/* ---- what user space says ---- */

/* -1: it does not take it for a message. */
static int owner_of(struct slice datagram)
{
	struct slice call_id;
	struct sip_msg msg;
	const char *why;

	if (sip_msg_parse(datagram, &msg, &why) != SIP_PARSE_OK)
		return -1;
	call_id = sip_msg_value(&msg, SIP_CALL_ID);
	return (int)(siphash_64(key, call_id.p, call_id.n) % WORKERS);
}

/* One from whom the kernel would hand it to another worker than its owner. */
static unsigned sender_for(int owner, unsigned from)
{
	for (unsigned i = from; i < from + SENDERS; i++)
		if (unsteered[i % SENDERS] != owner)
			return i % SENDERS;
	fail_msg("all senders are the same to the kernel");
	return 0;
}

/* ---- a table of messages ---- */

#define BEGINNING \
	"OPTIONS sip:1@gate.example SIP/2.0\r\n" \
	"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
#define END "From: <sip:a@example>;tag=1\r\nTo: <sip:1@example>\r\nCSeq: 1 OPTIONS\r\n\r\n"

enum outcome { OWNER, LEFT, NO_MESSAGE }; /* NO_MESSAGE: left too */

static const struct row {
	const char *name, *call_id;
	enum outcome outcome;
} rows[] = {
	{"long form", "Call-ID: a1@192.0.2.1\r\n", OWNER},
	{"compact form", "i: a2@192.0.2.1\r\n", OWNER},
	{"upper case", "CALL-ID: a3@192.0.2.1\r\n", OWNER},
	{"lower case", "call-id: a4@192.0.2.1\r\n", OWNER},
	{"mixed case", "cALL-iD: a5@192.0.2.1\r\n", OWNER},
	{"compact form in upper case", "I: a6@192.0.2.1\r\n", OWNER},
	{"no space", "Call-ID:a7\r\n", OWNER},
	{"no space, compact", "i:a8\r\n", OWNER},
	{"much space", "Call-ID: \t  \t a9\r\n", OWNER},
	{"space behind it", "Call-ID: a10 \t \r\n", OWNER},
	{"line feeds alone", "Call-ID: a11\n", OWNER},
	{"bytes beyond ASCII", "Call-ID: \xc3\xa4\xff@x\r\n", OWNER},
	{"one byte", "Call-ID: x\r\n", OWNER},
	{"space before the colon", "Call-ID : b1\r\n", LEFT},
	{"the same, compact", "i\t: b2\r\n", LEFT},
	{"folded before the value", "Call-ID:\r\n b3\r\n", LEFT},
	{"folded by a tab", "Call-ID: \r\n\tb4\r\n", LEFT},
	{"folded by a line feed", "i:\n b5\r\n", LEFT},
	{"in a folded field of another name", "Subject: x\r\n i: b6\r\nCall-ID: b7\r\n", OWNER},
	{"a name that begins like it", "Call-IDs: b8\r\nCall-ID: b9\r\n", OWNER},
	{"a name that ends like it", "X-Call-ID: b10\r\nCall-ID: b11\r\n", OWNER},
	{"a name that begins with i", "ii: b12\r\nIn: x\r\ni: b13\r\n", OWNER},
	{"as the value of another", "X: Call-ID: b14\r\nCall-ID: b15\r\n", OWNER},
	{"none", "", NO_MESSAGE},
	{"an empty one", "Call-ID:\r\n", NO_MESSAGE},
	{"only space", "Call-ID: \t \r\n", NO_MESSAGE},
	{"none, but one in the body", "\r\nCall-ID: d1\r\n", NO_MESSAGE},
	{"a carriage return in the name", "Call\r-ID: d2\r\n", NO_MESSAGE},
	{"two", "Call-ID: d3\r\ni: d4\r\n", NO_MESSAGE},
	{"of two words", "Call-ID: d5 d6\r\n", NO_MESSAGE},
};

/* before, after: bytes of a header field in front of the Call-ID's, 7 at least, and of a body. */
static struct slice message_of(const char *call_id, int before, int after)
{
	size_t n = (size_t)sprintf(text, BEGINNING);

	n += (size_t)sprintf(text + n, "X: %0*d\r\n", before - 5, 7);
	n += (size_t)sprintf(text + n, "%s" END, call_id);
	memset(text + n, 'x', (size_t)after);
	return (struct slice){text, n + (size_t)after};
}

static void check(const char *name, struct slice message, enum outcome outcome)
{
	int owner = owner_of(message), got;
	unsigned sender = sender_for(owner, 0);

	assert_int_equal(owner < 0, outcome == NO_MESSAGE);
	got = handed_to(sender, message);
	if (outcome != NO_MESSAGE && got != (outcome == OWNER ? owner : unsteered[sender]))
		fail_msg("%s: to worker %d; its owner is %d, the kernel's own choice %d", name, got,
			 owner, unsteered[sender]);
}

static void each_form_of_call_id_is_found_or_left_to_the_kernel(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check(rows[i].name, message_of(rows[i].call_id, 7, 0), rows[i].outcome);
}

static void its_length_and_its_place_are_bounded(void **state)
{
	static const char short_one[] = "Call-ID: c1\r\n";
	char line[300];

	(void)state;
	if (geteuid() != 0)
		skip();
	for (int n = 1; n < 270; n++) {
		sprintf(line, "Call-ID: %0*d\r\n", n, n);
		check(line, message_of(line, 7, 0), n <= 128 ? OWNER : LEFT);
	}
	/* The byte behind it must be among those that are looked at. */
	for (int before = 800; before < 1200; before++) {
		size_t end = strlen(BEGINNING) + (size_t)before + strlen(short_one) - 2;

		check("at a place", message_of(short_one, before, 0), end < 1024 ? OWNER : LEFT);
	}
	check("in front of a large body", message_of(short_one, 7, 64000), OWNER);
	check("far behind", message_of(short_one, 40000, 0), LEFT);
}

static void every_beginning_of_a_message_arrives(void **state)
{
	struct slice whole;
	static char copy[1024];

	(void)state;
	if (geteuid() != 0)
		skip();
	whole = message_of(rows[0].call_id, 7, 0);
	memcpy(copy, whole.p, whole.n);
	for (size_t n = 0; n < whole.n; n++)
		handed_to(n % SENDERS, (struct slice){copy, n});
}

/* ---- generated ones ---- */

static uint64_t seed = 88172645463325252;

static unsigned below(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % n);
}

/* A valid message; true if its Call-ID is one that steering promises to find. */
static bool generate(struct slice *ret_message)
{
	static const char *const names[] = {"Call-ID:",	 "i:",	 "CALL-id: ",	 "I:\t",
					    "Call-ID: ", /* from here on not found */
					    "Call-ID : ", "i :", "call-id:\r\n ",
					    "Call-ID: \r\n\t "};
	static const char *const ends[] = {"\r\n", "\n", " \r\n", "\t\n"};
	unsigned fields = below(8), name = below(sizeof(names) / sizeof(names[0]));
	unsigned length = 1 + (below(4) ? below(60) : below(200));
	bool led = below(10) == 0; /* by an empty line (RFC 3261 §7.5) */
	size_t n = (size_t)sprintf(text, "%s" BEGINNING, led ? "\r\n" : ""), end;

	for (unsigned i = 0; i < fields; i++)
		n += (size_t)sprintf(text + n, "X-%u: %0*d\r\n", i, (int)below(300), 7);
	n += (size_t)sprintf(text + n, "%s", names[name]);
	for (unsigned i = 0; i < length; i++)
		text[n++] = (char)('!' + below('~' - '!'));
	end = n;
	n += (size_t)sprintf(text + n, "%s" END, ends[below(4)]);
	*ret_message = (struct slice){text, n};
	return !led && name < 5 && length <= 128 && end < 1024;
}

static void generated_messages_go_to_their_owner(void **state)
{
	unsigned found = 0;

	(void)state;
	if (geteuid() != 0)
		skip();
	for (unsigned i = 0; i < GENERATED; i++) {
		struct slice message;
		bool promised = generate(&message);
		int owner = owner_of(message), got;
		unsigned sender = sender_for(owner, i);

		assert_true(owner >= 0);
		got = handed_to(sender, message);
		if (got != (promised ? owner : unsteered[sender]))
			fail_msg("to worker %d of %d, promised %d:\n%.*s", got, owner, promised,
				 (int)message.n, message.p);
		found += promised;
	}
	assert_in_range(found, GENERATED / 4, GENERATED);
}

static void mutated_messages_and_noise_arrive_and_are_never_steered_wrongly(void **state)
{
	unsigned valid = 0;

	(void)state;
	if (geteuid() != 0)
		skip();
	for (unsigned i = 0; i < GENERATED; i++) {
		struct slice message;
		int owner, got;

		generate(&message);
		for (unsigned changes = 1 + below(4); changes; changes--)
			text[below((unsigned)message.n)] = (char)below(256);
		if (i % 10 == 0)
			for (size_t k = 0; k < message.n; k++)
				text[k] = (char)below(256);
		owner = owner_of(message);
		got = handed_to(i % SENDERS, message);
		valid += owner >= 0;
		if (owner >= 0 && got != owner && got != unsteered[i % SENDERS])
			fail_msg("to worker %d, its owner is %d:\n%.*s", got, owner, (int)message.n,
				 message.p);
	}
	assert_in_range(valid, GENERATED / 10, GENERATED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_form_of_call_id_is_found_or_left_to_the_kernel),
		cmocka_unit_test(its_length_and_its_place_are_bounded),
		cmocka_unit_test(every_beginning_of_a_message_arrives),
		cmocka_unit_test(generated_messages_go_to_their_owner),
		cmocka_unit_test(mutated_messages_and_noise_arrive_and_are_never_steered_wrongly),
	};

	return cmocka_run_group_tests(tests, open_all, close_all);
}
