/* SPDX-License-Identifier: BSD-2-Clause */
#include "document/seal.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <stdio.h>

#define NONCE_SIZE 12
#define TAG_SIZE 16
#define MD5_SIZE 16
#define HA1_SIZE sizeof(struct store_ha1)
#define SEALED_SIZE (NONCE_SIZE + HA1_SIZE + TAG_SIZE)
#define TEXT_LENGTH (3 + (SEALED_SIZE + 2) / 3 * 4)

_Static_assert(HA1_SIZE == 2 * STORE_ALGORITHMS * STORE_HA1_SIZE, "no padding is sealed");
_Static_assert(SEAL_TEXT_SIZE > TEXT_LENGTH, "the sealed text fits");

/* List, user and realm, each with its zero: no two owners give the same bytes. HA1s may follow. */
struct bound {
	char bytes[2 * STORE_NAME_SIZE + STORE_USER_SIZE + HA1_SIZE];
	size_t n;
};

int seal_derive(struct slice secret, const char *purpose, uint8_t ret_key[32])
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret.p, secret.n),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)purpose,
						  strlen(purpose)),
		OSSL_PARAM_construct_end(),
	};
	int rc = context && EVP_KDF_derive(context, ret_key, 32, params) == 1 ? 0 : -ENOMEM;

	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	return rc;
}

int seal_init(const struct document_key *key, struct seal *ret_seal)
{
	const struct slice secret = {(const char *)key->bytes, sizeof(key->bytes)};
	int rc = seal_derive(secret, "sipward document cipher", ret_seal->cipher_key);

	return rc ? rc : seal_derive(secret, "sipward document nonce", ret_seal->nonce_key);
}

static int bind_owner(const struct seal_owner *owner, struct bound *ret_bound)
{
	int n = snprintf(ret_bound->bytes, sizeof(ret_bound->bytes) - HA1_SIZE, "%s%c%s%c%s",
			 owner->list, '\0', owner->user, '\0', owner->realm);

	if (n < 0 || (size_t)n >= sizeof(ret_bound->bytes) - HA1_SIZE)
		return -EINVAL;
	ret_bound->n = (size_t)n + 1;
	return 0;
}

static int make_nonce(const struct seal *seal, struct bound *bound, const struct store_ha1 *ha1,
		      uint8_t ret_nonce[NONCE_SIZE])
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	bool done;

	memcpy(bound->bytes + bound->n, ha1, HA1_SIZE);
	done = HMAC(EVP_sha256(), seal->nonce_key, sizeof(seal->nonce_key),
		    (const uint8_t *)bound->bytes, bound->n + HA1_SIZE, mac, NULL);
	explicit_bzero(bound->bytes + bound->n, HA1_SIZE);
	memcpy(ret_nonce, mac, NONCE_SIZE);
	return done ? 0 : -ENOMEM;
}

/* One run of the cipher over owner and HA1s. */
struct run {
	const struct seal *seal;
	const uint8_t *nonce;
	const struct bound *bound;
	uint8_t *tag;
};

static int encrypt(const struct run *run, const void *plain, uint8_t *ret_sealed)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	const uint8_t *owner = (const uint8_t *)run->bound->bytes;
	int n;
	bool done = context &&
		    EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, run->seal->cipher_key,
				       run->nonce) &&
		    EVP_EncryptUpdate(context, NULL, &n, owner, (int)run->bound->n) &&
		    EVP_EncryptUpdate(context, ret_sealed, &n, plain, HA1_SIZE) &&
		    EVP_EncryptFinal_ex(context, ret_sealed + n, &n) &&
		    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, run->tag);

	EVP_CIPHER_CTX_free(context);
	return done ? 0 : -ENOMEM;
}

static int decrypt(const struct run *run, const uint8_t *sealed, uint8_t *ret_plain)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	const uint8_t *owner = (const uint8_t *)run->bound->bytes;
	int n, rc = -ENOMEM;

	if (context &&
	    EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, run->seal->cipher_key,
			       run->nonce) &&
	    EVP_DecryptUpdate(context, NULL, &n, owner, (int)run->bound->n) &&
	    EVP_DecryptUpdate(context, ret_plain, &n, sealed, HA1_SIZE) &&
	    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, run->tag))
		rc = EVP_DecryptFinal_ex(context, ret_plain + n, &n) > 0 ? 0 : -EBADMSG;
	EVP_CIPHER_CTX_free(context);
	return rc;
}

int seal_write(const struct seal *seal, const struct seal_owner *owner, const struct store_ha1 *ha1,
	       char ret_text[SEAL_TEXT_SIZE])
{
	uint8_t sealed[SEALED_SIZE];
	struct bound bound;
	const struct run run = {seal, sealed, &bound, sealed + NONCE_SIZE + HA1_SIZE};
	int rc = bind_owner(owner, &bound);

	if (rc == 0)
		rc = make_nonce(seal, &bound, ha1, sealed);
	if (rc == 0)
		rc = encrypt(&run, ha1, sealed + NONCE_SIZE);
	if (rc)
		return rc;
	memcpy(ret_text, "v1:", 3);
	EVP_EncodeBlock((uint8_t *)ret_text + 3, sealed, SEALED_SIZE);
	return 0;
}

int seal_read(const struct seal *seal, const struct seal_owner *owner, struct slice text,
	      struct store_ha1 *ret_ha1)
{
	uint8_t sealed[(SEALED_SIZE + 2) / 3 * 3];
	struct store_ha1 ha1 = {0};
	struct bound bound;
	const struct run run = {seal, sealed, &bound, sealed + NONCE_SIZE + HA1_SIZE};
	int rc = bind_owner(owner, &bound);

	if (rc || text.n != TEXT_LENGTH || memcmp(text.p, "v1:", 3) != 0)
		return -EINVAL;
	if (EVP_DecodeBlock(sealed, (const uint8_t *)text.p + 3, (int)text.n - 3) < 0)
		return -EINVAL;
	rc = decrypt(&run, sealed + NONCE_SIZE, (uint8_t *)&ha1);
	/* MD5 fills half of its room: what the store will not keep is no difference. */
	memset(ha1.plain[0] + MD5_SIZE, 0, STORE_HA1_SIZE - MD5_SIZE);
	memset(ha1.at_realm[0] + MD5_SIZE, 0, STORE_HA1_SIZE - MD5_SIZE);
	if (rc == 0)
		*ret_ha1 = ha1;
	explicit_bzero(&ha1, sizeof(ha1));
	return rc;
}
