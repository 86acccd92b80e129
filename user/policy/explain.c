/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/explain.h"

#include <stdarg.h>
#include <stdio.h>

#include "digest/digest.h"

struct explain {
	const struct ip *ip;
	void (*visit)(const struct policy_explain_row *row, void *arg);
	void *arg;
};

/* Text that is cut off where the buffer ends. */
struct text {
	char *buf;
	size_t size, used;
};

__attribute__((format(printf, 2, 3))) static void text_add(struct text *text, const char *format,
							   ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text->buf + text->used, text->size - text->used, format, args);
	va_end(args);
	if (n < 0)
		return;
	text->used += (size_t)n;
	if (text->used >= text->size)
		text->used = text->size - 1;
}

static void explain_digest(const struct policy_trunk *trunk, struct text *text)
{
	const struct store_trunk *config = &trunk->config;

	text_add(text, "asked for credentials (%u; REGISTER 401), realm ",
		 config->challenge_status);
	for (size_t i = 0; i < trunk->realm_count; i++)
		text_add(text, "%s\"%.*s\"", i ? " or " : "", (int)trunk->realms[i].n,
			 trunk->realms[i].p);
	text_add(text, ", with ");
	for (unsigned i = 0; i < config->algorithm_count; i++)
		text_add(text, "%s%s%s", i ? " or " : "",
			 digest_algorithm_name(config->algorithms[i]), config->sess ? "-sess" : "");
	text_add(text, "; forwarded when right");
}

static void explain_next(const struct policy_explain_row *row, struct text *text)
{
	switch (row->auth) {
	case STORE_AUTH_NONE:
		text_add(text, "486 unless the From user has registered from this address: neither "
			       "ACL nor credentials are attached");
		return;
	case STORE_AUTH_IP_ACL:
		text_add(text, row->acl_allows ? "forwarded: its ACLs allow the address"
					       : "403: none of its ACLs allows the address");
		return;
	case STORE_AUTH_CREDENTIAL:
		explain_digest(row->trunk, text);
		return;
	case STORE_AUTH_IP_ACL_AND_CREDENTIAL:
		if (row->acl_allows)
			explain_digest(row->trunk, text);
		else
			text_add(text,
				 "403 before any digest: none of its ACLs allows the address");
		return;
	}
}

static void explain_trunk(const struct policy_trunk *trunk, void *arg)
{
	const struct explain *explain = arg;
	struct policy_explain_row row = {
		.trunk = trunk,
		.name = trunk->config.name,
		.auth = trunk->config.auth,
		.acl_allows = policy_acl_allows(trunk, explain->ip),
	};
	struct text target = {row.target, sizeof(row.target), 0};
	struct text next = {row.next, sizeof(row.next), 0};

	text_add(&target, "%s%s%s", trunk->config.user, trunk->config.user[0] ? "@" : "",
		 trunk->config.domain);
	if (trunk->config.enabled)
		explain_next(&row, &next);
	else
		text_add(&next, "403: the trunk is disabled");
	if (trunk->config.user[0])
		text_add(&next, " (only if the Request-URI says %s)", row.target);
	explain->visit(&row, explain->arg);
}

void policy_explain(const struct policy *policy, const struct ip *ip,
		    void (*visit)(const struct policy_explain_row *row, void *arg), void *arg)
{
	struct explain explain = {ip, visit, arg};

	policy_trunk_each(policy, explain_trunk, &explain);
}
