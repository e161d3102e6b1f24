#include "stub.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// Opens what a process joins a cgroup with. Version 1 has `tasks` as well, which moves one thread, and we have no other: for
// a thread that moves itself the kernel waits for nobody, while `cgroup.procs` costs a grace period of RCU (5 to 15 ms;
// cgroup_procs_write_start).
static int open_entrance(const char *folder, size_t length, const char *below) {
  static const char *const names[] = {"tasks", "cgroup.procs"};
  int error = -ENOENT;
  for (size_t i = 0; error == -ENOENT && i < sizeof names / sizeof *names; i++) {
    char path[PATH_MAX];
    int size = snprintf(path, sizeof path, "%.*s%s/%s", (int)length, folder, below, names[i]);
    if (size < 0 || (size_t)size >= sizeof path) return -ENAMETOOLONG;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0) return fd;
    error = -errno;
  }
  return error;
}

// The process's places in all hierarchies, as /proc/self/cgroup lists them.
struct places {
  char text[8192];
};

static int read_places(struct places *places) {
  int fd = open("/proc/self/cgroup", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  size_t size = 0;
  ssize_t got = 1;
  while (got > 0 && size < sizeof places->text - 1) {
    got = read(fd, places->text + size, sizeof places->text - 1 - size);
    if (got > 0) size += (size_t)got;
  }
  close(fd);
  places->text[size] = '\0';
  return got < 0 ? -errno : 0;
}

// The path in a line "number:controllers:path"; *next is the line behind it.
static char *split_line(char *line, char **next) {
  char *end = strchrnul(line, '\n');
  *next = *end == '\0' ? end : end + 1;
  *end = '\0';
  char *colon = strchr(line, ':');
  return colon == NULL ? NULL : strchr(colon + 1, ':');
}

// The hierarchy's folder is what remains of `folder` without the path in the hierarchy.
static int open_home(const char *folder, const char *joined, const char *left) {
  size_t folder_length = strlen(folder);
  size_t joined_length = strlen(joined);
  while (folder_length > 0 && folder[folder_length - 1] == '/') folder_length--;
  if (joined_length > folder_length) return -ENOENT;
  size_t prefix = folder_length - joined_length;
  if (memcmp(folder + prefix, joined, joined_length) != 0) return -ENOENT;
  return open_entrance(folder, prefix, left);
}

// The line that joining has changed says where we were. What cannot be found is not gone back to.
static void remember_home(struct home *home, const char *folder, struct places *before, struct places *after) {
  char *old = before->text;
  char *new = after->text;
  while (*old != '\0' && *new != '\0') {
    const char *left = split_line(old, &old);
    const char *joined = split_line(new, &new);
    if (left == NULL || joined == NULL || strcmp(left, joined) == 0) continue;
    int fd = open_home(folder, joined + 1, left + 1);
    if (fd >= 0) home->cgroups[home->cgroup_count++] = fd;
    return;
  }
}

static int join(const char *folder) {
  int fd = open_entrance(folder, strlen(folder), "");
  if (fd < 0) return fd;
  int error = write(fd, "0", 1) == 1 ? 0 : -errno;
  close(fd);
  return error;
}

int join_cgroups(const struct options *options, struct home *home) {
  struct places before;
  struct places after;
  for (size_t i = 0; i < options->cgroup_count; i++) {
    const char *folder = options->cgroups[i];
    int unknown = read_places(&before);
    int error = join(folder);
    if (error != 0) return fail("cannot join the cgroup", folder, error);
    if (unknown == 0 && read_places(&after) == 0) remember_home(home, folder, &before, &after);
  }
  return 0;
}
