/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/libbpf_log.h"

#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xdp/libxdp.h>

static _Thread_local char caught[256];

/* Adds one line to what was caught, without its end and without "libbpf: ". */
static void keep(const char *line, size_t n)
{
	size_t used = strlen(caught);

	if (n > 8 && (!strncmp(line, "libbpf: ", 8) || !strncmp(line, "libxdp: ", 8))) {
		line += 8;
		n -= 8;
	}
	while (n && (line[n - 1] == '\n' || line[n - 1] == ' '))
		n--;
	snprintf(caught + used, sizeof(caught) - used, "%s%.*s", used ? "; " : "", (int)n, line);
}

/* The verifier's complaint is the line before its statistics ("processed 120 insns …"). */
static void keep_verdict(const char *log)
{
	const char *end = strstr(log, "\nprocessed "), *start = end;

	if (!end)
		return;
	while (start > log && start[-1] != '\n')
		start--;
	keep(start, (size_t)(end - start));
}

static int catch_text(const char *format, va_list args)
{
	char *text;
	int n = vasprintf(&text, format, args);

	if (n < 0)
		return n;
	if (strstr(text, "BEGIN PROG LOAD LOG"))
		keep_verdict(text);
	else if (!caught[0])
		keep(text, strcspn(text, "\n"));
	free(text);
	return n;
}

static int on_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	return level == LIBBPF_WARN ? catch_text(format, args) : 0;
}

static int on_libxdp(enum libxdp_print_level level, const char *format, va_list args)
{
	return level == LIBXDP_WARN ? catch_text(format, args) : 0;
}

void libbpf_log_catch(void)
{
	libbpf_set_print(on_libbpf);
	libxdp_set_print(on_libxdp);
	caught[0] = '\0';
}

const char *libbpf_log_caught(void)
{
	return caught;
}
