/* SPDX-License-Identifier: BSD-2-Clause */
/* Name servers for tests, on loopback: dnsmasq, and one whose answers a test makes up. */
#ifndef SIPWARD_TESTS_DNS_FIXTURE_H
#define SIPWARD_TESTS_DNS_FIXTURE_H

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/dns.h"

/* ---- messages ---- */

struct message {
	uint8_t bytes[4096];
	size_t n;
};

static inline void put16(struct message *m, unsigned value)
{
	m->bytes[m->n++] = (uint8_t)(value >> 8);
	m->bytes[m->n++] = (uint8_t)value;
}

/* Labels between dots; a final dot is not needed. */
static inline void put_name(struct message *m, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");

		m->bytes[m->n++] = (uint8_t)n;
		memcpy(m->bytes + m->n, name, n);
		m->n += n;
		name += n + (name[n] == '.');
	}
	m->bytes[m->n++] = 0;
}

/* As a pointer where it is the name in question, so that many records fit a datagram. */
static inline void put_owner(struct message *m, const char *owner)
{
	struct message name = {.n = 0};

	put_name(&name, owner);
	if (memcmp(m->bytes + 12, name.bytes, name.n) == 0)
		put16(m, 0xc00c);
	else
		put_name(m, owner);
}

static inline void put_record(struct message *m, const char *owner, unsigned type, uint32_t ttl,
			      const struct message *data)
{
	put_owner(m, owner);
	put16(m, type);
	put16(m, ns_c_in);
	put16(m, ttl >> 16);
	put16(m, ttl & 0xffff);
	put16(m, (unsigned)data->n);
	memcpy(m->bytes + m->n, data->bytes, data->n);
	m->n += data->n;
	m->bytes[7]++; /* ANCOUNT */
}

static inline void put_address(struct message *m, const char *owner, uint32_t ttl, const char *text)
{
	const bool v6 = strchr(text, ':') != NULL;
	struct message data = {.n = v6 ? 16 : 4};

	assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, text, data.bytes), 1);
	put_record(m, owner, v6 ? ns_t_aaaa : ns_t_a, ttl, &data);
}

static inline void put_alias(struct message *m, const char *owner, uint32_t ttl, const char *target)
{
	struct message data = {.n = 0};

	put_name(&data, target);
	put_record(m, owner, ns_t_cname, ttl, &data);
}

static inline void put_srv(struct message *m, const char *owner, uint32_t ttl, const char *target)
{
	struct message data = {.n = 0};

	put16(&data, 1);
	put16(&data, 1);
	put16(&data, 5060);
	put_name(&data, target);
	put_record(m, owner, ns_t_srv, ttl, &data);
}

/* A character-string; "-" is an empty one. */
static inline void put_string(struct message *m, const char *text)
{
	const size_t n = strcmp(text, "-") == 0 ? 0 : strlen(text);

	m->bytes[m->n++] = (uint8_t)n;
	memcpy(m->bytes + m->n, text, n);
	m->n += n;
}

/* "PRIORITY WEIGHT PORT TARGET" */
static inline void put_srv_text(struct message *m, const char *owner, uint32_t ttl,
				const char *text)
{
	unsigned priority, weight, port;
	struct message data = {.n = 0};
	char target[256];

	assert_int_equal(sscanf(text, "%u %u %u %255s", &priority, &weight, &port, target), 4);
	put16(&data, priority);
	put16(&data, weight);
	put16(&data, port);
	put_name(&data, strcmp(target, ".") ? target : "");
	put_record(m, owner, ns_t_srv, ttl, &data);
}

/* "ORDER PREFERENCE FLAGS SERVICE REGEXP REPLACEMENT" */
static inline void put_naptr_text(struct message *m, const char *owner, uint32_t ttl,
				  const char *text)
{
	char flags[64], service[64], regexp[64], replacement[256];
	struct message data = {.n = 0};
	unsigned order, preference;

	assert_int_equal(sscanf(text, "%u %u %63s %63s %63s %255s", &order, &preference, flags,
				service, regexp, replacement),
			 6);
	put16(&data, order);
	put16(&data, preference);
	put_string(&data, flags);
	put_string(&data, service);
	put_string(&data, regexp);
	put_name(&data, strcmp(replacement, ".") ? replacement : "");
	put_record(m, owner, ns_t_naptr, ttl, &data);
}

/* A question, answered without an error and so far without a record. */
static inline void put_question(struct message *m, const char *name, unsigned type)
{
	*m = (struct message){.bytes = {0x12, 0x34, 0x81, 0x80, 0, 1}, .n = 12};
	put_name(m, name);
	put16(m, type);
	put16(m, ns_c_in);
}

static inline void set_rcode(struct message *m, unsigned rcode)
{
	m->bytes[3] = (uint8_t)(0x80 | rcode);
}

/* ---- a server whose answers are made up ---- */

struct question {
	char name[256];
	unsigned type;
};

/* Adds records to the message, or sets its RCODE; m->n = 0: no answer. */
typedef void (*responder_fn)(const struct question *question, struct message *m);

struct responder {
	pthread_t thread;
	int fd, stop[2];
	responder_fn respond;
	char address[32];
};

static inline void read_question(const uint8_t *bytes, size_t n, struct question *ret_question,
				 size_t *ret_end)
{
	size_t at = 12, length = 0;

	while (at < n && bytes[at]) {
		memcpy(ret_question->name + length, bytes + at + 1, bytes[at]);
		length += bytes[at];
		ret_question->name[length++] = '.';
		at += bytes[at] + 1U;
	}
	ret_question->name[length ? length - 1 : 0] = '\0';
	ret_question->type = (unsigned)bytes[at + 1] << 8 | bytes[at + 2];
	*ret_end = at + 5;
}

static inline void respond_once(struct responder *r)
{
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	struct question question;
	struct message m;
	ssize_t n = recvfrom(r->fd, m.bytes, 512, 0, (struct sockaddr *)&from, &size);

	if (n < 12)
		return;
	read_question(m.bytes, (size_t)n, &question, &m.n);
	m.bytes[2] = 0x81;
	m.bytes[3] = 0x80;
	memset(m.bytes + 6, 0, 6);
	r->respond(&question, &m);
	if (m.n)
		sendto(r->fd, m.bytes, m.n, 0, (struct sockaddr *)&from, size);
}

static inline void *responder_main(void *arg)
{
	struct responder *r = arg;
	struct pollfd fds[] = {{.fd = r->fd, .events = POLLIN},
			       {.fd = r->stop[0], .events = POLLIN}};

	while (poll(fds, 2, -1) > 0 && !fds[1].revents)
		respond_once(r);
	return NULL;
}

static inline void responder_start(struct responder *r, responder_fn respond)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(in);

	r->respond = respond;
	r->fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_int_equal(bind(r->fd, (struct sockaddr *)&in, size), 0);
	assert_int_equal(getsockname(r->fd, (struct sockaddr *)&in, &size), 0);
	snprintf(r->address, sizeof(r->address), "127.0.0.1:%u", ntohs(in.sin_port));
	assert_int_equal(pipe(r->stop), 0);
	assert_int_equal(pthread_create(&r->thread, NULL, responder_main, r), 0);
}

static inline void responder_stop(struct responder *r)
{
	assert_int_equal(write(r->stop[1], "", 1), 1);
	pthread_join(r->thread, NULL);
	close(r->fd);
	close(r->stop[0]);
	close(r->stop[1]);
}

#endif
