/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/identity.h"

#include <errno.h>
#include <stdio.h>

#include "sip/sip_grammar.h"

#define PREFIX_ALWAYS "X-Sipward-"
#define ANONYMOUS "\"Anonymous\" <sip:anonymous@anonymous.invalid>"

/* ---- names ---- */

/* The long form of a name that RFC 3261 and its extensions let be shortened to a letter. Those that
 * the parser knows by their id are not among them. */
static struct slice long_name(struct slice name)
{
	static const struct {
		char letter;
		const char *name;
	} forms[] = {
		{'a', "Accept-Contact"},
		{'b', "Referred-By"},
		{'d', "Request-Disposition"},
		{'e', "Content-Encoding"},
		{'j', "Reject-Contact"},
		{'n', "Identity-Info"},
		{'o', "Event"},
		{'r', "Refer-To"},
		{'s', "Subject"},
		{'u', "Allow-Events"},
		{'x', "Session-Expires"},
		{'y', "Identity"},
	};

	for (size_t i = 0; name.n == 1 && i < sizeof(forms) / sizeof(forms[0]); i++)
		if ((name.p[0] | 0x20) == forms[i].letter)
			return slice_from(forms[i].name);
	return name;
}

static struct slice own_prefix(const struct store_settings *settings)
{
	return settings->header_prefix[0] ? slice_from(settings->header_prefix)
					  : SLICE(PREFIX_ALWAYS);
}

/* Whether the list ("Name Na* …") has the name. */
static bool list_has(struct slice list, struct slice name)
{
	while (list.n > 0) {
		struct slice word = slice_cut(list, ' ', &list);

		if (word.n > 0 && word.p[word.n - 1] == '*') {
			word.n--;
			if (slice_starts_nocase(name, word))
				return true;
		} else if (slice_eq_nocase(name, word)) {
			return true;
		}
	}
	return false;
}

static bool is_reserved(const struct store_settings *settings, struct slice name)
{
	return slice_starts_nocase(name, SLICE(PREFIX_ALWAYS)) ||
	       slice_starts_nocase(name, own_prefix(settings)) ||
	       list_has(slice_from(settings->reserved_headers), name);
}

/* Claims of an identity that nobody has checked. Remote-Party-ID is what PBXs of old believed. */
static bool is_claim(struct slice name)
{
	return slice_eq_nocase(name, SLICE("P-Preferred-Identity")) ||
	       slice_eq_nocase(name, SLICE("Remote-Party-ID"));
}

/* What else tells who is calling: the fields of RFC 3323 §5.3, and later ones of the kind. */
static bool is_telling(struct slice name)
{
	return list_has(SLICE("Subject Call-Info Organization User-Agent Reply-To In-Reply-To "
			      "Identity Identity-Info Referred-By"),
			name);
}

/* ---- what a customer may not say ---- */

static bool may_stay(const struct sip_header *header, const struct store_settings *settings,
		     bool anonymous)
{
	struct slice name = long_name(header->name);

	if (header->id == SIP_P_ASSERTED_IDENTITY)
		return false;
	/* What messages are read and routed by is no customer's to do without. */
	if (header->id != SIP_OTHER_HEADER)
		return true;
	return !is_claim(name) && !is_reserved(settings, name) && !(anonymous && is_telling(name));
}

/* Name and user go, the host stays: the callee's later requests go there. */
static void hide_contact(struct sip_edit *edit, struct slice element)
{
	struct slice rest, uri = sip_element_uri(element), scheme = slice_cut(uri, ':', &rest);
	const char *end = sip_uri_user(uri).n ? memchr(uri.p, '@', uri.n) : NULL;
	const char *before = uri.p > element.p && uri.p[-1] == '<' ? "<" : "";

	if (end)
		sip_edit_replace(edit, (struct slice){element.p, (size_t)(end - element.p)},
				 "%s%.*s:anonymous", before, (int)scheme.n, scheme.p);
	else if (*before)
		sip_edit_replace(edit, (struct slice){element.p, (size_t)(uri.p - element.p)}, "<");
}

void identity_screen(struct sip_edit *edit, const struct store_settings *settings, bool anonymous)
{
	const struct sip_msg *msg = edit->msg;
	struct sip_walk contacts = SIP_WALK(msg, SIP_CONTACT);
	struct slice element;

	for (unsigned i = 0; i < msg->header_count; i++)
		if (!may_stay(&msg->headers[i], settings, anonymous))
			sip_edit_drop(edit, (int)i);
	while (anonymous && sip_walk_next(&contacts, &element))
		hide_contact(edit, element);
}

/* ---- what the upstream is told ---- */

