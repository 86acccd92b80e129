/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/live.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include "filter/features.h"
#include "filter/libbpf_log.h"

static uint32_t mode_flag(enum filter_xdp_mode mode)
{
	switch (mode) {
	case FILTER_XDP_GENERIC:
		return XDP_FLAGS_SKB_MODE;
	case FILTER_XDP_OFFLOADED:
		return XDP_FLAGS_HW_MODE;
	default:
		return XDP_FLAGS_DRV_MODE;
	}
}

static enum xdp_attach_mode libxdp_mode(enum filter_xdp_mode mode)
{
	switch (mode) {
	case FILTER_XDP_GENERIC:
		return XDP_MODE_SKB;
	case FILTER_XDP_OFFLOADED:
		return XDP_MODE_HW;
	default:
		return XDP_MODE_NATIVE;
	}
}

int live_inspect(struct live *live, struct error *err)
{
	int rc = interface_inspect(live->ifindex, &live->before);

	if (rc == -EPERM)
		return error_set(
			err, rc,
			"looking at the XDP program that the interface holds takes root, or "
			"CAP_SYS_ADMIN");
	return rc ? error_set(err, rc, "can not look at interface %u: %s", live->ifindex,
			      strerror(-rc))
		  : 0;
}

/* ---- beside others: libxdp's dispatcher ---- */

static int dispatcher_leave(unsigned ifindex, uint32_t program_id, enum filter_xdp_mode mode)
{
	struct xdp_program *program = xdp_program__from_id(program_id);
	int rc = (int)libxdp_get_error(program);

	if (rc)
		return rc;
	rc = xdp_program__detach(program, (int)ifindex, libxdp_mode(mode), 0);
	xdp_program__close(program);
	return rc;
}

/* Takes the program that joined last off again. */
static void dispatcher_undo(unsigned ifindex, enum filter_xdp_mode mode)
{
	struct interface now;

	if (!interface_inspect(ifindex, &now) && now.ours_count)
		dispatcher_leave(ifindex, now.ours[0], mode);
}

/* libxdp attaches a program alone, by netlink, where its dispatcher does not work. Then a link of
 * our own is better. */
static int dispatcher_check(unsigned ifindex, enum filter_xdp_mode mode)
{
	struct interface now;
	int rc = interface_inspect(ifindex, &now);

	if (rc || now.is_dispatcher)
		return rc;
	dispatcher_undo(ifindex, mode);
	return -EOPNOTSUPP;
}

static int dispatcher_leave_all(const struct live *live, enum filter_xdp_mode mode)
{
	int rc = 0;

	for (unsigned i = 0; !rc && i < live->before.ours_count; i++)
		rc = dispatcher_leave(live->ifindex, live->before.ours[i], mode);
	return rc;
}

static int dispatcher_join(const struct live *live, struct sipward_bpf *object,
			   enum filter_xdp_mode mode)
{
	DECLARE_LIBXDP_OPTS(xdp_program_opts, opts, .obj = object_bpf(object),
			    .prog_name = object_program_name(object));
	struct xdp_program *program = xdp_program__create(&opts);
	int rc = (int)libxdp_get_error(program);

	if (rc)
		return rc;
	rc = xdp_program__attach(program, (int)live->ifindex, libxdp_mode(mode), 0);
	xdp_program__close(program);
	return rc ? rc : dispatcher_check(live->ifindex, mode);
}

/* libxdp wants to load the program itself, as an extension of its dispatcher: it gets a second
 * copy, over the same maps. */
static int join_as(const struct live *live, enum filter_xdp_mode mode, unsigned how)
{
	struct sipward_bpf *copy = NULL;
	int rc = object_open(how, &copy, NULL);

	if (rc)
		return rc;
	rc = object_use_object(copy, live->object, NULL);
	if (!rc)
		rc = dispatcher_join(live, copy, mode);
	object_close(copy);
	return rc;
}

