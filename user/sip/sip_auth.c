/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/sip_auth.h"

#include <errno.h>
#include <osipparser2/osip_port.h>
#include <stdlib.h>

#include "sip/sip_scan.h"

int sip_auth_copy(struct slice value, struct sip_auth_text **ret_owned)
{
	struct sip_auth_text *owned = osip_malloc(sizeof(*owned) + value.n);

	if (!owned)
		return -ENOMEM;
	owned->n = value.n;
	if (value.n > 0)
		memcpy(owned->text, value.p, value.n);
	*ret_owned = owned;
	return 0;
}

void sip_auth_free(struct sip_auth_text *owned)
{
	if (!owned)
		return;
	explicit_bzero(owned->text, owned->n);
	osip_free(owned);
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

static int unquote(char *text, size_t n, struct slice *ret_value)
{
	struct slice inner = {text + 1, n - 2};
	size_t used = 0;

	/* Most often there is nothing to unescape. */
	if (sip_span(inner, 0, CHAR_URI | CHAR_PARAM) == inner.n) {
		*ret_value = inner;
		return 0;
	}
	for (size_t i = 1; i < n - 1; i++) {
		if (text[i] == '\\')
			i++;
		if (sip_auth_barred(text[i]))
			return -EINVAL;
		text[used++] = text[i];
	}
	*ret_value = (struct slice){text, used};
	return 0;
}

int sip_auth_value(struct sip_auth_text *owned, struct slice value, struct slice *ret_value)
{
	if (value.n > 0 && value.p[0] == '"') {
		if (sip_quoted_end(value, 0) != value.n)
			return -EINVAL;
		return unquote(owned->text + (value.p - owned->text), value.n, ret_value);
	}
	if (!sip_all_are(value, CHAR_TOKEN))
		return -EINVAL;
	*ret_value = value;
	return 0;
}
