/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * Counters, drops by source, sampled events.
 *
 * An entry in `drops` for each packet of a flood from ever new addresses would cost ten times the
 * decision. So time is cut into windows: in each, a CPU puts the first drops down one by one, and
 * after that at random gaps that grow in steps, each entry standing for those skipped before it.
 */
#ifndef SIPWARD_BPF_STATS_H
#define SIPWARD_BPF_STATS_H

#define WINDOW_JIFFIES_SHIFT 4 /* 16 jiffies, 16 to 160 ms by the kernel's HZ */
#define WINDOW_EXACT_DROPS 64
#define WINDOW_STEP_DROPS 64 /* entries before gaps grow again */
#define WINDOW_EVENTS 2
#define WINDOW_FRAGMENTS 64

static __always_inline bool reason_drops(enum sipward_reason reason)
{
	return SIPWARD_DROP_REASONS >> reason & 1;
}

static __always_inline struct sipward_counter *counter_of(__u32 reason)
{
	return bpf_map_lookup_elem(&counters, &reason);
}

static __always_inline void window_enter(struct sipward_cpu_state *cpu)
{
	__u64 window = bpf_jiffies64() >> WINDOW_JIFFIES_SHIFT;

	if (cpu->window == window)
		return;
	cpu->window = window;
	cpu->accounted = 0;
	cpu->pending = 0;
	cpu->gap = 0;
	cpu->events = 0;
	cpu->fragments = 0;
}

/* Takes one of `limit` chances that this window has. */
static __always_inline bool window_allows(struct sipward_cpu_state *cpu, __u32 *taken, __u32 limit)
{
	window_enter(cpu);
	if (*taken >= limit)
		return false;
	*taken += 1;
	return true;
}

/* A mask for the gap to the next entry, gaps being 1 to mask + 1. */
static __always_inline __u32 gap_mask(__u32 accounted)
{
	if (accounted < WINDOW_EXACT_DROPS)
		return 0;
	if (accounted < WINDOW_EXACT_DROPS + WINDOW_STEP_DROPS)
		return 15;
	if (accounted < WINDOW_EXACT_DROPS + 2 * WINDOW_STEP_DROPS)
		return 127;
	return 2047;
}

/* How many drops this one stands for in the map; 0: it is left out. */
static __always_inline __u32 drop_weight(struct sipward_cpu_state *cpu)
{
	__u32 weight;

	window_enter(cpu);
	weight = ++cpu->pending;
	if (weight < cpu->gap)
		return 0;
	cpu->pending = 0;
	cpu->gap = 1 + (bpf_get_prandom_u32() & gap_mask(++cpu->accounted));
	return weight;
}

static __always_inline void drop_account(const struct sipward_source *source,
					 enum sipward_reason reason, __u32 weight, __u64 now_ns)
{
	struct sipward_drop *drop = bpf_map_lookup_elem(&drops, source);
	struct sipward_drop fresh = {
	    .packets = weight, .last_seen_ns = now_ns, .last_reason = reason};

	if (!drop) {
		bpf_map_update_elem(&drops, source, &fresh, BPF_ANY);
		return;
	}
	__sync_fetch_and_add(&drop->packets, weight);
	drop->last_seen_ns = now_ns;
	drop->last_reason = reason;
}

static __always_inline void event_send(const struct packet *p, struct env *env,
				       enum sipward_reason reason)
{
	struct sipward_event *event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	struct sipward_counter *lost;

	if (!event) {
		lost = counter_of(SIPWARD_EVENT_LOST);
		if (lost)
			lost->packets++;
		return;
	}
	__builtin_memset(event, 0, sizeof(*event));
	event->time_ns = env_now(env);
	event->source = p->source;
	event->reason = reason;
	event->packet_bytes = p->bytes;
	event->snap_bytes = packet_copy(env->ctx, 0, p->bytes, event->snap, sizeof(event->snap));
	bpf_ringbuf_submit(event, 0);
}

static __always_inline void drop_record(const struct packet *p, struct env *env,
					enum sipward_reason reason)
{
	__u32 weight = drop_weight(env->cpu);

	if (!weight)
		return;
	drop_account(&p->source, reason, weight, env_now(env));
	if (window_allows(env->cpu, &env->cpu->events, WINDOW_EVENTS))
		event_send(p, env, reason);
}

/* Whether a packet that the decision drops is let through all the same. */
static __always_inline bool is_let_through(const struct env *env, enum sipward_reason reason)
{
	if (env->settings->mode != SIPWARD_ENFORCE)
		return true;
	return reason == SIPWARD_LOCKED_OUT && env->settings->flags & SIPWARD_LOCKOUT_REJECT;
}

#endif
