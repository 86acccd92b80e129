/* SPDX-License-Identifier: BSD-2-Clause */
/* TCP and TLS connections: made, taken, read and written. */
#include <errno.h>
#include <event2/buffer.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/net_internal.h"

#define ACCEPTS_A_TURN 16
#define KEEPALIVE_IDLE_S 60
#define KEEPALIVE_INTERVAL_S 10
#define UNACKNOWLEDGED_MS 30000
/* As long as a round trip may take: T1 of RFC 3261 §17.1.1.1. */
#define CROSSING_NS (500 * NS_PER_MS)
/* A message and more of the next ones; what a peer sends beyond waits in the kernel. */
#define INPUT_BYTES (2 * NET_DATAGRAM_MAX)

/* Accepted sockets inherit them. */
int stream_set_options(int fd, unsigned family)
{
	int rc = family == 6 ? net_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) : 0;

	if (!rc)
		rc = net_set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (!rc)
		rc = net_set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (!rc)
		rc = net_set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
	if (!rc)
		rc = net_set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
	if (!rc)
		rc = net_set_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKNOWLEDGED_MS);
	return rc ? rc : net_set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

/* ---- reading ---- */

/* What has been found in the bytes of one turn. */
struct intake {
	struct conn *conn;
	struct slice rest;
	struct net_packet packets[NET_BATCH];
	unsigned n;
	bool progress, ping;
	const char *broken;
};

static void hand_over(struct intake *intake)
{
	struct net *net = intake->conn->net;

	net_count_more(net, NET_RECEIVED, intake->n);
	if (intake->n)
		net_hand_over(net, intake->packets, intake->n);
	intake->n = 0;
}

/* False where there is no more to take. */
static bool take_one(struct intake *intake)
{
	struct conn *conn = intake->conn;
	size_t n = 0;

	switch (framing_next(&conn->framing, intake->rest, &n, &intake->broken)) {
	case FRAMING_MORE:
	case FRAMING_BROKEN:
		return false;
	case FRAMING_PING:
		intake->ping = true;
		break;
	case FRAMING_BLANK:
		break;
	case FRAMING_MESSAGE:
		intake->packets[intake->n++] = (struct net_packet){
			.bytes = {intake->rest.p, n},
			.path = conn->path,
			.client_verified = conn->incoming && conn->verified,
		};
		break;
	}
	intake->progress = true;
	intake->rest = (struct slice){intake->rest.p + n, intake->rest.n - n};
	return true;
}

/* Stops where a handler has ended the connection. */
static void take_all(struct intake *intake)
{
	while (intake->conn->state != CONN_DEAD && take_one(intake))
		if (intake->n == NET_BATCH)
			hand_over(intake);
	if (intake->conn->state != CONN_DEAD)
		hand_over(intake);
}

static void write_pong(struct conn *conn)
{
	net_count(conn->net, NET_KEEPALIVES);
	bufferevent_write(conn->stream, "\r\n", 2);
}

static void on_input(struct bufferevent *stream, void *arg)
{
	struct conn *conn = arg;
	struct evbuffer *input = bufferevent_get_input(stream);
	size_t n = evbuffer_get_length(input);
	struct intake intake = {.conn = conn,
				.rest = {(const char *)evbuffer_pullup(input, -1), n}};

	if (!intake.rest.p)
		return;
	conn->heard = true;
	take_all(&intake);
	if (conn->state == CONN_DEAD)
		return;
	if (intake.ping)
		write_pong(conn);
	if (intake.broken) {
		net_count(conn->net, NET_NOT_FRAMED);
		conn_misbehaved(conn, intake.broken);
		return;
	}
	evbuffer_drain(input, n - intake.rest.n);
	if (!intake.rest.n)
		conn_enter(conn, CONN_IDLE);
	else if (intake.progress || !conn->pending)
		conn_enter(conn, CONN_MESSAGE);
	conn->pending = intake.rest.n;
}

/* ---- what else happens to a connection ---- */

static void opened(struct conn *conn)
{
	if (conn->path.transport == NET_TLS)
		conn->verified = tls_is_verified(conn->stream);
	if (!conn->incoming)
		net_count(conn->net, NET_CONNECTED);
	conn_enter(conn, conn->incoming ? CONN_MESSAGE : CONN_IDLE);
}

/* The end of it was under way as we wrote a request, which may never have been read. */
static bool is_asked_in_vain(const struct conn *conn)
{
	return conn->asked_ns && !conn->heard && clock_coarse_ns() - conn->asked_ns < CROSSING_NS;
}

