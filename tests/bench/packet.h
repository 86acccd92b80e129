/* SPDX-License-Identifier: BSD-2-Clause */
/* The packets of the filter's benches: an INVITE of some 500 bytes over UDP, no tags, no options.
 */
#ifndef SIPWARD_BENCH_PACKET_H
#define SIPWARD_BENCH_PACKET_H

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define BENCH_PAYLOAD 458

struct bench_packet {
	uint8_t bytes[600];
	uint32_t n;
};

static inline void bench_append(struct bench_packet *packet, const void *bytes, size_t n)
{
	memcpy(packet->bytes + packet->n, bytes, n);
	packet->n += n;
}

static inline void bench_append_udp(struct bench_packet *packet, uint16_t port)
{
	struct udphdr udp = {
	    .source = htons(5060), .dest = htons(port), .len = htons(sizeof(udp) + BENCH_PAYLOAD)};
	char payload[BENCH_PAYLOAD + 1];

	snprintf(payload, sizeof(payload), "INVITE sip:+12345678900@gate.example SIP/2.0\r\n%0*d",
		 BENCH_PAYLOAD - 46, 0);
	bench_append(packet, &udp, sizeof(udp));
	bench_append(packet, payload, BENCH_PAYLOAD);
}

static inline struct bench_packet bench_packet_v4(uint16_t port)
{
	struct ethhdr eth = {.h_dest = {2}, .h_source = {2, 1}, .h_proto = htons(ETH_P_IP)};
	struct iphdr ip = {.version = 4,
			   .ihl = 5,
			   .ttl = 64,
			   .protocol = IPPROTO_UDP,
			   .tot_len = htons(sizeof(ip) + sizeof(struct udphdr) + BENCH_PAYLOAD),
			   .saddr = htonl(0xc6120001),
			   .daddr = htonl(0xc0000201)};
	struct bench_packet packet = {};

	bench_append(&packet, &eth, sizeof(eth));
	bench_append(&packet, &ip, sizeof(ip));
	bench_append_udp(&packet, port);
	return packet;
}

static inline struct bench_packet bench_packet_v6(uint16_t port)
{
	struct ethhdr eth = {.h_dest = {2}, .h_source = {2, 1}, .h_proto = htons(ETH_P_IPV6)};
	struct ipv6hdr ip = {.version = 6,
			     .nexthdr = IPPROTO_UDP,
			     .hop_limit = 64,
			     .payload_len = htons(sizeof(struct udphdr) + BENCH_PAYLOAD)};
	struct bench_packet packet = {};

	bench_append(&packet, &eth, sizeof(eth));
	bench_append(&packet, &ip, sizeof(ip));
	bench_append_udp(&packet, port);
	return packet;
}

#endif
