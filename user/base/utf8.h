/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIPWARD_BASE_UTF8_H
#define SIPWARD_BASE_UTF8_H

#include "base/slice.h"

/* How many bytes the character at index i has; 0 if it is a control character (below U+0020, U+007F
 * to U+009F) or no well-formed UTF-8 (RFC 3629 §4). */
size_t utf8_printable(struct slice s, size_t i);

#endif
