/* SPDX-License-Identifier: BSD-2-Clause */
/* Names to addresses, against answers that a test makes up. test_dns_server.c asks a real server.
 */
#include "dns_fixture.h"

#include <errno.h>

#include "base/clock.h"
#include "dns/answer.h"

/* ---- one lookup ---- */

struct looked {
	int rc;
	struct dns_answer answer;
	struct error err;
	char text[1024]; /* the addresses, separated by blanks */
	unsigned ms;
};

static uint64_t now_ms(void)
{
	return clock_coarse_ns() / NS_PER_MS;
}

static void list_addresses(struct looked *l)
{
	size_t n = 0;

	for (size_t i = 0; l->rc == 0 && i < l->answer.n && i < 20; i++) {
		char ip[IP_TEXT_SIZE];

		ip_format(&l->answer.addresses[i], ip);
		n += (size_t)snprintf(l->text + n, sizeof(l->text) - n, "%s%s", n ? " " : "", ip);
	}
}

static struct looked look(responder_fn respond, unsigned timeout_ms, const char *name)
{
	struct looked l = {.rc = -1};
	struct responder r;
	struct dns *dns;
	uint64_t start;

	responder_start(&r, respond);
	assert_int_equal(dns_create(r.address, timeout_ms, &dns, NULL), 0);
	start = now_ms();
	l.rc = name[0] == '_' ? dns_srv_addresses(dns, name, &l.answer, &l.err)
			      : dns_addresses(dns, name, &l.answer, &l.err);
	l.ms = (unsigned)(now_ms() - start);
	list_addresses(&l);
	dns_free(dns);
	responder_stop(&r);
	return l;
}

static void assert_found(const struct looked *l, const char *addresses)
{
	if (l->rc)
		print_error("%s\n", l->err.text);
	assert_int_equal(l->rc, 0);
	assert_string_equal(l->text, addresses);
}

static void assert_failed(const struct looked *l, int rc, const char *sentence)
{
	assert_int_equal(l->rc, rc);
	assert_int_equal(l->err.code, rc);
	assert_string_equal(l->err.text, sentence);
}

static bool asks(const struct question *q, const char *name, unsigned type)
{
	return q->type == type && strcmp(q->name, name) == 0;
}

/* ---- addresses ---- */

static void both_families(const struct question *q, struct message *m)
{
	if (q->type == ns_t_a) {
		put_address(m, q->name, 300, "203.0.113.9");
		put_address(m, q->name, 200, "203.0.113.2");
		put_address(m, q->name, 300, "203.0.113.9");
	} else {
		put_address(m, q->name, 100, "2001:db8::1");
		put_address(m, q->name, 300, "::ffff:192.0.2.1");
	}
}

static void finds_all_addresses_of_both_families_once_and_sorted(void **state)
{
	struct looked l = look(both_families, 2000, "sip.example.");

	(void)state;
	assert_found(&l, "192.0.2.1 203.0.113.2 203.0.113.9 2001:db8::1");
	assert_int_equal(l.answer.ttl_s, 100);
}

static void alias(const struct question *q, struct message *m)
{
	/* Out of order, and with a record of another name. */
	if (q->type == ns_t_a)
		put_address(m, "B.carrier.example", 600, "203.0.113.2");
	put_alias(m, "A.Carrier.example", 90, "b.carrier.example");
	put_alias(m, q->name, 900, "a.carrier.example");
	put_address(m, "stray.example", 1, "203.0.113.66");
}

static void follows_aliases_and_their_ttl(void **state)
{
	struct looked l = look(alias, 2000, "sip.example");

	(void)state;
	assert_found(&l, "203.0.113.2");
	assert_int_equal(l.answer.ttl_s, 90);
}

static void short_ttl(const struct question *q, struct message *m)
{
	if (q->type == ns_t_a)
		put_address(m, q->name, 0, "203.0.113.2");
}

static void long_ttl(const struct question *q, struct message *m)
{
	if (q->type == ns_t_a)
		put_address(m, q->name, 0x7fffffff, "203.0.113.2");
}

static void negative_ttl(const struct question *q, struct message *m)
{
	if (q->type == ns_t_a)
		put_address(m, q->name, 0x80000000, "203.0.113.2");
}

static void keeps_the_ttl_between_five_seconds_and_a_day(void **state)
{
	struct looked l = look(short_ttl, 2000, "sip.example");

	(void)state;
	assert_int_equal(l.answer.ttl_s, DNS_TTL_MIN_S);
	l = look(long_ttl, 2000, "sip.example");
	assert_int_equal(l.answer.ttl_s, DNS_TTL_MAX_S);
	l = look(negative_ttl, 2000, "sip.example");
	assert_int_equal(l.answer.ttl_s, DNS_TTL_MIN_S);
}

