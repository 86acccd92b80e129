/* SPDX-License-Identifier: BSD-2-Clause */
/* The REGISTER requests that we send to upstreams, and their answers (see registration.h). */
#include <errno.h>
#include <stdio.h>

#include "base/log.h"
#include "proxy/proxy_internal.h"

#define AOR_SIZE (3 * STORE_NAME_SIZE + STORE_URI_SIZE)

/* ---- asking ---- */

/* One that is up, if there is any, with the way there; after a failure beginning with the next. */
static bool find_hop(struct proxy *proxy, const struct registration *r, struct net_path *ret_target)
{
	const struct policy_trunk *trunk =
		policy_trunk_by_id(proxy->admission.policy, r->trunk_id);
	bool found = false;

	for (size_t i = 0; trunk && i < trunk->upstream_count; i++) {
		const struct policy_hop *hop =
			&trunk->upstreams[(i + r->failures) % trunk->upstream_count];
		struct net_path target = {.transport = hop->transport,
					  .remote = hop->endpoint,
					  .name = r->host};

		if (!outbound_by_id(hop, r->credential.id) || hop_route(proxy, &target))
			continue;
		if (!found || health_usable(&proxy->shared->health, &target, proxy->now_ns))
			*ret_target = target;
		found = true;
		if (health_usable(&proxy->shared->health, ret_target, proxy->now_ns))
			break;
	}
	return found;
}

