/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "filter/features.h"
#include "filter/filter.h"
#include "filter/findings.h"
#include "filter/libbpf_log.h"

#define BPFFS "/sys/fs/bpf"
#define JIT_SWITCH "/proc/sys/net/core/bpf_jit_enable"
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

static void check_jit(struct findings *findings)
{
	FILE *file = fopen(JIT_SWITCH, "re");
	int value = -1;

	if (file && fscanf(file, "%d", &value) != 1)
		value = -1;
	if (file)
		fclose(file);
	if (value == 0)
		finding_add(findings, FILTER_FINDING_PROBLEM, "jit",
			    "sysctl -w net.core.bpf_jit_enable=1",
			    "the BPF compiler is off: the filter is several times slower");
	else if (value > 0)
		finding_add(findings, FILTER_FINDING_OK, "jit", "", "the BPF compiler is on");
	else
		finding_add(findings, FILTER_FINDING_WARNING, "jit", "",
			    "can not read " JIT_SWITCH ": %s", strerror(errno));
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
	check_jit(&list);
	if (ifname)
		rc = doctor_interface(ifname, &list);
	if (!rc)
		*ret_n = list.n;
	return rc;
}
