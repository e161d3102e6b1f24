#include "rootfs/mounts.h"

#include "rootfs/copy-up.h"
#include "rootfs/path.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

// mount(2) by its number: the C library's header and the kernel's cannot be included together.
static int mount_here(const char *source, const char *type, uint64_t flags, const char *data) {
    return syscall(SYS_mount, source, ".", type, (unsigned long)flags, data) < 0 ? -errno : 0;
}

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

static const uint64_t PROPAGATION_FLAGS = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE | MS_REC;

static int clone_tree(int at, const char *path, bool recursive) {
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0) | (*path ? 0 : AT_EMPTY_PATH);
    long fd = syscall(SYS_open_tree, at, path, flags);
    return fd < 0 ? -errno : (int)fd;
}

static int attach_tree(int tree, int target) {
    unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    return syscall(SYS_move_mount, tree, "", target, "", flags) < 0 ? -errno : 0;
}

static int set_attributes(int tree, uint64_t attributes, bool recursive) {
    struct mount_attr change = {.attr_set = attributes};
    if (attributes & (MOUNT_ATTR_NOATIME | MOUNT_ATTR_STRICTATIME)) change.attr_clr = MOUNT_ATTR__ATIME;
    unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
    return syscall(SYS_mount_setattr, tree, "", flags, &change, sizeof change) < 0 ? -errno : 0;
}

static uint64_t attributes_of(uint64_t flags) {
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

static bool is_directory(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);
}

static int bind(int root, const message(Mount) *mount, struct failure *why) {
    const char *source = text_or_empty(mount->source), *destination = mount->destination;
    AUTO_CLOSE int tree = source[0] == '/' ? clone_tree(AT_FDCWD, source, mount->flags & MS_REC) : -EINVAL;
    if (tree < 0) return fail_errno(why, tree, "cannot bind %.80s", source);
    AUTO_CLOSE int target = is_directory(tree) ? path_make_directory(root, destination, 0755) : path_make_file(root, destination, 0644);
    if (target < 0) return fail_errno(why, target, "cannot make the mount point %.80s", destination);
    uint64_t attributes = attributes_of(mount->flags);
    int error = attributes ? set_attributes(tree, attributes, false) : 0;
    if (!error) error = attach_tree(tree, target);
    return error ? fail_errno(why, error, "cannot bind %.80s on %.80s", source, destination) : 0;
}

// A file system that starts with what lies below it must be writable until that is copied.
static int copy_up(int root, const message(Mount) *mount, int below, struct failure *why) {
    AUTO_CLOSE int above = path_open(root, mount->destination, O_PATH | O_DIRECTORY, 0);
    int error = above < 0 ? above : copy_up_tree(below, above);
    if (!error && (mount->flags & MS_RDONLY)) {
        error = fchdir(above) < 0 ? -errno : mount_here(NULL, NULL, MS_REMOUNT | MS_BIND | mount->flags, NULL);
    }
    return error ? fail_errno(why, error, "cannot copy what is at %.80s into the mount", mount->destination) : 0;
}

static int mount_file_system(int root, const message(Mount) *mount, struct failure *why) {
    uint64_t flags = mount->flags & ~PROPAGATION_FLAGS;
    AUTO_CLOSE int target = path_make_directory(root, mount->destination, 0755);
    if (target < 0) return fail_errno(why, target, "cannot make the mount point %.80s", mount->destination);
    if (mount->copy_up) flags &= ~(uint64_t)MS_RDONLY;
    int error = fchdir(target) < 0 ? -errno : mount_here(text_or_empty(mount->source), mount->type, flags, mount->data);
    if (error) return fail_errno(why, error, "cannot mount %.32s on %.80s", mount->type, mount->destination);
    return mount->copy_up ? copy_up(root, mount, target, why) : 0;
}

static int propagate(int root, const message(Mount) *mount, struct failure *why) {
    AUTO_CLOSE int top = path_open(root, mount->destination, O_PATH, 0);
    int error = top < 0 ? top : 0;
    struct mount_attr change = {.propagation = mount->propagation & ~(uint64_t)MS_REC};
    unsigned flags = AT_EMPTY_PATH | (mount->propagation & MS_REC ? AT_RECURSIVE : 0);
    if (!error && syscall(SYS_mount_setattr, top, "", flags, &change, sizeof change) < 0) error = -errno;
    return error ? fail_errno(why, error, "cannot change the propagation of %.80s", mount->destination) : 0;
}

int mounts_apply(int root, const message(Mount) *mount, struct failure *why) {
    const char *type = text_or_empty(mount->type);
    if (text_or_empty(mount->destination)[0] != '/') {
        return fail(why, STATUS_INVALID_ARGUMENT, "a mount's destination must be absolute");
    }
    bool is_bind = !type[0] || strcmp(type, "bind") == 0 || (mount->flags & MS_BIND);
    int error = is_bind ? bind(root, mount, why) : mount_file_system(root, mount, why);
    return error || !mount->propagation ? error : propagate(root, mount, why);
}

int mounts_move(int root, int from, const char *path, struct failure *why) {
    AUTO_CLOSE int mounted = path_open(from, path, O_PATH | O_DIRECTORY, 0);
    AUTO_CLOSE int target = mounted < 0 ? mounted : path_make_directory(root, path, 0755);
    int error = target < 0 ? target : attach_tree(mounted, target);
    return error ? fail_errno(why, error, "cannot make the mount point %.80s", path) : 0;
}

int mounts_bind_over(int target, const char *source) {
    AUTO_CLOSE int tree = clone_tree(AT_FDCWD, source, false);
    return tree < 0 ? tree : attach_tree(tree, target);
}

int mounts_mask(int root, const char *path, struct failure *why) {
    AUTO_CLOSE int target = path_open(root, path, O_PATH, 0);
    if (target == -ENOENT || target == -ENOTDIR) return 0;
    int error = target < 0 ? target : 0;
    if (!error && !is_directory(target)) error = mounts_bind_over(target, "/dev/null");
    else if (!error) error = fchdir(target) < 0 ? -errno : mount_here("tmpfs", "tmpfs", MS_RDONLY, "size=0");
    return error ? fail_errno(why, error, "cannot mask %.80s", path) : 0;
}

int mounts_make_read_only(int root, const char *path, struct failure *why) {
    AUTO_CLOSE int target = path_open(root, path, O_PATH, 0);
    if (target == -ENOENT || target == -ENOTDIR) return 0;
    AUTO_CLOSE int tree = target < 0 ? target : clone_tree(target, "", true);
    int error = tree < 0 ? tree : set_attributes(tree, MOUNT_ATTR_RDONLY, true);
    if (!error) error = attach_tree(tree, target);
    return error ? fail_errno(why, error, "cannot make %.80s read-only", path) : 0;
}
