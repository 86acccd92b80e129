/* SPDX-License-Identifier: BSD-2-Clause */
/* From a SIP URI to servers (RFC 3263), against zones and hosts files that a test makes up. */
#include "dns_fixture.h"

#include <errno.h>

#include "net/net.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- a zone ---- */

/* Lines of "OWNER TTL TYPE DATA". */
static const char *const *zone;
static size_t zone_size;
static const char *failing, *unanswered; /* "NAME TYPE" */
static unsigned asked;

#define ZONE(...)                                                                                  \
	do {                                                                                       \
		static const char *const lines[] = {__VA_ARGS__};                                  \
		zone = lines;                                                                      \
		zone_size = COUNT(lines);                                                          \
	} while (0)

static const char *type_name(unsigned type)
{
	return type == ns_t_a	   ? "A"
	       : type == ns_t_aaaa ? "AAAA"
	       : type == ns_t_srv  ? "SRV"
				   : "NAPTR";
}

/* Whether the owner is the one in question; its records of the type are added. */
static bool put_line(struct message *m, const struct question *q, const char *line)
{
	char owner[256], type[8];
	unsigned ttl;
	int data;

	assert_int_equal(sscanf(line, "%255s %u %7s %n", owner, &ttl, type, &data), 3);
	if (strcmp(owner, q->name))
		return false;
	if (strcmp(type, type_name(q->type)))
		return true;
	if (q->type == ns_t_srv)
		put_srv_text(m, owner, ttl, line + data);
	else if (q->type == ns_t_naptr)
		put_naptr_text(m, owner, ttl, line + data);
	else
		put_address(m, owner, ttl, line + data);
	return true;
}

static void respond_from_zone(const struct question *q, struct message *m)
{
	char text[300];
	bool exists = false;

	asked++;
	snprintf(text, sizeof(text), "%s %s", q->name, type_name(q->type));
	if (failing && strcmp(text, failing) == 0) {
		set_rcode(m, ns_r_servfail);
		return;
	}
	if (unanswered && strcmp(text, unanswered) == 0) {
		m->n = 0;
		return;
	}
	for (size_t i = 0; i < zone_size; i++)
		exists |= put_line(m, q, zone[i]);
	if (!exists)
		set_rcode(m, ns_r_nxdomain);
}

static int clear_zone(void **state)
{
	(void)state;
	zone_size = 0;
	failing = unanswered = NULL;
	asked = 0;
	return setenv("CARES_HOSTS", "/dev/null", 1);
}

/* ---- one lookup ---- */

struct located {
	int rc;
	struct dns_location location;
	struct error err;
	char text[2048]; /* a line a hop: "RANK.PRIORITY WEIGHT TRANSPORT ENDPOINT" */
};

static void list_hops(struct located *l)
{
	static const char *const names[] = {"?", "UDP", "TCP", "TLS"};
	char endpoint[ENDPOINT_TEXT_SIZE];
	size_t n = 0;

	for (size_t i = 0; l->rc == 0 && i < l->location.n && i < 20; i++) {
		const struct dns_hop *hop = &l->location.hops[i];

		endpoint_format(&hop->endpoint, endpoint);
		n += (size_t)snprintf(l->text + n, sizeof(l->text) - n, "%u.%u %u %s %s\n",
				      hop->priority >> 16, hop->priority & 0xffff, hop->weight,
				      names[hop->transport], endpoint);
	}
}

static const struct located *locate(const struct dns_query *query)
{
	static struct located l;
	struct responder r;
	struct dns *dns;

	memset(&l, 0, sizeof(l));
	responder_start(&r, respond_from_zone);
	assert_int_equal(dns_create(r.address, 1000, &dns, NULL), 0);
	l.rc = dns_locate(dns, query, &l.location, &l.err);
	list_hops(&l);
	dns_free(dns);
	responder_stop(&r);
	return &l;
}

#define LOCATE(...) locate(&(struct dns_query){__VA_ARGS__})

static void assert_located(const struct located *l, const char *hops)
{
	if (l->rc)
		print_error("%s\n", l->err.text);
	assert_int_equal(l->rc, 0);
	assert_string_equal(l->text, hops);
}

