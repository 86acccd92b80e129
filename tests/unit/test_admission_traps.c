/* SPDX-License-Identifier: BSD-2-Clause */
/* What went wrong in other SIP authentications, one test each. */
#include "admission_fixture.h"

#define TARGET "sip:1@cred.example"

static bool challenge_says(const struct gate *gate, const char *what)
{
	char text[ADMISSION_CHALLENGE_SIZE + 1];

	assert_int_equal(gate->result.verdict, ADMISSION_CHALLENGE);
	assert_int_equal(slice_text(gate->result.challenge, text, sizeof(text)), 0);
	return strstr(text, what) != NULL;
}

static size_t failures_counted(const struct gate *gate)
{
	struct lockout_stats stats;

	lockout_stats(gate->admission.lockouts, &stats);
	return stats.sources;
}

static void set_trunk(struct gate *gate, void (*change)(struct store_trunk *trunk))
{
	struct store_trunk trunk = gate_trunk_get(gate, "cred");

	change(&trunk);
	gate_trunk_set(gate, &trunk);
}

static void a_nonce_count_is_not_used_up_by_a_wrong_digest(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET);

	client.spoil = true;
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BAD_CREDENTIALS);
	client.spoil = false;
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
}

static void a_repeated_nonce_count_is_challenged_with_stale(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET), stranger = client;

	assert_int_equal(client_call(gate, LISTED, &client), ADMISSION_BY_CREDENTIAL);
	for (int i = 0; i < 20; i++)
		assert_int_equal(client_send(gate, LISTED, &client), ADMISSION_REPLAYED);
	assert_int_equal(gate->result.status, 407);
	assert_true(challenge_says(gate, "stale=true"));
	assert_null(gate->result.user);
	assert_int_equal(failures_counted(gate), 0); /* no evidence against a listed source */
	assert_true(client_take_nonce(gate, &client));
	assert_int_equal(client_send(gate, LISTED, &client), ADMISSION_BY_CREDENTIAL);
	assert_int_equal(client_call(gate, UNLISTED, &stranger), ADMISSION_BY_CREDENTIAL);
	assert_int_equal(client_send(gate, UNLISTED, &stranger), ADMISSION_REPLAYED);
	assert_int_equal(failures_counted(gate), 1);
	client_send(gate, UNLISTED, &client);
	assert_int_equal(gate->result.cause, ADMISSION_FOREIGN_NONCE);
}

static void a_nonce_serves_again_with_the_next_count(void **state)
{
	static const char *const counts[] = {"00000002", "00000004", "00000003", "0000000a",
					     "0000000B"};
	struct gate *gate = *state;
	struct client client = client_new(TARGET);

	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		client.nc = counts[i];
		assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
		assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_REPLAYED);
	}
}

static void an_expired_nonce_with_the_right_digest_is_stale_and_no_failure(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET);

	client_ask(gate, UNLISTED, &client);
	gate->now_s += 301;
	for (int i = 0; i < 20; i++)
		assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_EXPIRED_NONCE);
	assert_true(challenge_says(gate, "stale=true"));
	assert_int_equal(failures_counted(gate), 0);
	assert_true(client_take_nonce(gate, &client));
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
}

static void an_expired_nonce_with_a_wrong_digest_is_refused(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET);

	client.spoil = true;
	client_ask(gate, LISTED, &client);
	gate->now_s += 301;
	assert_int_equal(client_send(gate, LISTED, &client), ADMISSION_BAD_CREDENTIALS);
	assert_int_equal(gate->result.status, 403);
	assert_int_equal(failures_counted(gate), 1); /* hard: it counts for a listed source */
}

static void the_lifetime_of_nonces_is_the_settings(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET);
	struct store_settings settings;

	assert_ok(gate->f, store_settings_get(gate->f->store, &settings, &gate->f->err));
	settings.nonce_lifetime_s = 30;
	assert_ok(gate->f, store_settings_set(gate->f->store, &settings, &gate->f->err));
	gate_build(gate);
	client_ask(gate, UNLISTED, &client);
	gate->now_s += 30;
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	client.nc = "00000002";
	gate->now_s += 1;
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_EXPIRED_NONCE);
}

