/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The filter as user space sees it: load, attach, find its maps, write and read them.
 * Nothing outside user/filter/ includes libbpf or libxdp.
 *
 * A function returns 0 or a negative errno; one that takes a struct error also says in a sentence
 * what is wrong and what mends it.
 */
#ifndef SIPWARD_FILTER_H
#define SIPWARD_FILTER_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../maps/types.h"
#include "base/addr.h"
#include "base/error.h"

#define FILTER_PIN_DIR_DEFAULT "/sys/fs/bpf/sipward"

struct filter;

/* ---- attach (attach.c, detach.c) ---- */

enum filter_xdp_mode {
	FILTER_XDP_NONE,
	FILTER_XDP_NATIVE,
	FILTER_XDP_GENERIC,
	FILTER_XDP_OFFLOADED
};
enum filter_attach_request { FILTER_ATTACH_AUTO, FILTER_ATTACH_NATIVE, FILTER_ATTACH_GENERIC };

/* How the program came to the interface. */
enum filter_via {
	FILTER_VIA_NONE,
	FILTER_VIA_LINK,       /* our own pinned bpf_link, alone on the interface */
	FILTER_VIA_DISPATCHER, /* libxdp's dispatcher, beside other programs */
	FILTER_VIA_FOREIGN,    /* attached by ip link, xdp-loader or another program */
};

struct filter_attachment {
	char ifname[16];
	unsigned ifindex;
	uint32_t program_id;
	enum filter_xdp_mode mode;
	enum filter_via via;
	bool plain; /* without challenges: the kernel, or a dispatcher, does not take them */
};

struct filter_attach_options {
	const char *pin_dir;
	const char *ifname;
	enum filter_attach_request mode; /* auto: native, and generic only where the driver has no
					    native XDP; the result says which */
	bool replace; /* replace our own program or a foreign layout, atomically */
	bool plain;   /* without challenges; also tried where the kernel refuses them */

	/* If not NULL: called with the maps, fresh or kept, before the program that uses them meets
	 * its first packet; brings them to what the store says. A failure ends the attach. */
	int (*prepare)(struct filter *filter, void *arg, struct error *err);
	void *prepare_arg;
};

/* Loads the embedded program, pins its maps and link under pin_dir, attaches it. Maps that are
 * pinned there already with our layout are kept, with all they hold. -EEXIST: attached already, or
 * a foreign program holds the interface (the sentence names it); -EPROTO: pinned maps of another
 * layout; -EPERM, -ENOENT (no bpffs, it is mounted if possible), -ENODEV, -EOPNOTSUPP (no native
 * XDP where native was asked). On failure nothing is left behind. */
int filter_attach(const struct filter_attach_options *options,
		  struct filter_attachment *ret_attachment, struct error *err);

/* Detaches our program from the interface (NULL: from the one that pin_dir's link belongs to) and
 * removes link and maps from pin_dir. -ENOENT if it is not attached. */
int filter_detach(const char *pin_dir, const char *ifname, struct error *err);

/* The attachments of sipward's program in this network namespace, at most max; *ret_n says how many
 * there are. If pin_dir is not NULL, only those that use the maps pinned there, or, when nothing is
 * pinned there, those attached by foreign means. */
int filter_attachments(const char *pin_dir, struct filter_attachment *attachments, size_t max,
		       size_t *ret_n);

/* ---- maps (maps.c, access.c, events.c, explain.c) ---- */

/* Opens the maps: those pinned under pin_dir, else those of the program attached to ifname (NULL:
 * to any interface), directly or inside a libxdp dispatcher. -ENOENT: neither is there. */
int filter_open(const char *pin_dir, const char *ifname, struct filter **ret_filter,
		struct error *err);
void filter_close(struct filter *filter);

/* Whether the maps came from the pin directory (else from an attached program). */
bool filter_is_pinned(const struct filter *filter);

/* Tells two sets of maps apart, also while both exist: after a replacement the number is another.
 * Never 0. */
uint32_t filter_identity(const struct filter *filter);

/* IPv4: the address; IPv6: its prefix of v6_bits (the setting source_v6_bits: 32 to 63, else 64).
 */
struct sipward_source filter_source(const struct ip *ip, unsigned v6_bits);
/* Reads an address, or an IPv6 prefix of just v6_bits, as a source. 0 or -EINVAL. */
int filter_source_parse(struct slice text, unsigned v6_bits, struct sipward_source *ret_source,
			struct error *err);
/* 192.0.2.1 or 2001:db8::/64 */
void filter_source_format(const struct sipward_source *source, char text[PREFIX_TEXT_SIZE]);

/* The name of a reason as counters, logs and metrics print it; "unknown" out of range. */
const char *filter_reason_name(uint32_t reason);
/* manual, credential, address */
const char *filter_lockout_reason_name(uint32_t reason);
/* Whether packets counted under the reason are dropped (in mode enforce). */
bool filter_reason_is_drop(uint32_t reason);

int filter_settings_read(struct filter *filter, struct sipward_settings *ret_settings);

/* Sums over the CPUs. */
int filter_counters_read(struct filter *filter,
			 struct sipward_counter ret_counters[SIPWARD_REASON_COUNT]);

