/* SPDX-License-Identifier: BSD-2-Clause */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <linux/types.h>

#include "../../maps/siphash.h"
#include "../../maps/nonce.h"
#include "base/random.h"
#include "digest/challenge.h"
#include "digest/nonce.h"

#define NOW 1700000000u
#define LIFETIME 60u

static struct nonce_keys keys;
static struct nonce_binding binding;
static char text[NONCE_TEXT_SIZE];

static int issue_one(void **state)
{
	(void)state;
	keys = (struct nonce_keys){.present = {true, false, true, false}, .current = 2, .node = 7};
	random_bytes(keys.key, sizeof(keys.key));
	binding = (struct nonce_binding){
		.source = {4, {192, 0, 2, 1}},
		.transport = 1,
		.realm = SLICE("sip.example.com"),
		.algorithm = DIGEST_SHA_256,
	};
	nonce_issue(&keys, &binding, NOW, text);
	return 0;
}

static enum nonce_result verify_at(struct slice nonce, uint64_t now_s)
{
	uint64_t issued_s = 0;
	enum nonce_result result = nonce_verify(&keys, &binding, nonce, now_s, LIFETIME, &issued_s);

	assert_int_equal(issued_s, result == NONCE_FOREIGN ? 0 : NOW);
	return result;
}

static enum nonce_result verify(void)
{
	return verify_at(slice_from(text), NOW);
}

static void text_is_the_hex_of_the_layout(void **state)
{
	struct sipward_nonce nonce;
	struct sipward_nonce_binding bound = {
		.addr = {192, 0, 2, 1}, .family = 4, .transport = 1, .algorithm = 1};
	uint8_t tag[16];

	(void)state;
	assert_int_equal(strlen(text), SIPWARD_NONCE_HEX);
	assert_int_equal(hex_decode(slice_from(text), &nonce, sizeof(nonce)), 0);
	assert_memory_equal(text, "010200076553f100", 16);
	bound.realm_hash = sipward_nonce_realm((const __u8 *)"sip.example.com", 15);
	sipward_nonce_tag(keys.key[2], &nonce, &bound, tag);
	assert_memory_equal(tag, nonce.tag, sizeof(tag));
}

/* The layout on the wire, so that a changed one is noticed: computed apart from this code. */
static void tag_is_the_one_computed_elsewhere(void **state)
{
	const struct sipward_nonce nonce = {
		.version = 1,
		.key = 2,
		.node_be = htons(7),
		.issued_be = htonl(NOW),
		.random = {0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7}};
	struct sipward_nonce_binding bound = {
		.addr = {192, 0, 2, 1}, .family = 4, .transport = 1, .algorithm = 1};
	uint8_t key[16], tag[16];
	char hex[33];

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = i;
	bound.realm_hash = sipward_nonce_realm((const __u8 *)"sip.example.com", 15);
	sipward_nonce_tag(key, &nonce, &bound, tag);
	hex_encode(tag, sizeof(tag), hex);
	assert_string_equal(hex, "978ce94eed4a69b1d51119dea8668e3c");
}

static void nonces_never_repeat(void **state)
{
	char other[NONCE_TEXT_SIZE];

	(void)state;
	nonce_issue(&keys, &binding, NOW, other);
	assert_string_not_equal(text, other);
}

static void lifetime_ends_after_its_last_second(void **state)
{
	(void)state;
	assert_int_equal(verify_at(slice_from(text), NOW), NONCE_VALID);
	assert_int_equal(verify_at(slice_from(text), NOW + LIFETIME), NONCE_VALID);
	assert_int_equal(verify_at(slice_from(text), NOW + LIFETIME + 1), NONCE_EXPIRED);
	assert_int_equal(verify_at(slice_from(text), UINT64_MAX), NONCE_EXPIRED);
}

static void future_is_foreign_after_five_seconds(void **state)
{
	(void)state;
	assert_int_equal(verify_at(slice_from(text), NOW - 5), NONCE_VALID);
	assert_int_equal(verify_at(slice_from(text), NOW - 6), NONCE_FOREIGN);
	assert_int_equal(verify_at(slice_from(text), 0), NONCE_FOREIGN);
}

static void every_changed_bit_is_foreign(void **state)
{
	(void)state;
	for (size_t bit = 0; bit < 8 * strlen(text); bit++) {
		char changed[NONCE_TEXT_SIZE];

		memcpy(changed, text, sizeof(changed));
		changed[bit / 8] ^= 1 << (bit % 8);
		assert_int_equal(verify_at((struct slice){changed, strlen(text)}, NOW),
				 NONCE_FOREIGN);
	}
}

