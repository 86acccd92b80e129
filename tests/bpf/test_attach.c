/* SPDX-License-Identifier: BSD-2-Clause */
/* Attaching, replacing and detaching the filter on real interfaces. */
#include "lab.h"

#include <linux/capability.h>
#include <sys/syscall.h>

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

static int prepare_locks_out(struct filter *filter, void *arg, struct error *err)
{
	(void)err;
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

static void prepare_fills_the_maps_first(void **state)
{
	struct filter *filter;
	struct error err = {0};

	(void)state;
	assert_int_equal(attach_prepared(prepare_locks_out, "198.51.100.9", false, &err), 0);
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
	RUN("mkdir %s && find %s -name 'link-*' -exec mv {} %s \\; && rm -r %s && mv %s %s",
	    new_dir, pin_dir, new_dir, pin_dir, new_dir, pin_dir);
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
	return !unshare(CLONE_NEWNS) && !mount("none", "/sys", NULL, MS_REC | MS_PRIVATE, NULL) &&
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

static void the_program_without_challenges_is_known_and_replaced(void **state)
{
	struct filter_attach_options options = {
	    .pin_dir = pin_dir, .ifname = "gate0", .plain = true};
	struct filter_attachment attachment;
	struct error err = {0};

	(void)state;
	assert_int_equal(filter_attach(&options, &attachment, &err), 0);
	assert_true(attachment.plain);
	assert_int_equal(attachments(), 1);
	filter_close(open_ok("gate0"));
	assert_false(attach_ok("gate0", true).plain);
	assert_int_equal(attachments(), 1);
	assert_int_equal(filter_detach(pin_dir, "gate0", &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_program_without_challenges_is_known_and_replaced),
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
	};

	return lab_run(tests);
}
