/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls in memory, from their INVITE to their record. */
#include "failing_calloc.h"
#include "record_fixture.h"

#include "../../user/base/pool.c"
#include "../../user/record/create.c"
#undef calloc

/* What has ended lands here instead of in a writer. */
static struct record *last_ended;
static unsigned ended;

static struct record *keep_record(struct record_writer *writer, struct record *record)
{
	struct record *before = last_ended;

	(void)writer;
	last_ended = record;
	ended++;
	return before;
}
#define record_writer_put keep_record
#include "../../user/record/records.c"
#undef record_writer_put

static struct records r;

static int setup(void **state)
{
	(void)state;
	ended = 0;
	last_ended = NULL;
	allocations_left = -1;
	return records_init(&r, 1000, (struct record_writer *)&r, BEGAN);
}

static int teardown(void **state)
{
	(void)state;
	pool_discard(last_ended);
	records_free(&r);
	return 0;
}

static const struct record_end caller_ends = {.by = CALL_CALLER};

/* ---- causes ---- */

static const struct call_cause causes[] = {
	{"cancel", 1000, NULL, "cancel"},
	{"no_answer", 3000, NULL, "no-answer"},
	{"busy", 3010, NULL, "busy"},
	{"completed", 4000, NULL, "completed"},
	{"lost", 4090, NULL, "timeout"},
	{"sip_auth_failed", 4210, "inbound", "failed"},
	{"sip_auth_failed", 4240, "outbound", "failed"},
	{"sip_auth_timeout", 4250, "outbound", "timeout"},
	{"failed", 5000, NULL, "failed"},
};

static const struct {
	struct record_end end;
	unsigned code;
} ends[] = {
	{{200, CALL_CALLER, 0}, 4000},
	{{202, CALL_CALLEE, 0}, 4000},
	{{200, CALL_NOBODY, 0}, 4090},
	{{200, CALL_GATE, 0}, 4090},
	{{486, CALL_CALLEE, 0}, 3010},
	{{600, CALL_CALLEE, 0}, 3010},
	{{408, CALL_GATE, 0}, 3000},
	{{408, CALL_CALLEE, 0}, 3000},
	{{480, CALL_CALLEE, 0}, 3000},
	{{487, CALL_GATE, 0}, 3000},
	{{487, CALL_CALLEE, 0}, 3000},
	{{487, CALL_CALLER, 0}, 1000},
	{{0, CALL_CALLER, 0}, 1000},
	{{0, CALL_GATE, 0}, 5000},
	{{404, CALL_CALLEE, 0}, 5000},
	{{403, CALL_CALLEE, 0}, 5000},
	{{407, CALL_CALLEE, 0}, 5000},
	{{503, CALL_GATE, 0}, 5000},
	{{603, CALL_CALLEE, 0}, 5000},
	{{302, CALL_CALLEE, 0}, 5000},
	{{403, CALL_GATE, RECORD_AUTH_INBOUND}, 4210},
	{{486, CALL_GATE, RECORD_AUTH_INBOUND}, 4210},
	{{401, CALL_CALLEE, RECORD_AUTH_OUTBOUND}, 4240},
	{{407, CALL_CALLEE, RECORD_AUTH_OUTBOUND}, 4240},
	{{403, CALL_CALLEE, RECORD_AUTH_OUTBOUND}, 4240},
	{{408, CALL_GATE, RECORD_AUTH_OUTBOUND}, 4250},
	{{0, CALL_GATE, RECORD_AUTH_OUTBOUND}, 4250},
	/* The credentials were taken, or it was not about them. */
	{{408, CALL_CALLEE, RECORD_AUTH_OUTBOUND}, 3000},
	{{486, CALL_CALLEE, RECORD_AUTH_OUTBOUND}, 3010},
	{{487, CALL_CALLER, RECORD_AUTH_OUTBOUND}, 1000},
	{{0, CALL_CALLER, RECORD_AUTH_OUTBOUND}, 1000},
	{{200, CALL_CALLEE, RECORD_AUTH_OUTBOUND}, 4000},
};

static void each_end_has_its_cause(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		unsigned code = record_cause(&ends[i].end)->code;

		if (code != ends[i].code)
			fail_msg("%u by %d: %u, not %u", ends[i].end.status, ends[i].end.by, code,
				 ends[i].code);
	}
}

static const char *text_or_none(const char *text)
{
	return text ? text : "none";
}

