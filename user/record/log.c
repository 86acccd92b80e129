/* SPDX-License-Identifier: BSD-2-Clause */
#include "record/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

void record_log_init(struct record_log *log, const char *path)
{
	log->fd = -1;
	snprintf(log->path, sizeof(log->path), "%s", path);
}

void record_log_close(struct record_log *log)
{
	if (log->fd >= 0)
		close(log->fd);
	log->fd = -1;
}

/* Told once, until it works again. */
static void tell_failure(struct record_log *log, int cause)
{
	if (!log->failed)
		log_error("call_log_failed", LOG_STR("file", log->path),
			  LOG_STR("error", strerror(cause)),
			  LOG_STR("effect", "calls are missing in it; the store has them"));
	log->failed = true;
}

/* A daemon that was killed may have left half a line. */
static int end_last_line(int fd)
{
	struct stat st;
	char last;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size == 0)
		return 0;
	if (pread(fd, &last, 1, st.st_size - 1) != 1)
		return -errno;
	return last == '\n' || write(fd, "\n", 1) == 1 ? 0 : -errno;
}

/* Not blocking, lest a pipe that nobody reads holds up the records. */
static int open_log(struct record_log *log)
{
	int fd, rc;

	if (log->fd >= 0)
		return 0;
	fd = open(log->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
	if (fd < 0)
		return -errno;
	rc = end_last_line(fd);
	if (rc)
		close(fd);
	else
		log->fd = fd;
	return rc;
}

static size_t count_lines(const char *text, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += text[i] == '\n';
	return count;
}

/* Takes back the part of a line that a full disk has left. */
static void undo_part(struct record_log *log, size_t written)
{
	size_t whole = written;
	struct stat st;

	while (whole > 0 && log->lines[whole - 1] != '\n')
		whole--;
	if (whole < written && fstat(log->fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    ftruncate(log->fd, st.st_size - (off_t)(written - whole)))
		record_log_close(log); /* opening it again ends the line */
}

static void flush(struct record_log *log)
{
	ssize_t written = 0;
	size_t done;
	int rc = open_log(log);

	if (rc == 0)
		written = write(log->fd, log->lines, log->n);
	if (written < 0)
		rc = -errno;
	done = written > 0 ? (size_t)written : 0;
	if (rc == 0 && done < log->n)
		rc = -ENOSPC;
	if (rc) {
		undo_part(log, done);
		log->lost += count_lines(log->lines, log->n) - count_lines(log->lines, done);
		tell_failure(log, -rc);
	} else if (log->failed) {
		log->failed = false;
		log_info("call_log_recovered", LOG_STR("file", log->path));
	}
	log->n = 0;
}

static void put_line(struct record_log *log, const struct call_record *record)
{
	json_t *json = record_json(record);
	size_t room = sizeof(log->lines) - 1 - log->n;
	size_t n = json ? json_dumpb(json, log->lines + log->n, room, JSON_COMPACT) : 0;

	if (n > room) {
		flush(log);
		room = sizeof(log->lines) - 1;
		n = json_dumpb(json, log->lines, room, JSON_COMPACT);
	}
	json_decref(json);
	if (n == 0 || n > room) {
		log->lost++;
		return;
	}
	log->n += n;
	log->lines[log->n++] = '\n';
}

uint64_t record_log_append(struct record_log *log, const struct record_list *list)
{
	const struct record *record;

	log->n = log->lost = 0;
	if (!log->path[0])
		return 0;
	TAILQ_FOREACH(record, list, link)
	{
		if (record->call.cause)
			put_line(log, &record->call);
	}
	if (log->n)
		flush(log);
	return log->lost;
}
