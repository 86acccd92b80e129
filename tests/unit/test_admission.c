/* SPDX-License-Identifier: BSD-2-Clause */
/* Which trunk, which rule, which answer. The traps of digest authentication: test_admission_traps.c
 */
#include <osipparser2/osip_port.h>

#include "admission_fixture.h"

static unsigned count(struct slice text, const char *what)
{
	unsigned n = 0;

	for (size_t i = 0; i + strlen(what) <= text.n; i++)
		n += memcmp(text.p + i, what, strlen(what)) == 0;
	return n;
}

static void assert_answer(const struct gate *gate, enum admission_verdict verdict, unsigned status)
{
	assert_int_equal(gate->result.verdict, verdict);
	assert_int_equal(gate->result.status, status);
	assert_int_equal(gate->result.challenge.n > 0, verdict == ADMISSION_CHALLENGE);
}

static size_t failures_counted(const struct gate *gate)
{
	struct lockout_stats stats;

	lockout_stats(gate->admission.lockouts, &stats);
	return stats.sources;
}

static void requests_without_credentials_are_answered_by_the_trunks_type(void **state)
{
	static const struct {
		const char *source, *target;
		enum admission_cause cause;
		enum admission_verdict verdict;
		unsigned status;
		bool evidence;
	} rows[] = {
		{LISTED, "sip:1@addr.example", ADMISSION_BY_ADDRESS, ADMISSION_FORWARD, 0, false},
		{LISTED, "sips:1@ADDR.example:5061;x", ADMISSION_BY_ADDRESS, ADMISSION_FORWARD, 0,
		 false},
		{UNLISTED, "sip:1@addr.example", ADMISSION_ADDRESS_REFUSED, ADMISSION_REFUSE, 403,
		 true},
		{"192.0.2.66", "sip:1@addr.example", ADMISSION_ADDRESS_REFUSED, ADMISSION_REFUSE,
		 403, true},
		{"2001:db8::1", "sip:1@addr.example", ADMISSION_ADDRESS_REFUSED, ADMISSION_REFUSE,
		 403, true},
		{LISTED, "sip:1@cred.example", ADMISSION_NO_CREDENTIALS, ADMISSION_CHALLENGE, 407,
		 false},
		{UNLISTED, "sip:1@cred.example", ADMISSION_NO_CREDENTIALS, ADMISSION_CHALLENGE, 407,
		 false},
		{LISTED, "sip:1@both.example", ADMISSION_NO_CREDENTIALS, ADMISSION_CHALLENGE, 407,
		 false},
		{UNLISTED, "sip:1@both.example", ADMISSION_ADDRESS_REFUSED, ADMISSION_REFUSE, 403,
		 true},
		{LISTED, "sip:1@none.example", ADMISSION_NOT_REGISTERED, ADMISSION_REFUSE, 486,
		 false},
		{UNLISTED, "sip:1@none.example", ADMISSION_NOT_REGISTERED, ADMISSION_REFUSE, 486,
		 false},
		{UNLISTED, "sip:1@else.example", ADMISSION_NO_TRUNK, ADMISSION_REFUSE, 403, true},
		{LISTED, "sip:1@else.example", ADMISSION_NO_TRUNK, ADMISSION_REFUSE, 403, false},
		{LISTED, "sip:1@192.0.2.200", ADMISSION_NO_TRUNK, ADMISSION_REFUSE, 403, false},
		{LISTED, "tel:+12345678900", ADMISSION_NO_TRUNK, ADMISSION_REFUSE, 403, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gate *gate;
		struct client client = client_new(rows[i].target);

		assert_int_equal(gate_setup(state), 0);
		gate = *state;
		gate_send(gate, rows[i].source, &client, "");
		if (gate->result.cause != rows[i].cause)
			fail_msg("%s %s: %s", rows[i].source, rows[i].target,
				 admission_cause_name(gate->result.cause));
		assert_answer(gate, rows[i].verdict, rows[i].status);
		assert_int_equal(failures_counted(gate), rows[i].evidence);
		assert_null(gate->result.user);
		assert_false(gate->result.locked_out);
		assert_int_equal(gate->result.trunk == NULL, rows[i].cause == ADMISSION_NO_TRUNK);
		gate_teardown(state);
	}
}

static void the_right_answer_is_forwarded(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new("sip:1@cred.example");

	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	assert_answer(gate, ADMISSION_FORWARD, 0);
	assert_true(slice_eq(gate->result.user->name, SLICE("alice")));
	assert_string_equal(gate->result.trunk->config.name, "cred");
	assert_int_equal(gate->result.auth, STORE_AUTH_CREDENTIAL);
	assert_int_equal(gate_credentials(gate), 1);
	assert_int_equal(failures_counted(gate), 0);
}

static void both_must_pass_where_both_are_attached(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new("sip:1@both.example");

	assert_int_equal(client_call(gate, LISTED, &client), ADMISSION_BY_ADDRESS_AND_CREDENTIAL);
	assert_answer(gate, ADMISSION_FORWARD, 0);
	assert_int_equal(gate->result.auth, STORE_AUTH_IP_ACL_AND_CREDENTIAL);
	assert_true(slice_eq(gate->result.user->name, SLICE("alice")));
	client.spoil = true;
	assert_int_equal(client_call(gate, LISTED, &client), ADMISSION_BAD_CREDENTIALS);
	client.spoil = false;
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_ADDRESS_REFUSED);
}

