// Open files: removed, renamed, many, appended to.
#include "probe.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 3000 };

static int open_removed(void) {
    MUST(put("file", "text") == 0);
    int fd = open("file", O_RDWR | O_CLOEXEC);
    return fd >= 0 && unlink("file") == 0 ? fd : -1;
}

static int removed_read(void) {
    char text[8];
    int fd = open_removed();
    MUST(fd >= 0 && pread(fd, text, sizeof text, 0) == 4);
    SAME(memcmp(text, "text", 4) == 0);
    MUST(pwrite(fd, "TEXT++", 6, 0) == 6 && pread(fd, text, sizeof text, 0) == 6 && fsync(fd) == 0);
    SAME(memcmp(text, "TEXT++", 6) == 0);
    return close(fd);
}

static int removed_status(void) {
    struct stat status;
    int fd = open_removed();
    MUST(fd >= 0 && fstat(fd, &status) == 0);
    SAME(status.st_size == 4 && status.st_nlink == 0);
    MUST(pwrite(fd, "longer text", 11, 0) == 11 && fstat(fd, &status) == 0);
    SAME(status.st_size == 11);
    return close(fd);
}

static int removed_cut(void) {
    struct stat status;
    int fd = open_removed();
    MUST(fd >= 0 && ftruncate(fd, 100000) == 0 && fstat(fd, &status) == 0);
    SAME(status.st_size == 100000);
    return close(fd);
}

static int removed_owner(void) {
    struct stat status;
    int fd = open_removed();
    MUST(fd >= 0 && fchmod(fd, 0600) == 0 && fchown(fd, 12, 34) == 0 && fstat(fd, &status) == 0);
    SAME((status.st_mode & 07777) == 0600 && status.st_uid == 12 && status.st_gid == 34);
    return close(fd);
}

static int removed_times(void) {
    const struct timespec times[2] = {{1000, 1}, {2000, 2}};
    struct stat status;
    int fd = open_removed();
    MUST(fd >= 0 && futimens(fd, times) == 0 && fstat(fd, &status) == 0);
    SAME(status.st_mtim.tv_sec == 2000 && status.st_mtim.tv_nsec == 2);
    return close(fd);
}

