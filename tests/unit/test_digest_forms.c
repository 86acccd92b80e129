/* SPDX-License-Identifier: BSD-2-Clause */
/* The forms of credentials that not every trunk or list offers (RFC 7616, RFC 8760): -sess,
 * userhash, username*, UTF-8, name@realm, the digest URI's rule, clients without qop. */
#include "admission_fixture.h"

#define TARGET "sip:1@cred.example"

static const unsigned all_algorithms[] = {DIGEST_SHA_512_256, DIGEST_SHA_256, DIGEST_MD5};

static void set_trunk(struct gate *gate, void (*change)(struct store_trunk *trunk))
{
	struct store_trunk trunk = gate_trunk_get(gate, "cred");

	change(&trunk);
	gate_trunk_set(gate, &trunk);
}

static bool challenge_says(const struct gate *gate, const char *what)
{
	char text[ADMISSION_CHALLENGE_SIZE + 1];

	assert_int_equal(gate->result.verdict, ADMISSION_CHALLENGE);
	assert_int_equal(slice_text(gate->result.challenge, text, sizeof(text)), 0);
	return strstr(text, what) != NULL;
}

/* ---- -sess ---- */

static void sess_on(struct store_trunk *trunk)
{
	trunk->sess = true;
	trunk->auth_int = true;
}

static void sess_off(struct store_trunk *trunk)
{
	trunk->sess = false;
	trunk->allow_no_qop = true;
}

static void sess_without_qop(struct store_trunk *trunk)
{
	trunk->sess = true;
	trunk->allow_no_qop = true;
}

static void every_sess_algorithm_authenticates_where_offered(void **state)
{
	struct gate *gate = *state;

	gate_offer(gate, "cred", 3, all_algorithms);
	set_trunk(gate, sess_on);
	for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++) {
		struct client client = client_new(TARGET);

		client.algorithm = i;
		client.sess = true;
		assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
		assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_REPLAYED);
		client.nc = "00000002";
		assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
		client.qop = "auth-int";
		assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
		client.spoil = true;
		assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BAD_CREDENTIALS);
	}
}

static void sess_is_taken_in_the_place_of_plain_and_never_beside_it(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET);
	char sess_nonce[NONCE_TEXT_SIZE];

	set_trunk(gate, sess_on);
	client.sess = true;
	client_ask(gate, UNLISTED, &client);
	assert_true(challenge_says(gate, "algorithm=MD5-sess, realm="));
	assert_false(challenge_says(gate, "algorithm=MD5,"));
	memcpy(sess_nonce, client.nonce, sizeof(sess_nonce));
	client.sess = false;
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_WEAK_ALGORITHM);
	client.algorithm_text = ""; /* left out it is MD5 */
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_WEAK_ALGORITHM);
	set_trunk(gate, sess_off);
	client.algorithm_text = NULL; /* the nonce is bound to the form it was offered with */
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_FOREIGN_NONCE);
}

static void sess_needs_the_clients_nonce(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET);

	set_trunk(gate, sess_without_qop);
	client.sess = true;
	client.qop = client.nc = client.cnonce = NULL;
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_MALFORMED_CREDENTIALS);
	client.cnonce = "0a4f113b";
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
}

/* ---- clients without qop ---- */

static void without_qop_a_nonce_issued_with_it_serves_only_where_allowed_and_once(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET), again;

	client.qop = client.nc = client.cnonce = NULL;
	client_ask(gate, UNLISTED, &client);
	assert_true(challenge_says(gate, "qop=\"auth\""));
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_MALFORMED_CREDENTIALS);
	set_trunk(gate, sess_off);
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_REPLAYED);
	again = client_new(TARGET); /* nor with a count */
	memcpy(again.nonce, client.nonce, sizeof(again.nonce));
	again.nc = "00000007";
	assert_int_equal(client_send(gate, UNLISTED, &again), ADMISSION_REPLAYED);
	assert_int_equal(client_call(gate, UNLISTED, &again), ADMISSION_BY_CREDENTIAL);
	again.qop = again.nc = again.cnonce = NULL; /* nor one that was used with a count */
	assert_int_equal(client_send(gate, UNLISTED, &again), ADMISSION_REPLAYED);
}

