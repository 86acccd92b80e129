/* SPDX-License-Identifier: BSD-2-Clause */
/* The thread that keeps host names in ACLs at what DNS says. */
#include "dns_fixture.h"
#include "store_fixture.h"

#include <errno.h>
#include <fcntl.h>

#include "base/clock.h"
#include "daemon/hosts.h"

#define DNS_WAIT_MS 300

static _Atomic(const char *) address; /* what the server says; NULL: nothing */

static void respond(const struct question *q, struct message *m)
{
	const char *text = address;

	if (!text)
		m->n = 0;
	else if (q->type == ns_t_a)
		put_address(m, q->name, 1, text);
}

struct hosts_test {
	struct fixture *f;
	struct responder responder;
	struct config config;
	struct hosts *hosts;
};

static int setup(void **state)
{
	struct hosts_test *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	assert_int_equal(fixture_setup((void **)&t->f), 0);
	responder_start(&t->responder, respond);
	config_defaults(&t->config);
	t->config.dns_timeout_ms = DNS_WAIT_MS;
	strcpy(t->config.dns_servers, t->responder.address);
	strcpy(t->config.state_dir, t->f->dir);
	assert_ok(t->f, store_acl_create(t->f->store, "office", NULL, &t->f->err));
	address = "203.0.113.1";
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct hosts_test *t = *state;

	hosts_stop(t->hosts);
	responder_stop(&t->responder);
	fixture_teardown((void **)&t->f);
	free(t);
	return 0;
}

static void start(struct hosts_test *t)
{
	assert_ok(t->f, hosts_start(&t->config, &t->hosts, &t->f->err));
}

static void add_host(struct hosts_test *t, const char *name)
{
	struct store_acl_host host = {0};

	strcpy(host.host, name);
	assert_ok(t->f, store_acl_host_add(t->f->store, "office", &host, &t->f->err));
}

static int take_host(const struct store_acl_host *host, void *ret_host)
{
	*(struct store_acl_host *)ret_host = *host;
	return 0;
}

static struct store_acl_host only_host(struct hosts_test *t)
{
	struct store_acl_host host = {0};

	assert_ok(t->f, store_acl_host_each(t->f->store, "office", take_host, &host, &t->f->err));
	return host;
}

static bool stands_for(struct hosts_test *t, const char *text)
{
	struct ip addresses[STORE_HOST_ADDRESSES_MAX];
	struct store_acl_host host = only_host(t);
	char ip[IP_TEXT_SIZE] = "";
	size_t n;

	assert_ok(t->f, store_acl_host_addresses(t->f->store, host.id, addresses, &n, &t->f->err));
	if (n)
		ip_format(&addresses[0], ip);
	return n == host.addresses && n <= 1 && strcmp(ip, text) == 0;
}

static bool has_failed(struct hosts_test *t, const char *why)
{
	return strcmp(only_host(t).failure, why) == 0;
}

/* Within so many seconds, checked each 20 ms. */
#define assert_within(seconds, condition)                                                          \
	do {                                                                                       \
		int left_ = (seconds)*50;                                                          \
		while (!(condition) && left_-- > 0)                                                \
			usleep(20000);                                                             \
		assert_true(condition);                                                            \
	} while (0)

static void a_new_host_is_resolved_within_a_second_or_so(void **state)
{
	struct hosts_test *t = *state;
	int64_t now;

	start(t);
	add_host(t, "sip.example");
	assert_within(3, stands_for(t, "203.0.113.1"));
	now = (int64_t)clock_wall_s();
	assert_in_range(only_host(t).resolved_s, now - 3, now);
	assert_in_range(only_host(t).due_s - only_host(t).resolved_s, DNS_TTL_MIN_S - 1,
			DNS_TTL_MIN_S);
}

static void a_host_that_is_due_at_the_start_is_resolved_at_once(void **state)
{
	struct hosts_test *t = *state;

	add_host(t, "sip.example");
	start(t);
	assert_within(1, stands_for(t, "203.0.113.1"));
}

/* As an earlier run of the daemon leaves it. */
static void add_resolved_host(struct hosts_test *t, const char *text, int64_t due_s)
{
	struct ip ip;

	add_host(t, "sip.example");
	assert_int_equal(ip_parse(slice_from(text), &ip), 0);
	assert_ok(t->f,
		  store_acl_host_resolved(t->f->store, only_host(t).id, &ip, 1, due_s, &t->f->err));
}

