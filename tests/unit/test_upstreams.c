/* SPDX-License-Identifier: BSD-2-Clause */
/* What the daemon tells of the upstreams' health. */
#include "proxy_call.h"

#include "daemon/answer.h"

#define PBX2 "10.0.0.6:5060"

/* The answer counts from the real clock. */
static int setup(void **state)
{
	int rc = world_setup(state);

	((struct world *)*state)->now = clock_coarse_ns();
	return rc;
}

static void add_peer(struct world *w, enum store_peer_role role, const char *uri)
{
	struct store_peer peer = {.role = role, .priority = 20, .weight = 1};

	strcpy(peer.uri, uri);
	assert_ok(w->f, store_peer_add(w->f->store, "default", &peer, &w->f->err));
	world_read_store(w);
}

static void ask_each(struct world *w, unsigned interval_s)
{
	struct store_settings settings;

	assert_ok(w->f, store_settings_get(w->f->store, &settings, &w->f->err));
	settings.health_interval_s = interval_s;
	assert_ok(w->f, store_settings_set(w->f->store, &settings, &w->f->err));
	world_read_store(w);
}

static json_t *upstreams(struct world *w)
{
	const struct answerer answerer = {.workers = {{.proxy = w->proxy}}, .count = 1};
	json_t *answer = answer_question("upstreams", NULL, (void *)(uintptr_t)&answerer);
	json_t *rows = json_incref(json_object_get(answer, "upstreams"));

	assert_true(json_is_array(rows));
	json_decref(answer);
	return rows;
}

/* What is told of the one at the address, as JSON in the order of the names, or "". */
static const char *told_of(struct world *w, const char *address)
{
	static char text[512];
	json_t *rows = upstreams(w), *row;
	size_t i;

	text[0] = '\0';
	json_array_foreach(rows, i, row)
	{
		char *dump = json_dumps(row, JSON_COMPACT | JSON_SORT_KEYS);

		if (strcmp(json_string_value(json_object_get(row, "address")), address) == 0)
			snprintf(text, sizeof(text), "%s", dump);
		free(dump);
	}
	json_decref(rows);
	return text;
}

#define ROW(address, answered, failures, last, latency, state, uri, wait)                          \
	"{\"address\":\"" address "\",\"answered_s\":" answered ",\"failures\":" failures          \
	",\"last\":" last ",\"latency_ms\":" latency ",\"state\":\"" state "\",\"uri\":\"" uri     \
	"\",\"wait_s\":" wait "}"
#define PBX_ROW(answered, failures, last, latency, state, wait)                                    \
	ROW("udp/" PBX, answered, failures, last, latency, state, "sip:" PBX, wait)

static void each_place_of_enabled_trunks_is_told_once(void **state)
{
	struct world *w = *state;
	struct store_trunk trunk;
	json_t *rows;

	add_peer(w, STORE_UPSTREAM, "sip:" PBX2);
	add_peer(w, STORE_DESTINATION, "sip:198.51.100.20;transport=tcp");
	add_peer(w, STORE_DESTINATION, "sips:[2001:db8::20]:5071");
	assert_ok(w->f, create_trunk(w->f, "second", "second.example", "sip:" PBX));
	assert_ok(w->f, create_trunk(w->f, "third", "third.example", "sip:10.0.0.9"));
	assert_ok(w->f, store_trunk_get(w->f->store, "third", &trunk, &w->f->err));
	trunk.enabled = false;
	assert_ok(w->f, store_trunk_set(w->f->store, &trunk, &w->f->err));
	world_read_store(w);
	rows = upstreams(w);
	assert_int_equal(json_array_size(rows), 4);
	json_decref(rows);
	assert_string_equal(told_of(w, "udp/" PBX),
			    PBX_ROW("null", "0", "null", "null", "up", "null"));
	assert_string_equal(told_of(w, "udp/" PBX2), ROW("udp/" PBX2, "null", "0", "null", "null",
							 "up", "sip:" PBX2, "null"));
	assert_string_equal(told_of(w, "tcp/198.51.100.20:5060"),
			    ROW("tcp/198.51.100.20:5060", "null", "0", "null", "null", "up",
				"sip:198.51.100.20;transport=tcp", "null"));
	assert_string_equal(told_of(w, "tls/[2001:db8::20]:5071"),
			    ROW("tls/[2001:db8::20]:5071", "null", "0", "null", "null", "up",
				"sips:[2001:db8::20]:5071", "null"));
}

static void a_place_that_stays_goes_by_its_new_uri(void **state)
{
	struct world *w = *state;

	hear(w, PBX, answer(call_begins(w), "486 Busy Here", "INVITE"));
	assert_ok(w->f, store_upstream_replace(w->f->store, "default", "sip:" PBX ";transport=udp",
					       &w->f->err));
	world_read_store(w);
	assert_string_equal(told_of(w, "udp/" PBX), ROW("udp/" PBX, "0", "0", "486", "null", "up",
							"sip:" PBX ";transport=udp", "null"));
}

/* Whoever answers calls alone has no latency. */
static void an_answer_to_a_call_is_told(void **state)
{
	struct world *w = *state;

	hear(w, PBX, answer(call_begins(w), "486 Busy Here", "INVITE"));
	assert_string_equal(told_of(w, "udp/" PBX), PBX_ROW("0", "0", "486", "null", "up", "null"));
}

