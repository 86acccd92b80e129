/* SPDX-License-Identifier: BSD-2-Clause */
/* Registrations through the store and back, with a real thread. */
#include <poll.h>
#include <sqlite3.h>

#include "store_fixture.h"

#include "base/clock.h"
#include "base/log.h"
#include "daemon/persist.h"

struct world {
	struct fixture *f;
	struct registrar *registrar;
	struct persist *persist;
	struct store_trunk trunk;
	unsigned cseq;
};

static void start(struct world *w)
{
	assert_int_equal(registrar_create(10000, &w->registrar), 0);
	assert_ok(w->f, persist_start(w->f->dir, w->registrar, &w->persist, &w->f->err));
}

static void stop(struct world *w)
{
	persist_stop(w->persist);
	registrar_free(w->registrar);
	w->persist = NULL;
	w->registrar = NULL;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->f = fixture_new();
	log_setup(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	assert_ok(w->f, store_open(w->f->dir, &w->f->store, &w->f->err));
	assert_ok(w->f, create_trunk(w->f, "phones", "phones.example", "sip:10.0.0.5"));
	assert_ok(w->f, store_trunk_get(w->f->store, "phones", &w->trunk, &w->f->err));
	start(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	stop(w);
	store_close(w->f->store);
	fixture_remove_dir(w->f);
	free(w->f);
	free(w);
	return 0;
}

static void registers(struct world *w, const char *user, const char *fields)
{
	static struct sip_msg msg;
	static struct registrar_result result;
	const struct store_settings settings = {.register_min_s = 1,
						.register_max_s = 7200,
						.register_default_s = 3600,
						.register_contacts = 10};
	struct net_path path = {.transport = NET_UDP,
				.remote = {{4, {192, 0, 2, 9}}, 4000},
				.local = {{4, {10, 0, 0, 1}}, 5060}};
	struct registrar_request request = {
		.msg = &msg,
		.path = &path,
		.trunk_id = w->trunk.id,
		.user = slice_from(user),
		.settings = &settings,
		.now_s = clock_steady_s(),
	};
	char text[1024];
	const char *why;
	int n = snprintf(text, sizeof(text),
			 "REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:h>;tag=1\r\n"
			 "To: <sip:h>\r\nCall-ID: 1\r\nCSeq: %u REGISTER\r\n%s\r\n\r\n",
			 ++w->cseq, fields);

	assert_int_equal(sip_msg_parse((struct slice){text, (size_t)n}, &msg, &why), SIP_PARSE_OK);
	registrar_receive(w->registrar, &request, &result);
	assert_int_equal(result.status, 200);
	persist_hand_over(w->persist);
}

static int count_one(const struct store_binding *binding, const char *trunk, void *arg)
{
	(void)binding;
	assert_string_equal(trunk, "phones");
	++*(unsigned *)arg;
	return 0;
}

static unsigned stored(struct world *w)
{
	unsigned n = 0;

	assert_ok(w->f, store_binding_each(w->f->store, count_one, &n, &w->f->err));
	return n;
}

static void soon_stored(struct world *w, unsigned n)
{
	for (int i = 0; i < 100 && stored(w) != n; i++)
		usleep(10000);
	assert_int_equal(stored(w), n);
}

static bool note_contact(const struct store_binding *binding, void *arg)
{
	strcat(arg, binding->contact);
	strcat(arg, " ");
	return true;
}

static void bound_are(struct world *w, const char *user, const char *expected)
{
	char text[4096] = "";

	registrar_each(w->registrar, w->trunk.id, slice_from(user), clock_steady_s(), note_contact,
		       text);
	assert_string_equal(text, expected);
}

static void assert_same(const struct store_binding *a, const struct store_binding *b)
{
	assert_string_equal(a->contact, b->contact);
	assert_string_equal(a->instance, b->instance);
	assert_string_equal(a->call_id, b->call_id);
	assert_string_equal(a->user_agent, b->user_agent);
	assert_int_equal(a->reg_id, b->reg_id);
	assert_int_equal(a->q, b->q);
	assert_int_equal(a->cseq, b->cseq);
	assert_int_equal(a->expires_s, b->expires_s);
	assert_int_equal(a->transport, b->transport);
	assert_true(endpoint_eq(&a->received, &b->received));
	assert_true(endpoint_eq(&a->local, &b->local));
}

static bool keep_fields(const struct store_binding *binding, void *arg)
{
	*(struct store_binding *)arg = *binding;
	return false;
}

static void registrations_come_back_in_their_order(void **state)
{
	struct world *w = *state;
	struct store_binding before, after;

	registers(w, "alice", "Contact: <sip:older@h>");
	registers(w, "alice",
		  "Contact: <sip:low@h>;q=0.5, <sip:newer@h>;+sip.instance=\"<urn:x>\"");
	registers(w, "alice",
		  "Contact: <sip:flow@h>;q=0.1;+sip.instance=\"<urn:y>\";reg-id=3\r\n"
		  "User-Agent: Phone 1");
	registers(w, "bob",
		  "Contact: <sip:bob@h>;q=0.3;+sip.instance=\"<urn:z>\";reg-id=7\r\n"
		  "User-Agent: Phone 2");
	registrar_each(w->registrar, w->trunk.id, SLICE("bob"), clock_steady_s(), keep_fields,
		       &before);
	soon_stored(w, 5);
	stop(w);
	start(w);
	bound_are(w, "alice", "sip:newer@h sip:older@h sip:low@h sip:flow@h ");
	registrar_each(w->registrar, w->trunk.id, SLICE("bob"), clock_steady_s(), keep_fields,
		       &after);
	assert_same(&before, &after);
	/* What is registered now is preferred to all of before. */
	registers(w, "alice", "Contact: <sip:older@h>");
	bound_are(w, "alice", "sip:older@h sip:newer@h sip:low@h sip:flow@h ");
}

static void what_goes_is_gone_after_a_restart(void **state)
{
	struct world *w = *state;

	registers(w, "alice", "Contact: <sip:a@h>, <sip:b@h>");
	soon_stored(w, 2);
	registers(w, "alice", "Contact: <sip:a@h>;expires=0");
	soon_stored(w, 1);
	registers(w, "alice", "Contact: <sip:c@h>;expires=1");
	soon_stored(w, 2);
	stop(w);
	sleep(2);
	start(w);
	bound_are(w, "alice", "sip:b@h ");
	/* Those that have expired meanwhile are taken out of the store as well. */
	persist_hand_over(w->persist);
	soon_stored(w, 1);
}

static void end_writes_what_is_left(void **state)
{
	struct world *w = *state;
	char fields[64];

	for (unsigned i = 0; i < 2000; i++) {
		snprintf(fields, sizeof(fields), "Contact: <sip:u%u@h>", i);
		registers(w, fields + 14, fields);
	}
	stop(w);
	assert_int_equal(stored(w), 2000);
	start(w);
}

static void many_are_written_without_further_packets(void **state)
{
	struct pollfd fd = {.events = POLLIN};
	struct world *w = *state;
	char fields[64];

	for (unsigned i = 0; i < 1000; i++) {
		snprintf(fields, sizeof(fields), "Contact: <sip:u%u@h>", i);
		registers(w, fields + 14, fields);
	}
	fd.fd = persist_fd(w->persist);
	while (poll(&fd, 1, 1000) > 0)
		persist_serve(w->persist);
	assert_int_equal(stored(w), 1000);
}

static void removal_by_the_operator_reaches_the_registrar(void **state)
{
	struct world *w = *state;
	struct pollfd fd = {.fd = persist_fd(w->persist), .events = POLLIN};

	registers(w, "alice", "Contact: <sip:a@h>, <sip:b@h>");
	registers(w, "bob", "Contact: <sip:bob@h>");
	soon_stored(w, 3);
	assert_ok(w->f,
		  store_binding_remove(w->f->store, "phones", "alice", "sip:b@h", &w->f->err));
	assert_ok(w->f, store_binding_remove(w->f->store, "phones", "bob", NULL, &w->f->err));
	persist_look(w->persist);
	assert_int_equal(poll(&fd, 1, 5000), 1);
	persist_serve(w->persist);
	bound_are(w, "alice", "sip:a@h ");
	bound_are(w, "bob", "");
	soon_stored(w, 1);
}

static void busy_store_is_waited_for(void **state)
{
	struct world *w = *state;
	char path[128];
	sqlite3 *other;

	snprintf(path, sizeof(path), "%s/sipward.db", w->f->dir);
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	registers(w, "alice", "Contact: <sip:a@h>");
	usleep(400000);
	registers(w, "alice", "Contact: <sip:b@h>");
	assert_int_equal(stored(w), 0);
	assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	soon_stored(w, 2);
}

static void trunk_that_is_gone_takes_its_registrations_along(void **state)
{
	struct world *w = *state;

	registers(w, "alice", "Contact: <sip:a@h>");
	soon_stored(w, 1);
	assert_ok(w->f, store_trunk_delete(w->f->store, "phones", &w->f->err));
	registers(w, "alice", "Contact: <sip:b@h>");
	stop(w);
	assert_int_equal(stored(w), 0);
	start(w);
	bound_are(w, "alice", "");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(registrations_come_back_in_their_order),
		TEST(what_goes_is_gone_after_a_restart),
		TEST(end_writes_what_is_left),
		TEST(many_are_written_without_further_packets),
		TEST(removal_by_the_operator_reaches_the_registrar),
		TEST(busy_store_is_waited_for),
		TEST(trunk_that_is_gone_takes_its_registrations_along),
	};

	return cmocka_run_group_tests_name("persist", tests, NULL, NULL);
}
