/* SPDX-License-Identifier: BSD-2-Clause */
/* Building frames for the tests of the filter: a shape says what differs from a plain INVITE. */
#ifndef SIPWARD_TESTS_PACKETS_H
#define SIPWARD_TESTS_PACKETS_H

#include <arpa/inet.h>
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define FRAME_MAX 3400
#define INVITE "INVITE sip:+12345678900@gate.example SIP/2.0\r\n\r\n"

enum { PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17 };
enum { EXT_HOP = 0, EXT_ROUTING = 43, EXT_FRAGMENT = 44, EXT_AH = 51, EXT_DEST = 60 };

struct frame {
	uint8_t bytes[FRAME_MAX];
	uint32_t n;
	uint32_t ip_at, transport_at;
};

struct shape {
	unsigned family;     /* 0 = 4 */
	const char *src;     /* default 198.51.100.7 or 2001:db8:51::7 */
	unsigned protocol;   /* 0 = UDP */
	uint16_t port;	     /* 0 = 5060 */
	const char *payload; /* NULL = INVITE */
	unsigned payload_n;  /* 0 = strlen(payload) */
	unsigned tags;	     /* VLAN */
	bool tags_8021ad;
	uint16_t ether_type; /* 0 = by family */
	unsigned options;    /* IPv4: words of options */
	uint8_t ext[10];     /* IPv6 extension headers */
	unsigned exts;
	unsigned ext_bytes; /* length of each that may be longer; 0 = 8 */
	bool fragment;	    /* IPv6: behind the other extension headers; IPv4: in the header */
	bool more;
	unsigned offset; /* in bytes, a multiple of 8 */
	uint32_t id;
	int udp_length;	   /* -1 = 0; 0 = right */
	int tcp_words;	   /* -1 = 0; 0 = 5 */
	int ip_length;	   /* added to IPv4 total length or IPv6 payload length */
	unsigned padding;  /* bytes behind the IP packet */
	bool no_transport; /* the payload follows the IP header at once */
};

static inline uint8_t *frame_add(struct frame *f, const void *bytes, unsigned n)
{
	assert(f->n + n <= FRAME_MAX);
	if (bytes)
		memcpy(f->bytes + f->n, bytes, n);
	f->n += n;
	return f->bytes + f->n - n;
}

static inline void frame_add_u16(struct frame *f, uint16_t value)
{
	frame_add(f, (uint8_t[]){value >> 8, value}, 2);
}

static inline void put_u16(uint8_t *at, unsigned value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static inline void frame_ethernet(struct frame *f, const struct shape *s)
{
	uint16_t type = s->ether_type ? s->ether_type : s->family == 6 ? 0x86dd : 0x0800;

	frame_add(f, "\2\0\0\0\0\1\2\0\0\0\0\2", 12);
	for (unsigned i = 0; i < s->tags; i++) {
		frame_add_u16(f, s->tags_8021ad && i + 1 < s->tags ? 0x88a8 : 0x8100);
		frame_add_u16(f, 0x6000 | (i + 100));
	}
	frame_add_u16(f, type);
}

static inline void frame_ipv4(struct frame *f, const struct shape *s)
{
	uint8_t *ip = frame_add(f, NULL, 20 + 4 * s->options);

	memset(ip, 0, 20 + 4 * s->options);
	ip[0] = 0x40 | (5 + s->options);
	put_u16(ip + 4, s->id);
	put_u16(ip + 6, s->offset / 8 | (s->more ? 0x2000 : 0));
	ip[8] = 64;
	ip[9] = s->protocol ? s->protocol : PROTO_UDP;
	assert(inet_pton(AF_INET, s->src ? s->src : "198.51.100.7", ip + 12) == 1);
	assert(inet_pton(AF_INET, "192.0.2.1", ip + 16) == 1);
	memset(ip + 20, 1, 4 * s->options);
}

static inline void frame_extension(struct frame *f, const struct shape *s, uint8_t type,
				   uint8_t next)
{
	unsigned n = s->ext_bytes ? s->ext_bytes : 8;
	uint8_t *ext = frame_add(f, NULL, n);

	memset(ext, 0, n);
	ext[0] = next;
	ext[1] = type == EXT_AH ? n / 4 - 2 : n / 8 - 1;
}

static inline void frame_ipv6(struct frame *f, const struct shape *s)
{
	uint8_t protocol = s->protocol ? s->protocol : PROTO_UDP;
	uint8_t last = s->fragment ? EXT_FRAGMENT : protocol;
	uint8_t *ip = frame_add(f, NULL, 40);

	memset(ip, 0, 40);
	ip[0] = 0x60;
	ip[6] = s->exts ? s->ext[0] : last;
	ip[7] = 64;
	assert(inet_pton(AF_INET6, s->src ? s->src : "2001:db8:51::7", ip + 8) == 1);
	assert(inet_pton(AF_INET6, "2001:db8::1", ip + 24) == 1);
	for (unsigned i = 0; i < s->exts; i++)
		frame_extension(f, s, s->ext[i], i + 1 < s->exts ? s->ext[i + 1] : last);
	if (s->fragment) {
		uint8_t *fragment = frame_add(f, NULL, 8);

		fragment[0] = protocol;
		fragment[1] = 0;
		put_u16(fragment + 2, s->offset | s->more);
		put_u16(fragment + 4, s->id >> 16);
		put_u16(fragment + 6, s->id);
	}
}

static inline unsigned or_default(int wanted, unsigned otherwise)
{
	if (wanted < 0)
		return 0;
	return wanted ? (unsigned)wanted : otherwise;
}

static inline void frame_transport(struct frame *f, const struct shape *s, unsigned payload_n)
{
	bool tcp = s->protocol == PROTO_TCP;
	unsigned n = tcp ? 20 : 8;
	uint8_t *header = frame_add(f, NULL, n);

	memset(header, 0, n);
	put_u16(header, 40000);
	put_u16(header + 2, s->port ? s->port : 5060);
	if (tcp)
		header[12] = or_default(s->tcp_words, 5) << 4;
	else
		put_u16(header + 4, or_default(s->udp_length, 8 + payload_n));
}

static inline struct frame frame_make(struct shape s)
{
	const char *payload = s.payload ? s.payload : INVITE;
	unsigned payload_n = s.payload_n ? s.payload_n : strlen(payload);
	struct frame f = {};
	unsigned length;

	frame_ethernet(&f, &s);
	f.ip_at = f.n;
	if (s.family == 6)
		frame_ipv6(&f, &s);
	else
		frame_ipv4(&f, &s);
	f.transport_at = f.n;
	if (!s.no_transport && !s.offset)
		frame_transport(&f, &s, payload_n);
	if (s.payload)
		frame_add(&f, payload, payload_n);
	else if (s.payload_n)
		memset(frame_add(&f, NULL, payload_n), 'A', payload_n);
	else
		frame_add(&f, payload, payload_n);
	length = f.n - f.ip_at + s.ip_length;
	put_u16(f.bytes + f.ip_at + (s.family == 6 ? 4 : 2), s.family == 6 ? length - 40 : length);
	memset(frame_add(&f, NULL, s.padding), 0, s.padding);
	return f;
}

#define FRAME(...) frame_make((struct shape){__VA_ARGS__})

#endif
