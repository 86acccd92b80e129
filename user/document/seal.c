/* SPDX-License-Identifier: BSD-2-Clause */
#include "document/seal.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

#define MD5_SIZE 16
#define HA1_SIZE sizeof(struct store_ha1)
#define SEALED_SIZE (HA1_SIZE + SEALED_OVERHEAD)
#define TEXT_LENGTH (3 + (SEALED_SIZE + 2) / 3 * 4)

_Static_assert(HA1_SIZE == 2 * STORE_ALGORITHMS * STORE_HA1_SIZE, "no padding is sealed");
_Static_assert(SEAL_TEXT_SIZE > TEXT_LENGTH, "the sealed text fits");

/* List, user, realm and, if there is one, upstream, each with its zero: no two owners give the same
 * bytes. */
struct bound {
	char bytes[3 * STORE_NAME_SIZE + STORE_URI_SIZE];
	size_t n;
};

int seal_init(const struct document_key *key, struct sealed_key *ret_seal)
{
	const struct slice secret = {(const char *)key->bytes, sizeof(key->bytes)};

	return sealed_key_init(secret, "sipward document", ret_seal);
}

static int bind_owner(const struct seal_owner *owner, struct bound *ret_bound)
{
	const char *const parts[] = {owner->list, owner->user, owner->realm, owner->upstream};

	ret_bound->n = 0;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && parts[i]; i++) {
		size_t size = strlen(parts[i]) + 1;

		if (ret_bound->n + size > sizeof(ret_bound->bytes))
			return -EINVAL;
		memcpy(ret_bound->bytes + ret_bound->n, parts[i], size);
		ret_bound->n += size;
	}
	return 0;
}

int seal_write(const struct sealed_key *seal, const struct seal_owner *owner,
	       const struct store_ha1 *ha1, char ret_text[SEAL_TEXT_SIZE])
{
	uint8_t sealed[SEALED_SIZE];
	struct bound bound;
	int rc = bind_owner(owner, &bound);

	if (rc == 0)
		rc = sealed_write(seal, (struct slice){bound.bytes, bound.n},
				  (struct slice){(const char *)ha1, HA1_SIZE}, sealed);
	if (rc)
		return rc;
	memcpy(ret_text, "v1:", 3);
	EVP_EncodeBlock((uint8_t *)ret_text + 3, sealed, SEALED_SIZE);
	return 0;
}

int seal_read(const struct sealed_key *seal, const struct seal_owner *owner, struct slice text,
	      struct store_ha1 *ret_ha1)
{
	uint8_t sealed[(SEALED_SIZE + 2) / 3 * 3];
	struct store_ha1 ha1 = {0};
	struct bound bound;
	int rc = bind_owner(owner, &bound);

	if (rc || text.n != TEXT_LENGTH || memcmp(text.p, "v1:", 3) != 0)
		return -EINVAL;
	if (EVP_DecodeBlock(sealed, (const uint8_t *)text.p + 3, (int)text.n - 3) < 0)
		return -EINVAL;
	rc = sealed_read(seal, (struct slice){bound.bytes, bound.n},
			 (struct slice){(const char *)sealed, SEALED_SIZE}, &ha1);
	/* MD5 fills half of its room: what the store will not keep is no difference. */
	if (owner->realm[0]) {
		memset(ha1.plain[0] + MD5_SIZE, 0, STORE_HA1_SIZE - MD5_SIZE);
		memset(ha1.at_realm[0] + MD5_SIZE, 0, STORE_HA1_SIZE - MD5_SIZE);
	}
	if (rc == 0)
		*ret_ha1 = ha1;
	explicit_bzero(&ha1, sizeof(ha1));
	return rc;
}