/* The name as the user part of a URI (RFC 3261 §25.1). */
static void escape_user(const char *user, char *ret_text)
{
	static const char unreserved[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789-_.!~*'()&=+$,/";

	for (; *user; user++) {
		if (strchr(unreserved, *user))
			*ret_text++ = *user;
		else
			ret_text += sprintf(ret_text, "%%%02X", (unsigned char)*user);
	}
	*ret_text = '\0';
}

/* "sip:USER@HOST", of the upstream's URI without what is not part of a name (RFC 3261 §10.2). */
static void write_aor(const struct registration *r, const char *user, char ret_aor[AOR_SIZE])
{
	struct slice rest, scheme = slice_cut(slice_from(r->uri), ':', &rest);
	struct slice host = slice_cut(rest, ';', &rest);

	snprintf(ret_aor, AOR_SIZE, "%.*s:%s@%.*s", (int)scheme.n, scheme.p, user, (int)host.n,
		 host.p);
}

static void write_contact(const struct registration *r, const char *user, char ret_uri[AOR_SIZE])
{
	static const char *const transports[] = {
		[NET_UDP] = "", [NET_TCP] = ";transport=tcp", [NET_TLS] = ";transport=tls"};
	char local[ENDPOINT_TEXT_SIZE];

	endpoint_format(&r->target.local, local);
	snprintf(ret_uri, AOR_SIZE, "sip:%s@%s%s", user, local, transports[r->target.transport]);
}

static int ask(struct proxy *proxy, struct registration *r, unsigned expires_s)
{
	char user[3 * STORE_NAME_SIZE], aor[AOR_SIZE], contact[AOR_SIZE], fields[AOR_SIZE + 64];
	const struct own_request own = {
		.kind = OWN_REGISTER,
		.method = SIP_REGISTER,
		.method_text = "REGISTER",
		.target = r->target,
		.uri = r->uri,
		.from = aor,
		.to = aor,
		.headers = fields,
		.call_id = r->call_id,
		.cseq = ++r->cseq,
		.credential = &r->credential,
		.trunk_id = r->trunk_id,
	};

	if (!r->call_id[0])
		own_call_id(proxy, r->call_id);
	escape_user(r->credential.user, user);
	write_aor(r, user, aor);
	write_contact(r, user, contact);
	snprintf(fields, sizeof(fields), "Contact: <%s>\r\nExpires: %u\r\n", contact, expires_s);
	return own_send(proxy, &own);
}

void enrol_due(struct proxy *proxy, struct registration *r)
{
	struct registrations *all = &proxy->registrations;
	int rc;

	r->removing = !r->listed;
	if (!r->removing && !find_hop(proxy, r, &r->target)) {
		r->status = 0;
		registration_failed(all, r, 0, proxy->now_ns);
		return;
	}
	r->asking = true;
	/* Until there is an answer, or none. */
	(void)deadline_set(&all->dues, &r->due, UINT64_MAX);
	rc = ask(proxy, r, r->removing ? 0 : r->expires_s);
	if (!rc)
		return;
	proxy_count(proxy, rc == -ENOSPC ? PROXY_TRANSACTIONS_FULL : PROXY_NO_MEMORY);
	r->asking = false;
	if (r->removing)
		registration_free(all, r);
	else
		registration_failed(all, r, 0, proxy->now_ns);
}

/* ---- answers ---- */

static struct slice field_named(const struct sip_msg *msg, struct slice name)
{
	for (unsigned i = 0; i < msg->header_count; i++)
		if (slice_eq_nocase(msg->headers[i].name, name))
			return msg->headers[i].value;
	return (struct slice){0};
}

/* For how long: our contact's own time, else the answer's, else what was asked for. */
static unsigned granted_s(const struct registration *r, const struct sip_msg *msg)
{
	char user[3 * STORE_NAME_SIZE], contact[AOR_SIZE];
	struct sip_walk contacts = SIP_WALK(msg, SIP_CONTACT);
	uint32_t seconds = r->expires_s;
	struct slice element, value;

	escape_user(r->credential.user, user);
	write_contact(r, user, contact);
	(void)slice_u32(sip_msg_value(msg, SIP_EXPIRES), &seconds);
	while (sip_walk_next(&contacts, &element)) {
		struct sip_name_addr addr = {0};

		if (sip_name_addr_parse(element, &addr))
			continue;
		if (sip_uri_equal(addr.uri, slice_from(contact)) &&
		    sip_param_find(addr.params, "expires", &value))
			(void)slice_u32(value, &seconds);
	}
	return seconds < r->expires_s ? seconds : r->expires_s;
}

/* The upstream takes none that is shorter (RFC 3261 §10.2.8). True: it is asked for at once. */
static bool lengthen(struct proxy *proxy, struct registration *r, const struct sip_msg *msg)
{
	uint32_t seconds;

	if (msg->status != 423 || slice_u32(field_named(msg, SLICE("Min-Expires")), &seconds) ||
	    seconds <= r->expires_s || seconds > REGISTRATION_EXPIRES_MAX_S)
		return false;
	r->expires_s = seconds;
	(void)deadline_set(&proxy->registrations.dues, &r->due, proxy->now_ns);
	return true;
}

static void report(const struct registration *r)
{
	if (r->failures)
		log_warning("registration_failed", LOG_ENDPOINT("upstream", &r->target.remote),
			    LOG_STR("user", r->credential.user), LOG_INT("status", r->status),
			    LOG_INT("failures", r->failures));
	else
		log_info("registered_at", LOG_ENDPOINT("upstream", &r->target.remote),
			 LOG_STR("user", r->credential.user));
}

static void granted(struct proxy *proxy, struct registration *r, unsigned seconds)
{
	bool news = !r->until_ns || r->failures;

	registration_granted(&proxy->registrations, r, seconds, proxy->now_ns);
	if (news)
		report(r);
}

/* The one that was on its way; NULL: it is over. */
static struct registration *take_back(struct proxy *proxy, const struct attempt *attempt)
{
	struct registration *r = registration_find(&proxy->registrations, attempt->credential_id);

	if (!r || !r->asking)
		return NULL;
	r->asking = false;
	r->cseq += attempt->cseq_offset;
	if (r->removing) {
		registration_free(&proxy->registrations, r);
		return NULL;
	}
	return r;
}

void enrol_answered(struct proxy *proxy, const struct attempt *attempt, const struct sip_msg *msg)
{
	struct registration *r = take_back(proxy, attempt);
	unsigned seconds;

	if (!r)
		return;
	r->status = msg->status;
	seconds = msg->status < 300 ? granted_s(r, msg) : 0;
	if (seconds) {
		granted(proxy, r, seconds);
	} else if (!lengthen(proxy, r, msg)) {
		registration_failed(&proxy->registrations, r,
				    sip_retry_after(sip_msg_value(msg, SIP_RETRY_AFTER)),
				    proxy->now_ns);
		report(r);
	}
	/* Given up meanwhile. */
	if (!r->listed)
		(void)deadline_set(&proxy->registrations.dues, &r->due, proxy->now_ns);
}

void enrol_unanswered(struct proxy *proxy, const struct attempt *attempt)
{
	struct registration *r = take_back(proxy, attempt);

	if (!r)
		return;
	r->status = 0;
	registration_failed(&proxy->registrations, r, 0, proxy->now_ns);
	report(r);
	if (!r->listed)
		(void)deadline_set(&proxy->registrations.dues, &r->due, proxy->now_ns);
}

/* ---- for others ---- */

void proxy_leave(struct proxy *proxy, uint64_t now_ns)
{
	proxy->now_ns = now_ns;
	registrations_leave(&proxy->registrations, now_ns);
}

bool proxy_has_left(const struct proxy *proxy)
{
	return !proxy->registrations.first;
}

void proxy_registration_each(const struct proxy *proxy, proxy_registration_visit *visit, void *arg)
{
	for (const struct registration *r = proxy->registrations.first; r; r = r->next) {
		const struct proxy_registration told = {
			.credential_id = r->credential.id,
			.until_ns = r->until_ns,
			.status = r->status,
			.failures = r->failures,
		};

		visit(&told, arg);
	}
}
