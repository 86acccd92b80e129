/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/printable.h"
#include "store/internal.h"

#define NAME_MAX_LENGTH 32

/* Whom sudo ran us for; only root's word counts, and only if it is a name. */
static const char *sudo_user(void)
{
	static const char name_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789._-";
	const char *name = getuid() == 0 ? getenv("SUDO_USER") : NULL;
	size_t n = name ? strlen(name) : 0;

	return n > 0 && n <= NAME_MAX_LENGTH && strspn(name, name_chars) == n ? name : NULL;
}

void who_are_we(char ret_who[WHO_SIZE])
{
	const char *program = program_invocation_short_name, *sudo = sudo_user();
	char buffer[1024], uid[16];
	struct passwd entry, *found = NULL;
	const char *user = uid;

	snprintf(uid, sizeof(uid), "uid %u", (unsigned)getuid());
	if (getpwuid_r(getuid(), &entry, buffer, sizeof(buffer), &found) == 0 && found)
		user = entry.pw_name;
	if (sudo && strcmp(sudo, user) != 0)
		snprintf(ret_who, WHO_SIZE, "%s as %.32s, %.40s", sudo, user, program);
	else
		snprintf(ret_who, WHO_SIZE, "%.32s, %.40s", user, program);
	printable(ret_who);
}