/* ---- failures ---- */

static void no_such_name(const struct question *q, struct message *m)
{
	(void)q;
	set_rcode(m, ns_r_nxdomain);
}

static void no_data(const struct question *q, struct message *m)
{
	(void)q;
	(void)m;
}

static void tells_a_missing_name_from_one_without_addresses(void **state)
{
	struct looked l = look(no_such_name, 2000, "sip.example");

	(void)state;
	assert_failed(&l, -ENOENT, "sip.example does not exist");
	l = look(no_data, 2000, "sip.example");
	assert_failed(&l, -ENOENT, "sip.example has no address");
}

static void only_v4_works(const struct question *q, struct message *m)
{
	if (q->type == ns_t_a)
		put_address(m, q->name, 300, "203.0.113.2");
	else
		set_rcode(m, ns_r_servfail);
}

static void silent_for_v4(const struct question *q, struct message *m)
{
	if (q->type == ns_t_a)
		m->n = 0;
	else
		put_address(m, q->name, 300, "2001:db8::1");
}

static void one_family_that_fails_fails_the_name(void **state)
{
	struct looked l = look(only_v4_works, 2000, "sip.example");

	(void)state;
	assert_int_equal(l.rc, -EAGAIN);
	l = look(silent_for_v4, 300, "sip.example");
	assert_failed(&l, -EAGAIN, "sip.example: no answer within 300 ms");
}

static void missing_for_v6(const struct question *q, struct message *m)
{
	if (q->type == ns_t_a)
		put_address(m, q->name, 300, "203.0.113.2");
	else
		set_rcode(m, ns_r_nxdomain);
}

static void one_family_that_is_denied_does_not_hide_the_other(void **state)
{
	struct looked l = look(missing_for_v6, 2000, "sip.example");

	(void)state;
	assert_found(&l, "203.0.113.2");
}

static void silent(const struct question *q, struct message *m)
{
	(void)q;
	m->n = 0;
}

static void gives_up_at_the_time_out(void **state)
{
	struct looked l = look(silent, 400, "sip.example");

	(void)state;
	assert_failed(&l, -EAGAIN, "sip.example: no answer within 400 ms");
	assert_in_range(l.ms, 350, 1500);
}

static void unreadable(const struct question *q, struct message *m)
{
	(void)q;
	m->bytes[7] = 3;
	memset(m->bytes + m->n, 0xc0, 40);
	m->n += 40;
}

static void noise(const struct question *q, struct message *m)
{
	(void)q;
	memset(m->bytes, 0xff, 60);
	m->n = 60;
}

static void an_answer_that_can_not_be_read_is_a_failure(void **state)
{
	struct looked l = look(unreadable, 2000, "sip.example");

	(void)state;
	assert_failed(&l, -EAGAIN, "sip.example: the answer can not be read");
	l = look(noise, 300, "sip.example");
	assert_int_equal(l.rc, -EAGAIN);
}

static const char *hostile;

static void hostile_address(const struct question *q, struct message *m)
{
	if (q->type == (strchr(hostile, ':') ? ns_t_aaaa : ns_t_a)) {
		put_address(m, q->name, 300, strchr(hostile, ':') ? "2001:db8::1" : "203.0.113.2");
		put_address(m, q->name, 300, hostile);
	}
}

static void refuses_addresses_that_nothing_comes_from(void **state)
{
	static const char *const addresses[] = {"0.0.0.0",   "127.0.0.1", "127.255.255.254",
						"224.0.0.1", "240.0.0.1", "255.255.255.255",
						"::",	     "::1",	  "ff02::1"};
	char sentence[128];

	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		hostile = addresses[i];
		struct looked l = look(hostile_address, 2000, "sip.example");

		snprintf(sentence, sizeof(sentence),
			 "sip.example answers with %s, which is no source", hostile);
		assert_failed(&l, -EINVAL, sentence);
	}
	hostile = "10.1.2.3";
	struct looked l = look(hostile_address, 2000, "sip.example");

	assert_found(&l, "10.1.2.3 203.0.113.2");
}

static void refuses_what_is_no_domain_name(void **state)
{
	struct looked l = look(no_data, 2000, "a..example");

	(void)state;
	assert_failed(&l, -EINVAL, "a..example is no domain name");
}

/* ---- SRV ---- */

#define SERVICE "_sip._udp.example"