static void a_nonce_older_than_what_was_forgotten_is_stale(void **state)
{
	struct gate *gate = *state;
	struct client first = client_new(TARGET), client = client_new(TARGET);

	client_ask(gate, UNLISTED, &first);
	for (int i = 0; i < 70; i++) { /* the table holds 64 */
		gate->now_s++;
		assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	}
	assert_int_equal(client_send(gate, UNLISTED, &first), ADMISSION_EXPIRED_NONCE);
	assert_true(challenge_says(gate, "stale=true"));
}

static void malformed_credentials_are_400(void **state)
{
	static const struct {
		const char *qop, *nc, *cnonce, *more;
	} rows[] = {
		{"auth", NULL, "1", NULL},
		{"auth", "00000001", NULL, NULL},
		{"auth", "1", "1", NULL},
		{"auth", "000000001", "1", NULL},
		{"auth", "0000000g", "1", NULL},
		{"auth", "-0000001", "1", NULL},
		{"auth", "0x000001", "1", NULL},
		{"auth", "00000000", "1", NULL},
		{"auth", "\"\"", "1", NULL},
		{"auth2", "00000001", "1", NULL},
		{"auth-int", "00000001", "1", NULL}, /* not offered */
		{"\"auth,auth-int\"", "00000001", "1", NULL},
		{"\"\"", "00000001", "1", NULL},
		{NULL, NULL, NULL, NULL},
		{NULL, "00000001", "1", NULL},
		{"auth", "00000001", "1", ", nc=00000001"},
		{"auth", "00000001", "1", ", username=\"alice\""},
		{"auth", "00000001", "1", ", REALM=\"" REALM "\""},
		{"auth", "00000001", "1", ", response=\"0\""},
		{"auth", "00000001", "1", ", opaque=\"unfinished"},
	};
	struct gate *gate = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct client client = client_new(TARGET);

		client.qop = rows[i].qop;
		client.nc = rows[i].nc;
		client.cnonce = rows[i].cnonce;
		client.more = rows[i].more;
		if (client_call(gate, LISTED, &client) != ADMISSION_MALFORMED_CREDENTIALS)
			fail_msg("row %zu: %s", i, admission_cause_name(gate->result.cause));
		assert_int_equal(gate->result.verdict, ADMISSION_REFUSE);
		assert_int_equal(gate->result.status, 400);
	}
	assert_int_equal(failures_counted(gate), 0);
}

static void credentials_without_a_required_parameter_are_400(void **state)
{
	static const char *const parameters[] = {"username=\"alice\"", "realm=\"" REALM "\"",
						 "nonce=\"0\"", "uri=\"" TARGET "\"",
						 "response=\"0\""};
	struct gate *gate = *state;
	struct client client = client_new(TARGET);
	char header[512];

	for (size_t without = 0; without < 5; without++) {
		snprintf(header, sizeof(header), "Authorization: Digest algorithm=MD5");
		for (size_t i = 0; i < 5; i++) {
			if (i != without)
				add_parameter(header, sizeof(header), ", %s", parameters[i]);
		}
		add_parameter(header, sizeof(header), "%s",
			      ", qop=auth, nc=00000001, cnonce=\"1\"\r\n");
		assert_int_equal(gate_send(gate, LISTED, &client, header),
				 ADMISSION_MALFORMED_CREDENTIALS);
	}
	assert_int_equal(gate_send(gate, LISTED, &client, "Authorization: Digest\r\n"),
			 ADMISSION_MALFORMED_CREDENTIALS);
}

static void allow_no_qop(struct store_trunk *trunk)
{
	trunk->allow_no_qop = true;
}

static void without_qop_only_where_allowed_and_a_nonce_serves_once(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET);

	client.qop = client.nc = client.cnonce = NULL;
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_MALFORMED_CREDENTIALS);
	set_trunk(gate, allow_no_qop);
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_REPLAYED);
	client.qop = "auth";
	client.cnonce = "1";
	client.nc = "00000001";
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_REPLAYED);
	client.nc = NULL; /* still no way around the replay check */
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_MALFORMED_CREDENTIALS);
}

static void credentials_for_other_realms_come_first_and_stay(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET);
	char ours[2048], headers[4096];

	client_ask(gate, UNLISTED, &client);
	client_header(gate, &client, ours, sizeof(ours));
	snprintf(headers, sizeof(headers),
		 "Authorization: Digest username=\"x\", realm=\"pbx.example\", nonce=\"1\", "
		 "uri=\"sip:x\", response=\"1\"\r\n"
		 "Authorization: Basic dTpw\r\n"
		 "%s"
		 "Proxy-Authorization: Digestive realm=\"" REALM "\"\r\n",
		 ours);
	assert_int_equal(gate_send(gate, UNLISTED, &client, headers), ADMISSION_BY_CREDENTIAL);
	assert_int_equal(gate_credentials(gate), 1);
}

