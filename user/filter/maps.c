/* SPDX-License-Identifier: BSD-2-Clause */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "filter/acl_index.h"
#include "filter/filter.h"
#include "filter/interface.h"
#include "filter/internal.h"
#include "filter/libbpf_log.h"
#include "filter/pins.h"
#include "filter/source_index.h"

/* An operator may run the program without its index or its drop accounting one day, never without
 * these sizes: what is read is copied into structures. */
static const struct {
	const char *name;
	size_t offset;
	uint32_t key_size, value_size;
} members[] = {
	{"settings", offsetof(struct filter, settings), 4, sizeof(struct sipward_settings)},
	{"acl_v4", offsetof(struct filter, acl_v4), sizeof(struct sipward_acl_v4_key),
	 sizeof(struct sipward_acl_value)},
	{"acl_v6", offsetof(struct filter, acl_v6), sizeof(struct sipward_acl_v6_key),
	 sizeof(struct sipward_acl_value)},
	{"acl_index", offsetof(struct filter, acl_index), 4, 8},
	{"source_index", offsetof(struct filter, source_index), 4, 8},
	{"lockouts", offsetof(struct filter, lockouts), sizeof(struct sipward_source),
	 sizeof(struct sipward_lockout)},
	{"proven", offsetof(struct filter, proven), sizeof(struct sipward_source),
	 sizeof(struct sipward_proof)},
	{"limits", offsetof(struct filter, limits), sizeof(struct sipward_source),
	 sizeof(struct sipward_bucket)},
	{"fragments", offsetof(struct filter, fragments), sizeof(struct sipward_fragment_key),
	 sizeof(struct sipward_fragment)},
	{"counters", offsetof(struct filter, counters), 4, sizeof(struct sipward_counter)},
	{"drops", offsetof(struct filter, drops), sizeof(struct sipward_source),
	 sizeof(struct sipward_drop)},
	{"events", offsetof(struct filter, events), 0, 0},
	{"challenges", offsetof(struct filter, challenges), sizeof(struct sipward_challenge_key),
	 sizeof(struct sipward_challenge)},
	{"lease", offsetof(struct filter, lease), 4, sizeof(struct sipward_lease)},
	{"own_addresses", offsetof(struct filter, own_addresses), sizeof(struct sipward_own_key),
	 sizeof(struct sipward_own)},
};

#define MEMBERS (sizeof(members) / sizeof(members[0]))

static int *member_fd(struct filter *filter, size_t i)
{
	return (int *)((char *)filter + members[i].offset);
}

/* Where the maps come from: each gives a descriptor of its own for a name. */
typedef int (*open_map)(const void *from, const char *name);

static int open_pinned(const void *from, const char *name)
{
	return pins_open(from, name);
}

static int open_of_program(const void *from, const char *name)
{
	return program_map_open(*(const uint32_t *)from, name);
}

