/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers to a carrier's challenges: against published vectors, and against our own gate. */
#include <errno.h>

#include "admission_fixture.h"

#include <jansson.h>
#include <osipparser2/osip_port.h>

#include "digest/client.h"
#include "sip/sip_grammar.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NONCE "Digest realm=\"r\", nonce=\"n\""
#define ESCAPED "Digest realm=\"\\r\", nonce=\"n\"" /* takes memory */

static struct digest_context *context;

static int create_context(void **state)
{
	(void)state;
	return digest_context_create(&context);
}

static int free_context(void **state)
{
	(void)state;
	digest_context_free(context);
	return 0;
}

/* ---- a carrier ---- */

/* fields: whole header fields, each with CRLF. */
static int challenged(const struct digest_client *client, unsigned status, const char *fields,
		      bool answered, struct digest_client_state *state)
{
	static char text[16384];
	static struct sip_msg msg;
	const char *why;

	snprintf(text, sizeof(text),
		 "SIP/2.0 %u No\r\nVia: SIP/2.0/UDP 203.0.113.1:5060;branch=z9hG4bK776\r\n"
		 "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\nCall-ID: e\r\nCSeq: 1 INVITE\r\n"
		 "%sContent-Length: 0\r\n\r\n",
		 status, fields);
	assert_int_equal(sip_msg_parse(slice_from(text), &msg, &why), SIP_PARSE_OK);
	return digest_client_challenged(client, &msg, answered, state);
}

static int challenged_once(const struct digest_client *client, const char *value,
			   struct digest_client_state *state)
{
	char field[8192];

	snprintf(field, sizeof(field), "WWW-Authenticate: %s\r\n", value);
	return challenged(client, 401, field, false, state);
}

static struct digest_client client_with_password(void)
{
	return (struct digest_client){
		.digest = context, .username = SLICE("alice"), .password = SLICE(PASSWORD)};
}

/* The field as text. */
static const char *written(const struct digest_client *client, struct digest_client_state *state)
{
	static const struct digest_client_request request = {SLICE("INVITE"), SLICE("sip:1@h"),
							     SLICE("")};
	static char line[8192];
	int n = digest_client_write(client, state, &request, line, sizeof(line) - 1);

	assert_true(n > 0);
	line[n] = '\0';
	return line;
}

static void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in '%s'", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
	if (strstr(text, part))
		fail_msg("'%s' is in '%s'", part, text);
}

/* ---- what is written ---- */

static void the_line_of_rfc_2617_is_written(void **state)
{
	struct digest_client_state s = {
		.proxy = true,
		.qop = DIGEST_QOP_AUTH,
		.has_opaque = true,
		.realm = "testrealm@host.com",
		.nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093",
		.opaque = "5ccc069c403ebaf9f0171e9517f40e41",
		.cnonce = "0a4f113b",
	};
	const struct digest_client client = {.digest = context, .username = SLICE("Mufasa")};
	const struct digest_client_request request = {SLICE("GET"), SLICE("/dir/index.html"),
						      SLICE("")};
	static const char expected[] =
		"Proxy-Authorization: Digest username=\"Mufasa\", realm=\"testrealm@host.com\", "
		"nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", uri=\"/dir/index.html\", "
		"response=\"6629fae49393a05397450978507c4ef1\", "
		"opaque=\"5ccc069c403ebaf9f0171e9517f40e41\", cnonce=\"0a4f113b\", qop=auth, "
		"nc=00000001\r\n";
	char line[sizeof(expected) + 16];

	(void)state;
	assert_int_equal(digest_ha1(context, DIGEST_MD5, client.username, slice_from(s.realm),
				    SLICE("Circle Of Life"), s.ha1),
			 0);
	for (size_t size = 0; size < sizeof(expected) - 1; size++) {
		memset(line, 'x', sizeof(line));
		assert_int_equal(digest_client_write(&client, &s, &request, line, size), -ENOSPC);
		for (size_t i = size; i < sizeof(line); i++)
			assert_int_equal(line[i], 'x');
		assert_int_equal(s.nc, 0);
	}
	assert_int_equal(digest_client_write(&client, &s, &request, line, sizeof(expected) - 1),
			 sizeof(expected) - 1);
	assert_memory_equal(line, expected, sizeof(expected) - 1);
	assert_int_equal(s.nc, 1);
}

