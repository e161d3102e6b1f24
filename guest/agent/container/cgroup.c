#include "container/cgroup.h"

#include "base/settings.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int write_at(int directory, const char *name, const char *value) {
    AUTO_CLOSE int fd = openat(directory, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return -errno;
    return write(fd, value, strlen(value)) < 0 ? -errno : 0;
}

// Text of a cgroup file, "" when there is none.
static const char *read_at(int directory, const char *name, char *text, size_t size) {
    AUTO_CLOSE int fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
    ssize_t count = fd < 0 ? -1 : read(fd, text, size - 1);
    text[count > 0 ? count : 0] = '\0';
    return text;
}

static void enable_controllers(int directory) {
    static const char *const controllers[] = {"+cpu", "+memory", "+pids", "+io", "+cpuset"};
    for (size_t i = 0; i < COUNT(controllers); i++) {
        write_at(directory, "cgroup.subtree_control", controllers[i]); // one that the kernel lacks is none to offer
    }
}

void cgroup_prepare(void) {
    AUTO_CLOSE int parent = open("/sys/fs/cgroup", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (parent < 0 || (mkdirat(parent, "containers", 0755) < 0 && errno != EEXIST)) {
        log_line("no cgroups: %s", strerror(errno));
        settings.cgroup_dir = NULL;
        return;
    }
    AUTO_CLOSE int containers_dir = openat(parent, "containers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enable_controllers(parent);
    enable_controllers(containers_dir);
}

int cgroup_create(const char *id, int *fd, struct failure *why) {
    char path[PATH_MAX];
    *fd = -1;
    if (!settings.cgroup_dir) return 0;
    snprintf(path, sizeof path, "%s/%s", settings.cgroup_dir, id);
    if (mkdir(path, 0755) < 0 && errno != EEXIST) return fail_errno(why, errno, "cannot make a cgroup");
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *fd < 0 ? fail_errno(why, errno, "cannot open the cgroup") : 0;
}

static bool name_is_plain(const char *name) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return name[0] && name[0] != '.' && strspn(name, allowed) == strlen(name);
}

int cgroup_write_files(int fd, const message(KeyValue) *files, size_t count, struct failure *why) {
    if (fd < 0 && count > 0) return fail(why, STATUS_FAILED_PRECONDITION, "this kernel has no cgroups");
    for (size_t i = 0; i < count; i++) {
        const char *name = text_or_empty(files[i].key), *value = text_or_empty(files[i].value);
        if (!name_is_plain(name)) return fail(why, STATUS_INVALID_ARGUMENT, "not a cgroup file: %.64s", name);
        int error = write_at(fd, name, value);
        if (error) return fail_errno(why, error, "cannot write '%.64s' to %.64s", value, name);
    }
    return 0;
}

void cgroup_kill(int fd) {
    if (fd >= 0) write_at(fd, "cgroup.kill", "1");
}

// A process that forks while the list is read may slip through, as with kill(2) on any group but a cgroup's own kill.
int cgroup_signal(int fd, int signal) {
    AUTO_CLOSE int list = openat(fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    if (list < 0) return -errno;
    FILE *lines = fdopen(list, "r");
    if (!lines) return -errno;
    list = -1; // the stream's now
    int pid;
    while (fscanf(lines, "%d", &pid) == 1) {
        if (pid > 0) kill(pid, signal);
    }
    fclose(lines);
    return 0;
}

// Name of some cgroup below, or false.
static bool first_child(int fd, char *name, size_t size) {
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    bool found = false;
    if (!directory) {
        close_scoped(&copy);
        return false;
    }
    for (struct dirent *entry; !found && (entry = readdir(directory));) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
        found = snprintf(name, size, "%s", entry->d_name) < (int)size;
    }
    closedir(directory);
    return found;
}

// Removes one leaf; false when there is none left, or none that can be removed.
static bool remove_leaf(int fd) {
    char name[NAME_MAX + 1], next[NAME_MAX + 1];
    if (!first_child(fd, name, sizeof name)) return false;
    int parent = dup(fd);
    for (;;) {
        int child = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (child < 0 || !first_child(child, next, sizeof next)) {
            close_scoped(&child);
            break;
        }
        close(parent);
        parent = child;
        memcpy(name, next, sizeof name);
    }
    bool removed = unlinkat(parent, name, AT_REMOVEDIR) == 0;
    close_scoped(&parent);
    return removed;
}

void cgroup_remove(const char *id, int fd) {
    char path[PATH_MAX];
    if (fd < 0) return;
    snprintf(path, sizeof path, "%s/%s", settings.cgroup_dir, id);
    if (rmdir(path) == 0) return;
    while (remove_leaf(fd)) continue;
    if (rmdir(path) < 0) log_line("cannot remove the cgroup %s: %s", id, strerror(errno));
}

// The number behind a key of a flat keyed file: "key 123\n".
static uint64_t keyed(const char *text, const char *key) {
    size_t length = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, key, length) == 0 && line[length] == ' ') return strtoull(line + length + 1, NULL, 10);
    }
    return 0;
}

uint64_t cgroup_out_of_memory_kills(int fd) {
    char text[1024];
    return fd < 0 ? 0 : keyed(read_at(fd, "memory.events", text, sizeof text), "oom_kill");
}

static uint64_t number_at(int fd, const char *name) {
    char text[64];
    return strtoull(read_at(fd, name, text, sizeof text), NULL, 10); // "max" is 0: no limit
}

void cgroup_stats(int fd, message(StatsResponse) *stats) {
    char text[1024];
    if (fd < 0) return;
    stats->cpu_usage_microseconds = keyed(read_at(fd, "cpu.stat", text, sizeof text), "usage_usec");
    stats->memory_current_bytes = number_at(fd, "memory.current");
    stats->memory_peak_bytes = number_at(fd, "memory.peak");
    stats->memory_limit_bytes = number_at(fd, "memory.max");
    stats->pids_current = number_at(fd, "pids.current");
    stats->out_of_memory_kills = cgroup_out_of_memory_kills(fd);
}
