/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The contract between the XDP program and user space: what the maps hold.
 *
 * Both sides include this file and it includes nothing: the BPF side gets __u8 and friends from
 * vmlinux.h, user space from <linux/types.h>, each before this file.
 *
 * Integers are in host order unless the name ends in _be (network order). Times end in _ns and are
 * read from the coarse monotonic clock (bpf_ktime_get_coarse_ns, CLOCK_MONOTONIC_COARSE).
 * Padding is named and zero. A change of any layout here raises SIPWARD_LAYOUT.
 */
#ifndef SIPWARD_MAPS_TYPES_H
#define SIPWARD_MAPS_TYPES_H

#define SIPWARD_LAYOUT 3U

#define SIPWARD_PORTS_MAX 8
#define SIPWARD_LOCKOUTS_MAX 65536
#define SIPWARD_PROVEN_MAX 65536
#define SIPWARD_LIMITS_MAX 65536
#define SIPWARD_FRAGMENTS_MAX 8192
#define SIPWARD_DROPS_MAX 65536
#define SIPWARD_PREFIXES_MAX 2000000
#define SIPWARD_CHALLENGES_MAX 8192
#define SIPWARD_OWN_ADDRESSES_MAX 1024
#define SIPWARD_EVENTS_BYTES (256 * 1024)
#define SIPWARD_EVENT_SNAP 64

/* An IPv6 source is at least so much of the address, and at most, which is the default. */
#define SIPWARD_SOURCE_V6_MIN 32
#define SIPWARD_SOURCE_V6_MAX 64

/* Default SIP ports, in force while settings.port_count is 0. */
#define SIPWARD_PORT_SIP 5060
#define SIPWARD_PORT_SIPS 5061

#define SIPWARD_CHALLENGE_DOMAIN 63
#define SIPWARD_CHALLENGE_HOLES 6
#define SIPWARD_CHALLENGE_TEXT 768

/* As SIPWARD_NONCE_KEYS and SIPHASH_KEY_SIZE, which stand in files of their own. */
#define SIPWARD_LEASE_KEYS 4
#define SIPWARD_LEASE_KEY_SIZE 16

/* Why a packet passed or was dropped; the key of the map `counters`. Append only. */
enum sipward_reason {
	SIPWARD_OTHER = 0,     /* pass: not SIP, none of our business */
	SIPWARD_FRAGMENT,      /* pass: later fragment whose first fragment passed or is unknown */
	SIPWARD_FRAGMENT_DROP, /* drop: later fragment whose first fragment was dropped */
	SIPWARD_MALFORMED,     /* drop: header lengths disagree with the packet */
	SIPWARD_LOCKED_OUT,    /* drop: the source failed too often */
	SIPWARD_DENIED,	       /* drop: the longest ACL match denies the source */
	SIPWARD_LISTED,	       /* pass: an ACL allows the source, or it is an upstream */
	SIPWARD_PROVEN,	       /* pass: the source passed digest authentication lately */
	SIPWARD_UNLISTED,      /* drop: nobody vouches for the source */
	SIPWARD_NOT_SIP,       /* drop: unlisted, and the first bytes are not SIP (UDP) */
	SIPWARD_RATE_LIMITED,  /* drop: unlisted, and its budget or the CPU's is spent */
	SIPWARD_UNLISTED_PASS, /* pass: unlisted, left to the daemon */
	SIPWARD_EVENT_LOST,    /* no verdict: a sampled drop event found the ring buffer full */
	SIPWARD_CHALLENGED,    /* answered: a request without credentials got its challenge */
	SIPWARD_CHALLENGE_ACK, /* ends here: the ACK for such an answer to an INVITE */
	SIPWARD_REASON_COUNT
};

/* A bit for each reason whose packets are dropped in mode `enforce`. */
#define SIPWARD_DROP_REASONS                                                                       \
	(1U << SIPWARD_FRAGMENT_DROP | 1U << SIPWARD_MALFORMED | 1U << SIPWARD_LOCKED_OUT |        \
	 1U << SIPWARD_DENIED | 1U << SIPWARD_UNLISTED | 1U << SIPWARD_NOT_SIP |                   \
	 1U << SIPWARD_RATE_LIMITED)

/* settings.mode. Zero counts what would be dropped and drops nothing. */
enum sipward_mode {
	SIPWARD_MONITOR = 0,
	SIPWARD_ENFORCE = 1,
};

/* settings.unlisted: what becomes of a source that nobody vouches for. */
enum sipward_unlisted {
	SIPWARD_UNLISTED_DROP = 0,
	SIPWARD_UNLISTED_LIMIT = 1,
	SIPWARD_UNLISTED_REJECT = 2, /* pass to the daemon, which answers 403 */
};

/* settings.flags */
enum sipward_settings_flag {
	SIPWARD_ACL_INDEXED = 1 << 0,	  /* acl_index has the bits of all prefixes */
	SIPWARD_SOURCES_INDEXED = 1 << 2, /* source_index has those of all lockouts and proofs */
	SIPWARD_LOCKOUT_REJECT = 1 << 1, /* locked-out sources pass to the daemon, which says 403 */
};

