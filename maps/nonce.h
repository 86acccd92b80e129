/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The nonce of a digest challenge, computed by the daemon and by the filter alike. The text on the
 * wire is the lower-case hex of struct sipward_nonce. Include maps/siphash.h before this file.
 */
#ifndef SIPWARD_MAPS_NONCE_H
#define SIPWARD_MAPS_NONCE_H

#define SIPWARD_NONCE_VERSION 1
#define SIPWARD_NONCE_KEYS 4
#define SIPWARD_NONCE_HEX 64 /* digits of the text */
#define SIPWARD_NONCE_UDP 1    /* in the binding: enum net_transport */
#define SIPWARD_NONCE_SESS 0x80 /* in the binding's algorithm: its -sess form */

struct sipward_nonce {
	__u8 version; /* SIPWARD_NONCE_VERSION */
	__u8 key;     /* which of the SIPWARD_NONCE_KEYS keys */
	__be16 node_be;
	__be32 issued_be; /* seconds since 1970 */
	__u8 random[8];
	__u8 tag[SIPHASH_TAG_SIZE];
};

/* What a nonce is bound to besides its own fields. */
struct sipward_nonce_binding {
	__u64 realm_hash; /* sipward_nonce_realm */
	__u8 addr[16];	  /* network order; IPv4 uses the first four, the others are zero */
	__u8 family;	  /* 4 or 6 */
	__u8 transport;	  /* enum net_transport: 1 UDP, 2 TCP, 3 TLS */
	__u8 algorithm;	  /* enum digest_algorithm: 0 MD5, 1 SHA-256, 2 SHA-512-256 */
	__u8 pad[5];
};

_Static_assert(sizeof(struct sipward_nonce) == 32, "nonce");
_Static_assert(2 * sizeof(struct sipward_nonce) == SIPWARD_NONCE_HEX, "nonce text");
_Static_assert(sizeof(struct sipward_nonce_binding) == 32, "nonce binding");

/* Stands for the realm in the tag, so that what is tagged has one length. Without a secret: realms
 * are the operator's, and so nobody else can look for two that are the same here. */
static __always_inline __u64 sipward_nonce_realm(const __u8 *realm, __u64 n)
{
	static const __u8 key[SIPHASH_KEY_SIZE];
	struct siphash h;
	__u64 tail;

	siphash_init(&h, key, SIPHASH_64);
	tail = siphash_bytes(&h, realm, n);
	return siphash_final_64(&h, tail);
}

/* The tag over all fields of the nonce before it and the binding. */
static __always_inline void sipward_nonce_tag(const __u8 key[SIPHASH_KEY_SIZE],
					      const struct sipward_nonce *nonce,
					      const struct sipward_nonce_binding *binding,
					      __u8 ret_tag[SIPHASH_TAG_SIZE])
{
	const __u8 *fields = (const __u8 *)nonce;
	struct siphash h;

	siphash_init(&h, key, SIPHASH_128);
	siphash_word(&h, siphash_load(fields));
	siphash_word(&h, siphash_load(fields + 8));
	siphash_word(&h, siphash_load(binding->addr));
	siphash_word(&h, siphash_load(binding->addr + 8));
	siphash_word(&h, binding->realm_hash);
	siphash_word(&h, (__u64)binding->family | (__u64)binding->transport << 8 |
			     (__u64)binding->algorithm << 16);
	siphash_final_128(&h, siphash_tail(fields, 48), ret_tag);
}

#endif
