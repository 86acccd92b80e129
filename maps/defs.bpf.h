/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The maps (DESIGN §4). Nothing is pinned by name here, so that any loader gets maps of its own;
 * the pins are user space's. There are no global variables: no hidden .data or .rodata map.
 */
#ifndef SIPWARD_MAPS_DEFS_BPF_H
#define SIPWARD_MAPS_DEFS_BPF_H

#include "maps/types.h"
#include "maps/acl_index.h"
#include "maps/source_index.h"
#include "maps/siphash.h"
#include "maps/nonce.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sipward_settings);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SIPWARD_PREFIXES_MAX);
	__type(key, struct sipward_acl_v4_key);
	__type(value, struct sipward_acl_value);
} acl_v4 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SIPWARD_PREFIXES_MAX);
	__type(key, struct sipward_acl_v6_key);
	__type(value, struct sipward_acl_value);
} acl_v6 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ACL_INDEX_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} acl_index SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, SOURCE_INDEX_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} source_index SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SIPWARD_LOCKOUTS_MAX);
	__type(key, struct sipward_source);
	__type(value, struct sipward_lockout);
} lockouts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SIPWARD_PROVEN_MAX);
	__type(key, struct sipward_source);
	__type(value, struct sipward_proof);
} proven SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SIPWARD_LIMITS_MAX);
	__type(key, struct sipward_source);
	__type(value, struct sipward_bucket);
} limits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SIPWARD_FRAGMENTS_MAX);
	__type(key, struct sipward_fragment_key);
	__type(value, struct sipward_fragment);
} fragments SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SIPWARD_CHALLENGES_MAX);
	__type(key, struct sipward_challenge_key);
	__type(value, struct sipward_challenge);
} challenges SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sipward_lease);
} lease SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, SIPWARD_OWN_ADDRESSES_MAX);
	__type(key, struct sipward_own_key);
	__type(value, struct sipward_own);
} own_addresses SEC(".maps");

/* The key is enum sipward_reason; the kernel wants a plain integer to index an array by. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SIPWARD_REASON_COUNT);
	__type(key, __u32);
	__type(value, struct sipward_counter);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sipward_cpu_state);
} cpu_state SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SIPWARD_DROPS_MAX);
	__type(key, struct sipward_source);
	__type(value, struct sipward_drop);
} drops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SIPWARD_EVENTS_BYTES);
} events SEC(".maps");

#endif
