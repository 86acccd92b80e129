/* SPDX-License-Identifier: BSD-2-Clause */
/* A gate with a trunk of each kind, and a client that answers its challenges. */
#ifndef SIPWARD_TESTS_ADMISSION_FIXTURE_H
#define SIPWARD_TESTS_ADMISSION_FIXTURE_H

#include "digest/password.h"
#include "net/net.h"
#include "policy/admission.h"
#include "store_fixture.h"

#define REALM "sip.example"
#define PASSWORD "Passw0rd-of-alice"
#define NOW_S 1700000000u
#define LISTED "192.0.2.1"
#define UNLISTED "203.0.113.1"

struct gate {
	struct fixture *f;
	struct policy *policy;
	struct nonce_keys keys;
	struct admission admission;
	struct admission_result result;
	const struct sip_msg *msg; /* the last request */
	uint64_t now_s;
	enum net_transport transport;
};

/* What a client puts into its credentials; NULL leaves a parameter out. */
struct client {
	const char *header;
	const char *method, *target, *body;
	const char *username, *hashed_username, *password, *realm, *uri;
	const char *name_parameter; /* in the place of username="…" */
	const char *algorithm_text, *qop, *nc, *cnonce;
	enum digest_algorithm algorithm;
	char nonce[NONCE_TEXT_SIZE];
	const char *more; /* further parameters, with a leading comma */
	bool sess;
	bool spoil;	  /* change the last digit of the response */
};

static inline void gate_user(struct gate *gate, const char *list, const char *realm,
			     const char *name, const char *password)
{
	struct store_ha1 ha1;

	assert_int_equal(password_hash(gate->admission.digest, slice_from(name), slice_from(realm),
				       slice_from(password), &ha1),
			 0);
	assert_ok(gate->f, store_user_add(gate->f->store, list, name, &ha1, &gate->f->err));
}

/* domain is NAME.example */
static inline void gate_trunk(struct gate *gate, const char *name, const char *acl,
			      const char *list)
{
	struct fixture *f = gate->f;
	char domain[64];

	snprintf(domain, sizeof(domain), "%s.example", name);
	assert_ok(f, create_trunk(f, name, domain, "sip:198.51.100.1"));
	if (acl)
		assert_ok(f, store_trunk_attach_acl(f->store, name, acl, &f->err));
	if (list)
		assert_ok(f, store_trunk_attach_credentials(f->store, name, list, &f->err));
}

static inline void gate_build(struct gate *gate)
{
	policy_unref(gate->policy);
	gate->policy = NULL;
	assert_ok(gate->f, policy_build(gate->f->store, &gate->policy, &gate->f->err));
	gate->admission.policy = gate->policy;
}

static inline struct store_trunk gate_trunk_get(struct gate *gate, const char *name)
{
	struct store_trunk trunk;

	assert_ok(gate->f, store_trunk_get(gate->f->store, name, &trunk, &gate->f->err));
	return trunk;
}

static inline void gate_trunk_set(struct gate *gate, const struct store_trunk *trunk)
{
	assert_ok(gate->f, store_trunk_set(gate->f->store, trunk, &gate->f->err));
	gate_build(gate);
}

/* Offers these algorithms, strongest first. */
static inline void gate_offer(struct gate *gate, const char *name, unsigned count,
			      const unsigned *algorithms)
{
	struct store_trunk trunk = gate_trunk_get(gate, name);

	trunk.algorithm_count = count;
	memcpy(trunk.algorithms, algorithms, count * sizeof(*algorithms));
	gate_trunk_set(gate, &trunk);
}

static inline void gate_fill(struct gate *gate)
{
	struct fixture *f = gate->f;

	assert_ok(f, store_acl_create(f->store, "office", "", &f->err));
	assert_ok(f, allow(f, "office", "192.0.2.0/24"));
	assert_ok(f, deny(f, "office", "192.0.2.66"));
	assert_ok(f, store_credentials_create(f->store, "users", REALM, &f->err));
	assert_ok(f, store_credentials_create(f->store, "more", "second.example", &f->err));
	gate_user(gate, "users", REALM, "alice", PASSWORD);
	gate_user(gate, "users", REALM, "bob", "Passw0rd-of-bob");
	gate_user(gate, "more", "second.example", "carol", "Passw0rd-of-carol");
	gate_trunk(gate, "addr", "office", NULL);
	gate_trunk(gate, "cred", NULL, "users");
	gate_trunk(gate, "both", "office", "users");
	gate_trunk(gate, "none", NULL, NULL);
	gate_trunk(gate, "two", NULL, "users");
	assert_ok(f, store_trunk_attach_credentials(f->store, "two", "more", &f->err));
}