static void one_that_asks_to_be_left_alone_waits(void **state)
{
	struct world *w = *state;
	const char *told;

	w->now -= 5 * NS_PER_S;
	hear(w, PBX, answer(call_begins(w), "503 Service Unavailable\nRetry-After: 20", "INVITE"));
	told = told_of(w, "udp/" PBX);
	if (strcmp(told, PBX_ROW("5", "0", "503", "null", "waiting", "14")) != 0)
		assert_string_equal(told, PBX_ROW("5", "0", "503", "null", "waiting", "15"));
	/* And no longer than that. */
	w->now -= 20 * NS_PER_S;
	hear(w, CUSTOMER, INVITE_OF("198.51.100.7:5062;branch=z9hG4bKn2", ""));
	hear(w, PBX,
	     answer(sent_to(w, 0, PBX, "INVITE "), "503 Service Unavailable\nRetry-After: 20",
		    "INVITE"));
	assert_non_null(strstr(told_of(w, "udp/" PBX), "\"state\":\"up\""));
}

static void answer_options(struct world *w, const char *status)
{
	char text[2048], via[256], call_id[128], from[512];
	const char *options = sent_to(w, 0, PBX, "OPTIONS ");

	lines_of(options, "Via:", via, sizeof(via));
	lines_of(options, "Call-ID:", call_id, sizeof(call_id));
	lines_of(options, "From:", from, sizeof(from));
	snprintf(text, sizeof(text),
		 "SIP/2.0 %s\n%s%sTo: <sip:x>;tag=1\n%sCSeq: 1 OPTIONS\nContent-Length: 0\n\n",
		 status, via, from, call_id);
	hear(w, PBX, text);
}

/* Until it is asked anew, and not the old question once more. */
static void let_time_pass(struct world *w)
{
	static char asked[128];
	char call_id[128];

	for (int i = 0; i < 1000; i++) {
		wait_ms(w, 100);
		if (!w->sent_count)
			continue;
		lines_of(sent_to(w, 0, PBX, "OPTIONS "), "Call-ID:", call_id, sizeof(call_id));
		if (strcmp(call_id, asked) != 0) {
			strcpy(asked, call_id);
			return;
		}
	}
	fail();
}

/* It began in the past, so that the end is about now. */
static void one_that_does_not_answer_options_is_down_until_it_does(void **state)
{
	struct world *w = *state;

	w->now -= 1000 * NS_PER_S;
	world_start_proxy(w);
	wait_ms(w, 0);
	ask_each(w, 60);
	let_time_pass(w);
	w->now += 40 * NS_PER_MS;
	answer_options(w, "200 OK");
	assert_non_null(strstr(told_of(w, "udp/" PBX),
			       "\"failures\":0,\"last\":200,\"latency_ms\":40,\"state\":\"up\""));
	let_time_pass(w);
	let_time_pass(w);
	assert_non_null(strstr(told_of(w, "udp/" PBX), "\"failures\":1,"));
	let_time_pass(w);
	assert_non_null(strstr(told_of(w, "udp/" PBX), "\"failures\":2,\"last\":200,"
						       "\"latency_ms\":40,\"state\":\"down\""));
	answer_options(w, "404 Not Found");
	assert_non_null(strstr(told_of(w, "udp/" PBX),
			       "\"failures\":0,\"last\":404,\"latency_ms\":0,\"state\":\"down\""));
	let_time_pass(w);
	answer_options(w, "200 OK");
	assert_non_null(strstr(told_of(w, "udp/" PBX), "\"state\":\"up\""));
}

/* Two workers: one asks, and what either hears both go by. */
static void workers_know_the_same(void **state)
{
	struct world *w = *state;
	struct proxy_options options = world_options(w);
	struct proxy *lead, *other;

	assert_int_equal(proxy_shared_create(0, &options.shared), 0);
	proxy_free(w->proxy);
	assert_int_equal(proxy_create(&options, &lead), 0);
	options.leads = false;
	assert_int_equal(proxy_create(&options, &other), 0);
	w->proxy = lead;
	wait_ms(w, 0);
	add_peer(w, STORE_UPSTREAM, "sip:" PBX2);
	ask_each(w, 1);
	w->proxy = other;
	proxy_set_policy(other, w->policy);
	for (int i = 0; i < 100; i++) {
		wait_ms(w, 100);
		assert_int_equal(w->sent_count, 0);
	}
	assert_true(proxy_deadline(other) == UINT64_MAX);
	/* What becomes of the other's calls. */
	hear(w, PBX, answer(call_begins(w), "503 Service Unavailable\nRetry-After: 60", "INVITE"));
	w->proxy = lead;
	assert_non_null(strstr(told_of(w, "udp/" PBX), "\"state\":\"waiting\""));
	hear(w, CUSTOMER, INVITE_OF("198.51.100.7:5062;branch=z9hG4bKn2", ""));
	sent_to(w, 0, PBX2, "INVITE ");
	/* What the first's questions come to. */
	w->now += 100 * NS_PER_S;
	for (int i = 0; i < 200; i++)
		wait_ms(w, 100);
	w->proxy = other;
	assert_non_null(strstr(told_of(w, "udp/" PBX), "\"state\":\"down\""));
	assert_non_null(strstr(told_of(w, "udp/" PBX2), "\"state\":\"down\""));
	proxy_free(lead);
	proxy_free(other);
	w->proxy = NULL;
	proxy_shared_free(options.shared);
}

#define UPSTREAM_TEST(function) cmocka_unit_test_setup_teardown(function, setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		UPSTREAM_TEST(each_place_of_enabled_trunks_is_told_once),
		UPSTREAM_TEST(a_place_that_stays_goes_by_its_new_uri),
		UPSTREAM_TEST(an_answer_to_a_call_is_told),
		UPSTREAM_TEST(one_that_asks_to_be_left_alone_waits),
		UPSTREAM_TEST(one_that_does_not_answer_options_is_down_until_it_does),
		UPSTREAM_TEST(workers_know_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
