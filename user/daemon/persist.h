/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registrations outlive the daemon: a thread of its own writes behind what the worker's registrar
 * tells, as the watch thread may be held up for long by names or a large policy. It also fetches
 * the operator's removals. The functions are the first worker's, persist_hand_over any; none but
 * start and stop waits.
 */
#ifndef SIPWARD_DAEMON_PERSIST_H
#define SIPWARD_DAEMON_PERSIST_H

#include "registrar/registrar.h"

struct persist;

/* Has the registrar know what the store does, and starts the thread. The registrar is borrowed. */
int persist_start(const char *state_dir, struct registrar *registrar, struct persist **ret_persist,
		  struct error *err);
/* Writes what is left, for two seconds at most, and ends the thread. */
void persist_stop(struct persist *persist);

/* Readable when persist_serve has something to do. */
int persist_fd(const struct persist *persist);
/* Hands changes to the thread, as many as it has room for. To be called after every batch of
 * packets and each second. What finds no room stays in the registrar. */
void persist_hand_over(struct persist *persist);
/* Carries out the operator's removals, and hands over more if there is room again. */
void persist_serve(struct persist *persist);
/* The store has changed: there may be removals. Else they are looked for each second. */
void persist_look(struct persist *persist);

#endif
