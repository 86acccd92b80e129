/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store: the one truth about ACLs, credentials, trunks and settings. SQLite (WAL), one file,
 * STATE_DIR/sipward.db. Nothing outside user/store/ speaks SQL.
 *
 * Every change is one transaction that validates, writes an audit row and raises the generation;
 * one that changes nothing does none of this. What was reported as done outlives kill -9 and power
 * loss. A struct store belongs to one thread at a time; open one for each. A visitor must not
 * change what it walks over.
 *
 * Errors: -EINVAL (a value breaks a rule; the sentence names field, value and rule), -EEXIST,
 * -ENOENT, -EBUSY (in use: the sentence names the trunks; or locked by another process too long),
 * -ENOSPC (disk full), -EROFS, -EACCES, -EPROTO (the file is of a newer sipward or no store), -EIO.
 */
#ifndef SIPWARD_STORE_H
#define SIPWARD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"
#include "filter/filter.h"

#define STORE_STATE_DIR_DEFAULT "/var/lib/sipward"

#define STORE_NAME_SIZE 121 /* ACL, list, trunk, realm names: at most 120 bytes and a zero */
#define STORE_USER_SIZE 65  /* 3–64 of letters, digits, '.', '_', '-' */
#define STORE_NOTE_SIZE 256
#define STORE_DOMAIN_SIZE 254 /* "*" = the default trunk */
#define STORE_URI_SIZE 300
#define STORE_HA1_SIZE 32  /* MD5 uses the first 16 */
#define STORE_ALGORITHMS 3 /* in the order of enum digest_algorithm: MD5, SHA-256, SHA-512-256 */
#define STORE_ALIASES_SIZE 1024
#define STORE_NUMBER_SIZE 17 /* '+', at most 15 digits (E.164) and a zero */
#define STORE_DIAL_SIZE 8    /* a country code or a dialling prefix: at most 7 digits */
#define STORE_CONTACT_SIZE 512
#define STORE_HEADER_NAME_SIZE 65
#define STORE_HEADER_VALUE_SIZE 256

struct store;

/* Opens or creates the store; creates state_dir (mode 0700) if its parent exists. */
int store_open(const char *state_dir, struct store **ret_store, struct error *err);
void store_close(struct store *store);

/* Raised by every change. Starts at the time of the store's making (Unix time in microseconds), so
 * that generations of an older store that stood in the same place are not taken for its own. */
int store_generation(struct store *store, uint64_t *ret_generation);

/* Read transactions: between them all reads see one state. */
int store_read_begin(struct store *store, struct error *err);
void store_read_end(struct store *store);

/* Makes one transaction of the changes between the two: they are seen, and raise the generation,
 * together or not at all. Each still writes its audit row. Ends with commit = false: nothing of it
 * happened. After a change that fails the group can only be ended (further ones are -ECANCELED);
 * with commit = true that returns the failure, and nothing of it happened either. Other processes
 * can not change anything meanwhile. Not to be nested. */
int store_change_begin(struct store *store, struct error *err);
int store_change_end(struct store *store, bool commit, struct error *err);

/* ---- ACLs (acl.c) ---- */

struct store_acl {
	int64_t id;
	char name[STORE_NAME_SIZE];
	char note[STORE_NOTE_SIZE];
	uint64_t entries; /* those of host names too */
	uint64_t trunks;  /* attached to how many */
};
struct store_acl_entry {
	int64_t id;
	int64_t acl_id;
	int64_t host_id; /* the host name that was resolved to it; 0 = a prefix given as such */
	struct prefix prefix;
	bool deny;
	char note[STORE_NOTE_SIZE]; /* of a host name's: that name */
};

int store_acl_create(struct store *store, const char *name, const char *note, struct error *err);
int store_acl_note(struct store *store, const char *name, const char *note, struct error *err);
/* -EBUSY while attached to a trunk. */
int store_acl_delete(struct store *store, const char *name, struct error *err);
int store_acl_get(struct store *store, const char *name, struct store_acl *ret_acl,
		  struct error *err);
