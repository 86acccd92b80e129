/* SPDX-License-Identifier: BSD-2-Clause */
/* Log lines about requests: what was decided, about whom and why. Refusals are told at info, so
 * many a second; under attack the rest is counted. */
#ifndef SIPWARD_PROXY_REPORT_H
#define SIPWARD_PROXY_REPORT_H

#include "policy/admission.h"
#include "proxy/health.h"

#define REPORT_LINES_PER_S 50

struct report {
	uint64_t second;
	unsigned lines;
	uint64_t suppressed;
};

struct report_line {
	const char *event; /* forwarded, challenged, refused, … */
	const char *cause;
	unsigned status; /* 0 = none */
	const struct sip_msg *msg;
	const struct endpoint *source;
	const struct policy_trunk *trunk; /* NULL = none */
	struct slice user;		  /* empty = none */
	const char *hint;		  /* NULL = none */
};

/* A decision that changes nothing for anybody: debug. */
void report_decision(const struct report_line *line);
/* Whether a refusal would be written now, and not only counted. */
bool report_has_room(const struct report *report, uint64_t now_ns);
/* A refusal: info, within the limit. */
void report_refusal(struct report *report, const struct report_line *line, uint64_t now_ns);
/* A source has just been locked out: info, always (a source causes one a lockout at most). */
void report_lockout(const struct endpoint *source, const struct sipward_lockout *lockout,
		    uint64_t now_ns);
/* A hop is down, or up again: warning, info. */
void report_hop(const struct health_hop *hop);
/* Tells how many lines were left out since the last time, if any. */
void report_flush(struct report *report, uint64_t now_ns);

#endif
