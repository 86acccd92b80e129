/* SPDX-License-Identifier: BSD-2-Clause */
#include "digest/digest.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

static const struct algorithm {
	const char *name;    /* in SIP */
	const char *openssl; /* SHA2-512/256 has an IV of its own: it is no truncated SHA-512 */
	size_t size;
} algorithms[] = {
	[DIGEST_MD5] = {"MD5", "MD5", 16},
	[DIGEST_SHA_256] = {"SHA-256", "SHA2-256", 32},
	[DIGEST_SHA_512_256] = {"SHA-512-256", "SHA2-512/256", 32},
};
_Static_assert(sizeof(algorithms) / sizeof(algorithms[0]) == DIGEST_ALGORITHMS, "algorithms");

struct digest_context {
	EVP_MD *md[DIGEST_ALGORITHMS];
	EVP_MD_CTX *ctx;
};

const char *digest_algorithm_name(enum digest_algorithm algorithm)
{
	return algorithms[algorithm].name;
}

size_t digest_hash_size(enum digest_algorithm algorithm)
{
	return algorithms[algorithm].size;
}

int digest_algorithm_of(struct slice text, enum digest_algorithm *ret_algorithm, bool *ret_sess)
{
	const struct slice suffix = SLICE("-sess");
	bool sess = false;

	if (text.n == 0)
		text = SLICE("MD5");
	if (text.n > suffix.n) {
		struct slice end = {text.p + text.n - suffix.n, suffix.n};

		sess = slice_eq_nocase(end, suffix);
	}
	if (sess)
		text.n -= suffix.n;
	for (enum digest_algorithm i = 0; i < DIGEST_ALGORITHMS; i++) {
		if (slice_eq_nocase(text, slice_from(algorithms[i].name))) {
			*ret_algorithm = i;
			*ret_sess = sess;
			return 0;
		}
	}
	return -EINVAL;
}

int digest_context_create(struct digest_context **ret_context)
{
	struct digest_context *context = calloc(1, sizeof(*context));
	bool ok;

	if (!context)
		return -ENOMEM;
	context->ctx = EVP_MD_CTX_new();
	ok = context->ctx != NULL;
	for (enum digest_algorithm i = 0; i < DIGEST_ALGORITHMS && ok; i++) {
		context->md[i] = EVP_MD_fetch(NULL, algorithms[i].openssl, NULL);
		ok = context->md[i] != NULL;
	}
	if (!ok) {
		digest_context_free(context);
		return -ENOMEM;
	}
	*ret_context = context;
	return 0;
}

void digest_context_free(struct digest_context *context)
{
	if (!context)
		return;
	for (enum digest_algorithm i = 0; i < DIGEST_ALGORITHMS; i++)
		EVP_MD_free(context->md[i]);
	EVP_MD_CTX_free(context->ctx);
	free(context);
}

/* H(part:part:…) */
static int hash_joined(struct digest_context *context, enum digest_algorithm algorithm,
		       const struct slice *parts, size_t n, uint8_t ret_hash[DIGEST_HASH_MAX])
{
	EVP_MD_CTX *ctx = context->ctx;
	bool ok = EVP_DigestInit_ex2(ctx, context->md[algorithm], NULL);

	for (size_t i = 0; i < n && ok; i++) {
		ok = i == 0 || EVP_DigestUpdate(ctx, ":", 1);
		ok = ok && EVP_DigestUpdate(ctx, parts[i].p, parts[i].n);
	}
	return ok && EVP_DigestFinal_ex(ctx, ret_hash, NULL) ? 0 : -EIO;
}

static int hash_hex(struct digest_context *context, enum digest_algorithm algorithm,
		    const struct slice *parts, size_t n, char ret_hex[DIGEST_HEX_SIZE])
{
	uint8_t hash[DIGEST_HASH_MAX];
	int err = hash_joined(context, algorithm, parts, n, hash);

	if (err == 0)
		hex_encode(hash, digest_hash_size(algorithm), ret_hex);
	OPENSSL_cleanse(hash, sizeof(hash));
	return err;
}