static void the_trunk_comes_from_the_request_uri_and_never_from_to(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new("sip:1@cred.example"); /* To says addr.example */

	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_NO_CREDENTIALS);
	assert_string_equal(gate->result.trunk->config.name, "cred");
}

static void every_method_is_asked_for_credentials(void **state)
{
	static const char *const methods[] = {"INVITE",	 "OPTIONS", "MESSAGE", "SUBSCRIBE",
					      "PUBLISH", "REFER",   "INFO",    "ANYTHING"};
	struct gate *gate = *state;
	struct client client = client_new("sip:1@cred.example");

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		client.method = methods[i];
		assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	}
}

/* A response for one method is none for another. */
static void a_digest_is_bound_to_the_method(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new("sip:1@cred.example");
	char header[2048];

	client_ask(gate, UNLISTED, &client);
	client_header(gate, &client, header, sizeof(header));
	client.method = "REFER";
	assert_int_equal(gate_send(gate, UNLISTED, &client, header), ADMISSION_BAD_CREDENTIALS);
}

static void register_and_401_trunks_use_the_www_names(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new("sip:cred.example");
	struct store_trunk trunk;

	client.method = "REGISTER";
	client.header = "Authorization";
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	gate_send(gate, UNLISTED, &client, "");
	assert_answer(gate, ADMISSION_CHALLENGE, 401);
	assert_int_equal(count(gate->result.challenge, "WWW-Authenticate: Digest algorithm=MD5"),
			 1);

	client.method = "INVITE";
	gate_send(gate, UNLISTED, &client, "");
	assert_answer(gate, ADMISSION_CHALLENGE, 407);
	assert_int_equal(count(gate->result.challenge, "Proxy-Authenticate: Digest algorithm=MD5"),
			 1);
	trunk = gate_trunk_get(gate, "cred");
	trunk.challenge_status = 401;
	gate_trunk_set(gate, &trunk);
	gate_send(gate, UNLISTED, &client, "");
	assert_answer(gate, ADMISSION_CHALLENGE, 401);
	assert_int_equal(count(gate->result.challenge, "WWW-Authenticate"), 1);
}

static void credentials_are_taken_from_either_header(void **state)
{
	static const char *const headers[] = {"Authorization", "Proxy-Authorization",
					      "proxy-AUTHORIZATION"};
	struct gate *gate = *state;
	struct client client = client_new("sip:1@cred.example");

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		client.header = headers[i];
		assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	}
}

