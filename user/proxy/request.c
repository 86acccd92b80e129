/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests in the order of DESIGN §6: what is known already, then calls in progress, then
 * admission. */
#include <stdio.h>

#include "proxy/proxy_internal.h"

static struct report_line line_of(const struct request *request, const char *event,
				  const char *cause)
{
	return (struct report_line){
		.event = event,
		.cause = cause,
		.msg = request->msg,
		.source = &request->path->remote,
	};
}

/* ---- locked-out sources that reach the daemon: no filter, mode monitor, or action reject ---- */

/* True if the request goes no further. */
static bool stop_locked_out(struct proxy *proxy, const struct request *request)
{
	const struct store_settings *settings = policy_settings(proxy->admission.policy);

	if (!lockout_active(proxy->admission.lockouts, settings, &request->path->remote.ip,
			    proxy->now_ns, NULL))
		return false;
	if (settings->mode == SIPWARD_MONITOR) {
		proxy_count(proxy, PROXY_LOCKED_OUT_SERVED);
		return false;
	}
	proxy_count(proxy, PROXY_LOCKED_OUT);
	if (settings->lockout_reject && request->msg->method != SIP_ACK)
		reply_stateless(proxy, request, 403, (struct slice){0});
	return true;
}

/* ---- requests of transactions that are there ---- */

static bool is_failed_invite(const struct txn *txn)
{
	return txn && txn->method == SIP_INVITE &&
	       (txn->state == TXN_COMPLETED || txn->state == TXN_CONFIRMED);
}

/* For a failure the ACK ends here (RFC 3261 §17.2.1); for a 2xx it goes on by its own route. */
static void receive_ack(struct proxy *proxy, const struct request *request, struct txn *txn)
{
	const struct policy_trunk *trunk;

	if (is_failed_invite(txn)) {
		txn->state = TXN_CONFIRMED;
		timer_set(&proxy->txns, &txn->timer, 0, txn->timer.give_up_ns);
		return;
	}
	if (!dialog_receive(proxy, request, &trunk))
		proxy_count(proxy, PROXY_ACK_UNMATCHED);
}

static void receive_cancel(struct proxy *proxy, const struct request *request, struct txn *txn)
{
	if (!txn || txn->method != SIP_INVITE) {
		reply_stateless(proxy, request, 481, (struct slice){0});
		return;
	}
	reply_stateless(proxy, request, 200, (struct slice){0});
	txn->cancelled = true;
	attempt_cancel_open(proxy, txn);
}

/* The last answer again, or silence while there is none (RFC 3261 §17.2.1, §17.2.2). */
static void receive_again(struct proxy *proxy, const struct request *request, struct txn *txn)
{
	proxy_count(proxy, PROXY_RETRANSMISSIONS);
	if (txn->method == request->msg->method && txn->response.p && txn->state != TXN_CONFIRMED)
		proxy_send(proxy, &txn->requester, blob_slice(&txn->response));
}

/* ---- new requests ---- */

/* It has been here before, and nothing has changed since (RFC 3261 §16.3 step 4). */
static bool has_looped(const struct request *request)
{
	struct sip_walk vias = SIP_WALK(request->msg, SIP_VIA);
	struct slice element;

	while (sip_walk_next(&vias, &element)) {
		struct sip_via via;

		if (sip_via_parse(element, &via) == 0 &&
		    branch_has_loop(via.branch, request->branch.loop))
			return true;
	}
	return false;
}

/* 420 with the extensions that we lack, which is all of them. */
static void refuse_extension(struct proxy *proxy, const struct request *request)
{
	struct slice wanted = sip_msg_value(request->msg, SIP_PROXY_REQUIRE);
	char header[256];
	int n = 0;

	if (wanted.n < 128)
		n = snprintf(header, sizeof(header), "Unsupported: %.*s\r\n", (int)wanted.n,
			     wanted.p);
	proxy_count(proxy, PROXY_REFUSED);
	reply_stateless(proxy, request, 420, (struct slice){header, (size_t)n});
}

bool request_is_secure(const struct sip_msg *msg)
{
	return slice_starts_nocase(msg->uri, SLICE("sips:"));
}

/* Of sips only TLS can keep the promise (RFC 5630 §3.1.3). */
static bool is_served_scheme(const struct request *request)
{
	struct slice uri = request->msg->uri;

	return slice_starts_nocase(uri, SLICE("sip:")) || slice_starts_nocase(uri, SLICE("tel:")) ||
	       (request_is_secure(request->msg) && request->path->transport == NET_TLS);
}

/* True if the request can not be forwarded by anybody (RFC 3261 §16.3). */
static bool stop_invalid(struct proxy *proxy, const struct request *request)
{
	const struct sip_msg *msg = request->msg;

	if (!is_served_scheme(request))
		reply_refuse(proxy, request, 416, "uri_scheme");
	else if (has_looped(request))
		reply_refuse(proxy, request, 482, "loop");
	else if (msg->has_max_forwards && msg->max_forwards == 0)
		reply_refuse(proxy, request, 483, "too_many_hops");
	else if (msg->first[SIP_PROXY_REQUIRE] >= 0)
		refuse_extension(proxy, request);
	else
		return false;
	return true;
}