static void service(const struct question *q, struct message *m)
{
	if (asks(q, SERVICE, ns_t_srv)) {
		put_srv(m, q->name, 50, "a.example");
		put_srv(m, q->name, 60, "b.example");
		put_srv(m, q->name, 60, "gone.example");
		put_srv(m, q->name, 60, "a.example");
	} else if (asks(q, "a.example", ns_t_a)) {
		put_address(m, q->name, 300, "203.0.113.2");
	} else if (asks(q, "b.example", ns_t_aaaa)) {
		put_address(m, q->name, 70, "2001:db8::1");
		put_address(m, q->name, 70, "2001:db8::2");
	} else if (strcmp(q->name, "gone.example") == 0) {
		set_rcode(m, ns_r_nxdomain);
	}
}

static void finds_the_addresses_of_all_targets(void **state)
{
	struct looked l = look(service, 2000, SERVICE);

	(void)state;
	assert_found(&l, "203.0.113.2 2001:db8::1 2001:db8::2");
	assert_int_equal(l.answer.ttl_s, 50);
}

static void service_with_a_failing_target(const struct question *q, struct message *m)
{
	service(q, m);
	if (strcmp(q->name, "gone.example") == 0)
		set_rcode(m, ns_r_servfail);
}

static void one_target_that_fails_fails_the_service(void **state)
{
	struct looked l = look(service_with_a_failing_target, 2000, SERVICE);

	(void)state;
	assert_int_equal(l.rc, -EAGAIN);
}

static void service_not_offered(const struct question *q, struct message *m)
{
	put_srv(m, q->name, 60, "");
}

static void targets_without_addresses(const struct question *q, struct message *m)
{
	if (q->type == ns_t_srv)
		put_srv(m, q->name, 60, "a.example");
}

static void tells_why_a_service_has_no_addresses(void **state)
{
	struct looked l = look(no_such_name, 2000, SERVICE);

	(void)state;
	assert_failed(&l, -ENOENT, SERVICE " does not exist");
	l = look(no_data, 2000, SERVICE);
	assert_failed(&l, -ENOENT, SERVICE " has no SRV record");
	l = look(service_not_offered, 2000, SERVICE);
	assert_failed(&l, -ENOENT, SERVICE ": the service is not offered (SRV .)");
	l = look(targets_without_addresses, 2000, SERVICE);
	assert_failed(&l, -ENOENT, "a.example has no address");
}

static void too_many_targets(const struct question *q, struct message *m)
{
	for (int i = 0; q->type == ns_t_srv && i < 33; i++) {
		char name[32];

		snprintf(name, sizeof(name), "t%d", i);
		put_srv(m, q->name, 60, name);
	}
}

static void odd_target(const struct question *q, struct message *m)
{
	put_srv(m, q->name, 60, "a b\n.example");
}

static void refuses_too_many_or_odd_targets(void **state)
{
	/* Short names: the answer fits a datagram. */
	struct looked l = look(too_many_targets, 2000, "_sip._udp");

	(void)state;
	assert_failed(&l, -E2BIG, "_sip._udp has more than 32 targets");
	l = look(odd_target, 2000, SERVICE);
	assert_failed(&l, -EAGAIN, SERVICE ": the answer can not be read");
}

static void silent_targets(const struct question *q, struct message *m)
{
	if (q->type == ns_t_srv)
		put_srv(m, q->name, 60, "a.example");
	else
		m->n = 0;
}

static void the_time_out_is_for_both_steps_of_a_service(void **state)
{
	struct looked l = look(silent_targets, 400, SERVICE);

	(void)state;
	assert_failed(&l, -EAGAIN, "a.example: no answer within 400 ms");
	assert_in_range(l.ms, 350, 1500);
}

/* ---- interruption ---- */

struct waiting {
	struct dns *dns;
	int rc;
};

static void *wait_long(void *arg)
{
	struct waiting *waiting = arg;
	struct dns_answer answer;

	waiting->rc = dns_addresses(waiting->dns, "sip.example", &answer, NULL);
	return NULL;
}

static void an_interrupted_lookup_ends_at_once_and_so_do_later_ones(void **state)
{
	struct responder r;
	struct waiting waiting = {0};
	struct dns_answer answer;
	pthread_t thread;
	uint64_t start = now_ms();

	(void)state;
	responder_start(&r, silent);
	assert_int_equal(dns_create(r.address, 60000, &waiting.dns, NULL), 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_long, &waiting), 0);
	usleep(50000);
	dns_interrupt(waiting.dns);
	pthread_join(thread, NULL);
	assert_int_equal(waiting.rc, -EINTR);
	assert_int_equal(dns_addresses(waiting.dns, "sip.example", &answer, NULL), -EINTR);
	assert_int_equal(dns_srv_addresses(waiting.dns, SERVICE, &answer, NULL), -EINTR);
	assert_in_range(now_ms() - start, 0, 5000);
	dns_free(waiting.dns);
	responder_stop(&r);
}

