/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packet decision written a second time, straight from the tables and RFCs and with nothing of
 * the filter's code: by offsets into the frame, with the state in plain lists. It knows no budgets
 * and does not remember fragments.
 */
#ifndef SIPWARD_TESTS_REFERENCE_H
#define SIPWARD_TESTS_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "filter/filter.h"

#define REF_LIST 16

struct ref_state {
	uint32_t unlisted;
	unsigned v6_bits; /* of an IPv6 source */
	struct ip locked_out[REF_LIST], proven[REF_LIST];
	size_t locked_out_n, proven_n;
	struct filter_rule rules[REF_LIST];
	size_t rules_n;
};

struct ref_packet {
	const uint8_t *bytes;
	long n;
	struct ip source;
	uint8_t protocol;
	long at;     /* transport header */
	long ip_end; /* as the IP header says */
	bool first, later;
};

static inline unsigned ref_u16(const uint8_t *at)
{
	return at[0] * 256U + at[1];
}

/* 0: goes on; else a reason + 1. */
static inline int ref_ipv4(struct ref_packet *p, long at)
{
	unsigned header, fragment;

	if (at + 20 > p->n || p->bytes[at] >> 4 != 4)
		return SIPWARD_OTHER + 1;
	header = (p->bytes[at] & 15) * 4;
	if (header < 20 || at + header > p->n)
		return SIPWARD_OTHER + 1;
	p->protocol = p->bytes[at + 9];
	if (p->protocol != 17 && p->protocol != 6)
		return SIPWARD_OTHER + 1;
	p->source.family = 4;
	memcpy(p->source.bytes, p->bytes + at + 12, 4);
	fragment = ref_u16(p->bytes + at + 6);
	p->later = (fragment & 0x1fff) != 0;
	p->first = !p->later && (fragment & 0x2000);
	p->ip_end = at + ref_u16(p->bytes + at + 2);
	p->at = at + header;
	return 0;
}

static inline bool ref_is_ext(uint8_t type)
{
	return type == 0 || type == 43 || type == 44 || type == 51 || type == 60;
}

static inline int ref_ipv6(struct ref_packet *p, long at)
{
	uint8_t type;
	int headers = 0;

	if (at + 40 > p->n || p->bytes[at] >> 4 != 6)
		return SIPWARD_OTHER + 1;
	p->source.family = 6;
	memcpy(p->source.bytes, p->bytes + at + 8, 16);
	p->ip_end = at + 40 + ref_u16(p->bytes + at + 4);
	type = p->bytes[at + 6];
	at += 40;
	while (ref_is_ext(type)) {
		int unreadable = p->first ? SIPWARD_MALFORMED + 1 : SIPWARD_OTHER + 1;
		uint8_t next;
		long size;

		if (headers++ == 6)
			return SIPWARD_MALFORMED + 1;
		if (at + 2 > p->n)
			return unreadable;
		next = p->bytes[at];
		size = type == 44   ? 8
		       : type == 51 ? (p->bytes[at + 1] + 2) * 4L
				    : (p->bytes[at + 1] + 1) * 8L;
		if (at + size > p->n)
			return unreadable;
		if (type == 44) {
			unsigned offset = ref_u16(p->bytes + at + 2);

			p->later = offset >> 3;
			p->first = !p->later && (offset & 1);
			if (p->later)
				return next == 17 || next == 6 || ref_is_ext(next)
					   ? 0
					   : SIPWARD_OTHER + 1;
		}
		at += size;
		type = next;
	}
	if (type != 17 && type != 6)
		return SIPWARD_OTHER + 1;
	p->protocol = type;
	p->at = at;
	return 0;
}

static inline bool ref_begin_alike(const struct ip *a, const struct ip *b, unsigned bits)
{
	bool alike = a->family == b->family;

	for (unsigned bit = 0; alike && bit < bits; bit++)
		alike = !((a->bytes[bit / 8] ^ b->bytes[bit / 8]) & 0x80 >> bit % 8);
	return alike;
}

