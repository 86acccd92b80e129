/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/cause.h"

const struct call_cause record_causes[RECORD_CAUSES] = {
	[RECORD_CANCEL] = {"cancel", 1000, NULL, "cancel"},
	[RECORD_NO_ANSWER] = {"no_answer", 3000, NULL, "no-answer"},
	[RECORD_BUSY] = {"busy", 3010, NULL, "busy"},
	[RECORD_COMPLETED] = {"completed", 4000, NULL, "completed"},
	[RECORD_LOST] = {"lost", 4090, NULL, "timeout"},
	[RECORD_AUTH_FAILED] = {"sip_auth_failed", 4210, "inbound", "failed"},
	[RECORD_AUTH_FAILED_OUTBOUND] = {"sip_auth_failed", 4240, "outbound", "failed"},
	[RECORD_AUTH_TIMEOUT] = {"sip_auth_timeout", 4250, "outbound", "timeout"},
	[RECORD_FAILED] = {"failed", 5000, NULL, "failed"},
};

/* RECORD_CAUSES: it was not about authentication. */
static enum record_cause_id auth_cause(const struct record_end *end)
{
	if (end->auth == RECORD_AUTH_INBOUND)
		return RECORD_AUTH_FAILED;
	if (end->auth != RECORD_AUTH_OUTBOUND)
		return RECORD_CAUSES;
	switch (end->status) {
	case 401:
	case 403:
	case 407:
		return RECORD_AUTH_FAILED_OUTBOUND;
	case 0:
	case 408:
		return end->by == CALL_GATE ? RECORD_AUTH_TIMEOUT : RECORD_CAUSES;
	default:
		return RECORD_CAUSES;
	}
}

static enum record_cause_id status_cause(const struct record_end *end)
{
	switch (end->status) {
	case 486:
	case 600:
		return RECORD_BUSY;
	case 408:
	case 480:
		return RECORD_NO_ANSWER;
	case 487: /* answers a CANCEL, the gate's own after a time too */
		return end->by == CALL_CALLER ? RECORD_CANCEL : RECORD_NO_ANSWER;
	case 0:
		return end->by == CALL_CALLER ? RECORD_CANCEL : RECORD_FAILED;
	default:
		return RECORD_FAILED;
	}
}

const struct call_cause *record_cause(const struct record_end *end)
{
	enum record_cause_id id = auth_cause(end);

	if (id == RECORD_CAUSES && end->status >= 200 && end->status < 300)
		id = end->by == CALL_CALLER || end->by == CALL_CALLEE ? RECORD_COMPLETED
								      : RECORD_LOST;
	if (id == RECORD_CAUSES)
		id = status_cause(end);
	return &record_causes[id];
}
