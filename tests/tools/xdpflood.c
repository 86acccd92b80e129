/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xdpflood INTERFACE MAC TARGET[:PORT] PPS IDLE SECONDS [PREFIX]
 *
 * Sends forged INVITEs through a veth, PPS a second, from random IPv4 sources or those of PREFIX,
 * to whoever has the MAC address at its other end. They are frames that the kernel makes by
 * BPF_PROG_RUN, which costs a tenth of what a socket takes, so that the rate is held while the
 * receiver suffers. For IDLE seconds it is as busy and sends nothing: what it costs its neighbours
 * by that alone is no effect of the flood. Prints how many left, and how many a second.
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

#include "base/addr.h"
#include "base/clock.h"
#include "../bench/flood.h"
#include "tests/bench/flood.skel.h"
#include "now.h"

#define RUN_FRAMES 1000000
#define SIP_AT (sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct udphdr))
#define SIGN "xxxxxxxx"

#define SDP                                                                                        \
	"v=0\r\no=- 1 1 IN IP4 198.18.0.1\r\ns=-\r\nc=IN IP4 198.18.0.1\r\nt=0 0\r\n"              \
	"m=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"

static const char invite[] = "INVITE sip:+4930123456@%1$s SIP/2.0\r\n"
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
			     "Content-Length: %2$zu\r\n\r\n" SDP;

static void die(const char *what, int error)
{
	fprintf(stderr, "xdpflood: %s: %s\n", what, strerror(error));
	exit(1);
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
	flood->frame_n = (uint32_t)SIP_AT + (uint32_t)snprintf(sip, sizeof(flood->frame) - SIP_AT,
							       invite, host, sizeof(SDP) - 1);
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

/* The program keeps the rate. Each run of it sets up, and tears down, a pool of pages, which other
 * CPUs feel: there are few, and long ones. */
static void send_for(const struct flood_bpf *skel, const struct flood *flood, uint64_t ns)
{
	const uint64_t until_ns = now_ns() + ns;

	while (now_ns() < until_ns) {
		LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = flood->frame,
			    .data_size_in = flood->frame_n + 1, .repeat = RUN_FRAMES,
			    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = 64);
		if (bpf_prog_test_run_opts(bpf_program__fd(skel->progs.flood_source), &opts))
			die("BPF_PROG_RUN", errno);
	}
}

int main(int argc, char **argv)
{
	struct endpoint target;
	struct flood flood = {0};
	const struct ether_addr *mac;
	struct flood_bpf *skel;
	uint32_t pps, idle, seconds, only = 0;

	if (argc < 7 || argc > 8 || !(flood.ifindex = if_nametoindex(argv[1])) ||
	    !(mac = ether_aton(argv[2])) || endpoint_parse(slice_from(argv[3]), 5060, &target) ||
	    target.ip.family != 4 || slice_u32(slice_from(argv[4]), &pps) ||
	    slice_u32(slice_from(argv[5]), &idle) || idle > 600 ||
	    slice_u32(slice_from(argv[6]), &seconds) || seconds > 600) {
		fprintf(stderr, "usage: xdpflood INTERFACE MAC IPV4[:PORT] PPS IDLE(≤600) "
				"SECONDS(≤600) [PREFIX]\n");
		return 2;
	}
	write_frame(&flood, mac, &target);
	write_sources(&flood, argc == 8 ? argv[7] : NULL);
	flood.pps = pps;
	flood.idle_ns = idle * NS_PER_S;
	skel = flood_bpf__open_and_load();
	if (!skel || bpf_map_update_elem(bpf_map__fd(skel->maps.flood), &only, &flood, BPF_ANY))
		die("load", errno);
	send_for(skel, &flood, (idle + seconds) * NS_PER_S);
	if (bpf_map_lookup_elem(bpf_map__fd(skel->maps.flood), &only, &flood))
		die("count", errno);
	printf("%llu frames of %u bytes, %.0f a second\n", (unsigned long long)flood.sent,
	       flood.frame_n, flood.sent * 1e9 / (double)(now_ns() - flood.begin_ns));
	flood_bpf__destroy(skel);
	return 0;
}
