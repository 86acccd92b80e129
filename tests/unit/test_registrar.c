/* SPDX-License-Identifier: BSD-2-Clause */
/* REGISTERs and what comes of them, message by message; time is ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* The module itself, with allocations that fail when told to. */
#include "failing_calloc.h"
#include "../../user/registrar/bindings.c"
#include "../../user/registrar/changes.c"
#include "../../user/registrar/register.c"
#undef calloc

#define START 1700000000
#define LIMIT 16
#define TRUNK 7

static struct registrar *registrar;
static struct store_settings settings;
static struct registrar_result result;
static struct net_path path = {
	.transport = NET_UDP,
	.remote = {{4, {203, 0, 113, 9}}, 40000},
	.local = {{4, {198, 51, 100, 1}}, 5060},
};

static int create(void **state)
{
	(void)state;
	allocations_left = -1;
	settings = (struct store_settings){.register_min_s = 60,
					   .register_max_s = 7200,
					   .register_default_s = 3600,
					   .register_contacts = 4};
	return registrar_create(LIMIT, &registrar);
}

static int destroy(void **state)
{
	(void)state;
	registrar_free(registrar);
	return 0;
}

struct step {
	unsigned at;
	const char *user, *call_id;
	uint32_t cseq;
	const char *fields; /* Contact and the like, each with its LF */
};

static unsigned register_step(const struct step *step)
{
	static char wire[65536];
	static struct sip_msg msg;
	struct registrar_request request = {
		.msg = &msg,
		.path = &path,
		.trunk_id = TRUNK,
		.user = slice_from(step->user),
		.settings = &settings,
		.now_s = START + step->at,
	};
	const char *why;
	int n = snprintf(wire, sizeof(wire),
			 "REGISTER sip:example.org SIP/2.0\n"
			 "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK1\n"
			 "From: <sip:u@example.org>;tag=1\nTo: <sip:u@example.org>\n"
			 "Call-ID: %s\nCSeq: %u REGISTER\n%s\n",
			 step->call_id, step->cseq, step->fields);

	assert_int_equal(sip_msg_parse((struct slice){wire, (size_t)n}, &msg, &why), SIP_PARSE_OK);
	registrar_receive(registrar, &request, &result);
	assert_true(result.headers.n < sizeof(result.text));
	result.text[result.headers.n] = '\0';
	return result.status;
}

static unsigned alice(unsigned at, uint32_t cseq, const char *fields)
{
	return register_step(&(struct step){at, "alice", "call-1", cseq, fields});
}

static unsigned alice_by(const char *call_id, unsigned at, uint32_t cseq, const char *fields)
{
	return register_step(&(struct step){at, "alice", call_id, cseq, fields});
}

/* The answer's Contact fields without their name, a bar between two. */
static void contacts_are(const char *expected)
{
	char text[REGISTRAR_HEADERS_SIZE] = "";
	size_t n = 0;

	for (const char *line = result.text; *line; line = strchr(line, '\n') + 1)
		if (strncmp(line, "Contact: ", 9) == 0)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%.*s", n ? "|" : "",
					      (int)strcspn(line + 9, "\r"), line + 9);
	assert_string_equal(text, expected);
}

static void now_bound(unsigned at, const char *expected)
{
	assert_int_equal(alice_by("query", at, 1, ""), 200);
	contacts_are(expected);
}

static bool has_line(const char *line)
{
	char text[128];

	snprintf(text, sizeof(text), "%s\r\n", line);
	return strstr(result.text, text) != NULL;
}

/* ---- what is granted ---- */

static void contact_is_bound_and_told_with_its_expiry(void **state)
{
	(void)state;
	assert_int_equal(alice(0, 1, "Contact: <sip:a@10.0.0.9:5062>;expires=600\n"), 200);
	contacts_are("<sip:a@10.0.0.9:5062>;expires=600;q=1.000");
	assert_true(has_line("Date: Tue, 14 Nov 2023 22:13:20 GMT"));
	now_bound(100, "<sip:a@10.0.0.9:5062>;expires=500;q=1.000");
	now_bound(599, "<sip:a@10.0.0.9:5062>;expires=1;q=1.000");
	now_bound(600, "");
}