/* Visitors: a result other than 0 ends the walk and is returned. Sorted by name (entries: by
 * family, address, length; where one prefix stands several times in an ACL, as such and for host
 * names, one that denies is the last of them, and counts). */
int store_acl_each(struct store *store, int (*visit)(const struct store_acl *acl, void *arg),
		   void *arg, struct error *err);
/* name NULL: the entries of all ACLs. */
int store_acl_entry_each(struct store *store, const char *name,
			 int (*visit)(const struct store_acl_entry *entry, void *arg), void *arg,
			 struct error *err);
/* Adds all or none. An entry that is there already with the same meaning is no error and not
 * counted; with the other meaning (allow/deny) it is changed. *ret_added may be NULL. */
int store_acl_add(struct store *store, const char *name, const struct store_acl_entry *entries,
		  size_t n, size_t *ret_added, struct error *err);
/* Removes all or none; -ENOENT names the first prefix that is not there. */
int store_acl_remove(struct store *store, const char *name, const struct prefix *prefixes, size_t n,
		     struct error *err);

/* ---- ACL entries that are host names (acl_host.c) ---- */

#define STORE_HOST_ADDRESSES_MAX 256

enum store_host_kind {
	STORE_HOST_ADDRESS, /* all A and AAAA records of the name */
	STORE_HOST_SRV,	    /* all addresses of all targets of an SRV name (_sip._udp.NAME) */
};

struct store_acl_host {
	int64_t id;
	int64_t acl_id;
	char host[STORE_DOMAIN_SIZE]; /* lower case, no final dot */
	enum store_host_kind kind;    /* follows from the name: it begins with '_' */
	bool deny;
	char note[STORE_NOTE_SIZE];
	uint64_t addresses;	/* how many it stands for now */
	int64_t resolved_s;	/* Unix time of the last good answer; 0 = never */
	int64_t due_s;		/* when to ask again; 0 = at once */
	char failure[STORE_NOTE_SIZE]; /* why the last try failed; empty: it did not */
};

/* Host names stand in ACLs beside prefixes; their addresses are entries once resolved. One that is
 * there already with the same meaning is no error; with the other meaning it is changed, and its
 * addresses with it. */
int store_acl_host_add(struct store *store, const char *acl, const struct store_acl_host *host,
		       struct error *err);
int store_acl_host_remove(struct store *store, const char *acl, const char *host,
			  struct error *err);
/* Also takes a note away, which adding again does not. */
int store_acl_host_note(struct store *store, const char *acl, const char *host, const char *note,
			struct error *err);
/* acl NULL: of all ACLs. In order of ACL and name. */
int store_acl_host_each(struct store *store, const char *acl,
			int (*visit)(const struct store_acl_host *host, void *arg), void *arg,
			struct error *err);
/* The addresses it stands for now, sorted; at most STORE_HOST_ADDRESSES_MAX. */
int store_acl_host_addresses(struct store *store, int64_t host_id, struct ip *ret_addresses,
			     size_t *ret_n, struct error *err);
/* The host's addresses are these now (n > 0; at most STORE_HOST_ADDRESSES_MAX). A change of the
 * ACL, with an audit row, if they differ; else only the times are noted, and nothing else
 * changes. */
int store_acl_host_resolved(struct store *store, int64_t host_id, const struct ip *addresses,
			    size_t n, int64_t due_s, struct error *err);
/* It could not be resolved: it keeps its addresses. No change of generation. Both are -ENOENT for a
 * host that has been removed meanwhile. */
int store_acl_host_failed(struct store *store, int64_t host_id, const char *why, int64_t due_s,
			  struct error *err);

/* ---- credentials (credentials.c) ---- */