static void a_challenge_is_one_field_for_each_realm_and_algorithm_in_order(void **state)
{
	static const unsigned three[] = {DIGEST_SHA_512_256, DIGEST_SHA_256, DIGEST_MD5};
	static const char *const order[] = {"algorithm=SHA-512-256, realm=\"second.example\"",
					    "algorithm=SHA-256, realm=\"second",
					    "algorithm=MD5, realm=\"second",
					    "algorithm=SHA-512-256, realm=\"sip.example\"",
					    "algorithm=SHA-256, realm=\"sip",
					    "algorithm=MD5, realm=\"sip"};
	struct gate *gate = *state;
	struct client client = client_new("sip:1@two.example");
	char text[ADMISSION_CHALLENGE_SIZE + 1];
	const char *last = text;

	gate_offer(gate, "two", 3, three);
	gate_send(gate, UNLISTED, &client, "");
	assert_int_equal(slice_text(gate->result.challenge, text, sizeof(text)), 0);
	assert_int_equal(count(gate->result.challenge, "Proxy-Authenticate: Digest algorithm="), 6);
	assert_int_equal(count(gate->result.challenge, "\r\n"), 6);
	assert_int_equal(count(gate->result.challenge, "stale=true"), 0);
	assert_int_equal(count(gate->result.challenge, "qop=\"auth\""), 6);
	for (size_t i = 0; i < 6; i++) {
		last = strstr(last, order[i]);
		if (!last)
			fail_msg("%s is not where it belongs: %s", order[i], text);
	}
}

static void any_realm_of_the_trunk_will_do(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new("sip:1@two.example");

	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	client.username = "carol";
	client.password = "Passw0rd-of-carol";
	client.realm = "second.example";
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	assert_true(slice_eq(gate->result.user->name, SLICE("carol")));
	client.target = client.uri = "sip:1@cred.example"; /* not a realm of this one */
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_NO_CREDENTIALS);
	assert_int_equal(gate_credentials(gate), 1); /* but of the gate */
}

static void challenges_that_do_not_fit_are_left_out_and_none_is_cut(void **state)
{
	static const unsigned three[] = {DIGEST_SHA_512_256, DIGEST_SHA_256, DIGEST_MD5};
	struct gate *gate = *state;
	struct client client = client_new("sip:1@cred.example");
	char name[16], realm[STORE_NAME_SIZE];

	for (int i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "z%d", i);
		snprintf(realm, sizeof(realm), "%0110d.example", i);
		assert_ok(gate->f,
			  store_credentials_create(gate->f->store, name, realm, &gate->f->err));
		assert_ok(gate->f, store_trunk_attach_credentials(gate->f->store, "cred", name,
								  &gate->f->err));
	}
	gate_offer(gate, "cred", 3, three);
	gate_send(gate, UNLISTED, &client, "");
	assert_true(count(gate->result.challenge, "Proxy-Authenticate") > 5);
	assert_true(count(gate->result.challenge, "Proxy-Authenticate") < 27);
	assert_int_equal(count(gate->result.challenge, "Proxy-Authenticate"),
			 count(gate->result.challenge, "\r\n"));
	assert_memory_equal(gate->result.challenge.p + gate->result.challenge.n - 2, "\r\n", 2);
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
}

static void the_tenth_wrong_password_locks_out_even_a_listed_source(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new("sip:1@cred.example");

	client.spoil = true;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(client_call(gate, LISTED, &client), ADMISSION_BAD_CREDENTIALS);
		assert_answer(gate, ADMISSION_REFUSE, 403);
		assert_int_equal(gate->result.locked_out, i == 9);
	}
	assert_int_equal(gate->result.lockout.reason, SIPWARD_LOCKOUT_CREDENTIAL);
	assert_int_equal(gate->result.lockout.failures, 10);
	assert_int_equal(gate->result.lockout.until_ns, (gate->now_s + 60) * 1000000000ULL);
}

