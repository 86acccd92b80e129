/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/crypto.h>

#include "digest/digest.h"

/* OpenSSL's allocations: counted, and refused when told to (-1 never, 0 the next one, 1 …). */
static unsigned long allocations, blocks_held;
static long allocations_left = -1;

static bool refuse(void)
{
	allocations++;
	if (allocations_left > 0)
		allocations_left--;
	else if (allocations_left == 0)
		return true;
	return false;
}

static void *counted_realloc(void *old, size_t n, const char *file, int line)
{
	void *p = refuse() ? NULL : realloc(old, n);

	(void)file, (void)line;
	blocks_held += p && !old;
	return p;
}

static void *counted_malloc(size_t n, const char *file, int line)
{
	return counted_realloc(NULL, n, file, line);
}

static void counted_free(void *p, const char *file, int line)
{
	(void)file, (void)line;
	blocks_held -= p != NULL;
	free(p);
}

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

struct vector {
	const char *algorithm, *username, *realm, *password, *method, *uri, *nonce, *nc, *cnonce;
	const char *qop, *body, *ha1, *response;
};

/* Computed with Python's hashlib by the formulas of RFC 7616 3.4; ha1 is that of the password, not
 * of the session. */
static const struct vector own_vectors[] = {
	{"MD5", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "", "", "", "",
	 "31c547b7d411fda0f945e286846e6c98", "7e5884b533b1cb20f85a7ff694d0ad53"},
	{"MD5", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "00000001", "9f3c", "auth", "",
	 "31c547b7d411fda0f945e286846e6c98", "fcf3cdafbcc594abfb2f70a94fc69580"},
	{"MD5", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "0000000a", "9f3c", "auth-int",
	 "v=0\r\no=- 7 7 IN IP4 192.0.2.9\r\ns=-\r\n", "31c547b7d411fda0f945e286846e6c98",
	 "8301df98977bb3f76252682f4d00d947"},
	{"MD5", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "ffffffff", "9f3c", "auth-int", "",
	 "31c547b7d411fda0f945e286846e6c98", "28ded9703451a6406fd3f39d5520f7bf"},
	{"MD5-sess", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "", "sesscn", "", "",
	 "31c547b7d411fda0f945e286846e6c98", "6fe63e56c3d4ad6c4108cd4ea998834d"},
	{"MD5-sess", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "00000001", "9f3c", "auth", "",
	 "31c547b7d411fda0f945e286846e6c98", "daa5fe7f4b47468ee292259d6e3a9e09"},
	{"MD5-sess", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "0000000a", "9f3c", "auth-int",
	 "v=0\r\no=- 7 7 IN IP4 192.0.2.9\r\ns=-\r\n", "31c547b7d411fda0f945e286846e6c98",
	 "2d1df9d47505f0f087324aeacd6149bf"},
	{"MD5-sess", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "ffffffff", "9f3c", "auth-int", "",
	 "31c547b7d411fda0f945e286846e6c98", "77daf305cae6d65357b52ff45d6fb95d"},
	{"SHA-256", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "", "", "", "",
	 "9c678685c493f7c05d35ebf5e222e9950ae7ced4f854a3cac97947bf3f3faf20",
	 "88829d4169aaf09f44a12ffebbd1a16ec0886a30d46efd55daa9b4fe120327c8"},
	{"SHA-256", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "00000001", "9f3c", "auth", "",
	 "9c678685c493f7c05d35ebf5e222e9950ae7ced4f854a3cac97947bf3f3faf20",
	 "4caea325ff57829424ebee089676bdcb2137abf256712dd97b58746ea2b8c85a"},
	{"SHA-256", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "0000000a", "9f3c", "auth-int",
	 "v=0\r\no=- 7 7 IN IP4 192.0.2.9\r\ns=-\r\n",
	 "9c678685c493f7c05d35ebf5e222e9950ae7ced4f854a3cac97947bf3f3faf20",
	 "0070c8734de417e61a632663b2114ecc0ba56c81592196556a4da6ab4c6a633d"},
	{"SHA-256", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "ffffffff", "9f3c", "auth-int", "",
	 "9c678685c493f7c05d35ebf5e222e9950ae7ced4f854a3cac97947bf3f3faf20",
	 "10983432dc3899c560b3b1f1a5ed80bb1cff8bc48f2d46460e287679c0a52346"},
	{"SHA-256-sess", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "", "sesscn", "", "",
	 "9c678685c493f7c05d35ebf5e222e9950ae7ced4f854a3cac97947bf3f3faf20",
	 "42096e79fe63c3bd52b74433f2adf28ff5b55914c0d17ab77af9450007447487"},
	{"SHA-256-sess", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "00000001", "9f3c", "auth", "",
	 "9c678685c493f7c05d35ebf5e222e9950ae7ced4f854a3cac97947bf3f3faf20",
	 "7686aea23d6685a177a71ea5f1a50192ab18f4b7b60f31ad64c6f1aa09e1971d"},
	{"SHA-256-sess", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "0000000a", "9f3c", "auth-int",
	 "v=0\r\no=- 7 7 IN IP4 192.0.2.9\r\ns=-\r\n",
	 "9c678685c493f7c05d35ebf5e222e9950ae7ced4f854a3cac97947bf3f3faf20",
	 "d4e8924de38384562b241887f38f7a22b8fc05ddf17fa3587ad4c2fbb7cda2c7"},
	{"SHA-256-sess", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "ffffffff", "9f3c", "auth-int", "",
	 "9c678685c493f7c05d35ebf5e222e9950ae7ced4f854a3cac97947bf3f3faf20",
	 "6c32c4451a46d73dc220dc3ce775f7bd71af41b75774c3b82ac5e6135c6cafd9"},
	{"SHA-512-256", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "", "", "", "",
	 "14a6dcbaab8ac8af0838b0c9dd66168a8f6d46e295e09d1afe2637a398204eec",
	 "e3044c3148a32bab32d627d2470cc2a071a1c9ae827ed369ed115bcd447f3ba4"},
	{"SHA-512-256", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "00000001", "9f3c", "auth", "",
	 "14a6dcbaab8ac8af0838b0c9dd66168a8f6d46e295e09d1afe2637a398204eec",
	 "cbecf12a5f34c260be9a8026d5227830a7161e45a7d4bd0ebbf69b27107bd44e"},
	{"SHA-512-256", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "0000000a", "9f3c", "auth-int",
	 "v=0\r\no=- 7 7 IN IP4 192.0.2.9\r\ns=-\r\n",
	 "14a6dcbaab8ac8af0838b0c9dd66168a8f6d46e295e09d1afe2637a398204eec",
	 "7c2cc32f1582320ed313ef1ecf8ff155fed05acb64fff4394e824a1ba624a26c"},
	{"SHA-512-256", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "ffffffff", "9f3c", "auth-int", "",
	 "14a6dcbaab8ac8af0838b0c9dd66168a8f6d46e295e09d1afe2637a398204eec",
	 "75b9b28f0b5168340c3a9711e35946381e1d72016b079e449aa98ea0dbc19aee"},
	{"SHA-512-256-sess", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "", "sesscn", "", "",
	 "14a6dcbaab8ac8af0838b0c9dd66168a8f6d46e295e09d1afe2637a398204eec",
	 "f55caa7843e632ca11be596cc1b0349fb1d08b603a0b09b83dedb54eb7c5bdd5"},
	{"SHA-512-256-sess", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "00000001", "9f3c", "auth", "",
	 "14a6dcbaab8ac8af0838b0c9dd66168a8f6d46e295e09d1afe2637a398204eec",
	 "f79852d323230a6f57708362d6f1e69a0d2c79b8ad6fba108e4254f0307711f1"},
	{"SHA-512-256-sess", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "0000000a", "9f3c", "auth-int",
	 "v=0\r\no=- 7 7 IN IP4 192.0.2.9\r\ns=-\r\n",
	 "14a6dcbaab8ac8af0838b0c9dd66168a8f6d46e295e09d1afe2637a398204eec",
	 "5db8a695509ee6a4f72f674a7279fee463fa2b6782c34ba738987b1cd35af397"},
	{"SHA-512-256-sess", "trunk-7", "gate.example.net", "Harbour42bell", "INVITE",
	 "sip:+4930123456@gate.example.net", "0102a7b1c9", "ffffffff", "9f3c", "auth-int", "",
	 "14a6dcbaab8ac8af0838b0c9dd66168a8f6d46e295e09d1afe2637a398204eec",
	 "d02499c93af3b770722a6f41c7b09cbb651e53cc69c21b32279e0866c8fb0889"},
	{"MD5", "alice@example.org", "example.org", "x", "REGISTER", "sip:example.org",
	 "a:b:c==", "00000001", "c:d", "auth", "", "1b2c987fad1e39c165dc8aea61e57f25",
	 "3b62bf5b4f40b828e55fb807b772ddb8"},
	{"SHA-256", "Zo\xc3\xab M\xc3\xbcller", "Z\xc3\xbcrich", "p\xc3\xa4ssw\xc3\xb6rd", "INVITE",
	 "sip:192.0.2.5:5060;transport=udp", "n", "00000002", "", "auth", "",
	 "50ed5c8cb791eb4a6bdf4df875a3d54f236bbbb6ec4f4236047232b819884a57",
	 "46f870febeb4a72b3559ae200abca67d750cc6e0a6f0c68146e9f613fddb53fb"},
	{"SHA-512-256", "Zo\xc3\xab M\xc3\xbcller", "Z\xc3\xbcrich", "p\xc3\xa4ssw\xc3\xb6rd",
	 "INVITE", "sip:[2001:db8::5]:5060", "n", "00000002", "k", "auth", "",
	 "b3d3e7996534f01a3cf319ce2dee1ca0d754987c2509c3808ceb51036c7a82f4",
	 "8c08eb5972681e41d126a9e2efecb1815df8e06d4236dd3743892ca8e23c1c6e"},
	{"MD5", "sip:100@pbx.example:5060", "pbx.example", "!\"$%^&*()_-+=}[{]~#@':;?><,.\\", "BYE",
	 "sip:pbx.example", "1", "", "", "", "", "cf4fdf579d320bc3702da458b9d85536",
	 "8362d18b84071b7b73883bda9e1129cf"},
	{"MD5", "u", "r", "", "OPTIONS", "*", "nonce", "000000002", "cn", "auth", "",
	 "812a8f2a85863e9e1647da6133ea230d", "ab142f71499d3a5063bcaeebb2476c0b"},
	{"SHA-256", "", "", "", "M", "", "", "", "", "", "",
	 "71546855d6279ef70d20909b292c42c2dcb02cd06bde01485da52d13e304ebf4",
	 "d425cca20ce20fc30b48b4a506c51cfa9f440269e4d1ad762772b7716acd43a0"},
	{"MD5", "long", "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr",
	 "ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp"
	 "pppp"
	 "ppppppppppppppppppppppppppppppppppp",
	 "INVITE",
	 "sip:"
	 "99999999999999999999999999999999999999999999999999999999999999999999999999999999999999999"
	 "9@"
	 "gate.example.net",
	 "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "00000001",
	 "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "auth", "", "43be07d133594bf9d2932b99fc0712e4",
	 "85a5f957ae892bfac5197f3959c3d9a2"},
	{"SHA-512-256", "long",
	 "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr",
	 "ppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppppp"
	 "pppp"
	 "ppppppppppppppppppppppppppppppppppp",
	 "INVITE",
	 "sip:"
	 "99999999999999999999999999999999999999999999999999999999999999999999999999999999999999999"
	 "9@"
	 "gate.example.net",
	 "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "00000001",
	 "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee", "auth", "",
	 "9d56a06f03a514d89b9b5270b872ee81e2b5b60d3e267149f35ff46a40d3234a",
	 "cd09bcd26a04d92a57d34add36d874ab412eecd46b806aa08373da997ec6206c"},
};

