/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests of calls in progress. The token in their Route is all that is known of the call. */
#include "proxy/proxy_internal.h"

/* A call that lasts longer is asked again who it is; its other side never is. */
#define TOKEN_AGE_MAX_S (24 * 60 * 60)

enum dialog_side { DIALOG_NONE, DIALOG_FROM_CALLER, DIALOG_FROM_CALLEE };

/* The caller's tag is in From when the caller speaks, and in To when the callee does. */
static enum dialog_side token_verify(const struct proxy *proxy, const struct sip_msg *msg,
				     struct slice text, struct token *ret_token)
{
	struct slice call_id = sip_msg_value(msg, SIP_CALL_ID);
	struct token_call from = {call_id, msg->from.tag};
	struct token_call to = {call_id, msg->to.tag};

	/* Without a To tag there is no dialog, whatever the token says (RFC 3261 §12.2). */
	if (!to.caller_tag.n)
		return DIALOG_NONE;
	if (token_read(proxy->dialog_key, text, &from, ret_token) == 0)
		return DIALOG_FROM_CALLER;
	if (token_read(proxy->dialog_key, text, &to, ret_token) == 0)
		return DIALOG_FROM_CALLEE;
	return DIALOG_NONE;
}

static enum dialog_side dialog_find(struct proxy *proxy, const struct sip_msg *msg,
				    struct token *ret_token)
{
	struct sip_walk routes = SIP_WALK(msg, SIP_ROUTE);
	struct sip_uri uri;

	if (!route_next(&routes, &uri) || !uri_is_local(proxy, &uri))
		return DIALOG_NONE;
	return token_verify(proxy, msg, uri.user, ret_token);
}

/* From here on the caller is the customer and the callee the upstream, whoever began the call. */
static enum dialog_side turn(enum dialog_side side, struct token *token)
{
	struct endpoint upstream = token->caller;
	unsigned transport = token->caller_transport;

	token->caller = token->upstream;
	token->caller_transport = token->upstream_transport;
	token->upstream = upstream;
	token->upstream_transport = transport;
	return side == DIALOG_FROM_CALLER ? DIALOG_FROM_CALLEE : DIALOG_FROM_CALLER;
}

static bool uri_path(const struct sip_uri *uri, struct net_path *ret_path)
{
	bool secure = slice_eq_nocase(uri->scheme, SLICE("sips"));
	struct slice transport;

	*ret_path = (struct net_path){.transport = secure ? NET_TLS : NET_UDP};
	if (sip_param_find(uri->params, "transport", &transport)) {
		if (slice_eq_nocase(transport, SLICE("tcp")))
			ret_path->transport = secure ? NET_TLS : NET_TCP;
		else if (slice_eq_nocase(transport, SLICE("tls")))
			ret_path->transport = NET_TLS;
	}
	ret_path->remote.port = uri->port ? uri->port :
				ret_path->transport == NET_TLS ? SIPS_PORT : SIP_PORT;
	return ip_parse(uri->host, &ret_path->remote.ip) == 0;
}

/* Where the message itself says it goes: the first Route that is not ours, else the Request-URI. */
static bool next_hop(struct proxy *proxy, const struct sip_msg *msg, struct net_path *ret_path)
{
	struct sip_walk routes = SIP_WALK(msg, SIP_ROUTE);
	struct sip_uri uri;
	bool found = false, own = true;

	while (own && route_next(&routes, &uri)) {
		own = uri_is_local(proxy, &uri);
		if (!own)
			found = uri_path(&uri, ret_path);
	}
	if (!own || sip_uri_read(msg->uri, &uri))
		return found;
	return uri_path(&uri, ret_path);
}

/* Where the message says it goes, should the connection of the call be gone: to the same side, and
 * by nothing that is easier to listen to. */