/* Programs of ours that are there leave after the new one has joined, so that every packet meets at
 * least one. Beside others the filter does without challenges if it must: kernels from 6.13 on let
 * no program change packets in the place of one that does not say so, as dispatchers of old. */
static int switch_in_dispatcher(const struct live *live, enum filter_xdp_mode mode)
{
	int rc = join_as(live, mode, live->how);

	if (rc && live->before.is_dispatcher)
		rc = join_as(live, mode, live->how | OBJECT_PLAIN);
	if (rc)
		return rc;
	rc = dispatcher_leave_all(live, mode);
	if (rc)
		dispatcher_undo(live->ifindex, mode);
	return rc;
}

/* ---- alone: a pinned link, or what another tool attached by netlink ---- */

static int switch_link(const struct live *live, const struct pins *pins, int link,
		       struct error *err)
{
	int rc = pins_link(pins, live->ifindex, link, err);

	return rc ? rc : bpf_link_update(link, object_program_fd(live->object), NULL);
}

static int switch_netlink(const struct live *live)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts);
	int rc;

	opts.old_prog_fd = bpf_prog_get_fd_by_id(live->before.program_id);
	if (opts.old_prog_fd < 0)
		return opts.old_prog_fd;
	rc = bpf_xdp_attach((int)live->ifindex, object_program_fd(live->object),
			    XDP_FLAGS_REPLACE | mode_flag(live->before.mode), &opts);
	close(opts.old_prog_fd);
	return rc;
}

static int switch_alone(const struct live *live, const struct pins *pins, struct error *err)
{
	int link = interface_link_open(live->before.program_id);
	int rc;

	if (link < 0)
		return switch_netlink(live);
	rc = switch_link(live, pins, link, err);
	close(link);
	return rc;
}

/* Until it is pinned the link ends with this process: a kill leaves nothing. */
static int link_new(const struct live *live, const struct pins *pins, enum filter_xdp_mode mode,
		    struct error *err)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = mode_flag(mode));
	int link = bpf_link_create(object_program_fd(live->object), (int)live->ifindex, BPF_XDP,
				   &opts);
	int rc;

	if (link < 0)
		return link;
	rc = pins_link(pins, live->ifindex, link, err);
	close(link);
	return rc;
}

/* ---- */

static int switch_once(const struct live *live, const struct pins *pins, enum filter_xdp_mode mode,
		       struct error *err)
{
	int rc = -EOPNOTSUPP;

	if (live->before.is_dispatcher)
		return switch_in_dispatcher(live, mode);
	if (live->before.ours_count)
		return switch_alone(live, pins, err);
	if (features_dispatcher())
		rc = switch_in_dispatcher(live, mode);
	return rc ? link_new(live, pins, mode, err) : 0;
}

/* Errors that come from the driver: it has no native XDP, or not with this MTU, or these queues. */
static bool driver_refuses(int rc)
{
	switch (rc) {
	case -EOPNOTSUPP:
	case -EINVAL:
	case -ERANGE:
	case -ENOMEM:
	case -ENOSPC:
	case -E2BIG:
	case -EIO:
		return true;
	default:
		return false;
	}
}

/* A large MTU needs a program that takes packets of several buffers. */
static int switch_with_frags(struct live *live, const struct pins *pins, enum filter_xdp_mode mode)
{
	struct live wide = *live;
	int rc;

	wide.how |= OBJECT_FRAGS;
	rc = object_open(wide.how, &wide.object, NULL);
	if (rc)
		return rc;
	rc = object_use_object(wide.object, live->object, NULL);
	if (!rc)
		rc = object_load(wide.object, NULL);
	if (!rc)
		rc = switch_once(&wide, pins, mode, NULL);
	if (rc) {
		object_close(wide.object);
		return rc;
	}
	object_close(live->object);
	*live = wide;
	return 0;
}

static int switch_in_mode(struct live *live, const struct pins *pins, enum filter_xdp_mode mode,
			  struct error *err)
{
	int rc = switch_once(live, pins, mode, err);