static void counts_are_eight_hex_digits_and_end(void **state)
{
	struct digest_client client = client_with_password();
	struct digest_client_state s = {0};
	char line[512];

	(void)state;
	assert_int_equal(challenged_once(&client, NONCE ", qop=\"auth\"", &s), 0);
	s.nc = 0xab;
	assert_contains(written(&client, &s), ", nc=000000ac\r\n");
	s.nc = UINT32_MAX - 1;
	assert_contains(written(&client, &s), ", nc=ffffffff\r\n");
	assert_int_equal(digest_client_write(&client, &s,
					     &(struct digest_client_request){.uri = SLICE("sip:h")},
					     line, sizeof(line)),
			 -ENOKEY);
}

static void texts_are_escaped_as_they_were(void **state)
{
	struct digest_client client = client_with_password();
	struct digest_client_state s = {0};
	struct sip_credentials got;
	const char *line;

	(void)state;
	client.username = SLICE("a\"b\\c");
	assert_int_equal(challenged_once(&client,
					 "Digest realm=\"r\\\"\\\\ \xc3\xa4\", nonce=\"n\\\"\", "
					 "opaque=\"\\\\, x=\\\"y\\\"\", qop=\"auth\"",
					 &s),
			 0);
	assert_string_equal(s.realm, "r\"\\ \xc3\xa4");
	line = written(&client, &s);
	assert_contains(line, "username=\"a\\\"b\\\\c\", realm=\"r\\\"\\\\ \xc3\xa4\", "
			      "nonce=\"n\\\"\", uri=\"sip:1@h\"");
	line = strchr(line, ' ');
	assert_int_equal(sip_credentials_parse(slice_trim(slice_from(line)), &got), 0);
	assert_true(slice_eq(got.username, client.username));
	assert_true(slice_eq(got.realm, slice_from(s.realm)));
	assert_true(slice_eq(got.opaque, slice_from("\\, x=\"y\"")));
	assert_false(got.duplicate);
	sip_credentials_free(&got);
}

static void control_characters_of_ours_are_not_written(void **state)
{
	struct digest_client client = client_with_password();
	struct digest_client_request request = {SLICE("INVITE"), SLICE("sip:1@h\r\nX: y"),
						SLICE("")};
	struct digest_client_state s = {0};
	char line[1024];

	(void)state;
	assert_int_equal(challenged_once(&client, NONCE, &s), 0);
	assert_int_equal(digest_client_write(&client, &s, &request, line, sizeof(line)), -EINVAL);
	request.uri = SLICE("sip:1@h");
	client.username = SLICE("a\nb");
	assert_int_equal(digest_client_write(&client, &s, &request, line, sizeof(line)), -EINVAL);
	assert_int_equal(s.nc, 0);
}

static void what_was_not_asked_for_is_not_sent(void **state)
{
	struct digest_client client = client_with_password();
	struct digest_client_state s = {0};
	const char *line;

	(void)state;
	assert_int_equal(challenged_once(&client, NONCE, &s), 0);
	line = written(&client, &s);
	assert_lacks(line, "qop");
	assert_lacks(line, "nc=");
	assert_lacks(line, "cnonce");
	assert_lacks(line, "opaque");
	assert_lacks(line, "algorithm");
	assert_contains(line, "Authorization: Digest");
	assert_int_equal(challenged_once(&client, NONCE ", opaque=\"\", algorithm=md5-SESS", &s),
			 0);
	line = written(&client, &s);
	assert_contains(line, ", algorithm=md5-SESS, opaque=\"\", cnonce=\"");
	assert_lacks(line, "qop");
}

/* ---- which challenge ---- */

