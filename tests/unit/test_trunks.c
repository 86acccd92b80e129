/* SPDX-License-Identifier: BSD-2-Clause */
/* Trunks as hosted services have them: which trunk a Request-URI means, and what is attached to it.
 */
#include "admission_fixture.h"

#define SECOND "10.1.2.3"

static const char *trunk_of(struct gate *gate, const char *target)
{
	struct client client = client_new(target);

	gate_send(gate, LISTED, &client, "");
	return gate->result.trunk ? gate->result.trunk->config.name : "none";
}

static void add_trunk(struct gate *gate, const char *name, const char *user, const char *domain)
{
	struct store_trunk trunk;

	store_trunk_defaults(&trunk);
	snprintf(trunk.name, sizeof(trunk.name), "%s", name);
	snprintf(trunk.user, sizeof(trunk.user), "%s", user);
	snprintf(trunk.domain, sizeof(trunk.domain), "%s", domain);
	assert_ok(gate->f,
		  store_trunk_create(gate->f->store, &trunk, "sip:198.51.100.1", &gate->f->err));
}

static void the_request_uri_is_read_as_its_grammar_says(void **state)
{
	static const struct {
		const char *target, *trunk;
	} rows[] = {
		{"sip:app42@app.example", "app"},
		{"sip:app42@app.example:5060", "app"},
		{"sip:app42@APP.Example", "app"},
		{"sip:app42@app.example.", "app"},
		{"sip:app42@app.example;transport=udp", "app"},
		{"sip:app42:secret@app.example", "app"},
		{"sip:%61pp42@app.example", "app"}, /* RFC 3261 §19.1.4 */
		{"sip:app%34%32@app.example", "app"},
		{"sip:APP42@app.example", "default"},	    /* users differ by case */
		{"sip:app42;ext=1@app.example", "default"}, /* a user of its own */
		{"sip:app42%3Bext=1@app.example", "default"},
		{"sip:app42@sub.app.example", "default"},
		{"sip:+4989123456@app.example", "default"},
		{"sip:app42@app.example..", "default"},
		{"sip:app.example", "default"},
		{"sip:1@[2001:db8::1]", "six"},
		{"sip:1@[2001:DB8:0:0:0::1]:5060", "six"},
		{"sip:1@[2001:db8::2]", "default"},
		{"sip:1@192.0.2.200", "default"}, /* the gate's own address */
		{"sip:any42@192.0.2.200", "any"},
		{"sip:any42@app.example", "any"},
		{"tel:+4989123456", "default"},
		{"tel:+4989123456;phone-context=app.example", "default"},
		{"tel:any42", "any"},
	};
	struct gate *gate = *state;

	add_trunk(gate, "app", "app42", "app.example");
	add_trunk(gate, "any", "any42", "*");
	add_trunk(gate, "six", "", "2001:db8::1");
	add_trunk(gate, "default", "", "*");
	gate_build(gate);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *trunk = trunk_of(gate, rows[i].target);

		if (strcmp(trunk, rows[i].trunk) != 0)
			fail_msg("%s: %s, not %s", rows[i].target, trunk, rows[i].trunk);
	}
}

/* The fixture's To names the trunk "addr", which the address would pass. */
static void the_to_header_names_no_trunk(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new("sip:1@else.example");

	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_NO_TRUNK);
	client.target = "sip:1@cred.example";
	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_NO_CREDENTIALS);
}

static void a_disabled_trunk_refuses_and_nothing_falls_through(void **state)
{
	static const char *const names[] = {"addr", "cred", "both", "none"};
	struct gate *gate = *state;
	struct client client = client_new("sip:1@addr.example");

	add_trunk(gate, "default", "", "*");
	assert_ok(gate->f,
		  store_trunk_attach_acl(gate->f->store, "default", "office", &gate->f->err));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct store_trunk trunk = gate_trunk_get(gate, names[i]);
		char target[64];

		trunk.enabled = false;
		gate_trunk_set(gate, &trunk);
		snprintf(target, sizeof(target), "sip:1@%s.example", names[i]);
		client.target = target;
		assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_TRUNK_DISABLED);
		assert_int_equal(gate->result.verdict, ADMISSION_REFUSE);
		assert_int_equal(gate->result.status, 403);
		assert_string_equal(gate->result.trunk->config.name, names[i]);
		assert_string_equal(admission_hint(gate->policy, gate->msg, &gate->result),
				    "the trunk is disabled");
	}
	client.target = "sip:1@else.example";
	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_BY_ADDRESS);
}

