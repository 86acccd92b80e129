/* SPDX-License-Identifier: BSD-2-Clause */
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "filter/ethtool.h"
#include "filter/findings.h"
#include "filter/interface.h"

/* One page less the head and tail room that drivers keep: the least among the common drivers (ENA).
 */
#define SINGLE_BUFFER_MTU 3498

/* Drivers that have native XDP in some kernel since 5.18. Asking the driver by attaching would
 * reset the queues of a working interface. */
static const char *const native_drivers[] = {
	"atlantic", "bnxt_en",	 "dpaa2-eth",  "ena",	    "fec",    "fsl_dpaa2_eth", "fsl_enetc",
	"gve",	    "hv_netvsc", "i40e",       "ice",	    "igb",    "igc",	       "ixgbe",
	"ixgbevf",  "mana",	 "mlx4_en",    "mlx5_core", "mvneta", "mvpp2",	       "netsec",
	"nfp",	    "qede",	 "sfc",	       "st_gmac",   "stmmac", "thunder-nicvf", "tsnep",
	"tun",	    "veth",	 "virtio_net", "vmxnet3",   "vif",
};

static bool is_driver(const struct ethtool_state *state, const char *driver)
{
	return !strcmp(state->driver, driver);
}

static bool has_native_xdp(const struct ethtool_state *state)
{
	for (size_t i = 0; i < sizeof(native_drivers) / sizeof(native_drivers[0]); i++)
		if (is_driver(state, native_drivers[i]))
			return true;
	return false;
}

static void check_driver(const char *ifname, const struct ethtool_state *state,
			 struct findings *findings)
{
	const char *driver = state->driver[0] ? state->driver : "of unknown name";

	if (has_native_xdp(state))
		finding_add(findings, FILTER_FINDING_OK, "native_xdp", "",
			    "%s: the driver %s has native XDP", ifname, driver);
	else
		finding_add(findings, FILTER_FINDING_WARNING, "native_xdp", "",
			    "%s: the driver %s is not known for native XDP: generic XDP works, "
			    "several times slower",
			    ifname, driver);
}

static void check_up(const char *ifname, const struct ethtool_state *state,
		     struct findings *findings)
{
	char mend[64];

	snprintf(mend, sizeof(mend), "ip link set dev %s up", ifname);
	if (state->up)
		finding_add(findings, FILTER_FINDING_OK, "link", "", "%s is up", ifname);
	else
		finding_add(findings, FILTER_FINDING_WARNING, "link", mend, "%s is down", ifname);
}

static void check_mtu(const char *ifname, const struct ethtool_state *state,
		      struct findings *findings)
{
	char mend[64];

	snprintf(mend, sizeof(mend), "ip link set dev %s mtu %d", ifname, SINGLE_BUFFER_MTU);
	if (state->mtu <= SINGLE_BUFFER_MTU)
		finding_add(findings, FILTER_FINDING_OK, "mtu", "", "%s: MTU %u fits one buffer",
			    ifname, state->mtu);
	else if (is_driver(state, "ena"))
		finding_add(findings, FILTER_FINDING_PROBLEM, "mtu", mend,
			    "%s: MTU %u; the ENA driver has no native XDP above %d", ifname,
			    state->mtu, SINGLE_BUFFER_MTU);
	else
		finding_add(findings, FILTER_FINDING_WARNING, "mtu", mend,
			    "%s: MTU %u needs XDP over several buffers (Linux 5.18 and a driver "
			    "that has it), else native XDP is refused",
			    ifname, state->mtu);
}

static void check_offloads(const char *ifname, const struct ethtool_state *state,
			   struct findings *findings)
{
	enum filter_finding_level level =
		is_driver(state, "virtio_net") ? FILTER_FINDING_PROBLEM : FILTER_FINDING_WARNING;
	char mend[64];

	if (!state->lro && !state->gro_hw) {
		finding_add(findings, FILTER_FINDING_OK, "lro", "",
			    "%s: no packets are merged before XDP", ifname);
		return;
	}
	snprintf(mend, sizeof(mend), "ethtool -K %s%s%s", ifname, state->lro ? " lro off" : "",
		 state->gro_hw ? " rx-gro-hw off" : "");
	finding_add(findings, level, "lro", mend,
		    "%s: %s%s%s is on, with which drivers refuse native XDP", ifname,
		    state->lro ? "LRO" : "", state->lro && state->gro_hw ? " and " : "",
		    state->gro_hw ? "GRO_HW" : "");
}

/* ENA sends XDP's own packets through queues of their own, as many as are in use. */
static void check_queues(const char *ifname, const struct ethtool_state *state,
			 struct findings *findings)
{
	unsigned half = state->queues_max / 2;
	char mend[64];

	if (!is_driver(state, "ena") || !state->queues_max)
		return;
	snprintf(mend, sizeof(mend), "ethtool -L %s combined %u", ifname, half ? half : 1);
	if (state->queues > half)
		finding_add(findings, FILTER_FINDING_PROBLEM, "queues", mend,
			    "%s: %u of %u queues in use; the ENA driver has native XDP with half "
			    "at most",
			    ifname, state->queues, state->queues_max);
	else
		finding_add(findings, FILTER_FINDING_OK, "queues", "", "%s: %u of %u queues in use",
			    ifname, state->queues, state->queues_max);
}

static void check_program(const char *ifname, const struct interface *interface,
			  struct findings *findings)
{
	char mend[64];

	if (!interface->program_id || (interface->is_dispatcher && !interface->ours_count)) {
		finding_add(findings, FILTER_FINDING_OK, "program", "", "%s is free for the filter",
			    ifname);
	} else if (!interface->ours_count) {
		snprintf(mend, sizeof(mend), "ip link set dev %s xdp%s off", ifname,
			 interface->mode == FILTER_XDP_GENERIC ? "generic" : "");
		finding_add(findings, FILTER_FINDING_PROBLEM, "program", mend,
			    "%s holds another XDP program, \"%s\" (id %u)", ifname,
			    interface->program_name, interface->program_id);
	} else if (interface->mode == FILTER_XDP_GENERIC) {
		finding_add(findings, FILTER_FINDING_WARNING, "program", "",
			    "%s: the filter runs in generic mode", ifname);
	} else {
		finding_add(findings, FILTER_FINDING_OK, "program", "",
			    "%s: the filter runs in native mode", ifname);
	}
}

int doctor_interface(const char *ifname, struct findings *findings)
{
	struct ethtool_state state;
	struct interface interface;
	int rc = ethtool_look(ifname, &state);

	if (rc)
		return rc;
	if (!state.exists) {
		finding_add(findings, FILTER_FINDING_PROBLEM, "interface", "ip link",
			    "there is no interface %s in this network namespace", ifname);
		return 0;
	}
	check_up(ifname, &state, findings);
	check_driver(ifname, &state, findings);
	check_mtu(ifname, &state, findings);
	check_offloads(ifname, &state, findings);
	check_queues(ifname, &state, findings);
	if (!interface_inspect(if_nametoindex(ifname), &interface))
		check_program(ifname, &interface, findings);
	return 0;
}
