/* SPDX-License-Identifier: BSD-2-Clause */
/* Asks a running daemon over its control socket. */
#ifndef SIPWARD_CLI_CONTROL_H
#define SIPWARD_CLI_CONTROL_H

#include <jansson.h>

/* Sends the request, which is taken over, and waits a second at most for the answer, an object that
 * the caller releases. -ENOENT, -ECONNREFUSED: no daemon runs there; -EACCES; -ETIMEDOUT: it did
 * not answer in time; -EPROTO: it did not understand, or what it said is no answer. */
int control_ask(const char *state_dir, json_t *request, json_t **ret_answer);

#endif
