/* SPDX-License-Identifier: BSD-2-Clause */
/* A REGISTER (RFC 3261 §10.3): read as a whole, then checked against what is bound, and only then
 * carried out, which can not fail. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "registrar/internal.h"
#include "sip/sip_grammar.h"

#define Q_HIGHEST 1000
#define HOUR_S 3600

struct contact {
	struct sip_name_addr addr;
	struct slice instance; /* empty: none */
	unsigned reg_id, q;
	uint32_t expires;	 /* as granted; 0 = to be removed */
	struct binding *binding; /* what it becomes */
};

struct registration {
	struct registrar *registrar;
	const struct registrar_request *request;
	struct registrar_result *result;
	bool all; /* Contact: * */
	struct contact contacts[REGISTRAR_CONTACTS_MAX];
	unsigned count;
	struct binding *bound[REGISTRAR_CONTACTS_MAX]; /* before it, none expired */
	bool meant[REGISTRAR_CONTACTS_MAX];	       /* the request speaks of it */
	unsigned bound_count;
};

/* ---- the answer ---- */

/* Adds the whole text, or nothing where it does not fit. */
__attribute__((format(printf, 2, 3))) static void put(struct registrar_result *result,
						      const char *format, ...)
{
	size_t room = sizeof(result->text) - result->headers.n;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(result->text + result->headers.n, room, format, args);
	va_end(args);
	if (n > 0 && (size_t)n < room)
		result->headers.n += (size_t)n;
}

static bool refuse(struct registration *r, unsigned status, const char *cause)
{
	r->result->status = status;
	r->result->cause = cause;
	return false;
}

static void put_date(struct registrar_result *result, uint64_t now_s)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t now = (time_t)now_s;
	struct tm tm;

	gmtime_r(&now, &tm);
	put(result, "Date: %.3s, %02d %.3s %d %02d:%02d:%02d GMT\r\n", days + 3 * tm.tm_wday,
	    tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
	    tm.tm_sec);
}

static void put_contact(struct registrar_result *result, const struct binding_fields *is,
			uint64_t now_s)
{
	char outbound[STORE_NOTE_SIZE + 64] = "";

	if (is->instance.n)
		snprintf(outbound, sizeof(outbound), ";+sip.instance=\"%.*s\"", (int)is->instance.n,
			 is->instance.p);
	if (is->reg_id)
		snprintf(outbound + strlen(outbound), sizeof(outbound) - strlen(outbound),
			 ";reg-id=%u", is->reg_id);
	put(result, "Contact: <%.*s>;expires=%lld;q=%u.%03u%s\r\n", (int)is->contact.n,
	    is->contact.p, (long long)(is->expires_s - (int64_t)now_s), is->q / Q_HIGHEST,
	    is->q % Q_HIGHEST, outbound);
}

/* All that is bound now (§10.3 step 8). */
static void put_bindings(struct registration *r)
{
	const struct registrar_request *request = r->request;
	unsigned n = bindings_find(r->registrar, request->trunk_id, request->user, r->bound);

	put_date(r->result, request->now_s);
	for (unsigned i = 0; i < n; i++)
		put_contact(r->result, &r->bound[i]->is, request->now_s);
}

/* ---- reading it ---- */

static bool is_visible(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || (unsigned char)s.p[i] > 0x7e)
			return false;
	return true;
}

/* No extension is claimed here: outbound needs flows, path needs routes (step 2). */
static bool check_extensions(struct registration *r)
{
	struct sip_walk tags = SIP_WALK(r->request->msg, SIP_REQUIRE);
	struct slice tag;

	if (tags.header < 0)
		return true;
	while (sip_walk_next(&tags, &tag))
		if (tag.n && is_visible(tag))
			put(r->result, "Unsupported: %.*s\r\n", (int)tag.n, tag.p);
	return refuse(r, 420, "unsupported_extension");
}

/* A value that is no number counts as none (§20.19, §20.10). */
static uint32_t expires_of(struct slice value, uint32_t otherwise)
{
	uint32_t expires;

	switch (slice_u32(value, &expires)) {
	case 0:
		return expires;
	case -ERANGE:
		return UINT32_MAX;
	default:
		return otherwise;
	}
}