/* acl_value.flags. A longer prefix wins over a shorter one. */
enum sipward_acl_flag {
	SIPWARD_ACL_ALLOW = 1 << 0,
	SIPWARD_ACL_DENY = 1 << 1,
	SIPWARD_ACL_UPSTREAM = 1 << 2,
};

/* lockout.reason */
enum sipward_lockout_reason {
	SIPWARD_LOCKOUT_MANUAL = 0,
	SIPWARD_LOCKOUT_CREDENTIAL = 1, /* wrong digests */
	SIPWARD_LOCKOUT_ADDRESS = 2,	/* refused addresses */
	SIPWARD_LOCKOUT_CONNECTION = 3, /* broken TLS handshakes, garbage on a connection */
};

struct sipward_port {
	__u8 protocol; /* IPPROTO_UDP or IPPROTO_TCP */
	__u8 pad;
	__be16 port_be;
};

/* The one value of the map `settings`. */
struct sipward_settings {
	__u64 generation;      /* of the store, when the maps were last reconciled; 0 = never */
	__u32 layout;	       /* SIPWARD_LAYOUT; 0 until user space has written */
	__u32 mode;	       /* enum sipward_mode */
	__u32 unlisted;	       /* enum sipward_unlisted */
	__u32 flags;	       /* enum sipward_settings_flag */
	__u32 source_rate_pps; /* token bucket of one unlisted source; 0 = no limit */
	__u32 source_burst;
	__u32 cpu_rate_pps; /* token bucket of all unlisted sources on one CPU; 0 = no limit */
	__u32 cpu_burst;
	__u32 port_count;	  /* 0 = udp/5060, tcp/5060, tcp/5061 */
	__u32 source_v6_bits;	  /* of an IPv6 source, 32 to 64; all else = 64 */
	__u32 challenge_rate_pps; /* how many unlisted requests are looked at on one CPU once its
				     budget is spent; 0 = no limit */
	__u32 pad;
	struct sipward_port ports[SIPWARD_PORTS_MAX];
};

/* Whom lockouts, proofs and budgets are kept for: an IPv4 address or an IPv6 prefix. As its length
 * is part of the key, what was written under another settings.source_v6_bits matches nothing. */
struct sipward_source {
	__u16 family;  /* 4 or 6 */
	__u16 v6_bits; /* 32 to 63; 0 = 64, and IPv4 */
	__u8 addr[8];  /* IPv4: the address and zeros. IPv6: the prefix and zeros */
};

struct sipward_acl_v4_key {
	__u32 prefix_len;
	__u8 addr[4];
};

struct sipward_acl_v6_key {
	__u32 prefix_len;
	__u8 addr[16];
};

struct sipward_acl_value {
	__u32 flags;   /* enum sipward_acl_flag */
	__u32 rule_id; /* the store's id of the ACL entry or trunk behind it */
};

struct sipward_lockout {
	__u64 until_ns;
	__u64 since_ns;
	__u32 failures;
	enum sipward_lockout_reason reason;
};

struct sipward_proof {
	__u64 until_ns;
};

/* A token bucket: it gains a token each 1/rate of a second and holds `burst`. */
struct sipward_bucket {
	__u64 full_at_ns; /* when it will be full again; the past: it is full */
};

/* The datagram that a fragment belongs to. */
struct sipward_fragment_key {
	__u8 family;   /* 4 or 6 */
	__u8 protocol; /* IPv4 only: in IPv6 the first fragment alone knows it */
	__u16 pad;
	__be32 id_be;
	__be32 src_be[4]; /* IPv4: the address, 0, 0, 0 */
	__be32 dst_be[4];
};

/* A first fragment that was dropped. */
struct sipward_fragment {
	__u64 until_ns; /* after that the id may be in use again */
};

/* What one CPU keeps for itself; the one value of the map `cpu_state`. */
struct sipward_cpu_state {
	struct sipward_bucket budget; /* of all unlisted sources on this CPU */
	struct sipward_bucket looks;  /* at requests that come when it is spent */
	__u64 clock_jiffies;	      /* when clock_ns was read */
	__u64 clock_ns;
	__u64 window;	 /* number of the present accounting window */
	__u32 accounted; /* drops put down under their source in this window */
	__u32 pending;	 /* drops since the last one put down */
	__u32 gap;	 /* how many drops the next entry will stand for */
	__u32 events;	 /* events sent in this window */
	__u32 fragments; /* first fragments remembered in this window */
	__u32 pad;
};

struct sipward_counter {
	__u64 packets;
	__u64 bytes;
	__u64 monitored; /* of the packets, those let through all the same: by the mode `monitor`,
			    or locked out but left to the daemon (SIPWARD_LOCKOUT_REJECT) */
};