static void credentials_for_other_realms_alone_are_none_and_no_failure(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET);

	client_ask(gate, UNLISTED, &client);
	client.realm = "pbx.example";
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_NO_CREDENTIALS);
	assert_true(challenge_says(gate, "realm=\"" REALM "\""));
	assert_int_equal(failures_counted(gate), 0);
}

static void old_credentials_beside_the_right_ones_do_no_harm(void **state)
{
	struct gate *gate = *state;
	struct client old = client_new(TARGET), client = client_new(TARGET);
	char headers[4096];

	client_ask(gate, UNLISTED, &old);
	gate->now_s += 301;
	client_ask(gate, UNLISTED, &client);
	client_header(gate, &old, headers, 2048);
	client_header(gate, &client, headers + strlen(headers), 2048);
	assert_int_equal(gate_send(gate, UNLISTED, &client, headers), ADMISSION_BY_CREDENTIAL);
	assert_int_equal(gate_credentials(gate), 2);
}

static void many_guesses_in_one_request_are_as_many_failures(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET);
	char headers[16384] = "";

	client.spoil = true;
	client_ask(gate, LISTED, &client);
	for (int i = 0; i < 10; i++)
		client_header(gate, &client, headers + strlen(headers), 1024);
	assert_int_equal(gate_send(gate, LISTED, &client, headers), ADMISSION_BAD_CREDENTIALS);
	assert_true(gate->result.locked_out);
}

static void a_right_guess_after_the_lockout_comes_too_late(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET);
	char headers[16384] = "";

	client_ask(gate, LISTED, &client);
	for (int i = 0; i < 11; i++) {
		client.spoil = i < 10;
		client_header(gate, &client, headers + strlen(headers), 1024);
	}
	assert_int_equal(gate_send(gate, LISTED, &client, headers), ADMISSION_BAD_CREDENTIALS);
	assert_int_equal(gate->result.verdict, ADMISSION_REFUSE);
}

static void more_credentials_than_can_be_removed_are_refused(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET);
	char headers[16384] = "";

	client_ask(gate, UNLISTED, &client);
	for (int i = 0; i < 17; i++)
		client_header(gate, &client, headers + strlen(headers), 1024);
	assert_int_equal(gate_send(gate, UNLISTED, &client, headers),
			 ADMISSION_MALFORMED_CREDENTIALS);
}

static void quoted_pairs_are_unescaped_before_hashing(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET);

	client.username = "al\\ic\\e";
	client.hashed_username = "alice";
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	client.username = client.hashed_username = "alice@" REALM;
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BAD_CREDENTIALS);
}

static void an_unknown_user_is_answered_like_a_wrong_password(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET);
	struct admission_result unknown, wrong;

	client_ask(gate, UNLISTED, &client);
	client.password = "Wr0ng-password";
	client_send(gate, UNLISTED, &client);
	wrong = gate->result;
	client.username = "nobody";
	client_send(gate, UNLISTED, &client);
	unknown = gate->result;
	assert_int_equal(wrong.cause, ADMISSION_BAD_CREDENTIALS);
	assert_int_equal(wrong.status, 403);
	/* The log alone tells them apart. */
	unknown.tried = wrong.tried;
	unknown.tried_unknown = wrong.tried_unknown;
	memcpy(unknown.tried_text, wrong.tried_text, sizeof(wrong.tried_text));
	assert_memory_equal(&unknown, &wrong, sizeof(wrong));
	/* Also with an expired nonce, and a user of another list of the trunk. */
	gate->now_s += 301;
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_BAD_CREDENTIALS);
	client.username = "carol";
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_BAD_CREDENTIALS);
}