static void every_other_digit_is_foreign(void **state)
{
	(void)state;
	for (size_t i = 0; i < strlen(text); i++) {
		char changed[NONCE_TEXT_SIZE];

		memcpy(changed, text, sizeof(changed));
		for (const char *digit = "0123456789abcdefABCDEF"; *digit; digit++) {
			changed[i] = *digit;
			assert_int_equal(verify_at(slice_from(changed), NOW),
					 *digit == text[i] ? NONCE_VALID : NONCE_FOREIGN);
		}
	}
}

static void every_other_length_is_foreign(void **state)
{
	char longer[3 * NONCE_TEXT_SIZE];

	(void)state;
	memset(longer, '0', sizeof(longer));
	memcpy(longer, text, SIPWARD_NONCE_HEX);
	for (size_t n = 0; n <= sizeof(longer); n++)
		assert_int_equal(verify_at((struct slice){longer, n}, NOW),
				 n == SIPWARD_NONCE_HEX ? NONCE_VALID : NONCE_FOREIGN);
}

static void every_other_address_bit_is_foreign(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 128; bit++) {
		binding.source.bytes[bit / 8] ^= 1 << (bit % 8);
		assert_int_equal(verify(), NONCE_FOREIGN);
		binding.source.bytes[bit / 8] ^= 1 << (bit % 8);
	}
	binding.source.family = 6;
	assert_int_equal(verify(), NONCE_FOREIGN);
}

static void other_transport_is_foreign(void **state)
{
	(void)state;
	binding.transport = 2;
	assert_int_equal(verify(), NONCE_FOREIGN);
}

static void other_algorithm_is_foreign(void **state)
{
	(void)state;
	binding.algorithm = DIGEST_MD5;
	assert_int_equal(verify(), NONCE_FOREIGN);
}

static void other_realm_is_foreign(void **state)
{
	(void)state;
	binding.realm = SLICE("sip.example.org");
	assert_int_equal(verify(), NONCE_FOREIGN);
	binding.realm = SLICE("sip.example.co");
	assert_int_equal(verify(), NONCE_FOREIGN);
	binding.realm = SLICE("");
	assert_int_equal(verify(), NONCE_FOREIGN);
}

static void another_node_with_the_key_takes_it(void **state)
{
	(void)state;
	keys.node = 8;
	assert_int_equal(verify(), NONCE_VALID);
	text[7] ^= 1; /* but the node it names can not be changed */
	assert_int_equal(verify(), NONCE_FOREIGN);
}

static void another_node_is_of_before_where_nobody_else_has_the_key(void **state)
{
	(void)state;
	keys.alone = true;
	assert_int_equal(verify(), NONCE_VALID);
	keys.node = 8;
	assert_int_equal(verify(), NONCE_EXPIRED);
	text[7] ^= 1;
	assert_int_equal(verify(), NONCE_FOREIGN);
}

static void rotated_keys_verify_while_present(void **state)
{
	(void)state;
	keys.current = 0;
	assert_int_equal(verify(), NONCE_VALID);
	keys.present[2] = false;
	assert_int_equal(verify(), NONCE_FOREIGN);
}

static void changed_key_is_foreign(void **state)
{
	(void)state;
	for (unsigned bit = 0; bit < 128; bit++) {
		keys.key[2][bit / 8] ^= 1 << (bit % 8);
		assert_int_equal(verify(), NONCE_FOREIGN);
		keys.key[2][bit / 8] ^= 1 << (bit % 8);
	}
	assert_int_equal(verify(), NONCE_VALID);
}

static void issue_time_survives_to_2106(void **state)
{
	uint64_t issued_s = 0;

	(void)state;
	nonce_issue(&keys, &binding, UINT32_MAX, text);
	assert_int_equal(
		nonce_verify(&keys, &binding, slice_from(text), UINT32_MAX + 60ull, 60, &issued_s),
		NONCE_VALID);
	assert_int_equal(issued_s, UINT32_MAX);
}

