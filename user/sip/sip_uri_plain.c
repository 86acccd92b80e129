/* SPDX-License-Identifier: BSD-2-Clause */
/* What may be written down of a URI: a password can stand in its user part, and anything in its
 * parameters and headers. */
#include <stdio.h>

#include "sip/sip_grammar.h"
#include "sip/sip_scan.h"

static int length(struct slice s)
{
	return (int)(s.n < 4096 ? s.n : 4096);
}

static void write_sip(const struct sip_uri *uri, char *buf, size_t size)
{
	struct slice rest, phone = {NULL, 0}, user = slice_cut(uri->user, ';', &rest);
	bool v6 = uri->host.n && memchr(uri->host.p, ':', uri->host.n);
	char port[8] = "";

	sip_param_find(uri->params, "user", &phone);
	if (uri->port)
		snprintf(port, sizeof(port), ":%u", uri->port);
	snprintf(buf, size, "%.*s:%.*s%s%s%.*s%s%s%s", length(uri->scheme), uri->scheme.p,
		 length(user), user.n ? user.p : "", user.n ? "@" : "", v6 ? "[" : "",
		 length(uri->host), uri->host.n ? uri->host.p : "", v6 ? "]" : "", port,
		 slice_eq_nocase(phone, SLICE("phone")) ? ";user=phone" : "");
}

/* tel: and the digits; of another scheme, that alone. */
static void write_other(const struct sip_uri *uri, char *buf, size_t size)
{
	size_t n = 0;

	while (n < uri->user.n && strchr("+0123456789-.()*#", uri->user.p[n]))
		n++;
	snprintf(buf, size, "%.*s:%.*s", length(uri->scheme), uri->scheme.p,
		 length((struct slice){uri->user.p, n}), n ? uri->user.p : "");
}

void sip_uri_plain(struct slice text, char *buf, size_t size)
{
	struct sip_uri uri = {0};
	struct slice headers;

	buf[0] = '\0';
	if (sip_uri_scan(text, &uri, &headers))
		return;
	if (sip_uri_is_sip(text))
		write_sip(&uri, buf, size);
	else
		write_other(&uri, buf, size);
}
