/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIPWARD_CLI_CHALLENGER_H
#define SIPWARD_CLI_CHALLENGER_H

#include "cli/cli.h"
#include "policy/policy.h"

/* Why it is the daemon that challenges for the trunk now; NULL: it is the filter. Looks at
 * cli->filter, which may be NULL. */
const char *challenger_hindrance(const struct cli *cli, const struct policy_trunk *trunk);

#endif
