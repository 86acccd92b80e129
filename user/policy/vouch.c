/* SPDX-License-Identifier: BSD-2-Clause */
#include "policy/vouch.h"

#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/siphash.h"

void proofs_init(struct proofs *proofs)
{
	memset(proofs, 0, sizeof(*proofs));
	pthread_mutex_init(&proofs->lock, NULL);
	random_bytes(proofs->key, sizeof(proofs->key));
}

static struct proof *place_of(struct proofs *proofs, const struct sipward_source *source)
{
	return &proofs->places[siphash_64(proofs->key, source, sizeof(*source)) % PROOF_PLACES];
}

static struct sipward_source source_of(const struct admission *admission, const struct ip *ip)
{
	return filter_source(ip, policy_settings(admission->policy)->source_v6_bits);
}

static void remember(struct proofs *proofs, const struct sipward_source *source, uint64_t until_ns)
{
	if (!proofs)
		return;
	pthread_mutex_lock(&proofs->lock);
	*place_of(proofs, source) = (struct proof){*source, until_ns};
	pthread_mutex_unlock(&proofs->lock);
}

static bool is_remembered(struct proofs *proofs, const struct sipward_source *source,
			  uint64_t now_ns)
{
	struct proof proof;

	if (!proofs)
		return false;
	pthread_mutex_lock(&proofs->lock);
	proof = *place_of(proofs, source);
	pthread_mutex_unlock(&proofs->lock);
	return proof.until_ns > now_ns && memcmp(&proof.source, source, sizeof(*source)) == 0;
}

void vouch_prove(const struct admission *admission, const struct ip *ip, uint64_t now_ns)
{
	uint64_t lasts_ns = policy_settings(admission->policy)->proven_s * NS_PER_S;
	struct sipward_source source = source_of(admission, ip);

	if (lasts_ns == 0 || policy_is_listed(admission->policy, ip))
		return;
	remember(admission->proofs, &source, now_ns + lasts_ns);
	/* Without it the filter limits the source, no worse. */
	if (admission->filter)
		(void)filter_proven_set(admission->filter, &source, now_ns + lasts_ns);
}

static bool is_proven(const struct admission *admission, const struct ip *ip, uint64_t now_ns)
{
	struct sipward_source source = source_of(admission, ip);
	uint64_t until_ns;

	if (is_remembered(admission->proofs, &source, now_ns))
		return true;
	if (!admission->filter || filter_proven_get(admission->filter, &source, &until_ns) != 0)
		return false;
	remember(admission->proofs, &source, until_ns);
	return true;
}

enum voucher vouch_of(const struct admission *admission, const struct ip *ip, uint64_t now_ns)
{
	if (policy_is_listed(admission->policy, ip))
		return VOUCHER_LIST;
	return is_proven(admission, ip, now_ns) ? VOUCHER_PROOF : VOUCHER_NONE;
}
