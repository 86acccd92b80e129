/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls from a trunk's upstream to the users that have registered on the trunk. Only the preferred
 * contact is called: requests are not forked. */
#include "proxy/proxy_internal.h"

struct callee {
	const struct policy_trunk *trunk;
	const struct policy_user *user; /* NULL: the trunk knows no users */
	bool known, bound;
	struct store_binding binding;
};

/* That of the Request-URI's domain if it is this upstream's, else the upstream's own. */
static const struct policy_trunk *trunk_of_call(struct proxy *proxy, const struct ip *upstream,
						const struct sip_uri *uri)
{
	const struct policy *policy = proxy->admission.policy;
	const struct policy_trunk *trunk = policy_trunk_find(policy, uri->user, uri->host);

	if (trunk && ip_eq(&trunk->config.upstream_addr.ip, upstream))
		return trunk;
	return policy_trunk_of_upstream(policy, upstream);
}

static bool take_first(const struct store_binding *binding, void *arg)
{
	struct callee *callee = arg;

	callee->binding = *binding;
	callee->bound = true;
	return false;
}

/* A user removed since is not called any more, whatever is still bound. */
static void find_callee(struct proxy *proxy, const struct request *request, struct callee *callee)
{
	struct sip_uri uri = {0};

	if (sip_uri_parse(request->msg->uri, &uri))
		return;
	callee->trunk = trunk_of_call(proxy, &request->path->remote.ip, &uri);
	if (callee->trunk && callee->trunk->config.enabled) {
		callee->user = policy_user_by_name(callee->trunk, uri.user);
		callee->known = callee->user || !callee->trunk->realm_count;
	}
	if (callee->known && proxy->registrar)
		registrar_each(proxy->registrar, callee->trunk->config.id, uri.user,
			       clock_steady_s(), take_first, callee);
	sip_uri_free(&uri);
}

/* The contact without headers, which a Request-URI must not have (RFC 3261 §19.1.1). */
static struct slice request_uri(const struct store_binding *binding)
{
	struct slice contact = slice_from(binding->contact);
	const char *at = memchr(contact.p, '@', contact.n);
	size_t host = at ? (size_t)(at - contact.p) : 0;
	const char *headers = memchr(contact.p + host, '?', contact.n - host);

	if (headers)
		contact.n = (size_t)(headers - contact.p);
	return contact;
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

static void call_contact(struct proxy *proxy, const struct request *request,
			 const struct callee *callee)
{
	struct txn *txn;
	struct forward forward = {
		.request = request,
		.trunk = callee->trunk,
		.hop.uri = request_uri(&callee->binding),
		.record_route = request_makes_dialog(request->msg->method),
	};
	struct report_line line = {
		.event = "forwarded",
		.cause = "to_registered_user",
		.msg = request->msg,
		.source = &request->path->remote,
		.trunk = callee->trunk,
	};

	if (find_path(proxy, &callee->binding, &forward.hop.target)) {
		reply_refuse(proxy, request, 480, "contact_unreachable");
		return;
	}
	forward.token = (struct token){
		.trunk_id = callee->trunk->config.id,
		.user_id = callee->user ? callee->user->id : 0,
		.issued_s = (uint32_t)clock_steady_s(),
		.caller = request->path->remote,
		.caller_transport = request->path->transport,
		.flags = TOKEN_TO_CUSTOMER,
	};
	if (forward_send(proxy, &forward, &txn)) {
		proxy_count(proxy, PROXY_FORWARDED);
		report_decision(&line);
	}
}

void deliver_receive(struct proxy *proxy, const struct request *request)
{
	struct callee callee = {0};

	if (request->msg->method == SIP_REGISTER) {
		reply_refuse(proxy, request, 403, "register_from_upstream");
		return;
	}
	find_callee(proxy, request, &callee);
	if (callee.bound)
		call_contact(proxy, request, &callee);
	else if (callee.known)
		reply_refuse(proxy, request, 480, "not_registered");
	else
		reply_refuse(proxy, request, 404, "unknown_user");
}
