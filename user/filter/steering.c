/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/steering.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "filter/libbpf_log.h"
#include "steering.skel.h"

static int fill(struct steering_bpf *object, const int *fds, unsigned n)
{
	int map = bpf_map__fd(object->maps.workers), rc = 0;

	for (__u32 i = 0; !rc && i < n; i++) {
		__u64 fd = (__u64)fds[i];

		rc = bpf_map_update_elem(map, &i, &fd, BPF_ANY);
	}
	return rc;
}

static int attach(struct steering_bpf *object, int socket)
{
	int program = bpf_program__fd(object->progs.steer);

	return setsockopt(socket, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program, sizeof(program))
		       ? -errno
		       : 0;
}

int steering_attach(const int *fds, unsigned n, const uint8_t key[16], struct error *err)
{
	struct steering_bpf *object;
	int rc;

	libbpf_log_catch();
	object = steering_bpf__open();
	if (!object)
		return error_set(err, -errno, "steering can not be opened: %s", strerror(errno));
	memcpy((void *)object->rodata->key, key, sizeof(object->rodata->key));
	object->rodata->count = n;
	rc = steering_bpf__load(object);
	if (!rc)
		rc = fill(object, fds, n);
	if (!rc)
		rc = attach(object, fds[0]);
	/* The sockets hold what is attached. */
	steering_bpf__destroy(object);
	return rc ? error_set(err, rc, "%s: %s", strerror(-rc), libbpf_log_caught()) : 0;
}
