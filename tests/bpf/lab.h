/* SPDX-License-Identifier: BSD-2-Clause */
/* Two hosts joined by veth, for the tests of the loader: out0 (192.0.2.1) outside, gate0
 * (192.0.2.2) and lo, which has no native XDP, on the gate. Each test gets them anew, and a pin
 * directory. */
#ifndef SIPWARD_TESTS_LAB_H
#define SIPWARD_TESTS_LAB_H

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "filter/filter.h"

static char pin_dir[64];
static char new_dir[80];
static int outside_ns = -1; /* where packets come from */
static int gate_ns = -1;

#define RUN(...) assert_int_equal(run(__VA_ARGS__), 0)

__attribute__((format(printf, 1, 2))) static int run(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command);
}

static inline int attach(const char *ifname, enum filter_attach_request mode, bool replace,
			 struct filter_attachment *attachment, struct error *err)
{
	const struct filter_attach_options options = {
	    .pin_dir = pin_dir, .ifname = ifname, .mode = mode, .replace = replace};

	return filter_attach(&options, attachment, err);
}

static inline struct filter_attachment attach_ok(const char *ifname, bool replace)
{
	struct filter_attachment attachment = {0};
	struct error err = {0};
	int rc = attach(ifname, FILTER_ATTACH_AUTO, replace, &attachment, &err);

	if (rc)
		fail_msg("attach %s: %d %s", ifname, rc, err.text);
	return attachment;
}

static inline struct filter *open_ok(const char *ifname)
{
	struct filter *filter = NULL;
	struct error err = {0};
	int rc = filter_open(pin_dir, ifname, &filter, &err);

	if (rc)
		fail_msg("open: %d %s", rc, err.text);
	return filter;
}

static inline bool exists(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static inline size_t attachments(void)
{
	struct filter_attachment list[8];
	size_t n = 99;

	assert_int_equal(filter_attachments(pin_dir, list, 8, &n), 0);
	return n;
}

static inline struct sipward_source source_of(const char *text)
{
	struct sipward_source source;

	assert_int_equal(filter_source_parse(slice_from(text), 64, &source, NULL), 0);
	return source;
}

static inline struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(slice_from(text), &ip), 0);
	return ip;
}

static inline void lock_out(struct filter *filter, const char *address, unsigned seconds)
{
	const struct sipward_source source = source_of(address);
	const struct sipward_lockout lockout = {
	    .since_ns = clock_coarse_ns(),
	    .until_ns = clock_coarse_ns() + seconds * NS_PER_S,
	    .failures = 3,
	    .reason = SIPWARD_LOCKOUT_MANUAL,
	};

	assert_int_equal(filter_lockout_set(filter, &source, &lockout), 0);
}

static inline bool is_locked_out(struct filter *filter, const char *address)
{
	const struct sipward_source source = source_of(address);
	struct sipward_lockout lockout;

	return filter_lockout_get(filter, &source, &lockout) == 0;
}

/* Writes a map by its pin, as another program would. */
static inline void write_pinned(const char *name, const void *key, const void *value)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", pin_dir, name);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	assert_int_equal(bpf_map_update_elem(fd, key, value, BPF_ANY), 0);
	close(fd);
}

static inline void write_settings(uint32_t layout, enum sipward_mode mode,
				  enum sipward_unlisted unlisted)
{
	const struct sipward_settings settings = {
	    .layout = layout, .generation = 7, .mode = mode, .unlisted = unlisted};

	write_pinned("settings", &(uint32_t){0}, &settings);
}

static inline void write_v6_bits(uint32_t bits)
{
	const struct sipward_settings settings = {
	    .layout = SIPWARD_LAYOUT, .mode = SIPWARD_ENFORCE, .source_v6_bits = bits};

	write_pinned("settings", &(uint32_t){0}, &settings);
}

static inline void write_acl_v4(const char *prefix_text, uint32_t flags)
{
	const struct sipward_acl_value value = {.flags = flags, .rule_id = 5};
	struct sipward_acl_v4_key key;
	struct prefix prefix;

	assert_int_equal(prefix_parse(slice_from(prefix_text), &prefix, NULL), 0);
	key.prefix_len = prefix.len;
	memcpy(key.addr, prefix.ip.bytes, 4);
	write_pinned("acl_v4", &key, &value);
}

/* ---- fixtures ---- */

static inline int setup_group(void **state)
{
	(void)state;
	if (geteuid())
		return 0;
	run("mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf");
	snprintf(pin_dir, sizeof(pin_dir), "/sys/fs/bpf/sw-attach-%d", getpid());
	snprintf(new_dir, sizeof(new_dir), "%s-new", pin_dir);
	if (unshare(CLONE_NEWNET))
		return -1;
	outside_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (unshare(CLONE_NEWNET))
		return -1;
	gate_ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return outside_ns < 0 || gate_ns < 0 ? -1 : 0;
}

static inline int setup(void **state)
{
	(void)state;
	if (geteuid())
		return 0;
	RUN("ip link add gate0 type veth peer name out0 netns /proc/%d/fd/%d", getpid(),
	    outside_ns);
	RUN("ip addr add 192.0.2.2/24 dev gate0 && ip link set gate0 up");
	RUN("ip link set lo up");
	assert_int_equal(setns(outside_ns, CLONE_NEWNET), 0);
	RUN("ip addr add 192.0.2.1/24 dev out0 && ip link set out0 up");
	assert_int_equal(setns(gate_ns, CLONE_NEWNET), 0);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	if (geteuid())
		return 0;
	setns(gate_ns, CLONE_NEWNET);
	run("ip link del gate0 2>/dev/null; ip link set lo xdpgeneric off 2>/dev/null");
	run("rm -rf %s %s %s-old", pin_dir, new_dir, pin_dir);
	return 0;
}

static inline int attach_prepared(int (*prepare)(struct filter *, void *, struct error *),
				  void *arg, bool replace, struct error *err)
{
	const struct filter_attach_options options = {.pin_dir = pin_dir,
						      .ifname = "gate0",
						      .replace = replace,
						      .prepare = prepare,
						      .prepare_arg = arg};
	struct filter_attachment attachment;

	return filter_attach(&options, &attachment, err);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define lab_run(tests)                                                                             \
	(geteuid() ? (puts("skip lab: needs root"), 0)                                             \
		   : cmocka_run_group_tests(tests, setup_group, NULL))

#endif
