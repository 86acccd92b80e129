/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/prepare.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../maps/siphash.h"
#include "../../maps/nonce.h"
#include "digest/nonce.h"
#include "policy/policy_internal.h"
#include "sip/sip_reply.h"

#define HOLE "0000000000000000000000000000000000000000000000000000000000000000"
#define TEXT_SIZE (SIPWARD_CHALLENGE_TEXT - 8) /* the filter copies eight bytes at a time */

_Static_assert(sizeof(HOLE) == NONCE_TEXT_SIZE, "a hole for a nonce");
_Static_assert(SIPWARD_LEASE_KEYS == SIPWARD_NONCE_KEYS, "keys of the lease");
_Static_assert(SIPWARD_LEASE_KEY_SIZE == SIPHASH_KEY_SIZE, "a key of the lease");
_Static_assert(SIPWARD_NONCE_UDP == NET_UDP, "transport in a nonce");

unsigned challenge_status(const struct policy_trunk *trunk, bool registers)
{
	return registers ? 401 : trunk->config.challenge_status;
}

struct challenge challenge_of_trunk(const struct policy *policy, const struct policy_trunk *trunk,
				    unsigned status)
{
	return (struct challenge){
		.proxy = status == 407,
		.qop = trunk->config.auth_int ? DIGEST_QOP_AUTH_INT : DIGEST_QOP_AUTH,
		.sess = trunk->config.sess,
		.userhash = trunk->config.userhash,
		.utf8 = policy_settings(policy)->user_names_utf8,
	};
}

/* ---- the text ---- */

static int add_text(struct sipward_challenge *prepared, const char *text)
{
	size_t n = strlen(text);

	if (prepared->text_n + n > TEXT_SIZE)
		return -ENOSPC;
	memcpy(prepared->text + prepared->text_n, text, n);
	prepared->text_n = (__u16)(prepared->text_n + n);
	return 0;
}

static int add_field(struct sipward_challenge *prepared, const struct challenge *challenge)
{
	char *field = (char *)prepared->text + prepared->text_n;
	struct sipward_challenge_hole *hole = &prepared->holes[prepared->hole_count];
	const char *nonce;
	size_t n;

	if (prepared->hole_count == SIPWARD_CHALLENGE_HOLES ||
	    challenge_write(challenge, field, TEXT_SIZE - prepared->text_n, &n))
		return -ENOSPC;
	nonce = memmem(field, n, "nonce=\"" HOLE, strlen("nonce=\"" HOLE));
	if (!nonce)
		return -EINVAL;
	hole->realm_hash =
		sipward_nonce_realm((const uint8_t *)challenge->realm.p, challenge->realm.n);
	hole->algorithm = (__u8)(challenge->algorithm | (challenge->sess ? SIPWARD_NONCE_SESS : 0));
	hole->at = (__u16)(nonce + strlen("nonce=\"") - (char *)prepared->text);
	prepared->text_n = (__u16)(prepared->text_n + n);
	prepared->hole_count++;
	return 0;
}

/* -ENOSPC: more, or longer, fields than the filter has room for. */
static int write_text(const struct policy *policy, const struct policy_trunk *trunk, bool registers,
		      struct sipward_challenge *prepared)
{
	unsigned status = challenge_status(trunk, registers);
	struct challenge challenge = challenge_of_trunk(policy, trunk, status);
	char start[64];
	int rc;

	snprintf(start, sizeof(start), "SIP/2.0 %u %s\r\n", status, sip_reason_phrase(status));
	rc = add_text(prepared, start);
	prepared->start_n = prepared->text_n;
	challenge.nonce = HOLE;
	for (size_t i = 0; i < trunk->realm_count; i++) {
		challenge.realm = trunk->realms[i];
		for (unsigned j = 0; j < trunk->config.algorithm_count && !rc; j++) {
			challenge.algorithm = trunk->config.algorithms[j];
			rc = add_field(prepared, &challenge);
		}
	}
	return rc ? rc : add_text(prepared, "Content-Length: 0\r\n\r\n");
}

/* ---- which ---- */

/* The filter has one table of addresses for all trunks. */
static bool has_all_acls(const struct policy_place *place)
{
	return place->acl_count == place->policy->tables[POLICY_ACLS].count;
}

const char *prepare_hindrance(const struct policy_trunk *trunk)
{
	const struct policy_place *place = trunk->priv;
	const struct store_trunk *config = &trunk->config;
	struct sipward_challenge prepared = {0};

	if (!config->enabled)
		return "the trunk is disabled";
	if (config->auth != STORE_AUTH_CREDENTIAL &&
	    config->auth != STORE_AUTH_IP_ACL_AND_CREDENTIAL)
		return "nobody is challenged";
	if (config->client_certificate)
		return "the trunk asks for client certificates";
	if (config->user[0])
		return "the trunk is found by the user too";
	if (config->auth == STORE_AUTH_IP_ACL_AND_CREDENTIAL && !has_all_acls(place))
		return "other trunks have ACLs of their own";
	if (write_text(place->policy, trunk, false, &prepared))
		return "the challenges are too long";
	return NULL;
}

static void prepare(const struct policy *policy, const struct policy_trunk *trunk, bool registers,
		    struct sipward_challenge *ret_prepared)
{
	*ret_prepared = (struct sipward_challenge){0};
	if (!trunk || trunk->config.challenge == STORE_CHALLENGE_DAEMON ||
	    prepare_hindrance(trunk) || write_text(policy, trunk, registers, ret_prepared))
		return;
	ret_prepared->flags = SIPWARD_CHALLENGE_READY;
	if (trunk->config.challenge == STORE_CHALLENGE_FILTER)
		ret_prepared->flags |= SIPWARD_CHALLENGE_ANY_MODE;
	if (trunk->config.auth == STORE_AUTH_IP_ACL_AND_CREDENTIAL)
		ret_prepared->flags |= SIPWARD_CHALLENGE_LISTED;
}

/* Where users have trunks of their own, the domain alone does not tell. */
static void prepare_domain(struct table_node *node, void *arg)
{
	const struct policy_domain *domain = table_entry(node, struct policy_domain, by_name);
	struct policy *policy = arg;
	size_t n = strlen(domain->name);

	if (n > SIPWARD_CHALLENGE_DOMAIN || memchr(domain->name, ':', n))
		return;
	for (int registers = 0; registers < 2; registers++) {
		struct filter_challenge *challenge = &policy->challenges[policy->challenge_count++];

		challenge->key = (struct sipward_challenge_key){.registers = (__u8)registers};
		memcpy(challenge->key.domain, domain->name, n);
		prepare(policy, domain->has_apps ? NULL : domain->whole, registers,
			&challenge->value);
		policy->challenges_any |= challenge->value.flags & SIPWARD_CHALLENGE_READY;
	}
}

int policy_prepare(struct policy *policy)
{
	const struct table *domains = &policy->tables[POLICY_DOMAINS];

	policy->challenges = calloc(2 * domains->count + 1, sizeof(*policy->challenges));
	if (!policy->challenges)
		return -ENOMEM;
	table_each(domains, prepare_domain, policy);
	return 0;
}

struct prepared prepared_challenges(const struct policy *policy)
{
	return (struct prepared){policy->challenges, policy->challenge_count,
				 policy->challenges_any};
}