static void each_cause_is_that_of_the_table_of_hosted_trunks(void **state)
{
	(void)state;
	assert_int_equal(sizeof(causes) / sizeof(causes[0]), RECORD_CAUSES);
	for (unsigned i = 0; i < RECORD_CAUSES; i++) {
		const struct call_cause *cause = &record_causes[i];

		assert_int_equal(cause->code, causes[i].code);
		assert_string_equal(cause->name, causes[i].name);
		assert_string_equal(cause->status, causes[i].status);
		assert_string_equal(text_or_none(cause->direction),
				    text_or_none(causes[i].direction));
	}
}

static void each_cause_has_a_number_of_its_own_and_a_status_of_the_six(void **state)
{
	static const char *const statuses[] = {"completed", "busy",    "no-answer",
					       "failed",    "timeout", "cancel"};

	(void)state;
	for (int i = 0; i < RECORD_CAUSES; i++) {
		bool known = false;

		for (int j = 0; j < i; j++)
			assert_int_not_equal(record_causes[i].code, record_causes[j].code);
		for (size_t k = 0; k < 6; k++)
			known |= strcmp(record_causes[i].status, statuses[k]) == 0;
		assert_true(known);
	}
}

/* Whatever the end, there is a cause. */
static void no_end_is_without_a_cause(void **state)
{
	(void)state;
	for (unsigned status = 0; status < 700; status++)
		for (int by = CALL_NOBODY; by <= CALL_GATE; by++)
			for (int auth = RECORD_AUTH_NONE; auth <= RECORD_AUTH_OUTBOUND; auth++) {
				struct record_end end = {status, (enum call_party)by,
							 (enum record_auth)auth};

				assert_non_null(record_cause(&end)->name);
			}
}

/* ---- what is written down ---- */

static void a_uri_keeps_nothing_secret(void **state)
{
	static const struct {
		const char *value, *kept;
	} rows[] = {
		{"<sip:alice@example.com>;tag=1", "sip:alice@example.com"},
		{"sip:alice@example.com;tag=1", "sip:alice@example.com"},
		{"<sip:alice:secret@example.com>", "sip:alice@example.com"},
		{"<sips:alice:se%3Dcret@example.com:5061>", "sips:alice@example.com:5061"},
		{"<sip:alice@example.com;transport=tcp;token=secret>", "sip:alice@example.com"},
		{"<sip:+4930@h;user=phone;x=y>", "sip:+4930@h;user=phone"},
		{"<sip:+4930@h;x=y;USER=Phone>", "sip:+4930@h;user=phone"},
		{"<sip:+4930@h;user=ip>", "sip:+4930@h"},
		{"<sip:+4930;isub=1;pw=secret@h>", "sip:+4930@h"},
		{"<sip:alice@h?Authorization=Digest%20secret>", "sip:alice@h"},
		{"<sip:alice@[2001:db8::1]:5070;lr>", "sip:alice@[2001:db8::1]:5070"},
		{"<sip:example.com>", "sip:example.com"},
		{"\"secret\" <sip:bob@h>;tag=2;digest=secret", "sip:bob@h"},
		{"<tel:+49-30-1234;phone-context=secret>", "tel:+49-30-1234"},
		{"<tel:secret>", "tel:"},
		{"<http://alice:secret@h/secret>", "http:"},
		{"<urn:service:sos>", "urn:"},
		{"<sip:alice:secret@>", ""},
		{"<sip:@secret>", ""},
		{"secret", ""},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct record_start start = some_start(BEGAN);
		struct record *record;

		start.from = start.to = slice_from(rows[i].value);
		record = record_create(&r.pool, &start);
		assert_string_equal(record->call.from, rows[i].kept);
		assert_string_equal(record->call.to, rows[i].kept);
		assert_null(strstr(record->call.from, "secret"));
		pool_put(&r.pool, record);
	}
}

/* Every place of an INVITE that can hold something secret holds it here. */
static void a_record_holds_no_credential_nonce_or_digest(void **state)
{
	struct record_start start = some_start(BEGAN);
	json_t *json;
	char *text;

	(void)state;
	start.from = SLICE("\"nonce=SECRET\" <sip:alice:SECRET@h;nonce=SECRET;user=phone"
			   "?Authorization=SECRET>;response=SECRET;tag=SECRET");
	start.to = SLICE("<sips:bob:SECRET@h;method=SECRET>;cnonce=\"SECRET\"");
	assert_int_equal(record_begin(&r, 1, &start), 0);
	assert_true(record_ended(&r, 1, &caller_ends, BEGAN + 5));
	json = record_json(&last_ended->call);
	text = json_dumps(json, JSON_COMPACT);
	assert_null(strstr(text, "SECRET"));
	assert_non_null(strstr(text, "\"from\":\"sip:alice@h;user=phone\",\"to\":\"sips:bob@h\""));
	free(text);
	json_decref(json);
}