static void the_strongest_with_an_ha1_is_answered(void **state)
{
	static const char fields[] = "Proxy-Authenticate: Digest algorithm=MD5, realm=\"r\", "
				     "nonce=\"1\", qop=\"auth\"\r\n"
				     "Proxy-Authenticate: Basic realm=\"r\", Digest "
				     "algorithm=SHA-256-sess, realm=\"r\", nonce=\"2\"\r\n"
				     "WWW-Authenticate: Digest algorithm=SHA-512-256, realm=\"r\", "
				     "nonce=\"not of 407\"\r\n"
				     "Proxy-Authenticate: Digest algorithm=SHA-512, realm=\"r\", "
				     "nonce=\"unknown\", Digest algorithm=SHA-512-256, "
				     "realm=\"r\", nonce=\"3\"\r\n"
				     "Proxy-Authenticate: Digest algorithm=SHA-512-256, "
				     "realm=\"r\", nonce=\"4\"\r\n";
	uint8_t ha1[DIGEST_ALGORITHMS][DIGEST_HASH_MAX] = {{1}, {2}, {3}};
	const struct digest_client client = {.digest = context, .realm = SLICE("r"), .ha1 = ha1};
	struct digest_client_state s = {0};

	(void)state;
	for (int i = DIGEST_SHA_512_256; i >= DIGEST_MD5; i--) {
		assert_int_equal(challenged(&client, 407, fields, false, &s), 0);
		assert_int_equal(s.algorithm, i);
		assert_int_equal(s.nonce[0], '1' + i);
		assert_int_equal(s.sess, i == DIGEST_SHA_256);
		assert_int_equal(s.ha1[0], 1 + i);
		assert_true(s.proxy);
		ha1[i][0] = 0;
	}
	assert_int_equal(challenged(&client, 407, fields, false, &s), -ENOTSUP);
	ha1[0][0] = 1;
	assert_int_equal(challenged(&client, 401, fields, false, &s), -ENOTSUP);
}

static void auth_comes_before_auth_int(void **state)
{
	static const struct {
		const char *list;
		int rc;
		enum digest_qop qop;
	} rows[] = {
		{"", 0, DIGEST_QOP_NONE},
		{", qop=\"\"", 0, DIGEST_QOP_NONE},
		{", qop=auth", 0, DIGEST_QOP_AUTH},
		{", qop=\"AUTH\"", 0, DIGEST_QOP_AUTH},
		{", qop=\"auth-int,auth\"", 0, DIGEST_QOP_AUTH},
		{", qop=\"auth-int , new\"", 0, DIGEST_QOP_AUTH_INT},
		{", qop=\"auth-conf\"", -ENOTSUP, 0},
		{", qop=\"authentic\"", -ENOTSUP, 0},
	};
	struct digest_client client = client_with_password();
	char value[128];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct digest_client_state s = {0};

		snprintf(value, sizeof(value), NONCE "%s", rows[i].list);
		assert_int_equal(challenged_once(&client, value, &s), rows[i].rc);
		assert_int_equal(s.qop, rows[i].qop);
	}
}

static void only_the_pinned_realm_is_answered(void **state)
{
	struct digest_client client = client_with_password();
	struct digest_client_state s = {0}, untouched = {0};

	(void)state;
	client.realm = SLICE("carrier.example");
	assert_int_equal(challenged_once(&client, NONCE, &s), -EACCES);
	assert_int_equal(challenged_once(&client,
					 "Digest realm=\"Carrier.example\", nonce=\"1\", Basic x",
					 &s),
			 -EACCES);
	assert_memory_equal(&s, &untouched, sizeof(s));
	assert_int_equal(challenged_once(&client,
					 "Digest realm=\"r\", nonce=\"1\", algorithm=SHA-256, "
					 "Digest realm=\"carrier.example\", nonce=\"2\"",
					 &s),
			 0);
	assert_string_equal(s.nonce, "2");
}

