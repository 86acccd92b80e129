/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/features.h"

#include <bpf/libbpf.h>
#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "filter/libbpf_log.h"

static int has_xdp(void)
{
	return libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, NULL);
}

static int has_lpm(void)
{
	return libbpf_probe_bpf_map_type(BPF_MAP_TYPE_LPM_TRIE, NULL);
}

static int has_lru(void)
{
	return libbpf_probe_bpf_map_type(BPF_MAP_TYPE_LRU_HASH, NULL);
}

static int has_ringbuf(void)
{
	return libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL);
}

static int has_coarse_clock(void)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_ktime_get_coarse_ns, NULL);
}

static int has_load_bytes(void)
{
	return libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, BPF_FUNC_xdp_load_bytes, NULL);
}

static const struct {
	const char *name;
	int (*probe)(void);
} features[] = {
	{"XDP programs (CONFIG_BPF_SYSCALL)", has_xdp},
	{"longest-prefix maps (Linux 4.11)", has_lpm},
	{"LRU hash maps (Linux 4.10)", has_lru},
	{"ring buffer maps (Linux 5.8)", has_ringbuf},
	{"the helper bpf_ktime_get_coarse_ns (Linux 5.11)", has_coarse_clock},
	{"the helper bpf_xdp_load_bytes (Linux 5.18)", has_load_bytes},
};

const char *features_missing(void)
{
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (features[i].probe() == 0)
			return features[i].name;
	return NULL;
}

bool features_dispatcher(void)
{
	bool has;

	libbpf_log_catch();
	has = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_EXT, NULL) == 1;
	libbpf_log_catch();
	return has;
}

static bool has_capability(const struct __user_cap_data_struct data[2], unsigned capability)
{
	return data[CAP_TO_INDEX(capability)].effective & CAP_TO_MASK(capability);
}

const char *features_capabilities_missing(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	bool admin, net;

	if (syscall(SYS_capget, &header, data))
		return NULL; /* the kernel will say so itself */
	/* It includes CAP_BPF and CAP_PERFMON; those two alone load programs, but the kernel lets
	 * nobody with them find out what an interface holds. */
	admin = has_capability(data, CAP_SYS_ADMIN);
	net = has_capability(data, CAP_NET_ADMIN);
	if (!admin && !net)
		return "CAP_NET_ADMIN and CAP_SYS_ADMIN (CAP_BPF does not suffice)";
	if (!admin)
		return "CAP_SYS_ADMIN (CAP_BPF does not suffice)";
	return net ? NULL : "CAP_NET_ADMIN";
}
