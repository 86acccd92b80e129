/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIPWARD_DAEMON_H
#define SIPWARD_DAEMON_H

#include "daemon/config.h"

/* Runs until SIGTERM or SIGINT. SIGHUP resolves the upstreams' names again, reads the store and the
 * certificates; SIGUSR1 logs the counters. 0, or a negative errno: -EBUSY if another daemon works
 * on the state directory, -EADDRINUSE and -EEXIST if somebody has an address or the interface,
 * -EINVAL for a wrong value in config. */
int daemon_run(const struct config *config, struct error *err);

#endif