struct store_credentials {
	int64_t id;
	char name[STORE_NAME_SIZE];
	char realm[STORE_NAME_SIZE];
	bool at_realm; /* its users may give their name as "user@realm" too; default off */
	uint64_t users;
	uint64_t trunks;
};
/* What a password is kept as; secret. */
struct store_ha1 {
	uint8_t plain[STORE_ALGORITHMS][STORE_HA1_SIZE]; /* H(user:realm:password) */
	/* H(user@realm:realm:password); all zero: not known, as the password was set by a version
	 * that did not keep it. */
	uint8_t at_realm[STORE_ALGORITHMS][STORE_HA1_SIZE];
};
struct store_user {
	int64_t id;
	int64_t list_id;
	char name[STORE_USER_SIZE];
	struct store_ha1 ha1;
	unsigned strongest; /* index of the strongest algorithm ever answered (the ratchet) */
};

/* The realm goes into challenges as it is: no quotes, no backslashes. */
int store_credentials_create(struct store *store, const char *name, const char *realm,
			     struct error *err);
/* Whether names may be given as "user@realm". */
int store_credentials_set(struct store *store, const char *name, bool at_realm, struct error *err);
int store_credentials_delete(struct store *store, const char *name, struct error *err);
int store_credentials_get(struct store *store, const char *name, struct store_credentials *ret_list,
			  struct error *err);
int store_credentials_each(struct store *store,
			   int (*visit)(const struct store_credentials *list, void *arg), void *arg,
			   struct error *err);
/* list NULL: the users of all lists. The HA1s are wiped after the visit. */
int store_user_each(struct store *store, const char *list,
		    int (*visit)(const struct store_user *user, void *arg), void *arg,
		    struct error *err);
/* The password rule: 8–128 bytes with an upper-case letter, a lower-case letter and a digit, no
 * control characters. The sentence never holds the password. */
int store_password_check(const char *password, struct error *err);
/* 3–64 of letters, digits, '.', '_', '-'; with the setting user_names_utf8 any UTF-8 of 3–64
 * bytes without control characters, '@' and ':'. */
int store_user_name_check(struct store *store, const char *name, struct error *err);
/* -EEXIST also if a trunk would then know the name twice in one realm (through another list). */
int store_user_add(struct store *store, const char *list, const char *name,
		   const struct store_ha1 *ha1, struct error *err);
/* Also resets the ratchet. */
int store_user_passwd(struct store *store, const char *list, const char *name,
		      const struct store_ha1 *ha1, struct error *err);
int store_user_remove(struct store *store, const char *list, const char *name, struct error *err);
/* The daemon's note that a user has answered a stronger algorithm. Raises no generation. Waits 50
 * ms at most for another process's change (-EBUSY); several threads may share the store for it. */
int store_user_ratchet(struct store *store, int64_t user_id, unsigned strongest, struct error *err);

/* ---- trunks (trunk.c) ---- */

enum store_auth_type {
	STORE_AUTH_NONE,
	STORE_AUTH_IP_ACL,
	STORE_AUTH_CREDENTIAL,
	STORE_AUTH_IP_ACL_AND_CREDENTIAL,
};
/* none, ip_acl, credential, ip_acl_and_credential */
const char *store_auth_type_name(enum store_auth_type type);

/* How the URI in the credentials must agree with the Request-URI. */
enum store_uri_rule {
	STORE_URI_ANY,
	STORE_URI_EQUIVALENT, /* RFC 3261 §19.1.4 */
	STORE_URI_EXACT,
};

/* What becomes of a called number (the user part of the Request-URI). */
enum store_e164 {
	STORE_E164_OFF,
	STORE_E164_REQUIRE,   /* must be +digits */
	STORE_E164_NORMALIZE, /* made so where the dialling prefixes tell how, else as REQUIRE */
};

/* What becomes of a call whose caller (the user part of From) is none of the trunk's numbers. */
/* The rule holds with no numbers too: then for everybody. */
enum store_caller_rule { STORE_CALLER_OFF, STORE_CALLER_REFUSE, STORE_CALLER_PRIVATE };

