/* SPDX-License-Identifier: BSD-2-Clause */
/* The key file. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sealed.h"
#include "document/document.h"

#define CONTENT_MIN 32
#define CONTENT_MAX 4096

static int check_file(int fd, const char *path, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return error_set(err, -errno, "key file %s: %s", path, strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "key file %s: is no regular file", path);
	if (st.st_mode & 077)
		return error_set(err, -EACCES,
				 "key file %s: others than its owner may use it; `chmod 600` "
				 "mends that",
				 path);
	return 0;
}

static int read_content(int fd, char *content, const char *path, struct error *err, size_t *ret_n)
{
	size_t n = 0;
	ssize_t got;

	while ((got = read(fd, content + n, CONTENT_MAX + 1 - n)) != 0) {
		if (got < 0 && errno != EINTR)
			return error_set(err, -errno, "key file %s: %s", path, strerror(errno));
		n += got > 0 ? (size_t)got : 0;
	}
	if (n < CONTENT_MIN || n > CONTENT_MAX)
		return error_set(err, -EINVAL,
				 "key file %s: must hold %d to %d random bytes (`openssl rand -hex "
				 "32` makes some)",
				 path, CONTENT_MIN, CONTENT_MAX);
	*ret_n = n;
	return 0;
}

int document_key_read(const char *path, struct document_key *ret_key, struct error *err)
{
	/* Not to wait for a pipe's other end. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char content[CONTENT_MAX + 1];
	size_t n = 0;
	int rc;

	if (fd < 0)
		return error_set(err, -errno, "key file %s: %s", path, strerror(errno));
	rc = check_file(fd, path, err);
	if (rc == 0)
		rc = read_content(fd, content, path, err, &n);
	if (rc == 0) {
		rc = sealed_derive((struct slice){content, n}, "sipward document", ret_key->bytes);
		if (rc)
			error_set(err, rc, "out of memory");
	}
	if (rc == 0)
		ret_key->present = true;
	explicit_bzero(content, sizeof(content));
	close(fd);
	return rc;
}
