#include "rootfs/path.h"

#include "base/base.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int path_open(int root, const char *path, uint64_t flags, mode_t mode) {
    struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    long fd = syscall(SYS_openat2, root, path, &how, sizeof how);
    return fd < 0 ? -errno : (int)fd;
}

bool path_is_below(const char *path, const char *above) {
    size_t length = strlen(above);
    return strncmp(path, above, length) == 0 && path[length] == '/';
}

static int open_directory(int root, const char *path) {
    return path_open(root, path[0] ? path : ".", O_PATH | O_DIRECTORY, 0);
}

// Makes the directory that `path` up to `end` names; all before its last component is there. `path` is writable.
static int make_prefix(int root, char *path, size_t end, int parent, mode_t mode) {
    char saved = path[end];
    path[end] = '\0';
    int fd = open_directory(root, path);
    if (fd == -ENOENT) {
        char *slash = strrchr(path, '/');
        int made = mkdirat(parent, slash ? slash + 1 : path, mode);
        fd = made < 0 && errno != EEXIST ? -errno : open_directory(root, path);
    }
    path[end] = saved;
    return fd;
}

int path_make_directory(int root, const char *path, mode_t mode) {
    char copy[PATH_MAX];
    size_t length = strnlen(path, sizeof copy);
    int fd = open_directory(root, path);
    if (fd != -ENOENT) return fd;
    if (length >= sizeof copy) return -ENAMETOOLONG;
    memcpy(copy, path, length + 1);
    fd = open_directory(root, "/");
    for (size_t end = 0; fd >= 0 && end < length;) {
        while (copy[end] == '/') end++;
        if (end == length) break;
        while (end < length && copy[end] != '/') end++;
        int next = make_prefix(root, copy, end, fd, mode);
        close(fd);
        fd = next;
    }
    return fd;
}

int path_make_parent(int root, const char *path, const char **name) {
    char copy[PATH_MAX];
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    size_t length = (size_t)(*name - path);
    if (length >= sizeof copy || strlen(*name) > NAME_MAX) return -ENAMETOOLONG;
    if (!**name || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0) return -EINVAL;
    memcpy(copy, path, length);
    copy[length] = '\0';
    return path_make_directory(root, copy, 0755);
}

int path_make_file(int root, const char *path, mode_t mode) {
    int fd = path_open(root, path, O_PATH, 0);
    if (fd != -ENOENT) return fd;
    const char *name;
    AUTO_CLOSE int parent = path_make_parent(root, path, &name);
    if (parent < 0) return parent;
    AUTO_CLOSE int file = openat(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, mode);
    if (file < 0) return -errno;
    return path_open(root, path, O_PATH, 0);
}
