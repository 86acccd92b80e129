/* SPDX-License-Identifier: BSD-2-Clause */
/* A trunk where alice calls and registers with a password. */
#ifndef SIPWARD_TESTS_PROXY_DIGEST_H
#define SIPWARD_TESTS_PROXY_DIGEST_H

#include "proxy_fixture.h"

#include "digest/password.h"

#define PASSWORD "Passw0rd-of-alice"

/* ---- a trunk with digest authentication, for digest.example ---- */

static inline int digest_setup(void **state)
{
	struct store_ha1 ha1;
	struct world *w;
	struct fixture *f;

	assert_int_equal(world_setup(state), 0);
	w = *state;
	f = w->f;
	assert_int_equal(password_hash(w->digest, SLICE("alice"), SLICE("sip.example"),
				       SLICE(PASSWORD), &ha1),
			 0);
	assert_ok(f, create_trunk(f, "digest", "digest.example", "sip:" PBX));
	assert_ok(f, store_credentials_create(f->store, "phones", "sip.example", &f->err));
	assert_ok(f, store_user_add(f->store, "phones", "alice", &ha1, &f->err));
	assert_ok(f, store_trunk_attach_credentials(f->store, "digest", "phones", &f->err));
	world_read_store(w);
	return 0;
}

#define DIGEST_TEST(function)                                                                      \
	cmocka_unit_test_setup_teardown(function, digest_setup, world_teardown)

static inline void nonce_of(const char *challenge, char nonce[NONCE_TEXT_SIZE])
{
	const char *at = strstr(challenge, "nonce=\"");

	assert_non_null(at);
	snprintf(nonce, NONCE_TEXT_SIZE, "%s", at + 7);
}

/* Credentials of alice as a field. */
static inline const char *credentials(struct world *w, const char *method, const char *nonce,
				      unsigned nc)
{
	static char text[1024];
	char hex[DIGEST_HEX_SIZE], nc_text[16];
	uint8_t ha1[DIGEST_HASH_MAX];
	struct digest_input input = {
		.ha1 = ha1,
		.nonce = slice_from(nonce),
		.nc = {nc_text, 8},
		.cnonce = SLICE("c"),
		.qop = DIGEST_QOP_AUTH,
		.method = slice_from(method),
		.uri = SLICE("sip:x"),
	};

	snprintf(nc_text, sizeof(nc_text), "%08x", nc);
	assert_int_equal(digest_ha1(w->digest, DIGEST_MD5, SLICE("alice"), SLICE("sip.example"),
				    SLICE(PASSWORD), ha1),
			 0);
	assert_int_equal(digest_response(w->digest, &input, hex), 0);
	snprintf(text, sizeof(text),
		 "Proxy-Authorization: Digest username=\"alice\", realm=\"sip.example\", "
		 "nonce=\"%s\", uri=\"sip:x\", response=\"%s\", qop=auth, nc=%s, cnonce=\"c\"\n",
		 nonce, hex, nc_text);
	return text;
}

#endif