static struct digest_input input_of(const struct vector *v, const uint8_t *ha1)
{
	struct digest_input input = {
		.ha1 = ha1,
		.nonce = slice_from(v->nonce),
		.nc = slice_from(v->nc),
		.cnonce = slice_from(v->cnonce),
		.method = slice_from(v->method),
		.uri = slice_from(v->uri),
		.body = slice_from(v->body),
	};

	assert_int_equal(
		digest_algorithm_of(slice_from(v->algorithm), &input.algorithm, &input.sess), 0);
	if (strcmp(v->qop, "auth") == 0)
		input.qop = DIGEST_QOP_AUTH;
	else if (strcmp(v->qop, "auth-int") == 0)
		input.qop = DIGEST_QOP_AUTH_INT;
	else
		assert_string_equal(v->qop, "");
	return input;
}

static void compute_ha1(const struct vector *v, enum digest_algorithm algorithm,
			uint8_t ret_ha1[DIGEST_HASH_MAX])
{
	memset(ret_ha1, 0xa5, DIGEST_HASH_MAX);
	assert_int_equal(digest_ha1(context, algorithm, slice_from(v->username),
				    slice_from(v->realm), slice_from(v->password), ret_ha1),
			 0);
	for (size_t i = digest_hash_size(algorithm); i < DIGEST_HASH_MAX; i++)
		assert_int_equal(ret_ha1[i], 0);
}

