/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/admission.h"

#include <errno.h>

#include "sip/sip_grammar.h"

static int from_uri(const struct sip_msg *msg, struct sip_uri *ret_uri)
{
	return sip_uri_parse(msg->from.uri, ret_uri);
}

static bool note_binding(const struct store_binding *binding, void *arg)
{
	(void)binding;
	*(bool *)arg = true;
	return false;
}

/* What is bound lets nobody in who could not register any more. */
static bool may_register(const struct policy_trunk *trunk, struct slice user,
			 const struct ip *source)
{
	switch (trunk->config.auth) {
	case STORE_AUTH_IP_ACL:
		return policy_acl_allows(trunk, source);
	case STORE_AUTH_CREDENTIAL:
		return policy_user_by_name(trunk, user);
	case STORE_AUTH_IP_ACL_AND_CREDENTIAL:
		return policy_acl_allows(trunk, source) && policy_user_by_name(trunk, user);
	case STORE_AUTH_NONE:
		break;
	}
	return false;
}

static int is_registered(struct registrar *registrar, const struct policy_trunk *trunk,
			 struct slice user, const struct ip *source, uint64_t now_s)
{
	bool elsewhere = false;

	if (registrar_knows(registrar, trunk->config.id, user, source, now_s))
		return may_register(trunk, user, source) ? 0 : -ENOENT;
	registrar_each(registrar, trunk->config.id, user, now_s, note_binding, &elsewhere);
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
		rc = is_registered(admission->registrar, trunk, uri.user, source, now_s);
	sip_uri_free(&uri);
	return rc;
}