/* Who challenges requests that bear no credentials. */
enum store_challenger {
	STORE_CHALLENGE_AUTO,	/* the filter, where the driver is sure to transmit */
	STORE_CHALLENGE_FILTER, /* the filter wherever it is attached, if it can */
	STORE_CHALLENGE_DAEMON,
};

struct store_trunk {
	int64_t id;
	char name[STORE_NAME_SIZE];
	char domain[STORE_DOMAIN_SIZE]; /* lower case, IPv6 bare; "*" = the default trunk */
	char user[STORE_USER_SIZE];	/* app-style user@domain; empty = the whole domain */
	char aliases[STORE_ALIASES_SIZE];      /* more domains, a blank between two */
	unsigned algorithms[STORE_ALGORITHMS]; /* in order of preference */
	unsigned algorithm_count;
	unsigned challenge_status; /* 407 (default) or 401 */
	enum store_challenger challenge;       /* default auto */
	bool enabled;		   /* default on */
	bool allow_no_qop;	   /* clients without qop; default off */
	bool auth_int;		   /* offer auth-int too; default off */
	enum store_uri_rule digest_uri; /* default any */
	bool ratchet;		   /* default on */
	bool userhash;		   /* offer userhash (RFC 7616 §3.4.4); default off */
	bool sess;		   /* offer the -sess forms of the algorithms; default off */
	bool forward_register;	   /* REGISTER goes to the upstream, not to our registrar */
	enum store_e164 e164;	   /* default off */
	/* For normalising: 49; 00; 0 or empty. What begins with neither is a number of the country
	 * where national_prefix is empty, and refused where it is not. */
	char country_code[STORE_DIAL_SIZE];
	char international_prefix[STORE_DIAL_SIZE];
	char national_prefix[STORE_DIAL_SIZE];
	enum store_caller_rule caller; /* default off; the numbers: store_trunk_caller_each */
	char number[STORE_NUMBER_SIZE]; /* the trunk's own, asserted upstream; may be empty */
	bool assert_identity;	   /* P-Asserted-Identity: the number, else the user; default on */
	bool upstream_trusted;	   /* the upstream belongs to our trust domain (RFC 3325); on */
	/* Calls by TLS need a certificate that verifies; default off. */
	bool client_certificate;
	/* The upstream may choose the credential of a call (the header field Outbound-User behind
	 * the setting header_prefix); default off. */
	bool outbound_user;
	unsigned calls_per_s, calls_max;	   /* of the trunk; 0 = no limit */
	unsigned user_calls_per_s, user_calls_max; /* of each of its users */
	enum store_auth_type auth; /* derived from what is attached; ignored on write */
};

/* The defaults above; name and domain empty. */
void store_trunk_defaults(struct store_trunk *ret_trunk);
/* What the two below check before they look at the store; writes domain and aliases as they will be
 * kept. */
int store_trunk_check(struct store_trunk *trunk, struct error *err);
/* With its first upstream, unless that is NULL. -EEXIST names the trunk that has the same name, or
 * the same domain and user. */
int store_trunk_create(struct store *store, const struct store_trunk *trunk, const char *upstream,
		       struct error *err);
/* Replaces all fields of the trunk of this name. */
int store_trunk_set(struct store *store, const struct store_trunk *trunk, struct error *err);
int store_trunk_delete(struct store *store, const char *name, struct error *err);
int store_trunk_get(struct store *store, const char *name, struct store_trunk *ret_trunk,
		    struct error *err);
int store_trunk_each(struct store *store, int (*visit)(const struct store_trunk *trunk, void *arg),
		     void *arg, struct error *err);
/* Attaching twice, and detaching what is not attached, are -EEXIST and -ENOENT. -EEXIST also for a
 * list that shares realm and a user name with another list of the trunk. */
int store_trunk_attach_acl(struct store *store, const char *trunk, const char *acl,
			   struct error *err);
int store_trunk_detach_acl(struct store *store, const char *trunk, const char *acl,
			   struct error *err);
int store_trunk_attach_credentials(struct store *store, const char *trunk, const char *list,
				   struct error *err);
