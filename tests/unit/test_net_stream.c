/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages over TCP: connections made, taken, found again, limited and ended. */
#include "net_fixture.h"

static void both_ways(const char *listen_on)
{
	struct side *a = side_create(NULL), *b = side_create(NULL);
	struct net_path path;

	if (!side_listen(a, NET_TCP, listen_on) || !side_listen(b, NET_TCP, listen_on)) {
		side_free(a);
		side_free(b);
		skip();
	}
	b->answer = ANSWER;
	path = path_to(NET_TCP, &b->at);
	assert_int_equal(say(a, &path, REQUEST), 0);
	wait_until(&a->received, 1);
	assert_string_equal(b->last, REQUEST);
	assert_int_equal(b->path.transport, NET_TCP);
	assert_true(endpoint_eq(&b->path.local, &b->at));
	/* The answer came by the connection, which is known by the address that a listens on. */
	assert_string_equal(a->last, ANSWER);
	assert_true(endpoint_eq(&a->path.remote, &b->at));
	assert_true(endpoint_eq(&a->path.local, &a->at));
	/* By that path, and by the remote address alone. */
	assert_int_equal(say(a, &a->path, REQUEST), 0);
	assert_int_equal(say(a, &path, REQUEST), 0);
	wait_until(&a->received, 3);
	assert_connections(a, 0, 1);
	assert_connections(b, 1, 0);
	side_free(a);
	side_free(b);
}

static void answers_take_the_connection_of_the_request(void **state)
{
	(void)state;
	both_ways("127.0.0.1:0");
}

static void ipv6_does_the_same(void **state)
{
	(void)state;
	both_ways("[::1]:0");
}

static void pieces_batches_and_keepalives(void **state)
{
	struct side *side = tcp_side(NULL);
	int fd = bare_connect(side, "127.0.0.1:0");
	char many[100 * sizeof(REQUEST)] = "";

	(void)state;
	for (const char *p = REQUEST; *p; p++) {
		assert_int_equal(side->received, 0);
		assert_int_equal(send(fd, p, 1, 0), 1);
		run_ms(1);
	}
	wait_until(&side->received, 1);
	for (size_t i = 0; i < 100; i++)
		strcat(many, REQUEST);
	bare_send(fd, many);
	wait_until(&side->received, 101);
	bare_send(fd, "\r\n\r\n");
	bare_expect(fd, "\r\n");
	/* A pong is not answered. */
	bare_send(fd, "\r\n");
	side->answer = ANSWER;
	bare_send(fd, REQUEST);
	bare_expect(fd, ANSWER);
	assert_int_equal(counted(side, NET_KEEPALIVES), 1);
	assert_int_equal(counted(side, NET_RECEIVED), 102);
	close(fd);
	side_free(side);
}

static void largest_messages_pass_both_ways(void **state)
{
	static char large[NET_DATAGRAM_MAX + 2];
	struct side *a = tcp_side(NULL), *b = tcp_side(NULL);
	struct net_path path = path_to(NET_TCP, &b->at);
	int n;

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	n = snprintf(large, sizeof(large), "OPTIONS sip:a SIP/2.0\r\nl: %u\r\n\r\n",
		     NET_DATAGRAM_MAX - 35);
	assert_int_equal(n, 35);
	large[n] = 'x';
	large[NET_DATAGRAM_MAX] = '\0';
	b->answer = large;
	assert_int_equal(say(a, &path, large), 0);
	wait_until(&a->received, 1);
	assert_int_equal(b->last_n, NET_DATAGRAM_MAX);
	assert_string_equal(a->last, large);
	large[NET_DATAGRAM_MAX] = 'x';
	assert_int_equal(say(a, &path, large), -EMSGSIZE);
	side_free(a);
	side_free(b);
}

/* ---- connections that fail ---- */

static struct endpoint closed_port(void)
{
	struct side *gone = tcp_side(NULL);
	struct endpoint at = gone->at;

	side_free(gone);
	return at;
}

