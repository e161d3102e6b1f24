#include "rootfs/path.h"

#include "base/base.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

// As many as the kernel follows.
enum { LINKS_LIMIT = 40 };

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

// Makes what is missing of `path`, which is writable. -ENOENT: what it names up to `*end` is a link to nothing.
static int make_each(int root, char *path, mode_t mode, size_t *end) {
    size_t length = strlen(path), at = 0;
    int fd = open_directory(root, "/");
    while (fd >= 0 && at < length) {
        while (path[at] == '/') at++;
        if (at == length) break;
        while (at < length && path[at] != '/') at++;
        int next = make_prefix(root, path, at, fd, mode);
        close(fd);
        fd = next;
    }
    *end = at;
    return fd;
}

// Writes what the link says in the place of its name, which ends at `end`. `path` has room for PATH_MAX bytes.
static int replace_link(int root, char *path, size_t end) {
    char followed[PATH_MAX], target[PATH_MAX];
    size_t name = end;
    while (name > 0 && path[name - 1] != '/') name--;
    memcpy(followed, path, name);
    followed[name] = '\0';
    AUTO_CLOSE int parent = open_directory(root, followed);
    if (parent < 0) return parent;
    char saved = path[end];
    path[end] = '\0';
    ssize_t size = readlinkat(parent, path + name, target, sizeof target - 1);
    path[end] = saved;
    if (size < 0) return errno == EINVAL ? -ENOENT : -errno;
    target[size] = '\0';
    int length = snprintf(followed + (target[0] == '/' ? 0 : name), PATH_MAX - name, "%s%s", target, path + end);
    if (length < 0 || (size_t)length >= PATH_MAX - name) return -ENAMETOOLONG;
    strcpy(path, followed);
    return 0;
}

int path_make_directory(int root, const char *path, mode_t mode) {
    char copy[PATH_MAX];
    size_t length = strnlen(path, sizeof copy), end;
    int fd = open_directory(root, path);
    if (fd != -ENOENT) return fd;
    if (length >= sizeof copy) return -ENAMETOOLONG;
    memcpy(copy, path, length + 1);
    for (int links = 0; links < LINKS_LIMIT; links++) {
        fd = make_each(root, copy, mode, &end);
        int error = fd == -ENOENT ? replace_link(root, copy, end) : 0;
        if (fd != -ENOENT || error) return error ? error : fd;
    }
    return -ELOOP;
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

// -EEXIST: there is a link to nothing.
static int make_file(int root, const char *path, mode_t mode) {
    const char *name;
    AUTO_CLOSE int parent = path_make_parent(root, path, &name);
    if (parent < 0) return parent;
    AUTO_CLOSE int file = openat(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, mode);
    return file < 0 ? -errno : path_open(root, path, O_PATH, 0);
}

int path_make_file(int root, const char *path, mode_t mode) {
    char copy[PATH_MAX];
    size_t length = strnlen(path, sizeof copy);
    int fd = path_open(root, path, O_PATH, 0);
    if (fd != -ENOENT) return fd;
    if (length >= sizeof copy) return -ENAMETOOLONG;
    memcpy(copy, path, length + 1);
    for (int links = 0; links < LINKS_LIMIT; links++) {
        fd = make_file(root, copy, mode);
        int error = fd == -EEXIST ? replace_link(root, copy, strlen(copy)) : 0;
        if (fd != -EEXIST || error) return error ? error : fd;
    }
    return -ELOOP;
}
