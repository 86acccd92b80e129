/* SPDX-License-Identifier: BSD-2-Clause */
/* ACL entries that are host names: kept at what DNS says. */
#ifndef SIPWARD_DAEMON_HOSTS_H
#define SIPWARD_DAEMON_HOSTS_H

#include "daemon/config.h"
#include "dns/dns.h"
#include "store/store.h"

#define HOSTS_RETRY_MIN_S 5 /* after a first failure, doubling with each further one */
#define HOSTS_RETRY_MAX_S 300

/*
 * Asks DNS for one host and writes to the store what it says, or that it failed and is due again in
 * retry_s. 1: the host has the addresses of *ret_answer; 0: DNS failed, err says why, and the host
 * keeps what it had; -ENOENT: the host has gone meanwhile; -EINTR: dns_interrupt; else the store's
 * error.
 */
int hosts_resolve(struct store *store, struct dns *dns, const struct store_acl_host *host,
		  unsigned retry_s, struct dns_answer *ret_answer, struct error *err);

/* The thread that does so whenever a host is due: new ones within a second, others as their TTL
 * ends. */
struct hosts;
int hosts_start(const struct config *config, struct hosts **ret_hosts, struct error *err);
/* At once, also while DNS does not answer. */
void hosts_stop(struct hosts *hosts);

#endif
