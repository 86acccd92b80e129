/* SPDX-License-Identifier: BSD-2-Clause */
/* name-addr values, and parts of them. */
#include "sip/sip_grammar.h"

#include <errno.h>

#include "sip/sip_scan.h"

int sip_name_addr_parse(struct slice element, struct sip_name_addr *ret_addr)
{
	return sip_name_addr_scan(element, ret_addr);
}

struct slice sip_element_uri(struct slice element)
{
	struct sip_name_addr addr = {0};

	return sip_name_addr_scan(element, &addr) ? (struct slice){0} : addr.uri;
}

struct slice sip_uri_user(struct slice uri)
{
	struct slice headers, rest;
	struct sip_uri read = {0};

	if (sip_uri_scan(uri, &read, &headers))
		return (struct slice){0};
	if (sip_uri_is_sip(uri))
		return read.user;
	slice_cut(uri, ':', &rest);
	return slice_eq_nocase(read.scheme, SLICE("tel")) ? rest : (struct slice){0};
}

unsigned sip_retry_after(struct slice value)
{
	struct slice digits = {value.p, 0};
	uint32_t seconds;

	while (digits.n < value.n && value.p[digits.n] >= '0' && value.p[digits.n] <= '9')
		digits.n++;
	return slice_u32(digits, &seconds) ? 0 : seconds;
}
