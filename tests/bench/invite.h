/* SPDX-License-Identifier: BSD-2-Clause */
/* A filter that challenges everybody at 192.0.2.1, and the INVITE it does so for. */
#ifndef SIPWARD_BENCH_INVITE_H
#define SIPWARD_BENCH_INVITE_H

#include <bpf/bpf.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>

#include "filter/internal.h"

#define INVITE_BYTES 850
#define NONCE "0000000000000000000000000000000000000000000000000000000000000000"
#define START "SIP/2.0 407 Proxy Authentication Required\r\n"
#define FIELD "Proxy-Authenticate: Digest algorithm=MD5, realm=\"sip.example\", nonce=\""
#define END "\", qop=\"auth\"\r\nContent-Length: 0\r\n\r\n"

static const char bench_invite[] =
	"INVITE sip:+4930123456@gate.example SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 198.51.100.7:5062;branch=z9hG4bK-524287-1---2ad6ed1bc63b1b11;rport\r\n"
	"Max-Forwards: 70\r\n"
	"Contact: <sip:alice@198.51.100.7:5062>\r\n"
	"To: <sip:+4930123456@gate.example>\r\n"
	"From: \"Alice\" <sip:alice@gate.example>;tag=9c26cf4d\r\n"
	"Call-ID: 93342NjQ5ZTZiZmNjNTUzNTlhNzFkMmNjYmMyMzU1N2JiYjA\r\n"
	"CSeq: 1 INVITE\r\n"
	"Allow: INVITE, ACK, CANCEL, BYE, REFER, INFO, NOTIFY, OPTIONS\r\n"
	"Content-Type: application/sdp\r\n"
	"Supported: replaces\r\n"
	"User-Agent: A phone of somebody 5.1.2\r\n\r\n";

/* Of INVITE_BYTES. */
static inline void bench_invite_write(char ret_text[INVITE_BYTES + 1])
{
	memset(ret_text, 'v', INVITE_BYTES);
	memcpy(ret_text, bench_invite, sizeof(bench_invite) - 1);
	ret_text[INVITE_BYTES] = '\0';
}

/* On packets from the interface. Returns 0 or a negative errno. */
static inline int bench_challenging(const struct filter *filter, const char *ifname)
{
	const struct sipward_challenge_key key = {.domain = "*"};
	struct sipward_challenge challenge = {
		.flags = SIPWARD_CHALLENGE_READY | SIPWARD_CHALLENGE_ANY_MODE,
		.start_n = sizeof(START) - 1,
		.text_n = sizeof(START FIELD NONCE END) - 1,
		.hole_count = 1,
		.holes[0].at = sizeof(START FIELD) - 1,
	};
	const struct sipward_lease lease = {.until_ns = UINT64_MAX};
	struct sipward_own_key own_key = {
		.ifindex = if_nametoindex(ifname), .family = 4, .port_be = htons(5060)};
	const struct sipward_own own = {SIPWARD_OWN_ANSWERS};
	const struct sipward_acl_v4_key acl_key = {0};
	const struct sipward_acl_value acl = {.flags = SIPWARD_ACL_ALLOW};
	const struct sipward_settings settings = {.mode = SIPWARD_ENFORCE};
	__u32 only = 0;
	int rc;

	memcpy(challenge.text, START FIELD NONCE END, challenge.text_n);
	own_key.addr_be[0] = htonl(0xc0000201);
	rc = bpf_map_update_elem(filter->challenges, &key, &challenge, BPF_ANY);
	if (!rc)
		rc = bpf_map_update_elem(filter->lease, &only, &lease, BPF_ANY);
	if (!rc)
		rc = bpf_map_update_elem(filter->own_addresses, &own_key, &own, BPF_ANY);
	if (!rc)
		rc = bpf_map_update_elem(filter->acl_v4, &acl_key, &acl, BPF_ANY);
	if (!rc)
		rc = bpf_map_update_elem(filter->settings, &only, &settings, BPF_ANY);
	return rc;
}

#endif
