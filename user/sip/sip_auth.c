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

/* What stood between quotes. */
static int unquote(struct sip_auth_text *text, struct slice inner, struct slice *ret_value)
{
	size_t used = 0;
	char *room;

	/* Most often there is nothing to unescape. */
	if (sip_span(inner, 0, CHAR_URI | CHAR_PARAM) == inner.n) {
		*ret_value = inner;
		return 0;
	}
	room = sip_auth_room(text, inner.n);
	if (!room)
		return -ENOMEM;
	for (size_t i = 0; i < inner.n; i++) {
		if (inner.p[i] == '\\')
			i++;
		if (sip_auth_barred(inner.p[i]))
			return -EINVAL;
		room[used++] = inner.p[i];
	}
	*ret_value = (struct slice){room, used};
	return 0;
}

int sip_auth_value(struct sip_auth_text *text, struct slice value, struct slice *ret_value)
{
	if (value.n > 0 && value.p[0] == '"') {
		if (sip_quoted_end(value, 0) != value.n)
			return -EINVAL;
		return unquote(text, (struct slice){value.p + 1, value.n - 2}, ret_value);
	}
	if (!sip_all_are(value, CHAR_TOKEN))
		return -EINVAL;
	*ret_value = value;
	return 0;
}
