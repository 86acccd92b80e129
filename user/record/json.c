/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "record/internal.h"

#define ANSWER_CALLS 25	     /* with the longest texts below what the CLI takes at once */
#define ANSWER_LOOKS_AT 4096 /* then the worker goes on with its calls */

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *time_json(int64_t time_ms)
{
	return time_ms ? json_integer(time_ms) : json_null();
}

static json_t *cause_json(const struct call_record *record)
{
	const struct call_cause *cause = record->cause;

	if (!cause)
		return json_null();
	return json_pack("{s:s, s:I, s:s, s:s}", "name", cause->name, "code",
			 (json_int_t)cause->code, "direction", call_cause_direction(record),
			 "status", cause->status);
}

static json_t *source_json(const struct call_record *record)
{
	char text[ENDPOINT_TEXT_SIZE];

	endpoint_format(&record->source, text);
	return json_string(text);
}

json_t *record_json(const struct call_record *record)
{
	bool over = record->ended_ms != 0;

	return json_pack(
		"{s:I, s:o, s:o, s:o, s:s, s:o, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, "
		"s:o}",
		"start_ms", (json_int_t)record->start_ms, "answered_ms",
		time_json(record->answered_ms), "ended_ms", time_json(record->ended_ms),
		"duration_ms", over ? json_integer(call_duration_ms(record)) : json_null(),
		"direction", call_direction_name(record->direction), "source", source_json(record),
		"transport", call_transport_name(record->transport), "trunk", record->trunk,
		"auth_type", store_auth_type_name(record->auth), "user", record->user, "from",
		record->from, "to", record->to, "call_id", record->call_id, "upstream",
		record->upstream, "sip_status",
		record->sip_status ? number(record->sip_status) : json_null(), "ended_by",
		over ? json_string(call_party_name(record->ended_by)) : json_null(), "hangup_cause",
		cause_json(record));
}

/* ---- the control socket ---- */

/* Where the next answer goes on, behind the call that was looked at last; hex outside. */
struct place {
	uint64_t sequence, id;
};
#define PLACE_TEXT_SIZE (2 * sizeof(struct place) + 1)

struct question {
	struct place behind; /* sequence 0: from the latest on */
	int64_t since_ms;
	const char *trunk; /* NULL: any */
	json_int_t limit;
};

static struct question read_question(const json_t *request)
{
	const char *next = json_string_value(json_object_get(request, "next"));
	const json_t *limit = json_object_get(request, "limit");
	struct question question = {
		.since_ms = json_integer_value(json_object_get(request, "since_ms")),
		.trunk = json_string_value(json_object_get(request, "trunk")),
		.limit = ANSWER_CALLS,
	};

	if (json_is_integer(limit) && json_integer_value(limit) < ANSWER_CALLS)
		question.limit = json_integer_value(limit);
	/* One that can not be read is none. */
	if (next)
		(void)hex_decode(slice_from(next), &question.behind, sizeof(question.behind));
	return question;
}

static bool is_asked_for(const struct record *record, const struct question *question)
{
	return record->call.start_ms >= question->since_ms &&
	       (!question->trunk || strcmp(record->call.trunk, question->trunk) == 0);
}

/* If the call there is over since, the next older one is looked for. */
static const struct record *begin_behind(const struct records *records, const struct place *place)
{
	const struct record *record = record_find(records, place->id);

	if (record && record->sequence == place->sequence)
		return TAILQ_PREV(record, record_list, link);
	record = TAILQ_LAST(&records->order, record_list);
	while (record && place->sequence && record->sequence >= place->sequence)
		record = TAILQ_PREV(record, record_list, link);
	return record;
}

static json_t *place_json(const struct place *place)
{
	char text[PLACE_TEXT_SIZE];

	hex_encode(place, sizeof(*place), text);
	return json_string(text);
}

json_t *records_answer(const struct records *records, const json_t *request)
{
	struct question question = read_question(request);
	const struct record *record = begin_behind(records, &question.behind);
	json_t *calls = json_array();
	json_int_t n = 0;

	for (int looks = 0; record && n < question.limit && looks < ANSWER_LOOKS_AT; looks++) {
		if (is_asked_for(record, &question)) {
			json_array_append_new(calls, record_json(&record->call));
			n++;
		}
		question.behind = (struct place){record->sequence, record->id};
		record = TAILQ_PREV(record, record_list, link);
	}
	return json_pack("{s:o, s:o}", "calls", calls, "next",
			 record ? place_json(&question.behind) : json_null());
}