static void challenges_read_as_clients_need_them(void **state)
{
	static const struct {
		struct challenge challenge;
		const char *out;
	} rows[] = {
		{{.proxy = true,
		  .realm = SLICE("sip.example.com"),
		  .nonce = "00ff",
		  .qop = DIGEST_QOP_AUTH},
		 "Proxy-Authenticate: Digest algorithm=MD5, realm=\"sip.example.com\", "
		 "nonce=\"00ff\", qop=\"auth\"\r\n"},
		{{.realm = SLICE("a \"b\\c\""),
		  .algorithm = DIGEST_SHA_512_256,
		  .nonce = "1",
		  .qop = DIGEST_QOP_AUTH_INT,
		  .stale = true},
		 "WWW-Authenticate: Digest algorithm=SHA-512-256, realm=\"a \\\"b\\\\c\\\"\", "
		 "nonce=\"1\", qop=\"auth,auth-int\", stale=true\r\n"},
		{{.realm = SLICE("z\xc3\xbcrich"), .algorithm = DIGEST_SHA_256, .nonce = "1"},
		 "WWW-Authenticate: Digest algorithm=SHA-256, realm=\"z\xc3\xbcrich\", "
		 "nonce=\"1\"\r\n"},
		{{.realm = SLICE("a"),
		  .nonce = "1",
		  .qop = DIGEST_QOP_AUTH,
		  .sess = true,
		  .userhash = true,
		  .utf8 = true,
		  .stale = true},
		 "WWW-Authenticate: Digest algorithm=MD5-sess, realm=\"a\", nonce=\"1\", "
		 "qop=\"auth\", charset=UTF-8, userhash=true, stale=true\r\n"},
	};
	char buf[256];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = 0;

		assert_int_equal(challenge_write(&rows[i].challenge, buf, sizeof(buf), &n), 0);
		assert_int_equal(n, strlen(rows[i].out));
		assert_memory_equal(buf, rows[i].out, n);
	}
}

static void challenges_fit_or_say_so(void **state)
{
	struct challenge challenge = {.proxy = true,
				      .realm = SLICE("a\"b\\"),
				      .nonce = "00ff",
				      .qop = DIGEST_QOP_AUTH,
				      .stale = true};
	char whole[256];
	size_t n = 0;

	(void)state;
	assert_int_equal(challenge_write(&challenge, whole, sizeof(whole), &n), 0);
	for (size_t size = 0; size <= n; size++) {
		char *buf = malloc(size + 1); /* the sanitizer watches its end */
		size_t got = 4711;

		buf[size] = '#';
		assert_int_equal(challenge_write(&challenge, buf, size, &got),
				 size < n ? -ENOSPC : 0);
		assert_int_equal(got, size < n ? 4711 : n);
		assert_int_equal(buf[size], '#');
		free(buf);
	}
}

static void challenges_can_not_be_split_by_a_realm(void **state)
{
	struct challenge challenge = {.algorithm = DIGEST_MD5, .nonce = "1"};
	char buf[256];
	size_t n = 4711;

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		char realm[] = {'a', c, 'b'};
		bool control = c < 0x20 || c == 0x7f;

		challenge.realm = (struct slice){realm, sizeof(realm)};
		assert_int_equal(challenge_write(&challenge, buf, sizeof(buf), &n),
				 control ? -EINVAL : 0);
	}
	assert_int_not_equal(n, 4711);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(text_is_the_hex_of_the_layout, issue_one),
		cmocka_unit_test_setup(tag_is_the_one_computed_elsewhere, issue_one),
		cmocka_unit_test_setup(nonces_never_repeat, issue_one),
		cmocka_unit_test_setup(lifetime_ends_after_its_last_second, issue_one),
		cmocka_unit_test_setup(future_is_foreign_after_five_seconds, issue_one),
		cmocka_unit_test_setup(every_changed_bit_is_foreign, issue_one),
		cmocka_unit_test_setup(every_other_digit_is_foreign, issue_one),
		cmocka_unit_test_setup(every_other_length_is_foreign, issue_one),
		cmocka_unit_test_setup(every_other_address_bit_is_foreign, issue_one),
		cmocka_unit_test_setup(other_transport_is_foreign, issue_one),
		cmocka_unit_test_setup(other_algorithm_is_foreign, issue_one),
		cmocka_unit_test_setup(other_realm_is_foreign, issue_one),
		cmocka_unit_test_setup(another_node_with_the_key_takes_it, issue_one),
		cmocka_unit_test_setup(another_node_is_of_before_where_nobody_else_has_the_key,
				       issue_one),
		cmocka_unit_test_setup(rotated_keys_verify_while_present, issue_one),
		cmocka_unit_test_setup(changed_key_is_foreign, issue_one),
		cmocka_unit_test_setup(issue_time_survives_to_2106, issue_one),
		cmocka_unit_test(challenges_read_as_clients_need_them),
		cmocka_unit_test(challenges_fit_or_say_so),
		cmocka_unit_test(challenges_can_not_be_split_by_a_realm),
	};

	return cmocka_run_group_tests_name("nonce", tests, NULL, NULL);
}
