/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/report.h"

#include "base/clock.h"
#include "base/log.h"

static bool says_nothing(const struct log_field *field)
{
	return (field->kind == LOG_FIELD_SLICE && field->slice.n == 0) ||
	       (field->kind == LOG_FIELD_INT && field->integer == 0);
}

static void report_write(enum log_level level, const struct report_line *line)
{
	const struct sip_msg *msg = line->msg;
	const struct store_trunk *trunk = line->trunk ? &line->trunk->config : NULL;
	struct log_field fields[] = {
		LOG_ENDPOINT("source", line->source),
		LOG_SLICE("method", msg->method_text),
		LOG_SLICE("uri", msg->uri),
		LOG_SLICE("from", sip_msg_value(msg, SIP_FROM)),
		LOG_SLICE("call_id", sip_msg_value(msg, SIP_CALL_ID)),
		LOG_STR("trunk", trunk ? trunk->name : ""),
		LOG_SLICE("user", line->user),
		LOG_STR("auth", trunk ? store_auth_type_name(trunk->auth) : ""),
		LOG_INT("status", line->status),
		LOG_STR("cause", line->cause),
		LOG_STR("hint", line->hint),
	};
	size_t n = 0;

	if (!log_enabled(level))
		return;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (!says_nothing(&fields[i]))
			fields[n++] = fields[i];
	log_write(level, line->event, fields, n);
}

bool report_has_room(const struct report *report, uint64_t now_ns)
{
	return report->second != now_ns / NS_PER_S || report->lines < REPORT_LINES_PER_S;
}

void report_decision(const struct report_line *line)
{
	report_write(LOG_LEVEL_DEBUG, line);
}

void report_flush(struct report *report, uint64_t now_ns)
{
	if (report->second == now_ns / NS_PER_S)
		return;
	if (report->suppressed)
		log_info("refusals_suppressed", LOG_INT("lines", (int64_t)report->suppressed));
	*report = (struct report){.second = now_ns / NS_PER_S};
}

void report_refusal(struct report *report, const struct report_line *line, uint64_t now_ns)
{
	report_flush(report, now_ns);
	if (report->lines < REPORT_LINES_PER_S) {
		report->lines++;
		report_write(LOG_LEVEL_INFO, line);
	} else {
		report->suppressed++;
	}
}

void report_lockout(const struct endpoint *source, const struct sipward_lockout *lockout,
		    uint64_t now_ns)
{
	static const char *const reasons[] = {
		[SIPWARD_LOCKOUT_MANUAL] = "manual",
		[SIPWARD_LOCKOUT_CREDENTIAL] = "wrong_credentials",
		[SIPWARD_LOCKOUT_ADDRESS] = "address_refused",
		[SIPWARD_LOCKOUT_CONNECTION] = "broken_connections",
	};
	uint64_t left_ns = lockout->until_ns > now_ns ? lockout->until_ns - now_ns : 0;
	log_info("locked_out", LOG_IP("source", &source->ip),
		 LOG_INT("seconds", (int64_t)(left_ns / NS_PER_S)),
		 LOG_INT("failures", lockout->failures),
		 LOG_STR("reason", reasons[lockout->reason]));
}

void report_hop(const struct health_hop *hop)
{
	if (hop->down)
		log_warning("upstream_down", LOG_ENDPOINT("address", &hop->endpoint),
			    LOG_STR("uri", hop->uri), LOG_INT("unanswered", hop->failures));
	else
		log_info("upstream_up", LOG_ENDPOINT("address", &hop->endpoint),
			 LOG_STR("uri", hop->uri));
}
