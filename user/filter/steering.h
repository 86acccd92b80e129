/* SPDX-License-Identifier: BSD-2-Clause */
/* Has the kernel hand datagrams to the socket of the worker whose call they are of. */
#ifndef SIPWARD_FILTER_STEERING_H
#define SIPWARD_FILTER_STEERING_H

#include <stdint.h>

#include "base/error.h"

#define STEERING_WORKERS_MAX 64

/* fds: UDP sockets bound to one address with SO_REUSEPORT, each worker's in its place. A worker's
 * calls are those whose Call-ID has siphash_64(key) % n as its number. Lasts as long as they do.
 * 0 or a negative errno: a missing right or kernel feature, for one. */
int steering_attach(const int *fds, unsigned n, const uint8_t key[16], struct error *err);

#endif