static void a_refused_connection_is_told(void **state)
{
	struct side *side = tcp_side(NULL);
	struct endpoint closed = closed_port();
	struct net_path path = path_to(NET_TCP, &closed);

	(void)state;
	assert_int_equal(say(side, &path, REQUEST), 0);
	assert_int_equal(side->failed, 0);
	wait_until(&side->failed, 1);
	assert_string_equal(side->why, "Connection refused");
	assert_true(endpoint_eq(&side->path.remote, &closed));
	assert_connections(side, 0, 0);
	assert_int_equal(counted(side, NET_CONNECT_FAILED), 1);
	side_free(side);
}

/* A listener whose queue is full does not answer. */
static int full_listener(struct endpoint *ret_at, int fillers[4])
{
	struct endpoint any = endpoint_of("127.0.0.1:0");
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(&any, &sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&sa, ret_at), 0);
	for (int i = 0; i < 4; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (connect(fillers[i], (struct sockaddr *)&sa, len))
			assert_int_equal(errno, EINPROGRESS);
	}
	return fd;
}

static void a_server_that_does_not_answer_is_given_up(void **state)
{
	struct net_limits limits = net_limits_default;
	struct side *side;
	struct endpoint at;
	struct net_path path;
	int fillers[4], fd = full_listener(&at, fillers);

	(void)state;
	limits.connect_ms = 100;
	side = tcp_side(&limits);
	path = path_to(NET_TCP, &at);
	assert_int_equal(say(side, &path, REQUEST), 0);
	wait_until(&side->failed, 1);
	assert_string_equal(side->why, "no answer");
	for (int i = 0; i < 4; i++)
		close(fillers[i]);
	close(fd);
	side_free(side);
}

static void a_connection_that_breaks_is_told(void **state)
{
	struct side *side = tcp_side(NULL);
	struct linger linger = {.l_onoff = 1};
	int fd = bare_connect(side, "127.0.0.1:0");

	(void)state;
	bare_send(fd, REQUEST);
	wait_until(&side->received, 1);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(fd);
	wait_until(&side->failed, 1);
	assert_string_equal(side->why, "Connection reset by peer");
	assert_int_equal(counted(side, NET_BROKEN), 1);
	/* The answer to a connection that is gone tries its address (RFC 3261 §18.2.2). */
	assert_int_equal(say(side, &side->path, ANSWER), 0);
	wait_until(&side->failed, 2);
	assert_string_equal(side->why, "Connection refused");
	side_free(side);
}

static void a_peer_that_closes_is_not_told(void **state)
{
	struct side *side = tcp_side(NULL);
	int fd = bare_connect(side, "127.0.0.1:0");

	(void)state;
	side->answer = ANSWER;
	bare_send(fd, REQUEST);
	/* Half closed: the answer still comes. */
	shutdown(fd, SHUT_WR);
	bare_expect(fd, ANSWER);
	bare_expect(fd, "");
	close(fd);
	assert_connections(side, 0, 0);
	assert_int_equal(side->failed + side->misbehaved, 0);
	side_free(side);
}

/* A server that has got one request by us, which it has answered with the text. */
static int bare_server(struct side *side, struct net_path *path, const char *answer)
{
	struct sockaddr_storage sa;
	struct endpoint at = endpoint_of("127.0.0.1:0");
	socklen_t len = endpoint_to_sockaddr(&at, &sa);
	unsigned received = side->received;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	assert_int_equal(bind(listener, (struct sockaddr *)&sa, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
	assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&sa, &path->remote), 0);
	path->transport = NET_TCP;
	assert_int_equal(say(side, path, REQUEST), 0);
	fd = accept(listener, NULL, NULL);
	close(listener);
	bare_expect(fd, REQUEST);
	bare_send(fd, answer);
	wait_until(&side->received, received + (answer[0] != 0));
	return fd;
}

