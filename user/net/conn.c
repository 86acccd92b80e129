/* SPDX-License-Identifier: BSD-2-Clause */
#include "net/conn.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/net_internal.h"

#define SOURCE_V6_BITS 64

/* ---- sources ---- */

static struct ip source_ip(const struct ip *remote)
{
	return remote->family == 6 ? ip_masked(remote, SOURCE_V6_BITS) : *remote;
}

static uint64_t source_hash(const struct conns *conns, const struct ip *ip)
{
	return table_hash(&conns->sources, ip->family, ip->bytes, sizeof(ip->bytes));
}

static struct source *source_find(const struct conns *conns, const struct ip *remote)
{
	struct ip ip = source_ip(remote);
	struct table_node *node = table_first(&conns->sources, source_hash(conns, &ip));

	for (; node; node = table_next(node)) {
		struct source *source = table_entry(node, struct source, node);

		if (ip_eq(&source->ip, &ip))
			return source;
	}
	return NULL;
}

static struct source *source_take(struct conns *conns, const struct ip *remote)
{
	struct source *source = source_find(conns, remote);

	if (source)
		return source;
	source = calloc(1, sizeof(*source));
	if (!source)
		return NULL;
	source->ip = source_ip(remote);
	TAILQ_INIT(&source->conns);
	table_insert(&conns->sources, &source->node, source_hash(conns, &source->ip));
	return source;
}

static void source_leave(struct conns *conns, struct conn *conn)
{
	struct source *source = conn->source;

	TAILQ_REMOVE(&source->conns, conn, of_source);
	conn_give_place(conn->net, &conn->path.remote.ip, conn->incoming);
	if (!TAILQ_EMPTY(&source->conns))
		return;
	table_remove(&conns->sources, &source->node);
	free(source);
}

static bool has_unsent(const struct conn *conn)
{
	return evbuffer_get_length(bufferevent_get_output(conn->stream)) > 0;
}

/* The one that has been so for longest; NULL: none is. */
static struct conn *find_idle(const struct net *net, const struct net_side *side)
{
	struct source *source = source_find(&net->conns, &side->source);
	struct conn *conn, *oldest = NULL;

	if (!source)
		return NULL;
	TAILQ_FOREACH(conn, &source->conns, of_source)
	{
		if (conn->state == CONN_IDLE && conn->incoming == side->incoming &&
		    !has_unsent(conn) && (!oldest || conn->since_ns < oldest->since_ns))
			oldest = conn;
	}
	return oldest;
}

static void evict(struct conn *conn)
{
	net_count(conn->net, NET_EVICTED);
	conn_close(conn);
}

static struct net_side side_of(const struct ip *remote, bool incoming)
{
	return (struct net_side){source_ip(remote), incoming};
}

bool conn_take_place(struct net *net, const struct ip *remote, bool incoming)
{
	struct net_side side = side_of(remote, incoming);

	while (!shared_take(net->share.shared, &net->limits, &side)) {
		struct conn *idle = find_idle(net, &side);

		if (idle) {
			evict(idle);
			continue;
		}
		if (shared_take_over(net->share.shared, &side))
			return true;
		net_count(net, NET_REFUSED);
		return false;
	}
	return true;
}

void conn_give_place(struct net *net, const struct ip *remote, bool incoming)
{
	struct net_side side = side_of(remote, incoming);

	shared_give(net->share.shared, &side);
}

/* Another worker has taken a place that one of ours may have to leave. */
static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct net *net = arg;
	struct net_side side;
	unsigned i = 0;
	uint64_t times;

	(void)what;
	(void)!read(fd, &times, sizeof(times));
	while (shared_to_end(net->share.shared, i, &side)) {
		struct conn *idle = find_idle(net, &side);

		if (idle && shared_claim_end(net->share.shared, &side))
			evict(idle);
		else
			i++;
	}
}

/* ---- finding ---- */

