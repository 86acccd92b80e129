/* SPDX-License-Identifier: BSD-2-Clause */
#include "document/reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/printable.h"

/* ---- where we are ---- */

/* Steps into a key or, with text such as "[3]", an element; reader_leave() takes what this returns.
 */
size_t reader_enter(struct reader *r, const char *key)
{
	size_t n = strlen(r->place);

	snprintf(r->place + n, sizeof(r->place) - n, "%s%s", n && key[0] != '[' ? "." : "", key);
	return n;
}

size_t reader_enter_element(struct reader *r, size_t i)
{
	char text[24];

	snprintf(text, sizeof(text), "[%zu]", i);
	return reader_enter(r, text);
}

void reader_leave(struct reader *r, size_t n)
{
	r->place[n] = '\0';
}

int reader_wrong(struct reader *r, const char *format, ...)
{
	char text[480];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printable(r->place);
	printable(text);
	if (!r->place[0])
		return error_set(r->err, -EINVAL, "the document %s", text);
	return error_set(r->err, -EINVAL, "%s: %s", r->place, text);
}

int reader_wrong_by(struct reader *r, const struct error *why)
{
	return reader_wrong(r, "%s", why->text);
}

/* ---- kinds of values ---- */

static bool is_one_of(const char *key, const char *keys)
{
	struct slice rest = slice_from(keys);

	while (rest.n) {
		if (slice_eq(slice_cut(rest, '|', &rest), slice_from(key)))
			return true;
	}
	return false;
}

int reader_check(struct reader *r, json_t *object, const struct fields *fields, const char *keys)
{
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return reader_wrong(r, "must be an object");
	json_object_foreach(object, key, value)
	{
		if (is_one_of(key, keys) || (fields && field_find(fields, key)))
			continue;
		reader_enter(r, key);
		return reader_wrong(r, "is no key that is known here");
	}
	return 0;
}

int reader_text(struct reader *r, const json_t *object, const char *key, char *ret_text,
		size_t size)
{
	const json_t *value = json_object_get(object, key);
	struct slice text = {json_string_value(value), json_string_length(value)};
	size_t at;

	if (!value)
		return 0;
	at = reader_enter(r, key);
	if (!json_is_string(value))
		return reader_wrong(r, "must be a string");
	if (text.n >= size)
		return reader_wrong(r, "is longer than %zu bytes", size - 1);
	if (slice_text(text, ret_text, size))
		return reader_wrong(r, "holds a zero byte");
	reader_leave(r, at);
	return 0;
}

int reader_yes(struct reader *r, const json_t *object, const char *key, bool *ret_yes)
{
	const json_t *value = json_object_get(object, key);

	if (value && !json_is_boolean(value)) {
		reader_enter(r, key);
		return reader_wrong(r, "must be true or false");
	}
	*ret_yes = json_is_true(value);
	return 0;
}

int reader_name(struct reader *r, const char *key, char *ret_name, size_t size)
{
	if (slice_text(slice_from(key), ret_name, size))
		return reader_wrong(r, "the name is longer than %zu bytes", size - 1);
	return 0;
}

int reader_fields(struct reader *r, json_t *object, const struct fields *fields, void *into)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		const struct field *field = field_find(fields, key);
		struct error why;
		size_t at;

		if (!field)
			continue;
		at = reader_enter(r, key);
		if (field_put(field, value, into, &why))
			return reader_wrong_by(r, &why);
		reader_leave(r, at);
	}
	return 0;
}

int reader_members(struct reader *r, json_t *object, const struct items *items)
{
	const char *key;
	json_t *value;

	if (object && !json_is_object(object))
		return reader_wrong(r, "must be an object");
	json_object_foreach(object, key, value)
	{
		void *item = list_add(items->list, items->size);
		size_t at = reader_enter(r, key);
		int rc = item ? items->read(r, key, value, item) : -ENOMEM;

		if (rc)
			return rc;
		reader_leave(r, at);
	}
	list_sort(items->list, items->size, name_order);
	return 0;
}

int reader_elements(struct reader *r, json_t *array, const struct items *items)
{
	json_t *value;
	size_t i;

	if (array && !json_is_array(array))
		return reader_wrong(r, "must be a list");
	json_array_foreach(array, i, value)
	{
		void *item = list_add(items->list, items->size);
		size_t at = reader_enter_element(r, i);
		int rc = item ? items->read(r, NULL, value, item) : -ENOMEM;

		if (rc)
			return rc;
		reader_leave(r, at);
	}
	return 0;
}
