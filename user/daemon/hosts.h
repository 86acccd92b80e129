/* SPDX-License-Identifier: BSD-2-Clause */
/* Keeps host names in ACLs, and those in the URIs of peers, at what DNS says. */
#ifndef SIPWARD_DAEMON_HOSTS_H
#define SIPWARD_DAEMON_HOSTS_H

#include "daemon/config.h"
#include "daemon/host.h"

#define HOSTS_RETRY_MIN_S 5 /* after a first failure, doubling with each further one */
#define HOSTS_RETRY_MAX_S 300

/* The thread that resolves names whenever they are due: new ones within a second, others as their
 * TTL ends. Nobody waits for it. */
struct hosts;
int hosts_start(const struct config *config, struct hosts **ret_hosts, struct error *err);
/* Resolves the names of all peers again. */
void hosts_again(struct hosts *hosts);
/* At once, also while DNS does not answer. */
void hosts_stop(struct hosts *hosts);

#endif