static void find_detour(struct proxy *proxy, struct forward *forward)
{
	const struct net_path *target = &forward->hop.target;
	struct net_path said;

	if (target->transport == NET_UDP || !next_hop(proxy, forward->request->msg, &said) ||
	    !ip_eq(&said.remote.ip, &target->remote.ip))
		return;
	if (said.transport == NET_UDP && target->transport == NET_TCP)
		said.transport = NET_TCP;
	if (said.transport < target->transport || endpoint_eq(&said.remote, &target->remote) ||
	    hop_route(proxy, &said))
		return;
	forward->detour = said;
}

/* Towards the caller: what the message says if that is the caller's own address or one its trunk
 * lists, else where the call came from (NAT). Never to a third party that a Contact may name. Over
 * a connection there is no other way than back. */
static struct net_path caller_target(struct proxy *proxy, const struct sip_msg *msg,
				     const struct policy_trunk *trunk, const struct token *token)
{
	struct net_path came = {.transport = (enum net_transport)token->caller_transport,
				.remote = token->caller};
	struct net_path said;

	if (came.transport == NET_UDP && next_hop(proxy, msg, &said) &&
	    (ip_eq(&said.remote.ip, &token->caller.ip) ||
	     policy_acl_allows(trunk, &said.remote.ip)))
		return said;
	return came;
}

/* The upstream that the call went to, or one that the trunk has now. */
static bool is_upstream_of(const struct policy_trunk *trunk, const struct token *token,
			   const struct ip *ip)
{
	return ip_eq(ip, &token->upstream.ip) ||
	       policy_upstream_at(trunk, &(struct endpoint){.ip = *ip});
}

/* Whether the caller could begin the call now as then. */
static bool is_still_admitted(const struct proxy *proxy, const struct request *request,
			      const struct policy_trunk *trunk, const struct token *token)
{
	const struct ip *source = &request->path->remote.ip;
	bool address_allowed = policy_acl_allows(trunk, source);
	bool user_known = policy_user_by_id(trunk, token->user_id) != NULL;

	switch (trunk->config.auth) {
	case STORE_AUTH_IP_ACL:
		return address_allowed;
	case STORE_AUTH_CREDENTIAL:
		return user_known;
	case STORE_AUTH_IP_ACL_AND_CREDENTIAL:
		return address_allowed && user_known;
	case STORE_AUTH_NONE:
		break;
	}
	return admission_registered(&proxy->admission, request->msg, source, clock_steady_s()) == 0;
}

/* What has begun may always be ended. */
static bool is_always_let(enum sip_method method)
{
	return method == SIP_ACK || method == SIP_BYE;
}

/* Whether the token is good in this caller's hands. Others who came by it prove nothing with it,
 * and it is no way round an entry or a user removed since. */
static bool caller_is_good(const struct proxy *proxy, const struct request *request,
			   const struct policy_trunk *trunk, const struct token *token)
{
	const struct ip *source = &request->path->remote.ip;

	if (!ip_eq(source, &token->caller.ip) && !policy_acl_allows(trunk, source))
		return false;
	if (is_always_let(request->msg->method))
		return true;
	return trunk->config.enabled &&
	       (!trunk->config.client_certificate || request->client_verified) &&
	       clock_steady_s() < (uint64_t)token->issued_s + TOKEN_AGE_MAX_S &&
	       is_still_admitted(proxy, request, trunk, token);
}

/* What came by less than TLS, or would go so, breaks the promise of sips. */
static bool is_kept_secure(const struct forward *forward)
{
	return !request_is_secure(forward->request->msg) ||
	       (forward->request->path->transport == NET_TLS &&
		forward->hop.target.transport == NET_TLS);
}