/* ---- userhash ---- */

static void userhash_on(struct store_trunk *trunk)
{
	trunk->userhash = true;
}

static void hash_name(const struct gate *gate, struct client *client, char hex[DIGEST_HEX_SIZE])
{
	assert_int_equal(digest_userhash(gate->admission.digest, client->algorithm,
					 slice_from(client->hashed_username),
					 slice_from(client->realm), hex),
			 0);
	client->username = hex;
	client->more = ", userhash=true";
}

static void a_hashed_user_name_is_taken_where_offered(void **state)
{
	struct gate *gate = *state;
	char hex[DIGEST_HEX_SIZE];

	gate_offer(gate, "cred", 3, all_algorithms);
	set_trunk(gate, userhash_on);
	for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++) {
		struct client client = client_new(TARGET);

		client.algorithm = i;
		client.hashed_username = "alice";
		hash_name(gate, &client, hex);
		client_ask(gate, UNLISTED, &client);
		assert_true(challenge_says(gate, "userhash=true"));
		assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
		assert_true(slice_eq(gate->result.user->name, SLICE("alice")));
		client.more = ", userhash=false";
		assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BAD_CREDENTIALS);
		client.more = ", userhash=maybe";
		assert_int_equal(client_call(gate, UNLISTED, &client),
				 ADMISSION_MALFORMED_CREDENTIALS);
		client = client_new(TARGET); /* who does not know it sends the name */
		client.algorithm = i;
		assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	}
}

static void a_hashed_user_name_is_of_its_algorithm_and_realm(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new("sip:1@two.example"), other;
	struct store_trunk two = gate_trunk_get(gate, "two");
	char hex[DIGEST_HEX_SIZE];

	two.userhash = true;
	gate_trunk_set(gate, &two);
	client.hashed_username = "alice";
	hash_name(gate, &client, hex);
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	other = client;
	other.realm = "second.example";
	assert_int_equal(client_call(gate, UNLISTED, &other), ADMISSION_BAD_CREDENTIALS);
	hex[0] ^= 1;
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BAD_CREDENTIALS);
	client.algorithm = DIGEST_SHA_256;
	hash_name(gate, &client, hex);
	client.algorithm = DIGEST_MD5;
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BAD_CREDENTIALS);
}

static void a_hashed_user_name_that_was_not_offered_is_challenged(void **state)
{
	struct gate *gate = *state;
	struct store_trunk both = gate_trunk_get(gate, "both");
	struct client client = client_new(TARGET);
	char hex[DIGEST_HEX_SIZE];

	client.hashed_username = "alice";
	hash_name(gate, &client, hex);
	client_ask(gate, UNLISTED, &client);
	assert_false(challenge_says(gate, "userhash"));
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_WEAK_ALGORITHM);
	both.userhash = true; /* another trunk of the same list */
	gate_trunk_set(gate, &both);
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_WEAK_ALGORITHM);
}

/* ---- user names ---- */

static void take_utf8_names(struct gate *gate)
{
	struct store_settings settings;

	assert_ok(gate->f, store_settings_get(gate->f->store, &settings, &gate->f->err));
	settings.user_names_utf8 = true;
	assert_ok(gate->f, store_settings_set(gate->f->store, &settings, &gate->f->err));
	gate_user(gate, "users", REALM, "j\xc3\xa4s\xc3\xb8n", "Passw0rd-of-jason");
	gate_user(gate, "users", REALM, "a\"b\\c", "Passw0rd-of-quotes");
	gate_build(gate);
}

