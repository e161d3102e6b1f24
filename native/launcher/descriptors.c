#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

// A path too long for sun_path is reached through an open descriptor of its folder.
static int make_address(const char *path, struct sockaddr_un *address, int *folder) {
  *folder = -1;
  address->sun_family = AF_UNIX;
  size_t length = strlen(path);
  if (length < sizeof address->sun_path) {
    memcpy(address->sun_path, path, length + 1);
    return 0;
  }
  const char *name = strrchr(path, '/');
  char parent[4096];
  size_t parent_length = (size_t)(name - path);
  if (parent_length >= sizeof parent) return -ENAMETOOLONG;
  memcpy(parent, path, parent_length);
  parent[parent_length] = '\0';
  *folder = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (*folder < 0) return -errno;
  int size = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d%s", *folder, name);
  return size > 0 && (size_t)size < sizeof address->sun_path ? 0 : -ENAMETOOLONG;
}

static int bind_at(int fd, const char *path) {
  struct sockaddr_un address = {0};
  int folder;
  int error = make_address(path, &address, &folder);
  if (error == 0 && bind(fd, (struct sockaddr *)&address, sizeof address) != 0) error = -errno;
  if (folder >= 0) close(folder);
  return error;
}

int connect_to(const char *path) {
  struct sockaddr_un address = {0};
  int folder;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int error = make_address(path, &address, &folder);
  if (error == 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) error = -errno;
  if (folder >= 0) close(folder);
  if (error == 0) return fd;
  close(fd);
  return error;
}

static int open_socket(const struct socket_request *request) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int error = bind_at(fd, request->path);
  // One client at a time talks to the VMM; a second waits here until the first has gone.
  if (error == 0 && listen(fd, 4) != 0) error = -errno;
  // dup3 refuses equal numbers, and leaves the copy open across exec.
  if (error == 0 && fd == request->fd) return fcntl(fd, F_SETFD, 0) == 0 ? 0 : -errno;
  if (error == 0 && dup2(fd, request->fd) < 0) error = -errno;
  close(fd);
  return error;
}

int open_sockets(const struct run_options *options) {
  for (size_t i = 0; i < options->socket_count; i++) {
    int error = open_socket(&options->sockets[i]);
    if (error != 0) return error;
  }
  return 0;
}

static bool is_wanted(const struct run_options *options, int fd) {
  if (fd <= REPORT_FD) return true;
  for (size_t i = 0; i < options->kept_count; i++) {
    if (options->kept[i] == fd) return true;
  }
  for (size_t i = 0; i < options->socket_count; i++) {
    if (options->sockets[i].fd == fd) return true;
  }
  return false;
}

static int close_span(unsigned first, unsigned last) {
  if (first > last) return 0;
  return syscall(SYS_close_range, first, last, 0) == 0 ? 0 : -errno;
}

int close_others(const struct run_options *options) {
  unsigned first = REPORT_FD + 1;
  for (int fd = REPORT_FD + 1; fd < 1024; fd++) {
    if (!is_wanted(options, fd)) continue;
    int error = close_span(first, (unsigned)fd - 1);
    if (error != 0) return error;
    first = (unsigned)fd + 1;
  }
  return close_span(first, ~0U);
}
