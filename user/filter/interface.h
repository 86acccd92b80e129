/* SPDX-License-Identifier: BSD-2-Clause */
/* What XDP programs an interface holds, and which of them are ours. Inside user/filter/ only. */
#ifndef SIPWARD_FILTER_INTERFACE_H
#define SIPWARD_FILTER_INTERFACE_H

#include "filter/filter.h"

#define PROGRAM_NAME "sipward"
#define PROGRAM_NAME_PLAIN "sipward_plain" /* without challenges */

struct interface {
	uint32_t program_id; /* attached directly: a program, or libxdp's dispatcher; 0 = none */
	char program_name[16];
	enum filter_xdp_mode mode;
	bool is_dispatcher;
	uint32_t ours[4]; /* ids of programs named sipward, directly attached or inside the
			     dispatcher; the latest first */
	unsigned ours_count;
};

/* Looks at the interface of this network namespace. No program at all is no error. -ENODEV, -EPERM,
 * or what else the kernel says. */
int interface_inspect(unsigned ifindex, struct interface *ret_interface);

/* The program as an attachment; `via` is found out. program_id is one of interface->ours. */
struct filter_attachment interface_attachment(unsigned ifindex, const struct interface *interface,
					      uint32_t program_id);

/* The bpf_link that holds the program on an interface: a descriptor, or -ENOENT. */
int interface_link_open(uint32_t program_id);

/* Whether the program uses the map. */
bool program_uses_map(uint32_t program_id, uint32_t map_id);

/* The map of this name that the program uses: a descriptor, or -ENOENT. */
int program_map_open(uint32_t program_id, const char *name);

/* The id of the map behind a descriptor, 0 if there is none. */
uint32_t map_id(int fd);

#endif