/* A probe of ours: for nobody's number, or at our own address. */
static bool is_options_to_us(struct proxy *proxy, const struct sip_msg *msg)
{
	struct sip_uri uri = {0};
	bool to_us;

	if (msg->method != SIP_OPTIONS || sip_uri_parse(msg->uri, &uri))
		return false;
	to_us = !uri.user.n || uri_is_local(proxy, &uri);
	sip_uri_free(&uri);
	return to_us;
}

static void receive_options(struct proxy *proxy, const struct request *request)
{
	if (source_is_vouched(proxy, &request->path->remote.ip))
		reply_stateless(
			proxy, request, 200,
			SLICE("Accept: application/sdp\r\n"
			      "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REGISTER, PRACK, "
			      "SUBSCRIBE, NOTIFY, PUBLISH, INFO, REFER, MESSAGE, UPDATE\r\n"));
	else
		proxy_count(proxy, PROXY_REPLY_WITHHELD);
}

/* An upstream that an ACL admits too, or another program on its machine, is a customer. Which port
 * a connection comes from says nothing. */
static bool is_from_upstream(struct proxy *proxy, const struct net_path *path)
{
	const struct endpoint upstream = {
		.ip = path->remote.ip,
		.port = path->transport == NET_UDP ? path->remote.port : 0,
	};
	const struct policy_trunk *trunk =
		policy_trunk_called(proxy->admission.policy, &upstream, (struct slice){0});

	return trunk && !policy_acl_allows(trunk, &path->remote.ip);
}

bool request_makes_dialog(enum sip_method method)
{
	return method == SIP_INVITE || method == SIP_SUBSCRIBE || method == SIP_REFER;
}

/* The value of a field that the gate gives a meaning, under its prefix; empty: there is none. */
static struct slice own_field(const struct sip_msg *msg, const struct store_settings *settings,
			      struct slice name)
{
	struct slice prefix = slice_from(settings->header_prefix);

	for (unsigned i = 0; i < msg->header_count; i++) {
		struct slice field = msg->headers[i].name;

		if (field.n == prefix.n + name.n && slice_starts_nocase(field, prefix) &&
		    slice_eq_nocase((struct slice){field.p + prefix.n, name.n}, name))
			return msg->headers[i].value;
	}
	return (struct slice){0};
}

/* False: the call asks for one that is not there. */
static bool choose_credential(struct proxy *proxy, struct forward *forward,
			      const struct policy_hop *hop)
{
	const struct policy_outbound *credential;

	if (forward->trunk->config.outbound_user)
		forward->chosen = own_field(forward->request->msg,
					    policy_settings(proxy->admission.policy),
					    SLICE("Outbound-User"));
	credential = outbound_credential(hop, forward->chosen);
	if (credential)
		forward->hop.credential_id = credential->id;
	return credential || !forward->chosen.n;
}

static void forward_admitted(struct proxy *proxy, const struct request *request,
			     const struct admission_result *result)
{
	struct report_line line =
		line_of(request, "forwarded", admission_cause_name(result->cause));
	struct target_choice choice = {
		.hops = result->trunk->upstreams,
		.hop_count = result->trunk->upstream_count,
		.secure = request_is_secure(request->msg),
	};
	const struct policy_hop *hop;
	struct caller_decision caller;
	struct txn *txn;
	struct forward forward = {
		.request = request,
		.caller = &caller,
		.trunk = result->trunk,
		.from_customer = true,
		.can_move = true,
		.secure = choice.secure,
		.admitted = result,
		.record_route = request_makes_dialog(request->msg->method),
	};

	hop = target_pick(proxy, &choice, &forward.hop.target);
	if (!hop) {
		reply_refuse(proxy, request, 503,
			     choice.hop_count ? "upstream_unreachable" : "no_upstream");
		return;
	}
	if (!choose_credential(proxy, &forward, hop)) {
		reply_refuse(proxy, request, 403, "unknown_outbound_user");
		return;
	}
	if (!rules_pass(proxy, request, result, &caller))
		return;
	forward.token = (struct token){
		.trunk_id = result->trunk->config.id,
		.user_id = result->user ? result->user->id : 0,
		.issued_s = (uint32_t)clock_steady_s(),
		.caller = request->path->remote,
		.caller_transport = request->path->transport,
		.flags = caller.anonymous ? TOKEN_ANONYMOUS : 0,
	};
	line.trunk = result->trunk;
	if (result->user)
		line.user = result->user->name;
	if (forward_send(proxy, &forward, &txn)) {
		proxy_count(proxy, PROXY_FORWARDED);
		report_decision(&line);
	} else {
		rules_undo(proxy, request);
	}
}

