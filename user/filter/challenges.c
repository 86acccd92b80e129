/* SPDX-License-Identifier: BSD-2-Clause */
/* What the filter challenges with: prepared answers, the lease of the nonce keys, and the addresses
 * it answers from. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>

#include "base/clock.h"
#include "filter/ethtool.h"
#include "filter/internal.h"

#define ATTACHMENTS_MAX 64

/* ---- prepared answers ---- */

static bool is_any(const struct filter_challenge *challenge)
{
	return challenge->key.domain[0] == '*';
}

/* Empties the map: first of what stands for any domain, lest it stood for all others. */
static int challenges_clear(struct filter *filter)
{
	struct sipward_challenge_key key = {.domain = "*"};
	int rc = 0;

	for (key.registers = 0; key.registers < 2; key.registers++)
		bpf_map_delete_elem(filter->challenges, &key);
	while (!rc && bpf_map_get_next_key(filter->challenges, NULL, &key) == 0)
		rc = bpf_map_delete_elem(filter->challenges, &key);
	return rc == -ENOENT ? 0 : rc;
}

static int challenges_add(struct filter *filter, const struct filter_challenge *list, size_t n,
			  bool any)
{
	int rc = 0;

	for (size_t i = 0; i < n && !rc; i++) {
		if (is_any(&list[i]) == any)
			rc = bpf_map_update_elem(filter->challenges, &list[i].key, &list[i].value,
						 BPF_ANY);
	}
	return rc;
}

int filter_challenges_write(struct filter *filter, const struct filter_challenge *list, size_t n)
{
	int rc = challenges_clear(filter);

	if (!rc)
		rc = challenges_add(filter, list, n, false);
	/* A domain that is not in the map must be none that the gate knows. */
	if (!rc)
		rc = challenges_add(filter, list, n, true);
	return rc;
}

/* ---- the lease ---- */

int filter_lease_write(struct filter *filter, const struct sipward_lease *lease)
{
	__u32 only = 0;

	return bpf_map_update_elem(filter->lease, &only, lease, BPF_ANY);
}

int filter_lease_read(struct filter *filter, struct sipward_lease *ret_lease)
{
	__u32 only = 0;

	return bpf_map_lookup_elem(filter->lease, &only, ret_lease);
}

/* ---- addresses ---- */

struct own_entry {
	struct sipward_own_key key;
	struct sipward_own value;
};

struct own_list {
	struct own_entry entries[SIPWARD_OWN_ADDRESSES_MAX];
	size_t n;
};

static void own_add(struct own_list *list, const struct sipward_own_key *key, __u32 flags)
{
	if (list->n < SIPWARD_OWN_ADDRESSES_MAX)
		list->entries[list->n++] = (struct own_entry){*key, {flags}};
}

static bool own_key(const struct sockaddr *sa, struct sipward_own_key *ret_key)
{
	struct endpoint endpoint;

	if (!sa || endpoint_from_sockaddr(sa, &endpoint))
		return false;
	*ret_key = (struct sipward_own_key){.family = (__u16)endpoint.ip.family};
	memcpy(ret_key->addr_be, endpoint.ip.bytes, sizeof(ret_key->addr_be));
	return true;
}

static void own_add_barred(struct own_list *list, const struct sockaddr *sa)
{
	struct sipward_own_key key;

	if (own_key(sa, &key))
		own_add(list, &key, SIPWARD_OWN_BARRED);
}

/* The last address of an IPv4 network is one to the kernel whether or not it was told so, but where
 * a network is two addresses (RFC 3021). */
static void own_add_broadcast(struct own_list *list, const struct ifaddrs *a)
{
	struct sipward_own_key key, mask;

	if (!(a->ifa_flags & IFF_BROADCAST))
		return;
	own_add_barred(list, a->ifa_broadaddr);
	if (!own_key(a->ifa_addr, &key) || key.family != 4 || !own_key(a->ifa_netmask, &mask) ||
	    ntohl(~mask.addr_be[0]) <= 1)
		return;
	key.addr_be[0] |= ~mask.addr_be[0];
	own_add(list, &key, SIPWARD_OWN_BARRED);
}

static bool listens_at(const struct endpoint *at, const struct sipward_own_key *key)
{
	static const struct ip any;

	return at->ip.family == key->family &&
	       (memcmp(at->ip.bytes, any.bytes, sizeof(any.bytes)) == 0 ||
		memcmp(at->ip.bytes, key->addr_be, sizeof(key->addr_be)) == 0);
}

/* What a veth is told to transmit is lost unless its other end has a program too, which can not be
 * seen from here. */
static bool transmits(const struct filter_attachment *attachment)
{
	struct ethtool_state state;

	return attachment->mode == FILTER_XDP_NATIVE &&
	       ethtool_look(attachment->ifname, &state) == 0 && strcmp(state.driver, "veth") != 0;
}

