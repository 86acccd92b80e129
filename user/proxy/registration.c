/* SPDX-License-Identifier: BSD-2-Clause */
#include "proxy/registration.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"

/* ---- the list ---- */

struct registration *registration_find(const struct registrations *registrations,
				       int64_t credential_id)
{
	struct registration *r = registrations->first;

	while (r && (uint32_t)r->credential.id != (uint32_t)credential_id)
		r = r->next;
	return r;
}

void registration_free(struct registrations *registrations, struct registration *registration)
{
	struct registration **link = &registrations->first;

	while (*link != registration)
		link = &(*link)->next;
	*link = registration->next;
	deadline_clear(&registrations->dues, &registration->due);
	explicit_bzero(registration, sizeof(*registration));
	free(registration);
}

void registrations_free(struct registrations *registrations)
{
	while (registrations->first)
		registration_free(registrations, registrations->first);
	deadlines_free(&registrations->dues);
}

static void schedule(struct registrations *registrations, struct registration *registration,
		     uint64_t at_ns)
{
	/* Can not fail: each is in the heap from its start on. */
	(void)deadline_set(&registrations->dues, &registration->due, at_ns);
}

/* ---- what the policy has ---- */

struct follow {
	struct registrations *registrations;
	uint64_t now_ns;
	int rc;
};

static struct registration *add(struct follow *follow)
{
	struct registrations *registrations = follow->registrations;
	struct registration *r = calloc(1, sizeof(*r));

	if (!r || deadline_set(&registrations->dues, &r->due, follow->now_ns)) {
		free(r);
		return NULL;
	}
	r->next = registrations->first;
	registrations->first = r;
	return r;
}

static bool is_same(const struct policy_outbound *a, const struct policy_outbound *b)
{
	return strcmp(a->user, b->user) == 0 && strcmp(a->realm, b->realm) == 0 &&
	       strcmp(a->password, b->password) == 0 && a->expires_s == b->expires_s &&
	       memcmp(&a->ha1, &b->ha1, sizeof(a->ha1)) == 0;
}

/* Another password is tried at once where the old one did not do. */
static void take(struct follow *follow, struct registration *r, const struct policy_hop *hop,
		 const struct policy_outbound *credential)
{
	if (!is_same(&r->credential, credential)) {
		r->expires_s = credential->expires_s;
		r->failures = 0;
		if (!r->until_ns && !r->asking)
			schedule(follow->registrations, r, follow->now_ns);
	}
	r->credential = *credential;
	r->listed = true;
	slice_text(slice_from(hop->uri), r->uri, sizeof(r->uri));
	slice_text(slice_from(hop->host), r->host, sizeof(r->host));
}

static void follow_trunk(const struct policy_trunk *trunk, void *arg)
{
	struct follow *follow = arg;

	for (size_t i = 0; trunk->config.enabled && i < trunk->upstream_count; i++) {
		const struct policy_hop *hop = &trunk->upstreams[i];

		for (size_t j = 0; j < hop->outbound_count; j++) {
			const struct policy_outbound *credential = &hop->outbound[j];
			struct registration *r;

			if (!credential->registers)
				continue;
			r = registration_find(follow->registrations, credential->id);
			if (!r)
				r = add(follow);
			if (!r) {
				follow->rc = -ENOMEM;
				return;
			}
			r->trunk_id = trunk->config.id;
			take(follow, r, hop, credential);
		}
	}
}

/* What is on its way is waited for. */
static void drop_unlisted(struct registrations *registrations, uint64_t now_ns)
{
	for (struct registration *next, *r = registrations->first; r; r = next) {
		next = r->next;
		if (r->listed || r->asking)
			continue;
		if (r->until_ns)
			schedule(registrations, r, now_ns);
		else
			registration_free(registrations, r);
	}
}

int registrations_follow(struct registrations *registrations, const struct policy *policy,
			 uint64_t now_ns)
{
	struct follow follow = {registrations, now_ns, 0};

	if (registrations->leaving)
		return 0;
	for (struct registration *r = registrations->first; r; r = r->next)
		r->listed = false;
	policy_trunk_each(policy, follow_trunk, &follow);
	drop_unlisted(registrations, now_ns);
	return follow.rc;
}

void registrations_leave(struct registrations *registrations, uint64_t now_ns)
{
	registrations->leaving = true;
	for (struct registration *r = registrations->first; r; r = r->next)
		r->listed = false;
	drop_unlisted(registrations, now_ns);
}

/* ---- time ---- */

struct registration *registration_due(const struct registrations *registrations, uint64_t now_ns)
{
	struct deadline *first = deadline_first(&registrations->dues);

	if (!first || first->at_ns > now_ns)
		return NULL;
	return (struct registration *)((char *)first - offsetof(struct registration, due));
}

uint64_t registrations_deadline(const struct registrations *registrations)
{
	const struct deadline *first = deadline_first(&registrations->dues);

	return first ? first->at_ns : UINT64_MAX;
}

void registration_granted(struct registrations *registrations, struct registration *registration,
			  unsigned seconds, uint64_t now_ns)
{
	registration->failures = 0;
	registration->until_ns = now_ns + seconds * NS_PER_S;
	schedule(registrations, registration,
		 now_ns + (seconds > 1 ? seconds * NS_PER_S / 2 : NS_PER_S));
}

void registration_failed(struct registrations *registrations, struct registration *registration,
			 unsigned after_s, uint64_t now_ns)
{
	unsigned doubled = registration->failures < 9 ? registration->failures : 9;
	unsigned wait_s = REGISTRATION_RETRY_S << doubled;

	registration->failures++;
	if (registration->until_ns <= now_ns)
		registration->until_ns = 0;
	if (wait_s < after_s)
		wait_s = after_s;
	if (wait_s > REGISTRATION_RETRY_MAX_S)
		wait_s = REGISTRATION_RETRY_MAX_S;
	schedule(registrations, registration, now_ns + wait_s * NS_PER_S);
}