/* ---- servers ---- */

static void asks_the_next_server_where_one_is_silent(void **state)
{
	struct responder dead, alive;
	struct dns_answer answer;
	struct dns *dns;
	char servers[80];

	(void)state;
	responder_start(&dead, silent);
	responder_start(&alive, both_families);
	snprintf(servers, sizeof(servers), " %s, %s", dead.address, alive.address);
	assert_int_equal(dns_create(servers, 2000, &dns, NULL), 0);
	assert_int_equal(dns_addresses(dns, "sip.example", &answer, NULL), 0);
	assert_int_equal(answer.n, 4);
	dns_free(dns);
	responder_stop(&dead);
	responder_stop(&alive);
}

static void refuses_servers_that_are_no_addresses(void **state)
{
	struct error err;
	struct dns *dns;

	(void)state;
	assert_int_equal(dns_create("192.0.2.1,ns.example", 100, &dns, &err), -EINVAL);
	assert_string_equal(err.text, "DNS server \"ns.example\": must be ADDRESS or ADDRESS:PORT "
				      "(IPv6 in brackets where a port follows)");
	assert_int_equal(dns_create("1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4,1.1.1.5,1.1.1.6,1.1.1.7,"
				    "1.1.1.8,1.1.1.9",
				    100, &dns, &err),
			 -EINVAL);
	assert_string_equal(err.text, "DNS servers: there can be at most 8");
}

/* ---- messages ---- */

static int count_record(const struct answer_record *record, void *count)
{
	(void)record;
	++*(int *)count;
	return 0;
}

static int read_message(const struct message *m, size_t n, const char *name)
{
	/* A copy of exactly this size, so that the sanitizer sees any step behind it. */
	char *copy = malloc(n ? n : 1);
	int count = 0, rc;

	memcpy(copy, m->bytes, n);
	rc = answer_each((struct slice){copy, n}, name, ns_t_a, count_record, &count);
	free(copy);
	return rc ? rc : count;
}

static void an_alias_loop_ends(void **state)
{
	struct message m;

	(void)state;
	put_question(&m, "a.example", ns_t_a);
	put_alias(&m, "a.example", 300, "b.example");
	put_alias(&m, "b.example", 300, "a.example");
	put_address(&m, "c.example", 300, "203.0.113.2");
	assert_int_equal(read_message(&m, m.n, "a.example"), -EBADMSG);
	assert_int_equal(read_message(&m, m.n, "c.example"), 1);
	assert_int_equal(read_message(&m, m.n, "d.example"), -ENODATA);
}

static void every_truncation_of_a_message_is_refused(void **state)
{
	struct message m;

	(void)state;
	put_question(&m, "a.example", ns_t_a);
	put_alias(&m, "a.example", 300, "b.example");
	put_address(&m, "b.example", 300, "203.0.113.2");
	assert_int_equal(read_message(&m, m.n, "A.EXAMPLE."), 1);
	for (size_t n = 0; n < m.n; n++)
		assert_int_equal(read_message(&m, n, "a.example"), -EBADMSG);
}

static void every_flipped_byte_of_a_message_is_survived(void **state)
{
	struct message m;

	(void)state;
	put_question(&m, "a.example", ns_t_a);
	put_alias(&m, "a.example", 300, "b.example");
	put_srv(&m, "b.example", 300, "c.example");
	put_address(&m, "b.example", 300, "203.0.113.2");
	for (size_t i = 0; i < m.n; i++) {
		for (int bit = 0; bit < 8; bit++) {
			m.bytes[i] ^= (uint8_t)(1 << bit);
			assert_in_range(read_message(&m, m.n, "a.example") + 200, 0, 202);
			m.bytes[i] ^= (uint8_t)(1 << bit);
		}
	}
}

static void a_record_of_the_wrong_size_is_refused(void **state)
{
	struct message m, data = {.n = 5};

	(void)state;
	put_question(&m, "a.example", ns_t_a);
	put_record(&m, "a.example", ns_t_a, 300, &data);
	assert_int_equal(read_message(&m, m.n, "a.example"), -EBADMSG);
}

static struct answer_record naptr;
static unsigned naptr_count;

