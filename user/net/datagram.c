/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <linux/sock_diag.h>
#include <string.h>

#include "net/net_internal.h"

#define SOCKET_BUFFER_BYTES (8 << 20)
#define DATAGRAM_MEMORY 2048 /* what one of a usual size takes in the kernel, roughly */
#define BATCHES_A_TURN 4 /* then timers and signals get theirs */
#define FIRST_BATCH 8	 /* most often there are few: a large one is made ready for nothing */

/* Buffers as large as we may have: FORCE needs CAP_NET_ADMIN, the other is cut to the sysctl. */
static void enlarge_buffers(int fd)
{
	if (net_set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, SOCKET_BUFFER_BYTES))
		net_set_option(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER_BYTES);
	if (net_set_option(fd, SOL_SOCKET, SO_SNDBUFFORCE, SOCKET_BUFFER_BYTES))
		net_set_option(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER_BYTES);
}

int datagram_set_options(int fd, unsigned family)
{
	int rc;

	enlarge_buffers(fd);
	if (family == 6) {
		rc = net_set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
		return rc ? rc : net_set_option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
	}
	/* Large requests are fragmented, never refused for a remembered path MTU. */
	rc = net_set_option(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
	return rc ? rc : net_set_option(fd, IPPROTO_IP, IP_PKTINFO, 1);
}

union control {
	struct cmsghdr align;
	char v4[CMSG_SPACE(sizeof(struct in_pktinfo))];
	char v6[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

struct batch {
	struct mmsghdr messages[NET_BATCH];
	struct iovec iov[NET_BATCH];
	struct sockaddr_storage names[NET_BATCH];
	union control control[NET_BATCH];
};

static void batch_prepare(struct batch *b, unsigned n, char *pool)
{
	for (unsigned i = 0; i < n; i++) {
		b->iov[i].iov_base = pool + (size_t)i * NET_DATAGRAM_MAX;
		b->iov[i].iov_len = NET_DATAGRAM_MAX;
		b->messages[i] = (struct mmsghdr){
			.msg_hdr =
				{
					.msg_name = &b->names[i],
					.msg_namelen = sizeof(b->names[i]),
					.msg_iov = &b->iov[i],
					.msg_iovlen = 1,
					.msg_control = &b->control[i],
					.msg_controllen = sizeof(b->control[i]),
				},
		};
	}
}

/* The address that the datagram came to; the bound one where the kernel does not say. */
static struct ip destination(struct msghdr *message, const struct endpoint *bound)
{
	struct ip ip = bound->ip;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			memcpy(ip.bytes, &info.ipi_spec_dst, 4);
		} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			memcpy(ip.bytes, &info.ipi6_addr, 16);
		}
	}
	return ip;
}

static int packet_from(struct mmsghdr *m, const struct net_socket *s, struct net_packet *ret_packet)
{
	int rc = endpoint_from_sockaddr(m->msg_hdr.msg_name, &ret_packet->path.remote);

	if (rc)
		return rc;
	ret_packet->bytes = (struct slice){m->msg_hdr.msg_iov->iov_base, m->msg_len};
	ret_packet->path.transport = NET_UDP;
	ret_packet->path.local.ip = destination(&m->msg_hdr, &s->bound);
	ret_packet->path.local.port = s->bound.port;
	ret_packet->path.name = NULL;
	ret_packet->client_verified = false;
	return 0;
}

/* Asks for so many datagrams: false if there were fewer. Truncated ones are not among *ret_n. */
static bool receive(struct net_socket *s, unsigned asked, struct net_packet *packets,
		    unsigned *ret_n)
{
	struct net *net = s->net;
	struct batch b;
	int got;

	batch_prepare(&b, asked, net->receive_pool);
	got = recvmmsg(s->fd, b.messages, asked, MSG_DONTWAIT, NULL);
	*ret_n = 0;
	for (int i = 0; i < got; i++) {
		if (b.messages[i].msg_hdr.msg_flags & MSG_TRUNC)
			net_count(net, NET_TRUNCATED);
		else if (packet_from(&b.messages[i], s, &packets[*ret_n]) == 0)
			++*ret_n;
	}
	net_count_more(net, NET_RECEIVED, *ret_n);
	return got == (int)asked;
}

/* Behind a full batch there may be more. */
static size_t count_waiting(int fd)
{
	uint32_t memory[SK_MEMINFO_VARS];
	socklen_t n = sizeof(memory);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &n))
		return 0;
	return memory[SK_MEMINFO_RMEM_ALLOC] / DATAGRAM_MEMORY;
}

