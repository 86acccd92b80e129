/* SPDX-License-Identifier: BSD-2-Clause */
/* Host names in ACLs, for the commands that show and add them. */
#ifndef SIPWARD_CLI_ACL_HOSTS_H
#define SIPWARD_CLI_ACL_HOSTS_H

#include "cli/output.h"

struct acl_hosts {
	struct store_acl_host *list;
	size_t n, room;
};

/* Whether text is meant as a host name: what has a '/' or ':', or a last label that begins with no
 * letter, is a prefix or a mistyped one. */
bool acl_hosts_is_name(struct slice text);
/* Room for one more, zeroed; NULL without memory. */
struct store_acl_host *acl_hosts_next(struct acl_hosts *hosts);
/* A visitor of store_acl_host_each; arg: struct cli. */
int acl_hosts_print(const struct store_acl_host *host, void *arg);
json_t *acl_hosts_json(struct cli *cli, const struct store_acl_host *host);

#endif