static void texts_are_cut_at_whole_characters_and_printable(void **state)
{
	struct record_start start = some_start(BEGAN);
	struct record *record;
	char text[400];

	(void)state;
	start.trunk = SLICE("caf\xc3\xa9\x1b[31m\xff\xc2\x9b");
	for (size_t i = 0; i < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	start.user = start.upstream = (struct slice){text, sizeof(text)};
	start.call_id = (struct slice){"a\0b\r\n", 5};
	record = record_create(&r.pool, &start);
	assert_string_equal(record->call.trunk, "caf\xc3\xa9?[31m???");
	assert_int_equal(strlen(record->call.user), CALL_TEXT_SIZE - 2);
	assert_int_equal(strlen(record->call.upstream), RECORD_UPSTREAM_SIZE - 2);
	assert_memory_equal(record->call.user, text, CALL_TEXT_SIZE - 2);
	assert_string_equal(record->call.call_id, "a?b??");
	pool_put(&r.pool, record);
}

static void longest_texts_fit(void **state)
{
	struct record_start start = some_start(BEGAN);
	struct record *record;
	char text[2000];

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "sip:", 4);
	start.trunk = start.user = start.from = start.to = start.call_id = start.upstream =
		(struct slice){text, sizeof(text)};
	record = record_create(&r.pool, &start);
	assert_int_equal(strlen(record->call.from), CALL_TEXT_SIZE - 1);
	assert_int_equal(strlen(record->call.call_id), CALL_TEXT_SIZE - 1);
	assert_int_equal(strlen(record->call.upstream), RECORD_UPSTREAM_SIZE - 1);
	pool_put(&r.pool, record);
}

static void a_usual_call_takes_no_more_than_512_bytes(void **state)
{
	struct record_start start = some_start(BEGAN);
	size_t texts = 0;
	struct record *record = record_create(&r.pool, &start);

	(void)state;
	texts = strlen(record->call.trunk) + strlen(record->call.user) + strlen(record->call.from) +
		strlen(record->call.to) + strlen(record->call.call_id);
	assert_in_range(sizeof(*record) + texts + 5 + 16, 200, 512);
	pool_put(&r.pool, record);
}

/* ---- a call's life ---- */

static void a_call_is_known_by_its_call_then_by_its_dialog(void **state)
{
	struct record_start start = some_start(BEGAN);
	const struct call_record *call;

	(void)state;
	assert_int_equal(record_begin(&r, 1, &start), 0);
	assert_int_equal(record_begin(&r, 1, &start), -EEXIST);
	assert_null(record_numbers(&r, 1)); /* no dialog yet */
	assert_false(record_heard(&r, 1, BEGAN));
	record_upstream(&r, 1, SLICE("sip:198.51.100.2:5060;transport=tcp"));
	assert_true(record_answered(&r, 1, 2, 200, BEGAN + 3000));
	assert_true(record_answered(&r, 1, 2, 200, BEGAN + 3100));  /* the 2xx once more */
	assert_false(record_answered(&r, 1, 3, 200, BEGAN + 3200)); /* that of another fork */
	assert_false(record_ended(&r, 1, &caller_ends, BEGAN + 4000));
	assert_int_equal(ended, 0);
	record_numbers(&r, 2)->cseq_extra = 7;
	assert_int_equal(record_numbers(&r, 2)->cseq_extra, 7);
	assert_true(record_ended(&r, 2, &caller_ends, BEGAN + 63500));
	assert_false(record_ended(&r, 2, &caller_ends, BEGAN + 63500));
	assert_int_equal(ended, 1);
	call = &last_ended->call;
	assert_int_equal(call->start_ms, BEGAN);
	assert_int_equal(call->answered_ms, BEGAN + 3000);
	assert_int_equal(call->ended_ms, BEGAN + 63500);
	assert_int_equal(call_duration_ms(call), 60500);
	assert_int_equal(call->sip_status, 200);
	assert_string_equal(call->cause->name, "completed");
	assert_string_equal(call_cause_direction(call), "inbound");
	assert_string_equal(call->upstream, "sip:198.51.100.2:5060;transport=tcp");
	assert_int_equal(r.calls.count, 0);
}