static void own_vectors_match(void **state)
{
	uint8_t ha1[DIGEST_HASH_MAX];
	char hex[DIGEST_HEX_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(own_vectors) / sizeof(own_vectors[0]); i++) {
		const struct vector *v = &own_vectors[i];
		struct digest_input input = input_of(v, ha1);

		compute_ha1(v, input.algorithm, ha1);
		hex_encode(ha1, digest_hash_size(input.algorithm), hex);
		assert_string_equal(hex, v->ha1);
		assert_int_equal(digest_response(context, &input, hex), 0);
		assert_string_equal(hex, v->response);
		assert_true(digest_response_matches(slice_from(v->response), hex));
	}
}

/* Each field counts: with one byte more the response is another. */
static void every_field_enters_the_response(void **state)
{
	const struct vector *v = &own_vectors[2];
	uint8_t ha1[DIGEST_HASH_MAX];
	char hex[DIGEST_HEX_SIZE];

	(void)state;
	for (unsigned field = 0; field < 6; field++) {
		struct digest_input input = input_of(v, ha1);
		struct slice *fields[] = {&input.nonce,	 &input.nc,  &input.cnonce,
					  &input.method, &input.uri, &input.body};

		compute_ha1(v, input.algorithm, ha1);
		fields[field]->n--;
		assert_int_equal(digest_response(context, &input, hex), 0);
		assert_false(digest_response_matches(slice_from(v->response), hex));
	}
}

