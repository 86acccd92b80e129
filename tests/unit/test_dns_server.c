/* SPDX-License-Identifier: BSD-2-Clause */
/* Names to addresses as a real name server, dnsmasq, answers for them. */
#include "dns_fixture.h"

#include <errno.h>
#include <fcntl.h>

#include "net/net.h"

#define MANY 300

struct server {
	pid_t pid;
	char dir[32], address[32];
	struct dns *dns;
};

static struct server server;

static unsigned free_port(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(in);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&in, size), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &size), 0);
	close(fd);
	return ntohs(in.sin_port);
}

/* As many addresses as the limit allows, and one name with more. */
static void write_hosts(const char *path)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	for (int i = 0; i < MANY; i++) {
		fprintf(file, "10.1.%d.%d many.example\n", i / 250, i % 250);
		if (i < DNS_ADDRESSES_MAX)
			fprintf(file, "10.2.%d.%d full.example\n", i / 250, i % 250);
	}
	fclose(file);
}

static void run_dnsmasq(const char *port, const char *hosts)
{
	int null = open("/dev/null", O_RDWR);

	dup2(null, 2);
	execlp("dnsmasq", "dnsmasq", "--no-daemon", "--conf-file=/dev/null",
	       "--pid-file=", "--no-resolv", "--no-hosts", "--local=/example/", "--bind-interfaces",
	       "--listen-address=127.0.0.1", "--local-ttl=40", port, hosts,
	       "--host-record=both.example,203.0.113.1,2001:db8::1,3600",
	       "--host-record=v4.example,203.0.113.4,7", "--host-record=v6.example,2001:db8::6",
	       "--host-record=quick.example,203.0.113.5,1", "--cname=alias.example,v4.example,30",
	       "--srv-host=_sip._udp.example,both.example,5060,1,1",
	       "--srv-host=_sip._udp.example,v4.example,5080,2,1",
	       "--srv-host=_sip._udp.example,gone.example,5080,2,1",
	       "--srv-host=_empty._udp.example", "--srv-host=_sip._tcp.example,v6.example,5062,0,3",
	       "--naptr-record=example,20,1,s,SIP+D2U,,_sip._udp.good.example",
	       "--naptr-record=example,10,1,s,SIP+D2T,,_sip._tcp.example",
	       "--srv-host=_sip._udp.good.example,v4.example,5064,1,1", (char *)NULL);
	_exit(127);
}

static bool answers(void)
{
	struct dns_answer answer;

	for (int i = 0; i < 100; i++) {
		if (dns_addresses(server.dns, "v4.example", &answer, NULL) == 0)
			return true;
		if (waitpid(server.pid, NULL, WNOHANG) == server.pid)
			break;
		usleep(20000);
	}
	return false;
}

static int start_server(void **state)
{
	char port[32], path[64], hosts[96];
	unsigned number = free_port();

	(void)state;
	strcpy(server.dir, "/tmp/sipward-test-dns-XXXXXX");
	assert_non_null(mkdtemp(server.dir));
	chmod(server.dir, 0755); /* dnsmasq leaves root behind */
	snprintf(path, sizeof(path), "%s/hosts", server.dir);
	write_hosts(path);
	snprintf(hosts, sizeof(hosts), "--addn-hosts=%s", path);
	snprintf(port, sizeof(port), "--port=%u", number);
	snprintf(server.address, sizeof(server.address), "127.0.0.1:%u", number);
	assert_int_equal(dns_create(server.address, 3000, &server.dns, NULL), 0);
	server.pid = fork();
	if (server.pid == 0)
		run_dnsmasq(port, hosts);
	if (!answers())
		server.pid = 0;
	return 0;
}

static int stop_server(void **state)
{
	char path[64];

	(void)state;
	if (server.pid > 0) {
		kill(server.pid, SIGTERM);
		waitpid(server.pid, NULL, 0);
	}
	dns_free(server.dns);
	snprintf(path, sizeof(path), "%s/hosts", server.dir);
	unlink(path);
	rmdir(server.dir);
	return 0;
}

