/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/output.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CELL_SIZE 512

json_t *output_text(const char *text)
{
	json_t *string = json_string(text);
	char *copy = string ? NULL : strdup(text);
	if (!copy)
		return string;
	for (char *c = copy; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	string = json_string(copy);
	free(copy);
	return string;
}

int output_append(json_t *rows, json_t *row)
{
	return json_array_append_new(rows, row) < 0 ? -ENOMEM : 0;
}

static void format_time(double seconds, char text[CELL_SIZE])
{
	time_t t = (time_t)seconds;
	struct tm tm;
	if (!localtime_r(&t, &tm) || !strftime(text, CELL_SIZE, "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(text, CELL_SIZE, "%.0f", seconds);
}

void output_span(double seconds, char *text, size_t size)
{
	if (seconds < 120)
		snprintf(text, size, "%.0f s", seconds);
	else if (seconds < 7200)
		snprintf(text, size, "%.0f min", seconds / 60);
	else if (seconds < 172800)
		snprintf(text, size, "%.1f h", seconds / 3600);
	else
		snprintf(text, size, "%.1f d", seconds / 86400);
}

static void format_list(const json_t *list, char text[CELL_SIZE])
{
	size_t i, used = 0;
	json_t *item;
	text[0] = '\0';
	json_array_foreach(list, i, item)
	{
		int n = snprintf(text + used, CELL_SIZE - used, "%s%s", i ? " " : "",
				 json_string_value(item));
		used += (size_t)n;
		if (used >= CELL_SIZE)
			return;
	}
	if (!used)
		strcpy(text, "-");
}

static void format_cell(const struct column *column, const json_t *row, char text[CELL_SIZE])
{
	const json_t *value = json_object_get(row, column->key);
	double number = json_number_value(value);
	if (!value || json_is_null(value))
		strcpy(text, "-");
	else if (column->kind == COLUMN_NUMBER ||
		 (column->kind == COLUMN_TEXT && json_is_integer(value)))
		snprintf(text, CELL_SIZE, "%lld", (long long)json_integer_value(value));
	else if (column->kind == COLUMN_RATE)
		snprintf(text, CELL_SIZE, "%.0f", number);
	else if (column->kind == COLUMN_TIME)
		format_time(number, text);
	else if (column->kind == COLUMN_SECONDS)
		output_span(number, text, CELL_SIZE);
	else if (column->kind == COLUMN_YES)
		strcpy(text, json_is_true(value) ? "yes" : "no");
	else if (column->kind == COLUMN_LIST)
		format_list(value, text);
	else
		snprintf(text, CELL_SIZE, "%s", json_string_value(value));
}

/* Columns on a screen: characters, not bytes, of UTF-8. */
static int text_width(const char *text)
{
	int n = 0;
	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static bool right_aligned(const struct column *column)
{
	return column->kind == COLUMN_NUMBER || column->kind == COLUMN_RATE;
}

static void print_cell(const char *text, const struct column *column, int width, bool last)
{
	int blanks = width - text_width(text);
	if (right_aligned(column))
		printf("%*s%s", blanks, "", text);
	else
		printf("%s%*s", text, last ? 0 : blanks, "");
	fputs(last ? "\n" : "  ", stdout);
}

static void print_table(struct view view, const json_t *rows)
{
	int widths[16];
	char text[CELL_SIZE];
	json_t *row;
	size_t i;
	for (size_t c = 0; c < view.count; c++) {
		widths[c] = text_width(view.columns[c].title);
		json_array_foreach(rows, i, row)
		{
			format_cell(&view.columns[c], row, text);
			if (text_width(text) > widths[c])
				widths[c] = text_width(text);
		}
	}
	for (size_t c = 0; c < view.count; c++)
		print_cell(view.columns[c].title, &view.columns[c], widths[c], c + 1 == view.count);
	json_array_foreach(rows, i, row)
	{
		for (size_t c = 0; c < view.count; c++) {
			format_cell(&view.columns[c], row, text);
			print_cell(text, &view.columns[c], widths[c], c + 1 == view.count);
		}
	}
}

int output_json(struct cli *cli, json_t *value)
{
	if (!value)
		return cli_error(cli, -ENOMEM, "out of memory");
	/* While watching one value stands on one line, so that a reader knows where it ends. */
	size_t flags = args_option(cli, "--watch") ? JSON_COMPACT : JSON_INDENT(2);
	json_dumpf(value, stdout, flags | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(value);
	return 0;
}

int output_table(struct cli *cli, struct view view, json_t *rows)
{
	if (cli->json || !rows)
		return output_json(cli, rows);
	if (json_array_size(rows) == 0 && view.empty)
		printf("%s\n", view.empty);
	else
		print_table(view, rows);
	json_decref(rows);
	return 0;
}

int output_object(struct cli *cli, struct view view, json_t *object)
{
	char text[CELL_SIZE];
	int width = 0;
	if (cli->json || !object)
		return output_json(cli, object);
	for (size_t c = 0; c < view.count; c++)
		if (text_width(view.columns[c].title) > width)
			width = text_width(view.columns[c].title);
	for (size_t c = 0; c < view.count; c++) {
		if (!json_object_get(object, view.columns[c].key))
			continue;
		format_cell(&view.columns[c], object, text);
		printf("%-*s  %s\n", width, view.columns[c].title, text);
	}
	json_decref(object);
	return 0;
}

int output_done(struct cli *cli, json_t *object, const char *format, ...)
{
	va_list args;
	if (cli->json || !object)
		return output_json(cli, object);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	json_decref(object);
	return 0;
}

int output_finish(struct cli *cli)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return 0;
	int code = errno ? -errno : -EIO;
	return cli_error(cli, code == -EPIPE ? -EPIPE : -EIO, "can not write the output: %s",
			 strerror(-code));
}