static void write_called(struct sip_edit *edit, const char *number)
{
	struct slice params, user = slice_cut(sip_uri_user(edit->msg->uri), ';', &params);

	sip_edit_replace(edit, user, "%s", number);
}

static void write_asserted(struct sip_edit *edit, const struct caller_decision *caller)
{
	int last = (int)edit->msg->header_count;

	sip_edit_insert(edit, last, "P-Asserted-Identity: <%s>\r\n", caller->asserted);
	if (caller->asserted_tel[0])
		sip_edit_insert(edit, last, "P-Asserted-Identity: <tel:%s>\r\n",
				caller->asserted_tel);
}

static void hide_from(struct sip_edit *edit)
{
	struct slice from = sip_msg_value(edit->msg, SIP_FROM), tag = sip_tag(from);

	if (from.n > IDENTITY_FROM_MAX)
		edit->failed = -ENOSPC;
	else
		sip_edit_replace(edit, from, ANONYMOUS "%s%.*s", tag.n ? ";tag=" : "", (int)tag.n,
				 tag.p);
}

/* Asks for id in the Privacy field that is there, or in one of our own. */
static void ask_privacy(struct sip_edit *edit)
{
	const struct sip_msg *msg = edit->msg;
	int first = msg->first[SIP_PRIVACY];

	if (caller_wants_privacy(msg))
		return;
	if (first >= 0 && !caller_privacy_has(msg, SLICE("none"))) {
		struct slice value = msg->headers[first].value;

		sip_edit_replace(edit, (struct slice){value.p + value.n, 0}, "%s",
				 value.n ? ";id" : "id");
		return;
	}
	for (int i = first; i >= 0; i = sip_msg_next(msg, SIP_PRIVACY, i))
		sip_edit_drop(edit, i);
	sip_edit_insert(edit, (int)msg->header_count, "Privacy: id\r\n");
}

/* Whether the caller's name must stay on this side of the upstream (RFC 3325 §7). */
static bool is_withheld(const struct sip_msg *msg, const struct policy_trunk *trunk, bool anonymous)
{
	return !trunk->config.upstream_trusted && (anonymous || caller_wants_privacy(msg));
}

void identity_write(struct sip_edit *edit, const struct policy_trunk *trunk,
		    const struct caller_decision *caller)
{
	enum sip_method method = edit->msg->method;

	if (caller->called[0])
		write_called(edit, caller->called);
	if (caller->anonymous) {
		hide_from(edit);
		ask_privacy(edit);
	}
	/* RFC 3325 §9.1, RFC 5876 §3 */
	if (method != SIP_ACK && method != SIP_REGISTER && caller->asserted[0] &&
	    !is_withheld(edit->msg, trunk, caller->anonymous))
		write_asserted(edit, caller);
}

/* A name as the value of a field: what could end the field or garble it is escaped. */
static void insert_named(struct sip_edit *edit, struct slice prefix, const char *field,
			 struct slice name)
{
	char text[3 * STORE_NAME_SIZE], *at = text;

	for (size_t i = 0; i < name.n && at < text + sizeof(text) - 4; i++) {
		if ((unsigned char)name.p[i] < ' ' || name.p[i] == 0x7f)
			at += sprintf(at, "%%%02X", (unsigned char)name.p[i]);
		else
			*at++ = name.p[i];
	}
	sip_edit_insert(edit, (int)edit->msg->header_count, "%.*s%s: %.*s\r\n", (int)prefix.n,
			prefix.p, field, (int)(at - text), text);
}

void identity_tell(struct sip_edit *edit, const struct identity_context *context)
{
	const struct admission_result *admitted = context->admitted;
	struct slice prefix = own_prefix(context->settings);
	char ip[IP_TEXT_SIZE];

	insert_named(edit, prefix, "Auth-Type", slice_from(store_auth_type_name(admitted->auth)));
	if (!is_withheld(edit->msg, admitted->trunk, context->anonymous)) {
		ip_format(context->source, ip);
		if (admitted->user)
			insert_named(edit, prefix, "Auth-User", admitted->user->name);
		insert_named(edit, prefix, "Source-IP", slice_from(ip));
	}
	insert_named(edit, prefix, "Trunk", slice_from(admitted->trunk->config.name));
}

/* ---- what a customer is told ---- */

void identity_withhold(struct sip_edit *edit, bool upstream_trusted)
{
	const struct sip_msg *msg = edit->msg;
	int i = msg->first[SIP_P_ASSERTED_IDENTITY];

	if (upstream_trusted && !caller_wants_privacy(msg))
		return;
	for (; i >= 0; i = sip_msg_next(msg, SIP_P_ASSERTED_IDENTITY, i))
		sip_edit_drop(edit, i);
}
