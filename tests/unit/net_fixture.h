/* SPDX-License-Identifier: BSD-2-Clause */
/* Nets and bare sockets that talk over the loopback interface, all by one event loop. */
#ifndef SIPWARD_TESTS_NET_FIXTURE_H
#define SIPWARD_TESTS_NET_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/net.h"

#define REQUEST "OPTIONS sip:a SIP/2.0\r\nl: 0\r\n\r\n"
#define ANSWER "SIP/2.0 200 OK\r\nl: 0\r\n\r\n"
#define PATIENCE_MS 5000

static struct event_base *base;

/* A net, and what its handler was told. */
struct side {
	struct net *net;
	struct endpoint at; /* of the first socket */
	unsigned received, batches, failed, misbehaved;
	struct net_path path; /* of the last packet or event */
	char last[NET_DATAGRAM_MAX + 1];
	size_t last_n;
	bool verified;
	char why[128];
	uint64_t asked_ns; /* of the last failure */
	const char *answer; /* sent for each packet; NULL = none */
	bool floods;	    /* until the connection has ended for it */
};

/* Port 0 too, which endpoint_parse refuses. */
static inline struct endpoint endpoint_of(const char *text)
{
	const char *colon = strrchr(text, ':');
	struct endpoint e = {.port = (uint16_t)atoi(colon + 1)};

	assert_int_equal(ip_parse((struct slice){text, (size_t)(colon - text)}, &e.ip), 0);
	return e;
}

static inline int say(struct side *side, const struct net_path *path, const char *text)
{
	/* In two pieces, as the proxy does. */
	size_t n = strlen(text);
	struct iovec iov[2] = {{(char *)(uintptr_t)text, n / 2},
			       {(char *)(uintptr_t)text + n / 2, n - n / 2}};

	return net_send(side->net, path, iov, 2);
}

static inline uint64_t counted(const struct side *side, enum net_counter counter)
{
	struct net_stats stats;

	net_stats(side->net, &stats);
	return stats.counters[counter];
}

static inline void on_receive(void *arg, const struct net_packet *packets, unsigned n)
{
	struct side *side = arg;

	side->received += n;
	side->batches++;
	side->path = packets[n - 1].path;
	side->verified = packets[n - 1].client_verified;
	side->last_n = packets[n - 1].bytes.n;
	memcpy(side->last, packets[n - 1].bytes.p, side->last_n);
	side->last[side->last_n] = '\0';
	for (unsigned i = 0; side->answer && i < n; i++)
		say(side, &packets[i].path, side->answer);
	while (side->floods && counted(side, NET_OVERFLOWED) == 0)
		say(side, &packets[0].path, side->answer);
}

static inline void on_failed(void *arg, const struct net_path *path, uint64_t asked_ns,
			     const char *why)
{
	struct side *side = arg;

	side->asked_ns = asked_ns;
	side->failed++;
	side->path = *path;
	snprintf(side->why, sizeof(side->why), "%s", why);
}

static inline void on_misbehaved(void *arg, const struct net_path *path, const char *why)
{
	struct side *side = arg;

	side->misbehaved++;
	side->path = *path;
	snprintf(side->why, sizeof(side->why), "%s", why);
}

static inline struct side *side_create(const struct net_limits *limits)
{
	struct side *side = calloc(1, sizeof(*side));

	if (!base)
		base = event_base_new();
	assert_int_equal(net_create(limits, &side->net), 0);
	return side;
}

/* False if the kernel does not have the family. */
static inline bool side_listen(struct side *side, enum net_transport transport, const char *at)
{
	struct net_handler handler = {on_receive, on_failed, on_misbehaved, side};
	struct endpoint e = endpoint_of(at);
	struct error err;
	int rc = net_listen(side->net, transport, &e, &err);

	if (rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL)
		return false;
	assert_int_equal(rc, 0);
	assert_int_equal(net_start(side->net, base, &handler), 0);
	side->at = *net_socket_address(side->net, 0);
	return true;
}

static inline void side_free(struct side *side)
{
	net_free(side->net);
	free(side);
}

static inline struct side *tcp_side(const struct net_limits *limits)
{
	struct side *side = side_create(limits);

	assert_true(side_listen(side, NET_TCP, "127.0.0.1:0"));
	return side;
}

static inline void run_ms(unsigned ms)
{
	struct timeval tv = {ms / 1000, (suseconds_t)(ms % 1000 * 1000)};

	event_base_loopexit(base, &tv);
	event_base_loop(base, 0);
}

/* Until the counter says so. */
static inline void wait_until(const unsigned *counter, unsigned value)
{
	uint64_t end_ns = clock_coarse_ns() + PATIENCE_MS * NS_PER_MS;

	while (*counter < value && clock_coarse_ns() < end_ns)
		run_ms(5);
	assert_int_equal(*counter, value);
}

static inline void wait_counted(const struct side *side, enum net_counter counter, uint64_t value)
{
	uint64_t end_ns = clock_coarse_ns() + PATIENCE_MS * NS_PER_MS;

	while (counted(side, counter) < value && clock_coarse_ns() < end_ns)
		run_ms(5);
	assert_int_equal(counted(side, counter), value);
}

static inline void assert_connections(const struct side *side, size_t incoming, size_t outgoing)
{
	struct net_stats stats;

	net_stats(side->net, &stats);
	assert_int_equal(stats.incoming, incoming);
	assert_int_equal(stats.outgoing, outgoing);
}

static inline struct net_path path_to(enum net_transport transport, const struct endpoint *remote)
{
	return (struct net_path){.transport = transport, .remote = *remote};
}

/* ---- bare sockets ---- */

/* A client of the side, from the given address of 127/8. */
static inline int bare_connect(const struct side *side, const char *from)
{
	struct endpoint source = endpoint_of(from);
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(&source, &sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
	len = endpoint_to_sockaddr(&side->at, &sa);
	assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
	return fd;
}

static inline void bare_send(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Waits for as many bytes, of which text is the rest of what has come; "" is the end. */
static inline void bare_expect(int fd, const char *text)
{
	uint64_t end_ns = clock_coarse_ns() + PATIENCE_MS * NS_PER_MS;
	char got[256] = "";
	size_t used = 0;
	ssize_t n = -1;

	assert_true(strlen(text) < sizeof(got));
	while (used < strlen(text) + 1 && n != 0 && clock_coarse_ns() < end_ns) {
		run_ms(5);
		n = recv(fd, got + used, strlen(text) + 1 - used, MSG_DONTWAIT);
		if (n > 0)
			used += (size_t)n;
		if (n < 0 && errno == ECONNRESET)
			n = 0;
		if (used == strlen(text) && used > 0)
			break;
	}
	got[used] = '\0';
	assert_string_equal(got, text);
	if (!text[0])
		assert_int_equal(n, 0);
}

#endif
