/* SPDX-License-Identifier: BSD-2-Clause */
/* Loading, attaching, replacing and finding the filter, on real interfaces of a network namespace
 * of this test's own. Skipped without root. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
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

static const char *object_file(void)
{
	static char path[256];
	const char *build = getenv("BUILD");

	snprintf(path, sizeof(path), "%s/sipward.bpf.o", build ? build : "build");
	return path;
}

static int attach(const char *ifname, enum filter_attach_request mode, bool replace,
		  struct filter_attachment *attachment, struct error *err)
{
	const struct filter_attach_options options = {
	    .pin_dir = pin_dir, .ifname = ifname, .mode = mode, .replace = replace};

	return filter_attach(&options, attachment, err);
}

static struct filter_attachment attach_ok(const char *ifname, bool replace)
{
	struct filter_attachment attachment = {0};
	struct error err = {0};
	int rc = attach(ifname, FILTER_ATTACH_AUTO, replace, &attachment, &err);

	if (rc)
		fail_msg("attach %s: %d %s", ifname, rc, err.text);
	return attachment;
}

static struct filter *open_ok(const char *ifname)
{
	struct filter *filter = NULL;
	struct error err = {0};
	int rc = filter_open(pin_dir, ifname, &filter, &err);

	if (rc)
		fail_msg("open: %d %s", rc, err.text);
	return filter;
}

static bool exists(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

static size_t attachments(void)
{
	struct filter_attachment list[8];
	size_t n = 99;

	assert_int_equal(filter_attachments(pin_dir, list, 8, &n), 0);
	return n;
}

static struct sipward_source source_of(const char *text)
{
	struct sipward_source source;

	assert_int_equal(filter_source_parse(slice_from(text), &source, NULL), 0);
	return source;
}

static struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_int_equal(ip_parse(slice_from(text), &ip), 0);
	return ip;
}

static void lock_out(struct filter *filter, const char *address, unsigned seconds)
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

static bool is_locked_out(struct filter *filter, const char *address)
{
	const struct sipward_source source = source_of(address);
	struct sipward_lockout lockout;

	return filter_lockout_get(filter, &source, &lockout) == 0;
}

/* Writes a map by its pin, as another program would. */
static void write_pinned(const char *name, const void *key, const void *value)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", pin_dir, name);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	assert_int_equal(bpf_map_update_elem(fd, key, value, BPF_ANY), 0);
	close(fd);
}

static void write_settings(uint32_t layout, enum sipward_mode mode, enum sipward_unlisted unlisted)
{
	const struct sipward_settings settings = {
	    .layout = layout, .generation = 7, .mode = mode, .unlisted = unlisted};

	write_pinned("settings", &(uint32_t){0}, &settings);
}

static void write_acl_v4(const char *prefix_text, uint32_t flags)
{
	const struct sipward_acl_value value = {.flags = flags, .rule_id = 5};
	struct sipward_acl_v4_key key;
	struct prefix prefix;

	assert_int_equal(prefix_parse(slice_from(prefix_text), &prefix, NULL), 0);
	key.prefix_len = prefix.len;
	memcpy(key.addr, prefix.ip.bytes, 4);
	write_pinned("acl_v4", &key, &value);
}

/* A program that passes everything and is none of ours. */
static int load_stranger(void)
{
	const struct bpf_insn program[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = XDP_PASS},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "stranger", "GPL", program, 2, NULL);

	assert_true(fd >= 0);
	return fd;
}

/* ---- fixtures ---- */

static int setup_group(void **state)
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

static int setup(void **state)
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

static int teardown(void **state)
{
	(void)state;
	if (geteuid())
		return 0;
	setns(gate_ns, CLONE_NEWNET);
	run("ip link del gate0 2>/dev/null; ip link set lo xdpgeneric off 2>/dev/null");
	run("rm -rf %s %s %s-old", pin_dir, new_dir, pin_dir);
	return 0;
}

/* ---- attach, detach ---- */

