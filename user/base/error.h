/* SPDX-License-Identifier: BSD-2-Clause */
/* An error that a person will read: the cause as a negative errno, and a sentence that names the
 * field, the value and the rule. Every function that takes one accepts NULL. */
#ifndef SIPWARD_BASE_ERROR_H
#define SIPWARD_BASE_ERROR_H

struct error {
	int code;
	char text[480];
};

/* Fills in the error and returns code, a negative errno, so that a caller can return it in one
 * line. */
int error_set(struct error *err, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#endif