/* It was written by a clock that ran ahead. */
static void a_host_that_is_due_in_the_far_future_is_due(void **state)
{
	struct hosts_test *t = *state;

	add_resolved_host(t, "198.51.100.9", (int64_t)clock_wall_s() + 3 * DNS_TTL_MAX_S);
	start(t);
	assert_within(1, stands_for(t, "203.0.113.1"));
}

static void a_host_that_is_not_due_is_left_alone(void **state)
{
	struct hosts_test *t = *state;

	add_resolved_host(t, "198.51.100.9", (int64_t)clock_wall_s() + 60);
	start(t);
	usleep(200000);
	assert_true(stands_for(t, "198.51.100.9"));
}

static void assert_due_in(struct hosts_test *t, int64_t seconds)
{
	int64_t now = (int64_t)clock_wall_s();

	assert_in_range(only_host(t).due_s, now + seconds - 2, now + seconds);
}

static void while_dns_fails_the_addresses_are_kept(void **state)
{
	struct hosts_test *t = *state;

	address = NULL;
	add_resolved_host(t, "198.51.100.9", 0);
	start(t);
	assert_within(2, has_failed(t, "sip.example: no answer within 300 ms"));
	assert_true(stands_for(t, "198.51.100.9"));
	assert_due_in(t, HOSTS_RETRY_MIN_S);
	address = "203.0.113.2";
	assert_within(8, has_failed(t, ""));
	assert_true(stands_for(t, "203.0.113.2"));
}

/* Standard error into a file, and back: the log. */
static int log_to_file(const char *path)
{
	int before = dup(2), fd = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);

	assert_true(before >= 0 && fd >= 0);
	dup2(fd, 2);
	close(fd);
	return before;
}

static unsigned lines_with(const char *path, const char *words)
{
	FILE *file = fopen(path, "r");
	char line[1024];
	unsigned n = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		n += strstr(line, words) != NULL;
	fclose(file);
	return n;
}

static void failures_are_told_once_and_tried_again_ever_later(void **state)
{
	struct hosts_test *t = *state;
	int64_t first_due_s;
	char path[128];
	int before;

	snprintf(path, sizeof(path), "%s/log", t->f->dir);
	before = log_to_file(path);
	address = NULL;
	add_host(t, "sip.example");
	start(t);
	assert_within(2, !has_failed(t, ""));
	first_due_s = only_host(t).due_s;
	assert_within(8, only_host(t).due_s > first_due_s);
	hosts_stop(t->hosts);
	t->hosts = NULL;
	dup2(before, 2);
	close(before);
	assert_due_in(t, 2 * HOSTS_RETRY_MIN_S);
	assert_int_equal(lines_with(path, "warning host_failed host=sip.example"), 1);
	unlink(path);
}

static void it_stops_at_once_while_dns_is_silent(void **state)
{
	struct hosts_test *t = *state;
	uint64_t before = clock_coarse_ns();

	t->config.dns_timeout_ms = 60000;
	address = NULL;
	add_host(t, "sip.example");
	start(t);
	usleep(100000);
	hosts_stop(t->hosts);
	t->hosts = NULL;
	assert_in_range(clock_coarse_ns() - before, 0, 2 * NS_PER_S);
	assert_true(has_failed(t, ""));
}

static void a_host_that_goes_while_it_is_looked_up_is_no_error(void **state)
{
	struct hosts_test *t = *state;
	struct store_acl_host host;
	struct dns_answer answer;
	struct dns *dns;

	add_host(t, "sip.example");
	host = only_host(t);
	assert_ok(t->f, store_acl_host_remove(t->f->store, "office", "sip.example", &t->f->err));
	assert_ok(t->f, dns_create(t->responder.address, DNS_WAIT_MS, &dns, &t->f->err));
	assert_int_equal(hosts_resolve(t->f->store, dns, &host, 5, &answer, &t->f->err), -ENOENT);
	address = NULL;
	assert_int_equal(hosts_resolve(t->f->store, dns, &host, 5, &answer, &t->f->err), -ENOENT);
	dns_free(dns);
}

#define HOSTS_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOSTS_TEST(a_new_host_is_resolved_within_a_second_or_so),
		HOSTS_TEST(a_host_that_is_due_at_the_start_is_resolved_at_once),
		HOSTS_TEST(a_host_that_is_due_in_the_far_future_is_due),
		HOSTS_TEST(a_host_that_is_not_due_is_left_alone),
		HOSTS_TEST(while_dns_fails_the_addresses_are_kept),
		HOSTS_TEST(failures_are_told_once_and_tried_again_ever_later),
		HOSTS_TEST(it_stops_at_once_while_dns_is_silent),
		HOSTS_TEST(a_host_that_goes_while_it_is_looked_up_is_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
