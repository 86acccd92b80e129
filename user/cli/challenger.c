/* SPDX-License-Identifier: BSD-2-Clause */
/* Who challenges for a trunk, and why it is not the filter. */
#include "cli/challenger.h"

#include "base/clock.h"
#include "policy/prepare.h"

static const char *filter_hindrance(struct filter *filter)
{
	struct sipward_lease lease;
	if (!filter)
		return "no filter is attached";
	if (filter_lease_read(filter, &lease) || lease.until_ns <= clock_coarse_ns())
		return "sipwardd has not asked the filter to, or does not run";
	return "no interface is sure to transmit (generic XDP, or a veth); --challenge filter has "
	       "it try";
}

const char *challenger_hindrance(const struct cli *cli, const struct policy_trunk *trunk)
{
	const char *why = prepare_hindrance(trunk);
	if (trunk->config.challenge == STORE_CHALLENGE_DAEMON)
		return "its setting says so";
	if (why || (cli->filter && filter_challenges_for(cli->filter, trunk->config.domain)))
		return why;
	return filter_hindrance(cli->filter);
}
