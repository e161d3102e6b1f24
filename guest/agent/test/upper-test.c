// Files that are written before the overlay is there: only where nobody could tell.

#include "rootfs/upper.h"
#include "support.h"

#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

static char root[] = "/tmp/agent-upper-XXXXXX";
static int lower, upper;

static int make_directory(int parent, const char *name, mode_t mode) {
    CHECK(mkdirat(parent, name, 0700) == 0 && fchmodat(parent, name, mode, 0) == 0);
    return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void make_layers(void) {
    CHECK(mkdtemp(root));
    int base = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    lower = make_directory(base, "lower", 0755);
    upper = make_directory(base, "upper", 0755);
    close(base);
    int etc = make_directory(lower, "etc", 0751);
    close(openat(etc, "hosts", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    CHECK(symlinkat("../run/resolv.conf", etc, "resolv.conf") == 0 && symlinkat("etc", lower, "linked") == 0);
    CHECK(fchownat(lower, "etc", 7, 8, 0) == 0);
    close(make_directory(etc, "directory", 0755));
    close(etc);
    int marked = make_directory(lower, "marked", 0755);
    CHECK(fsetxattr(marked, "trusted.mark", "x", 1, 0) == 0 || errno == ENOTSUP);
    close(marked);
}

static int write_file(char *path, uint32_t mode, uint32_t uid) {
    message(InjectedFile) file = {.path = path, .content = {(const uint8_t *)"text", 4}, .mode = mode, .uid = uid, .gid = uid};
    return upper_write(upper, lower, &file);
}

static void file_is_written(char *path, uint32_t mode, uint32_t uid) {
    struct stat status;
    char text[8] = "";
    CHECK(write_file(path, mode, uid) == 1);
    AUTO_CLOSE int fd = openat(upper, path + 1, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0 && read(fd, text, sizeof text) == 4 && memcmp(text, "text", 4) == 0);
    CHECK(fstat(fd, &status) == 0 && (status.st_mode & 07777) == mode && status.st_uid == uid && status.st_gid == uid);
}

static void plain_files_are_written_ahead(void) {
    struct stat status;
    file_is_written("/etc/new", 0644, 0);
    file_is_written("/etc/hosts", 0640, 5);
    file_is_written("/etc/special", 04755, 5);
    file_is_written("/missing/new", 0600, 0);
    CHECK(fstatat(upper, "missing", &status, 0) == 0 && (status.st_mode & 07777) == 0755 && status.st_uid == 0);
    CHECK(fstatat(upper, "etc", &status, 0) == 0 && (status.st_mode & 07777) == 0751 && status.st_uid == 7 && status.st_gid == 8);
}

static void others_are_left_to_the_overlay(void) {
    static char *const paths[] = {"/etc/resolv.conf", "/etc/directory", "/linked/new", "/etc/resolv.conf/new", "/etc/directory/new", "/new",
                                  "etc/new", "/etc/", "/../new", "/etc/..", "/./new", ""};
    struct stat status;
    for (size_t i = 0; i < COUNT(paths); i++) {
        check_context = paths[i];
        CHECK(write_file(paths[i], 0644, 0) == 0);
    }
    check_context = "";
    CHECK(fstatat(upper, "linked", &status, 0) < 0 && fstatat(upper, "etc/resolv.conf", &status, AT_SYMLINK_NOFOLLOW) < 0);
}

static void attributes_would_be_lost(void) {
    int marked = openat(lower, "marked", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool can_mark = flistxattr(marked, NULL, 0) > 0; // /tmp may be on a file system without
    close(marked);
    CHECK(write_file("/marked/new", 0644, 0) == !can_mark);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk) {
    (void)status, (void)type, (void)walk;
    return remove(path);
}

int main(void) {
    umask(0);
    make_layers();
    plain_files_are_written_ahead();
    others_are_left_to_the_overlay();
    attributes_would_be_lost();
    nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    puts("upper: ok");
    return 0;
}