int store_trunk_detach_credentials(struct store *store, const char *trunk, const char *list,
				   struct error *err);
/* Names and ids of what is attached to the trunk (id). */
int store_trunk_acl_each(struct store *store, int64_t trunk_id,
			 int (*visit)(int64_t acl_id, const char *name, void *arg), void *arg,
			 struct error *err);
int store_trunk_credentials_each(struct store *store, int64_t trunk_id,
				 int (*visit)(int64_t list_id, const char *name, void *arg),
				 void *arg, struct error *err);
/* The numbers a caller may show: "+4989123" or, for all that begin so, "+4989*". Adds or removes
 * all or none; what is there already is no error. */
int store_trunk_caller_add(struct store *store, const char *trunk, const char *const *numbers,
			   size_t n, struct error *err);
int store_trunk_caller_remove(struct store *store, const char *trunk, const char *const *numbers,
			      size_t n, struct error *err);
/* Sorted. */
int store_trunk_caller_each(struct store *store, int64_t trunk_id,
			    int (*visit)(const char *number, void *arg), void *arg,
			    struct error *err);

/* Header fields that calls towards the trunk's destinations and contacts get. */
struct store_header {
	char name[STORE_HEADER_NAME_SIZE];
	char value[STORE_HEADER_VALUE_SIZE];
};
/* Reads "Name: value". -EINVAL also for a name that SIP itself, or the gate, gives a meaning. */
int store_header_parse(const char *text, struct store_header *ret_header, struct error *err);
/* Added behind those there are. -EEXIST: the trunk has that very field. */
int store_trunk_header_add(struct store *store, const char *trunk, const char *text,
			   struct error *err);
int store_trunk_header_remove(struct store *store, const char *trunk, const char *text,
			      struct error *err);
/* In the order they were added. */
int store_trunk_header_each(struct store *store, int64_t trunk_id,
			    int (*visit)(const struct store_header *header, void *arg), void *arg,
			    struct error *err);

/* ---- peers: where a trunk's calls go (peer.c, peer_address.c) ---- */

#define STORE_PEER_ADDRESSES_MAX 64
#define STORE_PEER_PRIORITY 10 /* of one for which nothing is said */
#define STORE_PEER_WEIGHT 1
#define STORE_NEVER INT64_MAX

enum store_peer_role {
	STORE_UPSTREAM,	   /* the PBX or carrier that the customer's calls go to */
	STORE_DESTINATION, /* a fixed URI of the customer, for calls from the upstream */
};
const char *store_peer_role_name(enum store_peer_role role);

/* sip:HOST[:PORT][;transport=udp|tcp|tls] or sips:HOST[:PORT], taken apart. */
struct store_peer_uri {
	char text[STORE_URI_SIZE]; /* as it is kept: lower case, addresses as ip_format has them */
	char host[STORE_DOMAIN_SIZE]; /* no brackets */
	struct ip ip;		      /* of an address; family 0 = host is a name */
	uint16_t port;		      /* 0 = none is given */
	/* enum net_transport; 0 = none is given, and DNS decides (RFC 3263). An address has one:
	 * UDP unless another is given. */
	unsigned transport;
};
int store_peer_uri_parse(const char *uri, enum store_peer_role role, struct store_peer_uri *ret_uri,
			 struct error *err);

struct store_peer {
	int64_t id;
	int64_t trunk_id;
	enum store_peer_role role;
	char uri[STORE_URI_SIZE];      /* in any spelling; kept as store_peer_uri.text */
	unsigned priority;	       /* 0–65535, the lowest first */
	unsigned weight;	       /* 0–65535, the share among those of one priority */
	uint64_t addresses;	       /* how many it stands for now */
	int64_t resolved_s;	       /* Unix time of the last good answer; 0 = never */
	int64_t due_s;		       /* when to ask again; 0 = at once; STORE_NEVER: an address */
	char failure[STORE_NOTE_SIZE]; /* why the last try failed; empty: it did not */
};

