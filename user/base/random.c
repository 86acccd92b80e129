/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/types.h>

void random_bytes(void *buf, size_t n)
{
	unsigned char *out = buf;

	while (n > 0) {
		ssize_t got = getrandom(out, n, 0);

		if (got < 0 && errno != EINTR)
			abort();
		if (got > 0) {
			out += got;
			n -= (size_t)got;
		}
	}
}
