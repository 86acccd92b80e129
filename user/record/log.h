/* SPDX-License-Identifier: BSD-2-Clause */
/* The call log: a JSON object a line, appended to a file that may be rotated. */
#ifndef SIPWARD_RECORD_LOG_H
#define SIPWARD_RECORD_LOG_H

#include "record/internal.h"

struct record_log {
	char path[4096]; /* "" = none */
	int fd;		 /* -1 = not open */
	bool failed;	 /* and told so */
	uint64_t lost;	 /* lines of the batch under way that were not written */
	size_t n;
	char lines[65536];
};

void record_log_init(struct record_log *log, const char *path);
/* Closes the file; the next line opens what is there under its name, or makes it. */
void record_log_close(struct record_log *log);
/* Appends the calls that are over. A line is written whole or not at all, and not tried again: how
 * many were not written. */
uint64_t record_log_append(struct record_log *log, const struct record_list *list);

#endif
