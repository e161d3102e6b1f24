// Names, folders and links.
#include "probe.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MANY = 10000, SOME = 2000 };

static int longest_name(void) {
    char name[NAME_MAX + 2];
    memset(name, 'n', sizeof name);
    name[NAME_MAX] = '\0';
    MUST(put(name, "x") == 0);
    SAME(holds(name, "x"));
    name[NAME_MAX] = 'n';
    name[NAME_MAX + 1] = '\0';
    SAME(open(name, O_WRONLY | O_CREAT, 0644) < 0 && errno == ENAMETOOLONG);
    return 0;
}

static int any_bytes(void) {
    static const char *const names[] = {"a b", "\xff\xfe", "new\nline", "\xc3\xa4", "...", "-", "*", "\\", "a\x01"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) MUST(put(names[i], names[i]) == 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) SAME(holds(names[i], names[i]));
    return 0;
}

static int deep_folders(void) {
    char name[200];
    memset(name, 'd', sizeof name);
    name[sizeof name - 1] = '\0';
    for (int depth = 0; depth < 40; depth++) { // 8000 bytes in all: more than one path may have
        MUST(mkdir(name, 0755) == 0);
        MUST(chdir(name) == 0);
    }
    MUST(put("bottom", "deep") == 0);
    SAME(holds("bottom", "deep"));
    MUST(unlink("bottom") == 0);
    for (int depth = 0; depth < 40; depth++) {
        MUST(chdir("..") == 0);
        MUST(rmdir(name) == 0);
    }
    return 0;
}

static int count_entries(const char *path) {
    DIR *folder = opendir(path);
    if (!folder) return -1;
    int count = 0;
    for (struct dirent *entry; (entry = readdir(folder));) count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static int make_many(int count) {
    char name[32];
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "entry-%05d", i);
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        MUST(fd >= 0);
        MUST(close(fd) == 0);
    }
    return 0;
}

static int large_folder(void) {
    MUST(make_many(MANY) == 0);
    SAME(count_entries(".") == MANY);
    return 0;
}

// As `rm -r` does: whatever is listed is removed at once.
static int removed_while_listed(void) {
    MUST(make_many(SOME) == 0);
    DIR *folder = opendir(".");
    MUST(folder);
    for (struct dirent *entry; (entry = readdir(folder));) {
        if (entry->d_name[0] != '.') MUST(unlink(entry->d_name) == 0);
    }
    closedir(folder);
    SAME(count_entries(".") == 0);
    return 0;
}

static int listed_from_a_place(void) {
    MUST(make_many(SOME) == 0);
    char name[NAME_MAX + 1];
    DIR *folder = opendir(".");
    MUST(folder);
    for (int i = 0; i < SOME / 2; i++) MUST(readdir(folder));
    long place = telldir(folder);
    struct dirent *entry = readdir(folder);
    MUST(entry);
    strcpy(name, entry->d_name);
    while (readdir(folder)) continue;
    seekdir(folder, place);
    entry = readdir(folder);
    SAME(entry && strcmp(entry->d_name, name) == 0);
    rewinddir(folder);
    int count = 0;
    while (readdir(folder)) count++;
    closedir(folder);
    SAME(count == SOME + 2);
    return 0;
}

static int kinds_when_listed(void) {
    MUST(put("file", "") == 0 && mkdir("folder", 0755) == 0 && symlink("file", "link") == 0 && mkfifo("fifo", 0644) == 0);
    DIR *folder = opendir(".");
    MUST(folder);
    int right = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        struct stat status;
        MUST(lstat(entry->d_name, &status) == 0);
        right += entry->d_type == DT_UNKNOWN || entry->d_type == (status.st_mode & S_IFMT) >> 12;
        if (strcmp(entry->d_name, "..") != 0) SAME(entry->d_ino == status.st_ino);
    }
    closedir(folder);
    SAME(right == 6);
    return 0;
}

static int hard_links(void) {
    struct stat first, second;
    MUST(put("one", "text") == 0 && link("one", "two") == 0);
    MUST(stat("one", &first) == 0 && stat("two", &second) == 0);
    SAME(first.st_ino == second.st_ino && first.st_nlink == 2 && second.st_nlink == 2);
    MUST(put("two", "other") == 0);
    SAME(holds("one", "other"));
    MUST(unlink("one") == 0 && stat("two", &second) == 0);
    SAME(second.st_nlink == 1 && holds("two", "other"));
    return 0;
}

