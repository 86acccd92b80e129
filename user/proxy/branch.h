/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The branch of our Via (RFC 3261 §8.1.1.7, §16.6 step 8): a keyed hash of what identifies the
 * client's transaction, so that a retransmission gets the same one, and so that a response proves
 * by itself, without any state, that it answers a request we forwarded, and for whom.
 */
#ifndef SIPWARD_PROXY_BRANCH_H
#define SIPWARD_PROXY_BRANCH_H

#include "sip/sip_grammar.h"
#include "sip/sip_msg.h"

#define BRANCH_TEXT_SIZE (7 + 16 + 16 + 2 + 2 + 1)

/* id: of the transaction; INVITE, its ACK for a failure and its CANCEL share it. loop: of what must
 * have changed when a request comes by again (RFC 3261 §16.3 step 4). attempt: which of the
 * requests sent on for it; cseq_offset: what its CSeq was raised by. */
struct branch {
	uint64_t id, loop;
	uint8_t attempt, cseq_offset;
};

/* client_via: the client's own Via element; source: where the request came from. Only the address
 * counts: received= says it to whoever verifies a response. cseq: the client's number. */
uint64_t branch_id(const uint8_t *key, const struct sip_msg *msg, const struct sip_via *client_via,
		   const struct ip *source, uint32_t cseq);
uint64_t branch_loop(const uint8_t *key, const struct sip_msg *request);

void branch_format(const struct branch *branch, char text[BRANCH_TEXT_SIZE]);
/* 0, or -EINVAL if it does not look like a branch of ours. */
int branch_read(struct slice text, struct branch *ret_branch);
/* Whether the text is a branch of ours with this id. */
bool branch_has_id(struct slice text, uint64_t id);
/* Whether the text looks like a branch of ours with this loop part. */
bool branch_has_loop(struct slice text, uint64_t loop);
/* received= if there is one, else the sent-by host if it is an address. 0 or -EINVAL. */
int via_source(const struct sip_via *via, struct ip *ret_ip);

#endif