/* What was sent while its end was under way has never been read. */
static void a_server_that_closes_as_it_is_written_to_is_told(void **state)
{
	struct side *side = tcp_side(NULL);
	struct net_path path = {0};
	uint64_t began = clock_coarse_ns();
	int fd = bare_server(side, &path, "");

	(void)state;
	shutdown(fd, SHUT_WR);
	wait_until(&side->failed, 1);
	assert_string_equal(side->why, "closed as it was written to");
	assert_true(side->asked_ns >= began && side->asked_ns <= clock_coarse_ns());
	assert_true(endpoint_eq(&side->path.remote, &path.remote));
	close(fd);

	/* Not one that has had its say since, nor one that has had time to. */
	fd = bare_server(side, &path, ANSWER);
	close(fd);
	run_ms(20);
	assert_connections(side, 0, 0);
	fd = bare_server(side, &path, "");
	run_ms(600);
	close(fd);
	run_ms(20);
	assert_connections(side, 0, 0);
	assert_int_equal(side->failed, 1);
	side_free(side);
}

static void a_peer_that_does_not_read_is_dropped(void **state)
{
	struct net_limits limits = net_limits_default;
	struct side *side;
	int fd;

	(void)state;
	limits.output_bytes = 100000;
	side = tcp_side(&limits);
	fd = bare_connect(side, "127.0.0.1:0");
	side->answer = ANSWER;
	side->floods = true;
	/* The connection ends while the handler works on the first of three. */
	bare_send(fd, REQUEST REQUEST REQUEST);
	wait_until(&side->failed, 1);
	assert_string_equal(side->why, "the peer does not read");
	assert_int_equal(counted(side, NET_OVERFLOWED), 1);
	close(fd);
	side_free(side);
}

/* ---- what strangers may take ---- */

static void bytes_that_are_no_sip_end_the_connection(void **state)
{
	static const char *const streams[] = {"GET / HTTP/1.0\r\n\r\n", "\x16\x03\x01\x02",
					      "OPTIONS sip:a SIP/2.0\r\n\r\n",
					      REQUEST "OPTIONS sip:a SIP/2.0\r\nl: -1\r\n\r\n"};
	struct side *side = tcp_side(NULL);

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		int fd = bare_connect(side, "127.0.0.1:0");

		bare_send(fd, streams[i]);
		wait_until(&side->misbehaved, i + 1);
		bare_expect(fd, "");
		close(fd);
	}
	assert_string_equal(side->why, "Malformed Content-Length");
	assert_int_equal(side->received, 1);
	assert_int_equal(counted(side, NET_NOT_FRAMED), 4);
	assert_int_equal(side->failed, 0);
	side_free(side);
}

static void a_byte_now_and_then_is_too_slow(void **state)
{
	struct net_limits limits = net_limits_default;
	struct side *side;
	int fd;

	(void)state;
	limits.message_ms = 300;
	side = tcp_side(&limits);
	fd = bare_connect(side, "127.0.0.1:0");
	bare_send(fd, REQUEST);
	wait_until(&side->received, 1);
	for (const char *p = REQUEST; *p && !side->misbehaved; p++) {
		send(fd, p, 1, MSG_NOSIGNAL);
		run_ms(30);
	}
	assert_int_equal(side->misbehaved, 1);
	assert_string_equal(side->why, "message took too long");
	assert_int_equal(side->received, 1);
	close(fd);
	side_free(side);
}

static void who_never_says_anything_is_closed(void **state)
{
	struct net_limits limits = net_limits_default;
	struct side *side;
	int fd;

	(void)state;
	limits.message_ms = 100;
	side = tcp_side(&limits);
	fd = bare_connect(side, "127.0.0.1:0");
	bare_expect(fd, "");
	assert_int_equal(side->misbehaved, 0);
	assert_int_equal(counted(side, NET_IDLE_CLOSED), 1);
	close(fd);
	side_free(side);
}

static void idle_connections_are_closed_and_keepalives_keep_them(void **state)
{
	struct net_limits limits = net_limits_default;
	struct side *side;
	int quiet, lively;

	(void)state;
	limits.idle_ms = 600;
	side = tcp_side(&limits);
	quiet = bare_connect(side, "127.0.0.1:0");
	lively = bare_connect(side, "127.0.0.1:0");
	bare_send(quiet, REQUEST);
	for (int i = 0; i < 10; i++) {
		bare_send(lively, "\r\n\r\n");
		bare_expect(lively, "\r\n");
		run_ms(120);
	}
	assert_connections(side, 1, 0);
	assert_int_equal(counted(side, NET_IDLE_CLOSED), 1);
	bare_expect(quiet, "");
	bare_expect(lively, "");
	close(quiet);
	close(lively);
	side_free(side);
}

