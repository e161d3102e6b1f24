#include "rootfs/upper.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

// Of a directory that the layer does not have.
enum { MISSING_MODE = 0755 };

static int write_all(int fd, struct span content) {
    for (size_t done = 0; done < content.size;) {
        ssize_t count = write(fd, content.data + done, content.size - done);
        if (count < 0 && errno != EINTR) return -errno;
        if (count > 0) done += (size_t)count;
    }
    return 0;
}

int upper_fill(int fd, const message(InjectedFile) *file) {
    struct stat status;
    int error = write_all(fd, file->content);
    if (!error && fstat(fd, &status) < 0) error = -errno;
    bool owned = !error && status.st_uid == file->uid && status.st_gid == file->gid;
    if (!error && !owned && fchown(fd, file->uid, file->gid) < 0) error = -errno;
    // After a change of owner anew: it clears the bits that make a program run as somebody else.
    bool has_mode = owned && (status.st_mode & 07777) == (file->mode & 07777);
    if (!error && !has_mode && fchmod(fd, file->mode & 07777) < 0) error = -errno;
    return error;
}

// Splits "/etc/hosts". False for a path that is deeper, or not even that deep.
static bool split(const char *path, char directory[NAME_MAX + 1], const char **name) {
    if (path[0] != '/') return false;
    const char *slash = strchr(path + 1, '/');
    size_t length = slash ? (size_t)(slash - path) - 1 : 0;
    if (length == 0 || length > NAME_MAX || !slash[1] || strchr(slash + 1, '/')) return false;
    memcpy(directory, path + 1, length);
    directory[length] = '\0';
    *name = slash + 1;
    return strcmp(directory, ".") != 0 && strcmp(directory, "..") != 0 && strcmp(*name, ".") != 0 && strcmp(*name, "..") != 0;
}

// A directory without anything that a copy would have to carry along. -ENOENT: there is nothing of this name.
static int open_plain_directory(int lower, const char *name, struct stat *status) {
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    int fd = (int)syscall(SYS_openat2, lower, name, &how, sizeof how);
    if (fd < 0) return -errno;
    if (fstat(fd, status) == 0 && flistxattr(fd, NULL, 0) == 0) return fd;
    close(fd);
    return -EPERM;
}

// A symbolic link would have to be followed, a directory refused: the overlay knows how.
static bool is_replaceable(int directory, const char *name) {
    struct stat status;
    return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) < 0 ? errno == ENOENT : S_ISREG(status.st_mode);
}

// The layer's directory, again: without contents the two are merged.
static int make_directory(int upper, const char *name, const struct stat *like) {
    if (mkdirat(upper, name, like->st_mode & 07777) < 0) return errno == EEXIST ? 0 : -errno;
    if ((like->st_uid || like->st_gid) && fchownat(upper, name, like->st_uid, like->st_gid, AT_SYMLINK_NOFOLLOW) < 0) return -errno;
    return 0;
}

int upper_write(int upper, int lower, const message(InjectedFile) *file) {
    char directory[NAME_MAX + 1];
    const char *name;
    struct stat status = {.st_mode = MISSING_MODE};
    if (!split(text_or_empty(file->path), directory, &name)) return 0;
    AUTO_CLOSE int below = open_plain_directory(lower, directory, &status);
    if (below < 0 ? below != -ENOENT : !is_replaceable(below, name)) return 0;
    int error = make_directory(upper, directory, &status);
    if (error) return error;
    AUTO_CLOSE int above = openat(upper, directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    AUTO_CLOSE int fd = above < 0 ? -1 : openat(above, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, file->mode & 07777);
    error = fd < 0 ? -errno : upper_fill(fd, file);
    return error ? error : 1;
}