/* Found by trunk, role and URI. An address as host is resolved at once, a name by whoever calls
 * store_peer_resolved. */
int store_peer_add(struct store *store, const char *trunk, const struct store_peer *peer,
		   struct error *err);
/* Priority and weight. */
int store_peer_set(struct store *store, const char *trunk, const struct store_peer *peer,
		   struct error *err);
/* With its outbound credentials. */
int store_peer_remove(struct store *store, const char *trunk, const struct store_peer *peer,
		      struct error *err);
int store_peer_get(struct store *store, const char *trunk, const struct store_peer *peer,
		   struct store_peer *ret_peer, struct error *err);
/* Gives the trunk's only upstream another URI, or a trunk without one its first. -EBUSY if there
 * are several, or if it has outbound credentials, which nobody else may get. */
int store_upstream_replace(struct store *store, const char *trunk, const char *uri,
			   struct error *err);
/* trunk_id 0: of all trunks. In order of trunk, role, priority and URI. */
int store_peer_each(struct store *store, int64_t trunk_id,
		    int (*visit)(const struct store_peer *peer, void *arg), void *arg,
		    struct error *err);

/* One of the places that a peer's name stands for (RFC 3263). */
struct store_peer_address {
	struct endpoint endpoint;
	unsigned transport;	   /* enum net_transport */
	unsigned priority, weight; /* of its SRV record; 0 where there is none */
};
/* In order of priority; at most STORE_PEER_ADDRESSES_MAX. */
int store_peer_addresses(struct store *store, int64_t peer_id,
			 struct store_peer_address *ret_addresses, size_t *ret_n,
			 struct error *err);
/* The peer stands for these now (n > 0; at most STORE_PEER_ADDRESSES_MAX; of a place that is given
 * twice the first in order counts). A change of the trunk, with an audit row, if they differ; else
 * only the times are noted, and nothing else changes. */
int store_peer_resolved(struct store *store, int64_t peer_id,
			const struct store_peer_address *addresses, size_t n, int64_t due_s,
			struct error *err);
/* It could not be resolved: it keeps its addresses. No change of generation. Both are -ENOENT for a
 * peer that has been removed meanwhile. */
int store_peer_failed(struct store *store, int64_t peer_id, const char *why, int64_t due_s,
		      struct error *err);
/* All names are due at once. No change of generation. */
int store_peer_due_now(struct store *store, struct error *err);

/* ---- how the gate answers an upstream that challenges (outbound.c) ---- */

#define STORE_PASSWORD_SIZE 129 /* at most 128 bytes and a zero */

struct store_outbound {
	int64_t id;
	int64_t peer_id; /* an upstream; the first added to it is its default */
	char user[STORE_NAME_SIZE];
	char realm[STORE_NAME_SIZE]; /* empty: not known yet */
	bool registers;		     /* the gate keeps a registration there */
	unsigned expires_s;	     /* that it asks for: 60–86400 */
	bool has_secret; /* the password is kept, sealed, until the realm is known; set by reading
			  */
	struct store_ha1 ha1; /* of a known realm; for "user@realm" there are none */
};
/* What one is found by. */
struct store_outbound_key {
	const char *trunk, *uri, *user;
};
#define STORE_OUTBOUND_EXPIRES_S 3600

/* At most 128 bytes, no control characters. The sentence never holds the password. */
int store_outbound_password_check(const char *password, struct error *err);
/* With a realm: its HA1s are kept, and password is NULL. Without: the password is, sealed with the
 * key in STATE_DIR/outbound.key, until the realm is learned. */
int store_outbound_add(struct store *store, const struct store_outbound_key *key,
		       const struct store_outbound *outbound, const char *password,
		       struct error *err);
/* Realm and password, in the same way. */
int store_outbound_passwd(struct store *store, const struct store_outbound_key *key,
			  const struct store_outbound *outbound, const char *password,
			  struct error *err);