static void a_source_has_so_many_connections(void **state)
{
	struct net_limits limits = net_limits_default;
	struct side *side;
	int first, second, third, other;

	(void)state;
	limits.connections_per_source = 2;
	side = tcp_side(&limits);
	first = bare_connect(side, "127.0.0.1:0");
	second = bare_connect(side, "127.0.0.1:0");
	wait_counted(side, NET_ACCEPTED, 2);
	/* Both are new, and may be about to say something. */
	third = bare_connect(side, "127.0.0.1:0");
	bare_expect(third, "");
	assert_int_equal(counted(side, NET_REFUSED), 1);
	other = bare_connect(side, "127.0.0.2:0");
	wait_counted(side, NET_ACCEPTED, 3);
	close(third);
	/* The one that has been idle for longer makes room. */
	bare_send(second, REQUEST);
	wait_until(&side->received, 1);
	run_ms(20);
	bare_send(first, REQUEST);
	wait_until(&side->received, 2);
	third = bare_connect(side, "127.0.0.1:0");
	bare_expect(second, "");
	assert_connections(side, 3, 0);
	assert_int_equal(counted(side, NET_EVICTED), 1);
	close(first);
	close(second);
	close(third);
	close(other);
	side_free(side);
}

/* A port of 127.0.0.1 from which the kernel gives connections to the one of the two. */
static void find_port(struct side *wanted, const struct side *other, char ret_from[32])
{
	for (int i = 0; i < 100; i++) {
		uint64_t here = counted(wanted, NET_ACCEPTED), there = counted(other, NET_ACCEPTED);
		struct linger linger = {.l_onoff = 1};
		int fd = bare_connect(wanted, "127.0.0.1:0");
		struct sockaddr_in sa;
		socklen_t len = sizeof(sa);

		while (counted(wanted, NET_ACCEPTED) + counted(other, NET_ACCEPTED) == here + there)
			run_ms(2);
		assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
		snprintf(ret_from, 32, "127.0.0.1:%u", ntohs(sa.sin_port));
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		close(fd);
		run_ms(5);
		if (counted(wanted, NET_ACCEPTED) > here)
			return;
	}
	fail_msg("it takes none");
}

static void idle_connections_of_another_worker_make_room(void **state)
{
	struct net_limits limits = net_limits_default;
	struct net_handler handler = {on_receive, on_failed, on_misbehaved, NULL};
	struct side *first, *second;
	struct net_shared *shared;
	struct error err;
	char of_first[6][32], of_second[4][32];
	int fds[4], fd, busy;

	(void)state;
	limits.connections_per_source = 5;
	assert_int_equal(net_shared_create(&shared), 0);
	first = side_create(&limits);
	second = side_create(&limits);
	net_share(first->net, &(struct net_share){.shared = shared, .worker = 0});
	net_share(second->net, &(struct net_share){.shared = shared, .worker = 1});
	assert_true(side_listen(first, NET_TCP, "127.0.0.1:0"));
	assert_int_equal(net_listen_beside(second->net, first->net, &err), 0);
	handler.arg = second;
	assert_int_equal(net_start(second->net, base, &handler), 0);
	second->at = first->at;
	first->answer = second->answer = ANSWER;

	for (int i = 0; i < 6; i++)
		find_port(first, second, of_first[i]);
	for (int i = 0; i < 4; i++)
		find_port(second, first, of_second[i]);

	/* All are the first one's, of which one is busy; the second has none that could go. */
	busy = bare_connect(first, of_first[5]);
	bare_send(busy, "OPTIONS");
	for (int i = 0; i < 4; i++) {
		fds[i] = bare_connect(first, of_first[i]);
		bare_send(fds[i], REQUEST);
		bare_expect(fds[i], ANSWER);
	}
	for (int i = 0; i < 4; i++) {
		fd = bare_connect(second, of_second[i]);
		bare_expect(fds[i], "");
		assert_connections(second, 5, 0);
		close(fds[i]);
		fds[i] = fd;
	}
	assert_int_equal(counted(first, NET_EVICTED), 4);
	/* The five that are there now are not idle. */
	fd = bare_connect(first, of_first[4]);
	bare_expect(fd, "");
	close(fd);
	assert_int_equal(counted(first, NET_REFUSED), 1);
	assert_int_equal(counted(second, NET_REFUSED), 0);
	bare_send(busy, " sip:a SIP/2.0\r\nl: 0\r\n\r\n");
	bare_expect(busy, ANSWER);
	close(busy);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	side_free(first);
	side_free(second);
	net_shared_free(shared);
}