static inline void gate_ratchet(void *arg, int64_t user_id, unsigned strongest)
{
	struct gate *gate = arg;

	assert_ok(gate->f, store_user_ratchet(gate->f->store, user_id, strongest, &gate->f->err));
}

static inline int gate_setup(void **state)
{
	struct gate *gate = calloc(1, sizeof(*gate));
	void *f;

	assert_non_null(gate);
	assert_int_equal(fixture_setup(&f), 0);
	gate->f = f;
	gate->now_s = NOW_S;
	gate->transport = NET_UDP;
	gate->keys.present[0] = true;
	memcpy(gate->keys.key[0], "a secret of ours", 16);
	gate->admission.nonce_keys = &gate->keys;
	gate->admission.ratchet = gate_ratchet;
	gate->admission.ratchet_arg = gate;
	assert_int_equal(digest_context_create(&gate->admission.digest), 0);
	assert_int_equal(replay_create(64, 300, &gate->admission.replay), 0);
	assert_int_equal(lockouts_create(NULL, 64, &gate->admission.lockouts), 0);
	gate_fill(gate);
	gate_build(gate);
	*state = gate;
	return 0;
}

static inline int gate_teardown(void **state)
{
	struct gate *gate = *state;
	void *f = gate->f;

	policy_unref(gate->policy);
	lockouts_free(gate->admission.lockouts);
	replay_free(gate->admission.replay);
	digest_context_free(gate->admission.digest);
	free(gate);
	return fixture_teardown(&f);
}

/* ---- requests ---- */

/* Hands a request to the gate. headers: whole fields, each with CRLF. */
static inline enum admission_cause gate_send(struct gate *gate, const char *source,
					     const struct client *client, const char *headers)
{
	static char text[65536];
	static struct sip_msg msg;
	const char *body = client->body ? client->body : "", *why;
	struct admission_request request = {
	    .msg = &msg,
	    .transport = gate->transport,
	    .reliable = gate->transport != NET_UDP,
	    .now_s = gate->now_s,
	    .now_ns = gate->now_s * 1000000000ULL,
	};

	snprintf(text, sizeof(text),
		 "%s %s SIP/2.0\r\n"
		 "Via: SIP/2.0/UDP 203.0.113.1:5060;branch=z9hG4bK776\r\n"
		 "Max-Forwards: 70\r\n"
		 "From: <sip:alice@sip.example>;tag=1928\r\n"
		 "To: <sip:bob@addr.example>\r\n"
		 "Call-ID: a84b4c76e66710\r\n"
		 "CSeq: 1 %s\r\n"
		 "%s"
		 "Content-Length: %zu\r\n\r\n%s",
		 client->method, client->target, client->method, headers, strlen(body), body);
	assert_int_equal(sip_msg_parse(slice_from(text), &msg, &why), SIP_PARSE_OK);
	assert_int_equal(ip_parse(slice_from(source), &request.source.ip), 0);
	request.source.port = 5060;
	memset(&gate->result, 0xa5, sizeof(gate->result));
	gate->msg = &msg;
	admission_decide(&gate->admission, &request, &gate->result);
	return gate->result.cause;
}

/* How many fields of the last request hold credentials for the gate's realms. */
static inline unsigned gate_credentials(const struct gate *gate)
{
	unsigned headers[ADMISSION_CREDENTIALS_MAX + 1];

	return admission_own_credentials(gate->policy, gate->msg, headers);
}

static inline struct client client_new(const char *target)
{
	return (struct client){
	    .header = "Proxy-Authorization",
	    .method = "INVITE",
	    .target = target,
	    .username = "alice",
	    .password = PASSWORD,
	    .realm = REALM,
	    .uri = target,
	    .qop = "auth",
	    .nc = "00000001",
	    .cnonce = "0a4f113b",
	};
}

static inline void add_parameter(char *text, size_t size, const char *format, const char *value)
{
	size_t used = strlen(text);

	if (value)
		snprintf(text + used, size - used, format, value);
}