/* The HA1 that stands in for an unknown user must open nothing. */
static void nobody_can_answer_for_an_unknown_user(void **state)
{
	static const uint8_t zeroes[DIGEST_HASH_MAX];
	struct gate *gate = *state;
	struct client client = client_new(TARGET);
	struct digest_input input = {.ha1 = zeroes,
				     .nc = SLICE("00000001"),
				     .cnonce = SLICE("1"),
				     .qop = DIGEST_QOP_AUTH,
				     .method = SLICE("INVITE"),
				     .uri = SLICE(TARGET)};
	char response[DIGEST_HEX_SIZE], header[1024];

	client_ask(gate, UNLISTED, &client);
	input.nonce = slice_from(client.nonce);
	assert_int_equal(digest_response(gate->admission.digest, &input, response), 0);
	snprintf(header, sizeof(header),
		 "Authorization: Digest username=\"nobody\", realm=\"" REALM "\", nonce=\"%s\", "
		 "uri=\"" TARGET "\", response=\"%s\", qop=auth, nc=00000001, cnonce=\"1\"\r\n",
		 client.nonce, response);
	assert_int_equal(gate_send(gate, UNLISTED, &client, header), ADMISSION_BAD_CREDENTIALS);
}

static void a_foreign_nonce_is_challenged_afresh(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET), changed;

	client_ask(gate, LISTED, &client);
	assert_int_equal(client_send(gate, "192.0.2.2", &client), ADMISSION_FOREIGN_NONCE);
	assert_int_equal(gate->result.status, 407);
	assert_false(challenge_says(gate, "stale=true"));
	gate->transport = NET_TCP;
	assert_int_equal(client_send(gate, LISTED, &client), ADMISSION_FOREIGN_NONCE);
	gate->transport = NET_UDP;
	gate->now_s -= 60; /* from the future */
	assert_int_equal(client_send(gate, LISTED, &client), ADMISSION_FOREIGN_NONCE);
	gate->now_s += 60;
	for (size_t i = 0; i < strlen(client.nonce); i++) {
		changed = client;
		changed.nonce[i] = changed.nonce[i] == '0' ? '1' : '0';
		assert_int_equal(client_send(gate, LISTED, &changed), ADMISSION_FOREIGN_NONCE);
	}
	changed = client;
	for (char *c = changed.nonce; *c; c++)
		*c = (char)(*c >= 'a' ? *c - 'a' + 'A' : *c);
	assert_int_equal(client_send(gate, LISTED, &changed), ADMISSION_FOREIGN_NONCE);
	changed.nonce[0] = '\0';
	assert_int_equal(client_send(gate, LISTED, &changed), ADMISSION_FOREIGN_NONCE);
	assert_int_equal(client_send(gate, LISTED, &client), ADMISSION_BY_CREDENTIAL);
}

static void a_nonce_of_another_realm_is_foreign(void **state)
{
	struct gate *gate = *state;
	struct client alice = client_new("sip:1@two.example"), carol = alice;

	client_ask(gate, LISTED, &alice);
	carol = alice;
	carol.username = "carol";
	carol.password = "Passw0rd-of-carol";
	carol.realm = "second.example";
	assert_int_equal(client_send(gate, LISTED, &carol), ADMISSION_FOREIGN_NONCE);
}

static void the_algorithm_left_out_is_md5(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET);

	client.algorithm_text = "";
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	client.algorithm_text = "md5";
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	client.algorithm_text = "\"MD5\"";
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
}

static void an_algorithm_that_is_not_offered_is_challenged(void **state)
{
	static const char *const texts[] = {"SHA-256", "SHA-512-256", "MD5-sess", "SHA-256-sess",
					    "SHA-1"};
	struct gate *gate = *state;
	struct client client = client_new(TARGET);

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		client.algorithm_text = texts[i];
		assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_WEAK_ALGORITHM);
		assert_true(challenge_says(gate, "algorithm=MD5,"));
	}
	assert_int_equal(failures_counted(gate), 0);
}

static const unsigned strong_first[] = {DIGEST_SHA_512_256, DIGEST_SHA_256, DIGEST_MD5};
static const unsigned md5_alone[] = {DIGEST_MD5};

static void every_algorithm_offered_authenticates(void **state)
{
	struct gate *gate = *state;

	gate_offer(gate, "cred", 3, strong_first);
	for (unsigned i = 0; i < DIGEST_ALGORITHMS; i++) {
		struct client client = client_new(TARGET);

		client.algorithm = i;
		assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	}
}

