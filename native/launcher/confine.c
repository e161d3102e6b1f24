#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// Numbers of capabilities (capabilities(7)); the C library has no header for them.
enum {
  CAP_CHOWN = 0,
  CAP_DAC_OVERRIDE = 1,
  CAP_FOWNER = 3,
  CAP_FSETID = 4,
  CAP_SETGID = 6,
  CAP_SETUID = 7,
  CAP_SYS_ADMIN = 21,
  CAP_MKNOD = 27,
  CAP_SETFCAP = 31,
};
#define RIGHT(number) (1U << (number))
// What it takes to write any file with any owner, mode and attribute.
#define RIGHTS_OVER_FILES                                                                       \
  (RIGHT(CAP_CHOWN) | RIGHT(CAP_DAC_OVERRIDE) | RIGHT(CAP_FOWNER) | RIGHT(CAP_FSETID) | \
   RIGHT(CAP_MKNOD) | RIGHT(CAP_SETFCAP))
// A stem gives its forks namespaces and a user of their own.
#define RIGHTS_OF_STEM (RIGHT(CAP_SETUID) | RIGHT(CAP_SETGID) | RIGHT(CAP_SYS_ADMIN))

// capset(2), for which the C library has no header either.
struct capability_header {
  uint32_t version;
  int pid;
};
struct capability_sets {
  uint32_t effective, permitted, inheritable;
};
enum { CAPABILITY_VERSION_3 = 0x20080522, SETS_OF_VERSION_3 = 2 };

static int set_limit(int resource, rlim_t value) {
  const struct rlimit limit = {.rlim_cur = value, .rlim_max = value};
  return setrlimit(resource, &limit) == 0 ? 0 : -errno;
}

// Who lacks CAP_SYS_RESOURCE cannot raise a hard limit again, and some forks of a stem must.
static int set_soft_limit(int resource, rlim_t value) {
  struct rlimit limit;
  if (getrlimit(resource, &limit) != 0) return -errno;
  if (value < limit.rlim_max) limit.rlim_cur = value;
  return setrlimit(resource, &limit) == 0 ? 0 : -errno;
}

static int set_limits(const struct run_options *options) {
  int error = set_limit(RLIMIT_CORE, 0);
  if (error != 0 || options->file_limit_bytes == 0) return error;
  // Beyond the limit a write fails with EFBIG; the VMM drops what the guest prints and lives on.
  if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR) return -errno;
  if (options->is_stem) return set_soft_limit(RLIMIT_FSIZE, options->file_limit_bytes);
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

// What is not in the bounding set is not gained by exec.
static int bound_rights(uint32_t kept) {
  for (unsigned right = 0;; right++) {
    if (right < 32 && (kept & RIGHT(right)) != 0) continue;
    if (prctl(PR_CAPBSET_DROP, right, 0, 0, 0) == 0) continue;
    return errno == EINVAL ? 0 : -errno;  // past the last one that this kernel knows
  }
}

// Rights that outlive exec although the user is not root.
static int keep_rights_over_files(void) {
  const struct capability_header header = {.version = CAPABILITY_VERSION_3};
  const struct capability_sets sets[SETS_OF_VERSION_3] = {
      {RIGHTS_OVER_FILES, RIGHTS_OVER_FILES, RIGHTS_OVER_FILES}};
  if (syscall(SYS_capset, &header, sets) != 0) return -errno;
  for (unsigned right = 0; right < 32; right++) {
    if ((RIGHTS_OVER_FILES & RIGHT(right)) == 0) continue;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, right, 0, 0) != 0) return -errno;
  }
  return 0;
}

static int set_user(const struct run_options *options) {
  if (setgroups(options->device_gid == 0 ? 0 : 1, &options->device_gid) != 0) return -errno;
  if (setresgid(options->gid, options->gid, options->gid) != 0) return -errno;
  return setresuid(options->uid, options->uid, options->uid) == 0 ? 0 : -errno;
}

// Root's VMM becomes a user without rights, but for those over files where the guest owns what it shares.
static int become_user(const struct run_options *options) {
  if (options->uid == 0) return 0;
  if (!options->share.writable) return set_user(options);
  int error = bound_rights(RIGHTS_OVER_FILES);
  if (error != 0) return error;
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return -errno;
  error = set_user(options);
  return error == 0 ? keep_rights_over_files() : error;
}

// A stem of root stays root's. It has the rights over files for those forks that shall have them.
static int keep_rights_of_stem(const struct run_options *options) {
  if (!options->is_stem || !options->isolate || geteuid() != 0) return 0;
  return bound_rights(RIGHTS_OF_STEM | RIGHTS_OVER_FILES);
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