static int symbolic_links(void) {
    char target[PATH_MAX], found[PATH_MAX];
    memset(target, 't', 3000);
    target[3000] = '\0';
    MUST(symlink(target, "long") == 0 && readlink("long", found, sizeof found) == 3000);
    SAME(memcmp(target, found, 3000) == 0);
    MUST(put("file", "text") == 0 && symlink("file", "link") == 0 && symlink("link", "again") == 0);
    SAME(holds("again", "text"));
    SAME(open("link", O_RDONLY | O_NOFOLLOW) < 0 && errno == ELOOP);
    MUST(symlink("nothing", "dangling") == 0);
    SAME(open("dangling", O_RDONLY) < 0 && errno == ENOENT);
    MUST(put("dangling", "made") == 0);
    SAME(holds("nothing", "made"));
    struct stat status;
    MUST(linkat(AT_FDCWD, "link", AT_FDCWD, "hard", 0) == 0 && lstat("hard", &status) == 0);
    SAME(S_ISLNK(status.st_mode) && status.st_size == 4);
    return 0;
}

static int renamed(void) {
    MUST(put("a", "a") == 0 && put("b", "b") == 0 && rename("a", "b") == 0);
    SAME(holds("b", "a") && access("a", F_OK) < 0);
    MUST(mkdir("from", 0755) == 0 && mkdir("from/in", 0755) == 0 && put("from/in/file", "x") == 0);
    int fd = open("from/in/file", O_RDWR | O_CLOEXEC);
    MUST(fd >= 0 && rename("from", "to") == 0);
    SAME(holds("to/in/file", "x") && access("from", F_OK) < 0);
    struct stat status;
    MUST(fstat(fd, &status) == 0 && write(fd, "yz", 2) == 2 && close(fd) == 0);
    SAME(holds("to/in/file", "yz"));
    SAME(rename("to", "to/in/below") < 0 && errno == EINVAL);
    MUST(mkdir("full", 0755) == 0 && put("full/x", "") == 0);
    SAME(rename("to", "full") < 0 && (errno == ENOTEMPTY || errno == EEXIST));
    SAME(rmdir("full") < 0 && errno == ENOTEMPTY);
    return 0;
}

static int renamed_if_free(void) {
    MUST(put("a", "a") == 0 && put("b", "b") == 0);
    long result = syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 1); // RENAME_NOREPLACE
    SAME(result < 0 && (errno == EEXIST || errno == EINVAL));
    MUST(errno == EEXIST);
    return 0;
}

static int exchanged(void) {
    MUST(put("a", "a") == 0 && put("b", "b") == 0);
    MUST(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 2) == 0); // RENAME_EXCHANGE
    SAME(holds("a", "b") && holds("b", "a"));
    return 0;
}

static int made_once(void) {
    MUST(put("file", "x") == 0);
    SAME(open("file", O_WRONLY | O_CREAT | O_EXCL, 0644) < 0 && errno == EEXIST);
    SAME(mkdir("file", 0755) < 0 && errno == EEXIST);
    SAME(open("file/below", O_RDONLY) < 0 && errno == ENOTDIR);
    SAME(open(".", O_WRONLY) < 0 && errno == EISDIR);
    SAME(open("none", O_RDONLY) < 0 && errno == ENOENT);
    return 0;
}

static int where_one_is(void) {
    char before[PATH_MAX], after[PATH_MAX];
    MUST(mkdir("a", 0755) == 0 && mkdir("a/b", 0755) == 0 && getcwd(before, sizeof before) && chdir("a/b") == 0);
    MUST(getcwd(after, sizeof after));
    SAME(strcmp(after + strlen(before), "/a/b") == 0);
    MUST(rename("../../a", "../../c") == 0 && getcwd(after, sizeof after));
    SAME(strcmp(after + strlen(before), "/c/b") == 0);
    return 0;
}

const struct check name_checks[] = {
    {"longest name", longest_name},
    {"names of any bytes", any_bytes},
    {"deep folders", deep_folders},
    {"folder of 10000", large_folder},
    {"removed while listed", removed_while_listed},
    {"listed from a place", listed_from_a_place},
    {"kinds and numbers when listed", kinds_when_listed},
    {"hard links", hard_links},
    {"symbolic links", symbolic_links},
    {"rename", renamed},
    {"rename if free", renamed_if_free},
    {"exchange", exchanged},
    {"errors", made_once},
    {"working folder", where_one_is},
    {NULL, NULL},
};