static int keep_naptr(const struct answer_record *record, void *arg)
{
	(void)arg;
	naptr = *record;
	naptr_count++;
	return 0;
}

static int read_naptr_text(const char *text, size_t less)
{
	struct message m;
	char *copy;
	int rc;

	put_question(&m, "example", ns_t_naptr);
	put_naptr_text(&m, "example", 300, text);
	copy = malloc(m.n - less);
	memcpy(copy, m.bytes, m.n - less);
	naptr_count = 0;
	rc = answer_each((struct slice){copy, m.n - less}, "example", ns_t_naptr, keep_naptr, NULL);
	free(copy);
	return rc;
}

static void naptr_records_are_read(void **state)
{
	static const char *const others[] = {
		"1 2 a SIP+D2U - _sip._udp.example",
		"1 2 - SIP+D2U - _sip._udp.example",
		"1 2 ss SIP+D2U - _sip._udp.example",
		"1 2 s SIP+D2U !.*!x! _sip._udp.example",
		"1 2 s SIP+D2U - .",
		"1 2 u E2U+sip !^.*$!sip:x@y! .",
		"1 2 s A-service-too-long - a.example",
	};

	(void)state;
	assert_int_equal(read_naptr_text("65535 258 S sip+d2u - _sip._udp.Example", 0), 0);
	assert_int_equal(naptr.order, 65535);
	assert_int_equal(naptr.preference, 258);
	assert_string_equal(naptr.service, "sip+d2u");
	assert_string_equal(naptr.target, "_sip._udp.Example");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_int_equal(read_naptr_text(others[i], 0), 0);
		assert_int_equal(naptr_count, 1);
		assert_string_equal(naptr.service, "");
	}
}

/* Its length says less than its strings and name need. */
static void naptr_records_that_end_early_are_refused(void **state)
{
	struct message whole = {.n = 0}, m;

	(void)state;
	put_naptr_text(&whole, "x", 300, "1 2 s SIP+D2U !r! a.b");
	assert_int_equal(whole.n - 13, 4 + 2 + 8 + 4 + 5);
	for (size_t size = 0; size <= 23; size++) {
		struct message data = {.n = size};

		memcpy(data.bytes, whole.bytes + 13, size);
		put_question(&m, "example", ns_t_naptr);
		put_record(&m, "example", ns_t_naptr, 300, &data);
		naptr_count = 0;
		assert_int_equal(answer_each((struct slice){(char *)m.bytes, m.n}, "example",
					     ns_t_naptr, keep_naptr, NULL),
				 size == 23 ? 0 : -EBADMSG);
		assert_int_equal(naptr_count, size == 23);
	}
	for (size_t less = 1; less <= 20; less++)
		assert_int_equal(read_naptr_text("1 2 s SIP+D2U - a.b", less), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_all_addresses_of_both_families_once_and_sorted),
		cmocka_unit_test(follows_aliases_and_their_ttl),
		cmocka_unit_test(keeps_the_ttl_between_five_seconds_and_a_day),
		cmocka_unit_test(tells_a_missing_name_from_one_without_addresses),
		cmocka_unit_test(one_family_that_fails_fails_the_name),
		cmocka_unit_test(one_family_that_is_denied_does_not_hide_the_other),
		cmocka_unit_test(gives_up_at_the_time_out),
		cmocka_unit_test(an_answer_that_can_not_be_read_is_a_failure),
		cmocka_unit_test(refuses_addresses_that_nothing_comes_from),
		cmocka_unit_test(refuses_what_is_no_domain_name),
		cmocka_unit_test(finds_the_addresses_of_all_targets),
		cmocka_unit_test(one_target_that_fails_fails_the_service),
		cmocka_unit_test(tells_why_a_service_has_no_addresses),
		cmocka_unit_test(refuses_too_many_or_odd_targets),
		cmocka_unit_test(the_time_out_is_for_both_steps_of_a_service),
		cmocka_unit_test(an_interrupted_lookup_ends_at_once_and_so_do_later_ones),
		cmocka_unit_test(asks_the_next_server_where_one_is_silent),
		cmocka_unit_test(refuses_servers_that_are_no_addresses),
		cmocka_unit_test(an_alias_loop_ends),
		cmocka_unit_test(every_truncation_of_a_message_is_refused),
		cmocka_unit_test(every_flipped_byte_of_a_message_is_survived),
		cmocka_unit_test(a_record_of_the_wrong_size_is_refused),
		cmocka_unit_test(naptr_records_are_read),
		cmocka_unit_test(naptr_records_that_end_early_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
