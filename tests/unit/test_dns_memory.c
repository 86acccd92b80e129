/* SPDX-License-Identifier: BSD-2-Clause */
/* Lookups with each allocation failing in turn, ours and those of c-ares. */
#include "dns_fixture.h"

#include <ares.h>
#include <errno.h>

#include "net/net.h"

#include "failing_calloc.h"
#include "dns/dns.c"
#include "dns/lookup.c"
#undef calloc

static unsigned failed;

static bool fails_now(void)
{
	if (allocations_left != 0) {
		allocations_left -= allocations_left > 0;
		return false;
	}
	failed++;
	allocations_left = -1;
	return true;
}

static void *scarce_malloc(size_t n)
{
	return fails_now() ? NULL : malloc(n);
}

static void *scarce_realloc(void *p, size_t n)
{
	return fails_now() ? NULL : realloc(p, n);
}

static int use_scarce(void **state)
{
	(void)state;
	setenv("CARES_HOSTS", "/dev/null", 1);
	return ares_library_init_mem(ARES_LIB_INIT_ALL, scarce_malloc, free, scarce_realloc);
}

static int use_no_more(void **state)
{
	(void)state;
	ares_library_cleanup();
	return 0;
}

static void zone(const struct question *q, struct message *m)
{
	if (q->type == ns_t_naptr)
		put_naptr_text(m, q->name, 300, "10 10 s SIP+D2T - _sip._tcp.example");
	else if (q->type == ns_t_srv)
		put_srv_text(m, q->name, 300, "10 5 5070 a.example");
	else
		put_address(m, q->name, 300, q->type == ns_t_a ? "203.0.113.2" : "2001:db8::2");
}

/* Of the server at the address, with the n-th allocation failing; how it ended. */
static int locate(const char *server, int n, struct dns_location *ret_location)
{
	const struct dns_query query = {.host = "example"};
	struct error err = {0};
	struct dns *dns;
	int rc;

	allocations_left = n;
	rc = dns_create(server, 400, &dns, &err);
	if (rc == 0) {
		rc = dns_locate(dns, &query, ret_location, &err);
		dns_free(dns);
	}
	/* c-ares asks for some once more, and our own fail for good. */
	failed += allocations_left == 0;
	allocations_left = -1;
	assert_true(rc == 0 || err.text[0]);
	return rc;
}

/* All or nothing: what is missing would be taken for gone. */
static void a_lookup_without_memory_finds_all_or_fails(void **state)
{
	unsigned refused = 0, before;
	struct dns_location location;
	struct responder r;
	int n = 0;

	(void)state;
	responder_start(&r, zone);
	do {
		int rc;

		before = failed;
		location = (struct dns_location){.n = 99};
		rc = locate(r.address, n++, &location);
		if (rc) {
			assert_true(rc == -ENOMEM || rc == -EAGAIN);
			assert_int_equal(location.n, 99);
			refused++;
			continue;
		}
		assert_int_equal(location.n, 2);
		assert_int_equal(location.hops[0].transport, NET_TCP);
		assert_int_equal(location.hops[0].endpoint.port, 5070);
	} while (failed > before);
	responder_stop(&r);
	assert_true(refused >= 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lookup_without_memory_finds_all_or_fails),
	};

	return cmocka_run_group_tests(tests, use_scarce, use_no_more);
}
