/* SPDX-License-Identifier: BSD-2-Clause */
/* The settings and the fields of a trunk, as tables: what each is called in the document, and how
 * it is written. */
#ifndef SIPWARD_DOCUMENT_FIELDS_H
#define SIPWARD_DOCUMENT_FIELDS_H

#include <jansson.h>

#include "store/store.h"

enum field_kind {
	FIELD_TEXT,
	FIELD_WORDS, /* text with blanks between its words; a list in the document */
	FIELD_NUMBER,
	FIELD_YES,
	FIELD_CHOICE,	  /* an enum or a bool: the place among the choices */
	FIELD_ALGORITHMS, /* an array and its count behind it, both here and below */
	FIELD_PORTS,
};

struct field {
	const char *key;
	enum field_kind kind;
	size_t offset, size;
	const char *choices; /* "a|b|c" */
};

struct fields {
	const struct field *list;
	size_t n;
};

extern const struct fields setting_fields, trunk_fields;

/* NULL if there is none of this name. */
const struct field *field_find(const struct fields *fields, const char *key);
bool field_equal(const struct field *field, const void *a, const void *b);
bool fields_equal(const struct fields *fields, const void *a, const void *b);
/* NULL: out of memory. */
json_t *field_get(const struct field *field, const void *object);
/* -EINVAL: the sentence says what the value must be. */
int field_put(const struct field *field, const json_t *value, void *object, struct error *err);

#endif
