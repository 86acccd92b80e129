/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the CLI asks a running daemon: STATE_DIR/control, a stream socket for the owner alone. A
 * request is one JSON object on one line, {"ask": "evidence", "source": "192.0.2.1"}; so is the
 * answer, {"error": "…"} if it went wrong. Nothing is changed through it.
 */
#ifndef SIPWARD_DAEMON_CONTROL_H
#define SIPWARD_DAEMON_CONTROL_H

#include <event2/event.h>
#include <jansson.h>

#include "base/error.h"

#define CONTROL_SOCKET "control"
#define CONTROL_CLIENTS_MAX 8
#define CONTROL_LINE_MAX 4096
#define CONTROL_IDLE_S 10

/* Answers a request; NULL: there is no such question. Runs in the worker's event loop. */
typedef json_t *control_answer(const char *ask, const json_t *request, void *arg);

struct control;

/* Listens. A socket left behind by a daemon that was killed is replaced. */
int control_start(struct event_base *base, const char *state_dir, control_answer *answer, void *arg,
		  struct control **ret_control, struct error *err);
void control_stop(struct control *control);

#endif
