/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a trunk's calls go: its peers, and what their names stand for. */
#include <errno.h>

#include "store/internal.h"
#include "store_fixture.h"

static int peers_setup(void **state)
{
	int rc = fixture_setup(state);

	return rc ? rc : create_trunk(*state, "t", "t.example", "sip:192.0.2.1");
}

#define PEER_TEST(function) cmocka_unit_test_setup_teardown(function, peers_setup, fixture_teardown)

static struct store_peer peer_named(enum store_peer_role role, const char *uri)
{
	struct store_peer peer = {
		.role = role, .priority = STORE_PEER_PRIORITY, .weight = STORE_PEER_WEIGHT};

	snprintf(peer.uri, sizeof(peer.uri), "%s", uri);
	return peer;
}

static int add_peer(struct fixture *f, enum store_peer_role role, const char *uri)
{
	struct store_peer peer = peer_named(role, uri);

	return store_peer_add(f->store, "t", &peer, &f->err);
}

static int remove_peer(struct fixture *f, enum store_peer_role role, const char *uri)
{
	struct store_peer peer = peer_named(role, uri);

	return store_peer_remove(f->store, "t", &peer, &f->err);
}

/* "192.0.2.1 192.0.2.2", all UDP to port 5060. */
static int resolve(struct fixture *f, int64_t id, const char *text)
{
	struct store_peer_address addresses[8] = {0};
	struct slice rest = slice_from(text);
	size_t n = 0;

	for (; rest.n; n++) {
		assert_int_equal(ip_parse(slice_cut(rest, ' ', &rest), &addresses[n].endpoint.ip),
				 0);
		addresses[n].endpoint.port = 5060;
		addresses[n].transport = 1;
	}
	return store_peer_resolved(f->store, id, addresses, n, 4200, &f->err);
}

/* ---- URIs ---- */

static void uri_is_taken_apart_and_kept_in_one_spelling(void **state)
{
	static const struct {
		const char *uri, *text, *host;
		uint8_t family;
		uint16_t port;
		unsigned transport;
	} rows[] = {
		{"sip:192.0.2.1", "sip:192.0.2.1", "192.0.2.1", 4, 0, 1},
		{"SIP:192.0.2.1:5070;Transport=TCP", "sip:192.0.2.1:5070;transport=tcp",
		 "192.0.2.1", 4, 5070, 2},
		{"sip:[2001:DB8::0:5]:5070", "sip:[2001:db8::5]:5070", "2001:db8::5", 6, 5070, 1},
		{"sips:[2001:db8::5]", "sips:[2001:db8::5]", "2001:db8::5", 6, 0, 3},
		{"sip:PBX.Example.", "sip:pbx.example", "pbx.example", 0, 0, 0},
		{"sip:pbx.example:5062", "sip:pbx.example:5062", "pbx.example", 0, 5062, 0},
		{"sip:pbx.example;transport=udp", "sip:pbx.example;transport=udp", "pbx.example", 0,
		 0, 1},
		{"sip:pbx.example:443;transport=tls", "sip:pbx.example:443;transport=tls",
		 "pbx.example", 0, 443, 3},
		{"SIPS:pbx.example:5061", "sips:pbx.example:5061", "pbx.example", 0, 5061, 3},
	};
	struct store_peer_uri uri, again;
	struct error err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(store_peer_uri_parse(rows[i].uri, STORE_UPSTREAM, &uri, &err), 0);
		assert_string_equal(uri.text, rows[i].text);
		assert_string_equal(uri.host, rows[i].host);
		assert_int_equal(uri.ip.family, rows[i].family);
		assert_int_equal(uri.port, rows[i].port);
		assert_int_equal(uri.transport, rows[i].transport);
		assert_int_equal(store_peer_uri_parse(uri.text, STORE_UPSTREAM, &again, &err), 0);
		assert_string_equal(again.text, uri.text);
	}
}

