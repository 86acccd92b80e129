/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <net/if.h>

#include "filter/carry.h"
#include "filter/features.h"
#include "filter/filter.h"
#include "filter/interface.h"
#include "filter/internal.h"
#include "filter/libbpf_log.h"
#include "filter/live.h"
#include "filter/object.h"
#include "filter/pins.h"

struct attach {
	const struct filter_attach_options *options;
	struct pins pins;
	struct live live;
	bool staged; /* new maps stand in the pin directory; the former set is beside it */
};

static int check_right(struct error *err)
{
	const char *missing = features_capabilities_missing();

	if (!missing)
		return 0;
	return error_set(err, -EPERM, "attaching needs root, or the capabilities it lacks: %s",
			 missing);
}

static int find_interface(struct attach *a, struct error *err)
{
	const char *ifname = a->options->ifname;

	a->live.ifindex = if_nametoindex(ifname);
	if (!a->live.ifindex)
		return error_set(err, -ENODEV, "interface \"%s\": there is none of this name here",
				 ifname);
	return 0;
}

/* Whatever holds the interface already is left alone unless it is ours and to be replaced. */
static int check_free(const struct attach *a, struct error *err)
{
	const struct interface *before = &a->live.before;
	const char *ifname = a->options->ifname;

	if (before->ours_count && !a->options->replace)
		return error_set(err, -EEXIST,
				 "sipward is attached to %s already (program %u); --replace loads "
				 "this build's program",
				 ifname, before->ours[0]);
	if (!before->program_id || before->is_dispatcher || before->ours_count)
		return 0;
	return error_set(err, -EEXIST,
			 "interface %s holds another XDP program, \"%s\" (id %u), that takes none "
			 "beside it; detach it first: ip link set dev %s xdp%s off",
			 ifname, before->program_name, before->program_id, ifname,
			 before->mode == FILTER_XDP_GENERIC ? "generic" : "");
}

static int check_mode(const struct attach *a, struct error *err)
{
	enum filter_xdp_mode now = a->live.before.mode;
	enum filter_attach_request asked = a->options->mode;

	if (!a->live.before.program_id || asked == FILTER_ATTACH_AUTO ||
	    (asked == FILTER_ATTACH_NATIVE) == (now != FILTER_XDP_GENERIC))
		return 0;
	return error_set(err, -EBUSY,
			 "interface %s runs XDP in %s mode, which can not be changed without a "
			 "gap: detach, then attach",
			 a->options->ifname, now == FILTER_XDP_GENERIC ? "generic" : "native");
}

/* Fresh maps where none are pinned or they do not fit; the error is set by the comparison then. */
static int load_as(struct attach *a, bool *ret_refused, struct error *err)
{
	struct error misfit = {0};
	enum object_maps maps;
	int rc = object_open(a->live.how, &a->live.object, err);

	if (rc)
		return rc;
	rc = object_compare_maps(a->live.object, &a->pins, &maps, &misfit);
	if (!rc && maps == OBJECT_MAPS_FOREIGN && !a->options->replace)
		rc = misfit.code;
	if (rc)
		return error_set(err, rc, "%s", misfit.text);
	a->staged = maps != OBJECT_MAPS_OURS;
	if (!a->staged)
		rc = object_use_pins(a->live.object, &a->pins, err);
	if (rc)
		return rc;
	rc = object_load(a->live.object, err);
	*ret_refused = rc && rc != -EPERM && rc != -EOPNOTSUPP;
	if (!rc && a->staged)
		rc = carry_over(a->live.object, &a->pins, a->live.before.ours[0], err);
	return rc;
}

/* What the kernel refuses may be the challenges alone: then the daemon challenges. */
static int load(struct attach *a, struct error *err)
{
	bool refused = false;
	int rc;

	a->live.how = a->options->plain ? OBJECT_PLAIN : 0;
	rc = load_as(a, &refused, err);
	if (!refused || a->options->plain)
		return rc;
	object_close(a->live.object);
	a->live.object = NULL;
	a->live.how = OBJECT_PLAIN;
	return load_as(a, &refused, err);
}

static int prepare(struct attach *a, struct error *err)
{
	struct filter *filter;
	int rc;

	if (!a->options->prepare)
		return 0;
	rc = filter_of_object(object_bpf(a->live.object), &filter, err);
	if (rc)
		return rc;
	rc = a->options->prepare(filter, a->options->prepare_arg, err);
	filter_close(filter);
	return rc;
}

static int put_pins(struct attach *a, struct error *err)
{
	int rc;

	if (!a->staged)
		return 0;
	rc = pins_stage(&a->pins, object_bpf(a->live.object), err);
	if (!rc)
		rc = pins_swap(&a->pins, err);
	if (rc)
		pins_unstage(&a->pins);
	return rc;
}

/* The pins go first: a kill between the two leaves the old program filtering with its old maps, and
 * the next attach --replace completes the change. */
static int switch_over(struct attach *a, struct error *err)
{
	int rc = put_pins(a, err);

	if (rc)
		return rc;
	rc = live_switch(&a->live, &a->pins, a->options->mode, err);
	if (rc && a->staged)
		pins_swap_back(&a->pins);
	else
		pins_unstage(&a->pins);
	return rc;
}

int filter_attach(const struct filter_attach_options *options,
		  struct filter_attachment *ret_attachment, struct error *err)
{
	struct attach a = {.options = options};
	int rc;

	libbpf_log_catch();
	rc = pins_init(&a.pins, options->pin_dir, err);
	if (rc)
		return rc;
	rc = check_right(err);
	if (!rc)
		rc = find_interface(&a, err);
	if (!rc)
		rc = pins_lock(&a.pins, err);
	if (!rc)
		rc = live_inspect(&a.live, err);
	if (!rc)
		rc = check_free(&a, err);
	if (!rc)
		rc = check_mode(&a, err);
	if (!rc)
		rc = load(&a, err);
	if (!rc)
		rc = prepare(&a, err);
	if (!rc)
		rc = switch_over(&a, err);
	if (!rc)
		rc = live_result(&a.live, ret_attachment, err);
	object_close(a.live.object);
	pins_unlock(&a.pins);
	return rc;
}