static uint64_t remote_hash(const struct table *table, enum net_transport transport,
			    const struct ip *ip, uint16_t port)
{
	uint64_t seed = (uint64_t)transport << 24 | (uint64_t)ip->family << 16 | port;

	return table_hash(table, seed, ip->bytes, sizeof(ip->bytes));
}

static bool is_at(const struct conn *conn, const struct net_path *path, uint16_t port)
{
	return conn->path.transport == path->transport && port == path->remote.port &&
	       ip_eq(&conn->path.remote.ip, &path->remote.ip);
}

/* Whether the peer is known to be who the path asks for. What it has shown once it need not show
 * again. */
static bool is_named(struct conn *conn, const char *name)
{
	if (!name || conn->path.transport != NET_TLS)
		return true;
	if (conn->name)
		return strcasecmp(conn->name, name) == 0;
	if (!conn->verified || !tls_is_for(conn->stream, name))
		return false;
	conn->name = strdup(name);
	return true;
}

/* 2 = the very one, 1 = of the same address of ours, 0 = no. */
static int local_match(const struct conn *conn, const struct endpoint *local)
{
	if (!local->ip.family || endpoint_eq(&conn->path.local, local))
		return 2;
	return ip_eq(&conn->path.local.ip, &local->ip);
}

static struct conn *find_at_remote(struct conns *conns, const struct net_path *path)
{
	uint64_t hash = remote_hash(&conns->by_remote, path->transport, &path->remote.ip,
				    path->remote.port);
	struct table_node *node = table_first(&conns->by_remote, hash);
	struct conn *best = NULL;
	int best_match = 0;

	for (; node && best_match < 2; node = table_next(node)) {
		struct conn *conn = table_entry(node, struct conn, node);
		int match = is_at(conn, path, conn->path.remote.port)
				    ? local_match(conn, &path->local)
				    : 0;

		if (match > best_match && is_named(conn, path->name)) {
			best = conn;
			best_match = match;
		}
	}
	return best;
}

static struct conn *find_alias(struct conns *conns, const struct net_path *path)
{
	uint64_t hash =
		remote_hash(&conns->by_alias, path->transport, &path->remote.ip, path->remote.port);
	struct table_node *node = table_first(&conns->by_alias, hash);

	for (; node; node = table_next(node)) {
		struct conn *conn = table_entry(node, struct conn, alias_node);

		if (is_at(conn, path, conn->alias_port) && local_match(conn, &path->local) &&
		    is_named(conn, path->name))
			return conn;
	}
	return NULL;
}

struct conn *conn_find(struct net *net, const struct net_path *path)
{
	struct conn *conn = find_at_remote(&net->conns, path);

	return conn ? conn : find_alias(&net->conns, path);
}

static void clear_alias(struct conn *conn)
{
	if (!conn->alias_port)
		return;
	table_remove(&conn->net->conns.by_alias, &conn->alias_node);
	shared_remove(conn->net->share.shared, &conn->alias_place);
	conn->alias_port = 0;
}

/* Lets the other workers know. */
static void publish(struct conn *conn, struct net_place *place, uint16_t port)
{
	const struct net_share *share = &conn->net->share;

	place->transport = conn->path.transport;
	place->remote = (struct endpoint){conn->path.remote.ip, port};
	place->worker = share->worker;
	shared_add(share->shared, place);
}

void conn_set_alias(struct conn *conn, uint16_t port)
{
	struct table *table = &conn->net->conns.by_alias;
	const struct net_path *path = &conn->path;

	if (conn->alias_port == port)
		return;
	clear_alias(conn);
	if (!port || port == path->remote.port)
		return;
	conn->alias_port = port;
	table_insert(table, &conn->alias_node,
		     remote_hash(table, path->transport, &path->remote.ip, port));
	publish(conn, &conn->alias_place, port);
}

/* ---- time ---- */

static uint64_t time_allowed_ns(const struct net *net, enum conn_state state)
{
	const struct net_limits *limits = &net->limits;
	const unsigned ms[] = {
		[CONN_CONNECTING] = limits->connect_ms,
		[CONN_HANDSHAKE] = limits->handshake_ms,
		[CONN_MESSAGE] = limits->message_ms,
		[CONN_IDLE] = limits->idle_ms,
	};

	return ms[state] * NS_PER_MS;
}