static void assert_not_located(const struct located *l, int rc, const char *sentence)
{
	assert_int_equal(l->rc, rc);
	assert_string_equal(l->err.text, sentence);
	assert_int_equal(l->location.n, 0);
}

/* ---- addresses ---- */

static void an_address_is_its_own_place(void **state)
{
	(void)state;
	assert_located(LOCATE(.host = "192.0.2.1"), "0.0 0 UDP 192.0.2.1:5060\n");
	assert_located(LOCATE(.host = "192.0.2.1", .transport = NET_TCP),
		       "0.0 0 TCP 192.0.2.1:5060\n");
	assert_located(LOCATE(.host = "192.0.2.1", .transport = NET_TLS),
		       "0.0 0 TLS 192.0.2.1:5061\n");
	assert_located(LOCATE(.host = "[2001:db8::1]", .port = 5070, .secure = true),
		       "0.0 0 TLS [2001:db8::1]:5070\n");
	assert_located(LOCATE(.host = "2001:db8::1", .secure = true, .transport = NET_TCP),
		       "0.0 0 TLS [2001:db8::1]:5061\n");
	assert_located(LOCATE(.host = "127.0.0.1", .port = 5070, .loopback = true),
		       "0.0 0 UDP 127.0.0.1:5070\n");
	assert_int_equal(asked, 0);
}

static void an_address_that_nothing_comes_from_is_refused(void **state)
{
	(void)state;
	assert_not_located(LOCATE(.host = "127.0.0.1"), -EINVAL, "127.0.0.1 is no source");
	assert_not_located(LOCATE(.host = "::1"), -EINVAL, "::1 is no source");
	assert_not_located(LOCATE(.host = "0.0.0.0", .loopback = true), -EINVAL,
			   "0.0.0.0 is no source");
	assert_not_located(LOCATE(.host = "[ff02::1]", .loopback = true), -EINVAL,
			   "[ff02::1] is no source");
}

static void queries_that_can_not_be_met_are_refused(void **state)
{
	char host[300];

	(void)state;
	assert_not_located(LOCATE(.host = ""), -EINVAL, "\"\" is no domain name");
	assert_not_located(LOCATE(.host = "."), -EINVAL, "\".\" is no domain name");
	assert_not_located(LOCATE(.host = "a.example", .transport = 4), -EINVAL,
			   "a.example: there is no transport 4");
	assert_not_located(LOCATE(.host = "a.example", .transport = NET_UDP, .secure = true),
			   -EINVAL, "a.example: sips: goes by TLS, not UDP");
	for (size_t n = 0; n < sizeof(host); n++)
		host[n] = n % 50 == 49 ? '.' : 'a';
	host[299] = '\0';
	assert_int_equal(LOCATE(.host = host)->rc, -EINVAL);
	host[255] = '\0';
	assert_int_equal(LOCATE(.host = host, .transport = NET_UDP)->rc, -EINVAL);
	host[250] = '\0';
	assert_int_equal(LOCATE(.host = host, .transport = NET_UDP)->rc, -EINVAL);
	assert_int_equal(asked, 0);
}

/* ---- names with a port ---- */

static void a_port_leads_to_the_addresses_alone(void **state)
{
	(void)state;
	ZONE("a.example 300 A 203.0.113.2", "a.example 70 A 203.0.113.1",
	     "a.example 300 AAAA 2001:db8::1",
	     "a.example 300 NAPTR 1 1 s SIP+D2T - _sip._tcp.a.example",
	     "_sip._udp.a.example 300 SRV 1 1 5099 b.example");
	const struct located *l = LOCATE(.host = "a.example.", .port = 5080);

	assert_located(l, "0.0 0 UDP 203.0.113.1:5080\n0.0 0 UDP 203.0.113.2:5080\n"
			  "0.0 0 UDP [2001:db8::1]:5080\n");
	assert_int_equal(l->location.ttl_s, 70);
	assert_int_equal(asked, 2);
	l = LOCATE(.host = "a.example", .port = 5080, .transport = NET_TCP);
	assert_string_equal(strchr(l->text, 'T'), "TCP 203.0.113.1:5080\n"
						  "0.0 0 TCP 203.0.113.2:5080\n"
						  "0.0 0 TCP [2001:db8::1]:5080\n");
	assert_not_located(LOCATE(.host = "none.example", .port = 5080), -ENOENT,
			   "none.example does not exist");
}

