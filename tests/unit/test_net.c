/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams through real sockets on the loopback interface. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/net.h"

static struct endpoint endpoint(const char *ip, uint16_t port)
{
	struct endpoint e = {.port = port};

	assert_int_equal(ip_parse(slice_from(ip), &e.ip), 0);
	return e;
}

/* A net with a loop of its own, and what its handler was given last. */
struct peer {
	struct net *net;
	struct event_base *base;
	struct endpoint at;
	struct net_packet packets[4 * NET_BATCH];
	char bytes[NET_DATAGRAM_MAX + 4096];
	size_t used;
	int n;
};

static void on_receive(void *arg, const struct net_packet *packets, unsigned n)
{
	struct peer *peer = arg;

	for (unsigned i = 0; i < n; i++) {
		struct net_packet *kept = &peer->packets[peer->n++];
		char *copy = peer->bytes + peer->used;

		assert_true(peer->n <= 4 * NET_BATCH);
		*kept = packets[i];
		memcpy(copy, packets[i].bytes.p, packets[i].bytes.n);
		kept->bytes.p = copy;
		peer->used += packets[i].bytes.n;
	}
}

static void peer_free(struct peer *peer)
{
	if (!peer)
		return;
	net_free(peer->net);
	event_base_free(peer->base);
	free(peer);
}

/* NULL: the family is missing. */
static struct peer *peer_new(const char *ip)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	struct net_handler handler = {.receive = on_receive, .arg = peer};
	struct endpoint e = endpoint(ip, 0);
	struct error err;

	peer->base = event_base_new();
	assert_int_equal(net_create(NULL, &peer->net), 0);
	if (net_listen(peer->net, NET_UDP, &e, &err)) {
		peer_free(peer);
		return NULL;
	}
	assert_int_equal(net_start(peer->net, peer->base, &handler), 0);
	peer->at = *net_socket_address(peer->net, 0);
	return peer;
}

/* How many packets came within two seconds; one turn of the loop. */
static int receive(struct peer *peer)
{
	peer->n = 0;
	peer->used = 0;
	event_base_loopexit(peer->base, &(struct timeval){.tv_sec = 2});
	event_base_loop(peer->base, EVLOOP_ONCE);
	return peer->n;
}

static int send_text(struct peer *peer, const struct endpoint *to, const char *text, size_t n)
{
	struct net_path path = {.transport = NET_UDP, .remote = *to};
	struct iovec iov[2] = {{(char *)(uintptr_t)text, n / 2},
			       {(char *)(uintptr_t)text + n / 2, n - n / 2}};
	int rc = net_send(peer->net, &path, iov, 2);

	net_flush(peer->net);
	return rc;
}

static void round_trip(const char *listen, const char *reach)
{
	struct endpoint to = endpoint(reach, 0);
	struct peer *a = peer_new(listen), *b = peer_new(listen);

	if (!a || !b) {
		peer_free(a);
		peer_free(b);
		skip();
	}
	to.port = b->at.port;
	assert_int_equal(send_text(a, &to, "hello", 5), 0);
	assert_int_equal(receive(b), 1);
	assert_true(slice_eq(b->packets[0].bytes, SLICE("hello")));
	assert_true(endpoint_eq(&b->packets[0].path.local, &to));
	assert_int_equal(b->packets[0].path.remote.port, a->at.port);

	/* The answer leaves from the address that the request came to. */
	struct iovec iov = {(char *)(uintptr_t) "answer", 6};
	assert_int_equal(net_send(b->net, &b->packets[0].path, &iov, 1), 0);
	net_flush(b->net);
	assert_int_equal(receive(a), 1);
	assert_true(endpoint_eq(&a->packets[0].path.remote, &to));
	peer_free(a);
	peer_free(b);
}

static void ipv4_answers_leave_from_the_address_that_was_asked(void **state)
{
	(void)state;
	round_trip("127.0.0.1", "127.0.0.1");
	round_trip("0.0.0.0", "127.0.0.7");
}

static void ipv6_answers_leave_from_the_address_that_was_asked(void **state)
{
	(void)state;
	round_trip("::", "::1");
}

static void largest_datagrams_pass_both_ways(void **state)
{
	static char big[NET_DATAGRAM_MAX];
	struct peer *a = peer_new("127.0.0.1"), *b = peer_new("127.0.0.1");
	size_t most = 65535 - 28;

	(void)state;
	memset(big, 'x', sizeof(big));
	big[most - 1] = 'e';
	assert_int_equal(send_text(a, &b->at, big, most), 0);
	assert_int_equal(receive(b), 1);
	assert_int_equal(b->packets[0].bytes.n, most);
	assert_int_equal(b->packets[0].bytes.p[most - 1], 'e');
	assert_int_equal(send_text(a, &b->at, big, most + 1), -EMSGSIZE);
	peer_free(a);
	peer_free(b);
}