static void uri_that_breaks_the_rules_is_refused(void **state)
{
	static const struct {
		const char *uri, *why;
	} rows[] = {
		{"", "must be sip:HOST"},
		{"192.0.2.1", "must be sip:HOST"},
		{"tel:+4989", "must be sip:HOST"},
		{"sip:u@192.0.2.1", "takes no user"},
		{"sip:pbx.example?Subject=x", "takes no header fields"},
		{"sip:192.0.2.1:0", "the port"},
		{"sip:192.0.2.1:65536", "the port"},
		{"sip:2001:db8::1", "bracket"},
		{"sip:192.0.2.256", "the host"},
		{"sip:[192.0.2.1", "the host"},
		{"sip:", "the host"},
		{"sip:a b", "the host"},
		{"sip:pbx.example;", "no other parameter"},
		{"sip:pbx.example;lr", "no other parameter"},
		{"sip:pbx.example;transport=udp;lr", "must be udp, tcp or tls"},
		{"sip:pbx.example;transport=sctp", "must be udp, tcp or tls"},
		{"sip:pbx.example;transport=", "must be udp, tcp or tls"},
		{"sips:pbx.example;transport=tls", "always TLS"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_refused(f, -EINVAL, rows[i].why, add_peer(f, STORE_UPSTREAM, rows[i].uri));
		assert_non_null(strstr(f->err.text, "upstream"));
	}
	assert_refused(f, -EINVAL, "destination \"x\"", add_peer(f, STORE_DESTINATION, "x"));
}

/* ---- what the operator does ---- */

static void peers_are_added_changed_and_removed(void **state)
{
	struct store_peer peer = peer_named(STORE_UPSTREAM, "SIP:Carrier.example");
	struct fixture *f = *state;
	uint64_t before;

	peer.priority = 20;
	peer.weight = 0;
	assert_ok(f, store_peer_add(f->store, "t", &peer, &f->err));
	assert_last_audit(f, "trunk \"t\": added upstream sip:carrier.example (priority 20, weight "
			     "0)");
	assert_refused(f, -EEXIST, "has it already",
		       add_peer(f, STORE_UPSTREAM, "sip:carrier.EXAMPLE"));
	/* In the other role it is another peer. */
	assert_ok(f, add_peer(f, STORE_DESTINATION, "sip:carrier.example"));
	before = generation(f);
	assert_ok(f, store_peer_set(f->store, "t", &peer, &f->err));
	assert_int_equal(generation(f), before);
	peer.priority = 5;
	assert_ok(f, store_peer_set(f->store, "t", &peer, &f->err));
	assert_last_audit(f, "trunk \"t\": upstream sip:carrier.example: priority from 20 to 5");
	peer = get_peer(f, "t", NULL);
	assert_string_equal(peer.uri, "sip:carrier.example"); /* 5 comes before 10 */
	assert_int_equal(peer.weight, 0);
	peer.weight = 65536;
	assert_refused(f, -EINVAL, "weight 65536", store_peer_set(f->store, "t", &peer, &f->err));
	peer.priority = 65536;
	assert_refused(f, -EINVAL, "priority 65536", store_peer_add(f->store, "t", &peer, &f->err));
	assert_ok(f, remove_peer(f, STORE_UPSTREAM, "sip:Carrier.example."));
	assert_last_audit(f, "trunk \"t\": removed upstream sip:carrier.example");
	assert_refused(f, -ENOENT, "none of this URI",
		       remove_peer(f, STORE_UPSTREAM, "sip:carrier.example"));
	assert_ok(f, remove_peer(f, STORE_DESTINATION, "sip:carrier.example"));
	assert_refused(
		f, -ENOENT, "\"none\"",
		store_peer_add(f->store, "none", &(struct store_peer){.uri = "sip:a"}, &f->err));
}

static void address_is_resolved_when_it_is_added(void **state)
{
	struct fixture *f = *state;
	struct store_peer peer;

	assert_ok(f, add_peer(f, STORE_DESTINATION, "sips:[2001:db8::1]"));
	peer = get_peer(f, "t", "sips:[2001:db8::1]");
	assert_places(f, peer.id, "tls/[2001:db8::1]:5061");
	assert_true(peer.due_s == STORE_NEVER);
	assert_true(peer.resolved_s > 1700000000);
	assert_int_equal(peer.addresses, 1);
	assert_ok(f, add_peer(f, STORE_DESTINATION, "sip:192.0.2.9:5070;transport=tcp"));
	peer = get_peer(f, "t", "sip:192.0.2.9:5070;transport=tcp");
	assert_places(f, peer.id, "tcp/192.0.2.9:5070");
	assert_ok(f, store_peer_due_now(f->store, &f->err));
	assert_true(get_peer(f, "t", peer.uri).due_s == STORE_NEVER);
}

static void trunk_may_have_no_upstream(void **state)
{
	struct fixture *f = *state;

	assert_ok(f, create_trunk(f, "none", "none.example", NULL));
	assert_last_audit(f, "created trunk \"none\" for none.example");
	assert_ok(f, store_upstream_replace(f->store, "none", "sip:192.0.2.7", &f->err));
	assert_places(f, get_peer(f, "none", NULL).id, "udp/192.0.2.7:5060");
	assert_ok(f, store_trunk_delete(f->store, "none", &f->err));
}

static void only_upstream_is_replaced_and_one_of_several_is_not(void **state)
{
	struct fixture *f = *state;
	struct store_peer peer = get_peer(f, "t", NULL);
	uint64_t before;

	peer.priority = 3;
	assert_ok(f, store_peer_set(f->store, "t", &peer, &f->err));
	assert_ok(f, store_upstream_replace(f->store, "t", "sip:192.0.2.2:5070", &f->err));
	assert_last_audit(f, "trunk \"t\": its upstream is now sip:192.0.2.2:5070");
	peer = get_peer(f, "t", NULL);
	assert_places(f, peer.id, "udp/192.0.2.2:5070");
	assert_int_equal(peer.priority, 3);
	before = generation(f);
	assert_ok(f, store_upstream_replace(f->store, "t", "SIP:192.0.2.2:5070", &f->err));
	assert_int_equal(generation(f), before);
	assert_ok(f, add_peer(f, STORE_DESTINATION, "sip:a.example"));
	assert_ok(f, store_upstream_replace(f->store, "t", "sip:pbx.example", &f->err));
	peer = get_peer(f, "t", NULL);
	assert_places(f, peer.id, "");
	assert_int_equal(peer.due_s, 0);
	assert_int_equal(peer.resolved_s, 0);
	assert_ok(f, add_peer(f, STORE_UPSTREAM, "sip:192.0.2.3"));
	assert_refused(f, -EBUSY, "has 2 upstreams",
		       store_upstream_replace(f->store, "t", "sip:192.0.2.4", &f->err));
}

/* ---- names ---- */

static void name_stands_for_what_it_was_resolved_to(void **state)
{
	static const struct store_peer_address addresses[] = {
		{{{4, {192, 0, 2, 9}}, 5061}, 3, 20, 1},
		{{{4, {192, 0, 2, 8}}, 5060}, 1, 10, 7},
		{{{4, {192, 0, 2, 8}}, 5060}, 2, 10, 7},
		{{{4, {192, 0, 2, 8}}, 5060}, 1, 30, 0}, /* twice: the first in order counts */
	};
	struct store_peer_address got[STORE_PEER_ADDRESSES_MAX], changed[4];
	struct fixture *f = *state;
	struct store_peer peer;
	uint64_t before;
	size_t n = 0;

	assert_ok(f, add_peer(f, STORE_UPSTREAM, "sip:carrier.example"));
	peer = get_peer(f, "t", "sip:carrier.example");
	assert_int_equal(peer.due_s, 0);
	assert_ok(f, store_peer_resolved(f->store, peer.id, addresses, 4, 4200, &f->err));
	assert_last_audit(f, "trunk \"t\": upstream sip:carrier.example is now udp/192.0.2.8:5060, "
			     "tcp/192.0.2.8:5060, tls/192.0.2.9:5061");
	assert_ok(f, store_peer_addresses(f->store, peer.id, got, &n, &f->err));
	assert_int_equal(n, 3);
	assert_int_equal(got[0].priority, 10);
	assert_int_equal(got[0].weight, 7);
	peer = get_peer(f, "t", "sip:carrier.example");
	assert_int_equal(peer.due_s, 4200);
	assert_int_equal(peer.addresses, 3);
	before = generation(f);
	assert_ok(f, store_peer_resolved(f->store, peer.id, addresses, 4, 4300, &f->err));
	assert_int_equal(generation(f), before);
	assert_int_equal(get_peer(f, "t", "sip:carrier.example").due_s, 4300);
	memcpy(changed, addresses, sizeof(changed));
	changed[1].weight = 8;
	assert_ok(f, store_peer_resolved(f->store, peer.id, changed, 4, 4300, &f->err));
	assert_int_equal(generation(f), before + 1);
	assert_ok(f, store_peer_due_now(f->store, &f->err));
	assert_int_equal(generation(f), before + 1);
	assert_int_equal(get_peer(f, "t", "sip:carrier.example").due_s, 0);
}

static void name_that_does_not_resolve_keeps_its_addresses(void **state)
{
	struct fixture *f = *state;
	struct store_peer peer;
	uint64_t before;

	assert_ok(f, add_peer(f, STORE_UPSTREAM, "sip:carrier.example"));
	peer = get_peer(f, "t", "sip:carrier.example");
	assert_ok(f, resolve(f, peer.id, "192.0.2.9"));
	before = generation(f);
	assert_ok(f, store_peer_failed(f->store, peer.id, "NXDOMAIN", 99, &f->err));
	assert_int_equal(generation(f), before);
	peer = get_peer(f, "t", "sip:carrier.example");
	assert_string_equal(peer.failure, "NXDOMAIN");
	assert_int_equal(peer.due_s, 99);
	assert_places(f, peer.id, "udp/192.0.2.9:5060");
	assert_ok(f, resolve(f, peer.id, "192.0.2.9"));
	assert_string_equal(get_peer(f, "t", peer.uri).failure, "");
	assert_ok(f, remove_peer(f, STORE_UPSTREAM, peer.uri));
	assert_refused(f, -ENOENT, "any more", resolve(f, peer.id, "192.0.2.9"));
	assert_refused(f, -ENOENT, "any more",
		       store_peer_failed(f->store, peer.id, "x", 1, &f->err));
}

static void answer_that_is_none_is_refused(void **state)
{
	struct store_peer_address many[STORE_PEER_ADDRESSES_MAX + 1];
	struct store_peer_address good = {{{4, {192, 0, 2, 1}}, 5060}, 1, 0, 0}, bad;
	struct fixture *f = *state;
	int64_t id = get_peer(f, "t", NULL).id;

	for (size_t i = 0; i <= STORE_PEER_ADDRESSES_MAX; i++)
		many[i] = good;
	assert_refused(f, -EINVAL, "not 0", store_peer_resolved(f->store, id, many, 0, 0, &f->err));
	assert_refused(f, -EINVAL, "not 65",
		       store_peer_resolved(f->store, id, many, 65, 0, &f->err));
	assert_ok(f, store_peer_resolved(f->store, id, many, 64, 0, &f->err));
	bad = good;
	bad.endpoint.ip.family = 0;
	assert_refused(f, -EINVAL, "family",
		       store_peer_resolved(f->store, id, &bad, 1, 0, &f->err));
	bad = good;
	bad.endpoint.port = 0;
	assert_refused(f, -EINVAL, "port", store_peer_resolved(f->store, id, &bad, 1, 0, &f->err));
	bad = good;
	bad.transport = 4;
	assert_refused(f, -EINVAL, "transport",
		       store_peer_resolved(f->store, id, &bad, 1, 0, &f->err));
}

/* ---- in the filter ---- */

static void assert_listed(struct fixture *f, const char *wanted)
{
	struct filter_rules rules = {0};
	char text[512] = "", prefix_text[PREFIX_TEXT_SIZE];
	size_t used = 0;

	assert_ok(f, store_filter_rules(f->store, &rules, &f->err));
	for (size_t i = 0; i < rules.count; i++) {
		assert_int_equal(rules.rules[i].value.flags, SIPWARD_ACL_UPSTREAM);
		prefix_format(&rules.rules[i].prefix, prefix_text);
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? " " : "",
					 prefix_text);
	}
	filter_rules_free(&rules);
	assert_string_equal(text, wanted);
}

