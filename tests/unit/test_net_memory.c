/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections when there is no memory for them. */
#include "net_fixture.h"

#include <event2/buffer.h>
#include <string.h>

#include "net/net_internal.h"

#include "failing_calloc.h"
#include "net/conn.c"
#undef calloc

static void a_connection_that_finds_no_memory_is_not_begun(void **state)
{
	struct side *side = tcp_side(NULL), *server = tcp_side(NULL);
	struct net_path path = path_to(NET_TCP, &server->at);
	int refused = 0;

	(void)state;
	for (int i = 0;; i++, refused++) {
		int rc;

		allocations_left = i;
		rc = say(side, &path, REQUEST);
		allocations_left = -1;
		if (!rc)
			break;
		assert_int_equal(rc, -ENOMEM);
		assert_connections(side, 0, 0);
	}
	assert_int_equal(refused, 2);
	wait_until(&server->received, 1);
	assert_int_equal(side->failed, 0);
	side_free(side);
	side_free(server);
}

static void a_client_for_whom_there_is_no_memory_is_closed(void **state)
{
	struct side *side = tcp_side(NULL);

	(void)state;
	for (int i = 0; i < 2; i++) {
		int fd = bare_connect(side, "127.0.0.1:0");

		allocations_left = i;
		bare_expect(fd, "");
		allocations_left = -1;
		close(fd);
		assert_connections(side, 0, 0);
	}
	side->answer = ANSWER;
	int fd = bare_connect(side, "127.0.0.1:0");
	bare_send(fd, REQUEST);
	bare_expect(fd, ANSWER);
	assert_int_equal(counted(side, NET_ACCEPTED), 1);
	close(fd);
	side_free(side);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_that_finds_no_memory_is_not_begun),
		cmocka_unit_test(a_client_for_whom_there_is_no_memory_is_closed),
	};
	int rc = cmocka_run_group_tests(tests, NULL, NULL);

	event_base_free(base);
	return rc;
}
