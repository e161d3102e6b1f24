// `probe FOLDER [NAME...]`: all checks in FOLDER, or those of these names; a line each.
#include "probe.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int put(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    MUST(fd >= 0);
    ssize_t size = (ssize_t)strlen(text);
    MUST(write(fd, text, (size_t)size) == size);
    return close(fd);
}

bool holds(const char *path, const char *text) {
    char found[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t size = read(fd, found, sizeof found);
    close(fd);
    return size == (ssize_t)strlen(text) && memcmp(found, text, (size_t)size) == 0;
}

int in_child(check_function *run) {
    pid_t child = fork();
    if (child == 0) _exit(run() == 0 ? 0 : errno);
    int status;
    MUST(child > 0 && waitpid(child, &status, 0) == child);
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
    return errno == 0 ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where) {
    (void)status;
    (void)where;
    return kind == FTW_DP ? rmdir(path) : unlink(path);
}

static bool is_wanted(const char *name, char **wanted) {
    if (!*wanted) return true;
    while (*wanted && strcmp(*wanted, name) != 0) wanted++;
    return *wanted;
}

static void run_all(const char *folder, const struct check *checks, char **wanted) {
    for (; checks->name; checks++) {
        if (!is_wanted(checks->name, wanted)) continue;
        errno = 0;
        bool ready = chdir(folder) == 0 && mkdir("check", 0755) == 0 && chdir("check") == 0;
        int result = ready ? checks->run() : -1;
        int error = errno;
        printf("probe: %s: %s\n", checks->name, result == 0 ? "ok" : ready ? strerror(error) : "no folder");
        fflush(stdout);
        if (chdir(folder) < 0 || (ready && nftw("check", remove_entry, 16, FTW_DEPTH | FTW_PHYS) < 0)) {
            printf("probe: %s, cleared away: %s\n", checks->name, strerror(errno));
        }
    }
}

int main(int count, char **arguments) {
    if (count < 2) return 2;
    const struct check *const all[] = {name_checks, open_checks, memory_checks, lock_checks, space_checks, special_checks, owner_checks};
    umask(022);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) run_all(arguments[1], all[i], arguments + 2);
    printf("tell: end: reached\n");
    return 0;
}
