#include "rootfs/copy-up.h"

#include "base/base.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

enum { DEPTH_LIMIT = 64 };

struct level {
    DIR *from;
    int to;
};

static int copy_bytes(int in, int out) {
    for (;;) {
        ssize_t count = sendfile(out, in, NULL, 1 << 20);
        if (count == 0) return 0;
        if (count < 0 && errno != EINTR) return -errno;
    }
}

static int copy_file(int from, int to, const char *name, mode_t mode) {
    AUTO_CLOSE int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0) return -errno;
    AUTO_CLOSE int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0777);
    return out < 0 ? -errno : copy_bytes(in, out);
}

static int copy_link(int from, int to, const char *name) {
    char target[PATH_MAX];
    ssize_t length = readlinkat(from, name, target, sizeof target - 1);
    if (length < 0) return -errno;
    target[length] = '\0';
    return symlinkat(target, to, name) < 0 ? -errno : 0;
}

// Owner first: chown clears the bits that chmod sets.
static int copy_owner_and_mode(int to, const char *name, const struct stat *status) {
    if (fchownat(to, name, status->st_uid, status->st_gid, AT_SYMLINK_NOFOLLOW) < 0) return -errno;
    if (S_ISLNK(status->st_mode)) return 0;
    return fchmodat(to, name, status->st_mode & 07777, 0) < 0 ? -errno : 0;
}

static int copy_entry(int from, int to, const char *name, const struct stat *status) {
    int error;
    switch (status->st_mode & S_IFMT) {
    case S_IFDIR: error = mkdirat(to, name, 0700) < 0 ? -errno : 0; break;
    case S_IFREG: error = copy_file(from, to, name, status->st_mode); break;
    case S_IFLNK: error = copy_link(from, to, name); break;
    case S_IFSOCK: return 0; // worth nothing without its listener
    default: error = mknodat(to, name, status->st_mode, status->st_rdev) < 0 ? -errno : 0;
    }
    return error ? error : copy_owner_and_mode(to, name, status);
}

static int push(struct level *levels, size_t *depth, int from, const char *name, int to) {
    if (*depth == DEPTH_LIMIT) return -ELOOP;
    int source = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (source < 0) return -errno;
    DIR *directory = fdopendir(source);
    int target = openat(to, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (!directory || target < 0) {
        int error = -errno;
        if (directory) closedir(directory);
        else close(source);
        close_scoped(&target);
        return error;
    }
    levels[(*depth)++] = (struct level){directory, target};
    return 0;
}

static int copy_next(struct level *levels, size_t *depth) {
    struct level *level = &levels[*depth - 1];
    struct dirent *entry = readdir(level->from);
    if (!entry) {
        closedir(level->from);
        close(level->to);
        (*depth)--;
        return 0;
    }
    const char *name = entry->d_name;
    struct stat status;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return 0;
    if (fstatat(dirfd(level->from), name, &status, AT_SYMLINK_NOFOLLOW) < 0) return -errno;
    int error = copy_entry(dirfd(level->from), level->to, name, &status);
    if (error || !S_ISDIR(status.st_mode)) return error;
    return push(levels, depth, dirfd(level->from), name, level->to);
}

int copy_up_tree(int from, int to) {
    struct level levels[DEPTH_LIMIT];
    struct stat status;
    size_t depth = 0;
    int error = fstat(from, &status) < 0 ? -errno : 0;
    if (!error && fchownat(to, "", status.st_uid, status.st_gid, AT_EMPTY_PATH) < 0) error = -errno;
    if (!error && fchmodat(to, ".", status.st_mode & 07777, 0) < 0) error = -errno;
    if (!error) error = push(levels, &depth, from, ".", to);
    while (!error && depth > 0) error = copy_next(levels, &depth);
    while (depth > 0) {
        depth--;
        closedir(levels[depth].from);
        close(levels[depth].to);
    }
    return error;
}