/* 0, 0.5, 1, 1.000 */
static bool read_q(struct slice value, unsigned *ret_q)
{
	struct slice fraction, whole = slice_cut(value, '.', &fraction);
	uint32_t q, thousandths = 0;

	if (whole.n != 1 || slice_u32(whole, &q) || fraction.n > 3 ||
	    (fraction.n && slice_u32(fraction, &thousandths)))
		return false;
	for (size_t n = fraction.n; n < 3; n++)
		thousandths *= 10;
	*ret_q = Q_HIGHEST * q + thousandths;
	return *ret_q <= Q_HIGHEST;
}

/* A reg-id without an instance means nothing (RFC 5626 §6). */
static bool read_outbound(struct contact *contact)
{
	struct slice value;
	uint32_t reg_id;

	if (!sip_param_find(contact->addr.params, "+sip.instance", &contact->instance) ||
	    !contact->instance.n)
		return true;
	if (!is_visible(contact->instance) || contact->instance.n >= STORE_NOTE_SIZE)
		return false;
	if (!sip_param_find(contact->addr.params, "reg-id", &value))
		return true;
	if (slice_u32(value, &reg_id) || reg_id == 0 || reg_id > INT32_MAX)
		return false;
	contact->reg_id = reg_id;
	return true;
}

/* By the way that the REGISTER came: sips by TLS alone (RFC 5630 §3.1.3). */
static bool is_callable(struct slice text, enum net_transport transport)
{
	bool served = slice_starts_nocase(text, SLICE("sip:")) ||
		      (slice_starts_nocase(text, SLICE("sips:")) && transport == NET_TLS);
	struct sip_uri uri = {0};
	bool good;

	if (!served || text.n >= STORE_CONTACT_SIZE)
		return false;
	good = sip_uri_parse(text, &uri) == 0;
	sip_uri_free(&uri);
	return good;
}

/* The expiry asked for: the contact's own, the request's, or none. */
static uint32_t asked_expires(const struct registration *r, const struct contact *contact)
{
	const struct sip_msg *msg = r->request->msg;
	uint32_t expires = r->request->settings->register_default_s;
	struct slice value;

	if (msg->first[SIP_EXPIRES] >= 0)
		expires = expires_of(sip_msg_value(msg, SIP_EXPIRES), expires);
	if (sip_param_find(contact->addr.params, "expires", &value))
		expires = expires_of(value, expires);
	return expires;
}

/* §10.3 step 7: only what is below an hour may be refused as too brief. */
static bool grant(struct registration *r, struct contact *contact)
{
	const struct store_settings *settings = r->request->settings;
	uint32_t asked = asked_expires(r, contact);

	if (asked > 0 && asked < HOUR_S && asked < settings->register_min_s) {
		put(r->result, "Min-Expires: %u\r\n", settings->register_min_s);
		return refuse(r, 423, "interval_too_brief");
	}
	contact->expires = asked < settings->register_max_s ? asked : settings->register_max_s;
	return true;
}

static bool is_same(const struct contact *contact, struct slice uri, struct slice instance,
		    unsigned reg_id)
{
	if (contact->reg_id && contact->reg_id == reg_id && slice_eq(contact->instance, instance))
		return true;
	return sip_uri_equal(contact->addr.uri, uri);
}

static bool read_contact(struct registration *r, struct slice element)
{
	struct contact *contact = &r->contacts[r->count];
	struct slice value;

	if (r->count == REGISTRAR_CONTACTS_MAX)
		return refuse(r, 403, "too_many_contacts");
	*contact = (struct contact){.q = Q_HIGHEST};
	if (sip_name_addr_parse(element, &contact->addr))
		return refuse(r, 400, "malformed_contact");
	r->count++;
	if (!is_callable(contact->addr.uri, r->request->path->transport) ||
	    !read_outbound(contact) ||
	    (sip_param_find(contact->addr.params, "q", &value) && !read_q(value, &contact->q)))
		return refuse(r, 400, "malformed_contact");
	for (unsigned i = 0; i + 1 < r->count; i++)
		if (is_same(contact, r->contacts[i].addr.uri, r->contacts[i].instance,
			    r->contacts[i].reg_id))
			return refuse(r, 400, "contact_twice");
	return grant(r, contact);
}