static void a_realm_is_learned_with_a_password_only(void **state)
{
	static const uint8_t ha1[DIGEST_ALGORITHMS][DIGEST_HASH_MAX] = {{1}, {2}, {3}};
	struct digest_client client = client_with_password();
	struct digest_client_state s = {0};
	uint8_t expected[DIGEST_HASH_MAX];

	(void)state;
	client.ha1 = ha1;
	assert_int_equal(challenged_once(&client, NONCE ", algorithm=SHA-256", &s), 0);
	assert_string_equal(s.realm, "r");
	digest_ha1(context, DIGEST_SHA_256, client.username, SLICE("r"), client.password, expected);
	assert_memory_equal(s.ha1, expected, sizeof(expected));
	client.password = SLICE("");
	assert_int_equal(challenged_once(&client, NONCE, &s), -ENOTSUP);
	client.realm = SLICE("r");
	assert_int_equal(challenged_once(&client, NONCE, &s), 0);
	assert_memory_equal(s.ha1, ha1[DIGEST_MD5], sizeof(ha1[0]));
}

static void what_can_not_be_answered_is_refused(void **state)
{
	static const char *const rows[] = {
		"Basic realm=\"r\"",
		"Digest realm=\"r\"",
		"Digest nonce=\"n\"",
		"Digest realm=\"\", nonce=\"n\"",
		"Digest realm=\"r\", nonce=\"\"",
		"Digest realm=\"r\", nonce=\"n\", realm=\"r\"",
		"Digest realm=\"r\", nonce=\"n\", opaque=\"a\", opaque=\"b\"",
		"Digest realm=\"r\", nonce=\"n\", algorithm=AKAv1-MD5",
		"Digest realm=\"r\", nonce=\"n\", algorithm=\"MD5, x=y\"",
		"Digest realm=\"r\x01\", nonce=\"n\"",
		"Digest realm=\"r\t\", nonce=\"n\"",
		"Digest realm=\"r\", nonce=\"n\x7f\"",
		"Digest realm=\"r\", nonce=\"n\", opaque=\"\x1b[2J\"",
		"Digest realm=\"r\", nonce=\"n\", opaque=\"\\\x01\"",
		"Digest realm=\"r\", nonce=\"n\", opaque=\"a\r\n b\"",
		"Digest realm=\"r\", nonce=\"n\",",
		"Digest realm=\"r\", nonce=\"n",
		"A, B, C, D, E, F, G, H, Digest realm=\"r\", nonce=\"n\"",
	};
	struct digest_client client = client_with_password();
	struct digest_client_state s = {0}, untouched = {0};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (challenged_once(&client, rows[i], &s) != -ENOTSUP)
			fail_msg("'%s' is answered", rows[i]);
	}
	assert_int_equal(challenged(&client, 401, "", false, &s), -ENOTSUP);
	assert_memory_equal(&s, &untouched, sizeof(s));
	assert_int_equal(challenged(&client, 401,
				    "WWW-Authenticate: Digest realm=\"\r\n"
				    "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n",
				    false, &s),
			 0);
}

static void texts_have_limits(void **state)
{
	static const struct {
		const char *format;
		int limit;
	} rows[] = {
		{"Digest realm=\"%.*s\", nonce=\"n\"", DIGEST_CLIENT_REALM_SIZE - 1},
		{"Digest realm=\"r\", nonce=\"%.*s\"", DIGEST_CLIENT_TEXT_SIZE - 1},
		{"Digest realm=\"r\", nonce=\"n\", opaque=\"%.*s\"", DIGEST_CLIENT_TEXT_SIZE - 1},
	};
	struct digest_client client = client_with_password();
	char value[2048], text[1024];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct digest_client_state s = {0};

		snprintf(value, sizeof(value), rows[i].format, rows[i].limit + 1, text);
		assert_int_equal(challenged_once(&client, value, &s), -ENOTSUP);
		snprintf(value, sizeof(value), rows[i].format, rows[i].limit, text);
		assert_int_equal(challenged_once(&client, value, &s), 0);
		assert_contains(written(&client, &s), "xxx\"");
	}
}

/* ---- nonces ---- */

