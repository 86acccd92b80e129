/* SPDX-License-Identifier: BSD-2-Clause */
/* Taking values out of a document, with the place in it for the sentence where one is wrong. What
 * returns an int returns 0, -EINVAL with that sentence, or -ENOMEM. */
#ifndef SIPWARD_DOCUMENT_READER_H
#define SIPWARD_DOCUMENT_READER_H

#include "document/fields.h"
#include "document/seal.h"
#include "document/state.h"

struct reader {
	struct sealed_key seal;
	bool sealing;
	struct error *err;
	char place[256]; /* "trunks.main.e164" */
};

/* Steps into a key or, with text such as "[3]", an element; reader_leave takes what this
 * returns. After an error the place stays where it is. */
size_t reader_enter(struct reader *r, const char *key);
size_t reader_enter_element(struct reader *r, size_t i);
void reader_leave(struct reader *r, size_t n);

int reader_wrong(struct reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The error that another function has left, with the place in front. */
int reader_wrong_by(struct reader *r, const struct error *why);

/* An object whose keys are all among those of the table (may be NULL) and "a|b|c". */
int reader_check(struct reader *r, json_t *object, const struct fields *fields, const char *keys);
/* Text that may be missing: "" then. */
int reader_text(struct reader *r, const json_t *object, const char *key, char *ret_text,
		size_t size);
int reader_yes(struct reader *r, const json_t *object, const char *key, bool *ret_yes);
/* The name of an object is its key. */
int reader_name(struct reader *r, const char *key, char *ret_name, size_t size);
int reader_fields(struct reader *r, json_t *object, const struct fields *fields, void *into);

/* Reads each member of an object that may be missing, or each element of a list, into one more
 * item. */
struct items {
	struct list *list;
	size_t size;
	int (*read)(struct reader *r, const char *key, json_t *value, void *item);
};
int reader_members(struct reader *r, json_t *object, const struct items *items);
int reader_elements(struct reader *r, json_t *array, const struct items *items);

/* A trunk (read_trunk.c), for reader_members. */
int read_trunk(struct reader *r, const char *key, json_t *value, void *item);

#endif