static void expiry_is_asked_for_in_two_ways_and_cut_or_refused(void **state)
{
	static const struct {
		const char *fields;
		unsigned status, expires;
	} rows[] = {
		{"Contact: <sip:a@h>\n", 200, 3600},
		{"Contact: <sip:a@h>\nExpires: 120\n", 200, 120},
		{"Contact: <sip:a@h>;expires=180\nExpires: 120\n", 200, 180},
		{"Contact: <sip:a@h>;Expires=\"180\"\n", 200, 180},
		{"Contact: sip:a@h;expires=180\n", 200, 180},
		{"Contact: <sip:a@h;expires=180>\n", 200, 3600}, /* the URI's own, not ours */
		{"Contact: <sip:a@h>;expires=7201\n", 200, 7200},
		{"Contact: <sip:a@h>;expires=4294967295\n", 200, 7200},
		{"Contact: <sip:a@h>;expires=99999999999999999999\n", 200, 7200},
		{"Contact: <sip:a@h>;expires=soon\n", 200, 3600},
		{"Contact: <sip:a@h>;expires=-1\n", 200, 3600},
		{"Contact: <sip:a@h>\nExpires: soon\n", 200, 3600},
		{"Contact: <sip:a@h>;expires=60\n", 200, 60},
		{"Contact: <sip:a@h>;expires=59\n", 423, 0},
		{"Contact: <sip:a@h>;expires=1\n", 423, 0},
		{"Contact: <sip:a@h>\nExpires: 59\n", 423, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char expires[32];

		if (alice(0, (uint32_t)i + 1, rows[i].fields) != rows[i].status)
			fail_msg("%u to %s", result.status, rows[i].fields);
		snprintf(expires, sizeof(expires), ";expires=%u;", rows[i].expires);
		if (rows[i].status == 200 && !strstr(result.text, expires))
			fail_msg("%s to %s", result.text, rows[i].fields);
		assert_int_equal(has_line("Min-Expires: 60"), rows[i].status == 423);
	}
}

static void an_hour_or_more_is_never_too_brief(void **state)
{
	(void)state;
	settings.register_min_s = 5000;
	settings.register_default_s = 6000;
	assert_int_equal(alice(0, 1, "Contact: <sip:a@h>;expires=3599\n"), 423);
	assert_int_equal(alice(0, 1, "Contact: <sip:a@h>;expires=3600\n"), 200);
	contacts_are("<sip:a@h>;expires=3600;q=1.000");
}

static void query_changes_nothing(void **state)
{
	(void)state;
	now_bound(0, "");
	assert_int_equal(alice(0, 1, "Contact: <sip:a@h>\nExpires: 600\n"), 200);
	assert_int_equal(alice(5, 1, ""), 200); /* of the same client, and no later CSeq */
	contacts_are("<sip:a@h>;expires=595;q=1.000");
	assert_int_equal(alice(5, 1, "Expires: 0\n"), 200);
	contacts_are("<sip:a@h>;expires=595;q=1.000");
}

static void several_contacts_are_told_by_preference(void **state)
{
	(void)state;
	assert_int_equal(alice(0, 1,
			       "Contact: <sip:low@h>;q=0.2, \"A, b\" <sip:high@h>;q=0.95\n"
			       "m: <sip:first@h>, <sip:second@h>;q=1\nExpires: 600\n"),
			 200);
	contacts_are("<sip:first@h>;expires=600;q=1.000|<sip:second@h>;expires=600;q=1.000|"
		     "<sip:high@h>;expires=600;q=0.950|<sip:low@h>;expires=600;q=0.200");
	/* Of equals the latest is preferred. */
	assert_int_equal(alice(0, 2, "Contact: <sip:second@h>;expires=900\n"), 200);
	contacts_are("<sip:second@h>;expires=900;q=1.000|<sip:first@h>;expires=600;q=1.000|"
		     "<sip:high@h>;expires=600;q=0.950|<sip:low@h>;expires=600;q=0.200");
}

static void users_and_trunks_are_kept_apart(void **state)
{
	struct ip source = path.remote.ip;

	(void)state;
	assert_int_equal(alice(0, 1, "Contact: <sip:a@h>\n"), 200);
	assert_int_equal(register_step(&(struct step){0, "Alice", "c", 1, ""}), 200);
	contacts_are("");
	assert_true(registrar_knows(registrar, TRUNK, SLICE("alice"), &source, START));
	assert_false(registrar_knows(registrar, TRUNK, SLICE("bob"), &source, START));
	assert_false(registrar_knows(registrar, TRUNK + 1, SLICE("alice"), &source, START));
}

/* ---- removing ---- */

static void contact_is_removed_by_expiry_zero(void **state)
{
	(void)state;
	assert_int_equal(alice(0, 1, "Contact: <sip:a@h>, <sip:b@h>\nExpires: 600\n"), 200);
	assert_int_equal(alice(0, 2, "Contact: <sip:a@H>;expires=0\n"), 200);
	contacts_are("<sip:b@h>;expires=600;q=1.000");
	assert_int_equal(alice(0, 3, "Contact: <sip:nobody@h>;expires=0\n"), 200);
	contacts_are("<sip:b@h>;expires=600;q=1.000");
	assert_int_equal(alice(0, 4, "Contact: <sip:b@h>\nExpires: 0\n"), 200);
	contacts_are("");
}

static void star_removes_all_only_alone_and_with_expires_zero(void **state)
{
	static const char *const bad[] = {
		"Contact: *\n",
		"Contact: *\nExpires: 60\n",
		"Contact: *\nExpires: soon\n",
		"Contact: *, <sip:a@h>\nExpires: 0\n",
		"Contact: <sip:a@h>\nContact: *\nExpires: 0\n",
		"Contact: *;expires=0\n",
		"Contact: *, *\nExpires: 0\n",
	};

	(void)state;
	assert_int_equal(alice(0, 1, "Contact: <sip:a@h>, <sip:b@h>\nExpires: 600\n"), 200);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (alice(0, 2, bad[i]) != 400)
			fail_msg("%u to %s", result.status, bad[i]);
	now_bound(0, "<sip:a@h>;expires=600;q=1.000|<sip:b@h>;expires=600;q=1.000");
	assert_int_equal(alice(0, 2, "Contact: *\nExpires: 0\n"), 200);
	contacts_are("");
	assert_int_equal(registrar->table.count, 0);
}

/* ---- order (RFC 3261 §10.3 steps 6 and 7) ---- */

static void overtaken_request_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(alice(0, 5, "Contact: <sip:a@h>, <sip:b@h>\nExpires: 600\n"), 200);
	assert_int_equal(alice(1, 5, "Contact: <sip:a@h>\n"), 500);
	assert_int_equal(alice(1, 4, "Contact: <sip:a@h>;expires=0\n"), 500);
	assert_int_equal(alice(1, 5, "Contact: *\nExpires: 0\n"), 500);
	/* All or none: the new contact is not bound either. */
	assert_int_equal(alice(1, 5, "Contact: <sip:new@h>, <sip:b@h>\n"), 500);
	assert_string_equal(result.cause, "out_of_order");
	now_bound(1, "<sip:a@h>;expires=599;q=1.000|<sip:b@h>;expires=599;q=1.000");
	/* A contact that is not there has no order. */
	assert_int_equal(alice(1, 3, "Contact: <sip:new@h>;expires=700\n"), 200);
	assert_int_equal(alice(1, 6, "Contact: <sip:a@h>;expires=800\n"), 200);
	/* Another client, and one that has begun anew, counts from where it likes. */
	assert_int_equal(alice_by("call-2", 1, 1, "Contact: <sip:a@h>;expires=900\n"), 200);
	assert_int_equal(alice_by("call-3", 1, 1, "Contact: *\nExpires: 0\n"), 200);
	contacts_are("");
	assert_int_equal(alice_by("call-2", 2, 1, "Contact: <sip:a@h>\n"), 200);
}