static void a_nonce_is_used_up_and_then_another_is_taken(void **state)
{
	struct digest_client client = client_with_password();
	struct digest_client_state s = {0};
	char cnonce[33], line[512];

	(void)state;
	assert_int_equal(digest_client_write(&client, &s,
					     &(struct digest_client_request){.uri = SLICE("sip:h")},
					     line, sizeof(line)),
			 -ENOKEY);
	assert_int_equal(challenged_once(&client, NONCE ", qop=\"auth\"", &s), 0);
	strcpy(cnonce, s.cnonce);
	assert_int_equal(strspn(cnonce, "0123456789abcdef"), 32);
	assert_contains(written(&client, &s), "nc=00000001");
	assert_contains(written(&client, &s), "nc=00000002");
	assert_string_equal(s.cnonce, cnonce);
	assert_int_equal(
		challenged_once(&client, "Digest realm=\"r\", nonce=\"n2\", qop=\"auth\"", &s), 0);
	assert_contains(written(&client, &s), "nc=00000001");
	assert_string_not_equal(s.cnonce, cnonce);
}

static void challenged_again_for_no_stale_nonce_the_credentials_are_wrong(void **state)
{
	static const char again[] = "WWW-Authenticate: " NONCE ", qop=\"auth\"\r\n";
	static const char stale[] = "WWW-Authenticate: " NONCE ", qop=\"auth\", stale=TRUE\r\n";
	static const char other[] = "WWW-Authenticate: Digest realm=\"r\", nonce=\"n2\"\r\n";
	struct digest_client client = client_with_password();
	struct digest_client_state s = {0}, before;

	(void)state;
	assert_int_equal(challenged(&client, 401, again, false, &s), 0);
	written(&client, &s);
	before = s;
	assert_int_equal(challenged(&client, 401, again, true, &s), -EKEYREJECTED);
	assert_int_equal(challenged(&client, 401, other, true, &s), -EKEYREJECTED);
	assert_memory_equal(&s, &before, sizeof(s));
	assert_int_equal(challenged(&client, 401, stale, true, &s), 0);
	assert_contains(written(&client, &s), "nc=00000002");
	/* A request that bore a nonce of before may have come too late for it. */
	assert_int_equal(challenged(&client, 401, again, false, &s), 0);
	assert_contains(written(&client, &s), "nc=00000003");
	assert_int_equal(challenged(&client, 401, other, false, &s), 0);
	assert_string_equal(s.nonce, "n2");
	assert_int_equal(s.nc, 0);
}

/* Two calls at once are given the same nonce: the second has not been refused, and goes on with
 * the count. */
static void a_nonce_given_twice_goes_on_being_counted(void **state)
{
	static const char field[] = "WWW-Authenticate: " NONCE ", qop=\"auth\"\r\n";
	static const char once[] = "WWW-Authenticate: Digest realm=\"r\", nonce=\"m\"\r\n";
	struct digest_client client = client_with_password();
	struct digest_client_state s = {0};
	char cnonce[33], line[512];

	(void)state;
	assert_int_equal(challenged(&client, 401, field, false, &s), 0);
	strcpy(cnonce, s.cnonce);
	written(&client, &s);
	assert_int_equal(challenged(&client, 401, field, false, &s), 0);
	assert_string_equal(s.cnonce, cnonce);
	assert_contains(written(&client, &s), "nc=00000002");
	/* But one without a count is good for another request each time that it is given. */
	assert_int_equal(challenged(&client, 401, once, false, &s), 0);
	written(&client, &s);
	assert_int_equal(digest_client_write(&client, &s,
					     &(struct digest_client_request){.uri = SLICE("sip:h")},
					     line, sizeof(line)),
			 -ENOKEY);
	assert_int_equal(challenged(&client, 401, once, false, &s), 0);
	written(&client, &s);
}

static void a_forgotten_state_is_wiped(void **state)
{
	static const struct digest_client_state none;
	struct digest_client client = client_with_password();
	struct digest_client_state s = {0};

	(void)state;
	assert_int_equal(challenged_once(&client, NONCE, &s), 0);
	digest_client_forget(&s);
	assert_memory_equal(&s, &none, sizeof(s));
}