static void dialog_forward(struct proxy *proxy, struct forward *forward)
{
	const struct sip_msg *msg = forward->request->msg;
	struct txn *txn;
	struct report_line line = {
		.event = "forwarded",
		.cause = "in_dialog",
		.msg = msg,
		.source = &forward->request->path->remote,
		.trunk = forward->trunk,
	};

	if (msg->has_max_forwards && msg->max_forwards == 0) {
		reply_refuse(proxy, forward->request, 483, "too_many_hops");
		return;
	}
	target_refine(forward->trunk, false, &forward->hop.target);
	if (!is_kept_secure(forward) && !is_always_let(msg->method)) {
		reply_refuse(proxy, forward->request, 416, "uri_scheme");
		return;
	}
	find_detour(proxy, forward);
	if (hop_route(proxy, &forward->hop.target)) {
		reply_refuse(proxy, forward->request, 503, "next_hop_unreachable");
		return;
	}
	if (forward_send(proxy, forward, &txn)) {
		proxy_count(proxy, PROXY_DIALOG_FORWARDED);
		report_decision(&line);
	}
}

/* From may change in a dialog (RFC 4916), but not to what the trunk's rule keeps from being shown.
 * False: it is refused. */
static bool may_say_from(struct forward *forward)
{
	const struct sip_msg *msg = forward->request->msg;

	if ((forward->token.flags & (TOKEN_ANONYMOUS | TOKEN_TO_CUSTOMER)) ||
	    caller_may_show(forward->trunk, msg))
		return true;
	if (forward->trunk->config.caller == STORE_CALLER_REFUSE && !is_always_let(msg->method))
		return false;
	forward->token.flags |= TOKEN_ANONYMOUS;
	return true;
}

/* The caller is who it was when the call began. */
static void identify_caller(struct forward *forward, struct caller_decision *caller)
{
	const struct policy_trunk *trunk = forward->trunk;

	caller_identify(trunk, policy_user_by_id(trunk, forward->token.user_id), caller);
	caller->anonymous = forward->token.flags & TOKEN_ANONYMOUS;
	forward->caller = caller;
}

/* Requests of this call that were sent twice, with credentials, have raised its numbers further. */
static void raise_by_dialog(struct proxy *proxy, struct forward *forward)
{
	const struct sip_msg *msg = forward->request->msg;
	const struct record_numbers *numbers =
		account_numbers(proxy, msg, !(forward->token.flags & TOKEN_TO_CUSTOMER));

	if (numbers)
		forward->hop.cseq_offset += msg->method == SIP_ACK ? numbers->invite_offset :
								     numbers->cseq_extra;
}

bool dialog_receive(struct proxy *proxy, const struct request *request,
		    const struct policy_trunk **ret_trunk)
{
	const struct sip_msg *msg = request->msg;
	struct forward forward = {.request = request, .in_dialog = true};
	struct caller_decision caller;
	struct token token;
	enum dialog_side side = dialog_find(proxy, msg, &token);

	if (side == DIALOG_NONE)
		return false;
	if (token.flags & TOKEN_TO_CUSTOMER)
		side = turn(side, &token);
	forward.trunk = policy_trunk_by_id(proxy->admission.policy, token.trunk_id);
	forward.from_customer = side == DIALOG_FROM_CALLER;
	if (!forward.trunk) {
		reply_refuse(proxy, request, 403, "trunk_gone");
		return true;
	}
	if (side == DIALOG_FROM_CALLER && !caller_is_good(proxy, request, forward.trunk, &token)) {
		*ret_trunk = forward.trunk;
		return false;
	}
	forward.token = token;
	if (side == DIALOG_FROM_CALLER && !may_say_from(&forward)) {
		reply_refuse(proxy, request, 403, caller_cause_name(CALLER_NOT_ALLOWED));
		return true;
	}
	if (side == DIALOG_FROM_CALLER) {
		identify_caller(&forward, &caller);
		forward.hop.cseq_offset = token.cseq_offset;
		forward.hop.credential_id = token.credential_id;
		raise_by_dialog(proxy, &forward);
		forward.hop.target.transport = (enum net_transport)token.upstream_transport;
		forward.hop.target.remote = token.upstream;
	} else if (is_upstream_of(forward.trunk, &token, &request->path->remote.ip)) {
		forward.hop.target = caller_target(proxy, msg, forward.trunk, &token);
	} else {
		reply_refuse(proxy, request, 403, "not_the_upstream");
		return true;
	}
	dialog_forward(proxy, &forward);
	return true;
}
