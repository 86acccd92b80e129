/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>

/* Asks the kernel. */
static void draw(void *buf, size_t n)
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

/* A few bytes at a time come out of a thread's own stock, which spares a system call for each. What
 * has been given out is wiped. */
void random_bytes(void *buf, size_t n)
{
	static __thread unsigned char stock[1024];
	static __thread size_t left;

	if (n > sizeof(stock) / 4) {
		draw(buf, n);
		return;
	}
	if (n > left) {
		draw(stock, sizeof(stock));
		left = sizeof(stock);
	}
	left -= n;
	memcpy(buf, stock + left, n);
	explicit_bzero(stock + left, n);
}