/* Whether and for how long it registers. */
int store_outbound_set(struct store *store, const struct store_outbound_key *key,
		       const struct store_outbound *outbound, struct error *err);
int store_outbound_remove(struct store *store, const struct store_outbound_key *key,
			  struct error *err);
/* The peer's, in the order they were added. The HA1s are wiped after the visit. */
int store_outbound_each(struct store *store, int64_t peer_id,
			int (*visit)(const struct store_outbound *outbound, void *arg), void *arg,
			struct error *err);
/* The daemon's: the sealed password. -ENOENT if there is none; -EBADMSG if the key is another one.
 * The caller wipes it. */
int store_outbound_secret(struct store *store, int64_t id, char ret_password[STORE_PASSWORD_SIZE],
			  struct error *err);
/* The daemon's: the realm is known now, and the HA1s take the place of the password. -ENOENT if it
 * is gone or has a realm already. */
int store_outbound_learned(struct store *store, int64_t id, const char *realm,
			   const struct store_ha1 *ha1, struct error *err);

/* ---- registrations (binding.c) ---- */

/* One contact of an address of record (RFC 3261 §10), which is a trunk and a user. */
struct store_binding {
	int64_t trunk_id;
	char user[STORE_USER_SIZE];
	char contact[STORE_CONTACT_SIZE];  /* the URI as sent */
	char instance[STORE_NOTE_SIZE];	   /* +sip.instance as sent, without quotes; may be empty */
	unsigned reg_id;		   /* RFC 5626; 0 = none */
	unsigned q;			   /* thousandths, 0–1000 */
	char call_id[STORE_NOTE_SIZE];
	uint32_t cseq;
	int64_t expires_s;		   /* Unix time */
	struct endpoint received;	   /* where it came from: calls go there (NAT) */
	struct endpoint local;		   /* our end of it */
	unsigned transport;		   /* enum net_transport */
	char user_agent[STORE_NOTE_SIZE];
};
struct store_binding_change {
	bool removed; /* trunk_id, user, contact name what is to go */
	struct store_binding binding;
};
/* The daemon's write-behind: all or none, no audit row, generation unchanged. Bindings of a trunk
 * that is gone are skipped. Waits 50 ms at most for another process (-EBUSY: try again). */
int store_binding_write(struct store *store, const struct store_binding_change *changes, size_t n,
			struct error *err);
/* In order of trunk, user, and the preferred first (q, then the newest). */
int store_binding_each(struct store *store,
		       int (*visit)(const struct store_binding *binding, const char *trunk,
				    void *arg),
		       void *arg, struct error *err);
/* The operator's: removes the user's bindings (contact NULL: all of them), has the daemon do the
 * same (store_binding_orders_take), writes an audit row. -ENOENT if there is none. */
int store_binding_remove(struct store *store, const char *trunk, const char *user,
			 const char *contact, struct error *err);
/* The daemon's: visits the removals ordered since the last call, and forgets them. */
int store_binding_orders_take(struct store *store,
			      void (*visit)(int64_t trunk_id, const char *user, const char *contact,
					    void *arg),
			      void *arg, struct error *err);

/* ---- settings and keys (settings.c) ---- */

enum store_unlisted {
	STORE_UNLISTED_AUTO,
	STORE_UNLISTED_DROP,
	STORE_UNLISTED_LIMIT,
	STORE_UNLISTED_REJECT
};