static void a_call_that_is_not_answered_ends_by_its_call(void **state)
{
	static const struct record_end busy = {.status = 486, .by = CALL_CALLEE};
	struct record_start start = some_start(BEGAN);

	(void)state;
	start.direction = CALL_OUTBOUND;
	assert_int_equal(record_begin(&r, 1, &start), 0);
	assert_true(record_ended(&r, 1, &busy, BEGAN + 2000));
	assert_string_equal(last_ended->call.cause->name, "busy");
	assert_string_equal(call_cause_direction(&last_ended->call), "outbound");
	assert_int_equal(last_ended->call.sip_status, 486);
	assert_int_equal(last_ended->call.answered_ms, 0);
	assert_int_equal(call_duration_ms(&last_ended->call), 0);
}

static void a_full_table_counts_and_others_go_on(void **state)
{
	struct record_start start = some_start(BEGAN);

	(void)state;
	for (uint64_t id = 1; id <= 1000; id++)
		assert_int_equal(record_begin(&r, id, &start), 0);
	assert_int_equal(record_begin(&r, 1001, &start), -ENOSPC);
	assert_int_equal(r.full, 1);
	assert_false(record_answered(&r, 1001, 2001, 200, BEGAN));
	assert_false(record_ended(&r, 1001, &caller_ends, BEGAN));
	assert_true(record_ended(&r, 500, &caller_ends, BEGAN));
	assert_int_equal(record_begin(&r, 1001, &start), 0);
}

static void without_memory_a_call_has_no_record(void **state)
{
	struct record_start start = some_start(BEGAN - 5000);

	(void)state;
	allocations_left = 0;
	assert_int_equal(record_begin(&r, 1, &start), -ENOMEM);
	assert_int_equal(record_from_token(&r, 2, &start), -ENOMEM);
	record_refused(&r, &start, &caller_ends);
	assert_int_equal(r.full, 3);
	assert_int_equal(ended, 0);
	allocations_left = -1;
	assert_int_equal(record_begin(&r, 1, &start), 0);
	assert_true(record_ended(&r, 1, &caller_ends, BEGAN));
}

static void refusals_have_a_budget(void **state)
{
	static const struct record_end refused = {403, CALL_GATE, RECORD_AUTH_INBOUND};
	struct record_start start = some_start(BEGAN);

	(void)state;
	for (int i = 0; i < 100; i++)
		record_refused(&r, &start, &refused);
	assert_int_equal(ended, RECORDS_REFUSED_PER_S);
	assert_int_equal(r.suppressed, 100 - RECORDS_REFUSED_PER_S);
	assert_int_equal(last_ended->call.cause->code, 4210);
	assert_int_equal(last_ended->call.ended_ms, BEGAN);
	start.at_ms += 1000;
	record_refused(&r, &start, &refused);
	assert_int_equal(ended, RECORDS_REFUSED_PER_S + 1);
	assert_int_equal(r.calls.count, 0);
}

static void silence_ends_a_call_in_time(void **state)
{
	struct record_start start = some_start(BEGAN);
	int64_t late = BEGAN + RECORDS_SILENCE_MS;

	(void)state;
	for (uint64_t id = 1; id <= 200; id++) {
		assert_int_equal(record_begin(&r, id, &start), 0);
		assert_true(record_answered(&r, id, 1000 + id, 200, BEGAN));
	}
	for (int i = 0; i < 10; i++)
		records_tick(&r, late - 1);
	assert_int_equal(ended, 0);
	assert_true(record_heard(&r, 1100, late - 1));
	/* The hand stands on a call that goes. */
	records_tick(&r, late - 1);
	assert_true(record_ended(&r, 1065, &caller_ends, late - 1));
	for (int i = 0; i < 10; i++)
		records_tick(&r, late);
	assert_int_equal(ended, 199);
	assert_string_equal(last_ended->call.cause->name, "lost");
	assert_string_equal(last_ended->call.cause->status, "timeout");
	assert_int_equal(r.calls.count, 1);
	assert_true(record_ended(&r, 1100, &caller_ends, late));
	records_tick(&r, late);
}

static void fifty_thousand_calls_at_once(void **state)
{
	enum { CALLS = 50000 };
	struct record_start start = some_start(BEGAN);

	(void)state;
	r.limit = CALLS;
	for (uint64_t id = 1; id <= CALLS; id++)
		assert_int_equal(record_begin(&r, id, &start), 0);
	for (uint64_t id = 1; id <= CALLS; id++)
		assert_true(record_answered(&r, id, id << 32, 200, BEGAN + 1));
	for (uint64_t id = 1; id <= CALLS; id++)
		assert_true(record_ended(&r, id << 32, &caller_ends, BEGAN + 2));
	assert_int_equal(ended, CALLS);
	assert_int_equal(r.full, 0);
}