static inline void client_response(const struct gate *gate, const struct client *client,
				   char hex[DIGEST_HEX_SIZE])
{
	const char *name = client->hashed_username ? client->hashed_username : client->username;
	uint8_t ha1[DIGEST_HASH_MAX];
	struct digest_input input = {
	    .algorithm = client->algorithm,
	    .sess = client->sess,
	    .ha1 = ha1,
	    .nonce = slice_from(client->nonce),
	    .nc = slice_from(client->nc),
	    .cnonce = slice_from(client->cnonce),
	    .method = slice_from(client->method),
	    .uri = slice_from(client->uri),
	    .body = slice_from(client->body),
	};

	input.qop = !client->qop		      ? DIGEST_QOP_NONE
		    : strcmp(client->qop, "auth-int") ? DIGEST_QOP_AUTH
						      : DIGEST_QOP_AUTH_INT;
	assert_int_equal(digest_ha1(gate->admission.digest, client->algorithm, slice_from(name),
				    slice_from(client->realm), slice_from(client->password), ha1),
			 0);
	assert_int_equal(digest_response(gate->admission.digest, &input, hex), 0);
	if (client->spoil)
		hex[strlen(hex) - 1] ^= 1;
}

static inline void client_algorithm(const struct client *client, char *text, size_t size)
{
	if (client->algorithm_text)
		snprintf(text, size, "%s", client->algorithm_text);
	else
		snprintf(text, size, "%s%s", digest_algorithm_name(client->algorithm),
			 client->sess ? "-sess" : "");
}

/* One credentials field with CRLF. */
static inline void client_header(const struct gate *gate, const struct client *client, char *text,
				 size_t size)
{
	char response[DIGEST_HEX_SIZE], algorithm[32];

	client_algorithm(client, algorithm, sizeof(algorithm));
	client_response(gate, client, response);
	snprintf(text, size, "%s: Digest realm=\"%s\"", client->header, client->realm);
	if (client->name_parameter)
		add_parameter(text, size, ", %s", client->name_parameter);
	else
		add_parameter(text, size, ", username=\"%s\"", client->username);
	add_parameter(text, size, ", nonce=\"%s\"", client->nonce);
	add_parameter(text, size, ", uri=\"%s\"", client->uri);
	add_parameter(text, size, ", response=\"%s\"", response);
	add_parameter(text, size, ", algorithm=%s", algorithm[0] ? algorithm : NULL);
	add_parameter(text, size, ", qop=%s", client->qop);
	add_parameter(text, size, ", nc=%s", client->nc);
	add_parameter(text, size, ", cnonce=\"%s\"", client->cnonce);
	add_parameter(text, size, "%s", client->more);
	add_parameter(text, size, "%s", "\r\n");
}

/* Takes the nonce of the challenge for the client's realm and algorithm; false if there is none. */
static inline bool client_take_nonce(const struct gate *gate, struct client *client)
{
	char text[ADMISSION_CHALLENGE_SIZE + 1], realm[160], algorithm[64], *line, *rest = text;

	assert_int_equal(slice_text(gate->result.challenge, text, sizeof(text)), 0);
	snprintf(realm, sizeof(realm), "realm=\"%s\"", client->realm);
	snprintf(algorithm, sizeof(algorithm), "algorithm=%s%s,",
		 digest_algorithm_name(client->algorithm), client->sess ? "-sess" : "");
	while ((line = strsep(&rest, "\n"))) {
		const char *nonce = strstr(line, "nonce=\"");

		if (!strstr(line, realm) || !strstr(line, algorithm) || !nonce)
			continue;
		snprintf(client->nonce, sizeof(client->nonce), "%.*s",
			 (int)strcspn(nonce + 7, "\""), nonce + 7);
		return true;
	}
	return false;
}

/* Asks without credentials and takes the nonce of the challenge. */
static inline void client_ask(struct gate *gate, const char *source, struct client *client)
{
	assert_int_equal(gate_send(gate, source, client, ""), ADMISSION_NO_CREDENTIALS);
	assert_int_equal(gate->result.verdict, ADMISSION_CHALLENGE);
	assert_true(client_take_nonce(gate, client));
}

static inline enum admission_cause client_send(struct gate *gate, const char *source,
					       const struct client *client)
{
	char header[2048];

	client_header(gate, client, header, sizeof(header));
	return gate_send(gate, source, client, header);
}

/* Asks, and answers with what the client holds. */
static inline enum admission_cause client_call(struct gate *gate, const char *source,
					       struct client *client)
{
	client_ask(gate, source, client);
	return client_send(gate, source, client);
}

#define GATE_TEST(function) cmocka_unit_test_setup_teardown(function, gate_setup, gate_teardown)

#endif