/* The session's HA1 is one more hash of the same form. */
static void check_ha1(const struct vector *v, const struct digest_input *input, uint8_t *ret_ha1)
{
	char hex[DIGEST_HEX_SIZE];
	struct vector session = {.username = hex, .realm = v->nonce, .password = v->cnonce};
	uint8_t session_ha1[DIGEST_HASH_MAX];

	compute_ha1(v, input->algorithm, ret_ha1);
	hex_encode(ret_ha1, digest_hash_size(input->algorithm), hex);
	if (input->sess) {
		compute_ha1(&session, input->algorithm, session_ha1);
		hex_encode(session_ha1, digest_hash_size(input->algorithm), hex);
	}
	assert_string_equal(hex, v->ha1);
}

static void check_shared(const struct vector *v, bool good)
{
	uint8_t ha1[DIGEST_HASH_MAX];
	char hex[DIGEST_HEX_SIZE];
	struct digest_input input = input_of(v, ha1);

	if (v->password[0])
		check_ha1(v, &input, ha1);
	else
		assert_int_equal(
			hex_decode(slice_from(v->ha1), ha1, digest_hash_size(input.algorithm)), 0);
	if (!v->response[0])
		return;
	assert_int_equal(digest_response(context, &input, hex), 0);
	if (digest_response_matches(slice_from(v->response), hex) != good)
		fail_msg("%s %s %s: %s", v->algorithm, v->username, v->nonce, hex);
}

