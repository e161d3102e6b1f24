#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static int open_below(const char *folder, const char *name) {
  char path[PATH_MAX];
  int length = snprintf(path, sizeof path, "%s/%s", folder, name);
  if (length < 0 || (size_t)length >= sizeof path) return -ENAMETOOLONG;
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
}

// Version 1 has `tasks` as well, which moves one thread, and whoever joins has no other yet: for a thread that moves itself the
// kernel waits for nobody, while `cgroup.procs` costs a grace period of RCU (5 to 15 ms; cgroup_procs_write_start).
int open_cgroup(const char *folder) {
  int fd = open_below(folder, "tasks");
  return fd == -ENOENT ? open_below(folder, "cgroup.procs") : fd;
}

int join_cgroups(const struct run_options *options) {
  for (size_t i = 0; i < options->cgroup_count; i++) {
    int fd = open_cgroup(options->cgroups[i]);
    if (fd < 0) return fd;
    int error = write(fd, "0", 1) == 1 ? 0 : -errno;  // 0: whoever writes
    close(fd);
    if (error != 0) return error;
  }
  return 0;
}
