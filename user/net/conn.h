/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of connections: what they are found by, how many there may be, how long each may take.
 * For the files of user/net/ only. */
#ifndef SIPWARD_NET_CONN_H
#define SIPWARD_NET_CONN_H

#include <event2/bufferevent.h>
#include <sys/queue.h>

#include "base/table.h"
#include "net/framing.h"
#include "net/net.h"
#include "net/shared.h"

enum conn_state {
	CONN_CONNECTING, /* by us */
	CONN_HANDSHAKE,	 /* TLS, by others */
	CONN_MESSAGE,	 /* one has begun, or none has come yet */
	CONN_IDLE,
	CONN_DEAD, /* waits to be told and freed */
	CONN_STATES
};

/* Where a connection of ours comes from or goes to. */
struct source {
	struct table_node node;
	struct ip ip;
	TAILQ_HEAD(, conn) conns;
};

struct conn {
	TAILQ_ENTRY(conn) in_state;
	TAILQ_ENTRY(conn) of_source;
	struct table_node node;	      /* by transport and remote */
	struct table_node alias_node; /* by transport, remote address and alias_port */
	uint16_t alias_port;	      /* 0 = none */
	struct net_place place, alias_place; /* for other workers */
	struct net *net;
	struct source *source;
	struct bufferevent *stream;
	enum conn_state state;
	uint64_t since_ns; /* of the state */
	uint64_t asked_ns; /* when a request was written to it last; 0 = none ever was */
	bool heard;	   /* something has come since */
	struct net_path path;
	char *name; /* the peer has shown a certificate for it; NULL = none */
	bool incoming, verified;
	struct framing framing;
	size_t pending;			 /* bytes of a message that is not whole */
	const char *failed, *misbehaved; /* to be told */
};

TAILQ_HEAD(conn_list, conn);

struct conns {
	/* Each in order of time, so that what is due stands first. */
	struct conn_list states[CONN_STATES];
	struct table by_remote, by_alias, sources;
	struct event *timer;
	uint64_t timer_at_ns;
	struct event *reaper;
	struct net_sleeper sleeper; /* fd 0: there are no other workers */
	struct event *waker;
};

/* 0 or -ENOMEM. */
int conns_init(struct conns *conns);
int conns_start(struct net *net);
void conns_free(struct net *net);

/* Takes a place for one more with that remote address, if there is one. The source's oldest idle
 * one makes room where it can, or one that another worker has. The place goes with the connection,
 * or is given back. */
bool conn_take_place(struct net *net, const struct ip *remote, bool incoming);
void conn_give_place(struct net *net, const struct ip *remote, bool incoming);
/* Takes over the stream, unless NULL is returned: no memory. */
struct conn *conn_add(struct net *net, struct bufferevent *stream, const struct net_path *path,
		      bool incoming);
void conn_enter(struct conn *conn, enum conn_state state);
/* The one a path names, or one whose peer takes requests there; NULL if there is none. */
struct conn *conn_find(struct net *net, const struct net_path *path);
void conn_set_alias(struct conn *conn, uint16_t port);

/* It is not found any more and nothing is read; it is told (NULL: not) and freed later. */
void conn_fail(struct conn *conn, const char *why);
void conn_misbehaved(struct conn *conn, const char *why);
/* Told as failed if there are bytes unsent. */
void conn_close(struct conn *conn);

#endif
