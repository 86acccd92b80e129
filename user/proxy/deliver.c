/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls from a trunk's upstream to its customer: to all contacts of a user who has registered (the
 * first to answer gets the call), else to the trunk's destinations. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proxy/proxy_internal.h"

struct callee {
	struct proxy *proxy;
	const struct request *request;
	const struct policy_trunk *trunk; /* NULL: there is none, or it is disabled */
	const struct policy_user *user;	  /* NULL: the trunk knows no users */
	struct sip_uri uri;		  /* that is called */
	int64_t credential_id; /* of ours at the upstream: for what the customer says in dialog */
	bool known, bound;
	bool answered;	 /* it could not be sent, and was told so */
	struct txn *txn; /* once something was sent with one */
};

/* Which port a connection comes from says nothing. */
static struct endpoint upstream_of(const struct net_path *path)
{
	struct endpoint upstream = path->remote;

	if (path->transport != NET_UDP)
		upstream.port = 0;
	return upstream;
}

/* That of the Request-URI's domain if it is this upstream's; but a call to the contact that a trunk
 * has registered there is that trunk's. Else the upstream's own. */
static const struct policy_trunk *trunk_of_call(struct proxy *proxy, const struct net_path *path,
						const struct sip_uri *uri)
{
	const struct policy *policy = proxy->admission.policy;
	const struct policy_trunk *named = policy_trunk_find(policy, uri->user, uri->host);
	const struct policy_trunk *registered;
	struct endpoint upstream = upstream_of(path);

	if (named && !policy_upstream_at(named, &upstream))
		named = NULL;
	if (named && strcmp(named->config.domain, "*") != 0)
		return named;
	registered = uri->user.n ? policy_trunk_called(policy, &upstream, uri->user) : NULL;
	if (registered)
		return registered;
	return named ? named : policy_trunk_called(policy, &upstream, (struct slice){0});
}

static struct forward forward_to(const struct callee *callee, const struct hop *hop)
{
	const struct request *request = callee->request;

	return (struct forward){
		.request = request,
		.trunk = callee->trunk,
		.hop = *hop,
		.record_route = request_makes_dialog(request->msg->method),
		.token =
			{
				.trunk_id = callee->trunk->config.id,
				.user_id = callee->user ? callee->user->id : 0,
				.issued_s = (uint32_t)clock_steady_s(),
				.caller = request->path->remote,
				.caller_transport = request->path->transport,
				.flags = TOKEN_TO_CUSTOMER,
			},
	};
}

static bool send_first(struct callee *callee, struct forward *forward, const char *cause)
{
	struct report_line line = {
		.event = "forwarded",
		.cause = cause,
		.msg = callee->request->msg,
		.source = &callee->request->path->remote,
		.trunk = callee->trunk,
	};

	if (!forward_send(callee->proxy, forward, &callee->txn))
		return false;
	proxy_count(callee->proxy, PROXY_FORWARDED);
	report_decision(&line);
	return true;
}

/* ---- to contacts ---- */

/* Whether the contact may be called, and under which URI: without headers, which a Request-URI must
 * not have (RFC 3261 §19.1.1), and of the scheme that was called. A sips contact is a sip one too,
 * but by TLS; a sip one is no sips one (RFC 5630 §5.3). */
static bool request_uri(const struct store_binding *binding, bool secure,
			char ret_uri[STORE_CONTACT_SIZE])
{
	struct slice rest, contact = slice_from(binding->contact);
	bool promised = slice_starts_nocase(contact, SLICE("sips:"));
	const char *at = memchr(contact.p, '@', contact.n);
	size_t host = at ? (size_t)(at - contact.p) : 0;
	const char *headers = memchr(contact.p + host, '?', contact.n - host);

	if ((secure && !promised) || (promised && binding->transport != NET_TLS))
		return false;
	if (headers)
		contact.n = (size_t)(headers - contact.p);
	slice_cut(contact, ':', &rest);
	snprintf(ret_uri, STORE_CONTACT_SIZE, "%s:%.*s", secure ? "sips" : "sip", (int)rest.n,
		 rest.p);
	return true;
}

/* Back through the hole that the registration has made in a NAT: from the address it came to. */
static int find_path(struct proxy *proxy, const struct store_binding *binding,
		     struct net_path *ret_path)
{
	const struct proxy_output *output = &proxy->output;

