// Space: holes, sizes, times.
#include "probe.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

static int make(const char *path) {
    return open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
}

static int holes(void) {
    struct stat status;
    int fd = make("file");
    MUST(fd >= 0 && ftruncate(fd, 1LL << 40) == 0 && pwrite(fd, "x", 1, 1LL << 30) == 1 && fsync(fd) == 0 && fstat(fd, &status) == 0);
    SAME(status.st_size == 1LL << 40 && status.st_blocks < 1024);
    char byte = 1;
    MUST(pread(fd, &byte, 1, 1LL << 35) == 1);
    SAME(byte == 0);
    return close(fd);
}

static int holes_found(void) {
    int fd = make("file");
    MUST(fd >= 0 && ftruncate(fd, 1 << 24) == 0 && pwrite(fd, "x", 1, 1 << 20) == 1 && fsync(fd) == 0);
    off_t data = lseek(fd, 0, SEEK_DATA);
    MUST(data >= 0);
    SAME(data == 1 << 20 && lseek(fd, data, SEEK_HOLE) < 1 << 24);
    return close(fd);
}

static int reserved(void) {
    struct stat status;
    int fd = make("file");
    MUST(fd >= 0 && fallocate(fd, 0, 0, 1 << 20) == 0 && fstat(fd, &status) == 0);
    SAME(status.st_size == 1 << 20 && status.st_blocks >= 2048);
    return close(fd);
}

// What the C library does where there is no fallocate.
static int reserved_by_writing(void) {
    struct stat status;
    int fd = make("file");
    errno = fd < 0 ? errno : posix_fallocate(fd, 0, 1 << 16);
    MUST(fd >= 0 && errno == 0 && fstat(fd, &status) == 0);
    SAME(status.st_size == 1 << 16);
    return close(fd);
}

static int punched(void) {
    char text[8];
    int fd = make("file");
    MUST(fd >= 0 && pwrite(fd, "12345678", 8, 0) == 8 && fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2, 3) == 0);
    MUST(pread(fd, text, 8, 0) == 8);
    SAME(memcmp(text, "12\0\0\0" "678", 8) == 0);
    return close(fd);
}

static int copied_by_the_kernel(void) {
    MUST(put("from", "some text") == 0);
    int from = open("from", O_RDONLY | O_CLOEXEC), to = make("to");
    MUST(from >= 0 && to >= 0 && copy_file_range(from, NULL, to, NULL, 100, 0) == 9);
    MUST(close(from) == 0 && close(to) == 0);
    SAME(holds("to", "some text"));
    return 0;
}

static int cut_and_grown(void) {
    struct stat status;
    MUST(put("file", "12345678") == 0 && truncate("file", 3) == 0);
    SAME(holds("file", "123"));
    MUST(truncate("file", 5) == 0 && stat("file", &status) == 0);
    SAME(status.st_size == 5);
    int fd = open("file", O_WRONLY | O_TRUNC | O_CLOEXEC);
    MUST(fd >= 0 && fstat(fd, &status) == 0);
    SAME(status.st_size == 0);
    return close(fd);
}

static int size_seen_by_others(void) {
    struct stat status;
    int fd = make("file"), other = open("file", O_RDONLY | O_CLOEXEC);
    char text[8];
    MUST(fd >= 0 && other >= 0 && write(fd, "12345678", 8) == 8 && fstat(other, &status) == 0);
    SAME(status.st_size == 8 && lseek(other, 0, SEEK_END) == 8);
    MUST(pread(other, text, 8, 0) == 8 && ftruncate(fd, 2) == 0 && pread(other, text, 8, 0) == 2);
    return close(fd) == 0 ? close(other) : -1;
}

static int nanoseconds(void) {
    const struct timespec times[2] = {{1700000000, 123456789}, {1600000000, 987654321}};
    struct stat status;
    MUST(put("file", "") == 0 && utimensat(AT_FDCWD, "file", times, 0) == 0 && stat("file", &status) == 0);
    SAME(status.st_atim.tv_nsec == 123456789 && status.st_mtim.tv_nsec == 987654321 && status.st_mtim.tv_sec == 1600000000);
    const struct timespec only[2] = {{0, UTIME_OMIT}, {5, 6}};
    MUST(symlink("file", "link") == 0 && utimensat(AT_FDCWD, "link", only, AT_SYMLINK_NOFOLLOW) == 0 && lstat("link", &status) == 0);
    SAME(status.st_mtim.tv_sec == 5 && status.st_mtim.tv_nsec == 6);
    MUST(stat("file", &status) == 0);
    SAME(status.st_mtim.tv_sec == 1600000000);
    return 0;
}

static int changed_when_written(void) {
    const struct timespec times[2] = {{1, 0}, {1, 0}};
    struct stat status;
    MUST(put("file", "") == 0 && utimensat(AT_FDCWD, "file", times, 0) == 0);
    int fd = open("file", O_WRONLY | O_CLOEXEC);
    MUST(fd >= 0 && write(fd, "x", 1) == 1 && fstat(fd, &status) == 0);
    SAME(status.st_mtim.tv_sec > 1000 && status.st_ctim.tv_sec > 1000);
    MUST(utimensat(AT_FDCWD, ".", times, 0) == 0 && put("another", "") == 0 && stat(".", &status) == 0);
    SAME(status.st_mtim.tv_sec > 1000);
    return close(fd);
}

static int of_the_file_system(void) {
    struct statfs status;
    MUST(statfs(".", &status) == 0);
    SAME(status.f_blocks > 0 && status.f_bavail > 0 && status.f_namelen == 255);
    return 0;
}

const struct check space_checks[] = {
    {"holes", holes},
    {"holes found", holes_found},
    {"space reserved", reserved},
    {"space reserved by writing", reserved_by_writing},
    {"hole punched", punched},
    {"copied by the kernel", copied_by_the_kernel},
    {"cut and grown", cut_and_grown},
    {"size seen by others", size_seen_by_others},
    {"nanoseconds", nanoseconds},
    {"changed when written", changed_when_written},
    {"of the file system", of_the_file_system},
    {NULL, NULL},
};