static void addresses_of_both_roles_are_listed_while_the_trunk_is_enabled(void **state)
{
	struct fixture *f = *state;
	struct store_trunk trunk;

	assert_ok(f, add_peer(f, STORE_DESTINATION, "sip:customer.example"));
	assert_listed(f, "192.0.2.1");
	assert_ok(f, resolve(f, get_peer(f, "t", "sip:customer.example").id,
			     "192.0.2.7 2001:db8::7 192.0.2.1"));
	assert_listed(f, "192.0.2.1 192.0.2.7 2001:db8::7");
	assert_ok(f, remove_peer(f, STORE_UPSTREAM, "sip:192.0.2.1"));
	assert_listed(f, "192.0.2.1 192.0.2.7 2001:db8::7");
	assert_ok(f, store_trunk_get(f->store, "t", &trunk, &f->err));
	trunk.enabled = false;
	assert_ok(f, store_trunk_set(f->store, &trunk, &f->err));
	assert_listed(f, "");
}

/* ---- header fields ---- */

static int list_header(const struct store_header *header, void *arg)
{
	size_t used = strlen(arg);

	snprintf((char *)arg + used, 512 - used, "%s: %s\n", header->name, header->value);
	return 0;
}

static void headers_are_added_in_order_and_removed(void **state)
{
	struct fixture *f = *state;
	char text[512] = "";
	int64_t id = get_peer(f, "t", NULL).trunk_id;

	assert_ok(f, store_trunk_header_add(f->store, "t", "X-My-Header:  one ", &f->err));
	assert_last_audit(f, "trunk \"t\": added header X-My-Header: one");
	assert_ok(f, store_trunk_header_add(f->store, "t", "X-A: b:c; d", &f->err));
	assert_ok(f, store_trunk_header_add(f->store, "t", "X-My-Header: two", &f->err));
	assert_refused(f, -EEXIST, "has it already",
		       store_trunk_header_add(f->store, "t", "x-my-header: one", &f->err));
	assert_ok(f, store_trunk_header_each(f->store, id, list_header, text, &f->err));
	assert_string_equal(text, "X-My-Header: one\nX-A: b:c; d\nX-My-Header: two\n");
	assert_ok(f, store_trunk_header_remove(f->store, "t", "x-my-header: one", &f->err));
	assert_refused(f, -ENOENT, "none of the trunk's",
		       store_trunk_header_remove(f->store, "t", "X-My-Header: one", &f->err));
	assert_refused(f, -ENOENT, "\"u\"",
		       store_trunk_header_add(f->store, "u", "X-A: b", &f->err));
}

