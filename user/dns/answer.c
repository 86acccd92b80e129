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

static bool read_srv(const struct reading *reading, const ns_rr *rr, struct answer_record *record)
{
	const unsigned char *data = ns_rr_rdata(*rr);

	if (!read_name(reading, rr, 3 * NS_INT16SZ, record->target))
		return false;
	record->priority = (uint16_t)ns_get16(data);
	record->weight = (uint16_t)ns_get16(data + NS_INT16SZ);
	record->port = (uint16_t)ns_get16(data + 2 * NS_INT16SZ);
	return true;
}

/* A character-string (RFC 1035 §3.3) at *offset, which is left behind it. */
static bool read_string(const ns_rr *rr, size_t *offset, struct slice *ret_text)
{
	const unsigned char *data = ns_rr_rdata(*rr);

	if (*offset >= ns_rr_rdlen(*rr) || ns_rr_rdlen(*rr) - *offset <= data[*offset])
		return false;
	*ret_text = (struct slice){(const char *)data + *offset + 1, data[*offset]};
	*offset += 1 + ret_text->n;
	return true;
}

static bool read_naptr(const struct reading *reading, const ns_rr *rr, struct answer_record *record)
{
	const unsigned char *data = ns_rr_rdata(*rr);
	size_t offset = 2 * NS_INT16SZ;
	struct slice flags, service, regexp;

	if (!read_string(rr, &offset, &flags) || !read_string(rr, &offset, &service) ||
	    !read_string(rr, &offset, &regexp) || !read_name(reading, rr, offset, record->target))
		return false;
	record->order = (uint16_t)ns_get16(data);
	record->preference = (uint16_t)ns_get16(data + NS_INT16SZ);
	/* One too long for the field, or with a zero byte, is no service of SIP's: it stays empty.
	 */
	if (slice_eq_nocase(flags, SLICE("s")) && regexp.n == 0 && record->target[0])
		(void)slice_text(service, record->service, sizeof(record->service));
	return true;
}

static bool read_record(const struct reading *reading, const ns_rr *rr,
			struct answer_record *record)
{
	switch (ns_rr_type(*rr)) {
	case ns_t_srv:
		return read_srv(reading, rr, record);
	case ns_t_naptr:
		return read_naptr(reading, rr, record);
	default:
		return read_address(rr, &record->ip);
	}
}

static int take_record(const struct reading *reading, const ns_rr *rr,
		       int (*take)(const struct answer_record *record, void *arg), void *arg)
{
	struct answer_record record = {.ttl_s = ttl_of(rr)};

	if (!read_record(reading, rr, &record))
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

static bool is_loopback(const struct ip *ip)
{
	static const struct ip v6 = {.family = 6, .bytes[15] = 1};

	return ip->family == 4 ? ip->bytes[0] == 127 : ip_eq(ip, &v6);
}

bool answer_is_source(const struct ip *ip, bool loopback)
{
	static const struct ip unspecified = {.family = 6};

	if (is_loopback(ip))
		return loopback;
	if (ip->family == 4)
		return ip->bytes[0] != 0 && ip->bytes[0] < 224;
	return ip->bytes[0] != 0xff && !ip_eq(ip, &unspecified);
}
