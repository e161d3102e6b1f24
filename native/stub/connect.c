#include "stub.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// A path too long for sun_path is reached through an open descriptor of its folder.
static int make_address(const char *path, struct sockaddr_un *address, int *folder) {
  address->sun_family = AF_UNIX;
  size_t length = strlen(path);
  if (length < sizeof address->sun_path) {
    memcpy(address->sun_path, path, length + 1);
    return 0;
  }
  const char *name = strrchr(path, '/');
  if (name == NULL || name - path >= PATH_MAX) return -ENAMETOOLONG;
  char parent[PATH_MAX];
  memcpy(parent, path, (size_t)(name - path));
  parent[name - path] = '\0';
  *folder = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (*folder < 0) return -errno;
  int size = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d%s", *folder, name);
  return size > 0 && (size_t)size < sizeof address->sun_path ? 0 : -ENAMETOOLONG;
}

int connect_to(const char *path, int flags) {
  struct sockaddr_un address = {0};
  int folder = -1;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  if (fd < 0) return -errno;
  int error = make_address(path, &address, &folder);
  if (error == 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) error = -errno;
  close_descriptor(&folder);
  if (error == 0) return fd;
  close(fd);
  return error;
}

int open_socket_folder(const struct options *options, struct home *home) {
  char parent[PATH_MAX];
  const char *name = strrchr(options->socket, '/');
  size_t length = (size_t)(name - options->socket);
  if (length >= sizeof parent) return fail("cannot use", options->socket, -ENAMETOOLONG);
  memcpy(parent, options->socket, length);
  parent[length] = '\0';
  home->folder = open(length == 0 ? "/" : parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return home->folder < 0 ? fail("cannot open", parent, -errno) : 0;
}
