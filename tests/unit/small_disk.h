/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef SIPWARD_TESTS_SMALL_DISK_H
#define SIPWARD_TESTS_SMALL_DISK_H

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mount.h>
#include <unistd.h>

/* A small disk over the directory, in a mount namespace that ends with this process. */
static inline bool mount_small_disk(const char *dir, unsigned kbytes)
{
	char options[64];

	snprintf(options, sizeof(options), "size=%uk,mode=0700", kbytes);
	if (geteuid() != 0 || unshare(CLONE_NEWNS))
		return false;
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", dir, "tmpfs", 0, options) == 0;
}

#endif