	*ret_path = (struct net_path){.transport = (enum net_transport)binding->transport,
				      .remote = binding->received,
				      .local = binding->local};
	if (output->is_local(output->arg, &binding->local))
		return 0;
	return hop_route(proxy, ret_path);
}

/* The first is sent what is written for it, the others what it was sent. An answer to what can not
 * be sent ends the walk. */
static bool call_contact(const struct store_binding *binding, void *arg)
{
	struct callee *callee = arg;
	char uri[STORE_CONTACT_SIZE];
	struct hop hop = {.credential_id = callee->credential_id};
	struct forward forward;

	callee->bound = true;
	if (!request_uri(binding, request_is_secure(callee->request->msg), uri) ||
	    find_path(callee->proxy, binding, &hop.target))
		return true;
	hop.uri = slice_from(uri);
	if (callee->txn) {
		if (attempt_again(callee->proxy, callee->txn, &hop) == -ENOMEM)
			proxy_count(callee->proxy, PROXY_NO_MEMORY);
		return true;
	}
	forward = forward_to(callee, &hop);
	callee->answered = !send_first(callee, &forward, "to_registered_user");
	return callee->txn;
}

/* ---- to destinations ---- */

static bool call_destination(struct callee *callee)
{
	const struct policy_trunk *trunk = callee->trunk;
	struct target_choice choice = {
		.hops = trunk->destinations,
		.hop_count = trunk->destination_count,
		.secure = request_is_secure(callee->request->msg),
	};
	char uri[TARGET_URI_SIZE];
	struct hop hop = {.credential_id = callee->credential_id};
	const struct policy_hop *picked = target_pick(callee->proxy, &choice, &hop.target);
	struct forward forward;

	if (!picked || target_uri(picked, callee->request->msg->uri, uri))
		return false;
	hop.uri = slice_from(uri);
	forward = forward_to(callee, &hop);
	forward.can_move = true;
	forward.secure = choice.secure;
	callee->answered = !send_first(callee, &forward, "to_destination");
	return true;
}

/* ---- both ---- */

/* The one that is called, where it has registered itself; else the default. */
static int64_t credential_of_call(const struct callee *callee)
{
	const struct endpoint upstream = upstream_of(callee->request->path);
	const struct policy_hop *hop = policy_upstream_at(callee->trunk, &upstream);
	const struct policy_outbound *credential =
		hop ? outbound_credential(hop, callee->uri.user) : NULL;

	if (hop && !credential)
		credential = outbound_credential(hop, (struct slice){0});
	return credential ? credential->id : 0;
}

/* A user removed since is not called any more, whatever is still bound. */
static void find_callee(struct callee *callee)
{
	struct proxy *proxy = callee->proxy;
	const struct policy_trunk *trunk =
		trunk_of_call(proxy, callee->request->path, &callee->uri);

	if (!trunk || !trunk->config.enabled)
		return;
	callee->trunk = trunk;
	callee->credential_id = credential_of_call(callee);
	callee->user = policy_user_by_name(trunk, callee->uri.user);
	callee->known = callee->user || !trunk->realm_count;
}

static void deliver(struct callee *callee)
{
	struct proxy *proxy = callee->proxy;
	bool sent = false;

	find_callee(callee);
	if (callee->known && proxy->registrar)
		registrar_each(proxy->registrar, callee->trunk->config.id, callee->uri.user,
			       clock_steady_s(), call_contact, callee);
	if (callee->trunk && !callee->bound)
		sent = call_destination(callee);
	if (callee->txn || callee->answered || sent)
		return;
	if (callee->bound)
		reply_refuse(proxy, callee->request, 480, "contact_unreachable");
	else if (callee->known)
		reply_refuse(proxy, callee->request, 480, "not_registered");
	else
		reply_refuse(proxy, callee->request, 404, "unknown_user");
}

void deliver_receive(struct proxy *proxy, const struct request *request)
{
	struct callee callee = {.proxy = proxy, .request = request};

	if (request->msg->method == SIP_REGISTER) {
		reply_refuse(proxy, request, 403, "register_from_upstream");
		return;
	}
	if (sip_uri_parse(request->msg->uri, &callee.uri)) {
		reply_refuse(proxy, request, 404, "unknown_user");
		return;
	}
	deliver(&callee);
	sip_uri_free(&callee.uri);
}
