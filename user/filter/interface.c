/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/interface.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#define DISPATCHER_NAME "xdp_dispatcher"

static int program_info(uint32_t program_id, struct bpf_prog_info *info)
{
	__u32 size = sizeof(*info);
	int fd = bpf_prog_get_fd_by_id(program_id);
	int rc;

	if (fd < 0)
		return fd;
	rc = bpf_obj_get_info_by_fd(fd, info, &size);
	close(fd);
	return rc;
}

/* The ids of the maps that a program uses; *ret_ids is the caller's to free(). */
static int program_maps(uint32_t program_id, uint32_t **ret_ids, unsigned *ret_n)
{
	struct bpf_prog_info info = {0};
	uint32_t *ids;
	unsigned n;
	int rc = program_info(program_id, &info);

	if (rc)
		return rc;
	n = info.nr_map_ids;
	ids = calloc(n + 1, sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	info = (struct bpf_prog_info){.nr_map_ids = n, .map_ids = (uintptr_t)ids};
	rc = program_info(program_id, &info);
	if (rc) {
		free(ids);
		return rc;
	}
	*ret_ids = ids;
	*ret_n = info.nr_map_ids < n ? info.nr_map_ids : n;
	return 0;
}

bool program_uses_map(uint32_t program_id, uint32_t id)
{
	uint32_t *ids;
	unsigned n;
	bool found = false;

	if (!id || program_maps(program_id, &ids, &n))
		return false;
	for (unsigned i = 0; i < n; i++)
		found = found || ids[i] == id;
	free(ids);
	return found;
}

static bool map_is_named(int fd, const char *name)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &size) && !strcmp(info.name, name);
}

int program_map_open(uint32_t program_id, const char *name)
{
	uint32_t *ids;
	unsigned n;
	int found = -ENOENT;
	int rc = program_maps(program_id, &ids, &n);

	if (rc)
		return rc;
	for (unsigned i = 0; found < 0 && i < n; i++) {
		int fd = bpf_map_get_fd_by_id(ids[i]);

		if (fd >= 0 && map_is_named(fd, name))
			found = fd;
		else if (fd >= 0)
			close(fd);
	}
	free(ids);
	return found;
}

uint32_t map_id(int fd)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);

	return fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.id;
}

static enum filter_xdp_mode query_mode(const struct bpf_xdp_query_opts *query, uint32_t *ret_id)
{
	*ret_id = query->drv_prog_id;
	if (*ret_id)
		return FILTER_XDP_NATIVE;
	*ret_id = query->skb_prog_id;
	if (*ret_id)
		return FILTER_XDP_GENERIC;
	*ret_id = query->hw_prog_id;
	return *ret_id ? FILTER_XDP_OFFLOADED : FILTER_XDP_NONE;
}

static void add_ours(struct interface *interface, uint32_t id)
{
	const unsigned max = sizeof(interface->ours) / sizeof(interface->ours[0]);
	unsigned i = interface->ours_count;

	if (i == max)
		return;
	for (; i > 0 && interface->ours[i - 1] < id; i--)
		interface->ours[i] = interface->ours[i - 1];
	interface->ours[i] = id;
	interface->ours_count++;
}

static bool is_our_name(const char *name)
{
	return !strcmp(name, PROGRAM_NAME) || !strcmp(name, PROGRAM_NAME_PLAIN);
}

static bool is_plain(uint32_t program_id)
{
	struct bpf_prog_info info = {0};

	return !program_info(program_id, &info) && !strcmp(info.name, PROGRAM_NAME_PLAIN);
}

static int inspect_dispatcher(unsigned ifindex, struct interface *interface)
{
	struct xdp_multiprog *programs = xdp_multiprog__get_from_ifindex((int)ifindex);
	struct xdp_program *program = NULL;

	if (libxdp_get_error(programs))
		return (int)libxdp_get_error(programs);
	while ((program = xdp_multiprog__next_prog(program, programs)))
		if (is_our_name(xdp_program__name(program)))
			add_ours(interface, xdp_program__id(program));
	xdp_multiprog__close(programs);
	return 0;
}

int interface_inspect(unsigned ifindex, struct interface *ret_interface)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	struct interface interface = {0};
	struct bpf_prog_info info = {0};
	int rc = bpf_xdp_query((int)ifindex, 0, &query);

	if (rc)
		return rc;
	interface.mode = query_mode(&query, &interface.program_id);
	if (!interface.program_id)
		goto out;
	rc = program_info(interface.program_id, &info);
	if (rc)
		return rc;
	memcpy(interface.program_name, info.name, sizeof(interface.program_name));
	interface.program_name[sizeof(interface.program_name) - 1] = '\0';
	interface.is_dispatcher = !strcmp(interface.program_name, DISPATCHER_NAME);
	if (interface.is_dispatcher)
		rc = inspect_dispatcher(ifindex, &interface);
	else if (is_our_name(interface.program_name))
		add_ours(&interface, interface.program_id);
	if (rc)
		return rc;
out:
	*ret_interface = interface;
	return 0;
}

int interface_link_open(uint32_t program_id)
{
	uint32_t id = 0;

	while (!bpf_link_get_next_id(id, &id)) {
		struct bpf_link_info info = {0};
		__u32 size = sizeof(info);
		int fd = bpf_link_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (!bpf_obj_get_info_by_fd(fd, &info, &size) && info.type == BPF_LINK_TYPE_XDP &&
		    info.prog_id == program_id)
			return fd;
		close(fd);
	}
	return -ENOENT;
}

static enum filter_via find_via(const struct interface *interface, uint32_t program_id)
{
	int link;

	if (interface->is_dispatcher)
		return FILTER_VIA_DISPATCHER;
	link = interface_link_open(program_id);
	if (link < 0)
		return FILTER_VIA_FOREIGN;
	close(link);
	return FILTER_VIA_LINK;
}

struct filter_attachment interface_attachment(unsigned ifindex, const struct interface *interface,
					      uint32_t program_id)
{
	struct filter_attachment attachment = {
		.ifindex = ifindex,
		.program_id = program_id,
		.mode = interface->mode,
		.via = find_via(interface, program_id),
		.plain = is_plain(program_id),
	};

	if_indextoname(ifindex, attachment.ifname);
	return attachment;
}
