/* SPDX-License-Identifier: BSD-2-Clause */
#include "digest/nonce.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/types.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "../../maps/siphash.h"
#include "../../maps/nonce.h"
#include "base/random.h"

#define FUTURE_S 5 /* how far the clocks of two nodes, or one clock set back, may be apart */

_Static_assert(NONCE_TEXT_SIZE == SIPWARD_NONCE_HEX + 1, "nonce text");
_Static_assert(sizeof(((struct nonce_keys *)0)->present) / sizeof(bool) == SIPWARD_NONCE_KEYS,
	       "nonce keys");

static int derive(const struct nonce_master *master, uint64_t period, uint8_t ret_key[16])
{
	static const char label[] = "sipward nonce key";
	uint8_t text[sizeof(label) + sizeof(period)], hash[32];
	bool ok;

	memcpy(text, label, sizeof(label));
	for (size_t i = 0; i < sizeof(period); i++)
		text[sizeof(label) + i] = (uint8_t)(period >> (56 - 8 * i));
	ok = HMAC(EVP_sha256(), master->bytes, (int)master->n, text, sizeof(text), hash, NULL);
	if (ok)
		memcpy(ret_key, hash, SIPHASH_KEY_SIZE);
	OPENSSL_cleanse(hash, sizeof(hash));
	return ok ? 0 : -EIO;
}

int nonce_keys_at(const struct nonce_master *master, unsigned period_s, uint64_t now_s,
		  struct nonce_keys *ret_keys)
{
	uint8_t key[SIPWARD_NONCE_KEYS][SIPHASH_KEY_SIZE];
	uint64_t period;
	int rc = 0;

	if (master->n < NONCE_MASTER_MIN || master->n > sizeof(master->bytes) || period_s == 0)
		return -EINVAL;
	period = now_s / period_s;
	/* From the next one back: the oldest still tells what has expired from what is forged. */
	for (unsigned i = 0; i < SIPWARD_NONCE_KEYS && rc == 0; i++)
		rc = derive(master, period + 1 - i, key[(period + 1 - i) % SIPWARD_NONCE_KEYS]);
	if (rc == 0) {
		memcpy(ret_keys->key, key, sizeof(key));
		memset(ret_keys->present, true, sizeof(ret_keys->present));
		ret_keys->current = period % SIPWARD_NONCE_KEYS;
	}
	OPENSSL_cleanse(key, sizeof(key));
	return rc;
}

static void tag_compute(const uint8_t *key, const struct nonce_binding *binding,
			const struct sipward_nonce *nonce, uint8_t ret_tag[SIPHASH_TAG_SIZE])
{
	struct sipward_nonce_binding bound = {
		.realm_hash = sipward_nonce_realm((const uint8_t *)binding->realm.p,
						  binding->realm.n),
		.family = binding->source.family,
		.transport = binding->transport,
		.algorithm = binding->algorithm | (binding->sess ? SIPWARD_NONCE_SESS : 0),
	};

	memcpy(bound.addr, binding->source.bytes, sizeof(bound.addr));
	sipward_nonce_tag(key, nonce, &bound, ret_tag);
}

void nonce_issue(const struct nonce_keys *keys, const struct nonce_binding *binding, uint64_t now_s,
		 char ret_text[NONCE_TEXT_SIZE])
{
	struct sipward_nonce nonce = {
		.version = SIPWARD_NONCE_VERSION,
		.key = keys->current,
		.node_be = htons(keys->node),
		.issued_be = htonl(now_s),
	};

	random_bytes(nonce.random, sizeof(nonce.random));
	tag_compute(keys->key[keys->current], binding, &nonce, nonce.tag);
	hex_encode(&nonce, sizeof(nonce), ret_text);
}

/* Whether one of these keys made it for this very binding. */
static bool is_made_by(const struct nonce_keys *keys, const struct nonce_binding *binding,
		       const struct sipward_nonce *nonce)
{
	uint8_t tag[SIPHASH_TAG_SIZE];
	bool same;

	if (nonce->version != SIPWARD_NONCE_VERSION || nonce->key >= SIPWARD_NONCE_KEYS ||
	    !keys->present[nonce->key])
		return false;
	tag_compute(keys->key[nonce->key], binding, nonce, tag);
	same = CRYPTO_memcmp(tag, nonce->tag, sizeof(tag)) == 0;
	OPENSSL_cleanse(tag, sizeof(tag));
	return same;
}

static bool is_ours(const struct nonce_keys *keys, const struct nonce_binding *binding,
		    const struct sipward_nonce *nonce)
{
	return is_made_by(keys, binding, nonce) ||
	       (keys->older && is_made_by(keys->older, binding, nonce));
}

enum nonce_result nonce_verify(const struct nonce_keys *keys, const struct nonce_binding *binding,
			       struct slice text, uint64_t now_s, unsigned lifetime_s,
			       uint64_t *ret_issued_s)
{
	struct sipward_nonce nonce;
	uint64_t issued_s;

	if (hex_decode(text, &nonce, sizeof(nonce)) != 0 || !is_ours(keys, binding, &nonce))
		return NONCE_FOREIGN;
	issued_s = ntohl(nonce.issued_be);
	if (issued_s > now_s && issued_s - now_s > FUTURE_S)
		return NONCE_FOREIGN;
	*ret_issued_s = issued_s;
	/* Its time alone would not tell, if the clock was set back before the start. */
	if (keys->alone && ntohs(nonce.node_be) != keys->node)
		return NONCE_EXPIRED;
	return now_s > issued_s + lifetime_s ? NONCE_EXPIRED : NONCE_VALID;
}
