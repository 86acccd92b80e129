/* SPDX-License-Identifier: BSD-2-Clause */
/* Via and name-addr values, copied and scanned. Memory comes from osip's allocator throughout this
 * folder, so that tests can fail each allocation in turn. */
#include "sip/sip_grammar.h"

#include <errno.h>
#include <osipparser2/osip_port.h>
#include <stdlib.h>

#include "sip/sip_scan.h"

/* A copy of text, never of zero size. NULL without memory. */
static char *copy(struct slice *text)
{
	char *owned = osip_malloc(text->n + 1);

	if (!owned)
		return NULL;
	if (text->n > 0)
		memcpy(owned, text->p, text->n);
	owned[text->n] = '\0';
	text->p = owned;
	return owned;
}

int sip_via_parse(struct slice element, struct sip_via *ret_via)
{
	char *owned = copy(&element);
	struct slice params;
	struct sip_via via;
	int err = owned ? sip_via_scan(element, &via, &params) : -ENOMEM;

	if (err) {
		osip_free(owned);
		return err;
	}
	via.owned = owned;
	*ret_via = via;
	return 0;
}

void sip_via_free(struct sip_via *via)
{
	if (!via)
		return;
	osip_free(via->owned);
	memset(via, 0, sizeof(*via));
}

int sip_name_addr_parse(struct slice element, struct sip_name_addr *ret_addr)
{
	char *owned = copy(&element);
	struct sip_name_addr addr;
	int err = owned ? sip_name_addr_scan(element, &addr) : -ENOMEM;

	if (err) {
		osip_free(owned);
		return err;
	}
	addr.owned = owned;
	*ret_addr = addr;
	return 0;
}

void sip_name_addr_free(struct sip_name_addr *addr)
{
	if (!addr)
		return;
	osip_free(addr->owned);
	memset(addr, 0, sizeof(*addr));
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