static void who_has_answered_a_stronger_algorithm_is_not_taken_with_a_weaker(void **state)
{
	struct gate *gate = *state;
	struct client strong = client_new(TARGET), weak = strong;

	gate_offer(gate, "cred", 3, strong_first);
	strong.algorithm = DIGEST_SHA_256;
	assert_int_equal(client_call(gate, UNLISTED, &weak), ADMISSION_BY_CREDENTIAL);
	assert_int_equal(client_call(gate, UNLISTED, &strong), ADMISSION_BY_CREDENTIAL);
	for (int rebuilt = 0; rebuilt < 2; rebuilt++) { /* the second time from the store */
		assert_int_equal(client_call(gate, UNLISTED, &weak), ADMISSION_WEAK_ALGORITHM);
		assert_null(gate->result.user);
		assert_false(challenge_says(gate, "algorithm=MD5"));
		assert_true(challenge_says(gate, "algorithm=SHA-256"));
		assert_true(challenge_says(gate, "algorithm=SHA-512-256"));
		weak.spoil = true; /* no oracle: a wrong one is refused as everybody's is */
		assert_int_equal(client_call(gate, LISTED, &weak), ADMISSION_BAD_CREDENTIALS);
		weak.spoil = false;
		assert_int_equal(client_call(gate, UNLISTED, &strong), ADMISSION_BY_CREDENTIAL);
		gate_build(gate);
	}
	weak.username = "bob"; /* others are not concerned */
	weak.password = "Passw0rd-of-bob";
	assert_int_equal(client_call(gate, UNLISTED, &weak), ADMISSION_BY_CREDENTIAL);
}

static void no_ratchet(struct store_trunk *trunk)
{
	trunk->ratchet = false;
}

static void the_ratchet_can_be_off_and_never_locks_a_trunk_without_the_algorithm(void **state)
{
	struct gate *gate = *state;
	struct client strong = client_new(TARGET), weak = strong;

	gate_offer(gate, "cred", 3, strong_first);
	strong.algorithm = DIGEST_SHA_512_256;
	assert_int_equal(client_call(gate, UNLISTED, &strong), ADMISSION_BY_CREDENTIAL);
	assert_int_equal(client_call(gate, UNLISTED, &weak), ADMISSION_WEAK_ALGORITHM);
	gate_offer(gate, "cred", 1, md5_alone);
	assert_int_equal(client_call(gate, UNLISTED, &weak), ADMISSION_BY_CREDENTIAL);
	gate_offer(gate, "cred", 3, strong_first);
	set_trunk(gate, no_ratchet);
	assert_int_equal(client_call(gate, UNLISTED, &weak), ADMISSION_BY_CREDENTIAL);
	strong.username = "bob";
	strong.password = "Passw0rd-of-bob";
	assert_int_equal(client_call(gate, UNLISTED, &strong), ADMISSION_BY_CREDENTIAL);
	assert_int_equal(gate->result.user->strongest, DIGEST_MD5); /* nothing noted */
}

static void strict_uri(struct store_trunk *trunk)
{
	trunk->digest_uri = STORE_URI_EXACT;
}

/* sipp hashes sip:IP:PORT, baresip a URI ending in ;transport=udp. */
static void the_digest_uri_need_not_be_the_request_uri_unless_told(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET);

	client.uri = "sip:192.0.2.9:5060";
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	client.uri = TARGET ";transport=udp";
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	set_trunk(gate, strict_uri);
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_MALFORMED_CREDENTIALS);
	client.uri = TARGET;
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
}

static void auth_int(struct store_trunk *trunk)
{
	trunk->auth_int = true;
}

static void auth_int_binds_the_body_where_offered(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET);
	char header[2048];

	set_trunk(gate, auth_int);
	client.body = "v=0\r\n";
	client_ask(gate, UNLISTED, &client);
	assert_true(challenge_says(gate, "qop=\"auth,auth-int\""));
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	client.qop = "auth-int";
	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	client_ask(gate, UNLISTED, &client);
	client_header(gate, &client, header, sizeof(header));
	client.body = "v=1\r\n";
	assert_int_equal(gate_send(gate, UNLISTED, &client, header), ADMISSION_BAD_CREDENTIALS);
}

static void a_new_password_counts_from_the_next_snapshot(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET);
	static const struct store_ha1 ha1;

	assert_int_equal(client_call(gate, UNLISTED, &client), ADMISSION_BY_CREDENTIAL);
	assert_ok(gate->f,
		  store_user_passwd(gate->f->store, "users", "alice", &ha1, &gate->f->err));
	gate_build(gate);
	client.nc = "00000002";
	assert_int_equal(client_send(gate, UNLISTED, &client), ADMISSION_BAD_CREDENTIALS);
}