static void address_and_credential_failures_share_the_counter(void **state)
{
	struct gate *gate = *state;
	struct client wrong = client_new("sip:1@cred.example");
	struct client refused = client_new("sip:1@addr.example");

	wrong.spoil = true;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(client_call(gate, UNLISTED, &wrong), ADMISSION_BAD_CREDENTIALS);
		gate_send(gate, UNLISTED, &refused, "");
		assert_int_equal(gate->result.locked_out, i == 4);
	}
	assert_int_equal(gate->result.lockout.reason, SIPWARD_LOCKOUT_ADDRESS);
	assert_int_equal(gate->result.lockout.until_ns, (gate->now_s + 60) * 1000000000ULL);
}

static void being_challenged_is_no_failure(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new("sip:1@cred.example");

	for (int i = 0; i < 1000; i++)
		client_ask(gate, UNLISTED, &client);
	assert_int_equal(failures_counted(gate), 0);
}

/* FACTS: ten forged INVITEs lock out the carrier they name. */
static void forged_requests_never_lock_out_a_listed_source(void **state)
{
	static const char *const targets[] = {"sip:1@else.example", "sip:1@cred.example"};
	static const char *const forged[] = {
		"Proxy-Authorization: Digest username=\"alice\", realm=\"" REALM "\", nonce=\"0\", "
		"uri=\"sip:1@cred.example\", response=\"0\", qop=auth, nc=00000001, "
		"cnonce=\"1\"\r\n",
		"Proxy-Authorization: Digest realm=\"" REALM "\"\r\n"};
	struct gate *gate = *state;

	for (int i = 0; i < 400; i++) {
		struct client client = client_new(targets[i % 2]);

		gate_send(gate, LISTED, &client, forged[i / 2 % 2]);
		assert_false(gate->result.locked_out);
	}
	assert_int_equal(failures_counted(gate), 0);
}

static void over_tcp_the_same_requests_are_hard_evidence(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new("sip:1@else.example");

	gate->transport = NET_TCP;
	for (int i = 0; i < 10; i++) {
		gate_send(gate, LISTED, &client, "");
		assert_int_equal(gate->result.locked_out, i == 9);
	}
}

/* osip2's allocations, which all of reading URIs and credentials goes through: -1 never fails. */
static int allocations_left = -1;

static void *scarce_realloc(void *p, size_t n)
{
	if (allocations_left == 0)
		return NULL;
	if (allocations_left > 0)
		allocations_left--;
	return realloc(p, n);
}

static void *scarce_malloc(size_t n)
{
	return scarce_realloc(NULL, n);
}

static void without_memory_nobody_is_admitted_and_nothing_is_evidence(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new("sip:%31@cred.example");
	enum admission_cause cause;
	char header[2048];
	int n = 0;

	/* Escapes take memory. */
	client.name_parameter = "username=\"al\\ice\"";
	client_ask(gate, UNLISTED, &client);
	client_header(gate, &client, header, sizeof(header));
	osip_set_allocators(scarce_malloc, scarce_realloc, free);
	do {
		allocations_left = n++;
		cause = gate_send(gate, UNLISTED, &client, header);
		allocations_left = -1;
		if (cause == ADMISSION_BY_CREDENTIAL)
			break;
		assert_int_equal(cause, ADMISSION_NO_RESOURCES);
		assert_answer(gate, ADMISSION_REFUSE, 500);
		assert_int_equal(failures_counted(gate), 0);
	} while (n < 100);
	osip_set_allocators(NULL, NULL, NULL);
	assert_int_equal(cause, ADMISSION_BY_CREDENTIAL);
	assert_true(n > 3);
}

static void causes_have_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ADMISSION_CAUSES; i++) {
		assert_non_null(admission_cause_name(i));
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(admission_cause_name(i), admission_cause_name(j));
	}
	assert_string_equal(admission_cause_name(ADMISSION_CAUSES), "unknown");
}

/* ---- what the operator is told ---- */

