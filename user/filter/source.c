/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "filter/filter.h"

#define SOURCE_V6_BITS 64

struct sipward_source filter_source(const struct ip *ip)
{
	struct sipward_source source = {.family = ip->family};

	memcpy(source.addr, ip->bytes, ip->family == 4 ? 4 : SOURCE_V6_BITS / 8);
	return source;
}

int filter_source_parse(struct slice text, struct sipward_source *ret_source, struct error *err)
{
	struct prefix prefix;
	int rc = prefix_parse(text, &prefix, err);

	if (rc)
		return rc;
	if (prefix.ip.family == 4 && prefix.len != 32)
		return error_set(err, -EINVAL,
				 "source \"%.*s\": an IPv4 source is one address, not a range",
				 (int)text.n, text.p);
	if (prefix.ip.family == 6 && prefix.len != SOURCE_V6_BITS && prefix.len != 128)
		return error_set(err, -EINVAL,
				 "source \"%.*s\": an IPv6 source is an address or its /64",
				 (int)text.n, text.p);
	*ret_source = filter_source(&prefix.ip);
	return 0;
}

void filter_source_format(const struct sipward_source *source, char text[PREFIX_TEXT_SIZE])
{
	struct prefix prefix = {.ip.family = source->family == 4 ? 4 : 6};

	prefix.len = prefix.ip.family == 4 ? 32 : SOURCE_V6_BITS;
	memcpy(prefix.ip.bytes, source->addr, prefix.ip.family == 4 ? 4 : SOURCE_V6_BITS / 8);
	prefix_format(&prefix, text);
}
