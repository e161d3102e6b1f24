#include "container/copy.h"

#include "rootfs/path.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { PIECE_LIMIT_BYTES = 64 * 1024 };

// Opens a regular file, and nothing that could block or act on being opened.
static int open_regular(const struct container *container, const char *path, int flags, struct stat *status, struct failure *why) {
    const char *name;
    if (flags & O_CREAT) {
        AUTO_CLOSE int parent = path_make_parent(container->root_fd, path, &name);
        if (parent < 0) return fail_errno(why, parent, "cannot make the folder of %.120s", path);
    }
    int fd = path_open(container->root_fd, path, (uint64_t)(flags | O_NONBLOCK | O_NOCTTY), flags & O_CREAT ? 0600 : 0);
    if (fd < 0) return fail_errno(why, fd, "cannot open %.120s", path);
    if (fstat(fd, status) == 0 && S_ISREG(status->st_mode)) return fd;
    close(fd);
    return fail(why, STATUS_FAILED_PRECONDITION, "%.120s is not a regular file", path);
}

static int write_piece(int fd, const message(WriteFileRequest) *request) {
    size_t done = 0;
    if (request->offset > INT64_MAX - PIECE_LIMIT_BYTES) return -EINVAL;
    while (done < request->data.size) {
        ssize_t count = pwrite(fd, request->data.data + done, request->data.size - done, (off_t)(request->offset + done));
        if (count < 0 && errno != EINTR) return -errno;
        if (count > 0) done += (size_t)count;
    }
    return 0;
}

int copy_write(const struct container *container, const message(WriteFileRequest) *request, struct failure *why) {
    struct stat status;
    const char *path = text_or_empty(request->path);
    bool anew = request->offset == 0;
    if (request->data.size > PIECE_LIMIT_BYTES) return fail(why, STATUS_INVALID_ARGUMENT, "a piece has at most 64 KiB");
    AUTO_CLOSE int fd = open_regular(container, path, O_WRONLY | (anew ? O_CREAT : 0), &status, why);
    if (fd < 0) return fd;
    int error = 0;
    if (anew && (ftruncate(fd, 0) < 0 || fchown(fd, request->uid, request->gid) < 0)) error = -errno;
    if (!error && anew && fchmod(fd, request->mode & 07777) < 0) error = -errno;
    if (!error) error = write_piece(fd, request);
    return error ? fail_errno(why, error, "cannot write %.120s", path) : 0;
}

int copy_read(const struct container *container, const message(ReadFileRequest) *request, message(ReadFileResponse) *response,
              struct failure *why) {
    static uint8_t piece[PIECE_LIMIT_BYTES];
    struct stat status;
    const char *path = text_or_empty(request->path);
    if (request->length > sizeof piece) return fail(why, STATUS_INVALID_ARGUMENT, "a piece has at most 64 KiB");
    if (request->offset > INT64_MAX) return fail(why, STATUS_INVALID_ARGUMENT, "no such offset");
    AUTO_CLOSE int fd = open_regular(container, path, O_RDONLY, &status, why);
    if (fd < 0) return fd;
    ssize_t count = pread(fd, piece, request->length, (off_t)request->offset);
    if (count < 0) return fail_errno(why, errno, "cannot read %.120s", path);
    response->data = (struct span){piece, (size_t)count};
    response->size_bytes = (uint64_t)status.st_size;
    response->mode = status.st_mode & 07777;
    response->eof = (size_t)count < request->length || request->offset + (uint64_t)count >= (uint64_t)status.st_size;
    return 0;
}
