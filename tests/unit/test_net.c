/* SPDX-License-Identifier: BSD-2-Clause */
/* Datagrams through real sockets on the loopback interface. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/net.h"

static struct endpoint endpoint(const char *ip, uint16_t port)
{
	struct endpoint e = {.port = port};

	assert_int_equal(ip_parse(slice_from(ip), &e.ip), 0);
	return e;
}

static struct net *listener(const char *ip, struct endpoint *ret_bound)
{
	struct net *net;
	struct error err;
	struct endpoint e = endpoint(ip, 0);
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	assert_int_equal(net_create(&net), 0);
	if (net_listen_udp(net, &e, &err)) {
		net_free(net);
		return NULL;
	}
	assert_int_equal(getsockname(net_socket_fd(net, 0), (struct sockaddr *)&sa, &len), 0);
	assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&sa, ret_bound), 0);
	return net;
}

static int receive(struct net *net, struct net_packet packets[NET_BATCH])
{
	struct pollfd p = {.fd = net_socket_fd(net, 0), .events = POLLIN};

	poll(&p, 1, 2000);
	return net_receive(net, 0, packets);
}

static int send_text(struct net *net, const struct endpoint *to, const char *text, size_t n)
{
	struct net_path path = {.transport = NET_UDP, .remote = *to};
	struct iovec iov[2] = {{(char *)(uintptr_t)text, n / 2},
			       {(char *)(uintptr_t)text + n / 2, n - n / 2}};
	int rc = net_send(net, &path, iov, 2);

	net_flush(net);
	return rc;
}

static void round_trip(const char *listen, const char *reach)
{
	struct endpoint a_at, b_at, to = endpoint(reach, 0);
	struct net *a = listener(listen, &a_at), *b = listener(listen, &b_at);
	struct net_packet packets[NET_BATCH];

	if (!a || !b) {
		net_free(a);
		net_free(b);
		skip();
	}
	to.port = b_at.port;
	assert_int_equal(send_text(a, &to, "hello", 5), 0);
	assert_int_equal(receive(b, packets), 1);
	assert_true(slice_eq(packets[0].bytes, SLICE("hello")));
	assert_true(endpoint_eq(&packets[0].path.local, &to));
	assert_int_equal(packets[0].path.remote.port, a_at.port);

	/* The answer leaves from the address that the request came to. */
	struct iovec iov = {(char *)(uintptr_t) "answer", 6};
	assert_int_equal(net_send(b, &packets[0].path, &iov, 1), 0);
	net_flush(b);
	assert_int_equal(receive(a, packets), 1);
	assert_true(endpoint_eq(&packets[0].path.remote, &to));
	net_free(a);
	net_free(b);
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
	struct endpoint a_at, b_at;
	struct net *a = listener("127.0.0.1", &a_at), *b = listener("127.0.0.1", &b_at);
	struct net_packet packets[NET_BATCH];
	size_t most = 65535 - 28;

	(void)state;
	memset(big, 'x', sizeof(big));
	big[most - 1] = 'e';
	assert_int_equal(send_text(a, &b_at, big, most), 0);
	assert_int_equal(receive(b, packets), 1);
	assert_int_equal(packets[0].bytes.n, most);
	assert_int_equal(packets[0].bytes.p[most - 1], 'e');
	assert_int_equal(send_text(a, &b_at, big, most + 1), -EMSGSIZE);
	net_free(a);
	net_free(b);
}

static void more_than_a_batch_is_sent_and_received(void **state)
{
	struct endpoint a_at, b_at;
	struct net *a = listener("127.0.0.1", &a_at), *b = listener("127.0.0.1", &b_at);
	struct net_path path = {.transport = NET_UDP, .remote = b_at};
	struct net_packet packets[NET_BATCH];
	struct net_stats stats;
	int total = 0, n;

	(void)state;
	for (int i = 0; i < 3 * NET_BATCH; i++) {
		struct iovec iov = {&i, sizeof(i)};

		assert_int_equal(net_send(a, &path, &iov, 1), 0);
	}
	net_flush(a);
	while (total < 3 * NET_BATCH && (n = receive(b, packets)) > 0)
		for (int i = 0; i < n; i++, total++)
			assert_memory_equal(packets[i].bytes.p, &total, sizeof(total));
	assert_int_equal(total, 3 * NET_BATCH);
	net_stats(a, &stats);
	assert_int_equal(stats.sent, 3 * NET_BATCH);
	net_free(a);
	net_free(b);
}

