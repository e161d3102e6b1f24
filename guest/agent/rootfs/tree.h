// Mounts as trees that hang nowhere yet: copied from their place, changed, and attached to another (mount_setattr(2), move_mount(2)).
// The kernel's header for them and the C library's <sys/mount.h> cannot be included together; whoever needs trees includes this.
#pragma once

#include <stdbool.h>
#include <stdint.h>

// Copies the mount at `path` (relative to `at`; "": `at` itself), with those below it if `recursive`. A descriptor or -errno.
int tree_copy(int at, const char *path, bool recursive);
int tree_attach(int tree, int target);

struct tree_change {
    uint64_t set, clear;  // MOUNT_ATTR_*
    uint64_t propagation; // MS_SHARED ... or 0: as it is
    bool recursive;
};
// Changes the mount that `tree` is the root of.
int tree_change(int tree, const struct tree_change *change);
// MOUNT_ATTR_* bits for mount(2)'s flags.
uint64_t tree_attributes(uint64_t flags);
