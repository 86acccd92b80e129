/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/object.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "filter/features.h"
#include "filter/filter.h"
#include "filter/libbpf_log.h"
#include "sipward.skel.h"

/* Debian 12's libbpf knows it, older kernel headers do not. */
#ifndef BPF_F_XDP_HAS_FRAGS
#define BPF_F_XDP_HAS_FRAGS (1U << 5)
#endif

static struct bpf_program *chosen(struct sipward_bpf *object)
{
	return bpf_program__autoload(object->progs.sipward) ? object->progs.sipward
							    : object->progs.sipward_plain;
}

int object_open(unsigned how, struct sipward_bpf **ret_object, struct error *err)
{
	struct sipward_bpf *object = sipward_bpf__open();
	struct bpf_program *program;

	if (!object)
		return error_set(err, -errno, "can not open the embedded program: %s",
				 libbpf_log_caught());
	bpf_program__set_autoload(object->progs.sipward, !(how & OBJECT_PLAIN));
	bpf_program__set_autoload(object->progs.sipward_plain, how & OBJECT_PLAIN);
	program = chosen(object);
	if (how & OBJECT_FRAGS)
		bpf_program__set_flags(program, bpf_program__flags(program) | BPF_F_XDP_HAS_FRAGS);
	*ret_object = object;
	return 0;
}

static bool map_fits(struct bpf_map *map, int fd)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &size) && info.type == bpf_map__type(map) &&
	       info.key_size == bpf_map__key_size(map) &&
	       info.value_size == bpf_map__value_size(map) &&
	       info.max_entries == bpf_map__max_entries(map) &&
	       info.map_flags == bpf_map__map_flags(map);
}

static int pinned_layout(const struct pins *pins, uint32_t *ret_layout)
{
	/* Other layouts may be longer; ours begins the same in all. */
	union {
		struct sipward_settings settings;
		char room[4096];
	} value = {0};
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info), zero = 0;
	int fd = pins_open(pins, "settings");
	int rc = fd < 0 ? fd : bpf_obj_get_info_by_fd(fd, &info, &size);

	if (!rc && (info.key_size != sizeof(zero) || info.value_size > sizeof(value)))
		rc = -EPROTO;
	if (!rc)
		rc = bpf_map_lookup_elem(fd, &zero, &value);
	if (fd >= 0)
		close(fd);
	if (!rc)
		*ret_layout = value.settings.layout;
	return rc;
}

static int compare_layout(const struct pins *pins, enum object_maps *ret_maps, struct error *err)
{
	uint32_t layout;
	int rc = pinned_layout(pins, &layout);

	if (rc && rc != -EPROTO)
		return error_set(err, rc, "can not read %s/settings: %s", pins->dir, strerror(-rc));
	if (!rc && (layout == 0 || layout == SIPWARD_LAYOUT)) {
		*ret_maps = OBJECT_MAPS_OURS;
		return 0;
	}
	error_set(err, -EPROTO,
		  "the maps pinned in %s have layout %u, this build needs layout %u: "
		  "--replace puts new ones in their place",
		  pins->dir, rc ? 0 : layout, SIPWARD_LAYOUT);
	*ret_maps = OBJECT_MAPS_FOREIGN;
	return 0;
}

int object_compare_maps(struct sipward_bpf *object, const struct pins *pins,
			enum object_maps *ret_maps, struct error *err)
{
	struct bpf_map *map;
	int rc;

	*ret_maps = OBJECT_MAPS_NONE;
	if (!pins_exist(pins))
		return 0;
	rc = compare_layout(pins, ret_maps, err);
	if (rc || *ret_maps == OBJECT_MAPS_FOREIGN)
		return rc;
	bpf_object__for_each_map(map, object->obj)
	{
		int fd;

		if (bpf_map__is_internal(map))
			continue;
		fd = pins_open(pins, bpf_map__name(map));
		if (fd == -EPERM || fd == -EACCES)
			return error_set(err, fd, "can not open %s/%s: %s", pins->dir,
					 bpf_map__name(map), strerror(-fd));
		if (fd < 0 || !map_fits(map, fd)) {
			*ret_maps = OBJECT_MAPS_FOREIGN;
			error_set(err, -EPROTO,
				  "the map %s pinned in %s is %s: --replace puts new maps in "
				  "place",
				  bpf_map__name(map), pins->dir,
				  fd < 0 ? "missing" : "shaped otherwise than this build needs");
		}
		if (fd >= 0)
			close(fd);
	}
	return 0;
}

int object_use_pins(struct sipward_bpf *object, const struct pins *pins, struct error *err)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object->obj)
	{
		int fd, rc;

		if (bpf_map__is_internal(map))
			continue;
		fd = pins_open(pins, bpf_map__name(map));
		rc = fd < 0 ? fd : bpf_map__reuse_fd(map, fd);
		if (fd >= 0)
			close(fd);
		if (rc)
			return error_set(err, rc, "can not use %s/%s: %s", pins->dir,
					 bpf_map__name(map), strerror(-rc));
	}
	return 0;
}

int object_use_object(struct sipward_bpf *object, struct sipward_bpf *other, struct error *err)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object->obj)
	{
		const char *name = bpf_map__name(map);
		int rc;

		if (bpf_map__is_internal(map))
			continue;
		rc = bpf_map__reuse_fd(map, bpf_object__find_map_fd_by_name(other->obj, name));
		if (rc)
			return error_set(err, rc, "can not share the map %s: %s", name,
					 strerror(-rc));
	}
	return 0;
}

int object_load(struct sipward_bpf *object, struct error *err)
{
	const char *missing;
	int rc;

	libbpf_log_catch();
	rc = sipward_bpf__load(object);
	if (!rc)
		return 0;
	if (rc == -EPERM)
		return error_set(err, rc,
				 "loading the program is not permitted, with all capabilities: a "
				 "container, a "
				 "security module or a locked-down kernel forbids it (%s)",
				 libbpf_log_caught());
	error_set(err, rc, "the kernel refuses the program: %s", libbpf_log_caught());
	missing = features_missing();
	if (missing)
		error_set(err, -EOPNOTSUPP, "this kernel is too old: it lacks %s", missing);
	return missing ? -EOPNOTSUPP : rc;
}

int object_program_fd(struct sipward_bpf *object)
{
	return bpf_program__fd(chosen(object));
}

const char *object_program_name(struct sipward_bpf *object)
{
	return bpf_program__name(chosen(object));
}

struct bpf_object *object_bpf(struct sipward_bpf *object)
{
	return object->obj;
}

void object_close(struct sipward_bpf *object)
{
	sipward_bpf__destroy(object);
}
