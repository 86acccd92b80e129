/* SPDX-License-Identifier: BSD-2-Clause */
/* What of a failed authentication can be seen from outside: nothing but that it failed. */
#include "digest/password.h"
#include "proxy_fixture.h"

#define REALM "sip.example"

static void add_user(struct world *w, const char *list, const char *realm, const char *name)
{
	struct store_ha1 ha1;

	assert_int_equal(password_hash(w->digest, slice_from(name), slice_from(realm),
				       SLICE("Passw0rd"), &ha1),
			 0);
	assert_ok(w->f, store_user_add(w->f->store, list, name, &ha1, &w->f->err));
}

/* A trunk by digest with two realms, every form on. */
static void add_trunk(struct world *w)
{
	struct store *store = w->f->store;
	struct store_settings settings;
	struct store_trunk trunk;

	assert_ok(w->f, store_settings_get(store, &settings, &w->f->err));
	settings.lockout_failures = 64;
	assert_ok(w->f, store_settings_set(store, &settings, &w->f->err));
	assert_ok(w->f, store_credentials_create(store, "users", REALM, &w->f->err));
	assert_ok(w->f, store_credentials_set(store, "users", true, &w->f->err));
	assert_ok(w->f, store_credentials_create(store, "more", "second.example", &w->f->err));
	add_user(w, "users", REALM, "alice");
	add_user(w, "more", "second.example", "carol");
	assert_ok(w->f, create_trunk(w->f, "digest", "digest.example", "sip:" PBX));
	assert_ok(w->f, store_trunk_attach_credentials(store, "digest", "users", &w->f->err));
	assert_ok(w->f, store_trunk_attach_credentials(store, "digest", "more", &w->f->err));
	assert_ok(w->f, store_trunk_get(store, "digest", &trunk, &w->f->err));
	trunk.userhash = true;
	assert_ok(w->f, store_trunk_set(store, &trunk, &w->f->err));
	world_read_store(w);
}

/* All requests are of one length and form; branches and Call-IDs differ, as they must. */
static const char *send_request(struct world *w, const char *method, const char *credentials)
{
	static unsigned serial = 1000;
	char text[4096];

	serial++;
	wait_ms(w, 60000); /* or the budget of strangers runs out */
	snprintf(
		text, sizeof(text),
		"%s sip:1@digest.example SIP/2.0\n"
		"Via: SIP/2.0/UDP 192.0.2.66:5060;branch=z9hG4bK%u\n"
		"Max-Forwards: 70\nFrom: <sip:x@digest.example>;tag=1\nTo: <sip:1@digest.example>\n"
		"Call-ID: %u@x\nCSeq: 1 %s\nContact: <sip:x@192.0.2.66>\n%sContent-Length: 0\n\n",
		method, serial, serial, method, credentials);
	hear(w, STRANGER, text);
	assert_int_equal(w->sent_count, 1);
	return w->sent[0].text;
}

static void respond(struct world *w, const char *method, const char *nonce, const char *name,
		    const char *more, char *credentials, size_t size)
{
	struct digest_input input = {.nonce = slice_from(nonce),
				     .nc = SLICE("00000001"),
				     .cnonce = SLICE("1"),
				     .qop = DIGEST_QOP_AUTH,
				     .method = slice_from(method),
				     .uri = SLICE("sip:1@digest.example")};
	uint8_t ha1[DIGEST_HASH_MAX];
	char response[DIGEST_HEX_SIZE];

	input.ha1 = ha1;
	assert_int_equal(digest_ha1(w->digest, DIGEST_MD5, slice_from(name), SLICE(REALM),
				    SLICE("Wr0ngword"), ha1),
			 0);
	assert_int_equal(digest_response(w->digest, &input, response), 0);
	snprintf(credentials, size,
		 "Authorization: Digest username=\"%s\", realm=\"" REALM "\", nonce=\"%s\", "
		 "uri=\"sip:1@digest.example\", response=\"%s\", qop=auth, nc=00000001, "
		 "cnonce=\"1\"%s\n",
		 name, nonce, response, more);
}

/* Puts an x for each byte of what follows the word, to the end of the token. */
static void blind(char *text, const char *word)
{
	for (char *at = text; (at = strstr(at, word));) {
		at += strlen(word);
		while (*at && !strchr(";>\r\n,\" @", *at))
			*at++ = 'x';
	}
}

static void assert_alike(char *first, const char *reply, const char *name)
{
	char text[4096];

	assert_true(strlen(reply) < sizeof(text));
	strcpy(text, reply);
	blind(text, "branch=");
	blind(text, ";tag=");
	blind(text, "Call-ID: ");
	if (!first[0])
		strcpy(first, text);
	if (strcmp(first, text) != 0)
		fail_msg("%s:\n%s\nand not:\n%s", name, text, first);
}

static void an_unknown_user_and_a_wrong_password_give_the_same_bytes(void **state)
{
	static const struct {
		const char *name, *more;
	} rows[] = {
		{"alice", ""},
		{"nobody", ""},
		{"alice@" REALM, ""},
		{"nobody@" REALM, ""},
		{"carol", ""},
		{"", ""},
		{"b5a6d4ce5d7b9e7ab9b3a5d3ac4f6a51", ", userhash=true"},
		{"alice", ", userhash=true"},
	};
	static const char *const methods[] = {"INVITE", "REGISTER", "OPTIONS", "MESSAGE"};
	struct world *w = *state;
	char first[4096], nonce[80], credentials[1024];

	add_trunk(w);
	for (size_t i = 0; i < 4 * sizeof(rows) / sizeof(rows[0]); i++) {
		size_t method = i / 8, row = i % 8;
		const char *challenge = send_request(w, methods[method], ""), *at;

		at = strstr(challenge, "realm=\"" REALM "\", nonce=\"");
		assert_non_null(at);
		snprintf(nonce, sizeof(nonce), "%.64s", strstr(at, "nonce=") + 7);
		respond(w, methods[method], nonce, rows[row].name, rows[row].more, credentials,
			sizeof(credentials));
		if (row == 0)
			first[0] = '\0';
		assert_alike(first, send_request(w, methods[method], credentials), rows[row].name);
		assert_memory_equal(first, "SIP/2.0 403", 11);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROXY_TEST(an_unknown_user_and_a_wrong_password_give_the_same_bytes),
	};

	return cmocka_run_group_tests_name("proxy_digest", tests, NULL, NULL);
}