static void arm(struct net *net, uint64_t now_ns)
{
	struct conns *conns = &net->conns;
	uint64_t at_ns = UINT64_MAX, wait_us;

	for (int i = 0; i < CONN_DEAD; i++) {
		struct conn *first = TAILQ_FIRST(&conns->states[i]);
		uint64_t due_ns = first ? first->since_ns + time_allowed_ns(net, i) : UINT64_MAX;

		if (due_ns < at_ns)
			at_ns = due_ns;
	}
	if (at_ns >= conns->timer_at_ns)
		return;
	conns->timer_at_ns = at_ns;
	wait_us = (at_ns > now_ns ? at_ns - now_ns : 0) / 1000;
	event_add(conns->timer,
		  &(struct timeval){(time_t)(wait_us / 1000000), (suseconds_t)(wait_us % 1000000)});
}

void conn_enter(struct conn *conn, enum conn_state state)
{
	struct conn_list *states = conn->net->conns.states;
	struct net_side side = side_of(&conn->path.remote.ip, conn->incoming);

	if ((conn->state == CONN_IDLE) != (state == CONN_IDLE))
		shared_idle(conn->net->share.shared, &side, state == CONN_IDLE);
	TAILQ_REMOVE(&states[conn->state], conn, in_state);
	conn->state = state;
	conn->since_ns = clock_coarse_ns();
	TAILQ_INSERT_TAIL(&states[state], conn, in_state);
	if (state != CONN_DEAD)
		arm(conn->net, conn->since_ns);
}

static void expire(struct conn *conn)
{
	struct net *net = conn->net;

	switch (conn->state) {
	case CONN_CONNECTING:
		net_count(net, NET_CONNECT_FAILED);
		conn_fail(conn, "no answer");
		return;
	case CONN_HANDSHAKE:
		net_count(net, NET_TOO_SLOW);
		conn_misbehaved(conn, "handshake took too long");
		return;
	case CONN_MESSAGE:
		if (conn->pending) {
			net_count(net, NET_TOO_SLOW);
			conn_misbehaved(conn, "message took too long");
			return;
		}
		break;
	default:
		break;
	}
	net_count(net, NET_IDLE_CLOSED);
	conn_close(conn);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct net *net = arg;
	uint64_t now_ns = clock_coarse_ns();

	(void)fd;
	(void)what;
	for (int i = 0; i < CONN_DEAD; i++) {
		struct conn *first;

		while ((first = TAILQ_FIRST(&net->conns.states[i])) &&
		       first->since_ns + time_allowed_ns(net, i) <= now_ns)
			expire(first);
	}
	net->conns.timer_at_ns = UINT64_MAX;
	arm(net, now_ns);
}

/* ---- beginning and end ---- */

struct conn *conn_add(struct net *net, struct bufferevent *stream, const struct net_path *path,
		      bool incoming)
{
	struct conns *conns = &net->conns;
	struct conn *conn = calloc(1, sizeof(*conn));
	struct source *source = NULL;

	if (conn && path->name)
		conn->name = strdup(path->name);
	if (conn && (conn->name || !path->name))
		source = source_take(conns, &path->remote.ip);
	if (!source) {
		if (conn)
			free(conn->name);
		free(conn);
		return NULL;
	}
	conn->net = net;
	conn->stream = stream;
	conn->path = *path;
	conn->path.name = NULL;
	conn->incoming = incoming;
	conn->source = source;
	TAILQ_INSERT_TAIL(&source->conns, conn, of_source);
	table_insert(&conns->by_remote, &conn->node,
		     remote_hash(&conns->by_remote, path->transport, &path->remote.ip,
				 path->remote.port));
	TAILQ_INSERT_TAIL(&conns->states[conn->state], conn, in_state);
	publish(conn, &conn->place, path->remote.port);
	return conn;
}

