/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Edits of an indexed message as a list of operations; what is not edited leaves byte for byte as
 * it came, in the same order. Text put in is copied into the edit's own pool.
 */
#ifndef SIPWARD_SIP_EDIT_H
#define SIPWARD_SIP_EDIT_H

#include <sys/uio.h>

#include "sip/sip_msg.h"

#define SIP_EDIT_OPS 64
#define SIP_EDIT_POOL 4096

struct sip_edit_op {
	struct slice cut;  /* bytes of the message that go; empty at a position = pure insertion */
	struct slice text; /* bytes that come in their place */
};

struct sip_edit {
	const struct sip_msg *msg;
	/* Sorted by position; inserts at one place keep their order, before what cuts there. */
	struct sip_edit_op ops[SIP_EDIT_OPS];
	unsigned op_count;
	char pool[SIP_EDIT_POOL];
	size_t pool_used;
	int failed; /* the first error, sticky: check once, at the end */
};

void sip_edit_begin(struct sip_edit *edit, const struct sip_msg *msg);
/* Removes a header field. */
void sip_edit_drop(struct sip_edit *edit, int header);
/* Inserts formatted text before a header (header_count: after the last). The text holds whole
 * header fields with their CRLF. */
void sip_edit_insert(struct sip_edit *edit, int before, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void sip_edit_insert_text(struct sip_edit *edit, int before, struct slice text);
/* Puts formatted text in the place of part, a slice of the message. */
void sip_edit_replace(struct sip_edit *edit, struct slice part, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void sip_edit_replace_text(struct sip_edit *edit, struct slice part, struct slice text);
/* Removes the first element of a comma-separated header: the whole field if it is the only one. */
void sip_edit_drop_first_element(struct sip_edit *edit, int header);

/* The edited message as an iovec into the message and the pool. 0, -E2BIG (iov too short), -ENOSPC
 * (too many operations or too much text), -EINVAL (overlapping edits). */
int sip_edit_iovec(const struct sip_edit *edit, struct iovec *iov, unsigned max, unsigned *ret_n);
/* The same, copied. -ENOSPC if size is too small. */
int sip_edit_write(const struct sip_edit *edit, char *buf, size_t size, size_t *ret_n);

#endif