/* RFC 7616 §3.4.4: a name need not be hashed, and the answer does not say that it is. */
static void name_is_sent_as_it_is(void **state)
{
	struct digest_client client = client_with_password();
	struct digest_client_state plain = {0}, asked = {0};
	const char *line;

	(void)state;
	client.username = SLICE("J\xc3\xa4s\xc3\xb8n Doe");
	assert_int_equal(challenged_once(&client, NONCE, &plain), 0);
	assert_int_equal(
		challenged_once(&client, NONCE ", userhash=true, charset=UTF-8, domain=\"sip:h\"",
				&asked),
		0);
	assert_memory_equal(plain.ha1, asked.ha1, sizeof(plain.ha1));
	line = written(&client, &asked);
	assert_contains(line, "username=\"J\xc3\xa4s\xc3\xb8n Doe\", ");
	assert_lacks(line, "userhash=true");
	assert_lacks(line, "username*");
}

static unsigned allocations_left;

static void *scarce_realloc(void *p, size_t n)
{
	return allocations_left && allocations_left-- ? realloc(p, n) : NULL;
}

static void *scarce_malloc(size_t n)
{
	return scarce_realloc(NULL, n);
}

/* The stronger challenge, of which nothing is known then, is not passed over for the weaker. */
static void without_memory_for_one_challenge_none_is_answered(void **state)
{
	static const char fields[] = "WWW-Authenticate: " ESCAPED "\r\nWWW-Authenticate: " ESCAPED
				     ", algorithm=SHA-256\r\n";
	struct digest_client client = client_with_password();
	struct digest_client_state s = {0}, untouched = {0};

	(void)state;
	/* osip2 sets itself up. */
	assert_int_equal(challenged(&client, 401, fields, false, &s), 0);
	s = untouched;
	osip_set_allocators(scarce_malloc, scarce_realloc, free);
	for (unsigned i = 0; i < 2; i++) {
		allocations_left = i;
		assert_int_equal(challenged(&client, 401, fields, false, &s), -ENOMEM);
		assert_memory_equal(&s, &untouched, sizeof(s));
	}
	allocations_left = 2;
	assert_int_equal(challenged(&client, 401, fields, false, &s), 0);
	assert_int_equal(s.algorithm, DIGEST_SHA_256);
	osip_set_allocators(NULL, NULL, NULL);
}

/* ---- published vectors ---- */

enum {
	ALGORITHM = 1,
	USERNAME,
	REALM_OF,
	PASSWORD_OF,
	METHOD,
	URI,
	NONCE_OF,
	NC,
	CNONCE,
	QOP,
	RESPONSE,
	HA1,
	BODY,
	KIND,
	COLUMNS = 17
};

/* Sets up what a challenge would have; false for a row that we would not send: another form of nc,
 * a longer cnonce. */
static bool state_of(char **field, struct digest_client_state *ret)
{
	*ret = (struct digest_client_state){.nc = 0};
	if (strcmp(field[QOP], "auth") == 0)
		ret->qop = DIGEST_QOP_AUTH;
	else if (field[QOP][0])
		ret->qop = DIGEST_QOP_AUTH_INT;
	else if (field[NC][0])
		return false;
	if (ret->qop && strlen(field[NC]) != 8)
		return false;
	ret->nc = ret->qop ? (uint32_t)strtoul(field[NC], NULL, 16) - 1 : 0;
	return !slice_text(slice_from(field[ALGORITHM]), ret->algorithm_text,
			   sizeof(ret->algorithm_text)) &&
	       !digest_algorithm_of(slice_from(field[ALGORITHM]), &ret->algorithm, &ret->sess) &&
	       !slice_text(slice_from(field[REALM_OF]), ret->realm, sizeof(ret->realm)) &&
	       !slice_text(slice_from(field[NONCE_OF]), ret->nonce, sizeof(ret->nonce)) &&
	       !slice_text(slice_from(field[CNONCE]), ret->cnonce, sizeof(ret->cnonce));
}