static void ended(struct conn *conn, short what)
{
	const char *tls = conn->path.transport == NET_TLS ? tls_error(conn->stream) : NULL;
	const char *why = tls ? tls : strerrordesc_np(EVUTIL_SOCKET_ERROR());

	if (conn->state == CONN_CONNECTING) {
		net_count(conn->net, NET_CONNECT_FAILED);
		conn_fail(conn, what & BEV_EVENT_EOF ? "closed by the peer" : why);
	} else if (conn->state == CONN_HANDSHAKE && tls) {
		net_count(conn->net, NET_HANDSHAKE_FAILED);
		conn_misbehaved(conn, why);
	} else if (what & BEV_EVENT_EOF && is_asked_in_vain(conn)) {
		conn_fail(conn, "closed as it was written to");
	} else if (what & BEV_EVENT_EOF || conn->state == CONN_HANDSHAKE) {
		conn_close(conn);
	} else {
		net_count(conn->net, NET_BROKEN);
		conn_fail(conn, why);
	}
}

static void on_event(struct bufferevent *stream, short what, void *arg)
{
	struct conn *conn = arg;

	(void)stream;
	if (what & BEV_EVENT_CONNECTED)
		opened(conn);
	else
		ended(conn, what);
}

static void attach(struct conn *conn)
{
	bufferevent_setcb(conn->stream, on_input, NULL, on_event, conn);
	bufferevent_setwatermark(conn->stream, EV_READ, 0, INPUT_BYTES);
	bufferevent_enable(conn->stream, EV_READ | EV_WRITE);
}

/* ---- those that others make ---- */

static int local_of(int fd, struct endpoint *ret_local)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &len))
		return -errno;
	return endpoint_from_sockaddr((struct sockaddr *)&sa, ret_local);
}

/* Takes over the descriptor, also where it returns NULL: no memory. */
static struct bufferevent *plain(struct net *net, int fd)
{
	struct bufferevent *stream = bufferevent_socket_new(net->base, fd, BEV_OPT_CLOSE_ON_FREE);

	if (!stream)
		close(fd);
	return stream;
}

/* Takes over the descriptor. */
static void take(struct net *net, int fd, const struct net_path *path)
{
	bool tls = path->transport == NET_TLS;
	struct bufferevent *stream;
	struct conn *conn;

	if (!conn_take_place(net, &path->remote.ip, true)) {
		close(fd);
		return;
	}
	stream = tls ? tls_accept(net, fd) : plain(net, fd);
	conn = stream ? conn_add(net, stream, path, true) : NULL;
	if (conn) {
		net_count(net, NET_ACCEPTED);
		conn_enter(conn, tls ? CONN_HANDSHAKE : CONN_MESSAGE);
		attach(conn);
		return;
	}
	if (stream)
		bufferevent_free(stream);
	conn_give_place(net, &path->remote.ip, true);
}

/* No descriptors left, for one: trying again at once would take all the worker's time. */
static void pause_accepting(struct net_socket *socket)
{
	event_del(socket->event);
	event_add(socket->net->accept_again, &(struct timeval){.tv_sec = 1});
}

void stream_on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct net_socket *s = arg;

	(void)what;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		struct net_path path = {.transport = s->transport};
		struct sockaddr_storage sa;
		socklen_t len = sizeof(sa);
		int client =
			accept4(fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (client < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
			    errno == ENOBUFS)
				pause_accepting(s);
			return;
		}
		if (endpoint_from_sockaddr((struct sockaddr *)&sa, &path.remote) ||
		    local_of(client, &path.local))
			close(client);
		else
			take(s->net, client, &path);
	}
}

/* ---- those that we make ---- */