/* ---- SRV ---- */

static void a_transport_leads_to_its_services(void **state)
{
	(void)state;
	ZONE("_sip._udp.example 300 SRV 20 10 5070 b.example",
	     "_sip._udp.example 44 SRV 10 10 5060 a.example",
	     "_sip._udp.example 300 SRV 10 90 0 b.example",
	     "_sip._tcp.example 300 SRV 1 2 5090 a.example",
	     "_sips._tcp.example 300 SRV 1 2 5091 a.example",
	     "example 300 NAPTR 1 1 s SIP+D2T - _sip._tcp.example", "a.example 300 A 203.0.113.1",
	     "b.example 300 A 203.0.113.2", "b.example 300 AAAA 2001:db8::2");
	const struct located *l = LOCATE(.host = "example", .transport = NET_UDP);

	assert_located(l, "0.10 90 UDP 203.0.113.2:5060\n0.10 90 UDP [2001:db8::2]:5060\n"
			  "0.10 10 UDP 203.0.113.1:5060\n"
			  "0.20 10 UDP 203.0.113.2:5070\n0.20 10 UDP [2001:db8::2]:5070\n");
	assert_int_equal(l->location.ttl_s, 44);
	assert_located(LOCATE(.host = "example", .transport = NET_TCP),
		       "0.1 2 TCP 203.0.113.1:5090\n");
	assert_located(LOCATE(.host = "example", .transport = NET_TLS),
		       "0.1 2 TLS 203.0.113.1:5091\n");
	assert_located(LOCATE(.host = "example", .transport = NET_TCP, .secure = true),
		       "0.1 2 TLS 203.0.113.1:5091\n");
}

static void a_transport_without_services_leads_to_the_addresses(void **state)
{
	(void)state;
	ZONE("example 300 A 203.0.113.1", "example 300 NAPTR 1 1 s SIP+D2T - _sip._tcp.example");
	assert_located(LOCATE(.host = "example", .transport = NET_TLS),
		       "0.0 0 TLS 203.0.113.1:5061\n");
	assert_located(LOCATE(.host = "example", .transport = NET_TCP),
		       "0.0 0 TCP 203.0.113.1:5060\n");
	assert_not_located(LOCATE(.host = "none.example", .transport = NET_TCP), -ENOENT,
			   "none.example does not exist");
}

static void a_service_that_is_not_offered_has_no_addresses(void **state)
{
	(void)state;
	ZONE("example 300 A 203.0.113.1", "_sip._udp.example 300 SRV 0 0 0 .");
	assert_not_located(LOCATE(.host = "example", .transport = NET_UDP), -ENOENT,
			   "_sip._udp.example: the service is not offered (SRV .)");
	assert_not_located(LOCATE(.host = "example"), -ENOENT,
			   "_sip._udp.example: the service is not offered (SRV .)");
	ZONE("a.example 300 A 203.0.113.1", "_sip._udp.example 300 SRV 0 0 0 .",
	     "_sip._tcp.example 300 SRV 1 1 5060 a.example");
	assert_located(LOCATE(.host = "example"), "1.1 1 TCP 203.0.113.1:5060\n");
}

static void one_server_stands_once_at_its_best(void **state)
{
	(void)state;
	ZONE("_sip._udp.example 300 SRV 20 1 5060 a.example",
	     "_sip._udp.example 300 SRV 10 5 5060 b.example",
	     "_sip._udp.example 300 SRV 10 7 5060 a.example",
	     "_sip._udp.example 300 SRV 10 7 5060 a.example", "a.example 300 A 203.0.113.1",
	     "b.example 300 A 203.0.113.1");
	assert_located(LOCATE(.host = "example", .transport = NET_UDP),
		       "0.10 7 UDP 203.0.113.1:5060\n");
}

/* ---- NAPTR ---- */