static inline bool ref_listed(const struct ref_state *s, const struct ip *list, size_t n,
			      const struct ip *source)
{
	for (size_t i = 0; i < n; i++)
		if (ref_begin_alike(&list[i], source, source->family == 4 ? 32 : s->v6_bits))
			return true;
	return false;
}

static inline uint32_t ref_acl(const struct ref_state *s, const struct ip *source)
{
	uint32_t flags = 0;
	int longest = -1;

	for (size_t i = 0; i < s->rules_n; i++) {
		const struct prefix *prefix = &s->rules[i].prefix;

		if (ref_begin_alike(&prefix->ip, source, prefix->len) && prefix->len > longest) {
			longest = prefix->len;
			flags = s->rules[i].value.flags;
		}
	}
	return flags;
}

static inline bool ref_malformed(const struct ref_packet *p)
{
	long have = p->n - p->at, says = p->ip_end - p->at, length;

	if (says > have)
		return true;
	if (p->protocol == 6) {
		if (says < 20)
			return true;
		length = (p->bytes[p->at + 12] >> 4) * 4;
		return length < 20 || length > says;
	}
	if (says < 8)
		return true;
	length = ref_u16(p->bytes + p->at + 4);
	return length < 8 || (!p->first && length > says);
}

static inline bool ref_is_sip(const struct ref_packet *p)
{
	long end = p->at + ref_u16(p->bytes + p->at + 4), at = p->at + 8, letters = 0;

	if (end > p->ip_end)
		end = p->ip_end;
	while (at + letters < end && letters < 24 && p->bytes[at + letters] >= 'A' &&
	       p->bytes[at + letters] <= 'Z')
		letters++;
	if (letters == 0 || letters >= 24 || at + letters >= end)
		return false;
	if (p->bytes[at + letters] == ' ')
		return true;
	return p->bytes[at + letters] == '/' && letters == 3 && !memcmp(p->bytes + at, "SIP", 3);
}

static inline int ref_judge_source(const struct ref_state *s, const struct ref_packet *p)
{
	uint32_t acl = ref_acl(s, &p->source);

	if (ref_listed(s, s->locked_out, s->locked_out_n, &p->source))
		return SIPWARD_LOCKED_OUT;
	if (acl & SIPWARD_ACL_DENY)
		return SIPWARD_DENIED;
	if (acl)
		return SIPWARD_LISTED;
	if (ref_listed(s, s->proven, s->proven_n, &p->source))
		return SIPWARD_PROVEN;
	if (s->unlisted == SIPWARD_UNLISTED_DROP)
		return SIPWARD_UNLISTED;
	if (s->unlisted == SIPWARD_UNLISTED_LIMIT && p->protocol == 17 && !ref_is_sip(p))
		return SIPWARD_NOT_SIP;
	return SIPWARD_UNLISTED_PASS;
}

static inline int ref_judge(const struct ref_state *s, const uint8_t *bytes, long n)
{
	struct ref_packet p = {.bytes = bytes, .n = n};
	unsigned type = ref_u16(bytes + 12), port;
	long at = 14;
	int done;

	for (int tags = 0; tags < 4 && (type == 0x8100 || type == 0x88a8); tags++) {
		if (at + 4 > n)
			return SIPWARD_OTHER;
		type = ref_u16(bytes + at + 2);
		at += 4;
	}
	if (type != 0x0800 && type != 0x86dd)
		return SIPWARD_OTHER;
	done = type == 0x0800 ? ref_ipv4(&p, at) : ref_ipv6(&p, at);
	if (done)
		return done - 1;
	if (p.later)
		return SIPWARD_FRAGMENT;
	if (p.at + 4 > n || p.at + 4 > p.ip_end)
		return p.first ? SIPWARD_MALFORMED : SIPWARD_OTHER;
	port = ref_u16(bytes + p.at + 2);
	if (port != 5060 && !(port == 5061 && p.protocol == 6))
		return SIPWARD_OTHER;
	return ref_malformed(&p) ? SIPWARD_MALFORMED : ref_judge_source(s, &p);
}

#endif
