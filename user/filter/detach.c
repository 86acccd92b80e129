/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter/filter.h"
#include "filter/interface.h"
#include "filter/libbpf_log.h"
#include "filter/live.h"
#include "filter/pins.h"

#define ATTACHMENTS_MAX 64

/* Which attachments count: all, or those of the pinned maps, or those that nobody's link holds. */
struct selection {
	bool all;
	uint32_t map_id; /* of the pinned settings; 0 = nothing is pinned */
};

static int select_by_pins(const char *pin_dir, struct selection *ret_selection)
{
	struct pins pins;
	int fd, rc;

	*ret_selection = (struct selection){.all = !pin_dir};
	if (!pin_dir)
		return 0;
	rc = pins_init(&pins, pin_dir, NULL);
	if (rc)
		return rc;
	fd = pins_open(&pins, "settings");
	if (fd == -EPERM || fd == -EACCES)
		return fd;
	ret_selection->map_id = map_id(fd);
	if (fd >= 0)
		close(fd);
	return 0;
}

static bool is_selected(const struct selection *selection,
			const struct filter_attachment *attachment)
{
	if (selection->all)
		return true;
	if (selection->map_id)
		return program_uses_map(attachment->program_id, selection->map_id);
	return attachment->via != FILTER_VIA_LINK;
}

/* An interface that vanishes while we look is one without our program. */
static int add_interface(unsigned ifindex, const struct selection *selection,
			 struct filter_attachment *attachments, size_t max, size_t *n)
{
	struct interface interface;
	int rc = interface_inspect(ifindex, &interface);

	if (rc)
		return rc == -EPERM ? rc : 0;
	for (unsigned i = 0; i < interface.ours_count; i++) {
		struct filter_attachment attachment =
			interface_attachment(ifindex, &interface, interface.ours[i]);

		if (!is_selected(selection, &attachment))
			continue;
		if (*n < max)
			attachments[*n] = attachment;
		(*n)++;
	}
	return 0;
}

int filter_attachments(const char *pin_dir, struct filter_attachment *attachments, size_t max,
		       size_t *ret_n)
{
	struct if_nameindex *interfaces;
	struct selection selection;
	size_t n = 0;
	int rc = select_by_pins(pin_dir, &selection);

	if (rc)
		return rc;
	libbpf_log_catch();
	interfaces = if_nameindex();
	if (!interfaces)
		return -errno;
	for (unsigned i = 0; !rc && interfaces[i].if_index; i++)
		rc = add_interface(interfaces[i].if_index, &selection, attachments, max, &n);
	if_freenameindex(interfaces);
	if (!rc)
		*ret_n = n;
	return rc;
}

/* Which attachment is meant by ifname; NULL means the only one. */
static int choose(const struct filter_attachment *attachments, size_t n, const char *ifname,
		  const struct filter_attachment **ret_attachment, struct error *err)
{
	if (!ifname && n > 1)
		return error_set(err, -EINVAL,
				 "sipward is attached to %zu interfaces (%s, %s, …): name one", n,
				 attachments[0].ifname, attachments[1].ifname);
	for (size_t i = 0; i < n; i++) {
		if (ifname && strcmp(attachments[i].ifname, ifname))
			continue;
		*ret_attachment = &attachments[i];
		return 0;
	}
	return error_set(err, -ENOENT, "sipward is not attached%s%s", ifname ? " to " : "",
			 ifname ? ifname : "");
}

static int detach_locked(const struct pins *pins, const char *ifname, struct error *err)
{
	const struct filter_attachment *attachment = NULL;
	struct filter_attachment all[ATTACHMENTS_MAX];
	size_t n = 0;
	int rc = filter_attachments(pins->dir, all, ATTACHMENTS_MAX, &n);

	if (rc)
		return error_set(err, rc, "can not look at the programs of the interfaces: %s%s",
				 strerror(-rc), rc == -EPERM ? " (it takes root)" : "");
	rc = choose(all, n < ATTACHMENTS_MAX ? n : ATTACHMENTS_MAX, ifname, &attachment, err);
	if (!rc)
		rc = live_off(attachment, err);
	/* Maps stay while another interface needs them, also one of another network namespace. */
	if (pins_unlink(pins, rc ? 0 : attachment->program_id) == 0 && n <= (rc ? 0 : 1))
		pins_remove(pins);
	return rc;
}

int filter_detach(const char *pin_dir, const char *ifname, struct error *err)
{
	struct pins pins;
	int rc;

	libbpf_log_catch();
	rc = pins_init(&pins, pin_dir, err);
	if (!rc)
		rc = pins_lock(&pins, err);
	if (rc)
		return rc;
	rc = detach_locked(&pins, ifname, err);
	pins_unlock(&pins);
	return rc;
}