/* One flow registers one contact at a time (RFC 5626 §6). */
static bool check_flows(struct registration *r)
{
	unsigned bound = 0, flows = 0;

	for (unsigned i = 0; i < r->count; i++) {
		bound += r->contacts[i].expires > 0;
		flows += r->contacts[i].expires > 0 && r->contacts[i].reg_id > 0;
	}
	return (flows > 0 && bound > 1) ? refuse(r, 400, "several_flows") : true;
}

/* §10.3 step 6: alone, and to remove. */
static bool read_star(struct registration *r, unsigned elements)
{
	const struct sip_msg *msg = r->request->msg;

	r->all = true;
	if (elements > 1 || msg->first[SIP_EXPIRES] < 0 ||
	    expires_of(sip_msg_value(msg, SIP_EXPIRES), 1) != 0)
		return refuse(r, 400, "malformed_star");
	return true;
}

static bool check_user(struct registration *r)
{
	struct slice user = r->request->user;

	for (size_t i = 0; i < user.n; i++)
		if ((unsigned char)user.p[i] < 0x20 || user.p[i] == 0x7f)
			return refuse(r, 400, "malformed_user");
	if (!user.n || user.n >= STORE_USER_SIZE)
		return refuse(r, 400, "malformed_user");
	return true;
}

static bool read_contacts(struct registration *r)
{
	struct sip_walk walk = SIP_WALK(r->request->msg, SIP_CONTACT);
	unsigned elements = 0;
	bool star = false;
	struct slice element;

	if (sip_msg_value(r->request->msg, SIP_CALL_ID).n >= STORE_NOTE_SIZE)
		return refuse(r, 400, "call_id_too_long");
	for (struct sip_walk ahead = walk; sip_walk_next(&ahead, &element); elements++)
		star |= slice_eq(element, SLICE("*"));
	if (star)
		return read_star(r, elements);
	if (walk.header >= 0 && !elements)
		return refuse(r, 400, "malformed_contact");
	while (sip_walk_next(&walk, &element))
		if (!read_contact(r, element))
			return false;
	return check_flows(r);
}

/* ---- against what is bound ---- */

static void find_bound(struct registration *r)
{
	const struct registrar_request *request = r->request;
	struct binding *found[REGISTRAR_CONTACTS_MAX];
	unsigned n = bindings_find(r->registrar, request->trunk_id, request->user, found);

	for (unsigned i = 0; i < n; i++) {
		if (!binding_is_expired(found[i], request->now_s)) {
			r->bound[r->bound_count++] = found[i];
			continue;
		}
		r->registrar->stats.expired++;
		binding_drop(r->registrar, found[i]);
	}
}

static bool is_meant(const struct registration *r, const struct binding *binding)
{
	for (unsigned i = 0; i < r->count; i++)
		if (is_same(&r->contacts[i], binding->is.contact, binding->is.instance,
			    binding->is.reg_id))
			return true;
	return r->all;
}

/* A request that was overtaken by a later one of its client changes nothing. */
static bool is_overtaken(const struct registration *r, const struct binding *binding)
{
	return slice_eq(binding->is.call_id, sip_msg_value(r->request->msg, SIP_CALL_ID)) &&
	       r->request->msg->cseq <= binding->is.cseq;
}

static bool check_bound(struct registration *r)
{
	const struct store_settings *settings = r->request->settings;
	struct registrar *registrar = r->registrar;
	unsigned meant = 0, added = 0, left;

	for (unsigned i = 0; i < r->bound_count; i++) {
		r->meant[i] = is_meant(r, r->bound[i]);
		if (!r->meant[i])
			continue;
		if (is_overtaken(r, r->bound[i]))
			return refuse(r, 500, "out_of_order");
		meant++;
	}
	for (unsigned i = 0; i < r->count; i++)
		added += r->contacts[i].expires > 0;
	left = r->bound_count - meant + added;
	if (added && (left > settings->register_contacts || left > REGISTRAR_CONTACTS_MAX))
		return refuse(r, 403, "too_many_contacts");
	if (added > meant && registrar->table.count - meant + added > registrar->limit) {
		registrar->stats.full++;
		put(r->result, "Retry-After: 60\r\n");
		return refuse(r, 503, "registrar_full");
	}
	return true;
}