static void one_unsendable_datagram_does_not_hold_up_the_rest(void **state)
{
	struct endpoint a_at, b_at, nowhere = endpoint("127.0.0.1", 0);
	struct net *a = listener("127.0.0.1", &a_at), *b = listener("127.0.0.1", &b_at);
	struct net_path good = {.transport = NET_UDP, .remote = b_at, .local = a_at};
	struct net_path bad = {.transport = NET_UDP, .remote = nowhere, .local = a_at};
	struct net_packet packets[NET_BATCH];
	struct net_stats stats;
	struct iovec iov = {(char *)(uintptr_t) "x", 1};

	(void)state;
	assert_int_equal(net_send(a, &good, &iov, 1), 0);
	assert_int_equal(net_send(a, &bad, &iov, 1), 0); /* port 0 */
	assert_int_equal(net_send(a, &good, &iov, 1), 0);
	net_flush(a);
	assert_int_equal(receive(b, packets), 2);
	net_stats(a, &stats);
	assert_int_equal(stats.send_errors, 1);
	net_free(a);
	net_free(b);
}

/* ICMP "port unreachable" of an upstream that is down. */
static void a_closed_port_does_not_disturb_reading(void **state)
{
	struct endpoint a_at, b_at, closed;
	struct net *a = listener("127.0.0.1", &a_at), *b = listener("127.0.0.1", &b_at);
	struct net *gone = listener("127.0.0.1", &closed);
	struct net_packet packets[NET_BATCH];
	struct net_stats stats;

	(void)state;
	net_free(gone);
	for (int i = 0; i < 3; i++)
		assert_int_equal(send_text(a, &closed, "hello", 5), 0);
	assert_int_equal(send_text(b, &a_at, "still here", 10), 0);
	assert_int_equal(receive(a, packets), 1);
	assert_int_equal(send_text(a, &b_at, "and there", 9), 0);
	assert_int_equal(receive(b, packets), 1);
	net_stats(a, &stats);
	assert_int_equal(stats.send_errors, 0);
	net_free(a);
	net_free(b);
}

static void local_addresses_are_known(void **state)
{
	struct endpoint at, wild_at, local, remote = endpoint("127.0.0.9", 5060);
	struct net *net = listener("127.0.0.1", &at), *wild = listener("0.0.0.0", &wild_at);

	(void)state;
	assert_true(net_is_local(net, &at));
	assert_int_equal(net_local_for(net, &remote, &local), 0);
	assert_true(endpoint_eq(&local, &at));
	at.port++;
	assert_false(net_is_local(net, &at));

	assert_int_equal(net_local_for(wild, &remote, &local), 0);
	assert_int_equal(local.port, wild_at.port);
	assert_int_equal(local.ip.bytes[0], 127);
	at.port = wild_at.port;
	assert_true(net_is_local(wild, &at));
	at = endpoint("192.0.2.200", 1);
	at.port = wild_at.port;
	assert_false(net_is_local(wild, &at));
	net_free(net);
	net_free(wild);
}

static void wrong_family_has_no_socket(void **state)
{
	struct endpoint at, v6 = endpoint("::1", 5060);
	struct net *net = listener("127.0.0.1", &at);

	(void)state;
	assert_int_equal(send_text(net, &v6, "x", 1), -ENETUNREACH);
	net_free(net);
}

static void listen_error_names_address(void **state)
{
	struct net *net;
	struct error err;
	struct endpoint e = endpoint("192.0.2.77", 5060);

	(void)state;
	assert_int_equal(net_create(&net), 0);
	assert_int_equal(net_listen_udp(net, &e, &err), -EADDRNOTAVAIL);
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