	if (mode == FILTER_XDP_NATIVE && driver_refuses(rc) && !switch_with_frags(live, pins, mode))
		return 0;
	return rc;
}

static int explain_failure(const struct live *live, enum filter_attach_request mode, int rc,
			   struct error *err)
{
	char name[IF_NAMESIZE] = "?";

	if (rc == -ENODEV || rc == -ENXIO || !if_indextoname(live->ifindex, name))
		return error_set(err, -ENODEV, "the interface vanished while attaching");
	if (rc == -EPERM)
		return error_set(
			err, rc,
			"attaching to %s is not permitted, with all capabilities: a container "
			"or a security module forbids it",
			name);
	if (rc == -EBUSY || rc == -EEXIST)
		return error_set(err, -EEXIST,
				 "another process attached an XDP program to %s meanwhile", name);
	if (mode == FILTER_ATTACH_NATIVE && driver_refuses(rc))
		return error_set(
			err, -EOPNOTSUPP,
			"the driver of %s refuses native XDP (%s); --mode auto takes generic "
			"XDP then, sipward doctor %s may know what mends it",
			name, strerror(-rc), name);
	return error_set(err, rc, "can not attach to %s: %s%s%s", name, strerror(-rc),
			 *libbpf_log_caught() ? ": " : "", libbpf_log_caught());
}

int live_switch(struct live *live, const struct pins *pins, enum filter_attach_request mode,
		struct error *err)
{
	struct error said = {0};
	int rc;

	if (live->before.program_id)
		rc = switch_in_mode(live, pins, live->before.mode, &said);
	else if (mode == FILTER_ATTACH_GENERIC)
		rc = switch_in_mode(live, pins, FILTER_XDP_GENERIC, &said);
	else
		rc = switch_in_mode(live, pins, FILTER_XDP_NATIVE, &said);
	if (!live->before.program_id && mode == FILTER_ATTACH_AUTO && driver_refuses(rc))
		rc = switch_in_mode(live, pins, FILTER_XDP_GENERIC, &said);
	if (!rc)
		return 0;
	return said.code ? error_set(err, rc, "%s", said.text)
			 : explain_failure(live, mode, rc, err);
}

int live_result(struct live *live, struct filter_attachment *ret_attachment, struct error *err)
{
	struct interface now;
	int rc = interface_inspect(live->ifindex, &now);

	if (!rc && !now.ours_count)
		rc = -ENODEV;
	if (rc)
		return error_set(err, rc,
				 "the interface vanished, or lost the program again, right after "
				 "it was attached: %s",
				 strerror(-rc));
	*ret_attachment = interface_attachment(live->ifindex, &now, now.ours[0]);
	return 0;
}

static int link_off(uint32_t program_id)
{
	int link = interface_link_open(program_id);
	int rc;

	if (link < 0)
		return link;
	rc = bpf_link_detach(link);
	close(link);
	return rc;
}

static int netlink_off(const struct filter_attachment *attachment)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts);
	int rc;

	opts.old_prog_fd = bpf_prog_get_fd_by_id(attachment->program_id);
	if (opts.old_prog_fd < 0)
		return opts.old_prog_fd;
	rc = bpf_xdp_detach((int)attachment->ifindex,
			    XDP_FLAGS_REPLACE | mode_flag(attachment->mode), &opts);
	close(opts.old_prog_fd);
	return rc;
}

int live_off(const struct filter_attachment *attachment, struct error *err)
{
	int rc;

	if (attachment->via == FILTER_VIA_LINK)
		rc = link_off(attachment->program_id);
	else if (attachment->via == FILTER_VIA_DISPATCHER)
		rc = dispatcher_leave(attachment->ifindex, attachment->program_id,
				      attachment->mode);
	else
		rc = netlink_off(attachment);
	return rc ? error_set(err, rc, "can not detach program %u from %s: %s",
			      attachment->program_id, attachment->ifname, strerror(-rc))
		  : 0;
}