static void there_are_so_many_connections_in_all(void **state)
{
	struct net_limits limits = net_limits_default;
	struct side *side, *server = tcp_side(NULL);
	struct net_path path = path_to(NET_TCP, &server->at);
	int first, second;

	(void)state;
	limits.connections = 1;
	side = tcp_side(&limits);
	first = bare_connect(side, "127.0.0.1:0");
	bare_send(first, REQUEST);
	wait_until(&side->received, 1);
	second = bare_connect(side, "127.0.0.2:0");
	bare_expect(second, "");
	assert_int_equal(counted(side, NET_REFUSED), 1);
	/* Those do not keep us from calling others. */
	assert_int_equal(say(side, &path, REQUEST), 0);
	wait_until(&server->received, 1);
	assert_connections(side, 1, 1);
	close(first);
	close(second);
	side_free(side);
	side_free(server);
}

static void our_own_connections_are_limited_too(void **state)
{
	struct net_limits limits = net_limits_default;
	struct side *server = tcp_side(NULL), *side;
	struct endpoint elsewhere = closed_port();
	struct net_path path = path_to(NET_TCP, &server->at);
	struct net_path other = path_to(NET_TCP, &elsewhere);

	(void)state;
	limits.connections = 1;
	side = tcp_side(&limits);
	assert_int_equal(say(side, &path, REQUEST), 0);
	assert_int_equal(say(side, &other, REQUEST), -EUSERS);
	wait_until(&server->received, 1);
	/* It is idle now, and to the same address. */
	assert_int_equal(say(side, &other, REQUEST), 0);
	assert_connections(side, 0, 1);
	assert_int_equal(counted(side, NET_EVICTED), 1);
	side_free(side);
	side_free(server);
}

/* ---- which connection ---- */

static void requests_to_an_alias_take_the_connection(void **state)
{
	struct side *side = tcp_side(NULL);
	struct net_path alias = {.transport = NET_TCP, .remote = endpoint_of("127.0.0.1:9")};
	struct net_path first_path;
	int first = bare_connect(side, "127.0.0.1:0"), second = bare_connect(side, "127.0.0.1:0");

	(void)state;
	assert_int_equal(net_alias(side->net, &alias, 9), -ENOENT);
	bare_send(first, REQUEST);
	wait_until(&side->received, 1);
	first_path = side->path;
	assert_int_equal(net_alias(side->net, &first_path, 9), 0);
	assert_int_equal(say(side, &alias, REQUEST), 0);
	bare_expect(first, REQUEST);
	/* The latest has it; the one before, when that has gone. */
	bare_send(second, REQUEST);
	wait_until(&side->received, 2);
	assert_int_equal(net_alias(side->net, &side->path, 9), 0);
	assert_int_equal(say(side, &alias, REQUEST), 0);
	bare_expect(second, REQUEST);
	close(second);
	run_ms(20);
	assert_int_equal(say(side, &alias, REQUEST), 0);
	bare_expect(first, REQUEST);
	assert_connections(side, 1, 0);
	/* Another address can not take it. */
	alias.remote = endpoint_of("127.0.0.2:9");
	assert_int_equal(say(side, &alias, REQUEST), 0);
	assert_connections(side, 1, 1);
	close(first);
	side_free(side);
}

