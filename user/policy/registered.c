/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/admission.h"

#include <errno.h>

#include "sip/sip_grammar.h"

static int from_uri(const struct sip_msg *msg, struct sip_uri *ret_uri)
{
	struct sip_name_addr from = {0};
	int rc = sip_name_addr_parse(sip_msg_value(msg, SIP_FROM), &from);

	if (rc == 0)
		rc = sip_uri_parse(from.uri, ret_uri);
	sip_name_addr_free(&from);
	return rc;
}

static bool note_binding(const struct store_binding *binding, void *arg)
{
	(void)binding;
	*(bool *)arg = true;
	return false;
}

static int is_registered(const struct registrar *registrar, int64_t trunk_id, struct slice user,
			 const struct ip *source, uint64_t now_s)
{
	bool elsewhere = false;

	if (registrar_knows(registrar, trunk_id, user, source, now_s))
		return 0;
	registrar_each(registrar, trunk_id, user, now_s, note_binding, &elsewhere);
	return elsewhere ? -EADDRNOTAVAIL : -ENOENT;
}

/* An address of record belongs to the trunk of its domain, whatever application it may be named
 * like. */
int admission_registered(const struct admission *admission, const struct sip_msg *msg,
			 const struct ip *source, uint64_t now_s)
{
	const struct policy_trunk *trunk;
	struct sip_uri uri = {0};
	int rc = from_uri(msg, &uri);

	if (rc)
		return rc == -ENOMEM ? rc : -ENOENT;
	trunk = policy_trunk_find(admission->policy, SLICE(""), uri.host);
	rc = -ENOENT;
	if (trunk && trunk->config.enabled && admission->registrar && uri.user.n > 0)
		rc = is_registered(admission->registrar, trunk->config.id, uri.user, source,
				   now_s);
	sip_uri_free(&uri);
	return rc;
}
