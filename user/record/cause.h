/* SPDX-License-Identifier: BSD-2-Clause */
/* Why calls end, in the words and numbers of hosted trunks; sipward(8) lists them. */
#ifndef SIPWARD_RECORD_CAUSE_H
#define SIPWARD_RECORD_CAUSE_H

#include "store/call.h"

/* Whose credentials are being checked as the call ends. */
enum record_auth {
	RECORD_AUTH_NONE,
	RECORD_AUTH_INBOUND,  /* the caller's address or credentials were refused by the gate */
	RECORD_AUTH_OUTBOUND, /* ours were sent; nothing but 100 has come since */
};

struct record_end {
	unsigned status; /* the INVITE's final one; 0 = there was none, or it is known already */
	enum call_party by; /* whose BYE, CANCEL or answer; CALL_GATE for its own and its timers */
	enum record_auth auth;
};

enum record_cause_id {
	RECORD_CANCEL,
	RECORD_NO_ANSWER,
	RECORD_BUSY,
	RECORD_COMPLETED,
	RECORD_LOST, /* answered, then never heard of again: nobody's BYE */
	RECORD_AUTH_FAILED,
	RECORD_AUTH_FAILED_OUTBOUND,
	RECORD_AUTH_TIMEOUT,
	RECORD_FAILED,
	RECORD_CAUSES
};
/* Append only, and no number changes its meaning. */
extern const struct call_cause record_causes[RECORD_CAUSES];

/* The one cause of an end. */
const struct call_cause *record_cause(const struct record_end *end);

#endif
