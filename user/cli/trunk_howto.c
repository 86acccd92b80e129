/* SPDX-License-Identifier: BSD-2-Clause */
/* How to call through a trunk: the URI, and what a caller has to do, in words. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "cli/trunk.h"
#include "digest/digest.h"

struct steps {
	struct cli *cli;
	const struct store_trunk *trunk;
	const struct trunk_attached *attached;
	json_t *list;
};

static bool is_default(const struct store_trunk *trunk)
{
	return strcmp(trunk->domain, "*") == 0;
}

/* ---- the URI ---- */

/* As a URI names it: not where the gate hears udp/5060, as by default. */
static void port_text(const struct store_settings *settings, char text[8])
{
	unsigned port = 0;
	for (unsigned i = settings->port_count; i-- > 0 && port != SIPWARD_PORT_SIP;) {
		if (settings->ports[i].protocol == IPPROTO_UDP)
			port = ntohs(settings->ports[i].port_be);
	}
	text[0] = '\0';
	if (port && port != SIPWARD_PORT_SIP)
		snprintf(text, 8, ":%u", port);
}

static json_t *call_uri(const struct store_trunk *trunk, struct slice domain, const char *port)
{
	const char *user = trunk->user;
	bool six = domain.n > 0 && memchr(domain.p, ':', domain.n);
	if (!user[0])
		user = trunk->e164 == STORE_E164_REQUIRE ? "+NUMBER" : "NUMBER";
	if (is_default(trunk))
		domain = SLICE("GATE");
	return json_sprintf("sip:%s@%s%.*s%s%s", user, six ? "[" : "", (int)domain.n, domain.p,
			    six ? "]" : "", port);
}

json_t *trunk_call_json(struct cli *cli, const struct store_trunk *trunk)
{
	struct slice rest = slice_from(trunk->aliases);
	struct store_settings settings;
	char port[8];
	if (cli_settings(cli, &settings) < 0)
		return NULL;
	port_text(&settings, port);
	json_t *uris = json_array();
	json_array_append_new(uris, call_uri(trunk, slice_from(trunk->domain), port));
	while (rest.n && !is_default(trunk))
		json_array_append_new(uris, call_uri(trunk, slice_cut(rest, ' ', &rest), port));
	return uris;
}

/* ---- the steps ---- */

__attribute__((format(printf, 2, 3))) static void step(struct steps *steps, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	json_array_append_new(steps->list, json_vsprintf(format, args));
	va_end(args);
}

/* "a, b or c" */
static void names_text(const json_t *names, char *text, size_t size)
{
	size_t i, used = 0, n = json_array_size(names);
	json_t *name;
	text[0] = '\0';
	json_array_foreach(names, i, name)
	{
		const char *before = i == 0 ? "" : i + 1 == n ? " or " : ", ";
		if (used < size)
			used += (size_t)snprintf(text + used, size - used, "%s%s", before,
						 json_string_value(name));
	}
}

static int add_realm(struct cli *cli, const char *list, json_t *realms)
{
	struct store_credentials credentials;
	json_t *realm;
	size_t i;
	int rc = store_credentials_get(cli->store, list, &credentials, &cli->err);
	if (rc < 0)
		return rc;
	json_array_foreach(realms, i, realm)
	{
		if (strcmp(json_string_value(realm), credentials.realm) == 0)
			return 0;
	}
	return output_append(realms, output_text(credentials.realm));
}

static int realms_text(struct cli *cli, const json_t *lists, char *text, size_t size)
{
	json_t *realms = json_array(), *list;
	size_t i;
	int rc = 0;
	json_array_foreach(lists, i, list)
	{
		if (rc == 0)
			rc = add_realm(cli, json_string_value(list), realms);
	}
	if (rc == 0)
		names_text(realms, text, size);
	json_decref(realms);
	return rc;
}

static void algorithms_text(const struct store_trunk *trunk, char *text, size_t size)
{
	size_t used = 0;
	for (unsigned i = 0; i < trunk->algorithm_count && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s%s", i ? " or " : "",
					 digest_algorithm_name(trunk->algorithms[i]),
					 trunk->sess ? "-sess" : "");
}

