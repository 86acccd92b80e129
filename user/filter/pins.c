/* SPDX-License-Identifier: BSD-2-Clause */
#include "filter/pins.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define BPFFS "/sys/fs/bpf"
#define LINK_PREFIX "link-"

static void path_of(const struct pins *pins, const char *suffix, const char *name,
		    char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s%s%s%.48s", pins->dir, suffix, *name ? "/" : "", name);
}

int pins_init(struct pins *pins, const char *dir, struct error *err)
{
	size_t n = strlen(dir);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	if (dir[0] != '/' || n < 2 || n >= sizeof(pins->dir))
		return error_set(err, -EINVAL,
				 "pin directory \"%s\": must be an absolute path of at most %zu "
				 "bytes on a bpffs, such as " BPFFS "/sipward",
				 dir, sizeof(pins->dir) - 1);
	*pins = (struct pins){.lock = -1};
	memcpy(pins->dir, dir, n);
	return 0;
}

static void parent_of(const struct pins *pins, char parent[PATH_MAX])
{
	snprintf(parent, PATH_MAX, "%s", pins->dir);
	*strrchr(parent, '/') = '\0';
}

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && fs.f_type == BPF_FS_MAGIC;
}

static int ensure_bpffs(const char *parent, struct error *err)
{
	if (is_bpffs(parent))
		return 0;
	if (!strcmp(parent, BPFFS)) {
		if (!mount("bpf", BPFFS, "bpf", 0, "mode=0700"))
			return 0;
		if (errno == EPERM)
			return error_set(err, -EPERM,
					 "no bpffs on " BPFFS ", and mounting it is not permitted: "
					 "as root, mount -t bpf bpf " BPFFS);
		return error_set(err, -ENOENT, "no bpffs on " BPFFS ": mount -t bpf bpf " BPFFS);
	}
	return error_set(err, -ENOENT,
			 "pin directory: %s is not on a bpffs: mount -t bpf bpf " BPFFS
			 ", and name a directory under it",
			 *parent ? parent : "/");
}

static void remove_dir(const struct pins *pins, const char *suffix)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	path_of(pins, suffix, "", path);
	dir = opendir(path);
	if (!dir)
		return;
	while ((entry = readdir(dir)))
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	rmdir(path);
}

/* A set that was moved aside and never replaced goes back; what was half made goes. */
static void recover(const struct pins *pins)
{
	char old[PATH_MAX];

	path_of(pins, "-old", "", old);
	if (access(pins->dir, F_OK) && !access(old, F_OK))
		rename(old, pins->dir);
	remove_dir(pins, "-new");
	remove_dir(pins, "-old");
}

int pins_lock(struct pins *pins, struct error *err)
{
	char parent[PATH_MAX];
	int rc;

	parent_of(pins, parent);
	rc = ensure_bpffs(parent, err);
	if (rc)
		return rc;
	pins->lock = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (pins->lock < 0 || flock(pins->lock, LOCK_EX)) {
		rc = -errno;
		pins_unlock(pins);
		return error_set(err, rc, "pin directory: can not lock %s: %s", parent,
				 strerror(-rc));
	}
	recover(pins);
	return 0;
}

void pins_unlock(struct pins *pins)
{
	if (pins->lock >= 0)
		close(pins->lock);
	pins->lock = -1;
}

int pins_open(const struct pins *pins, const char *name)
{
	char path[PATH_MAX];

	path_of(pins, "", name, path);
	return bpf_obj_get(path);
}

bool pins_exist(const struct pins *pins)
{
	char path[PATH_MAX];

	path_of(pins, "", "settings", path);
	return !access(path, F_OK);
}

static int pin(const struct pins *pins, const char *suffix, const char *name, int fd,
	       struct error *err)
{
	char path[PATH_MAX];
	int rc;

	path_of(pins, suffix, name, path);
	rc = bpf_obj_pin(fd, path);
	return rc ? error_set(err, rc, "can not pin %s: %s", path, strerror(-rc)) : 0;
}

static int stage_maps(const struct pins *pins, struct bpf_object *object, struct error *err)
{
	struct bpf_map *map;
	int rc = 0;

	bpf_object__for_each_map(map, object)
	{
		/* .rodata and the like: a bpffs takes no dots in names, nobody looks for them. */
		if (bpf_map__is_internal(map))
			continue;
		rc = pin(pins, "-new", bpf_map__name(map), bpf_map__fd(map), err);
		if (rc)
			return rc;
	}
	return 0;
}