/* The addresses separated by blanks, and the TTL; or the sentence. */
static void assert_looked_up(const char *name, const char *expected)
{
	static struct dns_answer answer;
	char text[1024] = "";
	struct error err;
	size_t n = 0;
	int rc;

	if (!server.pid)
		skip();
	rc = name[0] == '_' ? dns_srv_addresses(server.dns, name, &answer, &err)
			    : dns_addresses(server.dns, name, &answer, &err);
	if (rc) {
		assert_string_equal(err.text, expected);
		return;
	}
	for (size_t i = 0; i < answer.n && i < 10; i++) {
		char ip[IP_TEXT_SIZE];

		ip_format(&answer.addresses[i], ip);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s ", ip);
	}
	snprintf(text + n, sizeof(text) - n, "for %u s", answer.ttl_s);
	assert_string_equal(text, expected);
}

static void finds_addresses_of_either_family_and_both(void **state)
{
	(void)state;
	assert_looked_up("v4.example", "203.0.113.4 for 7 s");
	assert_looked_up("v6.example", "2001:db8::6 for 40 s");
	assert_looked_up("both.example", "203.0.113.1 2001:db8::1 for 3600 s");
}

static void takes_no_ttl_below_five_seconds(void **state)
{
	(void)state;
	assert_looked_up("quick.example", "203.0.113.5 for 5 s");
}

static void follows_an_alias(void **state)
{
	(void)state;
	assert_looked_up("alias.example", "203.0.113.4 for 7 s");
}

static void finds_the_targets_of_a_service(void **state)
{
	(void)state;
	assert_looked_up("_sip._udp.example", "203.0.113.1 203.0.113.4 2001:db8::1 for 7 s");
	assert_looked_up("_empty._udp.example",
			 "_empty._udp.example: the service is not offered (SRV .)");
	assert_looked_up("_sips._tcp.example", "_sips._tcp.example does not exist");
}

static void tells_that_a_name_does_not_exist(void **state)
{
	(void)state;
	assert_looked_up("none.example", "none.example does not exist");
}

static void takes_as_many_addresses_as_the_limit_and_no_more(void **state)
{
	static struct dns_answer answer;

	(void)state;
	assert_looked_up("many.example", "many.example brings more than 256 addresses");
	assert_int_equal(dns_addresses(server.dns, "full.example", &answer, NULL), 0);
	assert_int_equal(answer.n, DNS_ADDRESSES_MAX);
}

static void locates_servers_by_naptr_srv_and_address(void **state)
{
	static struct dns_location l;

	(void)state;
	if (!server.pid)
		skip();
	setenv("CARES_HOSTS", "/dev/null", 1);
	assert_int_equal(
		dns_locate(server.dns, &(struct dns_query){.host = "example"}, &l, NULL), 0);
	assert_int_equal(l.n, 2);
	assert_int_equal(l.hops[0].transport, NET_TCP);
	assert_int_equal(l.hops[0].endpoint.ip.family, 6);
	assert_int_equal(l.hops[0].endpoint.port, 5062);
	assert_int_equal(l.hops[0].weight, 3);
	assert_int_equal(l.hops[1].transport, NET_UDP);
	assert_int_equal(l.hops[1].endpoint.ip.family, 4);
	assert_int_equal(l.hops[1].endpoint.port, 5064);
	assert_int_equal(l.hops[1].priority, 1 << 16 | 1);
	assert_int_equal(l.ttl_s, 7);
	assert_int_equal(dns_locate(server.dns,
				    &(struct dns_query){.host = "v4.example", .port = 5070}, &l,
				    NULL),
			 0);
	assert_int_equal(l.n, 1);
	assert_int_equal(l.hops[0].endpoint.port, 5070);
}

static void *look_up_often(void *arg)
{
	struct dns_answer answer;

	for (int i = 0; i < 20; i++)
		if (dns_addresses(server.dns, "both.example", &answer, NULL) || answer.n != 2)
			return arg;
	return NULL;
}

static void several_threads_may_ask_at_once(void **state)
{
	pthread_t threads[4];
	void *failed;

	(void)state;
	if (!server.pid)
		skip();
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, look_up_often, &server), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_addresses_of_either_family_and_both),
		cmocka_unit_test(takes_no_ttl_below_five_seconds),
		cmocka_unit_test(follows_an_alias),
		cmocka_unit_test(finds_the_targets_of_a_service),
		cmocka_unit_test(tells_that_a_name_does_not_exist),
		cmocka_unit_test(takes_as_many_addresses_as_the_limit_and_no_more),
		cmocka_unit_test(locates_servers_by_naptr_srv_and_address),
		cmocka_unit_test(several_threads_may_ask_at_once),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}
