/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/sealed.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdio.h>

#define NONCE_SIZE 12
#define TAG_SIZE 16

_Static_assert(SEALED_OVERHEAD == NONCE_SIZE + TAG_SIZE, "nonce and tag stand around the cipher");

int sealed_derive(struct slice secret, const char *purpose, uint8_t ret_key[32])
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

int sealed_key_init(struct slice secret, const char *purpose, struct sealed_key *ret_key)
{
	char text[64];
	int rc;

	snprintf(text, sizeof(text), "%s cipher", purpose);
	rc = sealed_derive(secret, text, ret_key->cipher);
	snprintf(text, sizeof(text), "%s nonce", purpose);
	return rc ? rc : sealed_derive(secret, text, ret_key->nonce);
}

/* HMAC-SHA-256 of the owner and what is sealed, cut. */
static int make_nonce(const struct sealed_key *key, struct slice owner, struct slice plain,
		      uint8_t ret_nonce[NONCE_SIZE])
{
	EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *context = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};
	uint8_t mac[EVP_MAX_MD_SIZE];
	size_t n;
	bool done = context && EVP_MAC_init(context, key->nonce, sizeof(key->nonce), params) &&
		    EVP_MAC_update(context, (const uint8_t *)owner.p, owner.n) &&
		    EVP_MAC_update(context, (const uint8_t *)plain.p, plain.n) &&
		    EVP_MAC_final(context, mac, &n, sizeof(mac));

	EVP_MAC_CTX_free(context);
	EVP_MAC_free(hmac);
	if (!done)
		return -ENOMEM;
	memcpy(ret_nonce, mac, NONCE_SIZE);
	return 0;
}

int sealed_write(const struct sealed_key *key, struct slice owner, struct slice plain,
		 uint8_t *ret_sealed)
{
	uint8_t *nonce = ret_sealed, *cipher = nonce + NONCE_SIZE, *tag = cipher + plain.n;
	int n, rc = make_nonce(key, owner, plain, nonce);
	EVP_CIPHER_CTX *context = rc ? NULL : EVP_CIPHER_CTX_new();
	bool done =
		context &&
		EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key->cipher, nonce) &&
		EVP_EncryptUpdate(context, NULL, &n, (const uint8_t *)owner.p, (int)owner.n) &&
		EVP_EncryptUpdate(context, cipher, &n, (const uint8_t *)plain.p, (int)plain.n) &&
		EVP_EncryptFinal_ex(context, cipher + n, &n) &&
		EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_SIZE, tag);

	EVP_CIPHER_CTX_free(context);
	return done ? 0 : -ENOMEM;
}

int sealed_read(const struct sealed_key *key, struct slice owner, struct slice sealed,
		void *ret_plain)
{
	const uint8_t *nonce = (const uint8_t *)sealed.p, *cipher = nonce + NONCE_SIZE;
	size_t size = sealed.n > SEALED_OVERHEAD ? sealed.n - SEALED_OVERHEAD : 0;
	EVP_CIPHER_CTX *context;
	int n, rc = -ENOMEM;

	if (!size)
		return -EBADMSG;
	context = EVP_CIPHER_CTX_new();
	if (context && EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key->cipher, nonce) &&
	    EVP_DecryptUpdate(context, NULL, &n, (const uint8_t *)owner.p, (int)owner.n) &&
	    EVP_DecryptUpdate(context, ret_plain, &n, cipher, (int)size) &&
	    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_SIZE, (void *)(cipher + size)))
		rc = EVP_DecryptFinal_ex(context, (uint8_t *)ret_plain + n, &n) > 0 ? 0 : -EBADMSG;
	EVP_CIPHER_CTX_free(context);
	return rc;
}
