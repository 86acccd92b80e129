/* SPDX-License-Identifier: BSD-2-Clause */
/* Asking DNS for names as they are given, so that they work at once, and without a daemon. */
#ifndef SIPWARD_CLI_NAMES_H
#define SIPWARD_CLI_NAMES_H

#include "cli/output.h"
#include "daemon/host.h"

struct names {
	struct host *list;
	size_t n, room;
	size_t failed; /* so many have not been resolved */
};

/* 0 or -ENOMEM. */
int names_add(struct names *names, const struct host *host);
void names_free(struct names *names);
/* Asks DNS for each and writes to the store what it says. Appends {host, addresses, ttl, failure}
 * for each to rows. */
int names_resolve(struct cli *cli, struct names *names, json_t *rows);
/* Prints such rows. Of one that failed notes that the daemon tries on or, where none runs, what
 * does. */
void names_print(struct cli *cli, const json_t *rows, const char *else_tries);

#endif
