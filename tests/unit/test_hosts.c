/* SPDX-License-Identifier: BSD-2-Clause */
/* The thread that keeps host names in ACLs and of peers at what DNS says. */
#include "dns_fixture.h"
#include "store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "daemon/hosts.h"
#include "net/net.h"

#define DNS_WAIT_MS 300

static _Atomic(const char *) address; /* what the server says; NULL: nothing */
static atomic_uint servers;	      /* how many SRV records of TLS it has */
static atomic_uint questions;	      /* so many it has heard */

static void respond(const struct question *q, struct message *m)
{
	const char *text = address;
	char srv[64], ip[32];
	unsigned n;

	questions++;
	if (!text)
		m->n = 0;
	else if (q->type == ns_t_srv && strcmp(q->name, "_sips._tcp.sip.example") == 0)
		for (unsigned i = 0; i < servers; i++) {
			snprintf(srv, sizeof(srv), "%u %u 5071 s%u.example", 10 * i, i, i);
			put_srv_text(m, q->name, 1, srv);
		}
	else if (q->type == ns_t_a && sscanf(q->name, "s%u.example", &n) == 1)
		for (unsigned i = 0; i < 3; i++) {
			snprintf(ip, sizeof(ip), "203.0.%u.%u", 100 + n, i + 1);
			put_address(m, q->name, 1, ip);
		}
	else if (q->type == ns_t_a)
		put_address(m, q->name, 1, text);
}

/* A test of what holds for both kinds of names is run for each: sip.example in an ACL, or in the
 * URI of an upstream. */
struct hosts_test {
	bool of_peer;
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
	assert_ok(t->f, create_trunk(t->f, "main", "*", NULL));
	address = "203.0.113.1";
	servers = questions = 0;
	*state = t;
	return 0;
}

