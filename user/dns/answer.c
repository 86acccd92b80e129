/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns/answer.h"

#include <errno.h>
#include <limits.h>
#include <resolv.h>
#include <string.h>
#include <strings.h>

#define ALIASES_MAX 16 /* in a row: more are a loop */

struct reading {
	ns_msg message;
	char name[ANSWER_NAME_SIZE]; /* whose records are looked for */
	unsigned ttl_s;		     /* of the aliases so far */
};

/* RFC 2181 §8: a TTL with the highest bit set counts as zero. */
static unsigned ttl_of(const ns_rr *rr)
{
	return ns_rr_ttl(*rr) > INT_MAX ? 0 : (unsigned)ns_rr_ttl(*rr);
}

/* The domain name in the record's data. One that needs escapes is no host's name. */
static bool read_name(const struct reading *reading, const ns_rr *rr, size_t offset,
		      char ret_name[ANSWER_NAME_SIZE])
{
	const ns_msg *message = &reading->message;

	return ns_rr_rdlen(*rr) > offset &&
	       dn_expand(ns_msg_base(*message), ns_msg_end(*message), ns_rr_rdata(*rr) + offset,
			 ret_name, ANSWER_NAME_SIZE) >= 0 &&
	       !strchr(ret_name, '\\');
}

static bool read_address(const ns_rr *rr, struct ip *ret_ip)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	const bool v4 = ns_rr_type(*rr) == ns_t_a;
	struct endpoint endpoint;

	if (ns_rr_rdlen(*rr) != (v4 ? sizeof(in.sin_addr) : sizeof(in6.sin6_addr)))
		return false;
	memcpy(v4 ? (void *)&in.sin_addr : (void *)&in6.sin6_addr, ns_rr_rdata(*rr),
	       ns_rr_rdlen(*rr));
	endpoint_from_sockaddr(v4 ? (const void *)&in : (const void *)&in6, &endpoint);
	*ret_ip = endpoint.ip;
	return true;
}

static int take_record(const struct reading *reading, const ns_rr *rr,
		       int (*take)(const struct answer_record *record, void *arg), void *arg)
{
	struct answer_record record = {.ttl_s = ttl_of(rr)};
	bool good;

	if (ns_rr_type(*rr) == ns_t_srv)
		good = read_name(reading, rr, 3 * NS_INT16SZ, record.target);
	else
		good = read_address(rr, &record.ip);
	if (!good)
		return -EBADMSG;
	if (record.ttl_s > reading->ttl_s)
		record.ttl_s = reading->ttl_s;
	return take(&record, arg);
}

/* The next record of the name and type, counted on from *position. 1, 0: there is none, or
 * -EBADMSG. */
static int next_record(struct reading *reading, ns_type type, int *position, ns_rr *ret_rr)
{
	while (*position < ns_msg_count(reading->message, ns_s_an)) {
		if (ns_parserr(&reading->message, ns_s_an, (*position)++, ret_rr))
			return -EBADMSG;
		if (ns_rr_class(*ret_rr) == ns_c_in && ns_rr_type(*ret_rr) == type &&
		    strcasecmp(ns_rr_name(*ret_rr), reading->name) == 0)
			return 1;
	}
	return 0;
}

static int follow_aliases(struct reading *reading)
{
	ns_rr rr;

	for (int hops = 0; hops <= ALIASES_MAX; hops++) {
		int position = 0, rc = next_record(reading, ns_t_cname, &position, &rr);

		if (rc <= 0)
			return rc;
		if (!read_name(reading, &rr, 0, reading->name))
			return -EBADMSG;
		if (ttl_of(&rr) < reading->ttl_s)
			reading->ttl_s = ttl_of(&rr);
	}
	return -EBADMSG;
}

int answer_each(struct slice message, const char *name, ns_type type,
		int (*take)(const struct answer_record *record, void *arg), void *arg)
{
	struct reading reading = {.ttl_s = UINT_MAX};
	struct slice text = slice_from(name);
	int rc, position = 0, found = 0;
	ns_rr rr;

	if (text.n && text.p[text.n - 1] == '.')
		text.n--;
	if (message.n > NS_MAXMSG || slice_text(text, reading.name, sizeof(reading.name)) ||
	    ns_initparse((const void *)message.p, (int)message.n, &reading.message))
		return -EBADMSG;
	rc = follow_aliases(&reading);
	while (!rc && (rc = next_record(&reading, type, &position, &rr)) > 0) {
		found++;
		rc = take_record(&reading, &rr, take, arg);
	}
	return !rc && !found ? -ENODATA : rc;
}

static bool is_v4_source(const uint8_t bytes[4])
{
	return bytes[0] != 0 && bytes[0] != 127 && bytes[0] < 224;
}

bool answer_is_source(const struct ip *ip)
{
	static const uint8_t zeroes[15];

	if (ip->family == 4)
		return is_v4_source(ip->bytes);
	return ip->bytes[0] != 0xff &&
	       (memcmp(ip->bytes, zeroes, sizeof(zeroes)) != 0 || ip->bytes[15] > 1);
}