static void a_disabled_application_is_not_its_domain(void **state)
{
	struct gate *gate = *state;
	struct store_trunk trunk;

	add_trunk(gate, "app", "app42", "addr.example");
	trunk = gate_trunk_get(gate, "app");
	trunk.enabled = false;
	gate_trunk_set(gate, &trunk);
	assert_string_equal(trunk_of(gate, "sip:app42@addr.example"), "app");
	assert_int_equal(gate->result.cause, ADMISSION_TRUNK_DISABLED);
	assert_string_equal(trunk_of(gate, "sip:1000@addr.example"), "addr");
	assert_int_equal(gate->result.cause, ADMISSION_BY_ADDRESS);
}

static void calls_to_a_disabled_trunk_count_as_refused_addresses(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new("sip:1@addr.example");
	struct store_trunk trunk = gate_trunk_get(gate, "addr");

	trunk.enabled = false;
	gate_trunk_set(gate, &trunk);
	for (int i = 0; i < 9; i++)
		assert_int_equal(gate_send(gate, UNLISTED, &client, ""), ADMISSION_TRUNK_DISABLED);
	assert_false(gate->result.locked_out);
	gate_send(gate, UNLISTED, &client, "");
	assert_true(gate->result.locked_out);
	assert_int_equal(gate->result.lockout.reason, SIPWARD_LOCKOUT_ADDRESS);
}

static void acls_and_trunks_are_many_to_many(void **state)
{
	struct gate *gate = *state;
	struct fixture *f = gate->f;
	struct client client = client_new("sip:1@addr.example");

	assert_ok(f, store_acl_create(f->store, "branch", "", &f->err));
	assert_ok(f, allow(f, "branch", "10.0.0.0/8"));
	gate_build(gate);
	assert_int_equal(gate_send(gate, SECOND, &client, ""), ADMISSION_ADDRESS_REFUSED);
	assert_ok(f, store_trunk_attach_acl(f->store, "addr", "branch", &f->err));
	gate_build(gate);
	assert_int_equal(gate_send(gate, SECOND, &client, ""), ADMISSION_BY_ADDRESS);
	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_BY_ADDRESS);
	/* "office" is the other trunk's ACL too, "branch" is not. */
	client.target = "sip:1@both.example";
	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_NO_CREDENTIALS);
	assert_int_equal(gate_send(gate, SECOND, &client, ""), ADMISSION_ADDRESS_REFUSED);
	assert_ok(f, store_trunk_detach_acl(f->store, "addr", "office", &f->err));
	gate_build(gate);
	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_NO_CREDENTIALS);
	client.target = "sip:1@addr.example";
	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_ADDRESS_REFUSED);
}

static void lists_and_trunks_are_many_to_many(void **state)
{
	static const struct {
		const char *target, *user, *password, *realm;
		bool admitted;
	} rows[] = {
		{"sip:1@two.example", "alice", PASSWORD, REALM, true},
		{"sip:1@two.example", "bob", "Passw0rd-of-bob", REALM, true},
		{"sip:1@two.example", "carol", "Passw0rd-of-carol", "second.example", true},
		{"sip:1@cred.example", "alice", PASSWORD, REALM, true},
		{"sip:1@two.example", "carol", "Passw0rd-of-carol", REALM, false},
		{"sip:1@two.example", "alice", PASSWORD, "second.example", false},
	};
	struct gate *gate = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client client = client_new(rows[i].target);

		client.username = rows[i].user;
		client.password = rows[i].password;
		client.realm = rows[i].realm;
		assert_int_equal(client_call(gate, UNLISTED, &client),
				 rows[i].admitted ? ADMISSION_BY_CREDENTIAL
						  : ADMISSION_BAD_CREDENTIALS);
	}
}

