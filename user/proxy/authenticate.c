/* SPDX-License-Identifier: BSD-2-Clause */
/* Carriers that ask us for credentials (RFC 3261 §22.3). They get them at the very address that
 * has asked, for the realm the credential is for, at most twice a request. */
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "digest/password.h"
#include "proxy/proxy_internal.h"

#define ANSWERS_MAX 2

const struct policy_outbound *authenticate_credential(const struct policy_trunk *trunk,
						      const struct net_path *target, int64_t id)
{
	struct endpoint at = target->remote;
	const struct policy_hop *hop;

	if (!trunk || !id)
		return NULL;
	hop = policy_upstream_at(trunk, &at);
	/* A call that came over a connection is answered over it, whatever its port. */
	at.port = 0;
	if (!hop && target->transport != NET_UDP)
		hop = policy_upstream_at(trunk, &at);
	return hop ? outbound_by_id(hop, id) : NULL;
}

const struct policy_outbound *authenticate_credential_of(const struct proxy *proxy,
							 const struct txn *txn,
							 const struct net_path *target, int64_t id)
{
	const struct registration *registration;

	if (!txn->own)
		return txn->from_customer ?
			       authenticate_credential(policy_trunk_by_id(proxy->admission.policy,
									  txn->trunk_id),
						       target, id) :
			       NULL;
	registration = txn->own == OWN_REGISTER ? registration_find(&proxy->registrations, id) :
						  NULL;
	return registration ? &registration->credential : NULL;
}

/* A realm that was learned counts before the store knows it. */
static struct digest_client client_of(const struct proxy *proxy,
				      const struct policy_outbound *credential,
				      const struct outbound *outbound)
{
	bool pinned = credential->realm[0];

	return (struct digest_client){
		.digest = proxy->admission.digest,
		.username = slice_from(credential->user),
		.realm = slice_from(pinned ? credential->realm : outbound->state.realm),
		.ha1 = pinned ? credential->ha1.plain : NULL,
		.password = slice_from(credential->password),
	};
}

/* ---- before we are asked ---- */

static int insert_field(struct proxy *proxy, unsigned before, size_t n, struct slice *message)
{
	size_t written;
	int rc;

	sip_edit_begin(&proxy->edit, &proxy->second);
	sip_edit_insert(&proxy->edit, (int)before, "%.*s", (int)n, proxy->field);
	rc = sip_edit_write(&proxy->edit, proxy->made, FORWARD_MAX, &written);
	if (!rc)
		*message = (struct slice){proxy->made, written};
	return rc;
}

/* Into proxy->field; how long it is, or the error of digest_client_write. */
static int write_field(struct proxy *proxy, const struct policy_outbound *credential,
		       const struct net_path *target, const struct sip_msg *sent)
{
	struct outbounds *outbounds = &proxy->shared->outbounds;
	struct outbound *outbound;
	struct digest_client client;
	int n = -ENOKEY;

	pthread_mutex_lock(&outbounds->lock);
	outbound = outbound_find(outbounds, credential->id, target, sent->method);
	if (outbound) {
		client = client_of(proxy, credential, outbound);
		n = digest_client_write(
			&client, &outbound->state,
			&(struct digest_client_request){sent->method_text, sent->uri, sent->body},
			proxy->field, sizeof(proxy->field));
	}
	pthread_mutex_unlock(&outbounds->lock);
	return n;
}

void authenticate_message(struct proxy *proxy, const struct policy_outbound *credential,
			  struct hop *hop, unsigned *own_fields, struct slice *message)
{
	struct sip_msg *sent = &proxy->second;
	const char *why;
	int n;

	if (!credential || sip_msg_parse(*message, sent, &why) != SIP_PARSE_OK ||
	    sent->method == SIP_ACK)
		return;
	n = write_field(proxy, credential, &hop->target, sent);
	if (n < 0 || insert_field(proxy, *own_fields, (size_t)n, message)) {
		/* Another request may have used the nonce up meanwhile. */
		hop->challenged = false;
		return;
	}
	if (!hop->answers)
		hop->answers = 1;
	++*own_fields;
}

/* ---- when we are asked ---- */

static void report(const struct attempt *attempt, const struct sip_msg *msg,
		   const struct policy_outbound *credential, const char *cause)
{
	struct endpoint remote = attempt->target.remote;

	log_warning("outbound_auth_failed", LOG_ENDPOINT("upstream", &remote),
		    LOG_STR("user", credential->user), LOG_INT("status", msg->status),
		    LOG_STR("cause", cause),
		    LOG_SLICE("call_id", sip_msg_value(msg, SIP_CALL_ID)));
}

