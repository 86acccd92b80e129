/* SPDX-License-Identifier: BSD-2-Clause */
/* What is written down of a call, and how it lies in memory. */
#include "base/utf8.h"
#include "record/internal.h"
#include "sip/sip_grammar.h"

/* Copies whole characters as far as they fit, '?' for what is none or can not be printed. */
static void put_clean(struct slice s, char *buf, size_t size)
{
	size_t used = 0;

	for (size_t n, i = 0; i < s.n; i += n ? n : 1) {
		n = utf8_printable(s, i);
		if (used + (n ? n : 1) >= size)
			break;
		if (n)
			memcpy(buf + used, s.p + i, n);
		else
			buf[used] = '?';
		used += n ? n : 1;
	}
	buf[used] = '\0';
}

void record_set_upstream(struct record *record, struct slice upstream)
{
	put_clean(upstream, record->upstream, sizeof(record->upstream));
}

/* Copies a text to *at, and moves *at behind it. */
static const char *put_text(char **at, const char *text)
{
	char *here = *at;

	*at = stpcpy(here, text) + 1;
	return here;
}

struct record *record_copy(struct pool *pool, const struct call_record *call)
{
	const char *texts[] = {call->trunk, call->user, call->from, call->to, call->call_id};
	size_t size = sizeof(struct record);
	struct record *record;
	char *at;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		size += strlen(texts[i]) + 1;
	record = pool_take_zeroed(pool, size);
	if (!record)
		return NULL;
	at = record->texts;
	record->call = *call;
	record->call.trunk = put_text(&at, call->trunk);
	record->call.user = put_text(&at, call->user);
	record->call.from = put_text(&at, call->from);
	record->call.to = put_text(&at, call->to);
	record->call.call_id = put_text(&at, call->call_id);
	record->call.upstream = record->upstream;
	record_set_upstream(record, slice_from(call->upstream));
	record->heard_ms = call->start_ms;
	return record;
}

struct record *record_create(struct pool *pool, const struct record_start *start)
{
	char trunk[CALL_TEXT_SIZE], user[CALL_TEXT_SIZE], from[CALL_TEXT_SIZE], to[CALL_TEXT_SIZE],
		call_id[CALL_TEXT_SIZE], upstream[RECORD_UPSTREAM_SIZE];
	struct call_record call = {
		.start_ms = start->at_ms,
		.source = start->source,
		.trunk = trunk,
		.user = user,
		.from = from,
		.to = to,
		.call_id = call_id,
		.upstream = upstream,
		.transport = (uint8_t)start->transport,
		.auth = (uint8_t)start->auth,
		.direction = (uint8_t)start->direction,
	};

	put_clean(start->trunk, trunk, sizeof(trunk));
	put_clean(start->user, user, sizeof(user));
	sip_uri_plain(sip_element_uri(start->from), from, sizeof(from));
	sip_uri_plain(sip_element_uri(start->to), to, sizeof(to));
	put_clean(start->call_id, call_id, sizeof(call_id));
	put_clean(start->upstream, upstream, sizeof(upstream));
	return record_copy(pool, &call);
}