/* source algorithm username realm password method uri nonce nc cnonce qop expected_response
 * expected_ha1 body (as JSON) kind … */
enum { COLUMN_RESPONSE = 11, COLUMN_HA1, COLUMN_BODY, COLUMN_KIND, COLUMNS = 17 };

static void check_shared_line(char *line)
{
	char *field[COLUMNS];
	struct vector v;
	json_t *body;
	bool good;

	line[strcspn(line, "\n")] = '\0';
	for (size_t i = 0; i < COLUMNS; i++)
		field[i] = i + 1 < COLUMNS ? strsep(&line, "\t") : line;
	assert_non_null(field[COLUMN_KIND]);
	body = json_loads(field[COLUMN_BODY][0] ? field[COLUMN_BODY] : "\"\"", JSON_DECODE_ANY,
			  NULL);
	assert_true(json_is_string(body));
	v = (struct vector){field[1],
			    field[2],
			    field[3],
			    field[4],
			    field[5],
			    field[6],
			    field[7],
			    field[8],
			    field[9],
			    field[10],
			    json_string_value(body),
			    field[COLUMN_HA1],
			    field[COLUMN_RESPONSE]};
	good = strcmp(field[COLUMN_KIND], "ok") == 0;
	if (!good)
		assert_string_equal(field[COLUMN_KIND], "bad");
	check_shared(&v, good);
	json_decref(body);
}

static FILE *shared_vectors_open(void)
{
	const char *shared = getenv("SIPWARD_SHARED");
	char path[4096];

	snprintf(path, sizeof(path), "%s/digest_vectors.tsv", shared ? shared : "../shared");
	return fopen(path, "r");
}

static void shared_vectors_match(void **state)
{
	char line[8192];
	unsigned rows = 0;
	FILE *file = shared_vectors_open();

	(void)state;
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	for (; fgets(line, sizeof(line), file); rows++)
		check_shared_line(line);
	fclose(file);
	assert_true(rows > 0);
}