static int removed_opened_anew(void) {
    char path[64], text[8];
    int fd = open_removed();
    MUST(fd >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = open(path, O_RDONLY | O_CLOEXEC);
    MUST(again >= 0 && read(again, text, sizeof text) == 4 && close(again) == 0);
    return close(fd);
}

static int removed_one_of_two_names(void) {
    struct stat status;
    MUST(put("file", "text") == 0 && link("file", "other") == 0);
    int fd = open("file", O_RDWR | O_CLOEXEC);
    MUST(fd >= 0 && unlink("file") == 0 && fstat(fd, &status) == 0);
    SAME(status.st_nlink == 1);
    MUST(ftruncate(fd, 2) == 0);
    SAME(holds("other", "te"));
    return close(fd);
}

// A new file of the same name must not be taken for the old one.
static int removed_and_made_again(void) {
    struct stat status;
    int fd = open_removed();
    MUST(fd >= 0 && put("file", "a new file") == 0 && fstat(fd, &status) == 0);
    SAME(status.st_size == 4);
    MUST(ftruncate(fd, 0) == 0);
    SAME(holds("file", "a new file"));
    return close(fd);
}

static int replaced_while_open(void) {
    char text[8];
    MUST(put("file", "old") == 0 && put("new", "newer") == 0);
    int fd = open("file", O_RDONLY | O_CLOEXEC);
    MUST(fd >= 0 && rename("new", "file") == 0 && read(fd, text, sizeof text) == 3);
    struct stat status;
    MUST(fstat(fd, &status) == 0);
    SAME(status.st_size == 3 && holds("file", "newer"));
    return close(fd);
}

static int folder_removed(void) {
    MUST(mkdir("folder", 0755) == 0);
    int fd = open("folder", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    MUST(fd >= 0 && rmdir("folder") == 0);
    struct stat status;
    MUST(fstat(fd, &status) == 0);
    SAME(openat(fd, "below", O_WRONLY | O_CREAT, 0644) < 0 && errno == ENOENT);
    return close(fd);
}

static int nameless(void) {
    int fd = open(".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    MUST(fd >= 0 && write(fd, "x", 1) == 1);
    return close(fd);
}

static int many_open(void) {
    static int fds[MANY];
    char name[32], text[32];
    struct rlimit limit;
    MUST(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max < MANY + 64 ? limit.rlim_max : MANY + 64;
    MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "file-%d", i);
        fds[i] = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        MUST(fds[i] >= 0);
    }
    for (int i = 0; i < MANY; i++) MUST(dprintf(fds[i], "I am %d", i) > 0);
    for (int i = 0; i < MANY; i += 7) {
        snprintf(name, sizeof name, "file-%d", i);
        MUST(unlink(name) == 0);
    }
    for (int i = 0; i < MANY; i++) {
        int length = snprintf(name, sizeof name, "I am %d", i);
        MUST(pread(fds[i], text, sizeof text, 0) == length);
        SAME(memcmp(text, name, (size_t)length) == 0);
        MUST(close(fds[i]) == 0);
    }
    return 0;
}

static int append_alone(void) {
    int fd = open("log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    MUST(fd >= 0);
    for (int i = 0; i < 300; i++) MUST(write(fd, "a line of text\n", 15) == 15);
    return close(fd);
}

static int appended_by_two(void) {
    pid_t child = fork();
    if (child == 0) _exit(append_alone() == 0 ? 0 : errno);
    int result = append_alone(), status;
    MUST(waitpid(child, &status, 0) == child && result == 0 && status == 0);
    struct stat log;
    MUST(stat("log", &log) == 0);
    SAME(log.st_size == 2 * 300 * 15);
    return 0;
}

static int direct(void) {
    static char block[8192] __attribute__((aligned(4096)));
    int fd = open("file", O_RDWR | O_CREAT | O_DIRECT | O_CLOEXEC, 0644);
    MUST(fd >= 0);
    memset(block, 'd', sizeof block);
    MUST(pwrite(fd, block, 4096, 0) == 4096);
    memset(block, 0, sizeof block);
    MUST(pread(fd, block, 4096, 0) == 4096);
    SAME(block[0] == 'd' && block[4095] == 'd');
    return close(fd);
}

static int scattered(void) {
    char a[3], b[5];
    MUST(put("file", "12345678") == 0);
    int fd = open("file", O_RDWR | O_CLOEXEC);
    struct iovec parts[] = {{a, 3}, {b, 5}};
    MUST(fd >= 0 && preadv(fd, parts, 2, 0) == 8);
    SAME(memcmp(a, "123", 3) == 0 && memcmp(b, "45678", 5) == 0);
    MUST(pwritev(fd, parts + 1, 1, 8) == 5);
    SAME(holds("file", "1234567845678"));
    return close(fd);
}

static int sent(void) {
    MUST(put("from", "some text") == 0);
    int from = open("from", O_RDONLY | O_CLOEXEC), to = open("to", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    MUST(from >= 0 && to >= 0 && sendfile(to, from, NULL, 100) == 9);
    MUST(close(from) == 0 && close(to) == 0);
    SAME(holds("to", "some text"));
    return 0;
}

static int told_of_changes(void) {
    char events[4096];
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    MUST(fd >= 0 && inotify_add_watch(fd, ".", IN_CREATE | IN_MODIFY | IN_DELETE | IN_MOVED_TO) >= 0);
    MUST(put("file", "x") == 0 && rename("file", "moved") == 0 && unlink("moved") == 0);
    unsigned seen = 0;
    ssize_t size = read(fd, events, sizeof events);
    MUST(size > 0);
    for (ssize_t at = 0; at < size;) {
        const struct inotify_event *event = (const void *)(events + at);
        seen |= event->mask;
        at += (ssize_t)(sizeof *event + event->len);
    }
    SAME((seen & (IN_CREATE | IN_MODIFY | IN_DELETE | IN_MOVED_TO)) == (IN_CREATE | IN_MODIFY | IN_DELETE | IN_MOVED_TO));
    return close(fd);
}

const struct check open_checks[] = {
    {"removed: read and write", removed_read},
    {"removed: status", removed_status},
    {"removed: cut", removed_cut},
    {"removed: mode and owner", removed_owner},
    {"removed: times", removed_times},
    {"removed: opened anew", removed_opened_anew},
    {"removed: one of two names", removed_one_of_two_names},
    {"removed and made again", removed_and_made_again},
    {"replaced while open", replaced_while_open},
    {"folder removed while open", folder_removed},
    {"nameless file", nameless},
    {"3000 open files", many_open},
    {"appended to by two", appended_by_two},
    {"direct", direct},
    {"scattered", scattered},
    {"sent from file to file", sent},
    {"told of changes", told_of_changes},
    {NULL, NULL},
};