struct filter_drop {
	struct sipward_source source;
	struct sipward_drop drop;
};
/* All entries, most packets first; *ret_drops is the caller's to free(). */
int filter_drops_read(struct filter *filter, struct filter_drop **ret_drops, size_t *ret_n);

struct filter_lockout {
	struct sipward_source source;
	struct sipward_lockout lockout;
};
/* Entries whose deadline is in the future, latest deadline first; the caller free()s. IPv6 sources
 * of another length than the settings say are locked out no more, and left out. */
int filter_lockouts_read(struct filter *filter, struct filter_lockout **ret_lockouts,
			 size_t *ret_n);
int filter_lockout_set(struct filter *filter, const struct sipward_source *source,
		       const struct sipward_lockout *lockout);
/* -ENOENT if there is none, or it has ended. */
int filter_lockout_get(struct filter *filter, const struct sipward_source *source,
		       struct sipward_lockout *ret_lockout);
int filter_lockout_clear(struct filter *filter, const struct sipward_source *source);
int filter_lockout_clear_all(struct filter *filter, size_t *ret_n);

int filter_proven_set(struct filter *filter, const struct sipward_source *source,
		      uint64_t until_ns);
/* -ENOENT if not proven now. */
int filter_proven_get(struct filter *filter, const struct sipward_source *source,
		      uint64_t *ret_until_ns);

/* The longest ACL match in the maps. -ENOENT if there is none. */
int filter_acl_lookup(struct filter *filter, const struct ip *ip,
		      struct sipward_acl_value *ret_value);

/* Waits up to timeout_ms for sampled drop events and hands each to the callback. Returns how many
 * there were or a negative errno. */
int filter_events_poll(struct filter *filter, int timeout_ms,
		       void (*on_event)(const struct sipward_event *event, void *arg), void *arg);

/* What the filter would do now with a SIP packet from this address: the order of DESIGN §5. */
int filter_explain(struct filter *filter, const struct ip *ip, enum sipward_reason *ret_reason);

/* ---- rules (rules.c) ---- */

struct filter_rule {
	struct prefix prefix;
	struct sipward_acl_value value; /* flags 0: no such rule (in changes only) */
};

/* What the maps should say. settings.layout, .flags and .generation are filter_reconcile's, save
 * SIPWARD_LOCKOUT_REJECT, which is the caller's. */
struct filter_rules {
	struct sipward_settings settings;
	uint64_t generation;
	struct filter_rule *rules; /* any order, no prefix twice */
	size_t count;
};
void filter_rules_free(struct filter_rules *rules);

struct filter_reconciled {
	size_t added, changed, removed, kept;
};

/* Makes ACLs, their index and the settings equal to rules, by difference; safe to repeat, safe to
 * kill. New rules are added before old ones go. -ENOSPC (with the number that fits) leaves the maps
 * as they were. */
int filter_reconcile(struct filter *filter, const struct filter_rules *rules,
		     struct filter_reconciled *ret_reconciled, struct error *err);

/* Applies only the given rules (flags 0 removes one) and the settings. Right only if the maps stand
 * at the generation that the changes start from: compare filter_settings_read. */
int filter_apply(struct filter *filter, const struct filter_rules *changes,
		 struct filter_reconciled *ret_reconciled, struct error *err);

/* ---- challenges (challenges.c) ---- */

struct filter_challenge {
	struct sipward_challenge_key key;
	struct sipward_challenge value;
};

/* From now on these alone are the filter's answers. Domains that the gate knows but the filter is
 * not to challenge must be on the list too, without flags, where it has "*". -E2BIG: more than the
 * map holds; some are there then, never "*". Meanwhile the daemon is asked more often. */
int filter_challenges_write(struct filter *filter, const struct filter_challenge *list, size_t n);
/* Whether it challenges by itself now, on some interface, who calls the domain ("*": any other than
 * those it was told). */
bool filter_challenges_for(struct filter *filter, const char *domain);
/* For how many domains it does. */
int filter_challenges_count(struct filter *filter, size_t *ret_n);

/* The lease without which the filter challenges nobody; zeros end it. */
int filter_lease_write(struct filter *filter, const struct sipward_lease *lease);
int filter_lease_read(struct filter *filter, struct sipward_lease *ret_lease);

/* Where the daemon listens by UDP; an address of zeros is any of its family. */
struct filter_listening {
	const struct endpoint *list;
	size_t n;
};
/* Tells the filter which addresses are the machine's now, and from which it may answer: where the
 * daemon listens, on the interfaces that it is attached to itself. */
int filter_own_addresses_write(struct filter *filter, const char *pin_dir,
			       struct filter_listening listening);

/* ---- doctor (doctor.c) ---- */

enum filter_finding_level { FILTER_FINDING_OK, FILTER_FINDING_WARNING, FILTER_FINDING_PROBLEM };
struct filter_finding {
	enum filter_finding_level level;
	char check[32]; /* what was looked at: bpffs, capability, btf, jit, native_xdp, … */
	char text[256]; /* what was found */
	char mend[256]; /* the exact command that mends it, or empty */
};
/* Looks at the machine, and at the interface if one is given. *ret_n findings, at most max. */
int filter_doctor(const char *pin_dir, const char *ifname, struct filter_finding *findings,
		  size_t max, size_t *ret_n);

#endif
