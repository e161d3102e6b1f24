#include "stub.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>

// From here on every signal waits in the descriptor. SIGCHLD tells of sandboxers that were started, and SIGPIPE of our
// own writes: those are not the container's.
int open_signals(void) {
  sigset_t all;
  sigfillset(&all);
  if (sigprocmask(SIG_SETMASK, &all, NULL) != 0) return fail("cannot block", "signals", -errno);
  signal(SIGCHLD, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  int fd = signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
  return fd < 0 ? fail("cannot wait for", "signals", -errno) : fd;
}