static void order_ends_with_the_binding(void **state)
{
	(void)state;
	assert_int_equal(alice(0, 5, "Contact: <sip:a@h>;expires=60\n"), 200);
	assert_int_equal(alice(59, 5, "Contact: <sip:a@h>;expires=60\n"), 500);
	assert_int_equal(alice(60, 5, "Contact: <sip:a@h>;expires=60\n"), 200);
}

/* ---- all or none ---- */

static void one_bad_contact_spoils_the_request(void **state)
{
	static const struct {
		const char *fields;
		unsigned status;
	} rows[] = {
		{"Contact: <sip:a@h>, <sip:\n", 400},
		{"Contact: <sip:a@h>, \n", 400},
		{"Contact: \n", 400},
		{"Contact: <sip:a@h>, <sip:b@h>;expires=5\n", 423},
		{"Contact: <sip:a@h>, <sip:b@h>;q=2\n", 400},
		{"Contact: <sip:a@h>, <sip:b@h>;q=1.001\n", 400},
		{"Contact: <sip:a@h>, <sip:b@h>;q=0.1234\n", 400},
		{"Contact: <sip:a@h>, <sip:b@h>;q=\n", 400},
		{"Contact: <sip:a@h>, <sip:b@h>;q=.5\n", 400},
		{"Contact: <sip:a@h>, <sip:A@h>, <sip:%61@h>\n", 400},
		{"Contact: <sip:a@h>, <sip:a@H>\n", 400},
		{"Contact: <sip:a@h>, <mailto:a@h>\n", 400},
		{"Contact: <sip:a@h>, <sips:a@h>\n", 400},
		{"Contact: <sip:a@h>, <tel:+1>\n", 400},
		{"Contact: <sip:a@h>, <sip:a b@h>\n", 400},
		{"Contact: <sip:1@h>, <sip:2@h>, <sip:3@h>, <sip:4@h>, <sip:5@h>\n", 403},
		{"Contact: <sip:a@h>;+sip.instance=\"<urn:x>\";reg-id=0\n", 400},
		{"Contact: <sip:a@h>;+sip.instance=\"<urn:x>\";reg-id=x\n", 400},
		{"Contact: <sip:a@h>;+sip.instance=\"<urn:x>\";reg-id=2147483648\n", 400},
		{"Contact: <sip:a@h>;+sip.instance=\"<urn:x>\";reg-id=1, <sip:b@h>\n", 400},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (alice(0, 1, rows[i].fields) != rows[i].status)
			fail_msg("%u to %s", result.status, rows[i].fields);
	now_bound(0, "");
	assert_int_equal(registrar->table.count, 0);
	assert_true(TAILQ_EMPTY(&registrar->changes));
}

static void long_values_are_refused(void **state)
{
	char fields[2048], call_id[STORE_NOTE_SIZE + 1];

	(void)state;
	snprintf(fields, sizeof(fields), "Contact: <sip:%0512d@h>\n", 1);
	assert_int_equal(alice(0, 1, fields), 400);
	snprintf(fields, sizeof(fields), "Contact: <sip:a@h>;+sip.instance=\"%0256d\"\n", 1);
	assert_int_equal(alice(0, 1, fields), 400);
	snprintf(call_id, sizeof(call_id), "%0256d", 1);
	assert_int_equal(alice_by(call_id, 0, 1, "Contact: <sip:a@h>\n"), 400);
	snprintf(fields, sizeof(fields), "%066d", 1);
	assert_int_equal(register_step(&(struct step){0, fields, "c", 1, ""}), 400);
	assert_int_equal(register_step(&(struct step){0, "", "c", 1, ""}), 400);
	assert_int_equal(register_step(&(struct step){0, "a\r\nb", "c", 1, ""}), 400);
}

static void extensions_are_not_claimed(void **state)
{
	(void)state;
	assert_int_equal(alice(0, 1, "Contact: <sip:a@h>\nRequire: path, outbound\n"), 420);
	assert_true(has_line("Unsupported: path"));
	assert_true(has_line("Unsupported: outbound"));
	assert_int_equal(alice(0, 1,
			       "Contact: <sip:a@h>;expires=60\nSupported: path, outbound\n"
			       "Path: <sip:edge.example;lr>\n"),
			 200);
	assert_null(strstr(result.text, "Path"));
	assert_null(strstr(result.text, "outbound"));
}

/* ---- limits ---- */

static void contacts_of_one_user_are_limited(void **state)
{
	(void)state;
	assert_int_equal(alice(0, 1, "Contact: <sip:1@h>, <sip:2@h>, <sip:3@h>\n"), 200);
	assert_int_equal(alice(0, 2, "Contact: <sip:4@h>, <sip:5@h>\n"), 403);
	assert_string_equal(result.cause, "too_many_contacts");
	assert_int_equal(alice(0, 2, "Contact: <sip:4@h>\n"), 200);
	/* What goes makes room for what comes in the same request. */
	assert_int_equal(alice(0, 3, "Contact: <sip:1@h>;expires=0, <sip:5@h>\n"), 200);
	settings.register_contacts = 1;
	assert_int_equal(alice(0, 4, "Contact: <sip:5@h>\n"), 403);
	assert_int_equal(alice(0, 4, "Contact: <sip:5@h>;expires=0\n"), 200);
	assert_int_equal(registrar->table.count, 3);
}

static void full_table_refuses_what_is_new_alone(void **state)
{
	char user[16];
	struct registrar_stats stats;

	(void)state;
	for (unsigned i = 0; i < LIMIT; i++) {
		snprintf(user, sizeof(user), "user%u", i);
		assert_int_equal(register_step(&(struct step){0, user, "c", 1,
							      "Contact: <sip:a@h>;expires=60\n"}),
				 200);
	}
	assert_int_equal(alice(0, 1, "Contact: <sip:a@h>\n"), 503);
	assert_true(has_line("Retry-After: 60"));
	assert_int_equal(register_step(&(struct step){0, "user3", "c", 2,
						      "Contact: <sip:a@h>;expires=90\n"}),
			 200);
	registrar_stats(registrar, &stats);
	assert_int_equal(stats.bindings, LIMIT);
	assert_int_equal(stats.full, 1);
	registrar_tick(registrar, START + 60);
	registrar_stats(registrar, &stats);
	assert_int_equal(stats.bindings, 1);
	assert_int_equal(stats.expired, LIMIT - 1);
	assert_int_equal(alice(60, 1, "Contact: <sip:a@h>\n"), 200);
}

static void list_of_long_contacts_stays_within_its_room(void **state)
{
	char fields[1024];

	(void)state;
	settings.register_contacts = REGISTRAR_CONTACTS_MAX;
	registrar->limit = REGISTRAR_CONTACTS_MAX;
	for (unsigned i = 1; i <= REGISTRAR_CONTACTS_MAX; i++) {
		snprintf(fields, sizeof(fields),
			 "Contact: <sip:%0500u@h>;+sip.instance=\"%0200u\";reg-id=%u\n", i, i, i);
		assert_int_equal(alice(0, i, fields), 200);
	}
	assert_int_equal(registrar->table.count, REGISTRAR_CONTACTS_MAX);
	assert_true(result.headers.n > sizeof(result.text) - 1024);
	assert_string_equal(result.text + result.headers.n - 2, "\r\n");
	assert_int_equal(alice(0, 1000, "Contact: <sip:a@h>\n"), 403);
}

static void without_memory_nothing_is_bound(void **state)
{
	struct registrar *other;
	unsigned status = 500;

	(void)state;
	for (int n = 0; status != 200; n++) {
		allocations_left = n;
		status = alice(0, 1, "Contact: <sip:a@h>, <sip:b@h>, <sip:c@h>\n");
		allocations_left = -1;
		if (status == 200) {
			assert_int_equal(n, 3);
			break;
		}
		assert_int_equal(status, 500);
		assert_int_equal(registrar->table.count, 0);
		assert_true(TAILQ_EMPTY(&registrar->changes));
	}
	allocations_left = 0;
	assert_int_equal(registrar_create(1, &other), -ENOMEM);
}

/* ---- outbound and NAT ---- */

#define FLOW ";+sip.instance=\"<urn:uuid:0-1>\";reg-id=1;expires=600\n"

static void same_instance_and_reg_id_replace_the_binding(void **state)
{
	struct store_binding_change changes[4];

	(void)state;
	assert_int_equal(alice(0, 1, "Contact: <sip:a@10.0.0.9>" FLOW), 200);
	contacts_are("<sip:a@10.0.0.9>;expires=600;q=1.000;+sip.instance=\"<urn:uuid:0-1>\""
		     ";reg-id=1");
	assert_int_equal(registrar_take_changes(registrar, changes, 4), 1);
	assert_int_equal(alice(0, 1, "Contact: <sip:a@10.0.0.10>" FLOW), 500);
	assert_int_equal(alice(0, 2, "Contact: <sip:a@10.0.0.10>" FLOW), 200);
	contacts_are("<sip:a@10.0.0.10>;expires=600;q=1.000;+sip.instance=\"<urn:uuid:0-1>\""
		     ";reg-id=1");
	assert_int_equal(registrar_take_changes(registrar, changes, 4), 2);
	assert_true(changes[0].removed);
	assert_string_equal(changes[0].binding.contact, "sip:a@10.0.0.9");
	assert_false(changes[1].removed);
	assert_string_equal(changes[1].binding.instance, "<urn:uuid:0-1>");
	/* Another flow, another instance, and one without reg-id are bindings of their own. */
	assert_int_equal(
		alice(0, 3, "Contact: <sip:b@h>;+sip.instance=\"<urn:uuid:0-1>\";reg-id=2\n"), 200);
	assert_int_equal(
		alice(0, 4, "Contact: <sip:c@h>;+sip.instance=\"<urn:uuid:2>\";reg-id=1\n"), 200);
	assert_int_equal(alice(0, 5, "Contact: <sip:d@h>;reg-id=1\n"), 200);
	assert_int_equal(registrar->table.count, 4);
}

static bool first_only(const struct store_binding *binding, void *arg)
{
	*(struct store_binding *)arg = *binding;
	return false;
}

static void received_address_is_kept_and_follows_the_client(void **state)
{
	struct ip before = path.remote.ip, after = {4, {203, 0, 113, 10}};
	struct store_binding binding = {0};

	(void)state;
	assert_int_equal(alice(0, 1,
			       "Contact: <sip:a@10.0.0.9>;q=0.5, <sip:b@10.0.0.9>\n"
			       "User-Agent: Phone \x01\xff 1\n"),
			 200);
	registrar_each(registrar, TRUNK, SLICE("alice"), START, first_only, &binding);
	assert_string_equal(binding.contact, "sip:b@10.0.0.9");
	assert_true(endpoint_eq(&binding.received, &path.remote));
	assert_true(endpoint_eq(&binding.local, &path.local));
	assert_string_equal(binding.user_agent, "Phone ?? 1");
	assert_string_equal(binding.call_id, "call-1");
	assert_int_equal(binding.transport, NET_UDP);

	path.remote.ip = after;
	assert_int_equal(alice(1, 2, "Contact: <sip:a@10.0.0.9>, <sip:b@10.0.0.9>\n"), 200);
	path.remote.ip = before;
	assert_false(registrar_knows(registrar, TRUNK, SLICE("alice"), &before, START + 1));
	assert_true(registrar_knows(registrar, TRUNK, SLICE("alice"), &after, START + 1));
	assert_false(registrar_knows(registrar, TRUNK, SLICE("alice"), &after, START + 3601));
}

/* ---- what the store is told ---- */

static void change_is_told_once_and_in_order(void **state)
{
	struct store_binding_change changes[8];

	(void)state;
	assert_int_equal(alice(0, 1, "Contact: <sip:a@h>\n"), 200);
	assert_int_equal(alice(1, 2, "Contact: <sip:b@h>\n"), 200);
	assert_int_equal(alice(2, 3, "Contact: <sip:a@h>\n"), 200);
	assert_int_equal(registrar_take_changes(registrar, changes, 1), 1);
	assert_string_equal(changes[0].binding.contact, "sip:b@h");
	assert_int_equal(registrar_take_changes(registrar, changes, 8), 1);
	assert_string_equal(changes[0].binding.contact, "sip:a@h");
	assert_int_equal(changes[0].binding.cseq, 3);
	assert_int_equal(changes[0].binding.expires_s, START + 3602);
	assert_int_equal(registrar_take_changes(registrar, changes, 8), 0);

	assert_int_equal(alice(3, 4, "Contact: *\nExpires: 0\n"), 200);
	assert_int_equal(alice(3, 5, "Contact: <sip:a@h>\n"), 200);
	assert_int_equal(registrar_take_changes(registrar, changes, 8), 3);
	assert_true(changes[0].removed && changes[1].removed && !changes[2].removed);
	assert_string_equal(changes[2].binding.user, "alice");
	assert_int_equal(changes[2].binding.trunk_id, TRUNK);
}

static void expired_bindings_are_told_as_removed(void **state)
{
	struct store_binding_change changes[8];

	(void)state;
	assert_int_equal(alice(0, 1, "Contact: <sip:a@h>;expires=60\n"), 200);
	registrar_tick(registrar, START + 59);
	assert_int_equal(registrar_take_changes(registrar, changes, 8), 1);
	registrar_tick(registrar, START + 60);
	assert_int_equal(registrar_take_changes(registrar, changes, 8), 1);
	assert_true(changes[0].removed);
}

static void operator_removes_one_or_all(void **state)
{
	struct store_binding_change changes[8];

	(void)state;
	assert_int_equal(alice(0, 1, "Contact: <sip:a@h>, <sip:b@h>, <sip:c@h>\n"), 200);
	assert_int_equal(registrar_take_changes(registrar, changes, 8), 3);
	registrar_remove(registrar, TRUNK, SLICE("alice"), "sip:b@h");
	assert_int_equal(registrar->table.count, 2);
	registrar_remove(registrar, TRUNK, SLICE("nobody"), NULL);
	registrar_remove(registrar, TRUNK, SLICE("alice"), NULL);
	assert_int_equal(registrar->table.count, 0);
	assert_int_equal(registrar_take_changes(registrar, changes, 8), 3);
	assert_true(changes[0].removed && changes[1].removed && changes[2].removed);
}

static void store_that_takes_nothing_is_not_waited_for(void **state)
{
	struct registrar_stats stats;

	(void)state;
	for (uint32_t i = 0; i < REMOVALS_MAX + 10; i++) {
		assert_int_equal(alice(0, 2 * i + 1, "Contact: <sip:a@h>\n"), 200);
		assert_int_equal(alice(0, 2 * i + 2, "Contact: *\nExpires: 0\n"), 200);
	}
	registrar_stats(registrar, &stats);
	assert_int_equal(stats.untold, 10);
	assert_int_equal(registrar->removals, REMOVALS_MAX);
	assert_int_equal(stats.registered, REMOVALS_MAX + 10);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, create, destroy)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(contact_is_bound_and_told_with_its_expiry),
		TEST(expiry_is_asked_for_in_two_ways_and_cut_or_refused),
		TEST(an_hour_or_more_is_never_too_brief),
		TEST(query_changes_nothing),
		TEST(several_contacts_are_told_by_preference),
		TEST(users_and_trunks_are_kept_apart),
		TEST(contact_is_removed_by_expiry_zero),
		TEST(star_removes_all_only_alone_and_with_expires_zero),
		TEST(overtaken_request_changes_nothing),
		TEST(order_ends_with_the_binding),
		TEST(one_bad_contact_spoils_the_request),
		TEST(long_values_are_refused),
		TEST(extensions_are_not_claimed),
		TEST(contacts_of_one_user_are_limited),
		TEST(full_table_refuses_what_is_new_alone),
		TEST(list_of_long_contacts_stays_within_its_room),
		TEST(without_memory_nothing_is_bound),
		TEST(same_instance_and_reg_id_replace_the_binding),
		TEST(received_address_is_kept_and_follows_the_client),
		TEST(change_is_told_once_and_in_order),
		TEST(expired_bindings_are_told_as_removed),
		TEST(operator_removes_one_or_all),
		TEST(store_that_takes_nothing_is_not_waited_for),
	};

	return cmocka_run_group_tests_name("registrar", tests, NULL, NULL);
}