static void step_way(struct steps *steps)
{
	const struct store_trunk *trunk = steps->trunk;
	if (!trunk->enabled)
		step(steps,
		     "Nobody can call now: the trunk is disabled, every call is refused with 403.");
	if (is_default(trunk))
		step(steps, "Send to this gate: GATE is its address, or any name that resolves to "
			    "it and is no other trunk's domain.");
	else
		step(steps, "Send to this gate: the domain must resolve to it, or the gate is set "
			    "as outbound proxy.");
}

static void step_number(struct steps *steps)
{
	const struct store_trunk *trunk = steps->trunk;
	if (trunk->user[0])
		step(steps,
		     "The Request-URI names %s and no number; the number called stands in To.",
		     trunk->user);
	else if (trunk->e164 == STORE_E164_REQUIRE)
		step(steps, "Write the number called as E.164, such as +4989123456, else it is "
			    "refused with 484.");
	else if (trunk->e164 == STORE_E164_NORMALIZE)
		step(steps,
		     "Dial +, %s and a country code, or a number of country %s; what is no "
		     "number is refused with 484.",
		     trunk->international_prefix[0] ? trunk->international_prefix : "(no prefix)",
		     trunk->country_code[0] ? trunk->country_code : "(none set)");
}

static void step_caller(struct steps *steps)
{
	const char *name = steps->trunk->name;
	if (steps->trunk->caller == STORE_CALLER_REFUSE)
		step(steps,
		     "Show a number of `sipward caller list %s` in From, else the call is refused "
		     "with 403.",
		     name);
	else if (steps->trunk->caller == STORE_CALLER_PRIVATE)
		step(steps,
		     "Show a number of `sipward caller list %s` in From, else the call is made "
		     "anonymous.",
		     name);
}

static void step_address(struct steps *steps)
{
	char acls[400];
	names_text(steps->attached->acls, acls, sizeof(acls));
	step(steps,
	     "Send from an address that ACL %s allows; any other is refused with 403 (address "
	     "refused).",
	     acls);
}

static int step_digest(struct steps *steps)
{
	char lists[400], realms[400], algorithms[80] = "";
	int rc = realms_text(steps->cli, steps->attached->lists, realms, sizeof(realms));
	if (rc < 0)
		return rc;
	names_text(steps->attached->lists, lists, sizeof(lists));
	algorithms_text(steps->trunk, algorithms, sizeof(algorithms));
	step(steps,
	     "The first request is answered %u (REGISTER 401): send it again with the digest of a "
	     "user of credential list %s, realm %s, algorithm %s. A wrong user or password is "
	     "refused with 403.",
	     steps->trunk->challenge_status, lists, realms, algorithms);
	return 0;
}

static void step_registration(struct steps *steps)
{
	step(steps, "Nothing is attached: first register the From user, from the same address, at "
		    "the domain in From, whose trunk must have a credential list; else the answer "
		    "is 486.");
}

static int step_authentication(struct steps *steps)
{
	enum store_auth_type auth = steps->trunk->auth;
	if (auth == STORE_AUTH_NONE)
		step_registration(steps);
	if (auth == STORE_AUTH_IP_ACL || auth == STORE_AUTH_IP_ACL_AND_CREDENTIAL)
		step_address(steps);
	if (auth == STORE_AUTH_CREDENTIAL || auth == STORE_AUTH_IP_ACL_AND_CREDENTIAL)
		return step_digest(steps);
	return 0;
}

static int step_lockout(struct steps *steps)
{
	struct store_settings settings;
	int rc = cli_settings(steps->cli, &settings);
	if (rc < 0)
		return rc;
	step(steps,
	     "%u refusals within %u s lock the address out for %u s, also if it is right by then: "
	     "wait, then mend. `sipward explain ADDRESS` tells why.",
	     settings.lockout_failures, settings.lockout_window_s, settings.lockout_duration_s);
	return 0;
}

json_t *trunk_steps_json(struct cli *cli, const struct store_trunk *trunk,
			 const struct trunk_attached *attached)
{
	struct steps steps = {cli, trunk, attached, json_array()};
	step_way(&steps);
	step_number(&steps);
	step_caller(&steps);
	int rc = step_authentication(&steps);
	if (rc == 0)
		rc = step_lockout(&steps);
	if (rc == 0)
		return steps.list;
	json_decref(steps.list);
	return NULL;
}
