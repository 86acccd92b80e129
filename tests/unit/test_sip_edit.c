/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sip/sip_edit.h"

#define LINE "INVITE sip:b@b.example SIP/2.0\r\n"
#define VIA "Via: SIP/2.0/UDP a.example;branch=1, SIP/2.0/UDP c.example\r\n"
#define HOPS "Max-Forwards: 70\r\n"
#define ROUTE "Route: <sip:one,1;lr> , <sip:two;lr>,<sip:three;lr>\r\n"
#define REST                                                                                       \
	"From: <sip:a@a.example>;tag=1\r\nTo: <sip:b@b.example>\r\nCall-ID: 1\r\nCSeq: 1 "         \
	"INVITE\r\n"
#define END "Content-Length: 4\r\n\r\nbody"
#define MESSAGE LINE VIA HOPS ROUTE REST END

enum { VIA_AT, HOPS_AT, ROUTE_AT };

static struct sip_msg msg;
static struct sip_edit edit;

static int begin(void **state)
{
	const char *why;

	(void)state;
	if (sip_msg_parse(SLICE("\r\n" MESSAGE "junk"), &msg, &why) != SIP_PARSE_OK)
		return -1;
	sip_edit_begin(&edit, &msg);
	return 0;
}

/* Both ways to send must give the text. */
static void assert_result(const char *expected)
{
	struct iovec iov[2 * SIP_EDIT_OPS + 1];
	char written[8192], joined[8192];
	size_t n, used = 0;
	unsigned count;

	assert_int_equal(sip_edit_write(&edit, written, sizeof(written), &n), 0);
	assert_int_equal(sip_edit_iovec(&edit, iov, sizeof(iov) / sizeof(iov[0]), &count), 0);
	for (unsigned i = 0; i < count; i++) {
		assert_true(iov[i].iov_len > 0);
		memcpy(joined + used, iov[i].iov_base, iov[i].iov_len);
		used += iov[i].iov_len;
	}
	assert_int_equal(n, used);
	assert_memory_equal(written, joined, n);
	if (n != strlen(expected) || memcmp(written, expected, n) != 0)
		fail_msg("got:\n%.*s\nwanted:\n%s", (int)n, written, expected);
}

static void assert_failed(int err)
{
	struct iovec iov[4];
	char buf[16];
	unsigned count = 99;
	size_t n = 99;

	assert_int_equal(edit.failed, err);
	assert_int_equal(sip_edit_iovec(&edit, iov, 4, &count), err);
	assert_int_equal(sip_edit_write(&edit, buf, sizeof(buf), &n), err);
	assert_int_equal(count, 99);
	assert_int_equal(n, 99);
}

static void empty_edit_sends_the_message_alone(void **state)
{
	struct iovec iov[1];
	unsigned count;

	(void)state;
	assert_result(MESSAGE);
	assert_int_equal(sip_edit_iovec(&edit, iov, 1, &count), 0);
	assert_int_equal(count, 1);
	assert_ptr_equal(iov[0].iov_base, msg.raw.p);
}

static void headers_are_dropped(void **state)
{
	(void)state;
	sip_edit_drop(&edit, ROUTE_AT);
	sip_edit_drop(&edit, VIA_AT);
	assert_result(LINE HOPS REST END);
}

static void inserts_at_one_place_keep_their_order(void **state)
{
	(void)state;
	sip_edit_insert(&edit, 0, "X: %d\r\n", 1);
	sip_edit_insert(&edit, 1, "Y: y\r\n");
	sip_edit_insert(&edit, 0, "X: %d\r\n", 2);
	sip_edit_insert(&edit, 0, "X: %d\r\n", 3);
	assert_result(LINE "X: 1\r\nX: 2\r\nX: 3\r\n" VIA "Y: y\r\n" HOPS ROUTE REST END);
}

static void insert_after_the_last_header(void **state)
{
	(void)state;
	sip_edit_insert(&edit, (int)msg.header_count, "X: y\r\n");
	assert_result(LINE VIA HOPS ROUTE REST "Content-Length: 4\r\nX: y\r\n\r\nbody");
}

static void insert_and_drop_at_one_place_go_together_in_any_order(void **state)
{
	(void)state;
	sip_edit_drop(&edit, HOPS_AT);
	sip_edit_insert(&edit, HOPS_AT, "Max-Forwards: 69\r\n");
	assert_result(LINE VIA "Max-Forwards: 69\r\n" ROUTE REST END);
	sip_edit_begin(&edit, &msg);
	sip_edit_insert(&edit, HOPS_AT, "Max-Forwards: 69\r\n");
	sip_edit_drop(&edit, HOPS_AT);
	assert_result(LINE VIA "Max-Forwards: 69\r\n" ROUTE REST END);
}

static void slices_are_replaced(void **state)
{
	(void)state;
	sip_edit_replace(&edit, sip_msg_value(&msg, SIP_MAX_FORWARDS), "%u", 69);
	sip_edit_replace(&edit, msg.uri, "sip:%s", "c@c.example");
	assert_result("INVITE sip:c@c.example SIP/2.0\r\n" VIA
		      "Max-Forwards: 69\r\n" ROUTE REST END);
}

static void first_element_of_a_list_is_dropped(void **state)
{
	(void)state;
	sip_edit_drop_first_element(&edit, VIA_AT);
	sip_edit_drop_first_element(&edit, ROUTE_AT);
	assert_result(LINE "Via: SIP/2.0/UDP c.example\r\n" HOPS
			   "Route: <sip:two;lr>,<sip:three;lr>\r\n" REST END);
}