/* Alice, whom the fixture's From names, registers for a minute with the trunk of her domain. */
static struct registrar *register_alice(struct gate *gate, const char *source)
{
	static const char text[] = "REGISTER sip:sip.example SIP/2.0\r\n"
				   "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK7\r\n"
				   "From: <sip:alice@sip.example>;tag=1\r\n"
				   "To: <sip:alice@sip.example>\r\n"
				   "Call-ID: a\r\nCSeq: 1 REGISTER\r\n"
				   "Contact: <sip:alice@192.0.2.9>;expires=60\r\n"
				   "Content-Length: 0\r\n\r\n";
	static struct registrar_result result;
	struct net_path path = {.transport = NET_UDP, .remote.port = 5060};
	struct registrar_request request = {.path = &path, .user = SLICE("alice"), .now_s = NOW_S};
	struct registrar *registrar;
	struct sip_msg msg;
	const char *why;

	add_trunk(gate, "phones", "", "sip.example");
	assert_ok(gate->f,
		  store_trunk_attach_credentials(gate->f->store, "phones", "users", &gate->f->err));
	gate_build(gate);
	assert_int_equal(ip_parse(slice_from(source), &path.remote.ip), 0);
	assert_int_equal(sip_msg_parse(slice_from(text), &msg, &why), SIP_PARSE_OK);
	request.msg = &msg;
	request.trunk_id = gate_trunk_get(gate, "phones").id;
	request.settings = policy_settings(gate->policy);
	assert_int_equal(registrar_create(8, &registrar), 0);
	registrar_receive(registrar, &request, &result);
	assert_int_equal(result.status, 200);
	gate->admission.registrar = registrar;
	return registrar;
}

static const char *hint(const struct gate *gate)
{
	return admission_hint(gate->policy, gate->msg, &gate->result);
}

static void without_attachments_the_from_user_must_have_registered(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new("sip:1@none.example");
	struct registrar *registrar = register_alice(gate, LISTED);

	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_BY_REGISTRATION);
	assert_int_equal(gate->result.verdict, ADMISSION_FORWARD);
	assert_int_equal(gate->result.auth, STORE_AUTH_NONE);
	assert_null(gate->result.user);

	assert_int_equal(gate_send(gate, UNLISTED, &client, ""), ADMISSION_NOT_REGISTERED);
	assert_int_equal(gate->result.status, 486);
	assert_string_equal(hint(gate), "the From user has registered from another address");

	gate->now_s = NOW_S + 60;
	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_NOT_REGISTERED);
	assert_string_equal(
		hint(gate),
		"nothing is attached to the trunk, and the From user has not registered");

	/* What is registered opens no trunk that asks for something. */
	gate->now_s = NOW_S;
	client.target = "sip:1@cred.example";
	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_NO_CREDENTIALS);
	registrar_free(registrar);
}

static void a_registration_counts_only_with_the_trunk_of_the_from_domain(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new("sip:1@none.example");
	struct registrar *registrar = register_alice(gate, LISTED);
	struct store_trunk trunk = gate_trunk_get(gate, "phones");

	trunk.enabled = false;
	gate_trunk_set(gate, &trunk);
	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_NOT_REGISTERED);
	trunk.enabled = true;
	snprintf(trunk.domain, sizeof(trunk.domain), "else.example");
	gate_trunk_set(gate, &trunk);
	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_NOT_REGISTERED);
	snprintf(trunk.aliases, sizeof(trunk.aliases), "eu.sip.example sip.example");
	gate_trunk_set(gate, &trunk);
	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_BY_REGISTRATION);
	gate->admission.registrar = NULL;
	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_NOT_REGISTERED);
	registrar_free(registrar);
}