static void the_response_may_be_upper_case(void **state)
{
	struct gate *gate = *state;
	struct client client = client_new(TARGET);
	char header[2048], *c;

	client_ask(gate, UNLISTED, &client);
	client_header(gate, &client, header, sizeof(header));
	for (c = strstr(header, "response=\"") + 10; *c != '"'; c++)
		*c = (char)(*c >= 'a' ? *c - 'a' + 'A' : *c);
	assert_int_equal(gate_send(gate, UNLISTED, &client, header), ADMISSION_BY_CREDENTIAL);
}

/* baresip repeats its credentials in ACK and BYE; they must not reach the upstream. */
static void credentials_for_any_realm_of_the_gate_are_found(void **state)
{
	static const char text[] =
		"BYE sip:pbx SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: "
		"<sip:a@b>;tag=1\r\n"
		"To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 2 BYE\r\n"
		"Authorization: Digest realm=\"" REALM "\", username=\"a\"\r\n"
		"Authorization: Digest realm=\"pbx.example\", username=\"a\"\r\n"
		"Proxy-Authorization: digest\tusername=\"a\",realm=\"sip\\.example\"\r\n"
		"Proxy-Authorization: Digest username=\"unfinished, realm=\r\n"
		"Authorization: Bearer realm=\"" REALM "\"\r\n"
		"Authorization: Digest realm=\"second.example\", username=\"a\"\r\n"
		"Authorization: Digest realm=\"unused.example\", username=\"a\"\r\n\r\n";
	static const unsigned ours[] = {5, 7, 8, 10, 11};
	struct gate *gate = *state;
	struct fixture *f = gate->f;
	static struct sip_msg msg;
	unsigned headers[ADMISSION_CREDENTIALS_MAX + 1];
	const char *why;

	assert_ok(f, store_credentials_create(f->store, "unused", "unused.example", &f->err));
	gate_build(gate);
	assert_int_equal(sip_msg_parse(SLICE(text), &msg, &why), SIP_PARSE_OK);
	assert_int_equal(admission_own_credentials(gate->policy, &msg, headers), 5);
	assert_memory_equal(headers, ours, sizeof(ours));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		GATE_TEST(a_nonce_count_is_not_used_up_by_a_wrong_digest),
		GATE_TEST(a_repeated_nonce_count_is_challenged_with_stale),
		GATE_TEST(a_nonce_serves_again_with_the_next_count),
		GATE_TEST(an_expired_nonce_with_the_right_digest_is_stale_and_no_failure),
		GATE_TEST(an_expired_nonce_with_a_wrong_digest_is_refused),
		GATE_TEST(the_lifetime_of_nonces_is_the_settings),
		GATE_TEST(a_nonce_older_than_what_was_forgotten_is_stale),
		GATE_TEST(malformed_credentials_are_400),
		GATE_TEST(credentials_without_a_required_parameter_are_400),
		GATE_TEST(without_qop_only_where_allowed_and_a_nonce_serves_once),
		GATE_TEST(credentials_for_other_realms_come_first_and_stay),
		GATE_TEST(credentials_for_other_realms_alone_are_none_and_no_failure),
		GATE_TEST(old_credentials_beside_the_right_ones_do_no_harm),
		GATE_TEST(many_guesses_in_one_request_are_as_many_failures),
		GATE_TEST(a_right_guess_after_the_lockout_comes_too_late),
		GATE_TEST(more_credentials_than_can_be_removed_are_refused),
		GATE_TEST(quoted_pairs_are_unescaped_before_hashing),
		GATE_TEST(an_unknown_user_is_answered_like_a_wrong_password),
		GATE_TEST(nobody_can_answer_for_an_unknown_user),
		GATE_TEST(a_foreign_nonce_is_challenged_afresh),
		GATE_TEST(a_nonce_of_another_realm_is_foreign),
		GATE_TEST(the_algorithm_left_out_is_md5),
		GATE_TEST(an_algorithm_that_is_not_offered_is_challenged),
		GATE_TEST(every_algorithm_offered_authenticates),
		GATE_TEST(who_has_answered_a_stronger_algorithm_is_not_taken_with_a_weaker),
		GATE_TEST(the_ratchet_can_be_off_and_never_locks_a_trunk_without_the_algorithm),
		GATE_TEST(the_digest_uri_need_not_be_the_request_uri_unless_told),
		GATE_TEST(auth_int_binds_the_body_where_offered),
		GATE_TEST(a_new_password_counts_from_the_next_snapshot),
		GATE_TEST(the_response_may_be_upper_case),
		GATE_TEST(credentials_for_any_realm_of_the_gate_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
