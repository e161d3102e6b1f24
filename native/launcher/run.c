#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

// The report descriptor closes at exec: its end of file tells the parent that the VMM has taken over.
static int announce_ready(void) {
  if (fcntl(REPORT_FD, F_SETFD, FD_CLOEXEC) != 0) return -errno;
  return write(REPORT_FD, "R", 1) == 1 ? 0 : -errno;
}

static int fail(const char *what, int error) {
  report_failure(what, error);
  return 125;
}

int command_run(int argc, char **argv) {
  struct run_options options = {0};
  int error = parse_options(argc, argv, &options);
  if (error == 0 && options.program == NULL) error = -EINVAL;
  if (error != 0) return fail("cannot read the options of run", error);

  error = close_others(&options);
  if (error != 0) return fail("cannot close inherited descriptors", error);
  error = open_sockets(&options);
  if (error != 0) return fail("cannot listen on the machine's sockets", error);
  error = announce_ready();
  if (error != 0) return fail("cannot report readiness", error);

  // The machine outlives its parent's terminal and session. EPERM: it leads a group already.
  if (setsid() < 0 && errno != EPERM) return fail("cannot start a session", errno);
  error = join_cgroups(&options);
  if (error != 0) return fail("cannot join the machine's cgroups", error);
  error = open_taps(&options);
  if (error != 0) return fail("cannot open the machine's taps", error);
  set_oom_score(&options);
  if (options.isolate) {
    error = isolate(&options);
    if (error != 0) return fail("cannot isolate the machine", error);
  } else {
    error = open_share(&options.share);
    if (error != 0) return fail("cannot open the machine's shared folder", error);
  }
  error = confine(&options);
  if (error != 0) return fail("cannot confine the machine", error);

  char *environment[] = {NULL};
  execve(options.program[0], options.program, environment);
  return fail(options.program[0], errno);
}
