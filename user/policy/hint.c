/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/admission.h"
#include "sip/sip_grammar.h"

/* Where the cause says it all, or more than one thing may be meant, there is none. */
static const char *const hints[ADMISSION_CAUSES] = {
	[ADMISSION_NO_TRUNK] = "no trunk for this domain",
	[ADMISSION_FOREIGN_NONCE] = "the nonce is not ours, or was issued to another address",
	[ADMISSION_WEAK_ALGORITHM] = "an algorithm that is not offered to this user",
	[ADMISSION_NOT_REGISTERED] =
		"nothing is attached to the trunk, and the From user has not registered",
	[ADMISSION_TRUNK_DISABLED] = "the trunk is disabled",
	[ADMISSION_NO_REGISTRAR] = "nobody can register: no credential list is attached",
};

static bool is_number(struct slice user)
{
	size_t i = user.n > 0 && user.p[0] == '+';
	size_t digits = user.n - i;

	for (; i < user.n; i++)
		if (user.p[i] < '0' || user.p[i] > '9')
			return false;
	return digits > 0;
}

/* The mistake most often made with trunks of the form sip:USER@DOMAIN. */
static bool dials_a_number(const struct policy *policy, const struct sip_msg *msg)
{
	struct sip_uri uri = {0};
	bool dials = sip_uri_parse(msg->uri, &uri) == 0 && is_number(uri.user) &&
		     policy_has_user_trunk(policy, uri.host);

	sip_uri_free(&uri);
	return dials;
}

/* Trunks that are found by a user are not found by a number. */
static bool is_application(const struct admission_result *result)
{
	return result->trunk && result->trunk->config.user[0];
}

static bool has_credentials(const struct sip_msg *msg)
{
	return msg->first[SIP_AUTHORIZATION] >= 0 || msg->first[SIP_PROXY_AUTHORIZATION] >= 0;
}

const char *admission_hint(const struct policy *policy, const struct sip_msg *msg,
			   const struct admission_result *result)
{
	switch (result->cause) {
	case ADMISSION_NO_TRUNK:
	case ADMISSION_NOT_REGISTERED:
	case ADMISSION_ADDRESS_REFUSED:
		if (!is_application(result) && dials_a_number(policy, msg))
			return "number in the Request-URI where a trunk's user belongs";
		if (result->registered_elsewhere)
			return "the From user has registered from another address";
		if (result->cause == ADMISSION_ADDRESS_REFUSED &&
		    msg->to.tag.n > 0)
			return "inside a call: the address is allowed no longer, or it is no call "
			       "of ours";
		break;
	case ADMISSION_NO_CREDENTIALS:
		return has_credentials(msg) ? "credentials for another realm only" : NULL;
	case ADMISSION_BAD_CREDENTIALS:
		return result->tried_unknown ? "no such user" : NULL;
	default:
		break;
	}
	return hints[result->cause];
}