static void assert_told(const struct gate *gate, const char *tried, const char *hint)
{
	const char *told = admission_hint(gate->policy, gate->msg, &gate->result);

	assert_true(slice_eq(gate->result.tried, slice_from(tried)));
	if (hint)
		assert_string_equal(told, hint);
	else
		assert_null(told);
}

static void the_operator_is_told_whose_credentials_failed_and_why(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new("sip:1@cred.example");
	char name[STORE_USER_SIZE + 20];

	client_call(gate, UNLISTED, &client);
	assert_told(gate, "alice", NULL);
	client.nc = "00000002";
	client.password = "Wr0ng-password";
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_BAD_CREDENTIALS);
	assert_told(gate, "alice", NULL);
	client.username = "mallory";
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_BAD_CREDENTIALS);
	assert_told(gate, "mallory", "no such user");
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	client.username = name;
	client_send(gate, UNLISTED, &client);
	name[STORE_USER_SIZE] = '\0';
	assert_told(gate, name, "no such user");
	client.realm = "pbx.example";
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_NO_CREDENTIALS);
	assert_told(gate, "", "credentials for another realm only");
	assert_int_equal(gate_send(gate, UNLISTED, &client, ""), ADMISSION_NO_CREDENTIALS);
	assert_told(gate, "", NULL);
}

static void the_operator_is_told_why_no_trunk_was_found(void **state)
{
	struct gate *gate = *state;
	struct store_trunk trunk;
	struct client client = client_new("sip:+12025550123@app.example");

	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_NO_TRUNK);
	assert_told(gate, "", "no trunk for this domain");
	store_trunk_defaults(&trunk);
	strcpy(trunk.name, "app");
	strcpy(trunk.domain, "app.example");
	strcpy(trunk.user, "app1");
	assert_ok(gate->f,
		  store_trunk_create(gate->f->store, &trunk, "sip:198.51.100.1", &gate->f->err));
	gate_build(gate);
	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_NO_TRUNK);
	assert_told(gate, "", "number in the Request-URI where a trunk's user belongs");
	client.target = "sip:app2@app.example";
	gate_send(gate, LISTED, &client, "");
	assert_told(gate, "", "no trunk for this domain");
	client.target = "sip:1@none.example";
	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_NOT_REGISTERED);
	assert_told(gate, "",
		    "nothing is attached to the trunk, and the From user has not registered");
	client.target = "sip:1@addr.example";
	assert_int_equal(gate_send(gate, UNLISTED, &client, ""), ADMISSION_ADDRESS_REFUSED);
	assert_told(gate, "", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_without_credentials_are_answered_by_the_trunks_type),
		GATE_TEST(the_right_answer_is_forwarded),
		GATE_TEST(both_must_pass_where_both_are_attached),
		GATE_TEST(the_trunk_comes_from_the_request_uri_and_never_from_to),
		GATE_TEST(every_method_is_asked_for_credentials),
		GATE_TEST(a_digest_is_bound_to_the_method),
		GATE_TEST(register_and_401_trunks_use_the_www_names),
		GATE_TEST(credentials_are_taken_from_either_header),
		GATE_TEST(a_challenge_is_one_field_for_each_realm_and_algorithm_in_order),
		GATE_TEST(any_realm_of_the_trunk_will_do),
		GATE_TEST(challenges_that_do_not_fit_are_left_out_and_none_is_cut),
		GATE_TEST(the_tenth_wrong_password_locks_out_even_a_listed_source),
		GATE_TEST(address_and_credential_failures_share_the_counter),
		GATE_TEST(being_challenged_is_no_failure),
		GATE_TEST(forged_requests_never_lock_out_a_listed_source),
		GATE_TEST(over_tcp_the_same_requests_are_hard_evidence),
		GATE_TEST(without_memory_nobody_is_admitted_and_nothing_is_evidence),
		GATE_TEST(the_operator_is_told_whose_credentials_failed_and_why),
		GATE_TEST(the_operator_is_told_why_no_trunk_was_found),
		cmocka_unit_test(causes_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
