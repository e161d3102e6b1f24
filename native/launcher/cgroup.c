#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

int open_cgroup(const char *folder) {
  char path[PATH_MAX];
  int length = snprintf(path, sizeof path, "%s/cgroup.procs", folder);
  if (length < 0 || (size_t)length >= sizeof path) return -ENAMETOOLONG;
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  return fd < 0 ? -errno : fd;
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