static bool check_vector(char **field)
{
	struct digest_client client = {.digest = context, .username = slice_from(field[USERNAME])};
	json_t *body = json_loads(field[BODY][0] ? field[BODY] : "\"\"", JSON_DECODE_ANY, NULL);
	struct digest_client_request request = {slice_from(field[METHOD]), slice_from(field[URI]),
						slice_from(json_string_value(body))};
	char line[8192], expected[128];
	struct digest_client_state s;
	int n;

	if (strcmp(field[KIND], "ok") || !field[RESPONSE][0] || !field[PASSWORD_OF][0] ||
	    !state_of(field, &s)) {
		json_decref(body);
		return false;
	}
	assert_int_equal(digest_ha1(context, s.algorithm, client.username, slice_from(s.realm),
				    slice_from(field[PASSWORD_OF]), s.ha1),
			 0);
	n = digest_client_write(&client, &s, &request, line, sizeof(line) - 1);
	assert_true(n > 0);
	line[n] = '\0';
	snprintf(expected, sizeof(expected), ", response=\"%s\"", field[RESPONSE]);
	assert_contains(line, expected);
	json_decref(body);
	return true;
}

static void published_vectors_are_met(void **state)
{
	const char *shared = getenv("SIPWARD_SHARED");
	char path[4096], line[8192], *field[COLUMNS], *rest;
	unsigned used = 0;
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "%s/digest_vectors.tsv", shared ? shared : "../shared");
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		rest = line;
		for (size_t i = 0; i < COLUMNS; i++)
			field[i] = i + 1 < COLUMNS ? strsep(&rest, "\t") : rest;
		used += check_vector(field);
	}
	fclose(file);
	assert_true(used >= 30);
}

/* ---- our own gate ---- */

/* The gate's challenge as a carrier's, with one part of it replaced. */
static int gate_challenged(struct gate *gate, const struct digest_client *client, bool answered,
			   const char *replace[2], struct digest_client_state *s)
{
	char text[ADMISSION_CHALLENGE_SIZE + 1], changed[2 * sizeof(text)], *part;

	assert_int_equal(gate->result.verdict, ADMISSION_CHALLENGE);
	assert_int_equal(slice_text(gate->result.challenge, text, sizeof(text)), 0);
	part = replace ? strstr(text, replace[0]) : NULL;
	if (replace)
		assert_non_null(part);
	snprintf(changed, sizeof(changed), "%.*s%s%s", part ? (int)(part - text) : 0, text,
		 part ? replace[1] : "", part ? part + strlen(replace[0]) : text);
	return challenged(client, gate->result.status, changed, answered, s);
}

static enum admission_cause gate_answer(struct gate *gate, const struct client *call,
					const struct digest_client *client,
					struct digest_client_state *s)
{
	const struct digest_client_request request = {
		slice_from(call->method), slice_from(call->target), slice_from(call->body)};
	char line[4096];
	int n = digest_client_write(client, s, &request, line, sizeof(line) - 1);

	assert_true(n > 0);
	line[n] = '\0';
	return gate_send(gate, UNLISTED, call, line);
}

static void set_up_trunk(struct gate *gate, unsigned algorithm, enum digest_qop qop, bool sess)
{
	struct store_trunk trunk = gate_trunk_get(gate, "cred");

	trunk.algorithm_count = 1;
	trunk.algorithms[0] = algorithm;
	trunk.sess = sess;
	trunk.auth_int = qop == DIGEST_QOP_AUTH_INT;
	trunk.allow_no_qop = qop == DIGEST_QOP_NONE;
	trunk.ratchet = false;
	gate_trunk_set(gate, &trunk);
}

static void call_through(struct gate *gate, unsigned algorithm, enum digest_qop qop, bool sess)
{
	static const char *none[] = {", qop=\"auth\"", ""};
	static const char *integrity[] = {"\"auth,auth-int\"", "\"auth-int\""};
	const char **replace = qop == DIGEST_QOP_NONE	    ? none
			       : qop == DIGEST_QOP_AUTH_INT ? integrity
							    : NULL;
	struct digest_client client = client_with_password();
	struct client call = client_new("sip:1@cred.example");
	struct digest_client_state s = {0};

	call.body = "v=0\r\n";
	set_up_trunk(gate, algorithm, qop, sess);
	assert_int_equal(gate_send(gate, UNLISTED, &call, ""), ADMISSION_NO_CREDENTIALS);
	assert_int_equal(gate_challenged(gate, &client, false, replace, &s), 0);
	assert_int_equal(s.algorithm, algorithm);
	assert_int_equal(s.qop, qop);
	assert_int_equal(s.sess, sess);
	assert_int_equal(gate_answer(gate, &call, &client, &s), ADMISSION_BY_CREDENTIAL);
	if (qop == DIGEST_QOP_NONE)
		return;
	call.method = "MESSAGE";
	call.target = "sip:+4930123@cred.example;x=y";
	for (int i = 0; i < 3; i++)
		assert_int_equal(gate_answer(gate, &call, &client, &s), ADMISSION_BY_CREDENTIAL);
	s.nc--;
	assert_int_equal(gate_answer(gate, &call, &client, &s), ADMISSION_REPLAYED);
}