static void a_registration_counts_as_long_as_it_could_be_made(void **state)
{
	struct gate *gate = *state;
	struct fixture *f = gate->f;
	struct client client = client_new("sip:1@none.example");
	struct registrar *registrar = register_alice(gate, LISTED);

	assert_ok(f, store_trunk_attach_acl(f->store, "phones", "office", &f->err));
	gate_build(gate);
	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_BY_REGISTRATION);
	assert_ok(f, store_user_remove(f->store, "users", "alice", &f->err));
	gate_build(gate);
	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_NOT_REGISTERED);
	assert_int_equal(gate->result.status, 486);
	assert_ok(f, store_trunk_detach_credentials(f->store, "phones", "users", &f->err));
	gate_build(gate);
	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_BY_REGISTRATION);
	assert_ok(f, deny(f, "office", LISTED));
	gate_build(gate);
	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_NOT_REGISTERED);
	assert_ok(f, store_trunk_detach_acl(f->store, "phones", "office", &f->err));
	gate_build(gate);
	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_NOT_REGISTERED);
	registrar_free(registrar);
}

static void nobody_registers_where_nothing_is_attached(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new("sip:none.example");
	struct registrar *registrar = register_alice(gate, LISTED);

	client.method = "REGISTER";
	assert_int_equal(gate_send(gate, LISTED, &client, ""), ADMISSION_NO_REGISTRAR);
	assert_int_equal(gate->result.verdict, ADMISSION_REFUSE);
	assert_int_equal(gate->result.status, 403);
	assert_string_equal(hint(gate), "nobody can register: no credential list is attached");
	registrar_free(registrar);
}

static void the_troubles_of_callers_are_named(void **state)
{
	static const struct {
		const char *source, *target, *hint;
	} rows[] = {
		{UNLISTED, "sip:1@addr.example", "none"}, /* the cause says it */
		{UNLISTED, "sip:+4989123456@app.example",
		 "number in the Request-URI where a trunk's user belongs"},
		{UNLISTED, "sip:+4989123456@nowhere.example", "no trunk for this domain"},
		{UNLISTED, "sip:1@none.example",
		 "nothing is attached to the trunk, and the From user has not registered"},
	};
	struct gate *gate = *state;
	struct client client = client_new("sip:1@cred.example");

	add_trunk(gate, "app", "app42", "app.example");
	gate_build(gate);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		client.target = rows[i].target;
		gate_send(gate, rows[i].source, &client, "");
		assert_string_equal(hint(gate) ? hint(gate) : "none", rows[i].hint);
	}
	client.target = "sip:1@cred.example";
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	assert_null(hint(gate));
	client.spoil = true;
	client_call(gate, UNLISTED, &client);
	assert_null(hint(gate));
	client.username = "mallory";
	client_call(gate, UNLISTED, &client);
	assert_string_equal(hint(gate), "no such user");
	client.realm = "other.example";
	client_send(gate, UNLISTED, &client);
	assert_string_equal(hint(gate), "credentials for another realm only");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		GATE_TEST(the_request_uri_is_read_as_its_grammar_says),
		GATE_TEST(the_to_header_names_no_trunk),
		GATE_TEST(a_disabled_trunk_refuses_and_nothing_falls_through),
		GATE_TEST(a_disabled_application_is_not_its_domain),
		GATE_TEST(calls_to_a_disabled_trunk_count_as_refused_addresses),
		GATE_TEST(acls_and_trunks_are_many_to_many),
		GATE_TEST(lists_and_trunks_are_many_to_many),
		GATE_TEST(without_attachments_the_from_user_must_have_registered),
		GATE_TEST(a_registration_counts_only_with_the_trunk_of_the_from_domain),
		GATE_TEST(a_registration_counts_as_long_as_it_could_be_made),
		GATE_TEST(nobody_registers_where_nothing_is_attached),
		GATE_TEST(the_troubles_of_callers_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