static bool is_auth_failure(enum admission_cause cause)
{
	return cause == ADMISSION_ADDRESS_REFUSED || cause == ADMISSION_BAD_CREDENTIALS ||
	       cause == ADMISSION_NO_CLIENT_CERTIFICATE;
}

static void answer_denied(struct proxy *proxy, const struct request *request,
			  const struct admission_result *result)
{
	bool refused = result->verdict == ADMISSION_REFUSE;
	struct report_line line = line_of(request, refused ? "refused" : "challenged",
					  admission_cause_name(result->cause));

	line.status = result->status;
	line.trunk = result->trunk;
	line.user = result->tried;
	/* Not for the lines of a flood, which nobody will read. */
	if (report_has_room(&proxy->report, proxy->now_ns))
		line.hint = admission_hint(proxy->admission.policy, request->msg, result);
	proxy_count(proxy, refused ? PROXY_REFUSED : PROXY_CHALLENGED);
	if (refused || line.hint)
		report_refusal(&proxy->report, &line, proxy->now_ns);
	else
		report_decision(&line);
	if (result->locked_out)
		report_lockout(&request->path->remote, &result->lockout, proxy->now_ns);
	if (refused)
		account_refused(proxy, request, result->trunk,
				&(struct account_refusal){result->status, result->tried,
							  is_auth_failure(result->cause)});
	reply_stateless(proxy, request, result->status,
			refused ? (struct slice){0} : result->challenge);
}

/* True if the request is a new call for which there is no time. */
static bool stop_overloaded(struct proxy *proxy, const struct request *request)
{
	unsigned backlog = policy_settings(proxy->admission.policy)->overload_backlog;
	bool overloaded = backlog && proxy->output.waiting &&
			  proxy->output.waiting(proxy->output.arg) > backlog;

	if (request->msg->method != SIP_INVITE || !(overloaded || proxy->draining))
		return false;
	proxy_count(proxy, PROXY_OVERLOADED);
	reply_stateless(proxy, request, 503, SLICE("Retry-After: 5\r\n"));
	return true;
}

/* trunk: of the call it says to belong to; NULL = to be found. */
static void receive_new(struct proxy *proxy, const struct request *request,
			const struct policy_trunk *trunk)
{
	struct admission_request asked = {
		.msg = request->msg,
		.trunk = trunk,
		.source = request->path->remote,
		.transport = request->path->transport,
		.reliable = request->path->transport != NET_UDP,
		.client_verified = request->client_verified,
		.now_ns = proxy->now_ns,
		.now_s = clock_steady_s(),
	};
	struct admission_result *result = &proxy->decision;

	if (is_options_to_us(proxy, request->msg)) {
		receive_options(proxy, request);
		return;
	}
	if (stop_overloaded(proxy, request) || stop_invalid(proxy, request))
		return;
	if (is_from_upstream(proxy, request->path)) {
		deliver_receive(proxy, request);
		return;
	}
	admission_decide(&proxy->admission, &asked, result);
	if (register_receive(proxy, request, result))
		return;
	if (result->verdict == ADMISSION_FORWARD)
		forward_admitted(proxy, request, result);
	else
		answer_denied(proxy, request, result);
}

/* Who is listed may say that its connection leads to where it takes requests (RFC 5923). */
static void note_alias(struct proxy *proxy, const struct request *request)
{
	const struct net_path *path = request->path;
	uint16_t usual = path->transport == NET_TLS ? SIPS_PORT : SIP_PORT;

	if (request->msg->via.alias && path->transport != NET_UDP && proxy->output.alias &&
	    policy_is_listed(proxy->admission.policy, &path->remote.ip))
		proxy->output.alias(proxy->output.arg, path,
				    request->msg->via.port ? request->msg->via.port : usual);
}

static void dispatch(struct proxy *proxy, const struct request *request)
{
	const struct policy_trunk *trunk = NULL;
	struct txn *txn;

	if (stop_locked_out(proxy, request))
		return;
	note_alias(proxy, request);
	txn = txn_find(&proxy->txns, request->branch.id);
	if (request->msg->method == SIP_ACK)
		receive_ack(proxy, request, txn);
	else if (request->msg->method == SIP_CANCEL)
		receive_cancel(proxy, request, txn);
	else if (txn)
		receive_again(proxy, request, txn);
	else if (!dialog_receive(proxy, request, &trunk))
		receive_new(proxy, request, trunk);
}

void request_receive(struct proxy *proxy, const struct sip_msg *msg,
		     const struct net_packet *packet)
{
	const struct net_path *path = &packet->path;
	struct request request = {
		.msg = msg, .path = path, .client_verified = packet->client_verified};

	proxy_count(proxy, PROXY_REQUESTS);
	request.branch.id =
		branch_id(proxy->branch_key, msg, &msg->via, &path->remote.ip, msg->cseq);
	request.branch.loop = branch_loop(proxy->branch_key, msg);
	dispatch(proxy, &request);
}
