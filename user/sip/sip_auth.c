/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/sip_auth.h"

#include <errno.h>
#include <osipparser2/osip_port.h>
#include <stdlib.h>

#include "sip/sip_scan.h"

struct sip_auth_room {
	size_t size, used;
	char bytes[];
};

char *sip_auth_room(struct sip_auth_text *text, size_t n)
{
	struct sip_auth_room *room = text->room;

	if (!room) {
		room = osip_malloc(sizeof(*room) + text->value.n);
		if (!room)
			return NULL;
		*room = (struct sip_auth_room){.size = text->value.n};
		text->room = room;
	}
	room->used += n;
	return room->bytes + room->used - n;
}

void sip_auth_free(struct sip_auth_room *room)
{
	if (!room)
		return;
	explicit_bzero(room->bytes, room->size);
	osip_free(room);
}

bool sip_auth_set(struct sip_auth_table table, void *base, struct slice name, struct slice value)
{
	for (size_t i = 0; i < table.n; i++) {
		const struct sip_auth_field *field = &table.fields[i];
		struct slice *set = (struct slice *)((char *)base + field->offset);

		if (!slice_eq_nocase(name, (struct slice){field->name, field->length}))
			continue;
		if (set->p)
			return false;
		*set = value;
		return true;
	}
	return true;
}

bool sip_auth_barred(char c)
{
	return c == '\r' || c == '\n' || c == '\0';
}

static bool is_barred(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (sip_auth_barred(s.p[i]))
			return true;
	return false;
}

/* What stood between quotes. */
static int unescape(struct sip_auth_text *text, struct slice inner, struct slice *ret_value)
{
	size_t used = 0;
	char *room;

	if (is_barred(inner))
		return -EINVAL;
	*ret_value = inner;
	if (!memchr(inner.p, '\\', inner.n))
		return 0;
	room = sip_auth_room(text, inner.n);
	if (!room)
		return -ENOMEM;
	for (size_t i = 0; i < inner.n; i++) {
		if (inner.p[i] == '\\')
			i++;
		room[used++] = inner.p[i];
	}
	*ret_value = (struct slice){room, used};
	return 0;
}

static int take_quoted(struct sip_auth_text *text, struct slice s, size_t *i,
		       struct slice *ret_value)
{
	size_t begin = *i + 1, end = sip_span(s, begin, CHAR_URI | CHAR_PARAM);

	/* Most often there is nothing to unescape. */
	if (end < s.n && s.p[end] == '"') {
		*ret_value = (struct slice){s.p + begin, end - begin};
		*i = end + 1;
		return 0;
	}
	end = sip_quoted_end(s, *i);
	if (!end)
		return -EINVAL;
	*i = end;
	return unescape(text, (struct slice){s.p + begin, end - 1 - begin}, ret_value);
}

int sip_auth_take(struct sip_auth_text *text, struct slice s, size_t *i, struct slice *ret_value)
{
	size_t begin = *i;

	if (begin < s.n && s.p[begin] == '"')
		return take_quoted(text, s, i, ret_value);
	*i = sip_span(s, begin, CHAR_TOKEN);
	*ret_value = (struct slice){s.p + begin, *i - begin};
	return *i > begin ? 0 : -EINVAL;
}
