#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

// Numbers of capabilities (capabilities(7)); the C library has no header for them.
enum { CAP_SETGID = 6, CAP_SETUID = 7, CAP_SYS_ADMIN = 21 };

static int set_limit(int resource, rlim_t value) {
  const struct rlimit limit = {.rlim_cur = value, .rlim_max = value};
  return setrlimit(resource, &limit) == 0 ? 0 : -errno;
}

static int set_limits(const struct run_options *options) {
  int error = set_limit(RLIMIT_CORE, 0);
  if (error != 0 || options->file_limit_bytes == 0) return error;
  // Beyond the limit a write fails with EFBIG; the VMM drops what the guest prints and lives on.
  if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR) return -errno;
  return set_limit(RLIMIT_FSIZE, options->file_limit_bytes);
}

// When memory runs out a machine shall die before the process that looks after all of them. Best effort:
// a container's own limits may forbid the write.
void set_oom_score(const struct run_options *options) {
  if (options->oom_score == 0) return;
  char text[16];
  int length = snprintf(text, sizeof text, "%d", options->oom_score);
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  if (write(fd, text, (size_t)length) < 0) errno = 0;
  close(fd);
}

static int become_user(const struct run_options *options) {
  if (options->uid == 0) return 0;
  if (setgroups(options->device_gid == 0 ? 0 : 1, &options->device_gid) != 0) return -errno;
  if (setresgid(options->gid, options->gid, options->gid) != 0) return -errno;
  return setresuid(options->uid, options->uid, options->uid) == 0 ? 0 : -errno;
}

// Root's machine that stays root's is a stem: it gives its forks namespaces and a user of their own, and needs no other
// right. What is not in the bounding set is not gained by exec.
static int keep_rights_of_stem(const struct run_options *options) {
  if (!options->isolate || options->uid != 0 || geteuid() != 0) return 0;
  for (unsigned right = 0;; right++) {
    if (right == CAP_SETUID || right == CAP_SETGID || right == CAP_SYS_ADMIN) continue;
    if (prctl(PR_CAPBSET_DROP, right, 0, 0, 0) == 0) continue;
    return errno == EINVAL ? 0 : -errno;  // past the last one that this kernel knows
  }
}

int confine(const struct run_options *options) {
  int error = set_limits(options);
  if (error == 0) error = keep_rights_of_stem(options);
  if (error == 0) error = become_user(options);
  if (error != 0) return error;
  sigset_t none;
  sigemptyset(&none);
  if (sigprocmask(SIG_SETMASK, &none, NULL) != 0) return -errno;
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : -errno;
}
