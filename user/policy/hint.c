/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/admission.h"
#include "sip/sip_grammar.h"

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

const char *admission_hint(const struct policy *policy, const struct sip_msg *msg,
			   const struct admission_result *result)
{
	switch (result->cause) {
	case ADMISSION_NO_TRUNK:
	case ADMISSION_NOT_REGISTERED:
	case ADMISSION_ADDRESS_REFUSED:
		if (dials_a_number(policy, msg))
			return "number in the Request-URI where a trunk's user belongs";
		if (result->cause == ADMISSION_NO_TRUNK)
			return "no trunk for this domain";
		if (result->cause == ADMISSION_NOT_REGISTERED)
			return "nothing is attached to the trunk";
		return NULL;
	case ADMISSION_TRUNK_DISABLED:
		return "the trunk is disabled";
	case ADMISSION_NO_CREDENTIALS:
		if (msg->first[SIP_AUTHORIZATION] < 0 && msg->first[SIP_PROXY_AUTHORIZATION] < 0)
			return NULL;
		return "credentials for another realm only";
	case ADMISSION_BAD_CREDENTIALS:
		return result->tried_unknown ? "no such user" : NULL;
	default:
		return NULL;
	}
}