/* ---- tokens ---- */

static void a_call_of_before_the_start_is_taken_up_by_its_token(void **state)
{
	struct record_start start = some_start(BEGAN - 60000);

	(void)state;
	assert_int_equal(record_from_token(&r, 5, &start), 0);
	assert_int_equal(record_from_token(&r, 5, &start), -EEXIST);
	assert_non_null(record_numbers(&r, 5));
	assert_true(record_ended(&r, 5, &caller_ends, BEGAN + 1000));
	assert_int_equal(last_ended->call.start_ms, BEGAN - 60000);
	assert_int_equal(call_duration_ms(&last_ended->call), 61000);
	assert_string_equal(last_ended->call.cause->name, "completed");
	assert_true(last_ended->saved);
	/* Both sides may end it: it has one record. */
	assert_int_equal(record_from_token(&r, 5, &start), -EEXIST);
	assert_int_equal(ended, 1);
}

static void a_call_of_since_the_start_is_not_taken_up_again(void **state)
{
	struct record_start start = some_start(BEGAN);

	(void)state;
	assert_int_equal(record_begin(&r, 1, &start), 0);
	assert_true(record_answered(&r, 1, 2, 200, BEGAN + 5));
	assert_true(record_ended(&r, 2, &caller_ends, BEGAN + 10));
	assert_int_equal(record_from_token(&r, 2, &start), -EEXIST);
	start.at_ms = BEGAN - 999; /* issued within the second of the start */
	assert_int_equal(record_from_token(&r, 2, &start), -EEXIST);
}

/* ---- as JSON ---- */

static void a_record_is_told_whole(void **state)
{
	static const char wanted[] =
		"{\"start_ms\":1750000000000,\"answered_ms\":1750000002000,"
		"\"ended_ms\":1750000012345,\"duration_ms\":10345,\"direction\":\"inbound\","
		"\"source\":\"192.0.2.1:5060\",\"transport\":\"udp\",\"trunk\":\"main\","
		"\"auth_type\":\"credential\",\"user\":\"alice\","
		"\"from\":\"sip:+4930123456@gate.example;user=phone\","
		"\"to\":\"sip:+4989654321@gate.example\",\"call_id\":\"a84b4c76e66710@192.0.2.1\","
		"\"upstream\":\"sip:198.51.100.1:5060\",\"sip_status\":200,\"ended_by\":\"callee\","
		"\"hangup_cause\":{\"name\":\"completed\",\"code\":4000,\"direction\":\"inbound\","
		"\"status\":\"completed\"}}";
	static const struct record_end callee_ends = {.by = CALL_CALLEE};
	struct record_start start = some_start(BEGAN);
	json_t *json;
	char *text;

	(void)state;
	assert_int_equal(record_begin(&r, 1, &start), 0);
	json = record_json(&TAILQ_FIRST(&r.order)->call);
	assert_true(json_is_null(json_object_get(json, "ended_ms")));
	assert_true(json_is_null(json_object_get(json, "sip_status")));
	assert_true(json_is_null(json_object_get(json, "hangup_cause")));
	json_decref(json);
	assert_true(record_answered(&r, 1, 2, 200, BEGAN + 2000));
	assert_true(record_ended(&r, 2, &callee_ends, BEGAN + 12345));
	json = record_json(&last_ended->call);
	text = json_dumps(json, JSON_COMPACT);
	assert_string_equal(text, wanted);
	free(text);
	json_decref(json);
}

/* Asks until the end as the CLI does: how many calls were told, each once. */
static size_t ask_all(json_t *request, int *ret_questions)
{
	size_t told = 0;
	int questions = 0;
	long long last = INT64_MAX;
	json_t *answer, *call;
	size_t i;

	for (bool more = true; more; questions++) {
		answer = records_answer(&r, request);
		json_array_foreach(json_object_get(answer, "calls"), i, call)
		{
			assert_true(number_of(call, "start_ms") < last);
			last = number_of(call, "start_ms");
			told++;
		}
		more = json_is_string(json_object_get(answer, "next"));
		json_object_set(request, "next", json_object_get(answer, "next"));
		/* The call the place names ends meanwhile. */
		if (questions % 3 == 1 && last > BEGAN)
			record_ended(&r, (uint64_t)(last - BEGAN), &caller_ends, BEGAN);
		json_decref(answer);
	}
	json_decref(request);
	*ret_questions = questions;
	return told;
}