struct sipward_drop {
	__u64 packets; /* exact while drops are few, sampled and scaled under a flood */
	__u64 last_seen_ns;
	enum sipward_reason last_reason;
	__u32 pad;
};

struct sipward_event {
	__u64 time_ns;
	struct sipward_source source;
	enum sipward_reason reason;
	__u32 packet_bytes;
	__u32 snap_bytes;	       /* how many of the following are filled */
	__u8 snap[SIPWARD_EVENT_SNAP]; /* from the Ethernet header on */
};

/* Whose requests a prepared challenge is for. Domains longer than that are the daemon's. */
struct sipward_challenge_key {
	__u8 domain[SIPWARD_CHALLENGE_DOMAIN]; /* lower case, zeros behind; "*": any other one */
	__u8 registers;			       /* 1: REGISTER, 0: all other methods */
};

/* sipward_challenge.flags. None: the daemon's. */
enum sipward_challenge_flag {
	SIPWARD_CHALLENGE_READY = 1 << 0,    /* whoever asks is challenged */
	SIPWARD_CHALLENGE_LISTED = 1 << 1,   /* but listed sources alone */
	SIPWARD_CHALLENGE_ANY_MODE = 1 << 2, /* in generic XDP too */
};

/* Where a nonce goes. */
struct sipward_challenge_hole {
	__u64 realm_hash; /* sipward_nonce_realm */
	__u16 at;	  /* in the text */
	__u8 algorithm;	  /* as in sipward_nonce_binding */
	__u8 pad[5];
};

/* All of an answer that does not depend on the request. */
struct sipward_challenge {
	__u32 flags;   /* enum sipward_challenge_flag */
	__u16 start_n; /* bytes of the text that stand before Via: the status line */
	__u16 text_n;  /* the rest of it stands behind CSeq */
	__u32 hole_count;
	__u32 pad;
	struct sipward_challenge_hole holes[SIPWARD_CHALLENGE_HOLES];
	__u8 text[SIPWARD_CHALLENGE_TEXT];
};

/* What the filter signs nonces with, and until when it may: the daemon renews it while it serves.
 * The one value of the map `lease`. */
struct sipward_lease {
	__u64 until_ns; /* 0: the filter challenges nobody */
	__u64 epoch_ns; /* what the clock lacks of the time since 1970 */
	__be16 node_be;
	__u8 current; /* number of the key that signs */
	__u8 pad[5];
	__u8 key[SIPWARD_LEASE_KEYS][SIPWARD_LEASE_KEY_SIZE];
};

/* Where the daemon listens, on an interface; without an interface and port, an address that others
 * can not send from: the gate's own, and broadcast addresses. */
struct sipward_own_key {
	__u32 ifindex; /* 0: none */
	__u16 family;  /* 4 or 6 */
	__be16 port_be;
	__be32 addr_be[4]; /* IPv4: the address, 0, 0, 0 */
};
struct sipward_own {
	__u32 flags; /* enum sipward_own_flag */
};
enum sipward_own_flag {
	SIPWARD_OWN_ANSWERS = 1 << 0, /* the filter may answer from it on its interface */
	SIPWARD_OWN_NATIVE = 1 << 1,  /* there the driver runs it, and is sure to transmit */
	SIPWARD_OWN_BARRED = 1 << 2,  /* nobody is answered at it */
};

_Static_assert(sizeof(struct sipward_challenge_key) == 64, "challenge key");
_Static_assert(sizeof(struct sipward_challenge_hole) == 16, "challenge hole");
_Static_assert(sizeof(struct sipward_challenge) == 880, "challenge");
_Static_assert(sizeof(struct sipward_lease) == 88, "lease");
_Static_assert(sizeof(struct sipward_own_key) == 24, "own key");
_Static_assert(sizeof(struct sipward_own) == 4, "own");
_Static_assert(sizeof(struct sipward_settings) == 88, "settings");
_Static_assert(sizeof(struct sipward_source) == 12, "source");
_Static_assert(sizeof(struct sipward_acl_v4_key) == 8, "acl_v4 key");
_Static_assert(sizeof(struct sipward_acl_v6_key) == 20, "acl_v6 key");
_Static_assert(sizeof(struct sipward_acl_value) == 8, "acl value");
_Static_assert(sizeof(struct sipward_lockout) == 24, "lockout");
_Static_assert(sizeof(struct sipward_proof) == 8, "proof");
_Static_assert(sizeof(struct sipward_bucket) == 8, "bucket");
_Static_assert(sizeof(struct sipward_fragment_key) == 40, "fragment key");
_Static_assert(sizeof(struct sipward_fragment) == 8, "fragment");
_Static_assert(sizeof(struct sipward_cpu_state) == 64, "cpu state");
_Static_assert(sizeof(struct sipward_counter) == 24, "counter");
_Static_assert(sizeof(struct sipward_drop) == 24, "drop");
_Static_assert(sizeof(struct sipward_event) == 96, "event");

#endif
