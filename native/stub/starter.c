#include "stub.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

// Where all sandboxers of this user write theirs; the working folder is the socket's.
static const char LOG_NAME[] = "sandboxer.log";

static void go_home(const struct home *home) {
  const int namespaces[] = {home->network, home->uts, home->ipc, home->cgroup, home->mount};
  for (size_t i = 0; i < sizeof namespaces / sizeof *namespaces; i++) {
    if (namespaces[i] >= 0 && setns(namespaces[i], 0) != 0) _exit(EXIT_NOT_STARTED);
  }
  for (size_t i = 0; i < home->cgroup_count; i++) {
    // The cgroup may be gone with the engine's process that started us; then it stays in the container's.
    if (write(home->cgroups[i], "0", 1) < 0) continue;
  }
}

static void reset_signals(void) {
  sigset_t none;
  sigemptyset(&none);
  signal(SIGCHLD, SIG_DFL);
  signal(SIGPIPE, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

// Nothing of the container's may stay open in it: an engine waits for the end of its pipes.
static void open_log(void) {
  int log = open(LOG_NAME, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) _exit(EXIT_NOT_STARTED);
  if (log < 0) log = null;
  if (dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0) {
    _exit(EXIT_NOT_STARTED);
  }
  syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0);
}

void start_sandboxer(const struct options *options, const struct home *home) {
  if (options->sandboxer == NULL || fork() != 0) return;
  setsid();
  go_home(home);
  if (home->mount >= 0 && fchdir(home->folder) != 0) _exit(EXIT_NOT_STARTED);
  open_log();
  reset_signals();
  if (chdir("/") != 0) _exit(EXIT_NOT_STARTED);
  execv(options->sandboxer[0], options->sandboxer);
  _exit(EXIT_NOT_STARTED);
}