static void naptr_ranks_all_transports_that_are_offered(void **state)
{
	(void)state;
	ZONE("example 300 NAPTR 20 10 S sip+d2u - _sip._udp.example",
	     "example 300 NAPTR 10 90 s SIP+D2T - tcp.carrier.example",
	     "example 300 NAPTR 10 50 s SIPS+D2T - _sips._tcp.example",
	     "example 300 NAPTR 1 1 s SIP+D2S - _sip._sctp.example",
	     "example 300 NAPTR 1 1 u SIP+D2U !x!y! .",
	     "_sip._udp.example 300 SRV 3 1 5060 a.example",
	     "tcp.carrier.example 300 SRV 2 1 5062 a.example",
	     "_sips._tcp.example 300 SRV 65535 1 5061 a.example", "a.example 300 A 203.0.113.1");
	assert_located(LOCATE(.host = "example"),
		       "0.65535 1 TLS 203.0.113.1:5061\n1.2 1 TCP 203.0.113.1:5062\n"
		       "2.3 1 UDP 203.0.113.1:5060\n");
	assert_located(LOCATE(.host = "example", .secure = true),
		       "0.65535 1 TLS 203.0.113.1:5061\n");
}

static void naptr_that_leads_nowhere_leaves_its_transport(void **state)
{
	(void)state;
	ZONE("example 300 NAPTR 10 90 s SIP+D2T - tcp.carrier.example",
	     "example 300 A 203.0.113.1");
	assert_located(LOCATE(.host = "example"), "0.0 0 TCP 203.0.113.1:5060\n");
}

static void naptr_of_other_transports_is_as_good_as_none(void **state)
{
	(void)state;
	ZONE("example 300 NAPTR 10 90 s SIP+D2T - _sip._tcp.example", "example 300 A 203.0.113.1");
	assert_located(LOCATE(.host = "example", .secure = true), "0.0 0 TLS 203.0.113.1:5061\n");
}

/* ---- nothing but the name ---- */

static void without_naptr_all_services_count_udp_first(void **state)
{
	(void)state;
	ZONE("_sips._tcp.example 300 SRV 1 1 5061 a.example",
	     "_sip._tcp.example 300 SRV 1 1 5060 a.example",
	     "_sip._udp.example 300 SRV 9 1 5060 a.example", "a.example 300 A 203.0.113.1");
	assert_located(LOCATE(.host = "example"),
		       "0.9 1 UDP 203.0.113.1:5060\n1.1 1 TCP 203.0.113.1:5060\n"
		       "2.1 1 TLS 203.0.113.1:5061\n");
	assert_located(LOCATE(.host = "example", .secure = true), "0.1 1 TLS 203.0.113.1:5061\n");
}

static void without_services_the_addresses_are_left(void **state)
{
	(void)state;
	ZONE("example 300 AAAA 2001:db8::1");
	assert_located(LOCATE(.host = "example"), "0.0 0 UDP [2001:db8::1]:5060\n");
	assert_located(LOCATE(.host = "example", .secure = true), "0.0 0 TLS [2001:db8::1]:5061\n");
	assert_not_located(LOCATE(.host = "none.example"), -ENOENT, "none.example does not exist");
}

/* ---- failures ---- */

static void any_step_that_fails_for_now_fails_the_lookup(void **state)
{
	static const char *const steps[] = {"example NAPTR",	     "_sip._udp.example SRV",
					    "_sip._tcp.example SRV", "_sips._tcp.example SRV",
					    "a.example A",	     "a.example AAAA"};

	(void)state;
	ZONE("_sip._udp.example 300 SRV 1 1 5060 a.example", "a.example 300 A 203.0.113.1");
	for (size_t i = 0; i < COUNT(steps); i++) {
		failing = steps[i];
		assert_int_equal(LOCATE(.host = "example")->rc, -EAGAIN);
	}
	failing = NULL;
	unanswered = "example NAPTR";
	assert_not_located(LOCATE(.host = "example"), -EAGAIN,
			   "example (NAPTR): no answer within 1000 ms");
	assert_located(LOCATE(.host = "example", .transport = NET_UDP),
		       "0.1 1 UDP 203.0.113.1:5060\n");
}

