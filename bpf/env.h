/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * What the decision draws on besides the packet. Time is handed down from the entry, so that tests
 * can set it. Asking for the coarse clock costs as much as a map lookup, so that is done when it is
 * first needed, which most packets never do, and once a jiffy on each CPU: it does not move
 * between.
 */
#ifndef SIPWARD_BPF_ENV_H
#define SIPWARD_BPF_ENV_H

#define NS_PER_S 1000000000ULL

struct env {
	struct xdp_md *ctx;
	const struct sipward_settings *settings;
	struct sipward_cpu_state *cpu;
	__u64 now_ns; /* 0: not read yet */
};

static __always_inline bool env_open(struct env *env)
{
	__u32 only = 0;

	env->settings = bpf_map_lookup_elem(&settings, &only);
	env->cpu = bpf_map_lookup_elem(&cpu_state, &only);
	return env->settings && env->cpu;
}

static __always_inline __u64 env_now(struct env *env)
{
	__u64 jiffies;

	if (env->now_ns)
		return env->now_ns;
	jiffies = bpf_jiffies64();
	if (env->cpu->clock_jiffies != jiffies) {
		env->cpu->clock_jiffies = jiffies;
		env->cpu->clock_ns = bpf_ktime_get_coarse_ns();
	}
	env->now_ns = env->cpu->clock_ns;
	return env->now_ns;
}

#endif
