/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Header values whose grammar matters. Results point into the text that was read. Where there is a
 * free function the result may own memory too: what had escapes in it; a zeroed one is accepted. No
 * osip2 type leaves user/sip/.
 * All parse functions return 0, -EINVAL or -ENOMEM (or what they say), and leave *ret untouched on
 * failure.
 */
#ifndef SIPWARD_SIP_GRAMMAR_H
#define SIPWARD_SIP_GRAMMAR_H

#include "base/addr.h"
#include "base/slice.h"

struct sip_uri {
	struct slice scheme; /* sip, sips, tel, … */
	struct slice user;   /* unescaped; empty if absent */
	struct slice host;   /* without brackets */
	uint16_t port;	     /* 0 = absent */
	struct slice params; /* the text after the first ';' and before '?', as sent */
	void *owned;
};
int sip_uri_parse(struct slice text, struct sip_uri *ret_uri);
void sip_uri_free(struct sip_uri *uri);
/* The same for a URI that is ours, or that goes no further: osip2 is not asked for its opinion, the
 * result need not be freed, and the user keeps its escapes. */
int sip_uri_read(struct slice text, struct sip_uri *ret_uri);
/* Whether two URIs are the same (RFC 3261 §19.1.4); those of other schemes, those with
 * more than 12 parameters, and what can not be read, are if their bytes are. Allocates nothing. */
bool sip_uri_equal(struct slice a, struct slice b);
/* A parameter's value in "a=1;lr;b=2": true if it is there; empty value for a flag. Names without
 * regard to case. */
bool sip_param_find(struct slice params, const char *name, struct slice *ret_value);

struct sip_via {
	struct slice text;	/* the whole element, trimmed */
	struct slice transport; /* UDP, TCP, TLS, … */
	struct slice host;	/* without brackets */
	uint16_t port;		/* 0 = absent */
	struct slice branch;	/* empty if absent */
	struct slice received;	/* empty if absent */
	bool has_rport;		/* with or without a value */
	uint16_t rport;		/* 0 = no value */
	bool alias;		/* the connection may be taken for requests (RFC 5923) */
	struct slice params;	/* the text after the first ';', as sent */
};
/* One Via element (see sip_list_next), into which the result points. */
int sip_via_parse(struct slice element, struct sip_via *ret_via);

/* From, To, Contact, Route, Record-Route element: name-addr or addr-spec with parameters. */
struct sip_name_addr {
	struct slice display; /* without quotes */
	struct slice uri;     /* the addr-spec inside, as sent */
	struct slice params;  /* header parameters after the URI, as sent */
	struct slice tag;     /* empty if absent */
};
/* The result points into the element. */
int sip_name_addr_parse(struct slice element, struct sip_name_addr *ret_addr);

/* The tag parameter of a From or To value without building the rest; empty if absent. */
struct slice sip_tag(struct slice value);

/* Parts of texts as sent, which they point into; empty if absent or not to be read. The URI of an
 * element, and the user of a sip or sips URI: with its escapes and parameters, without password. Of
 * a tel URI the user is all after the scheme. */
struct slice sip_element_uri(struct slice element);
struct slice sip_uri_user(struct slice uri);

/* The seconds of a Retry-After (RFC 3261 §20.33), its comment and parameters left out; 0 if they
 * can not be read. */
unsigned sip_retry_after(struct slice value);

/* What may be written down of a URI: SCHEME:USER@HOST:PORT and ";user=phone" where it stands there,
 * without password, other parameters and headers; a tel URI's number; of other schemes the scheme
 * and its colon. Cut to size - 1 bytes. Empty for what can not be read. Allocates nothing. */
void sip_uri_plain(struct slice uri, char *buf, size_t size);

/* Digest credentials: (Proxy-)Authorization (RFC 3261 §25.1, RFC 7616 §3.4). Quoted strings are
 * unquoted and their quoted pairs unescaped; absent ones are empty with p NULL, present empty ones
 * have p set. */
struct sip_credentials {
	struct slice scheme; /* Digest, … */
	struct slice username, realm, nonce, uri, response, cnonce, opaque;
	struct slice algorithm, qop, nc, userhash; /* as sent, unquoted */
	bool extended;	/* the user name came as `username*` (RFC 5987, UTF-8), and is decoded */
	bool duplicate; /* a parameter stands twice, or username and `username*`: refuse */
	void *owned;
};
int sip_credentials_parse(struct slice value, struct sip_credentials *ret_credentials);
/* Wipes before it frees. */
void sip_credentials_free(struct sip_credentials *credentials);

/* The challenges of one WWW-Authenticate or Proxy-Authenticate field, which may hold several (RFC
 * 7235 §4.1). Texts as above; of schemes other than Digest nothing but the name. */
#define SIP_CHALLENGES_MAX 8
struct sip_challenges {
	struct sip_challenge {
		struct slice scheme;
		struct slice realm, nonce, opaque;
		struct slice algorithm, qop, stale, userhash, charset; /* qop is the list as sent */
		bool duplicate; /* a parameter stands twice: do not answer */
	} list[SIP_CHALLENGES_MAX];
	unsigned count;
	void *owned;
};
/* Also -E2BIG: more than SIP_CHALLENGES_MAX. */
int sip_challenges_parse(struct slice value, struct sip_challenges *ret_challenges);
void sip_challenges_free(struct sip_challenges *challenges);

#endif