static void algorithm_names_are_known(void **state)
{
	static const struct {
		const char *text;
		int result;
		enum digest_algorithm algorithm;
		bool sess;
	} rows[] = {
		{"", 0, DIGEST_MD5, false},
		{"MD5", 0, DIGEST_MD5, false},
		{"md5", 0, DIGEST_MD5, false},
		{"MD5-sess", 0, DIGEST_MD5, true},
		{"sha-256", 0, DIGEST_SHA_256, false},
		{"SHA-256-SESS", 0, DIGEST_SHA_256, true},
		{"SHA-512-256", 0, DIGEST_SHA_512_256, false},
		{"SHA-512-256-sess", 0, DIGEST_SHA_512_256, true},
		{"-sess", -EINVAL, 0, false},
		{"MD5-sess-sess", -EINVAL, 0, false},
		{"MD", -EINVAL, 0, false},
		{"MD5 ", -EINVAL, 0, false},
		{"MD55", -EINVAL, 0, false},
		{"SHA-512", -EINVAL, 0, false},
		{"SHA256", -EINVAL, 0, false},
		{"AKAv1-MD5", -EINVAL, 0, false},
		{"token", -EINVAL, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum digest_algorithm algorithm = DIGEST_ALGORITHMS;
		bool sess = false;

		assert_int_equal(digest_algorithm_of(slice_from(rows[i].text), &algorithm, &sess),
				 rows[i].result);
		assert_int_equal(algorithm, rows[i].result ? DIGEST_ALGORITHMS : rows[i].algorithm);
		assert_int_equal(sess, rows[i].sess);
	}
}

static void responses_match_whole_and_in_either_case(void **state)
{
	static const char expected[] = "0123456789abcdef0123456789abcdef";
	static const char upper[] = "0123456789ABCDEF0123456789abcDEF";
	char sent[64];

	(void)state;
	assert_true(digest_response_matches(SLICE(expected), expected));
	assert_true(digest_response_matches(SLICE(upper), expected));
	for (size_t n = 0; n < sizeof(expected) - 1; n++)
		assert_false(digest_response_matches((struct slice){expected, n}, expected));
	assert_false(digest_response_matches((struct slice){expected, sizeof(expected)}, expected));
	assert_false(digest_response_matches((struct slice){expected, 1000}, expected));
	assert_false(digest_response_matches((struct slice){NULL, 0}, expected));
	assert_false(digest_response_matches((struct slice){"", 0}, ""));
	for (size_t i = 0; i < sizeof(expected) - 1; i++) {
		for (unsigned c = 0; c < 256; c++) {
			bool same = c == (unsigned char)expected[i] ||
				    (c >= 'A' && c <= 'F' && c + 32 == (unsigned)expected[i]);

			memcpy(sent, expected, sizeof(expected));
			sent[i] = (char)c;
			assert_int_equal(
				digest_response_matches((struct slice){sent, sizeof(expected) - 1},
							expected),
				same);
		}
	}
}

/* OpenSSL 3.0 itself takes a block for each hash and gives back the one before. */
static void responses_hold_no_memory(void **state)
{
	static const uint8_t ha1[DIGEST_HASH_MAX] = {1};
	char hex[DIGEST_HEX_SIZE];
	unsigned long held = 0, before;

	(void)state;
	for (unsigned round = 0; round < 10; round++) {
		for (size_t i = 0; i < sizeof(own_vectors) / sizeof(own_vectors[0]); i++) {
			struct digest_input input = input_of(&own_vectors[i], ha1);

			before = allocations;
			assert_int_equal(digest_response(context, &input, hex), 0);
			assert_true(allocations - before <= 4);
		}
		if (round == 0)
			held = blocks_held;
	}
	assert_true(held > 0);
	assert_int_equal(blocks_held, held);
}

static void creation_survives_each_failing_allocation(void **state)
{
	struct digest_context *other = NULL;
	int err = -ENOMEM;
	long n;

	(void)state;
	for (n = 0; err != 0 && n < 1000; n++) {
		allocations_left = n;
		err = digest_context_create(&other);
		allocations_left = -1;
		if (err != 0) {
			assert_int_equal(err, -ENOMEM);
			assert_null(other);
		}
	}
	assert_int_equal(err, 0);
	assert_true(n > 3);
	digest_context_free(other);
	digest_context_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_vectors_match),
		cmocka_unit_test(every_field_enters_the_response),
		cmocka_unit_test(algorithm_names_are_known),
		cmocka_unit_test(responses_match_whole_and_in_either_case),
		cmocka_unit_test(responses_hold_no_memory),
		cmocka_unit_test(creation_survives_each_failing_allocation),
	};
	const struct CMUnitTest shared[] = {
		cmocka_unit_test(shared_vectors_match),
	};
	FILE *file = shared_vectors_open();
	int failed;

	if (!CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free))
		return 1;
	failed = cmocka_run_group_tests_name("digest", tests, create_context, free_context);
	if (!file) {
		printf("skip shared_vectors_match: no digest_vectors.tsv\n");
		return failed;
	}
	fclose(file);
	return failed + cmocka_run_group_tests_name("shared", shared, create_context, free_context);
}