static void calls_in_progress_are_told_page_by_page(void **state)
{
	int questions;

	(void)state;
	for (uint64_t id = 1; id <= 900; id++) {
		struct record_start start = some_start(BEGAN + (int64_t)id);

		if (id % 9 == 0)
			start.trunk = SLICE("other");
		assert_int_equal(record_begin(&r, id, &start), 0);
	}
	assert_int_equal(ask_all(json_pack("{s:s}", "trunk", "other"), &questions), 100);
	assert_int_equal(ask_all(json_pack("{s:s}", "trunk", "nobody's"), &questions), 0);
	assert_int_equal(questions, 1);
	assert_int_equal(
		ask_all(json_pack("{s:I}", "since_ms", (json_int_t)BEGAN + 851), &questions), 50);
	assert_in_range(ask_all(json_object(), &questions), 890, 900);
	assert_in_range(questions, 36, 37);
}

static void a_question_of_nonsense_is_answered(void **state)
{
	static const char *const requests[] = {
		"{\"limit\":0}",	   "{\"limit\":-1}",
		"{\"limit\":99999999999}", "{\"next\":7}",
		"{\"next\":\"zz\"}",	   "{\"next\":\"\"}",
		"{\"since_ms\":\"noon\"}", "{\"trunk\":7}",
		"{\"limit\":\"all\"}",	   "{\"next\":\"ffffffffffffffffffffffffffffffff\"}",
	};
	struct record_start start = some_start(BEGAN);

	(void)state;
	for (uint64_t id = 1; id <= 100; id++)
		assert_int_equal(record_begin(&r, id, &start), 0);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		json_t *request = json_loads(requests[i], 0, NULL);
		json_t *answer = records_answer(&r, request);

		assert_true(json_is_array(json_object_get(answer, "calls")));
		assert_in_range(json_array_size(json_object_get(answer, "calls")), 0, 25);
		json_decref(answer);
		json_decref(request);
	}
}

/* What the CLI takes at once is 64 KB, and texts are escaped on the socket. */
static void the_longest_answer_is_below_what_the_cli_takes(void **state)
{
	struct record_start start = some_start(BEGAN);
	char wide[400], uri[400];
	json_t *answer;
	char *text;

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(wide); i += 2)
		memcpy(wide + i, "\xc3\xa9", 2);
	memset(uri, '1', sizeof(uri));
	memcpy(uri, "sip:a@", 6);
	start.trunk = start.user = start.call_id = start.upstream =
		(struct slice){wide, sizeof(wide)};
	start.from = start.to = (struct slice){uri, sizeof(uri)};
	for (uint64_t id = 1; id <= 100; id++)
		assert_int_equal(record_begin(&r, id, &start), 0);
	answer = records_answer(&r, NULL);
	assert_int_equal(json_array_size(json_object_get(answer, "calls")), 25);
	text = json_dumps(answer, JSON_COMPACT | JSON_ENSURE_ASCII);
	assert_in_range(strlen(text), 30000, 65000);
	free(text);
	json_decref(answer);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_end_has_its_cause),
		TEST(each_cause_is_that_of_the_table_of_hosted_trunks),
		TEST(each_cause_has_a_number_of_its_own_and_a_status_of_the_six),
		TEST(no_end_is_without_a_cause),
		TEST(a_uri_keeps_nothing_secret),
		TEST(a_record_holds_no_credential_nonce_or_digest),
		TEST(texts_are_cut_at_whole_characters_and_printable),
		TEST(longest_texts_fit),
		TEST(a_usual_call_takes_no_more_than_512_bytes),
		TEST(a_call_is_known_by_its_call_then_by_its_dialog),
		TEST(a_call_that_is_not_answered_ends_by_its_call),
		TEST(a_full_table_counts_and_others_go_on),
		TEST(without_memory_a_call_has_no_record),
		TEST(refusals_have_a_budget),
		TEST(silence_ends_a_call_in_time),
		TEST(fifty_thousand_calls_at_once),
		TEST(a_call_of_before_the_start_is_taken_up_by_its_token),
		TEST(a_call_of_since_the_start_is_not_taken_up_again),
		TEST(a_record_is_told_whole),
		TEST(calls_in_progress_are_told_page_by_page),
		TEST(a_question_of_nonsense_is_answered),
		TEST(the_longest_answer_is_below_what_the_cli_takes),
	};

	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