/* ---- carrying it out ---- */

/* Cut to size, and fit to be shown on a terminal. */
static struct slice user_agent(const struct sip_msg *msg, char text[STORE_NOTE_SIZE])
{
	struct slice value = {text, 0};

	for (unsigned i = 0; i < msg->header_count && !value.n; i++)
		if (slice_eq_nocase(msg->headers[i].name, SLICE("User-Agent")))
			value = msg->headers[i].value;
	if (value.n >= STORE_NOTE_SIZE)
		value.n = STORE_NOTE_SIZE - 1;
	for (size_t i = 0; i < value.n; i++)
		text[i] = is_visible((struct slice){value.p + i, 1}) ? value.p[i] : '?';
	return (struct slice){text, value.n};
}

static bool make_bindings(struct registration *r)
{
	const struct registrar_request *request = r->request;
	char agent[STORE_NOTE_SIZE];
	struct binding_fields fields = {
		.trunk_id = request->trunk_id,
		.user = request->user,
		.call_id = sip_msg_value(request->msg, SIP_CALL_ID),
		.cseq = request->msg->cseq,
		.user_agent = user_agent(request->msg, agent),
		.received = request->path->remote,
		.local = request->path->local,
		.transport = request->path->transport,
	};

	for (unsigned i = 0; i < r->count; i++) {
		struct contact *contact = &r->contacts[i];

		if (!contact->expires)
			continue;
		fields.contact = contact->addr.uri;
		fields.instance = contact->instance;
		fields.reg_id = contact->reg_id;
		fields.q = contact->q;
		fields.expires_s = (int64_t)request->now_s + contact->expires;
		contact->binding = binding_new(&fields);
		if (!contact->binding)
			return refuse(r, 500, "no_memory");
	}
	return true;
}

/* Whether one of the new ones has its very name in the store. */
static bool is_overwritten(const struct registration *r, const struct binding *binding)
{
	for (unsigned i = 0; i < r->count; i++)
		if (r->contacts[i].binding &&
		    slice_eq(r->contacts[i].addr.uri, binding->is.contact))
			return true;
	return false;
}

static void carry_out(struct registration *r)
{
	struct registrar_stats *stats = &r->registrar->stats;
	unsigned replaced = 0;

	for (unsigned i = 0; i < r->bound_count; i++) {
		if (!r->meant[i])
			continue;
		if (is_overwritten(r, r->bound[i])) {
			binding_replace(r->registrar, r->bound[i]);
			replaced++;
			continue;
		}
		stats->removed++;
		binding_drop(r->registrar, r->bound[i]);
	}
	stats->refreshed += replaced;
	/* Of those of one q the first named is to be the preferred one: the latest. */
	for (unsigned i = r->count; i-- > 0;) {
		if (!r->contacts[i].binding)
			continue;
		binding_add(r->registrar, r->contacts[i].binding);
		change_note(r->registrar, r->contacts[i].binding);
		r->contacts[i].binding = NULL;
		stats->registered++;
	}
	stats->registered -= replaced;
}

static void registration_free(struct registration *r)
{
	for (unsigned i = 0; i < r->count; i++)
		free(r->contacts[i].binding);
}

void registrar_receive(struct registrar *registrar, const struct registrar_request *request,
		       struct registrar_result *ret_result)
{
	struct registration r;

	/* Not all of it: it is large. */
	r.registrar = registrar;
	r.request = request;
	r.result = ret_result;
	r.all = false;
	r.count = r.bound_count = 0;
	ret_result->status = 200;
	ret_result->cause = NULL;
	ret_result->headers = (struct slice){ret_result->text, 0};
	pthread_mutex_lock(&registrar->lock);
	find_bound(&r);
	if (check_extensions(&r) && check_user(&r) && read_contacts(&r) && check_bound(&r) &&
	    make_bindings(&r)) {
		carry_out(&r);
		put_bindings(&r);
	}
	pthread_mutex_unlock(&registrar->lock);
	registration_free(&r);
}