static void end(struct conn *conn, const char *failed, const char *misbehaved)
{
	struct net *net = conn->net;

	if (conn->state == CONN_DEAD)
		return;
	conn->failed = !failed && has_unsent(conn) ? "closed with bytes unsent" : failed;
	conn->misbehaved = misbehaved;
	bufferevent_setcb(conn->stream, NULL, NULL, NULL, NULL);
	bufferevent_disable(conn->stream, EV_READ | EV_WRITE);
	clear_alias(conn);
	table_remove(&net->conns.by_remote, &conn->node);
	shared_remove(net->share.shared, &conn->place);
	conn_enter(conn, CONN_DEAD);
	source_leave(&net->conns, conn);
	event_active(net->conns.reaper, EV_TIMEOUT, 0);
}

void conn_fail(struct conn *conn, const char *why)
{
	end(conn, why, NULL);
}

void conn_misbehaved(struct conn *conn, const char *why)
{
	end(conn, NULL, why);
}

void conn_close(struct conn *conn)
{
	end(conn, NULL, NULL);
}

static void conn_free(struct conn *conn)
{
	if (conn->path.transport == NET_TLS)
		tls_close(conn->stream);
	bufferevent_free(conn->stream);
	free(conn->name);
	free(conn);
}

/* The first of the dead each time: a handler may send, and so make more of them. */
static void on_reaper(evutil_socket_t fd, short what, void *arg)
{
	struct net *net = arg;
	struct conn *conn;

	(void)fd;
	(void)what;
	while ((conn = TAILQ_FIRST(&net->conns.states[CONN_DEAD]))) {
		struct net_path path = conn->path;

		TAILQ_REMOVE(&net->conns.states[CONN_DEAD], conn, in_state);
		path.name = conn->name;
		if (conn->failed)
			net->handler.failed(net->handler.arg, &path, conn->asked_ns,
					    conn->failed);
		if (conn->misbehaved)
			net->handler.misbehaved(net->handler.arg, &path, conn->misbehaved);
		conn_free(conn);
	}
	net_flush(net);
}

int conns_init(struct conns *conns)
{
	for (int i = 0; i < CONN_STATES; i++)
		TAILQ_INIT(&conns->states[i]);
	conns->timer_at_ns = UINT64_MAX;
	return table_init(&conns->by_remote) || table_init(&conns->by_alias) ||
			       table_init(&conns->sources)
		       ? -ENOMEM
		       : 0;
}

static int be_woken(struct net *net)
{
	struct conns *conns = &net->conns;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	conns->sleeper.fd = fd;
	shared_add_sleeper(net->share.shared, &conns->sleeper);
	conns->waker = event_new(net->base, fd, EV_READ | EV_PERSIST, on_wake, net);
	return conns->waker && event_add(conns->waker, NULL) == 0 ? 0 : -ENOMEM;
}

int conns_start(struct net *net)
{
	net->conns.timer = evtimer_new(net->base, on_timer, net);
	net->conns.reaper = event_new(net->base, -1, 0, on_reaper, net);
	if (!net->conns.timer || !net->conns.reaper)
		return -ENOMEM;
	return net->own_shared ? 0 : be_woken(net);
}

void conns_free(struct net *net)
{
	struct conns *conns = &net->conns;
	struct conn *conn;

	for (int i = 0; i < CONN_DEAD; i++)
		while ((conn = TAILQ_FIRST(&conns->states[i])))
			conn_close(conn);
	while ((conn = TAILQ_FIRST(&conns->states[CONN_DEAD]))) {
		TAILQ_REMOVE(&conns->states[CONN_DEAD], conn, in_state);
		conn_free(conn);
	}
	if (conns->timer)
		event_free(conns->timer);
	if (conns->reaper)
		event_free(conns->reaper);
	if (conns->waker)
		event_free(conns->waker);
	if (conns->sleeper.fd > 0) {
		shared_remove_sleeper(net->share.shared, &conns->sleeper);
		close(conns->sleeper.fd);
	}
	table_free(&conns->by_remote);
	table_free(&conns->by_alias);
	table_free(&conns->sources);
}
