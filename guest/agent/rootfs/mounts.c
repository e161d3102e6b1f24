#include "rootfs/mounts.h"

#include "rootfs/borrow.h"
#include "rootfs/copy-up.h"
#include "rootfs/path.h"
#include "rootfs/share.h"
#include "rootfs/tree.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

// mount(2) by its number: the C library's header and the kernel's cannot be included together.
static int mount_here(const char *source, const char *type, uint64_t flags, const char *data) {
    return syscall(SYS_mount, source, ".", type, (unsigned long)flags, data) < 0 ? -errno : 0;
}

static const uint64_t PROPAGATION_FLAGS = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE | MS_REC;

// Without asking the file system, which may be the host's.
static bool is_directory(int fd) {
    AUTO_CLOSE int itself = openat(fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return itself >= 0;
}

// Only what the host shares, or another container lends, can be bound: all else is the agent's.
static int open_source(const char *source) {
    if (strcmp(source, BORROWED_SHM) == 0) return borrow_open_shm();
    const char *path = share_relative(source);
    return path ? share_open(path) : -EPERM;
}

static int bind(int root, const message(Mount) *mount, struct failure *why) {
    const char *source = text_or_empty(mount->source), *destination = mount->destination;
    AUTO_CLOSE int found = open_source(source);
    AUTO_CLOSE int tree = found < 0 ? found : tree_copy(found, "", mount->flags & MS_REC);
    if (tree < 0) return fail_errno(why, tree, "cannot bind %.80s", source);
    AUTO_CLOSE int target = is_directory(tree) ? path_make_directory(root, destination, 0755) : path_make_file(root, destination, 0644);
    if (target < 0) return fail_errno(why, target, "cannot make the mount point %.80s", destination);
    struct tree_change change = {.set = tree_attributes(mount->flags)};
    int error = change.set ? tree_change(tree, &change) : 0;
    if (!error) error = tree_attach(tree, target);
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

// What is said about a mount once it is there: flags of all mounts below it, and propagation.
static int adjust(int root, const message(Mount) *mount, struct failure *why) {
    struct tree_change attributes = {.set = mount->recursive_set, .clear = mount->recursive_clear, .recursive = true};
    struct tree_change propagation = {.propagation = mount->propagation & ~(uint64_t)MS_REC, .recursive = mount->propagation & MS_REC};
    if (!attributes.set && !attributes.clear && !propagation.propagation) return 0;
    AUTO_CLOSE int top = path_open(root, mount->destination, O_PATH, 0);
    int error = top < 0 ? top : 0;
    if (!error && (attributes.set || attributes.clear)) error = tree_change(top, &attributes);
    if (!error && propagation.propagation) error = tree_change(top, &propagation);
    return error ? fail_errno(why, error, "cannot change the mount %.80s", mount->destination) : 0;
}

// What a mount may be changed to: all that the flags can say.
static const uint64_t CHANGEABLE = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NODIRATIME | MS_NOSYMFOLLOW;

static int remount(int root, const message(Mount) *mount, struct failure *why) {
    AUTO_CLOSE int top = path_open(root, mount->destination, O_PATH, 0);
    int error = top < 0 ? top : 0;
    if (!error && (mount->flags & MS_BIND)) {
        struct tree_change change = {.set = tree_attributes(mount->flags), .clear = tree_attributes(CHANGEABLE & ~mount->flags)};
        error = tree_change(top, &change);
    } else if (!error) {
        error = fchdir(top) < 0 ? -errno : mount_here(NULL, NULL, mount->flags & ~PROPAGATION_FLAGS, mount->data);
    }
    return error ? fail_errno(why, error, "cannot remount %.80s", mount->destination) : 0;
}

int mounts_apply(int root, const message(Mount) *mount, struct failure *why) {
    const char *type = text_or_empty(mount->type);
    if (text_or_empty(mount->destination)[0] != '/') {
        return fail(why, STATUS_INVALID_ARGUMENT, "a mount's destination must be absolute");
    }
    if (mount->flags & MS_REMOUNT) return remount(root, mount, why) ? -EINVAL : adjust(root, mount, why);
    bool is_bind = !type[0] || strcmp(type, "bind") == 0 || (mount->flags & MS_BIND);
    int error = is_bind ? bind(root, mount, why) : mount_file_system(root, mount, why);
    return error ? error : adjust(root, mount, why);
}

int mounts_move(int root, int from, const char *path, struct failure *why) {
    AUTO_CLOSE int mounted = path_open(from, path, O_PATH | O_DIRECTORY, 0);
    AUTO_CLOSE int target = mounted < 0 ? mounted : path_make_directory(root, path, 0755);
    int error = target < 0 ? target : tree_attach(mounted, target);
    return error ? fail_errno(why, error, "cannot make the mount point %.80s", path) : 0;
}

int mounts_bind_over(int target, const char *source) {
    AUTO_CLOSE int tree = tree_copy(AT_FDCWD, source, false);
    return tree < 0 ? tree : tree_attach(tree, target);
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
    AUTO_CLOSE int tree = target < 0 ? target : tree_copy(target, "", true);
    struct tree_change change = {.set = MOUNT_ATTR_RDONLY, .recursive = true};
    int error = tree < 0 ? tree : tree_change(tree, &change);
    if (!error) error = tree_attach(tree, target);
    return error ? fail_errno(why, error, "cannot make %.80s read-only", path) : 0;
}