/* Calls visit for each pinned link; it may remove the pin. */
static int each_link(const struct pins *pins,
		     int (*visit)(const struct pins *pins, const char *name, void *arg), void *arg)
{
	struct dirent *entry;
	int rc = 0;
	DIR *dir = opendir(pins->dir);

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while (!rc && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, LINK_PREFIX, strlen(LINK_PREFIX)))
			rc = visit(pins, entry->d_name, arg);
	closedir(dir);
	return rc;
}

static int stage_link(const struct pins *pins, const char *name, void *err)
{
	int fd = pins_open(pins, name);
	int rc;

	if (fd < 0)
		return error_set(err, fd, "can not open %s/%s: %s", pins->dir, name, strerror(-fd));
	rc = pin(pins, "-new", name, fd, err);
	close(fd);
	return rc;
}

int pins_stage(const struct pins *pins, struct bpf_object *object, struct error *err)
{
	char path[PATH_MAX];
	int rc;

	path_of(pins, "-new", "", path);
	if (mkdir(path, 0700))
		return error_set(err, -errno, "can not create %s: %s", path, strerror(errno));
	rc = stage_maps(pins, object, err);
	if (!rc)
		rc = each_link(pins, stage_link, err);
	if (rc)
		pins_unstage(pins);
	return rc;
}

/* Kernels before 5.17 can not exchange on a bpffs. The old set steps aside for a moment; a command
 * that comes in it finds the maps through the attached program. */
static int swap_by_steps(const char *dir, const char *new, const char *old)
{
	if (rename(dir, old))
		return -errno;
	if (rename(new, dir)) {
		int rc = -errno;

		rename(old, dir);
		return rc;
	}
	return rename(old, new) ? -errno : 0;
}

int pins_swap(const struct pins *pins, struct error *err)
{
	char new[PATH_MAX], old[PATH_MAX];
	int rc = 0;

	path_of(pins, "-new", "", new);
	path_of(pins, "-old", "", old);
	if (access(pins->dir, F_OK)) {
		if (rename(new, pins->dir))
			rc = -errno;
	} else if (renameat2(AT_FDCWD, new, AT_FDCWD, pins->dir, RENAME_EXCHANGE)) {
		rc = errno == EINVAL ? swap_by_steps(pins->dir, new, old) : -errno;
	}
	return rc ? error_set(err, rc, "can not put %s in place: %s", new, strerror(-rc)) : 0;
}

void pins_swap_back(const struct pins *pins)
{
	char former[PATH_MAX];

	path_of(pins, "-new", "", former);
	if (access(former, F_OK))
		pins_remove(pins);
	else if (!pins_swap(pins, NULL))
		pins_unstage(pins);
}

void pins_unstage(const struct pins *pins)
{
	remove_dir(pins, "-new");
}

static void unpin(const struct pins *pins, const char *name)
{
	char path[PATH_MAX];

	path_of(pins, "", name, path);
	unlink(path);
}

static bool link_read(const struct pins *pins, const char *name, struct bpf_link_info *ret_info)
{
	struct bpf_link_info info = {0};
	__u32 size = sizeof(info);
	int fd = pins_open(pins, name);
	int rc;

	if (fd < 0)
		return false;
	rc = bpf_obj_get_info_by_fd(fd, &info, &size);
	close(fd);
	*ret_info = info;
	return !rc;
}

struct unlink_context {
	uint32_t program_id;
	unsigned left;
};

static int unlink_visit(const struct pins *pins, const char *name, void *arg)
{
	struct unlink_context *context = arg;
	struct bpf_link_info info;

	if (!link_read(pins, name, &info) || !info.xdp.ifindex ||
	    (context->program_id && info.prog_id == context->program_id))
		unpin(pins, name);
	else
		context->left++;
	return 0;
}

unsigned pins_unlink(const struct pins *pins, uint32_t program_id)
{
	struct unlink_context context = {.program_id = program_id};

	each_link(pins, unlink_visit, &context);
	return context.left;
}

int pins_link(const struct pins *pins, unsigned ifindex, int link_fd, struct error *err)
{
	struct bpf_link_info info = {0}, pinned = {0};
	__u32 size = sizeof(info);
	char name[32];

	snprintf(name, sizeof(name), LINK_PREFIX "%u", ifindex);
	if (bpf_obj_get_info_by_fd(link_fd, &info, &size))
		return error_set(err, -errno, "can not read the link: %s", strerror(errno));
	if (link_read(pins, name, &pinned)) {
		if (pinned.id == info.id)
			return 0;
		if (pinned.xdp.ifindex)
			return error_set(err, -EEXIST,
					 "%s/%s belongs to an interface of another network "
					 "namespace: use another --pin-dir",
					 pins->dir, name);
		unpin(pins, name);
	}
	return pin(pins, "", name, link_fd, err);
}

void pins_remove(const struct pins *pins)
{
	remove_dir(pins, "");
}