static void header_that_may_not_be_added_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"", "Name: value"},
		{"X-A", "Name: value"},
		{"X-A:", "Name: value"},
		{": b", "Name: value"},
		{"X A: b", "letters, digits"},
		{"X-A\r\nVia: b", "letters, digits"},
		{"X-A: b\r\nVia: c", "control character"},
		{"X-A: b\x01", "control character"},
		{"X-A: \xff", "UTF-8"},
		{"Via: b", "SIP itself"},
		{"record-route: b", "SIP itself"},
		{"P-Asserted-Identity: b", "SIP itself"},
		{"v: b", "SIP itself"},
		{"X-Sipward-Auth: b", "the gate's own"},
	};
	struct fixture *f = *state;
	char text[400];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_refused(f, -EINVAL, rows[i].why,
			       store_trunk_header_add(f->store, "t", rows[i].text, &f->err));
	snprintf(text, sizeof(text), "X-A: %0*d", STORE_HEADER_VALUE_SIZE, 1);
	assert_refused(f, -EINVAL, "at most 64 bytes",
		       store_trunk_header_add(f->store, "t", text, &f->err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uri_is_taken_apart_and_kept_in_one_spelling),
		PEER_TEST(uri_that_breaks_the_rules_is_refused),
		PEER_TEST(peers_are_added_changed_and_removed),
		PEER_TEST(address_is_resolved_when_it_is_added),
		PEER_TEST(trunk_may_have_no_upstream),
		PEER_TEST(only_upstream_is_replaced_and_one_of_several_is_not),
		PEER_TEST(name_stands_for_what_it_was_resolved_to),
		PEER_TEST(name_that_does_not_resolve_keeps_its_addresses),
		PEER_TEST(answer_that_is_none_is_refused),
		PEER_TEST(addresses_of_both_roles_are_listed_while_the_trunk_is_enabled),
		PEER_TEST(headers_are_added_in_order_and_removed),
		PEER_TEST(header_that_may_not_be_added_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
