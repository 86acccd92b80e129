/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

bool ip_eq(const struct ip *a, const struct ip *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool endpoint_eq(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && ip_eq(&a->ip, &b->ip);
}

static const uint8_t mapped_v4[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static struct ip ip_from_v4(const void *bytes)
{
	struct ip ip = {.family = 4};

	memcpy(ip.bytes, bytes, 4);
	return ip;
}

static struct ip ip_from_v6(const void *bytes)
{
	struct ip ip = {.family = 6};

	if (memcmp(bytes, mapped_v4, sizeof(mapped_v4)) == 0)
		return ip_from_v4((const char *)bytes + sizeof(mapped_v4));
	memcpy(ip.bytes, bytes, 16);
	return ip;
}

int ip_parse(struct slice text, struct ip *ret_ip)
{
	char buf[IP_TEXT_SIZE];
	uint8_t bytes[16];

	if (text.n >= 2 && text.p[0] == '[' && text.p[text.n - 1] == ']') {
		text = (struct slice){text.p + 1, text.n - 2};
		if (!memchr(text.p, ':', text.n))
			return -EINVAL;
	}
	if (slice_text(text, buf, sizeof(buf)) != 0)
		return -EINVAL;
	if (inet_pton(AF_INET, buf, bytes) == 1)
		*ret_ip = ip_from_v4(bytes);
	else if (inet_pton(AF_INET6, buf, bytes) == 1)
		*ret_ip = ip_from_v6(bytes);
	else
		return -EINVAL;
	return 0;
}

/* Writes the digits and returns where they end. */
static char *put_decimal(char *at, unsigned value)
{
	char digits[10];
	unsigned n = 0;

	do
		digits[n++] = (char)('0' + value % 10);
	while ((value /= 10) > 0);
	while (n > 0)
		*at++ = digits[--n];
	return at;
}

/* inet_ntop prints by format, which costs more than all else of a Via. */
static void format_v4(const uint8_t *bytes, char *text)
{
	for (unsigned i = 0; i < 4; i++) {
		text = put_decimal(text, bytes[i]);
		*text++ = i < 3 ? '.' : '\0';
	}
}

void ip_format(const struct ip *ip, char text[IP_TEXT_SIZE])
{
	if (ip->family != 6)
		format_v4(ip->bytes, text);
	else if (!inet_ntop(AF_INET6, ip->bytes, text, IP_TEXT_SIZE))
		text[0] = '\0';
}

void ip_format_uri(const struct ip *ip, char text[IP_TEXT_SIZE + 2])
{
	bool v6 = ip->family == 6;

	ip_format(ip, text + v6);
	if (!v6)
		return;
	text[0] = '[';
	strcat(text, "]");
}

unsigned ip_bits(const struct ip *ip)
{
	return ip->family == 6 ? 128 : 32;
}

struct ip ip_masked(const struct ip *ip, unsigned len)
{
	struct ip masked = *ip;

	for (unsigned i = 0; i < sizeof(masked.bytes); i++) {
		unsigned keep = len > 8 * i ? len - 8 * i : 0;

		if (keep < 8)
			masked.bytes[i] &= (uint8_t)(0xff00U >> keep);
	}
	return masked;
}

int prefix_parse(struct slice text, struct prefix *ret_prefix, struct error *err)
{
	const bool has_len = text.n > 0 && memchr(text.p, '/', text.n);
	struct slice len_text, addr_text = slice_cut(text, '/', &len_text);
	struct prefix prefix;
	uint32_t len;

	if (ip_parse(addr_text, &prefix.ip) != 0)
		return error_set(err, -EINVAL, "prefix \"%.*s\": not an IPv4 or IPv6 address",
				 (int)text.n, text.p);
	len = ip_bits(&prefix.ip);
	if (has_len && (slice_u32(len_text, &len) != 0 || len > ip_bits(&prefix.ip)))
		return error_set(err, -EINVAL, "prefix \"%.*s\": the length must be 0 to %u",
				 (int)text.n, text.p, ip_bits(&prefix.ip));
	prefix.len = (uint8_t)len;
	const struct prefix meant = {ip_masked(&prefix.ip, len), prefix.len};

	if (!ip_eq(&meant.ip, &prefix.ip)) {
		char meant_text[PREFIX_TEXT_SIZE];

		prefix_format(&meant, meant_text);
		return error_set(err, -EINVAL,
				 "prefix \"%.*s\": host bits are set; %s was probably meant",
				 (int)text.n, text.p, meant_text);
	}
	*ret_prefix = prefix;
	return 0;
}

void prefix_format(const struct prefix *prefix, char text[PREFIX_TEXT_SIZE])
{
	char ip[IP_TEXT_SIZE];

	ip_format(&prefix->ip, ip);
	if (prefix->len == ip_bits(&prefix->ip))
		snprintf(text, PREFIX_TEXT_SIZE, "%s", ip);
	else
		snprintf(text, PREFIX_TEXT_SIZE, "%s/%u", ip, (unsigned)prefix->len);
}

bool prefix_contains(const struct prefix *prefix, const struct ip *ip)
{
	const struct ip masked = ip_masked(ip, prefix->len);

	return ip_eq(&masked, &prefix->ip);
}

int endpoint_parse(struct slice text, uint16_t default_port, struct endpoint *ret_endpoint)
{
	struct endpoint endpoint = {.port = default_port};
	struct slice host = text, port_text = {NULL, 0};
	const char *colon = text.n > 0 ? memrchr(text.p, ':', text.n) : NULL;
	uint32_t port;

	/* A last colon starts a port unless it is inside an address: IPv6 needs its brackets. */
	if (colon && (text.p[0] == '[' ? colon[-1] == ']' : memchr(text.p, ':', text.n) == colon)) {
		host.n = (size_t)(colon - text.p);
		port_text = (struct slice){colon + 1, text.n - host.n - 1};
		if (slice_u32(port_text, &port) != 0 || port == 0 || port > UINT16_MAX)
			return -EINVAL;
		endpoint.port = (uint16_t)port;
	}
	if (ip_parse(host, &endpoint.ip) != 0)
		return -EINVAL;
	*ret_endpoint = endpoint;
	return 0;
}

void endpoint_format(const struct endpoint *endpoint, char text[ENDPOINT_TEXT_SIZE])
{
	char *end;

	ip_format_uri(&endpoint->ip, text);
	end = text + strlen(text);
	*end++ = ':';
	*put_decimal(end, endpoint->port) = '\0';
}

int endpoint_from_sockaddr(const struct sockaddr *sa, struct endpoint *ret_endpoint)
{
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;

		ret_endpoint->ip = ip_from_v4(&in->sin_addr);
		ret_endpoint->port = ntohs(in->sin_port);
		return 0;
	}
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sa;

		ret_endpoint->ip = ip_from_v6(&in6->sin6_addr);
		ret_endpoint->port = ntohs(in6->sin6_port);
		return 0;
	}
	return -EAFNOSUPPORT;
}

socklen_t endpoint_to_sockaddr(const struct endpoint *endpoint, struct sockaddr_storage *ret_sa)
{
	memset(ret_sa, 0, sizeof(*ret_sa));
	if (endpoint->ip.family == 6) {
		struct sockaddr_in6 *in6 = (void *)ret_sa;

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(endpoint->port);
		memcpy(&in6->sin6_addr, endpoint->ip.bytes, 16);
		return sizeof(*in6);
	}
	struct sockaddr_in *in = (void *)ret_sa;

	in->sin_family = AF_INET;
	in->sin_port = htons(endpoint->port);
	memcpy(&in->sin_addr, endpoint->ip.bytes, 4);
	return sizeof(*in);
}
