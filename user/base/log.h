/* SPDX-License-Identifier: BSD-2-Clause */
/* Structured log lines on standard error: `event key=value` or one JSON object a line. Values are
 * escaped, so that a packet can not forge a line. */
#ifndef SIPWARD_BASE_LOG_H
#define SIPWARD_BASE_LOG_H

#include <stdint.h>

#include "base/addr.h"
#include "base/slice.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_field {
	const char *key;
	enum { LOG_FIELD_SLICE, LOG_FIELD_INT, LOG_FIELD_ENDPOINT, LOG_FIELD_IP } kind;
	struct slice slice;
	int64_t integer;
	const struct endpoint *endpoint;
	const struct ip *ip;
};

#define LOG_STR(k, v) ((struct log_field){.key = (k), .slice = slice_from(v)})
#define LOG_SLICE(k, v) ((struct log_field){.key = (k), .slice = (v)})
#define LOG_INT(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_INT, .integer = (v)})
#define LOG_ENDPOINT(k, v)                                                                         \
	((struct log_field){.key = (k), .kind = LOG_FIELD_ENDPOINT, .endpoint = (v)})
#define LOG_IP(k, v) ((struct log_field){.key = (k), .kind = LOG_FIELD_IP, .ip = (v)})

void log_setup(enum log_format format, enum log_level level);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n);

#define LOG_AT(level, event, ...)                                                                  \
	do {                                                                                       \
		if (log_enabled(level)) {                                                          \
			const struct log_field log_fields_[] = {__VA_ARGS__};                      \
			log_write(level, event, log_fields_,                                       \
				  sizeof(log_fields_) / sizeof(log_fields_[0]));                   \
		}                                                                                  \
	} while (0)
#define log_error(event, ...) LOG_AT(LOG_LEVEL_ERROR, event, __VA_ARGS__)
#define log_warning(event, ...) LOG_AT(LOG_LEVEL_WARNING, event, __VA_ARGS__)
#define log_info(event, ...) LOG_AT(LOG_LEVEL_INFO, event, __VA_ARGS__)
#define log_debug(event, ...) LOG_AT(LOG_LEVEL_DEBUG, event, __VA_ARGS__)

#endif
