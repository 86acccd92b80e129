/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "store/internal.h"

#define NOTIFY_FILE "notify"

/* A long path does not fit into a socket address; the way through /proc always does. */
static struct sockaddr_un notify_address(const struct store *store)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t size = sizeof(address.sun_path);

	if ((size_t)snprintf(address.sun_path, size, "%s/%s", store->dir, NOTIFY_FILE) >= size)
		snprintf(address.sun_path, size, "/proc/self/fd/%d/%s", store->dir_fd, NOTIFY_FILE);
	return address;
}

void store_notify(struct store *store)
{
	struct sockaddr_un address = notify_address(store);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	/* No daemon, or one with a full queue that will wake up anyway. */
	(void)!sendto(fd, "", 1, MSG_NOSIGNAL, (struct sockaddr *)&address, sizeof(address));
	close(fd);
}

static bool somebody_listens(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool listens;

	if (fd < 0)
		return true;
	listens = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
	close(fd);
	return listens;
}

static int bind_notify(struct store *store, int fd)
{
	struct sockaddr_un address = notify_address(store);
	const struct sockaddr *sa = (const struct sockaddr *)&address;

	if (bind(fd, sa, sizeof(address)) == 0)
		return 0;
	if (errno != EADDRINUSE || somebody_listens(&address))
		return -errno;
	/* The socket of a daemon that was killed. */
	if (unlinkat(store->dir_fd, NOTIFY_FILE, 0) && errno != ENOENT)
		return -errno;
	return bind(fd, sa, sizeof(address)) ? -errno : 0;
}

int store_notify_listen(struct store *store, int *ret_fd, struct error *err)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc = fd < 0 ? -errno : bind_notify(store, fd);

	if (rc == 0 && fchmodat(store->dir_fd, NOTIFY_FILE, 0600, 0))
		rc = -errno;
	if (rc) {
		if (fd >= 0)
			close(fd);
		return error_set(err, rc, "%s/%s: can not be listened to: %s", store->dir,
				 NOTIFY_FILE,
				 rc == -EADDRINUSE ? "another daemon does" : strerror(-rc));
	}
	*ret_fd = fd;
	return 0;
}