static void user_names_are_read_in_every_form(void **state)
{
	static const struct {
		const char *parameter, *name, *password;
		enum admission_cause cause;
	} rows[] = {
		{"username=\"j\xc3\xa4s\xc3\xb8n\"", "j\xc3\xa4s\xc3\xb8n", "Passw0rd-of-jason",
		 ADMISSION_BY_CREDENTIAL},
		{"username=\"\\j\xc3\xa4s\xc3\xb8\\n\"", "j\xc3\xa4s\xc3\xb8n", "Passw0rd-of-jason",
		 ADMISSION_BY_CREDENTIAL},
		{"username=\"a\\\"b\\\\c\"", "a\"b\\c", "Passw0rd-of-quotes",
		 ADMISSION_BY_CREDENTIAL},
		{"username*=UTF-8''j%C3%A4s%c3%b8n", "j\xc3\xa4s\xc3\xb8n", "Passw0rd-of-jason",
		 ADMISSION_BY_CREDENTIAL},
		{"username*=utf-8'en'alice", "alice", PASSWORD, ADMISSION_BY_CREDENTIAL},
		{"USERNAME* = UTF-8''%61l%69ce", "alice", PASSWORD, ADMISSION_BY_CREDENTIAL},
		{"username*=UTF-8''a%22b%5cc", "a\"b\\c", "Passw0rd-of-quotes",
		 ADMISSION_BY_CREDENTIAL},
		{"username*=UTF-8''j%E4s%F8n", "j\xe4s\xf8n", PASSWORD, ADMISSION_BAD_CREDENTIALS},
		{"username*=ISO-8859-1''j%E4s", "j\xe4s", PASSWORD,
		 ADMISSION_MALFORMED_CREDENTIALS},
		{"username*=UTF-8'alice", "alice", PASSWORD, ADMISSION_MALFORMED_CREDENTIALS},
		{"username*=alice", "alice", PASSWORD, ADMISSION_MALFORMED_CREDENTIALS},
		{"username*=\"UTF-8''alice\"", "alice", PASSWORD, ADMISSION_MALFORMED_CREDENTIALS},
		{"username*=UTF-8''", "", PASSWORD, ADMISSION_MALFORMED_CREDENTIALS},
		{"username*=UTF-8''alice%", "alice", PASSWORD, ADMISSION_MALFORMED_CREDENTIALS},
		{"username*=UTF-8''alice%6", "alice", PASSWORD, ADMISSION_MALFORMED_CREDENTIALS},
		{"username*=UTF-8''alice%0g", "alice", PASSWORD, ADMISSION_MALFORMED_CREDENTIALS},
		{"username*=UTF-8''ali%00ce", "alice", PASSWORD, ADMISSION_MALFORMED_CREDENTIALS},
		{"username*=UTF-8''ali%0d%0ace", "alice", PASSWORD,
		 ADMISSION_MALFORMED_CREDENTIALS},
		{"username=\"alice\", username*=UTF-8''alice", "alice", PASSWORD,
		 ADMISSION_MALFORMED_CREDENTIALS},
		{"username*=UTF-8''alice, username=\"alice\"", "alice", PASSWORD,
		 ADMISSION_MALFORMED_CREDENTIALS},
		{"username*=UTF-8''alice, username*=UTF-8''alice", "alice", PASSWORD,
		 ADMISSION_MALFORMED_CREDENTIALS},
		{"username*=UTF-8''alice, userhash=true", "alice", PASSWORD,
		 ADMISSION_MALFORMED_CREDENTIALS},
		{"username*=UTF-8''alice, userhash=false", "alice", PASSWORD,
		 ADMISSION_BY_CREDENTIAL},
	};
	struct gate *gate = *state;

	take_utf8_names(gate);
	set_trunk(gate, userhash_on);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client client = client_new(TARGET);

		client.name_parameter = rows[i].parameter;
		client.username = rows[i].name;
		client.password = rows[i].password;
		client_ask(gate, UNLISTED, &client);
		assert_true(challenge_says(gate, "charset=UTF-8"));
		if (client_send(gate, UNLISTED, &client) != rows[i].cause)
			fail_msg("%s: %s", rows[i].parameter,
				 admission_cause_name(gate->result.cause));
	}
}

