/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xdpflood INTERFACE MAC TARGET[:PORT] PPS SECONDS [PREFIX]
 *
 * Sends forged INVITEs through a veth, PPS a second, from random IPv4 sources or those of PREFIX,
 * to whoever has the MAC address at its other end. They are frames that the kernel makes by
 * BPF_PROG_RUN, which costs a tenth of what a socket takes, so that the rate is held while the
 * receiver suffers. Prints how many left, and how many a second.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/types.h>
#include <linux/udp.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/addr.h"
#include "base/clock.h"
#include "../bench/flood.h"
#include "tests/bench/flood.skel.h"

#define SLICE_NS (NS_PER_MS)
#define SIP_AT (sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct udphdr))
#define SIGN "xxxxxxxx"

#define SDP                                                                                        \
	"v=0\r\no=- 1 1 IN IP4 198.18.0.1\r\ns=-\r\nc=IN IP4 198.18.0.1\r\nt=0 0\r\n"          \
	"m=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"

static const char invite[] =
	"INVITE sip:+4930123456@%1$s SIP/2.0\r\n"
	"Via: SIP/2.0/UDP 198.18.0.1:5060;branch=z9hG4bK-" SIGN "\r\n"
	"From: \"sipvicious\" <sip:100@%1$s>;tag=64376637313363340131\r\n"
	"To: <sip:+4930123456@%1$s>\r\n"
	"Call-ID: " SIGN "-850192048571\r\n"
	"CSeq: 1 INVITE\r\n"
	"Contact: <sip:100@198.18.0.1:5060>\r\n"
	"Max-Forwards: 70\r\n"
	"User-Agent: friendly-scanner\r\n"
	"Accept: application/sdp\r\n"
	"Content-Type: application/sdp\r\n"
	"Content-Length: %2$zu\r\n\r\n"
	SDP;

static void die(const char *what, int error)
{
	fprintf(stderr, "xdpflood: %s: %s\n", what, strerror(error));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint16_t checksum(const struct iphdr *ip)
{
	uint16_t words[sizeof(*ip) / 2];
	uint32_t sum = 0;

	memcpy(words, ip, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

static void write_sip(struct flood *flood, const struct endpoint *target)
{
	char host[ENDPOINT_TEXT_SIZE], *sip = (char *)flood->frame + SIP_AT, *sign = sip;

	endpoint_format(target, host);
	flood->frame_n = (uint32_t)SIP_AT +
			 (uint32_t)snprintf(sip, sizeof(flood->frame) - SIP_AT, invite, host,
					     sizeof(SDP) - 1);
	for (int i = 0; i < FLOOD_SIGNS; i++) {
		sign = strstr(sign, SIGN);
		flood->sign_at[i] = (uint32_t)(sign - (char *)flood->frame);
		sign += sizeof(SIGN) - 1;
	}
}

static void write_frame(struct flood *flood, const struct ether_addr *mac,
			const struct endpoint *target)
{
	struct ethhdr eth = {.h_source = {2}, .h_proto = htons(ETH_P_IP)};
	struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP};
	struct udphdr udp = {.source = htons(5060), .dest = htons(target->port)};

	write_sip(flood, target);
	memcpy(eth.h_dest, mac, sizeof(eth.h_dest));
	memcpy(&ip.daddr, target->ip.bytes, sizeof(ip.daddr));
	ip.tot_len = htons((uint16_t)(flood->frame_n - sizeof(eth)));
	ip.check = checksum(&ip);
	udp.len = htons((uint16_t)(flood->frame_n - sizeof(eth) - sizeof(ip)));
	memcpy(flood->frame, &eth, sizeof(eth));
	memcpy(flood->frame + sizeof(eth), &ip, sizeof(ip));
	memcpy(flood->frame + sizeof(eth) + sizeof(ip), &udp, sizeof(udp));
}

static void write_sources(struct flood *flood, const char *text)
{
	struct prefix prefix = {0};
	struct error err;

	if (text && prefix_parse(slice_from(text), &prefix, &err))
		die(text, EINVAL);
	memcpy(&flood->prefix_be, prefix.ip.bytes, sizeof(flood->prefix_be));
	flood->mask_be = prefix.len ? htonl(UINT32_MAX << (32 - prefix.len)) : 0;
}

/* In slices of a millisecond, each the frames that are due by then. */
static uint64_t send_for(const struct flood_bpf *skel, const struct flood *flood, uint64_t pps,
			 uint64_t ns)
{
	uint64_t began = now_ns(), sent = 0, passed, due;

	while ((passed = now_ns() - began) < ns) {
		due = passed * pps / NS_PER_S - sent;
		if (due < pps * SLICE_NS / NS_PER_S) {
			nanosleep(&(struct timespec){.tv_nsec = SLICE_NS / 4}, NULL);
			continue;
		}
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = flood->frame,
			    .data_size_in = flood->frame_n + 1, .repeat = (int)due,
			    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);
		if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.flood_source), &opts))
			die("BPF_PROG_RUN", errno);
		sent += due;
	}
	return sent;
}

int main(int argc, char **argv)
{
	struct endpoint target;
	struct flood flood = {0};
	const struct ether_addr *mac;
	struct flood_bpf *skel;
	uint32_t pps, seconds, only = 0;
	uint64_t sent;

	if (argc < 6 || argc > 7 || !(flood.ifindex = if_nametoindex(argv[1])) ||
	    !(mac = ether_aton(argv[2])) || endpoint_parse(slice_from(argv[3]), 5060, &target) ||
	    target.ip.family != 4 || slice_u32(slice_from(argv[4]), &pps) ||
	    slice_u32(slice_from(argv[5]), &seconds) || seconds > 600) {
		fprintf(stderr, "usage: xdpflood INTERFACE MAC IPV4[:PORT] PPS SECONDS(≤600) "
				"[PREFIX]\n");
		return 2;
	}
	write_frame(&flood, mac, &target);
	write_sources(&flood, argc == 7 ? argv[6] : NULL);
	skel = flood_bpf__open_and_load();
	if (!skel || bpf_map_update_elem(bpf_map__fd(skel->maps.flood), &only, &flood, BPF_ANY))
		die("load", errno);
	sent = send_for(skel, &flood, pps, seconds * NS_PER_S);
	flood_bpf__destroy(skel);
	printf("%llu frames of %u bytes, %.0f a second\n", (unsigned long long)sent, flood.frame_n,
	       (double)sent / seconds);
	return 0;
}
