/* SPDX-License-Identifier: BSD-2-Clause */
/* IP addresses, prefixes and endpoints (address and port). */
#ifndef SIPWARD_BASE_ADDR_H
#define SIPWARD_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/slice.h"

/* bytes are in network order; IPv4 uses the first four, the others are zero. */
struct ip {
	uint8_t family; /* 4, 6, or 0 = none */
	uint8_t bytes[16];
};

struct prefix {
	struct ip ip; /* host bits are zero */
	uint8_t len;
};

struct endpoint {
	struct ip ip;
	uint16_t port; /* host order */
};

#define IP_TEXT_SIZE 46	      /* INET6_ADDRSTRLEN */
#define PREFIX_TEXT_SIZE 50
#define ENDPOINT_TEXT_SIZE 54 /* [v6]:port */

bool ip_eq(const struct ip *a, const struct ip *b);
bool endpoint_eq(const struct endpoint *a, const struct endpoint *b);

/* Reads 192.0.2.1, 2001:db8::1 or [2001:db8::1]; IPv4-mapped IPv6 becomes IPv4. 0 or -EINVAL. */
int ip_parse(struct slice text, struct ip *ret_ip);
void ip_format(const struct ip *ip, char text[IP_TEXT_SIZE]);

/* The address in brackets where it is IPv6, as in a SIP URI (RFC 3261 §25.1 hostport). */
void ip_format_uri(const struct ip *ip, char text[IP_TEXT_SIZE + 2]);

/* Reads ADDRESS or ADDRESS/LEN. Host bits that are not zero are an error that says which prefix was
 * probably meant. 0 or -EINVAL. */
int prefix_parse(struct slice text, struct prefix *ret_prefix, struct error *err);
/* ADDRESS for a single host, else ADDRESS/LEN. */
void prefix_format(const struct prefix *prefix, char text[PREFIX_TEXT_SIZE]);
bool prefix_contains(const struct prefix *prefix, const struct ip *ip);
/* ip with all bits after the first len cleared. */
struct ip ip_masked(const struct ip *ip, unsigned len);
/* 32 or 128. */
unsigned ip_bits(const struct ip *ip);

/* Reads ADDRESS:PORT, [ADDRESS]:PORT, or ADDRESS with default_port. 0 or -EINVAL. */
int endpoint_parse(struct slice text, uint16_t default_port, struct endpoint *ret_endpoint);
void endpoint_format(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_SIZE]);
/* IPv4-mapped IPv6 becomes IPv4. 0, or -EAFNOSUPPORT. */
int endpoint_from_sockaddr(const struct sockaddr *sa, struct endpoint *ret_endpoint);
socklen_t endpoint_to_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *ret_sa);

#endif
