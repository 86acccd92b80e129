/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/filter.h"

static const char *const names[] = {
	[SIPWARD_OTHER] = "other",
	[SIPWARD_FRAGMENT] = "fragment",
	[SIPWARD_FRAGMENT_DROP] = "fragment_drop",
	[SIPWARD_MALFORMED] = "malformed",
	[SIPWARD_LOCKED_OUT] = "locked_out",
	[SIPWARD_DENIED] = "denied",
	[SIPWARD_LISTED] = "listed",
	[SIPWARD_PROVEN] = "proven",
	[SIPWARD_UNLISTED] = "unlisted",
	[SIPWARD_NOT_SIP] = "not_sip",
	[SIPWARD_RATE_LIMITED] = "rate_limited",
	[SIPWARD_UNLISTED_PASS] = "unlisted_pass",
	[SIPWARD_EVENT_LOST] = "event_lost",
	[SIPWARD_CHALLENGED] = "challenged",
	[SIPWARD_CHALLENGE_ACK] = "challenge_ack",
};

_Static_assert(sizeof(names) / sizeof(names[0]) == SIPWARD_REASON_COUNT, "every reason has a name");

const char *filter_reason_name(uint32_t reason)
{
	return reason < SIPWARD_REASON_COUNT ? names[reason] : "unknown";
}

bool filter_reason_is_drop(uint32_t reason)
{
	return reason < SIPWARD_REASON_COUNT && (SIPWARD_DROP_REASONS >> reason & 1);
}

const char *filter_lockout_reason_name(uint32_t reason)
{
	static const char *const lockout_names[] = {
		[SIPWARD_LOCKOUT_MANUAL] = "manual",
		[SIPWARD_LOCKOUT_CREDENTIAL] = "credential",
		[SIPWARD_LOCKOUT_ADDRESS] = "address",
		[SIPWARD_LOCKOUT_CONNECTION] = "connection",
	};
	const size_t count = sizeof(lockout_names) / sizeof(lockout_names[0]);

	return reason < count ? lockout_names[reason] : "unknown";
}
