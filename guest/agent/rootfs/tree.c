#include "rootfs/tree.h"

#include "base/base.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

int tree_copy(int at, const char *path, bool recursive) {
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0) | (*path ? 0 : AT_EMPTY_PATH);
    long fd = syscall(SYS_open_tree, at, path, flags);
    return fd < 0 ? -errno : (int)fd;
}

int tree_attach(int tree, int target) {
    unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    return syscall(SYS_move_mount, tree, "", target, "", flags) < 0 ? -errno : 0;
}

int tree_change(int tree, const struct tree_change *change) {
    struct mount_attr attributes = {.attr_set = change->set, .attr_clr = change->clear, .propagation = change->propagation};
    // The ways of keeping access times exclude each other: the kernel wants them cleared together.
    if ((change->set | change->clear) & MOUNT_ATTR__ATIME) attributes.attr_clr |= MOUNT_ATTR__ATIME;
    unsigned flags = AT_EMPTY_PATH | (change->recursive ? AT_RECURSIVE : 0);
    return syscall(SYS_mount_setattr, tree, "", flags, &attributes, sizeof attributes) < 0 ? -errno : 0;
}

uint64_t tree_attributes(uint64_t flags) {
    static const struct { uint64_t flag, attribute; } table[] = {
        {MS_RDONLY, MOUNT_ATTR_RDONLY},       {MS_NOSUID, MOUNT_ATTR_NOSUID},
        {MS_NODEV, MOUNT_ATTR_NODEV},         {MS_NOEXEC, MOUNT_ATTR_NOEXEC},
        {MS_NOATIME, MOUNT_ATTR_NOATIME},     {MS_NODIRATIME, MOUNT_ATTR_NODIRATIME},
        {MS_STRICTATIME, MOUNT_ATTR_STRICTATIME}, {MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW},
    };
    uint64_t attributes = 0;
    for (size_t i = 0; i < COUNT(table); i++) {
        if (flags & table[i].flag) attributes |= table[i].attribute;
    }
    return attributes;
}
