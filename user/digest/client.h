/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Our side of digest authentication where a carrier asks for it: which of its challenges to answer,
 * and the answer (RFC 3261 §22, RFC 7616 §3.4, RFC 8760). Who may be answered at all, over which
 * address, and how often (twice a request) is the caller's to say.
 */
#ifndef SIPWARD_DIGEST_CLIENT_H
#define SIPWARD_DIGEST_CLIENT_H

#include "digest/digest.h"
#include "sip/sip_msg.h"

/* Longer ones are not answered. */
#define DIGEST_CLIENT_REALM_SIZE 256
#define DIGEST_CLIENT_TEXT_SIZE 512 /* of nonce and opaque */

/* Who we are to a carrier; all borrowed. */
struct digest_client {
	struct digest_context *digest;
	struct slice username;
	struct slice realm; /* the only one to answer to; empty: any, see below */
	/* DIGEST_ALGORITHMS HA1s for that realm, all zero for none; NULL, or without a realm: they
	 * come from the password. */
	const uint8_t (*ha1)[DIGEST_HASH_MAX];
	struct slice password;
};

/* A nonce and what belongs to it, kept by the caller for each carrier and user name, zeroed at
 * first: later requests are answered before they are challenged. Holds an HA1. */
struct digest_client_state {
	uint32_t nc; /* used last */
	bool proxy;  /* asked by 407, else by 401 */
	enum digest_algorithm algorithm;
	bool sess;
	enum digest_qop qop;
	bool has_opaque;
	char algorithm_text[24]; /* as sent; empty: not */
	char realm[DIGEST_CLIENT_REALM_SIZE];
	char nonce[DIGEST_CLIENT_TEXT_SIZE]; /* empty: none yet */
	char opaque[DIGEST_CLIENT_TEXT_SIZE];
	char cnonce[33];
	uint8_t ha1[DIGEST_HASH_MAX];
};

/*
 * Reads the challenges of a 401 or 407 and takes the one with the strongest algorithm that we have
 * an HA1 for, the first among equals; with qop auth where offered, auth-int where only that.
 * answered: the challenged request bore the answer to a challenge that it had got itself: another
 * one then says that our credentials are wrong, unless it is for a stale nonce (RFC 7616 §3.3).
 * One that bore a nonce of before says nothing about them: carriers forget nonces without a word.
 * Without a realm to answer to, that of the challenge is taken: *state says which, to be pinned.
 * 0: write an answer; or, with *state untouched,
 * -EKEYREJECTED: our credentials are wrong;
 * -EACCES: for other realms than ours only;
 * -ENOTSUP: none that we can answer: no Digest, malformed, of unknown algorithm or qop, too long,
 *	with control characters;
 * -ENOMEM, -EIO.
 */
int digest_client_challenged(const struct digest_client *client, const struct sip_msg *response,
			     bool answered, struct digest_client_state *state);

struct digest_client_request {
	struct slice method;
	struct slice uri;  /* the Request-URI as sent */
	struct slice body; /* as sent, for auth-int */
};
/* Writes one Authorization or Proxy-Authorization field with its CRLF, no final zero, and counts
 * the nonce up. Its length; -ENOKEY: there is no nonce to answer (any more: one without qop is good
 * for once), so send without; -ENOSPC, -EINVAL for control characters in user name or URI, or -EIO.
 */
int digest_client_write(const struct digest_client *client, struct digest_client_state *state,
			const struct digest_client_request *request, char *buf, size_t size);

/* Wipes the state. */
void digest_client_forget(struct digest_client_state *state);

#endif
