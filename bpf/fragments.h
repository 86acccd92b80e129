/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Later fragments share the verdict of the first one of their datagram. Only dropped first
 * fragments need remembering: where none is known the later ones pass, and without their first one
 * they never become a datagram. So a flood that pushes entries out of this map gains nothing.
 */
#ifndef SIPWARD_BPF_FRAGMENTS_H
#define SIPWARD_BPF_FRAGMENTS_H

/* As long as Linux waits for the rest of an IPv4 datagram. */
#define FRAGMENT_LIFE_NS (30ULL * NS_PER_S)

static __always_inline void fragment_key(const struct packet *p, struct sipward_fragment_key *key)
{
	*key = (struct sipward_fragment_key){
	    .family = p->source.family, .protocol = p->protocol, .id_be = p->fragment_id_be};
	if (p->source.family == 6)
		key->protocol = 0;
	__builtin_memcpy(key->src_be, p->src_be, sizeof(key->src_be));
	__builtin_memcpy(key->dst_be, p->dst_be, sizeof(key->dst_be));
}

static __always_inline enum sipward_reason fragment_inherit(const struct packet *p, struct env *env)
{
	const struct sipward_fragment *first;
	struct sipward_fragment_key key;

	fragment_key(p, &key);
	first = bpf_map_lookup_elem(&fragments, &key);
	return first && first->until_ns > env_now(env) ? SIPWARD_FRAGMENT_DROP : SIPWARD_FRAGMENT;
}

/* Notes what became of a first fragment. A malformed one is not noted: it says nothing about its
 * sender, and whoever forges one must not be able to stop fragments of the real datagram. */
static __always_inline void fragment_note(const struct packet *p, struct env *env,
					  enum sipward_reason reason)
{
	struct sipward_fragment first = {};
	struct sipward_fragment_key key;

	if (reason == SIPWARD_MALFORMED)
		return;
	fragment_key(p, &key);
	if (!reason_drops(reason)) {
		/* The id may have been in use by a dropped datagram before. */
		if (bpf_map_lookup_elem(&fragments, &key))
			bpf_map_delete_elem(&fragments, &key);
		return;
	}
	if (!window_allows(env->cpu, &env->cpu->fragments, WINDOW_FRAGMENTS))
		return;
	first.until_ns = env_now(env) + FRAGMENT_LIFE_NS;
	bpf_map_update_elem(&fragments, &key, &first, BPF_ANY);
}

#endif