static void more_than_a_batch_is_sent_and_received(void **state)
{
	struct peer *a = peer_new("127.0.0.1"), *b = peer_new("127.0.0.1");
	struct net_path path = {.transport = NET_UDP, .remote = b->at};
	struct net_stats stats;
	int total = 0, n;

	(void)state;
	for (int i = 0; i < 3 * NET_BATCH; i++) {
		struct iovec iov = {&i, sizeof(i)};

		assert_int_equal(net_send(a->net, &path, &iov, 1), 0);
	}
	net_flush(a->net);
	while (total < 3 * NET_BATCH && (n = receive(b)) > 0)
		for (int i = 0; i < n; i++, total++)
			assert_memory_equal(b->packets[i].bytes.p, &total, sizeof(total));
	assert_int_equal(total, 3 * NET_BATCH);
	net_stats(a->net, &stats);
	assert_int_equal(stats.counters[NET_SENT], 3 * NET_BATCH);
	peer_free(a);
	peer_free(b);
}

static void one_unsendable_datagram_does_not_hold_up_the_rest(void **state)
{
	struct endpoint nowhere = endpoint("127.0.0.1", 0);
	struct peer *a = peer_new("127.0.0.1"), *b = peer_new("127.0.0.1");
	struct net_path good = {.transport = NET_UDP, .remote = b->at, .local = a->at};
	struct net_path bad = {.transport = NET_UDP, .remote = nowhere, .local = a->at};
	struct net_stats stats;
	struct iovec iov = {(char *)(uintptr_t) "x", 1};

	(void)state;
	assert_int_equal(net_send(a->net, &good, &iov, 1), 0);
	assert_int_equal(net_send(a->net, &bad, &iov, 1), 0); /* port 0 */
	assert_int_equal(net_send(a->net, &good, &iov, 1), 0);
	net_flush(a->net);
	assert_int_equal(receive(b), 2);
	net_stats(a->net, &stats);
	assert_int_equal(stats.counters[NET_SEND_ERRORS], 1);
	peer_free(a);
	peer_free(b);
}

/* ICMP "port unreachable" of an upstream that is down. */
static void a_closed_port_does_not_disturb_reading(void **state)
{
	struct endpoint closed;
	struct peer *a = peer_new("127.0.0.1"), *b = peer_new("127.0.0.1");
	struct peer *gone = peer_new("127.0.0.1");
	struct net_stats stats;

	(void)state;
	closed = gone->at;
	peer_free(gone);
	for (int i = 0; i < 3; i++)
		assert_int_equal(send_text(a, &closed, "hello", 5), 0);
	assert_int_equal(send_text(b, &a->at, "still here", 10), 0);
	assert_int_equal(receive(a), 1);
	assert_int_equal(send_text(a, &b->at, "and there", 9), 0);
	assert_int_equal(receive(b), 1);
	net_stats(a->net, &stats);
	assert_int_equal(stats.counters[NET_SEND_ERRORS], 0);
	peer_free(a);
	peer_free(b);
}

static void local_addresses_are_known(void **state)
{
	struct endpoint at, local, remote = endpoint("127.0.0.9", 5060);
	struct peer *net = peer_new("127.0.0.1"), *wild = peer_new("0.0.0.0");

	(void)state;
	at = net->at;
	assert_true(net_is_local(net->net, &at));
	assert_int_equal(net_local_for(net->net, NET_UDP, &remote, &local), 0);
	assert_true(endpoint_eq(&local, &at));
	at.port++;
	assert_false(net_is_local(net->net, &at));

	assert_int_equal(net_local_for(wild->net, NET_UDP, &remote, &local), 0);
	assert_int_equal(local.port, wild->at.port);
	assert_int_equal(local.ip.bytes[0], 127);
	at.port = wild->at.port;
	assert_true(net_is_local(wild->net, &at));
	at = endpoint("192.0.2.200", 1);
	at.port = wild->at.port;
	assert_false(net_is_local(wild->net, &at));
	peer_free(net);
	peer_free(wild);
}

static void wrong_family_has_no_socket(void **state)
{
	struct endpoint v6 = endpoint("::1", 5060);
	struct peer *net = peer_new("127.0.0.1");

	(void)state;
	assert_int_equal(send_text(net, &v6, "x", 1), -ENETUNREACH);
	peer_free(net);
}

static void listen_error_names_address(void **state)
{
	struct net *net;
	struct error err;
	struct endpoint e = endpoint("192.0.2.77", 5060);

	(void)state;
	assert_int_equal(net_create(NULL, &net), 0);
	assert_int_equal(net_listen(net, NET_UDP, &e, &err), -EADDRNOTAVAIL);
	assert_non_null(strstr(err.text, "udp:192.0.2.77:5060"));
	net_free(net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ipv4_answers_leave_from_the_address_that_was_asked),
		cmocka_unit_test(ipv6_answers_leave_from_the_address_that_was_asked),
		cmocka_unit_test(largest_datagrams_pass_both_ways),
		cmocka_unit_test(more_than_a_batch_is_sent_and_received),
		cmocka_unit_test(one_unsendable_datagram_does_not_hold_up_the_rest),
		cmocka_unit_test(a_closed_port_does_not_disturb_reading),
		cmocka_unit_test(local_addresses_are_known),
		cmocka_unit_test(wrong_family_has_no_socket),
		cmocka_unit_test(listen_error_names_address),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