static void our_address_tells_two_connections_of_one_port_apart(void **state)
{
	struct side *side = side_create(NULL);
	struct side at_one = {0}, at_two = {0};
	struct net_path first;
	struct endpoint from;
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	char text[ENDPOINT_TEXT_SIZE];
	int one, two;

	(void)state;
	assert_true(side_listen(side, NET_TCP, "0.0.0.0:0"));
	at_one.at = at_two.at = side->at;
	at_one.at.ip = endpoint_of("127.0.0.1:0").ip;
	at_two.at.ip = endpoint_of("127.0.0.2:0").ip;
	one = bare_connect(&at_one, "127.0.0.3:0");
	getsockname(one, (struct sockaddr *)&sa, &len);
	assert_int_equal(endpoint_from_sockaddr((struct sockaddr *)&sa, &from), 0);
	endpoint_format(&from, text);
	bare_send(one, REQUEST);
	wait_until(&side->received, 1);
	first = side->path;
	two = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(two, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	setsockopt(one, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	assert_int_equal(bind(two, (struct sockaddr *)&sa, len), 0);
	len = endpoint_to_sockaddr(&at_two.at, &sa);
	assert_int_equal(connect(two, (struct sockaddr *)&sa, len), 0);
	bare_send(two, REQUEST);
	wait_until(&side->received, 2);
	assert_int_equal(say(side, &first, ANSWER), 0);
	bare_expect(one, ANSWER);
	assert_int_equal(say(side, &side->path, ANSWER), 0);
	bare_expect(two, ANSWER);
	close(one);
	close(two);
	side_free(side);
}

static void the_address_we_are_known_by_is_one_we_listen_on(void **state)
{
	struct side *side = side_create(NULL);
	struct endpoint remote = endpoint_of("127.0.0.9:5060"), udp = endpoint_of("127.0.0.1:0");
	struct endpoint local;
	struct error err;

	(void)state;
	assert_int_equal(net_listen(side->net, NET_UDP, &udp, &err), 0);
	udp = *net_socket_address(side->net, 0);
	/* No TCP is listened on: at least the address is ours. */
	assert_int_equal(net_local_for(side->net, NET_TCP, &remote, &local), 0);
	assert_true(endpoint_eq(&local, &udp));
	side_free(side);

	side = tcp_side(NULL);
	assert_int_equal(net_local_for(side->net, NET_TCP, &remote, &local), 0);
	assert_true(endpoint_eq(&local, &side->at));
	assert_int_equal(net_local_for(side->net, NET_UDP, &remote, &local), -ENETUNREACH);
	assert_true(net_is_local(side->net, &side->at));
	side_free(side);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_take_the_connection_of_the_request),
		cmocka_unit_test(ipv6_does_the_same),
		cmocka_unit_test(pieces_batches_and_keepalives),
		cmocka_unit_test(largest_messages_pass_both_ways),
		cmocka_unit_test(a_refused_connection_is_told),
		cmocka_unit_test(a_server_that_does_not_answer_is_given_up),
		cmocka_unit_test(a_connection_that_breaks_is_told),
		cmocka_unit_test(a_peer_that_closes_is_not_told),
		cmocka_unit_test(a_server_that_closes_as_it_is_written_to_is_told),
		cmocka_unit_test(a_peer_that_does_not_read_is_dropped),
		cmocka_unit_test(bytes_that_are_no_sip_end_the_connection),
		cmocka_unit_test(a_byte_now_and_then_is_too_slow),
		cmocka_unit_test(who_never_says_anything_is_closed),
		cmocka_unit_test(idle_connections_are_closed_and_keepalives_keep_them),
		cmocka_unit_test(a_source_has_so_many_connections),
		cmocka_unit_test(idle_connections_of_another_worker_make_room),
		cmocka_unit_test(there_are_so_many_connections_in_all),
		cmocka_unit_test(our_own_connections_are_limited_too),
		cmocka_unit_test(requests_to_an_alias_take_the_connection),
		cmocka_unit_test(our_address_tells_two_connections_of_one_port_apart),
		cmocka_unit_test(the_address_we_are_known_by_is_one_we_listen_on),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	event_base_free(base);
	return rc;
}