static void answers_that_nothing_comes_from_are_refused(void **state)
{
	(void)state;
	ZONE("a.example 300 A 203.0.113.1", "a.example 300 A 127.0.0.1", "b.example 300 A 0.0.0.0");
	assert_not_located(LOCATE(.host = "a.example"), -EINVAL,
			   "a.example answers with 127.0.0.1, which is no source");
	assert_located(LOCATE(.host = "a.example", .loopback = true),
		       "0.0 0 UDP 127.0.0.1:5060\n0.0 0 UDP 203.0.113.1:5060\n");
	assert_not_located(LOCATE(.host = "b.example", .loopback = true), -EINVAL,
			   "b.example answers with 0.0.0.0, which is no source");
}

static char many[128][64];

/* Adds n lines with a number, or the same twice, in them. */
static void fill_many(size_t n, const char *format)
{
	static const char *lines[128];

	zone = lines;
	for (size_t i = 0; i < n; i++, zone_size++) {
		snprintf(many[zone_size], sizeof(many[0]), format, i, i);
		lines[zone_size] = many[zone_size];
	}
}

static void too_much_of_anything_is_refused(void **state)
{
	(void)state;
	fill_many(9, "example 300 NAPTR %zu %zu s SIP+D2U - _sip._udp.example");
	assert_not_located(LOCATE(.host = "example"), -E2BIG,
			   "example has more than 8 NAPTR records of SIP");
	zone_size = 8;
	assert_int_equal(LOCATE(.host = "example")->rc, -ENOENT);
	zone_size = 0;
	fill_many(33, "_sip._udp.example 300 SRV %zu 1 5060 t%zu");
	assert_not_located(LOCATE(.host = "example", .transport = NET_UDP), -E2BIG,
			   "_sip._udp.example has more than 32 targets");
	zone_size = 0;
	fill_many(32, "_sip._udp.example 300 SRV %zu 1 5060 t%zu");
	fill_many(1, "t0 300 A 203.0.113.%zu");
	assert_located(LOCATE(.host = "example", .transport = NET_UDP),
		       "0.0 1 UDP 203.0.113.0:5060\n");
	zone_size = 0;
	fill_many(33, "_sip._udp.example 300 SRV 1 1 %zu t");
	fill_many(33, "_sip._tcp.example 300 SRV 1 1 %zu t");
	fill_many(31, "_sips._tcp.example 300 SRV 1 1 %zu t");
	assert_int_equal(LOCATE(.host = "example")->rc, -E2BIG);
	zone_size--;
	assert_int_equal(LOCATE(.host = "example")->rc, -ENOENT);
}

static void too_many_servers_are_refused(void **state)
{
	(void)state;
	fill_many(16, "_sip._udp.example 300 SRV 1 1 %zu t");
	fill_many(17, "t 300 A 203.0.113.%zu");
	assert_not_located(LOCATE(.host = "example", .transport = NET_UDP), -E2BIG,
			   "example brings more than 256 servers");
	zone_size--;
	assert_int_equal(LOCATE(.host = "example", .transport = NET_UDP)->location.n, 256);
}

static void an_interrupted_lookup_says_so(void **state)
{
	struct dns_location location;
	struct responder r;
	struct dns *dns;

	(void)state;
	responder_start(&r, respond_from_zone);
	assert_int_equal(dns_create(r.address, 1000, &dns, NULL), 0);
	dns_interrupt(dns);
	assert_int_equal(dns_locate(dns, &(struct dns_query){.host = "example"}, &location, NULL),
			 -EINTR);
	dns_free(dns);
	responder_stop(&r);
}

/* ---- the hosts file ---- */