static int open_socket(const struct net_path *path)
{
	struct endpoint from = {.ip = path->local.ip};
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(&from, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	rc = stream_set_options(fd, path->remote.ip.family);
	if (!rc)
		rc = net_set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
	if (!rc && bind(fd, (struct sockaddr *)&sa, len))
		rc = -errno;
	if (rc)
		close(fd);
	return rc ? rc : fd;
}

/* Takes over the descriptor and the place, also on failure. */
static int begin(struct net *net, int fd, const struct net_path *path, struct conn **ret_conn)
{
	struct bufferevent *stream =
		path->transport == NET_TLS ? tls_connect(net, fd, path) : plain(net, fd);
	struct sockaddr_storage sa;
	socklen_t len = endpoint_to_sockaddr(&path->remote, &sa);
	struct conn *conn = stream ? conn_add(net, stream, path, false) : NULL;

	if (!conn) {
		if (stream)
			bufferevent_free(stream);
		conn_give_place(net, &path->remote.ip, false);
		return -ENOMEM;
	}
	attach(conn);
	conn_enter(conn, CONN_CONNECTING);
	if (bufferevent_socket_connect(stream, (struct sockaddr *)&sa, (int)len)) {
		int rc = errno ? -errno : -EIO;

		conn_close(conn);
		return rc;
	}
	*ret_conn = conn;
	return 0;
}

static int connect_to(struct net *net, const struct net_path *path, struct conn **ret_conn)
{
	struct net_path chosen = *path;
	int fd;

	if (!chosen.local.ip.family &&
	    net_local_for(net, path->transport, &path->remote, &chosen.local))
		return -ENETUNREACH;
	if (chosen.local.ip.family != chosen.remote.ip.family)
		return -ENETUNREACH;
	if (!conn_take_place(net, &path->remote.ip, false))
		return -EUSERS;
	fd = open_socket(&chosen);
	if (fd >= 0)
		return begin(net, fd, &chosen, ret_conn);
	conn_give_place(net, &path->remote.ip, false);
	return fd;
}

/* ---- writing ---- */

static bool is_open(const struct conn *conn)
{
	return conn->state == CONN_MESSAGE || conn->state == CONN_IDLE;
}

/* Straight into the socket where nothing waits before it, which spares the event loop two turns.
 * How much was written; -1 if the connection has broken. */
static ssize_t write_now(struct conn *conn, const struct iovec *iov, unsigned iov_count)
{
	struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)iov,
				 .msg_iovlen = iov_count};
	ssize_t n;

	if (!is_open(conn) || conn->path.transport != NET_TCP ||
	    evbuffer_get_length(bufferevent_get_output(conn->stream)))
		return 0;
	n = sendmsg(bufferevent_getfd(conn->stream), &message, MSG_NOSIGNAL);
	if (n >= 0 || errno == EAGAIN || errno == EINTR)
		return n < 0 ? 0 : n;
	net_count(conn->net, NET_BROKEN);
	conn_fail(conn, strerrordesc_np(errno));
	return -1;
}

/* Queues what comes after the first bytes. */
static int queue_rest(struct conn *conn, const struct iovec *iov, unsigned iov_count, size_t skip)
{
	struct evbuffer *output = bufferevent_get_output(conn->stream);

	for (unsigned i = 0; i < iov_count; i++) {
		size_t skipped = skip < iov[i].iov_len ? skip : iov[i].iov_len;

		skip -= skipped;
		if (iov[i].iov_len > skipped &&
		    evbuffer_add(output, (const char *)iov[i].iov_base + skipped,
				 iov[i].iov_len - skipped))
			return -ENOMEM;
	}
	return 0;
}

static bool is_request(const struct iovec *iov)
{
	return !slice_starts_nocase((struct slice){iov->iov_base, iov->iov_len}, SLICE("SIP/"));
}

static void write_message(struct conn *conn, const struct iovec *iov, unsigned iov_count,
			  size_t length)
{
	struct net *net = conn->net;
	size_t waiting = evbuffer_get_length(bufferevent_get_output(conn->stream));
	ssize_t written;

	if (waiting + length > net->limits.output_bytes) {
		net_count(net, NET_OVERFLOWED);
		conn_fail(conn, "the peer does not read");
		return;
	}
	written = write_now(conn, iov, iov_count);
	if (written < 0)
		return;
	if (queue_rest(conn, iov, iov_count, (size_t)written)) {
		conn_fail(conn, "out of memory");
		return;
	}
	net_count(net, NET_SENT);
	if (is_request(iov)) {
		conn->asked_ns = clock_coarse_ns();
		conn->heard = false;
	}
	if (conn->state == CONN_IDLE)
		conn_enter(conn, CONN_IDLE);
}

int stream_send(struct net *net, const struct net_path *path, const struct iovec *iov,
		unsigned iov_count, bool here)
{
	struct conn *conn = conn_find(net, path);
	const struct net_share *share = &net->share;
	size_t length = 0;
	int rc = 0, worker = -1;

	for (unsigned i = 0; i < iov_count; i++)
		length += iov[i].iov_len;
	if (length > NET_DATAGRAM_MAX)
		return -EMSGSIZE;
	if (!conn && !here && share->send_by)
		worker = shared_find(share->shared, path, share->worker);
	if (worker >= 0)
		return share->send_by(share->arg, (unsigned)worker, path, iov, iov_count);
	if (!conn)
		rc = connect_to(net, path, &conn);
	if (!rc)
		write_message(conn, iov, iov_count, length);
	return rc;
}
