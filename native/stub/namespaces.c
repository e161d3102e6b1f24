#include "stub.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

int open_own_namespace(const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/ns/%s", name);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  return fd < 0 ? fail("cannot open", path, -errno) : fd;
}

struct wanted {
  const char *name;
  int type;
  const char *path;  // NULL: stay, or a new one
  bool new;
  int *home;
};

static int join(const char *path, int type) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -errno;
  int error = setns(fd, type) == 0 ? 0 : -errno;
  close(fd);
  return error;
}

static int enter(const struct wanted *wanted) {
  if (wanted->path == NULL && !wanted->new) return 0;
  *wanted->home = open_own_namespace(wanted->name);
  if (*wanted->home < 0) return *wanted->home;
  if (wanted->path != NULL) {
    int error = join(wanted->path, wanted->type);
    return error == 0 ? 0 : fail("cannot join the namespace", wanted->path, error);
  }
  return unshare(wanted->type) == 0 ? 0 : fail("cannot make a namespace:", wanted->name, -errno);
}

int enter_namespaces(const struct options *options, struct home *home) {
  const struct wanted all[] = {
      {"net", CLONE_NEWNET, options->network_namespace, options->new_network, &home->network},
      {"uts", CLONE_NEWUTS, options->uts_namespace, options->new_uts, &home->uts},
      {"ipc", CLONE_NEWIPC, options->ipc_namespace, options->new_ipc, &home->ipc},
      {"cgroup", CLONE_NEWCGROUP, options->cgroup_namespace, options->new_cgroup, &home->cgroup},
  };
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    int error = enter(&all[i]);
    if (error != 0) return error;
  }
  return 0;
}
