#include "stub.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char failure[4608];

int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int fail(const char *what, const char *name, int error) {
  if (failure[0] != '\0') return error;
  snprintf(failure, sizeof failure, "%s %s: %s", what, name, strerror(-error));
  // It travels as one line.
  for (char *c = failure; *c != '\0'; c++) {
    if ((unsigned char)*c < ' ') *c = '?';
  }
  return error;
}

const char *get_failure(void) { return failure; }

int write_text(int fd, const char *text, size_t size) {
  while (size > 0) {
    ssize_t written = write(fd, text, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return -errno;
    text += written;
    size -= (size_t)written;
  }
  return 0;
}

void close_descriptor(int *fd) {
  if (*fd >= 0) close(*fd);
  *fd = -1;
}
