/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who vouches for a source (DESIGN §1): an ACL, an upstream's address, or its own proof, which is
 * that it has authenticated itself lately. Proofs are in the filter's map, where there is a filter:
 * the filter goes by them, and they outlast the daemon. They are here too, so that a gate without a
 * filter has them and one with a filter need not ask the map about every packet.
 */
#ifndef SIPWARD_POLICY_VOUCH_H
#define SIPWARD_POLICY_VOUCH_H

#include <pthread.h>

#include "policy/admission.h"

#define PROOF_PLACES 8192

struct proof {
	struct sipward_source source;
	uint64_t until_ns;
};

/* Of fixed size: sources may share a place, and the later proof has it. Threads may share it. */
struct proofs {
	pthread_mutex_t lock; /* over places */
	uint8_t key[16];
	struct proof places[PROOF_PLACES];
};

enum voucher { VOUCHER_NONE, VOUCHER_LIST, VOUCHER_PROOF };

void proofs_init(struct proofs *proofs);
/* Notes that the source has authenticated itself; nothing to note where a list vouches for it. */
void vouch_prove(const struct admission *admission, const struct ip *ip, uint64_t now_ns);
enum voucher vouch_of(const struct admission *admission, const struct ip *ip, uint64_t now_ns);

#endif