static void own_add_interface(struct own_list *list, const struct filter_attachment *attachment,
			      const struct ifaddrs *address, struct filter_listening listening)
{
	struct sipward_own_key key;
	__u32 flags = SIPWARD_OWN_ANSWERS;

	if (attachment->plain || strcmp(attachment->ifname, address->ifa_name) != 0 ||
	    !own_key(address->ifa_addr, &key))
		return;
	if (transmits(attachment))
		flags |= SIPWARD_OWN_NATIVE;
	key.ifindex = attachment->ifindex;
	for (size_t i = 0; i < listening.n; i++) {
		key.port_be = htons(listening.list[i].port);
		if (listens_at(&listening.list[i], &key))
			own_add(list, &key, flags);
	}
}

static int own_collect(const char *pin_dir, struct filter_listening listening,
		       struct own_list *list)
{
	struct filter_attachment attachments[ATTACHMENTS_MAX];
	struct ifaddrs *addresses;
	size_t n;
	int rc = filter_attachments(pin_dir, attachments, ATTACHMENTS_MAX, &n);

	if (rc)
		return rc;
	if (getifaddrs(&addresses))
		return -errno;
	list->n = 0;
	for (const struct ifaddrs *a = addresses; a; a = a->ifa_next) {
		own_add_barred(list, a->ifa_addr);
		own_add_broadcast(list, a);
		for (size_t i = 0; i < n && i < ATTACHMENTS_MAX; i++)
			own_add_interface(list, &attachments[i], a, listening);
	}
	freeifaddrs(addresses);
	return 0;
}

static bool own_has(const struct own_list *list, const struct sipward_own_key *key)
{
	for (size_t i = 0; i < list->n; i++) {
		if (memcmp(&list->entries[i].key, key, sizeof(*key)) == 0)
			return true;
	}
	return false;
}

/* Removes what is not on the list; the walk begins again where the kernel loses its place. */
static void own_remove(struct filter *filter, const struct own_list *list)
{
	struct sipward_own_key key, next;
	int rc = bpf_map_get_next_key(filter->own_addresses, NULL, &next);

	for (size_t i = 0; !rc && i < 2 * SIPWARD_OWN_ADDRESSES_MAX; i++) {
		key = next;
		rc = bpf_map_get_next_key(filter->own_addresses, &key, &next);
		if (!own_has(list, &key))
			bpf_map_delete_elem(filter->own_addresses, &key);
	}
}

int filter_own_addresses_write(struct filter *filter, const char *pin_dir,
			       struct filter_listening listening)
{
	struct own_list list;
	int rc = own_collect(pin_dir, listening, &list);

	if (rc)
		return rc;
	own_remove(filter, &list);
	/* An address of several interfaces stands there once for each. */
	for (size_t i = 0; i < list.n && !rc; i++)
		rc = bpf_map_update_elem(filter->own_addresses, &list.entries[i].key,
					 &list.entries[i].value, BPF_ANY);
	return rc;
}

/* ---- what comes of it ---- */

/* What flags a challenge must have one of to be used now; 0: none is. */
static __u32 flags_in_use(struct filter *filter)
{
	struct sipward_own_key key, *last = NULL;
	struct sipward_lease lease;
	struct sipward_own own;
	__u32 answers = 0;

	if (filter_lease_read(filter, &lease) || lease.until_ns <= clock_coarse_ns())
		return 0;
	explicit_bzero(&lease, sizeof(lease));
	for (; bpf_map_get_next_key(filter->own_addresses, last, &key) == 0; last = &key) {
		if (bpf_map_lookup_elem(filter->own_addresses, &key, &own) == 0)
			answers |= own.flags;
	}
	if (answers & SIPWARD_OWN_NATIVE)
		return SIPWARD_CHALLENGE_READY;
	return answers & SIPWARD_OWN_ANSWERS ? SIPWARD_CHALLENGE_ANY_MODE : 0;
}

bool filter_challenges_for(struct filter *filter, const char *domain)
{
	struct sipward_challenge_key key = {0};
	struct sipward_challenge challenge;
	size_t n = strlen(domain);

	if (n > sizeof(key.domain))
		return false;
	memcpy(key.domain, domain, n);
	return bpf_map_lookup_elem(filter->challenges, &key, &challenge) == 0 &&
	       challenge.flags & flags_in_use(filter);
}

int filter_challenges_count(struct filter *filter, size_t *ret_n)
{
	struct sipward_challenge_key key, *last = NULL;
	struct sipward_challenge challenge;
	__u32 in_use = flags_in_use(filter);
	size_t n = 0;
	int rc;

	while ((rc = bpf_map_get_next_key(filter->challenges, last, &key)) == 0) {
		last = &key;
		if (!key.registers &&
		    bpf_map_lookup_elem(filter->challenges, &key, &challenge) == 0)
			n += (challenge.flags & in_use) != 0;
	}
	if (rc != -ENOENT)
		return rc;
	*ret_n = n;
	return 0;
}