int digest_ha1(struct digest_context *context, enum digest_algorithm algorithm,
	       struct slice username, struct slice realm, struct slice password,
	       uint8_t ret_ha1[DIGEST_HASH_MAX])
{
	const struct slice parts[] = {username, realm, password};
	uint8_t hash[DIGEST_HASH_MAX] = {0};
	int err = hash_joined(context, algorithm, parts, 3, hash);

	if (err == 0)
		memcpy(ret_ha1, hash, sizeof(hash));
	OPENSSL_cleanse(hash, sizeof(hash));
	/* The context's buffer has held the password: this frees and wipes it. */
	EVP_MD_CTX_reset(context->ctx);
	return err;
}

bool digest_ha1_is_known(const uint8_t ha1[DIGEST_HASH_MAX])
{
	static const uint8_t none[DIGEST_HASH_MAX];

	return CRYPTO_memcmp(ha1, none, sizeof(none)) != 0;
}

int digest_userhash(struct digest_context *context, enum digest_algorithm algorithm,
		    struct slice username, struct slice realm, char ret_hex[DIGEST_HEX_SIZE])
{
	return hash_hex(context, algorithm, (struct slice[]){username, realm}, 2, ret_hex);
}

static struct slice hex_slice(const char *hex, enum digest_algorithm algorithm)
{
	return (struct slice){hex, 2 * digest_hash_size(algorithm)};
}

/* HA1, of the session where asked for (RFC 7616 §3.4.2), as hex. */
static int session_ha1(struct digest_context *context, const struct digest_input *input,
		       char ret_hex[DIGEST_HEX_SIZE])
{
	char plain[DIGEST_HEX_SIZE] = "";
	int err;

	if (!input->sess) {
		hex_encode(input->ha1, digest_hash_size(input->algorithm), ret_hex);
		return 0;
	}
	hex_encode(input->ha1, digest_hash_size(input->algorithm), plain);
	err = hash_hex(
		context, input->algorithm,
		(struct slice[]){hex_slice(plain, input->algorithm), input->nonce, input->cnonce},
		3, ret_hex);
	OPENSSL_cleanse(plain, sizeof(plain));
	return err;
}

/* RFC 7616 §3.4.3, as hex. */
static int request_ha2(struct digest_context *context, const struct digest_input *input,
		       char ret_hex[DIGEST_HEX_SIZE])
{
	struct slice parts[3] = {input->method, input->uri};
	char body_hex[DIGEST_HEX_SIZE] = "";
	int err;

	if (input->qop != DIGEST_QOP_AUTH_INT)
		return hash_hex(context, input->algorithm, parts, 2, ret_hex);
	err = hash_hex(context, input->algorithm, &input->body, 1, body_hex);
	if (err != 0)
		return err;
	parts[2] = hex_slice(body_hex, input->algorithm);
	return hash_hex(context, input->algorithm, parts, 3, ret_hex);
}

int digest_response(struct digest_context *context, const struct digest_input *input,
		    char ret_hex[DIGEST_HEX_SIZE])
{
	char ha1_hex[DIGEST_HEX_SIZE] = "", ha2_hex[DIGEST_HEX_SIZE] = "";
	struct slice ha1 = hex_slice(ha1_hex, input->algorithm);
	struct slice ha2 = hex_slice(ha2_hex, input->algorithm);
	struct slice qop = input->qop == DIGEST_QOP_AUTH ? SLICE("auth") : SLICE("auth-int");
	const struct slice legacy[] = {ha1, input->nonce, ha2}; /* RFC 2069 */
	const struct slice full[] = {ha1, input->nonce, input->nc, input->cnonce, qop, ha2};
	int err = session_ha1(context, input, ha1_hex);

	if (err == 0)
		err = request_ha2(context, input, ha2_hex);
	if (err == 0 && input->qop == DIGEST_QOP_NONE)
		err = hash_hex(context, input->algorithm, legacy, 3, ret_hex);
	else if (err == 0)
		err = hash_hex(context, input->algorithm, full, 6, ret_hex);
	OPENSSL_cleanse(ha1_hex, sizeof(ha1_hex));
	return err;
}

bool digest_response_matches(struct slice sent, const char *expected_hex)
{
	char folded[DIGEST_HEX_SIZE];

	if (sent.n == 0 || sent.n >= sizeof(folded) || sent.n != strlen(expected_hex))
		return false;
	for (size_t i = 0; i < sent.n; i++) {
		char c = sent.p[i];

		folded[i] = c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c;
	}
	return CRYPTO_memcmp(folded, expected_hex, sent.n) == 0;
}