static void let_at_realm(struct gate *gate, bool at_realm)
{
	assert_ok(gate->f, store_credentials_set(gate->f->store, "users", at_realm, &gate->f->err));
	gate_build(gate);
}

static void a_name_with_the_realm_is_taken_where_the_list_says_so(void **state)
{
	static const struct {
		const char *name;
		enum admission_cause off, on;
	} rows[] = {
		{"alice", ADMISSION_BY_CREDENTIAL, ADMISSION_BY_CREDENTIAL},
		{"alice@" REALM, ADMISSION_BAD_CREDENTIALS, ADMISSION_BY_CREDENTIAL},
		{"alice@SIP.example", ADMISSION_BAD_CREDENTIALS, ADMISSION_BAD_CREDENTIALS},
		{"alice@second.example", ADMISSION_BAD_CREDENTIALS, ADMISSION_BAD_CREDENTIALS},
		{"alice@" REALM "@" REALM, ADMISSION_BAD_CREDENTIALS, ADMISSION_BAD_CREDENTIALS},
		{"alice@", ADMISSION_BAD_CREDENTIALS, ADMISSION_BAD_CREDENTIALS},
		{"@" REALM, ADMISSION_BAD_CREDENTIALS, ADMISSION_BAD_CREDENTIALS},
		{REALM, ADMISSION_BAD_CREDENTIALS, ADMISSION_BAD_CREDENTIALS},
		{"alice" REALM, ADMISSION_BAD_CREDENTIALS, ADMISSION_BAD_CREDENTIALS},
	};
	struct gate *gate = *state;

	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct client client = client_new(TARGET);
		bool on = i % 2;

		let_at_realm(gate, on);
		client.username = rows[i / 2].name;
		if (client_call(gate, UNLISTED, &client) != (on ? rows[i / 2].on : rows[i / 2].off))
			fail_msg("%s, %s: %s", client.username, on ? "on" : "off",
				 admission_cause_name(gate->result.cause));
		if (gate->result.user)
			assert_true(slice_eq(gate->result.user->name, SLICE("alice")));
	}
}

/* The digest of a password that was set before names with the realm were known is all zero. */
static void a_digest_that_is_not_known_is_answered_by_nobody(void **state)
{
	static const uint8_t zeroes[DIGEST_HASH_MAX];
	struct gate *gate = *state;
	struct client client = client_new(TARGET);
	struct store_ha1 ha1;
	struct digest_input input = {.ha1 = zeroes,
				     .nc = SLICE("00000001"),
				     .cnonce = SLICE("1"),
				     .qop = DIGEST_QOP_AUTH,
				     .method = SLICE("INVITE"),
				     .uri = SLICE(TARGET)};
	char response[DIGEST_HEX_SIZE], header[1024];

	assert_int_equal(password_hash(gate->admission.digest, SLICE("alice"), SLICE(REALM),
				       SLICE(PASSWORD), &ha1),
			 0);
	memset(ha1.at_realm, 0, sizeof(ha1.at_realm));
	assert_ok(gate->f,
		  store_user_passwd(gate->f->store, "users", "alice", &ha1, &gate->f->err));
	let_at_realm(gate, true);
	client.username = "alice@" REALM;
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BAD_CREDENTIALS);
	input.nonce = slice_from(client.nonce);
	assert_int_equal(digest_response(gate->admission.digest, &input, response), 0);
	snprintf(header, sizeof(header),
		 "Authorization: Digest username=\"alice@" REALM "\", realm=\"" REALM
		 "\", nonce=\"%s\", uri=\"" TARGET
		 "\", response=\"%s\", qop=auth, nc=00000001, cnonce=\"1\"\r\n",
		 client.nonce, response);
	assert_int_equal(gate_send(gate, UNLISTED, &client, header), ADMISSION_BAD_CREDENTIALS);
	client.username = "alice";
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
}

