/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pin directory: maps under their names, and a link-IFINDEX for each interface we attached to.
 * A whole directory is exchanged at once, so that a kill leaves either the old set or the new one:
 *
 *	DIR-new	being filled, or just replaced: rubbish to the next command
 *	DIR-old	only on kernels without RENAME_EXCHANGE, for the moment between two renames
 *
 * Inside user/filter/ only.
 */
#ifndef SIPWARD_FILTER_PINS_H
#define SIPWARD_FILTER_PINS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct bpf_object;

struct pins {
	char dir[PATH_MAX - 64];
	int lock; /* held while open for change, else -1 */
};

/* Names the directory; touches nothing. -EINVAL: no absolute path, or too long. */
int pins_init(struct pins *pins, const char *dir, struct error *err);

/* Makes sure that the directory's parent is on a bpffs (mounting /sys/fs/bpf if need be), waits for
 * other processes that change pins there, and tidies what a killed one left. */
int pins_lock(struct pins *pins, struct error *err);
void pins_unlock(struct pins *pins);

/* Whether maps are pinned. */
bool pins_exist(const struct pins *pins);

/* A descriptor of the pinned map or link, or a negative errno. */
int pins_open(const struct pins *pins, const char *name);

/* Pins the object's maps in a new directory beside the present one, and there again the links that
 * the present one holds. Nothing else sees it until pins_swap. */
int pins_stage(const struct pins *pins, struct bpf_object *object, struct error *err);
/* Puts the staged set in the place of the present one (or of nothing). */
int pins_swap(const struct pins *pins, struct error *err);
/* Undoes pins_swap and removes the new set. */
void pins_swap_back(const struct pins *pins);
/* Removes the set that is not in place. */
void pins_unstage(const struct pins *pins);

/* Pins a link for the interface; replaces a pin whose interface is gone. -EEXIST: held by the same
 * index of another network namespace. */
int pins_link(const struct pins *pins, unsigned ifindex, int link_fd, struct error *err);
/* Removes the pins of links whose interface is gone, or that hold this program (0: none). Returns
 * how many links are left. */
unsigned pins_unlink(const struct pins *pins, uint32_t program_id);

/* Removes everything pinned in the directory, and the directory. */
void pins_remove(const struct pins *pins);

#endif