static int open_of_object(const void *from, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(from, name);

	return fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static int check_member(size_t i, int fd, struct error *err)
{
	struct bpf_map_info info = {0};
	__u32 size = sizeof(info);
	int rc;

	if (fd < 0)
		return error_set(err, fd == -ENOENT ? -EPROTO : fd, "can not open the map %s: %s",
				 members[i].name, strerror(-fd));
	rc = bpf_obj_get_info_by_fd(fd, &info, &size);
	if (!rc && info.key_size == members[i].key_size && info.value_size == members[i].value_size)
		return 0;
	return error_set(
		err, -EPROTO,
		"the map %s is of another layout than this build's: sipward attach --replace "
		"puts new maps in place",
		members[i].name);
}

static int check_layout(struct filter *filter, struct error *err)
{
	struct sipward_settings settings;
	int rc = filter_settings_read(filter, &settings);

	if (rc)
		return error_set(err, rc, "can not read the map settings: %s", strerror(-rc));
	if (settings.layout == 0 || settings.layout == SIPWARD_LAYOUT)
		return 0;
	return error_set(err, -EPROTO,
			 "the maps have layout %u, this build needs layout %u: sipward attach "
			 "--replace puts new maps in place",
			 settings.layout, SIPWARD_LAYOUT);
}

static int open_all(open_map open_one, const void *from, struct filter **ret_filter,
		    struct error *err)
{
	struct filter *filter = calloc(1, sizeof(*filter));
	int rc = 0;

	if (!filter)
		return error_set(err, -ENOMEM, "out of memory");
	filter->lock = -1;
	for (size_t i = 0; i < MEMBERS; i++)
		*member_fd(filter, i) = -1;
	for (size_t i = 0; !rc && i < MEMBERS; i++) {
		*member_fd(filter, i) = open_one(from, members[i].name);
		rc = check_member(i, *member_fd(filter, i), err);
	}
	if (!rc)
		rc = check_layout(filter, err);
	if (!rc) {
		rc = source_index_map(filter);
		if (rc)
			error_set(err, rc, "can not map source_index into memory: %s",
				  strerror(-rc));
	}
	if (rc) {
		filter_close(filter);
		return rc;
	}
	*ret_filter = filter;
	return 0;
}

int filter_of_object(struct bpf_object *object, struct filter **ret_filter, struct error *err)
{
	return open_all(open_of_object, object, ret_filter, err);
}

static int open_from_pins(const struct pins *pins, struct filter **ret_filter, struct error *err)
{
	int rc = open_all(open_pinned, pins, ret_filter, err);

	if (rc)
		return rc;
	(*ret_filter)->pinned = true;
	(*ret_filter)->lock = open(pins->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return 0;
}

static int find_program(const char *pin_dir, const char *ifname, uint32_t *ret_id)
{
	struct filter_attachment all[64];
	size_t n;
	int rc = filter_attachments(pin_dir, all, sizeof(all) / sizeof(all[0]), &n);

	if (rc)
		return rc;
	for (size_t i = 0; i < n && i < sizeof(all) / sizeof(all[0]); i++)
		if (!ifname || !strcmp(all[i].ifname, ifname)) {
			*ret_id = all[i].program_id;
			return 0;
		}
	return -ENOENT;
}

static int open_from_program(const struct pins *pins, const char *ifname,
			     struct filter **ret_filter, struct error *err)
{
	uint32_t program_id = 0;
	int rc = find_program(pins->dir, ifname, &program_id);

	if (!rc)
		return open_all(open_of_program, &program_id, ret_filter, err);
	if (rc == -ENOENT)
		return error_set(err, rc,
				 "the filter is not attached: no maps in %s, no program on %s "
				 "(sipward attach IF)",
				 pins->dir, ifname ? ifname : "any interface");
	return error_set(err, rc, "can not look for the program on the interfaces: %s%s",
			 strerror(-rc), rc == -EPERM ? " (it takes root)" : "");
}

int filter_open(const char *pin_dir, const char *ifname, struct filter **ret_filter,
		struct error *err)
{
	struct pins pins;
	int fd, rc;

	libbpf_log_catch();
	rc = pins_init(&pins, pin_dir ? pin_dir : FILTER_PIN_DIR_DEFAULT, err);
	if (rc)
		return rc;
	fd = pins_open(&pins, "settings");
	if (fd == -EPERM || fd == -EACCES)
		return error_set(err, fd, "can not open %s/settings: %s (it takes root)", pins.dir,
				 strerror(-fd));
	if (fd < 0)
		return open_from_program(&pins, ifname, ret_filter, err);
	close(fd);
	return open_from_pins(&pins, ret_filter, err);
}

void filter_close(struct filter *filter)
{
	if (!filter)
		return;
	ring_buffer__free(filter->ring);
	acl_index_unmap(filter);
	source_index_unmap(filter);
	for (size_t i = 0; i < MEMBERS; i++)
		if (*member_fd(filter, i) >= 0)
			close(*member_fd(filter, i));
	if (filter->lock >= 0)
		close(filter->lock);
	free(filter);
}

bool filter_is_pinned(const struct filter *filter)
{
	return filter->pinned;
}

uint32_t filter_identity(const struct filter *filter)
{
	return map_id(filter->settings);
}