struct store_settings {
	enum sipward_mode mode;	      /* default monitor */
	enum store_unlisted unlisted; /* default auto */
	struct sipward_port ports[SIPWARD_PORTS_MAX];
	unsigned port_count;	     /* 0 = udp/5060 tcp/5060 tcp/5061 */
	bool lockout_reject;	     /* lockout_action: drop (default) or reject */
	unsigned lockout_failures;   /* 10 */
	unsigned lockout_window_s;   /* 60 */
	unsigned lockout_duration_s; /* 60 */
	unsigned lockout_ceiling_s;  /* doubling for repeat offenders up to this; 0 = no doubling */
	unsigned proven_s;	     /* how long a proof lasts: 3600 */
	unsigned nonce_lifetime_s;   /* 300 */
	unsigned nonce_rotation_s;   /* how long one nonce key signs: 3600; at least the lifetime */
	unsigned source_v6_bits;     /* an IPv6 source is a prefix of so many bits: 64 (32–64) */
	unsigned register_min_s, register_max_s; /* expiry granted: 60, 7200 */
	unsigned register_default_s;		 /* where none is asked for: 3600 */
	unsigned register_contacts;		 /* of one address of record: 10 */
	unsigned call_retention_days;		 /* how long call records are kept: 30 */
	bool user_names_utf8;			 /* see store_user_name_check; off */
	/* Limits as hosted trunks have them; 0 (the default) = none. Of ACLs; of prefixes and host
	 * names in one ACL; of users in all lists. What is there already stays. */
	unsigned acl_limit, acl_entry_limit, user_limit;
	char header_prefix[40];	    /* of the fields that tell the upstream: "X-Sipward-" */
	/* Further header names that customers may not send, separated by blanks: "Name" or, for all
	 * that begin so, "Na*". Compared without case; the own prefix is always among them. */
	char reserved_headers[512];
	unsigned failover_timeout_ms; /* an upstream that is silent so long is passed over: 4000 */
	unsigned health_interval_s;   /* between two probes of a peer: 30; 0 = no probes */
	unsigned health_failures, health_successes; /* in a row, that turn a peer: 2, 2 */
	/* So many requests waiting to be read, and new calls get 503: 0 = never. */
	unsigned overload_backlog;
	unsigned source_rate_pps, source_burst; /* unlisted sources: 10, 20 */
	unsigned cpu_rate_pps, cpu_burst;	/* all unlisted sources on a CPU: 2000, 4000 */
	unsigned challenge_rate_pps; /* of more than that, what the filter looks at: 100000 */
};
void store_settings_defaults(struct store_settings *ret_settings);
/* What a setting of this name in the struct starts as and may be; zero for those of no number. */
struct store_limits {
	unsigned initial, min, max;
};
struct store_limits store_settings_limits(const char *name);
int store_settings_get(struct store *store, struct store_settings *ret_settings, struct error *err);
int store_settings_set(struct store *store, const struct store_settings *settings,
		       struct error *err);

/* A secret of the given purpose ("nonce", "branch", "dialog"), made at first use. */
int store_secret(struct store *store, const char *purpose, uint8_t ret_key[16], struct error *err);

/* ---- the filter's view (effective.c) ---- */

/* drop, limit or reject: what STORE_UNLISTED_AUTO comes to (DESIGN §5). */
int store_unlisted_effective(struct store *store, enum sipward_unlisted *ret_unlisted,
			     struct error *err);
/* Everything that the maps should say: ACLs attached to enabled trunks, upstreams, settings. */
int store_filter_rules(struct store *store, struct filter_rules *ret_rules, struct error *err);
/* Brings the maps to the store's generation: by the changed ACL entries alone where the maps' own
 * generation allows it, else (or if full) by filter_reconcile. One process at a time. */
int store_sync(struct store *store, struct filter *filter, bool full,
	       struct filter_reconciled *ret_reconciled, struct error *err);

/* ---- change notification (notify.c) ---- */

/* Tells a running daemon (datagram socket STATE_DIR/notify) that the store has changed; no daemon
 * is no error. Every changing function above calls it after its commit. */
void store_notify(struct store *store);
/* The daemon's end: a non-blocking descriptor to poll, readable after changes. 0 or a negative
 * errno. */
int store_notify_listen(struct store *store, int *ret_fd, struct error *err);

/* ---- audit (store.c) ---- */

/* Last n audit rows, latest first: time (Unix seconds), who (user and program), what. */
int store_audit_each(struct store *store, size_t n,
		     int (*visit)(int64_t time_s, const char *who, const char *what, void *arg),
		     void *arg, struct error *err);

#endif
