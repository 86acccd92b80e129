/* SPDX-License-Identifier: BSD-2-Clause */
/* What other workers have for one: posted by any thread, taken by its own, all that has come at
 * once. Bounded. */
#ifndef SIPWARD_DAEMON_MAILBOX_H
#define SIPWARD_DAEMON_MAILBOX_H

#include <pthread.h>
#include <sys/queue.h>

#include "net/net.h"

#define MAILBOX_LETTERS_MAX 16384
#define MAILBOX_BYTES_MAX (32 << 20)

enum letter_kind {
	LETTER_PACKET, /* bytes that came by path, of a call of the worker's */
	LETTER_SEND,   /* bytes to be sent by path, by a connection of the worker's */
	LETTER_ALIAS,  /* net_alias for path and port */
	LETTER_FAILED, /* path has failed */
	LETTER_TLS,    /* the certificates are to be read again */
	LETTER_STOP,
};

struct letter {
	STAILQ_ENTRY(letter) link;
	enum letter_kind kind;
	struct net_path path; /* its name lies in the letter */
	bool client_verified;
	uint16_t port;
	uint64_t asked_ns; /* see struct net_handler */
	struct slice bytes; /* the same */
	char text[];
};
STAILQ_HEAD(letters, letter);

struct mailbox {
	int fd;		      /* readable when there is something to take */
	pthread_mutex_t lock; /* over what follows */
	struct letters letters;
	size_t count, bytes;
};

/* 0, -EMFILE. */
int mailbox_init(struct mailbox *mailbox);
/* With what nobody has taken. Accepts one that was never initialised but for fd -1. */
void mailbox_free(struct mailbox *mailbox);

/* Copies the letter, its bytes in several pieces. 0, -ENOBUFS (full: it is lost, unless it is
 * LETTER_TLS or LETTER_STOP, which always find room), -ENOMEM. */
int mailbox_post(struct mailbox *mailbox, const struct letter *letter, const struct iovec *iov,
		 unsigned iov_count);
/* All letters, in the order they came, and how many they are; each is the taker's to free(). */
size_t mailbox_take(struct mailbox *mailbox, struct letters *ret_letters);
/* How many wait. */
size_t mailbox_count(struct mailbox *mailbox);

#endif