void datagram_on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct net_socket *s = arg;
	struct net_packet packets[NET_BATCH];
	unsigned n;

	(void)fd;
	(void)what;
	for (int turn = 0; turn < BATCHES_A_TURN; turn++) {
		bool more = receive(s, turn ? NET_BATCH : FIRST_BATCH, packets, &n);

		s->waiting = more ? count_waiting(s->fd) : 0;
		if (n)
			net_hand_over(s->net, packets, n);
		if (!more)
			return;
	}
}

int datagram_send(struct net *net, const struct net_path *path, const struct iovec *iov,
		  unsigned iov_count)
{
	struct net_queued *q;
	struct net_path chosen = *path;
	size_t length = 0;
	int socket;

	for (unsigned i = 0; i < iov_count; i++)
		length += iov[i].iov_len;
	/* A datagram of 65535 bytes has no room for its own headers. */
	if (length > NET_DATAGRAM_MAX - 28)
		return -EMSGSIZE;
	if (!chosen.local.ip.family && net_local_for(net, NET_UDP, &path->remote, &chosen.local))
		return -ENETUNREACH;
	socket = net_socket_for(net, &chosen);
	if (socket < 0)
		return -ENETUNREACH;
	if (net->queued == NET_BATCH || net->send_used + length > SEND_POOL_BYTES)
		net_flush(net);
	q = &net->queue[net->queued++];
	*q = (struct net_queued){(unsigned)socket, net->send_used, length, chosen};
	for (unsigned i = 0; i < iov_count; i++) {
		memcpy(net->send_pool + net->send_used, iov[i].iov_base, iov[i].iov_len);
		net->send_used += iov[i].iov_len;
	}
	return 0;
}

/* Sends from the address that the peer knows: a wildcard socket would take the route's. */
static size_t source_control(union control *control, const struct ip *local)
{
	struct cmsghdr *c = &control->align;

	memset(control, 0, sizeof(*control));
	if (local->family == 6) {
		struct in6_pktinfo info = {0};

		memcpy(&info.ipi6_addr, local->bytes, 16);
		c->cmsg_level = IPPROTO_IPV6;
		c->cmsg_type = IPV6_PKTINFO;
		c->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		return sizeof(control->v6);
	}
	struct in_pktinfo info = {0};

	memcpy(&info.ipi_spec_dst, local->bytes, 4);
	c->cmsg_level = IPPROTO_IP;
	c->cmsg_type = IP_PKTINFO;
	c->cmsg_len = CMSG_LEN(sizeof(info));
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	return sizeof(control->v4);
}

static void batch_fill(struct net *net, struct batch *b, unsigned i, const struct net_queued *q)
{
	bool wildcard = net->sockets[q->socket].wildcard;

	b->iov[i] = (struct iovec){net->send_pool + q->offset, q->length};
	b->messages[i] = (struct mmsghdr){
		.msg_hdr =
			{
				.msg_name = &b->names[i],
				.msg_namelen = endpoint_to_sockaddr(&q->path.remote, &b->names[i]),
				.msg_iov = &b->iov[i],
				.msg_iovlen = 1,
			},
	};
	if (!wildcard)
		return;
	b->messages[i].msg_hdr.msg_control = &b->control[i];
	b->messages[i].msg_hdr.msg_controllen =
		source_control(&b->control[i], &q->path.local.ip);
}

/* An error belongs to the first message that was not sent: that one is given up, the rest tried. A
 * full buffer gives up them all. */
static void send_all(struct net *net, int fd, struct mmsghdr *messages, unsigned n)
{
	unsigned done = 0;

	while (done < n) {
		int rc = sendmmsg(fd, messages + done, n - done, MSG_DONTWAIT);

		if (rc > 0) {
			done += (unsigned)rc;
			net_count_more(net, NET_SENT, (unsigned)rc);
		} else if (errno == EAGAIN || errno == ENOBUFS) {
			net_count_more(net, NET_SEND_DROPPED, n - done);
			return;
		} else if (errno != EINTR) {
			net_count(net, NET_SEND_ERRORS);
			done++;
		}
	}
}

/* One system call for each socket, whatever the order they were queued in. */
void net_flush(struct net *net)
{
	struct batch b;

	for (unsigned socket = 0; net->queued && socket < net->socket_count; socket++) {
		unsigned n = 0;

		for (unsigned i = 0; i < net->queued; i++)
			if (net->queue[i].socket == socket)
				batch_fill(net, &b, n++, &net->queue[i]);
		send_all(net, net->sockets[socket].fd, b.messages, n);
	}
	net->queued = 0;
	net->send_used = 0;
}
