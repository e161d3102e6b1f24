#include "rootfs/devices.h"

#include "rootfs/mounts.h"
#include "rootfs/path.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

// Where no node can be made, as in many a shared folder, the guest's own of the same name and numbers takes its place: it is bound on
// an empty file, which stays for the next time.
static int bind_own(int parent, const char *name, const message(DeviceNode) *node) {
    char own[NAME_MAX + 8];
    struct stat status;
    snprintf(own, sizeof own, "/dev/%s", name);
    if (stat(own, &status) < 0 || (status.st_mode & S_IFMT) != node->type || status.st_rdev != makedev(node->major, node->minor)) return -ENODEV;
    AUTO_CLOSE int made = openat(parent, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (made < 0) return -errno;
    AUTO_CLOSE int place = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return place < 0 ? -errno : mounts_bind_over(place, own);
}

// 1: the node is there. 0: something can be bound on the file of this name. -errno
static int judge_present(int parent, const char *name, const message(DeviceNode) *node) {
    struct stat status;
    if (fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) < 0) return -errno;
    if (S_ISREG(status.st_mode) && status.st_size == 0) return 0;
    return (status.st_mode & S_IFMT) == node->type && status.st_rdev == makedev(node->major, node->minor) ? 1 : -EEXIST;
}

static int make_node(int parent, const char *name, const message(DeviceNode) *node) {
    if (node->type != S_IFCHR && node->type != S_IFBLK && node->type != S_IFIFO) return -EINVAL;
    if (mknodat(parent, name, node->type | (node->mode & 07777), makedev(node->major, node->minor)) < 0) {
        int present = errno == EEXIST ? judge_present(parent, name, node) : errno == ENXIO || errno == EPERM ? 0 : -errno;
        if (present < 0) return present;
        if (present == 0) return bind_own(parent, name, node);
    }
    if ((node->uid || node->gid) && fchownat(parent, name, node->uid, node->gid, AT_SYMLINK_NOFOLLOW) < 0) return -errno;
    return 0;
}

int devices_make(int root, const message(DeviceNode) *nodes, size_t count, struct failure *why) {
    AUTO_CLOSE int parent = -1;
    const char *previous = "";
    size_t previous_length = 0;
    for (size_t i = 0; i < count; i++) {
        const char *path = text_or_empty(nodes[i].path), *slash = strrchr(path, '/');
        const char *name = slash ? slash + 1 : path;
        size_t length = (size_t)(name - path);
        // Nodes of one directory mostly come together.
        if (parent < 0 || length != previous_length || strncmp(path, previous, length) != 0) {
            close_and_forget(&parent);
            parent = path_make_parent(root, path, &name);
            previous = path;
            previous_length = length;
        }
        int error = parent < 0 ? parent : make_node(parent, name, &nodes[i]);
        if (error) return fail_errno(why, error, "cannot make the device %.80s", path);
    }
    return 0;
}

int devices_make_links(int root, struct failure *why) {
    static const char *const links[][2] = {
        {"pts/ptmx", "ptmx"},           {"/proc/self/fd", "fd"},        {"/proc/self/fd/0", "stdin"},
        {"/proc/self/fd/1", "stdout"},  {"/proc/self/fd/2", "stderr"},
    };
    AUTO_CLOSE int dev = path_make_directory(root, "/dev", 0755);
    if (dev < 0) return fail_errno(why, dev, "cannot open /dev");
    for (size_t i = 0; i < COUNT(links); i++) {
        if (symlinkat(links[i][0], dev, links[i][1]) < 0 && errno != EEXIST) {
            return fail_errno(why, errno, "cannot make /dev/%s", links[i][1]);
        }
    }
    return 0;
}
