/* SPDX-License-Identifier: BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/mailbox.h"

#define POSTERS 4
#define LETTERS 3000

static struct mailbox box;

static int setup(void **state)
{
	(void)state;
	return mailbox_init(&box);
}

static int teardown(void **state)
{
	(void)state;
	mailbox_free(&box);
	return 0;
}

static int post(enum letter_kind kind, const char *text)
{
	struct iovec iov = {(char *)(uintptr_t)text, strlen(text)};

	return mailbox_post(&box, &(struct letter){.kind = kind}, &iov, 1);
}

static bool is_readable(void)
{
	struct pollfd p = {.fd = box.fd, .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static size_t drop_all(void)
{
	struct letters letters;
	struct letter *letter;
	size_t n = mailbox_take(&box, &letters);

	while ((letter = STAILQ_FIRST(&letters))) {
		STAILQ_REMOVE_HEAD(&letters, link);
		free(letter);
	}
	return n;
}

static void letters_come_whole_and_in_order(void **state)
{
	struct iovec iov[2] = {{"INVITE ", 7}, {"sip:a", 5}};
	char name[] = "sip.example";
	struct letter sent = {.kind = LETTER_SEND, .port = 5062, .path.name = name};
	struct letters letters;
	struct letter *first, *second;

	(void)state;
	assert_false(is_readable());
	assert_int_equal(mailbox_post(&box, &sent, iov, 2), 0);
	memset(name, 'x', sizeof(name) - 1);
	assert_int_equal(post(LETTER_PACKET, "BYE"), 0);
	assert_true(is_readable());
	assert_int_equal(mailbox_count(&box), 2);
	assert_int_equal(mailbox_take(&box, &letters), 2);
	assert_false(is_readable());
	first = STAILQ_FIRST(&letters);
	second = STAILQ_NEXT(first, link);
	assert_int_equal(first->kind, LETTER_SEND);
	assert_int_equal(first->port, 5062);
	assert_string_equal(first->path.name, "sip.example");
	assert_true(slice_eq(first->bytes, SLICE("INVITE sip:a")));
	assert_true(slice_eq(second->bytes, SLICE("BYE")));
	assert_null(second->path.name);
	assert_null(STAILQ_NEXT(second, link));
	free(first);
	free(second);
	assert_int_equal(mailbox_count(&box), 0);
}

static void full_box_takes_orders_only(void **state)
{
	(void)state;
	for (int i = 0; i < MAILBOX_LETTERS_MAX; i++)
		assert_int_equal(post(LETTER_PACKET, "x"), 0);
	assert_int_equal(post(LETTER_PACKET, "x"), -ENOBUFS);
	assert_int_equal(post(LETTER_STOP, ""), 0);
	assert_int_equal(drop_all(), MAILBOX_LETTERS_MAX + 1);
	assert_int_equal(post(LETTER_PACKET, "x"), 0);
}

static void bytes_are_bounded_too(void **state)
{
	static char large[NET_DATAGRAM_MAX];
	struct iovec iov = {large, sizeof(large)};
	int n = 0;

	(void)state;
	while (mailbox_post(&box, &(struct letter){.kind = LETTER_SEND}, &iov, 1) == 0)
		n++;
	assert_int_equal(n, MAILBOX_BYTES_MAX / NET_DATAGRAM_MAX);
	assert_int_equal(drop_all(), n);
	assert_int_equal(mailbox_post(&box, &(struct letter){.kind = LETTER_SEND}, &iov, 1), 0);
}

static void *post_many(void *arg)
{
	for (int i = 0; i < LETTERS; i++)
		assert_int_equal(post(LETTER_PACKET, "x"), 0);
	return arg;
}

/* Nobody's letter is lost, nor the call to come and take it. */
static void many_may_post_while_one_takes(void **state)
{
	pthread_t threads[POSTERS];
	size_t n = 0;

	(void)state;
	for (int i = 0; i < POSTERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_many, NULL), 0);
	while (n < POSTERS * LETTERS) {
		struct pollfd p = {.fd = box.fd, .events = POLLIN};

		assert_int_equal(poll(&p, 1, 5000), 1);
		n += drop_all();
	}
	for (int i = 0; i < POSTERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(n, POSTERS * LETTERS);
	assert_int_equal(drop_all(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(letters_come_whole_and_in_order, setup, teardown),
		cmocka_unit_test_setup_teardown(full_box_takes_orders_only, setup, teardown),
		cmocka_unit_test_setup_teardown(bytes_are_bounded_too, setup, teardown),
		cmocka_unit_test_setup_teardown(many_may_post_while_one_takes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
