/* SPDX-License-Identifier: BSD-2-Clause */
/* REGISTER, where we are the registrar: whose contacts they may be, and the answer. */
#include "proxy/proxy_internal.h"

/* To's user at a domain of the trunk: the address of record (RFC 3261 §10.3 steps 4 and 5). */
static bool is_of_trunk(struct proxy *proxy, const struct sip_msg *msg,
			const struct policy_trunk *trunk, const struct sip_uri *aor)
{
	struct sip_uri asked = {0};
	bool same_host;

	if (policy_trunk_find(proxy->admission.policy, aor->user, aor->host) == trunk)
		return true;
	if (sip_uri_parse(msg->uri, &asked))
		return false;
	same_host = slice_eq_nocase(asked.host, aor->host);
	sip_uri_free(&asked);
	return same_host;
}

static bool is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] > 0x7e)
			return false;
	return true;
}

/* Nobody registers another's address. Who is let in by address alone may register any. */
static const char *why_not(struct proxy *proxy, const struct sip_msg *msg,
			   const struct admission_result *admitted, const struct sip_uri *aor,
			   unsigned *ret_status)
{
	*ret_status = 403;
	if (!slice_starts_nocase(aor->scheme, SLICE("sip")))
		return "malformed_to";
	if (admitted->user && !slice_eq(admitted->user->name, aor->user))
		return "another_users_address";
	*ret_status = 404;
	if (!is_of_trunk(proxy, msg, admitted->trunk, aor))
		return "not_of_this_trunk";
	*ret_status = 400;
	return admitted->user || is_ascii(aor->user) ? NULL : "malformed_user";
}

/* With a transaction, so that a retransmission is no new registration (RFC 3261 §17.2.2). */
static void answer(struct proxy *proxy, const struct request *request,
		   const struct registrar_result *result)
{
	struct net_path path = reply_path(request);
	struct slice message;
	struct txn *txn;

	if (reply_write(proxy, request, result->status, result->headers, &message))
		return;
	if (txn_create(&proxy->txns, request->branch.id, &txn) == 0) {
		txn->method = SIP_REGISTER;
		txn->requester = path;
		if (blob_set(&proxy->txns.pool, &txn->response, message))
			txn_free(&proxy->txns, txn);
		else
			timer_complete(proxy, txn, TXN_COMPLETED);
	}
	proxy_send(proxy, &path, message);
}

static void tell(struct proxy *proxy, const struct request *request,
		 const struct admission_result *admitted, const struct registrar_result *result)
{
	struct report_line line = {
		.event = result->cause ? "refused" : "registered",
		.cause = result->cause ? result->cause : admission_cause_name(admitted->cause),
		.status = result->cause ? result->status : 0,
		.msg = request->msg,
		.source = &request->path->remote,
		.trunk = admitted->trunk,
	};

	if (admitted->user)
		line.user = admitted->user->name;
	if (result->cause) {
		proxy_count(proxy, PROXY_REFUSED);
		report_refusal(&proxy->report, &line, proxy->now_ns);
	} else {
		proxy_count(proxy, PROXY_REGISTERED);
		report_decision(&line);
	}
}

static void register_at(struct proxy *proxy, const struct request *request,
			const struct admission_result *admitted, const struct sip_uri *aor)
{
	struct registrar_result *result = &proxy->registered;
	struct registrar_request asked = {
		.msg = request->msg,
		.path = request->path,
		.trunk_id = admitted->trunk->config.id,
		.user = aor->user,
		.settings = policy_settings(proxy->admission.policy),
		.now_s = clock_steady_s(),
	};
	unsigned status;

	result->headers = (struct slice){0};
	result->cause = why_not(proxy, request->msg, admitted, aor, &status);
	if (result->cause)
		result->status = status;
	else
		registrar_receive(proxy->registrar, &asked, result);
	tell(proxy, request, admitted, result);
	answer(proxy, request, result);
}

static void register_admitted(struct proxy *proxy, const struct request *request,
			      const struct admission_result *admitted)
{
	struct sip_uri aor = {0};

	if (sip_uri_parse(request->msg->to.uri, &aor))
		reply_refuse(proxy, request, 400, "malformed_to");
	else
		register_at(proxy, request, admitted, &aor);
	sip_uri_free(&aor);
}

/* Nobody could prove to be the user, and a registration is what such a trunk goes by. */
static void refuse_unprovable(struct proxy *proxy, const struct request *request,
			      const struct policy_trunk *trunk)
{
	struct report_line line = {
		.event = "refused",
		.cause = "nothing_to_register_with",
		.status = 403,
		.msg = request->msg,
		.source = &request->path->remote,
		.trunk = trunk,
		.hint = "this trunk has neither ACL nor credentials: users register on a trunk "
			"that has (sipward trunk attach)",
	};

	proxy_count(proxy, PROXY_REFUSED);
	report_refusal(&proxy->report, &line, proxy->now_ns);
	reply_stateless(proxy, request, 403, (struct slice){0});
}

bool register_receive(struct proxy *proxy, const struct request *request,
		      const struct admission_result *admitted)
{
	const struct policy_trunk *trunk = admitted->trunk;

	if (request->msg->method != SIP_REGISTER || !trunk || trunk->config.forward_register)
		return false;
	if (trunk->config.auth == STORE_AUTH_NONE)
		refuse_unprovable(proxy, request, trunk);
	else if (admitted->verdict != ADMISSION_FORWARD)
		return false;
	else if (!proxy->registrar)
		reply_refuse(proxy, request, 501, "no_registrar");
	else
		register_admitted(proxy, request, admitted);
	return true;
}
