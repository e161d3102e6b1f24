// Owners, modes, and who may do what.
#include "probe.h"

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SOMEBODY = 4711, SOMEBODY_ELSE = 4712, GROUP = 999 };

static int become(uid_t user) {
    const gid_t groups[] = {GROUP};
    MUST(setgroups(1, groups) == 0 && setresgid(user, user, user) == 0);
    return setresuid(user, user, user);
}

static int owners_and_modes(void) {
    struct stat status;
    MUST(put("file", "") == 0 && chown("file", SOMEBODY, GROUP) == 0 && chmod("file", 06754) == 0 && stat("file", &status) == 0);
    SAME(status.st_uid == SOMEBODY && status.st_gid == GROUP && (status.st_mode & 07777) == 06754);
    MUST(symlink("file", "link") == 0 && lchown("link", 70000, 4294967294) == 0 && lstat("link", &status) == 0);
    SAME(status.st_uid == 70000 && status.st_gid == 4294967294);
    MUST(mkdir("folder", 01777) == 0 && chmod("folder", 03777) == 0 && stat("folder", &status) == 0);
    SAME((status.st_mode & 07777) == 03777);
    return 0;
}

static int make_all_kinds(void) {
    struct stat status;
    MUST(become(SOMEBODY) == 0 && put("file", "") == 0 && mkdir("folder", 0755) == 0 && symlink("x", "link") == 0 && mkfifo("fifo", 0640) == 0);
    static const char *const names[] = {"file", "folder", "link", "fifo"};
    for (int i = 0; i < 4; i++) {
        MUST(lstat(names[i], &status) == 0);
        SAME(status.st_uid == SOMEBODY && status.st_gid == SOMEBODY);
    }
    return 0;
}

static int made_by_somebody(void) {
    MUST(chmod(".", 0777) == 0);
    return in_child(make_all_kinds);
}

static int made_with_mask(void) {
    struct stat status;
    mode_t before = umask(0);
    MUST(mkdir("open", 0777) == 0 && stat("open", &status) == 0);
    SAME((status.st_mode & 0777) == 0777);
    umask(077);
    int fd = open("closed", O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    umask(before);
    MUST(fd >= 0 && close(fd) == 0 && stat("closed", &status) == 0);
    SAME((status.st_mode & 0777) == 0600);
    // Its own mode forbids what the descriptor that made it may do.
    fd = open("unreadable", O_RDWR | O_CREAT | O_CLOEXEC, 0);
    MUST(fd >= 0 && write(fd, "x", 1) == 1);
    return close(fd);
}

static int pry(void) {
    MUST(become(SOMEBODY) == 0);
    SAME(open("secret", O_RDONLY) < 0 && errno == EACCES);
    SAME(open("closed/file", O_RDONLY) < 0 && errno == EACCES);
    SAME(put("new", "") < 0 && errno == EACCES);
    SAME(unlink("secret") < 0 && errno == EACCES);
    SAME(chmod("secret", 0777) < 0 && errno == EPERM);
    SAME(chown("mine", SOMEBODY_ELSE, -1U) < 0 && errno == EPERM);
    MUST(open("group", O_RDONLY | O_CLOEXEC) >= 0); // by a further group
    MUST(chmod("mine", 0700) == 0 && chown("mine", -1U, GROUP) == 0);
    return access("secret", R_OK) < 0 && errno == EACCES ? 0 : -1;
}

static int forbidden(void) {
    MUST(put("secret", "x") == 0 && chmod("secret", 0600) == 0 && mkdir("closed", 0700) == 0 && put("closed/file", "") == 0);
    MUST(put("group", "x") == 0 && chown("group", 0, GROUP) == 0 && chmod("group", 0640) == 0);
    MUST(put("mine", "") == 0 && chown("mine", SOMEBODY, SOMEBODY) == 0);
    return in_child(pry);
}

static int remove_of_others(void) {
    MUST(become(SOMEBODY) == 0);
    SAME(unlink("sticky/theirs") < 0 && errno == EPERM);
    SAME(rename("sticky/theirs", "sticky/other") < 0 && errno == EPERM);
    return unlink("sticky/mine");
}

static int sticky(void) {
    MUST(mkdir("sticky", 0777) == 0 && chmod("sticky", 01777) == 0 && put("sticky/theirs", "") == 0 && put("sticky/mine", "") == 0);
    MUST(chown("sticky/theirs", SOMEBODY_ELSE, 0) == 0 && chown("sticky/mine", SOMEBODY, 0) == 0);
    return in_child(remove_of_others);
}

static int write_as_somebody(void) {
    MUST(become(SOMEBODY) == 0);
    int fd = open("program", O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, "x", 1) == 1 ? close(fd) : -1;
}

static int set_user_bit_falls(void) {
    struct stat status;
    MUST(put("program", "") == 0 && chmod("program", 06777) == 0 && in_child(write_as_somebody) == 0 && stat("program", &status) == 0);
    SAME((status.st_mode & 06000) == 0);
    MUST(chmod("program", 06755) == 0 && chown("program", SOMEBODY, SOMEBODY) == 0 && stat("program", &status) == 0);
    SAME((status.st_mode & 06000) == 0);
    return 0;
}

static int group_of_folder(void) {
    struct stat status;
    MUST(mkdir("folder", 0755) == 0 && chown("folder", 0, GROUP) == 0 && chmod("folder", 02755) == 0);
    MUST(put("folder/file", "") == 0 && mkdir("folder/below", 0755) == 0 && stat("folder/file", &status) == 0);
    SAME(status.st_gid == GROUP);
    MUST(stat("folder/below", &status) == 0);
    SAME(status.st_gid == GROUP && (status.st_mode & S_ISGID));
    return 0;
}

static int look_around(void) {
    MUST(become(SOMEBODY) == 0 && chdir("passage") == 0);
    SAME(open(".", O_RDONLY | O_DIRECTORY) < 0 && errno == EACCES);
    return open("known", O_RDONLY | O_CLOEXEC) >= 0 ? 0 : -1;
}

static int passage(void) {
    MUST(mkdir("passage", 0711) == 0 && put("passage/known", "") == 0);
    return in_child(look_around);
}

const struct check owner_checks[] = {
    {"owners and modes", owners_and_modes},
    {"made by somebody", made_by_somebody},
    {"made with a mask", made_with_mask},
    {"forbidden", forbidden},
    {"sticky folder", sticky},
    {"set-user bit falls", set_user_bit_falls},
    {"group of the folder", group_of_folder},
    {"passage", passage},
    {NULL, NULL},
};
