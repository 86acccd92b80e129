/* SPDX-License-Identifier: BSD-2-Clause */
/* What commands print: JSON for programs, the same values as aligned text for people. */
#ifndef SIPWARD_CLI_OUTPUT_H
#define SIPWARD_CLI_OUTPUT_H

#include <jansson.h>

#include "cli/cli.h"

enum column_kind {
	COLUMN_TEXT,
	COLUMN_NUMBER,	/* right-aligned */
	COLUMN_RATE,	/* a real number a second, right-aligned */
	COLUMN_TIME,	/* seconds since 1970, printed as local time */
	COLUMN_SECONDS, /* a span: 45 s, 3 min, 2.5 h */
	COLUMN_YES,	/* true: yes, false: no */
	COLUMN_LIST,	/* an array of strings */
};

/* A value of a JSON object and its title in text. */
struct column {
	const char *title, *key;
	enum column_kind kind;
};

struct view {
	const struct column *columns;
	size_t count;
	const char *empty; /* the text where a table has no rows */
};

#define VIEW(columns_, empty_)                                                                     \
	((struct view){(columns_), sizeof(columns_) / sizeof((columns_)[0]), (empty_)})

/* The text as a JSON string; bytes that are no UTF-8 become '?'. */
json_t *output_text(const char *text);
/* Prints an array of objects as a table. Takes over rows, NULL meaning out of memory. */
int output_table(struct cli *cli, struct view view, json_t *rows);
/* Prints an object, one value a line. Takes it over, like output_table. */
int output_object(struct cli *cli, struct view view, json_t *object);
/* What a change did: the sentence, or the object with --json. */
int output_done(struct cli *cli, json_t *object, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Prints any JSON value; takes it over. */
int output_json(struct cli *cli, json_t *value);
/* Ends the output: an error that standard output met, such as a full disk. */
int output_finish(struct cli *cli);

/* A span of time: 45 s, 3 min, 2.5 h. */
void output_span(double seconds, char *text, size_t size);

/* Appends to an array; takes over row. 0 or -ENOMEM. */
int output_append(json_t *rows, json_t *row);

#endif
