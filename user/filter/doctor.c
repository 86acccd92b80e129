/* SPDX-License-Identifier: BSD-2-Clause */
#include <bpf/bpf.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "filter/features.h"
#include "filter/filter.h"
#include "filter/findings.h"
#include "filter/libbpf_log.h"
#include "filter/object.h"

#define BPFFS "/sys/fs/bpf"
#define KERNEL_BTF "/sys/kernel/btf/vmlinux"

void finding_add(struct findings *findings, enum filter_finding_level level, const char *check,
		 const char *mend, const char *format, ...)
{
	struct filter_finding *finding;
	va_list args;

	if (findings->n == findings->max)
		return;
	finding = &findings->list[findings->n++];
	*finding = (struct filter_finding){.level = level};
	snprintf(finding->check, sizeof(finding->check), "%s", check);
	snprintf(finding->mend, sizeof(finding->mend), "%s", mend);
	va_start(args, format);
	vsnprintf(finding->text, sizeof(finding->text), format, args);
	va_end(args);
}

static bool check_capability(struct findings *findings)
{
	const char *missing = features_capabilities_missing();

	if (missing)
		finding_add(findings, FILTER_FINDING_PROBLEM, "capability",
			    "run sipward as root (sudo sipward ...)", "this process lacks %s",
			    missing);
	else
		finding_add(findings, FILTER_FINDING_OK, "capability", "",
			    "may load and attach programs");
	return !missing;
}

/* Without the right to load programs the kernel can not be asked what it has. */
static void check_kernel(struct findings *findings, bool may_load)
{
	struct utsname name = {0};
	const char *missing = may_load ? features_missing() : NULL;

	uname(&name);
	if (missing)
		finding_add(findings, FILTER_FINDING_PROBLEM, "kernel",
			    "boot Linux 5.18 or later (Debian: apt install linux-image-amd64)",
			    "Linux %s lacks %s", name.release, missing);
	else
		finding_add(findings, FILTER_FINDING_OK, "kernel", "", "Linux %s%s", name.release,
			    may_load ? " has what the filter needs" : " (features not tried)");
	if (!may_load)
		return;
	if (features_dispatcher())
		finding_add(findings, FILTER_FINDING_OK, "dispatcher", "",
			    "other XDP programs can share the interface (libxdp)");
	else
		finding_add(findings, FILTER_FINDING_WARNING, "dispatcher", "",
			    "this kernel does not let programs extend programs: the filter takes "
			    "an interface for itself alone");
}

/* As attaching would: where this fails it takes the program without challenges. */
static void check_challenges(struct findings *findings)
{
	struct sipward_bpf *object = NULL;
	struct error err = {0};
	int rc = object_open(0, &object, &err);

	if (!rc)
		rc = object_load(object, &err);
	object_close(object);
	if (rc)
		finding_add(findings, FILTER_FINDING_WARNING, "challenges", "",
			    "the filter leaves challenging to the daemon: %s", err.text);
	else
		finding_add(findings, FILTER_FINDING_OK, "challenges", "",
			    "the kernel takes the program that challenges by itself");
}

static void check_bpffs(const char *pin_dir, struct findings *findings)
{
	char parent[256];
	struct statfs fs;
	char *end;

	snprintf(parent, sizeof(parent), "%s", pin_dir);
	end = strrchr(parent, '/');
	if (end && end != parent)
		*end = '\0';
	if (!statfs(parent, &fs) && fs.f_type == BPF_FS_MAGIC)
		finding_add(findings, FILTER_FINDING_OK, "bpffs", "", "%s is on a bpffs", parent);
	else
		finding_add(findings, FILTER_FINDING_PROBLEM, "bpffs", "mount -t bpf bpf " BPFFS,
			    "%s is not on a bpffs", parent);
}

static void check_btf(struct findings *findings)
{
	if (!access(KERNEL_BTF, R_OK))
		finding_add(findings, FILTER_FINDING_OK, "btf", "", KERNEL_BTF " is there");
	else
		finding_add(findings, FILTER_FINDING_WARNING, "btf",
			    "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y",
			    KERNEL_BTF " is missing: other XDP programs can not share the "
				       "interface");
}

/* The switch itself can only be read in the first network namespace; a loaded program tells in any.
 */
static int trial_is_compiled(bool *ret_compiled)
{
	const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "trial", "GPL", pass, 2, NULL);
	int rc;

	if (fd < 0)
		return fd;
	rc = bpf_obj_get_info_by_fd(fd, &info, &size);
	close(fd);
	*ret_compiled = info.jited_prog_len > 0;
	return rc;
}

static void check_jit(struct findings *findings)
{
	bool compiled = false;
	int rc = trial_is_compiled(&compiled);

	if (rc)
		finding_add(findings, FILTER_FINDING_WARNING, "jit", "",
			    "can not load a program to see whether it is compiled: %s",
			    strerror(-rc));
	else if (compiled)
		finding_add(findings, FILTER_FINDING_OK, "jit", "", "the BPF compiler is on");
	else
		finding_add(findings, FILTER_FINDING_PROBLEM, "jit",
			    "sysctl -w net.core.bpf_jit_enable=1",
			    "the BPF compiler is off: the filter is several times slower");
}

int filter_doctor(const char *pin_dir, const char *ifname, struct filter_finding *findings,
		  size_t max, size_t *ret_n)
{
	struct findings list = {.list = findings, .max = max};
	bool may_load;
	int rc = 0;

	libbpf_log_catch();
	may_load = check_capability(&list);
	check_kernel(&list, may_load);
	check_bpffs(pin_dir ? pin_dir : FILTER_PIN_DIR_DEFAULT, &list);
	check_btf(&list);
	if (may_load) {
		check_jit(&list);
		check_challenges(&list);
	}
	if (ifname)
		rc = doctor_interface(ifname, &list);
	if (!rc)
		*ret_n = list.n;
	return rc;
}
