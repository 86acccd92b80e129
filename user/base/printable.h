/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIPWARD_BASE_PRINTABLE_H
#define SIPWARD_BASE_PRINTABLE_H

/* Control characters, those of UTF-8 too (U+0080–9F), become '?': the text can not speak to a
 * terminal. Changes it in place. */
void printable(char *text);

#endif