static int setup_peer(void **state)
{
	int rc = setup(state);

	((struct hosts_test *)*state)->of_peer = true;
	return rc;
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

static void stop(struct hosts_test *t)
{
	hosts_stop(t->hosts);
	t->hosts = NULL;
}

static void add_acl_host(struct hosts_test *t)
{
	struct store_acl_host host = {.host = "sip.example"};

	assert_ok(t->f, store_acl_host_add(t->f->store, "office", &host, &t->f->err));
}

static void add_peer(struct hosts_test *t, const char *uri)
{
	struct store_peer peer = {.role = STORE_UPSTREAM};

	strcpy(peer.uri, uri);
	assert_ok(t->f, store_peer_add(t->f->store, "main", &peer, &t->f->err));
}

static void add_host(struct hosts_test *t)
{
	if (t->of_peer)
		add_peer(t, "sip:sip.example:5070");
	else
		add_acl_host(t);
}

static void remove_host(struct hosts_test *t)
{
	struct store_peer peer = {.role = STORE_UPSTREAM, .uri = "sip:sip.example:5070"};

	if (t->of_peer)
		assert_ok(t->f, store_peer_remove(t->f->store, "main", &peer, &t->f->err));
	else
		assert_ok(t->f,
			  store_acl_host_remove(t->f->store, "office", "sip.example", &t->f->err));
}

static int take_host(const struct host *host, void *ret_host)
{
	*(struct host *)ret_host = *host;
	return 0;
}

/* The only one, or the last. */
static struct host only_host(struct hosts_test *t)
{
	struct host host = {0};

	assert_ok(t->f, host_each(t->f->store, take_host, &host, &t->f->err));
	return host;
}

static int take_acl_failure(const struct store_acl_host *host, void *failure)
{
	strcpy(failure, host->failure);
	return 0;
}

static int take_peer_failure(const struct store_peer *peer, void *failure)
{
	strcpy(failure, peer->failure);
	return 0;
}

static bool has_failed(struct hosts_test *t, const char *why)
{
	char failure[STORE_NOTE_SIZE] = "";

	if (t->of_peer)
		assert_ok(t->f,
			  store_peer_each(t->f->store, 0, take_peer_failure, failure, &t->f->err));
	else
		assert_ok(t->f, store_acl_host_each(t->f->store, NULL, take_acl_failure, failure,
						    &t->f->err));
	return strcmp(failure, why) == 0;
}

/* All places of the only host, a blank between two. */
static const char *places_of(struct hosts_test *t)
{
	static char text[HOST_PLACES_MAX * HOST_PLACE_TEXT_SIZE];
	struct host host = only_host(t);
	struct host_places places;
	char *end = text;

	assert_ok(t->f, host_places(t->f->store, &host, &places, &t->f->err));
	*end = '\0';
	for (size_t i = 0; i < places.n; i++) {
		if (i)
			*end++ = ' ';
		host_place_format(&places.list[i], end);
		end += strlen(end);
	}
	return text;
}

static bool stands_for(struct hosts_test *t, const char *ip)
{
	char wanted[64];

	snprintf(wanted, sizeof(wanted), t->of_peer ? "udp/%s:5070" : "%s", ip);
	return strcmp(places_of(t), wanted) == 0;
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
	add_host(t);
	assert_within(3, stands_for(t, "203.0.113.1"));
	now = (int64_t)clock_wall_s();
	assert_in_range(only_host(t).resolved_s, now - 3, now);
	assert_in_range(only_host(t).due_s - only_host(t).resolved_s, DNS_TTL_MIN_S - 1,
			DNS_TTL_MIN_S);
}

static void a_host_that_is_due_at_the_start_is_resolved_at_once(void **state)
{
	struct hosts_test *t = *state;

	add_host(t);
	start(t);
	assert_within(1, stands_for(t, "203.0.113.1"));
}

static struct store_peer_address place(const char *ip, uint16_t port)
{
	struct store_peer_address place = {.endpoint.port = port, .transport = NET_UDP};

	assert_int_equal(ip_parse(slice_from(ip), &place.endpoint.ip), 0);
	return place;
}

/* As an earlier run of the daemon leaves it. */
static void add_resolved_host(struct hosts_test *t, const char *text, int64_t due_s)
{
	struct store_peer_address was = place(text, 5070);
	int64_t id;

	add_host(t);
	id = only_host(t).id;
	if (t->of_peer)
		assert_ok(t->f, store_peer_resolved(t->f->store, id, &was, 1, due_s, &t->f->err));
	else
		assert_ok(t->f, store_acl_host_resolved(t->f->store, id, &was.endpoint.ip, 1, due_s,
							&t->f->err));
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
	add_host(t);
	start(t);
	assert_within(2, !has_failed(t, ""));
	first_due_s = only_host(t).due_s;
	assert_within(8, only_host(t).due_s > first_due_s);
	stop(t);
	dup2(before, 2);
	close(before);
	assert_due_in(t, 2 * HOSTS_RETRY_MIN_S);
	assert_int_equal(lines_with(path, t->of_peer
						  ? "warning host_failed host=sip:sip.example:5070 "
						  : "warning host_failed host=sip.example "),
			 1);
	unlink(path);
}

static void it_stops_at_once_while_dns_is_silent(void **state)
{
	struct hosts_test *t = *state;
	uint64_t before = clock_coarse_ns();

	t->config.dns_timeout_ms = 60000;
	address = NULL;
	add_host(t);
	start(t);
	usleep(100000);
	stop(t);
	assert_in_range(clock_coarse_ns() - before, 0, 2 * NS_PER_S);
	assert_true(has_failed(t, ""));
}

static struct dns *open_dns(struct hosts_test *t)
{
	struct dns *dns;

	assert_ok(t->f, dns_create(t->responder.address, DNS_WAIT_MS, &dns, &t->f->err));
	return dns;
}

static void a_host_that_goes_while_it_is_looked_up_is_no_error(void **state)
{
	struct hosts_test *t = *state;
	struct dns *dns = open_dns(t);
	struct host_places answer;
	struct host host;

	add_host(t);
	host = only_host(t);
	remove_host(t);
	assert_int_equal(host_resolve(t->f->store, dns, &host, 5, &answer, &t->f->err), -ENOENT);
	address = NULL;
	assert_int_equal(host_resolve(t->f->store, dns, &host, 5, &answer, &t->f->err), -ENOENT);
	dns_free(dns);
}

/* ---- peers alone ---- */

static void an_address_is_not_asked_for(void **state)
{
	struct hosts_test *t = *state;
	struct host host;

	add_peer(t, "sip:192.0.2.10:5060");
	start(t);
	usleep(200000);
	assert_int_equal(questions, 0);
	host.id = 0;
	assert_ok(t->f, host_each(t->f->store, take_host, &host, &t->f->err));
	assert_int_equal(host.id, 0);
}

static void a_pbx_on_this_machine_will_do(void **state)
{
	struct hosts_test *t = *state;

	address = "127.0.0.1";
	add_host(t);
	start(t);
	assert_within(1, stands_for(t, "127.0.0.1"));
}

static void again_resolves_peers_before_they_are_due_and_acls_not(void **state)
{
	struct hosts_test *t = *state;
	int64_t later_s = (int64_t)clock_wall_s() + 60;

	add_resolved_host(t, "198.51.100.9", later_s);
	start(t);
	usleep(200000);
	hosts_again(t->hosts);
	assert_within(1, stands_for(t, "203.0.113.1"));
	stop(t);
	remove_host(t);
	t->of_peer = false;
	add_resolved_host(t, "198.51.100.9", later_s);
	start(t);
	hosts_again(t->hosts);
	usleep(300000);
	assert_true(stands_for(t, "198.51.100.9"));
}

/* They have the same id. */
static void an_acl_and_a_peer_fail_each_by_itself(void **state)
{
	struct hosts_test *t = *state;
	char path[128];
	int before;

	snprintf(path, sizeof(path), "%s/log", t->f->dir);
	before = log_to_file(path);
	address = NULL;
	add_acl_host(t);
	add_host(t);
	start(t);
	assert_within(3, !has_failed(t, ""));
	stop(t);
	dup2(before, 2);
	close(before);
	assert_int_equal(lines_with(path, "warning host_failed host=sip.example "), 1);
	assert_int_equal(lines_with(path, "warning host_failed host=sip:sip.example:5070 "), 1);
	unlink(path);
}

static void servers_of_a_secure_uri_are_by_tls_in_order(void **state)
{
	struct hosts_test *t = *state;
	struct store_peer_address found[STORE_PEER_ADDRESSES_MAX];
	size_t n;

	servers = 2;
	add_peer(t, "sips:sip.example");
	start(t);
	assert_within(2, strcmp(places_of(t),
				"tls/203.0.100.1:5071 tls/203.0.100.2:5071 tls/203.0.100.3:5071 "
				"tls/203.0.101.1:5071 tls/203.0.101.2:5071 tls/203.0.101.3:5071") ==
				 0);
	assert_ok(t->f, store_peer_addresses(t->f->store, only_host(t).id, found, &n, &t->f->err));
	assert_int_equal(found[0].priority, 0);
	assert_int_equal(found[3].priority, 10);
	assert_int_equal(found[3].weight, 1);
}

static void more_servers_than_a_peer_may_have_are_a_failure(void **state)
{
	struct hosts_test *t = *state;
	struct dns *dns = open_dns(t);
	struct host_places answer;
	struct host host;

	servers = 22;
	add_peer(t, "sips:sip.example");
	host = only_host(t);
	assert_int_equal(host_resolve(t->f->store, dns, &host, 5, &answer, &t->f->err), 0);
	assert_true(has_failed(t, "sip.example brings more than 64 servers"));
	servers = 21;
	assert_int_equal(host_resolve(t->f->store, dns, &host, 5, &answer, &t->f->err), 1);
	assert_int_equal(answer.n, 63);
	assert_true(has_failed(t, ""));
	dns_free(dns);
}

#define ACL_TEST(function)                                                                         \
	{                                                                                          \
#function " (ACL)", function, setup, teardown, NULL                                \
	}
#define PEER_TEST(function)                                                                        \
	{                                                                                          \
#function " (peer)", function, setup_peer, teardown, NULL                          \
	}
#define HOSTS_TEST(function) ACL_TEST(function), PEER_TEST(function)

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
		PEER_TEST(an_address_is_not_asked_for),
		PEER_TEST(a_pbx_on_this_machine_will_do),
		PEER_TEST(again_resolves_peers_before_they_are_due_and_acls_not),
		PEER_TEST(an_acl_and_a_peer_fail_each_by_itself),
		PEER_TEST(servers_of_a_secure_uri_are_by_tls_in_order),
		PEER_TEST(more_servers_than_a_peer_may_have_are_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
