/* SPDX-License-Identifier: BSD-2-Clause */
/* The file that outbound passwords are sealed with. Not in the database, whose copies go elsewhere
 * more easily. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/random.h"
#include "store/internal.h"

#define KEY_FILE "outbound.key"
#define KEY_SIZE 32

static int file_error(struct store *store, const char *what, struct error *err)
{
	int cause = errno;

	return error_set(err, -cause, "%s/%s: %s: %s", store->dir, KEY_FILE, what, strerror(cause));
}

static int read_key(struct store *store, uint8_t ret_key[KEY_SIZE], struct error *err)
{
	int fd = openat(store->dir_fd, KEY_FILE, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return file_error(store, "can not be opened", err);
	n = read(fd, ret_key, KEY_SIZE);
	close(fd);
	if (n != KEY_SIZE)
		return error_set(err, -EIO, "%s/%s: is no key of %d bytes", store->dir, KEY_FILE,
				 KEY_SIZE);
	return 0;
}

/* Under another name first: it is there whole, or not at all. */
static int make_key(struct store *store, struct error *err)
{
	static const char new_file[] = KEY_FILE ".new";
	uint8_t key[KEY_SIZE];
	bool done;
	int fd;

	unlinkat(store->dir_fd, new_file, 0);
	fd = openat(store->dir_fd, new_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return file_error(store, "can not be made", err);
	random_bytes(key, sizeof(key));
	done = write(fd, key, sizeof(key)) == KEY_SIZE && fsync(fd) == 0;
	explicit_bzero(key, sizeof(key));
	close(fd);
	if (!done || renameat(store->dir_fd, new_file, store->dir_fd, KEY_FILE) ||
	    fsync(store->dir_fd))
		return file_error(store, "can not be written", err);
	return 0;
}

int outbound_key(struct store *store, bool make, struct sealed_key *ret_key, struct error *err)
{
	uint8_t key[KEY_SIZE];
	int rc = read_key(store, key, err);

	if (rc == -ENOENT && make)
		rc = make_key(store, err);
	if (rc == 0 && make)
		rc = read_key(store, key, err);
	if (rc == 0 && sealed_key_init((struct slice){(const char *)key, sizeof(key)},
				       "sipward outbound", ret_key))
		rc = error_set(err, -ENOMEM, "out of memory");
	explicit_bzero(key, sizeof(key));
	return rc;
}