static const char *cause_of(int rc)
{
	switch (rc) {
	case -EKEYREJECTED:
		return "credentials_refused";
	case -EACCES:
		return "another_realm";
	case -ENOTSUP:
		return "unknown_challenge";
	default:
		return "no_resources";
	}
}

/* The password needs to be kept no more. */
static void pin_realm(struct proxy *proxy, const struct policy_outbound *credential,
		      const char *realm)
{
	struct store_ha1 ha1;

	if (password_hash(proxy->admission.digest, slice_from(credential->user),
			  slice_from(realm), slice_from(credential->password), &ha1) == 0)
		proxy->output.learned(proxy->output.arg, credential->id, realm, &ha1);
	explicit_bzero(&ha1, sizeof(ha1));
}

/* That of what was answered, if it was the upstream's word. */
static bool learned_realm(struct proxy *proxy, const struct policy_outbound *credential,
			  const struct attempt *attempt, char ret_realm[DIGEST_CLIENT_REALM_SIZE])
{
	struct outbounds *outbounds = &proxy->shared->outbounds;
	const struct outbound *outbound;
	bool learned;

	pthread_mutex_lock(&outbounds->lock);
	outbound = outbound_find(outbounds, credential->id, &attempt->target,
				 attempt->timer.txn->method);
	learned = outbound && outbound->learned && outbound->state.realm[0];
	if (learned)
		strcpy(ret_realm, outbound->state.realm);
	pthread_mutex_unlock(&outbounds->lock);
	return learned;
}

/* One that is removed at the upstream for the last time is the trunk's no more. */
void authenticate_accepted(struct proxy *proxy, const struct attempt *attempt)
{
	const struct txn *txn = attempt->timer.txn;
	const struct policy_outbound *credential = authenticate_credential(
		policy_trunk_by_id(proxy->admission.policy, txn->trunk_id), &attempt->target,
		attempt->answers ? attempt->credential_id : 0);
	char realm[DIGEST_CLIENT_REALM_SIZE];

	if (credential && !credential->realm[0] && proxy->output.learned &&
	    learned_realm(proxy, credential, attempt, realm))
		pin_realm(proxy, credential, realm);
}

/* Takes the challenge in. 0, or why not as digest_client_challenged. */
static int take_challenge(struct proxy *proxy, const struct attempt *attempt,
			  const struct policy_outbound *credential, const struct sip_msg *msg)
{
	struct outbound *outbound = outbound_need(&proxy->shared->outbounds, credential->id,
						  &attempt->target, attempt->timer.txn->method);
	struct digest_client client;
	int rc = -EKEYREJECTED;

	if (!outbound)
		return -ENOMEM;
	client = client_of(proxy, credential, outbound);
	if (attempt->answers < ANSWERS_MAX)
		rc = digest_client_challenged(&client, msg, attempt->challenged, &outbound->state);
	if (!rc)
		outbound->learned = !credential->realm[0];
	else if (rc == -EKEYREJECTED)
		/* Nothing is to be sent unasked; nor is a realm learned by what was refused. */
		digest_client_forget(&outbound->state);
	return rc;
}

/* The dialog's next requests must bear higher numbers than the one that is sent again. */
static void raise_dialog(struct proxy *proxy, const struct txn *txn, const struct sip_msg *msg)
{
	struct record_numbers *numbers =
		account_numbers(proxy, msg, !(txn->token.flags & TOKEN_TO_CUSTOMER));

	if (numbers)
		numbers->cseq_extra++;
}

bool authenticate_again(struct proxy *proxy, struct attempt *attempt, const struct sip_msg *msg,
			bool *ret_ours)
{
	struct txn *txn = attempt->timer.txn;
	const struct policy_outbound *credential = authenticate_credential_of(
		proxy, txn, &attempt->target, attempt->credential_id);
	struct hop hop = {
		.target = attempt->target,
		.cseq_offset = attempt->cseq_offset + 1,
		.credential_id = attempt->credential_id,
		.challenged = true,
		.answers = attempt->answers + 1,
	};
	int rc;

	*ret_ours = credential;
	if (!credential || txn->cancelled || hop.cseq_offset > UINT8_MAX)
		return false;
	pthread_mutex_lock(&proxy->shared->outbounds.lock);
	rc = take_challenge(proxy, attempt, credential, msg);
	pthread_mutex_unlock(&proxy->shared->outbounds.lock);
	if (rc) {
		report(attempt, msg, credential, cause_of(rc));
		return false;
	}
	if (txn->method == SIP_INVITE)
		attempt_acknowledge(proxy, attempt, msg);
	if (attempt_again(proxy, txn, &hop))
		return false;
	if (txn->in_dialog)
		raise_dialog(proxy, txn, msg);
	return true;
}
