#include "stub.h"

#include <errno.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

// It only has to write a file and leave; one that hangs must not hold the exit code back for good.
static const int PATIENCE_MS = 10000;

// An engine's monitor learns of our end because we are its child, which we become when whoever started us leaves. A
// process that ends before that would be reaped by the wrong one, and its exit code lost.
int open_parent(const struct options *options) {
  return options->detached ? (int)syscall(SYS_pidfd_open, getppid(), 0) : -1;
}

void outlive_parent(int parent) {
  struct pollfd gone = {.fd = parent, .events = POLLIN};
  const int64_t end = now_ms() + PATIENCE_MS;
  for (int64_t left = PATIENCE_MS; parent >= 0 && left > 0; left = end - now_ms()) {
    if (poll(&gone, 1, (int)left) >= 0 || errno != EINTR) return;
  }
}