static void the_gate_admits_each_algorithm_and_qop(void **state)
{
	struct gate *gate = *state;

	for (unsigned algorithm = 0; algorithm < DIGEST_ALGORITHMS; algorithm++)
		for (int qop = DIGEST_QOP_NONE; qop <= DIGEST_QOP_AUTH_INT; qop++)
			for (int sess = 0; sess < 2; sess++)
				call_through(gate, algorithm, qop, sess);
}

static void an_expired_nonce_is_replaced(void **state)
{
	struct gate *gate = *state;
	struct digest_client client = client_with_password();
	struct client call = client_new("sip:1@cred.example");
	struct digest_client_state s = {0};

	gate_send(gate, UNLISTED, &call, "");
	assert_int_equal(gate_challenged(gate, &client, false, NULL, &s), 0);
	assert_int_equal(gate_answer(gate, &call, &client, &s), ADMISSION_BY_CREDENTIAL);
	gate->now_s += 100000;
	assert_int_equal(gate_answer(gate, &call, &client, &s), ADMISSION_EXPIRED_NONCE);
	assert_int_equal(gate_challenged(gate, &client, true, NULL, &s), 0);
	assert_int_equal(s.nc, 0);
	assert_int_equal(gate_answer(gate, &call, &client, &s), ADMISSION_BY_CREDENTIAL);
}

static void a_wrong_password_is_refused(void **state)
{
	struct gate *gate = *state;
	struct digest_client client = client_with_password();
	struct client call = client_new("sip:1@cred.example");
	struct digest_client_state s = {0};

	client.password = SLICE("Wrong0ne-of-alice");
	gate_send(gate, UNLISTED, &call, "");
	assert_int_equal(gate_challenged(gate, &client, false, NULL, &s), 0);
	assert_int_equal(gate_answer(gate, &call, &client, &s), ADMISSION_BAD_CREDENTIALS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_line_of_rfc_2617_is_written),
		cmocka_unit_test(counts_are_eight_hex_digits_and_end),
		cmocka_unit_test(texts_are_escaped_as_they_were),
		cmocka_unit_test(control_characters_of_ours_are_not_written),
		cmocka_unit_test(what_was_not_asked_for_is_not_sent),
		cmocka_unit_test(the_strongest_with_an_ha1_is_answered),
		cmocka_unit_test(auth_comes_before_auth_int),
		cmocka_unit_test(only_the_pinned_realm_is_answered),
		cmocka_unit_test(a_realm_is_learned_with_a_password_only),
		cmocka_unit_test(what_can_not_be_answered_is_refused),
		cmocka_unit_test(texts_have_limits),
		cmocka_unit_test(a_nonce_is_used_up_and_then_another_is_taken),
		cmocka_unit_test(challenged_again_for_no_stale_nonce_the_credentials_are_wrong),
		cmocka_unit_test(a_nonce_given_twice_goes_on_being_counted),
		cmocka_unit_test(a_forgotten_state_is_wiped),
		cmocka_unit_test(name_is_sent_as_it_is),
		cmocka_unit_test(without_memory_for_one_challenge_none_is_answered),
		cmocka_unit_test(published_vectors_are_met),
		GATE_TEST(the_gate_admits_each_algorithm_and_qop),
		GATE_TEST(an_expired_nonce_is_replaced),
		GATE_TEST(a_wrong_password_is_refused),
	};

	return cmocka_run_group_tests_name("digest_client", tests, create_context, free_context);
}
