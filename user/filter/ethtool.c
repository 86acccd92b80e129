/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/ethtool.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int ask(int fd, const char *ifname, void *command)
{
	struct ifreq request = {.ifr_data = command};

	strncpy(request.ifr_name, ifname, sizeof(request.ifr_name) - 1);
	return ioctl(fd, SIOCETHTOOL, &request) ? -errno : 0;
}

static void look_at_driver(int fd, const char *ifname, struct ethtool_state *state)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};

	if (!ask(fd, ifname, &info)) {
		memcpy(state->driver, info.driver, sizeof(state->driver));
		state->driver[sizeof(state->driver) - 1] = '\0';
	}
}

static void look_at_queues(int fd, const char *ifname, struct ethtool_state *state)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};

	if (!ask(fd, ifname, &channels)) {
		state->queues = channels.combined_count;
		state->queues_max = channels.max_combined;
	}
}

/* How many features the kernel knows; 0 if it does not say. */
static unsigned feature_count(int fd, const char *ifname)
{
	union {
		struct ethtool_sset_info info;
		uint32_t room[sizeof(struct ethtool_sset_info) / 4 + 1];
	} query = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_FEATURES}};

	if (ask(fd, ifname, &query) || !query.info.sset_mask)
		return 0;
	return query.info.data[0];
}

static bool is_active(const struct ethtool_gfeatures *features, unsigned bit)
{
	return features->features[bit / 32].active >> (bit % 32) & 1;
}

static void look_at_features(int fd, const char *ifname, struct ethtool_state *state)
{
	unsigned n = feature_count(fd, ifname), blocks = (n + 31) / 32;
	struct ethtool_gstrings *names;
	struct ethtool_gfeatures *features;

	names = calloc(1, sizeof(*names) + (size_t)n * ETH_GSTRING_LEN);
	features = calloc(1, sizeof(*features) + blocks * sizeof(features->features[0]));
	if (!n || !names || !features)
		goto out;
	*names = (struct ethtool_gstrings){ETHTOOL_GSTRINGS, ETH_SS_FEATURES, n};
	*features = (struct ethtool_gfeatures){ETHTOOL_GFEATURES, blocks};
	if (ask(fd, ifname, names) || ask(fd, ifname, features))
		goto out;
	for (unsigned i = 0; i < n; i++) {
		const char *name = (const char *)names->data + (size_t)i * ETH_GSTRING_LEN;

		if (!strncmp(name, "rx-lro", ETH_GSTRING_LEN))
			state->lro = is_active(features, i);
		if (!strncmp(name, "rx-gro-hw", ETH_GSTRING_LEN))
			state->gro_hw = is_active(features, i);
	}
out:
	free(names);
	free(features);
}

static int look_at_link(int fd, const char *ifname, struct ethtool_state *state)
{
	struct ifreq request = {0};

	strncpy(request.ifr_name, ifname, sizeof(request.ifr_name) - 1);
	if (ioctl(fd, SIOCGIFFLAGS, &request))
		return -errno;
	state->exists = true;
	state->up = request.ifr_flags & IFF_UP;
	if (!ioctl(fd, SIOCGIFMTU, &request))
		state->mtu = (unsigned)request.ifr_mtu;
	return 0;
}

int ethtool_look(const char *ifname, struct ethtool_state *ret_state)
{
	struct ethtool_state state = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	rc = look_at_link(fd, ifname, &state);
	if (!rc) {
		look_at_driver(fd, ifname, &state);
		look_at_queues(fd, ifname, &state);
		look_at_features(fd, ifname, &state);
	}
	close(fd);
	if (rc && rc != -ENODEV)
		return rc;
	*ret_state = state;
	return 0;
}
