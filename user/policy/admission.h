/* SPDX-License-Identifier: BSD-2-Clause */
/* The admission decision for a request out of dialog (DESIGN §6): trunk → address → digest.
 * Decides and tells; sends nothing. */
#ifndef SIPWARD_POLICY_ADMISSION_H
#define SIPWARD_POLICY_ADMISSION_H

#include "digest/digest.h"
#include "digest/nonce.h"
#include "digest/replay.h"
#include "policy/lockout.h"
#include "policy/policy.h"
#include "registrar/registrar.h"
#include "sip/sip_msg.h"

struct proofs;

/* What admission works with; all borrowed. Replay windows, lockouts, proofs and the registrar may
 * be shared by workers. */
struct admission {
	const struct policy *policy;
	struct digest_context *digest;
	const struct nonce_keys *nonce_keys;
	struct replay *replay;
	struct lockouts *lockouts;
	struct filter *filter; /* NULL: none */
	struct proofs *proofs; /* NULL: those in the filter's map alone */
	struct registrar *registrar; /* NULL: nobody is registered */
	/* Told once that a user has answered a stronger algorithm; may be NULL. Must not block. */
	void (*ratchet)(void *arg, int64_t user_id, unsigned strongest);
	void *ratchet_arg;
};

enum admission_verdict {
	ADMISSION_FORWARD,
	ADMISSION_CHALLENGE, /* status 401 or 407 with the headers in `challenge` */
	ADMISSION_REFUSE,    /* `status`: 400, 403, 486, 500 */
};

/* The one cause, for logs, metrics and explain. Append only. */
enum admission_cause {
	ADMISSION_BY_ADDRESS, ADMISSION_BY_CREDENTIAL, ADMISSION_BY_ADDRESS_AND_CREDENTIAL,
	ADMISSION_NO_TRUNK,	    /* 403: a scanner learns nothing */
	ADMISSION_ADDRESS_REFUSED,
	ADMISSION_NO_CREDENTIALS,   /* none for our realm: challenge */
	ADMISSION_BAD_CREDENTIALS,  /* wrong user, password or digest: 403 */
	ADMISSION_MALFORMED_CREDENTIALS, /* 400: qop without nc or cnonce, duplicate parameters, no
					    qop where required, another URI where strict */
	ADMISSION_FOREIGN_NONCE,    /* challenge */
	ADMISSION_EXPIRED_NONCE,    /* right digest: challenge with stale=true */
	ADMISSION_REPLAYED,	    /* challenge with stale=true, counted */
	ADMISSION_WEAK_ALGORITHM,   /* not offered to this user: challenge */
	ADMISSION_NOT_REGISTERED,   /* auth type none without a registration: 486 */
	ADMISSION_NO_RESOURCES,	    /* 500: out of memory; never evidence */
	ADMISSION_TRUNK_DISABLED,   /* 403, as an address that is refused */
	ADMISSION_BY_REGISTRATION,  /* auth type none: the From user has registered from here */
	ADMISSION_NO_REGISTRAR,	    /* REGISTER on a trunk that nobody can register with: 403 */
	ADMISSION_NO_CLIENT_CERTIFICATE, /* the trunk asks for a verified one: 403 */
	ADMISSION_CAUSES
};
const char *admission_cause_name(enum admission_cause cause);

#define ADMISSION_CHALLENGE_SIZE 3072

struct admission_result {
	enum admission_verdict verdict;
	enum admission_cause cause;
	unsigned status;	       /* for CHALLENGE and REFUSE */
	const struct policy_trunk *trunk; /* NULL without one */
	enum store_auth_type auth;	  /* how it was admitted */
	const struct policy_user *user;	  /* NULL unless by credential */
	/* The user name in the credentials that decided, cut to size; empty without. That there
	 * is no such user is for the operator alone. */
	struct slice tried;
	char tried_text[STORE_USER_SIZE];
	bool tried_unknown;
	bool registered_elsewhere; /* the From user, but from another address; for the operator */
	struct slice challenge;	       /* header fields with CRLF; points into the result */
	char challenge_text[ADMISSION_CHALLENGE_SIZE];
	bool locked_out;	       /* this very failure locked the source out */
	struct sipward_lockout lockout;
};

struct admission_request {
	const struct sip_msg *msg;
	const struct policy_trunk *trunk; /* NULL: by the Request-URI */
	struct endpoint source;
	unsigned transport; /* enum net_transport */
	bool reliable;	    /* TCP or TLS: the source can not be forged */
	bool client_verified; /* with a certificate of the gate's client authorities */
	uint64_t now_ns;    /* clock_coarse_ns */
	uint64_t now_s;	    /* clock_steady_s */
};

/* Decides. Counts failures as evidence, uses up nonce counts, marks sources as proven. An upstream
 * is treated as any other listed source here. */
void admission_decide(const struct admission *admission, const struct admission_request *request,
		      struct admission_result *ret_result);

/* Whether the From user holds a live registration that came from the source, with the trunk of the
 * From URI's domain, and could register there now. 0, -ENOENT, -EADDRNOTAVAIL (from another address
 * only), or -ENOMEM. */
int admission_registered(const struct admission *admission, const struct sip_msg *msg,
			 const struct ip *source, uint64_t now_s);

/* A peer broke the rules of its TCP or TLS connection: hard evidence, but for the gate's own
 * upstreams and destinations. True if that has just locked it out; *ret_lockout says until when. */
bool admission_misbehaved(const struct admission *admission, const struct ip *source,
			  uint64_t now_ns, struct sipward_lockout *ret_lockout);

/* What the operator may want to know about the refusal or challenge, or NULL. */
const char *admission_hint(const struct policy *policy, const struct sip_msg *msg,
			   const struct admission_result *result);

/* More credentials than anybody has reason to send. */
#define ADMISSION_CREDENTIALS_MAX 16

/* Lists the headers of the message with credentials for any realm of the gate, which no upstream is
 * to see. Digest credentials that can not be read, or name no realm, are among them. Returns how
 * many; above ADMISSION_CREDENTIALS_MAX there may be more. */
unsigned admission_own_credentials(const struct policy *policy, const struct sip_msg *msg,
				   unsigned ret_headers[ADMISSION_CREDENTIALS_MAX + 1]);

#endif
