/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/control.h"

#define WAIT_S 1
#define ANSWER_MAX (16 * 1024 * 1024)

/* Connecting, sending and receiving each wait no longer. */
static int control_socket(void)
{
	const struct timeval wait = {.tv_sec = WAIT_S};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	return fd;
}

/* By way of /proc, where every path fits. */
static int control_connect(const char *state_dir)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int dir = open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" CONTROL_SOCKET,
		 dir);
	int fd = control_socket();
	int rc = fd < 0 ? fd : 0;
	if (rc == 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		rc = -errno;
	close(dir);
	if (rc < 0 && fd >= 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

static int send_request(int fd, const json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	if (!text)
		return -ENOMEM;
	size_t n = strlen(text);
	text[n++] = '\n'; /* in the place of the zero */
	ssize_t sent = send(fd, text, n, MSG_NOSIGNAL);
	int rc = sent < 0 ? -errno : (size_t)sent == n ? 0 : -EAGAIN;
	free(text);
	return rc;
}

struct line {
	char *text;
	size_t n, room;
};

static int line_grow(struct line *line)
{
	size_t room = line->room ? 4 * line->room : 65536;
	char *text = room <= ANSWER_MAX ? realloc(line->text, room) : NULL;
	if (!text)
		return room <= ANSWER_MAX ? -ENOMEM : -EPROTO;
	line->text = text;
	line->room = room;
	return 0;
}

/* One line, without its end. */
static int receive_line(int fd, struct line *line)
{
	uint64_t deadline = clock_coarse_ns() + WAIT_S * NS_PER_S;
	while (clock_coarse_ns() <= deadline) {
		int rc = line->n == line->room ? line_grow(line) : 0;
		if (rc < 0)
			return rc;
		ssize_t got = recv(fd, line->text + line->n, line->room - line->n, 0);
		if (got <= 0)
			return got == 0 ? -EPROTO : -errno;
		char *end = memchr(line->text + line->n, '\n', (size_t)got);
		line->n += (size_t)got;
		if (!end)
			continue;
		line->n = (size_t)(end - line->text);
		return 0;
	}
	return -EAGAIN;
}

static int receive_answer(int fd, json_t **ret_answer)
{
	struct line line = {0};
	int rc = receive_line(fd, &line);
	json_t *answer = rc == 0 ? json_loadb(line.text, line.n, 0, NULL) : NULL;
	free(line.text);
	if (rc < 0)
		return rc;
	if (!json_is_object(answer) || json_object_get(answer, "error")) {
		json_decref(answer);
		return -EPROTO;
	}
	*ret_answer = answer;
	return 0;
}

int control_ask(const char *state_dir, json_t *request, json_t **ret_answer)
{
	int fd = request ? control_connect(state_dir) : -ENOMEM;
	int rc = fd < 0 ? fd : send_request(fd, request);
	if (rc == 0)
		rc = receive_answer(fd, ret_answer);
	if (fd >= 0)
		close(fd);
	json_decref(request);
	return rc == -EAGAIN ? -ETIMEDOUT : rc;
}
