/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "filter/filter.h"

static bool is_narrowed(unsigned v6_bits)
{
	return v6_bits >= SIPWARD_SOURCE_V6_MIN && v6_bits < SIPWARD_SOURCE_V6_MAX;
}

struct sipward_source filter_source(const struct ip *ip, unsigned v6_bits)
{
	struct sipward_source source = {.family = ip->family};
	struct ip prefix;

	if (ip->family == 4) {
		memcpy(source.addr, ip->bytes, 4);
		return source;
	}
	if (is_narrowed(v6_bits))
		source.v6_bits = (__u16)v6_bits;
	prefix = ip_masked(ip, is_narrowed(v6_bits) ? v6_bits : SIPWARD_SOURCE_V6_MAX);
	memcpy(source.addr, prefix.bytes, sizeof(source.addr));
	return source;
}

static unsigned bits_of(const struct sipward_source *source)
{
	if (source->family == 4)
		return 32;
	return is_narrowed(source->v6_bits) ? source->v6_bits : SIPWARD_SOURCE_V6_MAX;
}

int filter_source_parse(struct slice text, unsigned v6_bits, struct sipward_source *ret_source,
			struct error *err)
{
	struct sipward_source source;
	struct prefix prefix;
	int rc = prefix_parse(text, &prefix, err);

	if (rc)
		return rc;
	source = filter_source(&prefix.ip, v6_bits);
	if (prefix.len != bits_of(&source) && prefix.len != ip_bits(&prefix.ip))
		return source.family == 4
			       ? error_set(err, -EINVAL,
					   "source \"%.*s\": an IPv4 source is one address, not a "
					   "range",
					   (int)text.n, text.p)
			       : error_set(err, -EINVAL,
					   "source \"%.*s\": an IPv6 source is an address or its "
					   "/%u",
					   (int)text.n, text.p, bits_of(&source));
	*ret_source = source;
	return 0;
}

void filter_source_format(const struct sipward_source *source, char text[PREFIX_TEXT_SIZE])
{
	struct prefix prefix = {.ip.family = source->family == 4 ? 4 : 6};

	prefix.len = (uint8_t)bits_of(source);
	memcpy(prefix.ip.bytes, source->addr, prefix.ip.family == 4 ? 4 : sizeof(source->addr));
	prefix_format(&prefix, text);
}
