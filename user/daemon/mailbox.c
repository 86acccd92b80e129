/* SPDX-License-Identifier: BSD-2-Clause */
#include "daemon/mailbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

int mailbox_init(struct mailbox *mailbox)
{
	*mailbox = (struct mailbox){
		.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	STAILQ_INIT(&mailbox->letters);
	return mailbox->fd < 0 ? -EMFILE : 0;
}

void mailbox_free(struct mailbox *mailbox)
{
	struct letter *letter;

	if (mailbox->fd < 0)
		return;
	while ((letter = STAILQ_FIRST(&mailbox->letters))) {
		STAILQ_REMOVE_HEAD(&mailbox->letters, link);
		free(letter);
	}
	close(mailbox->fd);
	mailbox->fd = -1;
	pthread_mutex_destroy(&mailbox->lock);
}

static struct letter *copy(const struct letter *from, const struct iovec *iov, unsigned iov_count)
{
	size_t name_n = from->path.name ? strlen(from->path.name) + 1 : 0, n = 0;
	struct letter *letter;
	char *at;

	for (unsigned i = 0; i < iov_count; i++)
		n += iov[i].iov_len;
	letter = malloc(sizeof(*letter) + name_n + n);
	if (!letter)
		return NULL;
	*letter = *from;
	at = letter->text;
	if (name_n) {
		letter->path.name = memcpy(at, from->path.name, name_n);
		at += name_n;
	}
	letter->bytes = (struct slice){at, n};
	for (unsigned i = 0; i < iov_count; i++) {
		memcpy(at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	return letter;
}

static bool has_room(const struct mailbox *mailbox, const struct letter *letter)
{
	return letter->kind >= LETTER_TLS ||
	       (mailbox->count < MAILBOX_LETTERS_MAX &&
		mailbox->bytes + letter->bytes.n <= MAILBOX_BYTES_MAX);
}

int mailbox_post(struct mailbox *mailbox, const struct letter *from, const struct iovec *iov,
		 unsigned iov_count)
{
	struct letter *letter = copy(from, iov, iov_count);
	static const uint64_t one = 1;
	bool posted, first = false;

	if (!letter)
		return -ENOMEM;
	pthread_mutex_lock(&mailbox->lock);
	posted = has_room(mailbox, letter);
	if (posted) {
		first = mailbox->count++ == 0;
		mailbox->bytes += letter->bytes.n;
		STAILQ_INSERT_TAIL(&mailbox->letters, letter, link);
	}
	pthread_mutex_unlock(&mailbox->lock);
	if (!posted)
		free(letter);
	/* Whoever takes the first takes all. Can not fail: the counter is emptied with the box. */
	if (first && write(mailbox->fd, &one, sizeof(one)) < 0)
		return -EIO;
	return posted ? 0 : -ENOBUFS;
}

size_t mailbox_take(struct mailbox *mailbox, struct letters *ret_letters)
{
	uint64_t count;
	size_t n;

	while (read(mailbox->fd, &count, sizeof(count)) > 0)
		continue;
	STAILQ_INIT(ret_letters);
	pthread_mutex_lock(&mailbox->lock);
	STAILQ_CONCAT(ret_letters, &mailbox->letters);
	n = mailbox->count;
	mailbox->count = mailbox->bytes = 0;
	pthread_mutex_unlock(&mailbox->lock);
	return n;
}

size_t mailbox_count(struct mailbox *mailbox)
{
	size_t n;

	pthread_mutex_lock(&mailbox->lock);
	n = mailbox->count;
	pthread_mutex_unlock(&mailbox->lock);
	return n;
}