static void write_hosts_file(char *path)
{
	FILE *file;
	int fd;

	strcpy(path, "/tmp/sipward-test-hosts-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	file = fdopen(fd, "w");
	fputs("127.0.0.1 localhost here\n::1 localhost\n# 192.0.2.9 pbx\n"
	      "192.0.2.7 other pbx # ours\n192.0.2.8 PBX\n2001:db8::7 pbx\n0.0.0.0 barred\n",
	      file);
	fclose(file);
	setenv("CARES_HOSTS", path, 1);
}

static void the_hosts_file_comes_before_dns(void **state)
{
	char path[64];

	(void)state;
	write_hosts_file(path);
	ZONE("pbx 300 A 203.0.113.1", "_sip._udp.pbx 300 SRV 1 1 5099 a.example",
	     "_sip._udp.example 300 SRV 1 2 5070 pbx",
	     "_sip._udp.example 300 SRV 2 2 5070 a.example", "a.example 300 A 203.0.113.1");
	const struct located *l = LOCATE(.host = "pbx");

	assert_located(l, "0.0 0 UDP 192.0.2.7:5060\n0.0 0 UDP 192.0.2.8:5060\n"
			  "0.0 0 UDP [2001:db8::7]:5060\n");
	assert_int_equal(l->location.ttl_s, 60);
	assert_located(LOCATE(.host = "localhost.", .port = 5070, .loopback = true),
		       "0.0 0 UDP 127.0.0.1:5070\n0.0 0 UDP [::1]:5070\n");
	assert_located(LOCATE(.host = "here", .secure = true, .loopback = true),
		       "0.0 0 TLS 127.0.0.1:5061\n");
	assert_not_located(LOCATE(.host = "here"), -EINVAL,
			   "here answers with 127.0.0.1, which is no source");
	assert_not_located(LOCATE(.host = "barred"), -EINVAL,
			   "barred answers with 0.0.0.0, which is no source");
	assert_int_equal(asked, 0);
	assert_located(LOCATE(.host = "example", .transport = NET_UDP),
		       "0.1 2 UDP 192.0.2.7:5070\n0.1 2 UDP 192.0.2.8:5070\n"
		       "0.1 2 UDP [2001:db8::7]:5070\n0.2 2 UDP 203.0.113.1:5070\n");
	unlink(path);
}

static void acl_hosts_do_not_come_from_the_hosts_file(void **state)
{
	struct dns_answer answer;
	struct responder r;
	struct dns *dns;
	char path[64];

	(void)state;
	write_hosts_file(path);
	ZONE("pbx 300 A 203.0.113.1");
	responder_start(&r, respond_from_zone);
	assert_int_equal(dns_create(r.address, 1000, &dns, NULL), 0);
	assert_int_equal(dns_addresses(dns, "pbx", &answer, NULL), 0);
	assert_int_equal(answer.n, 1);
	assert_int_equal(answer.addresses[0].bytes[0], 203);
	dns_free(dns);
	responder_stop(&r);
	unlink(path);
}

#define LOCATE_TEST(function) cmocka_unit_test_setup(function, clear_zone)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOCATE_TEST(an_address_is_its_own_place),
		LOCATE_TEST(an_address_that_nothing_comes_from_is_refused),
		LOCATE_TEST(queries_that_can_not_be_met_are_refused),
		LOCATE_TEST(a_port_leads_to_the_addresses_alone),
		LOCATE_TEST(a_transport_leads_to_its_services),
		LOCATE_TEST(a_transport_without_services_leads_to_the_addresses),
		LOCATE_TEST(a_service_that_is_not_offered_has_no_addresses),
		LOCATE_TEST(one_server_stands_once_at_its_best),
		LOCATE_TEST(naptr_ranks_all_transports_that_are_offered),
		LOCATE_TEST(naptr_that_leads_nowhere_leaves_its_transport),
		LOCATE_TEST(naptr_of_other_transports_is_as_good_as_none),
		LOCATE_TEST(without_naptr_all_services_count_udp_first),
		LOCATE_TEST(without_services_the_addresses_are_left),
		LOCATE_TEST(any_step_that_fails_for_now_fails_the_lookup),
		LOCATE_TEST(answers_that_nothing_comes_from_are_refused),
		LOCATE_TEST(too_much_of_anything_is_refused),
		LOCATE_TEST(too_many_servers_are_refused),
		LOCATE_TEST(an_interrupted_lookup_says_so),
		LOCATE_TEST(the_hosts_file_comes_before_dns),
		LOCATE_TEST(acl_hosts_do_not_come_from_the_hosts_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
