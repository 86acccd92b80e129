/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/utf8.h"

#define LINE_MAX_BYTES 2048

static enum log_format format_in_use = LOG_FORMAT_TEXT;
static enum log_level level_in_use = LOG_LEVEL_INFO;

void log_setup(enum log_format format, enum log_level level)
{
	format_in_use = format;
	level_in_use = level;
}

bool log_enabled(enum log_level level)
{
	return level <= level_in_use;
}

struct line {
	char text[LINE_MAX_BYTES];
	size_t n;
};

/* Room for a closing quote, brace and line end is always kept. */
static size_t room(const struct line *line)
{
	return sizeof(line->text) - 4 - line->n;
}

static void put_char(struct line *line, char c)
{
	if (room(line) > 0)
		line->text[line->n++] = c;
}

static void put_text(struct line *line, const char *text)
{
	while (*text)
		put_char(line, *text++);
}

/* What is printable stays as it is; no character is cut in two where the line is full. */
static void put_escaped(struct line *line, struct slice s)
{
	char escaped[8];

	for (size_t n, i = 0; i < s.n; i += n ? n : 1) {
		n = utf8_printable(s, i);
		if (n == 0)
			snprintf(escaped, sizeof(escaped), "\\u%04x", (unsigned char)s.p[i]);
		else
			snprintf(escaped, sizeof(escaped), "%s%.*s",
				 s.p[i] == '"' || s.p[i] == '\\' ? "\\" : "", (int)n, s.p + i);
		if (room(line) < strlen(escaped))
			return;
		put_text(line, escaped);
	}
}

static void put_quoted(struct line *line, struct slice s)
{
	put_char(line, '"');
	put_escaped(line, s);
	put_char(line, '"');
}

static bool is_plain(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '"' || s.p[i] == '=' ||
		    s.p[i] == '\\')
			return false;
	}
	return s.n > 0;
}

static void put_value(struct line *line, const struct log_field *field)
{
	char text[ENDPOINT_TEXT_SIZE];
	struct slice s = field->slice;

	switch (field->kind) {
	case LOG_FIELD_INT:
		snprintf(text, sizeof(text), "%" PRId64, field->integer);
		put_text(line, text);
		return;
	case LOG_FIELD_ENDPOINT:
		endpoint_format(field->endpoint, text);
		s = slice_from(text);
		break;
	case LOG_FIELD_IP:
		ip_format(field->ip, text);
		s = slice_from(text);
		break;
	case LOG_FIELD_SLICE:
		break;
	}
	if (format_in_use == LOG_FORMAT_TEXT && is_plain(s))
		put_escaped(line, s);
	else
		put_quoted(line, s);
}

static void put_json(struct line *line, const char *level, const char *event,
		     const struct log_field *fields, size_t n)
{
	struct timespec now;
	char head[160];

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(head, sizeof(head), "{\"time\":%lld.%03ld,\"level\":\"%s\",\"event\":\"%s\"",
		 (long long)now.tv_sec, now.tv_nsec / 1000000, level, event);
	put_text(line, head);
	for (size_t i = 0; i < n; i++) {
		put_char(line, ',');
		put_quoted(line, slice_from(fields[i].key));
		put_char(line, ':');
		put_value(line, &fields[i]);
	}
}

static void put_plain(struct line *line, const char *level, const char *event,
		      const struct log_field *fields, size_t n)
{
	put_text(line, level);
	put_char(line, ' ');
	put_text(line, event);
	for (size_t i = 0; i < n; i++) {
		put_char(line, ' ');
		put_text(line, fields[i].key);
		put_char(line, '=');
		put_value(line, &fields[i]);
	}
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	struct line line = {.n = 0};
	ssize_t written;

	if (format_in_use == LOG_FORMAT_JSON) {
		put_json(&line, names[level], event, fields, n);
		/* A line cut short by its limit must still be one JSON object. */
		if (line.n >= sizeof(line.text) - 4) {
			line.n = 0;
			put_json(&line, names[level], event, NULL, 0);
		}
		line.text[line.n++] = '}';
	} else {
		put_plain(&line, names[level], event, fields, n);
	}
	line.text[line.n++] = '\n';
	written = write(STDERR_FILENO, line.text, line.n);
	(void)written; /* a closed standard error must not stop calls */
}