/* ---- the digest URI ---- */

static void the_digest_uri_follows_the_trunks_rule(void **state)
{
	static const struct {
		const char *uri;
		bool rules[3]; /* any, equivalent, exact */
	} rows[] = {
		{TARGET, {true, true, true}},
		{"sip:%31@CRED.example", {true, true, false}},
		{TARGET ";x=1", {true, true, false}},
		{TARGET ";transport=udp", {true, false, false}},
		{TARGET ":5060", {true, false, false}},
		{"sips:1@cred.example", {true, false, false}},
		{"sip:192.0.2.9:5060", {true, false, false}},
		{"/", {true, false, false}},
	};
	struct gate *gate = *state;

	for (unsigned i = 0; i < 3 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct store_trunk trunk = gate_trunk_get(gate, "cred");
		struct client client = client_new(TARGET);

		trunk.digest_uri = (enum store_uri_rule)(i % 3);
		gate_trunk_set(gate, &trunk);
		client.uri = rows[i / 3].uri;
		if ((client_call(gate, UNLISTED, &client) == ADMISSION_BY_CREDENTIAL) !=
		    rows[i / 3].rules[i % 3])
			fail_msg("%s, rule %u: %s", client.uri, i % 3,
				 admission_cause_name(gate->result.cause));
	}
}

/* ---- several at once ---- */

static void the_right_credentials_are_found_wherever_they_stand(void **state)
{
	struct gate *gate = *state;
	struct client right = client_new("sip:1@two.example"), old, carol;
	char fields[3][1024], headers[4096];

	client_ask(gate, UNLISTED, &right);
	gate->now_s += 301;
	old = right; /* expired, the password right */
	client_ask(gate, UNLISTED, &right);
	carol = right; /* of the trunk's other realm, with this realm's nonce */
	carol.username = "carol";
	carol.realm = "second.example";
	for (unsigned order = 0; order < 6; order++) {
		static const char orders[6][4] = {"012", "021", "102", "120", "201", "210"};

		right.header = order % 2 ? "Authorization" : "Proxy-Authorization";
		client_ask(gate, UNLISTED, &right);
		client_header(gate, &right, fields[0], sizeof(fields[0]));
		client_header(gate, &old, fields[1], sizeof(fields[1]));
		client_header(gate, &carol, fields[2], sizeof(fields[2]));
		headers[0] = '\0';
		for (unsigned i = 0; i < 3; i++)
			strcat(headers, fields[orders[order][i] - '0']);
		assert_int_equal(gate_send(gate, UNLISTED, &right, headers),
				 ADMISSION_BY_CREDENTIAL);
		assert_int_equal(gate_credentials(gate), 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		GATE_TEST(every_sess_algorithm_authenticates_where_offered),
		GATE_TEST(sess_is_taken_in_the_place_of_plain_and_never_beside_it),
		GATE_TEST(sess_needs_the_clients_nonce),
		GATE_TEST(without_qop_a_nonce_issued_with_it_serves_only_where_allowed_and_once),
		GATE_TEST(a_hashed_user_name_is_taken_where_offered),
		GATE_TEST(a_hashed_user_name_is_of_its_algorithm_and_realm),
		GATE_TEST(a_hashed_user_name_that_was_not_offered_is_challenged),
		GATE_TEST(user_names_are_read_in_every_form),
		GATE_TEST(a_name_with_the_realm_is_taken_where_the_list_says_so),
		GATE_TEST(a_digest_that_is_not_known_is_answered_by_nobody),
		GATE_TEST(the_digest_uri_follows_the_trunks_rule),
		GATE_TEST(the_right_credentials_are_found_wherever_they_stand),
	};

	return cmocka_run_group_tests_name("digest_forms", tests, NULL, NULL);
}