static void only_element_takes_its_header_with_it(void **state)
{
	(void)state;
	sip_edit_drop_first_element(&edit, HOPS_AT);
	assert_result(LINE VIA ROUTE REST END);
}

static void neighbouring_cuts_do_not_overlap(void **state)
{
	(void)state;
	sip_edit_drop(&edit, HOPS_AT);
	sip_edit_drop(&edit, VIA_AT);
	sip_edit_drop(&edit, ROUTE_AT);
	sip_edit_insert(&edit, HOPS_AT, "X: y\r\n");
	assert_result(LINE "X: y\r\n" REST END);
}

static void overlapping_edits_fail(void **state)
{
	struct slice value = sip_msg_value(&msg, SIP_MAX_FORWARDS);

	(void)state;
	sip_edit_drop(&edit, HOPS_AT);
	sip_edit_replace(&edit, value, "69");
	assert_failed(-EINVAL);
	sip_edit_begin(&edit, &msg);
	sip_edit_replace(&edit, value, "69");
	sip_edit_drop(&edit, HOPS_AT);
	assert_failed(-EINVAL);
	sip_edit_begin(&edit, &msg);
	sip_edit_drop(&edit, HOPS_AT);
	sip_edit_replace(&edit, (struct slice){value.p + 1, 0}, "x");
	assert_failed(-EINVAL);
}

static void one_header_is_dropped_once(void **state)
{
	(void)state;
	sip_edit_drop(&edit, HOPS_AT);
	sip_edit_drop(&edit, HOPS_AT);
	assert_failed(-EINVAL);
}

static void edits_outside_the_message_fail(void **state)
{
	struct slice junk = {msg.raw.p + msg.raw.n - 1, 2};

	(void)state;
	sip_edit_replace(&edit, SLICE("elsewhere"), "x");
	assert_failed(-EINVAL);
	sip_edit_begin(&edit, &msg);
	sip_edit_replace(&edit, junk, "x");
	assert_failed(-EINVAL);
	sip_edit_begin(&edit, &msg);
	sip_edit_drop(&edit, -1);
	assert_failed(-EINVAL);
	sip_edit_begin(&edit, &msg);
	sip_edit_drop(&edit, (int)msg.header_count);
	assert_failed(-EINVAL);
	sip_edit_begin(&edit, &msg);
	sip_edit_insert(&edit, (int)msg.header_count + 1, "X: y\r\n");
	assert_failed(-EINVAL);
	sip_edit_begin(&edit, &msg);
	sip_edit_drop_first_element(&edit, -1);
	assert_failed(-EINVAL);
}

static void too_many_edits_fail(void **state)
{
	(void)state;
	for (int i = 0; i < SIP_EDIT_OPS; i++)
		sip_edit_insert(&edit, 0, "X: y\r\n");
	assert_int_equal(edit.failed, 0);
	sip_edit_insert(&edit, 0, "X: y\r\n");
	assert_failed(-ENOSPC);
}

static void too_much_text_fails(void **state)
{
	(void)state;
	sip_edit_insert(&edit, 0, "%*s\r\n", SIP_EDIT_POOL - 3, "X: y");
	assert_int_equal(edit.failed, 0);
	sip_edit_insert(&edit, 0, "X");
	assert_failed(-ENOSPC);
}

static void first_failure_stays(void **state)
{
	(void)state;
	sip_edit_insert(&edit, 0, "%*s\r\n", SIP_EDIT_POOL, "X: y");
	sip_edit_drop(&edit, -1);
	assert_failed(-ENOSPC);
}

static void short_outputs_are_told(void **state)
{
	struct iovec iov[3];
	char buf[sizeof(MESSAGE) + 5];
	unsigned count = 0;
	size_t n = 0;

	(void)state;
	sip_edit_insert(&edit, 0, "X: y\r\n");
	assert_int_equal(sip_edit_iovec(&edit, iov, 2, &count), -E2BIG);
	assert_int_equal(sip_edit_iovec(&edit, iov, 3, &count), 0);
	assert_int_equal(count, 3);
	assert_int_equal(sip_edit_write(&edit, buf, sizeof(buf) - 1, &n), -ENOSPC);
	assert_int_equal(sip_edit_write(&edit, buf, sizeof(buf), &n), 0);
	assert_int_equal(n, sizeof(buf));
}

#define TEST(f) cmocka_unit_test_setup(f, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(empty_edit_sends_the_message_alone),
		TEST(headers_are_dropped),
		TEST(inserts_at_one_place_keep_their_order),
		TEST(insert_after_the_last_header),
		TEST(insert_and_drop_at_one_place_go_together_in_any_order),
		TEST(slices_are_replaced),
		TEST(first_element_of_a_list_is_dropped),
		TEST(only_element_takes_its_header_with_it),
		TEST(neighbouring_cuts_do_not_overlap),
		TEST(overlapping_edits_fail),
		TEST(one_header_is_dropped_once),
		TEST(edits_outside_the_message_fail),
		TEST(too_many_edits_fail),
		TEST(too_much_text_fails),
		TEST(first_failure_stays),
		TEST(short_outputs_are_told),
	};

	return cmocka_run_group_tests_name("sip_edit", tests, NULL, NULL);
}
