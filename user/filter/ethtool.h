/* SPDX-License-Identifier: BSD-2-Clause */
/* The little of the ethtool ioctl that the doctor asks for. Inside user/filter/ only. */
#ifndef SIPWARD_FILTER_ETHTOOL_H
#define SIPWARD_FILTER_ETHTOOL_H

#include <stdbool.h>

struct ethtool_state {
	bool exists;
	bool up;
	unsigned mtu;
	char driver[32];	     /* empty if the driver does not say */
	bool lro, gro_hw;	     /* on, where the driver has them */
	unsigned queues, queues_max; /* combined channels; 0 if the driver does not say */
};

/* Looks at an interface of this network namespace. 0 or a negative errno; an interface that is not
 * there is no error. */
int ethtool_look(const char *ifname, struct ethtool_state *ret_state);

#endif
