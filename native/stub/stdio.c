#include "stub.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

// What a blocking pipe takes at once when it says that it takes anything (PIPE_BUF).
enum { SAFE_WRITE_BYTES = 4096 };

enum kind { PLAIN, SOCKET, OURS, SHARED };

static enum kind kinds[3];

// Opened while there is a /dev.
static int null_fd = -1;

static bool can_block(const struct stat *status) {
  return S_ISFIFO(status->st_mode) || (S_ISCHR(status->st_mode) && major(status->st_rdev) != 1);
}

// O_NONBLOCK belongs to the open file, which others share: so it is opened once more, for us alone.
static enum kind open_again(int fd) {
  struct stat status;
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fstat(fd, &status) != 0) return PLAIN;
  if (S_ISSOCK(status.st_mode)) return SOCKET;
  if (!can_block(&status)) return PLAIN;
  if ((flags & O_NONBLOCK) != 0) return OURS;
  char path[40];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  int again = open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (again < 0) return SHARED;
  bool done = dup2(again, fd) == fd;
  close(again);
  return done ? OURS : SHARED;
}

void prepare_stdio(void) {
  null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) kinds[fd] = open_again(fd);
}

ssize_t read_stream(int fd, void *bytes, size_t size) {
  ssize_t got = kinds[fd] == SOCKET ? recv(fd, bytes, size, MSG_DONTWAIT) : read(fd, bytes, size);
  return got < 0 ? -errno : got;
}

ssize_t write_stream(int fd, const void *bytes, size_t size) {
  if (kinds[fd] == SHARED && size > SAFE_WRITE_BYTES) size = SAFE_WRITE_BYTES;
  ssize_t written = kinds[fd] == SOCKET ? send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) : write(fd, bytes, size);
  return written < 0 ? -errno : written;
}

void replace_by_null(int fd) {
  if (null_fd >= 0 && dup2(null_fd, fd) == fd) kinds[fd] = PLAIN;
}
