/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The filter: drops SIP packets from sources that are refused, before the kernel has built a socket
 * buffer for them. Only packets to a SIP port are ever judged; everything else passes, always.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#include "maps/defs.bpf.h"
#include "bpf/env.h"
#include "bpf/parse.h"
#include "bpf/stats.h"
#include "bpf/fragments.h"
#include "bpf/policy.h"
#include "bpf/text.h"
#include "bpf/request.h"
#include "bpf/answer.h"
#include "bpf/challenge.h"

/* One reason for each packet. */
static __always_inline enum sipward_reason decide(struct packet *p, struct env *env)
{
	struct cursor cursor = {(void *)(long)env->ctx->data, (void *)(long)env->ctx->data_end};
	enum parsed parsed;
	bool known;

	p->bytes = cursor.end - cursor.pos;
	parsed = parse_packet(&cursor, p, env->settings);
	/* Of a jumbo frame in several buffers this is the first one. */
	if (parsed == PARSED_CUT)
		parsed = bpf_xdp_get_buff_len(env->ctx) > p->bytes ? PARSED_HIDDEN : PARSED_OTHER;
	if (parsed == PARSED_OTHER)
		return SIPWARD_OTHER;
	if (parsed == PARSED_LATER_FRAGMENT)
		return fragment_inherit(p, env);
	if (parsed == PARSED_HIDDEN)
		return SIPWARD_MALFORMED;
	if (p->promised_bytes > p->bytes)
		p->bytes = bpf_xdp_get_buff_len(env->ctx);
	if (!is_sip_port(p, env))
		return SIPWARD_OTHER;
	if (p->malformed || p->promised_bytes > p->bytes)
		return SIPWARD_MALFORMED;
	known = may_be_known(p, env);
	if (known && is_locked_out(p, env))
		return SIPWARD_LOCKED_OUT;
	p->acl = acl_match(p, env);
	if (p->acl & SIPWARD_ACL_DENY)
		return SIPWARD_DENIED;
	if (p->acl & (SIPWARD_ACL_ALLOW | SIPWARD_ACL_UPSTREAM))
		return SIPWARD_LISTED;
	if (known && is_proven(p, env))
		return SIPWARD_PROVEN;
	return decide_unlisted(p, env);
}

/* What is about to pass, or has come in a flood, may be answered here instead. Of a flood passes
 * what answers to that, as much as its source may send. */
static __always_inline enum sipward_reason answer(const struct packet *p, struct env *env,
						  enum sipward_reason reason)
{
	__u32 answered;

	if (!may_challenge(p, env, reason))
		return reason;
	answered = challenge(env->ctx, trust_of(env, reason), env_now(env));
	if (answered == SIPWARD_OTHER ||
	    (answered == SIPWARD_UNLISTED_PASS &&
	     !source_take(&p->source, rate_of_source(env), env_now(env))))
		return reason;
	return answered;
}

static __always_inline int leave_answered(const struct env *env, struct sipward_counter *counter,
					  enum sipward_reason reason)
{
	if (env->settings->mode == SIPWARD_ENFORCE)
		return reason == SIPWARD_CHALLENGED ? XDP_TX : XDP_DROP;
	counter->monitored++;
	return XDP_PASS;
}

/* The one way out: every packet is counted here, under one reason. */
static __always_inline int leave(const struct packet *p, struct env *env,
				 enum sipward_reason reason)
{
	struct sipward_counter *counter = counter_of(reason);

	if (!counter)
		return XDP_PASS;
	counter->packets++;
	counter->bytes += p->bytes;
	if (p->first_fragment)
		fragment_note(p, env, reason);
	if (reason == SIPWARD_CHALLENGED || reason == SIPWARD_CHALLENGE_ACK)
		return leave_answered(env, counter, reason);
	if (!reason_drops(reason))
		return XDP_PASS;
	drop_record(p, env, reason);
	if (!is_let_through(env, reason))
		return XDP_DROP;
	counter->monitored++;
	return XDP_PASS;
}

/* now_ns: 0 to read the clock when it is needed. */
static __always_inline int filter(struct xdp_md *ctx, __u64 now_ns)
{
	struct packet p = {};
	struct env env = {.ctx = ctx, .now_ns = now_ns};

	if (!env_open(&env))
		return XDP_PASS;
	return leave(&p, &env, answer(&p, &env, decide(&p, &env)));
}

SEC("xdp")
int sipward(struct xdp_md *ctx)
{
	return filter(ctx, 0);
}

/* The same without challenges, for kernels and dispatchers that do not take them. libbpf leaves it
 * out unless it is told otherwise. */
SEC("?xdp")
int sipward_plain(struct xdp_md *ctx)
{
	struct packet p = {};
	struct env env = {.ctx = ctx};

	if (!env_open(&env))
		return XDP_PASS;
	return leave(&p, &env, decide(&p, &env));
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
