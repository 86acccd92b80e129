/* SPDX-License-Identifier: BSD-2-Clause */
#include "sip/sip_edit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void sip_edit_begin(struct sip_edit *edit, const struct sip_msg *msg)
{
	edit->msg = msg;
	edit->op_count = 0;
	edit->pool_used = 0;
	edit->failed = 0;
}

static void fail(struct sip_edit *edit, int err)
{
	if (!edit->failed)
		edit->failed = err;
}

static const char *end_of(struct slice s)
{
	return s.p + s.n;
}

/* Whether an operation on a belongs after the one on b: by position, and at one position insertions
 * before what cuts there. */
static bool belongs_after(struct slice a, struct slice b)
{
	if (a.p != b.p)
		return a.p > b.p;
	return a.n > 0 || b.n == 0;
}

static void add_op(struct sip_edit *edit, struct slice cut, struct slice text)
{
	struct slice raw = edit->msg->raw;
	unsigned at = edit->op_count;

	if (cut.p < raw.p || cut.p > end_of(raw) || cut.n > (size_t)(end_of(raw) - cut.p)) {
		fail(edit, -EINVAL);
		return;
	}
	if (edit->op_count == SIP_EDIT_OPS) {
		fail(edit, -ENOSPC);
		return;
	}
	while (at > 0 && !belongs_after(cut, edit->ops[at - 1].cut))
		at--;
	if ((at > 0 && end_of(edit->ops[at - 1].cut) > cut.p) ||
	    (at < edit->op_count && end_of(cut) > edit->ops[at].cut.p)) {
		fail(edit, -EINVAL);
		return;
	}
	memmove(&edit->ops[at + 1], &edit->ops[at], (edit->op_count - at) * sizeof(edit->ops[0]));
	edit->ops[at] = (struct sip_edit_op){.cut = cut, .text = text};
	edit->op_count++;
}

/* Formats into the pool; false (and failed is set) if it does not fit. */
static bool pool_format(struct sip_edit *edit, const char *format, va_list args,
			struct slice *ret_text)
{
	char *text = edit->pool + edit->pool_used;
	size_t room = sizeof(edit->pool) - edit->pool_used;
	int n = vsnprintf(text, room, format, args);

	if (n < 0 || (size_t)n >= room) {
		fail(edit, -ENOSPC);
		return false;
	}
	edit->pool_used += (size_t)n;
	*ret_text = (struct slice){text, (size_t)n};
	return true;
}

/* Copies into the pool, and the same. */
static bool pool_copy(struct sip_edit *edit, struct slice text, struct slice *ret_text)
{
	char *copy = edit->pool + edit->pool_used;

	if (text.n > sizeof(edit->pool) - edit->pool_used) {
		fail(edit, -ENOSPC);
		return false;
	}
	if (text.n > 0)
		memcpy(copy, text.p, text.n);
	edit->pool_used += text.n;
	*ret_text = (struct slice){copy, text.n};
	return true;
}

static bool has_header(struct sip_edit *edit, int header)
{
	if (header >= 0 && (unsigned)header < edit->msg->header_count)
		return true;
	fail(edit, -EINVAL);
	return false;
}

void sip_edit_drop(struct sip_edit *edit, int header)
{
	if (has_header(edit, header))
		add_op(edit, edit->msg->headers[header].line, (struct slice){"", 0});
}

/* An insertion of text that is in the pool. */
static void insert(struct sip_edit *edit, int before, struct slice text)
{
	const struct sip_msg *msg = edit->msg;

	if (before < 0 || (unsigned)before > msg->header_count)
		fail(edit, -EINVAL);
	else if ((unsigned)before < msg->header_count)
		add_op(edit, (struct slice){msg->headers[before].line.p, 0}, text);
	else
		add_op(edit, (struct slice){msg->blank_line.p, 0}, text);
}

void sip_edit_insert(struct sip_edit *edit, int before, const char *format, ...)
{
	struct slice text;
	va_list args;
	bool fits;

	va_start(args, format);
	fits = pool_format(edit, format, args, &text);
	va_end(args);
	if (fits)
		insert(edit, before, text);
}

void sip_edit_insert_text(struct sip_edit *edit, int before, struct slice text)
{
	struct slice copy;

	if (pool_copy(edit, text, &copy))
		insert(edit, before, copy);
}

void sip_edit_replace(struct sip_edit *edit, struct slice part, const char *format, ...)
{
	struct slice text;
	va_list args;
	bool fits;

	va_start(args, format);
	fits = pool_format(edit, format, args, &text);
	va_end(args);
	if (fits)
		add_op(edit, part, text);
}

void sip_edit_replace_text(struct sip_edit *edit, struct slice part, struct slice text)
{
	struct slice copy;

	if (pool_copy(edit, text, &copy))
		add_op(edit, part, copy);
}

void sip_edit_drop_first_element(struct sip_edit *edit, int header)
{
	struct slice value, element;
	size_t position = 0;

	if (!has_header(edit, header))
		return;
	value = edit->msg->headers[header].value;
	if (!sip_list_next(value, &position, &element) ||
	    !sip_list_next(value, &position, &element)) {
		sip_edit_drop(edit, header);
		return;
	}
	add_op(edit, (struct slice){value.p, (size_t)(element.p - value.p)}, (struct slice){"", 0});
}

/* An output of pieces, at most max; n counts on, so that overflow shows at the end. */
struct pieces {
	struct iovec *iov;
	unsigned max, n;
};

static void add_piece(struct pieces *pieces, const char *begin, const char *end)
{
	if (begin == end)
		return;
	if (pieces->n < pieces->max) {
		pieces->iov[pieces->n].iov_base = (void *)(uintptr_t)begin;
		pieces->iov[pieces->n].iov_len = (size_t)(end - begin);
	}
	pieces->n++;
}

int sip_edit_iovec(const struct sip_edit *edit, struct iovec *iov, unsigned max, unsigned *ret_n)
{
	struct pieces pieces = {.iov = iov, .max = max};
	const char *done = edit->msg->raw.p;

	if (edit->failed)
		return edit->failed;
	for (unsigned i = 0; i < edit->op_count; i++) {
		const struct sip_edit_op *op = &edit->ops[i];

		add_piece(&pieces, done, op->cut.p);
		add_piece(&pieces, op->text.p, end_of(op->text));
		done = end_of(op->cut);
	}
	add_piece(&pieces, done, end_of(edit->msg->raw));
	if (pieces.n > max)
		return -E2BIG;
	*ret_n = pieces.n;
	return 0;
}

int sip_edit_write(const struct sip_edit *edit, char *buf, size_t size, size_t *ret_n)
{
	struct iovec iov[2 * SIP_EDIT_OPS + 1];
	size_t used = 0;
	unsigned n;
	int err = sip_edit_iovec(edit, iov, 2 * SIP_EDIT_OPS + 1, &n);

	if (err)
		return err;
	for (unsigned i = 0; i < n; i++) {
		if (iov[i].iov_len > size - used)
			return -ENOSPC;
		memcpy(buf + used, iov[i].iov_base, iov[i].iov_len);
		used += iov[i].iov_len;
	}
	*ret_n = used;
	return 0;
}