static void attach_to_veth_is_native_and_pinned(void **state)
{
	struct filter_attachment attachment = attach_ok("gate0", false), listed[2];
	size_t n;

	(void)state;
	assert_string_equal(attachment.ifname, "gate0");
	assert_int_equal(attachment.ifindex, if_nametoindex("gate0"));
	assert_int_equal(attachment.mode, FILTER_XDP_NATIVE);
	assert_in_range(attachment.via, FILTER_VIA_LINK, FILTER_VIA_DISPATCHER);
	assert_int_equal(filter_attachments(pin_dir, listed, 2, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(listed[0].program_id, attachment.program_id);
	assert_true(exists(pin_dir, "settings"));
	assert_false(exists(new_dir, ""));
}

static void attach_twice_is_refused(void **state)
{
	struct filter_attachment first = attach_ok("gate0", false), second;
	struct error err = {0};

	(void)state;
	assert_int_equal(attach("gate0", FILTER_ATTACH_AUTO, false, &second, &err), -EEXIST);
	assert_non_null(strstr(err.text, "already"));
	assert_non_null(strstr(err.text, "--replace"));
	assert_int_equal(attachments(), 1);
	assert_int_equal(attach_ok("gate0", true).ifindex, first.ifindex);
}

static void a_stranger_on_the_interface_is_named_and_left_alone(void **state)
{
	struct filter_attachment attachment;
	struct error err = {0};
	uint32_t id = 0;
	int fd = load_stranger();

	(void)state;
	assert_int_equal(bpf_xdp_attach((int)if_nametoindex("gate0"), fd, XDP_FLAGS_DRV_MODE, NULL),
			 0);
	close(fd);
	assert_int_equal(attach("gate0", FILTER_ATTACH_AUTO, true, &attachment, &err), -EEXIST);
	assert_non_null(strstr(err.text, "stranger"));
	assert_int_equal(bpf_xdp_query_id((int)if_nametoindex("gate0"), 0, &id), 0);
	assert_int_not_equal(id, 0);
	assert_int_equal(attachments(), 0);
	assert_false(exists(pin_dir, ""));
}

static void replace_swaps_the_program_and_keeps_what_the_maps_hold(void **state)
{
	struct filter_attachment first = attach_ok("gate0", false), second;
	struct filter *filter = open_ok(NULL);

	(void)state;
	lock_out(filter, "198.51.100.7", 60);
	write_settings(SIPWARD_LAYOUT, SIPWARD_ENFORCE, SIPWARD_UNLISTED_DROP);
	second = attach_ok("gate0", true);
	assert_int_not_equal(first.program_id, second.program_id);
	assert_int_equal(first.via, second.via);
	assert_int_equal(attachments(), 1);
	filter_close(filter);
	filter = open_ok(NULL);
	assert_true(is_locked_out(filter, "198.51.100.7"));
	filter_close(filter);
}

static void detach_removes_program_and_pins(void **state)
{
	struct error err = {0};
	uint32_t id = 1;

	(void)state;
	attach_ok("gate0", false);
	assert_int_equal(filter_detach(pin_dir, "lo", &err), -ENOENT);
	assert_int_equal(filter_detach(pin_dir, "gate0", &err), 0);
	assert_int_equal(bpf_xdp_query_id((int)if_nametoindex("gate0"), 0, &id), 0);
	assert_int_equal(id, 0);
	assert_false(exists(pin_dir, ""));
	assert_int_equal(filter_detach(pin_dir, NULL, &err), -ENOENT);
	assert_non_null(strstr(err.text, "not attached"));
}

static void two_interfaces_share_the_maps_until_the_last_leaves(void **state)
{
	struct error err = {0};

	(void)state;
	attach_ok("gate0", false);
	assert_int_equal(attach_ok("lo", false).mode, FILTER_XDP_GENERIC);
	assert_int_equal(attachments(), 2);
	assert_int_equal(filter_detach(pin_dir, NULL, &err), -EINVAL);
	assert_int_equal(filter_detach(pin_dir, "gate0", &err), 0);
	assert_true(exists(pin_dir, "settings"));
	assert_int_equal(filter_detach(pin_dir, NULL, &err), 0);
	assert_false(exists(pin_dir, ""));
}

static void native_is_never_replaced_silently_by_generic(void **state)
{
	struct filter_attachment attachment;
	struct error err = {0};

	(void)state;
	assert_int_equal(attach("lo", FILTER_ATTACH_NATIVE, false, &attachment, &err), -EOPNOTSUPP);
	assert_non_null(strstr(err.text, "native"));
	assert_false(exists(pin_dir, ""));
	assert_int_equal(attach_ok("lo", false).mode, FILTER_XDP_GENERIC);
	assert_int_equal(attach("lo", FILTER_ATTACH_NATIVE, true, &attachment, &err), -EBUSY);
	assert_int_equal(attach("gate0", FILTER_ATTACH_GENERIC, false, &attachment, &err), 0);
	assert_int_equal(attachment.mode, FILTER_XDP_GENERIC);
}

static void a_large_mtu_does_not_cost_native_mode(void **state)
{
	(void)state;
	RUN("ip link set gate0 mtu 9000");
	assert_int_equal(setns(outside_ns, CLONE_NEWNET), 0);
	RUN("ip link set out0 mtu 9000");
	assert_int_equal(setns(gate_ns, CLONE_NEWNET), 0);
	assert_int_equal(attach_ok("gate0", false).mode, FILTER_XDP_NATIVE);
	assert_int_equal(attach_ok("gate0", true).mode, FILTER_XDP_NATIVE);
}

/* ---- layouts ---- */

static void another_layout_is_refused_until_replaced(void **state)
{
	struct filter_attachment attachment, before = attach_ok("gate0", false);
	struct filter *filter = open_ok(NULL);
	struct sipward_settings settings;
	struct error err = {0};

	(void)state;
	lock_out(filter, "198.51.100.7", 60);
	filter_close(filter);
	write_settings(SIPWARD_LAYOUT + 1, SIPWARD_ENFORCE, SIPWARD_UNLISTED_DROP);
	assert_int_equal(filter_open(pin_dir, NULL, &filter, &err), -EPROTO);
	assert_int_equal(attach("lo", FILTER_ATTACH_AUTO, false, &attachment, &err), -EPROTO);
	assert_non_null(strstr(err.text, "--replace"));
	assert_int_equal(attachments(), 1);

	attachment = attach_ok("gate0", true);
	assert_int_equal(attachment.via, before.via);
	assert_int_equal(attachments(), 1);
	assert_false(exists(new_dir, ""));
	filter = open_ok(NULL);
	assert_true(is_locked_out(filter, "198.51.100.7"));
	assert_int_equal(filter_settings_read(filter, &settings), 0);
	assert_int_equal(settings.layout, 0);
	filter_close(filter);
	assert_int_equal(filter_detach(pin_dir, NULL, &err), 0);
	assert_false(exists(pin_dir, ""));
}

/* A map of the right name and the wrong shape, though settings claim our layout. */
static void a_misshapen_map_is_refused_and_the_rest_carried_over(void **state)
{
	struct filter_attachment attachment;
	struct sipward_settings settings;
	struct sipward_acl_value value;
	const struct ip ip = ip_of("203.0.113.9");
	struct filter *filter;
	struct error err = {0};
	char path[256];
	int fd;

	(void)state;
	attach_ok("gate0", false);
	write_settings(SIPWARD_LAYOUT, SIPWARD_ENFORCE, SIPWARD_UNLISTED_LIMIT);
	write_acl_v4("203.0.113.0/24", SIPWARD_ACL_ALLOW);
	snprintf(path, sizeof(path), "%s/proven", pin_dir);
	assert_int_equal(unlink(path), 0);
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "proven", 4, 4, 16, NULL);
	assert_int_equal(bpf_obj_pin(fd, path), 0);
	close(fd);

	assert_int_equal(attach("lo", FILTER_ATTACH_AUTO, false, &attachment, &err), -EPROTO);
	assert_non_null(strstr(err.text, "proven"));
	attach_ok("gate0", true);
	filter = open_ok(NULL);
	assert_int_equal(filter_settings_read(filter, &settings), 0);
	assert_int_equal(settings.mode, SIPWARD_ENFORCE);
	assert_int_equal(settings.generation, 0);
	assert_int_equal(filter_acl_lookup(filter, &ip, &value), 0);
	assert_int_equal(value.rule_id, 5);
	filter_close(filter);
}

/* ---- prepare, kills, vanishing ---- */

static int prepare_fails(struct filter *filter, void *arg, struct error *err)
{
	assert_non_null(filter);
	return error_set(err, -EIO, "%s", (const char *)arg);
}

static int prepare_enforces(struct filter *filter, void *arg, struct error *err)
{
	struct sipward_settings settings;

	(void)err;
	assert_int_equal(filter_settings_read(filter, &settings), 0);
	lock_out(filter, arg, 60);
	return 0;
}

static int prepare_deletes_interface(struct filter *filter, void *arg, struct error *err)
{
	(void)filter;
	(void)err;
	return run("ip link del %s", (const char *)arg) ? -EIO : 0;
}

static int prepare_dies(struct filter *filter, void *arg, struct error *err)
{
	(void)filter;
	(void)arg;
	(void)err;
	raise(SIGKILL);
	return 0;
}

static int attach_prepared(int (*prepare)(struct filter *, void *, struct error *), void *arg,
			   bool replace, struct error *err)
{
	const struct filter_attach_options options = {.pin_dir = pin_dir,
						      .ifname = "gate0",
						      .replace = replace,
						      .prepare = prepare,
						      .prepare_arg = arg};
	struct filter_attachment attachment;

	return filter_attach(&options, &attachment, err);
}

static void prepare_fills_the_maps_first(void **state)
{
	struct filter *filter;
	struct error err = {0};

	(void)state;
	assert_int_equal(attach_prepared(prepare_enforces, "198.51.100.9", false, &err), 0);
	filter = open_ok(NULL);
	assert_true(is_locked_out(filter, "198.51.100.9"));
	filter_close(filter);
}

static void a_failing_prepare_leaves_nothing(void **state)
{
	struct error err = {0};

	(void)state;
	assert_int_equal(attach_prepared(prepare_fails, "the store is on fire", false, &err), -EIO);
	assert_string_equal(err.text, "the store is on fire");
	assert_int_equal(attachments(), 0);
	assert_false(exists(pin_dir, ""));
	assert_false(exists(new_dir, ""));
}

static void a_failing_replacement_leaves_the_old_program(void **state)
{
	struct filter_attachment before = attach_ok("gate0", false), now;
	struct error err = {0};
	size_t n;

	(void)state;
	write_settings(SIPWARD_LAYOUT + 1, SIPWARD_ENFORCE, SIPWARD_UNLISTED_DROP);
	assert_int_equal(attach_prepared(prepare_fails, "no", true, &err), -EIO);
	assert_int_equal(filter_attachments(pin_dir, &now, 1, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(now.program_id, before.program_id);
}

static void an_interface_that_vanishes_leaves_nothing(void **state)
{
	struct filter_attachment attachment;
	struct error err = {0};

	(void)state;
	assert_int_equal(attach("nosuch0", FILTER_ATTACH_AUTO, false, &attachment, &err), -ENODEV);
	assert_non_null(strstr(err.text, "nosuch0"));
	assert_int_equal(attach_prepared(prepare_deletes_interface, "gate0", false, &err), -ENODEV);
	assert_false(exists(pin_dir, ""));
}

static void a_deleted_interface_leaves_pins_that_the_next_attach_uses(void **state)
{
	struct filter *filter;
	struct error err = {0};

	(void)state;
	attach_ok("gate0", false);
	filter = open_ok(NULL);
	lock_out(filter, "198.51.100.7", 60);
	filter_close(filter);
	RUN("ip link del gate0");
	assert_int_equal(attachments(), 0);
	attach_ok("lo", false);
	filter = open_ok(NULL);
	assert_true(is_locked_out(filter, "198.51.100.7"));
	filter_close(filter);
	assert_int_equal(filter_detach(pin_dir, NULL, &err), 0);
	assert_false(exists(pin_dir, ""));
}

static void a_kill_before_the_switch_changes_nothing(void **state)
{
	struct filter_attachment before = attach_ok("gate0", false), now;
	struct error err = {0};
	size_t n;
	int status;
	pid_t pid;

	(void)state;
	write_settings(SIPWARD_LAYOUT + 1, SIPWARD_ENFORCE, SIPWARD_UNLISTED_DROP);
	pid = fork();
	if (pid == 0)
		_exit(attach_prepared(prepare_dies, NULL, true, &err) ? 1 : 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(filter_attachments(pin_dir, &now, 1, &n), 0);
	assert_int_equal(now.program_id, before.program_id);
	attach_ok("gate0", true);
}

/* A kill between the exchange of the pins and the switch: new maps pinned, old program running. */
static void replace_completes_what_a_kill_interrupted(void **state)
{
	struct filter *filter;
	struct error err = {0};

	(void)state;
	attach_ok("gate0", false);
	RUN("mkdir %s && mv %s/link-* %s && rm -r %s && mv %s %s", new_dir, pin_dir, new_dir,
	    pin_dir, new_dir, pin_dir);
	attach_ok("gate0", true);
	filter = open_ok(NULL);
	filter_close(filter);
	assert_int_equal(attachments(), 1);
	assert_int_equal(filter_detach(pin_dir, NULL, &err), 0);
	assert_false(exists(pin_dir, ""));
}

/* ---- rights and bpffs: each in a child, whose exit code says whether it went as it should ---- */

static void in_child(bool (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn() ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void drop_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	syscall(SYS_capset, &header, data);
}

static bool attach_without_rights(void)
{
	struct filter_attachment attachment;
	struct error err = {0};

	drop_capabilities();
	return attach("gate0", FILTER_ATTACH_AUTO, false, &attachment, &err) == -EPERM &&
	       strstr(err.text, "CAP_BPF");
}

static void without_capabilities_the_sentence_names_them(void **state)
{
	(void)state;
	in_child(attach_without_rights);
	assert_false(exists(pin_dir, ""));
}

static bool without_bpffs(void)
{
	return !unshare(CLONE_NEWNS) && !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !umount2("/sys/fs/bpf", MNT_DETACH);
}

static bool attach_mounts_bpffs(void)
{
	struct filter_attachment attachment;
	struct error err = {0};

	return without_bpffs() && !attach("gate0", FILTER_ATTACH_AUTO, false, &attachment, &err) &&
	       exists(pin_dir, "settings") && !filter_detach(pin_dir, "gate0", &err);
}

static bool attach_names_the_mount(void)
{
	struct filter_attachment attachment;
	struct error err = {0};

	snprintf(pin_dir, sizeof(pin_dir), "/tmp/sipward");
	return attach("gate0", FILTER_ATTACH_AUTO, false, &attachment, &err) == -ENOENT &&
	       strstr(err.text, "mount -t bpf bpf /sys/fs/bpf");
}

static void a_missing_bpffs_is_mounted_or_its_command_named(void **state)
{
	(void)state;
	in_child(attach_mounts_bpffs);
	in_child(attach_names_the_mount);
}

/* ---- attached by other tools ---- */

static void attached_by_another_tool(const char *attach_command, const char *detach_command)
{
	struct filter_attachment attachment;
	struct filter *filter;
	struct error err = {0};
	size_t n;

	if (run("%s >/dev/null 2>&1", attach_command))
		fail_msg("%s failed", attach_command);
	assert_int_equal(filter_attachments(pin_dir, &attachment, 1, &n), 0);
	assert_int_equal(n, 1);
	assert_string_equal(attachment.ifname, "gate0");
	assert_in_range(attachment.via, FILTER_VIA_DISPATCHER, FILTER_VIA_FOREIGN);
	filter = open_ok("gate0");
	assert_false(filter_is_pinned(filter));
	lock_out(filter, "198.51.100.7", 60);
	assert_true(is_locked_out(filter, "198.51.100.7"));
	filter_close(filter);
	assert_int_equal(filter_open(pin_dir, "lo", &filter, &err), -ENOENT);

	/* Our attach takes its place in one step and keeps the lockout. */
	assert_int_equal(attach("gate0", FILTER_ATTACH_AUTO, false, &attachment, &err), -EEXIST);
	attachment = attach_ok("gate0", true);
	filter = open_ok(NULL);
	assert_true(filter_is_pinned(filter));
	assert_true(is_locked_out(filter, "198.51.100.7"));
	filter_close(filter);
	assert_int_equal(attachments(), 1);
	if (run("%s >/dev/null 2>&1", detach_command))
		fail_msg("%s failed", detach_command);
	assert_int_equal(attachments(), 0);
}

static void maps_are_found_when_ip_link_attached_the_object(void **state)
{
	char command[400];

	(void)state;
	snprintf(command, sizeof(command), "ip link set dev gate0 xdp obj %s sec xdp",
		 object_file());
	attached_by_another_tool(command, "ip link set dev gate0 xdp off");
}

static void maps_are_found_when_xdp_loader_loaded_the_object(void **state)
{
	char command[400];

	(void)state;
	snprintf(command, sizeof(command), "xdp-loader load gate0 %s", object_file());
	attached_by_another_tool(command, "xdp-loader unload gate0 --all");
}

static void detach_takes_off_what_another_tool_attached(void **state)
{
	struct error err = {0};

	(void)state;
	RUN("ip link set dev gate0 xdp obj %s sec xdp", object_file());
	assert_int_equal(filter_detach(pin_dir, "gate0", &err), 0);
	assert_int_equal(attachments(), 0);
}

static void nothing_attached_is_said_so(void **state)
{
	struct filter *filter;
	struct error err = {0};

	(void)state;
	assert_int_equal(filter_open(pin_dir, NULL, &filter, &err), -ENOENT);
	assert_non_null(strstr(err.text, "sipward attach"));
	assert_int_equal(filter_open("relative", NULL, &filter, &err), -EINVAL);
}

/* ---- what the maps say ---- */

static enum sipward_reason explained(struct filter *filter, const char *address)
{
	const struct ip ip = ip_of(address);
	enum sipward_reason reason = SIPWARD_REASON_COUNT;

	assert_int_equal(filter_explain(filter, &ip, &reason), 0);
	return reason;
}

static void explain_follows_the_order_of_the_filter(void **state)
{
	const struct sipward_source source = source_of("203.0.113.9");
	struct filter *filter;

	(void)state;
	attach_ok("gate0", false);
	filter = open_ok(NULL);
	assert_int_equal(explained(filter, "203.0.113.9"), SIPWARD_UNLISTED);
	assert_int_equal(explained(filter, "2001:db8::1"), SIPWARD_UNLISTED);
	write_settings(SIPWARD_LAYOUT, SIPWARD_ENFORCE, SIPWARD_UNLISTED_LIMIT);
	assert_int_equal(explained(filter, "203.0.113.9"), SIPWARD_UNLISTED_PASS);
	write_settings(SIPWARD_LAYOUT, SIPWARD_ENFORCE, SIPWARD_UNLISTED_REJECT);
	assert_int_equal(explained(filter, "203.0.113.9"), SIPWARD_UNLISTED_PASS);
	assert_int_equal(filter_proven_set(filter, &source, clock_coarse_ns() + NS_PER_S * 60), 0);
	assert_int_equal(explained(filter, "203.0.113.9"), SIPWARD_PROVEN);
	write_acl_v4("203.0.113.0/24", SIPWARD_ACL_DENY);
	assert_int_equal(explained(filter, "203.0.113.9"), SIPWARD_DENIED);
	write_acl_v4("203.0.113.9", SIPWARD_ACL_UPSTREAM);
	assert_int_equal(explained(filter, "203.0.113.9"), SIPWARD_LISTED);
	assert_int_equal(explained(filter, "203.0.113.10"), SIPWARD_DENIED);
	lock_out(filter, "203.0.113.9", 60);
	assert_int_equal(explained(filter, "203.0.113.9"), SIPWARD_LOCKED_OUT);
	filter_close(filter);
}

static void lockouts_are_listed_latest_first_and_cleared(void **state)
{
	const struct sipward_source source = source_of("198.51.100.1");
	struct filter_lockout *list;
	struct filter *filter;
	size_t n;

	(void)state;
	attach_ok("gate0", false);
	filter = open_ok(NULL);
	lock_out(filter, "198.51.100.1", 10);
	lock_out(filter, "2001:db8:1:2::3", 30);
	lock_out(filter, "198.51.100.3", 20);
	lock_out(filter, "198.51.100.4", 0);
	assert_int_equal(filter_lockouts_read(filter, &list, &n), 0);
	assert_int_equal(n, 3);
	assert_int_equal(list[0].source.family, 6);
	assert_true(list[1].lockout.until_ns > list[2].lockout.until_ns);
	free(list);
	assert_int_equal(filter_lockout_clear(filter, &source), 0);
	assert_int_equal(filter_lockout_clear(filter, &source), -ENOENT);
	assert_false(is_locked_out(filter, "198.51.100.1"));
	assert_false(is_locked_out(filter, "198.51.100.4"));
	assert_int_equal(filter_lockout_clear_all(filter, &n), 0);
	assert_int_equal(n, 2);
	assert_false(is_locked_out(filter, "198.51.100.3"));
	filter_close(filter);
}

/* ---- real packets ---- */

struct wire {
	int from, to; /* sockets outside and on the gate */
};

static struct wire wire_open(void)
{
	const struct sockaddr_in gate = {.sin_family = AF_INET,
					 .sin_port = htons(5060),
					 .sin_addr.s_addr = inet_addr("192.0.2.2")};
	const struct timeval patience = {.tv_usec = 200000};
	struct wire wire;

	wire.to = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(wire.to, (const struct sockaddr *)&gate, sizeof(gate)), 0);
	setsockopt(wire.to, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	assert_int_equal(setns(outside_ns, CLONE_NEWNET), 0);
	wire.from = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setns(gate_ns, CLONE_NEWNET), 0);
	assert_int_equal(connect(wire.from, (const struct sockaddr *)&gate, sizeof(gate)), 0);
	return wire;
}

static void wire_close(struct wire *wire)
{
	close(wire->from);
	close(wire->to);
}

/* Whether a SIP request sent outside is received on the gate. */
static bool arrives(const struct wire *wire)
{
	const char request[] = "OPTIONS sip:gate SIP/2.0\r\n\r\n";
	char buffer[256];

	assert_true(send(wire->from, request, sizeof(request) - 1, 0) > 0);
	return recv(wire->to, buffer, sizeof(buffer), 0) > 0;
}

static void packets_are_allowed_then_blocked_then_allowed(void **state)
{
	struct wire wire = wire_open();
	struct error err = {0};
	struct filter *filter;

	(void)state;
	assert_true(arrives(&wire));
	attach_ok("gate0", false);
	assert_true(arrives(&wire)); /* monitor */
	write_settings(SIPWARD_LAYOUT, SIPWARD_ENFORCE, SIPWARD_UNLISTED_DROP);
	assert_false(arrives(&wire));
	write_acl_v4("192.0.2.1", SIPWARD_ACL_ALLOW);
	assert_true(arrives(&wire));
	filter = open_ok(NULL);
	lock_out(filter, "192.0.2.1", 60);
	assert_false(arrives(&wire));
	assert_int_equal(filter_lockout_clear_all(filter, NULL), 0);
	assert_true(arrives(&wire));
	filter_close(filter);
	write_acl_v4("192.0.2.1", SIPWARD_ACL_DENY);
	assert_false(arrives(&wire));
	assert_int_equal(filter_detach(pin_dir, "gate0", &err), 0);
	assert_true(arrives(&wire));
	wire_close(&wire);
}

static void no_packet_passes_while_the_filter_is_replaced(void **state)
{
	struct wire wire = wire_open();
	struct filter *filter;
	char buffer[64];
	pid_t pid;

	(void)state;
	attach_ok("gate0", false);
	write_settings(SIPWARD_LAYOUT, SIPWARD_ENFORCE, SIPWARD_UNLISTED_DROP);
	pid = fork();
	if (pid == 0)
		for (;;)
			send(wire.from, "INVITE", 6, 0);
	for (int i = 0; i < 5; i++) {
		/* From here the pinned maps are foreign, and fresh ones take their place. */
		write_settings(i % 2 ? SIPWARD_LAYOUT : SIPWARD_LAYOUT + 1, SIPWARD_ENFORCE,
			       SIPWARD_UNLISTED_DROP);
		filter = NULL;
		attach_ok("gate0", true);
		if (i % 2)
			continue;
		write_settings(SIPWARD_LAYOUT, SIPWARD_ENFORCE, SIPWARD_UNLISTED_DROP);
		/* Fresh settings without prepare mean monitor: what passed till now is no fault. */
		while (recv(wire.to, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
			;
	}
	attach_ok("gate0", true);
	assert_true(recv(wire.to, buffer, sizeof(buffer), 0) < 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	filter = open_ok(NULL);
	filter_close(filter);
	wire_close(&wire);
}

static void count_event(const struct sipward_event *event, void *arg)
{
	size_t *n = arg;

	assert_int_equal(event->reason, SIPWARD_UNLISTED);
	(*n)++;
}

static void counters_drops_and_events_tell_of_a_drop(void **state)
{
	struct sipward_counter counters[SIPWARD_REASON_COUNT];
	struct wire wire = wire_open();
	struct filter_drop *drops;
	char text[PREFIX_TEXT_SIZE];
	struct filter *filter;
	size_t n, events = 0;

	(void)state;
	attach_ok("gate0", false);
	write_settings(SIPWARD_LAYOUT, SIPWARD_ENFORCE, SIPWARD_UNLISTED_DROP);
	assert_false(arrives(&wire));
	filter = open_ok(NULL);
	assert_int_equal(filter_counters_read(filter, counters), 0);
	assert_int_equal(counters[SIPWARD_UNLISTED].packets, 1);
	assert_int_equal(filter_drops_read(filter, &drops, &n), 0);
	assert_int_equal(n, 1);
	filter_source_format(&drops[0].source, text);
	assert_string_equal(text, "192.0.2.1");
	assert_int_equal(drops[0].drop.last_reason, SIPWARD_UNLISTED);
	free(drops);
	assert_true(filter_events_poll(filter, 500, count_event, &events) >= 0);
	assert_int_equal(events, 1);
	filter_close(filter);
	wire_close(&wire);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(attach_to_veth_is_native_and_pinned),
	    TEST(attach_twice_is_refused),
	    TEST(a_stranger_on_the_interface_is_named_and_left_alone),
	    TEST(replace_swaps_the_program_and_keeps_what_the_maps_hold),
	    TEST(detach_removes_program_and_pins),
	    TEST(two_interfaces_share_the_maps_until_the_last_leaves),
	    TEST(native_is_never_replaced_silently_by_generic),
	    TEST(a_large_mtu_does_not_cost_native_mode),
	    TEST(another_layout_is_refused_until_replaced),
	    TEST(a_misshapen_map_is_refused_and_the_rest_carried_over),
	    TEST(prepare_fills_the_maps_first),
	    TEST(a_failing_prepare_leaves_nothing),
	    TEST(a_failing_replacement_leaves_the_old_program),
	    TEST(an_interface_that_vanishes_leaves_nothing),
	    TEST(a_deleted_interface_leaves_pins_that_the_next_attach_uses),
	    TEST(a_kill_before_the_switch_changes_nothing),
	    TEST(replace_completes_what_a_kill_interrupted),
	    TEST(without_capabilities_the_sentence_names_them),
	    TEST(a_missing_bpffs_is_mounted_or_its_command_named),
	    TEST(maps_are_found_when_ip_link_attached_the_object),
	    TEST(maps_are_found_when_xdp_loader_loaded_the_object),
	    TEST(detach_takes_off_what_another_tool_attached),
	    TEST(nothing_attached_is_said_so),
	    TEST(explain_follows_the_order_of_the_filter),
	    TEST(lockouts_are_listed_latest_first_and_cleared),
	    TEST(packets_are_allowed_then_blocked_then_allowed),
	    TEST(no_packet_passes_while_the_filter_is_replaced),
	    TEST(counters_drops_and_events_tell_of_a_drop),
	};

	if (geteuid()) {
		puts("skip attach: needs root");
		return 0;
	}
	return cmocka_run_group_tests(tests, setup_group, NULL);
}
