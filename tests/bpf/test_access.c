/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding the maps however the program was attached, reading them, and real packets. */
#include "lab.h"

#include "filter/internal.h"

static const char *object_file(void)
{
	static char path[256];
	const char *build = getenv("BUILD");

	snprintf(path, sizeof(path), "%s/sipward.bpf.o", build ? build : "build");
	return path;
}

static int prepare_enforces(struct filter *filter, void *arg, struct error *err)
{
	const struct sipward_settings settings = {.layout = SIPWARD_LAYOUT,
						  .mode = SIPWARD_ENFORCE,
						  .unlisted = SIPWARD_UNLISTED_DROP};

	(void)arg;
	(void)err;
	return bpf_map_update_elem(filter->settings, &(uint32_t){0}, &settings, BPF_ANY);
}

/* ---- attached by other tools ---- */

static void attached_by_another_tool(const char *attach_command, const char *detach_command)
{
	struct filter_attachment attachment;
	struct filter *filter;
	struct error err = {0};
	size_t n;

	if (run("%s >/dev/null 2>&1", attach_command))
		fail_msg("%s failed", attach_command);
	assert_int_equal(filter_attachments(pin_dir, &attachment, 1, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(attachment.ifname, "gate0");
	assert_in_range(attachment.via, FILTER_VIA_DISPATCHER, FILTER_VIA_FOREIGN);
	filter = open_ok("gate0");
	assert_false(filter_is_pinned(filter));
	lock_out(filter, "198.51.100.7", 60);
	assert_true(is_locked_out(filter, "198.51.100.7"));
	filter_close(filter);
	assert_int_equal(filter_open(pin_dir, "lo", &filter, &err), -ENOENT);

	/* Our attach takes its place in one step and keeps the lockout. */
	assert_int_equal(attach("gate0", FILTER_ATTACH_AUTO, false, &attachment, &err), -EEXIST);
	attachment = attach_ok("gate0", true);
	filter = open_ok(NULL);
	assert_true(filter_is_pinned(filter));
	assert_true(is_locked_out(filter, "198.51.100.7"));
	filter_close(filter);
	assert_int_equal(attachments(), 1);
	if (run("%s >/dev/null 2>&1", detach_command))
		fail_msg("%s failed", detach_command);
	assert_int_equal(attachments(), 0);
}

static void maps_are_found_when_ip_link_attached_the_object(void **state)
{
	char command[400];

	(void)state;
	snprintf(command, sizeof(command), "ip link set dev gate0 xdp obj %s sec xdp",
		 object_file());
	attached_by_another_tool(command, "ip link set dev gate0 xdp off");
}

static void maps_are_found_when_xdp_loader_loaded_the_object(void **state)
{
	char command[400];

	(void)state;
	snprintf(command, sizeof(command), "xdp-loader load gate0 %s", object_file());
	attached_by_another_tool(command, "xdp-loader unload gate0 --all");
}

static void detach_takes_off_what_another_tool_attached(void **state)
{
	struct error err = {0};

	(void)state;
	RUN("ip link set dev gate0 xdp obj %s sec xdp", object_file());
	assert_int_equal(filter_detach(pin_dir, "gate0", &err), 0);
	assert_int_equal(attachments(), 0);
}

static void nothing_attached_is_said_so(void **state)
{
	struct filter *filter;
	struct error err = {0};

	(void)state;
	assert_int_equal(filter_open(pin_dir, NULL, &filter, &err), -ENOENT);
	assert_non_null(strstr(err.text, "sipward attach"));
	assert_int_equal(filter_open("relative", NULL, &filter, &err), -EINVAL);
}

/* ---- what the maps say ---- */

static enum sipward_reason explained(struct filter *filter, const char *address)
{
	const struct ip ip = ip_of(address);
	enum sipward_reason reason = SIPWARD_REASON_COUNT;

	assert_int_equal(filter_explain(filter, &ip, &reason), 0);
	return reason;
}

static void explain_follows_the_order_of_the_filter(void **state)
{
	const struct sipward_source source = source_of("203.0.113.9");
	struct filter *filter;

	(void)state;
	attach_ok("gate0", false);
	filter = open_ok(NULL);
	assert_int_equal(explained(filter, "203.0.113.9"), SIPWARD_UNLISTED);
	assert_int_equal(explained(filter, "2001:db8::1"), SIPWARD_UNLISTED);
	write_settings(SIPWARD_LAYOUT, SIPWARD_ENFORCE, SIPWARD_UNLISTED_LIMIT);
	assert_int_equal(explained(filter, "203.0.113.9"), SIPWARD_UNLISTED_PASS);
	write_settings(SIPWARD_LAYOUT, SIPWARD_ENFORCE, SIPWARD_UNLISTED_REJECT);
	assert_int_equal(explained(filter, "203.0.113.9"), SIPWARD_UNLISTED_PASS);
	assert_int_equal(filter_proven_set(filter, &source, clock_coarse_ns() + NS_PER_S * 60), 0);
	assert_int_equal(explained(filter, "203.0.113.9"), SIPWARD_PROVEN);
	write_acl_v4("203.0.113.0/24", SIPWARD_ACL_DENY);
	assert_int_equal(explained(filter, "203.0.113.9"), SIPWARD_DENIED);
	write_acl_v4("203.0.113.9", SIPWARD_ACL_UPSTREAM);
	assert_int_equal(explained(filter, "203.0.113.9"), SIPWARD_LISTED);
	assert_int_equal(explained(filter, "203.0.113.10"), SIPWARD_DENIED);
	lock_out(filter, "203.0.113.9", 60);
	assert_int_equal(explained(filter, "203.0.113.9"), SIPWARD_LOCKED_OUT);
	filter_close(filter);
}

static void lockouts_of_ipv6_sources_of_another_length_are_not_in_force(void **state)
{
	struct filter_lockout *list;
	struct filter *filter;
	size_t n;

	(void)state;
	attach_ok("gate0", false);
	filter = open_ok(NULL);
	lock_out(filter, "2001:db8:1:100::3", 30);
	lock_out(filter, "198.51.100.3", 20);
	assert_int_equal(explained(filter, "2001:db8:1:100::7"), SIPWARD_LOCKED_OUT);
	write_v6_bits(56);
	assert_int_equal(explained(filter, "2001:db8:1:100::7"), SIPWARD_UNLISTED);
	assert_int_equal(filter_lockouts_read(filter, &list, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(list[0].source.family, 4);
	free(list);
	assert_int_equal(filter_lockout_clear_all(filter, &n), 0);
	assert_int_equal(n, 2); /* so that they do not come back */
	filter_close(filter);
}

static void lockouts_are_listed_latest_first_and_cleared(void **state)
{
	const struct sipward_source source = source_of("198.51.100.1");
	struct filter_lockout *list;
	struct filter *filter;
	size_t n;

	(void)state;
	attach_ok("gate0", false);
	filter = open_ok(NULL);
	lock_out(filter, "198.51.100.1", 10);
	lock_out(filter, "2001:db8:1:2::3", 30);
	lock_out(filter, "198.51.100.3", 20);
	lock_out(filter, "198.51.100.4", 0);
	assert_int_equal(filter_lockouts_read(filter, &list, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(list[0].source.family, 6);
	assert_true(list[1].lockout.until_ns > list[2].lockout.until_ns);
	free(list);
	assert_int_equal(filter_lockout_clear(filter, &source), 0);
	assert_int_equal(filter_lockout_clear(filter, &source), -ENOENT);
	assert_false(is_locked_out(filter, "198.51.100.1"));
	assert_false(is_locked_out(filter, "198.51.100.4"));
	assert_int_equal(filter_lockout_clear_all(filter, &n), 0);
	assert_int_equal(n, 2);
	assert_false(is_locked_out(filter, "198.51.100.3"));
	filter_close(filter);
}

/* ---- real packets ---- */

struct wire {
	int from, to; /* sockets outside and on the gate */
};

static struct wire wire_open(void)
{
	const struct sockaddr_in gate = {.sin_family = AF_INET,
					 .sin_port = htons(5060),
					 .sin_addr.s_addr = inet_addr("192.0.2.2")};
	const struct timeval patience = {.tv_usec = 200000};
	struct wire wire;

	wire.to = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(wire.to, (const struct sockaddr *)&gate, sizeof(gate)), 0);
	setsockopt(wire.to, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(setns(outside_ns, CLONE_NEWNET), 0);
	wire.from = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setns(gate_ns, CLONE_NEWNET), 0);
	assert_int_equal(connect(wire.from, (const struct sockaddr *)&gate, sizeof(gate)), 0);
	return wire;
}

static void wire_close(struct wire *wire)
{
	close(wire->from);
	close(wire->to);
}

/* Whether a SIP request sent outside is received on the gate. Each has its number: one that was
 * sent before, and held up while the neighbour was looked for, is not taken for it. */
static bool arrives(const struct wire *wire)
{
	static unsigned number;
	char request[64], buffer[64];
	int size =
		snprintf(request, sizeof(request), "OPTIONS sip:%u@gate SIP/2.0\r\n\r\n", ++number);
	ssize_t n;

	assert_int_equal(send(wire->from, request, size, 0), size);
	do {
		n = recv(wire->to, buffer, sizeof(buffer), 0);
	} while (n > 0 && (n != size || memcmp(buffer, request, size)));
	return n > 0;
}

/* A fresh veth takes a moment until its carrier counts. */
static void wire_settle(const struct wire *wire)
{
	bool settled = false;

	for (int i = 0; !settled && i < 20; i++)
		settled = arrives(wire);
	assert_true(settled);
}

static void packets_are_allowed_then_blocked_then_allowed(void **state)
{
	struct wire wire = wire_open();
	struct error err = {0};
	struct filter *filter;

	(void)state;
	wire_settle(&wire);
	attach_ok("gate0", false);
	assert_true(arrives(&wire)); /* monitor */
	write_settings(SIPWARD_LAYOUT, SIPWARD_ENFORCE, SIPWARD_UNLISTED_DROP);
	assert_false(arrives(&wire));
	write_acl_v4("192.0.2.1", SIPWARD_ACL_ALLOW);
	assert_true(arrives(&wire));
	filter = open_ok(NULL);
	lock_out(filter, "192.0.2.1", 60);
	assert_false(arrives(&wire));
	assert_int_equal(filter_lockout_clear_all(filter, NULL), 0);
	assert_true(arrives(&wire));
	filter_close(filter);
	write_acl_v4("192.0.2.1", SIPWARD_ACL_DENY);
	assert_false(arrives(&wire));
	assert_int_equal(filter_detach(pin_dir, "gate0", &err), 0);
	assert_true(arrives(&wire));
	wire_close(&wire);
}

/* By turns the maps are kept and, being foreign, replaced. */
static void no_packet_passes_while_the_filter_is_replaced(void **state)
{
	struct wire wire = wire_open();
	struct sipward_counter counters[SIPWARD_REASON_COUNT];
	struct filter *filter;
	struct error err = {0};
	char buffer[64];
	pid_t pid;

	(void)state;
	wire_settle(&wire);
	assert_int_equal(attach_prepared(prepare_enforces, NULL, false, &err), 0);
	pid = fork();
	if (pid == 0)
		for (;;)
			send(wire.from, "INVITE", 6, 0);
	for (unsigned i = 0; i < 10; i++) {
		write_settings(SIPWARD_LAYOUT + i % 2, SIPWARD_ENFORCE, SIPWARD_UNLISTED_DROP);
		assert_int_equal(attach_prepared(prepare_enforces, NULL, true, &err), 0);
	}
	assert_true(recv(wire.to, buffer, sizeof(buffer), 0) < 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	filter = open_ok(NULL);
	assert_int_equal(filter_counters_read(filter, counters), 0);
	assert_true(counters[SIPWARD_UNLISTED].packets > 0);
	filter_close(filter);
	wire_close(&wire);
}

static void count_event(const struct sipward_event *event, void *arg)
{
	size_t *n = arg;

	assert_int_equal(event->reason, SIPWARD_UNLISTED);
	(*n)++;
}

static void counters_drops_and_events_tell_of_a_drop(void **state)
{
	struct sipward_counter counters[SIPWARD_REASON_COUNT];
	struct wire wire = wire_open();
	struct filter_drop *drops;
	char text[PREFIX_TEXT_SIZE];
	struct filter *filter;
	size_t n, events = 0;

	(void)state;
	wire_settle(&wire);
	attach_ok("gate0", false);
	write_settings(SIPWARD_LAYOUT, SIPWARD_ENFORCE, SIPWARD_UNLISTED_DROP);
	assert_false(arrives(&wire));
	filter = open_ok(NULL);
	assert_int_equal(filter_counters_read(filter, counters), 0);
	assert_int_equal(counters[SIPWARD_UNLISTED].packets, 1);
	assert_int_equal(filter_drops_read(filter, &drops, &n), 0);
	assert_int_equal(n, 1);
	filter_source_format(&drops[0].source, text);
	assert_string_equal(text, "192.0.2.1");
	assert_int_equal(drops[0].drop.last_reason, SIPWARD_UNLISTED);
	free(drops);
	assert_true(filter_events_poll(filter, 500, count_event, &events) >= 0);
	assert_int_equal(events, 1);
	filter_close(filter);
	wire_close(&wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(maps_are_found_when_ip_link_attached_the_object),
		TEST(maps_are_found_when_xdp_loader_loaded_the_object),
		TEST(detach_takes_off_what_another_tool_attached),
		TEST(nothing_attached_is_said_so),
		TEST(explain_follows_the_order_of_the_filter),
		TEST(lockouts_of_ipv6_sources_of_another_length_are_not_in_force),
		TEST(lockouts_are_listed_latest_first_and_cleared),
		TEST(packets_are_allowed_then_blocked_then_allowed),
		TEST(no_packet_passes_while_the_filter_is_replaced),
		TEST(counters_drops_and_events_tell_of_a_drop),
	};

	return lab_run(tests);
}
